//! `det`: determinants.
//!
//! The product of the pivots. The operands are A and its packed factors ([`crate::ops::lu`]); A itself is there for the derivative.
//!
//! * shape: `[…, n, n]` and `[…, n, n + 2]` with equal batch axes; the result has these
//! * dtypes: f32 and f64, both the same
//! * derivative: ∂A = ct C(A) by the cofactors ([`crate::ops::cofactor`]), of every order, for singular matrices too; none by the
//!   factors, which follow from A
//! * errors when it runs: A is not finite

use crate::batch::Batch;
use crate::class::Class;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::views;
use crate::matrices::{example, resized, square};
use crate::meta::{Meta, operands};
use crate::ops::cofactor::Cofactor;
use crate::ops::lu::Lu;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use smallvec::SmallVec;
use wengert_numerics::cofactor::product_of;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The determinant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Det;

impl Op for Det {
    fn name(&self) -> &'static str {
        "det"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["matrix", "factors"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a, factors] = operands(inputs)?;
        let n = square(a)?;
        if *factors != a.with_shape(resized(&a.shape, n, n + 2)?) {
            return Err(Error::shape(format!("factors {factors} of a matrix {a}")));
        }
        let before: SmallVec<[usize; 4]> = a.shape.iter().take(a.shape.rank().saturating_sub(2)).copied().collect();
        Ok(a.with_shape(Shape::new(before)?))
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], _y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let each = || ct.unsqueeze(-1).unsqueeze(-1);
        (i == 0).then(|| each().mul_masked(x[0].then(OpRef::Static(&Cofactor))))
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(OpRef::Static(&Det))
    }
}

impl Kernel for Det {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a, factors] = views(inputs)?;
        let n = a.shape().last().copied().unwrap_or(0);
        with_real!(a.dtype(), T => {
            let (packed, dst) = (factors.as_slice::<T>()?, out.as_mut_slice::<T>()?);
            // Of nothing, the product is 1.
            dst.fill(1.0);
            for (packed, to) in packed.chunks_exact((n * (n + 2)).max(1)).zip(dst) {
                let rows = packed.chunks_exact(n + 2).enumerate();
                *to = product_of(rows.flat_map(|(i, row)| [row.get(i), row.last()]).flatten().copied());
            }
        });
        Ok(())
    }

    fn flops(&self, inputs: &[&Shape], _out: &Shape) -> Option<u64> {
        inputs.first().map(|a| (a.len() / a.last().copied().unwrap_or(1).max(1)) as u64)
    }
}

impl<'t> Var<'t> {
    /// The determinant of a square matrix. Its derivatives are those of the polynomial that it is: they exist where it is 0, too.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.input(&Tensor::from([[[1.0f64, 2.0], [4.0, 4.0]], [[1.0, 2.0], [2.0, 4.0]]]));
    /// let y = x.det();
    /// assert_eq!(y.value()?.to_vec::<f64>()?, [-4.0, 0.0]);
    /// let dx = tape.grad(y.sum(), x).value()?.to_vec::<f64>()?;
    /// let cofactors = [4.0, -4.0, -2.0, 1.0, 4.0, -2.0, -2.0, 1.0];
    /// assert!(dx.iter().zip(cofactors).all(|(a, b)| (a - b).abs() < 1e-14));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn det(self) -> Var<'t> {
        let _call = self.tape.call("det");
        match square(&self.meta()) {
            Ok(_) => {
                let factors = self.then(OpRef::Static(&Lu));
                self.named("det", self.tape.record(OpRef::Static(&Det), &[self, factors]))
            }
            Err(error) => self.reject("det", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let known = || [Tensor::from([[1.0f64, 2.0], [4.0, 4.0]])];
    let rows = || [example(&[2, 3, 3], 0.3)];
    let singular = || [Tensor::from([[1.0f64, 2.0], [2.0, 4.0]])];
    let zeros = || [Tensor::from([[[0.0f64, 1.0], [0.0, 2.0]], [[0.0; 2]; 2]])];
    vec![
        Entry::new(
            "det",
            "det.rs",
            vec![
                Sample::new("known", known(), |_, x| x[0].det()).gives([-4.]).slopes([4., -4., -2., 1.]),
                Sample::new("batch", rows(), |_, x| x[0].roll(1, 1).det()),
                Sample::new("singular", singular(), |_, x| x[0].det()).gives([0.]).slopes([4., -2., -2., 1.]),
                Sample::new("singular, squared", singular(), |_, x| x[0].det().square()).gives([0.]).slopes([0.; 4]),
                Sample::new("zeros", zeros(), |_, x| x[0].det())
                    .gives([0., 0.])
                    .slopes([2., 0., -1., 0., 0., 0., 0., 0.]),
                Sample::new(
                    "a column of zeros",
                    [Tensor::from([[0.0f64, 0.0, 1.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]])],
                    |_, x| x[0].det(),
                )
                .gives([0.])
                .slopes([-4., 2., 0., 2., -1., 0., 0., 0., 0.]),
                Sample::new(
                    "factors that leave the range",
                    [Tensor::from([
                        [1e200f64, 0., 0., 0.],
                        [0., 1e200, 0., 0.],
                        [0., 0., 1e-200, 0.],
                        [0., 0., 0., 3e-200],
                    ])],
                    |_, x| x[0].stop_gradient().det(),
                )
                .kinked()
                .gives([3.]),
                Sample::new("nothing", rows(), |_, x| x[0].slice(1, ..0).slice(2, ..0).det()).gives([1., 1.]),
                Sample::new("f32", rows(), |_, x| x[0].cast(DType::F32).det()).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("to 4·n·ε of the norms of A and of its cofactors")),
    ]
}
