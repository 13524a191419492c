//! The graph of Wengert: the tape, the ops, their derivatives, and how values are computed.
//!
//! Write mathematics over [`Var`]s. The [`Tape`] records it and computes nothing; a gradient is more of the same tape;
//! values are computed together when they are asked for. This crate knows no layer.
//!
//! ```
//! use wengert_autograd::Tape;
//! use wengert_tensor::tensor::Tensor;
//!
//! let tape = Tape::new();
//! let w = tape.input(&Tensor::from([[1.0f32, -1.0], [0.5, 2.0]]));
//! let x = tape.input(&Tensor::from([[1.0f32, 2.0]]));
//! let loss = x.matmul(w).tanh().square().mean();
//! let [dw] = tape.grad(loss, [w]);
//! let [loss, w] = tape.eval([loss, w - 0.1 * dw])?;
//! # assert!(loss.item::<f32>()? > 0.0 && w.len() == 4);
//! # Ok::<(), wengert_tensor::error::Error>(())
//! ```
//!
//! Where to look: [`graph`] for the idea and the contract of an op, [`ops`] for each op, [`check_gradients`] to check a
//! function of your own, [`mod@reference`] for what every plan must agree with.
#![forbid(unsafe_code)]

pub mod axes;
pub mod batch;
pub mod check;
pub mod class;
pub mod compiled;
pub mod compose;
pub mod cost;
pub mod debug;
pub mod gradients;
pub mod graph;
pub mod hash;
pub mod json;
pub mod meta;
pub mod operand;
pub mod ops;
pub mod picture;
pub mod profile;
pub mod program;
pub mod recorded;
pub mod reference;
pub mod report;
pub mod sample;
pub mod scope;
pub mod sequel;
pub mod table;
pub mod tape;
pub mod transform;
pub mod vars;

mod apply;
mod body;
mod exec;
mod frame;
mod gradient;
mod kernel;
mod lanes;
mod later;
#[cfg(feature = "linalg")]
mod matrices;
mod naming;
mod operators;
mod packing;
mod plan;
mod reals;
mod spatial;
mod stretch;
mod substitute;
mod sum_into;
mod value;
mod var;

pub use apply::Apply;
pub use axes::IntoAxes;
pub use batch::{Batch, Randomness};
pub use check::{Compared, Report, check_gradients};
pub use class::{Class, IndexFn, View};
pub use compiled::{Argument, Compiled};
pub use compose::conv::Conv;
pub use compose::distribution::Draws;
#[cfg(feature = "fft")]
pub use compose::fourier::FftNorm;
#[cfg(feature = "linalg")]
pub use compose::matrix::MatrixNorm;
pub use compose::pool::{Pool, PoolAxis};
pub use compose::product::IntoPairs;
pub use compose::resize::Resize;
pub use compose::surround::PadMode;
pub use exec::{PlanStats, plan_clear, plan_stats, without_fusion};
pub use gradients::Gradients;
pub use graph::{Derivative, IntoOp, LeafId, NodeId, Op, OpRef, Partial, Tape, Var};
pub use meta::Meta;
pub use naming::{Call, ScopeGuard};
pub use operand::{Like, Operand};
#[cfg(feature = "linalg")]
pub use ops::triangular_solve::Triangle;
pub use picture::{Clusters, Picture};
pub use plan::group::Apart;
pub use profile::{Breakdown, Peak, Profile};
pub use program::{Arguments, Program};
pub use recorded::{Recorded, RecordedKind, RecordedLayer, Recording};
pub use report::{PlanReport, StepKind, StepReport, plan_reports};
pub use scope::ScopeName;
pub use sequel::Sequel;
pub use spatial::{Padding, PerAxis};

pub use substitute::Substitute;
pub use transform::{Candidate, Checkpoint, FixedPoint, Linearized, Loop, Pullback, Saved, Vmap};
pub use vars::Vars;
