//! Recurrent layers: what the laws of all layers do not see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate wengert_nn as wengert;

mod support;

use support::assert_close;
use wengert_autograd::{Tape, Var, plan_clear, plan_stats};
use wengert_nn::grad_of::GradOf;
use wengert_nn::init::Init;
use wengert_nn::layer::Layer;
use wengert_nn::layers::bidirectional::{Bidirectional, MergeMode};
use wengert_nn::layers::conv_lstm::{ConvLstm1d, ConvLstm2d};
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::gru::{Gru, GruCell};
use wengert_nn::layers::lstm::{Lstm, LstmCell};
use wengert_nn::layers::recurrent::{Cell, Recurrent};
use wengert_nn::layers::rnn::{Rnn, RnnCell};
use wengert_nn::layers::stacked::{Repeated, Stacked};
use wengert_nn::loss::Loss;
use wengert_nn::losses::cross_entropy::CrossEntropy;
use wengert_nn::module::{Module, each_mut};
use wengert_nn::optim::adam::Adam;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed, normal_f64};
use wengert_tensor::tensor::Tensor;

fn draw(shape: &[usize], key: u64) -> Tensor {
    Tensor::from_fn(shape, |i| normal_f64(Key::new(key), i as u64)).unwrap()
}

fn draw_f32(shape: &[usize], key: u64) -> Tensor {
    draw(shape, key).cast(DType::F32).unwrap()
}

fn says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "`{word}` is missing in:\n{error}");
    }
}

/// The error of a layer for such an input.
fn refusal(layer: &dyn Layer, x: &Tensor) -> String {
    layer.predict(x).unwrap_err().to_string()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32).unwrap()
}

#[test]
fn a_training_step_compiles_one_plan_and_unrolls_nothing() -> Result<()> {
    let nodes_and_plans = |steps: usize| -> Result<(usize, usize, usize)> {
        let x = draw_f32(&[3, steps, 4], 1);
        let mut net = (Lstm::new(4, 8).layers(2).bidirectional().dropout(0.1), Dense::new(16, 1)).init(Seed(1))?;
        let (mut adam, mut nodes) = (Adam::new(1e-3), 0);
        plan_clear();
        let before = plan_stats().compiled;
        let mut plans = Vec::new();
        for step in 0..3 {
            let tape = Tape::training(step);
            let loss = net.forward(tape.input(&x)).square().mean();
            let gradients = loss.backward();
            nodes = tape.len();
            adam.step(&mut net, gradients)?;
            plans.push(plan_stats().compiled - before);
        }
        assert_eq!(plans[0], plans[2], "the second step compiles nothing");
        let tape = Tape::training(9);
        let gradients = net.forward(tape.input(&x)).square().mean().backward();
        let all: Vec<Var<'_>> = gradients.iter().map(|(_, gradient)| gradient).collect();
        Ok((nodes, plans[0] as usize, tape.report(&all)?.steps.len()))
    };
    let (short, long) = (nodes_and_plans(5)?, nodes_and_plans(64)?);
    assert_eq!(short, long);
    assert_eq!(long.1, 1, "one plan for all of the step");
    assert!(long.0 < 3000, "{} nodes", long.0);
    Ok(())
}

#[test]
fn lengths_cut_what_lies_behind_them() -> Result<()> {
    let lengths = [3i64, 5, 1];
    let x = draw(&[3, 5, 2], 1);
    let dirty = Tensor::from_fn([3, 5, 2], |i| match (i / 2 % 5) as i64 >= lengths[i / 10] {
        true => f64::NAN,
        false => x.to_f64_vec()[i],
    })?;
    let gru = Gru::new(2, 3).layers(2).bidirectional().with_dtype(DType::F64)?;
    let tape = Tape::new();
    let input = tape.input(&dirty);
    let (y, h) = gru.run_with_lengths(input, Tensor::from(lengths), None);
    let loss = y.square().sum() + h.sum();
    let gradients = loss.backward();
    for (name, param) in gru.parameters() {
        assert!(!gradients[param].value()?.has_nan(), "{name}");
    }
    assert!(!tape.grad(loss, input).value()?.has_nan());
    // Each sequence is what it is alone.
    for (n, &length) in lengths.iter().enumerate() {
        let alone = tape.input(&x).at(0, n).slice(0, ..length as usize);
        let (one, last) = gru.run(alone, None);
        let padded = y.at(0, n);
        let [one, cut, rest, last, state] =
            tape.eval([one, padded.slice(0, ..length as usize), padded.slice(0, length as usize..), last, h.at(1, n)])?;
        assert_eq!((one.to_f64_vec(), last.to_f64_vec()), (cut.to_f64_vec(), state.to_f64_vec()));
        assert!(rest.to_f64_vec().iter().all(|&v| v == 0.0));
    }
    // One sequence has a length of its own, without an axis.
    let (one, _) = gru.run_with_lengths(tape.input(&x).at(0, 0), Tensor::from(3i64), None);
    assert_eq!(one.value()?.to_f64_vec(), y.at(0, 0).value()?.to_f64_vec());
    Ok(())
}

