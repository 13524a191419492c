//! The curves of a training run.

use super::frame::{drawing, save, svg};
use super::line::LineChart;
use crate::train::history::History;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

impl History {
    /// Draws one panel for the loss and one for each metric, side by side, into an SVG file; validation is dashed.
    ///
    /// # Errors
    /// `State` when there is no epoch, `Io` when the file cannot be written.
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    /// The drawing of [`save_svg`](History::save_svg) as text.
    ///
    /// ```
    /// use wengert_nn::train::history::History;
    /// use wengert_nn::train::logs::Logs;
    ///
    /// let mut history = History::new();
    /// history.push(Logs::from([("loss", 0.9), ("val_loss", 1.0)]));
    /// history.push(Logs::from([("loss", 0.5), ("val_loss", 0.7)]));
    /// assert!(history.to_svg()?.contains("val_loss"));
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `State` when there is no epoch with a finite figure.
    pub fn to_svg(&self) -> Result<String> {
        let panels: Vec<LineChart> = self
            .columns()
            .into_iter()
            .filter(|name| !name.starts_with("val_"))
            .filter_map(|name| self.panel(name))
            .collect();
        if panels.is_empty() {
            return Err(Error::state("a history without finite figures has no curves").op("History::save_svg"));
        }
        svg((520 * panels.len() as u32, 400), |canvas| {
            for (panel, area) in panels.iter().zip(canvas.split_evenly((1, panels.len()))) {
                panel.draw(&area)?;
            }
            canvas.present().map_err(drawing)
        })
    }

    fn panel(&self, name: &str) -> Option<LineChart> {
        let curve = |column: Vec<f64>| column.into_iter().enumerate().map(|(epoch, value)| ((epoch + 1) as f64, value));
        let column = self.column(name)?;
        if !column.iter().any(|value| value.is_finite()) {
            return None;
        }
        let chart = LineChart::new(name).x_label("epoch").line(name, curve(column));
        let validation = format!("val_{name}");
        Some(match self.column(&validation) {
            Some(column) => chart.dashes(validation, curve(column)),
            None => chart,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::train::logs::Logs;

    #[test]
    fn draws_a_panel_for_each_column() {
        let mut history = History::new();
        assert!(history.to_svg().is_err());
        history.push(Logs::from([("loss", f64::NAN), ("accuracy", 0.5), ("val_loss", 2.0), ("val_accuracy", 0.4)]));
        assert!(history.to_svg().is_ok(), "the loss has no panel, the accuracy one point");
        history.push(Logs::from([("loss", 1.0), ("accuracy", 0.75), ("val_loss", 1.5), ("val_accuracy", 0.6)]));
        let scratch = Scratch::new("plot");
        let path = scratch.file("deep/curves.svg");
        history.save_svg(&path).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for name in ["loss", "val_loss", "accuracy", "val_accuracy", "epoch"] {
            assert!(svg.contains(name), "{name}");
        }
    }
}
