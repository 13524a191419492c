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
            bar: bar.then(|| new_bar((epochs * batches) as u64)),
        }
    }

    /// An epoch begins.
    pub(super) fn begin(&self, epoch: usize) {
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("epoch {epoch:>width$}/{}", self.epochs, width = digits(self.epochs)));
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
            let width = digits(self.epochs);
            // Not `println!`: a reader that closed the pipe must not end the training.
            writeln!(stdout(), "epoch {epoch:>width$}/{}  {logs}  {seconds:.1}s", self.epochs).ok();
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

fn digits(number: usize) -> usize {
    number.to_string().len()
}

#[cfg(feature = "progress")]
fn new_bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stdout());
    match ProgressStyle::with_template("{prefix} {bar:24} {percent:>3}%  {msg}  {elapsed}<{eta}") {
        Ok(style) => bar.with_style(style.progress_chars("━╸─")),
        Err(_) => bar,
    }
}
