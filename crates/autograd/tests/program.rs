//! Programs: recorded once, run many times, with the bits of what is recorded each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Argument, Program, Tape, Var, plan_clear, plan_stats, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

fn step<'t>(tape: &'t Tape, [x, w, rate]: [Var<'t>; 3]) -> [Var<'t>; 2] {
    let loss = x.matmul(w).tanh().square().mean();
    let [dw] = tape.grad(loss, [w]);
    [loss, w - rate * dw]
}

fn example(seed: u64, shape: [usize; 2]) -> Tensor {
    Tensor::normal(shape, DType::F32, Key::new(seed)).unwrap()
}

#[test]
fn a_program_has_the_bits_of_its_closure() -> Result<()> {
    let (x, mut w) = (example(1, [5, 3]), example(2, [3, 4]));
    let mut program = Program::new((&x, &w, 0.1), step)?;
    for i in 0..6 {
        let (x, rate) = (example(10 + i, [5, 3]), 0.5 / (1.0 + i as f64));
        let tape = Tape::new();
        let outputs = step(&tape, [tape.input(&x), tape.input(&w), tape.scalar(rate, DType::F32)]);
        let [loss, next] = tape.eval(outputs)?;
        let results = program.run((&x, &w, rate))?;
        assert!(results[0].equals(&loss) && results[1].equals(&next));
        let unfused = without_fusion(|| program.run((&x, &w, rate)))?;
        assert!(unfused[0].equals(&loss) && unfused[1].equals(&next));
        w = next;
    }
    Ok(())
}

#[test]
fn a_program_compiles_once_and_shares_its_plan() -> Result<()> {
    let (x, w) = (example(1, [5, 3]), example(2, [3, 4]));
    plan_clear();
    let before = plan_stats().compiled;
    let mut program = Program::new((&x, &w, 0.1), step)?;
    assert_eq!(plan_stats().compiled, before, "nothing runs before it is asked for");
    for i in 0..10 {
        program.run((&x, &w, f64::from(i)))?;
    }
    let tape = Tape::new();
    tape.eval(step(&tape, [tape.input(&x), tape.input(&w), tape.scalar(0.1, DType::F32)]))?;
    assert_eq!(plan_stats().compiled, before + 1);
    plan_clear();
    program.run((&x, &w, 0.1))?;
    assert_eq!(plan_stats().compiled, before + 2, "a plan that was dropped is compiled again");
    Ok(())
}

#[test]
fn former_results_keep_their_values() -> Result<()> {
    let mut double = Program::new([&Tensor::from([1f32, 2.0])], |_, [x]| [x * 2.0])?;
    let mut all = Vec::new();
    for i in 0..5 {
        let [y] = double.run([&Tensor::from([i as f32, 1.0])])?;
        all.push(y);
    }
    for (i, y) in all.iter().enumerate() {
        assert_eq!(y.to_vec::<f32>()?, [2.0 * i as f32, 2.0]);
    }
    Ok(())
}

