//! Batches of a data set, epoch after epoch.

use super::dataset::{Dataset, InMemory};
use super::mapped::Mapped;
use super::prefetch::Prefetched;
use super::sampler::buckets::LengthBuckets;
use super::sampler::random::RandomSampler;
use super::sampler::sequential::SequentialSampler;
use super::sampler::{Sampler, one_each};
use crate::explain::framed;
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;
use wengert_tensor::tensor::Tensor;

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
///
/// A run can stop between any two batches and go on there:
///
/// ```
/// # use wengert_nn::data::loader::DataLoader;
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut loader = DataLoader::new(Tensor::arange(10, wengert_tensor::dtype::DType::F32)?, 3)?.shuffle(7);
/// let mut run = loader.try_epochs(2);
/// let before: Vec<Tensor> = run.by_ref().take(5).collect::<Result<_, _>>()?;
/// let state = run.state()?;
/// let rest: Vec<Tensor> = run.collect::<Result<_, _>>()?;
/// loader.load_state(&state)?;
/// for (batch, again) in rest.iter().zip(loader.epochs(2)) {
///     assert!(batch.equals(&again));
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DataLoader<D> {
    data: D,
    batch_size: usize,
    sampler: Arc<dyn Sampler>,
    drop_last: bool,
    start: Position,
}

/// Where a loader is: the next batch of an epoch. Both count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The epoch.
    pub epoch: usize,
    /// The batch of the epoch that comes next.
    pub batch: usize,
}

impl<D: Dataset> DataLoader<D> {
    /// A loader of batches of `batch_size` samples, in the order of the data. `data` may be a reference.
    ///
    /// # Errors
    /// A batch size of 0, an empty data set, or what [`Dataset::check`] reports (NaN, differing lengths).
    #[track_caller]
    pub fn new(data: D, batch_size: usize) -> Result<DataLoader<D>> {
        framed("DataLoader", DataLoader::checked(data, batch_size))
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
        let start = Position::default();
        Ok(DataLoader { data, batch_size, sampler: Arc::new(SequentialSampler), drop_last: false, start })
    }

    /// Shuffles every epoch by this seed (a number, a `Seed` or a `Key`).
    #[must_use]
    pub fn shuffle(mut self, seed: impl Into<Key>) -> Self {
        self.sampler = Arc::new(RandomSampler::new(seed));
        self
    }

    /// Takes the samples in the order of a [`Sampler`].
    ///
    /// The orders of the first two epochs are looked at here. One of a later epoch that names a sample beyond the data, or that is shorter
    /// than the sampler said, gives an `Err` item there, and ends [`epochs`](DataLoader::epochs), whose items cannot tell of it.
    ///
    /// # Errors
    /// A sampler that does not fit the number of samples, or gives samples that are not there.
    #[track_caller]
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Result<Self> {
        self.sampler = Arc::new(sampler);
        let checked = self.sampler.check(self.data.len());
        framed(
            "DataLoader::sampler",
            checked.and_then(|()| (0..2).try_for_each(|epoch| self.try_order(epoch).map(drop))),
        )?;
        Ok(self)
    }

    /// Shuffles by this seed so that samples of about the same length share a batch; see [`LengthBuckets`].
    ///
    /// # Errors
    /// Lengths of another number than the samples.
    #[track_caller]
    pub fn bucket_by_length(mut self, lengths: impl Into<Vec<usize>>, seed: impl Into<Key>) -> Result<Self> {
        let lengths = lengths.into();
        framed("DataLoader::bucket_by_length", one_each("lengths", lengths.len(), self.data.len()))?;
        self.sampler = Arc::new(LengthBuckets::new(lengths, self.batch_size, seed)?);
        Ok(self)
    }

    /// Leaves out the last batch of an epoch when it is smaller than the others (default: it is kept).
    ///
    /// A data set smaller than one batch then gives no batch at all.
    #[must_use]
    pub fn drop_last(mut self, drop: bool) -> Self {
        self.drop_last = drop;
        self
    }

