//! Learned positions: a vector for each place.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use super::sinusoidal_positions::{counted, places};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

const NAME: &str = "LearnedPositions";

/// y = x + W\[p\] for the token at position p: a row of W for each place. Gehring et al. 2017.
///
/// | | shape |
/// |---|---|
/// | x | `[…, positions, features]` |
/// | `weight` W | `[capacity, features]` |
/// | positions | `[positions]` or `[batch, positions]`, i64 |
/// | y | as x |
///
/// The name and shape are those of an `Embedding` of PyTorch that is used so, as in GPT-2 and BERT. W starts normal with
/// σ = 0.02, as theirs. As a layer it counts the positions from 0; [`add`](LearnedPositions::add) is told them.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::learned_positions::LearnedPositions};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let positions = LearnedPositions::new(512, 8);
/// assert_eq!(positions.predict(&Tensor::zeros([4, 10, 8], DType::F32)?)?.shape().dims(), [4, 10, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct LearnedPositions {
    /// W, `[capacity, features]`.
    pub weight: Param,
}

impl LearnedPositions {
    /// For sequences of up to `capacity` tokens of so many features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(capacity: usize, features: usize) -> LearnedPositions {
        let weight = match capacity.min(features) {
            0 => Param::faulty(
                Error::value(format!("{capacity} positions of {features} features"))
                    .op(NAME)
                    .at(Location::caller())
                    .help("both numbers are at least 1"),
            ),
            _ => Param::draw([capacity, features], Init::Normal { mean: 0.0, std: 0.02 }),
        };
        LearnedPositions { weight }
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> LearnedPositions {
        self.weight.set_init(init);
        self
    }

    /// x with the vectors of these positions added. A position without one is an error when the sum is computed.
    #[track_caller]
    pub fn add<'t>(&self, x: Var<'t>, positions: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        match self.check(x, positions) {
            Ok(capacity) => {
                let rows = weight.gather(0, positions.check_index(capacity, "position"));
                x + rows
            }
            Err(error) => tape.reject(NAME, &[("input", x), ("positions", positions), ("weight", weight)], error),
        }
    }

    fn check(&self, x: Var<'_>, positions: Var<'_>) -> Result<usize> {
        let &[capacity, features] = self.weight.shape().dims() else {
            return Err(Error::shape(format!("the weight is [capacity, features], not {}", self.weight.shape())));
        };
        let given = counted(x, positions)?;
        if given != features {
            return Err(Error::shape(format!("takes {features} features, not {given}"))
                .help(format!("LearnedPositions::new({capacity}, {given}) would take this one")));
        }
        if positions.dtype() != DType::I64 {
            return Err(Error::dtype(format!("positions are i64, not {}", positions.dtype())));
        }
        Ok(capacity)
    }
}

impl Layer for LearnedPositions {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        match self.check(x, places(x)) {
            Ok(capacity) if x.dim(-2) > capacity => {
                let error = Error::shape(format!("{} positions, and there are {capacity}", x.dim(-2)));
                tape.reject(NAME, &[("input", x), ("weight", weight)], error.help("a larger capacity takes them"))
            }
            Ok(_) => x + weight.slice(0, 0..x.dim(-2)),
            Err(error) => tape.reject(NAME, &[("input", x), ("weight", weight)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let placed = Applied::new(LearnedPositions::new(4, 3), |layer: &LearnedPositions, x: Var<'_>| {
        let tape = x.tape();
        layer.add(x, tape.iota([2, 2], 0, DType::I64) + tape.iota([2, 2], 1, DType::I64) * 2)
    });
    let case = |name, layer, shape: &[usize]| Case::new("learned_positions", name, layer, [shape, shape], &["weight"]);
    vec![
        case("first", LearnedPositions::new(5, 3), &[2, 4, 3]),
        case("all", LearnedPositions::new(2, 3), &[2, 3]),
        Case::new("learned_positions", "placed", placed, [&[2, 2, 3], &[2, 2, 3]], &["weight"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |layer: &LearnedPositions, shape: &[usize]| {
            layer.predict(&Tensor::zeros(shape, DType::F32).unwrap()).unwrap_err().to_string()
        };
        let layer = LearnedPositions::new(4, 3);
        assert!(say(&layer, &[5, 3]).contains("5 positions, and there are 4"));
        assert!(say(&layer, &[2, 5]).contains("takes 3 features, not 5"));
        assert!(say(&layer, &[3]).contains("takes [positions, features]"));
        assert!(say(&LearnedPositions::new(0, 3), &[2, 3]).contains("0 positions of 3 features"));
        let tape = Tape::new();
        let far = layer.add(tape.full([1, 3], 0.0, DType::F32), tape.input(&Tensor::from([4i64])));
        let far = far.value().unwrap_err().to_string();
        assert!(far.contains("position 4") && far.contains("outside 0..4"), "{far}");
    }
}
