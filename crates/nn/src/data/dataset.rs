//! What a data set is: a number of samples, and batches of them.

use super::cached::Cached;
use super::mapped::Mapped;
use super::rows::Rows;
use super::subset::Subset;
use super::transform::Transform;
use super::transformed::{Inputs, Targets, TargetsTransformed, Transformed};
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation};
use wengert_tensor::tensor::Tensor;

/// A collection of samples that can be gathered into batches.
///
/// Samples of a [`Tensor`] lie along its first axis. A tuple of data sets of one length is a data set whose batch is
/// the tuple of their batches, so `(x, y)` is a labelled data set, `((image, text), y)` one with two inputs and
/// `(x, y, weight)` one of three parts.
/// Implement it for a type of your own to read from disk or to make samples up.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]), Tensor::from([0i64, 1, 0]));
/// let (x, y) = data.batch(&[2, 0])?;
/// assert_eq!(x.to_vec::<f32>()?, [5.0, 6.0, 1.0, 2.0]);
/// assert_eq!(y.to_vec::<i64>()?, [0, 0]);
/// # Ok(()) }
/// ```
pub trait Dataset {
    /// What a batch is: `Tensor`, `(Tensor, Tensor)`, …
    type Batch;

    /// The number of samples.
    fn len(&self) -> usize;

    /// Gathers the samples of these indices, in this order, into one batch.
    ///
    /// # Errors
    /// An index that is not below [`len`](Dataset::len), or a sample that cannot be read.
    fn batch(&self, indices: &[usize]) -> Result<Self::Batch>;

    /// The same in an epoch, counted from 0: what a [`DataLoader`](super::loader::DataLoader) asks for.
    ///
    /// A data set that changes its samples at random ([`Transformed`]) changes them
    /// otherwise in every epoch. The default has no such thing.
    ///
    /// # Errors
    /// Those of [`batch`](Dataset::batch).
    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<Self::Batch> {
        let _ = epoch;
        self.batch(indices)
    }

    /// Looks at the data once, before a training run or a loader trusts it.
    ///
    /// Tensors report NaN with its sample and feature, tuples a difference in length. The default checks nothing.
    ///
    /// # Errors
    /// Data that no training could use.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples of these indices as a data set of their own; see [`Subset`].
    ///
    /// # Errors
    /// An index that is not below [`len`](Dataset::len).
    #[track_caller]
    fn subset(self, indices: impl Into<Vec<usize>>) -> Result<Subset<Self>>
    where
        Self: Sized,
    {
        Subset::new(self, indices)
    }

    /// A data set whose batches are `f` of the batches of this one; see [`Mapped`].
    fn mapped<B, F: Fn(Self::Batch) -> Result<B>>(self, f: F) -> Mapped<Self, F>
    where
        Self: Sized,
    {
        Mapped::new(self, f)
    }

    /// A data set that remembers each sample once it was read; see [`Cached`].
    fn cached(self) -> Cached<Self>
    where
        Self: Sized,
        Self::Batch: Rows,
    {
        Cached::new(self)
    }

    /// A data set whose inputs go through a transform, at random where that draws; see [`Transformed`].
    fn transformed<T: Transform>(self, transform: T) -> Transformed<Self, T>
    where
        Self: Sized,
        Self::Batch: Inputs,
    {
        Transformed::new(self, transform)
    }

    /// A data set whose targets go through a transform: labels to one-hot rows, numbers to standard scale; see [`TargetsTransformed`].
    fn targets_transformed<T: Transform>(self, transform: T) -> TargetsTransformed<Self, T>
    where
        Self: Sized,
        Self::Batch: Targets,
    {
        TargetsTransformed::new(self, transform)
    }

    /// Splits into two parts at random, the first with `fraction` of the samples; the same seed gives the same split.
    ///
    /// Both parts get at least one sample. They are gathered into memory.
    ///
    /// ```
    /// use wengert_nn::data::dataset::Dataset;
    /// use wengert_tensor::random::Seed;
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let data = (Tensor::zeros([10, 4], wengert_tensor::dtype::DType::F32)?, Tensor::from([1i64; 10]));
    /// let (train, test) = data.split(0.8, Seed(7))?;
    /// assert_eq!((train.len(), test.len()), (8, 2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A fraction that is not between 0 and 1, fewer than two samples, or what [`check`](Dataset::check) reports.
    #[track_caller]
    fn split(&self, fraction: f64, seed: impl Into<Key>) -> Result<(Self::Batch, Self::Batch)>
    where
        Self: Sized,
    {
        let here = Location::caller();
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::value(format!("a fraction of {fraction} leaves one part of the split empty"))
                .op("split")
                .at(here)
                .help("a number between 0 and 1: 0.8 puts 80 % of the samples into the first part"));
        }
        let samples = self.len();
        if samples < 2 {
            return Err(Error::data(format!("{} cannot be split in two", counted(samples, "sample")))
                .op("split")
                .at(here));
        }
        self.check().map_err(|error| error.op("split").at(here))?;
        let first = ((samples as f64 * fraction).round() as usize).clamp(1, samples - 1);
        let order = permutation(seed.into(), samples);
        let (left, right) = order.split_at(first);
        Ok((self.batch(left)?, self.batch(right)?))
    }
}

