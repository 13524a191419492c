//! Loops, choices, and functions of functions.

use wengert::prelude::*;

pub(crate) fn apply<'t>(tape: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let a = *x.first()?;
    let b = x.get(1).copied().unwrap_or(a);
    let scan = || {
        tape.scan(a, x[2], |c, x| {
            let c = (c * b + x).tanh();
            (c, c)
        })
    };
    let f = |x: Var<'t>| (x.sin() * x.roll(1, 0)).exp().sum();
    let g = |x: Var<'t>| x.cumprod(0).sin();
    Some(match name {
        "scan" => scan().1,
        "scan last" => scan().0,
        "while_loop" => Loop::new().length(20).run_while(tape, a, |x| x.sum().le(100.0), |x| x * x + x),
        "while_loop i64" => tape.while_loop((a, b), |(_, b)| b.ne(0), |(a, b)| (b, a.rem(b))).0,
        "cond first" | "cond second" => tape.cond(a, b, |x| x.exp(), |x| x.sin()),
        "checkpoint" => tape.checkpoint(a, |x| x.matmul(b).tanh().matmul(b)),
        "fixed_point" => tape.fixed_point(b.zeros_like(), |z| (a.matmul(z) * 0.3 + b).tanh()),
        "root" => tape.root(a.cbrt(), |z| z * z * z - a),
        "vmap" => Vmap::new().axes(&[Some(0), None]).call(tape, (a, b), |(x, y)| (x * y).sum().sin() * x),
        "jacobian" => tape.jacobian(g, a),
        "hessian" => tape.hessian(f, a),
        "hvp" => tape.hvp(f, a, b),
        "jvp" => tape.jvp(g, a, b).1,
        _ => return None,
    })
}
