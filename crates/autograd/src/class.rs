//! How an op may be run. The planner asks for this and never for the op's name.

use std::fmt::Debug;
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::kernels::scalar::{ReduceFn, ScalarFn};
use wengert_tensor::layout::Layout;
use wengert_tensor::program::view::Kernel;
use wengert_tensor::shape::Shape;

/// How the planner may run an op.
#[derive(Clone, Copy, Debug)]
pub enum Class<'a> {
    /// A value bound at run time: a tensor, or a scalar slot that fills the shape.
    Leaf,
    /// A scalar function of operands that all have the output's shape.
    Map(ScalarFn),
    /// The operand's elements in another element type.
    Cast(DType),
    /// The first operand's elements, re-read. Others carry derivatives only, and are not computed.
    View(&'a dyn View),
    /// A reduction over `axes`, which are sorted; the output does not have them.
    Reduce {
        /// What is accumulated.
        kind: ReduceFn,
        /// Over which axes.
        axes: &'a [usize],
    },
    /// `[batch…, m, k] × [batch…, k, n]`, with equal batch axes.
    MatMul,
    /// Elements that follow from their place alone.
    Index(IndexFn),
    /// An opaque kernel on contiguous operands.
    Kernel(&'a dyn Kernel),
}

/// A function of an element's place; random functions take the key (a rank-0 i64) as their only operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexFn {
    /// The index along one axis.
    Iota {
        /// The counted axis.
        axis: usize,
    },
    /// The same value everywhere.
    Fill(Scalar),
    /// Uniform in `[0, 1)`: element i of the stream `key.fold(stream)`.
    Uniform {
        /// Which stream of the tape's key.
        stream: u64,
    },
    /// Standard normal: element i of the stream `key.fold(stream)`.
    Normal {
        /// Which stream of the tape's key.
        stream: u64,
    },
}

/// An op whose output is its operand, read in another order.
pub trait View: Debug + Send + Sync {
    /// The layout of the output within the operand's storage; `None` when only a copy can give it.
    fn view(&self, input: &Layout, out: &Shape) -> Option<Layout>;
}
