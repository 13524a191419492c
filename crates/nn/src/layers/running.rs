//! Running statistics: what batch and instance normalisation remember of the data for evaluation.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

use super::norm::{of_width, wide};
use crate::init::Init;
use crate::param::Buffer;

/// Mean and variance 1 of so many channels, and the count of steps: `running_mean`, `running_var`,
/// `num_batches_tracked`.
pub(super) fn fresh(channels: usize) -> [Option<Buffer>; 3] {
    let mean = Buffer::draw([channels], DType::F32, Init::Zeros).wide();
    let var = Buffer::draw([channels], DType::F32, Init::Ones).wide();
    [Some(mean), Some(var), Some(Buffer::draw((), DType::I64, Init::Zeros))]
}

/// The three buffers of a layer.
#[derive(Clone, Copy)]
pub(super) struct Running<'a> {
    mean: &'a Buffer,
    var: &'a Buffer,
    count: &'a Buffer,
}

impl<'a> Running<'a> {
    /// Nothing, unless all three are there.
    pub(super) fn of(buffers: [&'a Option<Buffer>; 3]) -> Option<Running<'a>> {
        let [mean, var, count] = buffers.map(Option::as_ref);
        Some(Running { mean: mean?, var: var?, count: count? })
    }

    /// Mean and variance, of a shape that fits beside `x`.
    #[track_caller]
    pub(super) fn beside<'t>(self, x: Var<'t>, shape: &[usize]) -> [Var<'t>; 2] {
        [of_width(self.mean, x, shape), of_width(self.var, x, shape)]
    }

    /// Records that mean and variance go a part of the way to the new ones: r ← r + momentum · (new − r). Without a
    /// momentum the k-th step goes 1 / k of it, so that they are the averages of all steps.
    #[track_caller]
    pub(super) fn follow(self, new: [Var<'_>; 2], momentum: Option<f64>) {
        let [mean, _] = new;
        let tape = mean.tape();
        let wide = wide(mean.dtype());
        let part = match momentum {
            Some(momentum) => tape.scalar(momentum, wide),
            None => 1.0 / (self.count.now(tape) + 1).cast(wide),
        };
        for (buffer, new) in [self.mean, self.var].into_iter().zip(new) {
            let old = buffer.now(tape);
            let from = old.cast(wide);
            buffer.update((from + (new.reshape(old.shape()) - from) * part).cast(old.dtype()));
        }
    }

    /// Records that there was one step more.
    #[track_caller]
    pub(super) fn tick(self, beside: Var<'_>) {
        self.count.update(self.count.now(beside.tape()) + 1);
    }
}
