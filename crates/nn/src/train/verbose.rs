//! What a run shows while it runs.

use super::logs::Logs;
#[cfg(feature = "progress")]
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

/// How much a run shows on the standard output. `true` and `false` stand for `Auto` and `Silent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbose {
    /// A bar on a terminal, lines elsewhere.
    #[default]
    Auto,
    /// Nothing.
    Silent,
    /// One plain line an epoch.
    Lines,
    /// A progress bar; lines without the feature `progress`.
    Bar,
}

impl From<bool> for Verbose {
    fn from(on: bool) -> Verbose {
        if on { Verbose::Auto } else { Verbose::Silent }
    }
}

/// Shows one run.
pub(super) struct Reporter {
    epochs: usize,
    start: Instant,
    /// When the epoch began.
    epoch: Instant,
    lines: bool,
    #[cfg(feature = "progress")]
    bar: Option<Bar>,
}

#[cfg(feature = "progress")]
struct Bar {
    bar: ProgressBar,
    samples: usize,
    /// When the text was last written.
    written: Option<Instant>,
}

/// So often the figures of a bar change.
#[cfg(feature = "progress")]
const PACE: Duration = Duration::from_millis(200);

impl Reporter {
    /// For a run whose next epoch is `first`.
    pub(super) fn new(verbose: Verbose, first: usize, epochs: usize, batches: usize) -> Reporter {
        let bar = match verbose {
            Verbose::Auto => stdout().is_terminal(),
            Verbose::Bar => true,
            Verbose::Silent | Verbose::Lines => false,
        } && cfg!(feature = "progress");
        let _ = (batches, first);
        Reporter {
            epochs,
            start: Instant::now(),
            epoch: Instant::now(),
            lines: !bar && verbose != Verbose::Silent,
            #[cfg(feature = "progress")]
            bar: bar.then(|| {
                let left = epochs.saturating_add(1).saturating_sub(first);
                let bar = new_bar((epochs < usize::MAX).then(|| left.saturating_mul(batches) as u64));
                Bar { bar, samples: 0, written: None }
            }),
        }
    }

    /// An epoch begins, or goes on after so many steps.
    pub(super) fn begin(&mut self, epoch: usize, step: usize) {
        self.epoch = Instant::now();
        #[cfg(feature = "progress")]
        if let Some(Bar { bar, samples, .. }) = &mut self.bar {
            *samples = 0;
            bar.set_prefix(counted(epoch, self.epochs));
            bar.inc(step as u64);
        }
        let _ = (epoch, step);
    }

    /// A step was made on so many samples. The figures are asked for now and then.
    pub(super) fn step(&mut self, samples: usize, logs: impl FnOnce() -> Logs) {
        #[cfg(feature = "progress")]
        if let Some(Bar { bar, samples: sum, written }) = &mut self.bar {
            bar.inc(1);
            *sum += samples;
            if written.is_none_or(|written| written.elapsed() >= PACE) {
                *written = Some(Instant::now());
                bar.set_message(format!("{}  {}", logs(), throughput(*sum, self.epoch.elapsed())));
            }
        }
        #[cfg(not(feature = "progress"))]
        let _ = (samples, logs);
    }

    /// An epoch over so many samples has ended.
    pub(super) fn epoch(&self, epoch: usize, logs: &Logs, samples: usize) {
        let speed = throughput(samples, self.epoch.elapsed());
        #[cfg(feature = "progress")]
        if let Some(Bar { bar, .. }) = &self.bar {
            bar.set_message(format!("{logs}  {speed}"));
        }
        if self.lines {
            let seconds = self.start.elapsed().as_secs_f64();
            // Not `println!`: a reader that closed the pipe must not end the training.
            writeln!(stdout(), "{}  {logs}  {seconds:.1}s  {speed}", counted(epoch, self.epochs)).ok();
        }
    }

    /// An epoch ends before its end.
    pub(super) fn broken_off(&self, epoch: usize, [step, steps]: [usize; 2], logs: &Logs) {
        self.tell(&format!("{} broken off after {step} of {steps} steps  {logs}", counted(epoch, self.epochs)));
    }

    /// Something that the user should know.
    pub(super) fn note(&self, text: &str) {
        self.tell(&format!("note: {text}"));
    }

    /// A line of its own.
    fn tell(&self, line: &str) {
        #[cfg(feature = "progress")]
        if let Some(Bar { bar, .. }) = &self.bar {
            bar.println(line);
        }
        if self.lines {
            writeln!(stdout(), "{line}").ok();
        }
    }

    /// The run has ended; what the bar shows stays.
    pub(super) fn end(&self) {
        #[cfg(feature = "progress")]
        if let Some(Bar { bar, .. }) = &self.bar {
            bar.abandon();
        }
    }
}

/// `5300 samples/s`.
fn throughput(samples: usize, time: Duration) -> String {
    format!("{:.0} samples/s", samples as f64 / time.as_secs_f64().max(1e-9))
}

/// `epoch  3/10`; `epoch 3` where a hook decides when it is enough.
fn counted(epoch: usize, epochs: usize) -> String {
    match epochs {
        usize::MAX => format!("epoch {epoch}"),
        _ => format!("epoch {epoch:>width$}/{epochs}", width = epochs.to_string().len()),
    }
}

/// Without a number of steps there is nothing to fill.
#[cfg(feature = "progress")]
fn new_bar(steps: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stdout());
    let template = match steps {
        Some(_) => "{prefix} {bar:24} {percent:>3}%  {msg}  {elapsed}<{eta}",
        None => "{prefix}  {pos} steps  {msg}  {elapsed}",
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("━╸─")),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_epochs_and_batches_has_a_report() {
        for verbose in [Verbose::Auto, Verbose::Silent, Verbose::Bar] {
            for (epochs, batches) in [(usize::MAX, 3), (usize::MAX / 2, 3), (1, usize::MAX), (0, 0)] {
                let mut reporter = Reporter::new(verbose, 1, epochs, batches);
                reporter.begin(1, 0);
                reporter.step(32, Logs::new);
                reporter.epoch(1, &Logs::new(), 32);
                reporter.note("x");
                reporter.broken_off(1, [1, batches], &Logs::new());
                reporter.end();
            }
        }
        assert_eq!((counted(3, 10), counted(3, usize::MAX)), ("epoch  3/10".into(), "epoch 3".into()));
    }
}
