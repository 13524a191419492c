//! Damaged and hostile files of every format: an error or a result, no panic, and memory bounded by the bytes.
#![cfg(feature = "files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use wengert_nn::data::cifar::Records;
use wengert_nn::data::csv::CsvFile;
use wengert_nn::data::idx::IdxReader;
use wengert_nn::data::image::ImageReader;
use wengert_nn::data::npy::{NpyReader, npy_bytes, write_npz, write_npz_compressed};
use wengert_nn::data::text::bpe::Bpe;
use wengert_nn::data::text::characters::CharVocabulary;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::tensor::Tensor;

/// Counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.with(|held| {
        held.set(held.get() + bytes);
        MOST.with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: the system's allocator does the work; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result, and the most bytes that were held on the way.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(Cell::get);
    MOST.with(|most| most.set(before));
    let result = work();
    (result, (MOST.with(Cell::get) - before).max(0) as usize)
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn range(&mut self, n: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(n + 1), self.below(n + 1));
        a.min(b)..a.max(b)
    }

    /// One of the ways in which files are damaged. The front is hit as often as all the rest: headers lie there.
    fn damage(&mut self, good: &[Vec<u8>]) -> Vec<u8> {
        let which = self.below(good.len());
        let mut bad = good[which].clone();
        let place = |dice: &mut Dice, n: usize| if dice.below(2) == 0 { dice.below(n.min(96)) } else { dice.below(n) };
        for _ in 0..1 + self.below(3) {
            if bad.is_empty() {
                return bad;
            }
            let n = bad.len();
            match self.below(6) {
                0 => {
                    for _ in 0..1 + self.below(8) {
                        let at = place(self, n);
                        bad[at] ^= 1 << self.below(8);
                    }
                }
                1 => bad.truncate(self.below(n)),
                2 => {
                    // A piece of a file of the same kind.
                    let other = &good[self.below(good.len())];
                    let piece = other[self.range(other.len())].to_vec();
                    let to = self.range(n);
                    bad.splice(to, piece);
                }
                3 => {
                    // A count that has grown.
                    let at = place(self, n);
                    let large = [0xff, 0x7f, 0x80, b'9'][self.below(4)];
                    let width = [1, 2, 4, 8][self.below(4)];
                    bad.iter_mut().skip(at).take(width).for_each(|byte| *byte = large);
                }
                4 => {
                    let at = place(self, n);
                    let noise: Vec<u8> = (0..1 + self.below(16)).map(|_| self.next() as u8).collect();
                    bad.splice(at..at, noise);
                }
                _ => {
                    let to = self.range(n);
                    bad.drain(to);
                }
            }
        }
        bad
    }
}

/// 10,000 damaged files of a format. `factor` is what a byte may become.
fn survives<T>(format: &str, good: &[Vec<u8>], factor: usize, parse: impl Fn(&[u8]) -> Result<T>) {
    for whole in good {
        parse(whole).unwrap_or_else(|error| panic!("{format}: the whole file: {error}"));
    }
    let mut dice = Dice(format.bytes().map(u64::from).sum());
    let mut refused = 0;
    for case in 0..10_000 {
        let mut bad = dice.damage(good);
        if format == "png" && case % 2 == 0 {
            mend_checksums(&mut bad);
        }
        let (outcome, most) = measured(|| catch_unwind(AssertUnwindSafe(|| parse(&bad))));
        let outcome = outcome.unwrap_or_else(|_| panic!("{format} panicked at case {case}: {bad:?}"));
        let bound = factor * bad.len() + (1 << 20);
        assert!(most <= bound, "{format}, case {case}: {most} bytes for a file of {}", bad.len());
        if let Err(error) = outcome {
            refused += 1;
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Format | ErrorKind::Data | ErrorKind::DType),
                "{format}: {kind:?} {error}"
            );
            assert!(error.to_string().len() < 2000, "{format}: {error}");
        }
    }
    assert!(refused > 3000, "{format}: only {refused} were refused");
}

