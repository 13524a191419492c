//! The buffers of one run, as checked base pointers.

use crate::program::region::Region;

#[derive(Clone, Copy, Debug)]
struct Base {
    ptr: *mut u8,
    len: usize,
    writable: bool,
}

/// The buffers that a program runs over. It borrows them for `'a`, so no slice outlives or overlaps its owner.
#[derive(Debug)]
pub struct Memory<'a> {
    bases: Vec<Base>,
    /// Which part of a chain it is the memory of.
    part: usize,
    /// Whether a part ran before it in the same room.
    later: bool,
    _borrow: std::marker::PhantomData<&'a mut [u8]>,
}

// SAFETY: the pointers come from borrowed slices of plain bytes; kernels share them only for disjoint regions, or element by
// element where a result replaces an operand.
unsafe impl Send for Memory<'_> {}
// SAFETY: as above; `Memory` itself is never changed while kernels run.
unsafe impl Sync for Memory<'_> {}

/// The table of a [`Memory`], kept between runs so that binding allocates nothing.
#[derive(Debug, Default)]
pub struct Bindings(Vec<Base>);

// SAFETY: a table at rest is empty.
unsafe impl Send for Bindings {}

impl<'a> Memory<'a> {
    /// An empty table that reuses the room of `bindings`.
    pub fn new(bindings: &mut Bindings) -> Self {
        let mut bases = std::mem::take(&mut bindings.0);
        bases.clear();
        Self { bases, part: 0, later: false, _borrow: std::marker::PhantomData }
    }

    /// Adds a buffer that is only read.
    pub fn read(&mut self, bytes: &'a [u8]) {
        self.bases.push(Base { ptr: bytes.as_ptr().cast_mut(), len: bytes.len(), writable: false });
    }

    /// Adds a buffer that may be written.
    pub fn write(&mut self, bytes: &'a mut [u8]) {
        self.bases.push(Base { ptr: bytes.as_mut_ptr(), len: bytes.len(), writable: true });
    }

    /// Begins the table of a part of a chain, or of a run, anew; `later`: another one ran before it in the same room.
    pub(crate) fn begin(&mut self, part: usize, later: bool) {
        self.bases.clear();
        (self.part, self.later) = (part, later);
    }

    /// Whether copies that a part leaves in its room are there.
    pub(super) fn has_copies(&self) -> bool {
        self.later
    }

    /// Which part of a chain it is the memory of: the elements of a loop are counted from the first part on.
    pub(super) fn part(&self) -> usize {
        self.part
    }

    /// Adds a buffer that lies in another memory.
    ///
    /// # Safety
    /// `len` bytes from `ptr` are within that memory, for as long as this one is used; those that may be written are nobody else's.
    pub(super) unsafe fn point(&mut self, ptr: *mut u8, len: usize, writable: bool) {
        self.bases.push(Base { ptr, len, writable });
    }

    /// Makes `buffer`, which is only read, the memory of `other`.
    pub fn share(&mut self, buffer: usize, other: usize) {
        if let Some(base) = self.bases.get(other).copied()
            && let Some(shared) = self.bases.get_mut(buffer)
        {
            *shared = Base { writable: false, ..base };
        }
    }

    /// Gives the room back for the next run.
    pub fn finish(mut self, bindings: &mut Bindings) {
        self.bases.clear();
        bindings.0 = std::mem::take(&mut self.bases);
    }

    /// The length of buffer `i` and whether it may be written.
    pub fn buffer(&self, i: usize) -> Option<(usize, bool)> {
        self.bases.get(i).map(|b| (b.len, b.writable))
    }

    /// The number of buffers.
    pub fn buffers(&self) -> usize {
        self.bases.len()
    }

    /// The address of a region.
    ///
    /// # Safety
    /// The region lies within its buffer, as [`crate::program::Program::new`] and `run` have checked.
    #[inline(always)]
    pub(crate) unsafe fn ptr(&self, region: &Region) -> *mut u8 {
        debug_assert!(
            self.bases.get(region.buffer as usize).is_some_and(|b| region.offset + region.len <= b.len),
            "a region outside its buffer"
        );
        // SAFETY: the caller promises that the buffer exists and holds the region.
        unsafe { self.bases.get_unchecked(region.buffer as usize).ptr.add(region.offset) }
    }

