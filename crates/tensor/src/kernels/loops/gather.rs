//! Strided reads into a contiguous register, and writes past the caches.

use smallvec::SmallVec;

/// Copies `n` elements of `size` bytes, from logical index `start` of the walk `dims` over `base`, to `dst`.
///
/// # Safety
/// `base + index·size` is readable for every index of the walk, and `dst` has room for `n` elements.
pub(super) unsafe fn gather(
    dst: *mut u8,
    base: *const u8,
    dims: &[(usize, isize)],
    size: usize,
    start: usize,
    n: usize,
) {
    // SAFETY: promised by the caller, for each width.
    unsafe {
        match size {
            1 => walk::<u8>(dst, base, dims, start, n),
            2 => walk::<u16>(dst, base, dims, start, n),
            4 => walk::<u32>(dst, base, dims, start, n),
            _ => walk::<u64>(dst, base, dims, start, n),
        }
    }
}

unsafe fn walk<T: Copy>(dst: *mut u8, base: *const u8, dims: &[(usize, isize)], start: usize, n: usize) {
    let (mut dst, base) = (dst.cast::<T>(), base.cast::<T>());
    let Some((&(inner, stride), outer)) = dims.split_last() else { return };
    // The multi-index of `start`.
    let mut rest = start;
    let mut at = rest % inner;
    rest /= inner;
    let mut offset = 0isize;
    let mut index: SmallVec<[usize; 6]> = SmallVec::from_elem(0, outer.len());
    for (i, &(extent, s)) in outer.iter().enumerate().rev() {
        index[i] = rest % extent;
        rest /= extent;
        offset += index[i] as isize * s;
    }
    let mut left = n;
    while left > 0 {
        let run = left.min(inner - at);
        // SAFETY: the indices at..at + run lie within the walk, and dst has `left` elements of room.
        unsafe {
            let src = base.offset(offset + at as isize * stride);
            match stride {
                1 => std::ptr::copy_nonoverlapping(src, dst, run),
                0 => {
                    let value = src.read_unaligned();
                    for i in 0..run {
                        dst.add(i).write_unaligned(value);
                    }
                }
                _ => {
                    for i in 0..run {
                        dst.add(i).write_unaligned(src.offset(i as isize * stride).read_unaligned());
                    }
                }
            }
            dst = dst.add(run);
        }
        left -= run;
        at = 0;
        for (i, &(extent, s)) in outer.iter().enumerate().rev() {
            index[i] += 1;
            offset += s;
            if index[i] < extent {
                break;
            }
            offset -= s * extent as isize;
            index[i] = 0;
        }
    }
}

/// Copies `bytes` past the caches where the destination is aligned for it.
///
/// # Safety
/// `src` is readable and `dst` writable for `bytes` bytes, and they do not overlap.
pub(super) unsafe fn stream(dst: *mut u8, src: *const u8, bytes: usize, wide: bool) {
    #[cfg(target_arch = "x86_64")]
    if wide && (dst as usize).is_multiple_of(32) {
        let whole = bytes & !31;
        // SAFETY: promised by the caller; `wide` says that the processor has AVX.
        unsafe {
            stream_avx(dst, src, whole);
            std::ptr::copy_nonoverlapping(src.add(whole), dst.add(whole), bytes - whole);
        }
        return;
    }
    let _ = wide;
    // SAFETY: promised by the caller.
    unsafe { std::ptr::copy_nonoverlapping(src, dst, bytes) }
}

/// Orders streaming stores before what follows.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn stream_avx(dst: *mut u8, src: *const u8, bytes: usize) {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_stream_si256};
    for i in (0..bytes).step_by(32) {
        // SAFETY: the caller promises `bytes` (a multiple of 32) on both sides and an aligned destination.
        unsafe { _mm256_stream_si256(dst.add(i).cast::<__m256i>(), _mm256_loadu_si256(src.add(i).cast::<__m256i>())) }
    }
}
