//! `solve`: systems of linear equations.
//!
//! x = A⁻¹ b, or A⁻ᵀ b. The operands are A, its packed factors ([`crate::ops::lu`]), and b. A itself is there for the derivative:
//! all systems with one matrix share one factorization, those of the derivatives too.
//!
//! * shape: `[…, n, n]`, `[…, n, n + 2]` and `[…, n, k]` with equal batch axes; the result has the last one's
//! * dtypes: f32 and f64, all the same
//! * derivative: ∂b = A⁻ᵀ ct and ∂A = −∂b xᵀ; none by the factors, which follow from A
//! * errors when it runs: A is singular, or not finite

use crate::batch::Batch;
use crate::class::Class;
use crate::cost::per_element;
use crate::graph::{Derivative, Op, OpRef, Var};
use crate::kernel::{matrix_ns, views};
use crate::matrices::{called, example, resized, system};
use crate::meta::{Meta, operands};
use crate::operand::{Like, Operand};
use crate::ops::lu::Lu;
use crate::reals::with_real;
use crate::sample::{Accuracy, Entry, Sample};
use wengert_numerics::factor::{Real, Triangle};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::kernels::threads::in_parts;
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// The system.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Solve {
    /// Whether the matrix is transposed.
    pub transposed: bool,
}

impl Op for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["matrix", "factors", "right side"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [a, factors, b] = operands(inputs)?;
        let (n, _) = system(a, b)?;
        match *factors == a.with_shape(resized(&a.shape, n, n + 2)?) {
            true => Ok(b.clone()),
            false => Err(Error::shape(format!("factors {factors} of a matrix {a}"))),
        }
    }

    fn reusable(&self) -> bool {
        true
    }

    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let right = ct.tape.record(Solve { transposed: !self.transposed }, &[x[0], x[1], ct]);
        match (i, self.transposed) {
            (0, false) => Some(-right.matmul(y.t())),
            (0, true) => Some(-y.matmul(right.t())),
            (2, _) => Some(right),
            _ => None,
        }
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Solve { ..*self })
    }
}

