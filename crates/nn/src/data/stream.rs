//! Samples that come one after the other, without a number of them: logs, sockets, files larger than memory.

use super::collate::Stack;
use crate::explain::blame;
use std::collections::VecDeque;
use std::panic::Location;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, philox};

/// A source of samples that is opened anew for every epoch, shuffled through a buffer, and cut into batches.
///
/// PyTorch's `IterableDataset`, and the `shuffle(buffer)` of `tf.data`: the buffer is filled, then each sample that is
/// handed out is drawn from it at random and replaced by the next of the source. Memory is needed for the buffer only.
///
/// ```
/// use wengert_nn::data::stream::Stream;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let numbers = Stream::new(|_epoch| (0..10i64).map(|i| Ok((i as f32, i)))).shuffle(4, 7);
/// let mut seen = Vec::new();
/// for batch in numbers.batches(0, 3)? {
///     let (_x, y) = batch?;
///     seen.extend(y.to_vec::<i64>()?);
/// }
/// assert_ne!(seen, (0..10).collect::<Vec<_>>());
/// seen.sort();
/// assert_eq!(seen, (0..10).collect::<Vec<_>>());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Stream<F> {
    open: F,
    buffer: usize,
    key: Key,
    drop_last: bool,
}

impl<F, I, S> Stream<F>
where
    F: Fn(usize) -> I,
    I: Iterator<Item = Result<S>>,
    S: Stack,
{
    /// `open` gives the samples of an epoch, the same ones for the same number.
    pub fn new(open: F) -> Stream<F> {
        Stream { open, buffer: 1, key: Key::new(0), drop_last: false }
    }

    /// Shuffles through a buffer of so many samples, by a seed.
    #[must_use]
    pub fn shuffle(mut self, buffer: usize, seed: impl Into<Key>) -> Self {
        (self.buffer, self.key) = (buffer.max(1), seed.into());
        self
    }

    /// Leaves out the last batch of an epoch when it is smaller than the others (default: it is kept).
    #[must_use]
    pub fn drop_last(mut self, drop: bool) -> Self {
        self.drop_last = drop;
        self
    }

    /// The samples of an epoch.
    pub fn samples(&self, epoch: usize) -> Samples<I, S> {
        let source = (self.open)(epoch);
        Samples { source, buffer: VecDeque::new(), size: self.buffer, key: self.key.fold(epoch as u64), drawn: 0 }
    }

    /// The batches of an epoch. To go on at batch `k`, skip `k` of them: the source has to be read again.
    ///
    /// A sample that cannot be read is an `Err` item; the samples after it are in the next batches.
    ///
    /// # Errors
    /// A batch size of 0.
    #[track_caller]
    pub fn batches(&self, epoch: usize, batch_size: usize) -> Result<Batches<I, S>> {
        let here = Location::caller();
        if batch_size == 0 {
            return Err(Error::value("a batch needs at least one sample").op("Stream").at(here));
        }
        let samples = self.samples(epoch);
        Ok(Batches { samples, batch_size, drop_last: self.drop_last, waiting: Vec::new(), here })
    }
}

/// The samples of an epoch; from [`Stream::samples`].
#[derive(Debug)]
pub struct Samples<I, S> {
    source: I,
    buffer: VecDeque<S>,
    size: usize,
    key: Key,
    drawn: u64,
}

impl<I: Iterator<Item = Result<S>>, S> Iterator for Samples<I, S> {
    type Item = Result<S>;

    fn next(&mut self) -> Option<Result<S>> {
        while self.buffer.len() < self.size {
            match self.source.next() {
                Some(Ok(sample)) => self.buffer.push_back(sample),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        // The upper half of a product is uniform below the number of samples.
        let [a, b, _, _] = philox([self.drawn as u32, (self.drawn >> 32) as u32, 0, 0], self.key.0);
        let draw = (u128::from(u64::from(a) | u64::from(b) << 32) * self.buffer.len() as u128) >> 64;
        self.drawn += 1;
        self.buffer.swap_remove_front(draw as usize).map(Ok)
    }
}

/// The batches of an epoch; from [`Stream::batches`].
#[derive(Debug)]
pub struct Batches<I, S> {
    samples: Samples<I, S>,
    batch_size: usize,
    drop_last: bool,
    waiting: Vec<S>,
    /// Who asked for them, to be blamed for samples of different shapes.
    here: &'static Location<'static>,
}

impl<I: Iterator<Item = Result<S>>, S: Stack> Iterator for Batches<I, S> {
    type Item = Result<S::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < self.batch_size {
            match self.samples.next() {
                Some(Ok(sample)) => self.waiting.push(sample),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        let batch = std::mem::take(&mut self.waiting);
        let goes = !batch.is_empty() && (batch.len() == self.batch_size || !self.drop_last);
        goes.then(|| S::stack(batch).map_err(|error| blame(error, self.here)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    type Numbers = std::iter::Map<std::ops::Range<i64>, fn(i64) -> Result<i64>>;

    fn numbers(_: usize) -> Numbers {
        (0..50).map(Ok as fn(i64) -> Result<i64>)
    }

    fn seen(stream: &Stream<impl Fn(usize) -> Numbers>, epoch: usize) -> Vec<i64> {
        stream.samples(epoch).map(|sample| sample.unwrap()).collect()
    }

    #[test]
    fn the_buffer_shuffles_and_loses_nothing() {
        let plain = Stream::new(numbers);
        assert_eq!(seen(&plain, 0), (0..50).collect::<Vec<_>>());
        for buffer in [2, 7, 50, 1000] {
            let shuffled = Stream::new(numbers).shuffle(buffer, 3);
            let mut one = seen(&shuffled, 0);
            assert_eq!(one, seen(&shuffled, 0));
            assert_ne!(one, seen(&shuffled, 1));
            // A sample cannot come before the buffer has reached it.
            assert!(one.iter().enumerate().all(|(at, &i)| i < (at + buffer) as i64));
            one.sort_unstable();
            assert_eq!(one, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn batches_and_errors() {
        let sizes = |drop| {
            let stream = Stream::new(numbers).drop_last(drop);
            let batches: Vec<usize> = stream.batches(0, 20).unwrap().map(|batch| batch.unwrap().len()).collect();
            batches
        };
        assert_eq!(sizes(false), [20, 20, 10]);
        assert_eq!(sizes(true), [20, 20]);
        let broken = Stream::new(|_| (0..5i64).map(|i| if i == 2 { Err(Error::io("gone")) } else { Ok(i) }));
        let batches: Vec<_> = broken.batches(0, 3).unwrap().collect();
        assert!(batches[0].is_err());
        assert_eq!(batches[1].as_ref().unwrap().to_vec::<i64>().unwrap(), [0, 1, 3]);
        assert_eq!(batches[2].as_ref().unwrap().to_vec::<i64>().unwrap(), [4]);
        assert!(broken.batches(0, 0).is_err());
        let ragged = Stream::new(|_| (1..3).map(|size| Ok(Tensor::from(vec![0f32; size]))));
        let (mut batches, line) = (ragged.batches(0, 2).unwrap(), line!());
        let error = batches.next().unwrap().unwrap_err();
        assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), line)), "{error}");
    }
}
