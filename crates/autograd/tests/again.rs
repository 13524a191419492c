//! A tape that records what the one before it did holds what it would hold without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::{every_case, record, weighed};
use std::panic::Location;
use wengert_autograd::sample::Sample;
use wengert_autograd::{Class, Derivative, LeafId, Meta, Op, Tape, Var};
use wengert_tensor::error::Result;
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::tensor::Tensor;

/// All that is on a tape after a gradient, and the gradient of that.
fn all(sample: &Sample) -> String {
    let tape = Tape::with_key(1);
    let (x, y) = record(&tape, sample, &sample.inputs);
    let loss = weighed(&tape, y);
    let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
    let first = tape.grad(loss, &floats[..]);
    let sums = first.iter().map(|dx| dx.sum().cast(loss.dtype())).reduce(|a, b| a + b).unwrap_or(loss);
    let second = tape.grad(sums, &floats[..]);
    let ids = |list: &[Var<'_>]| list.iter().map(|var| var.id().index()).collect::<Vec<_>>();
    match tape.recording() {
        Ok(recording) => format!("{recording:#?}\n{:x?}\n{:?} {:?}", tape.structure(), ids(&first), ids(&second)),
        Err(error) => error.to_string(),
    }
}

/// What the same closure leaves on a tape that knows of no other.
fn fresh<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(f).join().unwrap())
}

#[test]
fn gradients_of_all_ops_are_taken_over_as_they_would_be_recorded() {
    every_case(|_, sample| {
        let wanted = all(sample);
        let given = (0..3).map(|_| all(sample)).find(|given| *given != wanted);
        match given {
            None => Ok(()),
            Some(given) => {
                let line = wanted.lines().zip(given.lines()).find(|(a, b)| a != b);
                Err(format!("recorded anew, then again: {line:?}"))
            }
        }
    });
    // The first of them all has a thread of its own, where there is no tape before it.
    let samples = || roll::roll().flat_map(|entry| entry.samples);
    for (place, sample) in samples().enumerate().step_by(7) {
        let wanted = fresh(|| all(&samples().nth(place).unwrap()));
        assert_eq!(all(&sample), wanted, "{}", sample.name);
    }
}

/// A product and its gradients, recorded at the caller's line and in its layer.
#[track_caller]
fn product(tape: &Tape, layer: Option<&'static str>, x: &Tensor) -> (Vec<&'static Location<'static>>, Vec<String>) {
    let here = Location::caller();
    let scope = layer.map(|layer| tape.scope(layer));
    let x = tape.input(x);
    let y = x.tanh().matmul(x);
    drop(scope);
    tape.grad(y.sum(), x);
    let recording = tape.recording().unwrap();
    let derived = recording.nodes.iter().filter(|node| node.derived);
    assert!(derived.clone().count() > 2);
    assert_eq!(here.file(), file!());
    derived.map(|node| (node.location, recording.path(node.layer))).unzip()
}

