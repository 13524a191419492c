//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod adaptive_avg_pool;
pub mod adaptive_max_pool;
pub mod alpha_dropout;
pub mod avg_pool;
pub mod batch_norm;
pub mod case;
pub mod conv;
pub mod conv_transpose;
pub mod dense;
pub mod drop_path;
pub mod dropout;
pub mod flatten;
pub mod gaussian_dropout;
pub mod gaussian_noise;
pub mod group_norm;
pub mod instance_norm;
pub mod lambda;
pub mod layer_norm;
pub mod local_response_norm;
pub mod max_pool;
pub mod pixel_shuffle;
pub mod random_apply;
pub mod rms_norm;
pub mod spatial_dropout;
pub mod spectral_norm;
pub mod standardize;
pub mod unit_normalization;
pub mod upsample;
pub mod weight_norm;

mod mask;
mod norm;
mod parametrization;
mod running;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        adaptive_avg_pool::cases,
        adaptive_max_pool::cases,
        alpha_dropout::cases,
        avg_pool::cases,
        batch_norm::cases,
        conv::cases,
        conv_transpose::cases,
        dense::cases,
        drop_path::cases,
        dropout::cases,
        flatten::cases,
        gaussian_dropout::cases,
        gaussian_noise::cases,
        group_norm::cases,
        instance_norm::cases,
        lambda::cases,
        layer_norm::cases,
        local_response_norm::cases,
        max_pool::cases,
        pixel_shuffle::cases,
        random_apply::cases,
        rms_norm::cases,
        spatial_dropout::cases,
        spectral_norm::cases,
        standardize::cases,
        unit_normalization::cases,
        upsample::cases,
        weight_norm::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
