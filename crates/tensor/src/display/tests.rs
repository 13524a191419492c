use crate::dtype::{DType, Scalar, bf16, f16};
use crate::tensor::Tensor;

fn range(dims: &[usize]) -> Tensor {
    Tensor::from_fn(dims, |i| i as i64).unwrap()
}

#[test]
fn integers_as_numpy_prints_them() {
    assert_eq!(range(&[3]).to_string(), "[0, 1, 2]");
    assert_eq!(
        range(&[2, 3, 4]).to_string(),
        "\
[[[ 0,  1,  2,  3],
  [ 4,  5,  6,  7],
  [ 8,  9, 10, 11]],

 [[12, 13, 14, 15],
  [16, 17, 18, 19],
  [20, 21, 22, 23]]]"
    );
    assert_eq!(
        Tensor::from_fn(20, |i| i as i32 * 1000 - 5).unwrap().to_string(),
        "\
[   -5,   995,  1995,  2995,  3995,  4995,  5995,  6995,  7995,  8995,  9995,
 10995, 11995, 12995, 13995, 14995, 15995, 16995, 17995, 18995]"
    );
    assert_eq!(Tensor::from([[true, false], [false, false]]).to_string(), "[[ true, false],\n [false, false]]");
    assert_eq!(Tensor::from([0u8, 255]).to_string(), "[  0, 255]");
    assert_eq!(Tensor::from([i64::MIN, 1]).to_string(), "[-9223372036854775808,                    1]");
}

#[test]
fn large_ones_are_summarised_as_numpy_does() {
    assert_eq!(range(&[1000]).to_string().matches("...").count(), 0);
    assert_eq!(range(&[1001]).to_string(), "[   0,    1,    2, ...,  998,  999, 1000]");
    assert_eq!(
        range(&[100, 100]).to_string(),
        "\
[[   0,    1,    2, ...,   97,   98,   99],
 [ 100,  101,  102, ...,  197,  198,  199],
 [ 200,  201,  202, ...,  297,  298,  299],
 ...,
 [9700, 9701, 9702, ..., 9797, 9798, 9799],
 [9800, 9801, 9802, ..., 9897, 9898, 9899],
 [9900, 9901, 9902, ..., 9997, 9998, 9999]]"
    );
    assert_eq!(
        range(&[7, 100, 2]).slice(0, 0..7).unwrap().to_string().lines().take(12).collect::<Vec<_>>().join("\n"),
        "\
[[[   0,    1],
  [   2,    3],
  [   4,    5],
  ...,
  [ 194,  195],
  [ 196,  197],
  [ 198,  199]],

 [[ 200,  201],
  [ 202,  203],
  [ 204,  205],
  ...,"
    );
}

#[test]
fn a_very_high_rank_stays_short() {
    let text = Tensor::zeros(vec![2; 24], DType::U8).unwrap().to_string();
    assert!(text.len() < 100_000, "{}", text.len());
    assert!(text.contains("..."));
    assert_eq!(range(&[3]).reshape([1, 1, 1, 1, 1, 3]).unwrap().to_string(), "[[[[[[0, 1, 2]]]]]]");
    let deep = Tensor::zeros(vec![1; 5000], DType::U8).unwrap().to_string();
    assert_eq!(deep.len(), 10_001);
}

#[test]
fn floats_show_what_tells_them_apart() {
    assert_eq!(Tensor::from([[1.0f32, 2.5], [3.0, 4.0]]).to_string(), "[[1.0, 2.5],\n [3.0, 4.0]]");
    assert_eq!(Tensor::from([1.0f32 / 3.0, 2.0 / 3.0]).to_string(), "[0.33333334, 0.66666670]");
    assert_eq!(Tensor::from([0.1 + 0.2, 1.0]).to_string(), "[0.3, 1.0]");
    assert_eq!(Tensor::from([123.456f32, -0.5]).to_string(), "[123.456,  -0.500]");
    assert_eq!(Tensor::from([1.0, f64::NAN, f64::NEG_INFINITY, -0.0]).to_string(), "[ 1.0,  nan, -inf, -0.0]");
    assert_eq!(Tensor::from([f16::from_f64(0.1), f16::from_f64(1.0)]).to_string(), "[0.1, 1.0]");
    assert_eq!(Tensor::from([bf16::from_f64(0.1), bf16::from_f64(3.140625)]).to_string(), "[0.10, 3.14]");
    assert_eq!(Tensor::from([f16::MAX, f16::from_f64(6e-8)]).to_string(), "[6.55e+04, 6.00e-08]");
}

#[test]
fn tiny_and_huge_floats_take_powers_of_ten() {
    assert_eq!(Tensor::from([1e-5, 1.0]).to_string(), "[1.0e-05, 1.0e+00]");
    assert_eq!(Tensor::from([1e8, 1.5]).to_string(), "[1.0e+08, 1.5e+00]");
    assert_eq!(Tensor::from([99999999.0, 1e-4]).to_string(), "[99999999.0000,        0.0001]");
    assert_eq!(Tensor::from([1e-300, f64::INFINITY, 0.0]).to_string(), "[1.0e-300,      inf,  0.0e+00]");
    assert_eq!(Tensor::from(f32::MIN_POSITIVE).to_string(), "1.1754944e-38");
    assert_eq!(Tensor::from(1.0f64 / 3.0 * 1e-9).to_string(), "3.33333333e-10");
}

#[test]
fn scalars_print_the_bare_number() {
    assert_eq!(Tensor::from(0.25f32).to_string(), "0.25");
    assert_eq!(Tensor::from(2.0).to_string(), "2.0");
    assert_eq!(Tensor::from(true).to_string(), "true");
    assert_eq!(Tensor::from(Scalar::new(DType::I64, -3.0)).to_string(), "-3");
    assert_eq!(Tensor::from(f32::NAN).to_string(), "nan");
    assert_eq!(format!("{:.4} {:.0}", Tensor::from(0.12345f32), Tensor::from(1.5)), "0.1235 2");
    assert_eq!(format!("{:?}", Tensor::from(0.25f32)), "0.25");
}

#[test]
fn precision_and_width_are_honoured() {
    let x = Tensor::from([[97.26f32, 2.74], [f32::NAN, 100.0]]);
    assert_eq!(format!("{x:.1}%"), "[[ 97.3,   2.7],\n [  nan, 100.0]]%");
    assert_eq!(format!("{x:8.1}"), "[[    97.3,      2.7],\n [     nan,    100.0]]");
    assert_eq!(format!("{:.3}", Tensor::from([1e-9, 12345678900.0])), "[          0.000, 12345678900.000]");
    assert_eq!(format!("{:.2}", Tensor::from([1, 20])), "[ 1, 20]");
}

#[test]
fn nothing_prints_its_shape() {
    assert_eq!(range(&[0]).to_string(), "[]");
    assert_eq!(range(&[2, 0, 3]).to_string(), "[] of shape [2, 0, 3]");
}

#[test]
fn views_print_what_they_read() {
    let x = range(&[3, 4]);
    assert_eq!(
        x.t().unwrap().flip(0).unwrap().slice(1, 1..).unwrap().to_string(),
        "[[ 7, 11],\n [ 6, 10],\n [ 5,  9],\n [ 4,  8]]"
    );
    assert_eq!(range(&[1]).broadcast_to([2, 2]).unwrap().to_string(), "[[0, 0],\n [0, 0]]");
}
