//! The figures of every epoch as lines of JSON.

use super::log_file::LogFile;
use crate::tensors::Named;
use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use std::path::PathBuf;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Writes a line `{"epoch":1,"loss":0.5}` (RFC 8259) for each epoch; a figure that is not finite is `null`.
///
/// ```
/// use wengert_nn::train::callbacks::jsonl_logger::JsonlLogger;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// # let path = std::env::temp_dir().join(format!("wengert-doc-log-{}.jsonl", std::process::id()));
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).epochs(2).callback(JsonlLogger::new(&path));
/// # trainer = trainer.verbose(false);
/// trainer.fit(&mut Dense::new(1, 1), &data)?;
/// let text = std::fs::read_to_string(&path).unwrap_or_default();
/// assert!(text.starts_with("{\"epoch\":1,\"loss\":") && text.lines().count() == 2);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// Every line is written to the disk when its epoch ends. A file that is there is replaced, unless [`append`](JsonlLogger::append) is said or
/// the run is resumed: it goes on then where the checkpoint was.
#[derive(Debug)]
pub struct JsonlLogger {
    file: LogFile,
}

impl JsonlLogger {
    /// Writes to this file. Folders that do not exist are made.
    pub fn new(path: impl Into<PathBuf>) -> JsonlLogger {
        JsonlLogger { file: LogFile::new(path.into()) }
    }

    /// Goes on behind what the file holds.
    #[must_use]
    pub fn append(self) -> JsonlLogger {
        JsonlLogger { file: self.file.append() }
    }
}

impl Callback for JsonlLogger {
    fn name(&self) -> &str {
        "jsonl_logger"
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.file.begin(at.resumed()).map(|_| ())
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        let mut line = format!("{{\"epoch\":{}", at.epoch());
        for (name, figure) in at.logs().iter() {
            let figure = if figure.is_finite() { figure.to_string() } else { "null".to_string() };
            line.push_str(&format!(",{}:{figure}", text(name)));
        }
        line.push('}');
        self.file.line(&line)?;
        Ok(Flow::Continue)
    }

    fn state(&self) -> Named {
        self.file.state()
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.file.load_state(state)
    }
}

/// A name as a string of JSON.
fn text(name: &str) -> String {
    let mut text = String::from("\"");
    for char in name.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            char if (char as u32) < 0x20 => text.push_str(&format!("\\u{:04x}", char as u32)),
            char => text.push(char),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_escaped() {
        assert_eq!(super::text("a\"b\\c\nd"), r#""a\"b\\c\u000ad""#);
    }
}
