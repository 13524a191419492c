//! `gather`: picks along one axis by a list of indices; and `index_add`, which puts back and adds up.
//!
//! gather: y[…, j…, …] = x[…, index[j…], …]; index_add: y[…, i, …] = Σ over j… with index[j…] = i of x[…, j…, …]
//!
//! * shape: gather replaces the axis by the axes of the indices; index_add replaces these by an axis of the given size
//! * dtypes: gather moves any, index_add adds numbers; the indices are i64
//! * derivative: each is the transpose of the other; indices have none
//! * errors when it runs: an index outside the axis. Negative indices do not count from the end.

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{Blocks, checked, copy_ns, views, with_type};
use crate::meta::{Meta, indices, operands};
use crate::operand::{Like, Operand};
use crate::ops::check_index::CheckIndex;
use crate::sample::{Accuracy, Entry, Sample};
use crate::sum_into::sum_into;
use smallvec::SmallVec;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::memory::copy_slice;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Picks along an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    /// The axis.
    pub axis: usize,
}

/// Adds up along an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct IndexAdd {
    /// The axis.
    pub axis: usize,
    /// Its size in the result.
    pub size: usize,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["values", "indices"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, index] = operands(inputs)?;
        indices(index)?;
        if self.axis >= x.shape.rank() {
            return Err(Error::axis(format!("axis {} is out of range for {}", self.axis, x.shape)));
        }
        let (before, after) = x.shape.split_at(self.axis);
        let dims: SmallVec<[usize; 4]> = [before, &index.shape, after.get(1..).unwrap_or_default()].concat().into();
        Ok(x.with_shape(Shape::new(dims)?))
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
        Some(ct.tape.record(IndexAdd { axis: self.axis, size }, &[ct, x[1]]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (values, index) = (x.operand(0)?, x.operand(1)?);
        let (values, index) = match (values, index) {
            ((values, true), (index, false)) => {
                return Some(x.tape().record(Gather { axis: self.axis + 1 }, &[values, index]));
            }
            _ => (x.mapped(0)?, x.mapped(1)?),
        };
        // The rows of all examples in one table, where an example's indices begin at its own rows.
        let size = values.dim(self.axis as isize + 1);
        let table = values.moved_axis(self.axis as isize + 1, 1);
        let after: SmallVec<[usize; 4]> = table.shape().iter().skip(2).copied().collect();
        let rows: SmallVec<[usize; 4]> = std::iter::once(x.size() * size).chain(after).collect();
        let picked = table.reshape(rows).gather(0, own_rows(x, index, size));
        // [examples, indices…, others…]: the indices take the place of the axis.
        let indices = index.rank() - 1;
        let rank = picked.rank();
        let others = rank - 1 - indices;
        let order: SmallVec<[isize; 4]> = std::iter::once(0)
            .chain(1 + indices..1 + indices + self.axis)
            .chain(1..1 + indices)
            .chain(1 + indices + self.axis..1 + indices + others)
            .map(|axis| axis as isize)
            .collect();
        Some(picked.permute(&order))
    }
}

/// Indices of each example into a table that has `size` rows for every example.
fn own_rows<'t>(x: &Batch<'_, 't>, index: Var<'t>, size: usize) -> Var<'t> {
    let checked = index.then(CheckIndex { size, what: "index", help: None });
    checked + x.tape().iota(index.shape(), 0, DType::I64) * size as i64
}

/// Elements of rows: the picks of each row from `start` on, then all of each later one.
fn pick<'a, T: Copy + 'a>(rows: impl Iterator<Item = &'a [T]>, picks: &[i64], mut start: usize, mut out: &mut [T]) {
    for row in rows {
        let now = picks.get(start..).unwrap_or_default();
        let n = now.len().min(out.len());
        let (places, later) = out.split_at_mut(n);
        for (place, &i) in places.iter_mut().zip(now) {
            if let Some(&x) = row.get(i as usize) {
                *place = x;
            }
        }
        if later.is_empty() {
            return;
        }
        (start, out) = (0, later);
    }
}

