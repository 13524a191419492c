//! Factorizations of larger matrices, in batches, at the edges, and what misuse is told.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{MatrixNorm, Tape, Triangle, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

fn noise(dims: &[usize], stream: u64) -> Tensor {
    Tensor::from_fn(dims, |i| normal_f64(Key::new(stream), i as u64)).unwrap()
}

fn largest(x: Var<'_>) -> f64 {
    x.value().unwrap().to_f64_vec().iter().fold(0.0, |m: f64, x| if x.is_nan() { f64::NAN } else { m.max(x.abs()) })
}

/// Sizes on both sides of the blocks in which the factorizations work.
const SIZES: [usize; 8] = [1, 2, 3, 5, 8, 17, 33, 70];

#[test]
fn factors_give_the_matrix_again() {
    for n in SIZES {
        let tape = Tape::new();
        let unit = tape.eye(n, DType::F64);
        let a = tape.input(&noise(&[n, n], 1));
        let bound = 1e-13 * (n as f64).powf(1.5);
        let near = |what: &str, x: Var<'_>, y: Var<'_>| {
            let off = largest(x - y);
            assert!(off <= bound * 10.0, "{what} of size {n}: off by {off:e}");
        };
        let (p, l, u) = a.lu();
        near("lu", p.matmul(l).matmul(u), a);
        near("lu, lower", l.triu(0), unit);
        let definite = a.matmul(a.t()) + unit;
        let l = definite.cholesky();
        near("cholesky", l.matmul(l.t()), definite);
        near("cholesky, upper", l.triu(1), l.zeros_like());
        let symmetric = a + a.t();
        let (w, v) = symmetric.eigh();
        near("eigh", v.mul(w.unsqueeze(0)).matmul(v.t()), symmetric);
        near("eigh, vectors", v.t().matmul(v), unit);
        let shifted = a + unit * (4.0 * (n as f64).sqrt());
        near("inv", shifted.inv().matmul(shifted), unit);
        for (rows, columns) in [(n, n), (n + 7, n), (n, n + 7), (2 * n + 3, n), (n, 3 * n)] {
            let a = tape.input(&noise(&[rows, columns], 2));
            let k = rows.min(columns);
            let unit = tape.eye(k, DType::F64);
            let (q, r) = a.qr();
            near("qr", q.matmul(r), a);
            near("qr, columns", q.t().matmul(q), unit);
            near("qr, triangle", r.tril(-1), r.zeros_like());
            let (u, s, vt) = a.svd();
            near("svd", u.mul(s.unsqueeze(0)).matmul(vt), a);
            near("svd, left", u.t().matmul(u), unit);
            near("svd, right", vt.matmul(vt.t()), unit);
            assert!(s.value().unwrap().to_f64_vec().is_sorted_by(|a, b| a >= b), "values of {rows} × {columns}");
        }
        for triangle in [Triangle::lower(), Triangle::upper(), Triangle::lower().unit(), Triangle::upper().transposed()]
        {
            let scaled = a * (0.5 / n as f64) + unit * 2.0;
            let b = tape.input(&noise(&[n, 3], 4));
            let x = scaled.triangular_solve(b, triangle);
            let mut t = if triangle.upper { scaled.triu(0) } else { scaled.tril(0) };
            if triangle.unit {
                t = t - t.triu(0) + unit;
            }
            if triangle.transposed {
                t = t.t();
            }
            near("triangular_solve", t.matmul(x), b);
        }
    }
}

fn size(x: Var<'_>) -> f64 {
    x.cast(DType::F64).square().sum().sqrt().item::<f64>().unwrap()
}

fn product<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    x.cast(DType::F64).matmul(y.cast(DType::F64))
}

