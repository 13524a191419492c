//! `converged`: a value that was found by iteration, or an error when it was not.
//!
//! * operands: the value, what is left (the last change, or a residual), and what that had to fall to; both numbers
//! * shape, dtype: those of the value
//! * derivative: linear; the cotangent goes to the value

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, Var};
use crate::kernel::views;
use crate::meta::{Meta, operands};
use crate::sample::{Accuracy, Entry, Sample};
use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A check when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Converged {
    /// A fixed point, after at most so many turns.
    Fixed(usize),
    /// The solution of the linear system of an implicit derivative.
    Linear,
}

impl Converged {
    fn error(self, left: f64) -> Error {
        let left = Scalar::of(left);
        match self {
            Converged::Fixed(turns) => {
                Error::value(format!("no fixed point after {turns} turns: the last changed by {left}"))
                    .help("start nearer, or see that the function contracts: |∂f/∂z| < 1")
            }
            Converged::Linear => Error::value(format!(
                "no derivative: the Jacobian of the equation by its unknowns is singular there, or nearly so; of its linear system \
                 {left} is left"
            ))
            .help("where a solution is multiple, it has no finite derivative; differentiate at another point"),
        }
    }
}

impl Op for Converged {
    fn name(&self) -> &'static str {
        match self {
            Converged::Fixed(_) => "fixed_point",
            Converged::Linear => "implicit",
        }
    }

    fn labels(&self) -> &'static [&'static str] {
        &["value", "change", "bound"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x, left, bound] = operands(inputs)?;
        match left == bound && left.dtype == DType::F64 {
            true => Ok(x.clone()),
            false => Err(Error::shape(format!("what is left is {left}, the bound {bound}"))),
        }
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
        x.same(*self)
    }
}

impl Kernel for Converged {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [x, left, bound] = views(inputs)?;
        for (left, bound) in left.as_slice::<f64>()?.iter().zip(bound.as_slice::<f64>()?) {
            // NaN and infinity are no solutions either.
            if !left.is_finite() || left > bound {
                return Err(self.error(*left));
            }
        }
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
    #[track_caller]
    pub(crate) fn converged(self, left: Var<'t>, bound: Var<'t>, how: Converged) -> Var<'t> {
        self.tape.record(how, &[self, left, bound])
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "fixed_point",
            "converged.rs",
            vec![Sample::new("near enough", [Tensor::from([1.0f64, 2.0])], |tape, x| {
                let [left, bound] = [0.1f64, 0.2].map(|value| tape.constant([], value));
                x[0].converged(left, bound, Converged::Fixed(3)).square()
            })],
        )
        .accuracy(Accuracy::Body),
    ]
}
