//! The encoder: layers of self-attention.

use wengert_autograd::Var;

use super::super::attention::Masks;
use super::super::case::{Applied, Case};
use super::super::dense::Dense;
use super::super::dropout::Dropout;
use super::super::gated_feed_forward::Pointwise;
use super::super::kv_cache::KvCache;
use super::super::layer_norm::LayerNorm;
use super::super::multi_head_attention::MultiHeadAttention;
use super::{empty, settings, stack, steps};
use crate::layer::Layer;
use crate::module::Module;

/// Self-attention, then a feed-forward network on each token; around each a residual and a norm:
/// y = norm(x + attention(x)), z = norm(y + W₂ f(W₁ y + b₁) + b₂). With
/// [`norm_first`](TransformerEncoderLayer::norm_first) y = x + attention(norm(x)), and z likewise.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, tokens, features]` |
/// | `self_attn.…` | see [`MultiHeadAttention`] |
/// | `linear1.weight`, `linear1.bias` | `[hidden, features]`, `[hidden]` |
/// | `linear2.weight`, `linear2.bias` | `[features, hidden]`, `[features]` |
/// | `norm1.weight`, `norm1.bias`, `norm2.…` | `[features]` each |
/// | z | as x |
///
/// Names, shapes, defaults and numbers are those of PyTorch's `TransformerEncoderLayer` with `batch_first`: 2048 hidden
/// features, a dropout of 0.1, relu. Vaswani et al. 2017.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Masks, transformer::TransformerEncoderLayer};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = TransformerEncoderLayer::new(8, 2).hidden(16).activation(|x| x.gelu_exact()).norm_first();
/// let tape = Tape::new();
/// let lengths = tape.input(&Tensor::from([5i64, 3]));
/// let y = layer.encode(tape.full([2, 5, 8], 0.5, DType::F32), Masks::new().lengths(lengths));
/// assert_eq!(y.value()?.shape().dims(), [2, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoderLayer {
    /// The attention of the tokens to each other.
    pub self_attn: MultiHeadAttention,
    /// The first layer of the feed-forward network.
    pub linear1: Dense,
    /// The second.
    pub linear2: Dense,
    /// The norm of the attention.
    pub norm1: LayerNorm,
    /// The norm of the feed-forward network.
    pub norm2: LayerNorm,
    drop: Dropout,
    #[module(skip)]
    activation: Pointwise,
    norm_first: bool,
}

settings!(TransformerEncoderLayer, norm1, norm2);

impl TransformerEncoderLayer {
    /// For tokens of so many features, which the heads share evenly. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(features: usize, heads: usize) -> TransformerEncoderLayer {
        TransformerEncoderLayer {
            self_attn: MultiHeadAttention::new(features, heads).dropout(0.1),
            linear1: Dense::new(features, 2048),
            linear2: Dense::new(2048, features),
            norm1: LayerNorm::new([features]),
            norm2: LayerNorm::new([features]),
            drop: Dropout::new(0.1),
            activation: |x| x.relu(),
            norm_first: false,
        }
    }

    #[track_caller]
    fn with_attention(mut self, change: impl Fn(MultiHeadAttention) -> MultiHeadAttention) -> TransformerEncoderLayer {
        self.self_attn = change(self.self_attn);
        self
    }

    /// The output for tokens of which not all see each other.
    #[track_caller]
    pub fn encode<'t>(&self, x: Var<'t>, masks: Masks<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.around(x, |x| self.self_attn.attend(x, x, x, masks))
    }

    /// The output for the next tokens, which see those in the cache and themselves. See [`MultiHeadAttention::step`].
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t>, cache: KvCache<Var<'t>>) -> (Var<'t>, KvCache<Var<'t>>) {
        let _scope = self.scope(x.tape());
        let mut next = cache.clone();
        let y = self.around(x, |x| {
            let (y, kept) = self.self_attn.step(x, cache);
            next = kept;
            y
        });
        (y, next)
    }

    #[track_caller]
    fn around<'t>(&self, x: Var<'t>, attention: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
        let x = self.residual(x, &self.norm1, |x| self.drop.forward(attention(x)));
        self.residual(x, &self.norm2, |x| self.feed_forward(x))
    }
}

impl Layer for TransformerEncoderLayer {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.encode(x, Masks::new())
    }
}

/// Layers one after another, and a norm at the end if there is one.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, tokens, features]` |
/// | `layers.0.…` | see [`TransformerEncoderLayer`] |
/// | `norm.weight`, `norm.bias` | `[features]`, [`with_norm`](TransformerEncoder::with_norm) |
/// | y | as x |
///
/// The names are those of PyTorch's `TransformerEncoder`. Each layer has draws of its own, where PyTorch starts them all
/// alike.
///
/// ```
/// use wengert_nn::layers::transformer::{TransformerEncoder, TransformerEncoderLayer};
/// use wengert_nn::{layer::Layer, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// // A GPT without its embeddings.
/// let block = TransformerEncoderLayer::new(8, 2).hidden(32).norm_first().causal();
/// let body = TransformerEncoder::new(block, 3).with_norm().init(Seed(1))?;
/// assert_eq!(body.predict(&Tensor::ones([2, 5, 8], DType::F32)?)?.shape().dims(), [2, 5, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoder {
    /// The layers.
    pub layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

