//! Functions of functions: the laws that bind forward mode, reverse mode and batches, over the roll, and how they nest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::{bits, every_case, text};
use wengert_autograd::sample::Sample;
use wengert_autograd::{Randomness, Tape, Var, Vmap};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

/// Normal numbers of a shape, the same for the same stream.
fn noise(like: &Tensor, stream: u64) -> Tensor {
    let key = Key(7).fold(stream);
    let values: Vec<f64> = (0..like.len()).map(|i| normal_f64(key, i as u64)).collect();
    Tensor::new(values, like.shape()).unwrap().cast(like.dtype()).unwrap()
}

fn dot<'t>(a: &[Var<'t>], b: &[Var<'t>]) -> Option<Var<'t>> {
    a.iter().zip(b).map(|(a, b)| (*a * *b).sum()).reduce(|a, b| a + b)
}

/// The float inputs of a case as variables, and the case as a function of them.
fn floats(sample: &Sample) -> Vec<usize> {
    (0..sample.inputs.len()).filter(|&i| sample.inputs[i].dtype() == DType::F64).collect()
}

fn call<'t>(tape: &'t Tape, sample: &Sample, at: &[usize], x: &[Var<'t>]) -> Var<'t> {
    let mut inputs: Vec<Var<'t>> = sample.inputs.iter().map(|input| tape.input(input)).collect();
    for (&i, &x) in at.iter().zip(x) {
        inputs[i] = x;
    }
    (sample.run)(tape, &inputs)
}

/// ⟨w, Jv⟩ = ⟨Jᵀw, v⟩.
#[test]
fn forward_mode_is_the_transpose_of_reverse_mode() {
    every_case(|_, sample| {
        let at = floats(sample);
        let tape = Tape::with_key(1);
        let x: Vec<Var<'_>> = at.iter().map(|&i| tape.input(&sample.inputs[i])).collect();
        // Sums with infinite parts have no equal.
        if at.iter().any(|&i| sample.inputs[i].to_f64_vec().iter().any(|x| !x.is_finite())) {
            return Ok(());
        }
        if x.is_empty() || call(&tape, sample, &at, &x).dtype() != DType::F64 {
            return Ok(());
        }
        let v: Vec<Var<'_>> = at.iter().map(|&i| tape.input(&noise(&sample.inputs[i], i as u64))).collect();
        let (y, jv) = tape.jvp(|x: Vec<Var<'_>>| call(&tape, sample, &at, &x), x.clone(), v.clone());
        let w = tape.input(&noise(&y.value().map_err(text)?, 99));
        let (_, pullback) = tape.vjp(|x: Vec<Var<'_>>| call(&tape, sample, &at, &x), x);
        let jw = pullback.apply(w);
        let (Some(forward), Some(reverse)) = (dot(&[w], &[jv]), dot(&jw, &v)) else { return Ok(()) };
        let [forward, reverse] = tape.eval([forward, reverse]).map_err(text)?;
        let (forward, reverse) = (forward.item::<f64>().map_err(text)?, reverse.item::<f64>().map_err(text)?);
        // At kinks the slopes may be infinite; both modes are, then.
        let near = (forward - reverse).abs() <= 1e-12 * forward.abs().max(1.0) || forward == reverse;
        match near || (forward.is_nan() && reverse.is_nan()) {
            true => Ok(()),
            false => Err(format!("forward {forward}, reverse {reverse}")),
        }
    });
}

/// Examples of a case: its own inputs, and the same with their floats moved a little.
fn examples(sample: &Sample) -> Vec<Vec<Tensor>> {
    let moved = |by: u64| {
        let one = |(i, input): (usize, &Tensor)| match input.dtype() {
            DType::F64 if by > 0 => {
                let noise = noise(input, 10 * by + i as u64).to_f64_vec();
                let values: Vec<f64> = input.to_f64_vec().iter().zip(noise).map(|(x, n)| x + 1e-3 * n).collect();
                Tensor::new(values, input.shape()).unwrap()
            }
            _ => input.clone(),
        };
        sample.inputs.iter().enumerate().map(one).collect()
    };
    (0..3).map(moved).collect()
}

fn stack(parts: &[Tensor]) -> Tensor {
    let tape = Tape::new();
    let parts: Vec<Var<'_>> = parts.iter().map(|part| tape.input(part)).collect();
    tape.stack(&parts, 0).value().unwrap()
}

/// Checks a function of one example for all examples together against each by itself, to the bit. Inputs in `fixed` are the same
/// for all.
fn batched(
    sample: &Sample,
    fixed: &[usize],
    f: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>,
) -> Result<(), String> {
    let all = examples(sample);
    let inputs: Vec<Tensor> = (0..sample.inputs.len())
        .map(|i| match fixed.contains(&i) {
            true => all[0][i].clone(),
            false => stack(&all.iter().map(|example| example[i].clone()).collect::<Vec<_>>()),
        })
        .collect();
    let axes: Vec<Option<isize>> = (0..inputs.len()).map(|i| (!fixed.contains(&i)).then_some(0)).collect();
    let tape = Tape::with_key(1);
    let x: Vec<Var<'_>> = inputs.iter().map(|input| tape.input(input)).collect();
    let vmap = Vmap::new().axes(&axes).randomness(Randomness::Same);
    let together = vmap.call(&tape, x, |x: Vec<Var<'_>>| f(&tape, &x)).value().map_err(text)?;
    let mut alone = Vec::new();
    for example in &all {
        let tape = Tape::with_key(1);
        let x: Vec<Var<'_>> =
            (0..inputs.len()).map(|i| tape.input(if fixed.contains(&i) { &all[0][i] } else { &example[i] })).collect();
        alone.push(f(&tape, &x).value().map_err(text)?);
    }
    let alone = stack(&alone);
    match together.shape() == alone.shape()
        && bits(std::slice::from_ref(&together)) == bits(std::slice::from_ref(&alone))
    {
        true => Ok(()),
        false => Err(format!("together\n{together:?}\nalone\n{alone:?}")),
    }
}

#[test]
fn a_batch_is_each_example_by_itself() {
    every_case(|_, sample| {
        let inputs = sample.inputs.len();
        if inputs == 0 {
            return Ok(());
        }
        batched(sample, &[], |tape, x| (sample.run)(tape, x))?;
        for mapped in 0..inputs {
            let fixed: Vec<usize> = (0..inputs).filter(|&i| i != mapped).collect();
            if !fixed.is_empty() {
                let result = batched(sample, &fixed, |tape, x| (sample.run)(tape, x));
                result.map_err(|why| format!("only input {mapped} mapped: {why}"))?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_batch_of_gradients_is_each_gradient_by_itself() {
    every_case(|_, sample| {
        for i in floats(sample) {
            let gradient = |tape: &Tape, x: &[Var<'_>]| -> bool { (sample.run)(tape, x).dtype() == DType::F64 };
            let tape = Tape::with_key(1);
            let x: Vec<Var<'_>> = sample.inputs.iter().map(|input| tape.input(input)).collect();
            if !gradient(&tape, &x) {
                continue;
            }
            batched(sample, &[], |tape, x| {
                let y = (sample.run)(tape, x);
                let [dx] = tape.grad_with(y, y.ones_like(), [x[i]]);
                dx
            })
            .map_err(|why| format!("by input {i}: {why}"))?;
        }
        Ok(())
    });
}

#[test]
fn jacobians_by_both_modes_agree() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[0.3f64, -1.2, 0.7], [2.0, 0.1, -0.4]]));
    let reverse = tape.jacobian_reverse(|x| x.softmax(-1).matmul(x.t()).tanh(), x);
    let forward = tape.jacobian_forward(|x| x.softmax(-1).matmul(x.t()).tanh(), x);
    assert_eq!(reverse.shape().dims(), [2, 2, 2, 3]);
    let [reverse, forward] = tape.eval([reverse, forward])?;
    for (a, b) in reverse.to_f64_vec().iter().zip(forward.to_f64_vec()) {
        assert!((a - b).abs() < 1e-14, "{a} {b}");
    }
    Ok(())
}

#[test]
fn a_hessian_is_symmetric_and_its_products_agree() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([0.3f64, -1.2, 0.7, 0.5]));
    let h = tape.hessian(|x| (x.exp().sum() * x.sin().sum()).log1p() + x.prod(), x);
    let v = tape.input(&Tensor::from([1.0f64, 0.5, -2.0, 0.1]));
    let hv = tape.hvp(|x| (x.exp().sum() * x.sin().sum()).log1p() + x.prod(), x, v);
    let [h, hv, product] = tape.eval([h, hv, h.matmul(v)])?;
    let h = h.to_f64_vec();
    for i in 0..4 {
        for j in 0..4 {
            assert!((h[4 * i + j] - h[4 * j + i]).abs() < 1e-13);
        }
    }
    for (a, b) in hv.to_f64_vec().iter().zip(product.to_f64_vec()) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    Ok(())
}

/// Batches of batches, a Hessian of each example, the derivative of a batch of derivatives.
#[test]
fn they_nest() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[0.3f64, -1.2], [0.7, 0.5], [1.5, -0.1]]));
    // ∂²/∂x² of x₀²x₁³ is [[2x₁³, 6x₀x₁²], [6x₀x₁², 6x₀²x₁]].
    let h = tape.vmap(x, |p| tape.hessian(|p| p.at(0, 0).square() * p.at(0, 1).square() * p.at(0, 1), p));
    for (point, h) in x.value()?.to_f64_vec().chunks(2).zip(h.value()?.to_f64_vec().chunks(4)) {
        let (a, b) = (point[0], point[1]);
        let expected = [2.0 * b * b * b, 6.0 * a * b * b, 6.0 * a * b * b, 6.0 * a * a * b];
        assert!(h.iter().zip(expected).all(|(h, e)| (h - e).abs() < 1e-12), "{h:?} {expected:?}");
    }
    // The outer product by a batch in a batch.
    let (a, b) = (tape.input(&Tensor::from([1.0f64, 2.0])), tape.input(&Tensor::from([3.0f64, 4.0, 5.0])));
    let outer = tape.vmap(a, |a| tape.vmap(b, |b| a * b));
    assert_eq!(outer.value()?.to_vec::<f64>()?, [3.0, 4.0, 5.0, 6.0, 8.0, 10.0]);
    // d/dx Σ over a batch of the slope of sin, twice.
    let [d] = tape.grad(tape.vmap(b, |b| tape.grad(b.sin(), b)).sum(), [b]);
    for (d, b) in d.value()?.to_f64_vec().iter().zip([3.0f64, 4.0, 5.0]) {
        assert!((d + b.sin()).abs() < 1e-15);
    }
    // Forward over a batch over reverse.
    let (_, dd) = tape.jvp(|b| tape.vmap(b, |b| tape.grad(b.exp(), b)), b, b.ones_like());
    for (d, b) in dd.value()?.to_f64_vec().iter().zip([3.0f64, 4.0, 5.0]) {
        assert!((d - b.exp()).abs() < 1e-12);
    }
    Ok(())
}

#[test]
fn random_numbers_in_a_batch() -> Result<()> {
    let tape = Tape::with_key(3);
    let x = tape.input(&Tensor::from([[0.0f64, 0.0], [0.0, 0.0]]));
    let different = tape.vmap(x, |x| x + tape.normal([2], DType::F64)).value()?.to_f64_vec();
    let same = Vmap::new().randomness(Randomness::Same).call(&tape, x, |x| x + tape.normal([2], DType::F64));
    let same = same.value()?.to_f64_vec();
    assert_ne!(different[..2], different[2..]);
    assert_eq!(same[..2], same[2..]);
    Ok(())
}

#[test]
fn a_rule_of_ones_own_in_a_batch_sees_one_example() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]));
    // The rule sums over the axes it knows; over the whole batch it would give other numbers.
    let slopes = tape.vmap(x, |x| {
        let y = x.custom_vjp(|x| x.sum(), |x, _, ct| (ct * x.sum()).broadcast_to(x.shape()));
        tape.grad(y, x)
    });
    assert_eq!(slopes.value()?.to_vec::<f64>()?, [3.0, 3.0, 7.0, 7.0]);
    Ok(())
}

