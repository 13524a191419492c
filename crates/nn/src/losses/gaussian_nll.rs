//! Negative log-likelihood under a Gaussian whose variance is predicted, too.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::{Applied, Case};
use super::operands::{both, floats, positive, within};
use crate::loss::{Reduction, of_three, reducible, wide};

const NAME: &str = "GaussianNll";

/// (ln v + (mean − target)² / v) / 2 of every element, for a predicted mean and variance, with v = max(variance, ε) and
/// ε = 10⁻⁶: −ln of the density of the target, without the constant ln(2π) / 2. The gradient passes through the maximum as if
/// it were not there, so that too small a variance grows again. Nix and Weigend 1994; PyTorch's `GaussianNLLLoss`, whose
/// operands are in the order mean, target, variance as here.
///
/// | | shape | dtype |
/// |---|---|---|
/// | mean | any | float |
/// | target | the same; `[n]` fits `[n, 1]` | the same, or integers |
/// | variance | the same, or with a last axis of size 1, or without the last axis | the same |
/// | each | as the mean | the same |
///
/// A negative variance is an error when the loss is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::gaussian_nll::GaussianNll;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let [mean, target, variance] = [[1f32, 4.0], [2.0, 2.0], [1.0, 1.0]].map(|x| tape.input(&Tensor::from(x)));
/// assert_eq!(GaussianNll::new().loss(mean, target, variance).item::<f32>()?, 1.25);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    full: bool,
    epsilon: f64,
    reduction: Reduction,
}

impl GaussianNll {
    /// The loss.
    pub fn new() -> GaussianNll {
        GaussianNll { full: false, epsilon: 1e-6, reduction: Reduction::Mean }
    }

    /// Adds the constant ln(2π) / 2.
    #[must_use]
    pub fn full(self) -> GaussianNll {
        GaussianNll { full: true, ..self }
    }

    /// ε, the least variance.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> GaussianNll {
        GaussianNll { epsilon, ..self }
    }

    /// The loss of every element.
    #[track_caller]
    pub fn each<'t>(&self, mean: Var<'t>, target: Var<'t>, variance: Var<'t>) -> Var<'t> {
        let tape = mean.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let epsilon = self.epsilon;
        positive(tape, NAME, "epsilon", epsilon);
        let [x, t] = both(NAME, mean, target);
        let variance = spread(mean, variance);
        let v = variance.custom_jvp(|v| v.maximum(epsilon), |_, _, change| change);
        let each = (v.log() + (x - t).square() / v) * 0.5;
        let each = if self.full { each + 0.5 * std::f64::consts::TAU.ln() } else { each };
        let each = match variance.is_empty() {
            true => each,
            false => {
                let negative = variance.select(variance.lt(0.0), 0.0).min();
                within(each, negative, [0.0, f64::INFINITY], "variance")
            }
        };
        each.cast(mean.dtype())
    }
}

impl Default for GaussianNll {
    fn default() -> GaussianNll {
        GaussianNll::new()
    }
}

reducible!(GaussianNll);
of_three!(GaussianNll: mean, target, variance);

/// The variance in the shape of the mean.
#[track_caller]
fn spread<'t>(mean: Var<'t>, variance: Var<'t>) -> Var<'t> {
    let (wanted, given) = (mean.shape(), variance.shape());
    let rows = wanted.split_last().map(|(_, rows)| rows);
    let whole = given == wanted;
    let shared =
        rows == Some(&*given) || given.split_last().is_some_and(|(&last, given)| last == 1 && rows == Some(given));
    let error = match floats("variance", variance) {
        Err(error) => error,
        Ok(()) if variance.dtype() != mean.dtype() => {
            Error::dtype(format!("the mean is {} and the variance {}", mean.dtype(), variance.dtype()))
        }
        Ok(()) if !whole && !shared => Error::shape(format!("a prediction {wanted} has no variance {given}"))
            .help("it has the shape of the mean, or a last axis of size 1"),
        Ok(()) if whole => return wide(variance),
        Ok(()) => {
            let column = wanted.with_ones(&[wanted.rank().saturating_sub(1)]);
            return wide(variance).reshape(column).broadcast_to(&wanted);
        }
    };
    mean.tape().reject(NAME, &[("mean", mean), ("variance", variance)], error)
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn apart<'t>(loss: &GaussianNll, p: Var<'t>, t: Var<'t>) -> Var<'t> {
        loss.each(p.at(-2, 0), t, p.at(-2, 1))
    }
    fn shared<'t>(loss: &GaussianNll, p: Var<'t>, t: Var<'t>) -> Var<'t> {
        loss.each(p.at(-2, 0), t, p.at(-2, 1).mean_axes(-1))
    }
    let case = |name, loss| Case::new("gaussian_nll", name, Applied::new(loss, apart)).positive();
    vec![
        case("plain", GaussianNll::new()),
        case("full", GaussianNll::new().full()),
        case("epsilon", GaussianNll::new().epsilon(0.8)).straight_through(),
        Case::new("gaussian_nll", "shared", Applied::new(GaussianNll::new(), shared)).positive(),
    ]
}
