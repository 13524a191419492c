//! Standardize: bring every feature to mean 0 and deviation 1, by numbers taken once from the training data.

use std::panic::Location;

use wengert_autograd::{Apply, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use crate::explain::blame;
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
/// std is the deviation of the population, √(Σ(x − mean)² / n), taken in f64; a feature that never changes keeps its
/// scale (std = 1), as in scikit-learn's `StandardScaler`.
///
/// Where a feature is too large or too small for differences in f32, there is a third buffer, `exponent` e in i32. Then
/// y = (x · 2⁻ᵉ − mean) / std, with the product in f64, and mean and std are those of x · 2⁻ᵉ: any finite data will do.
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
    /// The power of two that each feature is divided by at first; `None` where f32 holds all of them.
    pub exponent: Option<Buffer>,
}

impl Standardize {
    /// Takes mean and deviation from data of shape `[examples, features…]`.
    ///
    /// # Errors
    /// Data without an axis of examples or without examples; a value that is not finite.
    #[track_caller]
    pub fn of(data: &Tensor) -> Result<Standardize> {
        let here = Location::caller();
        let frame = |error: Error| {
            let error = error.op("Standardize").operand("data", format!("{} {}", data.shape(), data.dtype()));
            blame(error, here)
        };
        if data.rank() == 0 || data.shape().first() == Some(&0) {
            return Err(frame(Error::data("needs at least one example along the first axis")));
        }
        if data.dtype() == DType::Bool {
            return Err(frame(Error::dtype("needs numbers, not bool")));
        }
        let size = data.apply(|x| x.cast(DType::F64).abs().max_axes([0]))?;
        let (shape, size) = (size.shape(), size.to_f64_vec());
        if !size.iter().all(|size| size.is_finite()) {
            return Err(frame(Error::data("holds NaN or infinity")).help("clean the data or fill the gaps first"));
        }
        // Brought to 1 by powers of two, which is exact, no square overflows or vanishes.
        let exponents: Vec<i32> = size.iter().copied().map(exponent).collect();
        let near_one = Tensor::new(exponents.iter().map(|&e| 2f64.powi(-e)).collect::<Vec<f64>>(), shape)?;
        let mean = data.apply(|x| (x.cast(DType::F64) * &near_one).mean_axes([0]))?;
        let std = data.apply(|x| (x.cast(DType::F64) * &near_one - &mean).square().mean_axes([0]).sqrt())?;

        let (mut means, mut stds, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (((mean, std), e), size) in mean.to_f64_vec().into_iter().zip(std.to_f64_vec()).zip(exponents).zip(size) {
            let (e, back) = if fits(size) { (0, 2f64.powi(e)) } else { (e, 1.0) };
            means.push((mean * back) as f32);
            // What rounding leaves of the deviation of a constant is no deviation.
            stds.push(if std > mean.abs() * 1e-6 { (std * back) as f32 } else { 1.0 });
            kept.push(e);
        }
        let exponent = match kept.iter().any(|&e| e != 0) {
            true => Some(Buffer::new(Tensor::new(kept, shape)?)),
            false => None,
        };
        Ok(Standardize {
            mean: Buffer::new(Tensor::new(means, shape)?),
            std: Buffer::new(Tensor::new(stds, shape)?),
            exponent,
        })
    }
}

/// The e with 2ᵉ ≤ size < 2ᵉ⁺¹; of what is no normal f64, the least.
fn exponent(size: f64) -> i32 {
    match size == 0.0 {
        true => 0,
        false => (size.to_bits() >> 52) as i32 - 1023,
    }
}

/// Whether the differences of a feature are normal numbers of f32, and so is a deviation of a millionth of it.
fn fits(size: f64) -> bool {
    size == 0.0 || (2f64.powi(-100)..=2f64.powi(126)).contains(&size)
}

impl Layer for Standardize {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let x = match &self.exponent {
            Some(exponent) => x.cast(DType::F64) * (-exponent.on(tape).cast(DType::F64)).exp2(),
            None => x,
        };
        (x.cast(self.mean.dtype()) - self.mean.on(tape)) / self.std.on(tape)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let data = Tensor::from([[1f32, 5.0, 0.5], [3.0, 5.0, 0.25], [2.0, 5.0, 4.0]]);
    let case = |layer| {
        Case::new("standardize", "columns", layer, [&[4, 3], &[4, 3]], &["mean", "std"]).alone("tested in its file")
    };
    Standardize::of(&data).into_iter().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    /// The same by another way: every number divided by the largest of its column, in f64.
    fn expected(columns: &[Vec<f64>]) -> Vec<f64> {
        let standardized = columns.iter().map(|column| {
            let size = column.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let x: Vec<f64> = column.iter().map(|x| if size == 0.0 { 0.0 } else { x / size }).collect();
            let n = x.len() as f64;
            let mean = x.iter().sum::<f64>() / n;
            let std = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
            x.into_iter().map(|x| if std > 1e-9 { (x - mean) / std } else { 0.0 }).collect::<Vec<f64>>()
        });
        let standardized: Vec<Vec<f64>> = standardized.collect();
        (0..columns[0].len()).flat_map(|row| standardized.iter().map(move |column| column[row])).collect()
    }

