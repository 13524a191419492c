//! Learns to read handwritten digits, 8×8 pixels each, and proves that the saved weights are the trained ones.
//!
//! `cargo run --release --example digits` (with `-- --short` three epochs instead of forty)

use wengert::prelude::*;

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits.csv"), "digit")?;
    let (train, test) = data.split(0.8, Seed(7))?;

    let mut model = network(&train.0, Seed(1))?;
    println!("{}", model.summary()?);

    let history = Trainer::new(Adam::new(1e-3), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&test)
        .epochs(if short { 3 } else { 40 })
        .batch_size(32)
        .seed(Seed(1))
        .fit(&mut model, &train)?;
    println!("{history}\n");

    let scores = model.predict(&test.0)?;
    let confusion = ConfusionMatrix::table(&scores, &test.1)?;
    println!("{confusion}\n");

    history.save_svg("target/digits/curves.svg")?;
    confusion.save_svg("target/digits/confusion.svg")?;
    model.save_weights("target/digits/weights.safetensors")?;
    println!("wrote curves.svg, confusion.svg and weights.safetensors to target/digits");

    // A network with other weights becomes the trained one, bit for bit.
    let mut loaded = network(&train.0, Seed(2))?;
    println!("{}", loaded.load_weights("target/digits/weights.safetensors", Strict)?);
    assert!(loaded.predict(&test.0)?.equals(&scores), "the loaded model predicts something else");
    println!("the loaded model predicts the same");
    Ok(())
}

fn network(x: &Tensor, seed: Seed) -> Result<Sequential> {
    Sequential::input([64]).standardize(x).dense(128).relu().dropout(0.2).dense(64).relu().dense(10).build(seed)
}
