//! Reads a CSV file of numbers into tensors.
//!
//! Nothing in the file is trusted: a cell that is no number, NaN, a row that is too short, a file that ends in the
//! middle of a line are errors that name the file, the line and the column.

use crate::explain::framed;
use csv::{ReaderBuilder, StringRecord};
use guard::Guard;
use std::fs::File;
use std::path::{Path, PathBuf};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// The most class names that a label column may hold. More of them are no classes.
const MAX_CLASSES: usize = 100_000;

/// Reads a file with a header line into inputs `[rows, columns − 1]` f32 and labels `[rows]` i64.
///
/// `label` names the column of the classes: whole numbers from 0, or names, which are numbered in alphabetical order.
/// [`CsvFile`] has more choices.
///
/// ```
/// use wengert_nn::data::csv::read_csv;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-csv-{}.csv", std::process::id()));
/// std::fs::write(&path, "weight,height,sex\n150,67,1\n130,60,1\n200,65,0\n").ok();
/// let (x, y) = read_csv(&path, "sex")?;
/// assert_eq!(x.shape().dims(), [3, 2]);
/// assert_eq!(y.to_vec::<i64>()?, [1, 1, 0]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of [`CsvFile::read`].
#[track_caller]
pub fn read_csv(path: impl AsRef<Path>, label: &str) -> Result<(Tensor, Tensor)> {
    let table = CsvFile::new(path).label(label).read()?;
    Ok((table.inputs, table.targets))
}

/// What a CSV file held.
#[derive(Clone, Debug)]
pub struct Table {
    /// `[rows, features]` f32.
    pub inputs: Tensor,
    /// `[rows]` i64 for labels, `[rows, 1]` f32 for a target, `[rows, 0]` f32 for neither.
    pub targets: Tensor,
    /// The names of the input columns; empty for a file without a header.
    pub features: Vec<String>,
    /// The class names in the order of their labels; empty when the labels are numbers.
    pub classes: Vec<String>,
}

/// How to read a CSV file; a builder.
///
/// ```
/// use wengert_nn::data::csv::CsvFile;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-csvfile-{}.csv", std::process::id()));
/// std::fs::write(&path, "length;width;species\n5.1;3.5;setosa\n7;3.2;versicolor\n4.9;3;setosa\n").ok();
/// let table = CsvFile::new(&path).separator(';').label("species").read()?;
/// assert_eq!(table.targets.to_vec::<i64>()?, [0, 1, 0]);
/// assert_eq!(table.classes, ["setosa", "versicolor"]);
/// assert_eq!(table.features, ["length", "width"]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct CsvFile {
    path: PathBuf,
    answer: Answer,
    separator: char,
    header: bool,
    max_bytes: u64,
}

/// Which column is the answer, and of what kind it is.
#[derive(Clone, Debug)]
enum Answer {
    None,
    Label(String),
    Target(String),
}

impl CsvFile {
    /// A comma-separated file with a header line and input columns only.
    pub fn new(path: impl AsRef<Path>) -> CsvFile {
        CsvFile {
            path: path.as_ref().to_path_buf(),
            answer: Answer::None,
            separator: ',',
            header: true,
            max_bytes: 4 << 30,
        }
    }

    /// The column of the class labels, by its name in the header or its number from 0.
    pub fn label(mut self, column: impl ToString) -> Self {
        self.answer = Answer::Label(column.to_string());
        self
    }

    /// The column of a number to be predicted, by its name in the header or its number from 0.
    pub fn target(mut self, column: impl ToString) -> Self {
        self.answer = Answer::Target(column.to_string());
        self
    }

    /// What stands between cells; an ASCII character.
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// The first line holds numbers already.
    pub fn no_header(mut self) -> Self {
        self.header = false;
        self
    }

    /// Refuses a larger file (default 4 GiB).
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read; `Data`, with file, line and column, for a cell that is no number, NaN,
    /// infinite or beyond f32, a negative or fractional label, a row longer or shorter than the header, text that is
    /// not UTF-8, a file without rows, and a label column that does not exist.
    #[track_caller]
    pub fn read(&self) -> Result<Table> {
        framed("read_csv", self.read_table())
    }

    fn read_table(&self) -> Result<Table> {
        let name = self.path.display().to_string();
        let separator = u8::try_from(self.separator)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| Error::value(format!("the separator {:?} is not an ASCII character", self.separator)))?;
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(separator)
            .flexible(true)
            .from_reader(self.open(&name, separator)?);