/// Two pieces, the second from the last state of the first, are the whole.
#[test]
fn a_state_goes_on_where_the_last_piece_ended() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&draw_f32(&[2, 6, 3], 2));
    let lstm = Lstm::new(3, 4).layers(3).projection(2).init(Seed(2))?;
    let (whole, (h, c)) = lstm.run(x, None);
    let (_, state) = lstm.run(x.slice(1, ..2), None);
    let (rest, (h2, c2)) = lstm.run(x.slice(1, 2..), state);
    let [a, b] = tape.eval([whole.slice(1, 2..), rest])?;
    let [h, h2, c, c2] = tape.eval([h, h2, c, c2])?;
    assert_eq!(a.to_f64_vec(), b.to_f64_vec());
    assert_eq!((h.to_f64_vec(), c.to_f64_vec()), (h2.to_f64_vec(), c2.to_f64_vec()));
    assert_eq!((h.shape().dims(), c.shape().dims()), (&[3, 2, 2][..], &[3, 2, 4][..]));

    let cell = Recurrent::new((LstmCell::new(3, 4), GruCell::new(4, 2))).init(Seed(2))?;
    let (whole, ((_, _), h)) = cell.run(x, None);
    let (_, state) = cell.run(x.slice(1, ..2), None);
    let (rest, (_, h2)) = cell.run(x.slice(1, 2..), state);
    let [a, b, h, h2] = tape.eval([whole.slice(1, 2..), rest, h, h2])?;
    assert_eq!((a.to_f64_vec(), h.to_f64_vec()), (b.to_f64_vec(), h2.to_f64_vec()));
    Ok(())
}

#[test]
fn a_batch_of_single_sequences_is_a_batch() -> Result<()> {
    let (x, films) = (draw(&[3, 4, 2], 3), draw(&[2, 3, 2, 5], 3));
    let check_with = |layer: &dyn Layer, x: &Tensor| -> Result<()> {
        let tape = Tape::new();
        let x = tape.input(x);
        let each = tape.vmap(x, |x| layer.forward(x));
        let slopes = tape.vmap(x, |x| tape.grad(layer.forward(x).square().sum(), x));
        let all = layer.forward(x);
        let [each, all, slopes, whole] = tape.eval([each, all, slopes, tape.grad(all.square().sum(), x)])?;
        for (one, other) in [(each, all), (slopes, whole)] {
            assert_eq!(one.shape(), other.shape());
            for (a, b) in one.to_f64_vec().iter().zip(other.to_f64_vec()) {
                assert_close(*a, b, 1e-13, "vmap");
            }
        }
        Ok(())
    };
    let check = |layer: &dyn Layer| check_with(layer, &x);
    check(&Lstm::new(2, 3).layers(2).bidirectional().with_dtype(DType::F64)?)?;
    check(&Gru::new(2, 3).with_dtype(DType::F64)?)?;
    check_with(&ConvLstm1d::new(2, 3, 2).with_dtype(DType::F64)?, &films)?;
    // Each example has its length.
    let (gru, tape) = (Gru::new(2, 3).bidirectional().with_dtype(DType::F64)?, Tape::new());
    let (x, lengths) = (tape.input(&x), tape.input(&Tensor::from([2i64, 4, 1])));
    let each = tape.vmap((x, lengths), |(x, length)| gru.run_with_lengths(x, length, None).0);
    let [each, all] = tape.eval([each, gru.run_with_lengths(x, lengths, None).0])?;
    assert_eq!(each.to_f64_vec(), all.to_f64_vec());
    check(&Bidirectional::new(RnnCell::new(2, 3), GruCell::new(2, 3)).merge(MergeMode::Sum).with_dtype(DType::F64)?)
}

