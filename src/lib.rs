//! Wengert: an autodiff tensor framework on one general computation graph.
//!
//! Write plain mathematics over [`Var`](autograd::Var)s; a [`Tape`](autograd::Tape) records it; the gradient is more of
//! the same tape; one compiled plan runs all of it.
//!
//! ```
//! use wengert::prelude::*;
//!
//! fn main() -> Result<()> {
//!     let weight = Tensor::from([[0.5f32], [-0.5]]);
//!     let x = Tensor::from([[1f32, 2.0], [3.0, 4.0]]);
//!     let y = Tensor::from([[1f32], [0.0]]);
//!
//!     let tape = Tape::new();
//!     let w = tape.input(&weight);
//!     let loss = (tape.input(&x).matmul(w) - tape.input(&y)).square().mean();
//!     let [dw] = tape.grad(loss, [w]); // ∂loss/∂w: only recorded
//!     let [new_weight] = tape.eval([w - 0.1 * dw])?; // now it runs
//!     assert_eq!(new_weight.shape().dims(), [2, 1]);
//!     Ok(())
//! }
//! ```
//!
//! A model is a struct, a layer a function of one variable, and training one call:
//!
//! ```
//! use wengert::prelude::*;
//!
//! #[derive(Module)]
//! struct Gated {
//!     value: Dense,
//!     gate: Dense,
//! }
//!
//! impl Layer for Gated {
//!     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
//!         self.value.forward(x) * self.gate.forward(x).sigmoid()
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     let data = (Tensor::from([[0f32, 1.0], [1.0, 0.0]]), Tensor::from([0i64, 1]));
//!     let mut model = Gated { value: Dense::new(2, 2), gate: Dense::new(2, 2) }.init(Seed(1))?;
//!     let history =
//!         Trainer::new(Adam::new(0.1), CrossEntropy::new()).epochs(50).verbose(false).fit(&mut model, &data)?;
//!     assert!(history.last("loss") < Some(0.1));
//!     Ok(())
//! }
//! ```
//!
//! # Where things are
//!
//! | | |
//! |---|---|
//! | [`tensor`] | dense data: element types, shapes, views, random bits. Knows no graph. |
//! | [`autograd`] | the graph: tape, ops, derivatives, planner, executor. Knows no layer. |
//! | [`nn`] | models: parameters, layers, losses, optimizers, metrics, data, training. Knows no kernel. |
//! | [`prelude`] | what a program needs every day. |
//!
//! # Promises
//!
//! * **One graph.** Forward, gradient, gradient of the gradient and the optimizer's update are ops on one tape.
//! * **Recording never computes.** Values are computed when they are asked for, all that was asked for together, by a
//!   plan that is found again by the structure of the graph: the second step of a loop compiles nothing.
//! * **Values never change**, and have the same bits on one thread and on sixty-four.
//! * **No panic on bad input.** A wrong shape, file or number is an [`Error`](tensor::error::Error) that says the
//!   operation, the operands, the layer, your own line, and the mend.
//!
//! # Features
//!
//! `files` (CSV and safetensors), `plot` (SVG charts) and `progress` (a bar on the terminal) are on by default; `linalg` (factorizations)
//! and `fft` (Fourier transforms) are not, as they take minutes to build.
#![forbid(unsafe_code)]

pub use wengert_autograd as autograd;
pub use wengert_nn as nn;
pub use wengert_tensor as tensor;

#[doc(hidden)]
pub use wengert_nn::__private;

