//! What a tape promises: depth without recursion, one error, values that never change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Apply, LeafId, Tape, Var, reference};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{ErrorKind, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Recording, differentiating and dropping go through a million ops on a small stack.
#[test]
fn a_chain_of_a_million_ops() {
    let deep = || {
        let tape = Tape::new();
        let x = tape.scalar(0.5, DType::F64);
        let y = (0..1_000_000).fold(x, |y, _| y + x);
        let dx = tape.grad(y, x);
        assert!(tape.len() > 2_000_000);
        assert_eq!(reference::evaluate(&[dx]).unwrap()[0].item::<f64>().unwrap(), 1_000_001.0);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn the_first_error_stays_and_what_follows_is_inert() {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
    let w = tape.parameter(LeafId(12), &Tensor::from([[1.0f32; 3]; 3]));
    let before = tape.len();
    let y = x.flatten_from(1).matmul(w).tanh();
    let z = y.sum_axes(7) + x;
    assert_eq!(z.shape(), Shape::scalar());
    assert_eq!(tape.len(), before, "nothing is recorded after an error");
    tape.note(LeafId(12), "head.weight");
    let error = z.value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    let here = error.location().unwrap();
    assert!(here.file().ends_with("tape.rs"));
    let expected = format!(
        "matmul: inner dimensions differ: 2 and 3\n  left   [2, 2] f32   input\n  right  [3, 3] f32   parameter `head.weight`\n  \
         at     {here}"
    );
    assert_eq!(error.to_string(), expected);
    assert!(x.value().is_err(), "the whole tape has failed");
}

fn message(f: impl for<'t> FnOnce(Var<'t>) -> Var<'t>) -> String {
    let error = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]).apply(f).unwrap_err();
    assert!(error.location().is_some_and(|at| at.file().ends_with("tape.rs")), "{error}");
    let text = error.to_string();
    text.lines().filter(|line| !line.starts_with("  at ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn errors_say_what_was_written_why_it_cannot_be_and_the_mend() {
    let f64s = Tensor::from([1.0f64, 2.0, 3.0]);
    let cases = [
        message(|x| x + &Tensor::from([1.0f32, 2.0])),
        message(|x| x.exp() * &f64s),
        message(|x| x.sum_axes(2)),
        message(|x| x.sum_axes([0, -2])),
        message(|x| x.reshape([4, 2])),
        message(|x| x.matmul(x)),
        message(|x| x.matmul(2.0)),
        message(|x| x.slice(1, 2..9)),
        message(|x| x.gather(0, x)),
        message(|x| x.gather(0, Tensor::from([0i64, 2]))),
        message(|x| x.take_along(1, Tensor::from([[0i64], [-1]]))),
        message(|x| x.cast(DType::I64) + 0.5),
        message(|x| x.cast(DType::I64).sqrt()),
        message(|x| x.gt(0.0).sum()),
        message(|x| x.slice(0, ..0).max()),
        message(|x| x.slice(0, ..0).mean()),
        message(|x| x.tape().grad(x, x)),
        message(|x| x.tape().grad(x.argmax(0).sum(), x)),
        message(|x| x.tape().grad(x.sum(), x.cast(DType::I32))),
        message(|x| x.permute(&[0, 0])),
        message(|x| x.tape().concat(&[x, x.t()], 0)),
        message(|x| x.tape().concat(&[], 0)),
        message(|x| x.dropout(1.5)),
        message(|x| x.tape().uniform([2], DType::F32)),
        message(|x| x.broadcast_to([usize::MAX, 2, 3])),
        message(|x| x.cross_entropy(Tensor::from([0i64]))),
        message(|x| x.cross_entropy(Tensor::from([0i64, 5]))),
        message(|x| x.cross_entropy(Tensor::from([0.0f32, 1.0]))),
        message(|x| x.select(1.5, 0.0)),
        message(|x| x.logical_not()),
    ];
    let text = cases.join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors.txt");
    if std::env::var_os("UPDATE_ERRORS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(file).unwrap(), "run with UPDATE_ERRORS=1 and read the difference");
}

/// The order of the questions never changes an answer.
#[test]
fn values_do_not_depend_on_when_they_are_asked_for() -> Result<()> {
    let data = Tensor::from([0.3f32, -1.2, 2.0]);
    let build = |early: bool| -> Result<Vec<Vec<f32>>> {
        let tape = Tape::new();
        let x = tape.input(&data);
        let e = x.exp();
        let before = e * x;
        if early {
            e.value()?;
            before.value()?;
        }
        let y = (e + before).sum();
        if early {
            y.value()?;
        }
        let dx = tape.grad(y, x);
        if early {
            dx.value()?;
        }
        let ddx = tape.grad(dx.sum(), x);
        let values = tape.eval([e, before, y, dx, ddx])?;
        values.iter().map(|value| value.to_vec::<f32>()).collect()
    };
    assert_eq!(build(false)?, build(true)?);
    Ok(())
}

/// Two turns of a loop record the same structure; values, learning rates and keys are no part of it.
#[test]
fn the_structure_of_a_training_step_is_the_same_every_time() -> Result<()> {
    let step = |turn: u64| -> Result<Vec<u128>> {
        let tape = Tape::training(turn);
        let x = tape.input(&Tensor::from([[turn as f32, 1.0]]));
        let w = tape.parameter(LeafId(5), &Tensor::from([[0.1f32], [turn as f32]]));
        let loss = x.dropout(0.5).matmul(w).square().mean();
        let gradients = loss.backward();
        loss.item::<f32>()?;
        let new = w - gradients[LeafId(5)] * (0.1 / (1.0 + turn as f64));
        new.value()?;
        Ok(tape.structure())
    };
    assert_eq!(step(1)?, step(2)?);
    Ok(())
}

#[test]
fn a_parameter_is_one_node_until_its_value_changes() {
    let tape = Tape::new();
    let (old, new) = (Tensor::from([1.0f32]), Tensor::from([2.0f32]));
    let a = tape.parameter(LeafId(1), &old);
    let b = tape.parameter(LeafId(1), &old.clone());
    assert_eq!(tape.len(), 1);
    let c = tape.parameter(LeafId(1), &new);
    assert_eq!(tape.len(), 2);
    let gradients = (a * b * c).sum().backward();
    assert_eq!(gradients.len(), 1);
    assert_eq!(gradients.get(LeafId(1)).unwrap().item::<f32>().unwrap(), 1.0);
    assert!(gradients.get(LeafId(2)).is_none());
}

#[test]
fn what_a_loss_does_not_depend_on_has_the_gradient_zero() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([1.0f32, 2.0]));
    let unused = tape.parameter(LeafId(1), &Tensor::from([[3.0f32]]));
    let loss = x.floor().sum() + x.argmax(0).cast(DType::F32);
    let [dx, du] = tape.grad(loss, [x, unused]);
    assert_eq!((dx.value()?.to_vec::<f32>()?, du.value()?.to_vec::<f32>()?), (vec![0.0; 2], vec![0.0]));
    assert_eq!(loss.backward()[LeafId(1)].shape(), unused.shape());
    Ok(())
}

