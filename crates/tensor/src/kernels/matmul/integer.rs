//! Integer products: plain loops that wrap around.

use super::normal::Normal;
use crate::kernels::threads;

/// The integer types that products are defined for.
pub(super) trait Integer: Copy + Default + Send + Sync + 'static {
    /// sum + a·b, modulo 2 to the power of the width.
    fn accumulate(sum: Self, a: Self, b: Self) -> Self;
}

macro_rules! integers {
    ($($T:ty)*) => {
        $(impl Integer for $T {
            #[inline(always)]
            fn accumulate(sum: $T, a: $T, b: $T) -> $T {
                sum.wrapping_add(a.wrapping_mul(b))
            }
        })*
    };
}
integers!(i64 i32 u8);

/// The operands, to be shared by threads.
struct Operands<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
}
// SAFETY: A and B are only read, and each row of C is written by one unit of work.
unsafe impl<T: Sync> Sync for Operands<T> {}

/// Computes all products, a row of C at a time.
///
/// # Safety
/// As for [`super::MatMul::run`], with elements of type `T`.
pub(super) unsafe fn run<T: Integer>(p: &Normal, a: *const T, b: *const T, c: *mut T) {
    let operands = Operands { a, b, c };
    let rows = p.count() * p.m;
    // Rows to a unit, so that a unit is worth handing out.
    let some = (1usize << 17).div_ceil(p.n.saturating_mul(p.k).max(1)).max(1);
    threads::parallel(rows.div_ceil(some), &|unit| {
        let operands = &operands;
        for row in unit * some..rows.min((unit + 1) * some) {
            let (a, b) = p.start(row / p.m);
            // SAFETY: the row exists; the offsets lie within what the caller promises.
            unsafe {
                let a = operands.a.offset(a + (row % p.m) as isize * p.a[0]);
                one_row(p, a, operands.b.offset(b), operands.c.add(row * p.n));
            }
        }
    });
}

/// # Safety
/// As for [`run`], for the row that starts at `a` and `c`.
unsafe fn one_row<T: Integer>(p: &Normal, a: *const T, b: *const T, c: *mut T) {
    // SAFETY: C has `n` elements here; what was there is overwritten. All offsets lie within what the caller promises.
    unsafe {
        c.write_bytes(0, p.n);
        let c = std::slice::from_raw_parts_mut(c, p.n);
        if p.a[1] == 1 && p.b[0] == 1 {
            let a = std::slice::from_raw_parts(a, p.k);
            for (j, sum) in c.iter_mut().enumerate() {
                let column = std::slice::from_raw_parts(b.offset(j as isize * p.b[1]), p.k);
                *sum = a.iter().zip(column).fold(*sum, |s, (&x, &y)| T::accumulate(s, x, y));
            }
            return;
        }
        for k in 0..p.k as isize {
            let x = *a.offset(k * p.a[1]);
            let row = b.offset(k * p.b[0]);
            if p.b[1] == 1 {
                for (sum, &y) in c.iter_mut().zip(std::slice::from_raw_parts(row, p.n)) {
                    *sum = T::accumulate(*sum, x, y);
                }
            } else {
                for (j, sum) in c.iter_mut().enumerate() {
                    *sum = T::accumulate(*sum, x, *row.offset(j as isize * p.b[1]));
                }
            }
        }
    }
}
