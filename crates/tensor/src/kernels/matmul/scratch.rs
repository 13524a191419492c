//! Room for packed operands that a thread keeps between products.

use std::cell::Cell;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Which room: a product needs its own while its parts use theirs on the same thread.
#[derive(Clone, Copy)]
pub(super) enum Room {
    /// Operands that all threads read.
    Shared,
    /// What one unit of work packs for itself.
    Unit,
}

thread_local! {
    static ROOMS: [Cell<Vec<Line>>; 2] = const { [const { Cell::new(Vec::new()) }; 2] };
}

/// Lines behind the room that nobody may write: looked after in the tests of this crate.
const BEHIND: usize = if cfg!(test) { 4 } else { 0 };
const MARK: Line = Line([0xA5; 64]);

/// More than this is given back after use.
const KEPT_BYTES: usize = 64 << 20;

/// Calls `f` with `bytes` bytes of room on a cache line, contents unspecified.
///
/// The room is taken, not borrowed: where a thread that waits goes on with another product, that one finds none
/// and makes its own.
pub(super) fn with_room<R>(room: Room, bytes: usize, f: impl FnOnce(*mut u8) -> R) -> R {
    let lines = bytes.div_ceil(size_of::<Line>());
    let mut held = ROOMS.with(|rooms| rooms[room as usize].take());
    if held.len() < lines + BEHIND {
        held = vec![Line([0; 64]); lines + BEHIND];
    }
    held.iter_mut().skip(lines).take(BEHIND).for_each(|line| *line = MARK);
    let result = f(held.as_mut_ptr().cast());
    assert!(held.iter().skip(lines).take(BEHIND).all(|line| line.0 == MARK.0), "written behind the room");
    if held.len() * size_of::<Line>() <= KEPT_BYTES {
        ROOMS.with(|rooms| rooms[room as usize].set(held));
    }
    result
}
