//! Metrics: what a person wants to know of a model, batch by batch.
//!
//! A [`Metric`](metric::Metric) is a pure rule: sums of one batch as graph ops, and the figure that follows from the
//! sums of all batches. So it runs in the plan of the training step, and batches of different sizes weigh right.
//! A [`Meter`](metric::Meter) adds the sums up. A new metric is its own file and two lines here.
//!
//! Models end without sigmoid or softmax here, so predictions are logits everywhere: `probabilities()`, or `threshold(0.5)`, says otherwise.
//! Names are Keras's where it has the thing, else scikit-learn's. What needs all samples at once is a function in [`exact`].
//!
//! | | |
//! |---|---|
//! | right classes | [`accuracy`], [`top_k`], [`balanced_accuracy`], [`cohen_kappa`], [`matthews_correlation`], [`confusion`] |
//! | right answers | [`binary_accuracy`], [`exact_match`], [`confusion_counts`] |
//! | finding | [`precision`], [`recall`], [`f_beta`], [`specificity`], [`negative_predictive_value`] |
//! | at many thresholds | [`auc`], [`precision_at_recall`], [`recall_at_precision`], [`sensitivity_at_specificity`], [`specificity_at_sensitivity`] |
//! | masks | [`iou`], [`mean_iou`], [`binary_iou`], [`dice`] |
//! | probabilities | [`log_loss`], [`binary_log_loss`], [`perplexity`], [`kl_divergence`], [`brier_score`], [`calibration_error`] |
//! | margins | [`hinge`], [`squared_hinge`], [`categorical_hinge`] |
//! | errors | [`mean_absolute_error`], [`mean_squared_error`], [`root_mean_squared_error`], [`mean_absolute_percentage_error`], [`symmetric_mean_absolute_percentage_error`], [`mean_squared_logarithmic_error`], [`log_cosh_error`], [`max_error`], [`poisson`] |
//! | agreement | [`r2_score`], [`explained_variance`], [`pearson_correlation`], [`concordance_correlation`], [`cosine_similarity`] |
//! | of one's own | [`mean`], [`mean_loss`], [`named`], or [`Metric`](metric::Metric) |

use case::Case;

pub mod accuracy;
pub mod auc;
pub mod average;
pub mod balanced_accuracy;
pub mod binary_accuracy;
pub mod binary_iou;
pub mod binary_log_loss;
pub mod brier_score;
pub mod calibration_error;
pub mod case;
pub mod categorical_hinge;
pub mod cohen_kappa;
pub mod concordance_correlation;
pub mod confusion;
pub mod confusion_counts;
pub mod cosine_similarity;
pub mod dice;
pub mod exact;
pub mod exact_match;
pub mod explained_variance;
pub mod f_beta;
pub mod hinge;
pub mod iou;
pub mod kl_divergence;
pub mod log_cosh_error;
pub mod log_loss;
pub mod matthews_correlation;
pub mod max_error;
pub mod mean;
pub mod mean_absolute_error;
pub mod mean_absolute_percentage_error;
pub mod mean_iou;
pub mod mean_loss;
pub mod mean_squared_error;
pub mod mean_squared_logarithmic_error;
pub mod metric;
pub mod named;
pub mod negative_predictive_value;
pub mod pearson_correlation;
pub mod perplexity;
pub mod poisson;
pub mod precision;
pub mod precision_at_recall;
pub mod r2_score;
pub mod recall;
pub mod recall_at_precision;
pub mod root_mean_squared_error;
pub mod sensitivity_at_specificity;
pub mod specificity;
pub mod specificity_at_sensitivity;
pub mod squared_hinge;
pub mod symmetric_mean_absolute_percentage_error;
pub mod top_k;

mod answers;
mod classes;
mod curve;
mod moments;
mod weigh;

/// The cases of every file of this directory that holds a metric.
pub fn roll() -> Vec<Case> {
    [
        accuracy::cases as fn() -> Vec<Case>,
        auc::cases,
        balanced_accuracy::cases,
        binary_accuracy::cases,
        binary_iou::cases,
        binary_log_loss::cases,
        brier_score::cases,
        calibration_error::cases,
        categorical_hinge::cases,
        cohen_kappa::cases,
        concordance_correlation::cases,
        confusion::cases,
        confusion_counts::cases,
        cosine_similarity::cases,
        dice::cases,
        exact_match::cases,
        explained_variance::cases,
        f_beta::cases,
        hinge::cases,
        iou::cases,
        kl_divergence::cases,
        log_cosh_error::cases,
        log_loss::cases,
        matthews_correlation::cases,
        max_error::cases,
        mean::cases,
        mean_absolute_error::cases,
        mean_absolute_percentage_error::cases,
        mean_iou::cases,
        mean_loss::cases,
        mean_squared_error::cases,
        mean_squared_logarithmic_error::cases,
        named::cases,
        negative_predictive_value::cases,
        pearson_correlation::cases,
        perplexity::cases,
        poisson::cases,
        precision::cases,
        precision_at_recall::cases,
        r2_score::cases,
        recall::cases,
        recall_at_precision::cases,
        root_mean_squared_error::cases,
        sensitivity_at_specificity::cases,
        specificity::cases,
        specificity_at_sensitivity::cases,
        squared_hinge::cases,
        symmetric_mean_absolute_percentage_error::cases,
        top_k::cases,
    ]
    .iter()
    .flat_map(|cases| cases())
    .collect()
}
