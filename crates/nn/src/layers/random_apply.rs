//! A layer that is applied to some of the examples while training.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::mask::per_example;
use super::norm::{refuse, wide};
use crate::layer::Layer;
use crate::module::Module;

/// In training y = f(x) with probability p, for each example by itself, and else y = x; otherwise y = x.
///
/// For what makes data more various: noise, blur, another brightness. f keeps the shape `[batch, …]` and the dtype,
/// and is computed for all examples. The name is that of torchvision's `RandomApply`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::{lambda::Lambda, random_apply::RandomApply}};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let flip = RandomApply::new(Lambda::new("Negate", |x| -x), 0.5);
/// let tape = Tape::training(7u64);
/// let y = flip.forward(tape.full([16, 2], 1.0, DType::F32)).value()?.to_vec::<f32>()?;
/// assert!(y.chunks(2).all(|example| example == [1.0; 2] || example == [-1.0; 2]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct RandomApply<L> {
    /// f.
    pub layer: L,
    probability: f64,
    whole_batch: bool,
}

impl<L: Layer> RandomApply<L> {
    /// Applies `layer` to each example with this probability, in `0 ≤ p ≤ 1`. Another number is an error of `forward`.
    pub fn new(layer: L, probability: f64) -> RandomApply<L> {
        RandomApply { layer, probability, whole_batch: false }
    }

    /// One draw for all examples of a batch.
    #[must_use]
    pub fn whole_batch(mut self) -> RandomApply<L> {
        self.whole_batch = true;
        self
    }
}

impl<L: Layer> Layer for RandomApply<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if !(0.0..=1.0).contains(&self.probability) {
            let error = Error::value(format!("a probability of {} to apply a layer", self.probability));
            return refuse("RandomApply", x, None, error.help("it is from 0 to 1"));
        }
        let shape = match per_example(x, self.whole_batch) {
            Ok(shape) => shape,
            Err(error) => return refuse("RandomApply", x, None, error),
        };
        if !tape.is_training() {
            return x;
        }
        let y = self.layer.forward(x);
        if y.meta() != x.meta() {
            let error = Error::shape(format!("the layer makes {} of {}", y.meta(), x.meta()));
            let error = error.help("a layer that is applied to some examples only keeps shape and dtype");
            return tape.reject("RandomApply", &[("input", x), ("output", y)], error);
        }
        let draw = if x.dtype().is_float() { wide(x.dtype()) } else { wengert_tensor::dtype::DType::F32 };
        y.select(tape.uniform(shape, draw).lt(self.probability), x)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::dense::Dense;
    let names: &[&str] = &["layer.weight", "layer.bias"];
    let layer = RandomApply::new(Dense::new(3, 3), 0.6);
    vec![Case::new("random_apply", "dense", layer, [&[8, 3], &[8, 3]], names).alone("its draws are its own")]
}

#[cfg(test)]
mod tests {
    use super::super::dense::Dense;
    use super::super::lambda::Lambda;
    use super::super::mask::{assert_random, assert_told};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;

    fn negate(probability: f64) -> RandomApply<Lambda> {
        RandomApply::new(Lambda::new("Negate", |x| -x), probability)
    }

    #[test]
    fn the_layer_is_applied_as_often_as_was_asked() -> Result<()> {
        assert_random(&negate(0.4), &negate(0.0))?;
        let count = |layer: RandomApply<Lambda>, key: u64| -> Result<usize> {
            let tape = Tape::training(key);
            let y = layer.forward(tape.full([10_000, 1], 1.0, DType::F32)).value()?.to_f64_vec();
            Ok(y.into_iter().filter(|&y| y == -1.0).count())
        };
        let some = count(negate(0.25), 1)?;
        assert!((2370..2630).contains(&some), "{some} of 10,000 with probability ¼");
        assert_eq!((count(negate(1.0), 1)?, count(negate(0.0), 1)?), (10_000, 0));
        for key in 0..8 {
            assert!([0, 10_000].contains(&count(negate(0.5).whole_batch(), key)?));
        }
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&negate(1.5), &[4, 3], DType::F32, "a probability of 1.5 to apply a layer");
        assert_told(&negate(0.5), &[], DType::F32, "the input is a scalar");
        let tape = Tape::training(0u64);
        RandomApply::new(Dense::new(3, 1), 0.5).forward(tape.full([4, 3], 1.0, DType::F32));
        let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("the layer makes [4, 1] f32 of [4, 3] f32"), "{text}");
    }
}
