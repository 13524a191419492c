//! Random graphs: the plan, the plan without fusion and the evaluator that goes op by op give the same numbers.
//!
//! The leaves are small integers and every op keeps them so, hence all sums are exact in any order and nothing may differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use wengert_autograd::{Tape, Var, plan_clear, reference, without_fusion};
use wengert_tensor::dtype::DType;
use wengert_tensor::tensor::Tensor;

/// What is done at a step: which op, on which of the values so far, with which parameter.
type Step = (u8, u8, u8, u8);

/// The values of a program, one a step. A step that does not fit its operands repeats one of them.
fn record<'t>(tape: &'t Tape, dtype: DType, steps: &[Step]) -> (Vec<Var<'t>>, Vec<Var<'t>>) {
    let shapes: [&[usize]; 6] = [&[3, 4], &[4], &[3, 1], &[], &[4, 3], &[2, 3, 4]];
    let leaf = |(k, shape): (usize, &&[usize])| {
        let values =
            Tensor::from_fn(*shape, |i| ((i * 7 + k * 3) % 9) as f64 - 4.0).and_then(|t| t.cast(dtype)).unwrap();
        tape.input(&values)
    };
    let leaves: Vec<Var<'t>> = shapes.iter().enumerate().map(leaf).collect();
    let mut values = leaves.clone();
    for &step in steps {
        values.push(apply(tape, &values, step));
    }
    (leaves, values)
}

fn apply<'t>(tape: &'t Tape, values: &[Var<'t>], (op, a, b, p): Step) -> Var<'t> {
    let x = values[a as usize % values.len()];
    let y = values[b as usize % values.len()];
    let axis = p as isize % x.rank().max(1) as isize;
    let fits = x.shape().broadcast(&y.shape()).is_ok_and(|shape| shape.len() <= 200);
    let small = x.len() <= 60;
    let any_axis = x.rank() > 0;
    match op % 30 {
        0 if fits => (x + y).clamp(-8.0, 8.0),
        1 if fits => (x - y).clamp(-8.0, 8.0),
        2 if fits => (x * y).clamp(-8.0, 8.0),
        3 if fits => x.maximum(y),
        4 if fits => x.minimum(y),
        5 if fits => x.select(x.gt(y), y),
        6 if fits => x.lt(y).cast(x.dtype()),
        7 => -x,
        8 => x.abs(),
        9 => x.relu(),
        10 => x.square().clamp(0.0, 8.0),
        11 => x.sign() * (p as f64 % 3.0),
        12 if any_axis => x.sum_axes(axis).clamp(-8.0, 8.0),
        13 if any_axis && x.shape()[axis as usize] > 0 => x.max_keep(axis),
        14 if any_axis && x.shape()[axis as usize] > 0 => x.min_axes(axis),
        15 => x.sum().clamp(-8.0, 8.0),
        16 => x.flatten(),
        17 if x.rank() > 1 => x.t(),
        18 if any_axis => x.flip(axis),
        19 if any_axis => x.slice(axis, (p as usize % 2).min(x.shape()[axis as usize])..),
        20 if any_axis => x.slice_step(axis, .., 2),
        21 if any_axis && small => x.pad(axis, p as usize % 2, 1, 2.0),
        22 if any_axis && small => tape.concat(&[x, -x], axis),
        23 if small => x.unsqueeze(-1).broadcast_to([x.shape().dims(), &[2]].concat()),
        24 if x.rank() == 2 && y.rank() == 2 && x.shape()[1] == y.shape()[0] => x.matmul(y).clamp(-8.0, 8.0),
        25 if x.rank() > 1 && y.rank() == 2 && x.dim(-1) == y.dim(1) => x.matmul(y.t()).clamp(-8.0, 8.0),
        26 if any_axis && x.shape()[axis as usize] > 1 => x.gather(axis, Tensor::from([1i64, 0, 1])),
        27 => x.cast(DType::I64).cast(x.dtype()) + x.stop_gradient() * 0.0,
        28 if any_axis => {
            let index = tape.iota(x.shape(), axis, DType::I64);
            x.select(index.eq(p as i64 % 4), x * 2.0).clamp(-8.0, 8.0)
        }
        29 => x * x.relu().ge(1.0).cast(x.dtype()),
        _ => x,
    }
}

fn same(a: &[Tensor], b: &[Tensor]) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        prop_assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
        let (x, y) = (a.to_f64_vec(), b.to_f64_vec());
        // Shares of ties are thirds; all else is exact.
        let near = x.iter().zip(&y).all(|(x, y)| x == y || (x - y).abs() <= 1e-5 * x.abs().max(y.abs()));
        prop_assert!(near, "value {}:\n{}\nand\n{}", i, a, b);
    }
    Ok(())
}

fn differentiated<'t>(tape: &'t Tape, leaves: &[Var<'t>], values: &[Var<'t>]) -> Vec<Var<'t>> {
    let y = values.iter().rev().take(3).map(|v| v.sum()).reduce(|a, b| a + b).unwrap_or(leaves[0]);
    let first = tape.grad(y, leaves);
    let again = first.iter().map(|g| (*g * *g).sum()).reduce(|a, b| a + b).unwrap_or(y);
    let second = tape.grad(again, leaves);
    first.into_iter().chain(second).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn three_evaluators_agree(
        wide in any::<bool>(),
        steps in proptest::collection::vec(any::<Step>(), 1..25),
        early in proptest::collection::vec(any::<u8>(), 0..3),
    ) {
        let dtype = if wide { DType::F64 } else { DType::F32 };
        let all = |tape: &Tape, early: &[u8], run: &dyn Fn(&[Var<'_>]) -> Vec<Tensor>| -> Vec<Tensor> {
            let (leaves, values) = record(tape, dtype, &steps);
            // Some values are asked for before the gradients are recorded.
            for e in early {
                values[*e as usize % values.len()].value().unwrap();
            }
            let slopes = differentiated(tape, &leaves, &values);
            let mut wanted = values[leaves.len()..].to_vec();
            wanted.extend(slopes);
            run(&wanted)
        };
        let oracle = all(&Tape::new(), &[], &|wanted| reference::evaluate(wanted).unwrap());
        let planned = all(&Tape::new(), &early, &|wanted| wanted[0].tape().eval(wanted).unwrap());
        same(&oracle, &planned)?;
        // One output at a time, the last first: other groups, other plans, the same numbers.
        let single = all(&Tape::new(), &[], &|wanted| {
            let mut values: Vec<Tensor> = wanted.iter().rev().map(|var| var.value().unwrap()).collect();
            values.reverse();
            values
        });
        same(&planned, &single)?;
        let unfused = without_fusion(|| all(&Tape::new(), &[], &|wanted| wanted[0].tape().eval(wanted).unwrap()));
        same(&planned, &unfused)?;
        plan_clear();
    }
}
