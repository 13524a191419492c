//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod activity_regularization;
pub mod adaptive_avg_pool;
pub mod adaptive_log_softmax;
pub mod adaptive_max_pool;
pub mod additive_attention;
pub mod alibi;
pub mod alpha_dropout;
pub mod attention;
pub mod avg_pool;
pub mod batch_norm;
pub mod bidirectional;
pub mod bilinear;
pub mod case;
pub mod category_encoding;
pub mod center_crop;
pub mod channel_shuffle;
pub mod concat;
pub mod conv;
pub mod conv_lstm;
pub mod conv_transpose;
pub mod cropping;
pub mod dense;
pub mod depthwise_conv;
pub mod discretization;
pub mod dot;
pub mod dot_attention;
pub mod drop_path;
pub mod dropout;
pub mod einsum_dense;
pub mod embedding;
pub mod embedding_bag;
pub mod flatten;
pub mod fold;
pub mod fractional_max_pool;
pub mod gated_feed_forward;
pub mod gaussian_dropout;
pub mod gaussian_noise;
pub mod global_avg_pool;
pub mod global_max_pool;
pub mod group_norm;
pub mod gru;
pub mod instance_norm;
pub mod kv_cache;
pub mod lambda;
pub mod layer_norm;
pub mod learned_positions;
pub mod local_response_norm;
pub mod lp_pool;
pub mod lstm;
pub mod max_pool;
pub mod max_unpool;
pub mod maxout;
pub mod merge;
pub mod mixture_of_experts;
pub mod multi_head_attention;
pub mod pad;
pub mod parallel;
pub mod permute;
pub mod pixel_shuffle;
pub mod pixel_unshuffle;
pub mod prelu;
pub mod random_apply;
pub mod recurrent;
pub mod regularized;
pub mod relative_position_bias;
pub mod repeat_vector;
pub mod rescaling;
pub mod reshape;
pub mod residual;
pub mod rms_norm;
pub mod rnn;
pub mod rotary_embedding;
pub mod separable_conv;
pub mod sinusoidal_positions;
pub mod spatial_dropout;
pub mod spectral_norm;
pub mod stacked;
pub mod standardize;
pub mod time_distributed;
pub mod transformer;
pub mod unflatten;
pub mod unfold;
pub mod unit_normalization;
pub mod upsample;
pub mod weight_norm;

mod attended;
mod mask;
mod norm;
mod parametrization;
mod running;
mod surround;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        activity_regularization::cases,
        adaptive_avg_pool::cases,
        adaptive_log_softmax::cases,
        adaptive_max_pool::cases,
        additive_attention::cases,
        alibi::cases,
        alpha_dropout::cases,
        attention::cases,
        avg_pool::cases,
        batch_norm::cases,
        bidirectional::cases,
        bilinear::cases,
        category_encoding::cases,
        center_crop::cases,
        channel_shuffle::cases,
        concat::cases,
        conv::cases,
        conv_lstm::cases,
        conv_transpose::cases,
        cropping::cases,
        dense::cases,
        depthwise_conv::cases,
        discretization::cases,
        dot::cases,
        dot_attention::cases,
        drop_path::cases,
        dropout::cases,
        einsum_dense::cases,
        embedding::cases,
        embedding_bag::cases,
        flatten::cases,
        fold::cases,
        fractional_max_pool::cases,
        gated_feed_forward::cases,
        gaussian_dropout::cases,
        gaussian_noise::cases,
        global_avg_pool::cases,
        global_max_pool::cases,
        group_norm::cases,
        gru::cases,
        instance_norm::cases,
        kv_cache::cases,
        lambda::cases,
        layer_norm::cases,
        learned_positions::cases,
        local_response_norm::cases,
        lp_pool::cases,
        lstm::cases,
        max_pool::cases,
        max_unpool::cases,
        maxout::cases,
        merge::cases,
        mixture_of_experts::cases,
        multi_head_attention::cases,
        pad::cases,
        parallel::cases,
        permute::cases,
        pixel_shuffle::cases,
        pixel_unshuffle::cases,
        prelu::cases,
        random_apply::cases,
        recurrent::cases,
        regularized::cases,
        relative_position_bias::cases,
        repeat_vector::cases,
        rescaling::cases,
        reshape::cases,
        residual::cases,
        rms_norm::cases,
        rnn::cases,
        rotary_embedding::cases,
        separable_conv::cases,
        sinusoidal_positions::cases,
        spatial_dropout::cases,
        spectral_norm::cases,
        standardize::cases,
        time_distributed::cases,
        transformer::cases,
        unflatten::cases,
        unfold::cases,
        unit_normalization::cases,
        upsample::cases,
        weight_norm::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
