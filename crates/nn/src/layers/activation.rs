//! Activations as layers: all of PyTorch's and of Keras's.
//!
//! Each is one function of a variable. Many are methods of `Var`, so that in a `forward` of one's own `x.relu()` is shorter; the others
//! are written in the same way: `Hardswish.forward(x)`. Derivatives at kinks are those of PyTorch.
//!
//! `PReLU` is a layer of its own, for it learns its slope.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

use super::case::Case;
use super::norm::wide;
use crate::layer::Layer;
use crate::module::Module;

/// One row a layer: its documentation, its name, and the function of `Var` that it applies.
macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident => |$x:ident| $body:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
            pub struct $name;

            impl Layer for $name {
                #[track_caller]
                fn forward<'t>(&self, $x: Var<'t>) -> Var<'t> {
                    let _scope = self.scope($x.tape());
                    $body
                }
            }
        )+

        fn plain() -> Vec<Case> {
            vec![$(same(stringify!($name), $name)),+]
        }
    };
}

activations! {
    /// tanh x.
    Tanh => |x| x.tanh();
    /// 1 / (1 + e⁻ˣ).
    Sigmoid => |x| x.sigmoid();
    /// x / (1 + e⁻ˣ), also known as swish. Ramachandran et al. 2017.
    #[doc(alias("Swish", "SiLU"))]
    Silu => |x| x.silu();
    /// x: the layer that does nothing. Keras's `linear`.
    Identity => |x| x;
    /// eˣ. Keras's.
    Exponential => |x| x.exp();
    /// min(max(x, 0), 6). The derivative at 0 and at 6 is 0. Howard et al. 2017.
    #[doc(alias = "ReLU6")]
    Relu6 => |x| x.relu6();
    /// λ x where x > 0, else λ α (eˣ − 1), with λ = 1.0507… and α = 1.6732…, so that mean 0 and variance 1 are kept from layer to layer.
    /// Klambauer et al. 2017.
    #[doc(alias = "SELU")]
    Selu => |x| x.selu();
    /// x · tanh(log(1 + eˣ)). Misra 2019.
    Mish => |x| x.mish();
    /// x / (1 + |x|). Turian et al. 2009.
    Softsign => |x| x.softsign();
    /// log(1 / (1 + e⁻ˣ)), without overflow.
    LogSigmoid => |x| x.log_sigmoid();
    /// min(max(x + 3, 0), 6) / 6: a sigmoid of straight lines. The derivative at ±3 is 0. Courbariaux et al. 2015.
    #[doc(alias = "HardSigmoid")]
    Hardsigmoid => |x| (x + 3.0).relu6() / 6.0;
    /// x · min(max(x + 3, 0), 6) / 6. The derivative is 0 at −3 and 1 at 3. Howard et al. 2019.
    #[doc(alias("HardSwish", "HardSilu"))]
    Hardswish => |x| x * (x + 3.0).relu6() / 6.0;
    /// x − tanh x.
    #[doc(alias = "TanhShrink")]
    Tanhshrink => |x| x - x.tanh();
    /// 0 up to −1, (x + 1)² / 4 up to 1, and from there x. Keras's.
    SparsePlus => |x| x.select(x.ge(1.0), (x.clamp(-1.0, 1.0) + 1.0).square() * 0.25);
    /// min(max((x + 1) / 2, 0), 1), the derivative of [`SparsePlus`]. Its own at ±1 is 0. Keras's.
    SparseSigmoid => |x| (x.hardtanh(-1.0, 1.0) + 1.0) * 0.5;
    /// [`struct@Softmax`] over the channels of an image `[batch, channels, height, width]` or `[channels, height, width]`. PyTorch's.
    Softmax2d => |x| match x.rank() {
        3 | 4 => x.softmax(-3),
        _ => {
            let error = Error::shape(format!("takes [batch, channels, height, width], not {}", x.shape()));
            x.tape().reject("Softmax2d", &[("input", x)], error.help("`Softmax.axis(1)` takes any rank"))
        }
    };
}