#[test]
fn gradients_of_every_example() -> Result<()> {
    let lstm = Lstm::new(2, 3).layers(2).bidirectional().last_only().with_dtype(DType::F64)?;
    let tape = Tape::new();
    let x = tape.input(&draw(&[3, 4, 2], 8));
    let norms = tape.vmap(x, |x| lstm.forward(x).square().sum().grad_of(&lstm).map(|g| g.square()).sum());
    let mut alone = Vec::new();
    for n in 0..3 {
        let gradients = lstm.forward(x.slice(0, n..n + 1)).square().sum().backward();
        let squares = gradients.iter().map(|(_, g)| g.square().sum().item::<f64>()).collect::<Result<Vec<f64>>>()?;
        alone.push(squares.iter().sum::<f64>());
    }
    for (ours, theirs) in norms.value()?.to_f64_vec().iter().zip(alone) {
        assert_close(*ours, theirs, 1e-12, "the square of the gradient of one example");
    }
    Ok(())
}

#[test]
fn a_compiled_step_has_the_bits_of_the_loop() -> Result<()> {
    let make = || (Gru::new(2, 4).layers(2).dropout(0.25).last_only(), Dense::new(4, 1)).init(Seed(6));
    let (x, lengths) = (draw_f32(&[3, 5, 2], 9), Tensor::from([2i64, 5, 1]));
    fn loss<'t>(net: &(Gru, Dense), x: Var<'t>, lengths: Var<'t>) -> Var<'t> {
        let (_, h) = net.0.run_with_lengths(x, lengths, None);
        (net.1.forward(h.at(0, 1)) - 1.0).square().mean()
    }
    let (mut plain, mut net) = (Adam::new(0.01), make()?);
    let (mut compiled, mut other) = (Adam::new(0.01).compile(|net, _, [x, n]| loss(net, x, n)).seed(6), make()?);
    for step in 0..4u64 {
        let tape = Tape::training(Key::new(6).fold(step));
        let gradients = loss(&net, tape.input(&x), tape.input(&lengths)).backward();
        let wanted = plain.step(&mut net, gradients)?;
        assert_eq!(compiled.run(&mut other, [&x, &lengths])?.to_bits(), wanted.to_bits());
    }
    for ((name, a), (_, b)) in net.parameters().into_iter().zip(other.parameters()) {
        assert!(a.value().equals(b.value()), "{name}");
    }
    Ok(())
}

/// Second and third derivatives, and forward mode, by differences.
#[test]
fn derivatives_of_higher_order() -> Result<()> {
    let check = |layer: &dyn Layer| -> Result<()> {
        let (x, along) = (draw(&[2, 3, 2], 4), draw(&[2, 3, 2], 5));
        let at = |step: f64| -> Result<[f64; 4]> {
            let tape = Tape::new();
            let along = tape.input(&along);
            let x = tape.input(&x) + along * step;
            let y = layer.forward(x).square().sum();
            let first = (tape.grad(y, x) * along).sum();
            let second = (tape.grad(first, x) * along).sum();
            let third = (tape.grad(second, x) * along).sum();
            let (_, forward) = tape.jvp(|x| layer.forward(x).square().sum(), x, along);
            let [y, first, second, forward] = tape.eval([y, first, second, forward])?;
            assert_close(forward.item::<f64>()?, first.item::<f64>()?, 1e-12, "forward mode");
            Ok([y.item()?, first.item()?, second.item()?, third.item()?])
        };
        let (low, mid, high) = (at(-1e-4)?, at(0.0)?, at(1e-4)?);
        for order in 0..3 {
            let difference = (high[order] - low[order]) / 2e-4;
            assert_close(mid[order + 1], difference, 1e-5, &format!("derivative {}", order + 1));
        }
        Ok(())
    };
    check(&Lstm::new(2, 2).bidirectional().with_dtype(DType::F64)?)?;
    check(&Gru::new(2, 2).layers(2).with_dtype(DType::F64)?)?;
    check(&Rnn::new(2, 2).with_dtype(DType::F64)?)
}

