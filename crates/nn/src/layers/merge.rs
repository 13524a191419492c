//! Merging: several variables of one shape become one, element by element.

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use crate::module::Module;

/// A [`Module`] with a function from several variables to one.
///
/// A merge of one's own is a struct with a derive and this function; it stands in a [`Parallel`](super::parallel::Parallel) and in a
/// [`Graph`](crate::graph::Graph).
///
/// ```
/// # extern crate wengert_nn as wengert;
/// use wengert_autograd::{Tape, Var};
/// use wengert_nn::{layers::{dense::Dense, merge::Merge}, module::Module};
/// use wengert_tensor::{dtype::DType, error::Error, random::Seed};
///
/// #[derive(Module)]
/// struct Gate { dense: Dense }
///
/// impl Merge for Gate {
///     fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t> {
///         use wengert_nn::layer::Layer;
///         match xs {
///             [x, context] => *x * self.dense.forward(*context).sigmoid(),
///             _ => tape.reject("Gate", &[], Error::shape("takes two inputs")),
///         }
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let gate = Gate { dense: Dense::new(2, 3) }.init(Seed(1))?;
/// let tape = Tape::new();
/// let y = gate.merge(&tape, &[tape.full([4, 3], 1.0, DType::F32), tape.full([4, 2], 1.0, DType::F32)]);
/// assert_eq!(y.value()?.shape().dims(), [4, 3]);
/// # Ok(())
/// # }
/// ```
pub trait Merge: Module {
    /// What the inputs `xs` become, recorded on their tape.
    fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t>;
}

/// A box is its content.
impl<M: Merge + ?Sized> Merge for Box<M> {
    #[track_caller]
    fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t> {
        (**self).merge(tape, xs)
    }
}

/// How many inputs a merge takes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Takes {
    Many,
    Two,
}

impl Takes {
    pub(super) fn check(self, count: usize) -> Result<()> {
        match self {
            Takes::Many if count == 0 => Err(Error::shape("takes at least one input, and there is none")),
            Takes::Two if count != 2 => Err(Error::shape(format!("takes two inputs, not {count}"))),
            _ => Ok(()),
        }
    }
}

/// Operands of an error.
pub(super) fn labelled<'t>(xs: &[Var<'t>]) -> Vec<(&'static str, Var<'t>)> {
    xs.iter().map(|x| ("input", *x)).collect()
}

/// The inputs with one rank and shapes that broadcast. What has fewer axes gets its new ones after that of the examples, as in Keras.
#[track_caller]
fn fitted<'t>(xs: &[Var<'t>], takes: Takes) -> Result<Vec<Var<'t>>> {
    takes.check(xs.len())?;
    let rank = xs.iter().map(|x| x.rank()).max().unwrap_or_default();
    if rank > 0 && xs.iter().any(|x| x.rank() == 0) {
        return Err(Error::shape("an input is a scalar, without an axis of examples"));
    }
    let padded = |x: &Var<'t>| -> Vec<usize> {
        let shape = x.shape();
        let (front, rest) = shape.split_at(1.min(shape.rank()));
        front.iter().chain(&vec![1; rank - shape.rank()]).chain(rest).copied().collect()
    };
    let all: Vec<Vec<usize>> = xs.iter().map(padded).collect();
    for (i, (x, first)) in xs.iter().zip(&all).enumerate() {
        let fits = |other: &[usize]| first.iter().zip(other).all(|(a, b)| a == b || *a == 1 || *b == 1);
        if let Some((other, _)) = xs.iter().zip(&all).skip(i + 1).find(|(_, dims)| !fits(dims)) {
            let error = Error::shape(format!("inputs of {} and {} do not fit", x.shape(), other.shape()));
            return Err(error.help("along every axis the sizes are equal, or 1"));
        }
    }
    Ok(xs.iter().zip(all).map(|(x, dims)| if x.rank() == rank { *x } else { x.reshape(dims) }).collect())
}

