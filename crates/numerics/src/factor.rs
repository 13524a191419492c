//! Factorizations and triangular systems. Matrices are slices in row-major order; their sizes are the caller's promise.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::householder as reflectors;
use faer::linalg::lu::partial_pivoting::factor as plu;
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor as householder;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::linalg::triangular_solve as triangular;
use faer::{Accum, Conj, Mat, MatRef, Par};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Which triangle of a matrix is read, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Triangle {
    /// The upper one; else the lower one.
    pub upper: bool,
    /// The transpose of that triangle is the system.
    pub transposed: bool,
    /// Its diagonal is taken as ones and not read.
    pub unit: bool,
}

/// An iteration that did not converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoConvergence;

/// The element types of the factorizations.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Into<f64>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// The number that is nearest.
    fn rounded(x: f64) -> Self;

    /// The lower factor of A = L Lᵀ, from the symmetric part of A.
    ///
    /// # Errors
    /// The order of a leading minor that is not positive.
    fn cholesky(a: &[Self], n: usize, l: &mut [Self]) -> Result<(), usize>;

    /// P A = L U with partial pivoting, where row i of P A is row `perm[i]` of A. L, whose diagonal is ones, stands below that of
    /// `lu`, and U on and above. Says whether the permutation is odd. A singular matrix has finite factors, too: below a pivot that
    /// is 0, L is 0.
    fn lu(a: &[Self], n: usize, lu: &mut [Self], perm: &mut [usize]) -> bool;

    /// x ← T⁻¹ x, where x has `k` columns.
    fn triangular_solve(a: &[Self], n: usize, triangle: Triangle, x: &mut [Self], k: usize);

    /// The eigenvalues of the symmetric part of A, ascending, and unit vectors to them, one a row.
    ///
    /// # Errors
    /// When the iteration does not converge.
    fn eigh(a: &[Self], n: usize, values: &mut [Self], vectors: &mut [Self]) -> Result<(), NoConvergence>;

    /// The singular values of A, descending, and the vectors to them on the left and on the right, one a row.
    ///
    /// # Errors
    /// When the iteration does not converge.
    fn svd(
        a: &[Self],
        size: (usize, usize),
        values: &mut [Self],
        left: &mut [Self],
        right: &mut [Self],
    ) -> Result<(), NoConvergence>;

    /// A = Q R, reduced: `q` has min(m, n) columns and `r` as many rows. The diagonal of R is not negative.
    fn qr(a: &[Self], size: (usize, usize), q: &mut [Self], r: &mut [Self]);

    /// The product of an m × k and a k × n matrix.
    fn product(a: &[Self], b: &[Self], size: (usize, usize, usize), out: &mut [Self]);

    /// The exponential of a matrix.
    fn matrix_exp(a: &[Self], n: usize, out: &mut [Self]);
}

fn scratch(needs: StackReq, f: impl FnOnce(&mut MemStack)) {
    f(MemStack::new(&mut MemBuffer::new(needs)));
}

fn write<T: Copy>(out: &mut [T], columns: usize, at: impl Fn(usize, usize) -> T) {
    for (i, row) in out.chunks_exact_mut(columns.max(1)).enumerate() {
        for (j, place) in row.iter_mut().enumerate() {
            *place = at(i, j);
        }
    }
}

/// Whether the element of largest magnitude is negative; the first of several.
fn flipped<T: PartialOrd + Copy + Default + Neg<Output = T>>(vector: impl Iterator<Item = T>) -> bool {
    let zero = T::default();
    let size = |x: T| if x < zero { -x } else { x };
    vector.fold(zero, |best, x| if size(x) > size(best) { x } else { best }) < zero
}