/// One row a layer with numbers as settings: its documentation, its name, the settings with their defaults, which of them have a
/// meaning, and the function. Settings that have none are an error of `forward`.
macro_rules! adjustable {
    ($(
        $(#[$doc:meta])*
        $name:ident($($field:ident),+) $(= ($($default:expr),+))?, needs $sound:expr, $help:literal => |$x:ident| $body:expr;
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        pub struct $name {
            $($field: f64,)+
        }

        impl $name {
            /// With these settings; those without meaning are an error of `forward`.
            pub const fn new($($field: f64),+) -> $name {
                $name { $($field),+ }
            }
        }

        $(
            /// The settings of PyTorch, or of Keras where PyTorch has no such function.
            impl Default for $name {
                fn default() -> $name {
                    $name::new($($default),+)
                }
            }
        )?

        impl Layer for $name {
            #[track_caller]
            fn forward<'t>(&self, $x: Var<'t>) -> Var<'t> {
                let $name { $($field),+ } = *self;
                let _scope = self.scope($x.tape());
                let sound = $sound && [$($field),+].iter().all(|setting| setting.is_finite());
                if !sound {
                    let settings = [$(format!("{} = {}", stringify!($field), $field)),+].join(", ");
                    return refused(stringify!($name), $x, settings, $help);
                }
                $body
            }
        }
    )+};
}

adjustable! {
    /// x where x > 0, else slope · x. The derivative at 0 is the slope; 0.01 unless set. (Keras's layer has 0.3, its function 0.2.) Maas et al. 2013.
    ///
    /// ```
    /// use wengert_nn::{layer::Layer, layers::activation::LeakyRelu};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let y = LeakyRelu::new(0.5).predict(&Tensor::from([-2f32, 3.0]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [-1.0, 3.0]);
    /// # Ok(())
    /// # }
    /// ```
    LeakyRelu(slope) = (0.01), needs true, "the slope is a number" => |x| x.leaky_relu(slope);
    /// x where x > 0, else α (eˣ − 1), with the depth α = 1 unless set. The derivative at 0 is α. Clevert et al. 2015.
    Elu(alpha) = (1.0), needs true, "α is a number" => |x| x.elu(alpha);
    /// x where x > 0, else α (eˣᐟᵅ − 1), with α = 1 unless set: an [`Elu`] whose derivative at 0 is 1 for every α. Barron 2017.
    #[doc(alias = "CELU")]
    Celu(alpha) = (1.0), needs alpha != 0.0, "α is a number other than 0" => |x| {
        x.select(x.gt(0.0), (x / alpha).expm1() * alpha)
    };
    /// min(max(x, low), high), with the bounds ±1 unless set. The derivative at the bounds is 0. Collobert 2004.
    #[doc(alias = "HardTanh")]
    Hardtanh(low, high) = (-1.0, 1.0), needs low < high, "`low` is below `high`" => |x| x.hardtanh(low, high);
    /// 0 where |x| ≤ λ, else x, with λ = 0.5 unless set.
    #[doc(alias = "HardShrink")]
    Hardshrink(lambda) = (0.5), needs lambda >= 0.0, "λ is at least 0" => |x| x.masked_fill(x.abs().le(lambda), 0.0);
    /// 0 where |x| ≤ λ, else x brought nearer to 0 by λ, with λ = 0.5 unless set.
    #[doc(alias = "SoftShrink")]
    Softshrink(lambda) = (0.5), needs lambda >= 0.0, "λ is at least 0" => |x| x - x.clamp(-lambda, lambda);
    /// x where x > threshold, else value.
    ///
    /// ```
    /// use wengert_nn::{layer::Layer, layers::activation::Threshold};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let y = Threshold::new(1.0, -7.0).predict(&Tensor::from([0.5f32, 1.0, 1.5]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [-7.0, -7.0, 1.5]);
    /// # Ok(())
    /// # }
    /// ```
    Threshold(threshold, value), needs true, "both are numbers" => |x| x.masked_fill(x.le(threshold), value);
    /// (x + √(x² + b)) / 2, with b = 4 unless set: a smooth [`struct@Relu`] without an exponential. Barron 2021; Keras's.
    Squareplus(b) = (4.0), needs b >= 0.0, "b is at least 0" => |x| {
        let root = x.hypot(b.sqrt());
        // Below zero the sum of the two would cancel.
        ((x + root) * 0.5).select(x.ge(0.0), (0.5 * b) / (root - x))
    };
    /// x where x > 0, else slope · x, where in training each element draws its slope between `low` and `high`; otherwise it is their mean.
    /// 1/8 and 1/3 unless set. The draws belong to the tape, as those of [`Dropout`](super::dropout::Dropout). Xu et al. 2015.
    #[doc(alias = "RReLU")]
    RRelu(low, high) = (0.125, 1.0 / 3.0), needs low <= high, "`low` is at most `high`" => |x| {
        match x.tape().is_training() {
            true => {
                let slopes = x.tape().uniform(x.shape(), wide(x.dtype())) * (high - low) + low;
                x.leaky_relu(slopes.cast(x.dtype()))
            }
            false => x.leaky_relu(0.5 * (low + high)),
        }
    };
}

