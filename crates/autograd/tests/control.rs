//! Loops, choices, checkpoints and solutions of equations: what they give, what they save, how they nest, and what they refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Apply, Checkpoint, FixedPoint, Loop, Randomness, Tape, Var, Vmap, plan_stats};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

fn noise(shape: &[usize], stream: u64) -> Tensor {
    let key = Key(11).fold(stream);
    Tensor::from_fn(shape.to_vec(), |i| 0.5 * normal_f64(key, i as u64)).unwrap()
}

fn near(a: &Tensor, b: &Tensor) {
    let (x, y) = (a.to_f64_vec(), b.to_f64_vec());
    assert_eq!(a.shape(), b.shape());
    assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() <= 1e-11 * y.abs().max(1.0)), "{a}\n{b}");
}

/// One step of a gated recurrent cell.
fn cell<'t>(w: Var<'t>, u: Var<'t>, h: Var<'t>, x: Var<'t>) -> Var<'t> {
    let gate = (x.matmul(w) + h.matmul(u)).sigmoid();
    gate * h + (1.0 - gate) * (x.matmul(w) - h.matmul(u)).tanh()
}

/// The states of the cell, with a scan or written out.
fn recurrent<'t>(tape: &'t Tape, how: &str, [x, h, w, u]: [Var<'t>; 4]) -> Var<'t> {
    let step = |h: Var<'t>, x: Var<'t>| {
        let h = cell(w, u, h, x);
        (h, h)
    };
    match how {
        "scan" => tape.scan(h, x, step).1,
        "segments" => Loop::new().segments(3).call(tape, h, x, step).1,
        "checkpointed" => {
            let kept = |h: Var<'t>, x: Var<'t>| {
                let h = tape.checkpoint((h, x), |(h, x)| cell(w, u, h, x));
                (h, h)
            };
            tape.scan(h, x, kept).1
        }
        _ => {
            let mut h = h;
            let mut all = Vec::new();
            for i in 0..x.dim(0) {
                h = cell(w, u, h, x.at(0, i));
                all.push(h);
            }
            tape.stack(&all, 0)
        }
    }
}

#[test]
fn a_scan_is_the_loop_written_out() -> Result<()> {
    let inputs = [noise(&[6, 2, 3], 1), noise(&[2, 3], 2), noise(&[3, 3], 3), noise(&[3, 3], 4)];
    let all = |how: &str| -> Result<Vec<Tensor>> {
        let tape = Tape::new();
        let v = [0, 1, 2, 3].map(|i: usize| tape.input(&inputs[i]));
        let y = recurrent(&tape, how, v);
        let first = tape.grad(y.square().sum(), v);
        let second = tape.grad(first.iter().map(|d| d.sin().sum()).reduce(|a, b| a + b).unwrap(), v);
        let (_, forward) = tape.jvp(|v| recurrent(&tape, how, v), v, first);
        tape.eval([&[y, forward], &first[..], &second[..]].concat())
    };
    let plain = all("written out")?;
    for how in ["scan", "segments", "checkpointed"] {
        for (found, plain) in all(how)?.iter().zip(&plain) {
            near(found, plain);
        }
    }
    Ok(())
}

#[test]
fn a_step_is_recorded_and_planned_once() -> Result<()> {
    let run = |length: usize| -> Result<usize> {
        let tape = Tape::new();
        let v = [noise(&[length, 2, 3], 1), noise(&[2, 3], 2), noise(&[3, 3], 3), noise(&[3, 3], 4)];
        let v = [0, 1, 2, 3].map(|i: usize| tape.input(&v[i]));
        let loss = recurrent(&tape, "scan", v).sum();
        let slopes = tape.grad(loss, v);
        tape.eval(slopes)?;
        Ok(tape.len())
    };
    assert_eq!(run(5)?, run(500)?);
    let compiled = plan_stats().compiled;
    run(5)?;
    assert_eq!(plan_stats().compiled, compiled);
    Ok(())
}

#[test]
fn transformations_nest_in_any_order() -> Result<()> {
    // The Hessian of a batch of checkpoints of a rule of one's own, inside of a scan.
    let f = |tape: &Tape, how: &str, x: &Tensor| -> Result<Tensor> {
        fn value<'t>(tape: &'t Tape, how: &str, x: Var<'t>) -> Var<'t> {
            let cube = move |x: Var<'t>| match how {
                "plain" => x * x * x,
                _ => x.custom_vjp(|x| x * x * x, |x, _, ct| ct * x * x * 3.0),
            };
            let deep = move |x: Var<'t>| match how {
                "plain" => cube(x).sin(),
                _ => tape.checkpoint(x, |x| cube(x).sin()),
            };
            let rows = match how {
                "plain" => deep(x),
                _ => tape.vmap(x, deep),
            };
            match how {
                "plain" => (rows + rows.cos() + rows.cos().cos()).sum(),
                _ => {
                    tape.scan(rows, tape.iota([2], 0, DType::I64), |c, _| (c.cos(), c)).1.sum() + {
                        let turns = Loop::new().length(5);
                        turns
                            .run_while(
                                tape,
                                (rows, tape.scalar(0.0, DType::I64)),
                                |(_, n)| n.lt(2),
                                |(c, n)| (c.cos(), n + 1),
                            )
                            .0
                            .sum()
                    }
                }
            }
        }
        let x = tape.input(x);
        tape.hessian(|x| value(tape, how, x), x).value()
    };
    let x = noise(&[2, 3], 5);
    near(&f(&Tape::new(), "nested", &x)?, &f(&Tape::new(), "plain", &x)?);
    Ok(())
}