#[test]
fn every_float_dtype_runs_and_trains() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        let layers: [Box<dyn Layer>; 4] = [
            Box::new(Lstm::new(3, 4).layers(2).bidirectional().projection(2).with_dtype(dtype)?),
            Box::new(Gru::new(3, 4).reset_before().with_dtype(dtype)?),
            Box::new(Rnn::new(3, 4).relu().with_dtype(dtype)?),
            Box::new(Recurrent::new((GruCell::new(3, 4), LstmCell::new(4, 2))).with_dtype(dtype)?),
        ];
        for layer in layers {
            let tape = Tape::training(1);
            let y = layer.forward(tape.input(&draw(&[2, 5, 3], 6).cast(dtype)?));
            assert_eq!(y.dtype(), dtype);
            let gradients = y.square().mean().backward();
            for (name, param) in layer.parameters() {
                assert!(gradients[param].value()?.to_f64_vec().iter().all(|g| g.is_finite()), "{dtype} {name}");
            }
        }
        let gru = Gru::new(3, 4).with_dtype(dtype)?;
        let tape = Tape::new();
        let (y, h) = gru.run_with_lengths(tape.input(&zeros(&[2, 5, 3]).cast(dtype)?), Tensor::from([1i64, 5]), None);
        assert_eq!((y.value()?.dtype(), h.value()?.dtype()), (dtype, dtype));
    }
    Ok(())
}

/// The label is the first symbol; what follows it is noise.
#[test]
fn an_lstm_remembers_the_first_symbol() -> Result<()> {
    const STEPS: usize = 12;
    let symbol = |n: usize, t: usize| (normal_f64(Key::new(n as u64), t as u64) * 1e3) as i64 as usize % 4;
    let batch = |from: usize| -> Result<(Tensor, Tensor)> {
        let hot = |i: usize| f32::from(u8::from(symbol(from + i / (4 * STEPS), i / 4 % STEPS) == i % 4));
        let labels: Vec<i64> = (0..32).map(|n| symbol(from + n, 0) as i64).collect();
        Ok((Tensor::from_fn([32, STEPS, 4], hot)?, Tensor::from(labels)))
    };
    let mut net = (Lstm::new(4, 16).forget_bias(2.0).last_only(), Dense::new(16, 4)).init(Seed(4))?;
    let mut adam = Adam::new(0.02);
    for step in 0..60 {
        let (x, labels) = batch(1000 * step)?;
        let tape = Tape::training(step as u64);
        let loss = CrossEntropy::new().loss(net.forward(tape.input(&x)), tape.input(&labels));
        adam.step(&mut net, loss.backward())?;
    }
    let (x, labels) = batch(1_000_000)?;
    let tape = Tape::new();
    let loss = CrossEntropy::new().loss(net.forward(tape.input(&x)), tape.input(&labels)).item::<f32>()?;
    assert!(loss < 0.1, "{loss}");
    Ok(())
}

/// The label is the last symbol before the padding.
#[test]
fn a_gru_with_lengths_finds_the_ends() -> Result<()> {
    let draw = |n: usize, what: u64| (normal_f64(Key::new(n as u64), what).abs() * 1e3) as usize;
    let mut net = (Gru::new(1, 8), Dense::new(8, 1)).init(Seed(5))?;
    let mut adam = Adam::new(0.02);
    let mut error = f64::INFINITY;
    for step in 0..80 {
        let length = |n: usize| 1 + draw(100 * step + n, 0) % 6;
        let value = |n: usize, t: usize| draw(100 * step + n, 1 + t as u64) as f32 % 3.0 - 1.0;
        let x = Tensor::from_fn([32, 6, 1], |i| if i % 6 < length(i / 6) { value(i / 6, i % 6) } else { 7.0 })?;
        let lengths = Tensor::from_fn([32], |n| length(n) as i64)?;
        let ends = Tensor::from_fn([32, 1], |n| value(n, length(n) - 1))?;
        let tape = Tape::training(step as u64);
        let (_, h) = net.0.run_with_lengths(tape.input(&x), &lengths, None);
        let loss = (net.1.forward(h.at(0, 0)) - tape.input(&ends)).square().mean();
        error = adam.step(&mut net, loss.backward())?;
    }
    assert!(error < 0.05, "{error}");
    Ok(())
}

