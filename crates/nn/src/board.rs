//! Event files for [TensorBoard](https://www.tensorflow.org/tensorboard): scalars, histograms, text, images and graphs, written without
//! TensorFlow. `tensorboard --logdir runs` shows them.
//!
//! **Format.** A file is a row of records (TFRecord), each an `Event` in the encoding of protocol buffers. With c the CRC-32C of some bytes
//! and m(c) = ((c ≫ 15) | (c ≪ 17)) + 0xa282ead8 (mod 2³²), a record is
//!
//! | bytes | |
//! |---|---|
//! | 8 | the length n of the data, little-endian |
//! | 4 | m(c) of these 8 bytes |
//! | n | the data |
//! | 4 | m(c) of the data |
//!
//! as `tensorflow/core/lib/io/record_writer.h` has it; the messages are those of `event.proto`, `summary.proto` and `graph.proto`. The names
//! are those of PyTorch's `SummaryWriter`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use wengert_autograd::Recording;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use crate::explain::framed;
use crate::module::{Module, each};
use crate::plot::images;
use crate::train::logs::Logs;

mod events;
mod proto;
mod record;

use proto::Message;

/// Writes events to a file of its own in a folder; the folders in a common one are the runs that TensorBoard compares.
///
/// ```
/// use wengert_nn::board::SummaryWriter;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("wengert-doc-board-{}", std::process::id()));
/// let mut board = SummaryWriter::open(&folder)?;
/// for step in 0..100 {
///     board.scalar("train/loss", step, 1.0 / (1.0 + step as f64))?;
/// }
/// board.histogram("weight", 99, &Tensor::from([0.1f32, -0.2, 0.3]))?;
/// board.text("notes", 0, "a **first** run")?;
/// board.image("noise", 0, &Tensor::uniform([3, 8, 8], wengert_tensor::dtype::DType::F32, 1u64)?)?;
/// board.flush()?;
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok(())
/// # }
/// ```
///
/// What was written is there after [`flush`](SummaryWriter::flush), and when the writer is dropped; a crash may lose the last events and
/// cut one short, which TensorBoard passes over. Each event carries the time at which it was written.
#[derive(Debug)]
pub struct SummaryWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl SummaryWriter {
    /// Makes the folder when there is none, and a new file in it.
    ///
    /// # Errors
    /// `Io`.
    #[track_caller]
    pub fn open(folder: impl AsRef<Path>) -> Result<SummaryWriter> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (folder, here) = (folder.as_ref(), Location::caller());
        // What stands before the time is how TensorBoard knows such a file.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("events.out.tfevents.{:.0}.wengert.{}.{number}", now().floor(), std::process::id());
        let path = folder.join(name);
        let file = std::fs::create_dir_all(folder).and_then(|()| File::create_new(&path));
        let file = file.map_err(|error| failed(&path, error).at(here))?;
        let mut writer = SummaryWriter { path, file: BufWriter::new(file) };
        let version = Message::new().double(1, now()).text(3, "brain.Event:2");
        writer.write(&version)?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A point of a curve. Curves whose tags begin alike (`train/…`) stand together.
    ///
    /// # Errors
    /// `Io`.
    #[doc(alias = "add_scalar")]
    #[track_caller]
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<()> {
        framed(OP, self.summary(step, events::scalar(tag, value)))
    }

    /// How the elements of a tensor are spread: TensorFlow's buckets, each a tenth wider than the one before it. What is not finite is left
    /// out.
    ///
    /// # Errors
    /// `Io`.
    #[doc(alias = "add_histogram")]
    #[track_caller]
    pub fn histogram(&mut self, tag: &str, step: u64, values: &Tensor) -> Result<()> {
        framed(OP, self.summary(step, events::histogram(tag, &values.to_f64_vec())))
    }

    /// Text, in Markdown.
    ///
    /// # Errors
    /// `Io`.
    #[doc(alias = "add_text")]
    #[track_caller]
    pub fn text(&mut self, tag: &str, step: u64, text: &str) -> Result<()> {
        framed(OP, self.summary(step, events::text(tag, text)))
    }

    /// An image `[height, width]`, or `[channels, height, width]` with one channel (grey), three (red, green, blue) or four (with opacity).
    /// Floats go from 0 to 1, u8 from 0 to 255.
    ///
    /// # Errors
    /// `Shape` for what is no image, `Io`.
    #[doc(alias = "add_image")]
    #[track_caller]
    pub fn image(&mut self, tag: &str, step: u64, image: &Tensor) -> Result<()> {
        let image = framed("SummaryWriter::image", images::Png::of(image))?;
        framed(OP, self.summary(step, events::image(tag, &image)))
    }

    /// The graph of a recording; layers are boxes that open.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_nn::board::SummaryWriter;
    /// # use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// # let folder = std::env::temp_dir().join(format!("wengert-doc-board-graph-{}", std::process::id()));
    /// let tape = Tape::new();
    /// let loss = tape.input(&Tensor::from([1f32, 2.0])).tanh().sum();
    /// SummaryWriter::open(&folder)?.graph(&tape.recorded(loss)?)?;
    /// # std::fs::remove_dir_all(&folder).ok();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io`.
    #[doc(alias = "add_graph")]
    #[track_caller]
    pub fn graph(&mut self, recording: &Recording) -> Result<()> {
        framed(OP, self.write(&Message::new().double(1, now()).message(4, &events::graph(recording))))
    }

    /// A scalar for each figure of an epoch: `loss`, `val_loss`, … under their names.
    ///
    /// # Errors
    /// `Io`.
    #[track_caller]
    pub fn logs(&mut self, step: u64, logs: &Logs) -> Result<()> {
        framed(OP, logs.iter().try_for_each(|(name, value)| self.scalar(name, step, value)))
    }

    /// A histogram for each weight and buffer of a model, under its name.
    ///
    /// # Errors
    /// `Io`.
    #[track_caller]
    pub fn weights<M: Module + ?Sized>(&mut self, step: u64, model: &M) -> Result<()> {
        let mut outcome = Ok(());
        each(model, &mut |path, param| {
            if outcome.is_ok() && param.dtype().is_float() {
                outcome = self.histogram(&path.name().replace('.', "/"), step, param.value());
            }
        });
        framed(OP, outcome)
    }

    /// Brings everything that was written to the file.
    ///
    /// # Errors
    /// `Io`.
    #[track_caller]
    pub fn flush(&mut self) -> Result<()> {
        framed(OP, self.file.flush().map_err(|error| failed(&self.path, error)))
    }

    fn summary(&mut self, step: u64, value: Message) -> Result<()> {
        let summary = Message::new().message(1, &value);
        self.write(&Message::new().double(1, now()).int(2, step).message(5, &summary))
    }

    fn write(&mut self, event: &Message) -> Result<()> {
        self.file.write_all(&record::framed(event.bytes())).map_err(|error| failed(&self.path, error))
    }
}

/// What errors call the writer.
const OP: &str = "SummaryWriter";

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("{} cannot be written", path.display())).op(OP).caused_by(error)
}
