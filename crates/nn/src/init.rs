//! How the weights of a layer are drawn before training.
//!
//! With `fan_in` the number of inputs that one output sums and `fan_out` the number of outputs that one input reaches:
//!
//! | initialiser | uniform on ±a | normal with deviation σ | made for | source |
//! |---|---|---|---|---|
//! | Glorot (Xavier) | a = √(6 / (fan_in + fan_out)) | σ = √(2 / (fan_in + fan_out)) | tanh, sigmoid, softmax | Glorot & Bengio 2010 |
//! | He (Kaiming) | a = √(6 / fan_in) | σ = √(2 / fan_in) | relu and its kin | He et al. 2015 |
//! | LeCun | a = √(3 / fan_in) | σ = √(1 / fan_in) | selu, linear | LeCun et al. 1998 |
//!
//! All of these are [`Init::VarianceScaling`] with some scale, fan and distribution; [`gain`] says which scale an activation wants.
//!
//! A weight of shape `[out, in, kernel…]` has `fan_in = in · ∏kernel` and `fan_out = out · ∏kernel`, as PyTorch counts;
//! a vector `[n]` has both equal to n. Element i of a weight is a function of (key, i) alone, so a weight is the same
//! whatever is drawn before it, on any number of threads.

mod special;

use std::fmt;
use std::sync::Arc;

use wengert_autograd::Tape;

use wengert_tensor::dtype::{DType, Scalar};
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, normal_f32, normal_f64, uniform_f32, uniform_f64};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

type Draw = dyn Fn(Key, &Shape, DType) -> Result<Tensor> + Send + Sync;

/// A distribution from which weights are drawn.
///
/// ```
/// use wengert_nn::init::Init;
/// use wengert_tensor::{dtype::DType, random::Key, shape::Shape};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let weight = Init::GlorotUniform.draw(Key::new(7), &Shape::new([3, 5])?, DType::F32)?;
/// let bound = (6.0f32 / (3.0 + 5.0)).sqrt();
/// assert!(weight.to_vec::<f32>()?.iter().all(|w| w.abs() <= bound));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Init {
    /// All zeros: the usual bias.
    Zeros,
    /// All ones: the usual gain of a norm.
    Ones,
    /// All the same value.
    Constant(f64),
    /// Uniform on `[low, high)`.
    Uniform {
        /// The least value.
        low: f64,
        /// The bound that is not reached.
        high: f64,
    },
    /// Normal with the given mean and standard deviation.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// Uniform on ±√(6 / (fan_in + fan_out)); also known as Xavier uniform. The default of [`Dense`](crate::layers::dense::Dense).
    GlorotUniform,
    /// Normal with σ = √(2 / (fan_in + fan_out)); also known as Xavier normal.
    GlorotNormal,
    /// Uniform on ±√(6 / fan_in); also known as Kaiming uniform.
    HeUniform,
    /// Normal with σ = √(2 / fan_in); also known as Kaiming normal.
    HeNormal,
    /// Uniform on ±√(3 / fan_in).
    LecunUniform,
    /// Normal with σ = √(1 / fan_in).
    LecunNormal,
    /// Normal with this mean and deviation, cut off two deviations from the mean. What is left has a deviation of 0.8796 · std. Keras's
    /// `TruncatedNormal`, JAX's `truncated_normal`.
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before the cut.
        std: f64,
    },
    /// Of the variance scale / fan, by any of three distributions: the family of which Glorot's, He's and LeCun's are members. Keras's and
    /// JAX's `variance_scaling`; PyTorch's `kaiming_*` and `xavier_*` with a [`gain`] have the scale gain².
    ///
    /// ```
    /// use wengert_nn::init::{Distribution, Fan, Init, Nonlinearity, gain};
    /// // torch.nn.init.kaiming_normal_(w, a=0.2, mode="fan_out")
    /// let scale = gain(Nonlinearity::LeakyRelu(0.2)).powi(2);
    /// let init = Init::VarianceScaling { scale, fan: Fan::Out, distribution: Distribution::Normal };
    /// assert_eq!(init.name(), "variance_scaling");
    /// ```
    VarianceScaling {
        /// The variance times the fan.
        scale: f64,
        /// What is counted.
        fan: Fan,
        /// The form of the distribution.
        distribution: Distribution,
    },
    /// A matrix with orthonormal rows, or columns where there are fewer of them, times the gain; uniform among all such. A weight of more axes
    /// is `[out, rest]`. Its time grows with the square of the smaller side, times the larger one. Saxe et al. 2014; PyTorch's `orthogonal_`.
    ///
    /// ```
    /// use wengert_autograd::Apply;
    /// use wengert_nn::init::Init;
    /// use wengert_tensor::{dtype::DType, random::Key, shape::Shape};
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let q = Init::Orthogonal { gain: 1.0 }.draw(Key::new(7), &Shape::new([3, 5])?, DType::F64)?;
    /// let product = q.apply(|q| q.matmul(q.t()))?;
    /// assert!(product.max_abs_diff(&product.apply(|x| x.tape().eye(3, DType::F64))?)? < 1e-14);
    /// # Ok(())
    /// # }
    /// ```
    Orthogonal {
        /// What the orthonormal matrix is multiplied with.
        gain: f64,
    },
    /// The identity matrix times the gain; a matrix that is not square has ones on its diagonal. PyTorch's `eye_`, Keras's `Identity`. Le et
    /// al. 2015.
    Identity {
        /// What stands on the diagonal.
        gain: f64,
    },
    /// A convolution that passes its inputs on: the weight `[out, in / groups, kernel…]` has a 1 in the middle of the kernel from the i-th
    /// input of a group to its i-th output. Zagoruyko & Komodakis 2017; PyTorch's `dirac_`.
    Dirac {
        /// In how many groups the channels fall.
        groups: usize,
    },
    /// A matrix `[out, in]` whose columns have this fraction of zeros, rounded up, at random places; the rest is normal. Martens 2010; PyTorch's
    /// `sparse_`.
    Sparse {
        /// The fraction of zeros, in `0 ≤ s ≤ 1`.
        sparsity: f64,
        /// The standard deviation of the rest.
        std: f64,
    },
    /// A distribution of one's own; made by [`Init::custom`].
    Custom(Custom),
}

