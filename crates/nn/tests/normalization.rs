//! Models with normalisations, trained.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Tape, Var, plan_clear, plan_stats};
use wengert_nn::layer::Layer;
use wengert_nn::layers::activation::Relu;
use wengert_nn::layers::batch_norm::BatchNorm;
use wengert_nn::layers::conv::Conv2d;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::flatten::Flatten;
use wengert_nn::layers::group_norm::GroupNorm;
use wengert_nn::layers::instance_norm::InstanceNorm;
use wengert_nn::layers::layer_norm::LayerNorm;
use wengert_nn::layers::rms_norm::RmsNorm;
use wengert_nn::layers::spectral_norm::SpectralNorm;
use wengert_nn::layers::weight_norm::WeightNorm;
use wengert_nn::module::Module;
use wengert_nn::optim::adam::Adam;
use wengert_nn::optim::sgd::Sgd;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed};
use wengert_tensor::tensor::Tensor;

type Net = (Dense, BatchNorm, Relu, Dense);

fn net() -> Result<Net> {
    (Dense::new(3, 8).without_bias(), BatchNorm::new(8), Relu, Dense::new(8, 1)).init(Seed(3))
}

fn data(step: u64) -> Result<[Tensor; 2]> {
    let x = Tensor::normal([16, 3], DType::F32, step + 1)?;
    let y = Tensor::from_fn([16, 1], |i| (i % 3) as f32)?;
    Ok([x, y])
}

#[test]
fn the_running_statistics_are_committed_by_one_plan() -> Result<()> {
    let (mut net, mut optimizer) = (net()?, Sgd::new(0.05));
    let (mut mean, mut var) = (vec![0.0; 8], vec![1.0; 8]);
    plan_clear();
    let compiled = plan_stats().compiled;
    for step in 0..10 {
        let [x, y] = data(step)?;
        let weight = net.0.weight.value().clone();
        let tape = Tape::training(step);
        let loss = (net.forward(tape.input(&x)) - &y).square().mean();
        optimizer.step(&mut net, loss.backward())?;

        // By hand, in f64.
        let (x, w) = (x.to_f64_vec(), weight.to_f64_vec());
        for channel in 0..8 {
            let h: Vec<f64> =
                (0..16).map(|row| (0..3).map(|i| x[row * 3 + i] * w[channel * 3 + i]).sum::<f64>()).collect();
            let m = h.iter().sum::<f64>() / 16.0;
            mean[channel] = 0.9 * mean[channel] + 0.1 * m;
            var[channel] = 0.9 * var[channel] + 0.1 * h.iter().map(|h| (h - m).powi(2)).sum::<f64>() / 15.0;
        }
    }
    assert_eq!(plan_stats().compiled - compiled, 1);
    let norm = &net.1;
    let kept = [&norm.running_mean, &norm.running_var].map(|buffer| buffer.as_ref().unwrap().value().to_f64_vec());
    for (ours, theirs) in kept.iter().flatten().zip(mean.iter().chain(&var)) {
        assert!((ours - theirs).abs() < 1e-5, "{ours} is not {theirs}");
    }
    assert_eq!(norm.num_batches_tracked.as_ref().unwrap().value().item::<i64>()?, 10);

    // In evaluation an example is predicted by itself, and nothing moves.
    let [x, _] = data(0)?;
    let all = net.predict(&x)?;
    let one = net.predict(&Tensor::new(&x.to_vec::<f32>()?[..3], [1, 3])?)?;
    assert!((all.to_f64_vec()[0] - one.to_f64_vec()[0]).abs() < 1e-6);
    assert!(net.predict(&x)?.equals(&all));
    Ok(())
}

