//! Do the laws find wrong derivatives? Faults are planted in the rules of the roll, one at a time: a wrong sign, a term that is dropped,
//! doubled, or that of another operand, a mask that is forgotten. Each one that changes any number must break a law.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::{close, record, weighed};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use wengert_autograd::sample::Sample;
use wengert_autograd::{Batch, Class, Derivative, Meta, Op, OpRef, Partial, Tape, Var, ops};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    Sign,
    Dropped,
    Doubled,
    /// The rule of the next operand.
    Swapped,
    Unmasked,
}

const FAULTS: [Fault; 5] = [Fault::Sign, Fault::Dropped, Fault::Doubled, Fault::Swapped, Fault::Unmasked];

/// An op whose rule is wrong for one operand.
#[derive(Debug)]
struct Faulty {
    op: OpRef,
    operand: usize,
    fault: Fault,
}

impl PartialEq for Faulty {
    fn eq(&self, other: &Faulty) -> bool {
        self.op == other.op && (self.operand, self.fault) == (other.operand, other.fault)
    }
}

impl Hash for Faulty {
    fn hash<H: Hasher>(&self, state: &mut H) {
        format!("{:?}", self.op).hash(state);
        (self.operand, self.fault).hash(state);
    }
}

impl Faulty {
    fn of<'t>(&self, i: usize, count: usize, rule: impl Fn(usize) -> Option<Var<'t>>) -> Option<Var<'t>> {
        match self.fault {
            _ if i != self.operand => rule(i),
            Fault::Sign => rule(i).map(|v| -v),
            Fault::Dropped => None,
            Fault::Doubled => rule(i).map(|v| v * 2.0),
            Fault::Swapped => rule((i + 1) % count),
            Fault::Unmasked => rule(i),
        }
    }
}

impl Op for Faulty {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        self.op.infer(inputs)
    }

    fn class(&self) -> Class<'_> {
        self.op.class()
    }

    fn derivative(&self) -> Derivative {
        self.op.derivative()
    }

    fn partial<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>) -> Partial<'t> {
        let right = self.op.partial(i, x, y);
        if i != self.operand {
            return right;
        }
        let ones = || y.ones_like();
        let factor = |partial: Partial<'t>| match partial {
            Partial::Zero => ones() * 0.0,
            Partial::One => ones(),
            Partial::MinusOne => -ones(),
            Partial::Where(mask) => ones().select(mask, 0.0),
            Partial::Unless(mask) => (ones() * 0.0).select(mask, ones()),
            Partial::Times(factor) => factor,
        };
        match self.fault {
            Fault::Sign => Partial::Times(-factor(right)),
            Fault::Dropped => Partial::Zero,
            Fault::Doubled => Partial::Times(factor(right) * 2.0),
            Fault::Swapped => self.op.partial((i + 1) % x.len(), x, y),
            Fault::Unmasked => match right {
                Partial::Where(_) | Partial::Unless(_) => Partial::One,
                other => other,
            },
        }
    }

    fn transpose<'t>(&self, i: usize, x: &[Var<'t>], ct: Var<'t>) -> Option<Var<'t>> {
        self.of(i, x.len(), |i| self.op.transpose(i, x, ct))
    }

    fn pullback<'t>(&self, i: usize, x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Var<'t>> {
        self.of(i, x.len(), |i| self.op.pullback(i, x, y, ct))
    }

    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let right = self.op.pullbacks(wanted, x, y, ct)?;
        Some((0..right.len()).map(|i| self.of(i, right.len(), |i| right[i])).collect())
    }

    fn key(&self) -> Option<usize> {
        self.op.key()
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        self.op.batch(x)
    }
}

fn direction(i: usize, input: &Tensor) -> Vec<f64> {
    (0..input.len()).map(|j| normal_f64(Key::new(7 + i as u64), j as u64)).collect()
}

/// Records a case whose op `name` has a fault, if it has one.
fn faulty<'t>(tape: &'t Tape, sample: &Sample, name: &str, fault: Option<(usize, Fault)>) -> (Vec<Var<'t>>, Var<'t>) {
    let x: Vec<Var<'t>> = sample.inputs.iter().map(|input| tape.input(input)).collect();
    let y = tape.rewrite(
        &x,
        |x| (sample.run)(tape, &x),
        |op| match fault {
            Some((operand, fault)) if op.name() == name => Faulty { op: op.clone(), operand, fault }.into(),
            _ => op.clone(),
        },
    );
    (x, y)
}

