//! Memory that holds code: written first, then executable and never written again.

#[cfg(all(unix, target_arch = "x86_64", not(miri)))]
mod system {
    use std::ptr::NonNull;

    /// A mapping of its own, read and executed only.
    #[derive(Debug)]
    pub(in super::super) struct Pages {
        start: NonNull<u8>,
        len: usize,
    }

    // SAFETY: nobody writes to the pages once they exist.
    unsafe impl Send for Pages {}
    // SAFETY: as above.
    unsafe impl Sync for Pages {}

    impl Pages {
        /// Pages with this code; `None` where the system does not give any.
        pub(in super::super) fn new(code: &[u8]) -> Option<Self> {
            let len = code.len().max(1);
            let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
            // SAFETY: a new mapping at an address that the system chooses touches nothing that exists.
            let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, kind, -1, 0) };
            if start == libc::MAP_FAILED {
                return None;
            }
            let pages = Self { start: NonNull::new(start.cast())?, len };
            // SAFETY: the mapping is writable, new, and at least as long as the code.
            unsafe { pages.start.as_ptr().copy_from_nonoverlapping(code.as_ptr(), code.len()) };
            // SAFETY: the mapping is ours.
            let done = unsafe { libc::mprotect(start, len, libc::PROT_READ | libc::PROT_EXEC) };
            (done == 0).then_some(pages)
        }

        /// The address of a byte of the code.
        pub(in super::super) fn at(&self, offset: usize) -> *const u8 {
            self.start.as_ptr().wrapping_add(offset)
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: the mapping is ours, and whoever runs its code holds the pages.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        }
    }
}

#[cfg(not(all(unix, target_arch = "x86_64", not(miri))))]
mod system {
    /// There are none here.
    #[derive(Debug)]
    pub(in super::super) enum Pages {}

    impl Pages {
        pub(in super::super) fn new(_code: &[u8]) -> Option<Self> {
            None
        }

        pub(in super::super) fn at(&self, _offset: usize) -> *const u8 {
            match *self {}
        }
    }
}

pub(super) use system::Pages;
