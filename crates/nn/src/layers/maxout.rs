//! Maxout: the largest of several linear functions.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::layers::dense::Dense;
use crate::module::{Module, Visit, VisitMut};
use crate::param::Param;

/// yⱼ = maxₖ (x Wᵀ + b)ⱼₖ: each output is the largest of `pieces` linear functions, a convex function that is learned.
///
/// | | shape |
/// |---|---|
/// | x | `[…, inputs]` |
/// | `weight` W | `[outputs · pieces, inputs]`, the pieces of an output beside each other |
/// | `bias` b | `[outputs · pieces]` |
/// | y | `[…, outputs]` |
///
/// Where several pieces are largest they share the gradient. Weights start as those of [`Dense`]. Goodfellow et al. 2013.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::maxout::Maxout, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let maxout = Maxout::new(3, 2, 4).init(Seed(1))?;
/// assert_eq!(maxout.predict(&Tensor::from([[1f32, 2.0, 3.0]]))?.shape().dims(), [1, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Maxout {
    /// All pieces of all outputs.
    dense: Dense,
    pieces: usize,
}

impl Maxout {
    /// A layer from `inputs` to `outputs` features by so many pieces each. Zero of any is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, pieces: usize) -> Maxout {
        let (dense, fault) = match inputs.min(outputs).min(pieces) {
            0 => (Dense::new(1, 1), true),
            _ => (Dense::new(inputs, outputs.saturating_mul(pieces)), false),
        };
        let mut layer = Maxout { dense, pieces: pieces.max(1) };
        if fault {
            let message = format!("a layer from {inputs} to {outputs} features by {pieces} pieces has no weights");
            let error = Error::value(message).op("Maxout").at(Location::caller());
            layer.dense.weight = Param::faulty(error.help("all three numbers are at least 1"));
        }
        layer
    }

    /// Without b.
    #[must_use]
    pub fn without_bias(mut self) -> Maxout {
        self.dense.bias = None;
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> Maxout {
        self.dense = self.dense.weight_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> Maxout {
        self.dense = self.dense.bias_init(init);
        self
    }

    /// W, `[outputs · pieces, inputs]`.
    pub fn weight(&self) -> &Param {
        &self.dense.weight
    }

    /// b, `[outputs · pieces]`.
    pub fn bias(&self) -> Option<&Param> {
        self.dense.bias.as_ref()
    }
}

/// The tree is that of the dense layer inside: `weight`, `bias`.
impl Module for Maxout {
    fn type_name(&self) -> &'static str {
        "Maxout"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.dense.visit(at);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.dense.visit_mut(at);
    }
}

impl Layer for Maxout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let inputs = self.dense.inputs();
        if x.shape().last() != Some(&inputs) {
            let error = Error::shape(format!("takes {inputs} inputs in the last axis, not {}", x.shape()));
            return tape.reject("Maxout", &[("input", x), ("weight", self.dense.weight.on(tape))], error);
        }
        let all = self.dense.forward(x);
        let mut split = x.shape().dims().to_vec();
        split.pop();
        split.extend([self.dense.outputs() / self.pieces, self.pieces]);
        all.reshape(split).max_axes(-1)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let both: &[&str] = &["weight", "bias"];
    vec![
        Case::new("maxout", "rows", Maxout::new(3, 2, 4), [&[4, 3], &[4, 2]], both),
        Case::new("maxout", "rank_3", Maxout::new(3, 1, 2).without_bias(), [&[2, 5, 3], &[2, 5, 1]], &["weight"]),
        Case::new("maxout", "one_piece", Maxout::new(3, 2, 1), [&[3], &[2]], both),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::random::Seed;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_refused() {
        let text = Maxout::new(3, 2, 0).init(Seed(1)).unwrap_err().to_string();
        assert!(text.contains("from 3 to 2 features by 0 pieces has no weights"), "{text}");
        let text = Maxout::new(3, 2, 2).predict(&Tensor::from([1f32, 2.0])).unwrap_err().to_string();
        assert!(text.contains("takes 3 inputs in the last axis, not [2]"), "{text}");
    }
}