/// max(x, 0): of itself without settings; the derivative at 0 is 0. With all of Keras's settings
///
/// | | y |
/// |---|---|
/// | x ≤ threshold | negative_slope · (x − threshold) |
/// | between | x |
/// | x ≥ max_value | max_value, with the derivative 0 |
///
/// Nair & Hinton 2010.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::activation::Relu};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([-1f32, 0.5, 9.0]);
/// assert_eq!(Relu.predict(&x)?.to_vec::<f32>()?, [0.0, 0.5, 9.0]);
/// assert_eq!(Relu.max_value(6.0).negative_slope(0.1).predict(&x)?.to_vec::<f32>()?, [-0.1, 0.5, 6.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Relu {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

/// [`Relu`](struct@Relu) without settings.
#[expect(non_upper_case_globals, reason = "the layer itself: `Relu`, or with settings `Relu.max_value(6.0)`")]
pub const Relu: Relu = Relu { max_value: None, negative_slope: 0.0, threshold: 0.0 };

impl Relu {
    /// No value is larger than this one.
    #[must_use]
    pub const fn max_value(mut self, bound: f64) -> Relu {
        self.max_value = Some(bound);
        self
    }

    /// The slope up to the threshold; 0 unless set.
    #[must_use]
    pub const fn negative_slope(mut self, slope: f64) -> Relu {
        self.negative_slope = slope;
        self
    }

    /// Up to where values are silenced; 0 unless set.
    #[must_use]
    pub const fn threshold(mut self, threshold: f64) -> Relu {
        self.threshold = threshold;
        self
    }
}

impl Default for Relu {
    fn default() -> Relu {
        Relu
    }
}

impl Layer for Relu {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let Relu { max_value, negative_slope, threshold } = *self;
        let _scope = self.scope(x.tape());
        if *self == Relu {
            return x.relu();
        }
        if ![negative_slope, threshold, max_value.unwrap_or(0.0)]
            .iter()
            .all(|setting| (0.0..f64::INFINITY).contains(setting))
        {
            let bound = max_value.map_or(String::new(), |bound| format!("max_value = {bound}, "));
            let settings = format!("{bound}negative_slope = {negative_slope}, threshold = {threshold}");
            return refused("Relu", x, settings, "all of them are at least 0");
        }
        let below = match negative_slope == 0.0 {
            true => x.zeros_like(),
            false => (x - threshold) * negative_slope,
        };
        let y = below.select(x.le(threshold), x);
        match max_value {
            Some(bound) => y.masked_fill(y.ge(bound), bound),
            None => y,
        }
    }
}

