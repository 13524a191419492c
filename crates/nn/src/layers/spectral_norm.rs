//! Spectral normalisation: a weight is divided by its largest singular value.

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::norm::{refuse, wide};
use super::parametrization::{Parametrizations, Target};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};
use crate::param::{Buffer, Param};

/// A layer whose weight is w / σ, where σ = uᵀ w v is the largest singular value of w as a matrix `[outputs, the
/// rest]`.
///
/// | | shape |
/// |---|---|
/// | x, y | those of the layer |
/// | `parametrizations.weight.original` w | that of the layer's weight |
/// | `parametrizations.weight.0._u`, `parametrizations.weight.0._v` | `[outputs]`, `[the rest]`, buffers |
///
/// So the layer changes no distance by more than it was: ‖f(a) − f(b)‖ ≤ ‖a − b‖ for a dense one, which keeps the
/// critic of a GAN in bounds.
///
/// u and v are the singular vectors, by power iteration: in training each use goes one step on, u ← w v / ‖w v‖, v ←
/// wᵀ u / ‖wᵀ u‖, and the optimizer's step commits them; in evaluation they stay. They are constants to the gradient.
/// At first they are 15 steps from random vectors. A weight with one axis is divided by its length, without u and v.
///
/// Any layer with a parameter of its own called `weight` will do (dense, convolution, embedding, one's own), and
/// [`parameter`](SpectralNorm::parameter) names another one; the other parameters keep their names. Names, shapes and
/// defaults (ε = 1e-12; outputs on the first axis, of transposed convolutions on the second) are those of PyTorch's
/// `torch.nn.utils.parametrizations.spectral_norm`. Miyato et al. 2018.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::{dense::Dense, spectral_norm::SpectralNorm}, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut dense = Dense::new(2, 2);
/// dense.weight.set(Tensor::from([[5f32, 0.0], [0.0, -2.5]]))?;
/// let layer = SpectralNorm::new(dense);
/// let y = layer.predict(&Tensor::from([[1f32, 1.0]]))?;
/// assert!(y.max_abs_diff(&Tensor::from([[1f32, -0.5]]))? < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SpectralNorm<L> {
    target: Target<L>,
    /// The axis of the outputs, if it is not the usual one.
    axis: Option<isize>,
    iterations: usize,
    epsilon: f64,
    /// None for a weight with one axis.
    others: Parametrizations<Vec<Vectors>>,
}

#[derive(Clone, Debug, Module)]
struct Vectors {
    #[module(name = "_u")]
    u: Buffer,
    #[module(name = "_v")]
    v: Buffer,
}

impl<L: Layer> SpectralNorm<L> {
    /// Normalises the `weight` of `layer`. What is wrong is reported by the first use.
    pub fn new(layer: L) -> SpectralNorm<L> {
        SpectralNorm::made(layer, "weight", None, 1, 1e-12)
    }

    /// Normalises another parameter of the layer.
    #[must_use]
    pub fn parameter(self, name: &'static str) -> SpectralNorm<L> {
        SpectralNorm::made(self.target.layer, name, self.axis, self.iterations, self.epsilon)
    }

    /// The outputs are counted by this axis, from the end if negative.
    #[must_use]
    pub fn axis(self, axis: isize) -> SpectralNorm<L> {
        SpectralNorm::made(self.target.layer, self.target.name, Some(axis), self.iterations, self.epsilon)
    }

    /// How many steps of power iteration each use in training goes; 1.
    #[must_use]
    pub fn power_iterations(mut self, iterations: usize) -> SpectralNorm<L> {
        self.iterations = iterations;
        self
    }

