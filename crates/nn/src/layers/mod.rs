//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod adaptive_avg_pool;
pub mod adaptive_max_pool;
pub mod additive_attention;
pub mod alibi;
pub mod attention;
pub mod avg_pool;
pub mod bidirectional;
pub mod case;
pub mod conv;
pub mod conv_lstm;
pub mod conv_transpose;
pub mod dense;
pub mod dot_attention;
pub mod dropout;
pub mod flatten;
pub mod gated_feed_forward;
pub mod gru;
pub mod kv_cache;
pub mod lambda;
pub mod learned_positions;
pub mod lstm;
pub mod max_pool;
pub mod mixture_of_experts;
pub mod multi_head_attention;
pub mod pixel_shuffle;
pub mod recurrent;
pub mod relative_position_bias;
pub mod rnn;
pub mod rotary_embedding;
pub mod sinusoidal_positions;
pub mod stacked;
pub mod standardize;
pub mod time_distributed;
pub mod transformer;
pub mod upsample;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        adaptive_avg_pool::cases,
        adaptive_max_pool::cases,
        additive_attention::cases,
        alibi::cases,
        attention::cases,
        avg_pool::cases,
        bidirectional::cases,
        conv::cases,
        conv_lstm::cases,
        conv_transpose::cases,
        dense::cases,
        dot_attention::cases,
        dropout::cases,
        flatten::cases,
        gated_feed_forward::cases,
        gru::cases,
        kv_cache::cases,
        lambda::cases,
        learned_positions::cases,
        lstm::cases,
        max_pool::cases,
        mixture_of_experts::cases,
        multi_head_attention::cases,
        pixel_shuffle::cases,
        recurrent::cases,
        relative_position_bias::cases,
        rnn::cases,
        rotary_embedding::cases,
        sinusoidal_positions::cases,
        standardize::cases,
        time_distributed::cases,
        transformer::cases,
        upsample::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