/// x Φ(x), the Gaussian error linear unit, in its tanh form 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), as [`Var::gelu`].
///
/// `Gelu.exact()` is 0.5 x (1 + erf(x / √2)), the default of PyTorch and Keras, as [`Var::gelu_exact`]. They differ by at most 5e-4.
/// Hendrycks & Gimpel 2016.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::activation::Gelu};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([1f64]);
/// assert!((Gelu.predict(&x)?.item::<f64>()? - 0.8411919906).abs() < 1e-9);
/// assert!((Gelu.exact().predict(&x)?.item::<f64>()? - 0.8413447461).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Gelu {
    exact: bool,
}

/// [`Gelu`](struct@Gelu) in its tanh form.
#[expect(non_upper_case_globals, reason = "the layer itself: `Gelu`, or with a setting `Gelu.exact()`")]
pub const Gelu: Gelu = Gelu { exact: false };

impl Gelu {
    /// With the error function itself.
    #[must_use]
    pub const fn exact(mut self) -> Gelu {
        self.exact = true;
        self
    }
}

impl Default for Gelu {
    fn default() -> Gelu {
        Gelu
    }
}

impl Layer for Gelu {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        if self.exact { x.gelu_exact() } else { x.gelu() }
    }
}

/// log(1 + e^(β x)) / β, without overflow; β = 1 unless set. Dugas et al. 2001.
///
/// PyTorch gives x itself where β x > 20, which is nearer to the truth than its own formula would be, but not than this one. For its numbers
/// to the last bit: `Softplus.threshold(20.0)`.
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Softplus {
    beta: f64,
    threshold: Option<f64>,
}

/// [`Softplus`](struct@Softplus) with β = 1 and without a threshold.
#[expect(non_upper_case_globals, reason = "the layer itself: `Softplus`, or with settings `Softplus.beta(2.0)`")]
pub const Softplus: Softplus = Softplus { beta: 1.0, threshold: None };

impl Softplus {
    /// How sharp the bend is.
    #[must_use]
    pub const fn beta(mut self, beta: f64) -> Softplus {
        self.beta = beta;
        self
    }

    /// From which β x on the result is x itself.
    #[must_use]
    pub const fn threshold(mut self, threshold: f64) -> Softplus {
        self.threshold = Some(threshold);
        self
    }
}

impl Default for Softplus {
    fn default() -> Softplus {
        Softplus
    }
}

impl Layer for Softplus {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let Softplus { beta, threshold } = *self;
        let _scope = self.scope(x.tape());
        if !beta.is_finite() || beta == 0.0 || threshold.is_some_and(f64::is_nan) {
            let bound = threshold.map_or(String::new(), |bound| format!(", threshold = {bound}"));
            return refused(
                "Softplus",
                x,
                format!("beta = {beta}{bound}"),
                "β is a number other than 0, the threshold a number",
            );
        }
        let scaled = if beta == 1.0 { x } else { x * beta };
        let y = if beta == 1.0 { x.softplus() } else { scaled.softplus() / beta };
        match threshold {
            Some(bound) => x.select(scaled.gt(bound), y),
            None => y,
        }
    }
}

/// One row a layer along an axis: its documentation, its name, and the function of a variable and an axis.
macro_rules! along {
    ($($(#[$doc:meta])* $name:ident => |$x:ident, $axis:ident| $body:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Module)]
        pub struct $name {
            axis: isize,
        }

        #[doc = concat!("[`", stringify!($name), "`](struct@", stringify!($name), ") along the last axis.")]
        #[expect(non_upper_case_globals, reason = "the layer itself, or with a setting: `Softmax.axis(1)`")]
        pub const $name: $name = $name { axis: -1 };

        impl $name {
            /// Along this axis; a negative one counts from the end.
            #[must_use]
            pub const fn axis(mut self, axis: isize) -> $name {
                self.axis = axis;
                self
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward<'t>(&self, $x: Var<'t>) -> Var<'t> {
                let _scope = self.scope($x.tape());
                let $axis = self.axis;
                $body
            }
        }
    )+};
}

