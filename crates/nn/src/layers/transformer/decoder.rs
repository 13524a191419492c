//! The decoder: layers of self-attention and of attention to a memory.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

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

/// Self-attention, attention to a memory, and a feed-forward network on each token; around each a residual and a norm, as in
/// a [`TransformerEncoderLayer`](super::TransformerEncoderLayer).
///
/// | | shape |
/// |---|---|
/// | x | `[batch, tokens, features]` |
/// | memory | `[batch, keys, features]` |
/// | `self_attn.…`, `multihead_attn.…` | see [`MultiHeadAttention`] |
/// | `linear1.weight`, `linear1.bias` | `[hidden, features]`, `[hidden]` |
/// | `linear2.weight`, `linear2.bias` | `[features, hidden]`, `[features]` |
/// | `norm1.weight`, `norm1.bias`, `norm2.…`, `norm3.…` | `[features]` each |
/// | y | as x |
///
/// Names, shapes, defaults and numbers are those of PyTorch's `TransformerDecoderLayer` with `batch_first`. As there, the
/// tokens see what follows them unless the layer or the masks are [`causal`](TransformerDecoderLayer::causal). Vaswani
/// et al. 2017.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Masks, transformer::TransformerDecoderLayer};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = TransformerDecoderLayer::new(8, 2).hidden(16).causal();
/// let tape = Tape::new();
/// let (x, memory) = (tape.full([2, 3, 8], 0.5, DType::F32), tape.full([2, 5, 8], 0.1, DType::F32));
/// let y = layer.decode(x, memory, Masks::new(), Masks::new());
/// assert_eq!(y.value()?.shape().dims(), [2, 3, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoderLayer {
    /// The attention of the tokens to each other.
    pub self_attn: MultiHeadAttention,
    /// The attention of the tokens to the memory.
    pub multihead_attn: MultiHeadAttention,
    /// The first layer of the feed-forward network.
    pub linear1: Dense,
    /// The second.
    pub linear2: Dense,
    /// The norm of the self-attention.
    pub norm1: LayerNorm,
    /// The norm of the attention to the memory.
    pub norm2: LayerNorm,
    /// The norm of the feed-forward network.
    pub norm3: LayerNorm,
    drop: Dropout,
    #[module(skip)]
    activation: Pointwise,
    norm_first: bool,
}

settings!(TransformerDecoderLayer, norm1, norm2, norm3);

impl TransformerDecoderLayer {
    /// For tokens and a memory of so many features, which the heads share evenly. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(features: usize, heads: usize) -> TransformerDecoderLayer {
        TransformerDecoderLayer {
            self_attn: MultiHeadAttention::new(features, heads).dropout(0.1),
            multihead_attn: MultiHeadAttention::new(features, heads).dropout(0.1),
            linear1: Dense::new(features, 2048),
            linear2: Dense::new(2048, features),
            norm1: LayerNorm::new([features]),
            norm2: LayerNorm::new([features]),
            norm3: LayerNorm::new([features]),
            drop: Dropout::new(0.1),
            activation: |x| x.relu(),
            norm_first: false,
        }
    }

    /// Changes the attention to the memory.
    #[must_use]
    pub fn cross_attention(
        mut self,
        change: impl FnOnce(MultiHeadAttention) -> MultiHeadAttention,
    ) -> TransformerDecoderLayer {
        self.multihead_attn = change(self.multihead_attn);
        self
    }

    #[track_caller]
    fn with_attention(mut self, change: impl Fn(MultiHeadAttention) -> MultiHeadAttention) -> TransformerDecoderLayer {
        self.self_attn = change(self.self_attn);
        self.multihead_attn = change(self.multihead_attn);
        self
    }

    /// The output for tokens that see each other as the first masks say, and the memory as the second.
    #[track_caller]
    pub fn decode<'t>(&self, x: Var<'t>, memory: Var<'t>, masks: Masks<'t>, memory_masks: Masks<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let (own, cross) = (&self.self_attn, &self.multihead_attn);
        self.around(x, |x| own.attend(x, x, x, masks), |x| cross.attend(x, memory, memory, memory_masks))
    }

    /// The output for the next tokens, which see those in the cache and themselves, and a memory that
    /// `multihead_attn` [remembers](MultiHeadAttention::remember). See [`MultiHeadAttention::step`].
    #[track_caller]
    pub fn step<'t>(
        &self,
        x: Var<'t>,
        memory: &KvCache<Var<'t>>,
        cache: KvCache<Var<'t>>,
        memory_masks: Masks<'t>,
    ) -> (Var<'t>, KvCache<Var<'t>>) {
        let _scope = self.scope(x.tape());
        let start = cache.length();
        let mut next = cache.clone();
        let own = |x: Var<'t>| {
            let (y, kept) = self.self_attn.step(x, cache);
            next = kept;
            y
        };
        let y = self.around(x, own, |x| self.multihead_attn.recall_from(x, memory, memory_masks, Some(start)));
        (y, next)
    }

    #[track_caller]
    fn around<'t>(
        &self,
        x: Var<'t>,
        own: impl FnOnce(Var<'t>) -> Var<'t>,
        cross: impl FnOnce(Var<'t>) -> Var<'t>,
    ) -> Var<'t> {
        let x = self.residual(x, &self.norm1, |x| self.drop.forward(own(x)));
        let x = self.residual(x, &self.norm2, |x| self.drop.forward(cross(x)));
        self.residual(x, &self.norm3, |x| self.feed_forward(x))
    }
}