/// A data set that lies in memory: a batch of valid indices cannot fail once [`check`](Dataset::check) has passed.
///
/// It is what lets [`DataLoader::epochs`](super::loader::DataLoader::epochs) hand out batches instead of results.
pub trait InMemory: Dataset {}

impl InMemory for Tensor {}
impl<A: InMemory, B: InMemory> InMemory for (A, B) {}
impl<A: InMemory, B: InMemory, C: InMemory> InMemory for (A, B, C) {}
impl<A: InMemory, B: InMemory, C: InMemory, D: InMemory> InMemory for (A, B, C, D) {}
impl<T: Clone> InMemory for Vec<T> {}
impl<D: InMemory + ?Sized> InMemory for &D {}
impl<D: InMemory + ?Sized> InMemory for Box<D> {}
impl<D: InMemory + ?Sized> InMemory for Arc<D> {}

impl Dataset for Tensor {
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.shape().dims().first().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize]) -> Result<Tensor> {
        self.gather_rows(indices)
    }

    fn check(&self) -> Result<()> {
        if self.rank() == 0 {
            return Err(Error::data("a tensor of rank 0 has no samples")
                .operand("data", describe(self))
                .help("samples lie along the first axis: [samples, features…]"));
        }
        match first_nan(self) {
            None => Ok(()),
            Some(at) => {
                let features = self.shape().dims().get(1..).unwrap_or(&[]);
                Err(Error::data(format!("{} is NaN", place(at, features)))
                    .operand("data", describe(self))
                    .help("drop the sample, or fill the gap in before training"))
            }
        }
    }
}

impl<A: Dataset, B: Dataset> Dataset for (A, B) {
    type Batch = (A::Batch, B::Batch);

    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, indices: &[usize]) -> Result<Self::Batch> {
        Ok((self.0.batch(indices)?, self.1.batch(indices)?))
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<Self::Batch> {
        Ok((self.0.batch_in(epoch, indices)?, self.1.batch_in(epoch, indices)?))
    }

    fn check(&self) -> Result<()> {
        let (left, right) = (self.0.len(), self.1.len());
        if left != right {
            return Err(Error::data(format!("the inputs have {}, the targets {right}", counted(left, "sample")))
                .help("row i of the targets is the answer to row i of the inputs"));
        }
        self.0.check().map_err(|error| error.within("inputs"))?;
        self.1.check().map_err(|error| error.within("targets"))
    }
}

/// More than two parts, of one length each.
macro_rules! parts {
    ($($part:ident $at:tt),+) => {
        impl<$($part: Dataset),+> Dataset for ($($part,)+) {
            type Batch = ($($part::Batch,)+);

            fn len(&self) -> usize {
                self.0.len()
            }

            fn batch(&self, indices: &[usize]) -> Result<Self::Batch> {
                Ok(($(self.$at.batch(indices)?,)+))
            }

            fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<Self::Batch> {
                Ok(($(self.$at.batch_in(epoch, indices)?,)+))
            }

            fn check(&self) -> Result<()> {
                let lengths = [$(self.$at.len()),+];
                if lengths.iter().any(|&length| length != self.0.len()) {
                    return Err(Error::data(format!("the parts have {lengths:?} samples"))
                        .help("row i of every part belongs to sample i"));
                }
                $(self.$at.check().map_err(|error| error.within(concat!("part ", $at)))?;)+
                Ok(())
            }
        }
    };
}
parts!(A 0, B 1, C 2);
parts!(A 0, B 1, C 2, D 3);

/// Samples of any type, one after the other: ragged sequences, texts, names of files. A batch is their list, which
/// [`DataLoader::collate`](super::loader::DataLoader::collate) makes into tensors.
impl<T: Clone> Dataset for Vec<T> {
    type Batch = Vec<T>;

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn batch(&self, indices: &[usize]) -> Result<Vec<T>> {
        let sample =
            |&index: &usize| self.get(index).cloned().ok_or_else(|| out_of_range(index, self.as_slice().len()));
        indices.iter().map(sample).collect()
    }
}

/// What shares or borrows a data set is one.
macro_rules! forwarded {
    ($($pointer:ty),+) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            type Batch = D::Batch;

            fn len(&self) -> usize {
                (**self).len()
            }

            fn batch(&self, indices: &[usize]) -> Result<Self::Batch> {
                (**self).batch(indices)
            }

            fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<Self::Batch> {
                (**self).batch_in(epoch, indices)
            }

            fn check(&self) -> Result<()> {
                (**self).check()
            }
        }
    )+};
}
forwarded!(&D, Box<D>, Arc<D>);

