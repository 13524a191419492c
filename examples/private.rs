//! Learning from people without telling on them: stochastic gradient descent with differential privacy.
//!
//! The gradient of EVERY example is made no longer than 1, and noise is added to their sum, so that no single example can be seen in the
//! weights. The norms of the single gradients come from `vmap`. Abadi et al. 2016.
//! `cargo run --release --example private`

use wengert::prelude::*;

const BATCH: usize = 128;
const EPOCHS: usize = 40;

fn main() -> Result<()> {
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv"), "digit")?;
    let (train, test) = data.split(0.8, Seed(7))?;

    let share = BATCH as f64 / train.len() as f64;
    let steps = (EPOCHS * (train.len() / BATCH)) as f64;
    let mut chart = LineChart::new("privacy has its price").x_label("epoch").y_label("share of test digits read");
    for noise in [0.0, 1.0, 3.0] {
        let accuracy = learn(&train, &test, noise)?;
        println!(
            "noise {noise}: {:.1} % right; an example changes the odds of any outcome by at most e^{:.1}",
            accuracy[EPOCHS - 1] * 100.0,
            epsilon(share, noise, steps, 1e-4)
        );
        chart = chart.line(format!("noise {noise}"), (1..).map(f64::from).zip(accuracy));
    }
    chart.save_svg("target/private/accuracy.svg")?;
    println!("drew target/private/accuracy.svg");
    Ok(())
}

/// The share of test digits that are read after each epoch.
fn learn(train: &(Tensor, Tensor), test: &(Tensor, Tensor), noise: f64) -> Result<Vec<f64>> {
    // Pixels are 0 to 16. Their mean would be a statistic of the people, so it is not asked for.
    let mut net =
        Sequential::input([64]).lambda("Scale", |x| x / 8.0 - 1.0).dense(32).tanh().dense(10).build(Seed(1))?;
    let mut optimizer = Sgd::new(2.0);
    let loader = DataLoader::new(train, BATCH)?.shuffle(Seed(2)).drop_last(true);
    let mut accuracy = Vec::new();
    for (step, (x, y)) in loader.epochs(EPOCHS).enumerate() {
        let tape = Tape::training(step as u64);
        let (x, y) = (tape.input(&x), tape.input(&y));
        let (losses, norms) = tape.vmap((x, y), |(x, y)| {
            let loss = net.forward(x).cross_entropy(y);
            (loss, loss.grad_of(&net).map(|g| g.square()).sum().sqrt())
        });
        // Weighing an example's loss weighs its gradient: none is longer than 1 then.
        let clipped = losses / norms.maximum(1.0).stop_gradient();
        let random = tape.random();
        let gradients = (clipped.sum() / BATCH as f64).backward();
        let gradients = gradients.map(|g| g + random.normal(g.shape(), g.dtype()) * (noise / BATCH as f64));
        optimizer.step(&mut net, gradients)?;

        if (step + 1) % loader.len() == 0 {
            let right = net.predict(&test.0)?.apply(|scores| scores.argmax(-1).eq(&test.1).cast(DType::F64).mean())?;
            accuracy.push(right.item::<f64>()?);
        }
    }
    Ok(accuracy)
}

/// What an observer of all steps may learn at most about one example, with probability 1 − δ, if each step sees a random share of all.
/// Mironov et al. 2019: the Rényi divergence of the sampled Gaussian mechanism, at whole orders.
fn epsilon(share: f64, noise: f64, steps: f64, delta: f64) -> f64 {
    let at = |order: i32| -> f64 {
        let mut choose = 1.0;
        let mut sum = 0.0;
        for k in 0..=order {
            let gain = f64::from(k * (k - 1)) / (2.0 * noise * noise);
            sum += choose * (1.0 - share).powi(order - k) * share.powi(k) * gain.exp();
            choose *= f64::from(order - k) / f64::from(k + 1);
        }
        (steps * sum.ln() + (1.0 / delta).ln()) / f64::from(order - 1)
    };
    (2..=64).map(at).filter(|bound| !bound.is_nan()).fold(f64::INFINITY, f64::min)
}