#[test]
fn an_operand_of_another_tape_is_an_error() {
    let (here, there) = (Tape::new(), Tape::new());
    let x = here.scalar(1.0, DType::F32);
    let y = there.scalar(1.0, DType::F32);
    assert_eq!((x + y).value().unwrap_err().kind(), ErrorKind::State);
    assert!(there.error().is_none());
    assert!(there.eval(&[y]).is_ok());
}

/// The conventions at kinks are PyTorch's.
#[test]
fn slopes_at_kinks() -> Result<()> {
    let slopes = |at: f64, f: fn(Var<'_>) -> Var<'_>| -> Result<f64> {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from(at));
        tape.grad(f(x), x).item::<f64>()
    };
    assert_eq!(slopes(0.0, |x| x.relu())?, 0.0);
    assert_eq!(slopes(0.0, |x| x.abs())?, 0.0);
    assert_eq!(slopes(0.0, |x| x.maximum(0.0))?, 0.5);
    assert_eq!(slopes(0.0, |x| x.minimum(0.0))?, 0.5);
    assert_eq!(slopes(0.0, |x| x.maximum(x))?, 1.0);
    assert_eq!(slopes(0.0, |x| x.leaky_relu(0.25))?, 0.25);
    assert_eq!(slopes(0.0, |x| x.elu(0.25))?, 0.25);
    assert_eq!(slopes(1.0, |x| x.clamp(-1.0, 1.0))?, 1.0);
    assert_eq!(slopes(1.0, |x| x.hardtanh(-1.0, 1.0))?, 0.0);
    assert_eq!(slopes(0.0, |x| x.norm())?, 0.0);
    assert_eq!(slopes(0.0, |x| x.hypot(x))?, 0.0);
    assert_eq!(slopes(0.0, |x| x.pow(2.0))?, 0.0);
    assert_eq!(slopes(0.0, |x| x.pow(0.0))?, 0.0);
    assert_eq!(slopes(0.0, |x| x.powi(3))?, 0.0);
    assert_eq!(slopes(0.0, |x| x.sqrt())?, f64::INFINITY);
    Ok(())
}