/// As [`Real::lu`], in place and row by row. A column without a pivot has nothing to eliminate: it is passed over.
fn eliminate<T: Real>(a: &mut [T], n: usize, perm: &mut [usize]) -> bool {
    let zero = T::default();
    perm.iter_mut().enumerate().for_each(|(i, place)| *place = i);
    let mut odd = false;
    for k in 0..n {
        let size = |i: usize| a.get(i * n + k).map_or(zero, |&x| if x < zero { -x } else { x });
        let pivot = (k..n).fold(k, |best, i| if size(i) > size(best) { i } else { best });
        if size(pivot) == zero {
            continue;
        }
        if pivot != k {
            (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
            perm.swap(k, pivot);
            odd = !odd;
        }
        let (above, below) = a.split_at_mut((k + 1) * n);
        let (Some((&head, tail)), rows) =
            (above.get(k * n + k..).and_then(<[T]>::split_first), below.chunks_exact_mut(n))
        else {
            continue;
        };
        for row in rows {
            let Some((first, rest)) = row.get_mut(k..).and_then(<[T]>::split_first_mut) else { continue };
            *first = *first / head;
            let factor = *first;
            rest.iter_mut().zip(tail).for_each(|(to, from)| *to = *to - factor * *from);
        }
    }
    odd
}

/// Coefficients of the Padé approximant of order 13 of the exponential.
const PADE: [f64; 14] = [
    64_764_752_532_480_000.0,
    32_382_376_266_240_000.0,
    7_771_770_303_897_600.0,
    1_187_353_796_428_800.0,
    129_060_195_264_000.0,
    10_559_470_521_600.0,
    670_442_572_800.0,
    33_522_128_640.0,
    1_323_241_920.0,
    40_840_800.0,
    960_960.0,
    16_380.0,
    182.0,
    1.0,
];

/// Up to this norm the approximant is exact to the precision of f64.
const REACH: f64 = 5.371920351148152;

macro_rules! real {
    ($T:ty) => {
        impl Real for $T {
            fn rounded(x: f64) -> $T {
                x as $T
            }

            fn cholesky(a: &[$T], n: usize, l: &mut [$T]) -> Result<(), usize> {
                let a = MatRef::from_row_major_slice(a, n, n);
                let mut factor = Mat::from_fn(n, n, |i, j| 0.5 * (a[(i, j)] + a[(j, i)]));
                let mut outcome = Ok(());
                scratch(llt::cholesky_in_place_scratch::<$T>(n, Par::Seq, Default::default()), |stack| {
                    let done = llt::cholesky_in_place(
                        factor.as_mut(),
                        Default::default(),
                        Par::Seq,
                        stack,
                        Default::default(),
                    );
                    if let Err(llt::LltError::NonPositivePivot { index }) = done {
                        outcome = Err(index + 1);
                    }
                });
                write(l, n, |i, j| if j <= i { factor[(i, j)] } else { 0.0 });
                outcome
            }

            fn lu(a: &[$T], n: usize, lu: &mut [$T], perm: &mut [usize]) -> bool {
                let mut factor = MatRef::from_row_major_slice(a, n, n).to_owned();
                let mut inverse = vec![0usize; n];
                let mut odd = false;
                let needs = plu::lu_in_place_scratch::<usize, $T>(n, n, Par::Seq, Default::default());
                scratch(needs, |stack| {
                    let (info, _) =
                        plu::lu_in_place(factor.as_mut(), perm, &mut inverse, Par::Seq, stack, Default::default());
                    odd = info.transposition_count % 2 == 1;
                });
                write(lu, n, |i, j| factor[(i, j)]);
                // faer multiplies by the reciprocal of a pivot, which is no number where the pivot is 0 or nearly so.
                match lu.iter().all(|x| x.is_finite()) {
                    true => odd,
                    false => {
                        lu.copy_from_slice(a);
                        eliminate(lu, n, perm)
                    }
                }
            }

            fn triangular_solve(a: &[$T], n: usize, triangle: Triangle, x: &mut [$T], k: usize) {
                let Triangle { upper, transposed, unit } = triangle;
                let a = MatRef::from_row_major_slice(a, n, n).to_owned();
                let a = if transposed { a.transpose() } else { a.as_ref() };
                let mut rhs = MatRef::from_row_major_slice(x, n, k).to_owned();
                match (upper != transposed, unit) {
                    (false, false) => triangular::solve_lower_triangular_in_place(a, rhs.as_mut(), Par::Seq),
                    (false, true) => triangular::solve_unit_lower_triangular_in_place(a, rhs.as_mut(), Par::Seq),
                    (true, false) => triangular::solve_upper_triangular_in_place(a, rhs.as_mut(), Par::Seq),
                    (true, true) => triangular::solve_unit_upper_triangular_in_place(a, rhs.as_mut(), Par::Seq),
                }
                write(x, k, |i, j| rhs[(i, j)]);
            }

            fn eigh(a: &[$T], n: usize, values: &mut [$T], vectors: &mut [$T]) -> Result<(), NoConvergence> {
                let a = MatRef::from_row_major_slice(a, n, n);
                let a = Mat::from_fn(n, n, |i, j| 0.5 * (a[(i, j)] + a[(j, i)]));
                let mut s = Diag::<$T>::zeros(n);
                let mut u = Mat::<$T>::zeros(n, n);
                let mut outcome = Ok(());
                let yes = ComputeEigenvectors::Yes;
                scratch(self_adjoint_evd_scratch::<$T>(n, yes, Par::Seq, Default::default()), |stack| {
                    let u = Some(u.as_mut());
                    let done = self_adjoint_evd(a.as_ref(), s.as_mut(), u, Par::Seq, stack, Default::default());
                    outcome = done.map_err(|_| NoConvergence);
                });
                for (i, value) in values.iter_mut().enumerate() {
                    *value = s[i];
                }
                let flip: Vec<bool> = (0..n).map(|i| flipped((0..n).map(|j| u[(j, i)]))).collect();
                write(vectors, n, |i, j| if flip[i] { -u[(j, i)] } else { u[(j, i)] });
                outcome
            }

            fn svd(
                a: &[$T],
                (m, n): (usize, usize),
                values: &mut [$T],
                left: &mut [$T],
                right: &mut [$T],
            ) -> Result<(), NoConvergence> {
                let k = m.min(n);
                let a = MatRef::from_row_major_slice(a, m, n).to_owned();
                let mut s = Diag::<$T>::zeros(k);
                let (mut u, mut v) = (Mat::<$T>::zeros(m, k), Mat::<$T>::zeros(n, k));
                let mut outcome = Ok(());
                let thin = ComputeSvdVectors::Thin;
                scratch(svd_scratch::<$T>(m, n, thin, thin, Par::Seq, Default::default()), |stack| {
                    let (u, v) = (Some(u.as_mut()), Some(v.as_mut()));
                    let done = svd(a.as_ref(), s.as_mut(), u, v, Par::Seq, stack, Default::default());
                    outcome = done.map_err(|_| NoConvergence);
                });
                for (i, value) in values.iter_mut().enumerate() {
                    *value = s[i];
                }
                let flip: Vec<bool> = (0..k).map(|i| flipped((0..m).map(|j| u[(j, i)]))).collect();
                write(left, m, |i, j| if flip[i] { -u[(j, i)] } else { u[(j, i)] });
                write(right, n, |i, j| if flip[i] { -v[(j, i)] } else { v[(j, i)] });
                outcome
            }

            fn qr(a: &[$T], (m, n): (usize, usize), q: &mut [$T], r: &mut [$T]) {
                let k = m.min(n);
                let mut factor = MatRef::from_row_major_slice(a, m, n).to_owned();
                let block = householder::recommended_block_size::<$T>(m, n);
                let mut coefficients = Mat::<$T>::zeros(block, k);
                let needs = householder::qr_in_place_scratch::<$T>(m, n, block, Par::Seq, Default::default());
                scratch(needs, |stack| {
                    let coefficients = coefficients.as_mut();
                    householder::qr_in_place(factor.as_mut(), coefficients, Par::Seq, stack, Default::default());
                });
                let basis = Mat::from_fn(m, k, |i, j| match i.cmp(&j) {
                    std::cmp::Ordering::Less => 0.0,
                    std::cmp::Ordering::Equal => 1.0,
                    std::cmp::Ordering::Greater => factor[(i, j)],
                });
                let mut whole = Mat::<$T>::identity(m, k);
                let needs =
                    reflectors::apply_block_householder_sequence_on_the_left_in_place_scratch::<$T>(m, block, k);
                scratch(needs, |stack| {
                    reflectors::apply_block_householder_sequence_on_the_left_in_place_with_conj(
                        basis.as_ref(),
                        coefficients.as_ref(),
                        Conj::No,
                        whole.as_mut(),
                        Par::Seq,
                        stack,
                    );
                });
                let flip: Vec<bool> = (0..k).map(|i| factor[(i, i)] < 0.0).collect();
                write(q, k, |i, j| if flip[j] { -whole[(i, j)] } else { whole[(i, j)] });
                write(r, n, |i, j| match j < i {
                    true => 0.0,
                    false if flip[i] => -factor[(i, j)],
                    false => factor[(i, j)],
                });
            }

            fn product(a: &[$T], b: &[$T], (m, k, n): (usize, usize, usize), out: &mut [$T]) {
                let a = MatRef::from_row_major_slice(a, m, k).to_owned();
                let b = MatRef::from_row_major_slice(b, k, n).to_owned();
                let mut product = Mat::<$T>::zeros(m, n);
                matmul(product.as_mut(), Accum::Replace, a.as_ref(), b.as_ref(), 1.0, Par::Seq);
                write(out, n, |i, j| product[(i, j)]);
            }

            fn matrix_exp(a: &[$T], n: usize, out: &mut [$T]) {
                let norm = (0..n).map(|j| a.iter().skip(j).step_by(n).map(|x| x.abs()).sum()).fold(0.0, <$T>::max);
                let halvings = (f64::from(norm) / REACH).log2().ceil().max(0.0) as i32;
                // In two steps, as 2⁻ⁿ may not be a number where 2⁻ⁿ times an element is.
                let (half, rest) = ((0.5 as $T).powi(halvings / 2), (0.5 as $T).powi(halvings - halvings / 2));
                let a: Vec<$T> = a.iter().map(|x| x * half * rest).collect();
                let times = |a: &[$T], b: &[$T]| {
                    let mut product = vec![0.0; n * n];
                    <$T>::product(a, b, (n, n, n), &mut product);
                    product
                };
                let squared = times(&a, &a);
                let fourth = times(&squared, &squared);
                let sixth = times(&fourth, &squared);
                // Σ cₖ A²ᵏ for k = 0..=3, where the last power is 6.
                let even = |c: [f64; 4]| -> Vec<$T> {
                    let [one, two, four, six] = c.map(|c| c as $T);
                    let powers = squared.iter().zip(&fourth).zip(&sixth).enumerate();
                    powers
                        .map(|(i, ((s, f), x))| six * x + four * f + two * s + if i % (n + 1) == 0 { one } else { 0.0 })
                        .collect()
                };
                let add = |a: Vec<$T>, b: &[$T]| -> Vec<$T> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
                let b = PADE;
                let odd = add(times(&sixth, &even([0.0, b[9], b[11], b[13]])), &even([b[1], b[3], b[5], b[7]]));
                let u = times(&a, &odd);
                let v = add(times(&sixth, &even([0.0, b[8], b[10], b[12]])), &even([b[0], b[2], b[4], b[6]]));
                let below: Vec<$T> = v.iter().zip(&u).map(|(v, u)| v - u).collect();
                let above = add(v, &u);
                let (mut factors, mut order) = (vec![0.0; n * n], vec![0; n]);
                <$T>::lu(&below, n, &mut factors, &mut order);
                let mut result: Vec<$T> =
                    order.iter().flat_map(|&row| above.iter().skip(row * n).take(n)).copied().collect();
                let lower = Triangle { upper: false, transposed: false, unit: true };
                <$T>::triangular_solve(&factors, n, lower, &mut result, n);
                let upper = Triangle { upper: true, transposed: false, unit: false };
                <$T>::triangular_solve(&factors, n, upper, &mut result, n);
                for _ in 0..halvings {
                    result = times(&result, &result);
                }
                out.copy_from_slice(&result);
            }
        }
    };
}

real!(f32);
real!(f64);
