//! How much a mask overlaps with its target.

use super::answers::Answers;
use super::average::Counts;
use super::case::Case;
use super::iou::overlap;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// `tp / (tp + fp + fn)` of yes, the mask, and of no, the rest: their mean.
///
/// Prediction and target have the same shape, and a yes is a score above the threshold: 0, which is right for logits. With
/// [`mask_only`](BinaryIoU::mask_only) the rest does not count. A mask that is empty in both is left out. Keras's `BinaryIoU`, whose threshold
/// is 0.5, and itself a yes.
///
/// ```
/// use wengert_nn::metrics::{binary_iou::BinaryIoU, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut iou = Meter::new(BinaryIoU::new());
/// iou.update(&Tensor::from([[2f32, -1.0], [3.0, -1.0]]), &Tensor::from([[1i64, 0], [0, 0]]))?;
/// assert!((iou.value() - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryIoU {
    answers: Answers,
    mask_only: bool,
}

impl BinaryIoU {
    /// For logits.
    pub fn new() -> BinaryIoU {
        BinaryIoU::default()
    }

    /// Above this is a yes.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> BinaryIoU {
        self.answers.reader.threshold = Some(threshold);
        self
    }

    /// The overlap of the mask alone, as with Keras's `target_class_ids=[1]`.
    #[must_use]
    pub fn mask_only(self) -> BinaryIoU {
        BinaryIoU { mask_only: true, ..self }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        // A target that fits no prediction of this shape is refused here: labels have no masks.
        let (prediction, target) = super::weigh::pair("binary_iou", prediction, target);
        self.answers.counts("binary_iou", prediction, target, weights)
    }
}

impl Metric for BinaryIoU {
    fn name(&self) -> String {
        "binary_iou".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let mask = Counts::total(sums);
        let rest = Counts { tp: mask.tn, fp: mask.fn_, fn_: mask.fp, tn: mask.tp };
        let both = [mask, rest].into_iter().take(if self.mask_only { 1 } else { 2 }).filter(Counts::occurs);
        let (total, n) = both.fold((0.0, 0.0), |(total, n), counts| (total + overlap(&counts), n + 1.0));
        total / n
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: BinaryIoU| Case::new("binary_iou", name, data, metric);
    vec![
        case("binary_iou", "scores", BinaryIoU::new()),
        case("binary_iou_threshold", "chances", BinaryIoU::new().threshold(0.405)),
        case("binary_iou_mask", "labels", BinaryIoU::new().mask_only()),
    ]
}
