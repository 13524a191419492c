use super::*;
use crate::scratch::Scratch;
use wengert_tensor::error::ErrorKind;

/// A file with this header and as much data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(vec![0; data]);
    bytes
}

fn complaint(header: &str, data: usize) -> String {
    let error = Archive::from_bytes("m", file(header, data)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    error.to_string()
}

fn sample() -> Vec<(String, Tensor)> {
    vec![
        ("a".into(), Tensor::from([[1.5f32, -2.0], [f32::NAN, 0.0]])),
        ("b.c".into(), Tensor::from([true, false, true])),
        ("d".into(), Tensor::from([i64::MIN, i64::MAX])),
        ("é\n".into(), Tensor::from(7u8)),
        ("none".into(), Tensor::from(Vec::<f64>::new())),
    ]
}

#[test]
fn what_was_written_is_read() {
    let archive = Archive::from_bytes("m", to_bytes(&sample()).unwrap()).unwrap();
    assert_eq!(archive.names().count(), 5);
    for (name, tensor) in sample() {
        let read = archive.tensor(&name).unwrap();
        assert!(read.equals(&tensor) && read.dtype() == tensor.dtype() && read.shape() == tensor.shape(), "{name}");
    }
    for dtype in DType::ALL {
        let tensor = Tensor::arange(2, dtype).unwrap();
        let bytes = to_bytes(&[("x".into(), tensor.clone())]).unwrap();
        assert!(Archive::from_bytes("m", bytes).unwrap().tensor("x").unwrap().equals(&tensor), "{dtype}");
    }
}

#[test]
fn whole_numbers_of_other_widths_become_wider() {
    let read = |dtype: &str, data: &[u8]| {
        let size = data.len();
        let header = format!(r#"{{"a":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,{size}]}}}}"#);
        Archive::from_bytes("m", [&file(&header, 0)[..], data].concat()).unwrap().tensor("a")
    };
    let same = |tensor: Result<Tensor>, wanted: Tensor| {
        let tensor = tensor.unwrap();
        assert!(tensor.equals(&wanted) && tensor.dtype() == wanted.dtype(), "{tensor}");
    };
    same(read("I8", &[0xfe, 3]), Tensor::from([-2i32, 3]));
    same(read("I16", &[0xfe, 0xff, 0, 1]), Tensor::from([-2i32, 256]));
    same(read("U16", &[0xfe, 0xff, 0, 1]), Tensor::from([65_534i32, 256]));
    same(read("U32", &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]), Tensor::from([0xffff_ffffi64, 1]));
    same(read("U64", &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]), Tensor::from([1i64, 2]));
    assert!(read("U64", &[0xff; 16]).unwrap_err().to_string().contains("`a` is U64: "));
    assert!(read("F8_E4M3", &[0; 2]).unwrap_err().to_string().contains("no counterpart"));
}

#[test]
fn a_view_is_written_as_it_reads() {
    let view = Tensor::from([[1i32, 2, 3], [4, 5, 6]]).t().unwrap().slice(0, 1..3).unwrap();
    let archive = Archive::from_bytes("m", to_bytes(&[("v".into(), view)]).unwrap()).unwrap();
    assert_eq!(archive.tensor("v").unwrap().to_vec::<i32>().unwrap(), [2, 5, 3, 6]);
}

