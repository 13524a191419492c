//! Values and gradients of PyTorch and JAX, as `tests/reference/generate.py` wrote them: the same functions give the same numbers here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use safetensors::SafeTensors;
use serde_json::Value;
use wengert::prelude::*;

fn tensor(data: &SafeTensors<'_>, name: &str) -> Option<Tensor> {
    let view = data.tensor(name).ok()?;
    let bytes = view.data().chunks_exact(8).map(|bytes| bytes.try_into().unwrap());
    let tensor = match view.dtype() {
        safetensors::Dtype::I64 => Tensor::new(bytes.map(i64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
        _ => Tensor::new(bytes.map(f64::from_le_bytes).collect::<Vec<_>>(), view.shape()),
    };
    Some(tensor.unwrap())
}

/// The case, as it is written here.
fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let (a, b) = (x[0], x.get(1).copied().unwrap_or(x[0]));
    let name = name.strip_suffix(" broadcast").unwrap_or(name);
    let (word, axis) = name.split_once(' ').unwrap_or((name, ""));
    let axis: isize = axis.parse().unwrap_or(1);
    Some(match name {
        "neg" => -a,
        "powi" => a.powi(3),
        "clamp" => a.clamp(-0.5, 0.7),
        "elu" => a.elu(1.0),
        "leaky_relu" => a.leaky_relu(0.01),
        "hardtanh" => a.hardtanh(-1.0, 1.0),
        "polygamma" => a.polygamma(2),
        "add" => a + b,
        "sub" => a - b,
        "mul" => a * b,
        "div" => a / b,
        "select" => x[1].select(a, x[2]),
        "masked_fill" => a.masked_fill(b, 2.5),
        "prod 1" | "prod 1 with zeros" => a.prod_axes(1),
        "sum of all" => a.sum(),
        "mean of all" => a.mean(),
        "var corrected" => a.var_corrected(1, 1.0),
        "argmax" => a.argmax(1),
        "argmin" => a.argmin(0),
        "any" => a.any(1),
        "all" => a.all(1),
        "median" => a.median(1),
        "quantile" => a.quantile(0.3, 1),
        "sort" => a.sort(1),
        "sort_descending" => a.sort_descending(0),
        "argsort" => a.argsort(1, false),
        "top_k" => a.top_k(2, 1).0,
        "searchsorted" => a.searchsorted(b),
        "cross_entropy" => a.cross_entropy(b),
        "reshape" => a.reshape([2, 6]),
        "permute" => a.permute(&[2, 0, 1]),
        "flip" => a.flip(1),
        "slice" => a.slice(0, 1..4),
        "slice_step" => a.slice_step(0, 0..5, 2),
        "pad" => a.pad(1, 1, 2, 0.5),
        "concat" => tape.concat(&[a, b], 0),
        "stack" => tape.stack(&[a, b], 1),
        "broadcast_to" => a.broadcast_to([2, 3, 4]),
        "roll" => a.roll(2, 1),
        "repeat" => a.repeat(2, 1),
        "tile" => a.tile(&[2, 3]),
        "tril" => a.tril(0),
        "triu" => a.triu(1),
        "diag" => a.diag(0),
        "diagonal" => a.diagonal(0),
        "trace" => a.trace(),
        "gather" => a.gather(0, b),
        "take_along" => a.take_along(0, b),
        "index_add" => a.index_add(0, b, x[2]),
        "one_hot" => a.one_hot(4),
        "matmul" | "matmul batched" | "matmul broadcast" => a.matmul(b),
        "matmul transposed" => a.matmul(b.t()),
        "dot" => a.dot(b),
        "outer" => a.outer(b),
        "kron" => a.kron(b),
        "tensordot" => a.tensordot(b, 2),
        "linear_scan" => a.linear_scan(b, 0),
        "layer norm" => {
            let centred = a - a.mean_keep(-1);
            centred / (centred.square().mean_keep(-1) + 1e-5).sqrt() * b + x[2]
        }
        "attention" => (a.matmul(b.t()) * 0.5).softmax(-1).matmul(x[2]),
        "mse" => (a - b).square().mean(),
        "bce with logits" => (a.softplus() - a * b).mean(),
        "cosine" => a.dot(b) / (a.norm() * b.norm()),
        _ => match word {
            "einsum" => tape.einsum(name.strip_prefix("einsum ")?, x),
            "sum" => a.sum_axes(axis),
            "mean" => a.mean_axes(axis),
            "max" => a.max_axes(axis),
            "min" => a.min_axes(axis),
            "var" => a.var_axes(axis),
            "std" => a.std_axes(axis),
            "logsumexp" => a.logsumexp(axis),
            "norm" => a.norm_axes(axis),
            "norm_3" => a.norm_p(3.0, axis),
            "cumsum" => a.cumsum(axis),
            "cumprod" => a.cumprod(axis),
            "cummax" => a.cummax(axis),
            "cummin" => a.cummin(axis),
            "logcumsumexp" => a.logcumsumexp(axis),
            "softmax" => a.softmax(axis),
            "log_softmax" => a.log_softmax(axis),
            _ => return of_elements(word, a, b),
        },
    })
}

fn of_elements<'t>(name: &str, a: Var<'t>, b: Var<'t>) -> Option<Var<'t>> {
    macro_rules! by_name {
        ($($unary:ident)* ; $($binary:ident)*) => {
            match name {
                $(stringify!($unary) => a.$unary(),)*
                $(stringify!($binary) => a.$binary(b),)*
                _ => return None,
            }
        };
    }
    Some(by_name! {
        abs sign recip square sqrt rsqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh
        atanh sigmoid erf erfc erfinv lgamma digamma floor ceil round trunc relu softplus softsign silu mish selu gelu gelu_exact
        relu6 log_sigmoid;
        pow maximum minimum atan2 hypot copysign rem fmod logaddexp
    })
}

fn agree(what: &str, found: &Tensor, wanted: &Tensor) -> std::result::Result<(), String> {
    let (x, y) = (found.to_f64_vec(), wanted.to_f64_vec());
    let scale = y.iter().fold(1.0f64, |scale, y| scale.max(y.abs()));
    let same = found.len() == wanted.len() && x.iter().zip(&y).all(|(x, y)| (x - y).abs() <= 2e-12 * scale);
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
    assert!(cases.len() >= 150);
}
