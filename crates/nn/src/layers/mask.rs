//! What the layers that silence at random share: who is kept, and what must not be.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::norm::wide;

/// Whether `x` holds floats and a probability to silence something has a meaning.
pub(super) fn sound(x: Var<'_>, probability: f64) -> Result<()> {
    if !x.dtype().is_float() {
        let error = Error::dtype(format!("needs floats, not {}", x.dtype()));
        return Err(error.help("convert first: .cast(DType::F32)"));
    }
    if !(0.0..1.0).contains(&probability) {
        let error = Error::value(format!("a probability of {probability} to silence an element"));
        return Err(error.help("it is at least 0 and below 1"));
    }
    Ok(())
}

/// True with probability 1 − `probability`, for each element of a shape that is broadcast to that of `x`.
#[track_caller]
pub(super) fn kept<'t>(x: Var<'t>, probability: f64, shape: &[usize]) -> Var<'t> {
    x.tape().uniform(shape, wide(x.dtype())).lt(1.0 - probability)
}

/// x · m / (1 − p), where m is one number for each element of a shape that is broadcast to that of `x`.
#[track_caller]
pub(super) fn dropped<'t>(x: Var<'t>, probability: f64, shape: &[usize]) -> Var<'t> {
    (x * (1.0 / (1.0 - probability))).select(kept(x, probability, shape), 0.0)
}

/// One for each channel of each example: `[batch, channels, 1…]`.
pub(super) fn per_channel(x: Var<'_>) -> Result<Vec<usize>> {
    let shape = x.shape();
    if shape.rank() < 3 {
        let error = Error::shape(format!("takes [batch, channels, n…], not {shape}"));
        return Err(error.help("where there are no places, a plain Dropout silences the channels"));
    }
    Ok(shape.dims().iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { 1 }).collect())
}

/// One for each example, `[batch, 1…]`, or one for all of them.
pub(super) fn per_example(x: Var<'_>, whole_batch: bool) -> Result<Vec<usize>> {
    let shape = x.shape();
    match shape.rank() {
        0 => Err(Error::shape("takes a batch, and the input is a scalar").help("examples lie on axis 0")),
        _ => Ok(shape
            .dims()
            .iter()
            .enumerate()
            .map(|(axis, &size)| if axis == 0 && !whole_batch { size } else { 1 })
            .collect()),
    }
}

/// Mean and variance of all elements, in f64: what the statistical tests look at.
#[cfg(test)]
pub(super) fn spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
}

/// That a layer does nothing in evaluation, does the same with the same key, something else with another, and nothing
/// with `none`; and that it runs in every dtype.
#[cfg(test)]
pub(super) fn assert_random<L: crate::layer::Layer>(layer: &L, none: &L) -> Result<()> {
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let x = Tensor::from_fn([8, 4, 6], |i| 1.0 + i as f32)?.cast(dtype)?;
        let train = |layer: &L, key: u64| {
            let tape = Tape::training(key);
            layer.forward(tape.input(&x)).value()
        };
        let y = train(layer, 3)?;
        assert_eq!((y.dtype(), y.shape()), (dtype, x.shape()));
        assert!(layer.predict(&x)?.equals(&x) && train(none, 3)?.equals(&x));
        assert!(y.equals(&train(layer, 3)?) && !y.equals(&train(layer, 4)?) && !y.equals(&x));
    }
    Ok(())
}

/// That a layer refuses this input, with these words.
#[cfg(test)]
pub(super) fn assert_told(
    layer: &impl crate::layer::Layer,
    shape: &[usize],
    dtype: wengert_tensor::dtype::DType,
    wanted: &str,
) {
    for tape in [wengert_autograd::Tape::new(), wengert_autograd::Tape::training(0u64)] {
        layer.forward(tape.full(shape, 1.0, dtype));
        let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(wanted), "{text}");
    }
}