#[test]
fn only_the_chosen_branch_runs() -> Result<()> {
    let chosen = |condition: bool| {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([1.0f64, 2.0]));
        let far = tape.input(&Tensor::from([7i64]));
        let condition = tape.input(&Tensor::from(condition));
        let y = tape.cond(condition, x, |x| x.gather(0, far).sum(), |x| x.sum());
        y.item::<f64>()
    };
    assert_eq!(chosen(false)?, 3.0);
    let error = chosen(true).unwrap_err().to_string();
    assert!(error.starts_with("gather: ") && error.contains("tests/control.rs"), "{error}");
    Ok(())
}

#[test]
fn each_example_has_its_own_way() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([1.0f64, -2.0, 30.0]));
    let y = tape.vmap(x, |x| {
        let x = tape.cond(x.gt(0.0), x, |x| x, |x| -x);
        tape.while_loop(x, |x| x.lt(10.0), |x| x * 2.0)
    });
    assert_eq!(y.value()?.to_vec::<f64>()?, [16.0, 16.0, 30.0]);
    let slopes = tape.vmap(x, |x| {
        let y = tape.cond(x.gt(0.0), x, |x| x * x, |x| x * 5.0);
        tape.grad(Loop::new().length(6).run_while(&tape, y, |y| y.lt(10.0), |y| y * 2.0), x)
    });
    // 1 → 1, 2, 4, 8, 16;  −2 → −10 is below 10 to the end;  30 → 900
    assert_eq!(slopes.value()?.to_vec::<f64>()?, [32.0, 320.0, 60.0]);
    Ok(())
}

