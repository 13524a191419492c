//! A slice that several threads write, each a part of its own.

use super::{enter, parallel, threads};
use std::sync::{Mutex, PoisonError};

/// What takes less than this on one thread stays on it.
const ALONE_NS: usize = 50_000;
/// Parts for each thread: some take longer than others.
const PARTS: usize = 4;

/// Where the slice begins.
struct Start<T>(*mut T);
// SAFETY: each thread gets a part that no other one has.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

/// Calls `f` for parts of a slice, each of some whole blocks of `size` elements, with the number of its first block: on several threads where
/// that pays, if a block takes about `ns` nanoseconds. What is left behind the last block belongs to no part.
///
/// ```
/// use wengert_tensor::kernels::threads::in_parts;
/// let mut rows = vec![0; 6];
/// let numbered = in_parts(&mut rows, 2, 10, |first, part| {
///     part.chunks_exact_mut(2).enumerate().for_each(|(i, row)| row.fill(first + i));
///     Ok::<(), ()>(())
/// });
/// assert_eq!((numbered, rows), (Ok(()), vec![0, 0, 1, 1, 2, 2]));
/// ```
///
/// # Errors
/// The one of the foremost part that has one. What the slice holds then is not said.
pub fn in_parts<T: Send, E: Send>(
    slice: &mut [T],
    size: usize,
    ns: usize,
    f: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let blocks = slice.len().checked_div(size).unwrap_or(0);
    let parts = match blocks.saturating_mul(ns) {
        _ if blocks == 0 => return Ok(()),
        all if all < ALONE_NS => 1,
        _ => match threads() {
            1 => 1,
            threads => blocks.min(threads * PARTS),
        },
    };
    if parts == 1 {
        return f(0, &mut slice[..blocks * size]);
    }
    let start = Start(slice.as_mut_ptr());
    let failed: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let one = |part: usize| {
        let [from, to] = [part, part + 1].map(|part| (part as u128 * blocks as u128 / parts as u128) as usize);
        // SAFETY: the parts lie within the slice, which is borrowed until all are done, and none overlaps another one.
        let elements = unsafe { std::slice::from_raw_parts_mut(start.get().add(from * size), (to - from) * size) };
        if let Err(error) = f(from, elements) {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            if failed.as_ref().is_none_or(|(earlier, _)| part < *earlier) {
                *failed = Some((part, error));
            }
        }
    };
    enter(|| parallel(parts, &one));
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_threads;
    use super::*;

    #[test]
    fn every_block_is_written_once() {
        for (len, size) in [(0, 3), (5, 0), (2, 3), (3, 3), (100, 1), (1001, 10), (64, 64)] {
            for (ns, n) in [(1, 2), (100_000, 1), (100_000, 2), (100_000, 5)] {
                let mut found = vec![0usize; len];
                let done: Result<(), ()> = with_threads(n, || {
                    in_parts(&mut found, size, ns, |first, part| {
                        assert!(part.len().is_multiple_of(size));
                        part.iter_mut().enumerate().for_each(|(i, x)| *x += 1 + first * size + i);
                        Ok(())
                    })
                });
                let whole = len.checked_div(size).unwrap_or(0) * size;
                let wanted: Vec<usize> = (0..len).map(|i| if i < whole { i + 1 } else { 0 }).collect();
                assert_eq!((done, found), (Ok(()), wanted), "{len}, {size}");
            }
        }
    }

    #[test]
    fn the_foremost_error_is_told() {
        for n in [1, 2, 3] {
            let failed = with_threads(n, || {
                in_parts(&mut [0u8; 40], 1, 1 << 20, |first, part| {
                    (first..first + part.len()).find(|i| i % 16 == 7).map_or(Ok(()), Err)
                })
            });
            assert_eq!(failed, Err(7));
        }
    }
}
