//! Sinusoidal positions: waves that tell where a token stands.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use crate::layer::Layer;
use crate::module::Module;

const NAME: &str = "SinusoidalPositions";

/// y = x + P with P\[p, 2i\] = sin(p · θ^(−2i / d)) and P\[p, 2i + 1\] = cos of the same, for position p and d features.
/// Vaswani et al. 2017. Nothing is learned, and there is no longest sequence.
///
/// | | shape |
/// |---|---|
/// | x | `[…, positions, d]` |
/// | positions | `[positions]` or `[batch, positions]`, i64 or float |
/// | y | as x |
///
/// θ is 10000. As a layer it counts the positions from 0; [`add`](SinusoidalPositions::add) is told them.
/// [`halves`](SinusoidalPositions::halves) has all sines before all cosines, as tensor2tensor and diffusion models have.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::sinusoidal_positions::SinusoidalPositions};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = SinusoidalPositions::new().predict(&Tensor::zeros([2, 2], DType::F64)?)?;
/// assert_eq!(y.to_vec::<f64>()?, [0.0, 1.0, 1f64.sin(), 1f64.cos()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct SinusoidalPositions {
    theta: f64,
    halves: bool,
}

impl SinusoidalPositions {
    /// Sines and cosines in turn, θ = 10000.
    pub fn new() -> SinusoidalPositions {
        SinusoidalPositions { theta: 10000.0, halves: false }
    }

    /// The longest wave is 2π θ positions long.
    #[must_use]
    pub fn theta(self, theta: f64) -> SinusoidalPositions {
        SinusoidalPositions { theta, ..self }
    }

    /// First all sines, then all cosines.
    #[must_use]
    pub fn halves(self) -> SinusoidalPositions {
        SinusoidalPositions { halves: true, ..self }
    }

    /// x with the waves of these positions added.
    #[track_caller]
    pub fn add<'t>(&self, x: Var<'t>, positions: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let features = match self.check(x, positions) {
            Ok(features) => features,
            Err(error) => return tape.reject(NAME, &[("input", x), ("positions", positions)], error),
        };
        // Where the number of features is odd, the last wave has a sine alone.
        let waves = features.div_ceil(2);
        let lengths = (tape.iota([waves], 0, DType::F64) * (-2.0 * self.theta.ln() / features as f64)).exp();
        let angle = positions.cast(DType::F64).unsqueeze(-1) * lengths;
        let (sin, cos) = (angle.sin(), angle.cos());
        let table = match self.halves {
            true => tape.concat(&[sin, cos.slice(-1, 0..features / 2)], -1),
            false => {
                let mut dims = positions.shape().dims().to_vec();
                dims.push(2 * waves);
                tape.stack(&[sin, cos], -1).reshape(dims).slice(-1, 0..features)
            }
        };
        x + table.cast(x.dtype())
    }

    fn check(&self, x: Var<'_>, positions: Var<'_>) -> Result<usize> {
        if !(self.theta.is_finite() && self.theta > 0.0) {
            return Err(Error::value(format!("a base of {}", self.theta)).help("it is a finite number above 0"));
        }
        if !x.dtype().is_float() {
            return Err(Error::dtype(format!("positions are added to floats, not to {}", x.dtype())));
        }
        counted(x, positions)
    }
}

/// The number of features of `x`, if `positions` are as many as there are in it.
pub(super) fn counted(x: Var<'_>, positions: Var<'_>) -> Result<usize> {
    let (shape, places) = (x.shape(), positions.shape());
    let &[ref batch @ .., count, features] = shape.dims() else {
        return Err(Error::shape(format!("takes [positions, features], not {shape}")));
    };
    match *places.dims() {
        [n] if n == count => Ok(features),
        [ref lead @ .., n] if n == count && !lead.is_empty() && lead == batch => Ok(features),
        _ => {
            let error = Error::shape(format!("positions {places} for an input {shape}"));
            Err(error.help(format!("[{count}] would fit: one for each position")))
        }
    }
}

/// The positions of `x` `[…, positions, features]`, from 0.
#[track_caller]
pub(super) fn places(x: Var<'_>) -> Var<'_> {
    let count = x.shape().dims().iter().rev().nth(1).copied().unwrap_or(0);
    x.tape().iota([count], 0, DType::I64)
}

/// Sines and cosines in turn, θ = 10000.
impl Default for SinusoidalPositions {
    fn default() -> SinusoidalPositions {
        SinusoidalPositions::new()
    }
}

impl Layer for SinusoidalPositions {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.add(x, places(x))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer: SinusoidalPositions, shape: &[usize]| {
        Case::new("sinusoidal_positions", name, layer, [shape, shape], &[])
    };
    let placed = Applied::new(SinusoidalPositions::new(), |layer: &SinusoidalPositions, x: Var<'_>| {
        layer.add(x, x.tape().iota([2, 3], 0, DType::I64) + 7)
    });
    vec![
        case("in_turn", SinusoidalPositions::new(), &[2, 5, 6]),
        case("odd", SinusoidalPositions::new().theta(100.0), &[2, 3, 5]),
        case("halves", SinusoidalPositions::new().halves(), &[3, 4]),
        Case::new("sinusoidal_positions", "placed", placed, [&[2, 3, 4], &[2, 3, 4]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |layer: SinusoidalPositions, shape: &[usize], dtype| {
            layer.predict(&Tensor::zeros(shape, dtype).unwrap()).unwrap_err().to_string()
        };
        assert!(say(SinusoidalPositions::new(), &[4], DType::F32).contains("takes [positions, features], not [4]"));
        assert!(say(SinusoidalPositions::new().theta(f64::NAN), &[3, 4], DType::F32).contains("a base of NaN"));
        assert!(say(SinusoidalPositions::new(), &[3, 4], DType::I64).contains("not to i64"));
    }
}