stack!(TransformerEncoder of TransformerEncoderLayer, norm2);

impl TransformerEncoder {
    /// The output for tokens of which not all see each other.
    #[track_caller]
    pub fn encode<'t>(&self, x: Var<'t>, masks: Masks<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if self.layers.is_empty() {
            return tape.reject("TransformerEncoder", &[("input", x)], empty("TransformerEncoder"));
        }
        let y = self.layers.iter().fold(x, |x, layer| layer.encode(x, masks));
        self.norm.forward(y)
    }

    /// The output for the next tokens, which see those in the cache and themselves.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::transformer::{TransformerEncoder, TransformerEncoderLayer};
    /// use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let body = TransformerEncoder::new(TransformerEncoderLayer::new(8, 2).hidden(16).causal(), 2);
    /// let mut cache = body.cache(1, 10)?;
    /// let mut token = Tensor::ones([1, 1, 8], DType::F32)?;
    /// for _ in 0..4 {
    ///     let tape = Tape::new();
    ///     (token, cache) = tape.eval(body.step(tape.input(&token), cache.on(&tape)))?;
    /// }
    /// assert_eq!(cache.tokens()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t>, cache: KvCache<Var<'t>>) -> (Var<'t>, KvCache<Var<'t>>) {
        let _scope = self.scope(x.tape());
        let (y, cache) = steps("TransformerEncoder", &self.layers, x, cache, |layer, x, cache| layer.step(x, cache));
        (self.norm.forward(y), cache)
    }
}

impl Layer for TransformerEncoder {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.encode(x, Masks::new())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    const LAYER: &[&str] = &[
        "self_attn.in_proj_weight",
        "self_attn.in_proj_bias",
        "self_attn.out_proj.weight",
        "self_attn.out_proj.bias",
        "linear1.weight",
        "linear1.bias",
        "linear2.weight",
        "linear2.bias",
        "norm1.weight",
        "norm1.bias",
        "norm2.weight",
        "norm2.bias",
    ];
    const UNBIASED: &[&str] = &[
        "self_attn.in_proj_weight",
        "self_attn.out_proj.weight",
        "linear1.weight",
        "linear2.weight",
        "norm1.weight",
        "norm2.weight",
    ];
    const STACK: &[&str] = &[
        "layers.0.self_attn.in_proj_weight",
        "layers.0.self_attn.in_proj_bias",
        "layers.0.self_attn.out_proj.weight",
        "layers.0.self_attn.out_proj.bias",
        "layers.0.linear1.weight",
        "layers.0.linear1.bias",
        "layers.0.linear2.weight",
        "layers.0.linear2.bias",
        "layers.0.norm1.weight",
        "layers.0.norm1.bias",
        "layers.0.norm2.weight",
        "layers.0.norm2.bias",
        "layers.1.self_attn.in_proj_weight",
        "layers.1.self_attn.in_proj_bias",
        "layers.1.self_attn.out_proj.weight",
        "layers.1.self_attn.out_proj.bias",
        "layers.1.linear1.weight",
        "layers.1.linear1.bias",
        "layers.1.linear2.weight",
        "layers.1.linear2.bias",
        "layers.1.norm1.weight",
        "layers.1.norm1.bias",
        "layers.1.norm2.weight",
        "layers.1.norm2.bias",
        "norm.weight",
        "norm.bias",
    ];
    let new = || TransformerEncoderLayer::new(4, 2).hidden(3).dropout(0.0);
    let case = |name, layer, names| Case::new("transformer", name, layer, [&[2, 3, 4], &[2, 3, 4]], names);
    let padded = Applied::new(new(), |layer: &TransformerEncoderLayer, x: Var<'_>| {
        let lengths = x.tape().iota([2], 0, wengert_tensor::dtype::DType::I64) + 2;
        layer.encode(x, Masks::new().causal().lengths(lengths))
    });
    let stack = TransformerEncoder::new(new().norm_first().causal(), 2).with_norm();
    vec![
        case("encoder_layer", new(), LAYER),
        case("encoder_layer_gelu", new().norm_first().activation(|x| x.gelu_exact()), LAYER),
        case("encoder_layer_without_bias", new().without_bias().epsilon(1e-3), UNBIASED),
        Case::new("transformer", "encoder_layer_padded", padded, [&[2, 3, 4], &[2, 3, 4]], LAYER),
        Case::new("transformer", "encoder", stack, [&[2, 3, 4], &[2, 3, 4]], STACK),
    ]
}
