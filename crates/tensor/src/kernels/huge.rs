//! Large pages: a walk over many long streams spends less time on the translation of addresses.

/// The size of a large page.
pub(crate) const HUGE: usize = 2 << 20;

/// Asks the system to back memory by large pages where they fit whole. It may refuse. What the memory holds stays as it is.
///
/// ```
/// use wengert_tensor::kernels::huge::huge_pages;
/// let mut list: Vec<u64> = Vec::with_capacity(1 << 20);
/// huge_pages(list.spare_capacity_mut());
/// ```
pub fn huge_pages<T>(memory: &mut [T]) {
    let start = memory.as_mut_ptr().cast::<u8>();
    let skip = start.align_offset(HUGE);
    let len = size_of_val(memory).saturating_sub(skip) / HUGE * HUGE;
    #[cfg(all(target_os = "linux", not(miri)))]
    if len > 0 {
        // SAFETY: the range lies within the borrowed memory, and the advice leaves what it holds as it is.
        unsafe { libc::madvise(start.add(skip).cast(), len, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = len;
}