/// What [`Init::VarianceScaling`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fan {
    /// The inputs that one output sums: the forward pass keeps its variance.
    In,
    /// The outputs that one input reaches: the backward pass keeps its variance.
    Out,
    /// The mean of both.
    Average,
}

/// The form of [`Init::VarianceScaling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Uniform between ±√(3 · variance).
    Uniform,
    /// Normal.
    Normal,
    /// Normal, cut off at two deviations, which are chosen so that the variance is right after the cut.
    TruncatedNormal,
}

/// The activation that follows a layer, for [`gain`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// None.
    Linear,
    /// [`Sigmoid`](crate::layers::activation::Sigmoid).
    Sigmoid,
    /// [`Tanh`](crate::layers::activation::Tanh).
    Tanh,
    /// [`Relu`](struct@crate::layers::activation::Relu).
    Relu,
    /// [`LeakyRelu`](crate::layers::activation::LeakyRelu) with this slope.
    LeakyRelu(f64),
    /// [`Selu`](crate::layers::activation::Selu).
    Selu,
}

/// By how much the deviation of weights grows for the activation that follows: PyTorch's `calculate_gain`.
///
/// ```
/// use wengert_nn::init::{Nonlinearity, gain};
/// assert_eq!(gain(Nonlinearity::Relu), 2f64.sqrt());
/// ```
pub fn gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}

/// The function inside [`Init::Custom`].
#[derive(Clone)]
pub struct Custom(Arc<Draw>);

impl Init {
    /// A distribution of one's own: `draw(key, shape, dtype)` returns a tensor of that shape and dtype.
    pub fn custom(draw: impl Fn(Key, &Shape, DType) -> Result<Tensor> + Send + Sync + 'static) -> Init {
        Init::Custom(Custom(Arc::new(draw)))
    }

