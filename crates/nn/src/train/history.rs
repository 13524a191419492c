//! What a training run reported, epoch by epoch.

use super::logs::{Logs, figure};
use super::spark::sparkline;
use crate::tensors::{self, Named};
use std::fmt::{self, Display, Formatter};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// The loss and the metrics of every epoch, by name.
///
/// Its `Display` is a sparkline for each column and the last epoch's line:
///
/// ```
/// use wengert_nn::train::history::History;
/// use wengert_nn::train::logs::Logs;
///
/// let mut history = History::new();
/// for loss in [0.8, 0.4, 0.2, 0.1] {
///     history.push(Logs::from([("loss", loss)]));
/// }
/// assert_eq!(history.column("loss"), Some(vec![0.8, 0.4, 0.2, 0.1]));
/// assert_eq!(history.last("loss"), Some(0.1));
/// assert_eq!(history.to_string(), "loss  █▄▂▁  0.8000 → 0.1000\nepoch 4  loss 0.1000");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    epochs: Vec<Logs>,
    notes: Vec<String>,
    interrupted: bool,
    unfinished: Option<Logs>,
}

impl History {
    /// A history without epochs.
    pub fn new() -> History {
        History::default()
    }

    /// Appends an epoch.
    pub fn push(&mut self, logs: Logs) {
        self.epochs.push(logs);
    }

    /// The number of epochs.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether no epoch was finished.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// The epochs, in order.
    pub fn epochs(&self) -> &[Logs] {
        &self.epochs
    }

    /// The names of the columns: `loss`, the metrics, and the same with `val_` in front when there was validation.
    pub fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.epochs.iter().flat_map(Logs::iter) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// One value an epoch, NaN for an epoch that lacks it; `None` when no epoch has such a column.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let values: Vec<Option<f64>> = self.epochs.iter().map(|logs| logs.get(name)).collect();
        let known = values.iter().any(Option::is_some);
        known.then(|| values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    /// The value of the last epoch.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last()?.get(name)
    }

    /// What was pointed out on the way: parameters without a gradient, dead units, a loss at chance level, why a run ended early.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether an [`Interrupt`](super::interrupt::Interrupt) ended the run. The epoch that it broke off is not among the epochs:
    /// [`unfinished`](History::unfinished) has its figures.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// The loss and the metrics of an epoch that was broken off, over the steps that it has made; without figures of validation.
    ///
    /// A run that is resumed finishes the epoch, which then stands among the others.
    pub fn unfinished(&self) -> Option<&Logs> {
        self.unfinished.as_ref()
    }

    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(super) fn break_off(&mut self, logs: Logs) {
        self.unfinished = Some(logs);
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// To be saved: the figures, bit for bit, and the notes.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub(super) fn state(&self) -> Named {
        let columns = self.columns();
        let mut state = vec![
            ("epochs".to_string(), tensors::counted(self.len())),
            ("columns".to_string(), tensors::lines(&columns)),
            ("notes".to_string(), tensors::lines(&self.notes)),
        ];
        let cells = || self.epochs.iter().flat_map(|logs| columns.iter().map(|name| logs.get(name)));
        if !self.is_empty() && !columns.is_empty() {
            let figures: Vec<f64> = cells().map(|cell| cell.unwrap_or(0.0)).collect();
            let there: Vec<u8> = cells().map(|cell| u8::from(cell.is_some())).collect();
            state.push(("figures".to_string(), Tensor::from(figures)));
            state.push(("there".to_string(), Tensor::from(there)));
        }
        state
    }

    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub(super) fn loaded(state: &[(String, Tensor)]) -> Result<History> {
        let columns = tensors::read_lines(state, "columns")?;
        let (epochs, notes) = (tensors::count(state, "epochs")?, tensors::read_lines(state, "notes")?);
        let figures = tensors::floats(state, "figures")?;
        let there = tensors::find(state, "there").map(|there| there.to_vec::<u8>()).transpose()?.unwrap_or_default();
        let cells = epochs.checked_mul(columns.len());
        if cells != Some(figures.len()) || figures.len() != there.len() {
            return Err(Error::format(format!("{} figures are no {epochs} epochs", figures.len())).op("load_state"));
        }
        let mut history = History { notes, ..History::new() };
        if columns.is_empty() {
            return Ok(history);
        }
        for (figures, there) in figures.chunks(columns.len()).zip(there.chunks(columns.len())) {
            let mut logs = Logs::new();
            let known = columns.iter().zip(figures).zip(there).filter(|(_, there)| **there == 1);
            known.for_each(|((name, figure), _)| logs.set(name, *figure));
            history.push(logs);
        }
        Ok(history)
    }
}

impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(last) = self.epochs.last() else {
            return f.write_str("no epochs");
        };
        let columns = self.columns();
        let width = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for name in columns {
            let values = self.column(name).unwrap_or_default();
            let ends = (values.first().copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN));
            writeln!(f, "{name:width$}  {}  {} → {}", sparkline(&values, 40), figure(ends.0), figure(ends.1))?;
        }
        write!(f, "epoch {}  {last}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_every_column_aligned() {
        let mut history = History::new();
        assert_eq!(history.to_string(), "no epochs");
        for epoch in 0..5 {
            let loss = 1.0 / f64::from(1 + epoch);
            history.push(Logs::from([("loss", loss), ("accuracy", 1.0 - loss / 2.0)]));
        }
        let expected = "\
loss      █▃▂▁▁  1.0000 → 0.2000
accuracy  ▁▆▇██  0.5000 → 0.9000
epoch 5  loss 0.2000  accuracy 0.9000";
        assert_eq!(history.to_string(), expected);
        assert_eq!(history.columns(), ["loss", "accuracy"]);
        assert_eq!(history.column("val_loss"), None);
        assert_eq!(history.last("val_loss"), None);
    }

    #[test]
    fn it_is_saved_bit_for_bit() {
        let mut history = History::new();
        assert_eq!(History::loaded(&history.state()).unwrap(), history);
        history.push(Logs::from([("loss", 0.1)]));
        history.push(Logs::from([("loss", f64::INFINITY), ("val_loss", 1.0 / 3.0)]));
        history.note("a\nb".into());
        let state = history.state();
        assert_eq!(History::loaded(&state).unwrap(), history);
        for wrong in 0..state.len() {
            let mut state = state.clone();
            state[wrong].1 = Tensor::from(7i64);
            assert!(History::loaded(&state).is_err(), "{}", state[wrong].0);
        }
    }

    #[test]
    fn a_column_that_began_late_has_gaps() {
        let mut history = History::new();
        history.push(Logs::from([("loss", 1.0)]));
        history.push(Logs::from([("loss", 0.5), ("val_loss", 0.7)]));
        let column = history.column("val_loss").unwrap();
        assert!(column[0].is_nan());
        assert_eq!(column[1], 0.7);
        assert!(history.to_string().contains("×"));
    }
}
