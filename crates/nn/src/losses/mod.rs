//! The losses, a file each, and the roll that the tests loop over.
//!
//! A new loss is its own file (formula, shapes, struct, `each`, doctest, `cases`) and two lines here. What is right of its
//! cases is written by `tests/reference/losses.py`.

use case::Case;

pub mod alike;
pub mod binary_cross_entropy;
pub mod binary_focal_cross_entropy;
pub mod case;
pub mod categorical_focal_cross_entropy;
pub mod categorical_hinge;
pub mod circle;
pub mod classes;
pub mod contrastive;
pub mod cosine_embedding;
pub mod cosine_similarity;
pub mod cross_entropy;
pub mod ctc;
pub mod dice;
pub mod gaussian_nll;
pub mod generalized_cross_entropy;
pub mod hinge;
pub mod hinge_embedding;
pub mod huber;
pub mod info_nce;
pub mod kl_divergence;
pub mod log_cosh;
pub mod margin_ranking;
pub mod mean_absolute_error;
pub mod mean_absolute_percentage_error;
pub mod mean_squared_error;
pub mod mean_squared_logarithmic_error;
pub mod multi_label_margin;
pub mod multi_label_soft_margin;
pub mod multi_margin;
pub mod negative_log_likelihood;
pub mod nt_xent;
pub mod operands;
pub mod poisson;
pub mod poisson_nll;
pub mod quantile;
pub mod smooth_l1;
pub mod soft_margin;
pub mod squared_hinge;
pub mod supervised_contrastive;
pub mod triplet_margin;
pub mod triplet_margin_with_distance;
pub mod tversky;

/// The cases of every file of this directory.
pub fn roll() -> Vec<Case> {
    [
        binary_cross_entropy::cases as fn() -> Vec<Case>,
        binary_focal_cross_entropy::cases,
        categorical_focal_cross_entropy::cases,
        categorical_hinge::cases,
        circle::cases,
        contrastive::cases,
        cosine_embedding::cases,
        cosine_similarity::cases,
        cross_entropy::cases,
        ctc::cases,
        dice::cases,
        gaussian_nll::cases,
        generalized_cross_entropy::cases,
        hinge::cases,
        hinge_embedding::cases,
        huber::cases,
        info_nce::cases,
        kl_divergence::cases,
        log_cosh::cases,
        margin_ranking::cases,
        mean_absolute_error::cases,
        mean_absolute_percentage_error::cases,
        mean_squared_error::cases,
        mean_squared_logarithmic_error::cases,
        multi_label_margin::cases,
        multi_label_soft_margin::cases,
        multi_margin::cases,
        negative_log_likelihood::cases,
        nt_xent::cases,
        poisson::cases,
        poisson_nll::cases,
        quantile::cases,
        smooth_l1::cases,
        soft_margin::cases,
        squared_hinge::cases,
        supervised_contrastive::cases,
        triplet_margin::cases,
        triplet_margin_with_distance::cases,
        tversky::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