    #[test]
    fn any_finite_data_has_mean_0_and_deviation_1() -> Result<()> {
        let columns = [
            vec![1e38, -1e38, 3e38],
            vec![3.4e38, -3.4e38, -3.4e38],
            vec![1e-38, 2e-38, 4e-38],
            vec![1e-44, 0.0, -7e-45],
            vec![1.0, 2.0, 4.0],
            vec![1000.0, 1001.0, 1002.5],
            vec![7.0, 7.0, 7.0],
            vec![3e38, 3e38, 3e38],
            vec![0.0, 0.0, 0.0],
            vec![1e300, -1e300, 0.0],
            vec![f64::MAX, -f64::MAX, f64::MAX],
            vec![1e-300, 2e-300, 5e-300],
            vec![1e-323, 0.0, -5e-324],
            vec![1e300, 1e300, 1e300],
        ];
        // f32 for those that it holds, one by one and beside each other.
        for (range, dtype) in [(0..9, DType::F32), (4..7, DType::F32), (0..14, DType::F64), (4..7, DType::F64)] {
            let ones = range.clone().map(|i| i..i + 1);
            for part in ones.chain([range]) {
                let columns: Vec<Vec<f64>> = columns[part.clone()]
                    .iter()
                    .map(|c| c.iter().map(|&x| if dtype == DType::F32 { f64::from(x as f32) } else { x }).collect())
                    .collect();
                let data = Tensor::from_fn([3, columns.len()], |i| columns[i % columns.len()][i / columns.len()])?;
                let data = data.cast(dtype)?;
                let layer = Standardize::of(&data)?;
                assert_eq!(layer.exponent.is_some(), part.clone().any(|i| !(4..7).contains(&i) && i != 8), "{part:?}");
                let (layer, wide) = (layer.clone().with_dtype(DType::F32)?, layer.with_dtype(DType::F64)?);
                for (layer, dtype) in [(&layer, DType::F32), (&wide, DType::F64)] {
                    let y = layer.predict(&data)?;
                    assert_eq!(y.dtype(), dtype);
                    for (ours, theirs) in y.to_f64_vec().iter().zip(expected(&columns)) {
                        // 1000 and its deviation of 1 are three digits apart.
                        assert!((ours - theirs).abs() < 1e-4, "{data}\n{y}\n{ours}, not {theirs}");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Standardize::of(&Tensor::from([[1.0, x], [2.0, 3.0]])).unwrap_err();
            assert_eq!(error.message(), "holds NaN or infinity");
        }
    }
}