    /// The least length that a vector is divided by.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> SpectralNorm<L> {
        SpectralNorm::made(self.target.layer, self.target.name, self.axis, self.iterations, epsilon)
    }

    fn made(layer: L, name: &'static str, axis: Option<isize>, iterations: usize, epsilon: f64) -> SpectralNorm<L> {
        let mut norm = SpectralNorm {
            target: Target::new(layer, name),
            axis,
            iterations,
            epsilon,
            others: Parametrizations { name, parts: Vec::new() },
        };
        norm.others.parts = match norm.sides() {
            Ok(None) => Vec::new(),
            Ok(Some(sides)) => {
                let [u, v] = sides.map(|side| Buffer::draw([side], DType::F32, Init::Zeros).wide());
                vec![Vectors { u, v }]
            }
            Err(error) => {
                let [u, v] = [error.clone(), error].map(|error| {
                    Buffer::draw((), DType::F32, Init::custom(move |_, _, _| Err(error.clone().op("SpectralNorm"))))
                });
                vec![Vectors { u, v }]
            }
        };
        norm.follow(norm.target.param().ok().cloned());
        norm
    }

    /// The axis of the outputs.
    fn outputs(&self, weight: &Shape) -> Result<usize> {
        let usual = if self.target.layer.type_name().starts_with("ConvTranspose") { 1 } else { 0 };
        let axis = weight.axis(self.axis.unwrap_or(usual));
        axis.map_err(|error| Error::axis(format!("a weight {weight}: {}", error.message())))
    }

    /// The rows and columns of the weight as a matrix; nothing for a vector.
    fn sides(&self) -> Result<Option<[usize; 2]>> {
        let param = self.target.param()?;
        let shape = param.shape();
        if shape.rank() < 2 {
            return Ok(None);
        }
        let axis = self.outputs(shape)?;
        let rows = shape.get(axis).copied().unwrap_or(0);
        Ok(Some([rows, shape.len().checked_div(rows).unwrap_or(0)]))
    }

    /// Lets the singular vectors be drawn from this weight.
    fn follow(&mut self, weight: Option<Param>) {
        let Some(weight) = weight else { return };
        let (Ok(Some([_, columns])), Ok(axis)) = (self.sides(), self.outputs(weight.shape())) else { return };
        let epsilon = self.epsilon;
        for Vectors { u, v } in &mut self.others.parts {
            for (place, buffer) in [u, v].into_iter().enumerate() {
                let weight = weight.clone();
                buffer.as_param_mut().set_init(Init::custom(move |_, _, dtype| {
                    weight.check()?;
                    let tape = Tape::new();
                    let w = tape.input(weight.value());
                    let start = tape.input(&Tensor::normal([columns], wide(w.dtype()), Key::new(START))?);
                    let [u, v] = power(matrix(w, axis), unit(start, epsilon), FIRST, epsilon);
                    if place == 0 { u } else { v }.cast(dtype).value()
                }));
            }
        }
    }

    /// The layer.
    pub fn layer(&self) -> &L {
        &self.target.layer
    }

    /// The weight w / σ on a tape. On a training tape the singular vectors go a step on.
    #[track_caller]
    pub fn weight<'t>(&self, tape: &'t Tape) -> Var<'t> {
        match self.divided(tape) {
            Ok(weight) => weight,
            Err(error) => tape.reject("SpectralNorm", &[], error),
        }
    }

    #[track_caller]
    fn divided<'t>(&self, tape: &'t Tape) -> Result<Var<'t>> {
        let param = self.target.param()?;
        let w = param.on(tape);
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            let error = Error::value(format!("ε = {}", self.epsilon));
            return Err(error.help("ε is a small positive number, as 1e-12"));
        }
        if self.iterations == 0 {
            return Err(Error::value("0 steps of power iteration").help("each use in training goes at least one"));
        }
        let values = w.cast(wide(w.dtype()));
        let Some(Vectors { u, v }) = self.others.parts.first() else {
            return Ok(unit(values, self.epsilon).cast(w.dtype()));
        };
        param.check()?;
        let matrix = matrix(w, self.outputs(param.shape())?);
        let singular = match tape.is_training() {
            true => {
                let from = v.now(tape).cast(values.dtype());
                let moved = power(matrix.stop_gradient(), from, self.iterations, self.epsilon);
                for (buffer, new) in [u, v].into_iter().zip(moved) {
                    buffer.update(new.cast(buffer.dtype()));
                }
                moved
            }
            false => [u, v].map(|buffer| buffer.on(tape).cast(values.dtype())),
        };
        let [u, v] = singular;
        let sigma = (u * matrix.matmul(v)).sum();
        Ok((values / sigma.select(sigma.ne(0.0), 1.0)).cast(w.dtype()))
    }

    /// The layer alone, with the weight w / σ: what is faster when nothing is learned any more.
    ///
    /// # Errors
    /// What was wrong with the arguments of the layer or of this one.
    pub fn into_layer(self) -> Result<L> {
        let weight = self.weight(&Tape::new()).value()?;
        self.target.into_layer(weight)
    }
}

/// The steps before the first use, and the key of the vector that they start from.
const FIRST: usize = 15;
const START: u64 = 0x5350_4543_5452_414c;

