//! Lifetimes to offsets within one arena.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Every value begins at a cache line.
const ALIGN: usize = 64;
/// Streams that begin at equal offsets within a page would fight for the same sets of the cache.
const LARGE: usize = 16 << 10;

/// More values than this are placed in the order of the steps, without looking ahead.
const AHEAD: usize = 2048;
/// As many are placed so first, which is enough where they are alike.
const MANY: usize = 256;
/// So many times all values are placed anew to find room,
const ROUNDS: usize = 32;
/// and no more than so many pairs of them are looked at.
const EFFORT: usize = 1 << 19;

/// The bytes of a value, the step that writes it and the last that reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) bytes: usize,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Life {
    /// Value `i` at this offset.
    fn at(&self, i: usize, offset: usize) -> Placed {
        let start = offset - stagger(i, self.bytes);
        Placed { start, end: start + room(i, self.bytes), first: self.first, last: self.last }
    }
}

/// A value with its place.
#[derive(Clone, Copy, Debug)]
struct Placed {
    start: usize,
    end: usize,
    first: usize,
    last: usize,
}

/// The places of all values.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// By where they start; empty where the values were too many.
    placed: Vec<Placed>,
    /// Bytes of the values.
    values: usize,
    /// Bytes behind them, which every step may use.
    behind: usize,
}

impl Arena {
    /// Places the values, which are sorted by their first step. Gives the arena and their offsets.
    ///
    /// All lives are known, so the largest are placed first, each where it leaves the least room beside it. While that needs more than
    /// what lives together, whatever lies on top is placed before all others, and the rest anew. Many values are placed as the steps come,
    /// first: where they are alike, that needs hardly more.
    pub(crate) fn pack(lives: &[Life]) -> (Arena, Vec<usize>) {
        if lives.len() > AHEAD {
            return Arena::in_order(lives);
        }
        let least = most_alive(lives);
        let mut best: Option<(Arena, Vec<usize>)> = None;
        if lives.len() > MANY {
            let (mut arena, offsets) = Arena::in_order(lives);
            arena.placed = lives.iter().zip(&offsets).enumerate().map(|(i, (life, at))| life.at(i, *at)).collect();
            arena.placed.sort_unstable_by_key(|placed| placed.start);
            if arena.values <= least + least / 32 {
                return (arena, offsets);
            }
            best = Some((arena, offsets));
        }
        let rounds = (EFFORT / (lives.len() * lives.len()).max(1)).clamp(1, ROUNDS);
        let mut order: Vec<usize> = (0..lives.len()).collect();
        order.sort_by_key(|&i| (Reverse(lives[i].bytes), i));
        for _ in 0..rounds {
            let mut arena = Arena::default();
            let mut offsets = vec![0; lives.len()];
            for &i in &order {
                offsets[i] = arena.place(lives[i], stagger(i, lives[i].bytes));
            }
            let top = arena.values;
            let on_top = |i: usize| offsets[i] - stagger(i, lives[i].bytes) + room(i, lives[i].bytes) == top;
            order.sort_by_key(|&i| !on_top(i));
            if best.as_ref().is_none_or(|(known, _)| top < known.values) {
                best = Some((arena, offsets));
            }
            if top <= least {
                break;
            }
        }
        best.unwrap_or_default()
    }

    /// Room for a step of its own. What is there does not outlive it.
    pub(crate) fn workspace(&mut self, bytes: usize, step: usize) -> usize {
        if self.placed.is_empty() {
            self.behind = self.behind.max(bytes.next_multiple_of(ALIGN));
            return self.values;
        }
        self.place(Life { bytes, first: step, last: step }, 0)
    }

    /// Bytes that the arena needs.
    pub(crate) fn size(&self) -> usize {
        self.values + self.behind
    }

    /// The smallest gap between the values that live at the same time.
    fn place(&mut self, life: Life, stagger: usize) -> usize {
        let len = (life.bytes.max(1) + stagger).next_multiple_of(ALIGN);
        let (mut top, mut best) = (0, None);
        for other in self.placed.iter().filter(|other| other.first <= life.last && life.first <= other.last) {
            let room = other.start.saturating_sub(top);
            if room >= len && best.is_none_or(|(_, least)| room < least) {
                best = Some((top, room));
            }
            top = top.max(other.end);
        }
        let start = best.map_or(top, |(start, _)| start);
        let at = self.placed.partition_point(|other| other.start <= start);
        self.placed.insert(at, Placed { start, end: start + len, first: life.first, last: life.last });
        self.values = self.values.max(start + len);
        start + stagger
    }

