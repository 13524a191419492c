//! What all charts share: the canvas, the axis ranges, the errors.

use crate::files::atomic::write_atomic;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::fmt::Display;
use std::ops::Range;
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, Result};

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Text that is not black: axis names, ticks.
pub(super) const INK: RGBColor = RGBColor(60, 60, 60);
/// Grid lines.
pub(super) const FAINT: RGBColor = RGBColor(225, 225, 225);

/// Steps of a pixel: the backend places everything on whole numbers, which makes curves jagged.
const STEPS: u32 = 4;

/// A length in pixels as the backend counts.
pub(super) fn px(pixels: u32) -> u32 {
    pixels * STEPS
}

/// A font of this size.
pub(super) fn font(pixels: u32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", px(pixels)).into_font().color(&color)
}

/// Runs the drawing on a white canvas of this size in pixels and returns the SVG text.
pub(super) fn svg((width, height): (u32, u32), draw: impl FnOnce(&Canvas<'_>) -> Result<()>) -> Result<String> {
    if !(16..=16_384).contains(&width) || !(16..=16_384).contains(&height) {
        return Err(Error::value(format!("a drawing of {width} × {height} pixels: each from 16 to 16384")).op("svg"));
    }
    let mut text = String::new();
    {
        let canvas = SVGBackend::with_string(&mut text, (px(width), px(height))).into_drawing_area();
        canvas.fill(&WHITE).map_err(drawing)?;
        draw(&canvas)?;
        canvas.present().map_err(drawing)?;
    }
    // The view box stays in steps.
    let fine = format!("width=\"{}\" height=\"{}\"", px(width), px(height));
    Ok(printable(text).replacen(&fine, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

/// The text without characters that XML does not have: one in a title or in the name of a class would spoil the file.
pub(super) fn printable(text: String) -> String {
    let odd = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(odd) { text.replace(odd, "\u{fffd}") } else { text }
}

/// What a chart is told of its frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) x_label: String,
    pub(super) y_label: String,
    pub(super) size: (u32, u32),
}

/// How the axes of a chart are drawn.
pub(super) struct Axes<'f> {
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    /// So many names along x, with lines through them or without.
    pub(super) x_labels: usize,
    pub(super) x_lines: bool,
    pub(super) x_name: &'f dyn Fn(&f64) -> String,
    pub(super) y_name: &'f dyn Fn(&f64) -> String,
}

pub(super) type Chart<'a, 'c> = ChartContext<'a, SVGBackend<'c>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Frame {
    pub(super) fn new(title: impl Into<String>, size: (u32, u32)) -> Frame {
        Frame { title: title.into(), x_label: String::new(), y_label: String::new(), size }
    }

    /// A chart with title and axes, to draw on.
    pub(super) fn chart<'a, 'c>(&self, canvas: &Canvas<'c>, axes: Axes<'_>) -> Result<Chart<'a, 'c>> {
        let mut chart = ChartBuilder::on(canvas)
            .caption(&self.title, font(20, INK))
            .margin(px(12))
            .x_label_area_size(px(42))
            // Beside the name of the axis the longest ticks, such as 0.0316, have room.
            .y_label_area_size(px(if self.y_label.is_empty() { 64 } else { 78 }))
            .build_cartesian_2d(axes.x, axes.y)
            .map_err(drawing)?;
        let mut mesh = chart.configure_mesh();
        if !axes.x_lines {
            mesh.disable_x_mesh();
        }
        mesh.set_all_tick_mark_size(px(5))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_labels(axes.x_labels)
            .y_labels(8)
            .label_style(font(14, INK))
            .axis_desc_style(font(16, INK))
            .axis_style(INK.stroke_width(px(1)))
            .bold_line_style(FAINT.stroke_width(px(1)))
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&axes.x_name)
            .y_label_formatter(&axes.y_name)
            .draw()
            .map_err(drawing)?;
        drop(mesh);
        Ok(chart)
    }
}

/// The names of what was drawn, in a corner.
pub(super) fn legend<'a, 'c: 'a>(chart: &mut Chart<'a, 'c>, corner: SeriesLabelPosition) -> Result<()> {
    chart
        .configure_series_labels()
        .position(corner)
        .legend_area_size(px(26))
        .margin(px(6))
        .background_style(WHITE.mix(0.85))
        .border_style(FAINT.stroke_width(px(1)))
        .label_font(font(14, INK))
        .draw()
        .map_err(drawing)
}

