//! Event files: every record is whole, holds what was written, and is what TensorBoard reads.
#![cfg(feature = "plot")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use wengert_autograd::Tape;
use wengert_nn::board::SummaryWriter;
use wengert_nn::layers::dense::Dense;
use wengert_nn::train::logs::Logs;
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("wengert-board-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&folder).ok();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Bit by bit, as the polynomial has it: another way than the writer's.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

fn masked(bytes: &[u8]) -> u32 {
    let crc = crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The data of all records of a file, each checked.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let (crc, after) = after.split_at(4);
        assert_eq!(u32::from_le_bytes(crc.try_into().unwrap()), masked(length));
        let (data, after) = after.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (crc, after) = after.split_at(4);
        assert_eq!(u32::from_le_bytes(crc.try_into().unwrap()), masked(data));
        records.push(data.to_vec());
        rest = after;
    }
    records
}

/// The fields of a message: number, and what stands there.
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let length = match key & 7 {
            0 => {
                let value = varint(&mut data);
                fields.push((key >> 3, value.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut data) as usize,
            wire => panic!("wire {wire}"),
        };
        let (value, rest) = data.split_at(length);
        fields.push((key >> 3, value.to_vec()));
        data = rest;
    }
    fields
}

fn field(data: &[u8], number: u64) -> Vec<u8> {
    fields(data).into_iter().find(|(n, _)| *n == number).unwrap().1
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks(8).map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

fn write(folder: &Path) -> PathBuf {
    let mut board = SummaryWriter::open(folder).unwrap();
    for step in 0..300 {
        board.scalar("train/loss", step, 1.0 / (1 + step) as f64).unwrap();
    }
    let values = Tensor::from([0.5f32, -2.0, 0.0, 0.5, f32::NAN]);
    board.histogram("weight", 7, &values).unwrap();
    board.text("notes", 0, "a **first** run — ünïcode").unwrap();
    board.image("picture", 3, &Tensor::new((0..48u8).collect::<Vec<_>>(), [3, 4, 4]).unwrap()).unwrap();
    let tape = Tape::new();
    let loss = {
        let _net = tape.scope("Net");
        let _head = tape.scope(("head", "Dense"));
        tape.input(&Tensor::from([[1f32, 2.0]])).matmul(tape.input(&Tensor::from([[1f32], [2.0]]))).sum()
    };
    board.graph(&tape.recorded(loss).unwrap()).unwrap();
    board.logs(5, &Logs::from([("loss", 0.25), ("val_loss", 0.5)])).unwrap();
    board.weights(5, &Dense::new(2, 3)).unwrap();
    board.path().to_path_buf()
}

#[test]
fn records_are_whole_and_hold_what_was_written() {
    let folder = Folder::new("records");
    let path = write(&folder.0);
    assert!(path.file_name().unwrap().to_str().unwrap().contains("tfevents"));
    let records = records(&path);
    assert_eq!(records.len(), 1 + 300 + 4 + 2 + 2);
    assert_eq!(field(&records[0], 3), b"brain.Event:2");
    let value = |at: usize| field(&field(&records[at], 5), 1);
    assert_eq!(field(&records[300], 2), 299u64.to_le_bytes());
    assert_eq!(field(&value(300), 1), b"train/loss");
    assert_eq!(field(&value(300), 2), (1.0f32 / 300.0).to_le_bytes());
    let histogram = field(&value(301), 5);
    let number = |n| doubles(&field(&histogram, n))[0];
    assert_eq!([1, 2, 3, 4, 5].map(number), [-2.0, 0.5, 4.0, -1.0, 4.5]);
    let (limits, counts) = (doubles(&field(&histogram, 6)), doubles(&field(&histogram, 7)));
    assert_eq!(limits.len(), counts.len());
    assert_eq!(counts.iter().sum::<f64>(), 4.0);
    let at = counts.iter().position(|count| *count == 2.0).unwrap();
    assert!(limits[at - 1] <= 0.5 && 0.5 <= limits[at]);
    assert_eq!(field(&field(&value(302), 8), 8), "a **first** run — ünïcode".as_bytes());
    let image = field(&value(303), 4);
    assert_eq!(&field(&image, 4)[1..4], b"PNG");
    assert_eq!((field(&image, 1)[0], field(&image, 2)[0], field(&image, 3)[0]), (4, 4, 3));
    let graph = field(&records[304], 4);
    let names: Vec<String> = fields(&graph)
        .into_iter()
        .filter(|(n, _)| *n == 1)
        .map(|(_, node)| String::from_utf8(field(&node, 1)).unwrap())
        .collect();
    assert!(names.contains(&"Net/head__Dense/matmul_2".to_string()), "{names:?}");
    assert_eq!(field(&value(306), 1), b"val_loss");
    assert_eq!(field(&value(307), 1), b"weight");
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let folder = Folder::new("errors");
    let mut board = SummaryWriter::open(&folder.0).unwrap();
    let other = SummaryWriter::open(&folder.0).unwrap();
    assert_ne!(board.path(), other.path());
    assert!(board.image("t", 0, &Tensor::zeros([2, 4, 4], DType::F32).unwrap()).is_err());
    for odd in [f64::NAN, f64::INFINITY, 1e300] {
        board.scalar("odd", u64::MAX, odd).unwrap();
    }
    board.histogram("empty", 0, &Tensor::zeros([0], DType::F32).unwrap()).unwrap();
    board.histogram("odd", 0, &Tensor::from([f64::MAX, f64::MIN, 1e-300])).unwrap();
    board.flush().unwrap();
    assert_eq!(records(board.path()).len(), 6);
    let taken = folder.0.join("taken");
    std::fs::write(&taken, "a file").unwrap();
    assert!(SummaryWriter::open(&taken).is_err());
}

#[test]
fn tensorboard_reads_what_was_written() {
    let folder = Folder::new("python");
    write(&folder.0);
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_string());
    let script = "\
import sys
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    sys.exit(77)
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'histograms': 0, 'images': 0, 'tensors': 0})
events.Reload()
tags = events.Tags()
loss = events.Scalars('train/loss')
assert [e.step for e in loss] == list(range(300)), loss
assert abs(loss[9].value - 0.1) < 1e-6
assert events.Scalars('val_loss')[0].value == 0.5
h = events.Histograms('weight')[0].histogram_value
assert (h.min, h.max, h.num, h.sum, h.sum_squares) == (-2.0, 0.5, 4.0, -1.0, 4.5), h
assert sum(h.bucket) == 4
image = events.Images('picture')[0]
assert (image.width, image.height) == (4, 4) and image.encoded_image_string[1:4] == b'PNG'
text = events.Tensors('notes')[0].tensor_proto
assert text.string_val[0].decode() == 'a **first** run \\u2014 \\u00fcn\\u00efcode', text
assert events.summary_metadata['notes'].plugin_data.plugin_name == 'text'
names = [node.name for node in events.Graph().node]
assert 'Net/head__Dense/matmul_2' in names, names
inputs = {node.name: list(node.input) for node in events.Graph().node}
assert all(i in names for list_ in inputs.values() for i in list_)
";
    match Command::new(&python).args(["-c", script]).arg(&folder.0).output() {
        Ok(output) if output.status.code() == Some(77) => println!("skipped: no tensorboard in {python}"),
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => println!("skipped: {python}: {error}"),
    }
}
