//! What a training run reported, epoch by epoch.

use super::logs::{Logs, figure};
use super::spark::sparkline;
use std::fmt::{self, Display, Formatter};

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