    /// Places the values one after the other, as the steps come.
    fn in_order(lives: &[Life]) -> (Arena, Vec<usize>) {
        let mut runs = FirstFit::default();
        let mut ending: BinaryHeap<Reverse<(usize, usize, usize)>> = BinaryHeap::new();
        let mut offsets = Vec::with_capacity(lives.len());
        for (i, life) in lives.iter().enumerate() {
            while let Some(&Reverse((last, start, len))) = ending.peek()
                && last < life.first
            {
                runs.give(start, len);
                ending.pop();
            }
            let len = room(i, life.bytes);
            let start = runs.take(len);
            ending.push(Reverse((life.last, start, len)));
            offsets.push(start + stagger(i, life.bytes));
        }
        (Arena { values: runs.top, ..Arena::default() }, offsets)
    }
}

/// How far behind the start of its run a value begins.
fn stagger(i: usize, bytes: usize) -> usize {
    if bytes >= LARGE { (i % 16) * 3 * ALIGN } else { 0 }
}

/// What a value takes, with what is before it.
fn room(i: usize, bytes: usize) -> usize {
    (bytes.max(1) + stagger(i, bytes)).next_multiple_of(ALIGN)
}

/// The most that lives together.
fn most_alive(lives: &[Life]) -> usize {
    let mut changes: Vec<(usize, bool, usize)> = Vec::with_capacity(2 * lives.len());
    for (i, life) in lives.iter().enumerate() {
        changes.push((life.first, true, room(i, life.bytes)));
        changes.push((life.last + 1, false, room(i, life.bytes)));
    }
    // What ends before a step goes first.
    changes.sort_unstable();
    let (mut alive, mut most) = (0, 0);
    for (_, begins, bytes) in changes {
        alive = if begins { alive + bytes } else { alive - bytes };
        most = most.max(alive);
    }
    most
}

/// Runs of memory, given and taken back.
#[derive(Debug, Default)]
struct FirstFit {
    /// Free runs `(offset, length)`, by offset.
    free: Vec<(usize, usize)>,
    top: usize,
}

impl FirstFit {
    /// The first run of `len` bytes that is free.
    fn take(&mut self, len: usize) -> usize {
        match self.free.iter().position(|f| f.1 >= len) {
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
        }
    }

    /// Takes a run back.
    fn give(&mut self, start: usize, len: usize) {
        let at = self.free.partition_point(|f| f.0 < start);
        self.free.insert(at, (start, len));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives of all lengths, by their first step.
    fn lives(n: usize) -> Vec<Life> {
        let mut state = 1u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % n) as usize
        };
        let life = |first| Life { bytes: 1 << below(18), first, last: first + below(12) };
        (0..n).map(life).collect()
    }

    fn check(lives: &[Life]) -> usize {
        let (mut arena, offsets) = Arena::pack(lives);
        let steps = lives.iter().map(|life| life.last).max().unwrap_or(0);
        for (i, (a, &from)) in lives.iter().zip(&offsets).enumerate() {
            assert!(from.is_multiple_of(ALIGN) && from + a.bytes <= arena.size());
            for (b, &to) in lives.iter().zip(&offsets).skip(i + 1).take(64) {
                let together = a.first <= b.last && b.first <= a.last;
                assert!(!together || from + a.bytes <= to || to + b.bytes <= from, "{a:?} at {from}, {b:?} at {to}");
            }
        }
        for step in (0..=steps).step_by(7) {
            let at = arena.workspace(1000, step);
            assert!(at + 1000 <= arena.size());
            let mut alive = lives.iter().zip(&offsets).filter(|(life, _)| life.first <= step && step <= life.last);
            assert!(alive.all(|(life, &from)| at + 1000 <= from || from + life.bytes <= at));
        }
        arena.size()
    }

    #[test]
    fn values_that_live_together_lie_apart() {
        for n in [1, 10, 200, AHEAD + 1] {
            check(&lives(n));
        }
    }

    #[test]
    fn many_alike_are_placed_as_the_steps_come() {
        let alike: Vec<Life> = (0..600).map(|first| Life { bytes: 4096, first, last: first + 7 }).collect();
        let (_, in_order) = Arena::in_order(&alike);
        assert_eq!(Arena::pack(&alike).1, in_order);
        let size = check(&alike);
        assert!(size <= 9 * 4096, "{size}: the workspaces lie where values are not");
    }

    #[test]
    fn looking_ahead_needs_little_more_than_what_lives() {
        let lives = lives(400);
        let alive =
            |step| lives.iter().filter(move |life| life.first <= step && step <= life.last).map(|life| life.bytes);
        let least = (0..400).map(|step| alive(step).sum::<usize>()).max().unwrap_or(0);
        assert!(check(&lives) * 100 <= least * 108);
    }

    #[test]
    fn freed_runs_merge_and_are_used_again() {
        let mut runs = FirstFit::default();
        assert_eq!([100, 100, 100].map(|len| runs.take(len)), [0, 100, 200]);
        runs.give(0, 100);
        runs.give(100, 100);
        assert_eq!((runs.take(200), runs.top), (0, 300));
        runs.give(200, 100);
        assert_eq!((runs.take(300), runs.top), (200, 500));
    }
}
