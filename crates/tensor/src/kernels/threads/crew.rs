//! Threads that wait awake for work.
//!
//! A thread that sleeps takes tens of microseconds to come, which is more than most steps of a plan take. So a helper that has done its
//! part looks at one word again and again: whether somebody has work to share. One that has waited in vain for a while sleeps until a
//! plan begins that is worth waking it, or somebody has worked alone for long.
//!
//! Who shares work leads, on the thread that it is on, until that work is done. One thread leads at a time; another one that comes
//! meanwhile finds the processors busy, and does its work alone.

use super::{ALONE, Draws, Restore};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A helper without work sleeps after this time.
const PATIENCE: Duration = Duration::from_micros(200);
/// Who has worked alone for this time wakes the others.
const LONG: Duration = Duration::from_micros(10);
/// Looks at the word between two looks at the clock.
const LOOKS: usize = 256;

/// In the word: how many helpers are at work, whether they may begin, and the number of the work.
const OPEN: usize = 1 << 15;
const WORK: usize = 1 << 16;

/// What the leader shares, for as long as it waits for those who have begun: does one unit, and tells whether there was one left.
type Draw<'a> = &'a (dyn Fn(Draws) -> bool + Sync);

/// The helpers of this process.
pub(super) static CREW: Crew = Crew::new();

/// Helpers, and the work of the one who leads them.
pub(super) struct Crew {
    /// Whether somebody shares work with them just now.
    led: AtomicBool,
    word: AtomicUsize,
    /// The work of the word, while it is open or somebody is at it,
    draw: AtomicPtr<Draw<'static>>,
    /// and the number of the first helper that has no part in it.
    wanted: AtomicUsize,
    /// How many there are, or were wished for,
    started: AtomicUsize,
    /// and how many of them sleep.
    asleep: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    helpers: Mutex<Vec<Helper>>,
}

struct Helper {
    thread: Thread,
    sleeps: Arc<AtomicBool>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    const fn new() -> Crew {
        Crew {
            led: AtomicBool::new(false),
            word: AtomicUsize::new(0),
            draw: AtomicPtr::new(std::ptr::null_mut()),
            wanted: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            panic: Mutex::new(None),
            helpers: Mutex::new(Vec::new()),
        }
    }

    /// Whether some of so many helpers sleep, or are not there yet.
    fn is_short_of(&self, helpers: usize) -> bool {
        helpers > self.started.load(Ordering::Relaxed) || self.asleep.load(Ordering::SeqCst) > 0
    }

