//! Additive attention: scores by a small network instead of a product.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::attended::{attended, attends};
use super::attention::{Attention, Masks};
use super::case::{Applied, Case};
use crate::init::Init;
use crate::module::Module;
use crate::param::Param;

const NAME: &str = "AdditiveAttention";

/// y = softmax(s) v with the scores sᵢⱼ = Σ scale · tanh(qᵢ + kⱼ). Bahdanau et al. 2014.
///
/// | | shape |
/// |---|---|
/// | query q | `[batch, queries, features]` |
/// | key k | `[batch, keys, features]` |
/// | value v | `[batch, keys, outputs]` |
/// | `scale` | `[features]`, unless [`without_scale`](AdditiveAttention::without_scale) |
/// | y | `[batch, queries, outputs]` |
///
/// The name and the numbers are those of Keras's `AdditiveAttention`. In the paper query and key are projected first: put a
/// [`Dense`](super::dense::Dense) before each. One example without the axis of the batch is taken, too. A query that may
/// see no key has the output 0.
///
/// As a [`Layer`](crate::layer::Layer) it is self-attention.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{additive_attention::AdditiveAttention, attention::Masks};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (state, encoded) = (tape.full([4, 1, 8], 0.1, DType::F32), tape.full([4, 5, 8], 0.2, DType::F32));
/// let context = AdditiveAttention::new(8).attend(state, encoded, encoded, Masks::new());
/// assert_eq!(context.value()?.shape().dims(), [4, 1, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct AdditiveAttention {
    /// How much each feature counts, unless the layer was made [`without_scale`](AdditiveAttention::without_scale).
    pub scale: Option<Param>,
    causal: bool,
    dropout: f64,
}

impl AdditiveAttention {
    /// For queries and keys of so many features. The scale starts from [`Init::GlorotUniform`]. No features are reported by
    /// the first use.
    #[track_caller]
    pub fn new(features: usize) -> AdditiveAttention {
        let scale = match features {
            0 => Param::faulty(
                Error::value("attention to 0 features").op(NAME).at(std::panic::Location::caller()).help("at least 1"),
            ),
            _ => Param::draw([features], Init::GlorotUniform),
        };
        AdditiveAttention { scale: Some(scale), causal: false, dropout: 0.0 }
    }

    /// All features count alike; nothing is learned.
    #[must_use]
    pub fn without_scale(mut self) -> AdditiveAttention {
        self.scale = None;
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
        let scale = self.scale.as_ref().map(|scale| scale.on(tape));
        let takes = self.scale.as_ref().and_then(|scale| scale.shape().first().copied());
        let options = Attention::new().causal_if(self.causal).dropout(self.dropout);
        let takes = (takes, "`AdditiveAttention::new` is told the number of features of queries and keys");
        attended(NAME, [query, key, value], takes, options, masks, |q, k| {
            let sum = (q.unsqueeze(-2) + k.unsqueeze(-3)).tanh();
            scale.map_or(sum, |scale| sum * scale).sum_axes(-1)
        })
    }
}

attends!(AdditiveAttention);

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shapes: [&[usize]; 2], names| Case::new("additive_attention", name, layer, shapes, names);
    let same: [&[usize]; 2] = [&[2, 3, 4], &[2, 3, 4]];
    let padded = Applied::new(AdditiveAttention::new(4), |layer: &AdditiveAttention, x: Var<'_>| {
        let lengths = x.tape().iota([2], 0, wengert_tensor::dtype::DType::I64) + 2;
        let (y, weights) = layer.attend_weighted(x.slice(1, 0..2), x, x, Masks::new().lengths(lengths));
        x.tape().concat(&[y, weights], -1)
    });
    vec![
        case("self", AdditiveAttention::new(4), same, &["scale"]),
        case("without_scale", AdditiveAttention::new(4).without_scale(), same, &[]),
        case("causal", AdditiveAttention::new(4).causal(), same, &["scale"]),
        Case::new("additive_attention", "padded", padded, [&[2, 3, 4], &[2, 2, 7]], &["scale"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |layer: &AdditiveAttention, shapes: [&[usize]; 3]| {
            let tape = Tape::new();
            let [q, k, v] = shapes.map(|shape| tape.full(shape, 1.0, DType::F32));
            layer.attend(q, k, v, Masks::new()).value().unwrap_err().to_string()
        };
        let layer = AdditiveAttention::new(4);
        let features = say(&layer, [&[2, 3, 5]; 3]);
        assert!(features.contains("takes queries of 4 features, not 5"), "{features}");
        assert!(features.contains("help   `AdditiveAttention::new` is told"), "{features}");
        assert!(say(&layer, [&[2, 3, 4], &[2, 3, 5], &[2, 3, 4]]).contains("takes keys of 4 features, not 5"));
        assert!(say(&layer, [&[2, 3, 4], &[2, 3, 4], &[2, 4, 4]]).contains("3 keys and 4 values"));
        assert!(say(&layer, [&[2, 3, 4], &[3, 3, 4], &[3, 3, 4]]).contains("keys [3, 3, 4] beside a batch [2, 3, 4]"));
        assert!(say(&layer, [&[4]; 3]).contains("[batch, positions, features]"));
        assert!(say(&AdditiveAttention::new(0), [&[2, 3, 4]; 3]).contains("attention to 0 features"));
        assert!(say(&layer.dropout(f64::NAN), [&[2, 3, 4]; 3]).contains("a probability of NaN"));
    }

    #[test]
    fn an_example_that_sees_nothing_gives_0() -> Result<()> {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from_fn([2, 3, 4], |i| (i as f32).sin())?);
        let lengths = tape.input(&Tensor::from([0i64, 3]));
        let y = AdditiveAttention::new(4).attend(x, x, x, Masks::new().lengths(lengths)).value()?.to_f64_vec();
        assert!(y[..12].iter().all(|&y| y == 0.0) && y[12..].iter().all(|&y| y != 0.0));
        Ok(())
    }
}