    /// A tensor of `shape` and `dtype` drawn from this distribution with `key`.
    ///
    /// # Errors
    /// Settings without meaning; a dtype that is not a float, or a shape that it has no weights for; the wrong shape or dtype from a custom
    /// function.
    pub fn draw(&self, key: Key, shape: &Shape, dtype: DType) -> Result<Tensor> {
        self.check().map_err(|error| error.op(self.name()))?;
        let (fan_in, fan_out) = fans(shape);
        match self {
            Init::Zeros => Tensor::zeros(shape, dtype),
            Init::Ones => Tensor::ones(shape, dtype),
            Init::Constant(value) => Tensor::full(shape, Scalar::new(dtype, *value)),
            Init::Uniform { low, high } => uniform(key, shape, dtype, *low, *high),
            Init::Normal { mean, std } => normal(key, shape, dtype, *mean, *std),
            Init::GlorotUniform => symmetric(key, shape, dtype, 6.0 / (fan_in + fan_out)),
            Init::GlorotNormal => normal(key, shape, dtype, 0.0, (2.0 / (fan_in + fan_out)).sqrt()),
            Init::HeUniform => symmetric(key, shape, dtype, 6.0 / fan_in),
            Init::HeNormal => normal(key, shape, dtype, 0.0, (2.0 / fan_in).sqrt()),
            Init::LecunUniform => symmetric(key, shape, dtype, 3.0 / fan_in),
            Init::LecunNormal => normal(key, shape, dtype, 0.0, (1.0 / fan_in).sqrt()),
            Init::TruncatedNormal { mean, std } => truncated(key, shape, dtype, *mean, *std),
            Init::VarianceScaling { scale, fan, distribution } => {
                let fan = match fan {
                    Fan::In => fan_in,
                    Fan::Out => fan_out,
                    Fan::Average => 0.5 * (fan_in + fan_out),
                };
                let variance = scale / fan;
                match distribution {
                    Distribution::Uniform => symmetric(key, shape, dtype, 3.0 * variance),
                    Distribution::Normal => normal(key, shape, dtype, 0.0, variance.sqrt()),
                    Distribution::TruncatedNormal => truncated(key, shape, dtype, 0.0, variance.sqrt() / CUT_DEVIATION),
                }
            }
            Init::Orthogonal { gain } => special::orthogonal(key, shape, dtype, *gain),
            Init::Identity { gain } => special::identity(shape, dtype, *gain),
            Init::Dirac { groups } => special::dirac(shape, dtype, *groups),
            Init::Sparse { sparsity, std } => special::sparse(key, shape, dtype, *sparsity, *std),
            Init::Custom(custom) => {
                let drawn = (custom.0)(key, shape, dtype)?;
                if drawn.shape() != shape || drawn.dtype() != dtype {
                    return Err(Error::shape(format!(
                        "a custom initialiser was asked for {shape} {dtype} and gave {} {}",
                        drawn.shape(),
                        drawn.dtype()
                    )));
                }
                Ok(drawn)
            }
        }
    }

    /// Whether the settings have a meaning.
    fn check(&self) -> Result<()> {
        let told = |fits: bool, help: &str| match fits {
            true => Ok(()),
            false => Err(Error::value(format!("{self:?} has no meaning")).help(help)),
        };
        let deviation = |mean: &f64, std: &f64| mean.is_finite() && (0.0..f64::INFINITY).contains(std);
        match self {
            Init::Uniform { low, high } => {
                told(low <= high && (high - low).is_finite(), "`low` is at most `high`, and both are finite")
            }
            Init::Normal { mean, std } | Init::TruncatedNormal { mean, std } => {
                told(deviation(mean, std), "the mean is finite and the deviation at least 0")
            }
            Init::VarianceScaling { scale, .. } => {
                told((0.0..f64::INFINITY).contains(scale), "the scale is at least 0")
            }
            Init::Orthogonal { gain } | Init::Identity { gain } => told(gain.is_finite(), "the gain is finite"),
            Init::Dirac { groups } => told(*groups > 0, "there is at least one group"),
            Init::Sparse { sparsity, std } => told(
                (0.0..=1.0).contains(sparsity) && deviation(&0.0, std),
                "the sparsity lies between 0 and 1, and the deviation is at least 0",
            ),
            _ => Ok(()),
        }
    }