        let mut record = StringRecord::new();
        let mut next = |record: &mut StringRecord| {
            let more = reader.read_record(record);
            // What a cut file still seems to say counts for nothing.
            self.sound(&name, reader.get_ref())?;
            more.map_err(|error| unreadable(&name, error))
        };
        let mut sheet = Sheet::new(name.clone());
        let mut more = next(&mut record)?;
        if self.header && more {
            sheet.columns = record.iter().map(|cell| cell.trim().to_string()).collect();
            more = next(&mut record)?;
        }
        if !more {
            let what = if sheet.columns.is_empty() { "is empty" } else { "has a header and no rows" };
            return Err(Error::data(format!("{name} {what}")));
        }
        sheet.width = if self.header { sheet.columns.len() } else { record.len() };
        sheet.find_answer(&self.answer)?;
        while more {
            sheet.push(&record)?;
            more = next(&mut record)?;
        }
        sheet.finish()
    }

    fn open(&self, name: &str, separator: u8) -> Result<Guard<File>> {
        let failed = |error: std::io::Error| Error::io(format!("{name} cannot be read")).caused_by(error);
        let file = File::open(&self.path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if meta.is_dir() {
            return Err(Error::io(format!("{name} is a folder")));
        }
        if meta.len() > self.max_bytes {
            return Err(self.too_large(format!("{name} has {} bytes", meta.len())));
        }
        // A pipe has no length to ask for, and a file may grow while it is read.
        Ok(Guard::new(file, separator, self.max_bytes))
    }

    /// That what was read so far is neither too much nor torn.
    fn sound(&self, name: &str, read: &Guard<File>) -> Result<()> {
        if read.is_over() {
            return Err(self.too_large(format!("{name} goes on after {} bytes", self.max_bytes)));
        }
        match read.torn() {
            None => Ok(()),
            Some(line) => Err(Error::data(format!("{name}:{line}: the quote that opens here is never closed"))
                .help("close it, or write `\"\"` for a quote inside of a quoted cell")),
        }
    }

    fn too_large(&self, what: String) -> Error {
        Error::data(format!("{what}, the limit is {}", self.max_bytes)).help("`CsvFile::max_bytes` raises the limit")
    }
}

/// The rows read so far.
struct Sheet {
    file: String,
    columns: Vec<String>,
    width: usize,
    answer: Option<(usize, Kind)>,
    inputs: Vec<f32>,
    labels: Vec<i64>,
    names: Vec<String>,
    targets: Vec<f32>,
    rows: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// The first row decides between numbers and names.
    Undecided,
    Numbers,
    Names,
    Target,
}

impl Sheet {
    fn new(file: String) -> Sheet {
        Sheet {
            file,
            columns: Vec::new(),
            width: 0,
            answer: None,
            inputs: Vec::new(),
            labels: Vec::new(),
            names: Vec::new(),
            targets: Vec::new(),
            rows: 0,
        }
    }