impl Kernel for Gather {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, index] = views(inputs)?;
        let Blocks { size, inner } = Blocks::around(x.shape(), self.axis, 1);
        let picks = index.as_slice::<i64>()?;
        // All are checked first: where there is nothing to move, a bad index is still an error.
        for (flat, &i) in picks.iter().enumerate() {
            checked("index", i, size, flat, index.shape())?;
        }
        if inner * size * picks.len() == 0 {
            return Ok(());
        }
        with_type!(x.dtype(), T => {
            let (src, dst) = (x.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            in_parts(dst, inner, copy_ns::<T>(inner), |first, part| {
                let mut at = (first / picks.len(), first % picks.len());
                if inner == 1 {
                    pick(src.chunks_exact(size).skip(at.0), picks, at.1, part);
                    return Ok(());
                }
                for place in part.chunks_exact_mut(inner) {
                    let row = at.0 * size + picks.get(at.1).copied().unwrap_or_default() as usize;
                    if let Some(part) = src.get(row * inner..(row + 1) * inner) {
                        copy_slice(part, place);
                    }
                    at = if at.1 + 1 == picks.len() { (at.0 + 1, 0) } else { (at.0, at.1 + 1) };
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["values", "indices"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, index] = operands(inputs)?;
        indices(index)?;
        if x.dtype == DType::Bool {
            return Err(Error::dtype("adds numbers, not bool").help("convert first: .cast(DType::I64)"));
        }
        let end = self.axis + index.shape.rank();
        if x.shape.get(self.axis..end) != Some(index.shape.dims()) {
            return Err(Error::shape(format!(
                "{} does not have the axes {} from axis {}",
                x.shape, index.shape, self.axis
            )));
        }
        let after = x.shape.get(end..).unwrap_or_default();
        let before = x.shape.get(..self.axis).unwrap_or_default();
        Ok(x.with_shape(Shape::new([before, &[self.size], after].concat())?))
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
        Some(ct.tape.record(Gather { axis: self.axis }, &[ct, x[1]]))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        let (values, index) = match (x.operand(0)?, x.operand(1)?) {
            ((values, true), (index, false)) => {
                let op = IndexAdd { axis: self.axis + 1, size: self.size };
                return Some(x.tape().record(op, &[values, index]));
            }
            _ => (x.mapped(0)?, x.mapped(1)?),
        };
        let indices = index.rank() - 1;
        // [examples, indices…, others…], summed into the rows of all examples in one table.
        let order: SmallVec<[isize; 4]> = std::iter::once(0)
            .chain(1 + self.axis..1 + self.axis + indices)
            .chain(1..1 + self.axis)
            .chain(1 + self.axis + indices..values.rank())
            .map(|axis| axis as isize)
            .collect();
        let op = IndexAdd { axis: 0, size: x.size() * self.size };
        let sums = x.tape().record(op, &[values.permute(&order), own_rows(x, index, self.size)]);
        let dims: SmallVec<[usize; 4]> =
            [x.size(), self.size].into_iter().chain(sums.shape().iter().skip(1).copied()).collect();
        Some(sums.reshape(dims).moved_axis(1, self.axis as isize + 1))
    }
}

impl Kernel for IndexAdd {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, index] = views(inputs)?;
        let picks = index.as_slice::<i64>()?;
        for (flat, &i) in picks.iter().enumerate() {
            checked("index", i, self.size, flat, index.shape())?;
        }
        let inner = Blocks::around(x.shape(), self.axis, index.shape().rank()).inner;
        sum_into(x, out, inner, 1, |block| {
            let (outer, pick) = (block / picks.len(), block % picks.len());
            (outer * self.size + picks.get(pick).copied().unwrap_or_default() as usize) * inner
        })
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().and_then(|x| per_element(x, 1))
    }
}

impl<'t> Var<'t> {
    /// Picks along an axis: the axis is replaced by the axes of the indices. On axis 0 these are the rows of a table, as
    /// in an embedding.
    ///
    /// PyTorch's `gather`, with an index for every place, is [`Var::take_along`]; its `index_select`, with one vector of indices, is
    /// [`Var::index_select`], and this is the same for indices of any shape, as NumPy's and JAX's `take`.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let table = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// let y = table.gather(0, &Tensor::from([2i64, 0, 2]));
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    /// let [d] = tape.grad(y.sum(), [table]);
    /// assert_eq!(d.value()?.to_vec::<f32>()?, [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("embedding", "index"))]
    #[track_caller]
    pub fn gather(self, axis: isize, index: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("gather");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        match self.shape().axis(axis) {
            Ok(axis) => self.tape.record(Gather { axis }, &[self, index]),
            Err(error) => self.reject("gather", error),
        }
    }

    /// The parts of an axis that a vector of indices names, in its order: the axis takes the size of the vector.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let y = x.apply(|x| x.index_select(1, &Tensor::from([2i64, 0])))?;
    /// assert_eq!(y.to_vec::<f32>()?, [3.0, 1.0, 6.0, 4.0]);
    /// let e = x.apply(|x| x.index_select(1, &Tensor::from([[2i64, 0]]))).unwrap_err();
    /// assert_eq!(e.message(), "the indices are a vector, not [1, 2]");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn index_select(self, axis: isize, index: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("index_select");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let axis = self.shape().axis(axis).and_then(|axis| match index.rank() {
            1 => Ok(axis),
            _ => Err(Error::shape(format!("the indices are a vector, not {}", index.shape()))
                .help("gather takes indices of any shape, and take_along one for every place")),
        });
        match axis {
            Ok(axis) => self.named("index_select", self.tape.record(Gather { axis }, &[self, index])),
            Err(error) => self.reject("index_select", error),
        }
    }

    /// This value plus the blocks of `source`, each added at its index of an axis: what [`Var::gather`] picks, put back.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let source = Tensor::from([1.0f32, 2.0, 3.0]);
    /// let y = Tensor::from([10.0f32, 20.0]).apply(|x| x.index_add(0, &Tensor::from([1i64, 0, 1]), &source))?;
    /// assert_eq!(y.to_vec::<f32>()?, [12.0, 24.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn index_add(self, axis: isize, index: impl Operand<'t>, source: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("index_add");
        let index = index.into_var(self.tape, Like::of(self).with_dtype(DType::I64).single());
        let source = source.into_var(self.tape, Like::of(self));
        let shape = self.shape();
        match shape.axis(axis) {
            Ok(axis) => {
                let sum = self.tape.record(IndexAdd { axis, size: shape[axis] }, &[source, index]);
                self.plus_exactly("index_add", sum)
            }
            Err(error) => self.reject("index_add", error),
        }
    }
}

