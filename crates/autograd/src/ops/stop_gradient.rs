//! `stop_gradient`: the value itself, taken as a constant by every derivative.
//!
//! y = x
//!
//! * shape and dtype: unchanged
//! * derivative: none, by intent

use crate::batch::Batch;
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::meta::{Meta, operands};
use crate::sample::{Entry, Sample};
use wengert_tensor::error::Result;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The identity that stops gradients.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

impl Op for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = operands(inputs)?;
        Ok(x.clone())
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Flat("its result is meant to be a constant")
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(StopGradient)
    }
}

impl View for StopGradient {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

impl<'t> Var<'t> {
    /// The same value; gradients do not pass.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([3.0f32]));
    /// let [dx] = tape.grad((x * x.stop_gradient()).sum(), [x]);
    /// assert_eq!(dx.item::<f32>()?, 3.0);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "detach")]
    #[track_caller]
    pub fn stop_gradient(self) -> Var<'t> {
        self.then(OpRef::Static(&StopGradient))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = [Tensor::from([1.5f64, -2.0])];
    vec![Entry::new(
        "stop_gradient",
        "stop_gradient.rs",
        vec![
            Sample::new("value", x.clone(), |_, x| x[0].stop_gradient()).kinked().gives([1.5, -2.0]).slopes([0.0, 0.0]),
            Sample::new("half of a product", x, |_, x| x[0] * x[0].stop_gradient()).kinked().slopes([1.5, -2.0]),
        ],
    )]
}
