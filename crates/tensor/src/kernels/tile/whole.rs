//! Tiles of any length, and results in place, for loops that know whole grains and separate results only.

use crate::kernels::tile::Map;
use crate::kernels::tile::lane::Lane;
use std::ptr::NonNull;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// How many elements a loop takes at once: what is left of a tile is filled up to this.
pub(crate) const GRAIN: usize = 16;

/// How many elements wait in a buffer: of a result that replaces an operand, and between two halves of a formula.
pub(crate) const BLOCK: usize = 256;

/// The loop of a formula over whole grains. It needs the instructions of its level.
type Grains<K> = unsafe fn(&mut [<K as Map>::Out], &[<K as Map>::A], &[<K as Map>::B], &[<K as Map>::C]);

/// Runs a loop over `n` elements.
///
/// # Safety
/// As for [`TileFn`](crate::kernels::tile::TileFn), and the machine has the instructions of the loop.
#[inline(always)]
pub(crate) unsafe fn run<K: Map>(grains: Grains<K>, dst: *mut u8, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    let in_place = is_at::<K::A>(a, dst) || is_at::<K::B>(b, dst) || is_at::<K::C>(c, dst);
    let n_whole = n - n % GRAIN;
    let dst = dst.cast::<K::Out>();
    // SAFETY: all parts lie within the `n` elements that the caller vouches for, and the result overlaps no operand,
    // or is a buffer.
    unsafe {
        if in_place {
            staged::<K>(grains, dst, a, b, c, n_whole);
        } else {
            grains(from_raw_parts_mut(dst, n_whole), part(a, 0, n_whole), part(b, 0, n_whole), part(c, 0, n_whole));
        }
        if n_whole < n {
            rest::<K>(grains, dst, a, b, c, n_whole, n);
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

/// Computes blocks into a buffer, and copies each to its place when it is complete.
///
/// # Safety
/// As for [`run`]; `n` is a whole number of grains.
unsafe fn staged<K: Map>(grains: Grains<K>, dst: *mut K::Out, a: *const u8, b: *const u8, c: *const u8, n: usize) {
    let mut buffer = [K::Out::ZERO; BLOCK];
    let mut start = 0;
    while start < n {
        let len = BLOCK.min(n - start);
        // SAFETY: `start + len <= n`. No operand reads behind `start` again.
        unsafe {
            grains(&mut buffer[..len], part(a, start, len), part(b, start, len), part(c, start, len));
            dst.add(start).copy_from_nonoverlapping(buffer.as_ptr(), len);
        }
        start += len;
    }
}

/// Computes the elements after the last whole grain in buffers of one grain.
///
/// # Safety
/// As for [`run`]; `n - start` is less than a grain.
unsafe fn rest<K: Map>(
    grains: Grains<K>,
    dst: *mut K::Out,
    a: *const u8,
    b: *const u8,
    c: *const u8,
    start: usize,
    n: usize,
) {
    let mut out = [K::Out::ZERO; GRAIN];
    // SAFETY: the operands are valid from `start` to `n`, and so is the result.
    unsafe {
        let (a, b, c) =
            (filled(part(a, start, n - start)), filled(part(b, start, n - start)), filled(part(c, start, n - start)));
        grains(&mut out, &a, &b, &c);
        dst.add(start).copy_from_nonoverlapping(out.as_ptr(), n - start);
    }
}

/// A grain that starts with these elements.
fn filled<T: Lane>(elements: &[T]) -> [T; GRAIN] {
    let mut grain = [T::ZERO; GRAIN];
    for (to, from) in grain.iter_mut().zip(elements) {
        *to = *from;
    }
    grain
}
