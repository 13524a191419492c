//! Curves and points over two axes.

use super::color::{Rgb, line_color};
use super::frame::{Axes, Canvas, Frame, drawable, drawing, drawn, legend, px, quiet_corner, range, share, tick};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::ops::Range;
use wengert_tensor::error::{Error, Result};

/// A chart of one or more curves.
///
/// ```
/// use wengert_nn::plot::line::LineChart;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let chart = LineChart::new("a parabola and where it is lowest")
///     .x_label("x")
///     .y_label("x²")
///     .line("x²", (-20..=20).map(|i| f64::from(i) / 10.0).map(|x| (x, x * x)))
///     .points("minimum", [(0.0, 0.0)]);
/// assert!(chart.to_svg()?.starts_with("<svg"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    frame: Frame,
    log_y: bool,
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    data: Vec<(f64, f64)>,
    mark: Mark,
    color: Rgb,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    Line,
    Dashes,
    Points,
}

impl LineChart {
    /// A chart without curves, of 720 × 440 pixels.
    pub fn new(title: impl Into<String>) -> LineChart {
        LineChart { frame: Frame::new(title, (720, 440)), log_y: false, series: Vec::new() }
    }

    /// What stands below the horizontal axis.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.frame.x_label = label.into();
        self
    }

    /// What stands beside the vertical axis.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.frame.y_label = label.into();
        self
    }

    /// A logarithmic vertical axis; values that are not positive are left out.
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    /// Adds a curve. It is interrupted where a value is not finite.
    pub fn line(self, name: impl Into<String>, data: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.add(name, data, Mark::Line)
    }

    /// Adds a dashed curve in the colour of the one before it.
    pub fn dashes(self, name: impl Into<String>, data: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.add(name, data, Mark::Dashes)
    }

    /// Adds points that are not joined.
    pub fn points(self, name: impl Into<String>, data: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.add(name, data, Mark::Points)
    }

    fn add(mut self, name: impl Into<String>, data: impl IntoIterator<Item = (f64, f64)>, mark: Mark) -> Self {
        let before = self.series.iter().filter(|series| series.mark != Mark::Dashes).count();
        let color = line_color(if mark == Mark::Dashes { before.saturating_sub(1) } else { before });
        self.series.push(Series { name: name.into(), data: data.into_iter().collect(), mark, color });
        self
    }

    /// Where a value lies on the vertical axis.
    fn height(&self, y: f64) -> f64 {
        match self.log_y {
            true if y > 0.0 => y.log10(),
            true => f64::NAN,
            false => y,
        }
    }

    /// The pieces of a curve between its gaps.
    fn pieces(&self, series: &Series) -> Vec<Vec<(f64, f64)>> {
        let placed: Vec<(f64, f64)> = series.data.iter().map(|&(x, y)| (x, self.height(y))).collect();
        let visible = |point: &(f64, f64)| drawable(point.0) && drawable(point.1);
        placed.split(|point| !visible(point)).filter(|piece| !piece.is_empty()).map(<[_]>::to_vec).collect()
    }

    fn ranges(&self) -> Option<(Range<f64>, Range<f64>)> {
        let all: Vec<(f64, f64)> = self.series.iter().flat_map(|series| self.pieces(series)).flatten().collect();
        Some((range(all.iter().map(|point| point.0), 0.02)?, range(all.iter().map(|point| point.1), 0.05)?))
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>) -> Result<()> {
        let (x, y) = self.ranges().ok_or_else(|| {
            Error::value("no point can be drawn")
                .op("LineChart")
                .help("a curve needs a finite value; on a logarithmic axis a positive one")
        })?;
        let log = self.log_y;
        let all = self.series.iter().flat_map(|series| self.pieces(series)).flatten();
        let corner = quiet_corner(all.map(|at| (share(&x, at.0), share(&y, at.1))));
        let axes = Axes {
            x,
            y,
            x_labels: 8,
            x_lines: true,
            x_name: &|x| tick(*x),
            y_name: &|y| tick(if log { 10f64.powf(*y) } else { *y }),
        };
        let mut chart = self.frame.chart(canvas, axes)?;
        for series in &self.series {
            let color = series.color.rgb();
            let stroke = ShapeStyle::from(color).stroke_width(px(2));
            for (n, piece) in self.pieces(series).into_iter().enumerate() {
                let drawn = match series.mark {
                    Mark::Line => chart.draw_series(LineSeries::new(piece, stroke)),
                    Mark::Dashes => chart.draw_series(DashedLineSeries::new(piece, px(6) as i32, px(4) as i32, stroke)),
                    Mark::Points => {
                        chart.draw_series(piece.into_iter().map(|at| Circle::new(at, px(4), color.filled())))
                    }
                }
                .map_err(drawing)?;
                if n == 0 && !series.name.is_empty() {
                    let mark = series.mark;
                    drawn.label(&series.name).legend(move |(x, y)| key(mark, color, x, y));
                }
            }
        }
        if self.series.iter().any(|series| !series.name.is_empty()) {
            legend(&mut chart, corner)?;
        }
        Ok(())
    }
}

drawn! {
    LineChart,
    /// The chart as SVG text.
    ///
    /// # Errors
    /// `Value` when no point of any curve can be drawn.
}

/// The sign beside a name in the legend.
fn key<DB: DrawingBackend>(mark: Mark, color: RGBColor, x: i32, y: i32) -> DynElement<'static, DB, (i32, i32)> {
    let stroke = ShapeStyle::from(color).stroke_width(px(2));
    let (middle, end) = (x + px(9) as i32, x + px(18) as i32);
    match mark {
        Mark::Line => PathElement::new([(x, y), (end, y)], stroke).into_dyn(),
        Mark::Dashes => DashedPathElement::new([(x, y), (end, y)], px(6) as i32, px(4) as i32, stroke).into_dyn(),
        Mark::Points => Circle::new((middle, y), px(4), color.filled()).into_dyn(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_text_in_the_file() {
        let chart = LineChart::new("Loss < 1 & more").x_label("epoch").line("train", [(0.0, 1.0), (1.0, 0.5)]);
        let svg = chart.dashes("test", [(0.0, 2.0), (1.0, 0.7)]).points("best", [(1.0, 0.5)]).to_svg().unwrap();
        assert!(LineChart::new("\u{1b}[1m\t").line("a", [(0.0, 1.0)]).to_svg().unwrap().contains("\u{fffd}[1m"));
        for text in ["Loss &lt; 1 &amp; more", "epoch", "train", "test", "best"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn no_number_breaks_a_chart() {
        let odd =
            [0.0, -0.0, 1e-320, 1e299, -1e299, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e16, 1e16 + 2.0, 1e-17];
        for &a in &odd {
            for &b in &odd {
                for log in [false, true] {
                    let chart = LineChart::new("t").line("a", [(0.0, a), (1.0, b), (a, 1.0), (b, 2.0)]);
                    let chart = if log { chart.log_y() } else { chart };
                    assert_eq!(chart.to_svg().is_ok(), a.is_finite() || b.is_finite(), "{a:e} {b:e} {log}");
                }
            }
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(LineChart::new("t").to_svg().is_err());
        assert!(LineChart::new("t").line("a", [(0.0, f64::NAN)]).to_svg().is_err());
        assert!(LineChart::new("t").line("a", [(0.0, -1.0)]).log_y().to_svg().is_err());
        for size in [(0, 0), (1, 1), (10, 10), (64, 4)] {
            let _ = LineChart::new("t").line("a", [(0.0, 1.0), (1.0, 2.0)]).size(size.0, size.1).to_svg();
        }
    }
}