    /// Wakes so many helpers, and starts those that there are not yet. Where the system refuses a thread, there are fewer.
    pub(super) fn wake(&'static self, helpers: usize) {
        if !self.is_short_of(helpers) {
            return;
        }
        let mut there = locked(&self.helpers);
        for helper in there.iter().take(helpers) {
            if helper.sleeps.swap(false, Ordering::SeqCst) {
                self.asleep.fetch_sub(1, Ordering::SeqCst);
                helper.thread.unpark();
            }
        }
        for me in there.len()..helpers {
            let sleeps = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&sleeps);
            let start = thread::Builder::new().name(format!("wengert-{}", me + 1));
            match start.spawn(move || self.help(me, &flag)) {
                Ok(handle) => there.push(Helper { thread: handle.thread().clone(), sleeps }),
                Err(_) => break,
            }
        }
        self.started.fetch_max(helpers, Ordering::Relaxed);
    }

    /// Shares the work of `draw` with up to so many helpers that are awake, unless somebody else leads them; tells whether it did. Those
    /// who sleep come later: they are woken at once with `wake`, otherwise when it turns out that the work takes long.
    pub(super) fn share(&'static self, helpers: usize, wake: bool, draw: Draw<'_>) -> bool {
        if self.led.swap(true, Ordering::Acquire) {
            return false;
        }
        // SAFETY: only the lifetime changes; helpers read it only while the word is open or they are counted in it, and `close` waits
        // for both to end.
        let mut work = unsafe { std::mem::transmute::<Draw<'_>, Draw<'static>>(draw) };
        self.wanted.store(helpers, Ordering::Relaxed);
        self.draw.store(&raw mut work, Ordering::Relaxed);
        let next = (self.word.load(Ordering::Relaxed) & !(WORK - 1)).wrapping_add(WORK) | OPEN;
        self.word.store(next, Ordering::SeqCst);
        // Whatever happens from here on, `close` is reached.
        let led = catch_unwind(AssertUnwindSafe(|| {
            if wake {
                self.wake(helpers);
            }
            let _alone = Restore::after(&ALONE, true);
            let mut since = self.is_short_of(helpers).then(Instant::now);
            while draw(Draws::Front) {
                if since.is_some_and(|since| since.elapsed() > LONG) {
                    self.wake(helpers);
                    since = None;
                }
            }
        }));
        self.close();
        let helped = locked(&self.panic).take();
        self.led.store(false, Ordering::Release);
        if let Some(panic) = led.err().or(helped) {
            resume_unwind(panic);
        }
        true
    }

    /// Lets nobody begin any more, and waits for those who have begun.
    fn close(&self) {
        self.word.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0usize;
        while self.word.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            looks += 1;
            match looks.is_multiple_of(LOOKS) {
                false => std::hint::spin_loop(),
                true => thread::yield_now(),
            }
        }
    }

    /// Takes part in the work of whoever leads, for ever.
    fn help(&'static self, me: usize, sleeps: &AtomicBool) {
        // What is shared within a unit of the work has no other threads to go to.
        ALONE.set(true);
        let (mut last, mut since, mut looks) = (0, Instant::now(), 0usize);
        loop {
            let word = self.word.load(Ordering::Acquire);
            let work = word & !(WORK - 1);
            if word & OPEN != 0 && work != last && me < self.wanted.load(Ordering::Relaxed) {
                if self.word.compare_exchange_weak(word, word + 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                    continue;
                }
                last = work;
                // SAFETY: the leader stored it before it opened the word, and waits for this helper, which is counted in the word.
                let draw = unsafe { *self.draw.load(Ordering::Relaxed) };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| while draw(Draws::Back) {})) {
                    locked(&self.panic).get_or_insert(panic);
                }
                self.word.fetch_sub(1, Ordering::Release);
                (since, looks) = (Instant::now(), 0);
                continue;
            }
            looks += 1;
            if !looks.is_multiple_of(LOOKS) {
                std::hint::spin_loop();
            } else if since.elapsed() > PATIENCE {
                self.sleep(sleeps, word);
                since = Instant::now();
            } else {
                // Where there are more threads than processors, somebody else may need this one.
                thread::yield_now();
            }
        }
    }

    /// Sleeps until somebody wakes this helper, unless the word has changed.
    fn sleep(&self, sleeps: &AtomicBool, word: usize) {
        self.asleep.fetch_add(1, Ordering::SeqCst);
        sleeps.store(true, Ordering::SeqCst);
        // A leader changes the word before it looks who sleeps; so one of the two sees the other.
        if self.word.load(Ordering::SeqCst) != word && sleeps.swap(false, Ordering::SeqCst) {
            self.asleep.fetch_sub(1, Ordering::SeqCst);
        }
        while sleeps.load(Ordering::SeqCst) {
            thread::park();
        }
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
            with_threads(threads, || enter(|| (1..40).for_each(|units| rounds(50, units))));
        }
    }

    #[test]
    fn plans_of_several_threads_do_not_meet() {
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| (0..30).for_each(|_| with_threads(3, || enter(|| rounds(20, 9)))));
            }
        });
    }

    #[test]
    fn plans_with_pauses_are_done_with_and_without_those_who_sleep() {
        for pause in [PATIENCE / 2, PATIENCE, 10 * PATIENCE] {
            for _ in 0..20 {
                with_threads(2, || {
                    enter(|| rounds(3, 4));
                    thread::sleep(pause);
                    rounds(3, 4);
                });
            }
        }
    }

    /// Waits until something is so; it comes, but the machine may be busy.
    fn wait_for(what: &str, so: impl Fn() -> bool) {
        let since = Instant::now();
        while !so() {
            assert!(since.elapsed() < Duration::from_secs(60), "{what}");
            thread::yield_now();
        }
    }

    /// Shares work that ends only when so many helpers have come to it.
    fn meet(crew: &'static Crew, helpers: usize, wake: bool) {
        let here = AtomicUsize::new(0);
        assert!(crew.share(helpers, wake, &|_| {
            here.fetch_add(1, Ordering::Relaxed);
            wait_for("the helpers", || here.load(Ordering::Relaxed) == 1 + helpers);
            false
        }));
    }

    #[test]
    fn those_who_sleep_come_when_they_are_woken() {
        let crew: &Crew = Box::leak(Box::new(Crew::new()));
        meet(crew, 2, true);
        for _ in 0..20 {
            wait_for("sleep", || crew.asleep.load(Ordering::SeqCst) == 2);
            // Nobody wakes them for little.
            let alone = AtomicUsize::new(0);
            assert!(crew.share(2, false, &|_| alone.fetch_add(1, Ordering::Relaxed) > 0));
            assert_eq!((alone.into_inner(), crew.asleep.load(Ordering::SeqCst)), (1, 2));
            // Nobody wakes them at first, but when the work takes long.
            let since = Instant::now();
            assert!(crew.share(2, false, &|from| match from {
                Draws::Front => {
                    thread::sleep(LONG);
                    assert!(since.elapsed() < Duration::from_secs(60), "they sleep on");
                    crew.asleep.load(Ordering::SeqCst) == 2
                }
                Draws::Back => false,
            }));
            // One of them is enough for this.
            meet(crew, 1, true);
            crew.wake(2);
            meet(crew, 2, true);
        }
    }

    #[test]
    fn another_leader_is_told_that_all_are_at_work() {
        let crew: &Crew = Box::leak(Box::new(Crew::new()));
        assert!(crew.share(1, true, &|_| {
            assert!(!crew.share(1, true, &|_| false));
            false
        }));
        meet(crew, 1, true);
    }

    #[test]
    fn a_panic_of_anybody_reaches_the_leader_and_ends_nothing_else() {
        let lead = |units: usize, bad: usize| {
            with_threads(2, || {
                enter(|| {
                    // The helper is there.
                    thread::sleep(Duration::from_micros(100));
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
        let crew: &Crew = Box::leak(Box::new(Crew::new()));
        for _ in 0..200 {
            let run = || {
                crew.share(1, true, &|from| match from {
                    Draws::Front => panic!("the leader"),
                    Draws::Back => panic!("the helper"),
                })
            };
            let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("nobody panicked");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"the leader"));
            meet(crew, 1, true);
        }
        let here = AtomicUsize::new(0);
        let run = || {
            crew.share(1, true, &|from| match from {
                Draws::Front => {
                    wait_for("the helper", || here.load(Ordering::Relaxed) == 1);
                    false
                }
                Draws::Back => {
                    here.store(1, Ordering::Relaxed);
                    panic!("the helper")
                }
            })
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("nobody panicked");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the helper"));
        meet(crew, 1, true);
    }
}
