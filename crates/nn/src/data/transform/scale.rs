//! Shifts and scales features.

use super::Transform;
use super::floats;
use crate::explain::framed;
use std::panic::Location;
use wengert_autograd::Apply;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

/// `(x − mean) / std` for each channel, axis 1 of the batch; torchvision's `Normalize`.
///
/// ```
/// use wengert_nn::data::transform::{Transform, scale::Normalize};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::from([[[[0.5f32, 1.0]], [[0.0, 1.0]]]]);
/// let y = Normalize::new([0.5, 0.0], [0.5, 2.0])?.apply(&images, &[])?;
/// assert_eq!(y.to_vec::<f32>()?, [0.0, 1.0, 0.0, 0.5]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// A mean and a standard deviation for each channel.
    ///
    /// # Errors
    /// Lists of different lengths, a number that is not finite, or a deviation that is not above 0.
    #[track_caller]
    pub fn new(mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Result<Normalize> {
        let (here, mean, std) = (Location::caller(), mean.into(), std.into());
        let refuse = |what: String| Err(Error::value(what).op("Normalize").at(here));
        if mean.len() != std.len() || mean.is_empty() {
            return refuse(format!("{} means and {} deviations", mean.len(), std.len()));
        }
        match mean.iter().zip(&std).position(|(m, s)| !m.is_finite() || !s.is_finite() || *s <= 0.0) {
            Some(at) => refuse(format!("channel {at} has {mean:?} and {std:?} as mean and deviation")),
            None => Ok(Normalize { mean, std }),
        }
    }

    /// The mean and the deviation (biased, as NumPy has it) of every channel of these images.
    ///
    /// # Errors
    /// Data that is no float, has no channels or no values, or a channel that is constant.
    #[track_caller]
    pub fn fit(images: &Tensor) -> Result<Normalize> {
        framed("Normalize::fit", Normalize::of(images))
    }

    fn of(images: &Tensor) -> Result<Normalize> {
        let axes: Vec<isize> = (0..images.rank() as isize).filter(|&axis| axis != 1).collect();
        if images.rank() < 2 || images.is_empty() {
            return Err(Error::shape(format!("takes [samples, channels, …], not {}", images.shape())));
        }
        floats("Normalize::fit", images)?;
        let mean = images.apply(|x| x.mean_axes(&axes[..]))?;
        let std = images.apply(|x| x.std_axes(&axes[..]))?;
        Normalize::new(mean.to_f64_vec(), std.to_f64_vec())
    }
}

impl Transform for Normalize {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        floats("Normalize", batch)?;
        let channels = self.mean.len();
        if batch.shape().dims().get(1) != Some(&channels) {
            return Err(Error::shape(format!("{} has no {channels} channels on axis 1", batch.shape())).op("Normalize"));
        }
        let mut shape = vec![1; batch.rank() - 1];
        if let Some(first) = shape.first_mut() {
            *first = channels;
        }
        let leaf = |values: &[f64]| Tensor::new(values, &shape)?.cast(batch.dtype());
        let (mean, std) = (leaf(&self.mean)?, leaf(&self.std)?);
        batch.apply(|x| (x - &mean) / &std)
    }
}

/// `(x − mean) / std` for each feature, fitted on the training data and applied to all; scikit-learn's `StandardScaler`.
///
/// ```
/// use wengert_nn::data::transform::{Transform, scale::StandardScaler};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let scaler = StandardScaler::fit(&Tensor::from([[1.0f32, 7.0], [3.0, 7.0]]))?;
/// let y = scaler.apply(&Tensor::from([[5.0f32, 8.0]]), &[])?;
/// assert_eq!(y.to_vec::<f32>()?, [3.0, 1.0], "a constant feature is only shifted");
/// assert_eq!(scaler.inverse(&y)?.to_vec::<f32>()?, [5.0, 8.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct StandardScaler(Affine);

