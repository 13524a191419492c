//! From a list of samples to one batch.

use crate::explain::framed;
use wengert_tensor::dtype::Scalar;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// A sample that can be stacked with others: a tensor, a number, or a tuple of such. PyTorch's `default_collate`.
///
/// ```
/// use wengert_nn::data::collate::Stack;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let samples = vec![(Tensor::from([1.0f32, 2.0]), 0i64), (Tensor::from([3.0f32, 4.0]), 1)];
/// let (x, y) = Stack::stack(samples)?;
/// assert_eq!(x.shape().dims(), [2, 2]);
/// assert_eq!(y.to_vec::<i64>()?, [0, 1]);
/// # Ok(()) }
/// ```
pub trait Stack: Sized {
    /// What many samples are.
    type Batch;

    /// The samples along a new first axis.
    ///
    /// # Errors
    /// No samples, or samples of different shapes or dtypes.
    #[track_caller]
    fn stack(samples: Vec<Self>) -> Result<Self::Batch>;
}

impl Stack for Tensor {
    type Batch = Tensor;

    #[track_caller]
    fn stack(samples: Vec<Self>) -> Result<Tensor> {
        Tensor::stack(&samples, 0).map_err(|error| error.help("`Pad` makes sequences of one length of ragged ones"))
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Stack for $number {
            type Batch = Tensor;

            #[track_caller]
            fn stack(samples: Vec<Self>) -> Result<Tensor> {
                let count = samples.len();
                Tensor::new(samples, [count])
            }
        }
    )+};
}
numbers!(f32, f64, i64, i32, u8, bool);

macro_rules! tuples {
    ($(($($part:ident $at:tt),+)),+) => {$(
        impl<$($part: Stack),+> Stack for ($($part,)+) {
            type Batch = ($($part::Batch,)+);

            #[track_caller]
            fn stack(samples: Vec<Self>) -> Result<Self::Batch> {
                let mut lists = ($(Vec::<$part>::with_capacity(samples.len()),)+);
                for sample in samples {
                    $(lists.$at.push(sample.$at);)+
                }
                Ok(($($part::stack(lists.$at)?,)+))
            }
        }
    )+};
}
tuples!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

/// Makes ragged sequences `[time, features…]` one batch, filled up to the longest; PyTorch's `pad_sequence`.
///
/// ```
/// use wengert_nn::data::collate::Pad;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let batch = Pad::new().value(-1.0).batch(&[Tensor::from([1i64, 2, 3]), Tensor::from([4i64])])?;
/// assert_eq!(batch.values.to_vec::<i64>()?, [1, 2, 3, 4, -1, -1]);
/// assert_eq!(batch.lengths.to_vec::<i64>()?, [3, 1]);
/// assert_eq!(batch.mask.to_vec::<bool>()?, [true, true, true, true, false, false]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Pad {
    value: f64,
    left: bool,
    multiple: usize,
    length: Option<usize>,
}

/// Sequences of one length, and what they were.
#[derive(Clone, Debug)]
pub struct Padded {
    /// `[samples, time, features…]`.
    pub values: Tensor,
    /// `[samples]` i64: how long each sequence was.
    pub lengths: Tensor,
    /// `[samples, time]` bool: true where there is a value, false where it was filled up.
    pub mask: Tensor,
}

impl Default for Pad {
    fn default() -> Pad {
        Pad::new()
    }
}

impl Pad {
    /// Fills up behind, with 0.
    pub fn new() -> Pad {
        Pad { value: 0.0, left: false, multiple: 1, length: None }
    }

