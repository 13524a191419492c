//! What initialisers promise: exact properties, moments, and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::Apply;
use wengert_nn::init::{Distribution, Fan, Init, Nonlinearity, gain};
use wengert_nn::layer::Layer;
use wengert_nn::layers::conv::Conv2d;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::Key;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

fn draw(init: &Init, shape: &[usize], dtype: DType) -> Result<Tensor> {
    init.draw(Key::new(5), &Shape::new(shape)?, dtype)
}

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, std, values.iter().fold(0.0, |a: f64, v| a.max((v - mean).abs())))
}

#[test]
fn variances_are_scaled() -> Result<()> {
    let (fan_in, fan_out) = (60f64 * 4.0, 50f64 * 4.0);
    for (fan, n) in [(Fan::In, fan_in), (Fan::Out, fan_out), (Fan::Average, (fan_in + fan_out) / 2.0)] {
        for (distribution, reach) in [
            (Distribution::Uniform, 3f64.sqrt()),
            (Distribution::Normal, 6.0),
            (Distribution::TruncatedNormal, 2.0 / 0.879_625_661),
        ] {
            let init = Init::VarianceScaling { scale: 1.5, fan, distribution };
            for dtype in [DType::F32, DType::F64, DType::BF16] {
                let (mean, std, largest) = moments(&draw(&init, &[50, 60, 2, 2], dtype)?.to_f64_vec());
                let wanted = (1.5f64 / n).sqrt();
                assert!(mean.abs() < 0.02 * wanted, "{init:?}: mean {mean}");
                assert!((std / wanted - 1.0).abs() < 0.02, "{init:?}: deviation {std}, not {wanted}");
                assert!(largest < 1.02 * reach * wanted, "{init:?}: {largest}");
            }
        }
    }
    let (mean, std, largest) =
        moments(&draw(&Init::TruncatedNormal { mean: 3.0, std: 0.5 }, &[9999], DType::F32)?.to_f64_vec());
    assert!((mean - 3.0).abs() < 0.02 && (std - 0.4398).abs() < 0.01 && largest < 1.02, "{mean} {std} {largest}");
    Ok(())
}

#[test]
fn members_of_the_family_are_those_that_have_a_name() -> Result<()> {
    let of = |scale, fan, distribution| Init::VarianceScaling { scale, fan, distribution };
    for (named, general) in [
        (Init::GlorotUniform, of(1.0, Fan::Average, Distribution::Uniform)),
        (Init::GlorotNormal, of(1.0, Fan::Average, Distribution::Normal)),
        (Init::HeUniform, of(gain(Nonlinearity::Relu).powi(2), Fan::In, Distribution::Uniform)),
        (Init::HeNormal, of(2.0, Fan::In, Distribution::Normal)),
        (Init::LecunUniform, of(1.0, Fan::In, Distribution::Uniform)),
        (Init::LecunNormal, of(1.0, Fan::In, Distribution::Normal)),
    ] {
        let (a, b) = (draw(&named, &[7, 5], DType::F64)?, draw(&general, &[7, 5], DType::F64)?);
        assert!(a.max_abs_diff(&b)? < 1e-15, "{named:?}");
    }
    Ok(())
}

/// The values of PyTorch's `calculate_gain`.
#[test]
fn gains_are_those_of_pytorch() {
    for (nonlinearity, theirs) in [
        (Nonlinearity::Linear, 1.0),
        (Nonlinearity::Sigmoid, 1.0),
        (Nonlinearity::Tanh, 1.6666666666666667),
        (Nonlinearity::Relu, std::f64::consts::SQRT_2),
        (Nonlinearity::LeakyRelu(0.01), 1.4141428569978354),
        (Nonlinearity::LeakyRelu(0.2), 1.3867504905630728),
        (Nonlinearity::Selu, 0.75),
    ] {
        assert!((gain(nonlinearity) - theirs).abs() < 1e-15, "{nonlinearity:?}");
    }
}

#[test]
fn orthogonal_is_orthogonal() -> Result<()> {
    let init = Init::Orthogonal { gain: 1.5 };
    for shape in [&[6, 6][..], &[4, 9], &[9, 4], &[8, 2, 3, 1], &[1, 5], &[5, 1], &[40, 30]] {
        let rows = shape[0];
        let columns = shape[1..].iter().product::<usize>();
        let weight = draw(&init, shape, DType::F64)?;
        let product = weight.apply(|w| {
            let w = w.reshape([rows, columns]) / 1.5;
            let w = if rows <= columns { w } else { w.t() };
            w.matmul(w.t()) - w.tape().eye(rows.min(columns), DType::F64)
        })?;
        assert!(product.to_f64_vec().iter().all(|x| x.abs() < 1e-14), "{shape:?}");
        let small = draw(&init, shape, DType::F32)?.cast(DType::F64)?;
        assert!(small.max_abs_diff(&weight)? < 1e-7);
    }
    // Uniform among all: each element has mean 0 and variance 1 / n.
    let elements: Vec<f64> = (0..4000)
        .map(|key| {
            Init::Orthogonal { gain: 1.0 }
                .draw(Key::new(key), &Shape::new([3, 3])?, DType::F64)
                .map(|q| q.to_f64_vec()[0])
        })
        .collect::<Result<_>>()?;
    let (mean, std, _) = moments(&elements);
    assert!(mean.abs() < 0.03 && (std - (1f64 / 3.0).sqrt()).abs() < 0.02, "{mean} {std}");
    assert_eq!(draw(&init, &[0, 3], DType::F32)?.len(), 0);
    Ok(())
}

