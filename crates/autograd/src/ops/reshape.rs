//! `reshape`: the same elements in row-major order, with other axes.
//!
//! * shape: as given, with as many elements
//! * dtypes: all
//! * derivative: linear; the cotangent takes the old shape

use crate::batch::{Batch, stacked};
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use smallvec::SmallVec;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::{IntoShape, Shape};
use wengert_tensor::tensor::Tensor;

/// Other axes for the same elements.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    /// The shape of the result.
    pub shape: Shape,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        match x.shape.len() == self.shape.len() {
            true => Ok(x.with_shape(self.shape.clone())),
            false => Err(Error::shape(format!(
                "{} has {} elements, {} has {}",
                x.shape,
                x.shape.len(),
                self.shape,
                self.shape.len()
            ))),
        }
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

    fn transpose<'t>(&self, _i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        Some(ct.reshape(x[0].shape()))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Reshape { shape: stacked(x.size(), &self.shape)? })
    }
}

impl View for Reshape {
    fn view(&self, input: &Layout, out: &Shape) -> Option<Layout> {
        input.reshape(out)
    }
}

impl<'t> Var<'t> {
    /// The same elements in row-major order, with other axes.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[1, 2, 3], [4, 5, 6i64]]).apply(|x| x.reshape([3, 2]))?;
    /// assert_eq!(y.shape().dims(), [3, 2]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "view")]
    #[track_caller]
    pub fn reshape(self, shape: impl IntoShape) -> Var<'t> {
        match shape.into_shape() {
            Ok(shape) if shape == self.shape() => self,
            Ok(shape) => self.then(Reshape { shape }),
            Err(error) => self.reject("reshape", error),
        }
    }

    /// All elements along one axis.
    #[doc(alias = "ravel")]
    #[track_caller]
    pub fn flatten(self) -> Var<'t> {
        let _call = self.tape.call("flatten");
        self.named("flatten", self.reshape(self.len()))
    }

    /// The axes from `axis` on become one; `flatten_from(1)` keeps the batch. From behind the last axis on there is one of size 1.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::{dtype::DType, tensor::Tensor};
    /// let y = Tensor::zeros([32, 28, 28], DType::F32)?.apply(|x| x.flatten_from(1))?;
    /// assert_eq!(y.shape().dims(), [32, 784]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn flatten_from(self, axis: isize) -> Var<'t> {
        let _call = self.tape.call("flatten");
        let shape = self.shape();
        // One place past the last axis is welcome: a vector per example is a matrix of one column.
        let at = match shape.axis(axis) {
            Ok(at) => at,
            Err(_) if axis == shape.rank() as isize => shape.rank(),
            Err(error) => return self.reject("flatten", error),
        };
        let mut dims: SmallVec<[usize; 4]> = shape.iter().take(at).copied().collect();
        dims.push(shape.iter().skip(at).product());
        self.named("flatten", self.reshape(dims))
    }

    /// A new axis of size 1 before position `axis`; −1 puts it last.
    #[doc(alias = "expand_dims")]
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Var<'t> {
        let shape = self.shape();
        let rank = shape.rank() as isize;
        let at = if axis < 0 { axis + rank + 1 } else { axis };
        let inserted = match usize::try_from(at) {
            Ok(at) if at <= shape.rank() => shape.insert(at, 1),
            _ => Err(Error::axis(format!("no place {axis} for a new axis of {shape}: -{} to {rank}", rank + 1))),
        };
        match inserted {
            Ok(shape) => self.reshape(shape),
            Err(error) => self.reject("unsqueeze", error),
        }
    }

    /// Without an axis of size 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Var<'t> {
        let shape = self.shape();
        match shape.axis(axis) {
            Ok(at) if shape[at] == 1 => self.reshape(shape.without(&[at])),
            Ok(at) => {
                self.reject("squeeze", Error::shape(format!("axis {axis} of {shape} has size {}, not 1", shape[at])))
            }
            Err(error) => self.reject("squeeze", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    vec![Entry::new(
        "reshape",
        "reshape.rs",
        vec![
            Sample::new("matrix", x(), |_, x| x[0].reshape([3, 2]) * x[0].reshape([3, 2])),
            Sample::new("after a transpose", x(), |_, x| x[0].t().reshape(6)).gives([1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            Sample::new("flatten", x(), |_, x| x[0].flatten().square()),
            Sample::new("flatten from", x(), |_, x| x[0].reshape([1, 2, 3]).flatten_from(1)),
            Sample::new("unsqueeze and squeeze", x(), |_, x| x[0].unsqueeze(-1).unsqueeze(0).squeeze(0).squeeze(2)),
        ],
    )]
}
