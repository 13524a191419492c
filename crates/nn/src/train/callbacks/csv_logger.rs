//! The figures of every epoch as a table.

use super::log_file::LogFile;
use crate::tensors::Named;
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use std::path::PathBuf;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Writes a CSV file (RFC 4180) with a line for each epoch: `epoch,loss,val_loss`. Keras's `CSVLogger`.
///
/// ```
/// use wengert_nn::train::callbacks::csv_logger::CsvLogger;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// # let path = std::env::temp_dir().join(format!("wengert-doc-log-{}.csv", std::process::id()));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(2).callback(CsvLogger::new(&path));
/// # trainer = trainer.verbose(false);
/// trainer.fit(&mut Dense::new(1, 1), &data)?;
/// let text = std::fs::read_to_string(&path).unwrap_or_default();
/// assert!(text.starts_with("epoch,loss\n1,") && text.lines().count() == 3);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// Every line is written to the disk when its epoch ends, with all digits of a figure; what an epoch lacks is empty. A file that is there is
/// replaced, unless [`append`](CsvLogger::append) is said or the run is resumed: it goes on then where the checkpoint was.
#[derive(Debug)]
pub struct CsvLogger {
    file: LogFile,
    columns: Vec<String>,
}

impl CsvLogger {
    /// Writes to this file. Folders that do not exist are made.
    pub fn new(path: impl Into<PathBuf>) -> CsvLogger {
        CsvLogger { file: LogFile::new(path.into()), columns: Vec::new() }
    }

    /// Goes on behind what the file holds, which must have the same columns.
    #[must_use]
    pub fn append(self) -> CsvLogger {
        CsvLogger { file: self.file.append(), ..self }
    }
}

impl Callback for CsvLogger {
    fn name(&self) -> &str {
        "csv_logger"
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.columns = at.columns().names().map(str::to_string).collect();
        let header: Vec<String> = std::iter::once("epoch").chain(at.columns().names()).map(cell).collect();
        let header = header.join(",");
        match self.file.begin(at.resumed())? {
            None => self.file.line(&header),
            Some(first) if first == header => Ok(()),
            Some(first) => Err(Error::data(format!("{} has other columns", self.file.path().display()))
                .operand("there", first)
                .operand("here", header)
                .help("write to another file")),
        }
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let figure = |name: &String| at.logs().get(name).map(|figure| figure.to_string()).unwrap_or_default();
        let cells: Vec<String> =
            std::iter::once(at.epoch().to_string()).chain(self.columns.iter().map(figure)).collect();
        self.file.line(&cells.join(","))?;
        Ok(Flow::Continue)
    }

    fn state(&self) -> Named {
        self.file.state()
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.file.load_state(state)
    }
}

/// A name as a cell: in quotes where it must be.
fn cell(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"").replace(['\n', '\r'], " ")),
        false => name.to_string(),
    }
}