#[test]
fn settings_choose_what_is_drawn() -> Result<()> {
    let lstm = Lstm::new(3, 4).layers(2).forget_bias(1.0).weight_init(Init::Ones).recurrent_init(Init::Zeros);
    for (name, param) in lstm.parameters() {
        let values = param.value().to_f64_vec();
        let wanted = |i: usize| match &*name {
            "bias_hh_l0" | "bias_hh_l1" => f64::from(u8::from(i / 4 == 1)),
            "weight_ih_l0" | "weight_ih_l1" => 1.0,
            _ => 0.0,
        };
        assert!(values.iter().enumerate().all(|(i, v)| *v == wanted(i)), "{name}: {values:?}");
    }
    // Without a choice, all is uniform on ±1/√hidden.
    let gru = Gru::new(3, 4).bidirectional().bias_init(Init::Constant(0.25)).init(Seed(1))?;
    for (name, param) in gru.parameters() {
        let (values, bias) = (param.value().to_f64_vec(), name.starts_with("bias"));
        assert!(values.iter().all(|v| v.abs() <= 0.5 && (!bias || *v == 0.25)), "{name}");
        assert!(bias || values.iter().any(|v| v.abs() > 0.4), "{name}");
    }
    assert_eq!((gru.inputs(), gru.outputs(), gru.cells().len()), (3, 8, 2));
    // The order of settings does not matter.
    let names =
        |lstm: Lstm| lstm.parameters().into_iter().map(|(name, p)| (name, p.shape().clone())).collect::<Vec<_>>();
    let one = Lstm::new(3, 4).layers(2).bidirectional().projection(2).without_bias();
    let other = Lstm::new(3, 4).without_bias().projection(2).bidirectional().layers(2);
    assert_eq!(names(one), names(other));
    Ok(())
}

#[test]
fn dropout_lies_between_layers_while_training() -> Result<()> {
    let ones = |lstm: Lstm| -> Result<Lstm> {
        let mut lstm = lstm;
        each_mut(&mut lstm, &mut |_, param| param.set(Tensor::ones(param.shape(), param.dtype()).unwrap()).unwrap());
        Ok(lstm)
    };
    let x = draw_f32(&[2, 4, 3], 7);
    let value =
        |lstm: &Lstm, tape: Tape| -> Result<Vec<f64>> { Ok(lstm.forward(tape.input(&x)).value()?.to_f64_vec()) };
    let (one, two) = (ones(Lstm::new(3, 4).dropout(0.5))?, ones(Lstm::new(3, 4).layers(2).dropout(0.5))?);
    assert_eq!(value(&one, Tape::training(1))?, value(&one, Tape::new())?);
    assert_ne!(value(&two, Tape::training(1))?, value(&two, Tape::new())?);
    assert_eq!(value(&two, Tape::training(1))?, value(&two, Tape::training(1))?);
    assert_ne!(value(&two, Tape::training(1))?, value(&two, Tape::training(2))?);
    Ok(())
}

/// hₜ = 1 + m hₜ₋₁ with weights of one: m is 0 or 2, for a feature of a sequence and all of its steps.
#[test]
fn recurrent_dropout_silences_the_same_features_at_every_step() -> Result<()> {
    let mut rnn = Rnn::new(1, 1).relu().without_bias().recurrent_dropout(0.5);
    each_mut(&mut rnn, &mut |_, param| param.set(Tensor::ones(param.shape(), param.dtype()).unwrap()).unwrap());
    let x = Tensor::ones([64, 4, 1], DType::F32)?;
    let rows = |tape: Tape| -> Result<Vec<Vec<f64>>> {
        let y = rnn.forward(tape.input(&x)).value()?.to_f64_vec();
        Ok(y.chunks(4).map(<[f64]>::to_vec).collect())
    };
    let rows_in_training = rows(Tape::training(3))?;
    let kept = rows_in_training.iter().filter(|row| ***row == [1.0, 3.0, 7.0, 15.0]).count();
    let silent = rows_in_training.iter().filter(|row| ***row == [1.0; 4]).count();
    assert_eq!(kept + silent, 64);
    assert!((16..48).contains(&kept), "{kept}");
    assert!(rows(Tape::new())?.iter().all(|row| **row == [1.0, 2.0, 3.0, 4.0]));

    let x = draw_f32(&[2, 5, 3], 1);
    let layers: [Box<dyn Layer>; 2] = [
        Box::new(Lstm::new(3, 4).projection(2).bidirectional().layers(2).recurrent_dropout(0.3)),
        Box::new(Gru::new(3, 4).reset_before().recurrent_dropout(0.3)),
    ];
    for layer in layers {
        let value = |tape: Tape| layer.forward(tape.input(&x)).value();
        assert!(value(Tape::training(1))?.equals(&value(Tape::training(1))?));
        assert!(!value(Tape::training(1))?.equals(&value(Tape::training(2))?));
    }
    says(&refusal(&Gru::new(3, 4).recurrent_dropout(1.0), &x), &["probability of 1", "state", "below 1"]);
    Ok(())
}

