//! The layers, a file each, and the roll that the tests loop over.
//!
//! A new layer is its own file (formula, shapes, struct, `forward`, doctest, `cases`) and two lines here.

use case::Case;

pub mod activation;
pub mod adaptive_avg_pool;
pub mod adaptive_max_pool;
pub mod avg_pool;
pub mod bidirectional;
pub mod case;
pub mod conv;
pub mod conv_lstm;
pub mod conv_transpose;
pub mod dense;
pub mod dropout;
pub mod flatten;
pub mod gru;
pub mod lambda;
pub mod lstm;
pub mod max_pool;
pub mod pixel_shuffle;
pub mod recurrent;
pub mod rnn;
pub mod stacked;
pub mod standardize;
pub mod time_distributed;
pub mod upsample;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        activation::cases as fn() -> Vec<Case>,
        adaptive_avg_pool::cases,
        adaptive_max_pool::cases,
        avg_pool::cases,
        bidirectional::cases,
        conv::cases,
        conv_lstm::cases,
        conv_transpose::cases,
        dense::cases,
        dropout::cases,
        flatten::cases,
        gru::cases,
        lambda::cases,
        lstm::cases,
        max_pool::cases,
        pixel_shuffle::cases,
        recurrent::cases,
        rnn::cases,
        standardize::cases,
        time_distributed::cases,
        upsample::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
