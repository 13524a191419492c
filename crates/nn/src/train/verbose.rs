//! What a run shows while it runs.

use super::logs::Logs;
#[cfg(feature = "progress")]
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stdout};
use std::time::Instant;

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
    lines: bool,
    #[cfg(feature = "progress")]
    bar: Option<ProgressBar>,
}

impl Reporter {
    pub(super) fn new(verbose: Verbose, epochs: usize, batches: usize) -> Reporter {
        let bar = match verbose {
            Verbose::Auto => stdout().is_terminal(),
            Verbose::Bar => true,
            Verbose::Silent | Verbose::Lines => false,
        } && cfg!(feature = "progress");
        let _ = batches;
        Reporter {
            epochs,
            start: Instant::now(),
            lines: !bar && verbose != Verbose::Silent,
            #[cfg(feature = "progress")]
            bar: bar.then(|| new_bar((epochs < usize::MAX).then(|| epochs.saturating_mul(batches) as u64))),
        }
    }

    /// An epoch begins.
    pub(super) fn begin(&self, epoch: usize) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.set_prefix(counted(epoch, self.epochs));
        }
        let _ = epoch;
    }

    /// A step was made.
    pub(super) fn step(&self) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// An epoch has ended.
    pub(super) fn epoch(&self, epoch: usize, logs: &Logs) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.set_message(logs.to_string());
        }
        if self.lines {
            let seconds = self.start.elapsed().as_secs_f64();
            // Not `println!`: a reader that closed the pipe must not end the training.
            writeln!(stdout(), "{}  {logs}  {seconds:.1}s", counted(epoch, self.epochs)).ok();
        }
    }

    /// The run has ended; what the bar shows stays.
    pub(super) fn end(&self) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
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
                let reporter = Reporter::new(verbose, epochs, batches);
                reporter.begin(1);
                reporter.step();
                reporter.epoch(1, &Logs::new());
                reporter.end();
            }
        }
        assert_eq!((counted(3, 10), counted(3, usize::MAX)), ("epoch  3/10".into(), "epoch 3".into()));
    }
}
