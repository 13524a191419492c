//! A tape takes over what the tape before it recorded, where it is the same. Nobody can tell.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

type Recipe = fn(&Tape) -> Vec<Var<'_>>;

fn x(tape: &Tape) -> Var<'_> {
    tape.input(&Tensor::from([[1f32, 2.0], [3.0, 4.0]]))
}

/// Recordings that begin alike and go on otherwise.
const RECIPES: [Recipe; 10] = [
    |tape| vec![(x(tape) * 2.0).sum()],
    |tape| vec![(x(tape) * 2.0).sum_axes(0)],
    |tape| vec![(x(tape) * 2.0).sum_axes(1), x(tape).t().exp()],
    |tape| {
        // A value that was asked for is a leaf to what follows.
        let y = x(tape) * 2.0;
        y.value().unwrap();
        vec![y.sum()]
    },
    |tape| vec![(tape.input(&Tensor::from([[1f32, 2.0], [3.0, 4.0]]).t().unwrap()) * 2.0).sum()],
    |tape| vec![(tape.input(&Tensor::from([[1f64, 2.0], [3.0, 4.0]])) * 2.0).sum()],
    |tape| vec![(tape.full([2, 2], 3.0, DType::F32) * 2.0).sum()],
    |tape| {
        let x = x(tape);
        let y = (x * x.tanh()).softmax(-1).slice(0, 0..1).sum();
        let [dx] = tape.grad(y, [x]);
        vec![y, dx]
    },
    |tape| {
        let x = x(tape);
        let y = (x * x.tanh()).softmax(-1).slice(0, 1..2).sum();
        let [dx] = tape.grad(y, [x]);
        vec![y, dx]
    },
    |tape| vec![tape.constant([2, 2], 1.0f32) + x(tape), tape.constant([2, 2], 2.0f32) + x(tape)],
];

fn record(recipe: Recipe) -> (Vec<u128>, Vec<Tensor>, String) {
    let tape = Tape::new();
    let outputs = recipe(&tape);
    let values = tape.eval(outputs).unwrap();
    (tape.structure(), values, tape.to_string())
}

#[test]
fn a_recording_is_the_same_whatever_was_recorded_before() {
    let fresh = RECIPES.map(|recipe| std::thread::spawn(move || record(recipe)).join().unwrap());
    for first in 0..RECIPES.len() {
        for second in 0..RECIPES.len() {
            for recipe in [first, second, second, first] {
                let (structure, values, text) = record(RECIPES[recipe]);
                assert_eq!(structure, fresh[recipe].0, "{recipe} after {first} and {second}");
                assert_eq!(text, fresh[recipe].2);
                assert!(values.iter().zip(&fresh[recipe].1).all(|(a, b)| a.equals(b)));
            }
        }
    }
}

#[test]
fn a_closure_is_that_of_its_own_tape() -> Result<()> {
    for factor in [2.0f32, 3.0, 5.0] {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([1f32, 2.0]));
        let y = x.custom_vjp(|x| x.exp(), move |_, _, ct| ct * factor).sum();
        let [dx] = tape.grad(y, [x]);
        assert_eq!(dx.value()?.to_vec::<f32>()?, [factor; 2]);
    }
    Ok(())
}

#[test]
fn an_error_tells_the_line_of_its_own_tape() {
    let at = |index: i64| Tensor::from([0i64, index]);
    let mut lines = Vec::new();
    for turn in 0..3 {
        let tape = Tape::new();
        let (x, at) = (tape.input(&Tensor::from([1f32, 2.0])), tape.input(&at(7)));
        let y = match turn {
            0 => x.gather(0, at),
            1 => x.gather(0, at),
            _ => x.gather(0, at),
        };
        lines.push(y.value().unwrap_err().location().unwrap().line());
    }
    assert_eq!([lines[1] - lines[0], lines[2] - lines[1]], [1, 1]);
}

#[test]
fn an_operand_of_another_tape_is_found_where_a_guess_would_fit() {
    for _ in 0..3 {
        let (tape, other) = (Tape::new(), Tape::new());
        let (a, b) = (tape.input(&Tensor::from(1f32)), other.input(&Tensor::from(2f32)));
        assert!((b + b).value().is_ok());
        assert!(
            tape.record(wengert_autograd::table::Elementwise(wengert_tensor::kernels::scalar::ScalarFn::Add), &[a, b])
                .value()
                .is_err()
        );
    }
}

#[test]
fn what_a_tape_held_is_free_when_it_is_dropped() {
    let mut x = Tensor::from([1f32, 2.0]);
    for _ in 0..2 {
        let tape = Tape::new();
        _ = tape.input(&x) * 2.0;
        drop(tape);
        assert!(x.bytes_mut().is_some());
    }
}
