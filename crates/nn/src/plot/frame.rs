//! What all charts share: the canvas, the axis ranges, the errors.

use plotters::prelude::*;
use std::fmt::Display;
use std::ops::Range;
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
    Ok(text.replacen(&fine, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

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

/// Writes the SVG text, and makes the folder when it does not exist.
pub(super) fn save(path: impl AsRef<Path>, svg: &str) -> Result<()> {
    let path = path.as_ref();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, svg))
        .map_err(|error| Error::io(format!("{} cannot be written", path.display())).caused_by(error))
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
    fn ticks_are_short() {
        for (value, text) in [(0.0, "0"), (0.25, "0.25"), (20.0, "20"), (1e-7, "1.0e-7"), (1.0 / 3.0, "0.3333")] {
            assert_eq!(tick(value), text);
        }
    }
}
