//! Padding with an axis' own elements.

use crate::graph::Var;
use crate::sample::{Entry, Sample};
use crate::spatial::tabled;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// How an axis goes on beyond its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadMode {
    /// Back and forth, without the ends twice: c b | a b c | b a.
    Reflect,
    /// The ends again and again: a a | a b c | c c.
    Replicate,
    /// From the start again: b c | a b c | a b.
    Circular,
}

impl PadMode {
    /// Which of `n` elements stands at place `i` after the first, or before it.
    fn index(self, i: i128, n: i128) -> i128 {
        match self {
            PadMode::Replicate => i.clamp(0, n - 1),
            PadMode::Circular => i.rem_euclid(n),
            // A single element is both ends.
            PadMode::Reflect => {
                let there_and_back = (2 * (n - 1)).max(1);
                let i = i.rem_euclid(there_and_back);
                i.min(there_and_back - i)
            }
        }
    }
}

impl<'t> Var<'t> {
    /// `before` and `after` more elements around one axis, which are its own. For a number there is [`Var::pad`].
    ///
    /// ```
    /// # use wengert_autograd::{Apply, PadMode};
    /// # use wengert_tensor::tensor::Tensor;
    /// let x = Tensor::from([1i64, 2, 3]);
    /// let padded = |mode| x.apply(|x| x.pad_with(mode, 0, 2, 1)).and_then(|y| y.to_vec::<i64>());
    /// assert_eq!(padded(PadMode::Reflect)?, [3, 2, 1, 2, 3, 2]);
    /// assert_eq!(padded(PadMode::Replicate)?, [1, 1, 1, 2, 3, 3]);
    /// assert_eq!(padded(PadMode::Circular)?, [2, 3, 1, 2, 3, 1]);
    /// # Ok::<(), wengert_tensor::error::Error>(())
    /// ```
    #[track_caller]
    pub fn pad_with(self, mode: PadMode, axis: isize, before: usize, after: usize) -> Var<'t> {
        let _call = self.tape.call("pad_with");
        match self.surrounded(mode, axis, before, after) {
            Ok(y) => self.named("pad_with", y),
            Err(error) => self.reject("pad_with", error),
        }
    }

    #[track_caller]
    fn surrounded(self, mode: PadMode, axis: isize, before: usize, after: usize) -> Result<Var<'t>> {
        let shape = self.shape();
        let at = shape.axis(axis)?;
        let n = shape.get(at).copied().unwrap_or_default();
        if before == 0 && after == 0 {
            return Ok(self);
        }
        if n == 0 {
            return Err(Error::shape(format!("axis {axis} of {shape} has no elements to go on with")));
        }
        let padded = n.checked_add(before).and_then(|n| n.checked_add(after));
        let padded = padded.ok_or_else(|| Error::shape("the padded size overflows"))?;
        shape.with(at, padded)?;
        let index = tabled(padded, |i| mode.index(i as i128 - before as i128, n as i128) as i64)?;
        Ok(self.gather(axis, &index))
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let x = || [Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]])];
    vec![Entry::new(
        "pad_with",
        "surround.rs",
        vec![
            Sample::new("reflect", x(), |_, x| x[0].pad_with(PadMode::Reflect, 1, 1, 2).square())
                .gives([4., 1., 4., 9., 4., 1., 25., 16., 25., 36., 25., 16.])
                .slopes([4., 12., 6., 16., 30., 12.]),
            Sample::new("replicate", x(), |_, x| x[0].pad_with(PadMode::Replicate, 0, 0, 2).square())
                .gives([1., 4., 9., 16., 25., 36., 16., 25., 36., 16., 25., 36.]),
            Sample::new("circular, more than once around", x(), |_, x| x[0].pad_with(PadMode::Circular, -1, 4, 1))
                .gives([3., 1., 2., 3., 1., 2., 3., 1., 6., 4., 5., 6., 4., 5., 6., 4.])
                .slopes([3., 2., 3., 3., 2., 3.]),
            Sample::new("reflect, back and forth", x(), |_, x| x[0].pad_with(PadMode::Reflect, 0, 3, 0))
                .gives([4., 5., 6., 1., 2., 3., 4., 5., 6., 1., 2., 3., 4., 5., 6.]),
            Sample::new("a single element", [Tensor::from([true])], |_, x| x[0].pad_with(PadMode::Reflect, 0, 1, 1))
                .gives([1.; 3]),
        ],
    )]
}
