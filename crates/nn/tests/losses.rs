//! Laws of all losses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{assert_close, assert_on_roll, reference};
use wengert_autograd::Tape;
use wengert_nn::losses::roll;
use wengert_tensor::error::Result;

#[test]
fn every_file_is_on_the_roll() {
    assert_on_roll("losses", &["alike", "case"], roll().iter().map(|case| case.file));
}

#[test]
fn values_and_gradients_are_those_of_the_reference() -> Result<()> {
    let reference = reference("losses.txt");
    for case in roll() {
        let (_, numbers) = reference.iter().find(|(name, _)| name == case.name).expect(case.name);
        let tape = Tape::new();
        let (prediction, target) = (tape.input(&case.prediction), tape.input(&case.target));
        let loss = case.loss.loss(prediction, target);
        let [gradient] = tape.grad(loss, [prediction]);
        assert_close(loss.item::<f64>()?, numbers[0], 1e-13, case.name);
        let gradient = gradient.value()?.to_vec::<f64>()?;
        assert_eq!(gradient.len(), numbers.len() - 1);
        for (ours, theirs) in gradient.iter().zip(&numbers[1..]) {
            assert_close(*ours, *theirs, 1e-13, case.name);
        }
    }
    Ok(())
}

#[test]
fn a_target_of_another_shape_is_refused() {
    for case in roll() {
        let tape = Tape::new();
        let target = tape.input(&case.target);
        let target = target.reshape([1, 1, target.len()]);
        let loss = case.loss.loss(tape.input(&case.prediction), target);
        let error = loss.item::<f64>().expect_err(case.name).to_string();
        assert!(error.contains("prediction"), "{}: {error}", case.name);
    }
}

#[test]
fn an_f32_prediction_has_an_f32_loss() -> Result<()> {
    use wengert_tensor::dtype::DType;
    for case in roll() {
        let tape = Tape::new();
        let target = if case.target.dtype().is_float() { case.target.cast(DType::F32)? } else { case.target.clone() };
        let loss = case.loss.loss(tape.input(&case.prediction.cast(DType::F32)?), tape.input(&target));
        assert_eq!((loss.dtype(), loss.rank()), (DType::F32, 0), "{}", case.name);
        assert!(loss.item::<f32>()?.is_finite());
    }
    Ok(())
}
