//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod activity_regularization;
pub mod adaptive_avg_pool;
pub mod adaptive_log_softmax;
pub mod adaptive_max_pool;
pub mod avg_pool;
pub mod bilinear;
pub mod case;
pub mod category_encoding;
pub mod conv;
pub mod conv_transpose;
pub mod dense;
pub mod discretization;
pub mod dropout;
pub mod einsum_dense;
pub mod embedding;
pub mod embedding_bag;
pub mod flatten;
pub mod lambda;
pub mod max_pool;
pub mod maxout;
pub mod permute;
pub mod pixel_shuffle;
pub mod prelu;
pub mod regularized;
pub mod repeat_vector;
pub mod rescaling;
pub mod reshape;
pub mod standardize;
pub mod upsample;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        activity_regularization::cases,
        adaptive_avg_pool::cases,
        adaptive_log_softmax::cases,
        adaptive_max_pool::cases,
        avg_pool::cases,
        bilinear::cases,
        category_encoding::cases,
        conv::cases,
        conv_transpose::cases,
        dense::cases,
        discretization::cases,
        dropout::cases,
        einsum_dense::cases,
        embedding::cases,
        embedding_bag::cases,
        flatten::cases,
        lambda::cases,
        max_pool::cases,
        maxout::cases,
        permute::cases,
        pixel_shuffle::cases,
        prelu::cases,
        regularized::cases,
        repeat_vector::cases,
        rescaling::cases,
        reshape::cases,
        standardize::cases,
        upsample::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