/// Gives every chunk of a PNG file the checksum of its bytes, so that the decoder behind the check is met.
fn mend_checksums(png: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = png.get(at..at + 4).map(|b| u32::from_be_bytes(b.try_into().unwrap()) as usize) {
        let Some(end) = at.checked_add(8 + length).filter(|&end| end + 4 <= png.len()) else { return };
        let mut crc = flate2::Crc::new();
        crc.update(&png[at + 4..end]);
        png[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
}

fn reference(name: &str) -> Vec<u8> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/data"));
    std::fs::read(folder.join(name)).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("wengert-corrupt-{}-{name}", std::process::id()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn idx_files() -> Vec<Vec<u8>> {
    let file = |code: u8, sizes: &[u32], data: &[u8]| {
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_be_bytes()).collect();
        [&[0, 0, code, (sizes.len() / 4) as u8], &sizes[..], data].concat()
    };
    vec![file(8, &[3, 4, 5], &[7; 60]), file(8, &[9], &[1, 2, 3, 4, 5, 6, 7, 8, 9]), file(0x0d, &[2, 2], &[1; 16])]
}

#[test]
fn npy() {
    let tensors = [
        Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]),
        Tensor::from([true, false, true]),
        Tensor::zeros([2, 3, 4], DType::I64).unwrap(),
    ];
    let mut good: Vec<Vec<u8>> = tensors.iter().map(|tensor| npy_bytes(tensor).unwrap()).collect();
    good.extend(["version2.npy", "version3.npy"].map(reference));
    survives("npy", &good, 64, |bytes| NpyReader::new().parse("a.npy", bytes));
}

#[test]
fn npz() {
    let arrays =
        [("x".to_string(), Tensor::zeros([40, 5], DType::F32).unwrap()), ("y".to_string(), Tensor::from([1i64, 2, 3]))];
    let path = scratch("a.npz");
    write_npz(&path, &arrays).unwrap();
    let stored = std::fs::read(&path).unwrap();
    write_npz_compressed(&path, &arrays).unwrap();
    let packed = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    survives("npz", &[stored, packed, reference("compressed.npz")], 1032 * 8, |bytes| {
        NpyReader::new().parse_archive("a.npz", bytes)
    });
}

#[test]
fn idx() {
    survives("idx", &idx_files(), 64, |bytes| IdxReader::new().parse("a", bytes));
}

#[test]
fn idx_gz() {
    let packed: Vec<Vec<u8>> = idx_files().iter().map(|file| gzip(file)).collect();
    survives("idx.gz", &packed, 1032 * 8, |bytes| IdxReader::new().parse("a.gz", bytes));
}

#[test]
fn cifar() {
    let record = |front: &[u8]| [front, &[9; 3072]].concat();
    survives("cifar-10", &[[record(&[3]), record(&[9])].concat(), record(&[0])], 64, |bytes| {
        Records::Cifar10.parse("a.bin", bytes)
    });
    survives("cifar-100", &[[record(&[3, 99]), record(&[19, 0])].concat(), record(&[0, 1])], 64, |bytes| {
        Records::Cifar100.parse("a.bin", bytes)
    });
}

#[test]
fn png() {
    let good = ["rgb.png", "gray.png", "rgba.png", "palette.png", "bits.png", "deep.png"].map(reference);
    survives("png", &good, 1032 * 64, |bytes| ImageReader::new().decode("a.png", bytes));
}

#[test]
fn jpeg() {
    let good = ["smooth.jpg", "subsampled.jpg", "progressive.jpg", "gray.jpg"].map(reference);
    survives("jpeg", &good, 512 * 64, |bytes| ImageReader::new().decode("a.jpg", bytes));
}

#[test]
fn bpe() {
    let good = Bpe::train("the cat sat on the mat and the hat", 265).unwrap();
    let path = scratch("bpe.json");
    good.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    survives("bpe", &[bytes], 256, |bytes| Bpe::parse("t.json", bytes));
}

