//! The gated feed-forward block: SwiGLU and its kin.

use wengert_autograd::Var;

use super::case::Case;
use super::dense::Dense;
use crate::layer::Layer;
use crate::module::Module;

/// A function of each element, as an activation is: `|x| x.relu()`.
pub type Pointwise = for<'t> fn(Var<'t>) -> Var<'t>;

/// y = W₂ (f(W₁ x) · W₃ x), with f(x) = x · sigmoid(x): SwiGLU. Shazeer 2020.
///
/// | | shape |
/// |---|---|
/// | x | `[…, features]` |
/// | `w1.weight` | `[hidden, features]` |
/// | `w2.weight` | `[features, hidden]` |
/// | `w3.weight` | `[hidden, features]` |
/// | y | `[…, features]` |
///
/// The names are those of Llama and Mixtral; there are no biases, as there. Another [`activation`](GatedFeedForward::activation)
/// makes the other members of the family: `|x| x.gelu()` is GEGLU, `|x| x.relu()` ReGLU, `|x| x.sigmoid()` GLU, `|x| x`
/// the bilinear one. A hidden size of 8/3 · features has as many weights as a plain block of 4 · features.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::gated_feed_forward::GatedFeedForward};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let block = GatedFeedForward::new(8, 24).activation(|x| x.gelu());
/// assert_eq!(block.predict(&Tensor::ones([2, 5, 8], DType::F32)?)?.shape().dims(), [2, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[doc(alias("SwiGLU", "GEGLU", "ReGLU", "GLU"))]
#[derive(Clone, Debug, Module)]
pub struct GatedFeedForward {
    /// The gate.
    pub w1: Dense,
    /// Back to the features.
    pub w2: Dense,
    /// What is gated.
    pub w3: Dense,
    #[module(skip)]
    activation: Pointwise,
}

impl GatedFeedForward {
    /// With `hidden` features inside. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(features: usize, hidden: usize) -> GatedFeedForward {
        GatedFeedForward {
            w1: Dense::new(features, hidden).without_bias(),
            w2: Dense::new(hidden, features).without_bias(),
            w3: Dense::new(features, hidden).without_bias(),
            activation: |x| x.silu(),
        }
    }

    /// The function of the gate, in place of x · sigmoid(x).
    #[must_use]
    pub fn activation(self, activation: Pointwise) -> GatedFeedForward {
        GatedFeedForward { activation, ..self }
    }
}

impl Layer for GatedFeedForward {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.w2.forward((self.activation)(self.w1.forward(x)) * self.w3.forward(x))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    const NAMES: &[&str] = &["w1.weight", "w2.weight", "w3.weight"];
    let case = |name, layer, shape: &[usize]| Case::new("gated_feed_forward", name, layer, [shape, shape], NAMES);
    let new = || GatedFeedForward::new(3, 4);
    vec![
        case("swiglu", new(), &[2, 2, 3]),
        case("geglu", new().activation(|x| x.gelu_exact()), &[2, 3]),
        case("reglu", new().activation(|x| x.relu()), &[2, 3]),
        case("glu", new().activation(|x| x.sigmoid()), &[1, 3]),
        case("bilinear", new().activation(|x| x), &[3]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_said() -> Result<()> {
        let wrong = GatedFeedForward::new(3, 4).predict(&Tensor::ones([2, 5], DType::F32)?).unwrap_err().to_string();
        assert!(wrong.contains("takes 3 inputs, not 5") && wrong.contains("w1"), "{wrong}");
        let none = GatedFeedForward::new(3, 0).predict(&Tensor::ones([2, 3], DType::F32)?).unwrap_err().to_string();
        assert!(none.contains("no weights"), "{none}");
        Ok(())
    }
}
