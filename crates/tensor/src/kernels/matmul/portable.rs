//! Vectors as plain arrays, which the compiler maps to what the target always has: SSE2, NEON.

use core::marker::PhantomData;
use core::ops::{Add, Mul};

use super::simd::{Simd, Square};

/// `L` lanes of `T`, a register tile of `R` rows, squares of side `S`. Multiplies, then adds: two roundings.
pub(super) struct Portable<T, const L: usize, const R: usize, const S: usize>(PhantomData<T>);

pub(super) type F32x4 = Portable<f32, 4, 4, 4>;
pub(super) type F64x2 = Portable<f64, 2, 4, 2>;
/// The geometry of AVX-512, to be tested on any machine.
#[cfg(test)]
pub(super) type WideF32 = Portable<f32, 16, 14, 8>;
#[cfg(test)]
pub(super) type WideF64 = Portable<f64, 8, 14, 4>;

impl<T, const L: usize, const R: usize, const S: usize> Simd for Portable<T, L, R, S>
where
    T: Copy + Default + PartialEq + Send + Sync + 'static + Add<Output = T> + Mul<Output = T>,
{
    type Elem = T;
    type Vector = [T; L];
    type Mask = usize;
    const LANES: usize = L;
    const ROWS: usize = R;
    const SIDE: usize = S;

    #[inline(always)]
    unsafe fn zero() -> [T; L] {
        [T::default(); L]
    }
    #[inline(always)]
    unsafe fn splat(x: T) -> [T; L] {
        [x; L]
    }
    #[inline(always)]
    unsafe fn fma(a: [T; L], b: [T; L], c: [T; L]) -> [T; L] {
        core::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn add(a: [T; L], b: [T; L]) -> [T; L] {
        core::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> [T; L] {
        // SAFETY: `L` elements are readable.
        unsafe { p.cast::<[T; L]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut T, v: [T; L]) {
        // SAFETY: `L` elements are writable.
        unsafe { p.cast::<[T; L]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn mask(n: usize) -> usize {
        n.min(L)
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const T, mask: usize) -> [T; L] {
        // SAFETY: the first `mask` elements are readable.
        core::array::from_fn(|i| if i < mask { unsafe { *p.add(i) } } else { T::default() })
    }
    #[inline(always)]
    unsafe fn store_masked(p: *mut T, v: [T; L], mask: usize) {
        for (i, x) in v.into_iter().enumerate().take(mask) {
            // SAFETY: the first `mask` elements are writable.
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: isize, to: *mut T, to_stride: usize) {
        for c in 0..S {
            for r in 0..S {
                // SAFETY: both squares are readable and writable.
                unsafe { *to.add(r * to_stride + c) = *from.offset(c as isize * from_stride).add(r) };
            }
        }
    }
}

impl<T, const L: usize, const R: usize, const S: usize> Square for Portable<T, L, R, S>
where
    Self: Simd<Elem = T, Vector = [T; L]>,
    T: Copy,
{
    const COLUMNS: usize = if L < 8 { L } else { 8 };

    #[inline(always)]
    unsafe fn columns(from: *const T, stride: isize, to: &mut [[T; L]; 8]) {
        for (c, column) in to.iter_mut().enumerate().take(Self::COLUMNS) {
            // SAFETY: the square is readable.
            *column = unsafe { Self::gather(from.add(c), stride) };
        }
    }
    #[inline(always)]
    unsafe fn gather(from: *const T, stride: isize) -> [T; L] {
        // SAFETY: `L` elements at multiples of the stride are readable.
        core::array::from_fn(|i| unsafe { *from.offset(i as isize * stride) })
    }
}
