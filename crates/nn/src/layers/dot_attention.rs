//! Dot attention: scores by a plain product of query and key.

use wengert_autograd::Var;
use wengert_tensor::tensor::Tensor;

use super::attended::{attended, attends};
use super::attention::{Attention, Masks};
use super::case::{Applied, Case};
use crate::module::Module;
use crate::param::Param;

const NAME: &str = "DotAttention";

/// y = softmax(s) v with the scores sᵢⱼ = scale · qᵢ · kⱼ. Luong et al. 2015.
///
/// | | shape |
/// |---|---|
/// | query q | `[batch, queries, features]` |
/// | key k | `[batch, keys, features]` |
/// | value v | `[batch, keys, outputs]` |
/// | `scale` | `[]`, [`with_scale`](DotAttention::with_scale) |
/// | `concat_score_weight` | `[]`, if [`concatenated`](DotAttention::concatenated) |
/// | y | `[batch, queries, outputs]` |
///
/// The names and numbers are those of Keras's `Attention`. When concatenated, the scores are
/// `concat_score_weight` · Σ tanh(scale · (qᵢ + kⱼ)). One example without the axis of the batch is taken, too. A query that
/// may see no key has the output 0. For scores divided by √features see
/// [`scaled_dot_product_attention`](super::attention::scaled_dot_product_attention).
///
/// As a [`Layer`](crate::layer::Layer) it is self-attention.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::dot_attention::DotAttention};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[[1f32, 0.0], [0.0, 1.0]]]);
/// assert_eq!(DotAttention::new().causal().predict(&x)?.shape().dims(), [1, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct DotAttention {
    /// What the scores are multiplied by, 1 at first.
    pub scale: Option<Param>,
    /// What concatenated scores are multiplied by, 1 at first.
    pub concat_score_weight: Option<Param>,
    causal: bool,
    dropout: f64,
}

impl DotAttention {
    /// Products as they are; nothing is learned.
    pub fn new() -> DotAttention {
        DotAttention { scale: None, concat_score_weight: None, causal: false, dropout: 0.0 }
    }

    /// Learns a scale: Keras's `use_scale`.
    #[must_use]
    pub fn with_scale(mut self) -> DotAttention {
        self.scale = Some(Param::new(Tensor::from(1f32)));
        self
    }

    /// Scores by the tanh of the sum of query and key: Keras's `score_mode="concat"`.
    #[must_use]
    pub fn concatenated(mut self) -> DotAttention {
        self.concat_score_weight = Some(Param::new(Tensor::from(1f32)));
        self
    }

    /// The same with the weights, `[batch, queries, keys]`.
    #[track_caller]
    pub fn attend_weighted<'t>(
        &self,
        query: Var<'t>,
        key: Var<'t>,
        value: Var<'t>,
        masks: Masks<'t>,
    ) -> (Var<'t>, Var<'t>) {
        let tape = query.tape();
        let _scope = self.scope(tape);
        let takes = (None, "queries and keys have as many features");
        let options = Attention::new().causal_if(self.causal).dropout(self.dropout);
        attended(NAME, [query, key, value], takes, options, masks, |q, k| {
            let scaled = |x: Var<'t>| self.scale.as_ref().map_or(x, |scale| x * scale);
            match &self.concat_score_weight {
                Some(weight) => scaled(q.unsqueeze(-2) + k.unsqueeze(-3)).tanh().sum_axes(-1) * weight,
                None => scaled(q.matmul(k.t())),
            }
        })
    }
}

attends!(DotAttention);

/// Products as they are.
impl Default for DotAttention {
    fn default() -> DotAttention {
        DotAttention::new()
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let same: [&[usize]; 2] = [&[2, 3, 4], &[2, 3, 4]];
    let case = |name, layer, names| Case::new("dot_attention", name, layer, same, names);
    let padded = Applied::new(DotAttention::new(), |layer: &DotAttention, x: Var<'_>| {
        let lengths = x.tape().iota([2], 0, wengert_tensor::dtype::DType::I64) + 2;
        let (y, weights) = layer.attend_weighted(x.slice(1, 0..2), x, x.slice(-1, 0..1), Masks::new().lengths(lengths));
        x.tape().concat(&[y, weights], -1)
    });
    vec![
        case("plain", DotAttention::new(), &[]),
        case("scale", DotAttention::new().with_scale().causal(), &["scale"]),
        case("concatenated", DotAttention::new().with_scale().concatenated(), &["scale", "concat_score_weight"]),
        Case::new("dot_attention", "padded", padded, [&[2, 3, 4], &[2, 2, 4]], &[]),
    ]
}
