//! `check_index`: indices, checked to be in range when the plan runs.
//!
//! y = x, or an error where some xᵢ is not in 0..size
//!
//! * shape: unchanged
//! * dtypes: i64
//! * derivative: none: indices have no derivative

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::{checked, views};
use crate::meta::{Meta, indices, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Result;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

pub(crate) const NAME: &str = "check_index";

/// The identity on indices in range.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CheckIndex {
    /// One more than the largest index.
    pub size: usize,
    /// What the indices are, for the error.
    pub what: &'static str,
    /// What to do about one out of range, for the error; `{size}` stands for the size.
    pub help: Option<&'static str>,
}

impl Op for CheckIndex {
    fn name(&self) -> &'static str {
        NAME
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        indices(x)?;
        Ok(x.clone())
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("indices have no derivative")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(CheckIndex { ..*self })
    }
}

impl Kernel for CheckIndex {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x] = views(inputs)?;
        let (src, dst) = (x.as_slice::<i64>()?, out.as_mut_slice::<i64>()?);
        for (flat, (&i, to)) in src.iter().zip(dst).enumerate() {
            let index = checked(self.what, i, self.size, flat, x.shape());
            *to = index.map_err(|error| match self.help {
                Some(help) => error.help(help.replace("{size}", &self.size.to_string())),
                None => error,
            })? as i64;
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl<'t> Var<'t> {
    /// These indices, checked to be in `0..size` when they are computed. `what` they are stands in the error.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let e = Tensor::from([3i64, 12]).apply(|x| x.check_index(10, "label")).unwrap_err();
    /// assert_eq!(e.message(), "label 12 at 1 is outside 0..10");
    /// ```
    #[track_caller]
    pub fn check_index(self, size: usize, what: &'static str) -> Var<'t> {
        self.then(CheckIndex { size, what, help: None })
    }

    /// As [`Var::check_index`], with what to do about an index out of range; `{size}` stands for the size in it.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let e = Tensor::from([12i64]).apply(|x| x.check_index_or(10, "day", "a week has {size} days here")).unwrap_err();
    /// assert_eq!(e.help_text(), Some("a week has 10 days here"));
    /// ```
    #[track_caller]
    pub fn check_index_or(self, size: usize, what: &'static str, help: &'static str) -> Var<'t> {
        self.then(CheckIndex { size, what, help: Some(help) })
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::new(
        "check_index",
        "check_index.rs",
        vec![
            Sample::new("in range", [Tensor::from([[0i64, 9], [3, 4]])], |_, x| x[0].check_index(10, "label"))
                .gives([0., 9., 3., 4.]),
        ],
    )]
}
