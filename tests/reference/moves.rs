//! Elements in other places: arranged, taken, written; and values without operands.

use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    match x {
        [] => made(tape, name),
        [a, rest @ ..] => moved(tape, name, *a, rest.first().copied().unwrap_or(*a), x),
    }
}

fn made<'t>(tape: &'t Tape, name: &str) -> Option<Var<'t>> {
    Some(match name {
        "linspace" => tape.linspace(-1.0, 2.0, 7, DType::F64),
        "eye" => tape.eye(3, DType::F64),
        "iota" => tape.iota([3, 4], 1, DType::I64),
        "full" => tape.full([2, 3], 2.5, DType::F64),
        "constant" => tape.constant([2, 3], 1.5),
        _ => return None,
    })
}

fn moved<'t>(tape: &'t Tape, name: &str, a: Var<'t>, b: Var<'t>, x: &[Var<'t>]) -> Option<Var<'t>> {
    Some(match name {
        "reshape" => a.reshape([2, 6]),
        "flatten" => a.flatten(),
        "flatten_from" => a.flatten_from(1),
        "unsqueeze" => a.unsqueeze(1),
        "squeeze" => a.squeeze(1),
        "permute" => a.permute(&[2, 0, 1]),
        "transpose" => a.transpose(0, 2),
        "flip" => a.flip(1),
        "slice" => a.slice(0, 1..4),
        "slice_step" => a.slice_step(0, 0..5, 2),
        "at" => a.at(1, 2),
        "pad" => a.pad(1, 1, 2, 0.5),
        "pad_with reflect" => a.pad_with(PadMode::Reflect, 2, 3, 2),
        "pad_with replicate" => a.pad_with(PadMode::Replicate, 2, 3, 2),
        "pad_with circular" => a.pad_with(PadMode::Circular, 2, 3, 2),
        "pad_with reflect twice" => a.pad_with(PadMode::Reflect, 2, 1, 3).pad_with(PadMode::Reflect, 3, 2, 1),
        "concat" => tape.concat(&[a, b], 0),
        "concat of three" => tape.concat(x, 1),
        "stack" => tape.stack(&[a, b], 1),
        "meshgrid" => tape.stack(&tape.meshgrid(x), 0),
        "broadcast_to" => a.broadcast_to([2, 3, 4]),
        "roll" => a.roll(2, 1),
        "repeat" => a.repeat(2, 1),
        "tile" => a.tile(&[2, 3]),
        "tril" => a.tril(0),
        "tril of matrices" => a.tril(-1),
        "triu" => a.triu(1),
        "diag" => a.diag(0),
        "diag below" => a.diag(-2),
        "diag of a matrix" => a.diag(1),
        "diag_embed" => a.diag_embed(0),
        "diag_embed above" => a.diag_embed(1),
        "diagonal" => a.diagonal(0),
        "diagonal of matrices" => a.diagonal(-1),
        "trace" | "trace of matrices" => a.trace(),
        "windows" => a.windows(1, 3, 2, 1),
        "windows of the first axis" => a.windows(0, 2, 1, 1),
        "fold_windows" => a.fold_windows(0, 9, 2, 1),
        "fold_windows dilated" => a.fold_windows(0, 8, 1, 2),
        "gather" => a.gather(0, b),
        "gather of an axis" => a.gather(1, b),
        "take" => a.take(b),
        "take_along" => a.take_along(0, b),
        "take_along of rows" => a.take_along(1, b),
        "index_add" => a.index_add(0, b, x[2]),
        "index_add of columns" => a.index_add(1, b, x[2]),
        "index_set" => a.index_set(0, b, x[2]),
        "index_set of columns" => a.index_set(1, b, x[2]),
        "scatter" => a.scatter(0, b, x[2]),
        "scatter_add" => a.scatter_add(0, b, x[2]),
        "scatter_mul" => a.scatter_mul(0, b, x[2]),
        "scatter_max" => a.scatter_max(0, b, x[2]),
        "scatter_min" => a.scatter_min(0, b, x[2]),
        "dynamic_slice" | "dynamic_slice beyond" => a.dynamic_slice(1, b, 2),
        "dynamic_update" => a.dynamic_update(0, b, x[2]),
        "masked_select" => a.masked_select(b).0,
        "masked_select count" => a.masked_select(b).1,
        "unique" => a.unique().0,
        "unique counts" => a.unique().1,
        "bincount" => a.bincount(5),
        "one_hot" => a.one_hot(4),
        _ => return None,
    })
}
