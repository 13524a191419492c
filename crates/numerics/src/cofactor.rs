//! The determinant as a product, and its derivatives by sums of products: nothing is divided, so that singular matrices are no exception.

use crate::factor::{NoConvergence, Real};

/// A product whose parts may leave the range of f64 on the way: its value is `part` · 2²⁵⁶ to the power of `steps`.
#[derive(Clone, Copy)]
struct Wide {
    part: f64,
    steps: i32,
}

const STEP: f64 = f64::from_bits((1023 + 256) << 52);
const BACK: f64 = f64::from_bits((1023 - 256) << 52);
const HIGH: f64 = f64::from_bits((1023 + 128) << 52);
const LOW: f64 = f64::from_bits((1023 - 128) << 52);

impl Wide {
    const ONE: Wide = Wide { part: 1.0, steps: 0 };

    fn of(part: f64) -> Wide {
        let mut wide = Wide { part, steps: 0 };
        while wide.part.abs() >= HIGH && wide.part.is_finite() {
            wide = Wide { part: wide.part * BACK, steps: wide.steps + 1 };
        }
        while wide.part.abs() < LOW && wide.part != 0.0 {
            wide = Wide { part: wide.part * STEP, steps: wide.steps - 1 };
        }
        wide
    }

    fn times(self, other: Wide) -> Wide {
        let product = Wide::of(self.part * other.part);
        Wide { steps: product.steps.saturating_add(self.steps).saturating_add(other.steps), ..product }
    }

    fn value(self) -> f64 {
        let scale = if self.steps > 0 { STEP } else { BACK };
        // After nine steps it is 0 or infinite.
        (0..self.steps.unsigned_abs().min(9)).fold(self.part, |value, _| value * scale)
    }
}

/// The product of numbers, where it is one, whatever the order of the factors would make of it.
pub fn product_of<T: Real>(factors: impl Iterator<Item = T>) -> T {
    T::rounded(factors.fold(Wide::ONE, |product, x| product.times(Wide::of(x.into()))).value())
}

/// The matrix of cofactors of A = U diag(s) Vᵀ, or its derivative in some directions H. With K = Uᵀ H V it is det U det V · U G Vᵀ.
/// G is a sum over the sets of indices that hold one more than there are directions: of the product of s outside of the set, times
/// the cofactors, inside of it, of the K together: one row of each.
///
/// # Errors
/// When the singular values do not converge.
pub fn cofactor<T: Real>(a: &[T], directions: &[&[T]], n: usize, out: &mut [T]) -> Result<(), NoConvergence> {
    let zero = T::default();
    out.fill(zero);
    let order = directions.len() + 1;
    if order > n {
        return Ok(());
    }
    let matrix = || vec![zero; n * n];
    let times = |a: &[T], b: &[T]| {
        let mut product = matrix();
        T::product(a, b, (n, n, n), &mut product);
        product
    };
    let (mut values, mut left, mut right) = (vec![zero; n], matrix(), matrix());
    T::svd(a, (n, n), &mut values, &mut left, &mut right)?;
    let turned = transposed(&right, n);
    let directions: Vec<Vec<T>> = directions.iter().map(|h| times(&times(&left, h), &turned)).collect();

    // The products of s from each index to each later one.
    let values: Vec<Wide> = values.iter().map(|&value| Wide::of(value.into())).collect();
    let running = |from: usize| {
        let later = values.iter().skip(from).scan(Wide::ONE, |product, &value| {
            *product = product.times(value);
            Some(*product)
        });
        std::iter::once(Wide::ONE).chain(later).collect::<Vec<Wide>>()
    };
    let runs: Vec<Vec<Wide>> = (0..=n).map(running).collect();
    let run = |from: usize, to: usize| runs.get(from).and_then(|run| run.get(to - from)).copied().unwrap_or(Wide::ONE);

    let mut inner = matrix();
    let mut set: Vec<usize> = (0..order).collect();
    loop {
        let (outside, from) =
            set.iter().fold((Wide::ONE, 0), |(product, from), &i| (product.times(run(from, i)), i + 1));
        let outside = T::rounded(outside.times(run(from, n)).value());
        for (i, &row) in set.iter().enumerate() {
            for (j, &column) in set.iter().enumerate() {
                let rows: Vec<usize> = set.iter().copied().filter(|&other| other != row).collect();
                let minor = mixed_minor(&directions, n, &rows, &set, 1 << j, 0) * outside;
                if let Some(place) = inner.get_mut(row * n + column) {
                    *place = if (i + j) % 2 == 0 { *place + minor } else { *place - minor };
                }
            }
        }
        if !next(&mut set, n) {
            break;
        }
    }
    let odd = odd_turn(&left, n) != odd_turn(&right, n);
    let whole = times(&times(&transposed(&left, n), &inner), &right);
    out.iter_mut().zip(whole).for_each(|(to, from)| *to = if odd { -from } else { from });
    Ok(())
}

/// The sum over all ways to give each row another column of the set, and another direction, of the products of the elements there,
/// each with the sign of its permutation. Columns and directions in the masks are taken.
fn mixed_minor<T: Real>(directions: &[Vec<T>], n: usize, rows: &[usize], set: &[usize], taken: u64, used: u64) -> T {
    let Some((&row, rest)) = rows.split_first() else { return T::rounded(1.0) };
    let mut sum = T::default();
    let mut negative = false;
    for (j, &column) in set.iter().enumerate().filter(|(j, _)| taken & (1 << j) == 0) {
        for (k, direction) in directions.iter().enumerate().filter(|(k, _)| used & (1 << k) == 0) {
            let element = direction.get(row * n + column).copied().unwrap_or_default();
            let product = element * mixed_minor(directions, n, rest, set, taken | 1 << j, used | 1 << k);
            sum = if negative { sum - product } else { sum + product };
        }
        negative = !negative;
    }
    sum
}

/// The next set of as many indices below `n`, in the order of dictionaries. Says whether there is one.
fn next(set: &mut [usize], n: usize) -> bool {
    let size = set.len();
    let Some(at) = (0..size).rev().find(|&i| set.get(i).is_some_and(|&x| x + size - i < n)) else { return false };
    let first = set.get(at).map_or(0, |&x| x + 1);
    set.iter_mut().skip(at).zip(first..).for_each(|(place, x)| *place = x);
    true
}

fn transposed<T: Copy>(a: &[T], n: usize) -> Vec<T> {
    (0..n).flat_map(|j| a.iter().skip(j).step_by(n.max(1)).copied()).collect()
}

/// Whether the determinant of an orthogonal matrix is −1.
fn odd_turn<T: Real>(a: &[T], n: usize) -> bool {
    let (mut factors, mut order) = (vec![T::default(); n * n], vec![0; n]);
    let odd = T::lu(a, n, &mut factors, &mut order);
    factors.iter().step_by(n + 1).fold(odd, |odd, &pivot| odd != (pivot < T::default()))
}
