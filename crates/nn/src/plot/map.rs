//! A function of two variables, seen from above: colours, contour lines, points and paths.

use super::color::{Rgb, scale_color};
use super::contour::contour;
use super::frame::{Canvas, INK, drawable, drawing, font, px, quiet_corner, save, share, svg, tick};
use crate::explain::framed;
use plotters::prelude::*;
use std::ops::Range;
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Colour steps of the map.
const BANDS: usize = 24;

/// A map of values on a grid.
///
/// ```
/// use wengert_nn::plot::map::HeatMap;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// // Rows go along y, columns along x: the value in row j, column i is f(xᵢ, yⱼ).
/// let bowl = Tensor::from_fn([21, 21], |at| {
///     let (x, y) = ((at % 21) as f32 / 10.0 - 1.0, (at / 21) as f32 / 10.0 - 1.0);
///     x * x + y * y
/// })?;
/// let map = HeatMap::new("a bowl", &bowl, -1.0..1.0, -1.0..1.0)?
///     .contours(10)
///     .path("descent", [(0.9, 0.8), (0.4, 0.3), (0.1, 0.1)])
///     .points("minimum", [(0.0, 0.0)]);
/// assert!(map.to_svg()?.contains("minimum"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap {
    title: String,
    values: Vec<f64>,
    rows: usize,
    columns: usize,
    x: Range<f64>,
    y: Range<f64>,
    contours: usize,
    marks: Vec<Mark>,
    size: (u32, u32),
}

#[derive(Clone, Debug)]
struct Mark {
    name: String,
    at: Vec<(f64, f64)>,
    joined: bool,
    color: Rgb,
}

/// Marks must stand out from every colour of the scale: no blue, green or yellow.
const MARKS: [Rgb; 6] =
    [Rgb(255, 255, 255), Rgb(255, 64, 64), Rgb(255, 165, 0), Rgb(255, 120, 220), Rgb(150, 220, 255), Rgb(0, 0, 0)];

impl HeatMap {
    /// A map of `values`, `[rows, columns]` of any dtype: the first row lies at `y.start`, the last at `y.end`, the
    /// first column at `x.start`, the last at `x.end`.
    ///
    /// # Errors
    /// `Shape` unless the values have two axes of two or more, `Value` when a range is empty or not finite, or when no
    /// value is finite.
    #[track_caller]
    pub fn new(title: impl Into<String>, values: &Tensor, x: Range<f64>, y: Range<f64>) -> Result<HeatMap> {
        let here = Location::caller();
        HeatMap::checked(title.into(), values, x, y).map_err(|error| {
            error.op("HeatMap").operand("values", format!("{} {}", values.shape(), values.dtype())).at(here)
        })
    }

    fn checked(title: String, values: &Tensor, x: Range<f64>, y: Range<f64>) -> Result<HeatMap> {
        let (rows, columns) = match values.shape().dims() {
            [rows, columns] if *rows >= 2 && *columns >= 2 => (*rows, *columns),
            _ => return Err(Error::shape("a map needs two axes of two or more values each")),
        };
        for range in [&x, &y] {
            if !(range.start < range.end && drawable(range.start) && drawable(range.end)) {
                return Err(Error::value(format!("the range {range:?} has no inside")));
            }
        }
        let values = values.to_f64_vec();
        if !values.iter().any(|value| drawable(*value)) {
            return Err(Error::value("no value is finite"));
        }
        Ok(HeatMap { title, values, rows, columns, x, y, contours: 0, marks: Vec::new(), size: (720, 600) })
    }

    /// Draws this many lines of equal height.
    pub fn contours(mut self, lines: usize) -> Self {
        self.contours = lines.min(100);
        self
    }

    /// Width and height in pixels (default 720 × 600).
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Joins points by a line.
    pub fn path(self, name: impl Into<String>, at: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(name, at, true)
    }

    /// Marks points.
    pub fn points(self, name: impl Into<String>, at: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(name, at, false)
    }