/// Layers one after another, and a norm at the end if there is one.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, tokens, features]` |
/// | memory | `[batch, keys, features]` |
/// | `layers.0.…` | see [`TransformerDecoderLayer`] |
/// | `norm.weight`, `norm.bias` | `[features]`, [`with_norm`](TransformerDecoder::with_norm) |
/// | y | as x |
///
/// The names are those of PyTorch's `TransformerDecoder`. Each layer has draws of its own, where PyTorch starts them all
/// alike.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::attention::Masks;
/// use wengert_nn::layers::transformer::{TransformerDecoder, TransformerDecoderLayer};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let decoder = TransformerDecoder::new(TransformerDecoderLayer::new(8, 2).hidden(16), 2).with_norm();
/// let tape = Tape::new();
/// let (x, memory) = (tape.full([2, 3, 8], 0.5, DType::F32), tape.full([2, 5, 8], 0.1, DType::F32));
/// let y = decoder.decode(x, memory, Masks::new().causal(), Masks::new());
/// assert_eq!(y.value()?.shape().dims(), [2, 3, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoder {
    /// The layers.
    pub layers: Vec<TransformerDecoderLayer>,
    norm: Option<LayerNorm>,
}

stack!(TransformerDecoder of TransformerDecoderLayer, norm3);