    /// The name in lower case with underscores: `glorot_uniform`.
    pub fn name(&self) -> &'static str {
        match self {
            Init::Zeros => "zeros",
            Init::Ones => "ones",
            Init::Constant(_) => "constant",
            Init::Uniform { .. } => "uniform",
            Init::Normal { .. } => "normal",
            Init::GlorotUniform => "glorot_uniform",
            Init::GlorotNormal => "glorot_normal",
            Init::HeUniform => "he_uniform",
            Init::HeNormal => "he_normal",
            Init::LecunUniform => "lecun_uniform",
            Init::LecunNormal => "lecun_normal",
            Init::TruncatedNormal { .. } => "truncated_normal",
            Init::VarianceScaling { .. } => "variance_scaling",
            Init::Orthogonal { .. } => "orthogonal",
            Init::Identity { .. } => "identity",
            Init::Dirac { .. } => "dirac",
            Init::Sparse { .. } => "sparse",
            Init::Custom(_) => "custom",
        }
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Init::Constant(value) => write!(f, "constant({value})"),
            Init::Uniform { low, high } => write!(f, "uniform({low}, {high})"),
            Init::Normal { mean, std } => write!(f, "normal({mean}, {std})"),
            Init::TruncatedNormal { mean, std } => write!(f, "truncated_normal({mean}, {std})"),
            Init::VarianceScaling { scale, fan, distribution } => {
                write!(f, "variance_scaling({scale}, {fan:?}, {distribution:?})")
            }
            Init::Orthogonal { gain } => write!(f, "orthogonal({gain})"),
            Init::Identity { gain } => write!(f, "identity({gain})"),
            Init::Dirac { groups } => write!(f, "dirac({groups})"),
            Init::Sparse { sparsity, std } => write!(f, "sparse({sparsity}, {std})"),
            other => f.write_str(other.name()),
        }
    }
}

/// (fan_in, fan_out), at least one each so that no bound divides by zero.
fn fans(shape: &Shape) -> (f64, f64) {
    let (fan_in, fan_out) = match shape.dims() {
        [] => (1, 1),
        [n] => (*n, *n),
        [out, inputs, kernel @ ..] => {
            let field: usize = kernel.iter().product();
            (inputs.saturating_mul(field), out.saturating_mul(field))
        }
    };
    (fan_in.max(1) as f64, fan_out.max(1) as f64)
}

fn symmetric(key: Key, shape: &Shape, dtype: DType, square: f64) -> Result<Tensor> {
    uniform(key, shape, dtype, -square.sqrt(), square.sqrt())
}

fn uniform(key: Key, shape: &Shape, dtype: DType, low: f64, high: f64) -> Result<Tensor> {
    let width = high - low;
    float(dtype)?;
    if dtype == DType::F64 {
        return Tensor::from_fn(shape, |i| low + width * uniform_f64(key, i as u64));
    }
    let drawn = Tensor::from_fn(shape, |i| (low + width * f64::from(uniform_f32(key, i as u64))) as f32)?;
    drawn.cast(dtype)
}

fn normal(key: Key, shape: &Shape, dtype: DType, mean: f64, std: f64) -> Result<Tensor> {
    float(dtype)?;
    if dtype == DType::F64 {
        return Tensor::from_fn(shape, |i| mean + std * normal_f64(key, i as u64));
    }
    let drawn = Tensor::from_fn(shape, |i| (mean + std * f64::from(normal_f32(key, i as u64))) as f32)?;
    drawn.cast(dtype)
}

/// The deviation of a standard normal distribution that is cut off at ±2.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

fn truncated(key: Key, shape: &Shape, dtype: DType, mean: f64, std: f64) -> Result<Tensor> {
    float(dtype)?;
    let (tape, wide) = (Tape::new(), if dtype == DType::F64 { DType::F64 } else { DType::F32 });
    let bound = |at: f64| tape.full(shape, at, wide);
    let cut = tape.random_from(key).truncated_normal(bound(-2.0), bound(2.0));
    (cut * std + mean).cast(dtype).value()
}

fn float(dtype: DType) -> Result<()> {
    match dtype.is_float() {
        true => Ok(()),
        false => Err(Error::dtype(format!("random weights are floats, not {dtype}"))),
    }
}