/// That there is no such sample.
pub(crate) fn out_of_range(index: usize, samples: usize) -> Error {
    Error::index(format!("sample {index} is out of range: there are {samples}"))
}

/// `[150, 4] f32`.
pub(crate) fn describe(tensor: &Tensor) -> String {
    format!("{} {}", tensor.shape(), tensor.dtype())
}

/// `1 sample`, `2 samples`.
pub(crate) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The flat index of the first NaN.
fn first_nan(tensor: &Tensor) -> Option<usize> {
    if !tensor.has_nan() {
        return None;
    }
    tensor.to_f64_vec().iter().position(|value| value.is_nan())
}

/// `sample 17, feature 3`, or `sample 17 at [0, 3, 4]` when a sample has several axes.
fn place(flat: usize, features: &[usize]) -> String {
    let size: usize = features.iter().product::<usize>().max(1);
    let (sample, mut rest) = (flat / size, flat % size);
    match features {
        [] => format!("sample {sample}"),
        [_] => format!("sample {sample}, feature {rest}"),
        _ => {
            let mut index: Vec<usize> = features
                .iter()
                .rev()
                .map(|&n| {
                    let at = rest % n.max(1);
                    rest /= n.max(1);
                    at
                })
                .collect();
            index.reverse();
            format!("sample {sample} at {index:?}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Tensor, Tensor) {
        (Tensor::from([[0.0f32, 1.0], [2.0, 3.0], [4.0, 5.0]]), Tensor::from([0i64, 1, 2]))
    }

    #[test]
    fn split_keeps_every_sample_once_and_follows_the_seed() {
        let data =
            (Tensor::from((0..100).map(f64::from).collect::<Vec<_>>()), Tensor::from((0..100i64).collect::<Vec<_>>()));
        let (a, b) = data.split(0.8, 3).unwrap();
        assert_eq!((a.len(), b.len()), (80, 20));
        let mut all = a.1.to_vec::<i64>().unwrap();
        all.extend(b.1.to_vec::<i64>().unwrap());
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(a.0.to_f64_vec(), a.1.to_f64_vec(), "rows stay with their labels");
        let (again, _) = data.split(0.8, 3).unwrap();
        assert!(again.1.equals(&a.1));
        let (other, _) = data.split(0.8, 4).unwrap();
        assert!(!other.1.equals(&a.1));
    }

    #[test]
    fn a_bad_split_is_an_error() {
        for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY] {
            assert!(pair().split(fraction, 1).is_err(), "{fraction}");
        }
        let one = (Tensor::from([[1.0f32]]), Tensor::from([1i64]));
        assert!(one.split(0.5, 1).is_err());
        let (a, b) = pair().split(0.001, 1).unwrap();
        assert_eq!((a.len(), b.len()), (1, 2), "both parts get a sample");
    }

    #[test]
    fn nan_is_named_by_sample_and_feature() {
        let x = Tensor::from([[0.0f32, 1.0], [2.0, f32::NAN]]);
        let error = (x, Tensor::from([0i64, 1])).check().unwrap_err().to_string();
        assert!(error.contains("sample 1, feature 1 is NaN"), "{error}");
        let mut cube = vec![0.0f32; 2 * 2 * 3];
        cube[10] = f32::NAN;
        let error = Tensor::new(cube, [2, 2, 3]).unwrap().check().unwrap_err().to_string();
        assert!(error.contains("sample 1 at [1, 1] is NaN"), "{error}");
    }

    #[test]
    fn lengths_must_agree() {
        let error = (Tensor::from([1.0f32, 2.0]), Tensor::from([1i64])).check().unwrap_err().to_string();
        assert!(error.contains("the inputs have 2 samples, the targets 1"), "{error}");
        assert!(Tensor::from(1.0f32).check().is_err());
    }

    #[test]
    fn three_and_four_parts_and_lists_are_data_sets() {
        let (x, y) = pair();
        let three = (x.clone(), y.clone(), y.clone());
        let (_, b, c) = three.batch(&[2, 1]).unwrap();
        assert!(b.equals(&c) && b.to_vec::<i64>().unwrap() == [2, 1]);
        let four = (x, y.clone(), y, vec!["a", "b", "c"]);
        four.check().unwrap();
        assert_eq!(four.batch_in(3, &[2, 0]).unwrap().3, ["c", "a"]);
        let error = (pair().0, pair().1, vec![1, 2]).check().unwrap_err().to_string();
        assert!(error.contains("the parts have [3, 3, 2] samples"), "{error}");
        assert!(vec![1, 2].batch(&[2]).unwrap_err().to_string().contains("sample 2 is out of range: there are 2"));
        let shared: Arc<dyn Dataset<Batch = (Tensor, Tensor)>> = Arc::new(pair());
        assert_eq!(shared.len(), 3);
    }

    #[test]
    fn an_index_out_of_range_is_an_error() {
        assert!(pair().batch(&[3]).is_err());
    }
}
