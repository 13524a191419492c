//! Discretization: which interval a number is in.

use std::panic::Location;

use wengert_autograd::{Apply, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use crate::explain::blame;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Buffer;

/// y = how many of the boundaries are at most x: 0 below the first one, the number of boundaries from the last one on.
///
/// | | shape | dtype |
/// |---|---|---|
/// | x | `[…]` | any numbers |
/// | `boundaries` | `[bins − 1]`, ascending, a buffer: saved with the model, never trained | f64 |
/// | y | `[…]` | i64 |
///
/// An [`Embedding`](super::embedding::Embedding) or a [`CategoryEncoding`](super::category_encoding::CategoryEncoding) may follow. No
/// gradient flows to x. NaN is in the last interval. Keras's `Discretization` with whole numbers as output.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::discretization::Discretization};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let ages = Discretization::new([18.0, 65.0])?;
/// assert_eq!(ages.predict(&Tensor::from([7f32, 18.0, 64.0, 80.0]))?.to_vec::<i64>()?, [0, 1, 1, 2]);
///
/// let quarters = Discretization::of(&Tensor::from([5f32, 1.0, 3.0, 2.0, 4.0]), 4)?;
/// assert_eq!(quarters.boundaries.value().to_f64_vec(), [2.0, 3.0, 4.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Discretization {
    /// Where the next interval begins.
    pub boundaries: Buffer,
}

impl Discretization {
    /// With these boundaries, each above the one before.
    ///
    /// # Errors
    /// No boundary, one that is not finite, an order that does not ascend.
    #[track_caller]
    pub fn new(boundaries: impl AsRef<[f64]>) -> Result<Discretization> {
        let boundaries = boundaries.as_ref();
        let rises = boundaries.is_sorted_by(|a, b| a < b) && boundaries.iter().all(|at| at.is_finite());
        if boundaries.is_empty() || !rises {
            let error = Error::value(format!("boundaries {boundaries:?}")).op("Discretization");
            return Err(error.at(Location::caller()).help("at least one finite number, each above the one before"));
        }
        Ok(Discretization { boundaries: Buffer::new(Tensor::new(boundaries, [boundaries.len()])?) })
    }

    /// With boundaries between which the elements of this data are spread evenly: its quantiles. Where many elements are equal there are
    /// fewer intervals.
    ///
    /// # Errors
    /// Fewer than two intervals; no data, or data that is not finite or nowhere different.
    #[track_caller]
    pub fn of(data: &Tensor, bins: usize) -> Result<Discretization> {
        let here = Location::caller();
        let frame = |error: Error| {
            let error = error.op("Discretization").operand("data", format!("{} {}", data.shape(), data.dtype()));
            blame(error, here)
        };
        if bins < 2 {
            return Err(frame(Error::value(format!("{bins} intervals have no boundary")).help("at least 2")));
        }
        let sorted = data.apply(|x| x.cast(DType::F64).flatten().sort(0)).map_err(frame)?.to_f64_vec();
        if sorted.is_empty() || !sorted.iter().all(|x| x.is_finite()) {
            return Err(frame(Error::data("holds nothing, NaN or infinity")));
        }
        let quantile = |part: f64| {
            let place = part * (sorted.len() - 1) as f64;
            let at = |i: usize| sorted.get(i.min(sorted.len() - 1)).copied().unwrap_or(0.0);
            let (low, high) = (at(place.floor() as usize), at(place.ceil() as usize));
            low + (high - low) * place.fract()
        };
        let mut boundaries: Vec<f64> = (1..bins).map(|i| quantile(i as f64 / bins as f64)).collect();
        boundaries.dedup();
        // Nothing lies below the least element.
        boundaries.retain(|at| Some(at) != sorted.first());
        match boundaries.is_empty() {
            true => Err(frame(Error::data("is nearly everywhere the same, so that no interval begins in it"))),
            false => Discretization::new(boundaries),
        }
    }

    /// The number of intervals, one more than boundaries.
    pub fn bins(&self) -> usize {
        self.boundaries.shape().len() + 1
    }
}

impl Layer for Discretization {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        self.boundaries.on(tape).cast(DType::F64).searchsorted_right(x.cast(DType::F64))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let Ok(layer) = Discretization::new([-0.5, 0.0, 0.75]) else { return Vec::new() };
    fn as_floats<'t>(layer: &Discretization, x: Var<'t>) -> Var<'t> {
        layer.forward(x).cast(DType::F64)
    }
    let layer = Applied::new(layer, as_floats);
    vec![Case::new("discretization", "numbers", layer, [&[4, 3], &[4, 3]], &["boundaries"])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_that_do_not_ascend_are_refused() {
        for boundaries in [&[][..], &[1.0, 1.0], &[2.0, 1.0], &[1.0, f64::NAN], &[f64::INFINITY]] {
            let text = Discretization::new(boundaries).unwrap_err().to_string();
            assert!(text.contains("each above the one before"), "{text}");
        }
        let data = Tensor::from([1f32, 1.0, 1.0]);
        for (data, bins, words) in [
            (&data, 1, "1 intervals have no boundary"),
            (&data, 4, "nearly everywhere the same"),
            (&Tensor::from([f32::NAN]), 4, "NaN or infinity"),
            (&Tensor::zeros([0], DType::F32).unwrap(), 4, "holds nothing"),
        ] {
            let text = Discretization::of(data, bins).unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn data_spreads_evenly() -> Result<()> {
        let data = Tensor::normal([4000], DType::F32, 3u64)?;
        let layer = Discretization::of(&data, 8)?;
        assert_eq!(layer.bins(), 8);
        let mut counts = [0; 8];
        for bin in layer.predict(&data)?.to_vec::<i64>()? {
            counts[bin as usize] += 1;
        }
        assert!(counts.iter().all(|count| (495..=505).contains(count)), "{counts:?}");
        assert_eq!(Discretization::of(&Tensor::from([0i64, 0, 0, 0, 5, 9]), 3)?.bins(), 2);
        Ok(())
    }
}
