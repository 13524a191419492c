//! `concat`: values one after another along an axis.
//!
//! * shape: equal but for the axis, whose sizes add up
//! * dtypes: all, the same for each
//! * derivative: linear; the cotangent is sliced

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Tape, Var};
use crate::kernel::{Blocks, copy_ns, with_type};
use crate::meta::Meta;
use crate::sample::{Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::memory::copy_slice;
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Joins along an axis.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn labels(&self) -> &'static [&'static str] {
        &[]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let Some((first, others)) = inputs.split_first() else {
            return Err(Error::value("nothing to join"));
        };
        let Some(&size) = first.shape.get(self.axis) else {
            return Err(Error::axis(format!("axis {} is out of range for {}", self.axis, first.shape)));
        };
        let mut total = size;
        for other in others {
            if other.dtype != first.dtype {
                return Err(Error::dtype(format!("{} beside {}", first.dtype, other.dtype)));
            }
            let alike = other.shape.rank() == first.shape.rank()
                && other.shape.with_ones(&[self.axis]) == first.shape.with_ones(&[self.axis]);
            if !alike {
                return Err(Error::shape(format!(
                    "{} and {} differ outside of axis {}",
                    first.shape, other.shape, self.axis
                )));
            }
            let more = other.shape.get(self.axis).copied().unwrap_or_default();
            total = total.checked_add(more).ok_or_else(|| Error::shape("the joined size overflows"))?;
        }
        Ok(first.with_shape(first.shape.with(self.axis, total)?))
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

    fn transpose<'t>(&self, i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let size = |var: &Var<'t>| var.shape().get(self.axis).copied().unwrap_or_default();
        let start: usize = x.iter().take(i).map(size).sum();
        Some(ct.slice(self.axis as isize, start..start + size(x.get(i)?)))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Concat { axis: self.axis + 1 })
    }
}

impl Kernel for Concat {
    fn by_rows(&self) -> bool {
        self.axis > 0
    }

    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let to = Blocks::around(out.shape(), self.axis, 1);
        with_type!(out.dtype(), T => {
            let dst = out.as_mut_slice::<T>()?;
            if dst.is_empty() {
                return Ok(());
            }
            // Each operand with the length of its rows.
            let row = |x: &TensorView<'_>| Blocks::around(x.shape(), self.axis, 1).size * to.inner;
            let parts = inputs.iter().map(|x| Ok((x.as_slice::<T>()?, row(x)))).collect::<Result<Vec<_>>>()?;
            let whole = to.size * to.inner;
            in_parts(dst, whole, copy_ns::<T>(whole), |first, blocks| {
                for (i, mut block) in blocks.chunks_exact_mut(whole).enumerate() {
                    for (src, row) in &parts {
                        let row = (*row).min(block.len());
                        let (place, rest) = std::mem::take(&mut block).split_at_mut(row);
                        if let Some(part) = src.get((first + i) * row..(first + i + 1) * row) {
                            copy_slice(part, place);
                        }
                        block = rest;
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

impl Tape {
    /// Values one after another along an axis.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.input(&Tensor::from([[1i64], [2]])), tape.input(&Tensor::from([[3i64, 4], [5, 6]])));
    /// assert_eq!(tape.concat(&[a, b], 1).value()?.to_vec::<i64>()?, [1, 3, 4, 2, 5, 6]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("cat", "concatenate", "hstack", "vstack"))]
    #[track_caller]
    pub fn concat<'t>(&'t self, values: &[Var<'t>], axis: isize) -> Var<'t> {
        match values {
            [] => self.reject("concat", &[], Error::value("nothing to join")),
            [first, ..] => match first.shape().axis(axis) {
                Ok(axis) => self.record(Concat { axis }, values),
                Err(error) => first.reject("concat", error),
            },
        }
    }

    /// Values of one shape along a new axis before position `axis`.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.input(&Tensor::from([1i64, 2])), tape.input(&Tensor::from([3i64, 4])));
    /// assert_eq!(tape.stack(&[a, b], -1).value()?.to_vec::<i64>()?, [1, 3, 2, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn stack<'t>(&'t self, values: &[Var<'t>], axis: isize) -> Var<'t> {
        let _call = self.call("stack");
        if let Some(pair) = values.windows(2).find(|pair| pair[0].shape() != pair[1].shape()) {
            let error = Error::shape(format!("{} and {} differ", pair[0].shape(), pair[1].shape()));
            return self.reject("stack", &[("one", pair[0]), ("next", pair[1])], error);
        }
        if let Some(first) = values.first() {
            let (shape, rank) = (first.shape(), first.rank() as isize);
            if !(-rank - 1..=rank).contains(&axis) {
                let error = Error::axis(format!("no place {axis} for a new axis of {shape}: -{} to {rank}", rank + 1));
                return self.reject("stack", &[("one", *first)], error);
            }
        }
        let start = self.len();
        let parts: Vec<Var<'t>> = values.iter().map(|value| value.unsqueeze(axis)).collect();
        self.label(self.concat(&parts, axis), "stack", start)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let inputs = || [Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]), Tensor::from([[5.0f64], [6.0]])];
    vec![Entry::new(
        "concat",
        "concat.rs",
        vec![
            Sample::new("last axis", inputs(), |tape, x| tape.concat(&[x[0], x[1], x[0]], -1).square())
                .gives([1., 4., 25., 1., 4., 9., 16., 36., 9., 16.]),
            Sample::new("first axis", inputs(), |tape, x| tape.concat(&[x[0].t(), x[1].t().broadcast_to([3, 2])], 0)),
            Sample::new("with nothing", inputs(), |tape, x| tape.concat(&[x[0].slice(1, ..0), x[1]], 1))
                .gives([5., 6.]),
            Sample::new("stack", inputs(), |tape, x| tape.stack(&[x[0], x[0].square()], 1)),
        ],
    )]
}