/// What a program needs every day: `use wengert::prelude::*;`.
pub mod prelude {
    pub use crate::autograd::{
        Apply, Checkpoint, FixedPoint, Gradients, Loop, Program, Randomness, Tape, Var, Vmap, check_gradients, debug,
    };
    pub use crate::autograd::{Clusters, Peak, Picture, Profile};
    pub use crate::autograd::{Conv, PadMode, Padding, Pool, Resize};
    pub use crate::nn::constraints::constraint::{Constrain, Constraint};
    pub use crate::nn::constraints::max_norm::MaxNorm;
    pub use crate::nn::constraints::min_max_norm::MinMaxNorm;
    pub use crate::nn::constraints::non_negative::NonNegative;
    pub use crate::nn::constraints::unit_norm::UnitNorm;
    pub use crate::nn::data::dataset::Dataset;
    pub use crate::nn::data::folds::KFold;
    pub use crate::nn::data::loader::DataLoader;
    pub use crate::nn::data::stream::Stream;
    pub use crate::nn::data::subset::Subset;
    pub use crate::nn::data::transform;
    pub use crate::nn::data::transform::Transform;
    pub use crate::nn::grad_of::GradOf;
    pub use crate::nn::graph::Graph;
    pub use crate::nn::init::{Distribution, Fan, Init};
    pub use crate::nn::layer::Layer;
    pub use crate::nn::layers::activation::{
        Celu, Elu, Exponential, Gelu, Glu, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyRelu,
        LogSigmoid, LogSoftmax, Mish, RRelu, Relu, Relu6, Selu, Sigmoid, Silu, Softmax, Softmax2d, Softmin, Softplus,
        Softshrink, Softsign, SparsePlus, SparseSigmoid, Sparsemax, Squareplus, Tanh, Tanhshrink, Threshold,
    };
    pub use crate::nn::layers::activity_regularization::ActivityRegularization;
    pub use crate::nn::layers::adaptive_avg_pool::AdaptiveAvgPool;
    pub use crate::nn::layers::adaptive_log_softmax::AdaptiveLogSoftmax;
    pub use crate::nn::layers::adaptive_max_pool::AdaptiveMaxPool;
    pub use crate::nn::layers::additive_attention::AdditiveAttention;
    pub use crate::nn::layers::alibi::{alibi_bias, alibi_slopes};
    pub use crate::nn::layers::alpha_dropout::{AlphaDropout, FeatureAlphaDropout};
    pub use crate::nn::layers::attention::{Attention, Masks, scaled_dot_product_attention};
    pub use crate::nn::layers::avg_pool::AvgPool;
    pub use crate::nn::layers::batch_norm::BatchNorm;
    pub use crate::nn::layers::bidirectional::{Bidirectional, MergeMode};
    pub use crate::nn::layers::bilinear::Bilinear;
    pub use crate::nn::layers::category_encoding::CategoryEncoding;
    pub use crate::nn::layers::center_crop::CenterCrop;
    pub use crate::nn::layers::channel_shuffle::ChannelShuffle;
    pub use crate::nn::layers::concat::Concat;
    pub use crate::nn::layers::conv::{Conv1d, Conv2d, Conv3d};
    pub use crate::nn::layers::conv_lstm::{ConvLstm1d, ConvLstm2d, ConvLstm3d, ConvLstmCell};
    pub use crate::nn::layers::conv_transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
    pub use crate::nn::layers::cropping::Cropping;
    pub use crate::nn::layers::dense::Dense;
    pub use crate::nn::layers::depthwise_conv::{DepthwiseConv1d, DepthwiseConv2d, DepthwiseConv3d};
    pub use crate::nn::layers::discretization::Discretization;
    pub use crate::nn::layers::dot::Dot;
    pub use crate::nn::layers::dot_attention::DotAttention;
    pub use crate::nn::layers::drop_path::DropPath;
    pub use crate::nn::layers::dropout::Dropout;
    pub use crate::nn::layers::einsum_dense::EinsumDense;
    pub use crate::nn::layers::embedding::Embedding;
    pub use crate::nn::layers::embedding_bag::{BagMode, EmbeddingBag};
    pub use crate::nn::layers::flatten::Flatten;
    pub use crate::nn::layers::fold::Fold;
    pub use crate::nn::layers::fractional_max_pool::FractionalMaxPool;
    pub use crate::nn::layers::gated_feed_forward::GatedFeedForward;
    pub use crate::nn::layers::gaussian_dropout::GaussianDropout;
    pub use crate::nn::layers::gaussian_noise::GaussianNoise;
    pub use crate::nn::layers::global_avg_pool::GlobalAvgPool;
    pub use crate::nn::layers::global_max_pool::GlobalMaxPool;
    pub use crate::nn::layers::group_norm::GroupNorm;
    pub use crate::nn::layers::gru::{Gru, GruCell};
    pub use crate::nn::layers::instance_norm::InstanceNorm;
    pub use crate::nn::layers::kv_cache::KvCache;
    pub use crate::nn::layers::lambda::Lambda;
    pub use crate::nn::layers::layer_norm::LayerNorm;
    pub use crate::nn::layers::learned_positions::LearnedPositions;
    pub use crate::nn::layers::local_response_norm::LocalResponseNorm;
    pub use crate::nn::layers::lp_pool::LpPool;
    pub use crate::nn::layers::lstm::{Lstm, LstmCell};
    pub use crate::nn::layers::max_pool::MaxPool;
    pub use crate::nn::layers::max_unpool::MaxUnpool;
    pub use crate::nn::layers::maxout::Maxout;
    pub use crate::nn::layers::merge;
    pub use crate::nn::layers::mixture_of_experts::MixtureOfExperts;
    pub use crate::nn::layers::multi_head_attention::MultiHeadAttention;
    pub use crate::nn::layers::pad::{CircularPad, ConstantPad, ReflectPad, ReplicatePad, ZeroPad};
    pub use crate::nn::layers::parallel::Parallel;
    pub use crate::nn::layers::permute::Permute;
    pub use crate::nn::layers::pixel_shuffle::PixelShuffle;
    pub use crate::nn::layers::pixel_unshuffle::PixelUnshuffle;
    pub use crate::nn::layers::prelu::PRelu;
    pub use crate::nn::layers::random_apply::RandomApply;
    pub use crate::nn::layers::recurrent::{Cell, Recurrent};
    pub use crate::nn::layers::regularized::Regularized;
    pub use crate::nn::layers::relative_position_bias::RelativePositionBias;
    pub use crate::nn::layers::repeat_vector::RepeatVector;
    pub use crate::nn::layers::rescaling::Rescaling;
    pub use crate::nn::layers::reshape::Reshape;
    pub use crate::nn::layers::residual::Residual;
    pub use crate::nn::layers::rms_norm::RmsNorm;
    pub use crate::nn::layers::rnn::{Rnn, RnnCell};
    pub use crate::nn::layers::rotary_embedding::RotaryEmbedding;
    pub use crate::nn::layers::separable_conv::{SeparableConv1d, SeparableConv2d, SeparableConv3d};
    pub use crate::nn::layers::sinusoidal_positions::SinusoidalPositions;
    pub use crate::nn::layers::spatial_dropout::SpatialDropout;
    pub use crate::nn::layers::spectral_norm::SpectralNorm;
    pub use crate::nn::layers::standardize::Standardize;
    pub use crate::nn::layers::time_distributed::TimeDistributed;
    pub use crate::nn::layers::transformer::{
        Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    };
    pub use crate::nn::layers::unflatten::Unflatten;
    pub use crate::nn::layers::unfold::Unfold;
    pub use crate::nn::layers::unit_normalization::UnitNormalization;
    pub use crate::nn::layers::upsample::Upsample;
    pub use crate::nn::layers::weight_norm::WeightNorm;
    pub use crate::nn::loss::{Loss, Reduction};
    pub use crate::nn::losses::binary_cross_entropy::BinaryCrossEntropy;
    pub use crate::nn::losses::binary_focal_cross_entropy::BinaryFocalCrossEntropy;
    pub use crate::nn::losses::categorical_focal_cross_entropy::CategoricalFocalCrossEntropy;
    pub use crate::nn::losses::categorical_hinge::CategoricalHinge;
    pub use crate::nn::losses::circle::Circle;
    pub use crate::nn::losses::contrastive::Contrastive;
    pub use crate::nn::losses::cosine_embedding::CosineEmbedding;
    pub use crate::nn::losses::cosine_similarity::CosineSimilarity;
    pub use crate::nn::losses::cross_entropy::CrossEntropy;
    pub use crate::nn::losses::ctc::Ctc;
    pub use crate::nn::losses::dice::Dice;
    pub use crate::nn::losses::gaussian_nll::GaussianNll;
    pub use crate::nn::losses::generalized_cross_entropy::GeneralizedCrossEntropy;
    pub use crate::nn::losses::hinge::Hinge;
    pub use crate::nn::losses::hinge_embedding::HingeEmbedding;
    pub use crate::nn::losses::huber::Huber;
    pub use crate::nn::losses::info_nce::InfoNce;
    pub use crate::nn::losses::kl_divergence::KlDivergence;
    pub use crate::nn::losses::log_cosh::LogCosh;
    pub use crate::nn::losses::margin_ranking::MarginRanking;
    pub use crate::nn::losses::mean_absolute_error::MeanAbsoluteError;
    pub use crate::nn::losses::mean_absolute_percentage_error::MeanAbsolutePercentageError;
    pub use crate::nn::losses::mean_squared_error::MeanSquaredError;
    pub use crate::nn::losses::mean_squared_logarithmic_error::MeanSquaredLogarithmicError;
    pub use crate::nn::losses::multi_label_margin::MultiLabelMargin;
    pub use crate::nn::losses::multi_label_soft_margin::MultiLabelSoftMargin;
    pub use crate::nn::losses::multi_margin::MultiMargin;
    pub use crate::nn::losses::negative_log_likelihood::NegativeLogLikelihood;
    pub use crate::nn::losses::nt_xent::NtXent;
    pub use crate::nn::losses::poisson::Poisson;
    pub use crate::nn::losses::poisson_nll::PoissonNll;
    pub use crate::nn::losses::quantile::Quantile;
    pub use crate::nn::losses::smooth_l1::SmoothL1;
    pub use crate::nn::losses::soft_margin::SoftMargin;
    pub use crate::nn::losses::squared_hinge::SquaredHinge;
    pub use crate::nn::losses::supervised_contrastive::SupervisedContrastive;
    pub use crate::nn::losses::triplet_margin::TripletMargin;
    pub use crate::nn::losses::triplet_margin_with_distance::TripletMarginWithDistance;
    pub use crate::nn::losses::tversky::Tversky;
    pub use crate::nn::metrics::accuracy::Accuracy;
    pub use crate::nn::metrics::auc::{Auc, Summation};
    pub use crate::nn::metrics::average::Average;
    pub use crate::nn::metrics::balanced_accuracy::BalancedAccuracy;
    pub use crate::nn::metrics::binary_accuracy::BinaryAccuracy;
    pub use crate::nn::metrics::binary_iou::BinaryIoU;
    pub use crate::nn::metrics::binary_log_loss::BinaryLogLoss;
    pub use crate::nn::metrics::brier_score::BrierScore;
    pub use crate::nn::metrics::calibration_error::CalibrationError;
    pub use crate::nn::metrics::cohen_kappa::CohenKappa;
    pub use crate::nn::metrics::concordance_correlation::ConcordanceCorrelation;
    pub use crate::nn::metrics::confusion::{ConfusionMatrix, ConfusionTable};
    pub use crate::nn::metrics::confusion_counts::{FalseNegatives, FalsePositives, TrueNegatives, TruePositives};
    pub use crate::nn::metrics::exact_match::ExactMatch;
    pub use crate::nn::metrics::explained_variance::ExplainedVariance;
    pub use crate::nn::metrics::f_beta::FBeta;
    pub use crate::nn::metrics::iou::IoU;
    pub use crate::nn::metrics::log_cosh_error::LogCoshError;
    pub use crate::nn::metrics::log_loss::LogLoss;
    pub use crate::nn::metrics::matthews_correlation::MatthewsCorrelation;
    pub use crate::nn::metrics::max_error::MaxError;
    pub use crate::nn::metrics::mean::Mean;
    pub use crate::nn::metrics::mean_iou::MeanIoU;
    pub use crate::nn::metrics::mean_loss::MeanLoss;
    pub use crate::nn::metrics::metric::{Meter, Metric};
    pub use crate::nn::metrics::negative_predictive_value::NegativePredictiveValue;
    pub use crate::nn::metrics::pearson_correlation::PearsonCorrelation;
    pub use crate::nn::metrics::perplexity::Perplexity;
    pub use crate::nn::metrics::precision::Precision;
    pub use crate::nn::metrics::precision_at_recall::PrecisionAtRecall;
    pub use crate::nn::metrics::r2_score::R2Score;
    pub use crate::nn::metrics::recall::Recall;
    pub use crate::nn::metrics::recall_at_precision::RecallAtPrecision;
    pub use crate::nn::metrics::root_mean_squared_error::RootMeanSquaredError;
    pub use crate::nn::metrics::sensitivity_at_specificity::SensitivityAtSpecificity;
    pub use crate::nn::metrics::specificity::Specificity;
    pub use crate::nn::metrics::specificity_at_sensitivity::SpecificityAtSensitivity;
    pub use crate::nn::metrics::symmetric_mean_absolute_percentage_error::SymmetricMeanAbsolutePercentageError;
    pub use crate::nn::metrics::top_k::TopK;
    pub use crate::nn::module::Module;
    pub use crate::nn::optim::adabelief::AdaBelief;
    pub use crate::nn::optim::adadelta::Adadelta;
    pub use crate::nn::optim::adafactor::Adafactor;
    pub use crate::nn::optim::adagrad::Adagrad;
    pub use crate::nn::optim::adam::Adam;
    pub use crate::nn::optim::adamax::Adamax;
    pub use crate::nn::optim::adamw::AdamW;
    pub use crate::nn::optim::asgd::Asgd;
    pub use crate::nn::optim::average::{Ema, Swa};
    pub use crate::nn::optim::centralize::Centralize;
    pub use crate::nn::optim::clip::{ClipAdaptive, ClipByValue, ClipGlobalNorm, ClipNorm};
    pub use crate::nn::optim::compiled::CompiledStep;
    pub use crate::nn::optim::decay::WeightDecay;
    pub use crate::nn::optim::ftrl::Ftrl;
    pub use crate::nn::optim::lamb::Lamb;
    pub use crate::nn::optim::lars::Lars;
    pub use crate::nn::optim::lbfgs::Lbfgs;
    pub use crate::nn::optim::lion::Lion;
    pub use crate::nn::optim::lookahead::Lookahead;
    pub use crate::nn::optim::maximize::Maximize;
    pub use crate::nn::optim::muon::Muon;
    pub use crate::nn::optim::nadam::Nadam;
    pub use crate::nn::optim::noise::GradientNoise;
    pub use crate::nn::optim::optimizer::Optimizer;
    pub use crate::nn::optim::radam::RAdam;
    pub use crate::nn::optim::rmsprop::RmsProp;
    pub use crate::nn::optim::rprop::Rprop;
    pub use crate::nn::optim::rule::{Leaf, Rule};
    pub use crate::nn::optim::sam::Sam;
    pub use crate::nn::optim::scale::LossScale;
    pub use crate::nn::optim::schedule::Schedule;
    pub use crate::nn::optim::schedule::constant::constant;
    pub use crate::nn::optim::schedule::cosine::cosine;
    pub use crate::nn::optim::schedule::cosine_restarts::cosine_restarts;
    pub use crate::nn::optim::schedule::cyclic::cyclic;
    pub use crate::nn::optim::schedule::exponential::exponential;
    pub use crate::nn::optim::schedule::inverse_sqrt::inverse_sqrt;
    pub use crate::nn::optim::schedule::inverse_time::inverse_time;
    pub use crate::nn::optim::schedule::join::join;
    pub use crate::nn::optim::schedule::linear::linear;
    pub use crate::nn::optim::schedule::multistep::multistep;
    pub use crate::nn::optim::schedule::natural_exponential::natural_exponential;
    pub use crate::nn::optim::schedule::one_cycle::{cosine_onecycle, linear_onecycle, one_cycle};
    pub use crate::nn::optim::schedule::piecewise_constant::piecewise_constant;
    pub use crate::nn::optim::schedule::piecewise_interpolate::piecewise_interpolate;
    pub use crate::nn::optim::schedule::plateau::Plateau;
    pub use crate::nn::optim::schedule::polynomial::polynomial;
    pub use crate::nn::optim::schedule::warmup::warmup;
    pub use crate::nn::optim::schedule::warmup_cosine::warmup_cosine;
    pub use crate::nn::optim::schedule::warmup_exponential::warmup_exponential;
    pub use crate::nn::optim::schedule_free::ScheduleFree;
    pub use crate::nn::optim::select::{Select, rank_at_least, rank_below};
    pub use crate::nn::optim::sgd::Sgd;
    pub use crate::nn::optim::sophia::Sophia;
    pub use crate::nn::param::{Buffer, Param};
    pub use crate::nn::regularizers::l1::L1;
    pub use crate::nn::regularizers::l1_l2::L1L2;
    pub use crate::nn::regularizers::l2::L2;
    pub use crate::nn::regularizers::orthogonal::Orthogonal;
    pub use crate::nn::regularizers::penalty::Penalty;
    pub use crate::nn::regularizers::regularizer::Regularizer;
    pub use crate::nn::sequential::Sequential;
    pub use crate::nn::summary::Summarize;
    pub use crate::nn::train::callback::{At, Callback};
    pub use crate::nn::train::callbacks::early_stopping::EarlyStopping;
    pub use crate::nn::train::callbacks::ema_swap::EmaSwap;
    pub use crate::nn::train::callbacks::learning_rate_schedule::LearningRateSchedule;
    pub use crate::nn::train::callbacks::reduce_on_plateau::ReduceOnPlateau;
    pub use crate::nn::train::callbacks::terminate_on_nan::TerminateOnNan;
    pub use crate::nn::train::callbacks::time_budget::TimeBudget;
    pub use crate::nn::train::callbacks::weight_statistics::WeightStatistics;
    pub use crate::nn::train::history::History;
    pub use crate::nn::train::interrupt::Interrupt;
    pub use crate::nn::train::logs::Logs;
    pub use crate::nn::train::lr_finder::LrFinder;
    pub use crate::nn::train::step::Step;
    pub use crate::nn::train::trainer::{Flow, Trainer};
    pub use crate::nn::train::verbose::Verbose;
    pub use crate::tensor::dtype::DType;
    pub use crate::tensor::error::{Error, ErrorKind, Result};
    pub use crate::tensor::random::{Key, Seed};
    pub use crate::tensor::shape::Shape;
    pub use crate::tensor::tensor::Tensor;

