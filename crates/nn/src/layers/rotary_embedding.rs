//! Rotary positions: pairs of features, turned by an angle that grows with the position.

use std::f64::consts::TAU;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use super::norm::wide;
use crate::layer::Layer;
use crate::module::Module;

const NAME: &str = "RotaryEmbedding";

/// Turns pair i of the features of a query or key by the angle p · θ^(−2i / d), where p is the position and d the number of
/// features: then the product of a query and a key depends on their distance alone. Su et al. 2021 (RoPE).
///
/// | | shape | dtype |
/// |---|---|---|
/// | x | `[…, positions, features]` | float |
/// | positions | `[positions]`, or `[batch, positions]` with the batch in front of x | i64 or float |
/// | y | as x | that of x |
///
/// A pair is (xᵢ, xᵢ₊d/2), the two halves, as in GPT-NeoX, Llama of Hugging Face, and Keras; or, when
/// [`interleaved`](RotaryEmbedding::interleaved), (x₂ᵢ, x₂ᵢ₊₁), as in the paper, GPT-J and torchtune. θ is 10000. Angles are
/// taken in f64, so that far positions are as exact as near ones.
///
/// As a layer it counts the positions from 0.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::rotary_embedding::RotaryEmbedding};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = RotaryEmbedding::new().predict(&Tensor::from([[1f64, 0.0], [1.0, 0.0]]))?;
/// assert_eq!(y.to_vec::<f64>()?, [1.0, 0.0, 1f64.cos(), 1f64.sin()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct RotaryEmbedding {
    theta: f64,
    interleaved: bool,
    features: Option<usize>,
    stretch: f64,
    #[module(skip)]
    llama3: Option<[f64; 2]>,
}

impl RotaryEmbedding {
    /// Halves, θ = 10000, all features.
    pub fn new() -> RotaryEmbedding {
        RotaryEmbedding { theta: 10000.0, interleaved: false, features: None, stretch: 1.0, llama3: None }
    }

    /// The base of the angles: a larger one is for longer sequences.
    #[must_use]
    pub fn theta(self, theta: f64) -> RotaryEmbedding {
        RotaryEmbedding { theta, ..self }
    }

    /// Neighbours are pairs, instead of the two halves.
    #[must_use]
    pub fn interleaved(self) -> RotaryEmbedding {
        RotaryEmbedding { interleaved: true, ..self }
    }

    /// Only the first `features` are turned, and are what d counts; the others stay.
    #[must_use]
    pub fn features(self, features: usize) -> RotaryEmbedding {
        RotaryEmbedding { features: Some(features), ..self }
    }

    /// Divides all positions by this factor, so that a longer sequence has the angles of a shorter one: position
    /// interpolation. Chen et al. 2023.
    #[must_use]
    pub fn stretch(self, factor: f64) -> RotaryEmbedding {
        RotaryEmbedding { stretch: factor, ..self }
    }

    /// The angles of Llama 3.1 and later, which was made for `original` positions and stretched by `factor`: waves longer than
    /// `original` positions are stretched, those shorter than a quarter of it stay, and between the two there is a ramp.
    #[must_use]
    pub fn llama3(self, factor: f64, original: usize) -> RotaryEmbedding {
        RotaryEmbedding { llama3: Some([factor, original as f64]), ..self }
    }

    /// x with its features turned as these positions say.
    #[track_caller]
    pub fn rotate<'t>(&self, x: Var<'t>, positions: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let turned = match self.check(x, positions) {
            Ok(turned) => turned,
            Err(error) => return tape.reject(NAME, &[("input", x), ("positions", positions)], error),
        };
        let half = turned / 2;
        // ln of θ^(−2i / d).
        let powers = tape.iota([half], 0, DType::F64) * (-2.0 * self.theta.ln() / turned as f64);
        let mut speed = powers.exp();
        if let Some([factor, original]) = self.llama3 {
            // How many waves there are among the original positions, 1 to 4, as 0 to 1.
            let kept = ((speed * (original / TAU) - 1.0) / 3.0).clamp(0.0, 1.0);
            speed = speed * (kept + (1.0 - kept) / factor);
        }
        let mut positions = positions.cast(DType::F64) * (1.0 / self.stretch);
        // Positions of a batch stand below all the axes between it and them.
        while positions.rank() > 1 && positions.rank() + 1 < x.rank() {
            positions = positions.unsqueeze(1);
        }
        let angle = positions.unsqueeze(-1) * speed;
        let dtype = wide(x.dtype());
        let (cos, sin) = (angle.cos().cast(dtype), angle.sin().cast(dtype));
        let (turning, rest) = (x.slice(-1, 0..turned).cast(dtype), x.slice(-1, turned..));
        let y = match self.interleaved {
            true => {
                let mut pairs = x.shape().dims().to_vec();
                pairs.pop();
                pairs.extend([half, 2]);
                let pairs = turning.reshape(pairs);
                let (a, b) = (pairs.at(-1, 0), pairs.at(-1, 1));
                tape.stack(&[a * cos - b * sin, b * cos + a * sin], -1).reshape(turning.shape())
            }
            false => {
                let (a, b) = (turning.slice(-1, 0..half), turning.slice(-1, half..));
                tape.concat(&[a * cos - b * sin, b * cos + a * sin], -1)
            }
        };
        let y = y.cast(x.dtype());
        if rest.is_empty() { y } else { tape.concat(&[y, rest], -1) }
    }

    /// How many features are turned, if everything fits.
    fn check(&self, x: Var<'_>, positions: Var<'_>) -> Result<usize> {
        let [factor, original] = self.llama3.unwrap_or([1.0; 2]);
        let numbers =
            [("base", self.theta), ("stretch", self.stretch), ("factor", factor), ("number of positions", original)];
        for (what, value) in numbers {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::value(format!("a {what} of {value}")).help("it is a finite number above 0"));
            }
        }
        let shape = x.shape();
        let &[ref batch @ .., count, features] = shape.dims() else {
            return Err(Error::shape(format!("takes [positions, features], not {shape}")));
        };
        if !x.dtype().is_float() {
            return Err(Error::dtype(format!("features are floats, not {}", x.dtype())));
        }
        let turned = self.features.unwrap_or(features);
        if turned == 0 || !turned.is_multiple_of(2) || turned > features {
            let error = Error::shape(format!("{turned} of {features} features cannot be turned in pairs"));
            return Err(error.help("an even number of them is turned, at least 2: see `features`"));
        }
        let places = positions.shape();
        let fits = match *places.dims() {
            [n] => n == count,
            [ref lead @ .., n] => n == count && (lead == batch || lead.len() == 1 && batch.first() == lead.first()),
            [] => false,
        };
        match fits && positions.dtype() != DType::Bool {
            true => Ok(turned),
            false => Err(Error::shape(format!("positions {places} {} for an input {shape}", positions.dtype()))
                .help(format!("[{count}] i64 would fit: one for each position"))),
        }
    }
}

