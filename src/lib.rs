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
        Apply, Checkpoint, FixedPoint, Gradients, Loop, Program, Randomness, Tape, Var, Vmap, check_gradients,
    };
    pub use crate::autograd::{Conv, PadMode, Padding, Pool, Resize};
    pub use crate::nn::data::dataset::Dataset;
    pub use crate::nn::data::loader::DataLoader;
    pub use crate::nn::grad_of::GradOf;
    pub use crate::nn::init::Init;
    pub use crate::nn::layer::Layer;
    pub use crate::nn::layers::adaptive_avg_pool::AdaptiveAvgPool;
    pub use crate::nn::layers::adaptive_max_pool::AdaptiveMaxPool;
    pub use crate::nn::layers::avg_pool::AvgPool;
    pub use crate::nn::layers::conv::{Conv1d, Conv2d, Conv3d};
    pub use crate::nn::layers::conv_transpose::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
    pub use crate::nn::layers::dense::Dense;
    pub use crate::nn::layers::dropout::Dropout;
    pub use crate::nn::layers::flatten::Flatten;
    pub use crate::nn::layers::max_pool::MaxPool;
    pub use crate::nn::layers::pixel_shuffle::PixelShuffle;
    pub use crate::nn::layers::standardize::Standardize;
    pub use crate::nn::layers::upsample::Upsample;
    pub use crate::nn::loss::Loss;
    pub use crate::nn::losses::binary_cross_entropy::BinaryCrossEntropy;
    pub use crate::nn::losses::cross_entropy::CrossEntropy;
    pub use crate::nn::losses::mean_absolute_error::MeanAbsoluteError;
    pub use crate::nn::losses::mean_squared_error::MeanSquaredError;
    pub use crate::nn::metrics::accuracy::Accuracy;
    pub use crate::nn::metrics::binary_accuracy::BinaryAccuracy;
    pub use crate::nn::metrics::confusion::ConfusionMatrix;
    pub use crate::nn::metrics::metric::{Meter, Metric};
    pub use crate::nn::metrics::top_k::TopK;
    pub use crate::nn::module::Module;
    pub use crate::nn::optim::adam::Adam;
    pub use crate::nn::optim::adamw::AdamW;
    pub use crate::nn::optim::compiled::CompiledStep;
    pub use crate::nn::optim::sgd::Sgd;
    pub use crate::nn::param::{Buffer, Param};
    pub use crate::nn::sequential::Sequential;
    pub use crate::nn::summary::Summarize;
    pub use crate::nn::train::history::History;
    pub use crate::nn::train::logs::Logs;
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
    #[cfg(feature = "files")]
    pub use crate::nn::data::csv::{CsvFile, read_csv};
    #[cfg(feature = "files")]
    pub use crate::nn::files::weights::{Lenient, Strict, Weights};
    #[cfg(feature = "plot")]
    pub use crate::nn::plot::{line::LineChart, map::HeatMap};
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
