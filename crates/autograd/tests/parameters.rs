//! Wrong parameters of every kind: what is refused names what was called, with the caller's line, and never a line of the library.
#![cfg(all(feature = "fft", feature = "linalg"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{
    Class, Conv, Derivative, FixedPoint, LeafId, Loop, Meta, Op, Resize, Tape, Triangle, Var, Vmap, check_gradients,
    meta,
};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, ErrorKind, Result};
use wengert_tensor::kernels::scalar::ScalarFn;
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// More bytes than a process can address.
const HUGE: usize = 1 << 50;

type Case = (&'static str, for<'t> fn(&'t Tape) -> Var<'t>);

fn of<'t>(tape: &'t Tape, dims: &[usize]) -> Var<'t> {
    tape.input(&Tensor::from_fn(dims, |i| (i as f64 * 1.7 + 0.3).sin()).unwrap())
}

fn ints<'t>(tape: &'t Tape, values: &[i64]) -> Var<'t> {
    tape.input(&Tensor::from(values.to_vec()))
}

fn draws(tape: &Tape) -> wengert_autograd::Draws<'_> {
    tape.random_from(Key::new(1))
}

/// The text without the line, of which is seen that it is one of this file.
fn told(error: &Error) -> String {
    assert!(error.location().is_some_and(|at| at.file().ends_with("parameters.rs")), "{error}");
    error.to_string().lines().filter(|line| !line.starts_with("  at ")).collect::<Vec<_>>().join("\n")
}

