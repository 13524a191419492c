use super::super::archive::{Archive, to_bytes};
use super::*;
use crate::layers::dense::Dense;
use crate::module::Module;
use crate::scratch::Scratch;
use crate::sequential::Sequential;
use wengert_tensor::dtype::DType;
use wengert_tensor::random::Seed;

fn net(seed: u64) -> Sequential {
    Sequential::input([2])
        .standardize(&Tensor::from([[0f32, 1.0], [2.0, 5.0]]))
        .dense(3)
        .relu()
        .dense(2)
        .build(Seed(seed))
        .unwrap()
}

fn values<M: Module>(model: &M) -> Vec<(String, Tensor)> {
    parts(model).into_iter().map(|(name, param)| (name, param.value().clone())).collect()
}

fn same<M: Module>(model: &M, values: &[(String, Tensor)]) -> bool {
    parts(model).iter().zip(values).all(|((_, param), (_, value))| param.value().equals(value))
}

fn archive(tensors: &[(String, Tensor)]) -> Archive {
    Archive::from_bytes("m", to_bytes(tensors).unwrap()).unwrap()
}

#[test]
fn what_was_saved_is_loaded() {
    let scratch = Scratch::new("weights");
    let path = scratch.file("net.safetensors");
    let (trained, mut fresh) = (net(1), net(2));
    trained.save_weights(&path).unwrap();
    assert!(!same(&fresh, &values(&trained)));
    let report = fresh.load_weights(&path, Strict).unwrap();
    assert!(same(&fresh, &values(&trained)));
    assert_eq!(report.matched.len(), values(&trained).len());
    assert!(report.missing.is_empty() && report.unexpected.is_empty());
    assert_eq!(scratch.listing(), ["net.safetensors"]);
}