/// Halves, θ = 10000, all features.
impl Default for RotaryEmbedding {
    fn default() -> RotaryEmbedding {
        RotaryEmbedding::new()
    }
}

impl Layer for RotaryEmbedding {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let count = x.shape().dims().iter().rev().nth(1).copied().unwrap_or(0);
        self.rotate(x, x.tape().iota([count], 0, DType::I64))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let same: [&[usize]; 2] = [&[2, 2, 3, 6], &[2, 2, 3, 6]];
    let case = |name, rotary: RotaryEmbedding| Case::new("rotary_embedding", name, rotary, same, &[]);
    let placed = Applied::new(RotaryEmbedding::new().theta(100.0), |rotary: &RotaryEmbedding, x: Var<'_>| {
        // Positions of the examples: 5, 6, 7 and 6, 7, 8.
        let tape = x.tape();
        let places = tape.iota([2, 3], 0, DType::I64) + tape.iota([2, 3], 1, DType::I64) + 5;
        rotary.rotate(x, places)
    });
    vec![
        case("halves", RotaryEmbedding::new()),
        case("interleaved", RotaryEmbedding::new().interleaved()),
        case("theta", RotaryEmbedding::new().theta(500.0).interleaved()),
        case("part", RotaryEmbedding::new().features(4)),
        case("stretched", RotaryEmbedding::new().stretch(2.5)),
        case("llama3", RotaryEmbedding::new().theta(50.0).llama3(8.0, 40)),
        Case::new("rotary_embedding", "placed", placed, same, &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn products_depend_on_distances() -> Result<()> {
        for rotary in [RotaryEmbedding::new(), RotaryEmbedding::new().interleaved()] {
            let tape = Tape::new();
            let [q, k] = [0.3, 0.7].map(|s| tape.input(&Tensor::from_fn([1, 8], |i| (s * i as f64).sin()).unwrap()));
            let at = |x: Var<'_>, place: i64| rotary.rotate(x, x.tape().input(&Tensor::from([place]))).value();
            let dot = |i, j| -> Result<f64> {
                Ok(at(q, i)?.to_f64_vec().iter().zip(at(k, j)?.to_f64_vec()).map(|(q, k)| q * k).sum())
            };
            assert!((dot(3, 1)? - dot(1002, 1000)?).abs() < 1e-12);
            assert!((dot(3, 1)? - dot(3, 2)?).abs() > 1e-3);
        }
        Ok(())
    }

    #[test]
    fn far_positions_in_f32_are_exact() -> Result<()> {
        let x = Tensor::from([[1f64, 0.0]]);
        let turn = |x: &Tensor| {
            let tape = Tape::new();
            RotaryEmbedding::new().rotate(tape.input(x), tape.input(&Tensor::from([1_000_003i64]))).value()
        };
        assert!(turn(&x)?.max_abs_diff(&turn(&x.cast(DType::F32)?)?.cast(DType::F64)?)? < 1e-7);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |rotary: RotaryEmbedding, shape: &[usize]| {
            rotary.predict(&Tensor::zeros(shape, DType::F32).unwrap()).unwrap_err().to_string()
        };
        let odd = say(RotaryEmbedding::new(), &[3, 5]);
        assert!(odd.contains("5 of 5 features cannot be turned in pairs"), "{odd}");
        assert!(say(RotaryEmbedding::new().features(6), &[3, 4]).contains("6 of 4 features"));
        assert!(say(RotaryEmbedding::new().features(0), &[3, 4]).contains("0 of 4 features"));
        assert!(say(RotaryEmbedding::new().theta(-1.0), &[3, 4]).contains("a base of -1"));
        assert!(say(RotaryEmbedding::new().stretch(0.0), &[3, 4]).contains("a stretch of 0"));
        assert!(say(RotaryEmbedding::new().llama3(f64::NAN, 8), &[3, 4]).contains("a factor of NaN"));
        assert!(say(RotaryEmbedding::new().llama3(8.0, 0), &[3, 4]).contains("a number of positions of 0"));
        assert!(say(RotaryEmbedding::new(), &[4]).contains("takes [positions, features], not [4]"));
        let tape = Tape::new();
        let x = tape.full([3, 4], 1.0, DType::F32);
        let places = RotaryEmbedding::new().rotate(x, tape.iota([2], 0, DType::I64)).value().unwrap_err().to_string();
        assert!(places.contains("positions [2] i64") && places.contains("[3] i64 would fit"), "{places}");
    }
}
