//! The threads that kernels share.
//!
//! Work is cut into units by shape alone, and the threads draw units from one counter. So the number of threads
//! decides who computes a unit, never what is computed.
//!
//! The thread that asks does its part itself, with helpers that wait awake: see `crew`.

mod crew;
mod parts;

use self::crew::CREW;
pub use self::parts::in_parts;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::LocalKey;

/// More threads than this are never started.
const MOST: usize = 1024;

/// The number that [`set_threads`] asked for; 0 stands for the default.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether work that starts on this thread stays on it.
    static ALONE: Cell<bool> = const { Cell::new(false) };
    /// Whether sleeping helpers are woken for it.
    static ENTERED: Cell<bool> = const { Cell::new(false) };
    /// The number that [`with_threads`] asked for here; 0 stands for none.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f(0)`, `f(1)` … `f(units - 1)`, each once, in any order and on any thread.
///
/// Helpers that are awake take part; the others are woken within [`enter`], and when the work takes long. What starts in `f` stays on its
/// thread. With one unit or one thread, and while another thread shares its work, the units run in order on the caller. A caller on a
/// thread of a rayon pool keeps to that pool. Nothing is allocated.
pub fn parallel(units: usize, f: &(dyn Fn(usize) + Sync)) {
    let threads = threads();
    if units <= 1 || units > u32::MAX as usize / 2 || threads == 1 {
        return (0..units).for_each(f);
    }
    let draws = Units::new(units);
    let draw = |from: Draws| draws.next(from).map(f).is_some();
    let workers = threads.min(units);
    if in_rayon() {
        fan_out(workers, Draws::Front, &draw);
    } else if !CREW.share(workers - 1, ENTERED.get(), &draw) {
        while draw(Draws::Front) {}
    }
}

/// Runs `f(place, 0)` … `f(place, units - 1)`, each unit once, on up to `places` threads, no two of which have the same place at a time.
///
/// What runs in `f` has one thread.
pub fn with_places(places: usize, units: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    let draws = Units::new(units);
    let room = |place: usize| {
        let from = if place == 0 { Draws::Front } else { Draws::Back };
        let _alone = Restore::after(&ALONE, true);
        while let Some(unit) = draws.next(from) {
            f(place, unit);
        }
    };
    // Each of these few units takes long.
    enter(|| parallel(places, &room));
}

/// Units that threads draw, each once.
struct Units {
    /// Taken from the front in the lower half, from the back in the upper half.
    taken: AtomicU64,
    units: usize,
}

impl Units {
    fn new(units: usize) -> Units {
        Units { taken: AtomicU64::new(0), units }
    }

    fn next(&self, from: Draws) -> Option<usize> {
        let so_far = match from {
            Draws::Front => self.taken.fetch_add(1, Ordering::Relaxed),
            Draws::Back => self.taken.fetch_add(1 << 32, Ordering::Relaxed),
        };
        let (front, back) = ((so_far & u64::from(u32::MAX)) as usize, (so_far >> 32) as usize);
        (front + back < self.units).then_some(match from {
            Draws::Front => front,
            Draws::Back => self.units.wrapping_sub(1 + back),
        })
    }
}

/// Runs `f` with the other threads awake, so that every [`parallel`] call in it starts at once.
///
/// Waking them takes some microseconds; a plan of many steps pays that once, and one that follows soon on another finds them awake.
pub fn enter<R>(f: impl FnOnce() -> R) -> R {
    let threads = threads();
    if threads == 1 || in_rayon() {
        return f();
    }
    CREW.wake(threads - 1);
    let _entered = Restore::after(&ENTERED, true);
    f()
}

/// Runs `f` with `n` threads; 0 stands for the default number.
pub fn with_threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    let _here = Restore::after(&HERE, resolve(n));
    f()
}

/// What a thread had before, and has again when this is dropped.
struct Restore<T: Copy + 'static>(&'static LocalKey<Cell<T>>, T);

impl<T: Copy> Restore<T> {
    /// Gives this thread a value for a while.
    fn after(key: &'static LocalKey<Cell<T>>, value: T) -> Restore<T> {
        Restore(key, key.replace(value))
    }
}

impl<T: Copy> Drop for Restore<T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// Sets the number of threads for work that starts outside of [`with_threads`] and of rayon pools; 0 restores the default.
///
/// The default is what the environment variable `WENGERT_THREADS` says, else one thread per core that the process
/// may use.
pub fn set_threads(n: usize) {
    CHOSEN.store(n, Ordering::Relaxed);
}

/// The number of threads that [`parallel`] would use here.
pub fn threads() -> usize {
    match HERE.get() {
        _ if ALONE.get() => 1,
        _ if in_rayon() => rayon::current_num_threads(),
        0 => resolve(CHOSEN.load(Ordering::Relaxed)),
        here => here,
    }
}

/// Whether the threads of this one are those of its rayon pool.
fn in_rayon() -> bool {
    HERE.get() == 0 && rayon::current_thread_index().is_some()
}

/// Which end of the units a thread draws from: one thread from the front and the others from the back, so that each has neighbours, and
/// about the same ones when the same work comes again: those whose operands are in its caches.
#[derive(Clone, Copy)]
enum Draws {
    Front,
    Back,
}

/// Calls `draw` from up to `workers` threads at once. The splits live on the stack.
fn fan_out(workers: usize, from: Draws, draw: &(dyn Fn(Draws) -> bool + Sync)) {
    if workers <= 1 {
        while draw(from) {}
        return;
    }
    let half = workers / 2;
    rayon::join(|| fan_out(workers - half, from, draw), || fan_out(half, Draws::Back, draw));
}

fn resolve(n: usize) -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    let default = || {
        let wished = std::env::var("WENGERT_THREADS").ok().and_then(|s| s.parse().ok()).filter(|&n| n > 0);
        wished.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    };
    let n = if n == 0 { *DEFAULT.get_or_init(default) } else { n };
    n.min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_unit_runs_once(units: usize) {
        let seen: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
        parallel(units, &|i| {
            seen[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(seen.iter().all(|s| s.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn every_unit_runs_once() {
        for units in [0, 1, 2, 3, 7, 64, 1000] {
            each_unit_runs_once(units);
            for n in [1, 2, 3, 8] {
                with_threads(n, || each_unit_runs_once(units));
            }
        }
    }

    #[test]
    fn nested_calls_end() {
        for n in [1, 2, 4] {
            let count = AtomicUsize::new(0);
            with_threads(n, || {
                parallel(8, &|_| {
                    parallel(8, &|_| {
                        parallel(4, &|_| {
                            count.fetch_add(1, Ordering::Relaxed);
                        });
                    });
                });
            });
            assert_eq!(count.into_inner(), 8 * 8 * 4);
        }
    }

    #[test]
    fn there_are_as_many_threads_as_asked_for() {
        for n in [1, 2, 5] {
            assert_eq!(with_threads(n, threads), n);
            assert_eq!(with_threads(n, || with_threads(3, threads)), 3);
        }
        assert!(threads() >= 1);
        assert_eq!(enter(threads), threads());
    }

    #[test]
    fn a_rayon_thread_keeps_its_pool() {
        let Ok(own) = rayon::ThreadPoolBuilder::new().num_threads(3).build() else { return };
        assert_eq!(own.install(threads), 3);
        assert_eq!(own.install(|| enter(threads)), 3);
    }

    #[test]
    fn a_panic_in_a_unit_reaches_the_caller() {
        let run = || with_threads(2, || parallel(4, &|i| assert!(i != 2, "unit two")));
        assert!(std::panic::catch_unwind(run).is_err());
        each_unit_runs_once(16);
    }
}
