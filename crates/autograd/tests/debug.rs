//! The search for what is not finite names the op, its layer, its line and its operands, and is right about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::debug::{catch_non_finite, forget_non_finite, last_non_finite, non_finite};
use wengert_autograd::{Argument, Tape, Var, plan_stats};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, ErrorKind};
use wengert_tensor::tensor::Tensor;

/// The error for `f` of an input, with the search on.
fn error(input: &Tensor, f: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> Error {
    let tape = Tape::new();
    let y = f(tape.input(input));
    let error = catch_non_finite(|| y.value()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NonFinite, "{error}");
    error
}

#[test]
fn it_is_off_unless_asked_for() {
    let y = |x: f32| {
        let tape = Tape::new();
        tape.input(&Tensor::from([x])).log().value()
    };
    assert!(y(0.0).is_ok());
    assert!(!non_finite(true));
    assert!(y(0.0).is_err() && y(1.0).is_ok());
    assert!(non_finite(false));
    assert!(y(0.0).is_ok());
    assert!(catch_non_finite(|| y(0.0)).is_err() && y(0.0).is_ok());
}

#[test]
fn an_op_is_named_with_its_layer_its_line_and_its_operands() {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[3.0f32, 1.0], [0.5, 0.0]]));
    let line = line!() + 3;
    let y = {
        let _net = tape.scope("Net");
        (x * 2.0 / x).exp() // 0 / 0
    };
    let error = catch_non_finite(|| y.mean().value()).unwrap_err();
    assert_eq!(error.op_name(), Some("div"));
    assert_eq!(error.path(), Some("Net"));
    let at = error.location().unwrap();
    assert!(at.file().ends_with("debug.rs") && at.line() == line, "{at}");
    assert!(error.to_string().contains("gave 1 NaN among 4"), "{error}");
    assert!(error.to_string().contains("min 0, max 6, mean 2.25"), "{error}");
    let found = last_non_finite().unwrap();
    assert_eq!((found.layer.as_str(), found.derived, found.inputs.len()), ("Net", false, 2));
    assert!(found.inputs[0].1.equals(&Tensor::from([[6.0f32, 2.0], [1.0, 0.0]])));
    assert!(found.output.has_nan() && found.replay().unwrap().has_nan());
    forget_non_finite();
    assert!(last_non_finite().is_none());
}

#[test]
fn the_first_of_several_is_named() {
    let x = Tensor::from([1e20f32, 1.0]);
    let found = error(&x, |x| {
        let square = x * x;
        (square - square).exp() + (x - x).log()
    });
    // Two branches spoil the result; `mul` stands first.
    assert_eq!(found.op_name(), Some("mul"));
    assert!(found.to_string().contains("1 infinite among 2"), "{found}");
    for dtype in [DType::F64, DType::F16, DType::BF16] {
        let x = Tensor::from([3e38f64, 1.0]).cast(dtype).unwrap();
        let found = error(&x, |x| x.cast(DType::F64).square().cast(DType::F32).sum());
        let expected = if dtype == DType::F16 { "holds" } else { "gave 1 infinite" };
        assert!(found.to_string().contains(expected), "{dtype}: {found}");
    }
}

#[test]
fn a_gradient_is_told_by_the_line_whose_derivative_it_is() {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([0.0f32, 4.0]));
    let y = {
        let _layer = tape.scope(("norm", "Root"));
        // Its derivative at a tiny number overflows, and that at 0 is masked.
        (x + 1e-45).pow(0.1)
    };
    let [dx] = tape.grad(y.sum() * 1e30, [x]);
    assert!(catch_non_finite(|| tape.eval(y)).is_ok());
    let error = catch_non_finite(|| tape.eval(dx)).unwrap_err();
    assert!(error.to_string().contains("as part of a gradient"), "{error}");
    assert_eq!(error.path(), Some("norm (Root)"), "{error}");
    assert!(last_non_finite().unwrap().derived);
}

#[test]
fn what_is_masked_away_is_no_fault() {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([-1.0f32, 4.0]));
    let y = x.log().select(x.gt(0.0), 0.0);
    let [dx] = tape.grad(y.sum(), [x]);
    catch_non_finite(|| tape.eval([y, dx])).unwrap();
    let scores = tape.input(&Tensor::from([f32::NEG_INFINITY, 0.0]));
    assert!(catch_non_finite(|| scores.softmax(-1).value()).is_ok());
}

#[test]
fn an_input_that_is_not_finite_is_named() {
    let tape = Tape::new();
    let id = wengert_autograd::LeafId(7);
    let w = tape.parameter(id, &Tensor::from([1.0f32, f32::NAN]));
    tape.note(id, "head.weight");
    let error = catch_non_finite(|| (w * 2.0).sum().value()).unwrap_err();
    assert!(error.to_string().contains("parameter `head.weight` holds 1 NaN among 2"), "{error}");
    let found = last_non_finite().unwrap();
    assert!(found.inputs.is_empty() && found.replay().unwrap().has_nan());
}

#[test]
fn values_that_were_asked_for_before_are_inputs() {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([0.0f32]));
    let y = x.log();
    y.value().unwrap();
    let error = catch_non_finite(|| (y * 2.0).value()).unwrap_err();
    assert!(error.to_string().contains("holds 1 infinite among 1"), "{error}");
}

#[test]
fn a_compiled_step_is_watched_too_and_keeps_what_it_was_given() {
    let tape = Tape::new();
    let state = Tensor::from([1.0f32, 2.0]);
    let (x, rate) = (tape.input(&state), tape.scalar(0.5, DType::F32));
    tape.donate(x, state);
    let y = x.log() * rate;
    let (arguments, outputs) = ([x.id(), rate.id()], [y.id()]);
    let mut compiled = tape.compile(&arguments, &outputs).unwrap();
    let mut results = Vec::new();
    catch_non_finite(|| {
        let mut run = |x: [f32; 2], rate: f64| {
            let mut given = [Argument::Given(Tensor::from(x)), Argument::from(rate)];
            let outcome = compiled.run(&mut given, &mut results);
            outcome.map(|()| results[0].to_vec::<f32>().unwrap())
        };
        assert_eq!(run([1.0, 1.0], 2.0).unwrap(), [0.0, 0.0]);
        let error = run([0.0, 1.0], 2.0).unwrap_err();
        assert_eq!((error.kind(), error.op_name()), (ErrorKind::NonFinite, Some("log")));
        assert_eq!(run([1.0, 1.0], 1.0).unwrap(), [0.0, 0.0]);
    });
}

#[test]
fn donated_inputs_are_as_they_were_when_something_is_found() {
    let state = Tensor::from([0.0f32, 1.0]);
    let tape = Tape::new();
    let x = tape.input(&state);
    tape.donate(x, state);
    let y = x.log();
    assert!(catch_non_finite(|| y.value()).is_err());
    assert_eq!(x.value().unwrap().to_vec::<f32>().unwrap(), [0.0, 1.0]);
    assert!(y.value().is_ok());
}

#[test]
fn plans_are_found_again_while_it_is_on() {
    let step = |x: f32| {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([x, 2.0]));
        let [dx] = tape.grad(x.exp().sum(), [x]);
        tape.eval(dx).unwrap()
    };
    catch_non_finite(|| {
        step(1.0);
        let before = plan_stats().compiled;
        (0..5).for_each(|i| assert!(step(i as f32).to_f64_vec()[0] > 0.0));
        assert_eq!(plan_stats().compiled, before);
    });
}
