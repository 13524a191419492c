//! How values are spread: weights, gradients, activations.

use super::color::{Rgb, line_color};
use super::frame::{Canvas, FAINT, INK, drawable, drawing, font, px, range, save, svg, tick};
use crate::explain::framed;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A histogram of one or more sets of values over common bins.
///
/// ```
/// use wengert_nn::plot::histogram::Histogram;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let before = Tensor::normal([1000], DType::F32, 1u64)?;
/// let svg = Histogram::new("a weight").of("at the start", &before).bins(20).to_svg()?;
/// assert!(svg.contains("at the start"));
/// # Ok(())
/// # }
/// ```
///
/// Values that are not finite are counted in the legend and not drawn.
#[derive(Clone, Debug)]
pub struct Histogram {
    title: String,
    x_label: String,
    bins: usize,
    log_y: bool,
    size: (u32, u32),
    sets: Vec<(String, Vec<f64>)>,
}

impl Histogram {
    /// A histogram of nothing.
    pub fn new(title: impl Into<String>) -> Histogram {
        let (title, x_label, sets) = (title.into(), String::new(), Vec::new());
        Histogram { title, x_label, bins: 50, log_y: false, size: (720, 440), sets }
    }

    /// Adds the elements of a tensor.
    #[must_use]
    pub fn of(mut self, name: impl Into<String>, values: &Tensor) -> Histogram {
        self.sets.push((name.into(), values.to_f64_vec()));
        self
    }

    /// So many bins of one width, from the least value to the greatest (default 50).
    #[must_use]
    pub fn bins(mut self, bins: usize) -> Histogram {
        self.bins = bins;
        self
    }

    /// A logarithmic vertical axis, on which rare values can be seen.
    #[must_use]
    pub fn log_y(mut self) -> Histogram {
        self.log_y = true;
        self
    }

    /// What stands below the horizontal axis.
    #[must_use]
    pub fn x_label(mut self, label: impl Into<String>) -> Histogram {
        self.x_label = label.into();
        self
    }

    /// Width and height in pixels (default 720 × 440).
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Histogram {
        self.size = (width, height);
        self
    }

    /// The histogram as SVG text.
    ///
    /// # Errors
    /// `Value` when no value is finite, or for no bin or more than 10,000.
    #[track_caller]
    pub fn to_svg(&self) -> Result<String> {
        framed("Histogram", svg(self.size, |canvas| self.draw(canvas)))
    }

    /// Writes the histogram to a file, and makes its folder when there is none.
    ///
    /// # Errors
    /// Those of [`to_svg`](Histogram::to_svg), and `Io`.
    #[track_caller]
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    fn draw(&self, canvas: &Canvas<'_>) -> Result<()> {
        if !(1..=10_000).contains(&self.bins) {
            return Err(Error::value(format!("{} bins: from 1 to 10,000", self.bins)));
        }
        let all = self.sets.iter().flat_map(|set| &set.1).copied();
        let over = range(all, 0.0).ok_or_else(|| Error::value("no value is finite"))?;
        let counts: Vec<Vec<usize>> = self.sets.iter().map(|set| counted(&set.1, &over, self.bins)).collect();
        let highest = counts.iter().flatten().copied().max().unwrap_or(1) as f64;
        let height = |count: f64| if self.log_y { (1.0 + count).log10() } else { count };
        let mut chart = ChartBuilder::on(canvas)
            .caption(&self.title, font(20, INK))
            .margin(px(12))
            .x_label_area_size(px(42))
            .y_label_area_size(px(64))
            .build_cartesian_2d(over.clone(), 0.0..height(highest) * 1.06)
            .map_err(drawing)?;
        let log = self.log_y;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .set_all_tick_mark_size(px(5))
            .x_desc(&self.x_label)
            .y_desc("count")
            .y_labels(8)
            .label_style(font(14, INK))
            .axis_desc_style(font(16, INK))
            .axis_style(INK.stroke_width(px(1)))
            .bold_line_style(FAINT.stroke_width(px(1)))
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&|x| tick(*x))
            .y_label_formatter(&|y| tick(if log { 10f64.powf(*y) - 1.0 } else { *y }))
            .draw()
            .map_err(drawing)?;
        let width = (over.end - over.start) / self.bins as f64;
        for (n, ((name, values), counts)) in self.sets.iter().zip(counts).enumerate() {
            let Rgb(r, g, b) = line_color(n);
            let color = RGBColor(r, g, b).mix(if self.sets.len() > 1 { 0.55 } else { 0.9 });
            let bars = counts.into_iter().enumerate().filter(|(_, count)| *count > 0).map(|(i, count)| {
                let left = over.start + i as f64 * width;
                Rectangle::new([(left, 0.0), (left + width, height(count as f64))], color.filled())
            });
            let drawn = chart.draw_series(bars).map_err(drawing)?;
            let odd = values.iter().filter(|value| !drawable(**value)).count();
            let name = if odd > 0 { format!("{name} ({odd} not finite)") } else { name.clone() };
            if !name.is_empty() {
                let side = px(10) as i32;
                let key = move |(x, y)| Rectangle::new([(x, y - side / 2), (x + side, y + side / 2)], color.filled());
                drawn.label(name).legend(key);
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(px(26))
            .margin(px(6))
            .background_style(WHITE.mix(0.85))
            .border_style(FAINT.stroke_width(px(1)))
            .label_font(font(14, INK))
            .draw()
            .map_err(drawing)?;
        Ok(())
    }
}

/// How many values lie in each bin; the last has its upper end, too.
fn counted(values: &[f64], over: &Range<f64>, bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for value in values.iter().filter(|value| drawable(**value)) {
        let at = (value - over.start) / (over.end - over.start) * bins as f64;
        if let Some(count) = counts.get_mut((at as usize).min(bins - 1)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        assert_eq!(counted(&[0.0, 0.5, 0.99, 1.0, f64::NAN], &(0.0..1.0), 2), [1, 3]);
        assert_eq!(counted(&[-1.0, 1.0], &(-1.0..1.0), 1), [2]);
    }

    #[test]
    fn odd_values_break_nothing() {
        let odd = Tensor::from([f64::NAN, 1e299, -1e299, 0.0, f64::INFINITY]);
        let svg = Histogram::new("t").of("odd", &odd).log_y().to_svg().unwrap();
        assert!(svg.contains("odd (2 not finite)"));
        let one = Tensor::from([3i64; 4]);
        assert!(Histogram::new("t").of("one", &one).of("", &odd).to_svg().is_ok());
        assert!(Histogram::new("t").to_svg().is_err());
        assert!(Histogram::new("t").of("", &Tensor::from([f32::NAN])).to_svg().is_err());
        assert!(Histogram::new("t").of("one", &one).bins(0).to_svg().is_err());
    }
}