/// What the roll states of factorizations: residuals in units of n·ε and of the norms (Frobenius) that are named there.
#[test]
fn residuals_are_as_small_as_the_ops_state() -> Result<()> {
    for (dtype, epsilon) in [(DType::F64, f64::EPSILON), (DType::F32, f64::from(f32::EPSILON))] {
        for n in SIZES {
            let tape = Tape::new();
            let made =
                |dims: &[usize], stream: u64| -> Result<Var<'_>> { Ok(tape.input(&noise(dims, stream).cast(dtype)?)) };
            let unit = tape.eye(n, DType::F64);
            let a = made(&[n, n], 1)?;
            let definite = a.matmul(a.t()) + tape.eye(n, dtype);
            let symmetric = a + a.t();
            let tall = made(&[2 * n + 3, n], 2)?;
            let b = made(&[n, 3], 3)?;
            let ((p, l, u), root, (w, v)) = (a.lu(), definite.cholesky(), symmetric.eigh());
            let ((q, r), (left, s, right)) = (tall.qr(), tall.svd());
            let (x, inverse) = (a.solve(b), a.inv());
            let y = root.triangular_solve(b, Triangle::lower());
            let pseudo = tall.pinv();
            let right_side = made(&[2 * n + 3, 2], 4)?;
            let least = tall.lstsq(right_side);
            let normal = size(product(tall.t(), product(tall, least) - right_side.cast(DType::F64)));
            let (grown, shrunk) = (a.matrix_exp(), (-a).matrix_exp());
            let condition = size(a) * size(inverse);
            // Of a size at which the determinant of many rows is a number in f32.
            let even = a * (1.0 / (n as f64).sqrt());
            let det = even.det();
            let cofactors = tape.grad(det, even);
            let bound = size(cofactors) * size(even);
            let exact = even.cast(DType::F64).det();
            let parts = [
                ("cholesky", size(product(root, root.t()) - definite.cast(DType::F64)) / size(definite)),
                ("lu", size(product(p, l).matmul(u.cast(DType::F64)) - a.cast(DType::F64)) / size(a)),
                ("qr", size(product(q, r) - tall.cast(DType::F64)) / size(tall)),
                ("eigh", size(product(v.mul(w.unsqueeze(0)), v.t()) - symmetric.cast(DType::F64)) / size(symmetric)),
                ("svd", size(product(left.mul(s.unsqueeze(0)), right) - tall.cast(DType::F64)) / size(tall)),
                ("solve", size(product(a, x) - b.cast(DType::F64)) / (size(a) * size(x))),
                ("inv", size(product(a, inverse) - unit) / condition),
                ("triangular_solve", size(product(root, y) - b.cast(DType::F64)) / (size(root) * size(y))),
                ("lstsq", normal / (size(tall) * (size(tall) * size(least) + size(right_side)))),
                ("matrix_exp", size(product(grown, shrunk) - unit) / (size(grown) * size(shrunk))),
                ("det", size(det.cast(DType::F64) - exact) / bound),
                ("cofactor", size(product(cofactors, even.t()) - unit * exact) / bound),
                ("pinv", size(product(pseudo, tall) - unit) / (size(tall) * size(pseudo))),
            ];
            for (what, part) in parts {
                let units = part / (n as f64 * epsilon);
                assert!(units <= 4.0, "{what} of size {n} in {dtype}: {units} n·ε");
            }
        }
    }
    Ok(())
}