#[test]
fn a_compiled_step_has_the_bits_of_the_plain_loop() -> Result<()> {
    let net = || {
        let body = (SpectralNorm::new(Dense::new(3, 8)), BatchNorm::new(8).cumulative_average(), Relu);
        (body, WeightNorm::new(Dense::new(8, 1))).init(Seed(3))
    };
    let [x, _] = data(1)?;
    let (mut plain, mut adam) = (net()?, Adam::new(0.01));
    let (mut fast, mut step) = (net()?, Adam::new(0.01).compile(|net, _, [x]| loss_of(net, x)));
    for _ in 0..5 {
        let tape = Tape::training(0u64);
        let loss = loss_of(&plain, tape.input(&x));
        adam.step(&mut plain, loss.backward())?;
        step.run(&mut fast, [&x])?;
    }
    let start = net()?;
    for (((name, a), (_, b)), (_, start)) in plain.state().into_iter().zip(fast.state()).zip(start.state()) {
        assert!(a.value().equals(b.value()), "{name}");
        assert!(!a.value().equals(start.value()), "{name} has not moved");
    }
    Ok(())
}

type Deep = ((SpectralNorm<Dense>, BatchNorm, Relu), WeightNorm<Dense>);

fn loss_of<'t>(net: &Deep, x: Var<'t>) -> Var<'t> {
    (net.forward(x) - 1.0).square().mean()
}

#[test]
fn a_computed_value_stands_in_for_a_parameter() -> Result<()> {
    let dense = Dense::new(1, 1).without_bias().with_dtype(DType::F64)?;
    let tape = Tape::new();
    let x = tape.full([1, 1], 1.0, DType::F64);
    let w = dense.weight.on(&tape);
    let ask = || (dense.forward(x) / w).sum().item::<f64>();
    let (two, three) = (tape.substitute(dense.weight.id(), w * 2.0), tape.substitute(dense.weight.id(), w * 3.0));
    assert!((ask()? - 3.0).abs() < 1e-12);
    let [y] = [dense.forward(x).sum()];
    drop(two);
    assert!((ask()? - 3.0).abs() < 1e-12);
    drop(three);
    assert!((ask()? - 1.0).abs() < 1e-12);
    assert_eq!(y.backward().at(dense.weight.id()).value()?.to_f64_vec(), [3.0]);

    let _wrong = tape.substitute(dense.weight.id(), w.sum());
    let text = dense.forward(x).value().unwrap_err().to_string();
    assert!(text.contains("[] f64 stands in for a parameter that is [1, 1] f64"), "{text}");
    Ok(())
}

#[test]
fn a_step_that_is_refused_leaves_the_running_statistics() -> Result<()> {
    let (mut net, mut optimizer) = (net()?, Sgd::new(f64::NAN));
    let before: Vec<Tensor> = net.state().into_iter().map(|(_, param)| param.value().clone()).collect();
    let [x, _] = data(1)?;
    let tape = Tape::training(0u64);
    let loss = net.forward(tape.input(&x)).square().mean();
    assert!(optimizer.step(&mut net, loss.backward()).is_err());
    for ((name, param), before) in net.state().into_iter().zip(before) {
        assert!(param.value().equals(&before), "{name}");
    }
    Ok(())
}

/// Every normalisation in one network, in f64, f32 and bf16.
#[test]
fn a_network_of_all_kinds_learns_in_every_dtype() -> Result<()> {
    for dtype in [DType::F64, DType::F32, DType::BF16] {
        let images = (
            SpectralNorm::new(Conv2d::new(1, 4, 3)),
            BatchNorm::new(4),
            Relu,
            InstanceNorm::new(4).affine().with_running_statistics(),
            GroupNorm::new(2, 4),
        );
        let rows = (
            Flatten,
            WeightNorm::new(Dense::new(64, 16)),
            LayerNorm::new([16]),
            Relu,
            RmsNorm::new([16]),
            Dense::new(16, 1),
        );
        let mut net = (images, rows).init(Seed(1))?.with_dtype(dtype)?;
        let x = Tensor::normal([8, 1, 6, 6], DType::F32, Key::new(2))?.cast(dtype)?;
        let y = Tensor::from_fn([8, 1], |i| (i % 2) as f32)?.cast(dtype)?;
        let mut optimizer = Adam::new(0.01);
        let mut losses = Vec::new();
        plan_clear();
        let compiled = plan_stats().compiled;
        for step in 0..30u64 {
            let tape = Tape::training(step);
            let loss = (net.forward(tape.input(&x)) - &y).square().mean();
            losses.push(optimizer.step(&mut net, loss.backward())?);
        }
        assert_eq!(plan_stats().compiled - compiled, 1, "{dtype}");
        assert!(losses[29] < 0.3 * losses[0], "{dtype}: {losses:?}");
        assert!(!net.predict(&x)?.has_nan() && net.predict(&x)?.dtype() == dtype);
    }
    Ok(())
}

