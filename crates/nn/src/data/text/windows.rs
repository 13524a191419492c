//! Pieces of a long list of tokens.

use crate::data::dataset::{Dataset, InMemory, out_of_range};
use std::panic::Location;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Windows of `time` tokens, and the same one token further: inputs and targets `[samples, time]` i64 of a language model.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_nn::data::text::windows::TokenWindows;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = TokenWindows::new((0..10).collect::<Vec<_>>(), 4)?;
/// assert_eq!(data.len(), 2);
/// let (x, y) = data.batch(&[1])?;
/// assert_eq!(x.to_vec::<i64>()?, [4, 5, 6, 7]);
/// assert_eq!(y.to_vec::<i64>()?, [5, 6, 7, 8]);
/// assert_eq!(data.stride(1).len(), 6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokenWindows {
    tokens: Vec<i64>,
    time: usize,
    stride: usize,
}

impl TokenWindows {
    /// Windows side by side; each token is the target of one window.
    ///
    /// # Errors
    /// A window of 0 tokens, or fewer tokens than one window and its target take.
    #[track_caller]
    pub fn new(tokens: impl Into<Vec<i64>>, time: usize) -> Result<TokenWindows> {
        let tokens = tokens.into();
        let here = Location::caller();
        let framed = |error: Error| error.op("TokenWindows").at(here);
        if time == 0 {
            return Err(framed(Error::value("a window needs at least one token")));
        }
        if tokens.len() <= time {
            let text = format!("{} tokens are less than a window of {time} and its next token", tokens.len());
            return Err(framed(Error::data(text)));
        }
        Ok(TokenWindows { tokens, time, stride: time })
    }

    /// How many tokens a window begins after the one before it (default: as many as a window has).
    #[must_use]
    pub fn stride(mut self, tokens: usize) -> Self {
        self.stride = tokens.max(1);
        self
    }

    fn window(&self, index: usize, shift: usize) -> Result<&[i64]> {
        let start = index.checked_mul(self.stride).filter(|_| index < self.len()).map(|start| start + shift);
        let window = start.and_then(|start| self.tokens.get(start..start + self.time));
        window.ok_or_else(|| out_of_range(index, self.len()))
    }
}

impl Dataset for TokenWindows {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        // The last token is a target only.
        (self.tokens.len() - 1 - self.time) / self.stride + 1
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        let part = |shift: usize| -> Result<Tensor> {
            let mut values = Vec::with_capacity(indices.len() * self.time);
            for &index in indices {
                values.extend_from_slice(self.window(index, shift)?);
            }
            Tensor::new(values, [indices.len(), self.time])
        };
        Ok((part(0)?, part(1)?))
    }
}

impl InMemory for TokenWindows {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_with_the_last_token() {
        for (count, time, stride) in [(2, 1, 1), (10, 4, 4), (9, 4, 4), (10, 3, 2), (100, 7, 13)] {
            let data = TokenWindows::new((0..count).collect::<Vec<i64>>(), time).unwrap().stride(stride);
            let (_, last) = data.batch(&[data.len() - 1]).unwrap();
            let last = *last.to_vec::<i64>().unwrap().last().unwrap();
            assert!(last < count && last + stride as i64 >= count, "{count} {time} {stride}: {last}");
            assert!(data.batch(&[data.len()]).is_err() && data.batch(&[usize::MAX]).is_err());
        }
        assert!(TokenWindows::new([1, 2], 2).unwrap_err().to_string().contains("2 tokens are less than a window of 2"));
        assert!(TokenWindows::new([1, 2], 0).is_err());
    }
}
