//! The binary files of [CIFAR-10 and CIFAR-100](https://www.cs.toronto.edu/~kriz/cifar.html).
//!
//! A file is records without a header: one byte of label (CIFAR-100: two, the coarse and the fine one), and 3 × 32 × 32 bytes
//! of red, green and blue, row by row.

use super::bytes::{self, MAX_BYTES};
use super::transform::Transform;
use super::transform::convert::ToFloat;
use crate::explain::framed;
use std::path::Path;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

const IMAGE: usize = 3 * 32 * 32;

/// Images `[samples, 3, 32, 32]` f32 in `[0, 1]` and labels `[samples]` i64 in `0..10` of CIFAR-10's files.
///
/// ```
/// use wengert_nn::data::cifar::read_cifar10;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let path = std::env::temp_dir().join(format!("wengert-doc-cifar-{}.bin", std::process::id()));
/// let cat = [&[3u8][..], &[128; 3072]].concat();
/// std::fs::write(&path, cat).ok();
/// let (images, labels) = read_cifar10(&[&path])?;
/// assert_eq!(images.shape().dims(), [1, 3, 32, 32]);
/// assert_eq!(labels.to_vec::<i64>()?, [3]);
/// # std::fs::remove_file(&path).ok();
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Io` for a file that cannot be read; `Format` for one that does not end with a record, or has a label beyond the classes;
/// `Data` for no files, or one of more than 4 GiB.
#[track_caller]
pub fn read_cifar10(paths: &[impl AsRef<Path>]) -> Result<(Tensor, Tensor)> {
    framed("read_cifar10", read(Records::Cifar10, paths))
}

/// Images `[samples, 3, 32, 32]` f32 in `[0, 1]` and fine labels `[samples]` i64 in `0..100` of CIFAR-100's files.
///
/// # Errors
/// Those of [`read_cifar10`].
#[track_caller]
pub fn read_cifar100(paths: &[impl AsRef<Path>]) -> Result<(Tensor, Tensor)> {
    framed("read_cifar100", read(Records::Cifar100, paths))
}

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// One label in `0..10`.
    Cifar10,
    /// A coarse label in `0..20` and a fine one in `0..100`.
    Cifar100,
}

impl Records {
    /// Images `[samples, 3, 32, 32]` u8 and labels `[samples]` i64 of bytes in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// `Format` for bytes that do not end with a record, or a label beyond the classes.
    #[track_caller]
    pub fn parse(self, name: &str, bytes: &[u8]) -> Result<(Tensor, Tensor)> {
        framed("Records::parse", self.records(name, bytes))
    }

    fn records(self, name: &str, bytes: &[u8]) -> Result<(Tensor, Tensor)> {
        // How many classes each label byte has; the last is the label.
        let classes: &[u8] = match self {
            Records::Cifar10 => &[10],
            Records::Cifar100 => &[20, 100],
        };
        let size = classes.len() + IMAGE;
        if bytes.is_empty() || !bytes.len().is_multiple_of(size) {
            return Err(Error::format(format!("{name} has {} bytes, no multiple of {size}", bytes.len()))
                .help("is the file cut off, or not the binary version?"));
        }
        let mut pixels = Vec::with_capacity(bytes.len());
        let mut labels = Vec::new();
        for (at, record) in bytes.chunks_exact(size).enumerate() {
            let (front, image) = record.split_at(classes.len());
            if let Some((label, classes)) = front.iter().zip(classes).find(|(label, classes)| label >= classes) {
                return Err(Error::format(format!("{name}: record {at} has the label {label}, of {classes} classes")));
            }
            labels.extend(front.last().map(|&label| i64::from(label)));
            pixels.extend_from_slice(image);
        }
        let samples = labels.len();
        Ok((Tensor::new(pixels, [samples, 3, 32, 32])?, Tensor::new(labels, [samples])?))
    }
}

fn read(records: Records, paths: &[impl AsRef<Path>]) -> Result<(Tensor, Tensor)> {
    if paths.is_empty() {
        return Err(Error::data("no files to read"));
    }
    let parts = paths.iter().map(|path| {
        let path = path.as_ref();
        records.records(&path.display().to_string(), &bytes::read(path, MAX_BYTES)?)
    });
    let (images, labels): (Vec<_>, Vec<_>) = parts.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok((ToFloat.apply(&Tensor::concat(&images, 0)?, &[])?, Tensor::concat(&labels, 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn files_are_joined_and_wrong_ones_named() {
        let scratch = Scratch::new("cifar");
        let record = |front: &[u8], pixel: u8| [front, &[pixel; IMAGE]].concat();
        let (a, b) = (scratch.file("a.bin"), scratch.file("b.bin"));
        std::fs::write(&a, [record(&[3], 0), record(&[9], 255)].concat()).unwrap();
        std::fs::write(&b, record(&[0], 51)).unwrap();
        let (images, labels) = read_cifar10(&[&a, &b]).unwrap();
        assert_eq!(labels.to_vec::<i64>().unwrap(), [3, 9, 0]);
        assert_eq!(images.select(0, 2).unwrap().to_f64_vec()[0] as f32, 0.2);
        let fine = Records::Cifar100.parse("x", &record(&[19, 99], 1)).unwrap().1;
        assert_eq!(fine.to_vec::<i64>().unwrap(), [99]);
        for (records, bytes, expected) in [
            (Records::Cifar10, record(&[10], 0), "record 0 has the label 10, of 10 classes"),
            (Records::Cifar100, record(&[20, 1], 0), "the label 20, of 20 classes"),
            (Records::Cifar10, record(&[1], 0)[1..].to_vec(), "no multiple of 3073"),
            (Records::Cifar10, vec![], "has 0 bytes"),
        ] {
            let error = records.parse("x.bin", &bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(read_cifar10(&[] as &[&str]).is_err() && read_cifar10(&["no/such.bin"]).is_err());
    }
}
