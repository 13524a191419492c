//! Along axes: reductions, what runs, order, softmax; and products.

use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let a = *x.first()?;
    let b = x.get(1).copied().unwrap_or(a);
    Some(match name {
        "sum of all" => a.sum(),
        "sum of two" => a.sum_axes([0, 2]),
        "sum kept" => a - a.sum_keep(1),
        "mean of all" => a.mean(),
        "prod 1" | "prod 1 with zeros" => a.prod_axes(1),
        "prod of all" => a.prod(),
        "prod of two" => a.prod_axes([0, 2]),
        "max of all" => a.max(),
        "max of two" => a.max_axes([0, 2]),
        "max kept" => a - a.max_keep(0),
        "min of all" => a.min(),
        "var of all" => a.var(),
        "var corrected" => a.var_corrected(1, 1.0),
        "var kept" => a / a.var_keep(1),
        "std of all" => a.std(),
        "std corrected" => a.std_corrected(1, 1.0),
        "norm of all" => a.norm(),
        "norm kept" => a / a.norm_keep(1),
        "norm_p 0" => a.norm_p(0.0, 1),
        "logsumexp of all" => a.flatten().logsumexp(0),
        "any" => a.any(1),
        "all" => a.all(1),
        "argmax" | "argmax of ties" => a.argmax(1),
        "argmin" => a.argmin(0),
        "argmin of ties" => a.argmin(1),
        "argcummax" => a.argcummax(1),
        "argcummin" => a.argcummin(0),
        "cumprod with zeros" => a.cumprod(0),
        "cumsum i64" => a.cumsum(1),
        "linear_scan" => a.linear_scan(b, 0),
        "linear_scan of rows" => a.linear_scan(b, 1),
        "median" | "median of six" => a.median(1),
        "quantile" => a.quantile(0.3, 1),
        "quantile 0.85" => a.quantile(0.85, 0),
        "sort" => a.sort(1),
        "sort_descending" => a.sort_descending(0),
        "argsort" | "argsort of ties" => a.argsort(1, false),
        "argsort_descending" => a.argsort(0, true),
        "top_k" => a.top_k(2, 1).0,
        "top_k places" => a.top_k(3, 1).1,
        "searchsorted" | "searchsorted in a list with ties" => a.searchsorted(b),
        "searchsorted_right" => a.searchsorted_right(b),
        "cross_entropy" | "cross_entropy of rows" => a.cross_entropy(b),
        "matmul transposed" => a.matmul(b.t()),
        "dot" => a.dot(b),
        "outer" => a.outer(b),
        "kron" => a.kron(b),
        "tensordot" => a.tensordot(b, 2),
        "tensordot of pairs" => a.tensordot(b, ([0, 2], [1, 0])),
        "attention" => (a.matmul(b.t()) * 0.5).softmax(-1).matmul(x[2]),
        _ => {
            let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
            match (word, rest.parse::<isize>()) {
                ("matmul", _) => a.matmul(b),
                ("einsum", _) => tape.einsum(rest, x),
                ("norm_p", _) => match rest.strip_suffix(" of two") {
                    Some(p) => a.norm_p(p.parse().ok()?, [0, 2]),
                    None => a.norm_p(rest.parse().ok()?, 1),
                },
                (_, Ok(axis)) => return along(word, a, axis),
                _ => return None,
            }
        }
    })
}

fn along<'t>(name: &str, a: Var<'t>, axis: isize) -> Option<Var<'t>> {
    Some(match name {
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
        _ => return None,
    })
}
