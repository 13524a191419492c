//! The Dice loss of two sets.

use wengert_autograd::Var;

use super::case::Case;
use super::operands::{binary, not_negative};
use crate::loss::{Loss, Reduction, reducible};

const NAME: &str = "Dice";

/// 1 − (2 Σ p t + s) / (Σ p + Σ t + s + 10⁻⁷), for predicted probabilities p that a place belongs to a set and targets t: how far
/// two sets of places are from being the same, whatever their size. The sums go over all axes of an example but the first;
/// [`whole_batch`](Dice::whole_batch) and [`axes`](Dice::axes) are Keras's `Dice` with `axis=None` and other axes. Milletari et
/// al. 2016, without squares.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction p | `[batch, …]` | float |
/// | target t | the same | the same, or integers or bools |
/// | each | `[batch]`, or what the sums leave | the prediction's |
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::dice::Dice};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let p = tape.input(&Tensor::from([[1f32, 1.0, 0.0, 0.0]]));
/// let t = tape.input(&Tensor::from([[true, false, false, false]]));
/// let loss = Dice::new().loss(p, t).item::<f32>()?;
/// assert!((loss - 1.0 / 3.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dice {
    over: Over,
    smooth: f64,
    reduction: Reduction,
}

/// Over which axes places are counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Over {
    /// All but the first.
    #[default]
    Example,
    /// All.
    Batch,
    /// These.
    Axes(Vec<isize>),
}

impl Over {
    /// The sum over these axes.
    #[track_caller]
    pub(super) fn sum<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self {
            Over::Example => x.sum_axes((1..x.rank() as isize).collect::<Vec<_>>()),
            Over::Batch => x.sum(),
            Over::Axes(axes) => x.sum_axes(axes.clone()),
        }
    }
}

impl Dice {
    /// The loss of every example.
    pub fn new() -> Dice {
        Dice::default()
    }

    /// One set for the whole batch: one loss.
    #[must_use]
    pub fn whole_batch(self) -> Dice {
        Dice { over: Over::Batch, ..self }
    }

    /// The axes along which a set lies, say those of the height and width of `[batch, classes, height, width]`: `[2, 3]`.
    #[must_use]
    pub fn axes(self, axes: impl Into<Vec<isize>>) -> Dice {
        Dice { over: Over::Axes(axes.into()), ..self }
    }

    /// s, which both sets have in common beforehand: two empty sets are then the same.
    #[must_use]
    pub fn smooth(self, smooth: f64) -> Dice {
        Dice { smooth, ..self }
    }
}

reducible!(Dice);

impl Loss for Dice {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        not_negative(tape, NAME, "smoothing", self.smooth);
        let [p, t] = binary(NAME, prediction, target);
        let both = self.over.sum(p * t) * 2.0 + self.smooth;
        let all = self.over.sum(p) + self.over.sum(t) + (self.smooth + 1e-7);
        (1f64 - both / all).cast(prediction.dtype())
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Dice| Case::new("dice", name, loss);
    vec![
        case("example", Dice::new()).batched().positive(),
        case("smooth", Dice::new().smooth(1.0)).batched().positive(),
        case("whole_batch", Dice::new().whole_batch()).coupled().positive(),
        case("axes", Dice::new().axes([0, 2])).coupled().positive(),
    ]
}