    #[cfg(feature = "fft")]
    pub use crate::autograd::FftNorm;
    #[cfg(feature = "linalg")]
    pub use crate::autograd::{MatrixNorm, Triangle};
    #[cfg(feature = "plot")]
    pub use crate::nn::board::SummaryWriter;
    #[cfg(feature = "files")]
    pub use crate::nn::data::{
        csv::{CsvFile, read_csv},
        folder::ImageFolder,
        idx::{Mnist, read_idx},
        image::{read_image, write_png},
        npy::{read_npy, read_npz, write_npy, write_npz},
        text::{bpe::Bpe, characters::CharVocabulary, read_text, windows::TokenWindows},
    };
    #[cfg(feature = "files")]
    pub use crate::nn::files::weights::{Lenient, Load, Strict, Weights};
    #[cfg(feature = "files")]
    pub use crate::nn::files::{
        checkpoint::{Checkpoints, read_checkpoint, write_checkpoint},
        torch::read_torch,
    };
    #[cfg(feature = "plot")]
    pub use crate::nn::plot::{
        attention::AttentionMap, bars::BarChart, histogram::Histogram, images::ImageGrid, line::LineChart, map::HeatMap,
    };
    #[cfg(feature = "files")]
    pub use crate::nn::train::{
        callbacks::{best_weights::BestWeights, csv_logger::CsvLogger, jsonl_logger::JsonlLogger},
        keep::Keep,
    };
}

/// The code of the guide compiles and runs.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../docs/src/quick-start.md")]
    struct QuickStart;
    #[doc = include_str!("../docs/src/tape.md")]
    struct TheTape;
    #[doc = include_str!("../docs/src/layer.md")]
    struct YourLayer;
    #[doc = include_str!("../docs/src/derivative.md")]
    struct YourDerivative;
    #[doc = include_str!("../docs/src/training.md")]
    struct Training;
    #[doc = include_str!("../docs/src/coming-from.md")]
    struct ComingFrom;
    #[doc = include_str!("../docs/src/planner.md")]
    struct Planner;
}
