//! Group normalisation: the channels of every example, group by group, have mean 0 and variance 1.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::norm::{affine, affine_settings, along, channels, parameter, refuse, sound, standardized, wide};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = (x − mean) / √(var + ε) · weight + bias, with mean and variance of each example over a group of channels and
/// all places.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, floats; statistics of 16 bits are taken in f32 |
/// | `weight`, `bias` | `[channels]`, from ones and zeros |
/// | y | as x |
///
/// var = Σ(x − mean)² / n. The same in training and evaluation, and for any size of batch. One group is a layer norm
/// over channels and places, as many groups as channels are an instance norm. The names and defaults (ε = 1e-5) are
/// those of PyTorch's `GroupNorm`. Wu & He 2018.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::group_norm::GroupNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let norm = GroupNorm::new(2, 4).epsilon(0.0);
/// let y = norm.predict(&Tensor::from([[1f32, 3.0, 20.0, 10.0]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0, 1.0, -1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct GroupNorm {
    /// The scale, `[channels]`, unless the layer was made [`without_affine`](GroupNorm::without_affine).
    pub weight: Option<Param>,
    /// The offset, `[channels]`.
    pub bias: Option<Param>,
    groups: usize,
    channels: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// So many groups of so many channels in all. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm {
        let here = Location::caller();
        let of = |init| match divided(groups, channels) {
            Ok(()) => parameter("GroupNorm", [channels], init),
            Err(error) => Param::faulty(error.op("GroupNorm").at(here)),
        };
        let (weight, bias) = (Some(of(Init::Ones)), Some(of(Init::Zeros)));
        GroupNorm { weight, bias, groups, channels, epsilon: 1e-5 }
    }
}

/// Whether channels fall in so many groups.
fn divided(groups: usize, channels: usize) -> Result<(), Error> {
    match channels.checked_rem(groups) {
        Some(0) if channels > 0 => Ok(()),
        _ => Err(Error::value(format!("{groups} groups of {channels} channels"))
            .help("the number of groups divides that of channels, and both are at least 1")),
    }
}

affine_settings!(GroupNorm);

impl Layer for GroupNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let fits = || {
            divided(self.groups, self.channels)?;
            sound(x, self.epsilon)?;
            channels("GroupNorm", x, self.channels, 2)
        };
        if let Err(error) = fits() {
            return refuse("GroupNorm", x, self.weight.as_ref(), error);
        }
        let shape = x.shape();
        let examples = shape.first().copied().unwrap_or(0);
        let each = shape.dims().iter().skip(1).product::<usize>() / self.groups.max(1);
        let grouped = x.cast(wide(x.dtype())).reshape([examples, self.groups, each]);
        let y = standardized(grouped, &[-1], self.epsilon).reshape(&shape);
        let beside = along(shape.rank(), 1, self.channels);
        affine(x, y, self.weight.as_ref(), self.bias.as_ref(), &beside)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shape: &[usize], names| Case::new("group_norm", name, layer, [shape, shape], names);
    let both: &[&str] = &["weight", "bias"];
    vec![
        case("rows", GroupNorm::new(2, 6), &[3, 6], both),
        case("images", GroupNorm::new(2, 4).epsilon(1e-2), &[2, 4, 3, 2], both),
        case("one_group", GroupNorm::new(1, 3), &[2, 3, 4], both),
        case("channel_each", GroupNorm::new(3, 3), &[1, 3, 4], both),
        case("without_affine", GroupNorm::new(2, 4).without_affine(), &[2, 4, 3], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::random::{Key, normal_f32};
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: GroupNorm, shape: &[usize], wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full(shape, 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(GroupNorm::new(0, 4), &[2, 4], "0 groups of 4 channels");
        told(GroupNorm::new(3, 4).without_affine(), &[2, 4], "3 groups of 4 channels");
        told(GroupNorm::new(2, 0), &[2, 0], "2 groups of 0 channels");
        told(GroupNorm::new(2, 4), &[2, 6], "takes 4 channels on axis 1, not 6");
        told(GroupNorm::new(2, 4), &[4], "takes [batch, channels, …], not [4]");
        told(GroupNorm::new(2, 4).epsilon(f64::NAN), &[2, 4], "ε = NaN");
    }

    #[test]
    fn a_large_mean_costs_no_digits() -> Result<()> {
        let x = Tensor::from_fn([1, 4, 2048], |i| 1e4 + normal_f32(Key::new(1), i as u64))?;
        let y = GroupNorm::new(2, 4).predict(&x)?.to_f64_vec();
        for group in y.chunks(4096) {
            let mean = group.iter().sum::<f64>() / 4096.0;
            let var = group.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 4096.0;
            assert!(mean.abs() < 2e-3 && (var - 1.0).abs() < 1e-3, "{mean}, {var}");
        }
        Ok(())
    }
}