/// One row a merge: its documentation, its name, how many inputs it takes, what two of them become, and what all `n` of them become in the end.
macro_rules! merges {
    ($($(#[$doc:meta])* $name:ident($takes:ident) => |$a:ident, $b:ident| $both:expr $(, |$all:ident, $n:ident| $end:expr)?;)+) => {$(
        $(#[$doc])*
        ///
        /// Its inputs have shapes that broadcast; one with fewer axes gets its new ones after that of the examples. The name is
        /// Keras's.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Module)]
        pub struct $name;

        impl Merge for $name {
            #[track_caller]
            fn merge<'t>(&self, tape: &'t Tape, xs: &[Var<'t>]) -> Var<'t> {
                let _scope = self.scope(tape);
                let xs = match fitted(xs, Takes::$takes) {
                    Ok(xs) => xs,
                    Err(error) => return tape.reject(stringify!($name), &labelled(xs), error),
                };
                $(let $n = xs.len() as f64;)?
                let mut rest = xs.into_iter();
                let Some(mut $a) = rest.next() else {
                    return tape.reject(stringify!($name), &[], Error::shape("takes at least one input"));
                };
                for $b in rest {
                    $a = $both;
                }
                $(
                    let $all = $a;
                    let $a = $end;
                )?
                $a
            }
        }
    )+};
}

merges! {
    /// a + b + …
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::merge::{Add, Merge};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let tape = Tape::new();
    /// let [a, b] = [[1f32, 2.0], [3.0, 4.0]].map(|row| tape.input(&Tensor::from([row])));
    /// assert_eq!(Add.merge(&tape, &[a, b]).value()?.to_vec::<f32>()?, [4.0, 6.0]);
    /// # Ok(())
    /// # }
    /// ```
    Add(Many) => |a, b| a + b;
    /// a − b, of two inputs.
    Subtract(Two) => |a, b| a - b;
    /// a · b · …, element by element.
    Multiply(Many) => |a, b| a * b;
    /// (a + b + …) / n.
    Average(Many) => |a, b| a + b, |all, n| all / n;
    /// The larger of every element. Where two are equal each gets half of the gradient.
    Maximum(Many) => |a, b| a.maximum(b);
    /// The smaller of every element. Where two are equal each gets half of the gradient.
    Minimum(Many) => |a, b| a.minimum(b);
}

/// The slices along axis 1, as the inputs of a merge.
pub(super) fn slices<'t>(x: Var<'t>) -> Vec<Var<'t>> {
    (0..x.dim(1)).map(|i| x.at(1, i)).collect()
}

/// A merge of the slices of x, as a layer.
pub(super) fn sliced<M: Merge + 'static>(
    file: &'static str,
    name: &'static str,
    merge: M,
    shapes: [&[usize]; 2],
) -> Case {
    Case::new(file, name, Applied::new(merge, |merge: &M, x| merge.merge(x.tape(), &slices(x))), shapes, &[])
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let three: [&[usize]; 2] = [&[4, 3, 2], &[4, 2]];
    let mixed = Applied::new(Multiply, |merge: &Multiply, x: Var<'_>| merge.merge(x.tape(), &[x, x.at(2, 0)]));
    vec![
        sliced("merge", "Add", Add, three),
        sliced("merge", "Subtract", Subtract, [&[4, 2, 2], &[4, 2]]),
        sliced("merge", "Multiply", Multiply, three),
        sliced("merge", "Average", Average, three),
        sliced("merge", "Maximum", Maximum, three),
        sliced("merge", "Minimum", Minimum, three),
        sliced("merge", "one", Average, [&[4, 1, 2], &[4, 2]]),
        Case::new("merge", "ranks", mixed, [&[4, 3, 3], &[4, 3, 3]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |merge: &dyn Merge, shapes: &[&[usize]]| {
            let tape = Tape::new();
            let xs: Vec<Var<'_>> = shapes.iter().map(|dims| tape.full(*dims, 1.0, DType::F32)).collect();
            merge.merge(&tape, &xs);
            tape.check().map_or_else(|error| error.to_string(), |()| String::new())
        };
        let has = |text: String, words: &str| assert!(text.contains(words), "{text}");
        has(refused(&Add, &[]), "at least one input");
        has(refused(&Add, &[&[2, 3], &[2, 4]]), "inputs of [2, 3] and [2, 4] do not fit");
        has(refused(&Average, &[&[2, 3], &[2, 3], &[4, 3]]), "[2, 3] and [4, 3]");
        has(refused(&Subtract, &[&[2, 3]]), "takes two inputs, not 1");
        has(refused(&Maximum, &[&[2, 3], &[]]), "a scalar");
        assert_eq!(refused(&Add, &[&[2, 3], &[2, 1], &[1, 3]]), "");
        assert_eq!(refused(&Minimum, &[&[2, 5, 3], &[2, 3]]), "");

        let tape = Tape::new();
        Add.merge(&tape, &[tape.full([2], 1.0, DType::F32), tape.full([2], 1.0, DType::F64)]);
        has(tape.check().map_or_else(|error| error.to_string(), |()| String::new()), "f64");
    }
}
