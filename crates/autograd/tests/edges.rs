//! Every case of the roll again at the edges: other dtypes, other layouts, other extents, special values. Whatever the shape rule accepts
//! has a value, which is that of the evaluator that goes op by op; whatever it refuses is an error that says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod roll;

use roll::{bits, close, record, roll};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_autograd::sample::{Accuracy, Sample};
use wengert_autograd::{Tape, Var, reference};
use wengert_tensor::dtype::DType;
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::storage::Storage;
use wengert_tensor::tensor::Tensor;

/// Inputs of a case, changed, and how.
type Variant = (String, Vec<Tensor>);

fn is_index(input: &Tensor) -> bool {
    !input.dtype().is_float() && input.dtype() != DType::Bool
}

/// The same inputs in other dtypes: the floats together, the integers together.
fn dtypes(inputs: &[Tensor]) -> Vec<Variant> {
    let all = [DType::F32, DType::F64, DType::BF16, DType::F16, DType::I64, DType::I32, DType::U8, DType::Bool];
    let cast = |of: fn(&Tensor) -> bool, to: DType| -> Vec<Tensor> {
        inputs.iter().map(|input| if of(input) { input.cast(to).unwrap() } else { input.clone() }).collect()
    };
    let floats = all.iter().map(|&to| (format!("floats as {to}"), cast(|input| input.dtype().is_float(), to)));
    let integers = all.iter().map(|&to| (format!("integers as {to}"), cast(is_index, to)));
    floats.chain(integers).collect()
}

/// `shape` filled with the elements of `from`, again and again, floats a little off each time.
fn filled(from: &Tensor, shape: &[usize]) -> Tensor {
    let off = if from.dtype().is_float() { 0.05 } else { 0.0 };
    let values = from.to_f64_vec();
    let value =
        |i: usize| values.get(i % values.len().max(1)).copied().unwrap_or(1.0) * (1.0 + off * (1.7 * i as f64).sin());
    Tensor::from_fn(shape, value).unwrap().cast(from.dtype()).unwrap()
}

/// Every extent that occurs, wherever it occurs, as 0, as 1, and one larger; each axis alone as 1; and all values as scalars.
fn extents(inputs: &[Tensor]) -> Vec<Variant> {
    let occurring: BTreeSet<usize> = inputs.iter().flat_map(|input| input.shape().iter().copied()).collect();
    let mut variants = Vec::new();
    for &extent in &occurring {
        for other in [0, 1, extent + 1] {
            let change = |input: &Tensor| {
                let shape: Vec<usize> = input.shape().iter().map(|&d| if d == extent { other } else { d }).collect();
                filled(input, &shape)
            };
            variants.push((format!("{other} for {extent}"), inputs.iter().map(change).collect()));
        }
    }
    for (at, input) in inputs.iter().enumerate() {
        for axis in 0..input.rank() {
            for other in [0, 1] {
                let mut shape = input.shape().to_vec();
                shape[axis] = other;
                let mut changed = inputs.to_vec();
                changed[at] = filled(input, &shape);
                variants.push((format!("axis {axis} of input {at} with {other}"), changed));
            }
        }
    }
    variants.push(("scalars".into(), inputs.iter().map(|input| filled(input, &[])).collect()));
    variants
}

/// Numbers with properties, in all floats.
fn specials(inputs: &[Tensor]) -> Vec<Variant> {
    let sets: [(&str, &[f64]); 4] = [
        ("zeros", &[0.0, -0.0, 0.0]),
        ("ties", &[1.0]),
        ("infinities", &[f64::INFINITY, 1.0, f64::NEG_INFINITY, -0.0, 2.0]),
        ("NaN", &[1.0, f64::NAN, -1.0, 0.0, 0.5]),
    ];
    let mut variants = Vec::new();
    for (name, set) in sets {
        for start in 0..set.len() {
            let mut next = start;
            let change = |input: &Tensor| {
                if !input.dtype().is_float() {
                    return input.clone();
                }
                next += 1;
                Tensor::from_fn(input.shape(), |i| set[(i + next) % set.len()]).unwrap().cast(input.dtype()).unwrap()
            };
            variants.push((format!("{name} from {start}"), inputs.iter().map(change).collect()));
        }
    }
    for dtype in [DType::F64, DType::F32] {
        let set: &[f64] = match dtype {
            DType::F64 => &[5e-324, 1e-310, 2.3e-308, -4e-320],
            _ => &[1e-45, 1e-39, 1.2e-38, -3e-42],
        };
        let change = |input: &Tensor| match input.dtype().is_float() {
            true => Tensor::from_fn(input.shape(), |i| set[i % set.len()]).unwrap().cast(dtype).unwrap(),
            false => input.clone(),
        };
        variants.push((format!("denormals of {dtype}"), inputs.iter().map(change).collect()));
    }
    variants
}