/// The errors of all cases, each of which begins with what was called.
fn texts(cases: &[Case]) -> String {
    let text = |(called, f): &Case| {
        let tape = Tape::new();
        let error = f(&tape).value().err().unwrap_or_else(|| panic!("{called} accepts it"));
        let text = told(&error);
        let rest = text.strip_prefix(called).unwrap_or_else(|| panic!("{called}: {text}"));
        assert!(rest.starts_with(": ") || rest.starts_with(" (in "), "{called}: {text}");
        text
    };
    cases.iter().map(text).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Compares with the texts of a file.
fn pinned(file: &str, text: String) {
    let file = format!("{}/tests/told/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_ERRORS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "run with UPDATE_ERRORS=1 and read the difference");
}

#[test]
fn an_error_names_what_was_called_and_the_line_of_the_call() {
    let cases: &[Case] = &[
        ("tensordot", |t| of(t, &[2, 3]).tensordot(of(t, &[3, 3]), 1usize << 40)),
        ("tensordot", |t| of(t, &[2, 3]).tensordot(of(t, &[3, 3]), usize::MAX)),
        ("tensordot", |t| of(t, &[2, 3]).tensordot(of(t, &[3]), 2)),
        ("solve", |t| of(t, &[3, 3]).solve(of(t, &[2]))),
        ("solve", |t| of(t, &[3, 3]).zeros_like().solve(of(t, &[3]))),
        ("inv", |t| of(t, &[3, 3]).zeros_like().inv()),
        ("inv", |t| (of(t, &[3, 3]) * f64::NAN).inv()),
        ("triangular_solve", |t| of(t, &[3, 3]).triangular_solve(of(t, &[2]), Triangle::lower())),
        ("triangular_solve", |t| of(t, &[3, 3]).zeros_like().triangular_solve(of(t, &[3]), Triangle::lower())),
        ("lstsq", |t| of(t, &[3, 3]).lstsq(of(t, &[2]))),
        ("fft_conv", |t| of(t, &[4]).fft_conv(of(t, &[0]), 0)),
        ("fft_conv", |t| of(t, &[4]).fft_conv(of(t, &[3]), 2)),
        ("std", |t| of(t, &[4]).std_corrected(0, f64::INFINITY)),
        ("any", |t| of(t, &[4]).gt(0.0).any(3)),
        ("all", |t| of(t, &[4]).gt(0.0).all([0, 0])),
        ("index_set", |t| of(t, &[2, 3]).index_set(0, ints(t, &[i64::MIN]), of(t, &[1, 3]))),
        ("bincount", |t| ints(t, &[1, 2]).bincount(2)),
        ("bincount", |t| ints(t, &[1, 2]).bincount(usize::MAX)),
        ("bincount", |t| of(t, &[2]).bincount(3)),
        ("masked_select", |t| of(t, &[2]).masked_select(of(t, &[2])).0),
        ("masked_fill", |t| of(t, &[2]).masked_fill(of(t, &[2]), 0.0)),
        ("dynamic_update", |t| of(t, &[2, 3]).dynamic_update(1, t.scalar(0.0, DType::I64), of(t, &[3, 2]))),
        ("stack", |t| t.stack(&[], 0)),
        ("at", |t| of(t, &[2, 3]).at(0, usize::MAX)),
        ("at", |t| of(t, &[2, 3]).at(9, 0)),
        ("linear_scan", |t| of(t, &[2, 3]).linear_scan(of(t, &[7]), 0)),
        ("dirichlet", |t| draws(t).dirichlet(t.full([], 1.0, DType::F64))),
        ("categorical", |t| draws(t).categorical(of(t, &[2, 3]), 7)),
        ("beta", |t| draws(t).beta(of(t, &[2]).abs(), of(t, &[3]).abs())),
        ("beta", |t| draws(t).beta(of(t, &[2]) * 0.0, of(t, &[2]).abs())),
        ("gumbel", |t| draws(t).gumbel([2], DType::I64)),
        ("exponential", |t| draws(t).exponential([2], DType::I64)),
        ("linspace", |t| t.linspace(0.0, 1.0, usize::MAX, DType::F64)),
        ("fftfreq", |t| t.fftfreq(usize::MAX, 1.0, DType::F64)),
        ("eye", |t| t.eye(usize::MAX, DType::F64)),
        ("logaddexp", |t| of(t, &[2]).logaddexp(ints(t, &[1, 2]))),
        ("powi", |t| ints(t, &[2]).powi(-1)),
        ("lp_pool", |t| of(t, &[1, 2, 5]).lp_pool(f64::NAN, 2)),
        ("avg_pool", |t| of(t, &[1, 2, 5]).avg_pool([2, 2])),
        ("fixed_point", |t| t.fixed_point(of(t, &[2]), |z| z.sum())),
        ("fixed_point", |t| FixedPoint::new().turns(0).call(t, t.full([2], 1.0, DType::F64), |z| z * 0.5)),
        ("root", |t| t.root(ints(t, &[1]), |z| z)),
        ("cond", |t| t.cond(of(t, &[2]).gt(0.0), of(t, &[3]), |x| x, |x| -x)),
        ("while_loop", |t| Loop::new().length(3).run_while(t, of(t, &[2]), |x| x.gt(0.0), |x| x - 1.0)),
        ("scan", |t| Loop::new().length(4).segments(3).call(t, of(t, &[2]), (), |c, ()| (c, ())).0),
        ("vmap", |t| Vmap::new().out(9).call(t, of(t, &[2, 3]), |x| x)),
        ("hvp", |t| t.hvp(|x| x.square().sum(), of(t, &[2]), of(t, &[3]))),
        ("hvp", |t| t.hvp(|x| x.square().sum(), of(t, &[2]), of(t, &[2]).cast(DType::F32))),
        ("hessian", |t| t.hessian(|x| x, of(t, &[2]))),
        ("gradient", |t| *t.parameter(LeafId(1), &Tensor::from(2.0f64)).square().backward().at(LeafId(2))),
    ];
    pinned("calls.txt", texts(cases));
}

/// What cannot be had is told with how much of it was asked for.
#[test]
fn memory_that_is_not_there_is_missed_by_an_op_at_a_line() {
    let cases: &[Case] = &[
        ("repeat", |t| of(t, &[2, 3]).repeat(HUGE, 0)),
        ("tile", |t| of(t, &[2, 3]).tile(&[HUGE, 1])),
        ("pad", |t| of(t, &[2, 3]).pad(0, HUGE, 0, 0.0)),
        ("pad_with", |t| of(t, &[2, 3]).pad_with(wengert_autograd::PadMode::Replicate, 1, HUGE, 1)),
        ("conv", |t| of(t, &[1, 2, 5]).conv(of(t, &[2, 2, 3]), Conv::new().padding(HUGE))),
        ("one_hot", |t| ints(t, &[0]).one_hot(1 << 55)),
        ("bincount", |t| ints(t, &[0]).bincount(HUGE)),
        ("iota", |t| t.iota([HUGE], 0, DType::I64)),
        ("full", |t| t.full([HUGE], 1.0, DType::F64)),
        ("eye", |t| t.eye(1 << 29, DType::F64)),
        ("permutation", |t| draws(t).permutation(HUGE)),
        ("broadcast_to", |t| of(t, &[2, 3]).broadcast_to([HUGE, 2, 3])),
        ("exp", |t| of(t, &[3]).broadcast_to([HUGE, 3]).exp().cumsum(0).at(0, 0)),
        ("interpolate", |t| of(t, &[1, 2, 4]).interpolate(Resize::to(HUGE))),
        ("interpolate", |t| of(t, &[1, 2, 4]).interpolate(Resize::by(1e15).linear())),
        ("adaptive_avg_pool", |t| of(t, &[1, 2, 5]).adaptive_avg_pool(HUGE)),
        ("scan", |t| Loop::new().length(HUGE).call(t, of(t, &[2, 3]), (), |c, ()| (c, c)).1),
    ];
    let texts = texts(cases);
    for text in texts.split("\n\n") {
        assert!(text.contains("bytes could not be allocated"), "{text}");
    }
    pinned("memory.txt", texts);
}

/// A derivative that does not exist is told at the line of the op that has none.
#[test]
fn why_there_is_no_derivative() {
    let line = |f: &dyn Fn(&Tape) -> Result<Tensor>| {
        let error = f(&Tape::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotDifferentiable);
        let at = error.location().unwrap().line();
        (told(&error), at)
    };
    let here = line!();
    let cases = [
        line(&|t| {
            let x = of(t, &[3]);
            let place = x.argmax(0);
            t.grad(place, x).value()
        }),
        line(&|t| {
            let x = of(t, &[3]);
            let place = x.argmax(0);
            t.grad((place * 2 + 1).sum(), x).value()
        }),
        line(&|t| {
            let x = of(t, &[3]);
            let places = x.top_k(2, 0).1;
            t.grad(places.sum(), x).value()
        }),
        line(&|t| {
            let x = of(t, &[3]);
            let counts = draws(t).poisson(x.abs());
            t.jvp(|_| counts.sum(), x, x).1.value()
        }),
        line(&|t| {
            let x = of(t, &[3]);
            let order = x.argsort(0, false);
            t.grad(order.sum(), x).value()
        }),
        line(&|t| {
            let x = of(t, &[3]);
            let whole = x.cast(DType::I64);
            t.jacobian(|_| whole * 2, x).value()
        }),
    ];
    for (i, (text, at)) in cases.iter().enumerate() {
        assert_eq!(*at, here + 4 + 5 * i as u32, "{text}");
    }
    let texts = cases.map(|(text, _)| text).join("\n\n") + "\n";
    let wrong = |f: for<'t> fn([Var<'t>; 1]) -> Var<'t>, x: &Tensor| told(&check_gradients(f, [x]).unwrap_err());
    let checked = [wrong(|[x]| x * 2, &Tensor::from([1i64])), wrong(|[x]| x.argmax(0), &Tensor::from([1.0f64]))];
    assert!(
        wrong(|[x]| x.stop_gradient(), &Tensor::from([1.0f64])).starts_with("check_gradients: 1 derivatives compared")
    );
    let tape = Tape::new();
    let jacobian = told(&tape.jacobian(|x| x * 2, ints(&tape, &[1, 2])).value().unwrap_err());
    pinned("derivatives.txt", [texts, checked.join("\n\n") + "\n", jacobian].join("\n") + "\n");
}

