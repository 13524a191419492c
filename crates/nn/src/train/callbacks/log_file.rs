//! A file that grows by a line an epoch.

use crate::tensors::{Named, whole};
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Every line is on its way to the disk before the next epoch begins. A run that is resumed cuts off what was written after its checkpoint.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    append: bool,
    file: Option<File>,
    /// The length of the file when the last line was written.
    length: u64,
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> LogFile {
        LogFile { path, append: false, file: None, length: 0 }
    }

    pub(super) fn append(self) -> LogFile {
        LogFile { append: true, ..self }
    }

    /// Opens the file, and gives its first line if it is not empty.
    pub(super) fn begin(&mut self, resumed: bool) -> Result<Option<String>> {
        let keep = if resumed { Some(self.length) } else { self.append.then_some(u64::MAX) };
        let opened = self.open(keep.unwrap_or(0));
        let (file, first) = opened.map_err(|error| self.fault(error))?;
        self.file = Some(file);
        Ok(first)
    }

    fn open(&mut self, keep: u64) -> io::Result<(File, Option<String>)> {
        /// No header is longer.
        const HEADER: u64 = 1 << 20;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        self.length = file.metadata()?.len().min(keep);
        file.set_len(self.length)?;
        let mut head = Vec::new();
        (&file).take(HEADER).read_to_end(&mut head)?;
        let first = String::from_utf8_lossy(&head).lines().next().map(str::to_string);
        if self.length > 0 {
            let mut last = [b'\n'];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != [b'\n'] {
                file.write_all(b"\n")?;
                self.length += 1;
            }
        }
        file.seek(SeekFrom::End(0))?;
        Ok((file, first.filter(|_| self.length > 0)))
    }

    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = format!("{text}\n");
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| self.fault(error))?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn fault(&self, error: io::Error) -> Error {
        Error::io(format!("{} cannot be written", self.path.display())).caused_by(error)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(super) fn state(&self) -> Named {
        vec![("length".to_string(), Tensor::from(i64::try_from(self.length).unwrap_or(i64::MAX)))]
    }

    pub(super) fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.length = u64::try_from(whole(state, "length")?)
            .map_err(|_| Error::format("`length` is negative").op("load_state"))?;
        Ok(())
    }
}