#[test]
fn compositions_agree_with_differences() -> Result<()> {
    use wengert_autograd::check_gradients;
    let x = &Tensor::from([[0.3f64, -1.2, 2.0], [0.7, 0.1, -0.4]]);
    let labels = Tensor::from([2i64, 0]);
    check_gradients(|[x]| x.softmax(-1), [x])?;
    check_gradients(|[x]| x.softmax(0), [x])?;
    check_gradients(|[x]| x.log_softmax(-1), [x])?;
    check_gradients(|[x]| x.logsumexp(0), [x])?;
    check_gradients(|[x]| x.cross_entropy(&labels), [x])?;
    check_gradients(|[x]| x.var_axes(-1), [x])?;
    check_gradients(|[x]| x.norm_keep(0), [x])?;
    check_gradients(|[x]| x.gelu() + x.gelu_exact() + x.silu() + x.mish() + x.softsign() + x.log_sigmoid(), [x])?;
    check_gradients(|[x]| x.leaky_relu(0.1) + x.elu(0.5) + x.selu() + x.clamp(-1.0, 1.0) + x.relu6(), [x])?;
    check_gradients(|[x, y]| x.powi(-3) * y.powi(2) + x.powi(0), [x, x])?;
    check_gradients(|[x]| x.tape().grad(x.softmax(-1).square().sum(), x), [x])?;
    check_gradients(|[x]| x.tape().grad(x.cross_entropy(&labels), x), [x])?;
    check_gradients(|[x]| x.tape().grad(x.gelu().sum(), x), [x])?;
    check_gradients(|[x]| x.tape().grad(x.prod(), x).slice(1, ..2), [x])?;
    Ok(())
}

#[test]
fn a_tape_is_recycled_clean() {
    for turn in 0..3 {
        let tape = Tape::new();
        assert!(tape.is_empty() && tape.parameters().is_empty() && tape.updates().is_empty(), "turn {turn}");
        let x = tape.parameter(LeafId(1), &Tensor::from([1.0f32]));
        tape.update(LeafId(2), x * 2.0);
        assert_eq!(tape.updates().len(), 1);
        let _scope = tape.scope("Net");
        x.sum_axes(5);
        assert!(tape.check().is_err());
    }
}

/// The layers of an error are those whose guards live, in whatever order others were dropped.
#[test]
fn a_layer_is_left_with_its_guard_whatever_the_order() {
    let names = ["Net", "Body", "Dense"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for dropped in 0..=3 {
            let tape = Tape::new();
            let x = tape.input(&Tensor::from([1.0f32]));
            let mut guards = names.map(|name| Some(tape.scope(name)));
            for &guard in &order[..dropped] {
                guards[guard] = None;
            }
            let alive: Vec<&str> = (0..3).filter(|&i| guards[i].is_some()).map(|i| names[i]).collect();
            let head = tape.scope(("head", "Dense"));
            let path = [&alive[..], &["head (Dense)"]].concat().join(" › ");
            drop(head);
            let inside = tape.scope(("head", "Dense"));
            x.sum_axes(5);
            assert_eq!(tape.error().unwrap().path(), Some(&*path), "{order:?}, {dropped} dropped");
            drop((guards, inside));
        }
    }
    let tape = Tape::new();
    let (outer, inner) = (tape.scope("Net"), tape.scope("Dense"));
    drop(outer);
    drop(inner);
    tape.input(&Tensor::from([1.0f32])).sum_axes(5);
    assert_eq!(tape.error().unwrap().path(), None);
}