#[test]
fn misuse_says_what_is_wrong() {
    let say = |f: &dyn Fn(&Tape) -> Result<()>| f(&Tape::new()).unwrap_err().to_string();
    let x = Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]);
    let sizes = say(&|tape| {
        let (a, b) = (tape.input(&x), tape.input(&Tensor::from([1.0f64, 2.0, 3.0])));
        tape.vmap((a, b), |(a, b)| a.sum() * b).value().map(|_| ())
    });
    assert!(sizes.starts_with("vmap: 3 examples here, 2 before"), "{sizes}");
    let rank = say(&|tape| tape.vmap(tape.input(&Tensor::from(1.0f64)), |x| x).value().map(|_| ()));
    assert!(rank.starts_with("vmap: axis 0 is out of range"), "{rank}");
    let inside = say(&|tape| {
        let mut inner = Ok(());
        tape.vmap(tape.input(&x), |x| {
            inner = x.sum().item::<f64>().map(|_| ());
            x
        });
        inner
    });
    assert!(inside.contains("inside of vmap, a loop, a branch or a checkpoint there is no value yet"), "{inside}");
    let integers = say(&|tape| {
        let i = tape.input(&Tensor::from([1i64, 2]));
        tape.jvp(|x| x, i, i).1.value().map(|_| ())
    });
    assert!(integers.starts_with("jvp: there is no derivative by i64"), "{integers}");
    let direction = say(&|tape| {
        let a = tape.input(&x);
        tape.jvp(|x| x.exp(), a, a.sum()).1.value().map(|_| ())
    });
    assert!(direction.starts_with("jvp: a direction has the shape and dtype of its input"), "{direction}");
}
