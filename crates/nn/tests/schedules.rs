//! Laws of all schedules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::{assert_close, assert_on_roll, reference};
use wengert_autograd::Tape;
use wengert_nn::layer::Layer;
use wengert_nn::layers::dense::Dense;
use wengert_nn::optim::schedule::{Schedule, constant, roll};
use wengert_nn::optim::sgd::Sgd;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

#[test]
fn every_file_is_on_the_roll() {
    assert_on_roll("optim/schedule", &["case"], roll().iter().map(|case| case.file));
    let names: BTreeSet<&str> = roll().iter().map(|case| case.name).collect();
    assert_eq!(names.len(), roll().len(), "two cases of one name");
}

#[test]
fn sixty_steps_are_those_of_the_reference() {
    let reference = reference("schedules.txt");
    for case in roll() {
        let (_, numbers) = reference.iter().find(|(name, _)| name == case.name).expect(case.name);
        assert_eq!(numbers.len(), 60);
        for (step, theirs) in numbers.iter().enumerate() {
            let ours = case.schedule.factor(step as u64);
            assert_close(ours, *theirs, 1e-12, &format!("{} at step {step}", case.name));
        }
    }
    assert_eq!(reference.len(), roll().len());
}

#[test]
fn settings_with_a_meaning_pass_and_give_factors_at_every_step() -> Result<()> {
    for case in roll() {
        case.schedule.check()?;
        let far = [1_000, 1 << 40, u64::MAX - 1, u64::MAX];
        let far = if case.file == "plateau" { &far[..1] } else { &far[..] };
        for step in (0..200).chain(far.iter().copied()) {
            let factor = case.schedule.factor(step);
            assert!(factor >= 0.0 && factor.is_finite(), "{}: {factor} at step {step}", case.name);
        }
    }
    Ok(())
}

#[test]
fn what_is_chained_takes_over_where_the_first_ends() -> Result<()> {
    for case in roll() {
        let Some(length) = case.schedule.length() else { continue };
        let name = case.name;
        let chained = case.schedule.then(constant(7.0));
        chained.check()?;
        assert_eq!(chained.factor(length), 7.0, "{name}");
        assert!(length == 0 || chained.factor(length - 1) <= 1.0, "{name}");
    }
    Ok(())
}

/// A schedule is built without a `Result`: the first step says what is wrong, and nothing is moved.
#[test]
fn settings_without_a_meaning_are_an_error_of_the_first_step() -> Result<()> {
    let x = Tensor::from([[1f32, 2.0]]);
    let mut tried = 0;
    for case in roll() {
        for (schedule, word) in case.faults {
            for step in [0, 1, 5, 1_000, u64::MAX] {
                schedule.factor(step);
            }
            let mut model = Dense::new(2, 1);
            let before = model.predict(&x)?;
            let mut optimizer = Sgd::new(0.1).schedule(schedule);
            let tape = Tape::training(0u64);
            let gradients = model.forward(tape.input(&x)).square().mean().backward();
            let error = optimizer.step(&mut model, gradients).expect_err(case.name).to_string();
            assert!(error.contains(word), "{}: `{word}` is not in {error}", case.name);
            assert!(model.predict(&x)?.equals(&before), "{}", case.name);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
    Ok(())
}