/// Columns without a pivot, pivots whose reciprocal is no number, and matrices of low rank: the factors are finite and give them again.
#[test]
fn singular_matrices_have_factors() -> Result<()> {
    let hollow = Tensor::from([[0.0f64, 0.0, 1.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]]);
    let mut cases = vec![hollow, Tensor::from([[1e-39f64, 2.0], [-1e-39, 1.0]])];
    cases.push(Tensor::from([[1e-310f64, 2.0], [-1e-310, 1.0]]));
    for n in SIZES {
        cases.push(Tensor::zeros([n, n], DType::F64)?);
        for hole in [0, n / 2, n - 1] {
            let columns = noise(&[n, n], 1).to_f64_vec();
            let left = columns.iter().enumerate().map(|(i, &x)| if i % n == hole { 0.0 } else { x });
            cases.push(Tensor::new(left.collect::<Vec<_>>(), [n, n])?);
        }
    }
    for case in &cases {
        for dtype in [DType::F64, DType::F32] {
            let tape = Tape::new();
            let a = tape.input(&case.cast(dtype)?);
            let (p, l, u) = a.lu();
            let wide = a.cast(DType::F64);
            let off = largest(product(product(p, l), u) - wide);
            let epsilon = if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
            let n = case.shape()[0] as f64;
            assert!(off <= 4.0 * n * epsilon * largest(wide), "off by {off:e}: {case} in {dtype}");
            assert!(largest(l) <= 1.0);
            let zero = case.to_f64_vec().chunks(n as usize).fold(vec![0.0; n as usize], |sums: Vec<f64>, row| {
                sums.iter().zip(row).map(|(a, b)| a + b.abs()).collect()
            });
            if zero.contains(&0.0) {
                assert_eq!(a.det().cast(DType::F64).item::<f64>()?, 0.0, "{case}");
                let (sign, log) = a.slogdet();
                assert_eq!(sign.cast(DType::F64).item::<f64>()?, 0.0);
                assert_eq!(log.cast(DType::F64).item::<f64>()?, f64::NEG_INFINITY);
                assert_eq!(a.logdet().cast(DType::F64).item::<f64>()?, f64::NEG_INFINITY);
            }
        }
    }
    Ok(())
}

fn near(found: Var<'_>, expected: &[f64], part: f64) {
    let found = found.value().unwrap().to_f64_vec();
    let size = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let off = found.iter().zip(expected).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(
        found.len() == expected.len() && off <= part * size,
        "{found:?}\n  instead of\n{expected:?}\n  off by {off:e}"
    );
}

/// The determinant is a polynomial: its derivatives exist where it is 0, and are as exact beside it as anywhere.
#[test]
fn determinants_have_derivatives_at_singular_matrices() -> Result<()> {
    for e in [0.0, 1e-12, 1e-8, 1e-6, 1e-3, 1.0] {
        let tape = Tape::new();
        let a = tape.input(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0 + e]]));
        let g = tape.grad(a.det(), a);
        let (c, d) = (5.0 * e, 4.0 * e);
        near(g, &[-3.0 + c, 6.0 - d, -3.0, 6.0 - 2.0 * e, -12.0 + e, 6.0, -3.0, 6.0, -3.0], 1e-13);
        let second = tape.grad(g.square().sum(), a);
        // By a program that multiplies out, in exact numbers: polynomials in e.
        let exact = [-414.0 + 102.0 * e - 4.0 * 0.0, -36.0, 342.0, -108.0, 0.0, 108.0, 198.0, 36.0, -126.0];
        if e == 0.0 {
            near(second, &exact, 1e-13);
        }
        // The gradient is of degree 2: by differences it is exact.
        let at = |h: f64| -> Result<Vec<f64>> {
            let direction = noise(&[3, 3], 5).to_f64_vec();
            let moved = a.value()?.to_f64_vec().iter().zip(direction).map(|(x, d)| x + h * d).collect::<Vec<_>>();
            let tape = Tape::new();
            let a = tape.input(&Tensor::new(moved, [3, 3])?);
            Ok(tape.grad(a.det(), a).value()?.to_f64_vec())
        };
        let differences: Vec<f64> = at(1.0)?.iter().zip(at(-1.0)?).map(|(a, b)| (a - b) / 2.0).collect();
        let product = (g * tape.input(&noise(&[3, 3], 5))).sum();
        near(tape.grad(product, a), &differences, 1e-13);
    }
    for n in [2usize, 5, 17, 40] {
        // Of rank n − 1: the cofactors are one product; of rank n − 2 they are 0, and their derivatives are not.
        for missing in [1, 2] {
            let tape = Tape::new();
            let (left, right) = (tape.input(&noise(&[n, n], 1)), tape.input(&noise(&[n, n], 2)));
            let (q, w) = (left.qr().0, right.qr().0);
            let middle = Tensor::from_fn([n], |i| if i + missing >= n { 0.0 } else { 0.5 + i as f64 / n as f64 })?;
            let middle = tape.input(&middle);
            let turn = |x: Var<'_>| x.det().item::<f64>().unwrap().round();
            let a = (q * middle).matmul(w.t()).stop_gradient();
            let g = tape.grad(a.det(), a);
            let rest = (0..n - missing).map(|i| 0.5 + i as f64 / n as f64).product::<f64>() * turn(q) * turn(w);
            if missing == 1 {
                let (u, v) = (q.slice(1, n - 1..), w.slice(1, n - 1..));
                near(g, &(u.matmul(v.t()) * rest).value()?.to_f64_vec(), 1e-11);
            } else {
                assert!(largest(g) <= 1e-11 * rest.abs());
                let h = tape.input(&noise(&[n, n], 3));
                // With K = Qᵀ H W in the last two rows and columns: their cofactors.
                let k = q.t().matmul(h).matmul(w).slice(0, n - 2..).slice(1, n - 2..);
                let [a00, a01, a10, a11] = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| k.at(0, i).at(0, j));
                let inner = tape.stack(&[tape.stack(&[a11, -a10], 0), tape.stack(&[-a01, a00], 0)], 0);
                let expected = q.slice(1, n - 2..).matmul(inner).matmul(w.slice(1, n - 2..).t()) * rest;
                near(tape.grad((g * h).sum(), a), &expected.value()?.to_f64_vec(), 1e-11);
            }
        }
    }
    // Third order, at the matrix of which nothing is left.
    let tape = Tape::new();
    let a = tape.input(&Tensor::from([[0.0f64; 3]; 3]));
    let h = tape.input(&noise(&[3, 3], 3));
    let mut y = a.det();
    for _ in 0..3 {
        y = (tape.grad(y, a) * h).sum();
    }
    let expected = 6.0 * h.det().item::<f64>()?;
    assert!((y.item::<f64>()? - expected).abs() <= 1e-13 * expected.abs());
    Ok(())
}

