//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod adaptive_avg_pool;
pub mod adaptive_max_pool;
pub mod avg_pool;
pub mod case;
pub mod center_crop;
pub mod channel_shuffle;
pub mod concat;
pub mod conv;
pub mod conv_transpose;
pub mod cropping;
pub mod dense;
pub mod depthwise_conv;
pub mod dot;
pub mod dropout;
pub mod flatten;
pub mod fold;
pub mod fractional_max_pool;
pub mod global_avg_pool;
pub mod global_max_pool;
pub mod lambda;
pub mod lp_pool;
pub mod max_pool;
pub mod max_unpool;
pub mod merge;
pub mod pad;
pub mod parallel;
pub mod pixel_shuffle;
pub mod pixel_unshuffle;
pub mod residual;
pub mod separable_conv;
pub mod standardize;
pub mod unflatten;
pub mod unfold;
pub mod upsample;

mod surround;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        adaptive_avg_pool::cases,
        adaptive_max_pool::cases,
        avg_pool::cases,
        center_crop::cases,
        channel_shuffle::cases,
        concat::cases,
        conv::cases,
        conv_transpose::cases,
        cropping::cases,
        dense::cases,
        depthwise_conv::cases,
        dot::cases,
        dropout::cases,
        flatten::cases,
        fold::cases,
        fractional_max_pool::cases,
        global_avg_pool::cases,
        global_max_pool::cases,
        lambda::cases,
        lp_pool::cases,
        max_pool::cases,
        max_unpool::cases,
        merge::cases,
        pad::cases,
        parallel::cases,
        pixel_shuffle::cases,
        pixel_unshuffle::cases,
        residual::cases,
        separable_conv::cases,
        standardize::cases,
        unflatten::cases,
        unfold::cases,
        upsample::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