/// The result of a case and the gradient of its sum, by the plan and op by op; `None` where it was refused.
type Outcome = Option<(Vec<Tensor>, Vec<Tensor>)>;

fn outcome(sample: &Sample, inputs: &[Tensor]) -> Result<Outcome, String> {
    let tape = Tape::with_key(1);
    let (x, y) = record(&tape, sample, inputs);
    if let Err(error) = tape.check() {
        return if error.message().is_empty() { Err("an error that says nothing".into()) } else { Ok(None) };
    }
    let mut wanted = vec![y];
    if y.dtype().is_float() {
        let floats: Vec<Var<'_>> = x.into_iter().filter(|x| x.dtype().is_float()).collect();
        wanted.extend(tape.grad(y.cast(DType::F64).sum(), floats));
    }
    let oracle = reference::evaluate(&wanted);
    match (tape.eval(&wanted), oracle) {
        (Ok(planned), Ok(oracle)) => Ok(Some((planned, oracle))),
        (Err(planned), Err(_)) if !planned.message().is_empty() => Ok(None),
        (planned, oracle) => Err(format!("the plan gives {:?}, op by op {:?}", planned.err(), oracle.err())),
    }
}

fn tolerance(sample: &Sample, inputs: &[Tensor]) -> f64 {
    let tape = Tape::with_key(1);
    record(&tape, sample, inputs);
    let listing = tape.to_string();
    let steps = [("bf16", 2e-2), (" f16", 4e-3), ("f32", 2e-6)];
    steps.iter().find(|(name, _)| listing.contains(name)).map_or(1e-11, |(_, step)| *step)
}

fn agree(sample: &Sample, inputs: &[Tensor]) -> Result<bool, String> {
    let Some((planned, oracle)) = outcome(sample, inputs)? else { return Ok(false) };
    let tolerance = tolerance(sample, inputs);
    for (i, (planned, oracle)) in planned.iter().zip(&oracle).enumerate() {
        let (a, b) = (planned.to_f64_vec(), oracle.to_f64_vec());
        let alike = planned.shape() == oracle.shape() && planned.dtype() == oracle.dtype();
        // What differs by cancellation is small beside the largest part.
        let size = b.iter().copied().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
        if !alike || !a.iter().zip(&b).all(|(a, b)| close(*a, *b, tolerance) || (a - b).abs() <= tolerance * size) {
            return Err(format!("output {i}: the plan gives\n{planned}\nand op by op\n{oracle}"));
        }
    }
    Ok(true)
}