    /// Makes of every batch what `f` makes of it: of a list of ragged samples, tensors.
    ///
    /// ```
    /// use wengert_nn::data::collate::Pad;
    /// use wengert_nn::data::loader::DataLoader;
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let sequences = vec![Tensor::from([1i64, 2, 3]), Tensor::from([4i64]), Tensor::from([5i64, 6])];
    /// let loader = DataLoader::new(sequences, 2)?.collate(|samples| Pad::new().batch(&samples));
    /// let batches = loader.try_epochs(1).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(batches[0].values.to_vec::<i64>()?, [1, 2, 3, 4, 0, 0]);
    /// assert_eq!(batches[0].lengths.to_vec::<i64>()?, [3, 1]);
    /// # Ok(()) }
    /// ```
    pub fn collate<B, F: Fn(D::Batch) -> Result<B>>(self, f: F) -> DataLoader<Mapped<D, F>> {
        DataLoader {
            data: Mapped::new(self.data, f),
            batch_size: self.batch_size,
            sampler: self.sampler,
            drop_last: self.drop_last,
            start: self.start,
        }
    }

    /// Goes on at a batch of an epoch, as [`Epochs::place`] told it.
    #[must_use]
    pub fn resume_at(mut self, epoch: usize, batch: usize) -> Self {
        self.start = Position { epoch, batch };
        self
    }

    /// The number of batches in an epoch.
    #[allow(clippy::len_without_is_empty)] // a loader is never made of nothing
    pub fn len(&self) -> usize {
        let samples = self.sampler.len(self.data.len());
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    /// The samples of a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// What the batches are made of.
    pub fn data(&self) -> &D {
        &self.data
    }

    /// The order in which the samples of this epoch come, the left-out ones included.
    pub fn order(&self, epoch: usize) -> Vec<usize> {
        self.sampler.order(self.data.len(), epoch)
    }

    /// The order of an epoch, if it names samples of the data alone and is as long as the sampler says.
    pub(crate) fn try_order(&self, epoch: usize) -> Result<Vec<usize>> {
        let (order, samples) = (self.order(epoch), self.data.len());
        there(&*self.sampler, samples, epoch, &order)?;
        match order.len() < self.sampler.len(samples) {
            true => Err(short(&*self.sampler, samples, epoch, order.len())),
            false => Ok(order),
        }
    }

    /// The batches of one epoch. Works for every data set: a sample that cannot be read is an `Err` item.
    pub fn epoch(&self, epoch: usize) -> Epoch<'_, D> {
        self.epoch_from(Position { epoch, batch: 0 })
    }

