//! Values and gradients of PyTorch and JAX, as `tests/reference/generate.py` wrote them: the same functions give the same numbers here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "reference/control.rs"]
mod control;
#[path = "reference/elements.rs"]
mod elements;
#[path = "reference/fourier.rs"]
mod fourier;
#[path = "reference/matrices.rs"]
mod matrices;
#[path = "reference/moves.rs"]
mod moves;
#[path = "reference/reductions.rs"]
mod reductions;
#[path = "reference/spatial.rs"]
mod spatial;

use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeSet;
use wengert::autograd::{compose, ops};
use wengert::prelude::*;

/// The members of the roll without a value of another library, and why.
const WITHOUT: &[(&str, &[&str])] = &[
    (
        "its numbers are its own; tests/distributions.rs of the autograd crate has their distribution, and gamma_slope is a case here",
        DRAWS,
    ),
    (
        "a part of others: of checkpoint, conv, det, fixed_point, max_pool, root, scatter, softmax",
        &["after", "cofactor", "convolved", "implicit", "kept", "normalized", "window_max", "window_share", "winner"],
    ),
    ("it gives what it takes", &["check_index", "check_range", "input"]),
    ("neither library has it; it is compared with erfc", &["erfcinv"]),
];

const DRAWS: &[&str] = &[
    "bernoulli",
    "beta",
    "categorical",
    "dirichlet",
    "dropout",
    "exponential",
    "gamma",
    "gumbel",
    "integers",
    "laplace",
    "normal",
    "permutation",
    "poisson",
    "truncated_normal",
    "uniform",
];

fn tensor(data: &SafeTensors<'_>, name: &str) -> Option<Tensor> {
    let view = data.tensor(name).ok()?;
    let bytes = view.data().chunks_exact(8).map(|bytes| bytes.try_into().unwrap());
    let tensor = match view.dtype() {
        safetensors::Dtype::I64 => Tensor::new(bytes.map(i64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
        _ => Tensor::new(bytes.map(f64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
    };
    Some(tensor.unwrap())
}

/// The case, as the file of its family writes it.
fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let families = [
        elements::apply,
        reductions::apply,
        moves::apply,
        spatial::apply,
        matrices::apply,
        fourier::apply,
        control::apply,
    ];
    families.iter().find_map(|family| family(tape, name, x))
}

fn agree(what: &str, found: &Tensor, wanted: &Tensor) -> std::result::Result<(), String> {
    let (x, y) = (found.to_f64_vec(), wanted.to_f64_vec());
    let scale = y.iter().fold(1.0f64, |scale, y| scale.max(y.abs()));
    let same = found.shape() == wanted.shape() && x.iter().zip(&y).all(|(x, y)| (x - y).abs() <= 2e-12 * scale);
    match same {
        true => Ok(()),
        false => Err(format!("{what}:\n{found}\nnot\n{wanted}")),
    }
}

#[test]
fn the_numbers_are_those_of_pytorch_and_jax() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/");
    let index: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}reference.json")).unwrap()).unwrap();
    let bytes = std::fs::read(format!("{folder}reference.safetensors")).unwrap();
    let data = SafeTensors::deserialize(&bytes).unwrap();
    let cases = index["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let part = |what: &str| tensor(&data, &format!("{number:03}.{what}"));
        let tape = Tape::new();
        let dtypes = case["inputs"].as_array().unwrap();
        let x: Vec<Var<'_>> = dtypes
            .iter()
            .enumerate()
            .map(|(i, dtype)| {
                let value = part(&format!("x{i}")).unwrap();
                let value = if dtype == "bool" { value.cast(DType::Bool).unwrap() } else { value };
                tape.input(&value)
            })
            .collect();
        let check = || -> std::result::Result<(), String> {
            let y = apply(&tape, name, &x).ok_or("is not written here")?;
            agree("the value is", &y.value().map_err(|error| error.to_string())?, &part("y").unwrap())?;
            let Some(weights) = part("w") else { return Ok(()) };
            let by: Vec<usize> =
                case["gradients"].as_array().unwrap().iter().map(|i| i.as_u64().unwrap() as usize).collect();
            let floats: Vec<Var<'_>> = by.iter().map(|&i| x[i]).collect();
            let slopes = tape.grad((y * tape.input(&weights)).sum(), floats);
            for (i, slope) in by.iter().zip(slopes) {
                let found = slope.value().map_err(|error| error.to_string())?;
                agree(&format!("the gradient by input {i} is"), &found, &part(&format!("g{i}")).unwrap())?;
            }
            Ok(())
        };
        if let Err(why) = check() {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 570);
}

#[test]
fn every_op_has_a_value_of_another_library_or_says_why_not() {
    let index: Value = serde_json::from_str(include_str!("reference/reference.json")).unwrap();
    let names = index["cases"].as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap());
    let known: BTreeSet<&str> = names.filter_map(|name| name.split(' ').next()).collect();
    let excused: BTreeSet<&str> = WITHOUT.iter().flat_map(|(_, ops)| *ops).copied().collect();
    let roll: BTreeSet<&str> = ops::roll().iter().chain(&compose::roll()).map(|entry| entry.op).collect();
    let missing: Vec<&&str> = roll.iter().filter(|op| !known.contains(*op) && !excused.contains(*op)).collect();
    assert!(missing.is_empty(), "no reference for {missing:?}");
    let idle: Vec<&&str> = excused.iter().filter(|op| known.contains(*op) || !roll.contains(*op)).collect();
    assert!(idle.is_empty(), "{idle:?} need no excuse");
}
