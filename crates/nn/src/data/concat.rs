//! Several data sets, one after the other.

use super::dataset::{Dataset, out_of_range};
use super::rows::Rows;
use std::panic::Location;
use wengert_tensor::error::{Error, Result};

/// The samples of several data sets of one kind, one after the other; PyTorch's `ConcatDataset`.
///
/// Data sets of different types fit in as `Box<dyn Dataset<Batch = …>>`.
///
/// ```
/// use wengert_nn::data::concat::Concat;
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let all = Concat::new(vec![Tensor::from([0.0f32, 1.0]), Tensor::from([2.0f32, 3.0, 4.0])])?;
/// assert_eq!(all.len(), 5);
/// assert_eq!(all.batch(&[4, 0, 2])?.to_vec::<f32>()?, [4.0, 0.0, 2.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Concat<D> {
    parts: Vec<D>,
    /// Where each part ends.
    ends: Vec<usize>,
}

impl<D: Dataset> Concat<D> {
    /// The parts in this order.
    ///
    /// # Errors
    /// No parts, or more samples than can be counted.
    #[track_caller]
    pub fn new(parts: impl Into<Vec<D>>) -> Result<Concat<D>> {
        let here = Location::caller();
        let parts = parts.into();
        if parts.is_empty() {
            return Err(Error::data("no data sets to concatenate").op("Concat").at(here));
        }
        let mut end = 0usize;
        let mut ends = Vec::with_capacity(parts.len());
        for part in &parts {
            let next = end.checked_add(part.len());
            end = next.ok_or_else(|| Error::data("the samples cannot be counted").op("Concat").at(here))?;
            ends.push(end);
        }
        Ok(Concat { parts, ends })
    }

    /// Each part gathers its samples at once; the joined batch is then put in the order that was asked for.
    fn gathered(&self, indices: &[usize], batch: impl Fn(&D, &[usize]) -> Result<D::Batch>) -> Result<D::Batch>
    where
        D::Batch: Rows,
    {
        let mut wanted = vec![Vec::new(); self.parts.len()];
        for (place, &index) in indices.iter().enumerate() {
            let part = self.ends.partition_point(|&end| end <= index);
            let start = part.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
            match wanted.get_mut(part) {
                Some(wanted) => wanted.push((place, index - start)),
                None => return Err(out_of_range(index, self.len())),
            }
        }
        let mut pieces = Vec::new();
        let mut rows = vec![0; indices.len()];
        let mut row = 0;
        for (part, wanted) in self.parts.iter().zip(&wanted).filter(|(_, wanted)| !wanted.is_empty()) {
            pieces.push(batch(part, &wanted.iter().map(|&(_, index)| index).collect::<Vec<_>>())?);
            for &(place, _) in wanted {
                if let Some(at) = rows.get_mut(place) {
                    *at = row;
                }
                row += 1;
            }
        }
        // No samples at all: the first part knows what an empty batch is.
        if let (true, Some(first)) = (pieces.is_empty(), self.parts.first()) {
            return batch(first, &[]);
        }
        let whole = D::Batch::join(pieces)?;
        if rows.iter().enumerate().all(|(at, &row)| at == row) { Ok(whole) } else { whole.rows(&rows) }
    }
}

impl<D: Dataset> Dataset for Concat<D>
where
    D::Batch: Rows,
{
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize]) -> Result<D::Batch> {
        self.gathered(indices, |part, indices| part.batch(indices))
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<D::Batch> {
        self.gathered(indices, |part, indices| part.batch_in(epoch, indices))
    }

    fn check(&self) -> Result<()> {
        self.parts.iter().enumerate().try_for_each(|(at, part)| {
            part.check().map_err(|error| error.operand("data", format!("part {at} of the concatenation")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn every_order_of_samples_comes_from_the_right_part() {
        let part = |range: std::ops::Range<i64>| {
            (Tensor::from(range.clone().map(|v| v as f32).collect::<Vec<_>>()), Tensor::from(range.collect::<Vec<_>>()))
        };
        // An empty part in the middle takes part, too.
        let all = Concat::new(vec![part(0..3), part(3..3), part(3..7), part(7..8)]).unwrap();
        assert_eq!(all.len(), 8);
        for order in [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![7, 3, 0, 6, 2], vec![4, 4, 0], vec![]] {
            let (x, y) = all.batch(&order).unwrap();
            let expected: Vec<i64> = order.iter().map(|&i| i as i64).collect();
            assert_eq!(y.to_vec::<i64>().unwrap(), expected);
            assert_eq!(x.to_f64_vec(), y.to_f64_vec());
        }
        assert!(all.batch(&[8]).unwrap_err().to_string().contains("sample 8 is out of range: there are 8"));
        assert!(Concat::<Tensor>::new(vec![]).is_err());
    }

    #[test]
    fn parts_of_different_shapes_are_an_error() {
        let parts = vec![Tensor::from([[1.0f32, 2.0]]), Tensor::from([[1.0f32, 2.0, 3.0]])];
        let all = Concat::new(parts).unwrap();
        assert!(all.batch(&[0, 1]).is_err());
        assert!(all.batch(&[1]).is_ok());
    }
}
