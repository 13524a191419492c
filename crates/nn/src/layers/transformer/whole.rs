//! Encoder and decoder together.

use wengert_autograd::Var;

use super::super::attention::Masks;
use super::super::case::{Applied, Case};
use super::super::gated_feed_forward::Pointwise;
use super::{TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer};
use crate::module::Module;

/// An encoder makes a memory of the source; a decoder reads it and the target so far. Vaswani et al. 2017.
///
/// | | shape |
/// |---|---|
/// | source | `[batch, keys, features]` |
/// | target | `[batch, tokens, features]` |
/// | `encoder.…`, `decoder.…` | see [`TransformerEncoder`] and [`TransformerDecoder`]; each ends with a norm |
/// | y | as target |
///
/// Names, shapes, defaults and numbers are those of PyTorch's `Transformer` with `batch_first`: 6 layers each, 2048 hidden
/// features, a dropout of 0.1, relu. Embeddings, positions and the last layer are the user's.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Masks, transformer::Transformer};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let model = Transformer::new(8, 2).layers(2, 2).hidden(16).norm_first();
/// let tape = Tape::new();
/// let (source, target) = (tape.full([2, 5, 8], 0.5, DType::F32), tape.full([2, 3, 8], 0.1, DType::F32));
/// let lengths = tape.input(&Tensor::from([5i64, 2]));
/// let y = model.transform(source, target, Masks::new().lengths(lengths), Masks::new().causal());
/// assert_eq!(y.value()?.shape().dims(), [2, 3, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Transformer {
    /// Reads the source.
    pub encoder: TransformerEncoder,
    /// Writes the target.
    pub decoder: TransformerDecoder,
}

impl Transformer {
    /// For tokens of so many features, which the heads share evenly. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(features: usize, heads: usize) -> Transformer {
        let encoder = TransformerEncoder::new(TransformerEncoderLayer::new(features, heads), 6).with_norm();
        let decoder = TransformerDecoder::new(TransformerDecoderLayer::new(features, heads), 6).with_norm();
        Transformer { encoder, decoder }
    }

    /// Of an encoder and a decoder that were made apart.
    pub fn of(encoder: TransformerEncoder, decoder: TransformerDecoder) -> Transformer {
        Transformer { encoder, decoder }
    }

    /// So many layers of the encoder and of the decoder.
    #[must_use]
    pub fn layers(mut self, encoder: usize, decoder: usize) -> Transformer {
        if let Some(layer) = self.encoder.layers.first() {
            self.encoder.layers = TransformerEncoder::new(layer.clone(), encoder).layers;
        }
        if let Some(layer) = self.decoder.layers.first() {
            self.decoder.layers = TransformerDecoder::new(layer.clone(), decoder).layers;
        }
        self
    }

    /// See [`TransformerEncoderLayer::hidden`].
    #[must_use]
    #[track_caller]
    pub fn hidden(self, hidden: usize) -> Transformer {
        self.map(|layer| layer.hidden(hidden), |layer| layer.hidden(hidden))
    }

    /// See [`TransformerEncoderLayer::dropout`].
    #[must_use]
    pub fn dropout(self, probability: f64) -> Transformer {
        self.map(|layer| layer.dropout(probability), |layer| layer.dropout(probability))
    }

    /// See [`TransformerEncoderLayer::activation`].
    #[must_use]
    pub fn activation(self, activation: Pointwise) -> Transformer {
        self.map(|layer| layer.activation(activation), |layer| layer.activation(activation))
    }

    /// See [`TransformerEncoderLayer::norm_first`].
    #[must_use]
    pub fn norm_first(self) -> Transformer {
        self.map(|layer| layer.norm_first(), |layer| layer.norm_first())
    }

    /// See [`TransformerEncoderLayer::epsilon`]; the norms at the end have it, too.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Transformer {
        let Transformer { encoder, decoder } = self.map(|layer| layer.epsilon(epsilon), |layer| layer.epsilon(epsilon));
        let encoder = encoder.map_norm(|norm| norm.epsilon(epsilon));
        Transformer { encoder, decoder: decoder.map_norm(|norm| norm.epsilon(epsilon)) }
    }

    /// See [`TransformerEncoderLayer::without_bias`]; the norms at the end have none either.
    #[must_use]
    #[track_caller]
    pub fn without_bias(self) -> Transformer {
        let Transformer { encoder, decoder } = self.map(|layer| layer.without_bias(), |layer| layer.without_bias());
        let encoder = encoder.map_norm(|norm| norm.without_bias());
        Transformer { encoder, decoder: decoder.map_norm(|norm| norm.without_bias()) }
    }

    #[track_caller]
    fn map(
        self,
        encoder: impl Fn(TransformerEncoderLayer) -> TransformerEncoderLayer,
        decoder: impl Fn(TransformerDecoderLayer) -> TransformerDecoderLayer,
    ) -> Transformer {
        Transformer { encoder: self.encoder.map(encoder), decoder: self.decoder.map(decoder) }
    }

    /// The decoder's output for the target. The decoder does not see keys of the source that the masks call padding; for
    /// other masks of the memory, call `encoder.encode` and `decoder.decode`.
    #[track_caller]
    pub fn transform<'t>(
        &self,
        source: Var<'t>,
        target: Var<'t>,
        source_masks: Masks<'t>,
        target_masks: Masks<'t>,
    ) -> Var<'t> {
        let _scope = self.scope(source.tape());
        let memory = self.encoder.encode(source, source_masks);
        self.decoder.decode(target, memory, target_masks, source_masks.of_keys())
    }
}

/// What the laws try: the first tokens of the input are the source, the others the target.
pub(super) fn cases() -> Vec<Case> {
    const NAMES: &[&str] = &[
        "encoder.layers.0.self_attn.in_proj_weight",
        "encoder.layers.0.self_attn.out_proj.weight",
        "encoder.layers.0.linear1.weight",
        "encoder.layers.0.linear2.weight",
        "encoder.layers.0.norm1.weight",
        "encoder.layers.0.norm2.weight",
        "encoder.norm.weight",
        "decoder.layers.0.self_attn.in_proj_weight",
        "decoder.layers.0.self_attn.out_proj.weight",
        "decoder.layers.0.multihead_attn.in_proj_weight",
        "decoder.layers.0.multihead_attn.out_proj.weight",
        "decoder.layers.0.linear1.weight",
        "decoder.layers.0.linear2.weight",
        "decoder.layers.0.norm1.weight",
        "decoder.layers.0.norm2.weight",
        "decoder.layers.0.norm3.weight",
        "decoder.norm.weight",
    ];
    let model = Transformer::new(4, 2).layers(1, 1).hidden(3).dropout(0.0).epsilon(1e-4).without_bias();
    let applied = Applied::new(model, |model: &Transformer, x: Var<'_>| {
        let lengths = x.tape().iota([2], 0, wengert_tensor::dtype::DType::I64) + 2;
        let (source, target) = (x.slice(1, 0..3), x.slice(1, 3..));
        model.transform(source, target, Masks::new().lengths(lengths), Masks::new().causal())
    });
    vec![Case::new("transformer", "whole", applied, [&[2, 5, 4], &[2, 2, 4]], NAMES)]
}