/// The edges of time and batch.
#[test]
fn one_step_and_one_sequence() -> Result<()> {
    let lstm = Lstm::new(3, 4).layers(2).bidirectional().init(Seed(1))?;
    for shape in [&[1, 1, 3][..], &[5, 1, 3], &[1, 5, 3], &[0, 5, 3]] {
        let y = lstm.predict(&zeros(shape))?;
        assert_eq!(y.shape().dims(), [shape[0], shape[1], 8]);
    }
    let tape = Tape::new();
    let (y, (h, c)) = lstm.run(tape.input(&zeros(&[5, 3])), None);
    assert_eq!((y.value()?.shape().dims(), h.value()?.shape().dims()), (&[5, 8][..], &[4, 4][..]));
    let (y, _) = lstm.run(tape.input(&zeros(&[5, 3])), (h, c));
    assert_eq!(y.value()?.shape().dims(), [5, 8]);
    // A cell takes one example, too.
    let cell = GruCell::new(3, 4);
    let (y, h) = cell.run(tape.input(&zeros(&[3])), None);
    let (y, _) = cell.run(tape.input(&zeros(&[3])), Some(y + h));
    assert_eq!(y.value()?.shape().dims(), [4]);
    Ok(())
}

#[test]
fn constructors_refuse_sizes_without_weights() {
    let x = zeros(&[2, 4, 3]);
    for (inputs, hidden) in [(0, 4), (3, 0), (0, 0)] {
        let said = format!("{inputs} to {hidden} features");
        says(&refusal(&Lstm::new(inputs, hidden), &x), &["Lstm", &said, "at least 1", "tests/recurrent.rs"]);
        says(&refusal(&Gru::new(inputs, hidden).layers(2).bidirectional(), &x), &["Gru", &said]);
        says(&refusal(&Rnn::new(inputs, hidden).without_bias(), &x), &["Rnn", &said]);
        says(&refusal(&Recurrent::new(GruCell::new(inputs, hidden)), &x), &["GruCell", &said]);
    }
    for layers in [0, usize::MAX] {
        says(&refusal(&Rnn::new(3, 4).layers(layers), &x), &["Rnn", &format!("{layers} layers"), "at least 1"]);
    }
    assert!(Rnn::new(3, 4).layers(0).layers(2).predict(&x).is_ok(), "a later setting mends it");
    for size in [0, 4, 5] {
        says(
            &refusal(&Lstm::new(3, 4).projection(size), &x),
            &["projection of 4 features", &format!("to {size}"), "fewer"],
        );
    }
    for p in [1.0, -0.1, f64::NAN, f64::INFINITY] {
        says(&refusal(&Gru::new(3, 4).layers(2).dropout(p), &x), &["probability", "at least 0 and below 1"]);
    }
    says(&refusal(&Lstm::new(3, 4).forget_bias(f64::NAN), &x), &["a forget bias of NaN"]);
    assert!(Lstm::new(usize::MAX, 2).predict(&x).is_err());
    assert!(Lstm::new(2, usize::MAX).predict(&x).is_err());
    says(&refusal(&ConvLstm2d::new(3, 0, 3), &zeros(&[1, 2, 3, 4, 4])), &["no weights"]);
}

