//! How much the masks of all classes overlap.

use super::case::Case;
use super::iou::IoU;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;

/// The mean over all classes of `tp / (tp + fp + fn)`: [`IoU`] of every class.
///
/// The prediction is `[…, classes]`, or with [`axis(1)`](MeanIoU::axis) `[batch, classes, height, width]`; the target is the labels `[…]`, or
/// one-hot of the shape of the prediction. A class that neither occurs nor was predicted is left out. Keras's `MeanIoU`, and its
/// `OneHotMeanIoU`.
///
/// ```
/// use wengert_nn::metrics::{mean_iou::MeanIoU, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut iou = Meter::new(MeanIoU::new());
/// iou.update(&Tensor::from([[2f32, 1.0], [3.0, 1.0], [0.0, 1.0]]), &Tensor::from([0i64, 1, 1]))?;
/// assert_eq!(iou.value(), 0.5);
/// # Ok(()) }
/// ```
#[doc(alias = "OneHotMeanIoU")]
#[derive(Clone, Debug)]
pub struct MeanIoU {
    every: IoU,
}

impl Default for MeanIoU {
    fn default() -> MeanIoU {
        MeanIoU::new()
    }
}

impl MeanIoU {
    /// For as many classes as the prediction has.
    pub fn new() -> MeanIoU {
        MeanIoU { every: IoU::every() }
    }

    /// The axis of the classes in the prediction. The default is the last, −1; it is 1 for `[batch, classes, height, width]`.
    #[must_use]
    pub fn axis(self, axis: isize) -> MeanIoU {
        MeanIoU { every: self.every.axis(axis) }
    }

    /// Leaves out what has this label: usually −100 or 255.
    #[must_use]
    pub fn ignore_index(self, label: i64) -> MeanIoU {
        MeanIoU { every: self.every.ignore_index(label) }
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        self.every.sums(prediction, target, weights)
    }
}

impl Metric for MeanIoU {
    fn name(&self) -> String {
        "mean_iou".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.every.figure(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: MeanIoU| Case::new("mean_iou", name, data, metric);
    vec![
        case("mean_iou", "classes", MeanIoU::new()),
        case("mean_iou_one_hot", "one_hot", MeanIoU::new()),
        case("mean_iou_axis", "pixels", MeanIoU::new().axis(1)),
    ]
}