/// Products of singular values that leave the range of the dtype on the way, and come back.
#[test]
fn determinants_do_not_overflow_on_the_way() -> Result<()> {
    for (dtype, n, large, bound) in [(DType::F64, 70, 1e5, 1e-4), (DType::F32, 60, 30.0, 1e-2)] {
        let tape = Tape::new();
        let values = Tensor::from_fn([2 * n], |i| if i < n { large } else { 1.0 / large })?;
        let values = tape.input(&values).cast(dtype);
        let a = values.diag_embed(0);
        near(a.det(), &[1.0], bound);
        near(tape.grad(a.det(), a).diagonal(0) * values, &vec![1.0; 2 * n], bound);
    }
    Ok(())
}

#[test]
fn f32_is_as_exact_as_it_can_be() -> Result<()> {
    for n in [2usize, 7, 40] {
        let tape = Tape::new();
        let a = tape.input(&noise(&[n, n], 1).cast(DType::F32)?) + tape.eye(n, DType::F32) * (3.0 * (n as f64).sqrt());
        let b = tape.input(&noise(&[n, 2], 3).cast(DType::F32)?);
        let (u, s, vt) = a.svd();
        let parts = [
            a.matmul(a.solve(b)) - b,
            u.mul(s.unsqueeze(0)).matmul(vt) - a,
            a.pinv() - a.inv(),
            a.qr().0.matmul(a.qr().1) - a,
            a.scaled_down().matrix_exp() - a.scaled_down().cast(DType::F64).matrix_exp().cast(DType::F32),
        ];
        for (i, part) in parts.into_iter().enumerate() {
            let off = largest(part);
            assert!(off < 1e-4, "{i} of size {n}: off by {off:e}");
        }
    }
    Ok(())
}

trait ScaledDown {
    fn scaled_down(self) -> Self;
}

impl ScaledDown for Var<'_> {
    fn scaled_down(self) -> Self {
        self * (1.0 / self.dim(-1) as f64)
    }
}