#[test]
fn every_turn_draws_its_own_numbers() -> Result<()> {
    let draws = |tape: &Tape| -> Result<Vec<f64>> {
        let (_, all) = Loop::new().length(3).call(tape, (), (), |(), ()| {
            let (_, inner) = Loop::new().length(2).call(tape, (), (), |(), ()| ((), tape.normal([], DType::F64)));
            ((), inner)
        });
        all.value()?.to_vec()
    };
    let mut found = draws(&Tape::with_key(1))?;
    assert_eq!(found, draws(&Tape::with_key(1))?);
    found.sort_by(f64::total_cmp);
    found.dedup();
    assert_eq!(found.len(), 6);

    // The gradient sees the mask that was drawn.
    let tape = Tape::with_key(3);
    let x = tape.input(&Tensor::from([1.0f64, 1.0, 1.0, 1.0, 1.0, 1.0]));
    let (_, kept) = tape.scan((), x, |(), x| ((), x.select(tape.uniform([], DType::F64).lt(0.5), 0.0)));
    let again = tape.checkpoint(x, |x| x * tape.uniform([6], DType::F64));
    assert!(tape.grad(kept.sum(), x).value()?.equals(&kept.value()?));
    assert!(tape.grad(again.sum(), x).value()?.equals(&again.value()?));

    for (randomness, count) in [(Randomness::Different, 4), (Randomness::Same, 2)] {
        let tape = Tape::with_key(5);
        let x = tape.input(&Tensor::from([0.0f64, 0.0]));
        let all = Vmap::new().randomness(randomness).call(&tape, x, |x| {
            Loop::new().length(2).call(&tape, x, (), |c, ()| (c, c + tape.normal([], DType::F64))).1
        });
        let mut all = all.value()?.to_vec::<f64>()?;
        all.sort_by(f64::total_cmp);
        all.dedup();
        assert_eq!(all.len(), count, "{randomness:?}");
    }
    Ok(())
}

fn block<'t>(w: Var<'t>, x: Var<'t>) -> Var<'t> {
    x.matmul(w).tanh().exp().matmul(w).sin() + x
}

fn layer<'t>(w: Var<'t>, b: Var<'t>, z: Var<'t>) -> Var<'t> {
    (w.matmul(z) * 0.5 + b).tanh()
}

#[test]
fn a_checkpoint_keeps_its_inputs_only() -> Result<()> {
    let saved = |how: &str| -> Result<(usize, Tensor)> {
        let tape = Tape::new();
        let x = tape.parameter(wengert_autograd::LeafId(1), &noise(&[4, 8], 1));
        let w = tape.input(&noise(&[8, 8], 2));
        let mut y = x;
        for _ in 0..4 {
            y = match how {
                "plain" => block(w, y),
                "nothing" => tape.checkpoint(y, |y| block(w, y)),
                _ => Checkpoint::products().call(&tape, y, |y| block(w, y)),
            };
        }
        let gradients = y.square().sum().backward();
        let bytes = gradients.saved().iter().map(|value| value.bytes).sum();
        Ok((bytes, gradients.at(wengert_autograd::LeafId(1)).value()?))
    };
    let (plain, dx) = saved("plain")?;
    let (nothing, again) = saved("nothing")?;
    let (products, kept) = saved("products")?;
    assert!(dx.equals(&again) && dx.equals(&kept));
    assert!(nothing < products && products < plain, "{nothing} {products} {plain}");
    // The inputs of the four blocks but the first, which is a parameter, and the last value.
    assert_eq!(nothing, 4 * 4 * 8 * 8);
    Ok(())
}