#[test]
fn views_keys_constants_and_arguments_that_come_back() -> Result<()> {
    let constant = Tensor::from([10f32, 20.0]);
    let x = Tensor::from([[1f32, 2.0], [3.0, 4.0]]);
    let mut program = Program::new((&x, Key::new(1), 2.0), |tape, [x, _, n]| {
        let noise = tape.uniform([2, 2], DType::F32);
        [x.t() + &constant, x, n, noise, noise]
    })?;
    let mut before: Option<Tensor> = None;
    for seed in 0..3 {
        let turned = x.t()?;
        let [sum, same, n, noise, again] = program.run((&turned, Key::new(seed), seed as f64))?;
        assert_eq!(sum.to_vec::<f32>()?, [11.0, 22.0, 13.0, 24.0]);
        assert!(same.equals(&turned) && noise.equals(&again));
        assert_eq!(n.item::<f32>()?, seed as f32);
        let tape = Tape::with_key(seed);
        assert!(tape.uniform([2, 2], DType::F32).value()?.equals(&noise));
        assert!(!before.replace(noise.clone()).is_some_and(|before| before.equals(&noise)));
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error_that_says_so() -> Result<()> {
    let x = Tensor::from([1f32, 2.0]);
    let mut program = Program::new((&x, 0.5), |_, [x, n]| [x * n])?;
    let shape = program.run((&Tensor::from([1f32, 2.0, 3.0]), 0.5)).unwrap_err();
    assert_eq!(shape.kind(), ErrorKind::Shape);
    assert!(shape.to_string().contains("argument 0 is [3] f32, and it was compiled for [2] f32"), "{shape}");
    assert!(shape.location().is_some_and(|at| at.file().ends_with("program.rs") && at.line() > 90));
    let dtype = program.run((&Tensor::from([1f64, 2.0]), 0.5)).unwrap_err();
    assert_eq!(dtype.kind(), ErrorKind::DType);
    assert!(program.run((0.5, &x)).is_err());
    assert!(program.run((&x, Key::new(0))).is_err());
    let [fine] = program.run((&x, 0.5))?;
    assert_eq!(fine.to_vec::<f32>()?, [0.5, 1.0]);
    Ok(())
}

#[test]
fn misuse_is_found_when_it_is_recorded() {
    let x = Tensor::from([1f32, 2.0]);
    let asked = Program::new([&x], |_, [x]| [x * f64::from(x.sum().item::<f32>().unwrap())]).unwrap_err();
    assert!(asked.to_string().contains("a value was asked for"), "{asked}");
    let wrong = Program::new([&x], |_, [x]| [x.matmul(x.reshape([2, 1]).t())]).unwrap_err();
    assert!(wrong.location().is_some());
    let other = Tape::new();
    let tape = Tape::new();
    let (x, inner) = (tape.input(&x), tape.input(&x) * 2.0);
    let (x, inner) = (x.id(), inner.id());
    assert!(tape.compile(&[inner], &[x]).is_err());
    assert!(other.compile(&[inner], &[x]).is_err());
}

#[test]
fn a_kernel_that_refuses_tells_the_line_that_recorded_it() -> Result<()> {
    let (x, at) = (Tensor::from([1f32, 2.0]), Tensor::from([0i64, 1]));
    let mut program = Program::new([&x, &at], |_, [x, at]| [x.gather(0, at)])?;
    let line = line!() - 1;
    let error = program.run([&x, &Tensor::from([0i64, 7])]).unwrap_err();
    assert_eq!(error.location().map(|at| at.line()), Some(line), "{error}");
    let [fine] = program.run([&x, &at])?;
    assert!(fine.equals(&x));
    Ok(())
}

#[test]
fn what_is_given_is_written_over_and_comes_back_after_an_error() -> Result<()> {
    let n = 1000;
    let start = Tensor::ones([n], DType::F32)?;
    let tape = Tape::new();
    let (m, at, x) = (tape.input(&start), tape.input(&Tensor::from([0i64])), tape.input(&Tensor::from([1f32])));
    let next = m * x.gather(0, at);
    tape.donate(m, start.clone());
    let (arguments, outputs) = ([m.id(), at.id(), x.id()], [next.id()]);
    let mut compiled = tape.compile(&arguments, &outputs)?;
    drop(start);
    let mut m = Tensor::from_fn([n], |i| i as f32)?;
    let (x, fine, wrong) = (Tensor::from([0.5f32]), Tensor::from([0i64]), Tensor::from([5i64]));
    let mut results = Vec::new();
    for i in 1..4 {
        let mut arguments = [Argument::Given(m), Argument::from(&wrong), Argument::from(&x)];
        assert!(compiled.run(&mut arguments, &mut results).is_err());
        let [Argument::Given(back), ..] = arguments else { panic!("the memory is lost") };
        assert_eq!(back.to_vec::<f32>()?[7], 7.0 * 0.5f32.powi(i - 1));
        let memory = back.storage().id();
        let mut arguments = [Argument::Given(back), Argument::from(&fine), Argument::from(&x)];
        compiled.run(&mut arguments, &mut results)?;
        m = results.swap_remove(0);
        assert_eq!(m.storage().id(), memory);
        assert_eq!(m.to_vec::<f32>()?[7], 7.0 * 0.5f32.powi(i));
    }
    // With another owner it is never written.
    let other = m.clone();
    let mut arguments = [Argument::Given(m), Argument::from(&fine), Argument::from(&x)];
    compiled.run(&mut arguments, &mut results)?;
    assert_eq!(results[0].to_vec::<f32>()?[7], other.to_vec::<f32>()?[7] * 0.5);
    let mut arguments = [Argument::from(&other), Argument::from(&fine), Argument::from(&x)];
    compiled.run(&mut arguments, &mut results)?;
    assert_eq!(results[0].to_vec::<f32>()?[7], other.to_vec::<f32>()?[7] * 0.5);
    Ok(())
}
