//! A model as a table: what it is made of and how large it is.

use std::fmt;

use wengert_tensor::error::Result;

use crate::module::{Module, Visit, Visitor, check, each};
use crate::param::{Param, Role};
use crate::path::Path;

/// The table of any model; a [`Sequential`](crate::sequential::Sequential) adds the shapes of the outputs.
///
/// ```
/// use wengert_nn::{layers::dense::Dense, summary::Summarize};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let table = (Dense::new(784, 32), Dense::new(32, 10)).summary()?;
/// assert_eq!(table.trainable, 784 * 32 + 32 + 32 * 10 + 10);
/// println!("{table}");
/// # Ok(())
/// # }
/// ```
pub trait Summarize: Module {
    /// A table of all parts that have parameters: path, type, shapes, count.
    ///
    /// # Errors
    /// What was wrong with a layer's arguments.
    fn summary(&self) -> Result<Summary>
    where
        Self: Sized,
    {
        check(self)?;
        Ok(Summary::new(self, rows(self, "")))
    }
}

impl<M: Module> Summarize for M {}

/// The table of a model; `Display` draws it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The type of the model.
    pub model: &'static str,
    /// A row for each part.
    pub rows: Vec<Row>,
    /// The number of scalars that are trained.
    pub trainable: usize,
    /// The number of scalars in frozen weights.
    pub frozen: usize,
    /// The number of scalars in buffers.
    pub kept: usize,
}

/// A part of a model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The place in the model: `encoder.0`.
    pub path: String,
    /// The type.
    pub type_name: &'static str,
    /// The shape of the output with `*` for the number of examples, where it is known.
    pub output: Option<String>,
    /// The parameters with their shapes: `weight [8, 2]`.
    pub parameters: Vec<String>,
    /// The number of scalars in its weights, with those of its parts.
    pub count: usize,
    /// The number of scalars in its buffers, with those of its parts.
    pub kept: usize,
    /// The names of the layers that it is applied to, in a model that is a graph.
    pub from: Vec<String>,
}

impl Summary {
    pub(crate) fn new<M: Module + ?Sized>(model: &M, rows: Vec<Row>) -> Summary {
        let (mut trainable, mut frozen, mut kept) = (0, 0, 0);
        each(model, &mut |_, param| {
            let bin = match param.role() {
                Role::Buffer => &mut kept,
                Role::Weight if param.is_trainable() => &mut trainable,
                Role::Weight => &mut frozen,
            };
            *bin += param.shape().len();
        });
        Summary { model: model.type_name(), rows, trainable, frozen, kept }
    }
}

impl Row {
    pub(crate) fn of<M: Module + ?Sized>(path: String, module: &M, output: Option<String>) -> Row {
        let (type_name, parameters, from) = (module.type_name(), Vec::new(), Vec::new());
        let mut row = Row { path, type_name, output, parameters, count: 0, kept: 0, from };
        each(module, &mut |path, param| {
            if path.segments().len() == 1 {
                row.parameters.push(format!("{path} {}", param.shape()));
            }
            match param.role() {
                Role::Weight => row.count += param.shape().len(),
                Role::Buffer => row.kept += param.shape().len(),
            }
        });
        row
    }
}

/// The rows of all parts below `module` that hold parameters of their own, with paths that start at `prefix`.
pub(crate) fn rows<M: Module + ?Sized>(module: &M, prefix: &str) -> Vec<Row> {
    let mut parts = Parts { prefix, rows: Vec::new() };
    module.visit(&mut Visit::new(&mut parts));
    parts.rows
}

struct Parts<'p> {
    prefix: &'p str,
    rows: Vec<Row>,
}

impl<'a> Visitor<'a> for Parts<'_> {
    fn enter(&mut self, path: &Path, module: &'a dyn Module) {
        let separator = if self.prefix.is_empty() { "" } else { "." };
        let row = Row::of(format!("{}{separator}{path}", self.prefix), module, None);
        // A parameter itself is told by the row of its owner.
        if !row.parameters.is_empty() {
            self.rows.push(row);
        }
    }

    fn param(&mut self, _path: &Path, _param: &'a Param) {}
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.rows.iter().any(|row| row.output.is_some());
        let graph = self.rows.iter().any(|row| !row.from.is_empty());
        let mut cells: Vec<[String; 6]> = vec![[
            "layer".to_string(),
            "type".to_string(),
            if shapes { "output".to_string() } else { String::new() },
            "parameters".to_string(),
            "count".to_string(),
            if graph { "from".to_string() } else { String::new() },
        ]];
        cells.extend(self.rows.iter().map(|row| {
            [
                row.path.clone(),
                row.type_name.to_string(),
                row.output.clone().unwrap_or_default(),
                row.parameters.join(", "),
                grouped(row.count),
                row.from.join(", "),
            ]
        }));
        let mut widths = [0; 6];
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = "─".repeat(widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum());

        writeln!(f, "{}", self.model)?;
        for (index, row) in cells.iter().enumerate() {
            let mut text = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                match (column, width) {
                    (_, 0) => {}
                    (4, _) => text.push_str(&format!("  {cell:>width$}")),
                    _ => text.push_str(&format!("  {cell:<width$}")),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "{line}")?;
        write!(f, "  {} trainable", grouped(self.trainable))?;
        for (count, what) in [(self.frozen, "frozen"), (self.kept, "kept in buffers")] {
            if count > 0 {
                write!(f, ", {} {what}", grouped(count))?;
            }
        }
        Ok(())
    }
}

/// `1_234_567` as `1,234,567`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