#[test]
fn solutions_are_differentiated_by_their_equation() -> Result<()> {
    // z = tanh(W z + b): the gradient by W and b, against the fixed point written out.
    let (w, b) = (noise(&[3, 3], 1), noise(&[3], 2));
    let slopes = |direct: bool| -> Result<Vec<Tensor>> {
        let tape = Tape::new();
        let v = [tape.input(&w), tape.input(&b)];
        let f = |z| layer(v[0], v[1], z);
        let start = v[1].zeros_like();
        let z = match direct {
            true => Loop::new().length(80).call(&tape, start, (), |z, ()| (f(z), ())).0,
            false => tape.fixed_point(start, f),
        };
        let first = tape.grad((z * z * z).sum(), v);
        let second = tape.grad(first[0].square().sum() + first[1].sum(), v);
        let (_, forward) = tape.jvp(
            |[w, b]| tape.fixed_point(b.zeros_like(), |z| layer(w, b, z)),
            v,
            [v[0].ones_like(), v[1].ones_like()],
        );
        let mut all = [&[z], &first[..], &second[..]].concat();
        if !direct {
            near(
                &forward.value()?,
                &tape
                    .jvp(
                        |[w, b]| Loop::new().length(80).call(&tape, b.zeros_like(), (), |z, ()| (layer(w, b, z), ())).0,
                        v,
                        [v[0].ones_like(), v[1].ones_like()],
                    )
                    .1
                    .value()?,
            );
        }
        all.truncate(5);
        tape.eval(all)
    };
    for (a, b) in slopes(false)?.iter().zip(&slopes(true)?) {
        near(a, b);
    }
    // In a batch every example has its own equation.
    let tape = Tape::new();
    let a = tape.input(&Tensor::from([2.0f64, 9.0, 100.0]));
    let slopes = tape.vmap(a, |a| tape.grad(tape.fixed_point(a.ones_like(), |z| (z + a / z) * 0.5), a));
    near(&slopes.value()?, &Tensor::from([0.5 / 2f64.sqrt(), 0.5 / 3.0, 0.05]));
    Ok(())
}

#[test]
fn a_multiple_root_has_no_derivative() -> Result<()> {
    let cube = |z: f64, a: f64| -> Result<f64> {
        let tape = Tape::new();
        let a = tape.input(&Tensor::from([a, 1.0]));
        let z = tape.root(tape.input(&Tensor::from([z, 1.0])), |z| z * z * z - a);
        tape.grad(z.sum(), a).at(0, 0).item::<f64>()
    };
    let error = cube(0.0, 0.0).unwrap_err().to_string();
    assert!(error.contains("the Jacobian of the equation by its unknowns is singular there"), "{error}");
    for z in [1e-6, 1e-3, 1.0, 1e3] {
        let slope = cube(z, z * z * z)?;
        let expected = 1.0 / (3.0 * z * z);
        assert!((slope - expected).abs() <= 1e-9 * expected, "{slope} at {z}");
    }
    // What does not ask for the singular part has its derivative, and a cotangent of zero asks for nothing.
    let tape = Tape::new();
    let a = tape.input(&Tensor::from([0.0f64, 8.0]));
    let z = tape.root(tape.input(&Tensor::from([0.0f64, 2.0])), |z| z * z * z - a);
    near(&tape.grad(z.at(0, 1), a).value()?, &Tensor::from([0.0, 1.0 / 12.0]));
    near(&tape.grad((z * 0.0).sum(), a).value()?, &Tensor::from([0.0, 0.0]));
    // Forwards, in a batch, and by numbers that are none.
    let (_, forward) =
        tape.jvp(|a| tape.root(tape.input(&Tensor::from([0.0f64, 2.0])), |z| z * z * z - a), a, a.ones_like());
    assert!(forward.value().unwrap_err().to_string().contains("singular"));
    let tape = Tape::new();
    let a = tape.input(&Tensor::from([8.0f64, 0.0]));
    let slopes = tape.vmap(a, |a| tape.grad(tape.root(a.stop_gradient().cbrt(), |z| z * z * z - a), a));
    assert!(slopes.value().unwrap_err().to_string().contains("singular"));
    assert!(cube(f64::NAN, 1.0).is_err());
    // In f32, systems of ordinary condition are solved as before.
    let tape = Tape::new();
    let w = tape.input(&noise(&[6, 6], 3).cast(DType::F32)?);
    let b = tape.input(&noise(&[6], 4).cast(DType::F32)?);
    let z = tape.root(b.stop_gradient(), |z| w.matmul(z) - b);
    assert!(tape.grad(z.sum(), b).value()?.to_f64_vec().iter().all(|x| x.is_finite()));
    Ok(())
}

