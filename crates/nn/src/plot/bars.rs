//! A bar for each name.

use super::color::line_color;
use super::frame::{Canvas, FAINT, INK, drawable, drawing, font, px, save, svg, tick};
use crate::explain::framed;
use plotters::prelude::*;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

/// A chart of bars that start at 0: importance of features, accuracy of classes, counts of labels.
///
/// ```
/// use wengert_nn::plot::bars::BarChart;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let chart = BarChart::new("right answers").bar("cat", 0.9).bar("dog", 0.75).y_label("share");
/// assert!(chart.to_svg()?.contains("dog"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BarChart {
    title: String,
    y_label: String,
    bars: Vec<(String, f64)>,
    size: (u32, u32),
}

impl BarChart {
    /// A chart without bars.
    pub fn new(title: impl Into<String>) -> BarChart {
        BarChart { title: title.into(), y_label: String::new(), bars: Vec::new(), size: (720, 440) }
    }

    /// Adds a bar. One whose value is not finite is left out.
    #[must_use]
    pub fn bar(mut self, name: impl Into<String>, value: f64) -> BarChart {
        self.bars.push((name.into(), value));
        self
    }

    /// Adds a bar for each pair.
    #[must_use]
    pub fn bars<S: Into<String>>(self, bars: impl IntoIterator<Item = (S, f64)>) -> BarChart {
        bars.into_iter().fold(self, |chart, (name, value)| chart.bar(name, value))
    }

    /// What stands beside the vertical axis.
    #[must_use]
    pub fn y_label(mut self, label: impl Into<String>) -> BarChart {
        self.y_label = label.into();
        self
    }

    /// Width and height in pixels (default 720 × 440).
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> BarChart {
        self.size = (width, height);
        self
    }

    /// The chart as SVG text.
    ///
    /// # Errors
    /// `Value` when there is no bar, or more than 1000.
    #[track_caller]
    pub fn to_svg(&self) -> Result<String> {
        framed("BarChart", svg(self.size, |canvas| self.draw(canvas)))
    }

    /// Writes the chart to a file, and makes its folder when there is none.
    ///
    /// # Errors
    /// Those of [`to_svg`](BarChart::to_svg), and `Io`.
    #[track_caller]
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    fn draw(&self, canvas: &Canvas<'_>) -> Result<()> {
        let n = self.bars.len();
        let heights = || self.bars.iter().map(|bar| bar.1).filter(|height| drawable(*height));
        if n > 1000 || heights().next().is_none() {
            return Err(Error::value(format!("{n} bars: at least one that is finite, at most 1000")));
        }
        let (low, high) = heights().fold((0.0f64, 0.0f64), |(low, high), height| (low.min(height), high.max(height)));
        let room = if high > low { 0.06 * (high - low) } else { 1.0 };
        let (low, high) = (if low < 0.0 { low - room } else { 0.0 }, high + room);
        let mut chart = ChartBuilder::on(canvas)
            .caption(&self.title, font(20, INK))
            .margin(px(12))
            .x_label_area_size(px(42))
            .y_label_area_size(px(64))
            .build_cartesian_2d(-0.5..n as f64 - 0.5, low..high)
            .map_err(drawing)?;
        let name = |x: &f64| {
            let whole = (x - x.round()).abs() < 1e-6 && *x > -0.5;
            let name = if whole { self.bars.get(x.round() as usize) } else { None };
            name.map_or(String::new(), |(name, _)| name.clone())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .set_all_tick_mark_size(px(5))
            .y_desc(&self.y_label)
            .x_labels(n.clamp(2, 40))
            .y_labels(8)
            .label_style(font(14, INK))
            .axis_desc_style(font(16, INK))
            .axis_style(INK.stroke_width(px(1)))
            .bold_line_style(FAINT.stroke_width(px(1)))
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&name)
            .y_label_formatter(&|y| tick(*y))
            .draw()
            .map_err(drawing)?;
        let color = line_color(0).rgb();
        let bars = self.bars.iter().enumerate().filter(|(_, bar)| drawable(bar.1));
        let bars =
            bars.map(|(i, bar)| Rectangle::new([(i as f64 - 0.4, 0.0), (i as f64 + 0.4, bar.1)], color.filled()));
        chart.draw_series(bars).map_err(drawing)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_that_is_finite_is_drawn() {
        let chart = BarChart::new("t").bars([("a", 1.0), ("b", -2.0), ("c", f64::NAN), ("d", 1e299), ("e", 0.0)]);
        let svg = chart.to_svg().unwrap();
        // The ground is a rectangle, too.
        assert_eq!(svg.matches("<rect").count(), 1 + 4);
        for name in ["a", "b", "c", "d", "e"] {
            assert!(svg.contains(&format!(">\n{name}\n")), "{name}");
        }
        assert!(BarChart::new("t").bar("a", 0.0).to_svg().is_ok());
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(BarChart::new("t").to_svg().is_err());
        assert!(BarChart::new("t").bar("a", f64::INFINITY).to_svg().is_err());
        assert!(BarChart::new("t").bars((0..1001).map(|i| (i.to_string(), 1.0))).to_svg().is_err());
        assert!(BarChart::new("t").bar("a", 1.0).size(1, 1).to_svg().is_err());
    }
}
