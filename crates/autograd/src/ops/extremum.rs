//! `max` and `min`: the largest or smallest element over any axes.
//!
//! y = max x over the axes; NaN where one is NaN
//!
//! * shape: without the axes, which must have elements
//! * dtypes: all; for masks they are *any* and *all*
//! * derivative: the cotangent goes to where the extremum is; where several are equal, each gets the same share

use crate::axes::{IntoAxes, inhabited, reduced};
use crate::batch::{Batch, shifted};
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::scalar::ReduceFn;
use wengert_tensor::shape::Axes;
use wengert_tensor::tensor::Tensor;

/// The extremum over axes, which are sorted.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Extremum {
    /// Which one.
    pub side: Side,
    /// Over these.
    pub axes: Axes,
}

/// The largest or the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Side {
    fn fold(self) -> ReduceFn {
        match self {
            Side::Max => ReduceFn::Max,
            Side::Min => ReduceFn::Min,
        }
    }
}

impl Op for Extremum {
    fn name(&self) -> &'static str {
        self.side.fold().name()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        // A mask has a meaning for no elements: nothing is true, everything is.
        if x.dtype != DType::Bool {
            inhabited(x, &self.axes)?;
        }
        reduced(x, self.side.fold(), &self.axes)
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Reduce { kind: self.side.fold(), axes: &self.axes }
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, _i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let shape = x[0].shape();
        let reached = x[0].eq(y.spread(&shape, &self.axes));
        let count = reached.cast(ct.dtype()).sum_over(self.axes.clone());
        let share = (ct / count).spread(&shape, &self.axes);
        Some(share.select(reached, share.filled(0.0)))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Extremum { side: self.side, axes: shifted(&self.axes) })
    }
}

macro_rules! methods {
    ($side:expr, $name:literal, $word:literal, $alias:literal, $doc:literal: $all:ident $axes:ident $keep:ident) => {
        impl<'t> Var<'t> {
            #[doc = concat!("The ", $word, " element; NaN where one is NaN.\n\n```\n# use wengert_autograd::Apply;\n# use wengert_tensor::tensor::Tensor;\n", $doc, "\n# Ok::<(), wengert_tensor::error::Error>(())\n```")]
            #[track_caller]
            pub fn $all(self) -> Var<'t> {
                self.extremum($side, self.all_axes())
            }

            #[doc = concat!("The ", $word, " element over some axes. Where several are equal, each gets the same share of the gradient.")]
            #[doc(alias = $alias)]
            #[track_caller]
            pub fn $axes(self, axes: impl IntoAxes) -> Var<'t> {
                match self.resolve($name, axes) {
                    Some(axes) => self.extremum($side, axes),
                    None => self.tape.poison(),
                }
            }

            #[doc = concat!("The ", $word, " element over some axes, which are kept at size 1.")]
            #[track_caller]
            pub fn $keep(self, axes: impl IntoAxes) -> Var<'t> {
                match self.resolve($name, axes) {
                    Some(axes) => self.extremum($side, axes.clone()).keeping(&self.shape(), &axes),
                    None => self.tape.poison(),
                }
            }
        }
    };
}

methods!(Side::Max, "max", "largest", "amax", "assert_eq!(Tensor::from([1.0f32, 3.0, 2.0]).apply(|x| x.max())?.item::<f32>()?, 3.0);": max max_axes max_keep);
methods!(Side::Min, "min", "smallest", "amin", "assert_eq!(Tensor::from([1.0f32, 3.0, 2.0]).apply(|x| x.min())?.item::<f32>()?, 1.0);": min min_axes min_keep);

impl<'t> Var<'t> {
    #[track_caller]
    fn extremum(self, side: Side, axes: Axes) -> Var<'t> {
        match axes.is_empty() {
            true => self,
            false => self.then(Extremum { side, axes }),
        }
    }

    /// Whether any element of a mask is true, over some axes.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1.0f32, -1.0], [2.0, 3.0]]).apply(|x| x.lt(0.0).any(-1))?;
    /// assert_eq!(y.to_vec::<bool>()?, [true, false]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn any(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("any");
        self.mask("any", |x| x.max_axes(axes))
    }

    /// Whether all elements of a mask are true, over some axes.
    #[track_caller]
    pub fn all(self, axes: impl IntoAxes) -> Var<'t> {
        let _call = self.tape.call("all");
        self.mask("all", |x| x.min_axes(axes))
    }

    #[track_caller]
    fn mask(self, op: &'static str, reduce: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
        match self.dtype() {
            DType::Bool => self.named(op, reduce(self)),
            other => self
                .reject(op, Error::dtype(format!("takes a mask, not {other}")).help("compare first, as in x.gt(0.0)")),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 5.0, 3.0], [4.0, 2.0, 6.0]])];
    let tie = || [Tensor::from([2.0f64, 1.0, 2.0])];
    vec![
        Entry::new(
            "max",
            "extremum.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].max().square()),
                Sample::new("rows", x(), |_, x| x[0].max_axes(-1).square()).gives([25., 36.]),
                Sample::new("columns, kept", x(), |_, x| x[0].max_keep(0) * x[0]),
                Sample::new("tie", tie(), |_, x| x[0].max()).kinked().gives([2.0]).slopes([0.5, 0.0, 0.5]),
                Sample::new("i64", [Tensor::from([1i64, 3, 2])], |_, x| x[0].max()).gives([3.0]),
                Sample::new("mask", [Tensor::from([true, false])], |_, x| x[0].max()).gives([1.0]),
            ],
        ),
        Entry::new(
            "min",
            "extremum.rs",
            vec![
                Sample::new("all", x(), |_, x| x[0].min().square()),
                Sample::new("rows", x(), |_, x| x[0].min_axes(-1).square()).gives([1., 4.]),
                Sample::new("columns, kept", x(), |_, x| x[0].min_keep(0) * x[0]),
                Sample::new("tie", tie(), |_, x| (-x[0]).min()).kinked().gives([-2.0]).slopes([-0.5, 0.0, -0.5]),
                Sample::new("mask", [Tensor::from([true, false])], |_, x| x[0].all(0)).gives([0.0]),
            ],
        ),
    ]
}