/// The weight as a matrix, in the dtype of sums.
#[track_caller]
fn matrix(w: Var<'_>, axis: usize) -> Var<'_> {
    let order: Vec<isize> = (0..w.rank()).map(|at| at as isize).collect();
    let others = order.iter().copied().filter(|&at| at != axis as isize);
    let order: Vec<isize> = [axis as isize].into_iter().chain(others).collect();
    w.cast(wide(w.dtype())).permute(&order).flatten_from(1)
}

#[track_caller]
fn unit(x: Var<'_>, epsilon: f64) -> Var<'_> {
    x / x.norm().maximum(epsilon)
}

/// u and v after so many steps from this v.
#[track_caller]
fn power<'t>(w: Var<'t>, mut v: Var<'t>, steps: usize, epsilon: f64) -> [Var<'t>; 2] {
    let mut u = v;
    for _ in 0..steps {
        u = unit(w.matmul(v), epsilon);
        v = unit(w.t().matmul(u), epsilon);
    }
    [u, v]
}

impl<L: Layer> Module for SpectralNorm<L> {
    fn type_name(&self) -> &'static str {
        "SpectralNorm"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        self.target.visit(at, "original");
        at.field("parametrizations", &self.others);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        self.target.visit_mut(at, "original");
        at.field("parametrizations", &mut self.others);
        let weight = self.target.redrawn();
        self.follow(weight);
    }
}

impl<L: Layer> Layer for SpectralNorm<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        match self.divided(tape).and_then(|weight| Ok((self.target.param()?, weight))) {
            Ok((param, weight)) => self.target.forward(x, param, weight),
            Err(error) => refuse("SpectralNorm", x, None, error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::conv::Conv2d;
    use super::conv_transpose::ConvTranspose1d;
    use super::dense::Dense;
    const ALL: &[&str] =
        &["parametrizations.weight.original", "bias", "parametrizations.weight.0._u", "parametrizations.weight.0._v"];
    const NO_BIAS: &[&str] =
        &["parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"];
    // One step of power iteration leaves u and v depend on the weight, which the gradient does not know. After many
    // steps they do not; and with one output u is ±1.
    let rows: [&[usize]; 2] = [&[4, 3], &[4, 5]];
    let dense = || SpectralNorm::new(Dense::new(3, 5)).power_iterations(40);
    let conv = SpectralNorm::new(Conv2d::new(2, 3, 2)).power_iterations(40);
    let transposed = SpectralNorm::new(ConvTranspose1d::new(2, 3, 2).without_bias()).power_iterations(40);
    vec![
        Case::new("spectral_norm", "dense", dense(), rows, ALL),
        Case::new("spectral_norm", "evaluation", dense(), rows, ALL),
        Case::new("spectral_norm", "axis", dense().axis(1), rows, ALL),
        Case::new("spectral_norm", "one_output", SpectralNorm::new(Dense::new(3, 1)), [&[4, 3], &[4, 1]], ALL),
        Case::new("spectral_norm", "conv", conv, [&[2, 2, 3, 4], &[2, 3, 2, 3]], ALL),
        Case::new("spectral_norm", "conv_transpose", transposed, [&[2, 2, 3], &[2, 3, 4]], NO_BIAS),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::dense::Dense;
    use super::*;
    use crate::optim::sgd::Sgd;
    use wengert_autograd::Apply;
    use wengert_tensor::random::Seed;

    /// The length of the image of the longest vector, by many steps.
    fn largest(w: &Tensor) -> Result<f64> {
        let [u, v] = [w.shape().first(), w.shape().get(1)].map(|n| n.copied().unwrap_or(0));
        let start = Tensor::from_fn([v], |i| 1.0 + 0.1 * i as f32)?;
        let norm = w.apply(|w| {
            let [u, v] = power(w, w.tape().input(&start), 200, 1e-12);
            (u * w.matmul(v)).sum()
        })?;
        assert!(u > 0);
        Ok(f64::from(norm.item::<f32>()?))
    }

    #[test]
    fn training_brings_the_norm_to_one_and_keeps_it_there() -> Result<()> {
        let mut layer = SpectralNorm::new(Dense::new(6, 4)).init(Seed(2))?;
        let mut optimizer = Sgd::new(0.05);
        let x = Tensor::normal([16, 6], DType::F32, 1u64)?;
        let before: Vec<Tensor> = layer.others.parts.iter().map(|vectors| vectors.u.value().clone()).collect();
        for step in 0..30u64 {
            let tape = Tape::training(step);
            let loss = (layer.forward(tape.input(&x)) - 1.0).square().mean();
            optimizer.step(&mut layer, loss.backward())?;
        }
        assert!(layer.others.parts.iter().zip(&before).all(|(vectors, old)| !vectors.u.value().equals(old)));
        let norm = largest(&layer.weight(&Tape::new()).value()?)?;
        assert!((norm - 1.0).abs() < 0.02, "{norm}");
        let plain = layer.clone().into_layer()?;
        assert!(plain.predict(&x)?.max_abs_diff(&layer.predict(&x)?)? < 1e-6);
        Ok(())
    }

    /// A use in training goes one step on, and a second one on the same tape goes on from there: as PyTorch has it,
    /// with two steps.
    #[test]
    fn one_step_a_use() -> Result<()> {
        let mut layer = SpectralNorm::new(Dense::new(3, 2).without_bias()).with_dtype(DType::F64)?;
        let weight = Tensor::from([[1f64, 2.0, -1.0], [0.5, -1.0, 3.0]]);
        crate::module::each_mut(&mut layer, &mut |path, param| {
            let value = match &*path.name() {
                "parametrizations.weight.original" => weight.clone(),
                "parametrizations.weight.0._u" => Tensor::from([1f64, 0.0]),
                _ => Tensor::from([0f64, 0.0, 1.0]),
            };
            assert!(param.set(value).is_ok());
        });
        let tape = Tape::training(0u64);
        let x = tape.input(&Tensor::from([[1f64, 1.0, 1.0]]));
        let y = layer.forward(x);
        let z = layer.forward(x);
        let gradient = (y.at(1, 0) + y.at(1, 1) * 2.0).sum().backward().at(layer.target.param()?.id()).value()?;
        let [y, z] = [y, z].map(|y| y.value().map(|y| y.to_f64_vec()));
        let near = |ours: &[f64], theirs: &[f64]| {
            assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-14), "{ours:?} is not {theirs:?}");
        };
        near(&y?, &[0.5651205866406832, 0.7064007333008541]);
        near(&z?, &[0.5532912853793844, 0.6916141067242305]);
        let theirs = [
            [0.2904561897404709, 0.2036013291190485, 0.4404782217229277],
            [0.5414328973802953, 0.8019974792445624, 0.0913668014329248],
        ];
        near(&gradient.to_f64_vec(), theirs.as_flattened());
        for Vectors { u, v } in &layer.others.parts {
            let [u, v] = tape.eval([u.now(&tape), v.now(&tape)])?;
            near(&u.to_f64_vec(), &[-0.4840613851672658, 0.8750340424177496]);
            near(&v.to_f64_vec(), &[-0.0128762954808520, -0.5099013010417396, 0.8601365381209143]);
        }
        Ok(())
    }

