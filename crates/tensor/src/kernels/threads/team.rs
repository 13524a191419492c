//! Threads that wait awake for the steps of a plan.
//!
//! The thread that runs the plan leads. The others of its pool join it where they are free, and look at one word again and again: whether
//! the leader has work to share. A helper that has waited in vain for a while goes, so that a plan with long steps of its own keeps nobody.

use super::Draws;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A helper without work goes after this time.
const PATIENCE: Duration = Duration::from_micros(200);
/// Looks at the word between two looks at the clock.
const LOOKS: usize = 256;

/// In the word: how many helpers are at work, whether they may begin, and the number of the work.
const OPEN: usize = 1 << 15;
const WORK: usize = 1 << 16;

/// What the leader shares, for as long as it waits for those who have begun.
type Draw<'a> = &'a (dyn Fn(Draws) + Sync);

/// A leader and its helpers.
pub(super) struct Team {
    word: AtomicUsize,
    /// The work of the word, while it is open or somebody is at it.
    draw: AtomicPtr<Draw<'static>>,
    /// Whether a helper went because there was no work for it.
    gone: AtomicBool,
    done: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

thread_local! {
    /// The team that this thread leads and that has no work just now.
    static LED: Cell<*const Team> = const { Cell::new(std::ptr::null()) };
}

impl Team {
    /// Runs `f` on this thread, which leads up to so many helpers meanwhile.
    pub(super) fn lead<R: Send>(helpers: usize, f: impl FnOnce() -> R + Send) -> R {
        let team = Team {
            word: AtomicUsize::new(0),
            draw: AtomicPtr::new(std::ptr::null_mut()),
            gone: AtomicBool::new(false),
            done: AtomicBool::new(false),
            panic: Mutex::new(None),
        };
        let led = || {
            // However `f` ends, the helpers go and the thread leads no more.
            struct End<'a>(&'a Team, *const Team);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    LED.set(self.1);
                    self.0.done.store(true, Ordering::Release);
                }
            }
            let _end = End(&team, LED.replace(&raw const team));
            f()
        };
        join_all(helpers, &|| team.help(), led)
    }

    /// Shares the work of `draw` with the helpers of this thread, if it leads any; tells whether it did.
    ///
    /// `draw` is called by this thread and by helpers, and everybody returns from it once there is nothing left to draw.
    pub(super) fn share(draw: Draw<'_>) -> bool {
        let team = LED.get();
        if team.is_null() {
            return false;
        }
        // SAFETY: a thread leads a team only within `lead`, which holds it.
        let team = unsafe { &*team };
        // A team that has lost somebody would be smaller than the pool.
        if team.gone.load(Ordering::Relaxed) {
            return false;
        }
        // What is shared within a unit of this work goes another way.
        LED.set(std::ptr::null());
        struct Close<'a>(&'a Team);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                self.0.word.fetch_and(!OPEN, Ordering::AcqRel);
                let mut looks = 0usize;
                while self.0.word.load(Ordering::Acquire) & (OPEN - 1) != 0 {
                    looks += 1;
                    match looks.is_multiple_of(LOOKS) {
                        false => std::hint::spin_loop(),
                        true => std::thread::yield_now(),
                    }
                }
                LED.set(self.0);
            }
        }
        // SAFETY: only the lifetime changes; helpers read it only while the word is open or they are counted in it, and `Close` waits
        // for both to end.
        let mut draw = unsafe { std::mem::transmute::<Draw<'_>, Draw<'static>>(draw) };
        // Where the leader itself panicked in the work before, nobody has taken a helper's panic.
        drop(team.panic.lock().unwrap_or_else(PoisonError::into_inner).take());
        team.draw.store(&raw mut draw, Ordering::Relaxed);
        let next = (team.word.load(Ordering::Relaxed) & !(WORK - 1)).wrapping_add(WORK) | OPEN;
        team.word.store(next, Ordering::Release);
        let close = Close(team);
        draw(Draws::Front);
        drop(close);
        let panic = team.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        true
    }

    /// Takes part in the leader's work until the leader is done, or there is none for a while.
    fn help(&self) {
        let (mut last, mut since, mut looks) = (0, Instant::now(), 0usize);
        while !self.done.load(Ordering::Acquire) {
            let word = self.word.load(Ordering::Relaxed);
            if word & OPEN != 0 && word & !(WORK - 1) != last {
                if self.word.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                    continue;
                }
                last = word & !(WORK - 1);
                // SAFETY: the leader stored it before it opened the word, and waits for this helper, which is counted in the word.
                let draw = unsafe { *self.draw.load(Ordering::Relaxed) };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| draw(Draws::Back))) {
                    self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
                }
                self.word.fetch_sub(1, Ordering::Release);
                (since, looks) = (Instant::now(), 0);
                continue;
            }
            looks += 1;
            if !looks.is_multiple_of(LOOKS) {
                std::hint::spin_loop();
            } else if since.elapsed() > PATIENCE {
                self.gone.store(true, Ordering::Relaxed);
                break;
            } else {
                // Where there are more threads than processors, somebody else may need this one.
                std::thread::yield_now();
            }
        }
    }
}

