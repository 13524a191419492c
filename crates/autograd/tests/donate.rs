//! Memory that an input gives away holds a result, with the bits it would have had elsewhere; all other memory is left alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use wengert_autograd::{Apply, Class, Derivative, Meta, Op, Tape, Var, meta, plan_stats};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::program::view::{Kernel, TensorView, TensorViewMut};
use wengert_tensor::tensor::Tensor;

fn noise(n: usize, key: u64) -> Tensor {
    Tensor::normal([n], DType::F32, key).unwrap()
}

fn copy(t: &Tensor) -> Tensor {
    Tensor::new(t.to_vec::<f32>().unwrap(), t.shape()).unwrap()
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Adam's update of a weight, a mean and a square by a gradient.
fn adam<'t>([w, g, m, v]: [Var<'t>; 4]) -> [Var<'t>; 3] {
    let mean = m * 0.9 + g * 0.1;
    let square = v * 0.999 + g * g * 0.001;
    [w - mean * 1e-3 / (square.sqrt() * 1.5 + 1e-8), mean, square]
}

#[test]
fn results_take_the_place_of_donated_inputs() {
    for n in [7, 64, 2047, 2048, 5000, 70_001, 3_000_001] {
        let (w, g, m, v) = (noise(n, 1), noise(n, 2), noise(n, 3), noise(n, 4).apply(|v| v.square()).unwrap());
        let plain = {
            let tape = Tape::new();
            tape.eval(adam([&w, &g, &m, &v].map(|t| tape.input(t)))).unwrap()
        };
        let (m, v) = (copy(&m), copy(&v));
        let places = [&m, &v].map(|t| t.storage().id());
        let tape = Tape::new();
        let inputs = [&w, &g, &m, &v].map(|t| tape.input(t));
        let results = adam(inputs);
        tape.donate(inputs[2], m);
        tape.donate(inputs[3], v);
        let given = tape.eval(results).unwrap();
        for (a, b) in plain.iter().zip(&given) {
            assert_eq!(bits(a), bits(b), "{n}");
        }
        assert_eq!([given[1].storage().id(), given[2].storage().id()], places, "{n}");
        assert_ne!(given[0].storage().id(), w.storage().id());
    }
}

#[test]
fn a_loop_that_donates_compiles_once_and_stays_in_its_memory() {
    let mut mean = noise(4096, 1);
    let place = mean.storage().id();
    let compiled = plan_stats().compiled;
    for step in 0..10 {
        let tape = Tape::new();
        let m = tape.input(&mean);
        tape.donate(m, mean);
        mean = (m * 0.5 + f64::from(step)).value().unwrap();
        assert_eq!(mean.storage().id(), place);
    }
    assert_eq!(plan_stats().compiled, compiled + 1);
}

#[test]
fn memory_with_another_owner_is_never_written() {
    let tape = Tape::new();
    let mean = noise(5000, 1);
    let (before, kept) = (bits(&mean), mean.clone());
    let m = tape.input(&mean);
    tape.donate(m, mean);
    let new = (m * 0.5).value().unwrap();
    assert_eq!(bits(&kept), before);
    assert_ne!(new.storage().id(), kept.storage().id());

    // A view of a part is another owner of the whole.
    let whole = noise(5000, 2);
    let half = whole.slice(0, 0..2500).unwrap();
    drop(whole);
    let before = bits(&half);
    let h = tape.input(&half);
    tape.donate(h, half);
    let doubled = (h * 2.0).value().unwrap();
    assert_eq!(bits(&doubled), before.iter().map(|&b| (f32::from_bits(b) * 2.0).to_bits()).collect::<Vec<_>>());
}