    fn find_answer(&mut self, answer: &Answer) -> Result<()> {
        let (column, kind) = match answer {
            Answer::None => return Ok(()),
            Answer::Label(column) => (column, Kind::Undecided),
            Answer::Target(column) => (column, Kind::Target),
        };
        let by_name: Vec<usize> = (0..self.columns.len()).filter(|&i| self.columns.get(i) == Some(column)).collect();
        let at = match by_name.as_slice() {
            [one] => Some(*one),
            [] => column.parse().ok().filter(|&at: &usize| at < self.width),
            _ => {
                return Err(Error::data(format!(
                    "{}: the header names {} columns `{column}`",
                    self.file,
                    by_name.len()
                )));
            }
        };
        let at = at.ok_or_else(|| {
            let error = Error::data(format!("{} has no column `{column}`", self.file));
            match crate::names::nearest(column, self.columns.iter().map(String::as_str)) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None if self.columns.is_empty() => {
                    error.help(format!("it has {} columns without names; the first is `0`", self.width))
                }
                None => {
                    let some: Vec<String> = self.columns.iter().take(8).map(|name| format!("`{name}`")).collect();
                    let more = if self.columns.len() > some.len() { ", …" } else { "" };
                    error.help(format!("its {} columns are {}{more}", self.width, some.join(", ")))
                }
            }
        })?;
        self.answer = Some((at, kind));
        Ok(())
    }

    fn push(&mut self, record: &StringRecord) -> Result<()> {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != self.width {
            return Err(Error::data(format!(
                "{}:{line}: {} cells in the row, {} expected",
                self.file,
                record.len(),
                self.width
            ))
            .help(if record.len() < self.width {
                "is the file cut off?"
            } else {
                "is a separator part of a cell?"
            }));
        }
        for (column, cell) in record.iter().enumerate() {
            let cell = cell.trim();
            match self.answer {
                Some((at, kind)) if at == column => self.push_answer(line, column, cell, kind)?,
                _ => {
                    let value = self.number(line, column, cell)?;
                    self.inputs.push(value);
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn push_answer(&mut self, line: u64, column: usize, cell: &str, kind: Kind) -> Result<()> {
        let kind = match kind {
            Kind::Undecided => {
                let kind = if cell.parse::<f64>().is_ok() { Kind::Numbers } else { Kind::Names };
                self.answer = Some((column, kind));
                kind
            }
            kind => kind,
        };
        match kind {
            Kind::Target => {
                let value = self.number(line, column, cell)?;
                self.targets.push(value);
            }
            Kind::Names | Kind::Undecided => {
                if cell.is_empty() {
                    return Err(self.fault(line, column, "the label is missing"));
                }
                self.names.push(cell.to_string());
            }
            Kind::Numbers => {
                let value = self.number(line, column, cell)?;
                // 2^24 is the last f32 that counts; no set of classes comes near it.
                if value.fract() != 0.0 || !(0.0..16_777_216.0).contains(&value) {
                    return Err(self
                        .fault(line, column, &format!("`{cell}` is not a class label"))
                        .help("labels are 0, 1, 2, …; `CsvFile::target` reads a number to be predicted"));
                }
                self.labels.push(value as i64);
            }
        }
        Ok(())
    }

    fn number(&self, line: u64, column: usize, cell: &str) -> Result<f32> {
        if cell.is_empty() {
            return Err(self.fault(line, column, "the cell is empty"));
        }
        let value: f64 =
            cell.parse().map_err(|_| self.fault(line, column, &format!("`{}` is not a number", shortened(cell))))?;
        if !value.is_finite() {
            return Err(self.fault(line, column, &format!("`{cell}` is not a finite number")));
        }
        let single = value as f32;
        if !single.is_finite() {
            return Err(self.fault(line, column, &format!("`{}` is too large for f32", shortened(cell))));
        }
        Ok(single)
    }

    fn fault(&self, line: u64, column: usize, what: &str) -> Error {
        let name = self.columns.get(column).map(|name| format!(" (`{}`)", shortened(name))).unwrap_or_default();
        Error::data(format!("{}:{line}: column {}{name}: {what}", self.file, column + 1))
    }

    fn finish(self) -> Result<Table> {
        let answer = self.answer;
        let features = self.width - usize::from(answer.is_some());
        let inputs = Tensor::new(self.inputs, [self.rows, features])?;
        let mut classes = Vec::new();
        let targets = match answer {
            None => Tensor::new(Vec::<f32>::new(), [self.rows, 0])?,
            Some((_, Kind::Target)) => Tensor::new(self.targets, [self.rows, 1])?,
            Some((_, Kind::Names)) => {
                classes.clone_from(&self.names);
                classes.sort_unstable();
                classes.dedup();
                if classes.len() > MAX_CLASSES {
                    return Err(Error::data(format!(
                        "{}: {} different labels are no classes",
                        self.file,
                        classes.len()
                    )));
                }
                let label = |name: &String| classes.binary_search(name).unwrap_or(0) as i64;
                Tensor::new(self.names.iter().map(label).collect::<Vec<i64>>(), [self.rows])?
            }
            Some(_) => Tensor::new(self.labels, [self.rows])?,
        };
        let features = self
            .columns
            .into_iter()
            .enumerate()
            .filter(|(at, _)| answer.is_none_or(|(column, _)| column != *at))
            .map(|(_, name)| name)
            .collect();
        Ok(Table { inputs, targets, features, classes })
    }
}

fn unreadable(name: &str, error: csv::Error) -> Error {
    let line = error.position().map(|at| format!(":{}", at.line())).unwrap_or_default();
    match error.kind() {
        csv::ErrorKind::Io(_) => Error::io(format!("{name}{line}: the file cannot be read")).caused_by(error),
        csv::ErrorKind::Utf8 { err, .. } => {
            Error::data(format!("{name}{line}: cell {} is not UTF-8 text", err.field() + 1))
        }
        _ => Error::data(format!("{name}{line}: {error}")),
    }
}

/// A cell as it may stand in an error: a torn quote can make one of megabytes.
fn shortened(cell: &str) -> String {
    if cell.chars().count() <= 40 { cell.to_string() } else { cell.chars().take(37).chain("...".chars()).collect() }
}

mod guard;
#[cfg(test)]
mod tests;
