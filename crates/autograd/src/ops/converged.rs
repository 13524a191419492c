//! `converged`: a value that was found by iteration, or an error when it was not.
//!
//! * operands: the value, its last change, and what the change had to fall below; both numbers
//! * shape, dtype: those of the value
//! * derivative: linear; the cotangent goes to the value

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

/// A check when it runs.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Converged {
    /// The number of turns that were not enough.
    pub turns: usize,
}

impl Op for Converged {
    fn name(&self) -> &'static str {
        "fixed_point"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "change", "bound"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, change, bound] = operands(inputs)?;
        match change == bound && change.dtype == DType::F64 {
            true => Ok(x.clone()),
            false => Err(Error::shape(format!("a change of {change}, a bound of {bound}"))),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        (i == 0).then_some(ct)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Converged { turns: self.turns })
    }
}

impl Kernel for Converged {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, change, bound] = views(inputs)?;
        for (change, bound) in change.as_slice::<f64>()?.iter().zip(bound.as_slice::<f64>()?) {
            // NaN and infinity are no solutions either.
            if !change.is_finite() || change > bound {
                let change = Scalar::of(*change);
                let error =
                    Error::value(format!("no fixed point after {} turns: the last changed by {change}", self.turns));
                return Err(error.help("start nearer, or see that the function contracts: |∂f/∂z| < 1"));
            }
        }
        let to = out.bytes_mut();
        match to.len() == x.bytes().len() {
            true => to.copy_from_slice(x.bytes()),
            false => return Err(Error::state("a copy of another size")),
        }
        Ok(())
    }
}

impl<'t> Var<'t> {
    #[track_caller]
    pub(crate) fn converged(self, change: Var<'t>, bound: Var<'t>, turns: usize) -> Var<'t> {
        self.tape.record(Converged { turns }, &[self, change, bound])
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "fixed_point",
            "converged.rs",
            vec![Sample::new("near enough", [Tensor::from([1.0f64, 2.0])], |tape, x| {
                let [change, bound] = [0.1f64, 0.2].map(|value| tape.constant([], value));
                x[0].converged(change, bound, 3).square()
            })],
        )
        .accuracy(Accuracy::Body),
    ]
}