    /// The rest of an epoch.
    pub fn epoch_from(&self, position: Position) -> Epoch<'_, D> {
        Epoch { loader: self, epoch: position.epoch, order: self.order(position.epoch), next: position.batch }
    }

    /// The batches of `n` epochs, one after the other, as results. For data in memory there is
    /// [`epochs`](DataLoader::epochs), whose items are the batches themselves.
    ///
    /// After [`resume_at`](DataLoader::resume_at) these are the rest of the `n` epochs.
    pub fn try_epochs(&self, n: usize) -> Epochs<'_, D> {
        Epochs { current: (self.start.epoch < n).then(|| self.epoch_from(self.start)), loader: self, n }
    }

    /// Makes the next batches on other threads, while this one works with those that are there; see [`Prefetched`].
    #[must_use]
    pub fn workers(self, threads: usize) -> Prefetched<D> {
        Prefetched::new(self).workers(threads)
    }

    /// Has another thread make so many batches in advance; see [`Prefetched`].
    #[must_use]
    pub fn prefetch(self, batches: usize) -> Prefetched<D> {
        Prefetched::new(self).prefetch(batches)
    }

    /// The place where a run begins, or goes on after [`resume_at`](DataLoader::resume_at).
    pub fn position(&self) -> Position {
        self.settled(self.start)
    }

    /// What [`load_state`](DataLoader::load_state) needs to go on at `position`: the place, and a digest of the order
    /// there.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn state(&self, position: Position) -> Result<Vec<(String, Tensor)>> {
        let position = self.settled(position);
        let number = |value: usize| Tensor::new([value as i64], ());
        Ok(vec![
            ("epoch".into(), number(position.epoch)?),
            ("batch".into(), number(position.batch)?),
            ("batch_size".into(), number(self.batch_size)?),
            ("samples".into(), number(self.data.len())?),
            ("order".into(), Tensor::new([digest(&self.order(position.epoch))], ())?),
        ])
    }

    /// Goes on where [`state`](DataLoader::state) or [`Epochs::state`] was taken.
    ///
    /// # Errors
    /// What is missing or no number; another batch size, number of samples or order than that of the state: the run
    /// would not go on as it was. The loader is then as it was.
    #[track_caller]
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.start = framed("DataLoader::load_state", self.restored(state))?;
        Ok(())
    }

    fn restored(&self, state: &[(String, Tensor)]) -> Result<Position> {
        let find = |name: &str| -> Result<i64> {
            let found = state.iter().find(|(other, _)| other == name);
            let (_, tensor) = found.ok_or_else(|| Error::data(format!("the state has no `{name}`")))?;
            tensor.item::<i64>().map_err(|error| error.operand("state", format!("`{name}`")))
        };
        let count = |name: &str| -> Result<usize> {
            let value = find(name)?;
            usize::try_from(value).map_err(|_| Error::data(format!("`{name}` is {value}")))
        };
        let same = |name: &str, here: usize| -> Result<()> {
            match count(name)? {
                there if there == here => Ok(()),
                there => Err(Error::data(format!("`{name}` was {there} and is {here}"))
                    .help("a run goes on as it was with the same data, batch size and sampler only")),
            }
        };
        same("batch_size", self.batch_size)?;
        same("samples", self.data.len())?;
        let position = Position { epoch: count("epoch")?, batch: count("batch")? };
        if digest(&self.order(position.epoch)) != find("order")? {
            return Err(Error::data(format!("epoch {} had another order of samples", position.epoch))
                .help("give the loader the seed and the sampler that it had"));
        }
        match self.len() {
            batches if position.batch > batches => {
                Err(Error::data(format!("batch {} of an epoch of {batches}", position.batch)))
            }
            _ => Ok(position),
        }
    }

    /// The end of an epoch is the start of the next.
    fn settled(&self, position: Position) -> Position {
        match position.batch >= self.len() {
            true => Position { epoch: position.epoch.saturating_add(1), batch: 0 },
            false => position,
        }
    }

    /// The batch at a place in this order.
    pub(super) fn batch_at(&self, position: Position, order: &[usize]) -> Option<Result<D::Batch>> {
        if position.batch >= self.len() {
            return None;
        }
        let start = position.batch.saturating_mul(self.batch_size);
        let end = start.saturating_add(self.batch_size).min(order.len());
        let (samples, epoch) = (self.data.len(), position.epoch);
        Some(match order.get(start..end) {
            Some(indices) if !indices.is_empty() => {
                there(&*self.sampler, samples, epoch, indices).and_then(|()| self.data.batch_in(epoch, indices))
            }
            _ => Err(short(&*self.sampler, samples, epoch, order.len())),
        })
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
    epoch: usize,
    order: Vec<usize>,
    next: usize,
}

impl<D: Dataset> Epoch<'_, D> {
    /// The batch that comes next.
    pub fn place(&self) -> Position {
        Position { epoch: self.epoch, batch: self.next }
    }

    /// The indices of the samples of the batch that comes next; none at the end.
    pub fn indices(&self) -> &[usize] {
        if self.next >= self.loader.len() {
            return &[];
        }
        let start = self.next.saturating_mul(self.loader.batch_size);
        let end = start.saturating_add(self.loader.batch_size).min(self.order.len());
        self.order.get(start..end).unwrap_or(&[])
    }
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.loader.batch_at(self.place(), &self.order)?;
        self.next += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<'_, D> {}

/// The batches of several epochs; from [`DataLoader::try_epochs`].
#[derive(Debug)]
pub struct Epochs<'a, D> {
    loader: &'a DataLoader<D>,
    current: Option<Epoch<'a, D>>,
    n: usize,
}

