use super::*;
use crate::scratch::Scratch;
use wengert_tensor::error::ErrorKind;

fn read(text: impl AsRef<[u8]>) -> Result<Table> {
    let scratch = Scratch::new("csv");
    let path = scratch.file("data.csv");
    std::fs::write(&path, text).unwrap();
    CsvFile::new(&path).label("y").read()
}

fn complaint(text: impl AsRef<[u8]>) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn reads_numbers_and_labels() {
    let table = read("\u{feff}a, b ,y\r\n1,2.5,0\r\n\r\n-3e2,\"4\",2").unwrap();
    assert_eq!(table.inputs.shape().dims(), [2, 2]);
    assert_eq!(table.inputs.to_vec::<f32>().unwrap(), [1.0, 2.5, -300.0, 4.0]);
    assert_eq!(table.targets.to_vec::<i64>().unwrap(), [0, 2]);
    assert_eq!(table.features, ["a", "b"]);
    assert!(table.classes.is_empty());
}

#[test]
fn a_target_is_a_column_of_numbers() {
    let scratch = Scratch::new("csv");
    let path = scratch.file("t.csv");
    std::fs::write(&path, "1\t2\t0.5\n3\t4\t-1").unwrap();
    let table = CsvFile::new(&path).separator('\t').no_header().target(2).read().unwrap();
    assert_eq!(table.targets.shape().dims(), [2, 1]);
    assert_eq!(table.targets.to_vec::<f32>().unwrap(), [0.5, -1.0]);
    assert!(table.features.is_empty());
    let all = CsvFile::new(&path).separator('\t').no_header().read().unwrap();
    assert_eq!((all.inputs.shape().dims(), all.targets.len()), (&[2usize, 3][..], 0));
}

#[test]
fn errors_name_file_line_and_column() {
    let cases: [(&[u8], &str); 16] = [
        (b"", "is empty"),
        (b"a,y\n", "has a header and no rows"),
        (b"a,y\n1,0\n2\n", "data.csv:3: 1 cells in the row, 2 expected"),
        (b"a,y\n1,0,3\n", "data.csv:2: 3 cells in the row, 2 expected"),
        (b"a,y\n1,0\nx,1\n", "data.csv:3: column 1 (`a`): `x` is not a number"),
        (b"a,y\n1,0\n,1\n", "data.csv:3: column 1 (`a`): the cell is empty"),
        (b"a,y\nNaN,0\n", "data.csv:2: column 1 (`a`): `NaN` is not a finite number"),
        (b"a,y\ninf,0\n", "`inf` is not a finite number"),
        (b"a,y\n1e39,0\n", "`1e39` is too large for f32"),
        (b"a,y\n1,-1\n", "data.csv:2: column 2 (`y`): `-1` is not a class label"),
        (b"a,y\n1,0.5\n", "`0.5` is not a class label"),
        (b"a,y\n1,0\n1,cat\n", "`cat` is not a number"),
        (b"a,y\n1,cat\n1,\n", "the label is missing"),
        (b"a,b\n1,0\n", "has no column `y`"),
        (b"y,y\n1,0\n", "names 2 columns `y`"),
        (b"a,y\n1,0\n\xff,1\n", "data.csv:3: cell 1 is not UTF-8 text"),
    ];
    for (text, expected) in cases {
        let error = complaint(text);
        assert!(error.contains(expected), "{error}\nfor {:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_file_that_is_not_there_is_an_io_error() {
    let error = read_csv("no/such/file.csv", "y").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("no/such/file.csv"), "{error}");
    assert_eq!(read_csv(std::env::temp_dir(), "y").unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn the_size_is_limited() {
    let scratch = Scratch::new("csv");
    let path = scratch.file("big.csv");
    std::fs::write(&path, "a,y\n1,0\n").unwrap();
    assert!(CsvFile::new(&path).label("y").max_bytes(7).read().is_err());
    assert!(CsvFile::new(&path).label("y").max_bytes(8).read().is_ok());
    assert!(CsvFile::new(&path).label("y").separator('→').read().is_err());
}

/// A pipe says nothing of its length: what goes on after the limit is found only by reading it.
#[cfg(unix)]
#[test]
fn the_size_of_a_pipe_is_limited_too() {
    let text = "x,a\n1,11\n2,345678\n4,5\n";
    for (limit, fits) in [(14, false), (text.len() as u64 - 1, false), (text.len() as u64, true), (u64::MAX, true)] {
        let scratch = Scratch::new("csv");
        let path = scratch.file("pipe.csv");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let write = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, text)
        });
        let table = CsvFile::new(&path).max_bytes(limit).read();
        write.join().unwrap().ok();
        match table {
            Ok(table) => assert!(fits && table.inputs.shape().dims() == [3, 2], "{limit}: {:?}", table.inputs),
            Err(error) => {
                let found = error.to_string();
                assert!(
                    !fits && found.contains(&format!("goes on after {limit} bytes, the limit is {limit}")),
                    "{found}"
                );
            }
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_is_an_error() {
    let cases = [
        ("a,b,y\n1,2,\"cat\n3,4,dog\n5,6,cow\n", 2),
        ("a,b,y\n1,2,cat\n3,4,\"dog", 3),
        ("a,b,y\n1,2,\"c\"\"at\n3,4,dog\"\"\n", 2),
        ("a,b,y\n1,2,\"two\nlines\"\n3,\"4,dog\n", 4),
        ("\u{feff}\"a,b,y\n1,2,cat\n", 1),
        ("a,b,y\r\n1,2,\"", 2),
    ];
    for (text, line) in cases {
        let error = complaint(text);
        assert!(error.contains(&format!("data.csv:{line}: the quote that opens here is never closed")), "{error}");
    }
    // A quote inside of a plain cell is a character, and a closed one may hold anything.
    for text in ["a,y\n1,c\"at\n2,dog\n", "\u{feff}\"a\",y\n1,\"c\"\"a,t\n\"\n2,\"dog\"", "a,y\n1,\"\"\"\"\n2,\"x\"y\n"]
    {
        assert_eq!(read(text).unwrap().targets.len(), 2, "{text}");
    }
}

#[test]
fn no_truncation_and_no_flipped_byte_panics() {
    let good = b"a,b,y\n1.5,2,0\n\"3\",-4e1,1\n5,6,2\n".to_vec();
    for end in 0..good.len() {
        if let Ok(table) = read(&good[..end]) {
            assert_eq!(table.inputs.shape()[0], table.targets.shape()[0]);
        }
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let _ = read(&bad);
        }
    }
}