    fn mark(mut self, name: impl Into<String>, at: impl IntoIterator<Item = (f64, f64)>, joined: bool) -> Self {
        let color = MARKS.get(self.marks.len() % MARKS.len()).copied().unwrap_or(Rgb(0, 0, 0));
        let at = at.into_iter().filter(|at| self.x.contains(&at.0) && self.y.contains(&at.1)).collect();
        self.marks.push(Mark { name: name.into(), at, joined, color });
        self
    }

    /// The map as SVG text.
    ///
    /// # Errors
    /// `State` when the canvas is too small to draw on.
    #[track_caller]
    pub fn to_svg(&self) -> Result<String> {
        framed("HeatMap", svg(self.size, |canvas| self.draw(canvas)))
    }

    /// Writes the map to a file, and makes its folder when there is none.
    ///
    /// # Errors
    /// Those of [`to_svg`](HeatMap::to_svg), and `Io`.
    #[track_caller]
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    /// The value of a node; NaN beyond the grid.
    fn value(&self, row: usize, column: usize) -> f64 {
        self.values.get(row * self.columns + column).copied().unwrap_or(f64::NAN)
    }

    /// The coordinates of a place between the nodes.
    fn place(&self, row: f64, column: f64) -> (f64, f64) {
        let along =
            |range: &Range<f64>, at: f64, n: usize| range.start + (range.end - range.start) * at / (n - 1) as f64;
        (along(&self.x, column, self.columns), along(&self.y, row, self.rows))
    }

