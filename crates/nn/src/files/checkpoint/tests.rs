use super::*;
use crate::scratch::Scratch;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::ErrorKind;

fn state(step: u64) -> Vec<(String, Tensor)> {
    let mut state: Vec<(String, Tensor)> = DType::ALL
        .into_iter()
        .map(|dtype| (format!("model/{dtype}"), Tensor::arange(2, dtype).unwrap().reshape([2, 1]).unwrap()))
        .collect();
    state.insert(0, ("train/step".into(), Tensor::from(step as i64)));
    state.push(("train/é\n\"".into(), Tensor::from(true)));
    state.push(("optimizer/empty".into(), Tensor::from(Vec::<f64>::new())));
    state.push(("optimizer/view".into(), Tensor::from([[1i32, 2, 3], [4, 5, 6]]).t().unwrap().slice(0, 1..3).unwrap()));
    state
}

fn same(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((a, left), (b, right))| {
            a == b && left.dtype() == right.dtype() && left.shape() == right.shape() && left.equals(right)
        })
}

#[test]
fn what_was_written_is_read_in_its_order() {
    let scratch = Scratch::new("checkpoint");
    let path = scratch.file("a.safetensors");
    for state in [state(7), Vec::new()] {
        write_checkpoint(&path, &state).unwrap();
        assert!(same(&read_checkpoint(&path).unwrap(), &state));
        let bytes = fs::read(&path).unwrap();
        write_checkpoint(&path, &state).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "the same state is the same file");
    }
    assert_eq!(scratch.listing(), ["a.safetensors"]);
    let twice = [("a".to_string(), Tensor::from(1f32)), ("a".to_string(), Tensor::from(2f32))];
    assert_eq!(write_checkpoint(&path, &twice).unwrap_err().kind(), ErrorKind::Value);
    assert!(read_checkpoint(&path).unwrap().is_empty(), "the old file is as it was");
}

#[test]
fn every_flipped_bit_is_found() {
    let scratch = Scratch::new("checkpoint");
    let path = scratch.file("a.safetensors");
    write_checkpoint(&path, &state(7)).unwrap();
    let good = fs::read(&path).unwrap();
    let read = |bytes: Vec<u8>| Archive::from_bytes("m", bytes).and_then(|archive| super::read(&archive));
    for end in 0..good.len() {
        assert!(read(good[..end].to_vec()).is_err(), "cut at {end}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            // A header may read the same in other letters, such as `\u000A` and `\u000a`.
            if let Ok(read) = read(bad) {
                assert!(same(&read, &state(7)), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn a_file_of_weights_is_no_checkpoint() {
    let bytes = crate::files::archive::to_bytes(&state(1)).unwrap();
    let error = read(&Archive::from_bytes("m", bytes).unwrap()).unwrap_err();
    assert!(error.to_string().contains("no checkpoint"), "{error}");
    let scratch = Scratch::new("checkpoint");
    assert_eq!(read_checkpoint(scratch.file("none")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(read_checkpoint(scratch.file("")).unwrap_err().kind(), ErrorKind::Io);
    for about in [
        json!({"version": 2, "digest": DIGEST, "tensors": []}),
        json!({"version": 1, "digest": "crc", "tensors": []}),
        json!({"version": 1, "digest": DIGEST, "tensors": [["a", "0"]]}),
        json!({"version": 1, "digest": DIGEST, "tensors": [["x", "0"], ["x", "0"]]}),
        json!({"version": 1, "digest": DIGEST, "tensors": [["x", "0"]]}),
        json!({"version": 1, "digest": DIGEST, "tensors": 3}),
        json!([1]),
    ] {
        let state = [("x".to_string(), Tensor::from(1f32))];
        let mut bytes = Vec::new();
        Draft::new(&state, Some((KEY, about.to_string()))).unwrap().write(&mut bytes).unwrap();
        let error = read(&Archive::from_bytes("m", bytes).unwrap()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Value), "{about}: {error}");
    }
}

#[test]
fn the_newest_whole_one_wins() {
    let scratch = Scratch::new("checkpoints");
    let checkpoints = Checkpoints::open(scratch.file("deep/run")).unwrap();
    assert!(checkpoints.newest().unwrap().is_none());
    // Sorted by number, not by letters.
    for step in [9, 10_000_000_000, 2] {
        checkpoints.save(step, &state(step)).unwrap();
    }
    fs::write(checkpoints.folder().join("step-3.safetensors"), b"another name").unwrap();
    fs::write(checkpoints.folder().join("notes.txt"), b"of a user").unwrap();
    assert_eq!(checkpoints.list().unwrap(), [2, 9, 10_000_000_000]);
    let newest = checkpoints.newest().unwrap().unwrap();
    assert!(newest.step == 10_000_000_000 && newest.damaged.is_empty() && same(&newest.state, &state(newest.step)));
    assert!(same(&checkpoints.load(9).unwrap(), &state(9)));
    let error = checkpoints.load(3).unwrap_err();
    assert!(error.to_string().contains("steps 2, 9, 10000000000"), "{error}");

    let mut bytes = fs::read(checkpoints.path(10_000_000_000)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(checkpoints.path(10_000_000_000), &bytes).unwrap();
    fs::create_dir(checkpoints.path(11)).unwrap();
    let newest = checkpoints.newest().unwrap().unwrap();
    assert_eq!(newest.step, 9);
    assert_eq!(newest.damaged.iter().map(|damaged| damaged.step).collect::<Vec<_>>(), [10_000_000_000, 11]);
    for step in [2, 9] {
        fs::write(checkpoints.path(step), b"").unwrap();
    }
    let error = checkpoints.newest().unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.to_string().contains("none of the 4"), "{error}");
}

#[test]
fn two_whole_ones_always_stay() {
    let scratch = Scratch::new("checkpoints");
    let checkpoints = Checkpoints::open(scratch.file("run")).unwrap();
    for step in 1..=6 {
        checkpoints.save(step, &state(step)).unwrap();
    }
    let broken = |step: u64| fs::write(checkpoints.path(step), format!("not whole {step}")).unwrap();
    broken(5);
    assert_eq!(checkpoints.remove_but(&[5, 1, 77]).unwrap(), [2, 3, 4]);
    assert_eq!(checkpoints.list().unwrap(), [1, 5, 6]);
    // Another handle knows nothing of what is whole.
    assert_eq!(Checkpoints::open(scratch.file("run")).unwrap().remove_but(&[]).unwrap(), [5]);
    broken(1);
    checkpoints.save(7, &state(7)).unwrap();
    assert!(checkpoints.remove_but(&[1, 6, 7]).unwrap().is_empty());
    broken(6);
    assert!(checkpoints.remove_but(&[]).unwrap().is_empty(), "one alone is whole");
    assert_eq!(checkpoints.list().unwrap(), [1, 6, 7]);
}

#[test]
fn what_a_dead_process_left_is_removed() {
    let scratch = Scratch::new("checkpoints");
    fs::write(scratch.file(".step-000000001.safetensors.1-0.tmp"), b"half").unwrap();
    fs::write(scratch.file(".other.1-0.tmp"), b"of somebody else").unwrap();
    Checkpoints::open(scratch.file("")).unwrap();
    assert_eq!(scratch.listing(), [".other.1-0.tmp"]);
    fs::write(scratch.file("file"), b"").unwrap();
    assert_eq!(Checkpoints::open(scratch.file("file")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(Checkpoints::open(scratch.file("file/deeper")).unwrap_err().kind(), ErrorKind::Io);
}
