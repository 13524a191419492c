//! Weight normalisation: a weight is a direction and a magnitude, which are learned apart.

use std::panic::Location;

use wengert_autograd::{Apply, Tape, Var};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::norm::{along, wide};
use super::parametrization::{Parametrizations, Target};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::param::Param;

/// A layer whose weight is w = g · v / ‖v‖, with a magnitude g for each output and a direction v that are learned
/// apart.
///
/// | | shape |
/// |---|---|
/// | x, y | those of the layer |
/// | `parametrizations.weight.original0` g | `[outputs, 1…]`; `[]` if [`whole`](WeightNorm::whole) |
/// | `parametrizations.weight.original1` v | that of the layer's weight |
///
/// Any layer with a parameter of its own called `weight` will do (dense, convolution, embedding, one's own), and
/// [`parameter`](WeightNorm::parameter) names another one; the other parameters keep their names. At first g = ‖v‖,
/// so that the layer is as it was drawn. A row v of zeros has the weight 0.
///
/// Names, shapes and defaults are those of PyTorch's `torch.nn.utils.parametrizations.weight_norm`. Norms of 16 bits
/// are taken in f32. Salimans & Kingma 2016.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::{dense::Dense, weight_norm::WeightNorm}, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let plain = Dense::new(3, 2).init(Seed(1))?;
/// let layer = WeightNorm::new(plain.clone());
/// let names: Vec<String> = layer.parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["parametrizations.weight.original1", "bias", "parametrizations.weight.original0"]);
///
/// let x = Tensor::from([[1f32, 2.0, 3.0]]);
/// assert!(layer.predict(&x)?.max_abs_diff(&plain.predict(&x)?)? < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WeightNorm<L> {
    target: Target<L>,
    /// The axis whose elements have a magnitude each.
    axis: Option<isize>,
    others: Parametrizations<Magnitude>,
}

#[derive(Clone, Debug, Module)]
struct Magnitude {
    original0: Param,
}

impl<L: Layer> WeightNorm<L> {
    /// Normalises the `weight` of `layer`, with a magnitude for each element of its first axis. What is wrong is
    /// reported by the first use.
    #[track_caller]
    pub fn new(layer: L) -> WeightNorm<L> {
        WeightNorm::made(layer, "weight", Some(0))
    }

    /// Normalises another parameter of the layer.
    #[must_use]
    #[track_caller]
    pub fn parameter(self, name: &'static str) -> WeightNorm<L> {
        WeightNorm::made(self.target.layer, name, self.axis)
    }

    /// A magnitude for each element of this axis, from the end if negative.
    #[must_use]
    #[track_caller]
    pub fn axis(self, axis: isize) -> WeightNorm<L> {
        WeightNorm::made(self.target.layer, self.target.name, Some(axis))
    }

    /// One magnitude for the whole weight: PyTorch's `dim=None`.
    #[must_use]
    #[track_caller]
    pub fn whole(self) -> WeightNorm<L> {
        WeightNorm::made(self.target.layer, self.target.name, None)
    }

    #[track_caller]
    fn made(layer: L, name: &'static str, axis: Option<isize>) -> WeightNorm<L> {
        let target = Target::new(layer, name);
        let of = || -> Result<Param> {
            let weight = target.param()?;
            let shape = magnitudes(weight.shape(), axis)?;
            Ok(Param::draw(shape, follows(weight.clone(), axis)))
        };
        let here = Location::caller();
        let original0 = of().unwrap_or_else(|error| Param::faulty(error.op("WeightNorm").at(here)));
        WeightNorm { target, axis, others: Parametrizations { name, parts: Magnitude { original0 } } }
    }

    /// The layer.
    pub fn layer(&self) -> &L {
        &self.target.layer
    }

