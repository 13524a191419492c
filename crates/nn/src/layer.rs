//! A layer: a module that maps one variable to another.

use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use crate::explain::{blame, explain, note_if_wanted};
use crate::module::Module;

/// A [`Module`] with a function from one variable to another.
///
/// Nothing about the layers of this library is privileged: a layer is a struct with a derive and a function.
///
/// ```
/// # extern crate wengert_nn as wengert;
/// use wengert_autograd::Var;
/// use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
///
/// #[derive(Module)]
/// struct Gated { value: Dense, gate: Dense }
///
/// impl Layer for Gated {
///     fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
///         self.value.forward(x) * self.gate.forward(x).sigmoid()
///     }
/// }
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let layer = Gated { value: Dense::new(2, 3), gate: Dense::new(2, 3) }.init(Seed(1))?;
/// assert_eq!(layer.predict(&Tensor::from([[1f32, 2.0]]))?.shape().dims(), [1, 3]);
/// # Ok(())
/// # }
/// ```
///
/// **Shared layers** need no word: a field that `forward` uses twice is one set of parameters, whose gradient is the sum of both uses.
/// ([`Node::same_layer_as`](crate::graph::Node::same_layer_as) does it in a graph.)
///
/// ```
/// # extern crate wengert_nn as wengert;
/// # use wengert_autograd::{Tape, Var};
/// # use wengert_nn::{layer::Layer, layers::dense::Dense, module::Module};
/// # use wengert_tensor::{random::Seed, tensor::Tensor};
/// #[derive(Module)]
/// struct Twins { encoder: Dense }
///
/// impl Twins {
///     fn distance<'t>(&self, a: Var<'t>, b: Var<'t>) -> Var<'t> {
///         (self.encoder.forward(a) - self.encoder.forward(b)).square().sum()
///     }
/// }
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let twins = Twins { encoder: Dense::new(2, 3) }.init(Seed(1))?;
/// let tape = Tape::new();
/// let (a, b) = (tape.input(&Tensor::from([[1f32, 2.0]])), tape.input(&Tensor::from([[3f32, 4.0]])));
/// let gradients = twins.distance(a, b).backward();
/// // The offset is there twice, with opposite signs.
/// assert_eq!(gradients[twins.encoder.bias.as_ref().unwrap()].value()?.to_vec::<f32>()?, [0.0; 3]);
/// # Ok(())
/// # }
/// ```
pub trait Layer: Module {
    /// The output for the input `x`, recorded on the tape of `x`. The first axis of `x` counts the examples.
    ///
    /// Whether the model is being trained, and the randomness for dropout, belong to the tape.
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t>;

    /// The output for `x`, computed on a tape of its own that is not in training.
    ///
    /// # Errors
    /// Whatever `forward` recorded; the message says the layer path and the names of the parameters.
    #[track_caller]
    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        let (tape, here) = (Tape::new(), Location::caller());
        let y = self.forward(tape.input(x));
        note_if_wanted(self, &tape);
        y.value().map_err(|error| blame(explain(self, &tape, error), here))
    }
}

/// A box is its content.
impl<L: Layer + ?Sized> Layer for Box<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        (**self).forward(x)
    }
}

/// `None` passes its input through.
impl<L: Layer> Layer for Option<L> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self {
            Some(layer) => layer.forward(x),
            None => x,
        }
    }
}

/// A list runs one member after another.
impl<L: Layer> Layer for Vec<L> {
    #[track_caller]
    fn forward<'t>(&self, mut x: Var<'t>) -> Var<'t> {
        for layer in self {
            x = layer.forward(x);
        }
        x
    }
}

/// An array runs one member after another.
impl<L: Layer, const N: usize> Layer for [L; N] {
    #[track_caller]
    fn forward<'t>(&self, mut x: Var<'t>) -> Var<'t> {
        for layer in self {
            x = layer.forward(x);
        }
        x
    }
}

/// A tuple runs one member after another: a sequence whose types are known.
macro_rules! tuple {
    ($($member:ident $index:tt),+) => {
        impl<$($member: Layer),+> Layer for ($($member,)+) {
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                $(let x = self.$index.forward(x);)+
                x
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