    /// With what is filled up.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = value;
        self
    }

    /// Fills up in front, as a model that generates wants it.
    #[must_use]
    pub fn left(mut self) -> Self {
        self.left = true;
        self
    }

    /// To a multiple of this many steps: fewer different shapes, and fewer plans.
    #[must_use]
    pub fn multiple_of(mut self, steps: usize) -> Self {
        self.multiple = steps.max(1);
        self
    }

    /// To exactly this many steps.
    #[must_use]
    pub fn length(mut self, steps: usize) -> Self {
        self.length = Some(steps);
        self
    }

    /// The batch of these sequences.
    ///
    /// # Errors
    /// No sequences, a scalar, sequences whose features or dtypes differ, or one that is longer than
    /// [`length`](Pad::length).
    #[track_caller]
    pub fn batch(&self, sequences: &[Tensor]) -> Result<Padded> {
        framed("Pad", self.padded(sequences))
    }

    fn padded(&self, sequences: &[Tensor]) -> Result<Padded> {
        let steps = |sequence: &Tensor| sequence.shape().first().copied();
        let lengths = sequences.iter().map(steps).collect::<Option<Vec<usize>>>();
        let lengths = lengths.ok_or_else(|| Error::shape("a scalar is no sequence"))?;
        let longest = lengths.iter().copied().max().ok_or_else(|| Error::data("there are no sequences"))?;
        let time = self.length.unwrap_or(longest.div_ceil(self.multiple).saturating_mul(self.multiple));
        if time < longest {
            return Err(Error::data(format!("a sequence of {longest} steps is longer than {time}")));
        }
        let filled = sequences.iter().zip(&lengths).map(|(sequence, &length)| {
            if length == time {
                return Ok(sequence.clone());
            }
            let rest = sequence.shape().with(0, time - length)?;
            let rest = Tensor::full(rest, Scalar::new(sequence.dtype(), self.value))?;
            let parts = if self.left { [&rest, sequence] } else { [sequence, &rest] };
            Tensor::concat(&parts, 0)
        });
        let values = Tensor::stack(&filled.collect::<Result<Vec<_>>>()?, 0)?;
        let inside = |sample: usize, step: usize| {
            let length = lengths.get(sample).copied().unwrap_or(0);
            if self.left { step >= time - length } else { step < length }
        };
        let mask = Tensor::from_fn([lengths.len(), time], |i| inside(i / time.max(1), i % time.max(1)))?;
        let lengths = Tensor::new(lengths.iter().map(|&length| length as i64).collect::<Vec<_>>(), [lengths.len()])?;
        Ok(Padded { values, lengths, mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::dtype::DType;

    #[test]
    fn pads_on_either_side_and_to_a_length() {
        let rows = [Tensor::from([[1.0f32, 2.0]]), Tensor::from([[3.0f32, 4.0], [5.0, 6.0], [7.0, 8.0]])];
        let batch = Pad::new().left().multiple_of(4).batch(&rows).unwrap();
        assert_eq!(batch.values.shape().dims(), [2, 4, 2]);
        let values = batch.values.to_vec::<f32>().unwrap();
        assert_eq!(values[6..8], [1.0, 2.0]);
        assert_eq!(values[8..], [0.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(batch.mask.to_vec::<bool>().unwrap(), [false, false, false, true, false, true, true, true]);
        assert_eq!(Pad::new().length(5).batch(&rows).unwrap().values.shape().dims(), [2, 5, 2]);
        assert!(Pad::new().length(2).batch(&rows).unwrap_err().to_string().contains("3 steps is longer than 2"));
        let empty = Pad::new().batch(&[Tensor::zeros([0, 3], DType::F32).unwrap()]).unwrap();
        assert_eq!(empty.values.shape().dims(), [1, 0, 3]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(Pad::new().batch(&[]).is_err());
        assert!(Pad::new().batch(&[Tensor::from(1.0f32)]).is_err());
        assert!(Pad::new().batch(&[Tensor::from([1.0f32]), Tensor::from([1i64, 2])]).is_err());
        assert!(Pad::new().batch(&[Tensor::from([[1.0f32]]), Tensor::from([1.0f32, 2.0])]).is_err());
        let ragged = Stack::stack(vec![Tensor::from([1.0f32]), Tensor::from([1.0f32, 2.0])]);
        let (error, line) = (ragged.unwrap_err(), line!() - 1);
        assert!(error.to_string().contains("`Pad`"));
        assert_eq!(error.location().map(|at| (at.file(), at.line())), Some((file!(), line)));
    }
}