    #[test]
    fn a_vector_is_divided_by_its_length() -> Result<()> {
        #[derive(Module)]
        struct Scale {
            weight: Param,
        }
        impl Layer for Scale {
            fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                x * &self.weight
            }
        }
        let layer = SpectralNorm::new(Scale { weight: Param::new(Tensor::from([3f32, 4.0])) });
        assert_eq!(layer.state().len(), 1);
        let y = layer.predict(&Tensor::from([1f32, 1.0]))?;
        assert!(y.max_abs_diff(&Tensor::from([0.6f32, 0.8]))? < 1e-6);
        Ok(())
    }

    #[test]
    fn the_vectors_follow_a_seed_and_zeros_are_no_nan() -> Result<()> {
        let make = || SpectralNorm::new(Dense::new(3, 2));
        let (a, b) = (make().init(Seed(5))?, make().init(Seed(4))?.init(Seed(5))?);
        for ((name, a), (_, b)) in a.state().into_iter().zip(b.state()) {
            assert!(a.value().equals(b.value()), "{name}");
        }
        let norm = largest(&a.weight(&Tape::new()).value()?)?;
        assert!((norm - 1.0).abs() < 1e-3, "{norm}");
        let zeros = SpectralNorm::new(Dense::new(3, 2).weight_init(Init::Zeros));
        for tape in [Tape::new(), Tape::training(0u64)] {
            let loss = zeros.forward(tape.full([4, 3], 1.0, DType::F32)).sum();
            let gradients = loss.backward();
            for (name, param) in zeros.parameters() {
                assert!(!gradients.at(param.id()).value()?.has_nan(), "{name}");
            }
        }
        Ok(())
    }

    #[test]
    fn sixteen_bits_run() -> Result<()> {
        for dtype in [DType::BF16, DType::F16] {
            let layer = SpectralNorm::new(Dense::new(3, 2)).with_dtype(dtype)?;
            let tape = Tape::training(0u64);
            let y = layer.forward(tape.full([4, 3], 1.0, dtype));
            assert_eq!(y.value()?.dtype(), dtype);
            assert!(tape.updates().iter().all(|(_, new)| new.dtype() == DType::F32), "running values stay wide");
        }
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        let told = |layer: SpectralNorm<Dense>, wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full([4, 3], 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        let dense = || SpectralNorm::new(Dense::new(3, 2));
        told(dense().parameter("kernel"), "Dense has no parameter `kernel`");
        told(dense().axis(2), "a weight [2, 3]: axis 2");
        told(dense().power_iterations(0), "0 steps of power iteration");
        told(dense().epsilon(0.0), "ε = 0");
        told(SpectralNorm::new(Dense::new(0, 2)), "a layer from 0 to 2 features has no weights");
        for wrong in [dense().parameter("kernel"), dense().axis(2), SpectralNorm::new(Dense::new(0, 2))] {
            assert!(wrong.init(Seed(1)).is_err());
        }
    }
}
