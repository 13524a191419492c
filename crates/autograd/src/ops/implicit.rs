//! `implicit`: the solution of an equation, which is differentiated by the equation, however it was found.
//!
//! z with F(z, θ) = 0. By the implicit function theorem dz = −F_z⁻¹ F_θ dθ, so that with F_zᵀ λ = ct the cotangent of θ is −F_θᵀ λ.
//!
//! λ is found by conjugate gradients on the normal equations of F_zᵀ (Hestenes and Stiefel 1952), matrix-free: in exact arithmetic after
//! as many turns as z has elements. It solves an equation as well, and so the derivatives go on to any order. Where F_z is singular, the
//! turns end at a λ that leaves a residual, which is an error when it runs.
//!
//! * operands: a solution, and the values outside of F that F reads
//! * shape, dtype: those of the solution
//! * derivative: nothing flows into the way to the solution
//! * errors when it runs: in the derivative, F_z is singular or nearly so

use crate::batch::Batch;
use crate::body::{Body, Input, pull_back, trace};
use crate::class::{Class, View};
use crate::graph::{Derivative, Op, Tape, Var};
use crate::meta::Meta;
use crate::ops::converged::Converged;
use crate::sample::{Accuracy, Entry, Sample};
use crate::transform::fresh;
use std::sync::Arc;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::layout::Layout;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// A solution of an equation: a flat value z for which the body is 0.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Implicit {
    /// From z and what is outside to F(z), of z's shape.
    body: Arc<Body>,
    /// How many axes of examples the operands have in front of those that the body knows.
    batches: usize,
}

/// `z` as the solution of `equation` = 0.
#[track_caller]
pub(crate) fn implicit<'t>(
    tape: &'t Tape,
    op: &'static str,
    z: Var<'t>,
    equation: impl FnOnce(Var<'t>) -> Var<'t>,
) -> Var<'t> {
    let given = [Input::value(z.meta())];
    let traced = trace(tape, op, &given, |v| vec![equation(first(tape, v))]);
    match traced {
        Some(traced) => {
            let meta = z.meta();
            if let Some(rest) = traced.body.output(0).filter(|rest| **rest != meta) {
                let error = Error::shape(format!("the equation gives {rest} for {meta}"));
                return tape.reject(op, &[("solution", z)], error.help("it has one line for each unknown"));
            }
            let operands: Vec<Var<'t>> = [z].into_iter().chain(traced.captured).collect();
            tape.record(Implicit { body: Arc::new(traced.body), batches: 0 }, &operands)
        }
        None => tape.poison(),
    }
}

impl Op for Implicit {
    fn name(&self) -> &'static str {
        "implicit"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["solution", "operand"]
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let z = inputs.first().copied().ok_or_else(|| Error::state("takes a solution"))?;
        match z.dtype.is_float() {
            true => Ok(z.clone()),
            false => Err(Error::dtype(format!("the unknowns are floats, not {}", z.dtype))),
        }
    }

    fn class(&self) -> Class<'_> {
        Class::View(self)
    }

    fn derivative(&self) -> Derivative {
        Derivative::Composite
    }

    fn pullbacks<'t>(&self, wanted: &[bool], x: &[Var<'t>], y: Var<'t>, ct: Var<'t>) -> Option<Vec<Option<Var<'t>>>> {
        let mut found: Vec<Option<Var<'t>>> = vec![None; x.len()];
        let places: Vec<usize> = (1..x.len()).filter(|&i| wanted.get(i) == Some(&true)).collect();
        let inputs: Vec<Var<'t>> = [y].into_iter().chain(x.iter().skip(1).copied()).collect();
        let parts = self.cotangents(self.batches, &inputs, ct, &places);
        for (i, part) in places.into_iter().zip(parts) {
            if let Some(place) = found.get_mut(i) {
                *place = Some(part);
            }
        }
        Some(found)
    }

    fn batch<'t>(&self, x: &Batch<'_, 't>) -> Option<Var<'t>> {
        x.same(Implicit { body: Arc::clone(&self.body), batches: self.batches + 1 })
    }
}