/// What stands beside a matrix in memory, and where it lies there, is nothing to its bits.
#[test]
fn a_batch_has_the_bits_of_its_matrices() -> Result<()> {
    for n in [3usize, 9, 37] {
        let all = noise(&[5, n, n], 8);
        let functions: [fn(Var<'_>) -> Var<'_>; 7] = [
            |a| a.inv(),
            |a| a.det(),
            |a| a.qr().0,
            |a| a.svd().2,
            |a| a.eigh().1,
            |a| a.pinv(),
            |a| (a.scaled_down() * 0.5).matrix_exp(),
        ];
        for (i, f) in functions.into_iter().enumerate() {
            let tape = Tape::new();
            let x = tape.input(&all);
            let together = f(x).value()?.to_f64_vec();
            let mut alone = Vec::new();
            for at in 0..5 {
                let tape = Tape::new();
                let x = tape.input(&all).at(0, at).value()?;
                let one = Tape::new();
                alone.extend(f(one.input(&x)).value()?.to_f64_vec());
            }
            assert!(together.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits()), "function {i}, size {n}");
        }
    }
    Ok(())
}

#[test]
fn exponentials_of_all_sizes() -> Result<()> {
    let exp = |x: f64| {
        let tape = Tape::new();
        // A nilpotent part beside a diagonal: exp is exp(x) [[1, y], [0, 1]].
        tape.input(&Tensor::from([[x, 3.0], [0.0, x]])).matrix_exp().value().map(|y| y.to_f64_vec())
    };
    for x in [-700.0, -20.0, -1.0, 0.0, 1e-300, 0.1, 5.0, 30.0, 700.0] {
        let y = exp(x)?;
        let expected = [x.exp(), 3.0 * x.exp(), 0.0, x.exp()];
        let near = y.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-11 * b.abs());
        assert!(near, "exp at {x}: {y:?}, not {expected:?}");
    }
    Ok(())
}

#[test]
fn one_factorization_serves_a_matrix_and_its_derivatives() -> Result<()> {
    let tape = Tape::new();
    let (a, b) = (tape.input(&noise(&[4, 4], 1)), tape.input(&noise(&[4, 2], 2)));
    let loss = a.solve(b).square().sum();
    tape.grad(loss, [a, b]);
    let listing = tape.to_string();
    assert_eq!(listing.matches("lu(").count().max(listing.matches(" lu ").count()), 1, "{listing}");
    Ok(())
}

/// The gradient of a function of the matrix that does not depend on the choice of the vectors is right where eigenvalues nearly meet.
#[test]
fn what_does_not_depend_on_the_basis_is_right_beside_ties() -> Result<()> {
    for gap in [0.0, 1e-13, 1e-6] {
        let tape = Tape::new();
        let a = tape.input(&Tensor::from([[2.0f64, 0.0, 0.0], [0.0, 2.0 + gap, 0.0], [0.0, 0.0, 5.0]]));
        let [da] = tape.grad(a.eigvalsh().log().sum(), [a]);
        let [ds] = tape.grad(a.svdvals().log().sum(), [a]);
        let inverse = a.inv();
        assert!(largest(da - inverse) < 1e-12, "eigenvalues {gap}");
        assert!(largest(ds - inverse) < 1e-12, "singular values {gap}");
    }
    Ok(())
}