    /// The bytes of a region, to read.
    ///
    /// # Safety
    /// As [`Memory::ptr`], and nobody writes to the region while the slice lives.
    pub(crate) unsafe fn bytes(&self, region: &Region) -> &[u8] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts(self.ptr(region), region.len) }
    }

    /// The bytes of a region, to write.
    ///
    /// # Safety
    /// As [`Memory::ptr`], the buffer is writable, and nobody else touches the region while the slice lives.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn bytes_mut(&self, region: &Region) -> &mut [u8] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.ptr(region), region.len) }
    }
}

/// Copies bytes that may overlap, few of them without a call.
///
/// # Safety
/// `from` is readable and `to` writable for so many bytes.
#[inline(always)]
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, bytes: usize) {
    // Both ends, which meet or overlap; all is read before any is written.
    macro_rules! ends {
        ($T:ty) => {{
            let last = bytes - size_of::<$T>();
            let (a, b) = (from.cast::<$T>().read_unaligned(), from.add(last).cast::<$T>().read_unaligned());
            to.cast::<$T>().write_unaligned(a);
            to.add(last).cast::<$T>().write_unaligned(b);
        }};
    }
    // SAFETY: promised by the caller; both ends lie within the bytes.
    unsafe {
        match bytes {
            0 => {}
            1 => to.write(from.read()),
            2..4 => ends!(u16),
            4..8 => ends!(u32),
            8..16 => ends!(u64),
            16..=32 => ends!(u128),
            33..=64 => ends!([u128; 2]),
            65..UNALIGNED => std::ptr::copy(from, to, bytes),
            _ => copy_long(from, to, bytes),
        }
    }
}

/// From so many bytes on, the C library may copy with a string instruction, which takes ten times as long on some processors
/// where the destination is not aligned.
const UNALIGNED: usize = 2048;

/// As [`copy`], of [`UNALIGNED`] bytes or more.
///
/// # Safety
/// As for [`copy`].
unsafe fn copy_long(from: *const u8, to: *mut u8, bytes: usize) {
    let head = to.addr().next_multiple_of(CACHE_LINE) - to.addr();
    let apart = from.addr().abs_diff(to.addr()) >= bytes;
    // SAFETY: promised by the caller; the head is shorter than the whole.
    unsafe {
        match head > 0 && apart {
            true => {
                // A whole line, part of which is written again: its length is known.
                std::ptr::copy_nonoverlapping(from, to, CACHE_LINE);
                std::ptr::copy_nonoverlapping(from.add(head), to.add(head), bytes - head);
            }
            false => std::ptr::copy(from, to, bytes),
        }
    }
}

/// Copies as many elements as both have.
pub fn copy_slice<T: Copy>(from: &[T], to: &mut [T]) {
    let n = from.len().min(to.len());
    // SAFETY: both have so many elements, which can be copied as their bytes.
    unsafe {
        match n * size_of::<T>() {
            ..UNALIGNED => std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), n),
            bytes => copy_long(from.as_ptr().cast(), to.as_mut_ptr().cast(), bytes),
        }
    }
}

/// Bytes of a line of the cache.
pub(super) const CACHE_LINE: usize = 64;
/// Lines so many bytes apart share a set of the L1 cache, and the processor takes them for the same when it compares loads with stores.
pub(super) const PAGE: usize = 4096;

/// Asks for a cache line, which may come or not.
#[inline(always)]
pub(super) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
}

/// As [`prefetch`], into the second-level cache: many lines of one set would drive each other out of the first.
#[inline(always)]
pub(super) fn prefetch_near(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as for [`prefetch`].
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_also_where_they_overlap() {
        let long = [UNALIGNED - 1, UNALIGNED, UNALIGNED + 77];
        for bytes in (0..80).chain(long) {
            let places =
                [[0, 100], [100, 0], [20, 20], [20, 23], [23, 20], [20, 52], [0, 2200], [13, 2201], [2200, 65]];
            for [from, to] in places {
                let mut found: Vec<u8> = (0..5000).map(|i| (i % 251) as u8).collect();
                let mut wanted = found.clone();
                wanted.copy_within(from..from + bytes, to);
                let start = found.as_mut_ptr();
                // SAFETY: both places lie within the bytes.
                unsafe { copy(start.add(from), start.add(to), bytes) };
                assert_eq!(found, wanted, "{bytes} bytes from {from} to {to}");
            }
        }
    }
}