    /// The weight w on a tape.
    #[track_caller]
    pub fn weight<'t>(&self, tape: &'t Tape) -> Var<'t> {
        match self.target.param() {
            Ok(param) => {
                let v = param.on(tape);
                let g = self.others.parts.original0.on(tape);
                let wide = wide(v.dtype());
                let v_wide = v.cast(wide);
                let size = sizes(v_wide, self.axis);
                (v_wide * (g.cast(wide) / size.select(size.ne(0.0), 1.0))).cast(v.dtype())
            }
            Err(error) => tape.reject("WeightNorm", &[], error),
        }
    }

    /// The layer alone, with the weight w: what is faster when nothing is learned any more.
    ///
    /// # Errors
    /// What was wrong with the arguments of the layer or of this one.
    pub fn into_layer(self) -> Result<L> {
        let weight = self.weight(&Tape::new()).value()?;
        self.target.into_layer(weight)
    }
}

/// The shape of g.
fn magnitudes(weight: &Shape, axis: Option<isize>) -> Result<Vec<usize>> {
    match axis {
        None => Ok(Vec::new()),
        Some(axis) => {
            let axis =
                weight.axis(axis).map_err(|error| Error::axis(format!("a weight {weight}: {}", error.message())))?;
            Ok(along(weight.rank(), axis, weight.get(axis).copied().unwrap_or(0)))
        }
    }
}

/// ‖v‖, in the shape of g.
#[track_caller]
fn sizes<'t>(v: Var<'t>, axis: Option<isize>) -> Var<'t> {
    match axis.map(|axis| v.shape().axis(axis)) {
        Some(Ok(axis)) => v.norm_keep((0..v.rank()).filter(|&at| at != axis).map(|at| at as isize).collect::<Vec<_>>()),
        _ => v.norm(),
    }
}

/// What draws g as the size of this v.
fn follows(v: Param, axis: Option<isize>) -> Init {
    Init::custom(move |_, _, dtype| -> Result<Tensor> {
        v.check()?;
        v.value().apply(|v| sizes(v.cast(wide(v.dtype())), axis).cast(dtype))
    })
}

impl<L: Layer> Module for WeightNorm<L> {
    fn type_name(&self) -> &'static str {
        "WeightNorm"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.target.visit(at, "original1");
        at.field("parametrizations", &self.others);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.target.visit_mut(at, "original1");
        at.field("parametrizations", &mut self.others);
        if let Some(v) = self.target.redrawn() {
            self.others.parts.original0.set_init(follows(v, self.axis));
        }
    }
}