#[test]
fn f16_loops_and_empty_ones() -> Result<()> {
    let y =
        Tensor::from([0.5f32, 0.25]).cast(DType::F16)?.apply(|x| x.tape().scan(x.at(0, 0), x, |c, x| (c + x, c)).0)?;
    assert_eq!(y.cast(DType::F32)?.item::<f32>()?, 1.25);
    let empty = Tensor::zeros([0, 3], DType::F32)?;
    let y = empty.apply(|x| x.tape().scan(x.tape().constant([3], 1f32), x, |c, x| (c + x, x * 2.0)).1)?;
    assert_eq!(y.shape().dims(), [0, 3]);
    Ok(())
}

#[test]
fn misuse_says_what_is_wrong() {
    let say = |f: &dyn for<'t> Fn(&'t Tape, Var<'t>) -> Var<'t>| {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([[1.0f64, 2.0], [3.0, 4.0]]));
        f(&tape, x).value().unwrap_err().to_string()
    };
    let begins =
        |text: String, with: &str| assert!(text.starts_with(with) && text.contains("tests/control.rs"), "{text}");
    begins(
        say(&|tape, x| tape.scan(x, x, |c, _| (c.sum(), ())).0),
        "scan: a state is [2, 2] f64 before the step and [] f64 after it",
    );
    begins(say(&|tape, x| tape.scan(x, x, |c, _| ([c, c], ())).0), "scan: the step takes 1 states and gives 2");
    begins(say(&|tape, x| tape.scan(x, x.sum(), |c, _| (c, ())).0), "scan: a scan goes along axis 0");
    begins(
        say(&|tape, x| tape.scan(x, [x, x.at(0, 0).unsqueeze(0)], |c, _| (c, ())).0),
        "scan: 1 elements along axis 0, not 2",
    );
    begins(say(&|tape, x| tape.scan(x, (), |c, ()| (c, ())).0), "scan: no input says how often the step runs");
    begins(
        say(&|tape, x| Loop::new().segments(3).call(tape, x, x, |c, _| (c, ())).0),
        "scan: 2 turns are not 3 segments",
    );
    begins(say(&|tape, x| tape.cond(x.gt(0.0), x, |x| x, |x| x)), "cond: a condition is one bool, not [2, 2] bool");
    begins(
        say(&|tape, x| tape.cond(x.sum().gt(0.0), x, |x| x, |x| x.sum())),
        "cond: one branch gives [2, 2] f64, the other [] f64",
    );
    begins(
        say(&|tape, x| tape.while_loop(x, |x| x.gt(0.0), |x| x)),
        "while_loop: a condition is one bool, not [2, 2] bool",
    );
    begins(
        say(&|tape, x| tape.grad(tape.while_loop(x, |x| x.sum().lt(90.0), |x| x * 2.0).sum(), x)),
        "while_loop: has no derivative: how often it runs is not known before",
    );
    begins(
        say(&|tape, x| tape.jvp(|x| tape.while_loop(x, |x| x.sum().lt(90.0), |x| x * 2.0), x, x).1),
        "while_loop: has no derivative",
    );
    begins(say(&|tape, x| tape.fixed_point(x, |z| z * 2.0 + 1.0)), "fixed_point: no fixed point after 10000 turns");
    begins(
        say(&|tape, x| FixedPoint::new().tolerance(f64::NAN).call(tape, x, |z| z)),
        "fixed_point: a tolerance of NaN",
    );
    begins(say(&|tape, x| tape.root(x, |z| z.sum())), "root: the equation gives [] f64 for [2, 2] f64");
    begins(
        say(&|tape, x| {
            let mut inner = None;
            tape.scan(x, x, |c, v| {
                inner = v.value().err();
                (c, ())
            });
            tape.fail(inner.unwrap().at(std::panic::Location::caller()));
            x
        }),
        "scan: inside of vmap, a loop, a branch or a checkpoint there is no value yet",
    );
}