    fn limits(&self) -> (f64, f64) {
        self.values
            .iter()
            .filter(|value| drawable(**value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
    }

    /// Rectangles of one colour: neighbours along x are joined, which keeps the file small.
    fn bands(&self) -> Vec<(usize, Range<usize>, usize)> {
        let (low, high) = self.limits();
        let band = |row: usize, column: usize| {
            let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(r, c)| self.value(row + r, column + c));
            let mean = corners.iter().sum::<f64>() / 4.0;
            let share = if high > low { (mean - low) / (high - low) } else { 0.5 };
            drawable(mean).then(|| ((share * BANDS as f64) as usize).min(BANDS - 1))
        };
        let mut joined: Vec<(usize, Range<usize>, usize)> = Vec::new();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let Some(color) = band(row, column) else { continue };
                match joined.last_mut() {
                    Some(last) if last.0 == row && last.1.end == column && last.2 == color => last.1.end += 1,
                    _ => joined.push((row, column..column + 1, color)),
                }
            }
        }
        joined
    }

    fn draw(&self, canvas: &Canvas<'_>) -> Result<()> {
        let mut chart = ChartBuilder::on(canvas)
            .caption(&self.title, font(20, INK))
            .margin(px(12))
            .x_label_area_size(px(34))
            .y_label_area_size(px(56))
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .set_all_tick_mark_size(px(5))
            .label_style(font(14, INK))
            .axis_style(INK.stroke_width(px(1)))
            .x_label_formatter(&|x| tick(*x))
            .y_label_formatter(&|y| tick(*y))
            .draw()
            .map_err(drawing)?;
        let rectangles = self.bands().into_iter().map(|(row, columns, band)| {
            // A little too large: neighbours overlap, so that no seam shows between them.
            let end = |at: usize, n: usize| (at as f64 + 0.3).min((n - 1) as f64);
            let corner = self.place(row as f64, columns.start as f64);
            let opposite = self.place(end(row + 1, self.rows), end(columns.end, self.columns));
            Rectangle::new([corner, opposite], scale_color((band as f64 + 0.5) / BANDS as f64).rgb().filled())
        });
        chart.draw_series(rectangles).map_err(drawing)?;

        let (low, high) = self.limits();
        for line in 1..=self.contours {
            let level = low + (high - low) * line as f64 / (self.contours + 1) as f64;
            let lines = contour(|row, column| self.value(row, column), (self.rows, self.columns), level);
            let paths = lines.into_iter().map(|line| {
                let places: Vec<(f64, f64)> = line.into_iter().map(|(row, column)| self.place(row, column)).collect();
                PathElement::new(places, WHITE.mix(0.35).stroke_width(px(1)))
            });
            chart.draw_series(paths).map_err(drawing)?;
        }
        for mark in &self.marks {
            let color = mark.color.rgb();
            if mark.joined {
                chart
                    .draw_series(LineSeries::new(mark.at.iter().copied(), color.stroke_width(px(2))))
                    .map_err(drawing)?;
            }
            let (radius, n) = if mark.joined { (2, mark.at.len().min(200)) } else { (5, mark.at.len()) };
            let dots = mark.at.iter().take(n).flat_map(|&at| {
                [Circle::new(at, px(radius + 1), BLACK.filled()), Circle::new(at, px(radius), color.filled())]
            });
            let drawn = chart.draw_series(dots).map_err(drawing)?;
            if !mark.name.is_empty() {
                drawn.label(&mark.name).legend(move |(x, y)| Circle::new((x + px(9) as i32, y), px(5), color.filled()));
            }
        }
        if self.marks.iter().any(|mark| !mark.name.is_empty()) {
            let all = self.marks.iter().flat_map(|mark| &mark.at);
            let places = all.map(|at| (share(&self.x, at.0), share(&self.y, at.1)));
            chart
                .configure_series_labels()
                .position(quiet_corner(places))
                .legend_area_size(px(26))
                .margin(px(6))
                .background_style(RGBColor(120, 120, 120).mix(0.85))
                .label_font(font(14, WHITE))
                .draw()
                .map_err(drawing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saddle() -> Tensor {
        Tensor::from_fn([21, 31], |at| {
            let (x, y) = ((at % 31) as f64 / 15.0 - 1.0, (at / 31) as f64 / 10.0 - 1.0);
            x * x - y * y
        })
        .unwrap()
    }

    #[test]
    fn draws_colours_lines_and_marks() {
        let map = HeatMap::new("saddle", &saddle(), -1.0..1.0, -1.0..1.0).unwrap().contours(8);
        let svg =
            map.points("origin", [(0.0, 0.0), (9.0, 9.0)]).path("walk", [(0.5, 0.5), (0.1, 0.2)]).to_svg().unwrap();
        assert!(svg.contains("origin") && svg.contains("walk") && svg.contains("<polyline"));
        assert!(svg.len() < 200_000, "{}", svg.len());
    }

    #[test]
    fn odd_values_leave_holes_and_break_nothing() {
        let mut values = saddle().to_f64_vec();
        values[40] = f64::NAN;
        values[41] = f64::INFINITY;
        let holed = Tensor::new(values, [21, 31]).unwrap();
        assert!(HeatMap::new("t", &holed, 0.0..1.0, 0.0..1.0).unwrap().contours(5).to_svg().is_ok());
        let flat = Tensor::new(vec![2i64; 4], [2, 2]).unwrap();
        assert!(HeatMap::new("t", &flat, 0.0..1.0, 0.0..1.0).unwrap().contours(5).to_svg().is_ok());
    }

    #[test]
    fn what_is_no_map_is_an_error() {
        let one = Tensor::new(vec![1.0f32; 3], [1, 3]).unwrap();
        assert!(HeatMap::new("t", &one, 0.0..1.0, 0.0..1.0).is_err());
        for range in [1.0..1.0, 1.0..0.0, 0.0..f64::INFINITY, f64::NAN..1.0] {
            assert!(HeatMap::new("t", &saddle(), range, 0.0..1.0).is_err());
        }
        let nothing = Tensor::new(vec![f32::NAN; 4], [2, 2]).unwrap();
        assert!(HeatMap::new("t", &nothing, 0.0..1.0, 0.0..1.0).is_err());
    }
}
