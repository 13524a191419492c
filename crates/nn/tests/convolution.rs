//! A small convolutional network learns to read digits, and convolutional models say what does not fit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "files")]
use wengert_autograd::Padding;
use wengert_autograd::{Conv, Resize};
use wengert_nn::layer::Layer;
use wengert_nn::layers::conv::{Conv1d, Conv2d};
use wengert_nn::module::Module;
use wengert_nn::sequential::Sequential;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Seed;
use wengert_tensor::tensor::Tensor;

#[cfg(feature = "files")]
#[test]
fn a_small_network_learns_digits() -> Result<()> {
    use wengert_nn::data::csv::read_csv;
    use wengert_nn::data::dataset::Dataset;
    use wengert_nn::losses::cross_entropy::CrossEntropy;
    use wengert_nn::metrics::accuracy::Accuracy;
    use wengert_nn::optim::adam::Adam;
    use wengert_nn::train::trainer::Trainer;

    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits.csv"), "digit")?;
    let (train, test) = data.split(0.6, Seed(7))?;
    let same = || Conv::new().padding(Padding::Same);
    let mut model = Sequential::input([64])
        .standardize(&train.0)
        .lambda("Image", |x| x.reshape([x.dim(0), 1, 8, 8]))
        .conv2d(8, 3, same())
        .relu()
        .max_pool(2)
        .conv2d(16, 3, same())
        .relu()
        .max_pool(2)
        .flatten()
        .dense(10)
        .build(Seed(1))?;
    let history = Trainer::new(Adam::new(1e-2), CrossEntropy::new())
        .metric(Accuracy::new())
        .validation(&test)
        .epochs(3)
        .batch_size(32)
        .verbose(false)
        .seed(Seed(1))
        .fit(&mut model, &train)?;
    let accuracy = history.last("val_accuracy");
    assert!(accuracy > Some(0.93), "{accuracy:?} {history}");
    Ok(())
}

#[test]
fn sizes_are_inferred() -> Result<()> {
    let model = Sequential::input([3, 8, 8])
        .conv2d(6, [3, 3], Conv::new().stride(2).padding(1).groups(3))
        .avg_pool(2)
        .conv_transpose2d(2, 2, Conv::new().stride(2))
        .upsample(Resize::by(2.0).linear())
        .adaptive_max_pool([3, 2])
        .flatten()
        .build(Seed(1))?;
    let names: Vec<String> = model.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(model.parameter_count(), 6 * 9 + 6 + 6 * 2 * 4 + 2);
    assert_eq!(model.predict(&Tensor::zeros([5, 3, 8, 8], DType::F32)?)?.shape().dims(), [5, 12]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_said() {
    let images = Tensor::zeros([2, 3, 8, 8], DType::F32).unwrap();
    let say = |layer: &dyn Layer, x: &Tensor| layer.predict(x).unwrap_err().to_string();

    let channels = say(&Conv2d::new(1, 4, 3), &images);
    assert!(channels.starts_with("conv: the input has 3 channels, and the weight takes 1"), "{channels}");
    assert!(channels.contains("parameter `weight`") && channels.contains("Conv2d"), "{channels}");
    let examples = say(&Conv2d::new(3, 4, 3), &Tensor::zeros([3, 8, 8], DType::F32).unwrap());
    assert!(examples.contains("[3, 8, 8] has no axis of examples"), "{examples}");
    let axes = say(&Conv1d::new(3, 4, 3), &images);
    assert!(axes.contains("takes [examples, channels] and 1 spatial axes, not [2, 3, 8, 8]"), "{axes}");
    let large = say(&Conv2d::new(3, 4, 9), &images);
    assert!(large.contains("a window of 9 in an axis of 8"), "{large}");
    let groups = Conv2d::new(3, 4, 3).groups(2).init(Seed(1)).unwrap_err().to_string();
    assert!(groups.starts_with("Conv2d: 2 groups of 3 and of 4 channels"), "{groups}");
    let kernel = Conv2d::new(3, 4, [3]).init(Seed(1)).unwrap_err().to_string();
    assert!(kernel.starts_with("Conv2d: the kernel is [3], and there are 2 spatial axes"), "{kernel}");
    let flat = Sequential::input([64]).conv2d(4, 3, Conv::new()).build(Seed(1)).unwrap_err().to_string();
    assert!(flat.starts_with("conv2d: takes [channels] and 2 spatial axes, not [64]"), "{flat}");
}
