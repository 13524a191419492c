use super::*;
use crate::dtype::{bf16, f16};
use crate::error::ErrorKind;

fn range(dims: &[usize]) -> Tensor {
    Tensor::from_fn(dims, |i| i as f32).unwrap()
}

/// The text of an error without its line about the place, which must be in this file.
fn text<T>(result: Result<T>) -> String {
    let e = result.err().expect("an error");
    assert!(e.location().is_some_and(|at| at.file().ends_with("tests.rs")), "{e}");
    e.to_string().lines().filter(|line| !line.starts_with("  at ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn tensors_cross_threads_and_are_cheap_to_clone() {
    fn crosses<T: Send + Sync + Clone + 'static>() {}
    crosses::<Tensor>();
    let x = range(&[100, 100]);
    let y = x.clone();
    assert!(x.storage().same(y.storage()));
    let sum = std::thread::spawn(move || y.to_f64_vec().iter().sum::<f64>()).join().unwrap();
    assert_eq!(sum, 49_995_000.0);
}

#[test]
fn every_type_goes_in_and_comes_out() {
    fn round<T: Element>(values: &[T]) {
        let x = Tensor::from(values);
        assert_eq!((x.dtype(), x.shape().dims()), (T::DTYPE, &[values.len()][..]));
        assert_eq!(x.to_vec::<T>().unwrap(), values);
        assert_eq!(x.flip(0).unwrap().to_vec::<T>().unwrap(), values.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(x.select(0, 1).unwrap().item::<T>().unwrap(), values[1]);
        assert_eq!(
            Tensor::from_le_bytes(&x.to_le_bytes().unwrap(), values.len(), T::DTYPE).unwrap().to_vec::<T>().unwrap(),
            values
        );
    }
    round(&[1.5f32, -0.0, f32::INFINITY]);
    round(&[1.5f64, -0.0, f64::MIN]);
    round(&[bf16::from_f32(1.5), bf16::MAX, bf16::ZERO]);
    round(&[f16::from_f32(1.5), f16::MAX, f16::ZERO]);
    round(&[i64::MIN, 0, i64::MAX]);
    round(&[i32::MIN, 0, i32::MAX]);
    round(&[0u8, 7, 255]);
    round(&[true, false, true]);
}

#[test]
fn nested_arrays_vectors_and_slices_convert() {
    let dims = |x: Tensor| x.shape().to_vec();
    assert_eq!(dims(Tensor::from(5u8)), [0usize; 0]);
    assert_eq!(dims(Tensor::from([[[[1.0; 5]; 4]; 3]; 2])), [2, 3, 4, 5]);
    assert_eq!(dims(Tensor::from(vec![[1i32, 2]; 3])), [3, 2]);
    assert_eq!(dims(Tensor::from(&vec![1i32; 3])), [3]);
    assert_eq!(dims(Tensor::from(&[1i32; 3])), [3]);
    assert_eq!(dims(Tensor::from([[0.0f32; 0]; 3])), [3, 0]);
    assert_eq!(dims(Tensor::from(Vec::<f32>::new())), [0]);
    assert_eq!(dims(Tensor::from([[[0u8; 0]; 1 << 40]; 1 << 40].as_slice())), [0]);
    let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    assert_eq!((x.dtype(), x.to_vec::<i32>().unwrap()), (DType::I32, vec![1, 2, 3, 4, 5, 6]));
}

#[test]
fn constructors_fill() {
    for dtype in DType::ALL {
        assert_eq!(Tensor::zeros([2, 2], dtype).unwrap().to_f64_vec(), [0.0; 4]);
        assert_eq!(Tensor::ones([3], dtype).unwrap().to_f64_vec(), [1.0; 3]);
        assert_eq!(Tensor::arange(2, dtype).unwrap().to_f64_vec(), [0.0, 1.0]);
        assert_eq!(Tensor::zeros([2, 0], dtype).unwrap().len(), 0);
        assert_eq!(Tensor::ones((), dtype).unwrap().rank(), 0);
    }
    assert_eq!(Tensor::linspace(0.0, 1.0, 3, DType::F64).unwrap().to_f64_vec(), [0.0, 0.5, 1.0]);
    assert_eq!(Tensor::linspace(2.0, 5.0, 1, DType::F64).unwrap().to_f64_vec(), [2.0]);
    assert!(Tensor::linspace(0.0, 1.0, 0, DType::F32).unwrap().is_empty());
    assert_eq!(Tensor::linspace(0.1, 0.7, 7, DType::F64).unwrap().to_f64_vec()[6], 0.7);
    assert!(Tensor::arange(0, DType::U8).unwrap().is_empty());
    assert_eq!(Tensor::arange(256, DType::U8).unwrap().to_f64_vec()[255], 255.0);
    assert_eq!(text(Tensor::arange(3, DType::Bool)), "Tensor::arange: bool cannot hold 2");
    assert_eq!(text(Tensor::arange(100_000, DType::F16)), "Tensor::arange: f16 cannot hold 99999");
    assert_eq!(text(Tensor::arange(65_521, DType::F16)), "Tensor::arange: f16 cannot hold 65520");
    assert_eq!(Tensor::arange(65_520, DType::F16).unwrap().to_f64_vec()[65_519], 65504.0);
    assert_eq!(Tensor::arange(100_000, DType::BF16).unwrap().to_f64_vec()[99_999], 99_840.0);
}

#[test]
fn random_tensors_are_streams() {
    let key = Key::new(8);
    let x = Tensor::uniform([10, 10], DType::F32, key).unwrap().to_vec::<f32>().unwrap();
    assert_eq!(x[37], random::uniform_f32(key, 37));
    let x = Tensor::normal(100, DType::F64, key).unwrap().to_vec::<f64>().unwrap();
    assert_eq!(x[99], random::normal_f64(key, 99));
    let x = Tensor::normal(100, DType::BF16, key).unwrap().to_vec::<bf16>().unwrap();
    assert_eq!(x[5], bf16::from_f32(random::normal_f32(key, 5)));
    let e = text(Tensor::uniform(3, DType::I64, key));
    assert_eq!(e, "Tensor::uniform: random numbers are floats, not i64");
}

#[test]
fn parts_are_checked() {
    let storage = Storage::zeroed(24).unwrap();
    let layout = Layout::new(Shape::new([2, 2]).unwrap(), &[3, 1], 1).unwrap();
    let x = Tensor::from_parts(storage.clone(), DType::F32, layout.clone()).unwrap();
    assert_eq!(x.len(), 4);
    assert!(x.into_parts().0.same(&storage));
    let e = Tensor::from_parts(storage.clone(), DType::F64, layout).unwrap_err();
    assert_eq!(e.message(), "the layout reads element 5 of a storage of 3 elements of f64");
    let empty = Layout::new(Shape::new([0]).unwrap(), &[1], 1000).unwrap();
    let empty = Tensor::from_parts(storage, DType::F64, empty).unwrap();
    assert_eq!(empty.to_vec::<f64>().unwrap(), []);
    assert_eq!(empty.as_slice::<f64>().unwrap(), []);
    assert!(!empty.has_nan() && empty.equals(&Tensor::zeros([0], DType::F64).unwrap()));
    assert_eq!(empty.gather_rows(&[]).unwrap().len(), 0);
    assert_eq!(Tensor::concat(&[&empty, &empty], 0).unwrap().len(), 0);
}

#[test]
fn wrong_reads_say_what_is_wrong() {
    let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
    assert_eq!(text(x.item::<f32>()), "item: [2, 2] has 4 elements, not one\n  tensor  [2, 2] f32");
    assert_eq!(
        text(x.to_vec::<i64>()),
        "to_vec: these are f32, not i64\n  tensor  [2, 2] f32\n  help    convert first: .cast(DType::I64)"
    );
    assert_eq!(
        text(x.t().unwrap().as_slice::<f32>()),
        "as_slice: the elements do not lie in row-major order: strides [1, 2]\n  tensor  [2, 2] f32\n  help    copy them first: .contiguous()"
    );
    assert_eq!(text(x.dim(2)), "dim: axis 2 is out of range for [2, 2]: -2 to 1\n  tensor  [2, 2] f32");
    assert_eq!(x.dim(-1).unwrap(), 2);
    assert_eq!(
        text(Tensor::zeros([usize::MAX, 3], DType::F32)).lines().next(),
        Some("Tensor::zeros: the size of [18446744073709551615, 3] overflows")
    );
    assert_eq!(
        text(Tensor::zeros([1 << 58], DType::F64)),
        format!("Tensor::zeros: {} bytes could not be allocated", 1u64 << 61)
    );
    assert_eq!(
        text(Tensor::from_le_bytes(&[0; 7], [2], DType::F32)),
        "Tensor::from_le_bytes: 7 bytes do not fill [2] f32, which takes 8"
    );
    assert_eq!(
        text(Tensor::from_le_bytes(&[0, 1, 3], [3], DType::Bool)),
        "Tensor::from_le_bytes: byte 2 of a bool is 3, neither 0 nor 1"
    );
}

#[test]
fn a_view_too_large_to_copy_is_an_error() {
    let huge = Tensor::from(1.0f32).broadcast_to([1 << 30, 1 << 28]).unwrap();
    for e in [
        huge.contiguous().err(),
        huge.cast(DType::U8).err(),
        huge.reshape([1 << 58]).map(|x| x.contiguous()).and_then(|x| x).err(),
    ] {
        let e = e.expect("an error");
        assert_eq!(e.kind(), ErrorKind::Memory);
        assert!(e.location().is_some_and(|at| at.file().ends_with("tests.rs")));
    }
    assert_eq!(
        text(huge.to_vec::<f32>()).lines().next(),
        Some("to_vec: 288230376151711744 elements could not be allocated")
    );
    assert!(huge.to_string().contains("..."));
}

#[test]
fn casts_follow_the_rules_for_any_layout() {
    let x = Tensor::from([[1.9f32, -1.9, 300.0], [f32::NAN, f32::NEG_INFINITY, 0.0]]);
    let i = x.cast(DType::I32).unwrap();
    assert_eq!(i.to_vec::<i32>().unwrap(), [1, -1, 300, 0, i32::MIN, 0]);
    assert_eq!(x.t().unwrap().cast(DType::I64).unwrap().to_vec::<i64>().unwrap(), [1, 0, -1, i64::MIN, 300, 0]);
    assert_eq!(x.cast(DType::U8).unwrap().to_vec::<u8>().unwrap(), [1, 0, 255, 0, 0, 0]);
    assert_eq!(x.cast(DType::Bool).unwrap().to_vec::<bool>().unwrap(), [true, true, true, true, true, false]);
    assert_eq!(i.cast(DType::U8).unwrap().to_vec::<u8>().unwrap(), [1, 255, 44, 0, 0, 0]);
    assert!(x.cast(DType::F32).unwrap().storage().same(x.storage()));
    for from in DType::ALL {
        for to in DType::ALL {
            let x = Tensor::from([1u8, 0, 1]).cast(from).unwrap().cast(to).unwrap();
            assert_eq!((x.dtype(), x.to_f64_vec()), (to, vec![1.0, 0.0, 1.0]), "{from} to {to}");
        }
    }
}

#[test]
fn comparisons() {
    let x = range(&[3, 4]);
    assert!(x.equals(&x.clone()) && x.t().unwrap().equals(&x.t().unwrap().contiguous().unwrap()));
    assert!(!x.equals(&x.t().unwrap()) && !x.equals(&x.cast(DType::F64).unwrap()));
    assert!(!Tensor::from([0.0]).equals(&Tensor::from([-0.0])));
    assert!(Tensor::from([f32::NAN]).equals(&Tensor::from([f32::NAN])));
    let diff = |a: [f64; 2], b: [f64; 2]| Tensor::from(a).max_abs_diff(&Tensor::from(b)).unwrap();
    assert_eq!(diff([1.0, f64::INFINITY], [0.5, f64::INFINITY]), 0.5);
    assert_eq!(diff([f64::NAN, 1.0], [f64::NAN, 1.0]), 0.0);
    assert!(diff([f64::NAN, 1.0], [0.0, 9.0]).is_nan() && diff([1.0, 0.0], [9.0, f64::NAN]).is_nan());
    assert_eq!(range(&[0]).max_abs_diff(&range(&[0])).unwrap(), 0.0);
    let whole = |a: i64, b: i64| Tensor::from([0, a]).max_abs_diff(&Tensor::from([0, b])).unwrap();
    assert_eq!((whole(i64::MAX, i64::MAX - 1), whole(i64::MIN, i64::MIN)), (1.0, 0.0));
    assert_eq!(whole(i64::MIN, i64::MAX), 2f64.powi(64));
    assert_eq!(Tensor::from([i64::MIN]).max_abs_diff(&Tensor::from([200u8])).unwrap(), 2f64.powi(63) + 200.0);
    assert_eq!(
        text(x.max_abs_diff(&range(&[4]))).lines().next(),
        Some("max_abs_diff: [3, 4] and [4] are different shapes")
    );
    let mut values = vec![0.0f32; 5000];
    values[4321] = f32::NAN;
    let x = Tensor::new(values, [50, 100]).unwrap();
    assert!(x.has_nan() && x.t().unwrap().has_nan() && x.cast(DType::BF16).unwrap().has_nan());
    assert!(!x.slice(0, ..43).unwrap().has_nan() && !x.cast(DType::I32).unwrap().has_nan());
}
