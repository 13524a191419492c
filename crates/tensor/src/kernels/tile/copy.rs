//! Moving elements without reading them. The system's copy is vector code on every machine.

use crate::kernels::tile::TileFn;

/// The kernel that copies elements of `size` bytes (1, 2, 4 or 8). In place it does nothing.
pub(crate) fn tile_copy(size: usize) -> TileFn {
    match size {
        1 => copy::<u8>,
        2 => copy::<u16>,
        4 => copy::<u32>,
        _ => copy::<u64>,
    }
}

/// The kernel that writes the element at `a`, of `size` bytes (1, 2, 4 or 8), to every place of `dst`.
pub(crate) fn tile_fill(size: usize) -> TileFn {
    match size {
        1 => fill::<u8>,
        2 => fill::<u16>,
        4 => fill::<u32>,
        _ => fill::<u64>,
    }
}

unsafe fn copy<T: Copy>(dst: *mut u8, a: *const u8, _b: *const u8, _c: *const u8, n: usize) {
    // SAFETY: by the contract of `TileFn` both are valid for `n` elements; `copy` allows that they are the same.
    unsafe { dst.cast::<T>().copy_from(a.cast(), n) }
}

unsafe fn fill<T: Copy>(dst: *mut u8, a: *const u8, _b: *const u8, _c: *const u8, n: usize) {
    // SAFETY: by the contract of `TileFn`, `dst` is valid for `n` elements, and `a` for the first one.
    unsafe { std::slice::from_raw_parts_mut(dst.cast::<T>(), n).fill(a.cast::<T>().read()) }
}