#[test]
fn identity_and_dirac_pass_their_input_on() -> Result<()> {
    let eye = draw(&Init::Identity { gain: 2.0 }, &[2, 3], DType::F32)?;
    assert_eq!(eye.to_f64_vec(), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);

    let image = Tensor::normal([1, 3, 5, 4], DType::F32, 1u64)?;
    let conv = Conv2d::new(3, 3, [3, 5]).padding([1, 2]).without_bias().weight_init(Init::Dirac { groups: 1 });
    assert!(conv.predict(&image)?.equals(&image));
    // torch.nn.init.dirac_ of [4, 2, 3] with two groups.
    let grouped = draw(&Init::Dirac { groups: 2 }, &[4, 2, 3], DType::F64)?.to_f64_vec();
    let ones: Vec<usize> = (0..24).filter(|&i| grouped[i] == 1.0).collect();
    assert_eq!((ones, grouped.iter().sum::<f64>()), (vec![1, 10, 13, 22], 4.0));
    // More outputs than inputs: the rest is silent.
    let wide = draw(&Init::Dirac { groups: 1 }, &[3, 1, 2], DType::F64)?.to_f64_vec();
    assert_eq!(wide, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn sparse_has_so_many_zeros_in_each_column() -> Result<()> {
    let (rows, columns) = (50, 40);
    let weight = draw(&Init::Sparse { sparsity: 0.31, std: 0.1 }, &[rows, columns], DType::F64)?.to_f64_vec();
    let mut rows_with_zeros = [0; 50];
    for column in 0..columns {
        let silent: Vec<usize> = (0..rows).filter(|row| weight[row * columns + column] == 0.0).collect();
        assert_eq!(silent.len(), 16);
        silent.into_iter().for_each(|row| rows_with_zeros[row] += 1);
    }
    assert!(rows_with_zeros.iter().all(|&count| count > 2 && count < 26), "{rows_with_zeros:?}");
    let rest: Vec<f64> = weight.into_iter().filter(|w| *w != 0.0).collect();
    let (mean, std, _) = moments(&rest);
    assert!(mean.abs() < 0.01 && (std - 0.1).abs() < 0.01);
    Ok(())
}

#[test]
fn what_has_no_meaning_is_refused() {
    let scaled = |scale| Init::VarianceScaling { scale, fan: Fan::In, distribution: Distribution::Normal };
    for (init, shape, words) in [
        (Init::Uniform { low: 1.0, high: 0.0 }, &[2, 2][..], "uniform(1, 0) has no meaning"),
        (Init::Uniform { low: f64::NAN, high: 0.0 }, &[2, 2], "has no meaning"),
        (Init::Normal { mean: 0.0, std: -1.0 }, &[2, 2], "normal(0, -1) has no meaning"),
        (Init::TruncatedNormal { mean: f64::INFINITY, std: 1.0 }, &[2, 2], "has no meaning"),
        (scaled(-1.0), &[2, 2], "variance_scaling(-1, In, Normal) has no meaning"),
        (scaled(f64::NAN), &[2, 2], "the scale is at least 0"),
        (Init::Orthogonal { gain: f64::NAN }, &[2, 2], "orthogonal(NaN) has no meaning"),
        (Init::Orthogonal { gain: 1.0 }, &[2], "at least two axes, not [2]"),
        (Init::Identity { gain: 1.0 }, &[2, 2, 2], "an identity is a matrix, not [2, 2, 2]"),
        (Init::Dirac { groups: 0 }, &[2, 2, 2], "at least one group"),
        (Init::Dirac { groups: 2 }, &[3, 2, 2], "3 outputs do not fall into 2 groups"),
        (Init::Dirac { groups: 1 }, &[3, 2], "`Init::Identity` is that of a matrix"),
        (Init::Sparse { sparsity: 1.5, std: 1.0 }, &[2, 2], "sparsity lies between 0 and 1"),
        (Init::Sparse { sparsity: 0.5, std: 1.0 }, &[2], "a sparse weight is a matrix, not [2]"),
    ] {
        let text = draw(&init, shape, DType::F32).unwrap_err().to_string();
        assert!(text.contains(words), "{words}\n{text}");
    }
    let text = draw(&Init::Orthogonal { gain: 1.0 }, &[2, 2], DType::I64).unwrap_err().to_string();
    assert!(text.contains("random weights are floats, not i64"), "{text}");
}
