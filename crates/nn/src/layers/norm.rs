//! What the normalisations share: statistics, scale and offset, and what must not be.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::{IntoShape, Shape};

use crate::init::Init;
use crate::param::Param;

/// The dtype of statistics: sums of many are taken in f32 where the elements have 16 bits.
pub(super) fn wide(dtype: DType) -> DType {
    match dtype {
        DType::BF16 | DType::F16 => DType::F32,
        dtype => dtype,
    }
}

/// Mean and variance over some axes, which stay with size 1. The distances from the mean are squared, not the
/// elements: the difference of two large numbers would have lost the digits of a small variance.
#[track_caller]
pub(super) fn moments<'t>(x: Var<'t>, axes: &[isize]) -> [Var<'t>; 2] {
    let mean = x.mean_keep(axes);
    [mean, (x - mean).square().mean_keep(axes)]
}

/// (x − mean) / √(variance + ε) over some axes.
#[track_caller]
pub(super) fn standardized<'t>(x: Var<'t>, axes: &[isize], epsilon: f64) -> Var<'t> {
    let [mean, variance] = moments(x, axes);
    (x - mean) * (variance + epsilon).rsqrt()
}

/// y · weight + bias, in the dtype of `x`. Both are of the shape `beside` to y.
#[track_caller]
pub(super) fn affine<'t>(
    x: Var<'t>,
    mut y: Var<'t>,
    weight: Option<&Param>,
    bias: Option<&Param>,
    beside: &[usize],
) -> Var<'t> {
    if let Some(weight) = weight {
        y = y * of_width(weight, x, beside);
    }
    if let Some(bias) = bias {
        y = y + of_width(bias, x, beside);
    }
    y.cast(x.dtype())
}

/// A parameter in the dtype of the statistics of `x`, and of a shape that fits beside it.
#[track_caller]
pub(super) fn of_width<'t>(param: &Param, x: Var<'t>, beside: &[usize]) -> Var<'t> {
    let value = param.on(x.tape());
    let value = if value.dtype() == x.dtype() { value.cast(wide(x.dtype())) } else { value };
    value.reshape(beside)
}

/// Ones, and the size of `axis` there.
pub(super) fn along(rank: usize, axis: usize, size: usize) -> Vec<usize> {
    (0..rank).map(|at| if at == axis { size } else { 1 }).collect()
}

/// The number of elements that lie behind one value of an axis.
pub(super) fn others(shape: &Shape, axis: usize) -> usize {
    shape.dims().iter().enumerate().filter(|&(at, _)| at != axis).map(|(_, &size)| size).product()
}

/// Whether `x` holds floats and ε has a meaning.
pub(super) fn sound(x: Var<'_>, epsilon: f64) -> Result<()> {
    if !x.dtype().is_float() {
        let error = Error::dtype(format!("needs floats, not {}", x.dtype()));
        return Err(error.help("convert first: .cast(DType::F32)"));
    }
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        let error = Error::value(format!("ε = {epsilon}"));
        return Err(error.help("ε is at least 0, as 1e-5"));
    }
    Ok(())
}

/// Whether a running value moves by a part of the way to the new one.
pub(super) fn is_part(momentum: Option<f64>) -> Result<()> {
    match momentum {
        Some(momentum) if !(0.0..=1.0).contains(&momentum) => {
            let error = Error::value(format!("a momentum of {momentum}"));
            Err(error.help("it is the weight of the new value, from 0 to 1, as 0.1"))
        }
        _ => Ok(()),
    }
}

/// The trailing axes of `x`, if they have the sizes that `layer` is for.
pub(super) fn trailing(layer: &'static str, x: Var<'_>, wanted: &Shape) -> Result<Vec<isize>> {
    let shape = x.shape();
    if !shape.dims().ends_with(wanted.dims()) {
        let error = Error::shape(format!("takes inputs whose last axes are {wanted}, not {shape}"));
        let from = shape.rank().saturating_sub(wanted.rank());
        let last = shape.dims().get(from..).unwrap_or_default();
        return Err(match last.is_empty() {
            true => error,
            false => error.help(format!("{layer}::new({last:?}) would take this one")),
        });
    }
    Ok((1..=wanted.rank() as isize).map(|axis| -axis).collect())
}

/// The number of channels, on axis 1 of `x`, if it is the one that the layer is for and if `x` has at least so many
/// axes.
pub(super) fn channels(layer: &'static str, x: Var<'_>, wanted: usize, rank: usize) -> Result<usize> {
    let shape = x.shape();
    match shape.get(1) {
        Some(&found) if shape.rank() >= rank && found == wanted => Ok(found),
        Some(&found) if shape.rank() >= rank => {
            let error = Error::shape(format!("takes {wanted} channels on axis 1, not {found}"));
            Err(error.help(format!("{layer} of {found} channels would take this one")))
        }
        _ => {
            let form = if rank > 2 { "[batch, channels, n…]" } else { "[batch, channels, …]" };
            Err(Error::shape(format!("takes {form}, not {shape}")).help("examples lie on axis 0, channels on axis 1"))
        }
    }
}

/// A parameter of a layer over so many features; none are a fault.
#[track_caller]
pub(super) fn parameter(layer: &'static str, shape: impl IntoShape, init: Init) -> Param {
    let fault = match shape.into_shape() {
        Ok(shape) if shape.rank() == 0 || shape.is_empty() => Error::value(format!("nothing to normalise in {shape}"))
            .help("there is at least one axis, and all sizes are at least 1"),
        Ok(shape) => return Param::draw(shape, init),
        Err(error) => error,
    };
    Param::faulty(fault.op(layer).at(Location::caller()))
}

/// The refusal of an input, with the weight whose name says where the layer is.
#[track_caller]
pub(super) fn refuse<'t>(layer: &'static str, x: Var<'t>, weight: Option<&Param>, error: Error) -> Var<'t> {
    let mut operands = vec![("input", x)];
    operands.extend(weight.map(|weight| ("weight", weight.on(x.tape()))));
    x.tape().reject(layer, &operands, error)
}

/// The settings that all layers with scale and offset have.
macro_rules! affine_settings {
    ($layer:ident) => {
        impl $layer {
            /// Without scale and offset.
            #[must_use]
            pub fn without_affine(mut self) -> $layer {
                (self.weight, self.bias) = (None, None);
                self
            }

            /// With a scale and without an offset.
            #[must_use]
            pub fn without_bias(mut self) -> $layer {
                self.bias = None;
                self
            }

            /// What is added to the variance, so that nothing is divided by zero.
            #[must_use]
            pub fn epsilon(mut self, epsilon: f64) -> $layer {
                self.epsilon = epsilon;
                self
            }

            /// Draws the scale from another distribution: zeros let a residual branch start as nothing.
            #[must_use]
            pub fn weight_init(mut self, init: crate::init::Init) -> $layer {
                if let Some(weight) = &mut self.weight {
                    weight.set_init(init);
                }
                self
            }

            /// Draws the offset from another distribution.
            #[must_use]
            pub fn bias_init(mut self, init: crate::init::Init) -> $layer {
                if let Some(bias) = &mut self.bias {
                    bias.set_init(init);
                }
                self
            }
        }
    };
}
pub(super) use affine_settings;
