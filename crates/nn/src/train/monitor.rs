//! A column that is watched, and when its figure counts as better.

use super::columns::Columns;
use wengert_tensor::error::{Error, Result};

/// Which figures are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The metric knows: smaller for a loss, larger for an accuracy.
    #[default]
    Auto,
    /// Smaller ones.
    Min,
    /// Larger ones.
    Max,
}

/// A column that is watched.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) mode: Mode,
    pub(super) min_delta: f64,
}

impl Monitor {
    pub(super) fn on(name: impl Into<String>) -> Monitor {
        Monitor { name: name.into(), mode: Mode::Auto, min_delta: 0.0 }
    }

    /// Whether a figure is better than the best one by more than `min_delta`. NaN is not better, and anything is better than NaN.
    pub(super) fn is_better(&self, columns: &Columns, figure: f64, best: f64) -> bool {
        if figure.is_nan() || best.is_nan() {
            return !figure.is_nan();
        }
        match self.rises(columns) {
            true => figure - self.min_delta > best,
            false => figure + self.min_delta < best,
        }
    }

    pub(super) fn rises(&self, columns: &Columns) -> bool {
        match self.mode {
            Mode::Auto => columns.higher_is_better(&self.name),
            mode => mode == Mode::Max,
        }
    }

    pub(super) fn check(&self, who: &str) -> Result<()> {
        if self.min_delta >= 0.0 && self.min_delta.is_finite() {
            return Ok(());
        }
        Err(Error::value(format!("the least difference is {}, and must not be negative", self.min_delta)).op(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_follows_mode_and_difference() {
        let mut columns = Columns::default();
        columns.push("loss", false);
        columns.push("accuracy", true);
        let cases = [
            ("loss", Mode::Auto, 0.0, 0.9, 1.0, true),
            ("loss", Mode::Auto, 0.0, 1.0, 1.0, false),
            ("loss", Mode::Auto, 0.2, 0.9, 1.0, false),
            ("loss", Mode::Max, 0.0, 1.1, 1.0, true),
            ("accuracy", Mode::Auto, 0.0, 0.9, 0.8, true),
            ("accuracy", Mode::Auto, 0.2, 0.9, 0.8, false),
            ("accuracy", Mode::Min, 0.0, 0.9, 0.8, false),
            ("loss", Mode::Auto, 0.0, f64::NAN, 1.0, false),
            ("loss", Mode::Auto, 0.0, 1.0, f64::NAN, true),
        ];
        for (name, mode, min_delta, figure, best, expected) in cases {
            let monitor = Monitor { name: name.into(), mode, min_delta };
            assert_eq!(monitor.is_better(&columns, figure, best), expected, "{monitor:?} {figure} {best}");
        }
        assert!(Monitor { min_delta: -1.0, ..Monitor::on("loss") }.check("x").is_err());
        assert!(Monitor { min_delta: f64::NAN, ..Monitor::on("loss") }.check("x").is_err());
    }
}
