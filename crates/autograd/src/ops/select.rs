//! `select`: one value or another, element by element.
//!
//! y = a where c, else b.
//!
//! * shape: that of all three, after broadcasting
//! * dtypes: c is bool, a and b have any dtype, the same
//! * derivative: the cotangent goes where the value came from, and is 0 elsewhere

use crate::graph::Partial::{Unless, Where, Zero};
use crate::graph::{OpRef, Var};
use crate::operand::{Like, Operand};
use crate::sample::Sample;
use crate::table::{Elementwise, Row, Rule};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The row of the function.
pub(super) const ROWS: &[Row] = &[Row {
    function: ScalarFn::Select,
    file: "select.rs",
    rule: Rule::Partials(|i, x, _| match i {
        0 => Zero,
        1 => Where(x[0]),
        _ => Unless(x[0]),
    }),
    samples,
}];

impl<'t> Var<'t> {
    /// This value where `condition` is true, else `otherwise`. All three are broadcast to their common shape.
    ///
    /// A branch that is not chosen gets the cotangent 0, and keeps it: nothing that is infinite or NaN in it comes back.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([4.0f32, 0.0, -1.0]));
    /// let y = x.sqrt().select(x.gt(0.0), 0.0);
    /// let [dx] = tape.grad(y.sum(), [x]);
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [2.0, 0.0, 0.0]);
    /// assert_eq!(dx.value()?.to_vec::<f32>()?, [0.25, 0.0, 0.0]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "where")]
    #[track_caller]
    pub fn select(self, condition: impl Operand<'t>, otherwise: impl Operand<'t>) -> Var<'t> {
        let condition = condition.into_var(self.tape, Like::of(self).with_dtype(DType::Bool));
        let otherwise = otherwise.into_var(self.tape, Like::of(self));
        let op = OpRef::Static(&Elementwise(ScalarFn::Select));
        match common(condition, self, otherwise) {
            // Values of two dtypes are left as they are, so that the error shows them as the user wrote them.
            Ok(shape) if self.dtype() == otherwise.dtype() && condition.dtype() == DType::Bool => {
                let [c, a, b] = [condition, self, otherwise].map(|var| var.broadcast_to(&shape));
                self.tape.record(op, &[c, a, b])
            }
            _ => self.tape.record(op, &[condition, self, otherwise]),
        }
    }
}

fn common(a: Var<'_>, b: Var<'_>, c: Var<'_>) -> Result<Shape> {
    a.shape().broadcast(&b.shape())?.broadcast(&c.shape())
}

fn samples() -> Vec<Sample> {
    let condition = || Tensor::from([[true], [false]]);
    let (a, b) = (Tensor::from([[1.0f64, -2.0, 0.5], [3.0, 4.0, -1.0]]), Tensor::from([0.3f64, -0.7, 2.0]));
    vec![
        Sample::new("three shapes", [a, b, condition()], |_, x| x[0].select(x[2], x[1]))
            .gives([1.0, -2.0, 0.5, 0.3, -0.7, 2.0]),
        Sample::new("i64", [Tensor::from([1i64, 2]), Tensor::from([3i64, 4])], |_, x| x[0].select(x[0].gt(1), x[1]))
            .gives([3.0, 2.0]),
    ]
}