/// Runs `main` here and `help` on as many other threads of the pool as are free, up to `helpers`.
fn join_all<R: Send>(helpers: usize, help: &(dyn Fn() + Sync), main: impl FnOnce() -> R + Send) -> R {
    match helpers {
        0 => main(),
        _ => rayon::join(main, || spread(helpers, help)).0,
    }
}

/// Runs `help` on up to `helpers` threads, this one included.
fn spread(helpers: usize, help: &(dyn Fn() + Sync)) {
    match helpers {
        0 | 1 => help(),
        _ => drop(rayon::join(help, || spread(helpers - 1, help))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{enter, parallel, with_threads};
    use super::*;

    /// Many rounds of shared work, each of which runs every unit once.
    fn rounds(rounds: usize, units: usize) {
        for round in 0..rounds {
            let seen: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
            parallel(units, &|unit| {
                if (unit + round).is_multiple_of(7) {
                    // Work within work.
                    parallel(3, &|_| _ = seen[unit].fetch_add(2, Ordering::Relaxed));
                    seen[unit].fetch_sub(6, Ordering::Relaxed);
                }
                seen[unit].fetch_add(1, Ordering::Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1), "round {round} of {units}");
        }
    }

    #[test]
    fn every_unit_of_a_plan_runs_once() {
        for threads in [2, 3, 8] {
            with_threads(threads, || Team::lead(threads - 1, || (1..40).for_each(|units| rounds(50, units))));
        }
    }

    #[test]
    fn plans_of_several_threads_do_not_meet() {
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| (0..30).for_each(|_| enter(|| rounds(20, 9))));
            }
        });
    }

    #[test]
    fn a_helper_that_waits_in_vain_goes_and_the_work_is_done_without_it() {
        with_threads(2, || {
            Team::lead(1, || {
                rounds(3, 4);
                std::thread::sleep(10 * PATIENCE);
                rounds(3, 4);
            });
        });
    }

    #[test]
    fn a_panic_of_anybody_reaches_the_leader_and_ends_nothing_else() {
        let lead = |units: usize, bad: usize| {
            with_threads(2, || {
                Team::lead(1, || {
                    // The helper is there.
                    std::thread::sleep(Duration::from_micros(100));
                    let run = || parallel(units, &|unit| assert!(unit != bad, "unit {bad}"));
                    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
                    rounds(5, 6);
                });
            });
        };
        (0..20).for_each(|bad| lead(20, bad));
    }

    #[test]
    fn panics_of_both_are_told_of_their_own_work_alone() {
        with_threads(2, || {
            for _ in 0..200 {
                Team::lead(1, || {
                    std::thread::sleep(Duration::from_micros(50));
                    let run = || parallel(64, &|unit| assert!(unit > 64, "unit {unit}"));
                    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
                    rounds(3, 6);
                });
            }
        });
    }
}
