//! How much the masks of some classes overlap.

use super::answers::Answers;
use super::average::{Average, Counts};
use super::case::Case;
use super::metric::Metric;
use super::weigh::observes;
use wengert_autograd::Var;
use wengert_tensor::error::Error;

/// The mean over some classes of `tp / (tp + fp + fn)`: intersection over union, also called the Jaccard index.
///
/// The prediction is `[…, classes]`, or with [`axis(1)`](IoU::axis) `[batch, classes, height, width]`; the target is the labels `[…]`, or
/// one-hot of the shape of the prediction. A class that neither occurs nor was predicted is left out. Keras's `IoU`, and its `OneHotIoU`.
///
/// ```
/// use wengert_nn::metrics::{iou::IoU, metric::Meter};
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let mut iou = Meter::new(IoU::of([0]));
/// iou.update(&Tensor::from([[2f32, 1.0], [3.0, 1.0], [0.0, 1.0]]), &Tensor::from([0i64, 1, 1]))?;
/// assert_eq!(iou.value(), 0.5);
/// # Ok(()) }
/// ```
#[doc(alias("OneHotIoU", "Jaccard"))]
#[derive(Clone, Debug)]
pub struct IoU {
    answers: Answers,
    classes: Option<Vec<usize>>,
}

impl IoU {
    /// Of these classes.
    pub fn of(classes: impl Into<Vec<usize>>) -> IoU {
        IoU { classes: Some(classes.into()), ..IoU::every() }
    }

    /// Of every class.
    pub(super) fn every() -> IoU {
        let answers = Answers { top_k: Some(1), average: Some(Average::Macro), ..Answers::default() };
        IoU { answers, classes: None }
    }

    /// The axis of the classes in the prediction. The default is the last, −1; it is 1 for `[batch, classes, height, width]`.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> IoU {
        self.answers.reader.axis = axis;
        self
    }

    /// Leaves out what has this label: usually −100 or 255.
    #[must_use]
    pub fn ignore_index(mut self, label: i64) -> IoU {
        self.answers.reader.ignore = Some(label);
        self
    }

    #[track_caller]
    pub(super) fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let counts = self.answers.counts("iou", prediction, target, weights);
        let count = counts.len() / 4;
        if prediction.tape().error().is_some() {
            return counts;
        }
        let classes = format!("a prediction of {count} classes, 0 to {}", count.max(1) - 1);
        let message = match self.classes.as_deref() {
            Some([]) => format!("no class of {classes}"),
            Some(wanted) => match wanted.iter().find(|&&class| class >= count) {
                Some(class) => format!("class {class} of {classes}"),
                None => return counts,
            },
            None => return counts,
        };
        prediction.tape().reject("iou", &[("prediction", prediction)], Error::value(message))
    }

    pub(super) fn figure(&self, sums: &[f64]) -> f64 {
        let wanted = |class: &usize| self.classes.as_ref().is_none_or(|classes| classes.contains(class));
        let classes = Counts::each(sums).enumerate().filter(|(class, counts)| wanted(class) && counts.occurs());
        let (total, n) = classes.fold((0.0, 0.0), |(total, n), (_, counts)| (total + overlap(&counts), n + 1.0));
        total / n
    }
}

/// Intersection over union.
pub(super) fn overlap(counts: &Counts) -> f64 {
    counts.tp / (counts.tp + counts.fp + counts.fn_)
}

impl Metric for IoU {
    fn name(&self) -> String {
        "iou".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        self.figure(sums)
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: IoU| Case::new("iou", name, data, metric);
    vec![
        case("iou", "classes", IoU::of([0, 2])),
        case("iou_one_hot", "one_hot", IoU::of([1])),
        case("iou_axis", "pixels", IoU::of([0, 1]).axis(1)),
        case("iou_ignore", "ignored", IoU::of([3, 0]).ignore_index(-100)),
    ]
}