along! {
    /// eˣ / Σ eˣ over the last axis, or the one that is set. A loss on logits such as cross-entropy wants the model without it.
    Softmax => |x, axis| x.softmax(axis);
    /// log(eˣ / Σ eˣ) over the last axis, or the one that is set.
    LogSoftmax => |x, axis| x.log_softmax(axis);
    /// e⁻ˣ / Σ e⁻ˣ over the last axis, or the one that is set. PyTorch's.
    Softmin => |x, axis| (-x).softmax(axis);
    /// The point of the probability simplex nearest to x along the last axis, or the one that is set: max(x − τ, 0) with the τ for which
    /// the sum is 1. Small entries become exactly 0. Martins & Astudillo 2016; Keras's.
    ///
    /// ```
    /// use wengert_nn::{layer::Layer, layers::activation::Sparsemax};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let y = Sparsemax.predict(&Tensor::from([1f32, 0.5, -1.0]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [0.75, 0.25, 0.0]);
    /// # Ok(())
    /// # }
    /// ```
    Sparsemax => |x, axis| sparsemax(x, axis);
    /// a · sigmoid(b), where a and b are the halves of the last axis, or of the one that is set. Dauphin et al. 2017.
    ///
    /// ```
    /// use wengert_nn::{layer::Layer, layers::activation::Glu};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let y = Glu.predict(&Tensor::from([2f32, 3.0, 0.0, 0.0]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 1.5]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "GLU")]
    Glu => |x, axis| glu(x, axis);
}

#[track_caller]
fn glu<'t>(x: Var<'t>, axis: isize) -> Var<'t> {
    let shape = x.shape();
    let size = match shape.axis(axis) {
        Ok(place) => shape.get(place).copied().unwrap_or(0),
        Err(error) => return x.tape().reject("Glu", &[("input", x)], error),
    };
    if size == 0 || size % 2 != 0 {
        let error = Error::shape(format!("an axis of {size} has no two halves"));
        return x.tape().reject(
            "Glu",
            &[("input", x)],
            error.help("the layer before has two outputs for each one of this"),
        );
    }
    x.slice(axis, ..size / 2) * x.slice(axis, size / 2..).sigmoid()
}

#[track_caller]
fn sparsemax<'t>(x: Var<'t>, axis: isize) -> Var<'t> {
    let (tape, shape, dtype) = (x.tape(), x.shape(), x.dtype());
    let fault = match shape.axis(axis) {
        Ok(place) if shape.get(place) == Some(&0) => Some(Error::shape(format!("axis {axis} of {shape} is empty"))),
        Ok(_) if !dtype.is_float() => Some(Error::dtype(format!("takes floats, not {dtype}"))),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(error) = fault {
        return tape.reject("Sparsemax", &[("input", x)], error);
    }
    let x = if dtype == DType::F64 { x } else { x.cast(DType::F32) };
    // Moving all of x changes nothing, so no gradient need pass the maximum.
    let x = x - x.max_keep(axis).stop_gradient();
    let still = x.stop_gradient();
    let rank = tape.iota(&shape, axis, x.dtype()) + 1.0;
    // Σ max(x − τ, 0) = 1 at the largest of the τ that the k largest entries alone would have.
    let tau = ((still.sort_descending(axis).cumsum(axis) - 1.0) / rank).max_keep(axis);
    let inside = still.gt(tau.broadcast_to(&shape));
    let (kept, count) = (x.select(inside, 0.0), inside.cast(x.dtype()).sum_keep(axis));
    ((x - (kept.sum_keep(axis) - 1.0) / count).relu().select(inside, 0.0)).cast(dtype)
}