#[test]
fn no_damage_to_the_file_panics_or_changes_the_model() {
    let mut model = net(2);
    let (before, good) = (values(&model), to_bytes(&values(&net(1))).unwrap());
    let scratch = Scratch::new("weights");
    let path = scratch.file("net.safetensors");
    for end in 0..good.len() {
        std::fs::write(&path, &good[..end]).unwrap();
        assert!(model.load_weights(&path, Strict).is_err(), "cut at {end}");
        assert!(model.load_weights(&path, Lenient).is_err(), "cut at {end}");
        assert!(same(&model, &before), "cut at {end}");
    }
    let mut refused = 0;
    for at in 0..good.len() {
        for bit in [0, 3, 7] {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let Ok(archive) = Archive::from_bytes("m", bad) else { continue };
            // A flipped bit within the data gives other numbers; within the header it must not.
            if load(&mut model, &archive, Strict).is_err() {
                refused += 1;
                assert!(same(&model, &before), "bit {bit} of byte {at}");
            } else {
                load(&mut model, &self::archive(&before), Strict).unwrap();
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn names_that_do_not_fit_are_listed_with_a_guess() {
    let mut model = net(2);
    let before = values(&model);
    let mut renamed = values(&net(1));
    renamed[2].0 = "1.wieght".into();
    renamed.push(("extra".into(), Tensor::from([1f32])));
    let error = load(&mut model, &archive(&renamed), Strict).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let text = error.to_string();
    assert!(text.contains("1 missing in the file, 2 unexpected") && text.contains("perhaps `1.wieght`"), "{text}");
    assert!(text.contains("`extra` [1]"), "{text}");
    assert!(same(&model, &before));

    let report = load(&mut model, &archive(&renamed), Lenient).unwrap();
    assert_eq!((report.missing.as_slice(), report.unexpected.len()), (&["1.weight".to_string()][..], 2));
    assert!(report.to_string().contains("missing"), "{report}");
    assert!(!same(&model, &before));
}

#[test]
fn names_with_something_in_front_are_understood() {
    let front: Vec<_> = values(&net(1)).into_iter().map(|(name, value)| (format!("model.{name}"), value)).collect();
    let mut model = net(2);
    for fit in [Strict, Lenient] {
        let text = load(&mut model, &archive(&front), fit).unwrap_err().to_string();
        assert!(text.contains("begin with `model`") && text.contains("below(\"model\")"), "{text}");
    }
    let whole = values(&net(1));
    for how in
        [Strict.below("model"), Strict.rename("model.", ""), Strict.rename("model", ""), Strict.replace("model.", "")]
    {
        assert_eq!(load(&mut model, &archive(&front), how).unwrap().matched.len(), whole.len());
        assert!(same(&model, &whole));
        model = net(2);
    }
    assert!(
        load(&mut model, &archive(&front), Strict.below("modle")).unwrap_err().to_string().contains("below `model`")
    );
}

#[test]
fn names_are_rewritten_in_order() {
    let how = Strict.rename("fc", "head.0").rename("module.", "").replace("gamma", "weight").rename("a.b", "c");
    for (theirs, ours) in [
        ("fc.bias", "head.0.bias"),
        ("fc", "head.0"),
        ("fc2.bias", "fc2.bias"),
        ("module.fc.bias", "fc.bias"),
        ("module.norm.gamma", "norm.weight"),
        ("a.b", "c"),
        ("a.bc", "a.bc"),
        ("", ""),
    ] {
        assert_eq!(how.name(theirs).as_deref(), Some(ours));
    }
    assert_eq!(Strict.rename("", "net").name("bias").as_deref(), Some("net.bias"));
    assert_eq!(Strict.below("ema").name("emanate.bias"), None);

    let mut model = net(2);
    let both: Vec<_> = ["a.x", "b.x"].map(|name| (name.to_string(), Tensor::from(1f32))).into();
    let error = load(&mut model, &archive(&both), Lenient.rename("a", "b")).unwrap_err();
    assert!(error.to_string().contains("`a.x` and `b.x` both become `b.x`"), "{error}");
}

#[test]
fn a_part_is_loaded_alone() {
    let (mut model, before, other) = (net(2), values(&net(2)), values(&net(1)));
    let report = load(&mut model, &archive(&other), Strict.only("1")).unwrap();
    assert!(report.matched.iter().all(|name| name.starts_with("1.")) && report.matched.len() == 2, "{report}");
    assert!(report.missing.is_empty() && report.unexpected.is_empty());
    for (((name, value), before), other) in values(&model).iter().zip(&before).zip(&other) {
        let expected = if name.starts_with("1.") { &other.1 } else { &before.1 };
        assert!(value.equals(expected), "{name}");
    }
    let error = load(&mut model, &archive(&other), Strict.only("11")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    let error = load(&mut model, &archive(&other[..2]), Strict.only("1")).unwrap_err();
    assert!(error.to_string().contains("2 missing"), "{error}");
}

#[test]
fn all_that_does_not_fit_is_told_together() {
    let mut model = net(2);
    let mut other = values(&net(1));
    other[2].1 = Tensor::zeros([3, 3], DType::F32).unwrap();
    other[3].1 = Tensor::zeros([7], DType::F32).unwrap();
    other[4].0 = "zzz".into();
    let text = load(&mut model, &archive(&other), Strict).unwrap_err().to_string();
    for part in
        ["1 missing", "1 unexpected", "2 of another shape", "`1.bias` [3] in the model, [7] in the file", "`zzz`"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn shapes_and_dtypes_must_fit() {
    let before = values(&net(2));
    let mut model = net(2);
    let mut other = values(&net(1));
    other[2].1 = Tensor::zeros([3, 3], DType::F32).unwrap();
    for fit in [Strict, Lenient] {
        let error = load(&mut model, &archive(&other), fit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
        assert!(error.to_string().contains("`1.weight`"), "{error}");
        assert!(same(&model, &before));
    }
    let half: Vec<_> =
        values(&net(1)).into_iter().map(|(name, value)| (name, value.cast(DType::F16).unwrap())).collect();
    let error = load(&mut model, &archive(&half), Strict).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
    assert!(same(&model, &before));
    let report = load(&mut model, &archive(&half), Lenient).unwrap();
    assert_eq!(report.cast.len(), report.matched.len());
    assert!(report.to_string().contains("with a cast"));
    let whole: Vec<_> = half.iter().map(|(name, value)| (name.clone(), value.cast(DType::I64).unwrap())).collect();
    assert!(load(&mut model, &archive(&whole), Lenient).is_err());
    assert_eq!(load(&mut model, &archive(&half), Strict.cast()).unwrap().cast.len(), half.len());
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_an_io_error() {
    let mut layer = Dense::new(2, 2);
    assert_eq!(layer.load_weights("no/such/file", Strict).unwrap_err().kind(), ErrorKind::Io);
    let scratch = Scratch::new("weights");
    assert_eq!(layer.save_weights(scratch.file("")).unwrap_err().kind(), ErrorKind::Io);
}