/// Tries variants of every case, and tells all that break the law. Gives how many were accepted and how many refused.
fn every_variant(
    of: impl Fn(&[Tensor]) -> Vec<Variant>,
    law: impl Fn(&Sample, &[Tensor]) -> Result<bool, String>,
) -> (usize, usize) {
    let (mut accepted, mut refused, mut broken) = (0, 0, Vec::new());
    // A loop until a condition holds may never end with other values.
    for entry in roll().filter(|entry| entry.op != "while_loop") {
        for sample in &entry.samples {
            for (what, inputs) in of(&sample.inputs) {
                match catch_unwind(AssertUnwindSafe(|| law(sample, &inputs))) {
                    Ok(Ok(true)) => accepted += 1,
                    Ok(Ok(false)) => refused += 1,
                    Ok(Err(why)) => broken.push(format!("{} ({}), {what}: {why}", entry.op, sample.name)),
                    Err(_) => broken.push(format!("{} ({}), {what}: panicked", entry.op, sample.name)),
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} cases break the law:\n{}", broken.len(), broken.join("\n"));
    (accepted, refused)
}

#[test]
fn every_dtype_that_is_accepted_is_computed() {
    let counts = every_variant(dtypes, agree);
    assert!(counts.0 > 2000 && counts.1 > 1000, "{counts:?}");
}

/// A zero factor wins on either side, so the modes agree though they meet the factors from both ends.
#[test]
fn forward_and_reverse_agree_at_special_values() {
    let ends =
        [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, 1.0, -1.0, 300.0, 1e20, -1e20, 1e160, 5e-324, 1e-40];
    let mut apart = Vec::new();
    let mut compared = 0;
    for entry in roll() {
        let by_element =
            matches!(entry.accuracy, Accuracy::Function(_)) || ["activation.rs", "scalar.rs"].contains(&entry.file);
        let alone = |sample: &&Sample| sample.inputs.len() == 1 && sample.inputs[0].dtype() == DType::F64 && by_element;
        for (sample, dtype) in
            entry.samples.iter().filter(alone).flat_map(|s| [(s, DType::F64), (s, DType::F32), (s, DType::F16)])
        {
            let n = sample.inputs[0].len();
            for chunk in ends.chunks(n).filter(|chunk| chunk.len() == n) {
                let input = Tensor::new(chunk, sample.inputs[0].shape()).unwrap().cast(dtype).unwrap();
                let tape = Tape::with_key(1);
                let (x, y) = record(&tape, sample, &[input]);
                if tape.check().is_err() || y.shape() != x[0].shape() || !y.dtype().is_float() {
                    continue;
                }
                let reverse = tape.grad(y.sum(), x[0]);
                let (_, forward) = tape.jvp(|x| (sample.run)(&tape, &[x]), x[0], x[0].ones_like());
                let [reverse, forward] = [reverse, forward].map(|slope| slope.value().unwrap().to_f64_vec());
                compared += 1;
                if !reverse.iter().zip(&forward).all(|(a, b)| close(*a, *b, 1e-3)) {
                    apart.push(format!(
                        "{} ({}) {dtype} at {chunk:?}: {reverse:?} and {forward:?}",
                        entry.op, sample.name
                    ));
                }
            }
        }
    }
    assert!(apart.is_empty() && compared > 100, "{} of {compared}:\n{}", apart.len(), apart.join("\n"));
}

/// A branch that was masked away sends back 0, to any order.
#[test]
fn masked_branches_stay_zero_in_every_order() {
    type Branch = for<'t> fn(Var<'t>) -> Var<'t>;
    let branches: [(&str, Branch); 6] = [
        ("sqrt", |x| x.sqrt()),
        ("log", |x| x.log()),
        ("recip", |x| x.recip()),
        ("x / x", |x| x / x),
        ("cbrt", |x| x.cbrt()),
        ("norm", |x| (x * x).sqrt()),
    ];
    for (name, branch) in branches {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([4.0f64, 0.0]));
        let mut y = branch(x).select(x.gt(0.0), 0.0);
        for order in 1..=4 {
            y = tape.grad(y.sum(), x);
            let values = y.value().unwrap().to_f64_vec();
            assert!(values[0].is_finite() && values[1] == 0.0, "{name}, order {order}: {values:?}");
        }
    }
}

#[test]
fn every_extent_that_is_accepted_is_computed() {
    let counts = every_variant(extents, agree);
    assert!(counts.0 > 2000 && counts.1 > 1000, "{counts:?}");
}

#[test]
fn special_values_have_the_results_of_op_by_op() {
    let counts = every_variant(specials, agree);
    assert!(counts.0 > 2000, "{counts:?}");
}

/// The same elements elsewhere: axes in reverse order in memory, two steps apart, the first axis backwards.
fn scattered(input: &Tensor) -> Tensor {
    let (size, n) = (input.dtype().size(), input.len());
    if n == 0 {
        return input.clone();
    }
    let mut strides = vec![0isize; input.rank()];
    let mut step = 2;
    for (axis, &extent) in input.shape().iter().enumerate() {
        strides[axis] = step;
        step *= extent as isize;
    }
    let mut offset = 3;
    if let (Some(stride), Some(&extent)) = (strides.first_mut(), input.shape().first()) {
        *stride = -*stride;
        offset += 2 * (extent - 1);
    }
    let layout = Layout::new(Shape::new(input.shape().to_vec()).unwrap(), &strides, offset).unwrap();
    let mut storage = Storage::zeroed((2 * n + 3) * size).unwrap();
    let bytes = storage.get_mut().unwrap().bytes_mut();
    let whole = input.contiguous().unwrap();
    for (to, from) in layout.indices().zip(whole.layout().indices()) {
        bytes[to * size..][..size].copy_from_slice(&whole.storage().bytes()[from * size..][..size]);
    }
    Tensor::from_parts(storage, input.dtype(), layout).unwrap()
}

#[test]
fn the_layout_of_an_input_changes_no_bit() {
    let moved = |inputs: &[Tensor]| vec![("scattered".to_string(), inputs.iter().map(scattered).collect())];
    let counts = every_variant(moved, |sample, inputs| {
        let there = outcome(sample, inputs)?.ok_or("refused")?.0;
        let here = outcome(sample, &sample.inputs)?.ok_or("refused")?.0;
        match bits(&here) == bits(&there) {
            true => Ok(true),
            false => Err(format!("gives\n{there:?}\nand\n{here:?}")),
        }
    });
    assert_eq!(counts.1, 0);
}

/// A message without its numbers, shapes and dtypes.
fn kind(message: &str) -> String {
    let words = ["f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool"];
    let plain = message.split(|c: char| !c.is_alphanumeric()).filter(|word| !words.contains(word));
    plain.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join(" ")
}

/// Other dtypes, other extents, an axis too many: what an op refuses, one example for each kind of message. It names the op, the line, the
/// operands, what is wrong, and the mend where there is one.
#[test]
fn every_refusal_says_what_is_wrong() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refusals.txt");
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for part in std::fs::read_to_string(file).unwrap_or_default().split("\n== ").filter(|part| !part.is_empty()) {
        let (op, texts) = part.split_once('\n').unwrap();
        known.insert(op.trim_start_matches("== ").into(), texts.trim().into());
    }
    let mut changed = Vec::new();
    for entry in roll().filter(|entry| entry.op != "while_loop") {
        let mut messages: BTreeMap<String, String> = BTreeMap::new();
        for sample in &entry.samples {
            let inputs = &sample.inputs;
            let mut variants = [dtypes(inputs), extents(inputs)].concat();
            for at in 0..inputs.len() {
                let other = if inputs[at].dtype() == DType::F32 { DType::F64 } else { DType::F32 };
                let deeper = filled(&inputs[at], &[&[2], inputs[at].shape().dims()].concat());
                for changed in [deeper, inputs[at].cast(other).unwrap(), inputs[at].cast(DType::Bool).unwrap()] {
                    let mut inputs = inputs.clone();
                    inputs[at] = changed;
                    variants.push((String::new(), inputs));
                }
            }
            for (_, inputs) in variants {
                let tape = Tape::with_key(1);
                record(&tape, sample, &inputs);
                let Err(error) = tape.check() else { continue };
                assert!(error.location().is_some(), "{}: {error}", entry.op);
                let text = error.to_string();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("at "));
                let text = lines.collect::<Vec<_>>().join("\n");
                // What the case does beside the op is another op's matter.
                if [":", " (in "]
                    .iter()
                    .any(|next| text.strip_prefix(entry.op).is_some_and(|rest| rest.starts_with(next)))
                {
                    messages
                        .entry(kind(error.message()))
                        .and_modify(|t| *t = text.clone().min(t.clone()))
                        .or_insert(text);
                }
            }
        }
        let texts = messages.into_values().collect::<Vec<_>>().join("\n\n");
        if known.get(entry.op).map_or("", String::as_str) != texts {
            changed.push(format!("== {}\n{texts}", entry.op));
            known.insert(entry.op.into(), texts);
        }
    }
    if std::env::var_os("UPDATE_ERRORS").is_some() {
        let parts =
            known.iter().filter(|(_, texts)| !texts.is_empty()).map(|(op, texts)| format!("== {op}\n{texts}\n"));
        std::fs::write(file, parts.collect::<Vec<_>>().join("\n")).unwrap();
    } else {
        assert!(changed.is_empty(), "run with UPDATE_ERRORS=1 and read the difference:\n{}", changed.join("\n\n"));
    }
}