/// Values at the edges of what is defined.
#[test]
fn edges_of_reductions_views_and_numbers() -> Result<()> {
    let none = Tensor::zeros([0, 3], DType::F32)?;
    assert!(!none.apply(|x| x.gt(0.0).any([0, 1]))?.item::<bool>()?);
    assert!(none.apply(|x| x.gt(0.0).all([0, 1]))?.item::<bool>()?);

    // 16-bit sums over several axes round once.
    let x = Tensor::from_fn([2, 2000], |i| if i < 2000 { 60f32 } else { -60.0 })?.cast(DType::F16)?;
    assert_eq!(x.apply(|x| x.sum().cast(DType::F32))?.item::<f32>()?, 0.0);
    let y = Tensor::from_fn([2, 2000], |i| {
        if i == 0 {
            3f32
        } else if i < 2000 {
            1.0
        } else {
            -1.0
        }
    })?;
    assert_eq!(y.cast(DType::BF16)?.apply(|y| y.sum().cast(DType::F32))?.item::<f32>()?, 2.0);

    // Long columns are summed in blocks.
    let column = Tensor::full([400_000, 2], 0.1f32)?;
    let sum = column.apply(|x| x.sum_axes(0))?.to_vec::<f32>()?[0];
    assert!((f64::from(sum) / (400_000.0 * f64::from(0.1f32)) - 1.0).abs() < 5e-6, "{sum}");

    // Nothing of a flipped value, read by a kernel.
    let padded = Tensor::from([1f32, 2.0]).apply(|x| x.flip(0).slice(0, ..0).pad(0, 1, 0, 0.0))?;
    assert_eq!(padded.to_vec::<f32>()?, [0.0]);

    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[1f64, 2.0], [3.0, 4.0]]));
    let [dx] = tape.grad(x.slice_step(0, .., 1 << 63).sum(), [x]);
    assert_eq!(dx.value()?.to_vec::<f64>()?, [1.0, 1.0, 0.0, 0.0]);

    let fails = |f: &dyn Fn(&Tape)| {
        let tape = Tape::new();
        f(&tape);
        tape.check().unwrap_err().to_string()
    };
    assert!(fails(&|tape| _ = tape.full([2], 0.5, DType::I64)).starts_with("full: 0.5 is no i64"));
    assert!(fails(&|tape| _ = tape.scalar(300.0, DType::U8)).starts_with("scalar: 300 is no u8"));
    let stacked = fails(&|tape| {
        let x = tape.input(&Tensor::from([1f32]));
        tape.stack(&[x, x], 9);
    });
    assert!(stacked.starts_with("stack: no place 9") && stacked.contains("tape.rs"), "{stacked}");
    let huge = fails(&|tape| {
        let x = tape.full([(1 << 60) - 1, 0], 0.0, DType::F32);
        tape.concat(&[x; 17], 0);
    });
    assert!(huge.starts_with("concat: the joined size overflows"), "{huge}");

    // An error may be retold by somebody who asks the tape.
    let tape = Tape::new();
    tape.full([2], 0.5, DType::I64);
    tape.amend(|error| tape.error().unwrap_or(error).help("as said"));
    assert!(tape.check().is_err());
    Ok(())
}

#[test]
fn terms_that_were_added_count_once() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([1.0f64, 2.0]));
    let sum = x.sum();
    assert_eq!(sum.with_added_losses().id(), sum.id());
    tape.add_loss(x.sum().cast(DType::F32));
    tape.add_loss(x.square().sum().reshape([1]));
    let loss = x.prod().with_added_losses();
    assert_eq!((loss.item::<f64>()?, loss.rank()), (10.0, 0));
    assert_eq!(x.prod().with_added_losses().item::<f64>()?, 2.0);

    // A closure for one example takes its own terms up, or says that they would be lost.
    let each = |taken: bool| {
        tape.vmap(x, |x| {
            tape.add_loss(x.square());
            if taken { x.with_added_losses() } else { x }
        })
    };
    assert_eq!(each(true).value()?.to_vec::<f64>()?, [2.0, 6.0]);
    each(false);
    let text = tape.check().unwrap_err().to_string();
    assert!(text.contains("stays behind in it") && text.contains("loss.with_added_losses()"), "{text}");

    // Also where it took up another one before.
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([1.0f64, 2.0]));
    tape.add_loss(x.sum());
    tape.vmap(x, |x| {
        let taken = x.with_added_losses();
        tape.add_loss(x.square());
        taken
    });
    let text = tape.check().unwrap_err().to_string();
    assert!(text.contains("stays behind in it"), "{text}");

    let tape = Tape::new();
    tape.add_loss(tape.input(&Tensor::from([1.0f64, 2.0])));
    let text = tape.check().unwrap_err().to_string();
    assert!(text.contains("a term of a loss is a single float, not [2] f64"), "{text}");
    Ok(())
}