impl<D: Dataset> Epochs<'_, D> {
    /// The batch that comes next. After the last one, the start of the epoch that would follow.
    pub fn place(&self) -> Position {
        match &self.current {
            Some(epoch) => self.loader.settled(epoch.place()),
            None => Position { epoch: self.n.max(self.loader.start.epoch), batch: 0 },
        }
    }

    /// The [state](DataLoader::state) of the loader here.
    ///
    /// # Errors
    /// When memory cannot be had.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.loader.state(self.place())
    }
}

impl<D: Dataset> Iterator for Epochs<'_, D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let epoch = self.current.as_mut()?;
            if let Some(batch) = epoch.next() {
                return Some(batch);
            }
            let next = epoch.epoch + 1;
            // Epochs without batches would go on for ever.
            self.current = (next < self.n && self.loader.len() > 0).then(|| self.loader.epoch(next));
        }
    }
}

/// That all of these samples exist.
fn there(sampler: &dyn Sampler, samples: usize, epoch: usize, order: &[usize]) -> Result<()> {
    match order.iter().find(|&&index| index >= samples) {
        Some(index) => {
            let error = Error::index(format!("sample {index} of a data set of {samples}"));
            Err(told(error, sampler, epoch).help("an order has numbers from 0 to below that of the samples"))
        }
        None => Ok(()),
    }
}

/// An order that ends too early.
fn short(sampler: &dyn Sampler, samples: usize, epoch: usize, length: usize) -> Error {
    let error = Error::data(format!("an order of {length} samples, and `len` says {}", sampler.len(samples)));
    told(error, sampler, epoch).help("`Sampler::len` is the length of every order")
}

fn told(error: Error, sampler: &dyn Sampler, epoch: usize) -> Error {
    let name: String = format!("{sampler:?}").chars().take(60).collect();
    error.operand("sampler", name).operand("epoch", epoch.to_string())
}