#[test]
fn inputs_that_do_not_fit_are_refused() -> Result<()> {
    let lstm = Lstm::new(3, 4).layers(2);
    says(&refusal(&lstm, &zeros(&[2, 5, 4])), &["Lstm", "takes 3 inputs, not 4", "Lstm::new(4, 4)", "recurrent.rs"]);
    says(
        &refusal(&Recurrent::new(GruCell::new(3, 4)), &zeros(&[2, 5, 4])),
        &["takes 3 inputs, not 4", "GruCell::new(4, 4)"],
    );
    says(&refusal(&lstm, &zeros(&[3])), &["[batch, time, …]", "[3]"]);
    says(&refusal(&lstm, &zeros(&[2, 2, 5, 3])), &["[batch, time, …] with 3 axes", "[2, 2, 5, 3]"]);
    says(&refusal(&lstm.clone().time_first(), &zeros(&[2, 2, 5, 3])), &["[time, batch, …] with 3 axes"]);
    says(&refusal(&lstm, &zeros(&[])), &["features"]);
    says(&refusal(&lstm, &zeros(&[2, 0, 3])), &["without a step"]);
    says(&refusal(&lstm, &draw(&[2, 5, 3], 1)), &["f32", "f64"]);
    says(&refusal(&ConvLstm2d::new(3, 2, 3), &zeros(&[2, 5, 3])), &["[batch, time, …] with 5 axes"]);
    let uneven = Bidirectional::new(GruCell::new(3, 4), GruCell::new(3, 5)).merge(MergeMode::Average);
    says(&refusal(&uneven, &zeros(&[2, 5, 3])), &["two cells", "same number of outputs"]);
    Ok(())
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let refused = |lengths: &Tensor| {
        let (gru, tape) = (Gru::new(3, 4), Tape::new());
        let (y, h) = gru.run_with_lengths(tape.input(&zeros(&[2, 5, 3])), lengths, None);
        let error = tape.eval([y, h]).unwrap_err().to_string();
        let cell = Recurrent::new(GruCell::new(3, 4));
        let tape = Tape::new();
        assert!(cell.run_with_lengths(tape.input(&zeros(&[2, 5, 3])), lengths, None).1.value().is_err());
        error
    };
    says(&refused(&Tensor::from([0i64, 5])), &["length - 1 = -1 at 0 is outside 0..5"]);
    says(&refused(&Tensor::from([5i64, 6])), &["length - 1 = 5 at 1 is outside 0..5"]);
    says(&refused(&Tensor::from([-3i64, 5])), &["length - 1 = -4", "0..5"]);
    says(&refused(&Tensor::from([i64::MIN, 5])), &["outside 0..5"]);
    says(&refused(&Tensor::from([1f32, 5.0])), &["lengths [2] i64", "f32"]);
    says(&refused(&Tensor::from([1i32, 5])), &["lengths [2] i64", "i32"]);
    says(&refused(&Tensor::from([1i64, 5, 2])), &["lengths [2] i64, not [3]", "from 1"]);
    says(&refused(&Tensor::from(2i64)), &["lengths [2] i64, not []"]);
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let refused = |h: &[usize], c: &[usize]| {
        let (lstm, tape) = (Lstm::new(3, 4).layers(2).bidirectional(), Tape::new());
        let (y, _) = lstm.run(tape.input(&zeros(&[2, 5, 3])), (tape.input(&zeros(h)), tape.input(&zeros(c))));
        y.value().unwrap_err().to_string()
    };
    let right = &[4, 2, 4];
    says(&refused(&[2, 2, 4], right), &["state h of [4, 2, 4] f32, not [2, 2, 4]", "layers · directions"]);
    says(&refused(right, &[4, 2, 5]), &["state c of [4, 2, 4]", "[4, 2, 5]"]);
    says(&refused(right, &[4, 1, 4]), &["state c of [4, 2, 4]"]);
    says(&refused(&[2, 4], right), &["state h of [4, 2, 4]"]);
    says(&refused(&[], right), &["state h of [4, 2, 4]"]);

    for (shape, said) in [(&[2, 4][..], "[2, 4]"), (&[4], "[4]"), (&[], "[]")] {
        let (gru, tape) = (Gru::new(3, 4), Tape::new());
        let (y, _) = gru.run(tape.input(&zeros(&[5, 3])), tape.input(&zeros(shape)));
        let said = format!("state h of [1, 4] f32, not {said} f32");
        says(&y.value().unwrap_err().to_string(), &[&said, "no batch for one sequence"]);
    }
    let (gru, tape) = (Gru::new(3, 4), Tape::new());
    let (y, _) = gru.run(tape.input(&zeros(&[2, 5, 3])), tape.input(&draw(&[1, 2, 4], 1)));
    says(&y.value().unwrap_err().to_string(), &["[1, 2, 4] f32", "f64"]);

    let (cell, tape) = (Recurrent::new(LstmCell::new(3, 4)), Tape::new());
    let state = (tape.input(&zeros(&[2, 3])), tape.input(&zeros(&[2, 4])));
    let (y, _) = cell.run(tape.input(&zeros(&[2, 5, 3])), state);
    says(&y.value().unwrap_err().to_string(), &["LstmCell", "state h of [2, 4], not [2, 3]", "tests/recurrent.rs"]);

    let (film, tape) = (ConvLstm2d::new(1, 2, 3), Tape::new());
    let state = (tape.input(&zeros(&[1, 2, 2, 2])), tape.input(&zeros(&[1, 2, 3, 2])));
    let (y, _) = film.run(tape.input(&zeros(&[1, 2, 1, 4, 4])), state);
    says(&y.value().unwrap_err().to_string(), &["state c of [1, 2, 2, 2], not [1, 2, 3, 2]", "ConvLstm2d"]);
}