impl StandardScaler {
    /// The mean and the deviation (biased) of every feature of `[samples, features…]`.
    ///
    /// # Errors
    /// Data that is no float or has no samples.
    #[track_caller]
    pub fn fit(data: &Tensor) -> Result<StandardScaler> {
        let fitted = Affine::fit("StandardScaler", data, |data| {
            Ok((data.apply(|x| x.mean_axes(0))?, data.apply(|x| x.std_axes(0))?))
        });
        framed("StandardScaler", fitted.map(StandardScaler))
    }

    /// From scaled values back.
    ///
    /// # Errors
    /// Other features than those of the fit.
    #[track_caller]
    pub fn inverse(&self, scaled: &Tensor) -> Result<Tensor> {
        framed("StandardScaler::inverse", self.0.back(scaled))
    }
}

impl Transform for StandardScaler {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        self.0.there(batch).map_err(|error| error.op("StandardScaler"))
    }
}

/// `(x − min) / (max − min)` for each feature, fitted on the training data; scikit-learn's `MinMaxScaler`.
///
/// ```
/// use wengert_nn::data::transform::{Transform, scale::MinMaxScaler};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let scaler = MinMaxScaler::fit(&Tensor::from([[1.0f32], [3.0]]))?;
/// assert_eq!(scaler.apply(&Tensor::from([[1.0f32], [2.0], [5.0]]), &[])?.to_vec::<f32>()?, [0.0, 0.5, 2.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct MinMaxScaler(Affine);

impl MinMaxScaler {
    /// The least and the greatest value of every feature of `[samples, features…]`.
    ///
    /// # Errors
    /// Data that is no float or has no samples.
    #[track_caller]
    pub fn fit(data: &Tensor) -> Result<MinMaxScaler> {
        let fitted = Affine::fit("MinMaxScaler", data, |data| {
            let low = data.apply(|x| x.min_axes(0))?;
            let range = data.apply(|x| x.max_axes(0) - x.min_axes(0))?;
            Ok((low, range))
        });
        framed("MinMaxScaler", fitted.map(MinMaxScaler))
    }

    /// From scaled values back.
    ///
    /// # Errors
    /// Other features than those of the fit.
    #[track_caller]
    pub fn inverse(&self, scaled: &Tensor) -> Result<Tensor> {
        framed("MinMaxScaler::inverse", self.0.back(scaled))
    }
}

impl Transform for MinMaxScaler {
    fn apply(&self, batch: &Tensor, _keys: &[Key]) -> Result<Tensor> {
        self.0.there(batch).map_err(|error| error.op("MinMaxScaler"))
    }
}

/// `(x − offset) / scale`, each of the shape of one sample.
#[derive(Clone, Debug)]
struct Affine {
    offset: Tensor,
    scale: Tensor,
}

impl Affine {
    fn fit(op: &str, data: &Tensor, of: impl Fn(&Tensor) -> Result<(Tensor, Tensor)>) -> Result<Affine> {
        floats(op, data)?;
        if data.rank() == 0 || data.is_empty() {
            return Err(Error::data(format!("{} has no samples", data.shape())).op(op));
        }
        let (offset, scale) = of(data).map_err(|error| error.op(op))?;
        // A constant feature has no scale; it is only shifted.
        let ones = Tensor::ones(scale.shape(), scale.dtype())?;
        let scale = scale.apply(|scale| scale.select(scale.ne(0.0), &ones))?;
        Ok(Affine { offset, scale })
    }

    fn check(&self, batch: &Tensor) -> Result<()> {
        let of = self.offset.shape().dims();
        match batch.shape().dims().get(1..) {
            Some(features) if features == of => Ok(()),
            _ => Err(Error::shape(format!("the fit had features {of:?}, the batch is {}", batch.shape()))),
        }
    }

    fn there(&self, batch: &Tensor) -> Result<Tensor> {
        self.check(batch)?;
        batch.apply(|x| (x - &self.offset) / &self.scale)
    }

    fn back(&self, batch: &Tensor) -> Result<Tensor> {
        self.check(batch)?;
        batch.apply(|x| x * &self.scale + &self.offset)
    }
}
