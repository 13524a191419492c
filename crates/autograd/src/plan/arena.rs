//! Lifetimes to offsets: a first-fit allocator over one arena.

/// Every value begins at a cache line.
const ALIGN: usize = 64;
/// Streams that begin at equal offsets within a page would fight for the same sets of the cache.
const LARGE: usize = 16 << 10;

/// Offsets within one arena, given and taken back while the steps are walked in order.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// Free runs `(offset, length)`, by offset.
    free: Vec<(usize, usize)>,
    top: usize,
    given: usize,
}

/// A run of the arena: what to give back, and where the value begins in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    start: usize,
    len: usize,
    pub(crate) offset: usize,
}

impl Arena {
    /// Room for `bytes`.
    pub(crate) fn take(&mut self, bytes: usize) -> Block {
        self.given += 1;
        let stagger = if bytes >= LARGE { (self.given % 16) * 3 * ALIGN } else { 0 };
        let len = (bytes.max(1) + stagger).next_multiple_of(ALIGN);
        let start = match self.free.iter().position(|f| f.1 >= len) {
            Some(i) => {
                let (start, room) = self.free[i];
                match room == len {
                    true => drop(self.free.remove(i)),
                    false => self.free[i] = (start + len, room - len),
                }
                start
            }
            None => match self.free.last().copied() {
                // Grow the last run when it touches the top.
                Some((start, room)) if start + room == self.top => {
                    self.free.pop();
                    self.top = start + len;
                    start
                }
                _ => {
                    let start = self.top;
                    self.top += len;
                    start
                }
            },
        };
        Block { start, len, offset: start + stagger }
    }

    /// Takes a run back.
    pub(crate) fn give(&mut self, block: Block) {
        let at = self.free.partition_point(|f| f.0 < block.start);
        self.free.insert(at, (block.start, block.len));
        if let Some(&next) = self.free.get(at + 1)
            && self.free[at].0 + self.free[at].1 == next.0
        {
            self.free[at].1 += next.1;
            self.free.remove(at + 1);
        }
        if at > 0 && self.free[at - 1].0 + self.free[at - 1].1 == self.free[at].0 {
            self.free[at - 1].1 += self.free[at].1;
            self.free.remove(at);
        }
    }

    /// Bytes that the arena needs.
    pub(crate) fn size(&self) -> usize {
        self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_runs_merge_and_are_used_again() {
        let mut arena = Arena::default();
        let (a, b, c) = (arena.take(100), arena.take(100), arena.take(100));
        assert_eq!((a.offset, b.offset, c.offset), (0, 128, 256));
        arena.give(a);
        arena.give(b);
        assert_eq!(arena.take(256).offset, 0);
        assert_eq!(arena.size(), 384);
        arena.give(c);
        assert_eq!(arena.take(200).offset, 256);
        assert_eq!(arena.size(), 512);
    }
}
