//! Concatenation: several variables side by side.

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::merge::{Merge, Takes, labelled, sliced};
use crate::module::Module;

/// The inputs side by side along one axis: `[n, 3]` and `[n, 5]` become `[n, 8]`.
///
/// Axis 1 are the channels of images, −1 is the last. The function is that of Keras's `Concatenate`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{concat::Concat, merge::Merge};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let (a, b) = (tape.full([4, 3], 0.0, DType::F32), tape.full([4, 5], 0.0, DType::F32));
/// assert_eq!(Concat::new(-1).merge(&tape, &[a, b]).value()?.shape().dims(), [4, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct Concat {
    axis: isize,
}

impl Concat {
    /// Along this axis; a negative one counts from the end.
    pub fn new(axis: isize) -> Concat {
        Concat { axis }
    }

    fn check(&self, xs: &[Var<'_>]) -> Result<()> {
        Takes::Many.check(xs.len())?;
        let Some(first) = xs.first().map(|x| x.shape()) else { return Ok(()) };
        let axis = first.axis(self.axis)?;
        if axis == 0 {
            return Err(Error::axis("axis 0 counts the examples").help("features and channels are joined along axis 1"));
        }
        for x in xs {
            let shape = x.shape();
            let differ = |i: usize| i != axis && shape.get(i) != first.get(i);
            if shape.rank() != first.rank() || (0..first.rank()).any(differ) {
                let error = Error::shape(format!("inputs of {first} and {shape} do not fit side by side"));
                return Err(error.help(format!("all sizes but that of axis {} are equal", self.axis)));
            }
        }
        Ok(())
    }
}

/// Along the last axis.
impl Default for Concat {
    fn default() -> Concat {
        Concat::new(-1)
    }
}

impl Merge for Concat {
    #[track_caller]
    fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t> {
        let _scope = self.scope(tape);
        match self.check(xs) {
            Ok(()) => tape.concat(xs, self.axis),
            Err(error) => tape.reject("Concat", &labelled(xs), error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        sliced("concat", "last", Concat::default(), [&[4, 3, 2], &[4, 6]]),
        sliced("concat", "channels", Concat::new(1), [&[2, 2, 3, 2], &[2, 6, 2]]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |axis: isize, shapes: &[&[usize]]| {
            let tape = Tape::new();
            let xs: Vec<Var<'_>> = shapes.iter().map(|dims| tape.full(*dims, 1.0, DType::F32)).collect();
            Concat::new(axis).merge(&tape, &xs);
            tape.check().map_or_else(|error| error.to_string(), |()| String::new())
        };
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(refused(1, &[]), "at least one input");
        has(refused(0, &[&[2, 3], &[2, 4]]), "counts the examples");
        has(refused(2, &[&[2, 3]]), "axis 2");
        has(refused(1, &[&[2, 3, 4], &[2, 3, 5]]), "[2, 3, 4] and [2, 3, 5] do not fit side by side");
        has(refused(1, &[&[2, 3], &[2, 3, 5]]), "do not fit");
        assert_eq!(refused(-1, &[&[2, 3], &[2, 5]]), "");
    }
}