/// The ways out of a chart that has a `frame` and a `draw`: as text, as a file, in a size.
macro_rules! drawn {
    ($chart:ident, $(#[$doc:meta])+) => {
        impl $chart {
            /// Width and height in pixels.
            #[must_use]
            pub fn size(mut self, width: u32, height: u32) -> Self {
                self.frame.size = (width, height);
                self
            }

            $(#[$doc])+
            #[track_caller]
            pub fn to_svg(&self) -> Result<String> {
                let drawing = $crate::plot::frame::svg(self.frame.size, |canvas| self.draw(canvas));
                $crate::explain::framed(stringify!($chart), drawing)
            }

            /// Writes the picture to a file, whole or not at all, and makes its folder when there is none.
            ///
            /// # Errors
            #[doc = concat!("Those of [`to_svg`](", stringify!($chart), "::to_svg), and `Io`.")]
            #[track_caller]
            pub fn save_svg(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
                $crate::plot::frame::save(path, &self.to_svg()?)
            }
        }
    };
}
pub(super) use drawn;

/// The corner that hides the fewest of these places, given as shares of width and height from the lower left.
pub(super) fn quiet_corner(places: impl Iterator<Item = (f64, f64)>) -> SeriesLabelPosition {
    let corners = [
        (SeriesLabelPosition::UpperRight, 1.0, 1.0),
        (SeriesLabelPosition::UpperLeft, 0.0, 1.0),
        (SeriesLabelPosition::LowerRight, 1.0, 0.0),
        (SeriesLabelPosition::LowerLeft, 0.0, 0.0),
    ];
    let mut hidden = [0usize; 4];
    for (x, y) in places {
        for (count, (_, right, up)) in hidden.iter_mut().zip(&corners) {
            *count += usize::from((right - x).abs() < 0.3 && (up - y).abs() < 0.3);
        }
    }
    let best = hidden.iter().zip(corners).min_by_key(|(count, _)| **count);
    best.map_or(SeriesLabelPosition::UpperRight, |(_, (position, ..))| position)
}

/// The share of the way through a range.
pub(super) fn share(range: &Range<f64>, value: f64) -> f64 {
    (value - range.start) / (range.end - range.start)
}

/// Writes the SVG text, whole or not at all, and makes the folder when it does not exist.
#[track_caller]
pub(super) fn save(path: impl AsRef<Path>, svg: &str) -> Result<()> {
    let here = Location::caller();
    write_atomic(path, svg.as_bytes()).map_err(|error| error.op("save_svg").at(here))
}

pub(super) fn drawing(error: impl Display) -> Error {
    Error::state(format!("the chart could not be drawn: {error}"))
}

/// The range of an axis that shows all finite values with a margin, or nothing when there are none.
///
/// It is never empty, infinite, or so narrow that neighbouring ticks would be the same number.
pub(super) fn range(values: impl Iterator<Item = f64>, margin: f64) -> Option<Range<f64>> {
    let (low, high) = values
        .filter(|value| drawable(*value))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return None;
    }
    let narrowest = low.abs().max(high.abs()) * 1e-9;
    let span = high - low;
    let (low, high) = if span > narrowest {
        (low - span * margin, high + span * margin)
    } else {
        let room = if narrowest > 0.0 { low.abs().max(high.abs()) * 0.1 } else { 0.5 };
        (low - room, high + room)
    };
    Some(low..high)
}

/// Whether a value has a place on an axis.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < 1e300
}

/// A tick as short as it can be.
pub(super) fn tick(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        "0".into()
    } else if (1e-3..1e5).contains(&size) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        format!("{value:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_never_empty() {
        assert_eq!(range([f64::NAN, f64::INFINITY].into_iter(), 0.05), None);
        for values in [[1.0, 1.0], [0.0, 0.0], [1e16, 1e16 + 2.0], [-1e-200, 1e-200], [1e299, -1e299]] {
            let range = range(values.into_iter(), 0.05).unwrap();
            assert!(range.start < range.end && (range.end - range.start).is_finite(), "{range:?}");
        }
    }

    #[test]
    fn a_picture_that_cannot_be_written_leaves_the_old_one() {
        use crate::scratch::Scratch;
        let scratch = Scratch::new("frame");
        save(scratch.file("deep/a.svg"), "one").unwrap();
        save(scratch.file("deep/a.svg"), "two").unwrap();
        assert_eq!(std::fs::read_to_string(scratch.file("deep/a.svg")).unwrap(), "two");
        // A link is replaced, not written through: a name that somebody else reads never holds half a picture.
        #[cfg(unix)]
        {
            std::fs::hard_link(scratch.file("deep/a.svg"), scratch.file("deep/b.svg")).unwrap();
            save(scratch.file("deep/a.svg"), "three").unwrap();
            assert_eq!(std::fs::read_to_string(scratch.file("deep/b.svg")).unwrap(), "two");
        }
        let error = save(scratch.file("deep/a.svg/c.svg"), "x").unwrap_err();
        assert!(error.location().is_some_and(|at| at.file().ends_with("frame.rs")), "{error}");
    }

    #[test]
    fn ticks_are_short() {
        for (value, text) in [(0.0, "0"), (0.25, "0.25"), (20.0, "20"), (1e-7, "1.0e-7"), (1.0 / 3.0, "0.3333")] {
            assert_eq!(tick(value), text);
        }
    }
}