impl Implicit {
    /// The cotangents of the inputs of the body at `places`.
    fn cotangents<'t>(&self, batches: usize, inputs: &[Var<'t>], ct: Var<'t>, places: &[usize]) -> Vec<Var<'t>> {
        let tape = ct.tape;
        if batches > 0 {
            let all = [inputs, &[ct]].concat();
            return tape.vmap(&all, |one| {
                let (inputs, ct) = one.split_at(inputs.len());
                self.cotangents(batches - 1, inputs, ct.first().copied().unwrap_or(tape.poison()), places)
            });
        }
        // Partial derivatives are by copies, from which nothing else was computed: not the solution either.
        let at: Vec<Var<'t>> = inputs.iter().map(|x| fresh(*x)).collect();
        let transposed = |u: Var<'t>| first(tape, &pull_back(&self.body, tape, &at, &[(0, u)], &[0]));
        let straight = |v: Var<'t>| {
            let u = fresh(ct.zeros_like());
            let back = transposed(u);
            let part = match tape.failed.get() {
                true => None,
                false => tape.sweep(back, v, &[u.id]).into_iter().next().flatten(),
            };
            part.unwrap_or_else(|| v.zeros_like())
        };
        let found = solve(tape, ct.stop_gradient(), transposed, straight);
        let multiplier = implicit(tape, "implicit", found, |l| transposed(l) - ct);
        pull_back(&self.body, tape, &at, &[(0, -multiplier)], places)
    }
}

fn first<'t>(tape: &'t Tape, list: &[Var<'t>]) -> Var<'t> {
    list.first().copied().unwrap_or(tape.poison())
}

/// x with A x = b, from the products with A and with Aᵀ, by conjugate gradients on AᵀA x = Aᵀb.
#[track_caller]
fn solve<'t>(
    tape: &'t Tape,
    b: Var<'t>,
    product: impl Fn(Var<'t>) -> Var<'t>,
    transposed: impl Fn(Var<'t>) -> Var<'t>,
) -> Var<'t> {
    let tolerance: f64 = match b.dtype() {
        DType::F64 => 1e-15,
        DType::F32 => 1e-7,
        _ => 1e-3,
    };
    let dot = |a: Var<'t>, b: Var<'t>| (a * b).sum();
    let start = transposed(b);
    let size = dot(start, start);
    let turns = (4 * b.len() + 20) as f64;
    let state = [b.zeros_like(), b, start, size, size.zeros_like()];
    let state = tape.while_loop(
        state,
        |[_, _, _, size_now, turn]| size_now.gt(size * (tolerance * tolerance)).and(turn.lt(turns)),
        |[x, rest, way, size, turn]| {
            let step = product(way);
            let length = size / dot(step, step);
            let x = x + way * length;
            let rest = rest - step * length;
            let slope = transposed(rest);
            let next = dot(slope, slope);
            [x, rest, slope + way * (next / size), next, turn + 1.0]
        },
    );
    let [x, rest, ..] = state;
    if b.is_empty() {
        return x;
    }
    // A singular matrix ends the turns, too: at Aᵀ r = 0, where r is not 0 but of the size of b. The turns square the condition, so what
    // a bad one leaves is far above the tolerance, and still far below b.
    let size = |v: Var<'t>| v.abs().max().cast(DType::F64);
    x.converged(size(rest), size(b) * tolerance.powf(0.3), Converged::Linear)
}

impl View for Implicit {
    fn view(&self, input: &Layout, _out: &Shape) -> Option<Layout> {
        Some(input.clone())
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new(
            "implicit",
            "implicit.rs",
            vec![
                Sample::new("a square root", [Tensor::from([2.0f64, 3.0])], |tape, x| {
                    tape.root(x[0].stop_gradient().sqrt(), |z| z * z - x[0])
                })
                .gives([std::f64::consts::SQRT_2, 3f64.sqrt()])
                .slopes([0.5 / std::f64::consts::SQRT_2, 0.5 / 3f64.sqrt()]),
                Sample::new(
                    "a linear system",
                    [Tensor::from([[3.0f64, 1.0], [-1.0, 2.0]]), Tensor::from([1.0f64, 0.5])],
                    |tape, x| {
                        let (a, b) = (x[0].stop_gradient(), x[1].stop_gradient());
                        let det = a.at(0, 0).at(0, 0) * a.at(0, 1).at(0, 1) - a.at(0, 0).at(0, 1) * a.at(0, 1).at(0, 0);
                        let first = (b.at(0, 0) * a.at(0, 1).at(0, 1) - a.at(0, 0).at(0, 1) * b.at(0, 1)) / det;
                        let second = (a.at(0, 0).at(0, 0) * b.at(0, 1) - b.at(0, 0) * a.at(0, 1).at(0, 0)) / det;
                        tape.root(tape.stack(&[first, second], 0), |z| x[0].matmul(z) - x[1])
                    },
                ),
                Sample::new("a fixed point", [Tensor::from([0.5f64, -1.0])], |tape, x| {
                    tape.fixed_point(x[0].zeros_like(), |z| (z * 0.5 + x[0]).sin() * 0.8)
                }),
            ],
        )
        .accuracy(Accuracy::Body),
    ]
}
