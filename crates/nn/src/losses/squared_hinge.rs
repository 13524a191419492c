//! The squared hinge loss.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::signed;
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "SquaredHinge";

/// max(0, 1 − y x)² of every element, for a score x and a label y of 1 or −1. Keras's `SquaredHinge`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | 1 or −1, in floats or integers; 0 and false count as −1 |
/// | each | as the prediction | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::squared_hinge::SquaredHinge};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([0.5f32, 2.0]));
/// let t = tape.input(&Tensor::from([1i64, -1]));
/// assert_eq!(SquaredHinge::new().loss(p, t).item::<f32>()?, 4.625);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SquaredHinge {
    reduction: Reduction,
}

impl SquaredHinge {
    /// The loss.
    pub fn new() -> SquaredHinge {
        SquaredHinge::default()
    }
}

reducible!(SquaredHinge);

impl Loss for SquaredHinge {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let [p, y] = signed(NAME, prediction, target);
        (1f64 - y * p).relu().square().cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: SquaredHinge| Case::new("squared_hinge", name, loss);
    vec![case("plain", SquaredHinge::new()), case("bits", SquaredHinge::new())]
}