impl<L: Layer> Layer for WeightNorm<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight(tape);
        match self.target.param() {
            Ok(param) => self.target.forward(x, param, weight),
            // It was refused already.
            Err(_) => weight,
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::conv::Conv2d;
    use super::conv_transpose::ConvTranspose1d;
    use super::dense::Dense;
    const ALL: &[&str] = &["parametrizations.weight.original1", "bias", "parametrizations.weight.original0"];
    const NO_BIAS: &[&str] = &["parametrizations.weight.original1", "parametrizations.weight.original0"];
    let dense = || WeightNorm::new(Dense::new(3, 5));
    let rows: [&[usize]; 2] = [&[4, 3], &[4, 5]];
    let conv = WeightNorm::new(Conv2d::new(2, 3, 2));
    let transposed = WeightNorm::new(ConvTranspose1d::new(2, 3, 2).without_bias());
    vec![
        Case::new("weight_norm", "dense", dense(), rows, ALL),
        Case::new("weight_norm", "columns", dense().axis(-1), rows, ALL),
        Case::new("weight_norm", "whole", dense().whole(), rows, ALL),
        Case::new("weight_norm", "conv", conv, [&[2, 2, 3, 4], &[2, 3, 2, 3]], ALL),
        Case::new("weight_norm", "conv_transpose", transposed, [&[2, 2, 3], &[2, 3, 4]], NO_BIAS),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::dense::Dense;
    use super::*;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::Seed;

    #[test]
    fn the_magnitude_follows_a_seed() -> Result<()> {
        let layer = (WeightNorm::new(Dense::new(3, 4)), Dense::new(4, 1)).init(Seed(5))?;
        let again = (WeightNorm::new(Dense::new(3, 4)), Dense::new(4, 1)).init(Seed(4))?.init(Seed(5))?;
        let (v, g) = (layer.0.target.param()?.value(), layer.0.others.parts.original0.value());
        assert!(g.max_abs_diff(&v.apply(|v| v.norm_keep(1))?)? < 1e-6);
        for ((name, a), (_, b)) in layer.state().into_iter().zip(again.state()) {
            assert!(a.value().equals(b.value()), "{name}");
        }
        let plain = layer.0.clone().into_layer()?;
        let x = Tensor::from([[1f32, -2.0, 3.0]]);
        assert!(plain.predict(&x)?.max_abs_diff(&layer.0.predict(&x)?)? < 1e-6);
        Ok(())
    }

    #[test]
    fn a_weight_that_was_set_is_kept() -> Result<()> {
        let mut dense = Dense::new(2, 1);
        dense.weight.set(Tensor::from([[3f32, 4.0]]))?;
        let layer = WeightNorm::new(dense);
        assert_eq!(layer.predict(&Tensor::from([[1f32, 1.0]]))?.to_vec::<f32>()?, [7.0]);
        assert_eq!(layer.others.parts.original0.value().to_vec::<f32>()?, [5.0]);
        Ok(())
    }

    #[test]
    fn a_direction_of_zeros_is_no_nan() -> Result<()> {
        let layer = WeightNorm::new(Dense::new(3, 2).weight_init(Init::Zeros));
        let tape = Tape::new();
        let x = tape.full([4, 3], 1.0, DType::F32);
        let gradients = layer.forward(x).sum().backward();
        for (name, param) in layer.parameters() {
            assert!(!gradients.at(param.id()).value()?.has_nan(), "{name}");
        }
        Ok(())
    }

    #[test]
    fn two_parameters_of_one_layer() -> Result<()> {
        #[derive(Module)]
        struct Two {
            a: Param,
            b: Param,
        }
        impl Layer for Two {
            fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                x.matmul(&self.a).matmul(&self.b)
            }
        }
        let two = Two { a: Param::draw([2, 3], Init::GlorotUniform), b: Param::draw([3, 2], Init::GlorotUniform) };
        let x = Tensor::from([[1f32, 2.0]]);
        let plain = two.predict(&x)?;
        let layer = WeightNorm::new(WeightNorm::new(two).parameter("a")).parameter("b");
        let names: Vec<String> = layer.parameters().into_iter().map(|(name, _)| name).collect();
        let [a, b] = ["a", "b"].map(|name| [0, 1].map(|i| format!("parametrizations.{name}.original{i}")));
        assert_eq!(names.join(" "), [&*a[1], &b[1], &a[0], &b[0]].join(" "));
        assert!(layer.predict(&x)?.max_abs_diff(&plain)? < 1e-5);
        Ok(())
    }

    #[test]
    fn sixteen_bits_run() -> Result<()> {
        for dtype in [DType::BF16, DType::F16] {
            let layer = WeightNorm::new(Dense::new(3, 2)).with_dtype(dtype)?;
            assert_eq!(layer.predict(&Tensor::ones([4, 3], dtype)?)?.dtype(), dtype);
        }
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        let told = |layer: WeightNorm<Dense>, wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full([4, 3], 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
            assert!(layer.init(Seed(1)).is_err());
        };
        let dense = || WeightNorm::new(Dense::new(3, 2));
        told(dense().parameter("kernel"), "Dense has no parameter `kernel`");
        told(dense().parameter("kernel"), "it has `weight`, `bias`");
        told(dense().axis(2), "a weight [2, 3]: axis 2");
        told(WeightNorm::new(Dense::new(0, 2)), "a layer from 0 to 2 features has no weights");
    }
}
