//! Standardize: bring every feature to mean 0 and deviation 1, by numbers taken once from the training data.

use wengert_autograd::{Apply, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Buffer;

/// y = (x − mean) / std, with `mean` and `std` of every feature as they were in the training data.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, features…]`, any dtype of numbers |
/// | `mean`, `std` | `[features…]`, f32, buffers: saved with the model, never trained |
/// | y | `[batch, features…]`, f32 |
///
/// std is the deviation of the population, √(Σ(x − mean)² / n); a feature that never changes keeps its scale (std = 1),
/// as in scikit-learn's `StandardScaler`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::standardize::Standardize};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[1f32, 7.0], [3.0, 7.0]]);
/// let y = Standardize::of(&x)?.predict(&x)?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 0.0, 1.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Standardize {
    /// The mean of each feature.
    pub mean: Buffer,
    /// The deviation of each feature, never 0.
    pub std: Buffer,
}

impl Standardize {
    /// Takes mean and deviation from data of shape `[examples, features…]`.
    ///
    /// # Errors
    /// Data without an axis of examples or without examples; a value that is not finite.
    pub fn of(data: &Tensor) -> Result<Standardize> {
        let frame =
            |error: Error| error.op("Standardize").operand("data", format!("{} {}", data.shape(), data.dtype()));
        if data.rank() == 0 || data.shape().first() == Some(&0) {
            return Err(frame(Error::data("needs at least one example along the first axis")));
        }
        if data.dtype() == DType::Bool {
            return Err(frame(Error::dtype("needs numbers, not bool")));
        }
        let data = data.cast(DType::F32)?;
        let mean = data.apply(|x| x.mean_axes([0]))?;
        // What rounding leaves of the deviation of a constant is no deviation.
        let std = data.apply(|x| {
            let mean = x.tape().input(&mean);
            let std = (x - mean).square().mean_axes([0]).sqrt();
            std.select(std.gt(mean.abs() * 1e-6), 1.0)
        })?;
        if !mean.apply(|m| m.is_finite())?.to_vec::<bool>()?.into_iter().all(|finite| finite) {
            return Err(frame(Error::data("holds NaN or infinity")).help("clean the data or fill the gaps first"));
        }
        Ok(Standardize { mean: Buffer::new(mean), std: Buffer::new(std) })
    }
}

impl Layer for Standardize {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = tape.scope("Standardize");
        let x = if x.dtype() == self.mean.dtype() { x } else { x.cast(self.mean.dtype()) };
        (x - self.mean.on(tape)) / self.std.on(tape)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let data = Tensor::from([[1f32, 5.0, 0.5], [3.0, 5.0, 0.25], [2.0, 5.0, 4.0]]);
    let layer = Standardize::of(&data).map(|layer| Box::new(layer) as Box<dyn Layer>);
    layer
        .into_iter()
        .map(|layer| Case {
            file: "standardize",
            layer,
            input: vec![4, 3],
            output: vec![4, 3],
            names: &["mean", "std"],
        })
        .collect()
}
