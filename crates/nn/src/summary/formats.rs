//! A table as text, as Markdown and as JSON.

use std::fmt;

use wengert_autograd::json::quoted;

use super::{Row, Summary};

/// A cell of names is cut here.
const WIDTH: usize = 46;

impl Summary {
    /// The table in GitHub's Markdown, with all parameters.
    ///
    /// ```
    /// use wengert_nn::{layers::dense::Dense, summary::Summarize};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let markdown = Dense::new(3, 2).summary_of([3])?.to_markdown();
    /// assert!(markdown.contains("8 trainable"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_markdown(&self) -> String {
        let mut text = format!("**{}**\n\n", cell(self.model));
        text.push_str("| layer | type | output | parameters | count | FLOPs | output bytes | from |\n");
        text.push_str("|---|---|---|---|--:|--:|--:|---|\n");
        for row in &self.rows {
            let number = |x: Option<u64>| x.map_or(String::new(), |x| grouped(x as usize));
            let cells = [
                place(row),
                row.type_name.to_string(),
                row.output.clone().unwrap_or_default(),
                row.parameters.join(", "),
                grouped(row.count),
                number(row.flops),
                number(row.output_bytes),
                row.from.join(", "),
            ];
            text.push_str(&format!("| {} |\n", cells.map(|text| cell(&text)).join(" | ")));
        }
        text.push('\n');
        for line in self.totals() {
            text.push_str(&format!("* {line}\n"));
        }
        text
    }

    /// The table as JSON: an object with `model`, `rows` and the totals, numbers as numbers, `null` for what is not known.
    ///
    /// ```
    /// use wengert_nn::{layers::dense::Dense, summary::Summarize};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let json = Dense::new(3, 2).summary_of([3])?.to_json();
    /// assert!(json.contains("\"trainable\":8"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_json(&self) -> String {
        let number = |x: Option<u64>| x.map_or("null".to_string(), |x| x.to_string());
        let list = |texts: &[String]| format!("[{}]", texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(","));
        let row = |row: &Row| {
            format!(
                "{{\"layer\":{},\"type\":{},\"output\":{},\"parameters\":{},\"trainable\":{},\"frozen\":{},\"kept\":{},\
                 \"flops\":{},\"output_bytes\":{},\"gradient_bytes\":{},\"from\":{}}}",
                quoted(&row.path),
                quoted(row.type_name),
                row.output.as_deref().map_or("null".to_string(), quoted),
                list(&row.parameters),
                row.count - row.frozen,
                row.frozen,
                row.kept,
                number(row.flops),
                number(row.output_bytes),
                row.gradient_bytes,
                list(&row.from),
            )
        };
        let peak = self
            .peak
            .map_or("null".to_string(), |peak| format!("{{\"examples\":{},\"bytes\":{}}}", peak.examples, peak.bytes));
        format!(
            "{{\"model\":{},\"rows\":[{}],\"trainable\":{},\"frozen\":{},\"kept\":{},\"flops\":{},\"output_bytes\":{},\
             \"gradient_bytes\":{},\"peak\":{peak}}}",
            quoted(self.model),
            self.rows.iter().map(row).collect::<Vec<_>>().join(","),
            self.trainable,
            self.frozen,
            self.kept,
            number(self.flops),
            number(self.output_bytes),
            self.gradient_bytes,
        )
    }

    /// The lines below the table.
    fn totals(&self) -> Vec<String> {
        let mut counts = vec![format!("{} trainable", grouped(self.trainable))];
        for (count, what) in [(self.frozen, "frozen"), (self.kept, "kept in buffers")] {
            if count > 0 {
                counts.push(format!("{} {what}", grouped(count)));
            }
        }
        let mut lines = vec![counts.join(", ")];
        if let (Some(flops), Some(bytes)) = (self.flops, self.output_bytes) {
            lines.push(format!("one example: {} FLOPs forward, {} of outputs", amount(flops), size(bytes)));
        }
        if let Some(peak) = self.peak {
            let (gradients, peak, examples) = (size(self.gradient_bytes), size(peak.bytes), peak.examples);
            lines.push(format!(
                "a step of training: {gradients} of gradients; {peak} at its peak with {examples} examples, without an optimizer"
            ));
        }
        lines
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.rows.iter().any(|row| row.output.is_some());
        let graph = self.rows.iter().any(|row| !row.from.is_empty());
        let titled = |is: bool, title: &str| if is { title.to_string() } else { String::new() };
        let measured = self.rows.iter().any(|row| row.flops.is_some());
        let mut cells: Vec<[String; 7]> = vec![[
            "layer".to_string(),
            "type".to_string(),
            titled(shapes, "output"),
            "parameters".to_string(),
            "count".to_string(),
            titled(measured, "FLOPs"),
            titled(graph, "from"),
        ]];
        cells.extend(self.rows.iter().map(|row| {
            [
                place(row),
                row.type_name.to_string(),
                row.output.clone().unwrap_or_default(),
                cut(&row.parameters),
                grouped(row.count),
                row.flops.map_or(String::new(), amount),
                cut(&row.from),
            ]
        }));
        let mut widths = [0; 7];
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
                    (4 | 5, _) => text.push_str(&format!("  {cell:>width$}")),
                    _ => text.push_str(&format!("  {cell:<width$}")),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        write!(f, "{line}")?;
        self.totals().iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// The names that fit, and how many do not.
fn cut(names: &[String]) -> String {
    let whole = names.join(", ");
    if whole.chars().count() <= WIDTH {
        return whole;
    }
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        let more = format!(" and {} more", names.len() - i);
        let separator = if i == 0 { "" } else { ", " };
        if i > 0 && text.chars().count() + separator.len() + name.chars().count() + more.len() > WIDTH {
            return text + &more;
        }
        text.push_str(separator);
        text.push_str(name);
    }
    text
}

/// The place of a part; the model itself has none.
fn place(row: &Row) -> String {
    if row.path.is_empty() { "(self)".to_string() } else { row.path.clone() }
}

/// A cell of Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
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

/// A count in three digits or so: `1.23 M`.
fn amount(count: u64) -> String {
    match scaled(count) {
        (x, 0) => format!("{x}"),
        (x, power) => format!("{} {}", three(x), ["", "k", "M", "G", "T", "P", "E"].get(power).unwrap_or(&"")),
    }
}

/// Bytes: `1.23 MB`, with a thousand for each step.
fn size(bytes: u64) -> String {
    match scaled(bytes) {
        (x, 0) => format!("{x} B"),
        (x, power) => format!("{} {}B", three(x), ["", "k", "M", "G", "T", "P", "E"].get(power).unwrap_or(&"")),
    }
}

/// Below a thousand, and which power of a thousand.
fn scaled(count: u64) -> (f64, usize) {
    let (mut x, mut power) = (count as f64, 0);
    while x >= 999.5 {
        x /= 1000.0;
        power += 1;
    }
    (x, power)
}

fn three(x: f64) -> String {
    match x {
        x if x < 9.995 => format!("{x:.2}"),
        x if x < 99.95 => format!("{x:.1}"),
        x => format!("{x:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn large_numbers_are_short() {
        assert_eq!([0, 999, 1234, 99_960, 999_600].map(amount), ["0", "999", "1.23 k", "100 k", "1.00 M"]);
        assert_eq!(size(2_000_000), "2.00 MB");
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..30).map(|i| format!("weight_{i} [128, 128]")).collect();
        assert_eq!(cut(&names), "weight_0 [128, 128] and 29 more");
        assert!(cut(&names[..3]).chars().count() <= WIDTH);
        assert_eq!(cut(&names[..1]), names[0]);
    }
}
