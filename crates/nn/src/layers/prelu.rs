//! PReLU: a leaky relu that learns its slope.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// x where x > 0, else a · x, with a slope a that is trained: one for all, or one for each channel.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, …]`; any shape where there is one slope |
/// | `weight` a | `[1]` or `[channels]` |
/// | y | as x |
///
/// The slopes start from 0.25. The derivative at 0 is a. The names and shapes are those of PyTorch's `PReLU`. He et al. 2015.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::prelu::PRelu};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = PRelu::new().predict(&Tensor::from([[-2f32, 3.0]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-0.5, 3.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct PRelu {
    /// a, `[1]` or `[channels]`.
    pub weight: Param,
}

impl PRelu {
    /// With one slope for all.
    #[track_caller]
    pub fn new() -> PRelu {
        PRelu::per_channel(1)
    }

    /// With a slope for each of so many channels, which are axis 1 of the input.
    #[track_caller]
    pub fn per_channel(channels: usize) -> PRelu {
        let weight = match channels {
            0 => Param::faulty(
                Error::value("0 channels have no slopes").op("PRelu").at(Location::caller()).help("at least 1 channel"),
            ),
            _ => Param::draw([channels], Init::Constant(0.25)),
        };
        PRelu { weight }
    }

    /// Starts from another slope than 0.25.
    #[must_use]
    pub fn slope(mut self, slope: f64) -> PRelu {
        self.weight.set_init(Init::Constant(slope));
        self
    }
}

impl Default for PRelu {
    #[track_caller]
    fn default() -> PRelu {
        PRelu::new()
    }
}

impl Layer for PRelu {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        let shape = x.shape();
        let channels = weight.len();
        if channels == 1 {
            return x.leaky_relu(weight.reshape(()));
        }
        if shape.get(1) != Some(&channels) {
            let error = Error::shape(format!("takes {channels} channels in axis 1, not {shape}"));
            let error = match shape.get(1) {
                Some(found) => error.help(format!("PRelu::per_channel({found}) would take this one")),
                None => error.help("PRelu::new() has one slope, and takes any shape"),
            };
            return tape.reject("PRelu", &[("input", x), ("weight", weight)], error);
        }
        let mut along = vec![1; shape.rank() - 1];
        if let Some(first) = along.first_mut() {
            *first = channels;
        }
        x.leaky_relu(weight.reshape(along))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("prelu", "one", PRelu::new(), [&[4, 3], &[4, 3]], &["weight"]),
        Case::new("prelu", "vector", PRelu::new(), [&[5], &[5]], &["weight"]),
        Case::new("prelu", "channels", PRelu::per_channel(3), [&[2, 3, 2, 2], &[2, 3, 2, 2]], &["weight"]),
        Case::new("prelu", "features", PRelu::per_channel(3), [&[4, 3], &[4, 3]], &["weight"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::random::Seed;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn channels_that_do_not_fit_are_refused() {
        let x = Tensor::zeros([2, 4], DType::F32).unwrap();
        let text = PRelu::per_channel(3).predict(&x).unwrap_err().to_string();
        assert!(text.contains("takes 3 channels in axis 1, not [2, 4]"), "{text}");
        assert!(text.contains("PRelu::per_channel(4) would take this one"), "{text}");
        let text = PRelu::per_channel(3).predict(&Tensor::from([1f32])).unwrap_err().to_string();
        assert!(text.contains("PRelu::new() has one slope"), "{text}");
        let text = PRelu::per_channel(0).init(Seed(1)).unwrap_err().to_string();
        assert!(text.contains("0 channels have no slopes"), "{text}");
    }

    #[test]
    fn starts_from_its_slope_in_any_dtype() -> Result<()> {
        let layer = PRelu::new().slope(0.5).init(Seed(1))?.with_dtype(DType::BF16)?;
        let y = layer.predict(&Tensor::from([-2f32]).cast(DType::BF16)?)?;
        assert_eq!(y.to_f64_vec(), [-1.0]);
        Ok(())
    }
}
