//! A table of counts, coloured by row.

use super::color::{Rgb, scale_color};
use super::frame::{Canvas, INK, drawing, font, px, save, svg};
use crate::metrics::confusion::ConfusionTable;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;
use wengert_tensor::error::{Error, Result};

/// Pixels around the cells, for the names.
const LEFT: i32 = 100;
const TOP: i32 = 90;

impl ConfusionTable {
    /// Draws the table as a heat map into an SVG file: one row for each actual class, coloured by the share of the row.
    ///
    /// # Errors
    /// `State` for a table without classes or with more than 200, `Io` when the file cannot be written.
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    /// The drawing of [`save_svg`](ConfusionTable::save_svg) as text.
    ///
    /// ```
    /// use wengert_nn::metrics::confusion::ConfusionMatrix;
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let table = ConfusionMatrix::table(&Tensor::from([[0.9f32, 0.1], [0.8, 0.2]]), &Tensor::from([0i64, 1]))?;
    /// assert!(table.with_names(["cat", "dog"]).to_svg()?.contains("dog"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `State` for a table without classes or with more than 200.
    pub fn to_svg(&self) -> Result<String> {
        let classes = self.classes();
        if classes == 0 || classes > 200 {
            return Err(
                Error::state(format!("a table of {classes} classes is not drawn")).op("ConfusionTable::save_svg")
            );
        }
        let cell = (600 / classes as i32).clamp(8, 48);
        let size = ((LEFT + cell * classes as i32 + 30) as u32, (TOP + cell * classes as i32 + 30) as u32);
        svg(size, |canvas| self.draw(canvas, cell))
    }

    fn draw(&self, canvas: &Canvas<'_>, cell: i32) -> Result<()> {
        let at = |x: i32, y: i32| (px(1) as i32 * x, px(1) as i32 * y);
        let small = (cell / 2).clamp(6, 16) as u32;
        let placed = |size, color, h| font(size, color).pos(Pos::new(h, VPos::Center));
        let caption = format!("accuracy {:.1} %   (rows: actual, columns: predicted)", self.accuracy() * 100.0);
        canvas.draw(&Text::new(caption, at(LEFT, 20), font(18, INK))).map_err(drawing)?;
        for (class, name) in self.names().iter().enumerate() {
            let middle = class as i32 * cell + cell / 2;
            let row = Text::new(name.as_str(), at(LEFT - 8, TOP + middle), placed(small + 2, INK, HPos::Right));
            let column = Text::new(name.as_str(), at(LEFT + middle, TOP - 12), placed(small + 2, INK, HPos::Center));
            canvas.draw(&row).and_then(|()| canvas.draw(&column)).map_err(drawing)?;
        }
        for actual in 0..self.classes() {
            let row: u64 = (0..self.classes()).map(|predicted| self.get(actual, predicted)).sum();
            for predicted in 0..self.classes() {
                let count = self.get(actual, predicted);
                let share = count as f64 / row.max(1) as f64;
                let (x, y) = (LEFT + predicted as i32 * cell, TOP + actual as i32 * cell);
                // One pixel apart, so that the white ground draws the grid.
                let color = if count == 0 { Rgb(242, 242, 242) } else { scale_color(0.15 + 0.75 * share) };
                let square = Rectangle::new([at(x, y), at(x + cell - 1, y + cell - 1)], color.rgb().filled());
                canvas.draw(&square).map_err(drawing)?;
                if count > 0 && cell >= 12 {
                    let ink = if share > 0.6 { BLACK } else { WHITE };
                    let style = placed(small, ink, HPos::Center);
                    let text = Text::new(count.to_string(), at(x + cell / 2, y + cell / 2), style);
                    canvas.draw(&text).map_err(drawing)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::confusion::{ConfusionMatrix, ConfusionTable};
    use crate::metrics::metric::Meter;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn draws_tables_of_any_size_that_can_be_seen() {
        for classes in [1, 2, 10, 150] {
            let scores = Tensor::from_fn([classes, classes], |at| (at % (classes + 1) == 0) as u8 as f32).unwrap();
            let table = ConfusionMatrix::table(&scores, &Tensor::arange(classes, DType::I64).unwrap()).unwrap();
            assert!(table.to_svg().unwrap().contains("accuracy 100.0 %"));
        }
        assert!(ConfusionTable::of(&Meter::new(ConfusionMatrix::new())).to_svg().is_err());
    }
}