impl Kernel for Solve {
    fn run(&self, inputs: &[TensorView<'_>], out: &mut TensorViewMut<'_>) -> Result<()> {
        let [a, factors, b] = views(inputs)?;
        if out.shape().is_empty() {
            return Ok(());
        }
        let (n, k) = (a.shape().last().copied().unwrap_or(0), b.shape().last().copied().unwrap_or(0));
        let lower = Triangle { upper: false, transposed: self.transposed, unit: true };
        let upper = Triangle { upper: true, transposed: self.transposed, unit: false };
        with_real!(a.dtype(), T => {
            let dst = out.as_mut_slice::<T>()?;
            let (b, factors) = (b.as_slice::<T>()?, factors.as_slice::<T>()?);
            in_parts(dst, n * k, matrix_ns(n, k), |first, part| {
                let (mut both, mut order) = (Vec::with_capacity(n * n), Vec::with_capacity(n));
                let mut moved = vec![0.0; n * k];
                let matrices = factors.chunks_exact((n * (n + 2)).max(1)).skip(first);
                let sides = b.chunks_exact((n * k).max(1)).skip(first).zip(part.chunks_exact_mut(n * k));
                for (at, (packed, (b, x))) in (first..).zip(matrices.zip(sides)) {
                    both.clear();
                    order.clear();
                    for (i, row) in packed.chunks_exact(n + 2).enumerate() {
                        if row.get(i) == Some(&0.0) {
                            let why = format!("{} is singular: pivot {i} is 0", called(at, a.shape()));
                            return Err(Error::value(why).help("for a solution of least squares: .lstsq(b)"));
                        }
                        both.extend(row.iter().take(n));
                        order.extend(row.get(n).map(|&row| row as usize));
                    }
                    let row = |i: usize| i * k..(i + 1) * k;
                    if self.transposed {
                        moved.copy_from_slice(b);
                        T::triangular_solve(&both, n, upper, &mut moved, k);
                        T::triangular_solve(&both, n, lower, &mut moved, k);
                    } else {
                        for (i, &from) in order.iter().enumerate() {
                            if let (Some(to), Some(from)) = (moved.get_mut(row(i)), b.get(row(from))) {
                                to.copy_from_slice(from);
                            }
                        }
                        T::triangular_solve(&both, n, lower, &mut moved, k);
                        T::triangular_solve(&both, n, upper, &mut moved, k);
                    }
                    for (i, &to) in order.iter().enumerate() {
                        let to = if self.transposed { to } else { i };
                        if let (Some(to), Some(from)) = (x.get_mut(row(to)), moved.get(row(i))) {
                            to.copy_from_slice(from);
                        }
                    }
                }
                Ok(())
            })
        })
    }

    fn flops(&self, _inputs: &[&Shape], out: &Shape) -> Option<u64> {
        let n = out.iter().rev().nth(1).copied().unwrap_or(0) as u64;
        per_element(out, 2 * n)
    }
}

impl<'t> Var<'t> {
    /// The x with A x = b, where A is this square matrix. A vector b is one column. Batch axes are broadcast.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let a = Tensor::from([[2.0f64, 1.0], [4.0, 4.0]]);
    /// assert_eq!(a.apply(|a| a.solve(&Tensor::from([3.0f64, 8.0])))?.to_vec::<f64>()?, [1.0, 1.0]);
    /// let singular = Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]);
    /// let e = singular.apply(|a| a.solve(&Tensor::from([3.0f64, 8.0]))).unwrap_err();
    /// assert_eq!(e.message(), "the matrix is singular: pivot 1 is 0");
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn solve(self, b: impl Operand<'t>) -> Var<'t> {
        let _call = self.tape.call("solve");
        let b = b.into_var(self.tape, Like::of(self).single());
        // Of what is broadcast, the factors are broadcast, and not what is factored.
        let factors = self.then(OpRef::Static(&Lu));
        let solved = self.as_system(b, |a, b| {
            let factors = match a.shape().rank() > self.rank() || a.shape() != self.shape() {
                true => match resized(&a.shape(), factors.dim(-2), factors.dim(-1)) {
                    Ok(shape) => factors.broadcast_to(shape),
                    Err(error) => return self.reject("solve", error),
                },
                false => factors,
            };
            a.tape.record(Solve { transposed: false }, &[a, factors, b])
        });
        self.named("solve", solved)
    }

    /// The inverse of a square matrix. To apply it, `solve` is faster and more accurate.
    ///
    /// ```
    /// # use wengert_autograd::Apply;
    /// # use wengert_tensor::tensor::Tensor;
    /// let y = Tensor::from([[2.0f64, 1.0], [4.0, 4.0]]).apply(|a| a.inv())?;
    /// assert_eq!(y.to_vec::<f64>()?, [1.0, -0.25, -1.0, 0.5]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[doc(alias = "inverse")]
    #[track_caller]
    pub fn inv(self) -> Var<'t> {
        let _call = self.tape.call("inv");
        match crate::matrices::square(&self.meta()) {
            Ok(_) => self.named("inv", self.solve(crate::ops::lu::unit(self))),
            Err(error) => self.reject("inv", error),
        }
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let pair = || [example(&[3, 3], 0.3), example(&[3, 2], 1.1)];
    let known = [Tensor::from([[2.0f64, 1.0], [4.0, 4.0]]), Tensor::from([3.0f64, 8.0])];
    vec![
        Entry::new(
            "solve",
            "solve.rs",
            vec![
                Sample::new("known", known, |_, x| x[0].solve(x[1])).gives([1., 1.]).slopes([0., 0., -0.25, -0.25]),
                Sample::new("matrix", pair(), |_, x| x[0].solve(x[1])),
                Sample::new("rows exchanged", pair(), |_, x| x[0].roll(1, 0).solve(x[1])),
                Sample::new("transposed", pair(), |tape, x| {
                    let a = x[0].roll(1, 0);
                    tape.record(Solve { transposed: true }, &[a, a.then(Lu), x[1]])
                }),
                Sample::new(
                    "one matrix, a batch of sides",
                    [example(&[2, 2], 0.3), example(&[3, 2, 1], 1.1)],
                    |_, x| x[0].solve(x[1]),
                ),
                Sample::new("batches", [example(&[2, 1, 2, 2], 0.3), example(&[3, 2, 1], 1.1)], |_, x| {
                    x[0].solve(x[1])
                }),
                Sample::new("no right side", pair(), |_, x| x[0].solve(x[1].slice(1, ..0))).gives([]).slopes([0.; 9]),
                Sample::new("nothing", pair(), |_, x| x[0].slice(0, ..0).slice(1, ..0).solve(x[1].slice(0, ..0)))
                    .gives([]),
                Sample::new("f32", pair(), |_, x| x[0].cast(DType::F32).solve(x[1].cast(DType::F32))).kinked(),
            ],
        )
        .accuracy(Accuracy::Stated("backward stable: A·X is B to 4·n·ε of the norms of A and X")),
        Entry::new(
            "inv",
            "solve.rs",
            vec![
                Sample::new("known", [Tensor::from([[2.0f64, 1.0], [4.0, 4.0]])], |_, x| x[0].inv())
                    .gives([1., -0.25, -1., 0.5])
                    .slopes([0., 0., -0.1875, 0.125]),
                Sample::new("batch", [example(&[2, 2, 2], 0.7)], |_, x| x[0].inv()),
            ],
        )
        .accuracy(Accuracy::Stated("A·A⁻¹ is the unit matrix to 4·n·ε of the norms of A and A⁻¹")),
    ]
}
