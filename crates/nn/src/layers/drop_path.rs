//! Stochastic depth: leave the branch of a residual block out for some examples while training.

use wengert_autograd::Var;

use super::case::Case;
use super::mask::{dropped, kept, per_example, sound};
use super::norm::refuse;
use crate::layer::Layer;
use crate::module::Module;

/// In training y = x · m / (1 − p), where m is one number for each example: 0 with probability p and else 1;
/// otherwise y = x.
///
/// It stands at the end of the branch of a residual block, x + drop(f(x)): where m is 0, the example skips the block.
/// Any shape `[batch, …]` of floats. The name is that of timm; it is torchvision's `StochasticDepth`, with
/// [`whole_batch`](DropPath::whole_batch) for its mode `batch`. Huang et al. 2016.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::drop_path::DropPath};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::training(7u64);
/// let y = DropPath::new(0.5).forward(tape.full([16, 3], 1.0, DType::F32)).value()?.to_vec::<f32>()?;
/// assert!(y.chunks(3).all(|example| example == [0.0; 3] || example == [2.0; 3]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct DropPath {
    probability: f64,
    whole_batch: bool,
    scaled: bool,
}

impl DropPath {
    /// Leaves each example out with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> DropPath {
        DropPath { probability, whole_batch: false, scaled: true }
    }

    /// One draw for all examples of a batch.
    #[must_use]
    pub fn whole_batch(mut self) -> DropPath {
        self.whole_batch = true;
        self
    }

    /// y = x · m: what is kept is not scaled.
    #[must_use]
    pub fn without_scaling(mut self) -> DropPath {
        self.scaled = false;
        self
    }

    /// The probability with which an example is left out.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl Layer for DropPath {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let p = self.probability;
        match sound(x, p).and_then(|()| per_example(x, self.whole_batch)) {
            Ok(shape) if x.tape().is_training() && p > 0.0 => match self.scaled {
                true => dropped(x, p, &shape),
                false => x.select(kept(x, p, &shape), 0.0),
            },
            Ok(_) => x,
            Err(error) => refuse("DropPath", x, None, error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer| Case::new("drop_path", name, layer, [&[8, 3], &[8, 3]], &[]).alone("its mask is its own");
    let path = DropPath::new(0.3);
    vec![case("examples", path), case("batch", path.whole_batch()), case("unscaled", path.without_scaling())]
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    #[test]
    fn examples_are_left_out_as_often_as_was_asked() -> Result<()> {
        assert_random(&DropPath::new(0.4), &DropPath::new(0.0))?;
        let tape = Tape::training(5u64);
        let y = DropPath::new(0.25).without_scaling().forward(tape.full([10_000, 2], 3.0, DType::F64));
        let y = y.value()?.to_f64_vec();
        assert!(y.chunks(2).all(|example| example == [0.0; 2] || example == [3.0; 2]));
        let out = y.chunks(2).filter(|example| example == &[0.0; 2]).count();
        assert!((2370..2630).contains(&out), "{out} of 10,000 with probability ¼");
        Ok(())
    }

    #[test]
    fn a_batch_is_left_out_as_a_whole() -> Result<()> {
        let mut out = 0;
        for key in 0..400u64 {
            let tape = Tape::training(key);
            let y = DropPath::new(0.5).whole_batch().forward(tape.full([4, 2], 1.0, DType::F32)).value()?.to_f64_vec();
            assert!(y == [0.0; 8] || y == [2.0; 8]);
            out += usize::from(y == [0.0; 8]);
        }
        assert!((150..250).contains(&out), "{out} of 400 with probability ½");
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&DropPath::new(1.5), &[4, 3], DType::F32, "a probability of 1.5 to silence");
        assert_told(&DropPath::new(0.5), &[], DType::F32, "takes a batch, and the input is a scalar");
    }
}