#[test]
fn misuse_says_what_is_wrong() {
    let say = |f: &dyn for<'t> Fn(&'t Tape) -> Var<'t>| {
        let tape = Tape::new();
        f(&tape).value().unwrap_err().to_string()
    };
    let starts = |text: String, start: &str| assert!(text.starts_with(start), "{text}\n  instead of\n{start}");
    let wide = noise(&[2, 3], 1);
    let singular = Tensor::from([[[1.0f64, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]]);
    let bad = Tensor::from([[[1.0f64, 0.0], [0.0, 1.0]], [[1.0, f64::NAN], [2.0, 4.0]]]);
    starts(say(&|t| t.input(&wide).cholesky()), "cholesky: takes square matrices, not 2 × 3");
    starts(say(&|t| t.input(&wide).inv()), "inv: takes square matrices, not 2 × 3");
    starts(say(&|t| t.input(&wide).det()), "det: takes square matrices, not 2 × 3");
    starts(say(&|t| t.input(&wide).eigvalsh()), "eigvalsh (in eigh): takes square matrices, not 2 × 3");
    starts(say(&|t| t.input(&wide).matrix_power(2)), "matrix_power: takes square matrices, not 2 × 3");
    starts(say(&|t| t.input(&wide).at(0, 0).svdvals()), "svdvals (in svd): [3] is no matrix");
    starts(say(&|t| t.input(&wide).pinv_with(2.0)), "pinv: a relative tolerance of 2");
    let half = say(&|t| t.input(&singular).cast(DType::BF16).qr().0);
    starts(half.clone(), "qr: computes in f32 and f64, not bf16");
    assert!(half.contains("cast(DType::F32)"), "{half}");
    starts(
        say(&|t| t.input(&singular).solve(noise(&[2, 3, 1], 1))),
        "solve: a system of 2 equations, and a right side of 3",
    );
    starts(say(&|t| t.input(&singular).solve(noise(&[3, 2, 1], 1))), "solve: batch axes differ");
    starts(say(&|t| t.input(&singular).solve(Tensor::from([1.0f32, 1.0]))), "solve: f64 beside f32");
    starts(say(&|t| t.input(&singular).inv()), "inv: the matrix at [1] is singular: pivot 1 is 0");
    starts(say(&|t| t.input(&singular).cholesky()), "cholesky: the matrix at [1] is not positive definite");
    starts(
        say(&|t| {
            t.input(&singular).at(0, 1).triangular_solve(Tensor::from([1.0f64, 1.0]), Triangle::lower()) * 0.0 + {
                let zero = t.input(&Tensor::from([[1.0f64, 0.0], [0.0, 0.0]]));
                zero.triangular_solve(Tensor::from([1.0f64, 1.0]), Triangle::lower())
            }
        }),
        "triangular_solve: the matrix is singular: element 1 of its diagonal is 0",
    );
    let ops: [for<'t> fn(Var<'t>) -> Var<'t>; 9] = [
        |x| x.det(),
        |x| x.cholesky(),
        |x| x.inv(),
        |x| x.eigvalsh(),
        |x| x.svdvals(),
        |x| x.qr().1,
        |x| x.pinv(),
        |x| x.matrix_exp(),
        |x| x.matrix_norm(MatrixNorm::Nuclear),
    ];
    for op in ops {
        let text = say(&|t| op(t.input(&bad)));
        assert!(text.contains(": the matrix at [1] has an element that is NaN or infinite"), "{text}");
    }
    let derivative = say(&|t| {
        let a = t.input(&singular).at(0, 1);
        t.grad(a.logdet(), a)
    });
    assert!(derivative.contains("singular"), "{derivative}");
}

#[test]
fn vectors_and_broadcast_batches() -> Result<()> {
    let tape = Tape::new();
    let a = tape.input(&noise(&[2, 1, 3, 3], 1)) + tape.eye(3, DType::F64) * 4.0;
    let b = tape.input(&noise(&[4, 3, 2], 2));
    let x = a.solve(b);
    assert_eq!(x.shape().dims(), [2, 4, 3, 2]);
    assert!(largest(a.matmul(x) - b) < 1e-13);
    let v = tape.input(&noise(&[3], 3));
    let x = a.solve(v);
    assert_eq!(x.shape().dims(), [2, 1, 3]);
    assert!(largest(a.matmul(x.unsqueeze(-1)).squeeze(-1) - v) < 1e-13);
    let x = tape.input(&noise(&[5, 3], 4)).lstsq(tape.input(&noise(&[5], 5)));
    assert_eq!(x.shape().dims(), [3]);
    Ok(())
}

#[test]
fn a_batch_of_no_matrices_costs_nothing_however_large_they_are() -> Result<()> {
    let tape = Tape::new();
    let none = tape.input(&Tensor::zeros([0, 1 << 27, 1 << 27], DType::F64)?);
    for y in [none.inv(), none.det(), none.qr().0, none.svdvals(), none.eigvalsh(), none.pinv(), none.matrix_exp()] {
        assert!(y.value()?.is_empty());
    }
    Ok(())
}
