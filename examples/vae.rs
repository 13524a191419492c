//! A variational autoencoder: digits become two numbers, and two numbers become digits.
//!
//! The encoder gives a bell curve for each image; the decoder draws the image again from a sample of it. Both are trained by one bound on
//! the likelihood: how well the image is drawn, and how far the bell curve is from the standard one. Kingma & Welling 2013.
//! `cargo run --release --example vae`

use wengert::nn::optim::schedule::cosine;
use wengert::prelude::*;

#[derive(Module)]
struct Vae {
    encoder: Sequential,
    decoder: Sequential,
}

impl Vae {
    fn new() -> Result<Vae> {
        Ok(Vae {
            encoder: Sequential::input([64]).dense(128).silu().dense(64).silu().dense(4).build(Seed(1))?,
            decoder: Sequential::input([2]).dense(64).silu().dense(128).silu().dense(64).build(Seed(2))?,
        })
    }

    /// The means and the logarithms of the variances, [n, 2] each.
    fn encode<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let both = self.encoder.forward(x);
        (both.slice(1, 0..2), both.slice(1, 2..4))
    }
}

/// −log of the likelihood's bound, per image: drawing and distance.
fn bound<'t>(vae: &Vae, x: Var<'t>) -> [Var<'t>; 2] {
    let (mean, log_variance) = vae.encode(x);
    // A sample as a function of the parameters, so that the gradient flows through it.
    let z = mean + (log_variance * 0.5).exp() * x.tape().normal(mean.shape(), DType::F32);
    let logits = vae.decoder.forward(z);
    let drawing = (logits.softplus() - x * logits).sum_axes(-1).mean();
    let distance = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum_axes(-1).mean() * 0.5;
    [drawing, distance]
}

fn main() -> Result<()> {
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv"), "digit")?;
    let data = (data.0.apply(|x| x / 16.0)?, data.1);
    let (train, test) = data.split(0.8, Seed(7))?;
    let mut vae = Vae::new()?;
    let loader = DataLoader::new(&train.0, 64)?.shuffle(Seed(3)).drop_last(true);
    let epochs = 150;
    let mut optimizer = Adam::new(2e-3).schedule(cosine((epochs * loader.len()) as u64));
    for (step, x) in loader.epochs(epochs).enumerate() {
        let tape = Tape::training(step as u64);
        let [drawing, distance] = bound(&vae, tape.input(&x));
        let loss = optimizer.step(&mut vae, (drawing + distance).backward())?;
        if step % (30 * loader.len()) == 0 {
            println!("epoch {:3}  bound {loss:.2}", step / loader.len());
        }
    }
    let tape = Tape::with_key(Seed(4));
    let [drawing, distance] = bound(&vae, tape.input(&test.0));
    let [drawing, distance] = tape.eval([drawing, distance])?;
    println!("digits it never saw: drawing {:.2}, distance {:.2}", drawing.item::<f32>()?, distance.item::<f32>()?);

    // A walk over the plane of the two numbers.
    let side = 12;
    let plane = Tensor::from_fn([side * side, 2], |i| {
        let place = if i % 2 == 0 { i / 2 % side } else { i / 2 / side };
        (place as f32 + 0.5) / side as f32 * 4.0 - 2.0
    })?;
    let images = vae.decoder.predict(&plane)?.apply(|logits| {
        // Rows of tiles of rows of pixels; the first row of pixels is above.
        let tiles = logits.sigmoid().reshape([side, side, 8, 8]).flip(2);
        tiles.permute(&[0, 2, 1, 3]).reshape([8 * side, 8 * side])
    })?;
    HeatMap::new("the digits of the plane", &images, -2.0..2.0, -2.0..2.0)?
        .size(900, 860)
        .save_svg("target/vae/plane.svg")?;

    let tape = Tape::new();
    let places = vae.encode(tape.input(&test.0)).0.value()?.to_f64_vec();
    let labels = test.1.to_vec::<i64>()?;
    let mut chart = LineChart::new("where the digits lie");
    for digit in 0..10 {
        let own = labels.iter().enumerate().filter(|(_, label)| **label == digit);
        chart = chart.points(digit.to_string(), own.map(|(i, _)| (places[2 * i], places[2 * i + 1])));
    }
    chart.save_svg("target/vae/places.svg")?;
    println!("drew target/vae/plane.svg and places.svg");
    Ok(())
}