/// The derivative of a composition or of an op is told as its own.
#[test]
fn a_derivative_that_fails_names_what_it_is_of() {
    let singular = Tensor::from([[1.0f64, 2.0], [2.0, 4.0]]);
    type Of = fn(Var<'_>) -> Var<'_>;
    let of: [(&str, Of); 2] = [("qr", |x| x.qr().1), ("logdet", |x| x.logdet())];
    for (op, f) in of {
        let tape = Tape::new();
        let x = tape.input(&singular);
        let Err(error) = tape.grad(f(x).sum(), x).value() else { continue };
        let text = told(&error);
        assert!(text.starts_with(&format!("{op} (in ")) && text.contains("for its derivative): "), "{text}");
    }
}

/// A value that leaves its closure without being given back.
#[test]
fn a_value_of_one_example_has_none() {
    let tape = Tape::new();
    let mut inner = None;
    tape.vmap(of(&tape, &[2, 3]), |x| {
        inner = x.sum().value().err();
        x
    });
    let text = told(&inner.unwrap());
    let mut leaked = None;
    tape.checkpoint(of(&tape, &[2, 3]), |x| {
        leaked = x.sum().value().err();
        x
    });
    let checkpoint = told(&leaked.unwrap());
    assert!(
        checkpoint.starts_with("checkpoint: inside of vmap, a loop, a branch or a checkpoint there"),
        "{checkpoint}"
    );
    assert!(text.starts_with(
        "vmap: inside of vmap, a loop, a branch or a checkpoint there is no value yet\n  asked  [] f64   from `sum`"
    ));
}

/// Numbers without a meaning where they stand.
#[test]
fn nonsense_is_no_parameter() {
    let cases: &[Case] = &[
        ("pad", |t| ints(t, &[1, 2]).pad(0, 1, 1, 0.5)),
        ("pad", |t| ints(t, &[1, 2]).pad(0, 1, 1, f64::NAN)),
        ("pad", |t| of(t, &[2]).gt(0.0).pad(0, 1, 1, 2.0)),
        ("scalar", |t| t.scalar(2f64.powi(63), DType::I64)),
        ("iota", |t| t.iota([300], 0, DType::U8)),
        ("iota", |t| t.iota([1 << 17], 0, DType::F16)),
        ("fftfreq", |t| t.fftfreq(4, 0.0, DType::F64)),
        ("fftfreq", |t| t.fftfreq(4, f64::NAN, DType::F64)),
        ("fftfreq", |t| t.fftfreq(0, 1.0, DType::F64)),
        ("rfftfreq", |t| t.rfftfreq(0, 1.0, DType::F64)),
        ("rfftfreq", |t| t.rfftfreq(4, f64::INFINITY, DType::F64)),
        ("linspace", |t| t.linspace(0.0, f64::INFINITY, 3, DType::F64)),
        ("linspace", |t| t.linspace(f64::NAN, 1.0, 3, DType::F64)),
        ("is_close", |t| of(t, &[2]).is_close(1.0, -1e-5, 0.0)),
        ("is_close", |t| of(t, &[2]).is_close(1.0, 1e-5, f64::NAN)),
        ("flatten", |t| of(t, &[2, 3]).flatten_from(3)),
        ("parameter", |t| {
            t.parameter(LeafId(1), &Tensor::from([1.0f64]));
            t.parameter(LeafId(1), &Tensor::from([1.0f64, 2.0]))
        }),
        ("parameter", |t| {
            t.parameter(LeafId(1), &Tensor::from([1.0f64]));
            t.parameter(LeafId(1), &Tensor::from([1.0f32]))
        }),
        ("update", |t| {
            let x = t.parameter(LeafId(1), &Tensor::from([1.0f64]));
            t.update(LeafId(1), x.sum());
            x
        }),
    ];
    pinned("nonsense.txt", texts(cases));
    let ends =
        |start, end, n| Tape::new().linspace(start, end, n, DType::F64).value().unwrap().to_vec::<f64>().unwrap();
    assert_eq!(ends(-1e308, 1e308, 3), [-1e308, 0.0, 1e308]);
    assert_eq!(ends(1e308, -1e308, 2), [1e308, -1e308]);
    assert_eq!(ends(-1e308, 1e308, 5), [-1e308, -5e307, 0.0, 5e307, 1e308]);
    let tape = Tape::new();
    assert_eq!(tape.iota([256], 0, DType::U8).slice(0, 255..).item::<u8>().unwrap(), 255);
    assert!(tape.iota([300, 0], 0, DType::I32).is_empty());
}

/// An op of a user's own that says one thing and does another.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Says {
    function: ScalarFn,
    dtype: DType,
    operands: usize,
    flat: bool,
}

