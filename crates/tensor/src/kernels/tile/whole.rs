//! Tiles of any length, and results in place, for loops that know whole grains and separate results only.

use crate::kernels::memory::copy;
use crate::kernels::tile::Map;
use crate::kernels::tile::lane::Lane;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// How many elements a loop takes at once: what is left of a tile is filled up to this.
pub(crate) const GRAIN: usize = 16;

/// How many elements wait in a buffer: of a result that replaces an operand, and between two halves of a formula.
pub(crate) const BLOCK: usize = 256;

/// The loop of a formula over whole grains. It writes all of its result, and needs the instructions of its level.
type Grains<K> = unsafe fn(&mut [MaybeUninit<<K as Map>::Out>], &[<K as Map>::A], &[<K as Map>::B], &[<K as Map>::C]);

/// Runs a loop over `n` elements.
///
/// # Safety
/// As for [`TileFn`](crate::kernels::tile::TileFn), and the machine has the instructions of the loop.
#[inline(always)]
pub(crate) unsafe fn run<K: Map>(grains: Grains<K>, dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    let in_place = is_at::<K::A>(a, dst) || is_at::<K::B>(b, dst) || is_at::<K::C>(c, dst);
    let dst = dst.cast::<K::Out>();
    // SAFETY: all parts lie within the `n` elements that the caller vouches for; `apart` is for results that overlap
    // no operand.
    unsafe {
        if n < GRAIN {
            short::<K>(grains, dst, a, b, c, n);
        } else if in_place {
            staged::<K>(grains, dst, a, b, c, n);
        } else {
            let whole = n - n % GRAIN;
            apart::<K>(grains, dst, a, b, c, 0, whole);
            if whole < n {
                // The last grain ends at `n`. It gives some elements a second time, with the same bits.
                apart::<K>(grains, dst.add(n - GRAIN), a, b, c, n - GRAIN, GRAIN);
            }
        }
    }
}

/// Whether an operand that is in use starts where the result does.
#[inline(always)]
fn is_at<T>(operand: *const u8, dst: *mut u8) -> bool {
    size_of::<T>() > 0 && std::ptr::eq(operand, dst)
}

/// `n` elements of an operand from element `start` on.
///
/// # Safety
/// The operand is valid for them, if it has a size.
#[inline(always)]
unsafe fn part<'a, T: Lane>(operand: *const u8, start: usize, n: usize) -> &'a [T] {
    // An operand that the formula does not have may be any pointer, also null.
    let operand = if size_of::<T>() == 0 { NonNull::dangling().as_ptr() } else { operand.cast::<T>().cast_mut() };
    // SAFETY: as above.
    unsafe { from_raw_parts(operand.add(start), n) }
}

/// Computes `len` elements, from element `start` of the operands on, into `dst`.
///
/// # Safety
/// The operands and the result are valid for them and do not overlap; `len` is a whole number of grains.
#[inline(always)]
unsafe fn apart<K: Map>(
    grains: Grains<K>,
    dst: *mut K::Out,
    a: *const u8,
    b: *const u8,
    c: *const u8,
    start: usize,
    len: usize,
) {
    // SAFETY: as above.
    unsafe {
        grains(from_raw_parts_mut(dst.cast(), len), part(a, start, len), part(b, start, len), part(c, start, len))
    }
}

/// Computes blocks into a buffer, and copies each to its place when it is complete.
///
/// # Safety
/// As for [`run`]; `n` is a grain or more.
unsafe fn staged<K: Map>(grains: Grains<K>, dst: *mut K::Out, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    let mut last = MaybeUninit::<[K::Out; GRAIN]>::uninit();
    let mut block = MaybeUninit::<[K::Out; BLOCK]>::uninit();
    let (rest, whole) = (n % GRAIN, n - n % GRAIN);
    let mut start = 0;
    // SAFETY: all parts lie within the `n` elements. The last grain is computed before any element is replaced, no operand
    // is read behind `start` again, and what is copied from the buffers has been written.
    unsafe {
        if rest > 0 {
            apart::<K>(grains, last.as_mut_ptr().cast(), a, b, c, n - GRAIN, GRAIN);
        }
        while start < whole {
            let len = BLOCK.min(whole - start);
            apart::<K>(grains, block.as_mut_ptr().cast(), a, b, c, start, len);
            dst.add(start).copy_from_nonoverlapping(block.as_ptr().cast(), len);
            start += len;
        }
        dst.add(whole).copy_from_nonoverlapping(last.as_ptr().cast::<K::Out>().add(GRAIN - rest), rest);
    }
}

/// Computes less than a grain in buffers of one grain.
///
/// # Safety
/// As for [`run`]; `n` is less than a grain.
unsafe fn short<K: Map>(grains: Grains<K>, dst: *mut K::Out, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    let mut out = [const { MaybeUninit::uninit() }; GRAIN];
    // SAFETY: the operands and the result are valid for `n` elements, and the buffers for more; the loop writes all of
    // its result.
    unsafe {
        let (a, b, c) = (filled(part(a, 0, n)), filled(part(b, 0, n)), filled(part(c, 0, n)));
        grains(&mut out, &a, &b, &c);
        copy(out.as_ptr().cast(), dst.cast(), n * size_of::<K::Out>());
    }
}

/// A grain that starts with these elements, which are no more.
#[inline(always)]
fn filled<T: Lane>(elements: &[T]) -> [T; GRAIN] {
    let mut grain = [T::ZERO; GRAIN];
    let n = elements.len().min(GRAIN);
    // SAFETY: both have so many elements.
    unsafe { copy(elements.as_ptr().cast(), grain.as_mut_ptr().cast(), n * size_of::<T>()) };
    grain
}
