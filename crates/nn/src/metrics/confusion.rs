//! Which class is taken for which.

use super::case::Case;
use super::classes::{Classes, Reader, binary_setting, class_settings};
use super::metric::{Meter, Metric};
use super::weigh::observes;
use std::fmt::{self, Display, Formatter};
use wengert_autograd::Var;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Counts how often each class is taken for each other one: `counts[actual][predicted]`.
///
/// The prediction is `[…, classes]`; the target is `[…]` or `[…, 1]` in whole numbers, or probabilities `[…, classes]`,
/// of which the largest is right. As a metric its figure is the accuracy, in the logs as
/// `confusion_accuracy`; [`table`](ConfusionMatrix::table) gives the
/// counts themselves.
///
/// ```
/// use wengert_nn::metrics::confusion::ConfusionMatrix;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let scores = Tensor::from([[0.9f32, 0.1], [0.8, 0.2], [0.3, 0.7]]);
/// let table = ConfusionMatrix::table(&scores, &Tensor::from([0i64, 1, 1]))?;
/// assert_eq!((table.get(1, 0), table.get(1, 1)), (1, 1));
/// println!("{table}");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ConfusionMatrix {
    reader: Reader,
}

impl ConfusionMatrix {
    /// For as many classes as the prediction has.
    pub fn new() -> ConfusionMatrix {
        ConfusionMatrix::default()
    }

    /// Counts one set of predictions.
    ///
    /// # Errors
    /// A prediction without classes, a target that does not fit it, a label outside the classes.
    #[track_caller]
    pub fn table(prediction: &Tensor, target: &Tensor) -> Result<ConfusionTable> {
        let mut meter = Meter::new(ConfusionMatrix::new());
        meter.update(prediction, target)?;
        Ok(ConfusionTable::of(&meter))
    }

    #[track_caller]
    fn sums<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        counts(&self.reader.read("confusion_matrix", prediction, target, weights))
    }
}

class_settings!(ConfusionMatrix);
binary_setting!(ConfusionMatrix);

impl Metric for ConfusionMatrix {
    fn name(&self) -> String {
        "confusion_accuracy".into()
    }

    observes!();

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let table = Counted::of(sums);
        table.right() / table.all()
    }

    fn higher_is_better(&self) -> bool {
        true
    }
}

/// The weight of every class taken for every other: `[actual · predicted]`, flat.
#[track_caller]
pub(super) fn counts<'t>(classes: &Classes<'t>) -> Var<'t> {
    let places = (classes.actual * classes.count as i64 + classes.chosen()).flatten();
    let none = places.tape().constant([classes.count * classes.count], 0f64);
    none.index_add(0, places, classes.weights.flatten())
}

/// The sums of [`counts`], read.
pub(super) struct Counted<'a> {
    pub(super) classes: usize,
    sums: &'a [f64],
}

impl<'a> Counted<'a> {
    pub(super) fn of(sums: &'a [f64]) -> Counted<'a> {
        Counted { classes: sums.len().isqrt(), sums }
    }

    pub(super) fn get(&self, actual: usize, predicted: usize) -> f64 {
        self.sums.get(actual * self.classes + predicted).copied().unwrap_or(0.0)
    }

    /// How often a class occurs.
    pub(super) fn actual(&self, class: usize) -> f64 {
        (0..self.classes).map(|other| self.get(class, other)).sum()
    }

    /// How often a class was predicted.
    pub(super) fn predicted(&self, class: usize) -> f64 {
        (0..self.classes).map(|other| self.get(other, class)).sum()
    }

    pub(super) fn right(&self) -> f64 {
        (0..self.classes).map(|class| self.get(class, class)).sum()
    }

    pub(super) fn all(&self) -> f64 {
        self.sums.iter().sum()
    }
}

/// The counts of a [`ConfusionMatrix`]. Its `Display` is a table with one row for each actual class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionTable {
    classes: usize,
    counts: Vec<u64>,
    names: Vec<String>,
}

impl ConfusionTable {
    /// What a meter has counted so far; weights are summed and rounded.
    pub fn of(meter: &Meter<ConfusionMatrix>) -> ConfusionTable {
        let classes = meter.sums().len().isqrt();
        let names = (0..classes).map(|class| class.to_string()).collect();
        ConfusionTable { classes, counts: meter.sums().iter().map(|&sum| sum.round() as u64).collect(), names }
    }

