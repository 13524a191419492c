//! Batches of a data set, epoch after epoch.

use super::dataset::{Dataset, InMemory};
use std::panic::Location;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation};

/// Walks a data set in batches, in order or shuffled anew every epoch.
///
/// The order of an epoch follows from the seed and the epoch's number alone, so a run can be repeated and resumed.
/// The last batch is smaller when the batch size does not divide the number of samples; see
/// [`drop_last`](DataLoader::drop_last).
///
/// ```
/// use wengert_nn::data::loader::DataLoader;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::from([[1.0f32], [2.0], [3.0]]), Tensor::from([0i64, 1, 1]));
/// let loader = DataLoader::new(&data, 2)?.shuffle(7);
/// let mut samples = 0;
/// for (x, y) in loader.epochs(10) {
///     assert_eq!(x.shape()[0], y.shape()[0]);
///     samples += y.len();
/// }
/// assert_eq!(samples, 30);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DataLoader<D> {
    data: D,
    batch_size: usize,
    shuffle: Option<Key>,
    drop_last: bool,
}

impl<D: Dataset> DataLoader<D> {
    /// A loader of batches of `batch_size` samples, in the order of the data. `data` may be a reference.
    ///
    /// # Errors
    /// A batch size of 0, an empty data set, or what [`Dataset::check`] reports (NaN, differing lengths).
    #[track_caller]
    pub fn new(data: D, batch_size: usize) -> Result<DataLoader<D>> {
        let here = Location::caller();
        DataLoader::checked(data, batch_size).map_err(|error| error.op("DataLoader").at(here))
    }

    /// [`DataLoader::new`] for callers that frame the error themselves.
    pub(crate) fn checked(data: D, batch_size: usize) -> Result<DataLoader<D>> {
        if batch_size == 0 {
            return Err(Error::value("a batch needs at least one sample").help("a batch size of 1 or more"));
        }
        data.check()?;
        if data.is_empty() {
            return Err(Error::data("the data set has no samples"));
        }
        Ok(DataLoader { data, batch_size, shuffle: None, drop_last: false })
    }

    /// Shuffles every epoch by this seed (a number, a `Seed` or a `Key`).
    pub fn shuffle(mut self, seed: impl Into<Key>) -> Self {
        self.shuffle = Some(seed.into());
        self
    }

    /// Leaves out the last batch of an epoch when it is smaller than the others (default: it is kept).
    ///
    /// A data set smaller than one batch then gives no batch at all.
    pub fn drop_last(mut self, drop: bool) -> Self {
        self.drop_last = drop;
        self
    }

    /// The number of batches in an epoch.
    #[allow(clippy::len_without_is_empty)] // a loader is never made of nothing
    pub fn len(&self) -> usize {
        if self.drop_last { self.data.len() / self.batch_size } else { self.data.len().div_ceil(self.batch_size) }
    }

    /// The samples of a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The order in which the samples of this epoch come, the left-out ones included.
    pub fn order(&self, epoch: usize) -> Vec<usize> {
        match self.shuffle {
            Some(key) => permutation(key.fold(epoch as u64), self.data.len()),
            None => (0..self.data.len()).collect(),
        }
    }

    /// The batches of one epoch. Works for every data set: a sample that cannot be read is an `Err` item.
    pub fn epoch(&self, epoch: usize) -> Epoch<'_, D> {
        Epoch { loader: self, order: self.order(epoch), next: 0 }
    }

    /// The batches of `n` epochs, one after the other, as results. For data in memory there is
    /// [`epochs`](DataLoader::epochs), whose items are the batches themselves.
    pub fn try_epochs(&self, n: usize) -> impl Iterator<Item = Result<D::Batch>> + '_ {
        (0..n).flat_map(|epoch| self.epoch(epoch))
    }
}

impl<D: InMemory> DataLoader<D> {
    /// The batches of `n` epochs, one after the other.
    pub fn epochs(&self, n: usize) -> impl Iterator<Item = D::Batch> + '_ {
        // Every index is below the length and the data was checked: a batch in memory cannot fail.
        self.try_epochs(n).map_while(Result::ok)
    }
}

/// The batches of one epoch; from [`DataLoader::epoch`].
#[derive(Debug)]
pub struct Epoch<'a, D> {
    loader: &'a DataLoader<D>,
    order: Vec<usize>,
    next: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.loader.len() {
            return None;
        }
        let start = self.next * self.loader.batch_size;
        let end = (start + self.loader.batch_size).min(self.order.len());
        self.next += 1;
        self.order.get(start..end).map(|indices| self.loader.data.batch(indices))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<'_, D> {}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    fn data(n: i64) -> (Tensor, Tensor) {
        (Tensor::from((0..n).map(|v| v as f32).collect::<Vec<_>>()), Tensor::from((0..n).collect::<Vec<_>>()))
    }

    fn seen(loader: &DataLoader<(Tensor, Tensor)>, epoch: usize) -> Vec<i64> {
        loader.epoch(epoch).flat_map(|batch| batch.unwrap().1.to_vec::<i64>().unwrap()).collect()
    }

    #[test]
    fn every_sample_comes_once_an_epoch() {
        let loader = DataLoader::new(data(23), 5).unwrap().shuffle(1);
        assert_eq!(loader.len(), 5);
        for epoch in 0..4 {
            let mut all = seen(&loader, epoch);
            all.sort_unstable();
            assert_eq!(all, (0..23).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_follows_the_seed_and_the_epoch() {
        let one = DataLoader::new(data(50), 8).unwrap().shuffle(1);
        let same = DataLoader::new(data(50), 8).unwrap().shuffle(1);
        let other = DataLoader::new(data(50), 8).unwrap().shuffle(2);
        assert_eq!(seen(&one, 3), seen(&same, 3));
        assert_ne!(seen(&one, 3), seen(&one, 4));
        assert_ne!(seen(&one, 3), seen(&other, 3));
        let plain = DataLoader::new(data(50), 8).unwrap();
        assert_eq!(seen(&plain, 3), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn batch_sizes_and_drop_last() {
        let loader = DataLoader::new(data(10), 4).unwrap();
        let sizes = |loader: &DataLoader<(Tensor, Tensor)>| loader.epochs(2).map(|(x, _)| x.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&loader), [4, 4, 2, 4, 4, 2]);
        let dropped = loader.drop_last(true);
        assert_eq!(dropped.len(), 2);
        assert_eq!(sizes(&dropped), [4, 4, 4, 4]);
        assert_eq!(DataLoader::new(data(3), 4).unwrap().epoch(0).len(), 1);
        assert_eq!(DataLoader::new(data(3), 4).unwrap().drop_last(true).epochs(3).count(), 0);
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_at_the_door() {
        assert!(DataLoader::new(data(3), 0).is_err());
        assert!(DataLoader::new(data(0), 2).is_err());
        assert!(DataLoader::new((data(3).0, data(2).1), 2).is_err());
        assert!(DataLoader::new(Tensor::from([1.0f32, f32::NAN]), 2).is_err());
    }

    #[test]
    fn a_data_set_that_fails_to_read_says_so() {
        struct Broken;
        impl Dataset for Broken {
            type Batch = ();
            fn len(&self) -> usize {
                4
            }
            fn batch(&self, indices: &[usize]) -> Result<()> {
                if indices.contains(&2) { Err(Error::io("sample 2 is gone")) } else { Ok(()) }
            }
        }
        let loader = DataLoader::new(Broken, 2).unwrap();
        let results: Vec<bool> = loader.try_epochs(1).map(|batch| batch.is_ok()).collect();
        assert_eq!(results, [true, false]);
    }
}
