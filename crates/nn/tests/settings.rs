//! Settings in any order, and of any size: the last one counts, none aborts, and those without meaning are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Apply, Pool, Tape};
use wengert_nn::init::Init;
use wengert_nn::layer::Layer;
use wengert_nn::layers::conv::Conv1d;
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::depthwise_conv::DepthwiseConv1d;
use wengert_nn::layers::embedding_bag::EmbeddingBag;
use wengert_nn::layers::lstm::LstmCell;
use wengert_nn::layers::max_pool::MaxPool;
use wengert_nn::layers::mixture_of_experts::MixtureOfExperts;
use wengert_nn::layers::transformer::{TransformerEncoder, TransformerEncoderLayer};
use wengert_nn::loss::Loss;
use wengert_nn::losses::binary_cross_entropy::BinaryCrossEntropy;
use wengert_nn::losses::dice::Dice;
use wengert_nn::losses::mean_absolute_percentage_error::MeanAbsolutePercentageError;
use wengert_nn::losses::poisson_nll::PoissonNll;
use wengert_nn::module::Module;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, Seed};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

fn values(module: &impl Module, name: &str) -> Vec<f64> {
    module.state().into_iter().find(|(other, _)| other == name).map(|(_, p)| p.value().to_f64_vec()).unwrap()
}

#[test]
fn the_last_setting_counts() {
    let ones = values(&LstmCell::new(1, 1).forget_bias(3.0).bias_init(Init::Ones), "bias_hh");
    assert_eq!(ones, [1.0; 4]);
    let forgets = values(&LstmCell::new(1, 1).without_bias().forget_bias(3.0), "bias_hh");
    assert_eq!(forgets, [0.0, 3.0, 0.0, 0.0]);
    let conv = DepthwiseConv1d::new(2, 1).bias_init(Init::Ones).multiplier(2);
    assert_eq!(values(&conv, "bias"), [1.0; 4]);
}

#[test]
fn options_that_leave_the_shape_leave_the_weight() -> Result<()> {
    let conv = Conv1d::new(2, 2, 3).init(Seed(1))?;
    let weight = values(&conv, "weight");
    assert_eq!(values(&conv.stride(2).padding(1), "weight"), weight);
    Ok(())
}

#[test]
fn bags_start_in_order() -> Result<()> {
    let table = EmbeddingBag::of(Tensor::from([[0f32], [1.0], [4.0]]));
    let bags = |offsets: &[i64]| {
        let tape = Tape::new();
        let (x, offsets) = (Tensor::from([1i64, 2, 2]), Tensor::from(offsets.to_vec()));
        table.bags(tape.input(&x), tape.input(&offsets)).value()
    };
    assert_eq!(bags(&[0, 1, 3])?.to_vec::<f32>()?, [1.0, 4.0, 0.0]);
    for (offsets, words) in [
        (&[0i64, 2, 1][..], "size of a bag"),
        (&[0, 4], "size of a bag"),
        (&[0, -1], "size of a bag"),
        (&[1, 2], "first offset 1"),
    ] {
        let error = bags(offsets).unwrap_err().to_string();
        assert!(error.contains(words), "{offsets:?}: {error}");
    }
    Ok(())
}

#[test]
fn largest_elements_of_whole_numbers_have_places() -> Result<()> {
    for dtype in [DType::I64, DType::I32, DType::U8] {
        let x = Tensor::from([[[[3i64, 1], [2, 7]]]]).cast(dtype)?;
        let tape = Tape::new();
        let (largest, places) = MaxPool::new(Pool::new(2).stride(1).padding(1)).with_indices(tape.input(&x));
        assert_eq!(largest.value()?.to_f64_vec(), [3., 3., 1., 3., 7., 7., 2., 7., 7.]);
        assert_eq!(places.value()?.to_vec::<i64>()?, [0, 0, 1, 0, 3, 3, 2, 3, 3]);
        let plain = x.apply(|x| MaxPool::new(Pool::new(2).stride(1).padding(1)).forward(x))?;
        assert_eq!(plain.to_f64_vec(), [3., 3., 1., 3., 7., 7., 2., 7., 7.]);
    }
    Ok(())
}

#[test]
fn huge_counts_are_errors() -> Result<()> {
    let x = Tensor::zeros([1, 2, 4], DType::F32)?;
    let encoder = TransformerEncoder::new(TransformerEncoderLayer::new(4, 2), usize::MAX);
    let error = encoder.predict(&x).unwrap_err().to_string();
    assert!(error.contains("copies of a TransformerEncoderLayer"), "{error}");
    let error = MixtureOfExperts::new(4, usize::MAX, Dense::new(4, 4)).predict(&x).unwrap_err().to_string();
    assert!(error.contains("copies of a"), "{error}");
    let huge = Shape::new([1 << 30, 1 << 28])?;
    for init in [Init::Orthogonal { gain: 1.0 }, Init::Sparse { sparsity: 0.5, std: 1.0 }] {
        assert!(init.draw(Key::new(0), &huge, DType::F32).is_err(), "{init:?}");
    }
    Ok(())
}

#[test]
fn settings_are_finite() {
    fn error(loss: impl Loss) -> String {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([[0.5f32, 0.5]]));
        loss.loss(x, x).value().unwrap_err().to_string()
    }
    let infinite = f64::INFINITY;
    for text in [
        error(PoissonNll::new().from_rates().epsilon(infinite)),
        error(MeanAbsolutePercentageError::new().epsilon(infinite)),
        error(Dice::new().smooth(infinite)),
        error(BinaryCrossEntropy::new().positive_weight(infinite)),
    ] {
        assert!(text.contains("is inf, and must be"), "{text}");
    }
}
