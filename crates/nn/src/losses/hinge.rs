//! The hinge loss.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::signed;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Hinge";

/// max(0, 1 − y x) of every element, for a score x and a label y of 1 or −1: nothing is lost where the score has the
/// right sign and is at least 1. Keras's `Hinge`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::hinge::Hinge};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([0.5f32, 2.0]));
/// let t = tape.input(&Tensor::from([1i64, -1]));
/// assert_eq!(Hinge::new().loss(p, t).item::<f32>()?, 1.75);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hinge {
    reduction: Reduction,
}

impl Hinge {
    /// The loss.
    pub fn new() -> Hinge {
        Hinge::default()
    }
}

reducible!(Hinge);

impl Loss for Hinge {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, y] = signed(NAME, prediction, target);
        (1f64 - y * p).relu().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Hinge| Case::new("hinge", name, loss);
    vec![case("plain", Hinge::new()), case("bits", Hinge::new())]
}
