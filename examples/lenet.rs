//! A small convolutional network in the manner of LeNet reads handwritten digits.
//!
//! Every time an image is seen it lies a little elsewhere, so that the network learns the digit and not its place. LeCun et al. 1998, with
//! the normalization of Ioffe & Szegedy 2015.
//! `cargo run --release --example lenet` (with `-- --short` fewer epochs)

use wengert::prelude::*;

/// While training, moves each image by up to a pixel in every direction.
#[derive(Module)]
struct Shift;

impl Layer for Shift {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        if !tape.is_training() {
            return x;
        }
        let (n, height, width) = (x.dim(0), x.dim(2), x.dim(3));
        let framed = x.pad(2, 1, 1, 0.0).pad(3, 1, 1, 0.0);
        let [down, right] = [0, 1].map(|_| tape.random().integers([n], 0, 3));
        tape.vmap((framed, down, right), |(image, down, right)| {
            image.dynamic_slice(1, down, height).dynamic_slice(2, right, width)
        })
    }
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv"), "digit")?;
    let (train, test) = data.split(0.8, Seed(7))?;

    let mut model = Sequential::input([64])
        .rescaling(1.0 / 16.0)
        .reshape([1, 8, 8])
        .layer(Shift)
        .conv2d(16, 3, Conv::new().padding(1))
        .batch_norm()
        .relu()
        .conv2d(32, 3, Conv::new().padding(1))
        .batch_norm()
        .relu()
        .max_pool(2)
        .conv2d(64, 3, Conv::new().padding(1))
        .batch_norm()
        .relu()
        .max_pool(2)
        .flatten()
        .dropout(0.3)
        .dense(64)
        .relu()
        .dense(10)
        .build(Seed(1))?;
    println!("{}", model.summary()?);

    let (epochs, batch) = (if short { 12 } else { 40 }, 32);
    let steps = epochs * train.len().div_ceil(batch);
    let history = Trainer::new(AdamW::new(3e-3).schedule(cosine(steps as u64)), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&test)
        .epochs(epochs)
        .batch_size(batch)
        .seed(Seed(1))
        .fit(&mut model, &train)?;
    println!("{history}");

    let scores = model.predict(&test.0)?;
    let mut accuracy = Meter::new(Accuracy::new());
    accuracy.update(&scores, &test.1)?;
    println!("{:.2} % of {} digits that it never saw are read", 100.0 * accuracy.value(), test.len());

    // Sixteen digits whose label surprises it most, in four rows.
    let tape = Tape::new();
    let surprise = -tape.input(&scores).log_softmax(-1).take_along(1, tape.input(&test.1).unsqueeze(1)).flatten();
    let (_, hardest) = surprise.top_k(16, 0);
    let images = tape.input(&test.0).gather(0, hardest).reshape([16, 8, 8]).value()?;
    ImageGrid::new("the sixteen it is least sure of", &images)
        .columns(4)
        .range(0.0, 16.0)
        .save_svg("target/lenet/hardest.svg")?;
    history.save_svg("target/lenet/curves.svg")?;
    println!("drew target/lenet/curves.svg and hardest.svg");
    Ok(())
}
