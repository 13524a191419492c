//! A table of counts, coloured by row.

use super::color::{Rgb, scale_color};
use super::frame::{Canvas, INK, drawing, font, px, save, svg};
use crate::metrics::confusion::ConfusionTable;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;
use wengert_tensor::error::{Error, Result};

/// What stands where, in pixels.
struct Places {
    cell: i32,
    /// The size of the names.
    text: i32,
    /// Where the cells begin.
    left: i32,
    top: i32,
    /// Names of columns that are wider than a cell are turned.
    turned: bool,
}

impl Places {
    fn of(table: &ConfusionTable) -> Places {
        let cell = (600 / table.classes() as i32).clamp(8, 48);
        let text = (cell / 2).clamp(6, 16) + 2;
        let letters = table.names().iter().map(|name| short(name).chars().count()).max().unwrap_or(0) as i32;
        // A letter is about 0.6 as wide as it is high.
        let long = letters * text * 6 / 10;
        let turned = long > cell;
        Places { cell, text, left: 24 + long.max(24), top: 76 + if turned { long } else { text }, turned }
    }

    fn size(&self, classes: usize) -> (u32, u32) {
        let cells = self.cell * classes as i32;
        // The legend is wider than a small table.
        ((self.left + cells + 30).max(270) as u32, (self.top + cells + 30) as u32)
    }
}

/// So much of a name is drawn.
fn short(name: &str) -> String {
    name.chars().take(24).collect()
}

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
        let places = Places::of(self);
        svg(places.size(classes), |canvas| self.draw(canvas, &places))
    }

    fn draw(&self, canvas: &Canvas<'_>, places: &Places) -> Result<()> {
        let &Places { cell, text: size, left, top, turned } = places;
        let at = |x: i32, y: i32| (px(1) as i32 * x, px(1) as i32 * y);
        let placed = |size, color, h| font(size, color).pos(Pos::new(h, VPos::Center));
        let accuracy = format!("accuracy {:.1} %", self.accuracy() * 100.0);
        canvas.draw(&Text::new(accuracy, at(16, 12), font(18, INK))).map_err(drawing)?;
        canvas.draw(&Text::new("rows: actual, columns: predicted", at(16, 36), font(14, INK))).map_err(drawing)?;
        for (class, name) in self.names().iter().enumerate() {
            let middle = class as i32 * cell + cell / 2;
            let row = Text::new(short(name), at(left - 8, top + middle), placed(size as u32, INK, HPos::Right));
            let style = match turned {
                true => placed(size as u32, INK, HPos::Left).transform(FontTransform::Rotate270),
                false => placed(size as u32, INK, HPos::Center),
            };
            let above = if turned { 6 } else { 4 + size / 2 };
            let column = Text::new(short(name), at(left + middle, top - above), style);
            canvas.draw(&row).and_then(|()| canvas.draw(&column)).map_err(drawing)?;
        }
        for actual in 0..self.classes() {
            let row: u64 = (0..self.classes()).map(|predicted| self.get(actual, predicted)).sum();
            for predicted in 0..self.classes() {
                let count = self.get(actual, predicted);
                let share = count as f64 / row.max(1) as f64;
                let (x, y) = (left + predicted as i32 * cell, top + actual as i32 * cell);
                // One pixel apart, so that the white ground draws the grid.
                let color = if count == 0 { Rgb(242, 242, 242) } else { scale_color(0.15 + 0.75 * share) };
                let square = Rectangle::new([at(x, y), at(x + cell - 1, y + cell - 1)], color.rgb().filled());
                canvas.draw(&square).map_err(drawing)?;
                if count > 0 && cell >= 12 {
                    let ink = if share > 0.6 { BLACK } else { WHITE };
                    let style = placed(size as u32 - 2, ink, HPos::Center);
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
        let table = ConfusionMatrix::table(&Tensor::from([[1f32, 0.0]]), &Tensor::from([0i64])).unwrap();
        let wide = |name: &str| {
            let svg = table.clone().with_names([name, "b"]).to_svg().unwrap();
            let size = svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap();
            (svg.contains("rotate(270"), size)
        };
        assert_eq!(wide("a"), (false, 270.0), "the legend has room");
        assert!(wide("versicolor").0, "names that would lie on each other are turned");
        assert!(wide(&"x".repeat(400)).1 < 500.0);
        assert!(ConfusionTable::of(&Meter::new(ConfusionMatrix::new())).to_svg().is_err());
    }
}
