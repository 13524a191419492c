use super::*;
use crate::scratch::Scratch;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn file(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = shape.iter().flat_map(|size| size.to_be_bytes()).collect();
    [&[0, 0, code, shape.len() as u8], &sizes[..], data].concat()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn parse(bytes: &[u8]) -> Result<Tensor> {
    IdxReader::new().parse("a-idx", bytes)
}

#[test]
fn every_kind_of_element() {
    assert_eq!(parse(&file(8, &[2, 1], &[1, 255])).unwrap().to_vec::<u8>().unwrap(), [1, 255]);
    assert_eq!(parse(&file(9, &[2], &[1, 255])).unwrap().to_vec::<i32>().unwrap(), [1, -1]);
    assert_eq!(parse(&file(0x0b, &[1], &[255, 254])).unwrap().to_vec::<i32>().unwrap(), [-2]);
    assert_eq!(parse(&file(0x0c, &[1], &[0, 0, 1, 0])).unwrap().to_vec::<i32>().unwrap(), [256]);
    assert_eq!(parse(&file(0x0d, &[1], &1.5f32.to_be_bytes())).unwrap().to_vec::<f32>().unwrap(), [1.5]);
    assert_eq!(parse(&file(0x0e, &[1], &1.5f64.to_be_bytes())).unwrap().to_vec::<f64>().unwrap(), [1.5]);
    assert_eq!(parse(&file(8, &[], &[7])).unwrap().item::<u8>().unwrap(), 7);
    assert_eq!(parse(&file(8, &[0, 5], &[])).unwrap().shape().dims(), [0, 5]);
}

#[test]
fn a_packed_file_is_the_same() {
    let plain = file(8, &[3, 4], &[5; 12]);
    assert!(parse(&packed(&plain)).unwrap().equals(&parse(&plain).unwrap()));
    // Two members in one file are one stream.
    let (front, back) = plain.split_at(7);
    assert!(parse(&[packed(front), packed(back)].concat()).unwrap().equals(&parse(&plain).unwrap()));
    for end in 0..packed(&plain).len() {
        assert!(parse(&packed(&plain)[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_a_file_says_is_not_trusted() {
    let says = |bytes: Vec<u8>, expected: &str| {
        let error = parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    says(file(8, &[4], &[1, 2]), "take 12 bytes, there are 10");
    says(file(8, &[1], &[1, 2]), "there are more");
    says(file(8, &[u32::MAX; 9], &[]), "more than there can be");
    says(file(7, &[1], &[1]), "the code 0x07");
    says(vec![0, 1, 8, 0, 1], "two zeros");
    says(vec![0, 0, 8], "ends inside of its header");
    says(file(8, &[1; 255], &[]), "there are 1024");
    says(packed(&file(8, &[100_000_000], &[0; 1000])), "says that");
    says(packed(&file(8, &[20], &[0; 1_000_000])), "there are more");
    says(packed(&file(8, &[20], &[0; 10])), "there are 18");
    // The same sizes are refused by a limit.
    let limited = IdxReader::new().max_bytes(1000).parse("a", &packed(&file(8, &[2000], &[0; 2000])));
    assert!(limited.unwrap_err().to_string().contains("says that it holds 2008 bytes, the limit is 1000"));
    // A checksum that does not fit.
    let mut bad = packed(&file(8, &[4], &[1, 2, 3, 4]));
    let end = bad.len();
    bad[end - 6] ^= 1;
    says(bad, "no whole gzip file");
}

#[test]
fn mnist_is_found_under_its_names() {
    let scratch = Scratch::new("mnist");
    let write = |name: &str, bytes: &[u8]| std::fs::write(scratch.file(name), bytes).unwrap();
    write("train-images-idx3-ubyte", &file(8, &[2, 1, 2], &[0, 255, 51, 0]));
    write("train-labels-idx1-ubyte.gz", &packed(&file(8, &[2], &[7, 3])));
    write("t10k-images.idx3-ubyte.gz", &packed(&file(8, &[1, 1, 2], &[0, 255])));
    let missing = Mnist::read(scratch.file("")).unwrap_err().to_string();
    assert!(missing.contains("has no file `t10k-labels-idx1-ubyte`"), "{missing}");
    write("t10k-labels.idx1-ubyte", &file(8, &[1], &[9]));
    let mnist = Mnist::read(scratch.file("")).unwrap();
    assert_eq!(mnist.train.0.shape().dims(), [2, 1, 1, 2]);
    assert_eq!(mnist.train.0.to_vec::<f32>().unwrap(), [0.0, 1.0, 0.2, 0.0]);
    assert_eq!(mnist.train.1.to_vec::<i64>().unwrap(), [7, 3]);
    assert_eq!(mnist.test.1.to_vec::<i64>().unwrap(), [9]);
    write("t10k-labels.idx1-ubyte", &file(8, &[2], &[9, 9]));
    let differ = Mnist::read(scratch.file("")).unwrap_err().to_string();
    assert!(differ.contains("1 images in") && differ.contains("2 labels in"), "{differ}");
    assert!(read_labelled(scratch.file("t10k-labels.idx1-ubyte"), scratch.file("t10k-labels.idx1-ubyte")).is_err());
}
