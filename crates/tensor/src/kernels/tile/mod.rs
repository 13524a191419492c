//! How a formula for one element becomes a kernel over a tile.
//!
//! A formula is a zero-sized type that implements `Map`. `entry` gives its kernel for a level: one plain loop,
//! instantiated under each set of instructions, so that the compiler vectorises it for each.
//!
//! The loop only ever sees whole grains of elements, and a result that overlaps no operand: the compiler then needs
//! neither a scalar remainder nor a check at run time. `whole` keeps that promise to it. What is left of the last
//! grain, and results that replace an operand, pass through buffers and the same machine code, so that an element's
//! bits never depend on where a tile was cut or where its result goes.

#[macro_use]
mod formulas;

pub(crate) mod arith;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod copy;
pub(crate) mod float;
pub(crate) mod lane;
pub mod pair;
pub(crate) mod reduce;
mod whole;

use crate::kernels::level::Level;
use lane::{Lane, Machine};
use std::mem::MaybeUninit;

/// A kernel over `n` contiguous elements: `dst[i] = f(a[i], b[i], c[i])`; operands that the function lacks are ignored.
///
/// # Safety
/// The pointers of the operands in use are valid for `n` elements and aligned to the element. `dst` may be equal to an
/// operand whose elements are as wide as its own; otherwise it overlaps none. The machine has the kernel's level.
pub type TileFn = unsafe fn(dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize);

/// A kernel that folds short rows: `dst[r] = fold(src[r * cols ..][.. cols])`.
///
/// # Safety
/// `cols` is not zero. `src` is valid for `rows * cols` elements and `dst` for `rows`, they do not overlap, both are aligned to the
/// element, and the machine has the kernel's level.
pub type RowsFn = unsafe fn(dst: *mut u8, src: *const u8, rows: usize, cols: usize);

/// Folds the first `cols` elements of each row into those at `dst`, row after row; `stride` elements lie between the starts of two rows.
///
/// # Safety
/// `dst` is valid for `cols` elements and `src` for the rows; the two do not overlap.
pub type ColumnsFn = unsafe fn(dst: *mut u8, src: *const u8, rows: usize, cols: usize, stride: usize);

/// As [`RowsFn`], for rows that are folded into lanes, each of which begins with the identity of the fold.
///
/// # Safety
/// As for [`RowsFn`]; `identity` is valid for one element.
pub type LanesFn = unsafe fn(dst: *mut u8, src: *const u8, identity: *const u8, rows: usize, cols: usize);

/// A formula for one element. `()` stands for an operand that it does not have.
pub(crate) trait Map {
    type A: Lane;
    type B: Lane;
    type C: Lane;
    type Out: Lane;

    /// True when the formula calls the standard library: no instruction set makes it faster, one instance is enough.
    const BY_ELEMENT: bool = false;

    fn map<M: Machine>(a: Self::A, b: Self::B, c: Self::C) -> Self::Out;

    /// True when the loop runs in two halves: [`Map::first`] over a block, then [`Map::second`].
    ///
    /// A processor holds some hundred operations in flight. A long formula fills that with so few elements that it
    /// waits for its own results; two loops of half the length do not.
    const HALVES: bool = false;

    /// The first half of a formula of one operand.
    #[inline(always)]
    fn first<M: Machine>(a: Self::A) -> Self::A {
        a
    }

    /// The second half, from the operand and what the first half gave.
    #[inline(always)]
    fn second<M: Machine>(_a: Self::A, _first: Self::A) -> Self::Out {
        Self::Out::ZERO
    }

    /// True when `map` is wrong for some elements, and [`Map::mend`] is right.
    const MENDS: bool = false;

    /// Whether `map` is wrong for this element.
    #[inline(always)]
    fn is_odd(_a: Self::A) -> bool {
        false
    }

    /// The result for an odd element.
    #[inline(always)]
    fn mend<M: Machine>(_a: Self::A) -> Self::Out {
        Self::Out::ZERO
    }
}

/// The kernel of `K` on `level`.
pub(crate) fn entry<K: Map>(level: Level) -> TileFn {
    #[cfg(target_arch = "x86_64")]
    if !K::BY_ELEMENT {
        match level {
            Level::Baseline => {}
            Level::Avx2 => return avx2::<K>,
            Level::Avx512 | Level::Amx => return avx512::<K>,
        }
    }
    let _ = level;
    baseline::<K>
}

unsafe fn baseline<K: Map>(dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    fn grains<K: Map>(dst: &mut [MaybeUninit<K::Out>], a: &[K::A], b: &[K::B], c: &[K::C]) {
        map_grains::<K, lane::Baseline>(dst, a, b, c);
    }
    // SAFETY: the caller keeps the contract of `TileFn`.
    unsafe { whole::run::<K>(grains::<K>, dst, a, b, c, n) }
}

#[cfg(target_arch = "x86_64")]
unsafe fn avx2<K: Map>(dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    #[target_feature(enable = "avx2,fma")]
    fn grains<K: Map>(dst: &mut [MaybeUninit<K::Out>], a: &[K::A], b: &[K::B], c: &[K::C]) {
        map_grains::<K, lane::Wide>(dst, a, b, c);
    }
    // SAFETY: the caller keeps the contract of `TileFn`.
    unsafe { whole::run::<K>(grains::<K>, dst, a, b, c, n) }
}

#[cfg(target_arch = "x86_64")]
unsafe fn avx512<K: Map>(dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    fn grains<K: Map>(dst: &mut [MaybeUninit<K::Out>], a: &[K::A], b: &[K::B], c: &[K::C]) {
        map_grains::<K, lane::Wide>(dst, a, b, c);
    }
    // SAFETY: the caller keeps the contract of `TileFn`.
    unsafe { whole::run::<K>(grains::<K>, dst, a, b, c, n) }
}

/// The loop itself. The slices of the operands in use are as long as `dst`; its length is a whole number of grains.
#[inline(always)]
fn map_grains<K: Map, M: Machine>(dst: &mut [MaybeUninit<K::Out>], a: &[K::A], b: &[K::B], c: &[K::C]) {
    let n = dst.len() / whole::GRAIN * whole::GRAIN;
    let (dst, a, b, c) = (&mut dst[..n], &a[..n], &b[..n], &c[..n]);
    if K::HALVES {
        let mut first = [const { MaybeUninit::uninit() }; whole::BLOCK];
        for (dst, a) in dst.chunks_mut(whole::BLOCK).zip(a.chunks(whole::BLOCK)) {
            let n = dst.len() / whole::GRAIN * whole::GRAIN;
            let (dst, a, first) = (&mut dst[..n], &a[..n], &mut first[..n]);
            for i in 0..n {
                first[i].write(K::first::<M>(a[i]));
            }
            for i in 0..n {
                // SAFETY: the loop above has written the first `n` elements.
                dst[i].write(K::second::<M>(a[i], unsafe { first[i].assume_init() }));
            }
        }
    } else {
        for i in 0..n {
            dst[i].write(K::map::<M>(a[i], b[i], c[i]));
        }
    }
    if K::MENDS && a.iter().fold(false, |odd, &a| odd | K::is_odd(a)) {
        for i in 0..n {
            if K::is_odd(a[i]) {
                dst[i].write(K::mend::<M>(a[i]));
            }
        }
    }
}