#[test]
fn characters_and_csv() {
    let path = scratch("file");
    // A new file each time: to overwrite one makes some file systems wait for the disk.
    let through = |bytes: &[u8]| {
        std::fs::remove_file(&path).ok();
        std::fs::write(&path, bytes).unwrap();
    };
    survives(
        "characters",
        &[br#"{"characters": "abcd\u00e9 \n"}"#.to_vec(), br#"{"characters":""}"#.to_vec()],
        256,
        |bytes| {
            through(bytes);
            CharVocabulary::load(&path)
        },
    );
    let tables = [
        b"a,b,y\n1.5,2,0\n\"3\",-4e1,1\n5,6,2\n".to_vec(),
        b"length,width,y\r\n5.1,3.5,cat\r\n4.9,3.0,\"a, dog\"\r\n".to_vec(),
    ];
    survives("csv", &tables, 256, |bytes| {
        through(bytes);
        CsvFile::new(&path).label("y").read()
    });
    std::fs::remove_file(&path).unwrap();
}

/// Refused with these words, without the memory that the file asks for.
fn refuses<T>(what: &str, file: &[u8], expected: &str, parse: impl Fn(&[u8]) -> Result<T>) {
    let (outcome, most) = measured(|| parse(file));
    let error = outcome.map(drop).unwrap_err().to_string();
    assert!(error.contains(expected), "{what}: {error}");
    assert!(most < 4 << 20, "{what}: {most} bytes");
}

#[test]
fn hostile_files_get_no_memory() {
    let npy = |bytes: &[u8]| NpyReader::new().parse("a.npy", bytes);
    let header = |shape: &str| {
        let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
        [b"\x93NUMPY\x02\x00", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
    };
    refuses("many elements", &header("(1000000000000,)"), "0 bytes of elements", npy);
    refuses("beyond usize", &header("(18446744073709551615, 18446744073709551615)"), "more than there can be", npy);
    refuses("10,000 axes", &header(&format!("({})", "1, ".repeat(10_000))), "more than 64 axes", npy);
    refuses("a long header", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "inside of its header", npy);

    // Archives and streams of zeros.
    let large = [("zeros".to_string(), Tensor::zeros([64 << 20], DType::U8).unwrap())];
    let path = scratch("bomb.npz");
    write_npz_compressed(&path, &large).unwrap();
    let bomb = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(bomb.len() < 1 << 20);
    refuses("a zip bomb", &bomb, "the limit is 1000000", |bytes| {
        NpyReader::new().max_bytes(1_000_000).parse_archive("bomb.npz", bytes)
    });
    let idx = |bytes: &[u8]| IdxReader::new().parse("a-idx", bytes);
    let mut zeros = vec![0, 0, 8, 1, 0, 0, 0, 9];
    zeros.resize(32 << 20, 0);
    let packed = gzip(&zeros);
    refuses("a gzip bomb behind a small header", &packed, "there are more", idx);
    zeros[4..8].copy_from_slice(&(31u32 << 20).to_be_bytes());
    refuses("a gzip bomb that says so", &gzip(&zeros), "the limit is 1000000", |bytes| {
        IdxReader::new().max_bytes(1_000_000).parse("a-idx", bytes)
    });
    let says = [&[0, 0, 8, 1][..], &[0x7f; 4], &[0; 100]].concat();
    refuses("sizes beyond the file", &says, "bytes, there are", idx);
    refuses("the same, packed", &gzip(&says), "says that", idx);

    // Pictures that declare more pixels than they hold.
    let decode = |bytes: &[u8]| ImageReader::new().decode("a", bytes);
    let mut wide = reference("rgb.png");
    wide[16..24].copy_from_slice(&[0, 0, 0x2f, 0xff, 0, 0, 0x2f, 0xff]);
    refuses("a large PNG with a wrong checksum", &wide, "a", decode);
    mend_checksums(&mut wide);
    refuses("a PNG bomb", &wide, "the limit is 134217728", decode);
    refuses("a PNG without the bytes", &wide, "bytes hold 12287 × 12287 pixels", |bytes| {
        ImageReader::new().max_pixels(u64::MAX).decode("a", bytes)
    });
    let mut jpeg = reference("smooth.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0xff, 0x1f, 0xff]);
    refuses("a JPEG without the bytes", &jpeg, "bytes hold 8191 × 8191 pixels", decode);
    refuses("deep JSON", "[".repeat(1 << 20).as_bytes(), "no JSON", |bytes| Bpe::parse("t", bytes));
}