/// A cell of one's own whose state changes its shape.
#[derive(Module)]
struct Growing;

impl Cell for Growing {
    type State<'t> = [Var<'t>; 1];

    fn begin<'t>(&self, x: Var<'t>) -> [Var<'t>; 1] {
        [x]
    }

    fn step<'t>(&self, x: Var<'t>, [h]: [Var<'t>; 1]) -> (Var<'t>, [Var<'t>; 1]) {
        let next = x.tape().concat(&[h, x], -1);
        (next, [next])
    }
}

/// One that counts its steps, with a state that is no float, and says what it read.
#[derive(Module)]
struct Counting;

impl Cell for Counting {
    type State<'t> = (Var<'t>, [Var<'t>; 1]);

    fn begin<'t>(&self, x: Var<'t>) -> (Var<'t>, [Var<'t>; 1]) {
        (x.tape().full([x.dim(0)], 0.0, DType::I64), [x.zeros_like()])
    }

    fn step<'t>(&self, x: Var<'t>, (n, [sum]): (Var<'t>, [Var<'t>; 1])) -> (Var<'t>, (Var<'t>, [Var<'t>; 1])) {
        (sum + x, (n + 1, [sum + x]))
    }
}

#[test]
fn cells_of_ones_own() -> Result<()> {
    let error = refusal(&Recurrent::new(Growing), &zeros(&[2, 5, 3]));
    says(&error, &["before the step", "keeps its shape"]);

    let tape = Tape::new();
    let x = tape.input(&Tensor::ones([3, 4, 2], DType::F32)?);
    let (y, (n, [sum])) = Recurrent::new(Counting).run_with_lengths(x, Tensor::from([2i64, 4, 1]), None);
    assert_eq!(n.value()?.to_vec::<i64>()?, [2, 4, 1]);
    assert_eq!(sum.value()?.to_vec::<f32>()?, [2.0, 2.0, 4.0, 4.0, 1.0, 1.0]);
    let (y, slope) = (y.at(2, 0).value()?, tape.grad(y.sum(), x).at(2, 0).value()?);
    assert_eq!(y.to_vec::<f32>()?, [1.0, 2.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(slope.to_vec::<f32>()?, [2.0, 1.0, 0.0, 0.0, 4.0, 3.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    let both = Bidirectional::new(Counting, RnnCell::new(2, 2)).merge(MergeMode::Multiply);
    assert_eq!(both.predict(&zeros(&[3, 4, 2]))?.shape().dims(), [3, 4, 2]);
    Ok(())
}

/// Layers of one kind take the same calls, so what is generic over them can be written.
#[test]
fn layers_can_be_written_over_the_kind_of_cell() -> Result<()> {
    fn deep<C: Repeated>() -> Stacked<C> {
        Stacked::new(2, 3).layers(2).without_bias()
    }
    let x = zeros(&[1, 2, 2]);
    let shapes = [deep::<RnnCell>().predict(&x)?, deep::<GruCell>().predict(&x)?, deep::<LstmCell>().predict(&x)?];
    assert!(shapes.iter().all(|y| y.shape().dims() == [1, 2, 3]));
    Ok(())
}
