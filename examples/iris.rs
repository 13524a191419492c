//! How good is a model on flowers that it never saw? Five networks, each tried on the fifth of the data that it was not trained with.
//!
//! `cargo run --release --example iris`

use wengert::nn::metrics::confusion::ConfusionTable;
use wengert::prelude::*;

const FOLDS: usize = 5;

fn main() -> Result<()> {
    let table = CsvFile::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.csv")).label("species").read()?;
    let data = (table.inputs, table.targets);
    let order = wengert::tensor::random::permutation(Seed(1).into(), data.len());

    let mut right = Vec::new();
    let mut confusion = Meter::new(ConfusionMatrix::new());
    for fold in 0..FOLDS {
        let chosen =
            |inside: bool| order.iter().copied().enumerate().filter(move |(i, _)| (i % FOLDS == fold) == inside);
        let part = |inside: bool| data.batch(&chosen(inside).map(|(_, sample)| sample).collect::<Vec<_>>());
        let (train, test) = (part(false)?, part(true)?);

        // The scale of the inputs is part of the model, and comes from its training data alone.
        let mut model =
            Sequential::input([4]).standardize(&train.0).dense(16).tanh().dense(3).build(Seed(fold as u64))?;
        let mut trainer = Trainer::new(AdamW::new(1e-2), CrossEntropy::new()).epochs(60).batch_size(16).verbose(false);
        trainer.fit(&mut model, &train)?;

        let scores = model.predict(&test.0)?;
        confusion.update(&scores, &test.1)?;
        let mut accuracy = Meter::new(Accuracy::new());
        accuracy.update(&scores, &test.1)?;
        println!("fold {}: {:.1} % of {} flowers named", fold + 1, accuracy.value() * 100.0, test.len());
        right.push(accuracy.value());
    }

    let mean = right.iter().sum::<f64>() / FOLDS as f64;
    let deviation = (right.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (FOLDS - 1) as f64).sqrt();
    println!("in all: {:.1} % ± {:.1}\n", mean * 100.0, deviation * 100.0);
    let table = ConfusionTable::of(&confusion).with_names(table.classes);
    println!("{table}");
    table.save_svg("target/iris/confusion.svg")?;
    println!("drew target/iris/confusion.svg");
    Ok(())
}
