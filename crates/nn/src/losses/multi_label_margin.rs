//! The margin loss of several right classes.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;

use super::case::Case;
use super::classes::LABELS;
use super::operands::{floats, reject};
use crate::loss::{Loss, Reduction, reducible, wide};

const NAME: &str = "MultiLabelMargin";

/// Σ max(0, 1 − x\[j\] + x\[i\]) / classes over all right classes j and all wrong ones i, for scores x of every example: each
/// class that is right should have a score that is higher by 1 than that of each that is not. PyTorch's
/// `MultiLabelMarginLoss`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | prediction x | `[…, classes]` | float |
/// | target | the same: the right classes, then −1; what stands after the first −1 is not read | integers |
/// | each | `[…]` | the prediction's |
///
/// A class that is none is an error when the loss is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{loss::Loss, losses::multi_label_margin::MultiLabelMargin};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let scores = tape.input(&Tensor::from([[0.1f64, 0.2, 0.4, 0.8]]));
/// let right = tape.input(&Tensor::from([[3i64, 0, -1, 1]]));
/// let loss = MultiLabelMargin::new().loss(scores, right).item::<f64>()?;
/// assert!((loss - 0.85).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MultiLabelMargin {
    reduction: Reduction,
}

impl MultiLabelMargin {
    /// The loss.
    pub fn new() -> MultiLabelMargin {
        MultiLabelMargin::default()
    }
}

reducible!(MultiLabelMargin);

impl Loss for MultiLabelMargin {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let tape = prediction.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        let (scores, given) = (prediction.shape(), target.shape());
        let error = match (floats("prediction", prediction), scores.last()) {
            (Err(error), _) => error,
            (_, None | Some(0)) => Error::shape(format!("a prediction is […, classes], not {scores}")),
            _ if target.dtype().is_float() => {
                Error::dtype(format!("right classes are integers, not {}", target.dtype()))
                    .help("`target.cast(DType::I64)`")
            }
            _ if scores != given => {
                Error::shape(format!("a prediction {scores} takes classes {scores}, filled up with −1, not {given}"))
            }
            (Ok(()), Some(&classes)) => return margins(prediction, target.cast(DType::I64), classes),
        };
        reject(NAME, prediction, target, error)
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }
}

#[track_caller]
fn margins<'t>(prediction: Var<'t>, target: Var<'t>, classes: usize) -> Var<'t> {
    let x = wide(prediction);
    // Until the first −1.
    let named = target.ne(-1).cast(DType::I64).cummin(-1).eq(1);
    let labels = target.select(named, 0).check_index_or(classes, "label", LABELS);
    // [.., place in the list, class]
    let marks = labels.one_hot(classes).gt(0.0).and(named.unsqueeze(-1));
    let right = marks.any(-2);
    let scores = x.take_along(-1, labels);
    let missed = (1f64 - scores.unsqueeze(-1) + x.unsqueeze(-2)).relu();
    let counted = named.unsqueeze(-1).and(right.logical_not().unsqueeze(-2));
    let each = missed.select(counted, 0.0).sum_axes([-1, -2]) / classes as f64;
    each.cast(prediction.dtype())
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("multi_label_margin", "plain", MultiLabelMargin::new())]
}