/// A model that computes in bf16 and keeps its norms in f32, as mixed precision has it.
#[test]
fn norms_in_f32_take_inputs_of_16_bits() -> Result<()> {
    let x = Tensor::normal([8, 4, 3], DType::F32, Key::new(2))?;
    let half = x.cast(DType::BF16)?;
    let layers: [Box<dyn Layer>; 5] = [
        Box::new(BatchNorm::new(4)),
        Box::new(InstanceNorm::new(4).affine()),
        Box::new(GroupNorm::new(2, 4)),
        Box::new(LayerNorm::new([4, 3])),
        Box::new(RmsNorm::new([3])),
    ];
    for layer in layers {
        let (wide, narrow) = (layer.predict(&x)?, layer.predict(&half)?);
        assert_eq!(narrow.dtype(), DType::BF16);
        assert!(narrow.cast(DType::F32)?.max_abs_diff(&wide)? < 0.05, "{}", layer.type_name());
    }
    Ok(())
}

#[test]
fn second_derivatives_go_through() -> Result<()> {
    let norm = LayerNorm::new([3]).with_dtype(DType::F64)?;
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([[0.5f64, -1.0, 2.0]]));
    let mix = tape.input(&Tensor::from([[1.0f64, 2.0, -0.5]]));
    let first = |x: Var<'_>| -> Result<Vec<f64>> {
        let [dx] = x.tape().grad((norm.forward(x) * mix).sum(), [x]);
        Ok(dx.value()?.to_f64_vec())
    };
    let [dx] = tape.grad((norm.forward(x) * mix).sum(), [x]);
    let [d2x] = tape.grad((dx * mix).sum(), [x]);
    let d2x = d2x.value()?.to_f64_vec();
    let weights = [1.0, 2.0, -0.5];
    for (i, exact) in d2x.into_iter().enumerate() {
        let at = |step: f64| -> Result<f64> {
            let mut values = [[0.5f64, -1.0, 2.0]];
            values[0][i] += step;
            let dx = first(tape.input(&Tensor::from(values)))?;
            Ok(dx.iter().zip(weights).map(|(d, w)| d * w).sum())
        };
        let differences = (at(1e-5)? - at(-1e-5)?) / 2e-5;
        assert!((exact - differences).abs() < 1e-6, "{exact} is not {differences}");
    }
    Ok(())
}

#[test]
fn a_norm_over_the_batch_is_refused_for_single_examples() {
    let norm = BatchNorm::new(3);
    // Also where all examples have moved the running values before.
    for before in [false, true] {
        let tape = Tape::training(0u64);
        let x = tape.full([4, 2, 3], 1.0, DType::F32);
        if before {
            norm.forward(x.reshape([8, 3]));
        }
        tape.vmap(x, |x| norm.forward(x));
        let text = tape.error().unwrap().to_string();
        assert!(text.contains("cannot be updated by one example alone"), "{text}");
    }

    let tape = Tape::new();
    let x = tape.full([4, 2, 3], 1.0, DType::F32);
    assert!(tape.vmap(x, |x| norm.forward(x)).value().is_ok());
}
