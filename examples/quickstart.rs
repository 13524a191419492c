//! The classic first network: from weight and height, which of two groups?
//!
//! `cargo run --release --example quickstart`

use wengert::prelude::*;

fn main() -> Result<()> {
    let x = Tensor::from([[150f32, 67.], [130., 60.], [200., 65.], [125., 52.], [230., 72.], [181., 70.]]);
    let y = Tensor::from([1i64, 1, 0, 1, 0, 0]);

    // `standardize` brings both features to mean 0 and deviation 1: kilograms and inches weigh the same.
    let mut model = Sequential::input([2]).standardize(&x).dense(8).relu().dense(16).relu().dense(2).build(Seed(1))?;
    println!("{}", model.summary()?);

    // Prints the loss and the accuracy of every epoch.
    let history = Trainer::new(Adam::new(0.01), CrossEntropy::new())
        .metric(Accuracy::new())
        .epochs(60)
        .batch_size(2)
        .shuffle(true)
        .fit(&mut model, &(x.clone(), y.clone()))?;
    println!("{history}\n");

    let percent = model.predict(&x)?.apply(|v| v.softmax(-1) * 100.0)?;
    println!("chance of each class in percent, one sample a row:\n{percent:.1}");
    println!("{} of 6 right", ConfusionMatrix::table(&percent, &y)?.right());
    Ok(())
}
