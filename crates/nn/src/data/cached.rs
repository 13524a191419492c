//! A data set that remembers what was read.

use super::dataset::{Dataset, out_of_range};
use super::rows::Rows;
use crate::explain::framed;
use std::sync::OnceLock;
use wengert_tensor::error::Result;

/// Reads each sample once and keeps it: for data that is slow to read or to decode and fits into memory.
///
/// What is kept is what [`batch`](Dataset::batch) gives, so a random transform belongs around it, not inside:
/// `images.cached().transformed(…)`. Several threads may ask at once.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = Tensor::from([1.0f32, 2.0, 3.0]).cached();
/// assert_eq!(data.batch(&[2, 0])?.to_vec::<f32>()?, [3.0, 1.0]);
/// assert_eq!(data.kept(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Cached<D: Dataset> {
    data: D,
    samples: Vec<OnceLock<D::Batch>>,
}

impl<D: Dataset> Cached<D>
where
    D::Batch: Rows,
{
    /// Nothing is read yet.
    pub fn new(data: D) -> Cached<D> {
        let samples = (0..data.len()).map(|_| OnceLock::new()).collect();
        Cached { data, samples }
    }

    /// How many samples are in memory.
    pub fn kept(&self) -> usize {
        self.samples.iter().filter(|sample| sample.get().is_some()).count()
    }

    /// Reads all samples now.
    ///
    /// # Errors
    /// The first sample that cannot be read.
    #[track_caller]
    pub fn fill(self) -> Result<Cached<D>> {
        let read = (0..self.samples.len()).try_for_each(|index| self.sample(index).map(|_| ()));
        framed("Cached::fill", read).map(|()| self)
    }

    fn sample(&self, index: usize) -> Result<&D::Batch> {
        let cell = self.samples.get(index).ok_or_else(|| out_of_range(index, self.samples.len()))?;
        match cell.get() {
            Some(sample) => Ok(sample),
            None => {
                let sample = self.data.batch(&[index])?;
                // Another thread may have been faster; both have read the same.
                Ok(cell.get_or_init(|| sample))
            }
        }
    }
}

impl<D: Dataset> Dataset for Cached<D>
where
    D::Batch: Rows,
{
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<D::Batch> {
        if indices.is_empty() {
            return self.data.batch(&[]);
        }
        let samples = indices.iter().map(|&index| self.sample(index)?.rows(&[0])).collect::<Result<Vec<_>>>()?;
        D::Batch::join(samples)
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use wengert_tensor::error::Error;
    use wengert_tensor::tensor::Tensor;

    #[derive(Debug)]
    struct Slow(AtomicUsize);

    impl Dataset for Slow {
        type Batch = (Tensor, Vec<usize>);

        fn len(&self) -> usize {
            10
        }

        fn batch(&self, indices: &[usize]) -> Result<Self::Batch> {
            self.0.fetch_add(indices.len(), Ordering::Relaxed);
            if indices.contains(&9) {
                return Err(Error::io("sample 9 is gone"));
            }
            Ok((Tensor::from(indices.iter().map(|&i| i as f32).collect::<Vec<_>>()), indices.to_vec()))
        }
    }

    #[test]
    fn each_sample_is_read_once_and_a_failure_is_tried_again() {
        let data = Slow(AtomicUsize::new(0)).cached();
        for _ in 0..3 {
            let (x, y) = data.batch(&[3, 1, 3, 8]).unwrap();
            assert_eq!(x.to_vec::<f32>().unwrap(), [3.0, 1.0, 3.0, 8.0]);
            assert_eq!(y, [3, 1, 3, 8]);
        }
        assert_eq!(data.data.0.load(Ordering::Relaxed), 3);
        assert!(data.batch(&[9]).is_err() && data.batch(&[9]).is_err() && data.batch(&[10]).is_err());
        assert_eq!((data.data.0.load(Ordering::Relaxed), data.kept()), (5, 3));
        assert!(data.fill().unwrap_err().to_string().contains("sample 9 is gone"));
    }
}