impl<'t> Var<'t> {
    /// The sum with a value of the same shape, which is not broadcast.
    #[track_caller]
    pub(crate) fn plus_exactly(self, op: &'static str, other: Var<'t>) -> Var<'t> {
        let (to, what) = (self.shape(), other.shape());
        match self.tape.failed.get() || to == what {
            true => self.add(other),
            false => self.reject(op, Error::shape(format!("the source makes {what}, which is not added into {to}"))),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let index = || Tensor::from([[1i64, 0], [1, 1]]);
    vec![
        Entry::new(
            "gather",
            "gather.rs",
            vec![
                Sample::new("rows", [x(), index()], |_, x| x[0].gather(0, x[1]).square()),
                Sample::new("columns", [x(), index()], |_, x| x[0].gather(1, x[1]))
                    .gives([2., 1., 2., 2., 5., 4., 5., 5.])
                    .slopes([1., 3., 0., 1., 3., 0.]),
                Sample::new("a vector", [x(), Tensor::from([2i64, 0, 2])], |_, x| x[0].index_select(-1, x[1]))
                    .gives([3., 1., 3., 6., 4., 6.])
                    .slopes([1., 0., 2., 1., 0., 2.]),
                Sample::new("one", [x(), Tensor::from(1i64)], |_, x| x[0].gather(0, x[1])).gives([4., 5., 6.]),
                Sample::new("none", [x(), Tensor::from(Vec::<i64>::new())], |_, x| x[0].gather(0, x[1])).gives([]),
            ],
        ),
        Entry::new(
            "index_add",
            "gather.rs",
            vec![
                Sample::new("rows", [x(), Tensor::from([1i64, 1]), x()], |_, x| x[0].index_add(0, x[1], x[2].exp()))
                    .gives(
                        [1., 2., 3.]
                            .into_iter()
                            .chain([
                                4.0 + 1f64.exp() + 4f64.exp(),
                                5.0 + 2f64.exp() + 5f64.exp(),
                                6.0 + 3f64.exp() + 6f64.exp(),
                            ])
                            .collect::<Vec<_>>(),
                    ),
                Sample::new("columns", [x(), Tensor::from([2i64, 0, 2]), x()], |_, x| x[0].index_add(1, x[1], x[2]))
                    .gives([3., 2., 7., 9., 5., 16.]),
                Sample::new("bf16", [x(), Tensor::from([2i64, 2, 2])], |_, x| {
                    x[0].index_add(1, x[1], x[0]).cast(DType::BF16)
                })
                .kinked(),
            ],
        )
        .accuracy(Accuracy::Sum),
    ]
}