/// A number that tells orders apart: FNV-1a over the indices.
pub(crate) fn digest(order: &[usize]) -> i64 {
    let bytes = order.iter().flat_map(|&index| (index as u64).to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)) as i64
}

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

    #[test]
    fn goes_on_at_every_place_as_if_it_had_never_stopped() {
        let whole: Vec<Vec<i64>> = {
            let loader = DataLoader::new(data(11), 4).unwrap().shuffle(1);
            loader.epochs(3).map(|(_, y)| y.to_vec().unwrap()).collect()
        };
        for stop in 0..=whole.len() {
            let first = DataLoader::new(data(11), 4).unwrap().shuffle(1);
            let mut run = first.try_epochs(3);
            run.by_ref().take(stop).for_each(|batch| drop(batch.unwrap()));
            assert_eq!(run.place(), Position { epoch: stop / 3, batch: stop % 3 });
            let state = run.state().unwrap();
            let mut second = DataLoader::new(data(11), 4).unwrap().shuffle(1);
            second.load_state(&state).unwrap();
            assert_eq!(second.position(), run.place());
            let rest: Vec<Vec<i64>> = second.epochs(3).map(|(_, y)| y.to_vec().unwrap()).collect();
            assert_eq!(rest, whole[stop..], "{stop}");
            let third = DataLoader::new(data(11), 4).unwrap().shuffle(1).resume_at(stop / 3, stop % 3);
            assert_eq!(third.epochs(3).count(), whole.len() - stop);
        }
    }

    #[test]
    fn a_state_of_another_loader_is_refused_and_changes_nothing() {
        let loader = DataLoader::new(data(11), 4).unwrap().shuffle(1);
        let state = loader.state(Position { epoch: 2, batch: 1 }).unwrap();
        let complaint = |mut loader: DataLoader<(Tensor, Tensor)>, state: &[(String, Tensor)]| {
            let error = loader.load_state(state).unwrap_err().to_string();
            assert_eq!(loader.position(), Position::default());
            error
        };
        let new = |n, size| DataLoader::new(data(n), size).unwrap();
        assert!(complaint(new(12, 4).shuffle(1), &state).contains("`samples` was 11 and is 12"));
        assert!(complaint(new(11, 5).shuffle(1), &state).contains("`batch_size` was 4 and is 5"));
        assert!(complaint(new(11, 4).shuffle(2), &state).contains("epoch 2 had another order"));
        assert!(complaint(new(11, 4), &state).contains("epoch 2 had another order"));
        assert!(complaint(new(11, 4).shuffle(1), &state[1..]).contains("the state has no `epoch`"));
        let set = |name: &str, tensor: Tensor| {
            let change =
                |(other, old): (String, Tensor)| if other == name { (other, tensor.clone()) } else { (other, old) };
            state.iter().cloned().map(change).collect::<Vec<_>>()
        };
        assert!(complaint(new(11, 4).shuffle(1), &set("epoch", Tensor::from(-1i64))).contains("`epoch` is -1"));
        assert!(
            complaint(new(11, 4).shuffle(1), &set("batch", Tensor::from(7i64))).contains("batch 7 of an epoch of 3")
        );
        complaint(new(11, 4).shuffle(1), &set("batch", Tensor::from([0i64, 1])));
    }

    #[test]
    fn a_sampler_that_names_what_is_not_there_is_told() {
        /// Goes beyond the data from an epoch on.
        #[derive(Debug)]
        struct Beyond(usize);
        impl Sampler for Beyond {
            fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
                let far = if epoch >= self.0 { 1 } else { 0 };
                (far..samples + far).collect()
            }
        }
        /// Gives less than it says.
        #[derive(Debug)]
        struct Short(usize);
        impl Sampler for Short {
            fn order(&self, samples: usize, epoch: usize) -> Vec<usize> {
                (0..samples - if epoch >= self.0 { 4 } else { 0 }).collect()
            }
        }
        let new = || DataLoader::new(data(6), 2).unwrap();
        for epoch in [0, 1] {
            let error = new().sampler(Beyond(epoch)).unwrap_err();
            assert_eq!(error.kind(), wengert_tensor::error::ErrorKind::Index);
            assert!(error.to_string().contains("sample 6 of a data set of 6") && error.location().is_some(), "{error}");
            assert!(error.to_string().contains("Beyond") && error.help_text().is_some(), "{error}");
            let error = new().sampler(Short(epoch)).unwrap_err();
            assert!(error.to_string().contains("an order of 2 samples, and `len` says 6"), "{error}");
        }
        let later = new().sampler(Beyond(3)).unwrap();
        let batches: Vec<_> = later.try_epochs(4).collect();
        assert_eq!(batches.iter().filter(|batch| batch.is_ok()).count(), 3 * 3 + 2);
        let error = batches.into_iter().find_map(Result::err).unwrap().to_string();
        assert!(error.contains("sample 6") && error.contains("epoch    3"), "{error}");
        let later = new().sampler(Short(2)).unwrap();
        let batches: Vec<bool> = later.try_epochs(3).map(|batch| batch.is_ok()).collect();
        assert_eq!(batches[6..], [true, false, false]);
    }

    #[test]
    fn samplers_decide_the_length() {
        use crate::data::sampler::weighted::WeightedSampler;
        let sampler = WeightedSampler::new([0.0, 1.0, 2.0], 1).unwrap().samples(10).unwrap();
        let loader = DataLoader::new(data(3), 4).unwrap().sampler(sampler.clone()).unwrap();
        assert_eq!(loader.len(), 3);
        assert!(seen(&loader, 0).iter().all(|&label| label > 0));
        assert_eq!(seen(&loader, 0).len(), 10);
        assert!(DataLoader::new(data(4), 4).unwrap().sampler(sampler).is_err());
        assert!(DataLoader::new(data(4), 4).unwrap().bucket_by_length([1, 2, 3], 1).is_err());
        let buckets = DataLoader::new(data(4), 2).unwrap().bucket_by_length([1, 9, 1, 9], 1).unwrap();
        let batches: Vec<Vec<i64>> = buckets.epochs(1).map(|(_, y)| y.to_vec().unwrap()).collect();
        assert!(batches.contains(&vec![1, 3]) || batches.contains(&vec![3, 1]), "{batches:?}");
    }
}