/// What is read in another order than the result is written, or read again behind it, stays where it is.
#[test]
fn results_that_cannot_take_the_place_go_elsewhere() {
    let given = |n: usize, f: &dyn for<'t> Fn(Var<'t>) -> Vec<Var<'t>>| {
        let x = noise(n * n, 3);
        let plain = {
            let tape = Tape::new();
            tape.eval(f(tape.input(&x).reshape([n, n]))).unwrap()
        };
        let x = copy(&x);
        let tape = Tape::new();
        let leaf = tape.input(&x);
        let results = f(leaf.reshape([n, n]));
        tape.donate(leaf, x);
        let given = tape.eval(results).unwrap();
        for (a, b) in plain.iter().zip(&given) {
            assert_eq!(bits(a), bits(b), "{n}");
        }
    };
    for n in [3, 50, 130] {
        given(n, &|x| vec![x.permute(&[1, 0]) + 1.0]);
        given(n, &|x| vec![x.permute(&[1, 0]) + x]);
        given(n, &|x| vec![x + 1.0, x.flip(0) * 2.0]);
        given(n, &|x| vec![x + 1.0, x.matmul(x)]);
        given(n, &|x| vec![x.softmax(-1), x.softmax(0)]);
        given(n, &|x| vec![x - x.mean_axes(1).unsqueeze(1), x.exp()]);
        given(n, &|x| vec![x.matmul(x) + x, x * 2.0]);
        given(n, &|x| vec![x.sort(-1), x + 1.0]);
        given(n, &|x| vec![x + 1.0, (x + 1.0).sort(-1)]);
        given(n, &|x| vec![x.slice(0, 1..3), x * x]);
    }
}

#[test]
fn a_donated_input_serves_one_evaluation() {
    let tape = Tape::new();
    let x = noise(100, 1);
    let leaf = tape.input(&x);
    let (doubled, squared) = (leaf * 2.0, leaf.square());
    tape.donate(leaf, x);
    assert_eq!(leaf.value().unwrap().len(), 100, "to look at it is no evaluation");
    doubled.value().unwrap();
    doubled.value().unwrap();
    (doubled + 1.0).value().unwrap();
    for lost in [squared, leaf, leaf + doubled] {
        let error = lost.value().unwrap_err();
        assert_eq!(error.message(), "this input was donated, and the evaluation that read it has written over it");
    }
}

#[test]
fn only_the_input_of_a_tensor_can_be_donated() {
    let (x, y) = (noise(4, 1), noise(4, 2));
    let tape = Tape::new();
    let leaf = tape.input(&x);
    tape.donate(leaf, y);
    let error = leaf.value().unwrap_err();
    assert!(error.to_string().starts_with("donate: this is not the input of that tensor"), "{error}");
    let tape = Tape::new();
    let sum = tape.input(&x) + 1.0;
    tape.donate(sum, x);
    assert!(sum.value().is_err());
}

/// y = x, or an error.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fails;

impl Op for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }
    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let [x] = meta::operands(inputs)?;
        Ok(x.clone())
    }
    fn class(&self) -> Class<'_> {
        Class::Kernel(self)
    }
    fn derivative(&self) -> Derivative {
        Derivative::None("it only fails")
    }
}

impl Kernel for Fails {
    fn run(&self, _: &[TensorView<'_>], _: &mut TensorViewMut<'_>) -> Result<()> {
        Err(Error::value("as it must"))
    }
}

#[test]
fn a_failed_evaluation_leaves_a_donated_input_as_it_was() {
    let x = noise(5000, 1);
    let before = bits(&x);
    let tape = Tape::new();
    let leaf = tape.input(&x);
    // The call reads what the loop has computed, so it comes later.
    let new = leaf * 0.5;
    let bad = tape.record(Fails, &[new]);
    let early = tape.record(Fails, &[tape.input(&noise(3, 2))]);
    tape.donate(leaf, x);
    assert!(tape.eval([new, bad]).is_err());
    assert_eq!(bits(&leaf.value().unwrap()), before);
    assert!(tape.eval([new, early]).is_err());
    assert_eq!(bits(&leaf.value().unwrap()), before);
    let place = leaf.value().unwrap().storage().id();
    assert_eq!(new.value().unwrap().storage().id(), place, "and it may be used after all");
}