#[test]
fn lines_and_layers_are_those_of_the_tape_at_hand() {
    let x = Tensor::from([[0.5f32, 1.0], [1.5, 2.0]]);
    for layer in [None, Some("First"), Some("First"), None, Some("Other")] {
        let tape = Tape::new();
        let (_, layers) = product(&tape, layer, &x);
        assert!(layers.iter().filter(|path| **path == layer.unwrap_or_default()).count() > 1, "{layers:?}");
        assert!(layers.iter().all(|path| path.is_empty() || Some(&**path) == layer), "{layers:?}");
    }

    fn here(x: Var<'_>) -> Var<'_> {
        x.exp()
    }
    fn there(x: Var<'_>) -> Var<'_> {
        x.exp()
    }
    // The same ops from two lines.
    let gradient = |turn: usize| {
        let tape = Tape::new();
        let x = tape.input(&x);
        let y = [here, there][turn](x);
        tape.grad(y.sum(), x);
        let recording = tape.recording().unwrap();
        let lines: Vec<u32> = recording.nodes.iter().skip(1).map(|node| node.location.line()).collect();
        lines
    };
    for turn in [0, 0, 1, 1, 0, 1] {
        assert_eq!(gradient(turn), fresh(|| gradient(turn)), "turn {turn}");
    }
}

#[test]
fn errors_name_what_was_called_on_the_tape_at_hand() {
    fn outer<'t>(name: &'static str, x: Var<'t>, at: Var<'t>) -> Var<'t> {
        let _call = x.tape().call(name);
        x.take_along(0, at).square()
    }
    let error = |name: &'static str, label: i64| {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([0.5f32, 1.5]));
        let y = outer(name, x, tape.input(&Tensor::from([label])));
        let dx = tape.grad(y.sum(), x);
        dx.value().map_err(|error| error.to_string())
    };
    for (name, label) in [("one", 0), ("one", 7), ("one", 1), ("two", 7), ("one", 7), ("two", 0), ("two", 7)] {
        let (given, wanted) = (error(name, label), fresh(|| error(name, label)));
        match (given, wanted) {
            (Ok(given), Ok(wanted)) => assert!(given.equals(&wanted)),
            (Err(given), Err(wanted)) => {
                assert_eq!(given, wanted);
                assert!(given.starts_with(name), "{given}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn other_gradients_of_the_same_graph_are_others() -> Result<()> {
    let x = Tensor::from([0.5f32, 1.5]);
    let mut all = Vec::new();
    for turn in 0..9 {
        let tape = Tape::new();
        let (a, b) = (tape.input(&x), tape.input(&x));
        let y = (a * a * b).sum();
        // Which value, by which input, with which weight, with a value that was asked for before.
        let dx = match turn % 4 {
            0 => tape.grad(y, a),
            1 => tape.grad(y, b),
            2 => tape.grad_with(y, tape.scalar(2.0, y.dtype()), a),
            _ => {
                y.value()?;
                tape.grad(y * y, a)
            }
        };
        let second = tape.grad(dx.sum(), b).value()?;
        all.push((dx.value()?.to_vec::<f32>()?, second.to_vec::<f32>()?));
    }
    let wanted =
        [(vec![0.5, 4.5], vec![1.0, 3.0]), (vec![0.25, 2.25], vec![0.0, 0.0]), (vec![1.0, 9.0], vec![2.0, 6.0])];
    for (turn, given) in all.iter().enumerate().filter(|(turn, _)| turn % 4 < 3) {
        assert_eq!(*given, wanted[turn % 4], "turn {turn}");
    }
    assert_eq!(all[3], all[7]);
    Ok(())
}

/// The square of each element; its rule notes something on the tape.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Noting(u8);

impl Op for Noting {
    fn name(&self) -> &'static str {
        "noting"
    }
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        Ok(inputs[0].clone())
    }
    fn class(&self) -> Class<'_> {
        Class::Map(ScalarFn::Square)
    }
    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }
    fn reusable(&self) -> bool {
        true
    }
    fn pullback<'t>(&self, _: usize, x: &[Var<'t>], _: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        let tape = ct.tape();
        let _scope = (self.0 == 0).then(|| tape.scope("Back"));
        let part = ct * x[0] * 2.0;
        match self.0 {
            1 => tape.update(LeafId(7), part),
            2 => tape.note(LeafId(1), "noted"),
            _ => {}
        }
        Some(part)
    }
}

#[test]
fn what_rules_note_on_a_tape_is_noted_each_time() {
    let noted = |kind: u8| {
        let tape = Tape::new();
        let x = tape.parameter(LeafId(1), &Tensor::from([1f32, 2.0]));
        tape.update(LeafId(7), x);
        tape.record(Noting(kind), &[x]).sum().backward();
        let updates: Vec<_> = tape.updates().into_iter().map(|(id, next)| (id, next.id())).collect();
        format!("{:?} {updates:?}", tape.recording().unwrap())
    };
    for kind in 0..4 {
        let wanted = fresh(|| noted(kind));
        for turn in 0..3 {
            assert_eq!(noted(kind), wanted, "kind {kind}, turn {turn}");
        }
    }
}
