//! The tutorial's first network.

use wengert::prelude::*;

#[test]
fn learns_six_samples() -> Result<()> {
    let x = Tensor::from([[150f32, 67.], [130., 60.], [200., 65.], [125., 52.], [230., 72.], [181., 70.]]);
    let y = Tensor::from([1i64, 1, 0, 1, 0, 0]);

    let mut model = Sequential::input([2]).standardize(&x).dense(8).relu().dense(16).relu().dense(2).build(Seed(1))?;
    println!("{}", model.summary()?);

    let history = Trainer::new(Adam::new(0.01), CrossEntropy::new())
        .metric(Accuracy::new())
        .epochs(60)
        .batch_size(2)
        .shuffle(true)
        .fit(&mut model, &(x.clone(), y))?;
    println!("{history}");

    let probability = model.predict(&x)?.apply(|v| v.softmax(-1))?;
    println!("{:.1}%", probability.apply(|v| v * 100.0)?);

    assert_eq!(history.last("accuracy"), Some(1.0));
    assert_eq!(probability.apply(|v| v.argmax(-1))?.to_vec::<i64>()?, [1, 1, 0, 1, 0, 0]);
    let sums = probability.apply(|v| v.sum_axes(-1))?;
    assert!(sums.to_f64_vec().iter().all(|s| (s - 1.0).abs() < 1e-6));
    Ok(())
}
