//! The transformer: blocks of attention and feed-forward networks, with residuals and norms around them.
//!
//! | | self-attention | attention to a memory | names of PyTorch's |
//! |---|---|---|---|
//! | [`TransformerEncoderLayer`], [`TransformerEncoder`] | ✓ | | `TransformerEncoderLayer`, `TransformerEncoder` |
//! | [`TransformerDecoderLayer`], [`TransformerDecoder`] | ✓ | ✓ | `TransformerDecoderLayer`, `TransformerDecoder` |
//! | [`Transformer`] | both of them | | `Transformer` |
//!
//! A language model that has no memory (GPT) is a stack of *encoder* layers that are
//! [`causal`](TransformerEncoderLayer::causal). All of Vaswani et al. 2017; the norms first, Xiong et al. 2020.

mod decoder;
mod encoder;
mod whole;

pub use decoder::{TransformerDecoder, TransformerDecoderLayer};
pub use encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use whole::Transformer;

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::Case;
use super::kv_cache::KvCache;

/// The settings that both kinds of layer have.
macro_rules! settings {
    ($layer:ident, $($norm:ident),+) => {
        impl $layer {
            /// The feed-forward network has so many features inside, 2048 unless said otherwise. Draws its weights anew.
            #[must_use]
            #[track_caller]
            pub fn hidden(mut self, hidden: usize) -> $layer {
                let features = self.linear1.inputs();
                let (first, second) = (Dense::new(features, hidden), Dense::new(hidden, features));
                (self.linear1, self.linear2) = match self.linear1.bias {
                    Some(_) => (first, second),
                    None => (first.without_bias(), second.without_bias()),
                };
                self
            }

            /// While training, silences with this probability: weights of attention, hidden features, and what a block
            /// adds. 0.1 unless said otherwise.
            #[must_use]
            pub fn dropout(mut self, probability: f64) -> $layer {
                self.drop = Dropout::new(probability);
                self.with_attention(|attention| attention.dropout(probability))
            }

            /// The function between the two layers of the feed-forward network, `|x| x.relu()` unless said otherwise.
            /// PyTorch's `"gelu"` is `|x| x.gelu_exact()`.
            #[must_use]
            pub fn activation(mut self, activation: Pointwise) -> $layer {
                self.activation = activation;
                self
            }

            /// Norms stand before the blocks instead of after the sums: deep stacks then train without a warm-up. Xiong et
            /// al. 2020.
            #[must_use]
            pub fn norm_first(mut self) -> $layer {
                self.norm_first = true;
                self
            }

            /// The number that the norms add to a variance, 10⁻⁵ unless said otherwise.
            #[must_use]
            pub fn epsilon(mut self, epsilon: f64) -> $layer {
                $(self.$norm = self.$norm.epsilon(epsilon);)+
                self
            }

            /// No biases: PyTorch's `bias=False`.
            #[must_use]
            #[track_caller]
            pub fn without_bias(mut self) -> $layer {
                self.linear1 = self.linear1.without_bias();
                self.linear2 = self.linear2.without_bias();
                $(self.$norm = self.$norm.without_bias();)+
                self.with_attention(|attention| attention.without_bias())
            }

            /// Token i sees the tokens 0 to i only.
            #[must_use]
            pub fn causal(self) -> $layer {
                self.self_attention(|attention| attention.causal())
            }

            /// Changes the self-attention: `.self_attention(|a| a.kv_heads(2).rotary(RotaryEmbedding::new()))`.
            #[must_use]
            pub fn self_attention(
                mut self,
                change: impl FnOnce(MultiHeadAttention) -> MultiHeadAttention,
            ) -> $layer {
                self.self_attn = change(self.self_attn);
                self
            }

            #[track_caller]
            fn feed_forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                let hidden = self.drop.forward((self.activation)(self.linear1.forward(x)));
                self.drop.forward(self.linear2.forward(hidden))
            }

            /// x and what a block makes of it, with the norm before or after.
            #[track_caller]
            fn residual<'t>(&self, x: Var<'t>, norm: &LayerNorm, block: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
                match self.norm_first {
                    true => x + block(norm.forward(x)),
                    false => norm.forward(x + block(x)),
                }
            }
        }
    };
}
use settings;

/// What both kinds of stack have: layers that are made alike, a norm at the end, and a cache.
macro_rules! stack {
    ($stack:ident of $layer:ident, $norm:ident) => {
        impl $stack {
            /// So many layers like this one.
            pub fn new(layer: $layer, count: usize) -> $stack {
                $stack { layers: $crate::layers::mixture_of_experts::copies(layer, count), norm: None }
            }

            /// A norm after the last layer, with the settings of its norms: what layers with `norm_first` want.
            #[must_use]
            pub fn with_norm(mut self) -> $stack {
                let like = |layer: &$layer| $crate::layers::mixture_of_experts::copies(layer.$norm.clone(), 1).pop();
                self.norm = self.layers.first().and_then(like);
                self
            }

            pub(super) fn map(mut self, f: impl Fn($layer) -> $layer) -> $stack {
                self.layers = self.layers.into_iter().map(f).collect();
                self
            }

            pub(super) fn map_norm(mut self, f: impl FnOnce(LayerNorm) -> LayerNorm) -> $stack {
                self.norm = self.norm.map(f);
                self
            }

            /// An empty cache for generating up to `capacity` tokens of each example.
            ///
            /// # Errors
            /// As [`MultiHeadAttention::cache`].
            #[track_caller]
            pub fn cache(&self, batch: usize, capacity: usize) -> wengert_tensor::error::Result<KvCache> {
                let (name, here) = (stringify!($stack), std::panic::Location::caller());
                let caches = self.layers.iter().map(|layer| layer.self_attn.cache(batch, capacity));
                KvCache::stack(caches.collect::<wengert_tensor::error::Result<Vec<_>>>()?)
                    .ok_or_else(|| empty(name).op(name).at(here))
            }
        }
    };
}
use stack;

/// One layer of a stack after another, each with its part of the cache.
#[track_caller]
fn steps<'t, L>(
    name: &'static str,
    layers: &[L],
    x: Var<'t>,
    cache: KvCache<Var<'t>>,
    step: impl Fn(&L, Var<'t>, KvCache<Var<'t>>) -> (Var<'t>, KvCache<Var<'t>>),
) -> (Var<'t>, KvCache<Var<'t>>) {
    let tape = x.tape();
    if cache.layers() != layers.len() {
        let error = Error::state(format!("a cache of {} layers for {}", cache.layers(), layers.len()));
        return (tape.reject(name, &[("input", x)], error.help("`cache` of the model makes one")), cache);
    }
    let mut y = x;
    let mut parts = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let Some(part) = cache.layer(index) else { return (y, cache) };
        let (next, part) = step(layer, y, part);
        y = next;
        parts.push(part);
    }
    match KvCache::stack(parts) {
        Some(cache) => (y, cache),
        None => (tape.reject(name, &[("input", x)], empty(name)), cache),
    }
}

fn empty(name: &str) -> Error {
    Error::value(format!("a {name} of 0 layers")).help("at least 1")
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    [encoder::cases(), decoder::cases(), whole::cases()].into_iter().flatten().collect()
}
