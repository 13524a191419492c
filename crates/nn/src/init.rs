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
//! A weight of shape `[out, in, kernel…]` has `fan_in = in · ∏kernel` and `fan_out = out · ∏kernel`, as PyTorch counts;
//! a vector `[n]` has both equal to n. Element i of a weight is a function of (key, i) alone, so a weight is the same
//! whatever is drawn before it, on any number of threads.

use std::fmt;
use std::sync::Arc;

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
    /// A distribution of one's own; made by [`Init::custom`].
    Custom(Custom),
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
    /// A dtype that is not a float, for the random distributions; the wrong shape or dtype from a custom function.
    pub fn draw(&self, key: Key, shape: &Shape, dtype: DType) -> Result<Tensor> {
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

fn float(dtype: DType) -> Result<()> {
    match dtype.is_float() {
        true => Ok(()),
        false => Err(Error::dtype(format!("random weights are floats, not {dtype}"))),
    }
}