#[test]
fn a_hostile_header_is_refused() {
    let one =
        |shape: &str, end: usize| format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
    let entry = |name: &str, from: usize, to: usize| {
        format!(r#""{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{from},{to}]}}"#, (to - from) / 4)
    };
    let cases: Vec<(String, usize, &str)> = vec![
        (format!("{{{},{}}}", entry("a", 0, 4), entry("a", 0, 4)), 4, "named twice"),
        (format!("{{{},{}}}", entry("a", 0, 4), entry("\\u0061", 0, 4)), 4, "named twice"),
        (one(&format!("[{}]", vec!["1"; 10_000].join(",")), 4), 4, "more than 32 axes"),
        (one("[0,18446744073709551615]", 0), 0, "`a`"),
        (one("[18446744073709551615,2]", 8), 8, "`a`"),
        (one("[4294967296,4294967296,4294967296]", 8), 8, "`a`"),
        (one("[2]", 4), 4, "bytes 0 to 4 are not the 8"),
        (one("[1]", 4), 3, "cut off"),
        (one("[1]", 4), 5, "belong to no tensor"),
        (one("[-1]", 4), 4, "JSON"),
        (one("[1.5]", 4), 4, "JSON"),
        (r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#.into(), 4, "JSON"),
        (r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}"#.into(), 5, "not aligned"),
        (format!("{{{},{}}}", entry("a", 0, 8), entry("b", 4, 12)), 12, "offset"),
        (format!("{{{},{}}}", entry("a", 0, 4), entry("b", 8, 12)), 12, "offset"),
        ("[".repeat(100_000), 0, "JSON"),
        (r#"{"a":"#.repeat(100_000), 0, "JSON"),
        ("{".into(), 0, "JSON"),
        ("".into(), 0, "JSON"),
    ];
    for (header, data, expected) in cases {
        let error = complaint(&header, data);
        assert!(error.contains(expected), "{error}\nexpected {expected}");
        assert!(error.len() < 1000);
    }
    for length in [9u64, 1 << 40, u64::MAX, u64::MAX - 7] {
        assert!(Archive::from_bytes("m", length.to_le_bytes().to_vec()).is_err());
    }
}

#[test]
fn what_is_odd_but_valid_is_read() {
    let header = r#"{ "__metadata__" : {"note":"a:b, {\"a\": [1]}"}, "a:\"{" : {"shape":[], "dtype":"BOOL", "data_offsets":[0,1]} }  "#;
    let archive = Archive::from_bytes("m", file(header, 1)).unwrap();
    assert!(!archive.tensor("a:\"{").unwrap().item::<bool>().unwrap());
    assert_eq!(Archive::from_bytes("m", file("{}", 0)).unwrap().names().count(), 0);
}

#[test]
fn a_bool_is_0_or_1_and_a_dtype_must_exist() {
    let mut bytes = file(r#"{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#, 2);
    *bytes.last_mut().unwrap() = 2;
    assert!(Archive::from_bytes("m", bytes).unwrap().tensor("a").unwrap_err().to_string().contains("neither 0 nor 1"));
    let other =
        Archive::from_bytes("m", file(r#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#, 4)).unwrap();
    assert!(other.tensor("a").unwrap_err().to_string().contains("no counterpart"));
    assert!(other.tensor("A").unwrap_err().to_string().contains("did you mean `a`?"));
}

#[test]
fn a_name_is_written_once() {
    let twice = [("a".to_string(), Tensor::from(1f32)), ("a".to_string(), Tensor::from(2f32))];
    assert!(to_bytes(&twice).is_err());
    assert!(to_bytes(&[("__metadata__".to_string(), Tensor::from(1f32))]).is_err());
    let scratch = Scratch::new("archive");
    write_tensors(scratch.file("a"), &twice[..1]).unwrap();
    assert!(write_tensors(scratch.file("a"), &twice).is_err());
    assert_eq!(Archive::open(scratch.file("a")).unwrap().names().count(), 1, "the old file is as it was");
}

#[test]
fn no_truncation_and_no_flipped_bit_panics() {
    let good = to_bytes(&sample()).unwrap();
    let read = |bytes: Vec<u8>| -> Result<()> {
        let archive = Archive::from_bytes("m", bytes)?;
        archive.names().try_for_each(|name| archive.tensor(name).map(drop))
    };
    for end in 0..good.len() {
        assert!(read(good[..end].to_vec()).is_err(), "cut at {end}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let _ = read(bad);
        }
    }
}