impl Op for Says {
    fn name(&self) -> &'static str {
        "says"
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Meta> {
        let x = match self.operands {
            1 => meta::operands::<1>(inputs)?[0],
            _ => meta::operands::<2>(inputs)?[0],
        };
        let flat = Meta::new(wengert_tensor::shape::Shape::scalar(), x.dtype);
        Ok(if self.flat { flat } else { x.clone() }.with_dtype(self.dtype))
    }

    fn class(&self) -> Class<'_> {
        Class::Map(self.function)
    }

    fn derivative(&self) -> Derivative {
        Derivative::None("it says so")
    }
}

#[test]
fn an_op_that_breaks_its_contract_is_refused_when_it_is_recorded() {
    let sin = || Says { function: ScalarFn::Sin, dtype: DType::F64, operands: 1, flat: false };
    let refused = |op: Says, dtype: DType, operands: usize| {
        let tape = Tape::new();
        let x = of(&tape, &[2]).cast(dtype);
        tape.record(op, &vec![x; operands]);
        told(&tape.check().unwrap_err())
    };
    let texts = [
        refused(Says { dtype: DType::F32, ..sin() }, DType::F64, 1),
        refused(Says { flat: true, ..sin() }, DType::F64, 1),
        refused(Says { operands: 2, ..sin() }, DType::F64, 2),
        refused(Says { function: ScalarFn::Add, ..sin() }, DType::F64, 1),
        refused(Says { function: ScalarFn::Lt, operands: 2, ..sin() }, DType::F64, 2),
        refused(Says { dtype: DType::Bool, ..sin() }, DType::Bool, 1),
    ];
    pinned("contracts.txt", texts.join("\n\n") + "\n");
    let tape = Tape::new();
    let x = of(&tape, &[2]);
    assert_eq!(tape.record(sin(), &[x]).value().unwrap().to_f64_vec(), x.sin().value().unwrap().to_f64_vec());
}
