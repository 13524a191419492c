//! The dense layer: y = x Wᵀ + b.

use std::panic::Location;
use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = x Wᵀ + b, on the last axis of the input.
///
/// | | shape |
/// |---|---|
/// | x | `[…, inputs]` |
/// | `weight` W | `[outputs, inputs]` |
/// | `bias` b | `[outputs]` |
/// | y | `[…, outputs]` |
///
/// The names and shapes are those of PyTorch's `Linear`. The weight starts from [`Init::GlorotUniform`], the bias from
/// zeros.
///
/// ```
/// use wengert_nn::{init::Init, layer::Layer, layers::dense::Dense, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let dense = Dense::new(3, 2).weight_init(Init::HeNormal).init(Seed(1))?;
/// let y = dense.predict(&Tensor::from([[1f32, 2.0, 3.0]]))?;
/// assert_eq!(y.shape().dims(), [1, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Dense {
    /// W, `[outputs, inputs]`.
    pub weight: Param,
    /// b, `[outputs]`, unless the layer was made [`without_bias`](Dense::without_bias).
    pub bias: Option<Param>,
}

impl Dense {
    /// A layer from `inputs` to `outputs` features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize) -> Dense {
        let weight = match inputs.min(outputs) {
            0 => Param::faulty(
                Error::value(format!("a layer from {inputs} to {outputs} features has no weights"))
                    .op("Dense")
                    .at(Location::caller())
                    .help("both numbers are at least 1"),
            ),
            _ => Param::draw([outputs, inputs], Init::GlorotUniform),
        };
        Dense { weight, bias: Some(Param::draw([outputs], Init::Zeros)) }
    }

    /// y = x Wᵀ, for a layer that is followed by a norm with an offset of its own.
    #[must_use]
    pub fn without_bias(mut self) -> Dense {
        self.bias = None;
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> Dense {
        self.weight.set_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> Dense {
        if let Some(bias) = &mut self.bias {
            bias.set_init(init);
        }
        self
    }

    /// The number of input features.
    pub fn inputs(&self) -> usize {
        self.weight.shape().get(1).copied().unwrap_or(0)
    }

    /// The number of output features.
    pub fn outputs(&self) -> usize {
        self.weight.shape().first().copied().unwrap_or(0)
    }
}

impl Layer for Dense {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if x.shape().last() != Some(&inputs) {
            let error = match x.shape().last() {
                Some(features) => Error::shape(format!("takes {inputs} inputs, not {features}"))
                    .help(format!("Dense::new({features}, {outputs}) would take this one")),
                None => Error::shape("takes an axis of features, and the input is a scalar"),
            };
            return tape.reject("Dense", &[("input", x), ("weight", weight)], error);
        }
        let y = x.matmul(weight.t());
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let both: &[&str] = &["weight", "bias"];
    vec![
        Case::new("dense", "rows", Dense::new(3, 5), [&[4, 3], &[4, 5]], both),
        Case::new("dense", "without_bias", Dense::new(3, 5).without_bias(), [&[4, 3], &[4, 5]], &["weight"]),
        Case::new("dense", "rank_3", Dense::new(3, 1), [&[2, 4, 3], &[2, 4, 1]], both),
        Case::new("dense", "one_example", Dense::new(3, 2), [&[3], &[2]], both),
    ]
}
