//! Large pages: a walk over many long streams spends less time on the translation of addresses.

/// The size of a large page.
pub(crate) const HUGE: usize = 2 << 20;

/// Asks the system to back `bytes` by large pages where they fit whole. It may refuse.
pub(crate) fn huge_pages(bytes: &mut [u8]) {
    let skip = bytes.as_ptr().align_offset(HUGE);
    let len = bytes.len().saturating_sub(skip) / HUGE * HUGE;
    #[cfg(all(target_os = "linux", not(miri)))]
    if len > 0 {
        // SAFETY: the range lies within the borrowed bytes, and the advice leaves what they hold as it is.
        unsafe { libc::madvise(bytes.as_mut_ptr().add(skip).cast(), len, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = len;
}
