//! Who looks at whom: the weights of attention, one map for each head.

use super::color::{Rgb, scale_color};
use super::frame::save;
use super::images::{embed, encoded, escaped, opened};
use std::fmt::Write;
use std::panic::Location;
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Maps of attention side by side: rows are queries, columns are keys, bright is 1 and dark is 0.
///
/// ```
/// use wengert_nn::plot::attention::AttentionMap;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let weights = Tensor::from([[[0.9f32, 0.1], [0.5, 0.5]], [[0.2, 0.8], [0.0, 1.0]]]);
/// let svg = AttentionMap::new("layer 1", &weights).queries(["the", "cat"]).keys(["le", "chat"]).to_svg()?;
/// assert!(svg.contains("head 2") && svg.contains("chat"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AttentionMap {
    title: String,
    weights: Tensor,
    queries: Vec<String>,
    keys: Vec<String>,
}

impl AttentionMap {
    /// Maps of the weights `[heads, queries, keys]` of one example, or `[queries, keys]` of one head.
    pub fn new(title: impl Into<String>, weights: &Tensor) -> AttentionMap {
        AttentionMap { title: title.into(), weights: weights.clone(), queries: Vec::new(), keys: Vec::new() }
    }

    /// The names of the rows, from the first on.
    #[must_use]
    pub fn queries<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> AttentionMap {
        AttentionMap { queries: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The names of the columns, from the first on.
    #[must_use]
    pub fn keys<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> AttentionMap {
        AttentionMap { keys: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// The maps as SVG text.
    ///
    /// # Errors
    /// `Shape` for what is no map, or has more than 64 heads, or more than 4096 queries or keys.
    #[track_caller]
    pub fn to_svg(&self) -> Result<String> {
        let here = Location::caller();
        self.draw().map_err(|error| {
            let weights = format!("{} {}", self.weights.shape(), self.weights.dtype());
            error.op("AttentionMap").operand("weights", weights).at(here)
        })
    }

    /// Writes the maps to a file, and makes its folder when there is none.
    ///
    /// # Errors
    /// Those of [`to_svg`](AttentionMap::to_svg), and `Io`.
    #[track_caller]
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path, &self.to_svg()?)
    }

    fn draw(&self) -> Result<String> {
        let (heads, queries, keys) = match *self.weights.shape().dims() {
            [queries, keys] => (1, queries, keys),
            [heads, queries, keys] => (heads, queries, keys),
            _ => return Err(Error::shape("weights of attention are [heads, queries, keys] or [queries, keys]")),
        };
        if !(1..=64).contains(&heads) || !(1..=4096).contains(&queries) || !(1..=4096).contains(&keys) {
            return Err(Error::shape("at least one of each, and at most 64 heads and 4096 queries and keys"));
        }
        let cell = (240 / queries.max(keys)).clamp(1, 24);
        let longest = |names: &[String]| names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(24) * 7;
        let (left, top) = (longest(&self.queries), 52 + longest(&self.keys));
        let (wide, tall) = (keys * cell, queries * cell);
        let columns = heads.min(4);
        let (step_x, step_y) = ((left + wide + 16).max(60), top + tall - 24);
        let all = (8 + columns * step_x, 32 + heads.div_ceil(columns) * step_y);
        let mut svg = opened(all, &self.title);
        let values = self.weights.to_f64_vec();
        for (head, map) in values.chunks(queries * keys).enumerate() {
            let (x, y) = (8 + head % columns * step_x + left, head / columns * step_y + top);
            let colors: Vec<u8> = map
                .iter()
                .flat_map(|&weight| {
                    let Rgb(r, g, b) = scale_color(weight);
                    [r, g, b]
                })
                .collect();
            embed(&mut svg, &encoded(keys, queries, 3, &colors)?, [x, y, wide, tall]);
            let (name_x, name_y) = (x, y - (top - 44));
            _ = writeln!(svg, "<text x=\"{name_x}\" y=\"{name_y}\">head {}</text>", head + 1);
            // Names that would lie on each other are left out.
            for (i, name) in self.queries.iter().take(queries).enumerate().filter(|_| cell >= 8) {
                let (x, y) = (x - 4, y + i * cell + cell / 2 + 4);
                _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>", escaped(&short(name)));
            }
            for (i, name) in self.keys.iter().take(keys).enumerate().filter(|_| cell >= 8) {
                let (x, y, name) = (x + i * cell + cell / 2 + 4, y - 4, escaped(&short(name)));
                _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-90 {x} {y})\">{name}</text>");
            }
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

fn short(name: &str) -> String {
    name.chars().take(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;

    #[test]
    fn maps_of_any_size_are_drawn() {
        for shape in [&[1, 1][..], &[3, 5], &[8, 2, 300], &[64, 4, 4]] {
            let weights = Tensor::full(shape, 0.25f32).unwrap();
            let map = AttentionMap::new("<t>", &weights).queries(["a&b", "c"]).keys(vec!["x"; 400]);
            let svg = map.to_svg().unwrap();
            let heads = if shape.len() == 3 { shape[0] } else { 1 };
            assert_eq!(svg.matches("<image").count(), heads);
            assert!(svg.contains("&lt;t&gt;"));
        }
    }

    #[test]
    fn what_is_no_map_is_an_error() {
        for shape in [&[4][..], &[0, 3], &[65, 2, 2], &[1, 1, 2, 2]] {
            let weights = Tensor::zeros(shape, DType::F32).unwrap();
            assert!(AttentionMap::new("t", &weights).to_svg().is_err(), "{shape:?}");
        }
        let long = AttentionMap::new("long ".repeat(20), &Tensor::zeros([1, 1], DType::F32).unwrap()).to_svg().unwrap();
        assert!(long.contains(" width=\"916\""), "a title has room");
        let odd = Tensor::from([[f32::NAN, f32::INFINITY, -1.0]]);
        assert!(AttentionMap::new("t", &odd).to_svg().is_ok());
    }
}
