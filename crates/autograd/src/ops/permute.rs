//! `permute`: the axes in another order.
//!
//! * shape: the sizes in that order
//! * dtypes: all
//! * derivative: linear; the cotangent's axes go back

use crate::batch::{Batch, shifted};
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::{Axes, Shape};
use wengert_tensor::tensor::Tensor;

/// Axis i of the result is axis `axes[i]` of the operand.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Permute {
    /// Every axis of the operand, once.
    pub axes: Axes,
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        let signed: SmallVec<[isize; 4]> = self.axes.iter().map(|&axis| axis as isize).collect();
        let axes = x.shape.permutation(&signed)?;
        let dims: SmallVec<[usize; 4]> = axes.iter().filter_map(|&axis| x.shape.get(axis)).copied().collect();
        Ok(x.with_shape(Shape::new(dims)?))
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Linear
    }

    fn transpose<'t>(&self, _i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        let mut back: Axes = (0..self.axes.len()).collect();
        back.sort_unstable_by_key(|&i| self.axes.get(i).copied());
        Some(ct.then(Permute { axes: back }))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Permute { axes: std::iter::once(0).chain(shifted(&self.axes)).collect() })
    }
}

impl View for Permute {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        input.permute(&self.axes).ok()
    }
}

impl<'t> Var<'t> {
    /// The axes in another order: axis i of the result is axis `axes[i]` of this value.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let y = Tensor::zeros([2, 3, 5], DType::F32)?.apply(|x| x.permute(&[2, 0, 1]))?;
    /// assert_eq!(y.shape().dims(), [5, 2, 3]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn permute(self, axes: &[isize]) -> Var<'t> {
        match self.shape().permutation(axes) {
            Ok(axes) if axes.is_sorted() => self,
            Ok(axes) => self.then(Permute { axes }),
            Err(error) => self.reject("permute", error),
        }
    }

    /// Two axes exchanged.
    #[doc(alias("swapaxes", "swapdims"))]
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Var<'t> {
        let _call = self.tape.call("transpose");
        let shape = self.shape();
        match shape.axis(a).and_then(|a| Ok((a, shape.axis(b)?))) {
            Ok((a, b)) if a == b => self,
            Ok((a, b)) => {
                let mut axes = self.all_axes();
                axes.swap(a, b);
                self.named("transpose", self.then(Permute { axes }))
            }
            Err(error) => self.reject("transpose", error),
        }
    }

    /// The last two axes exchanged: the transpose of a matrix, or of each in a batch.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1i64, 2], [3, 4]]).apply(|x| x.t())?;
    /// assert_eq!(y.to_vec::<i64>()?, [1, 3, 2, 4]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias("mT", "matrix_transpose"))]
    #[track_caller]
    pub fn t(self) -> Var<'t> {
        match self.rank() {
            0 | 1 => {
                self.reject("t", Error::shape(format!("{} is no matrix", self.shape())).help("unsqueeze makes it one"))
            }
            _ => self.transpose(-2, -1),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]])];
    vec![Entry::new(
        "permute",
        "permute.rs",
        vec![
            Sample::new("three axes", x(), |_, x| x[0].permute(&[2, 0, 1]).square()),
            Sample::new("a cycle and back", x(), |_, x| x[0].permute(&[1, 2, 0]).permute(&[2, 0, 1]) * x[0]),
            Sample::new("two axes", x(), |_, x| x[0].transpose(0, -1)).gives([1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            Sample::new("matrix", x(), |_, x| x[0].t()).gives([1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        ],
    )]
}