impl TransformerDecoder {
    /// The output for tokens that see each other as the first masks say, and the memory as the second.
    #[track_caller]
    pub fn decode<'t>(&self, x: Var<'t>, memory: Var<'t>, masks: Masks<'t>, memory_masks: Masks<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if self.layers.is_empty() {
            return tape.reject("TransformerDecoder", &[("input", x)], empty("TransformerDecoder"));
        }
        let y = self.layers.iter().fold(x, |x, layer| layer.decode(x, memory, masks, memory_masks));
        self.norm.forward(y)
    }

    /// What each layer makes of a memory, once for all steps.
    #[track_caller]
    pub fn remember<'t>(&self, memory: Var<'t>) -> KvCache<Var<'t>> {
        let tape = memory.tape();
        let _scope = self.scope(tape);
        let parts = self.layers.iter().map(|layer| layer.multihead_attn.remember(memory, memory));
        KvCache::stack(parts).unwrap_or_else(|| {
            let none = tape.reject("TransformerDecoder", &[("memory", memory)], empty("TransformerDecoder"));
            KvCache::full(none, none)
        })
    }

    /// The output for the next tokens, which see those in the cache and themselves, and a memory that is
    /// [remembered](TransformerDecoder::remember).
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::attention::Masks;
    /// use wengert_nn::layers::transformer::{TransformerDecoder, TransformerDecoderLayer};
    /// use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let decoder = TransformerDecoder::new(TransformerDecoderLayer::new(8, 2).hidden(16), 2);
    /// let tape = Tape::new();
    /// let memory = tape.eval(decoder.remember(tape.full([1, 5, 8], 0.1, DType::F32)))?;
    /// let mut cache = decoder.cache(1, 10)?;
    /// let mut token = Tensor::ones([1, 1, 8], DType::F32)?;
    /// for _ in 0..4 {
    ///     let tape = Tape::new();
    ///     let step = decoder.step(tape.input(&token), &memory.on(&tape), cache.on(&tape), Masks::new());
    ///     (token, cache) = tape.eval(step)?;
    /// }
    /// assert_eq!(cache.tokens()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn step<'t>(
        &self,
        x: Var<'t>,
        memory: &KvCache<Var<'t>>,
        cache: KvCache<Var<'t>>,
        memory_masks: Masks<'t>,
    ) -> (Var<'t>, KvCache<Var<'t>>) {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if memory.layers() != self.layers.len() {
            let error = Error::state(format!("a memory of {} layers for {}", memory.layers(), self.layers.len()));
            let error = error.help("`remember` of the decoder makes one");
            return (tape.reject("TransformerDecoder", &[("input", x)], error), cache);
        }
        let layers: Vec<_> = self.layers.iter().enumerate().collect();
        let (y, cache) =
            steps("TransformerDecoder", &layers, x, cache, |&(index, layer), x, cache| match memory.layer(index) {
                Some(memory) => layer.step(x, &memory, cache, memory_masks),
                None => (x, cache),
            });
        (self.norm.forward(y), cache)
    }
}

/// What the laws try: the first tokens of the input see the others as the memory.
pub(super) fn cases() -> Vec<Case> {
    const LAYER: &[&str] = &[
        "self_attn.in_proj_weight",
        "self_attn.in_proj_bias",
        "self_attn.out_proj.weight",
        "self_attn.out_proj.bias",
        "multihead_attn.in_proj_weight",
        "multihead_attn.in_proj_bias",
        "multihead_attn.out_proj.weight",
        "multihead_attn.out_proj.bias",
        "linear1.weight",
        "linear1.bias",
        "linear2.weight",
        "linear2.bias",
        "norm1.weight",
        "norm1.bias",
        "norm2.weight",
        "norm2.bias",
        "norm3.weight",
        "norm3.bias",
    ];
    const STACK: &[&str] = &[
        "layers.0.self_attn.in_proj_weight",
        "layers.0.self_attn.out_proj.weight",
        "layers.0.multihead_attn.in_proj_weight",
        "layers.0.multihead_attn.out_proj.weight",
        "layers.0.linear1.weight",
        "layers.0.linear2.weight",
        "layers.0.norm1.weight",
        "layers.0.norm2.weight",
        "layers.0.norm3.weight",
        "norm.weight",
    ];
    fn layer(name: &'static str, layer: TransformerDecoderLayer) -> Case {
        let applied = Applied::new(layer, |layer: &TransformerDecoderLayer, x: Var<'_>| {
            let lengths = x.tape().iota([2], 0, wengert_tensor::dtype::DType::I64) + 1;
            let (x, memory) = (x.slice(1, 0..3), x.slice(1, 3..));
            layer.decode(x, memory, Masks::new().causal(), Masks::new().lengths(lengths))
        });
        Case::new("transformer", name, applied, [&[2, 5, 4], &[2, 3, 4]], LAYER)
    }
    let new = || TransformerDecoderLayer::new(4, 2).hidden(3).dropout(0.0);
    let stack = TransformerDecoder::new(new().without_bias().norm_first(), 1).with_norm();
    let stack = Applied::new(stack, |stack: &TransformerDecoder, x: Var<'_>| {
        let (x, memory) = (x.slice(1, 0..3), x.slice(1, 3..));
        stack.decode(x, memory, Masks::new(), Masks::new())
    });
    vec![
        layer("decoder_layer", new()),
        layer("decoder_layer_norm_first", new().norm_first().activation(|x| x.gelu_exact())),
        Case::new("transformer", "decoder", stack, [&[2, 5, 4], &[2, 3, 4]], STACK),
    ]
}