#[track_caller]
fn refused<'t>(name: &'static str, x: Var<'t>, settings: String, help: &'static str) -> Var<'t> {
    let error = Error::value(format!("{settings} has no meaning")).help(help);
    x.tape().reject(name, &[("input", x)], error)
}

fn same(name: &'static str, layer: impl Layer + 'static) -> Case {
    let shape: &[usize] = if name == "Softmax2d" { &[2, 3, 2, 2] } else { &[4, 3] };
    Case::new("activation", name, layer, [shape, shape], &[])
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = plain();
    cases.extend([
        same("Relu", Relu),
        same("Relu max_value", Relu.max_value(0.7)),
        same("Relu negative_slope", Relu.negative_slope(0.3)),
        same("Relu threshold", Relu.threshold(0.4)),
        same("Relu all", Relu.max_value(0.9).negative_slope(0.3).threshold(0.4)),
        same("Gelu", Gelu),
        same("Gelu exact", Gelu.exact()),
        same("Softplus", Softplus),
        same("Softplus beta", Softplus.beta(2.5).threshold(1.0)),
        same("Softmax", Softmax),
        same("Softmax axis", Softmax.axis(0)),
        same("LogSoftmax", LogSoftmax),
        same("LogSoftmax axis", LogSoftmax.axis(0)),
        same("Softmin", Softmin),
        same("Sparsemax", Sparsemax),
        same("Sparsemax axis", Sparsemax.axis(0)),
        Case::new("activation", "Glu", Glu, [&[4, 6], &[4, 3]], &[]),
        Case::new("activation", "Glu axis", Glu.axis(1), [&[2, 4, 3], &[2, 2, 3]], &[]),
        same("LeakyRelu", LeakyRelu::default()),
        same("Elu", Elu::default()),
        same("Elu alpha", Elu::new(0.4)),
        same("Celu", Celu::default()),
        same("Celu alpha", Celu::new(0.25)),
        same("Hardtanh", Hardtanh::default()),
        same("Hardtanh bounds", Hardtanh::new(-0.4, 0.8)),
        same("Hardshrink", Hardshrink::default()),
        same("Softshrink", Softshrink::default()),
        same("Threshold", Threshold::new(0.1, -7.0)),
        same("Squareplus", Squareplus::default()),
        same("Squareplus b", Squareplus::new(0.25)),
        same("RRelu", RRelu::default()),
    ]);
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    fn refusal(layer: impl Layer, x: &Tensor) -> String {
        layer.predict(x).unwrap_err().to_string()
    }

    #[test]
    fn settings_without_meaning_are_refused() {
        let x = Tensor::from([[1f32, 2.0, 3.0]]);
        for (text, words) in [
            (refusal(LeakyRelu::new(f64::NAN), &x), ["LeakyRelu", "slope = NaN has no meaning"]),
            (refusal(Elu::new(f64::INFINITY), &x), ["Elu", "alpha = inf has no meaning"]),
            (refusal(Celu::new(0.0), &x), ["alpha = 0 has no meaning", "other than 0"]),
            (refusal(Hardtanh::new(1.0, 1.0), &x), ["low = 1, high = 1 has no meaning", "`low` is below `high`"]),
            (refusal(Hardshrink::new(-1.0), &x), ["lambda = -1 has no meaning", "at least 0"]),
            (refusal(Softshrink::new(-0.5), &x), ["lambda = -0.5 has no meaning", "at least 0"]),
            (refusal(Squareplus::new(-4.0), &x), ["b = -4 has no meaning", "at least 0"]),
            (refusal(RRelu::new(0.5, 0.1), &x), ["low = 0.5, high = 0.1 has no meaning", "at most"]),
            (refusal(Relu.max_value(-1.0), &x), ["max_value = -1, negative_slope = 0, threshold = 0", "at least 0"]),
            (refusal(Relu.negative_slope(f64::NAN), &x), ["negative_slope = NaN", "has no meaning"]),
            (refusal(Softplus.beta(0.0), &x), ["beta = 0 has no meaning", "other than 0"]),
            (refusal(Glu, &x), ["an axis of 3 has no two halves", "two outputs for each"]),
            (refusal(Softmax2d, &x), ["takes [batch, channels, height, width], not [1, 3]", "Softmax.axis(1)"]),
            (refusal(Softmax.axis(2), &x), ["axis 2", "Softmax"]),
            (refusal(Glu.axis(-3), &x), ["axis -3", "Glu"]),
            (refusal(Sparsemax, &Tensor::from([[1i64, 2]])), ["takes floats, not i64", "Sparsemax"]),
            (refusal(Sparsemax.axis(2), &x), ["axis 2", "Sparsemax"]),
        ] {
            for word in words {
                assert!(text.contains(word), "{word}\n{text}");
            }
        }
    }

    #[test]
    fn random_slopes_lie_between_their_bounds() -> Result<()> {
        let x = Tensor::from(vec![-1f32; 10_000]);
        let y = RRelu::new(0.2, 0.6).forward(Tape::training(3u64).input(&x)).value()?.to_f64_vec();
        assert!(y.iter().all(|y| (-0.6..=-0.2).contains(y)));
        assert!((y.iter().sum::<f64>() / y.len() as f64 + 0.4).abs() < 0.01);
        assert!(RRelu::new(0.2, 0.6).predict(&x)?.to_f64_vec().iter().all(|y| (y + 0.4).abs() < 1e-6));
        Ok(())
    }

    /// Far from zero, with NaN, and in 16 bits.
    #[test]
    fn ends_are_as_they_should_be() -> Result<()> {
        let far = Tensor::from([-1e30f32, 1e30]);
        let value = |layer: &dyn Layer| layer.predict(&far).unwrap().to_vec::<f32>().unwrap();
        assert_eq!(value(&Squareplus::default()), [1e-30, 1e30]);
        assert_eq!(value(&Celu::new(0.5)), [-0.5, 1e30]);
        assert_eq!(value(&Softplus.beta(2.0)), [0.0, 1e30]);
        assert_eq!(value(&Sparsemax), [0.0, 1.0]);
        let small = Squareplus::new(1.0).predict(&Tensor::from([-1e4f32]))?.item::<f32>()?;
        assert!((small / 2.5e-5 - 1.0).abs() < 1e-6, "{small}");
        let infinite = Sparsemax.predict(&Tensor::from([0.5f32, f32::NEG_INFINITY, 0.0]))?.to_vec::<f32>()?;
        assert_eq!(infinite, [0.75, 0.0, 0.25]);
        for case in cases() {
            for dtype in [DType::BF16, DType::F16] {
                let x = Tensor::ones(case.input.clone(), dtype)?;
                let tape = Tape::new();
                let x = tape.input(&x);
                let y = case.layer.forward(x);
                let [dx] = tape.grad(y.sum(), [x]);
                assert_eq!(y.dtype(), dtype, "{}", case.name);
                assert!(!y.value()?.has_nan() && !dx.value()?.has_nan(), "{}", case.name);
            }
            if !["Glu", "Softmax", "Sparsemax", "LogSoftmax", "Softmin"].iter().any(|name| case.name.starts_with(name))
            {
                assert!(case.layer.predict(&Tensor::from([f32::NAN]))?.has_nan(), "{} hides NaN", case.name);
            }
        }
        Ok(())
    }

    #[test]
    fn gradients_of_sparsemax_stop_outside_of_its_support() -> Result<()> {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from([1f64, 0.5, -1.0]));
        let [dx] = tape.grad(Sparsemax.forward(x).slice(0, ..1).sum(), [x]);
        assert_eq!(dx.value()?.to_f64_vec(), [0.5, -0.5, 0.0]);
        Ok(())
    }
}
