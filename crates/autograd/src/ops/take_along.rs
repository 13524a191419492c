//! `take_along`: at every place, picks along one axis by an index of its own; and `scatter_add`, which puts back and adds.
//!
//! take_along: y[…, j, …] = x[…, index[…, j, …], …]; scatter_add: y[…, index[…, j, …], …] += x[…, j, …]
//!
//! * shape: take_along has that of the indices, which is x's but for the axis; scatter_add gives the axis its size
//! * dtypes: take_along moves any, scatter_add adds numbers; the indices are i64
//! * derivative: each is the transpose of the other; indices have none
//! * errors when it runs: an index outside the axis. Negative indices do not count from the end.

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, checked, views, with_type};
use crate::meta::{Meta, indices, operands};
use crate::operand::{Like, Operand};
use crate::sample::{Entry, Sample};
use crate::sum_into::sum_into;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Picks along an axis, at every place by itself.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TakeAlong {
    /// The axis.
    pub axis: usize,
}

/// Adds up along an axis, at every place by itself.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ScatterAdd {
    /// The axis.
    pub axis: usize,
    /// Its size in the result.
    pub size: usize,
}

fn alike(x: &Meta, index: &Meta, axis: usize) -> Result<()> {
    indices(index)?;
    if axis >= x.shape.rank() {
        return Err(Error::axis(format!("axis {axis} is out of range for {}", x.shape)));
    }
    match x.shape.rank() == index.shape.rank() && x.shape.with_ones(&[axis]) == index.shape.with_ones(&[axis]) {
        true => Ok(()),
        false => Err(Error::shape(format!("{} and indices {} differ outside of axis {axis}", x.shape, index.shape))),
    }
}

impl Op for TakeAlong {
    fn name(&self) -> &'static str {
        "take_along"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["values", "indices"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, index] = operands(inputs)?;
        alike(x, index, self.axis)?;
        Ok(x.with_shape(index.shape.clone()))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let size = x[0].shape().get(self.axis).copied()?;
        Some(ct.tape.record(ScatterAdd { axis: self.axis, size }, &[ct, x[1]]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(TakeAlong { axis: self.axis + 1 })
    }
}

/// About the time that an element takes.
const PICK_NS: usize = 4;

impl Kernel for TakeAlong {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, index] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(x.shape(), self.axis, 1);
        let row = Blocks::around(index.shape(), self.axis, 1).size * inner;
        let picks = index.as_slice::<i64>()?;
        with_type!(x.dtype(), T => {
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            in_parts(dst, 1, PICK_NS, |first, part| {
                for ((flat, to), &i) in (first..).zip(part).zip(picks.iter().skip(first)) {
                    let i = checked("index", i, size, flat, index.shape())?;
                    if let Some(&from) = src.get((flat / row * size + i) * inner + flat % inner) {
                        *to = from;
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["values", "indices"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, index] = operands(inputs)?;
        alike(x, index, self.axis)?;
        if x.dtype == DType::Bool {
            return Err(Error::dtype("adds numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        if x.shape != index.shape {
            return Err(Error::shape(format!("{} values for {} indices", x.shape, index.shape)));
        }
        Ok(x.with_shape(x.shape.with(self.axis, self.size)?))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.tape.record(TakeAlong { axis: self.axis }, &[ct, x[1]]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(ScatterAdd { axis: self.axis + 1, size: self.size })
    }
}

impl Kernel for ScatterAdd {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, index] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(index.shape(), self.axis, 1);
        let picks = index.as_slice::<i64>()?;
        for (flat, &i) in picks.iter().enumerate() {
            checked("index", i, self.size, flat, index.shape())?;
        }
        sum_into(x, out, 1, 1, |flat| {
            let pick = picks.get(flat).copied().unwrap_or_default() as usize;
            (flat / (size * inner) * self.size + pick) * inner + flat % inner
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().and_then(|x| per_element(x, 1))
    }
}

impl<'t> Var<'t> {
    /// At every place of `index`, the element of this value with that index along an axis. (PyTorch's `gather`.)
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let labels = Tensor::from([[2i64], [0]]);
    /// let y = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).apply(|x| x.take_along(1, &labels))?;
    /// assert_eq!(y.to_vec::<f32>()?, [3.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("take_along_axis", "take_along_dim"))]
    #[track_caller]
    pub fn take_along(self, axis: isize, index: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("take_along");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        match self.shape().axis(axis) {
            Ok(axis) => self.tape.record(TakeAlong { axis }, &[self, index]),
            Err(error) => self.reject("take_along", error),
        }
    }

    /// This value plus every element of `source`, added where its index along an axis says.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let (index, source) = (Tensor::from([[2i64, 2]]), Tensor::from([[1.0f32, 2.0]]));
    /// let y = Tensor::from([[0.0f32, 0.0, 0.5]]).apply(|x| x.scatter_add(1, &index, &source))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.0, 0.0, 3.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn scatter_add(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("scatter_add");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let source = source.into_var(self.tape, Like::of(self));
        let shape = self.shape();
        match shape.axis(axis) {
            Ok(axis) => {
                let sum = self.tape.record(ScatterAdd { axis, size: shape[axis] }, &[source, index]);
                self.plus_exactly("scatter_add", sum)
            }
            Err(error) => self.reject("scatter_add", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let rows = || Tensor::from([[1i64, 0, 0], [1, 1, 0], [0, 0, 0]]);
    let columns = || Tensor::from([[2i64, 2], [0, 1]]);
    vec![
        Entry::new(
            "take_along",
            "take_along.rs",
            vec![
                Sample::new("rows", [x(), rows()], |_, x| x[0].take_along(0, x[1]).square()),
                Sample::new("columns", [x(), columns()], |_, x| x[0].take_along(-1, x[1]))
                    .gives([3., 3., 4., 5.])
                    .slopes([0., 0., 2., 1., 1., 0.]),
            ],
        ),
        Entry::new(
            "scatter_add",
            "take_along.rs",
            vec![
                Sample::new("rows", [x(), Tensor::from([[1i64, 0, 1]]), Tensor::from([[1.0f64, 2.0, 3.0]])], |_, x| {
                    x[0].scatter_add(0, x[1], x[2].square())
                })
                .gives([1., 6., 3., 5., 5., 15.]),
                Sample::new("columns", [x(), columns(), Tensor::from([[1.0f64, 2.0], [3.0, 4.0]])], |_, x| {
                    x[0].scatter_add(1, x[1], x[2])
                })
                .gives([1., 2., 6., 7., 9., 6.]),
            ],
        ),
    ]
}