/// The gradients of a case whose op `name` has a fault, if any of its rules was asked.
fn gradients(sample: &Sample, name: &str, fault: Option<(usize, Fault)>) -> Result<Vec<Tensor>> {
    let tape = Tape::with_key(1);
    let (x, y) = faulty(&tape, sample, name, fault);
    let floats: Vec<Var<'_>> = x.iter().copied().filter(|x| x.dtype().is_float()).collect();
    tape.eval(tape.grad(weighed(&tape, y), floats))
}

/// Whether the slopes are those that differences, or the convention of the case, say.
fn lawful(sample: &Sample, slopes: &[Tensor]) -> bool {
    let floats: Vec<(usize, &Tensor)> =
        sample.inputs.iter().enumerate().filter(|(_, input)| input.dtype().is_float()).collect();
    let along = |slopes: &[Tensor]| -> f64 {
        let parts = floats.iter().zip(slopes);
        parts
            .map(|((i, input), dx)| dx.to_f64_vec().iter().zip(direction(*i, input)).map(|(a, b)| a * b).sum::<f64>())
            .sum()
    };
    if sample.smooth > 0 && floats.iter().all(|(_, input)| input.dtype() == DType::F64) {
        let moved = |by: f64| -> f64 {
            let move_one = |(i, input): (usize, &Tensor)| match input.dtype().is_float() {
                true => {
                    let values =
                        input.to_f64_vec().iter().zip(direction(i, input)).map(|(x, d)| x + by * d).collect::<Vec<_>>();
                    Tensor::new(values, input.shape()).unwrap()
                }
                false => input.clone(),
            };
            let inputs: Vec<Tensor> = sample.inputs.iter().enumerate().map(move_one).collect();
            let tape = Tape::with_key(1);
            weighed(&tape, record(&tape, sample, &inputs).1).item::<f64>().unwrap()
        };
        let step = 1e-4;
        let wide = (moved(2.0 * step) - moved(-2.0 * step)) / (4.0 * step);
        let narrow = (moved(step) - moved(-step)) / (2.0 * step);
        return close(along(slopes), (4.0 * narrow - wide) / 3.0, 1e-6);
    }
    // Where it is kinked, the case says what the slopes of the sum are; its rule is linear in the cotangent.
    true
}

/// As `lawful`, by the slopes that the case knows.
fn conventional(sample: &Sample, name: &str, fault: Option<(usize, Fault)>) -> bool {
    let Some(expected) = &sample.gradient else { return true };
    let tape = Tape::with_key(1);
    let (x, y) = faulty(&tape, sample, name, fault);
    let found = tape.grad(y.cast(DType::F64).sum(), x[0]).value().unwrap().to_f64_vec();
    found.iter().zip(expected).all(|(a, b)| a == b || (a - b).abs() <= 1e-12 * b.abs().max(1.0))
}

#[test]
fn planted_faults_are_caught() {
    let (mut planted, mut rules, mut missed) = (0, BTreeSet::new(), Vec::new());
    for entry in ops::roll() {
        let cases: Vec<&Sample> = entry
            .samples
            .iter()
            .filter(|sample| {
                let tape = Tape::with_key(1);
                let x: Vec<Var<'_>> = sample.inputs.iter().map(|input| tape.input(input)).collect();
                (sample.run)(&tape, &x).dtype().is_float() && x.iter().any(|x| x.dtype().is_float())
            })
            .collect();
        let right: Vec<Vec<Tensor>> = cases.iter().map(|sample| gradients(sample, entry.op, None).unwrap()).collect();
        for operand in 0..3 {
            for fault in FAULTS {
                let (mut changes, mut caught) = (false, false);
                for (sample, right) in cases.iter().zip(&right) {
                    let Ok(found) = gradients(sample, entry.op, Some((operand, fault))) else {
                        // The engine refuses what has another shape.
                        (changes, caught) = (true, true);
                        break;
                    };
                    let same = found.iter().zip(right).all(|(a, b)| {
                        a.to_f64_vec().iter().zip(b.to_f64_vec()).all(|(a, b)| *a == b || (a.is_nan() && b.is_nan()))
                    });
                    if !same {
                        changes = true;
                        caught |= !lawful(sample, &found) || !conventional(sample, entry.op, Some((operand, fault)));
                    }
                }
                if changes {
                    planted += 1;
                    rules.insert(entry.op);
                    if !caught {
                        missed.push(format!("{}: operand {operand}, {fault:?}", entry.op));
                    }
                }
            }
        }
    }
    println!("{planted} faults in the rules of {} ops, {} missed", rules.len(), missed.len());
    assert!(missed.is_empty(), "missed:\n{}", missed.join("\n"));
    assert!(planted >= 100 && rules.len() >= 30, "{planted} faults in {} rules", rules.len());
}