    /// Shows these names instead of the numbers of the classes; those that are missing stay numbers.
    pub fn with_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> ConfusionTable {
        self.names.iter_mut().zip(names).for_each(|(old, new)| *old = new.into());
        self
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The names of the classes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many samples of class `actual` were taken for `predicted`; 0 outside the classes.
    pub fn get(&self, actual: usize, predicted: usize) -> u64 {
        let inside = actual < self.classes && predicted < self.classes;
        let at = if inside { actual * self.classes + predicted } else { usize::MAX };
        self.counts.get(at).copied().unwrap_or(0)
    }

    /// The pairs of classes that are confused at least so often, the most frequent first: `(actual, predicted, how often)`. fastai's
    /// `most_confused`.
    ///
    /// ```
    /// use wengert_nn::metrics::confusion::ConfusionMatrix;
    /// use wengert_tensor::tensor::Tensor;
    ///
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let scores = Tensor::from([[0.9f32, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]);
    /// let table = ConfusionMatrix::table(&scores, &Tensor::from([0i64, 1, 0, 1]))?;
    /// assert_eq!(table.most_confused(1), [(1, 0, 2), (0, 1, 1)]);
    /// # Ok(()) }
    /// ```
    pub fn most_confused(&self, at_least: u64) -> Vec<(usize, usize, u64)> {
        let classes = 0..self.classes;
        let pairs = classes.clone().flat_map(|actual| classes.clone().map(move |predicted| (actual, predicted)));
        let counts = pairs.map(|(actual, predicted)| (actual, predicted, self.get(actual, predicted)));
        let mut confused: Vec<_> =
            counts.filter(|&(actual, predicted, count)| actual != predicted && count >= at_least.max(1)).collect();
        confused.sort_by_key(|&(actual, predicted, count)| (std::cmp::Reverse(count), actual, predicted));
        confused
    }

    /// How many samples were right.
    pub fn right(&self) -> u64 {
        (0..self.classes).map(|class| self.get(class, class)).sum()
    }

    /// The share of all samples that were right.
    pub fn accuracy(&self) -> f64 {
        self.right() as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// The share of the samples of this class that were found; NaN for a class without samples.
    pub fn recall(&self, class: usize) -> f64 {
        self.get(class, class) as f64 / (0..self.classes).map(|other| self.get(class, other)).sum::<u64>() as f64
    }

    /// The share of the samples taken for this class that belong to it; NaN when none was.
    pub fn precision(&self, class: usize) -> f64 {
        self.get(class, class) as f64 / (0..self.classes).map(|other| self.get(other, class)).sum::<u64>() as f64
    }
}

impl Display for ConfusionTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| if share.is_nan() { "–".into() } else { format!("{:.1}%", share * 100.0) };
        let name_width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("precision".len());
        let digits = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        let long = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = digits.max(long).max("100.0%".len()) + 1;

        write!(f, "{:name_width$}", "")?;
        for name in &self.names {
            write!(f, "{name:>width$}")?;
        }
        writeln!(f, "{:>width$}", "recall", width = width + 2)?;
        for (actual, name) in self.names.iter().enumerate() {
            write!(f, "{name:>name_width$}")?;
            for predicted in 0..self.classes {
                match self.get(actual, predicted) {
                    0 => write!(f, "{:>width$}", "·")?,
                    count => write!(f, "{count:>width$}")?,
                }
            }
            writeln!(f, "{:>width$}", percent(self.recall(actual)), width = width + 2)?;
        }
        write!(f, "{:>name_width$}", "precision")?;
        for class in 0..self.classes {
            write!(f, "{:>width$}", percent(self.precision(class)))?;
        }
        write!(f, "{:>width$}", percent(self.accuracy()), width = width + 2)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, data, metric: ConfusionMatrix| Case::new("confusion", name, data, metric);
    vec![
        case("confusion", "classes", ConfusionMatrix::new()),
        case("confusion_one_hot", "one_hot", ConfusionMatrix::new()),
        case("confusion_binary", "scores", ConfusionMatrix::new().threshold(0.0)),
        case("confusion_ignore", "ignored", ConfusionMatrix::new().ignore_index(-100)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_counts_recall_and_precision() {
        let prediction = Tensor::from([[9.0f32, 0.0, 0.0], [0.0, 9.0, 0.0], [9.0, 0.0, 0.0], [9.0, 0.0, 0.0]]);
        let table = ConfusionMatrix::table(&prediction, &Tensor::from([0i64, 1, 1, 0])).unwrap();
        let expected = "\
                0      1      2   recall
        0      2      ·      ·   100.0%
        1      1      1      ·    50.0%
        2      ·      ·      ·        –
precision  66.7% 100.0%      –    75.0%";
        assert_eq!(table.to_string().replace(' ', ""), expected.replace(' ', ""));
        let lines: Vec<usize> = table.to_string().lines().map(|line| line.chars().count()).collect();
        assert!(lines.iter().all(|&length| length == lines[0]), "{lines:?}\n{table}");
        assert!(table.with_names(["cat", "dog"]).to_string().contains("cat"));
    }

    #[test]
    fn a_table_of_yes_and_no() {
        let mut meter = Meter::new(ConfusionMatrix::new().threshold(0.5));
        meter.update(&Tensor::from([0.2f32, 0.7, 0.9]), &Tensor::from([0i64, 0, 1])).unwrap();
        let table = ConfusionTable::of(&meter);
        assert_eq!([table.get(0, 0), table.get(0, 1), table.get(1, 0), table.get(1, 1)], [1, 1, 0, 1]);
    }

    #[test]
    fn outside_the_classes_is_nothing() {
        let table = ConfusionMatrix::table(&Tensor::from([[1f32, 0.0]]), &Tensor::from([0i64])).unwrap();
        assert_eq!((table.get(0, 2), table.get(2, 0), table.get(usize::MAX, 0)), (0, 0, 0));
        assert!(ConfusionMatrix::table(&Tensor::from([[1f32, 0.0]]), &Tensor::from([2i64])).is_err());
    }
}
