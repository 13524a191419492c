//! Laws of all regularizers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::{assert_close, assert_on_roll, tensors};
use wengert_autograd::Tape;
use wengert_nn::layers::dense::Dense;
use wengert_nn::regularizers::l1::L1;
use wengert_nn::regularizers::l2::L2;
use wengert_nn::regularizers::orthogonal::Orthogonal;
use wengert_nn::regularizers::penalty::Penalty;
use wengert_nn::regularizers::regularizer::Regularizer;
use wengert_nn::regularizers::roll;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

#[test]
fn every_file_is_on_the_roll() {
    assert_on_roll("regularizers", &["case", "regularizer", "penalty"], roll().iter().map(|case| case.file));
}

#[test]
fn values_and_gradients_are_those_of_the_reference() -> Result<()> {
    let reference = tensors("regularizers");
    let mut unknown: BTreeSet<&str> = reference.keys().filter_map(|key| key.strip_suffix("/x")).collect();
    for case in roll() {
        let key = format!("{}/{}", case.file, case.name);
        let given = |part: &str| reference.get(&format!("{key}/{part}")).unwrap_or_else(|| panic!("{key}/{part}"));
        unknown.remove(&*key);
        let tape = Tape::new();
        let x = tape.input(given("x"));
        let y = case.regularizer.penalty(x);
        let [dx] = tape.grad(y, [x]);
        assert_close(y.item::<f64>()?, given("y").item::<f64>()?, 1e-13, &key);
        assert!(dx.value()?.max_abs_diff(given("dx"))? < 1e-13, "{key}");
    }
    assert!(unknown.is_empty(), "on no roll: {unknown:?}");
    Ok(())
}

#[test]
fn a_price_is_a_single_number_of_at_least_32_bits() -> Result<()> {
    for case in roll() {
        for (dtype, price) in
            [(DType::BF16, DType::F32), (DType::F16, DType::F32), (DType::F32, DType::F32), (DType::F64, DType::F64)]
        {
            let tape = Tape::new();
            // Zeros and a single row have no direction, and no NaN comes of them.
            for shape in [[1, 3], [3, 1], [3, 3]] {
                let x = tape.full(shape, 0.0, dtype);
                let y = case.regularizer.penalty(x);
                let [dx] = tape.grad(y, [x]);
                assert_eq!((y.rank(), y.dtype(), dx.dtype()), (0, price, dtype), "{}", case.file);
                assert!(!y.value()?.has_nan() && !dx.value()?.has_nan(), "{}", case.file);
            }
        }
    }
    Ok(())
}

#[test]
fn prices_add_up_over_a_model() -> Result<()> {
    let model = (Dense::new(2, 3), Dense::new(3, 1));
    let squares = |index: usize| {
        model
            .0
            .weight
            .value()
            .to_f64_vec()
            .iter()
            .chain(&model.1.weight.value().to_f64_vec())
            .map(|w| w * w)
            .take(index)
            .sum::<f64>()
    };
    let tape = Tape::new();
    let penalty = Penalty::new().of("0.weight", L2::new(2.0)).of("1", L2::new(1.0)).of("", L1::new(0.0));
    let found = f64::from(penalty.over(&model, &tape).item::<f32>()?);
    assert_close(found, 2.0 * squares(6) + squares(9) - squares(6), 1e-6, "penalty");
    assert_close(f64::from(L2::new(1.0).over("", &model, &tape).item::<f32>()?), squares(9), 1e-6, "over");
    Ok(())
}

#[test]
fn what_has_no_meaning_is_refused() {
    let model = (Dense::new(2, 3), Dense::new(3, 1));
    let text = |penalty: Penalty| {
        let tape = Tape::new();
        penalty.over(&model, &tape).value().unwrap_err().to_string()
    };
    for (text, words) in [
        (text(Penalty::new().of("0.wieght", L2::new(1.0))), "did you mean `0.weight`?"),
        (text(Penalty::new().of("head", L2::new(1.0))), "has no parameter `head` and none below it"),
        (text(Penalty::new().of("0", L2::new(-1.0))), "a factor of -1 has no meaning"),
        (text(Penalty::new().of("0", L1::new(f64::INFINITY))), "a factor of inf has no meaning"),
        (text(Penalty::new().of("0", Orthogonal::new(1.0))), "takes a matrix, not [3]"),
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([1f32]));
    assert!(Orthogonal::new(1.0).penalty(x).value().is_err());
}
