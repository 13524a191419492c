//! The pool of threads that kernels share.
//!
//! Work is cut into units by shape alone, and the threads draw units from one counter. So the number of threads
//! decides who computes a unit, never what is computed.
//!
//! A thread that sleeps takes long to wake: some microseconds, and tens of them on a virtual machine, which is more than most steps of a
//! plan take. So while a plan runs, the other threads of its pool wait for its steps awake: see `team`.

mod parts;
mod team;

pub use self::parts::in_parts;
use self::team::Team;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// More threads than this are never started.
const MOST: usize = 1024;

/// The number that [`set_threads`] asked for; 0 stands for the default.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Every pool that was ever asked for, one per size. Idle pools sleep.
static POOLS: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());

/// Runs `f(0)`, `f(1)` … `f(units - 1)`, each once, in any order and on any thread of the pool.
///
/// A caller that is already on a rayon thread keeps to the pool of that thread. With one unit or one thread (or 2³¹ units) the
/// units run in order on the caller. Calls may nest: a thread that waits goes on with other work, so `f` must not
/// hold a lock or a borrow that another unit needs. Inside a pool nothing is allocated.
pub fn parallel(units: usize, f: &(dyn Fn(usize) + Sync)) {
    let draws = Units::new(units);
    let draw = |from: Draws| {
        while let Some(unit) = draws.next(from) {
            f(unit);
        }
    };
    if units <= 1 || units > u32::MAX as usize / 2 || ALONE.get() {
        return (0..units).for_each(f);
    }
    if rayon::current_thread_index().is_some() {
        if Team::share(&draw) {
            return;
        }
        return fan_out(rayon::current_num_threads().min(units), Draws::Front, &draw);
    }
    match pool(threads()) {
        Some(pool) => pool.install(|| fan_out(pool.current_num_threads().min(units), Draws::Front, &draw)),
        None => draw(Draws::Front),
    }
}

/// Runs `f(place, 0)` … `f(place, units - 1)`, each unit once, on up to `places` threads, no two of which have the same place at a time.
///
/// What runs in `f` has one thread.
pub fn with_places(places: usize, units: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    let draws = Units::new(units);
    parallel(places, &|place| {
        let from = if place == 0 { Draws::Front } else { Draws::Back };
        let _alone = Alone::begin();
        while let Some(unit) = draws.next(from) {
            f(place, unit);
        }
    });
}

/// While it lives, work that starts on this thread stays on it.
struct Alone(bool);

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

impl Alone {
    fn begin() -> Alone {
        Alone(ALONE.replace(true))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
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

/// Runs `f` on a thread of the pool, with the other ones awake, so that every [`parallel`] call in it starts at once.
///
/// Entering from outside costs some microseconds; a plan of many steps pays that once. With one thread, or on a
/// thread that is in a pool already, `f` simply runs.
pub fn enter<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return f();
    }
    match pool(threads()) {
        Some(pool) => pool.install(|| Team::lead(pool.current_num_threads() - 1, f)),
        None => f(),
    }
}

/// Runs `f` with a pool of `n` threads; 0 stands for the default number.
pub fn with_threads<R: Send>(n: usize, f: impl FnOnce() -> R + Send) -> R {
    match pool_of(resolve(n)) {
        Some(pool) => pool.install(f),
        None => f(),
    }
}

/// Sets the number of threads for work that starts outside of any pool; 0 restores the default.
///
/// The default is what the environment variable `WENGERT_THREADS` says, else one thread per core that the process
/// may use.
pub fn set_threads(n: usize) {
    CHOSEN.store(n, Ordering::Relaxed);
}

/// The number of threads that [`parallel`] would use here.
pub fn threads() -> usize {
    if ALONE.get() {
        1
    } else if rayon::current_thread_index().is_some() {
        rayon::current_num_threads()
    } else {
        resolve(CHOSEN.load(Ordering::Relaxed))
    }
}

/// Which end of the units a thread draws from: one thread from the front and the others from the back, so that each has neighbours, and
/// about the same ones when the same work comes again: those whose operands are in its caches.
#[derive(Clone, Copy)]
enum Draws {
    Front,
    Back,
}

/// Calls `draw` from up to `workers` threads at once. The splits live on the stack.
fn fan_out(workers: usize, from: Draws, draw: &(dyn Fn(Draws) + Sync)) {
    if workers <= 1 {
        return draw(from);
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

/// The pool of `n` threads for work that gains by one: none for a single thread.
fn pool(n: usize) -> Option<Arc<ThreadPool>> {
    if n > 1 { pool_of(n) } else { None }
}

/// The pool of exactly `n` threads, or none where the system refuses to start them.
fn pool_of(n: usize) -> Option<Arc<ThreadPool>> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.iter().find(|p| p.current_num_threads() == n) {
        return Some(Arc::clone(pool));
    }
    let built = ThreadPoolBuilder::new().num_threads(n).thread_name(|i| format!("wengert-{i}")).build();
    let pool = Arc::new(built.ok()?);
    pools.push(Arc::clone(&pool));
    Some(pool)
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
    fn the_pool_has_the_size_asked_for() {
        for n in [1, 2, 5] {
            assert_eq!(with_threads(n, threads), n);
            assert_eq!(with_threads(n, || with_threads(3, threads)), 3);
        }
        assert!(threads() >= 1);
        assert_eq!(enter(threads), threads());
    }

    #[test]
    fn a_rayon_thread_keeps_its_pool() {
        let Ok(own) = ThreadPoolBuilder::new().num_threads(3).build() else { return };
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
