//! `after`: the value itself, as memory of its own, once another value is known.
//!
//! What is recorded behind it is computed anew, and late, even where the same was computed before: a checkpoint needs both.
//!
//! * operands: the value, and what it waits for
//! * shape, dtype: those of the value
//! * derivative: linear; the cotangent goes to the value

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A copy that waits.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct After;

impl Op for After {
    fn name(&self) -> &'static str {
        "after"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "other"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, _] = operands(inputs)?;
        Ok(x.clone())
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

    fn transpose<'t>(&self, i: usize, _x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        (i == 0).then_some(ct)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        Some(x.mapped(0)?.after(x.operand(1)?.0))
    }
}

impl Kernel for After {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, _] = views(inputs)?;
        let to = out.bytes_mut();
        match to.len() == x.bytes().len() {
            true => to.copy_from_slice(x.bytes()),
            false => return Err(Error::state("a copy of another size")),
        }
        Ok(())
    }

    fn flops(&self, _inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        Some(0)
    }
}

impl<'t> Var<'t> {
    /// This value, as memory of its own, computed after `other`. What is recorded from it is computed anew, even where the same was
    /// computed from this value before.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([1.0f32, 2.0]).apply(|x| x.after(x.exp()) * 2.0)?;
    /// assert_eq!(y.to_vec::<f32>()?, [2.0, 4.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn after(self, other: Var<'t>) -> Var<'t> {
        self.tape.record(After, &[self, other])
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([1.5f64, -0.5]), Tensor::from(2.0f64)];
    vec![Entry::new(
        "after",
        "after.rs",
        vec![
            Sample::new("f64", x(), |_, x| x[0].after(x[1]).exp() * x[1]),
            Sample::new("nothing", [Tensor::from(Vec::<f64>::new())], |_, x| x[0].after(x[0])).gives([]),
            Sample::new("integers", [Tensor::from([3i64, 4])], |_, x| x[0].after(x[0].sum())).gives([3., 4.]),
        ],
    )]
}
