//! Which class is taken for which.

use super::Case;
use super::metric::{Meter, Metric, labels};
use std::fmt::{self, Display, Formatter};
use wengert_autograd::Var;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// Counts how often each class is taken for each other one: `counts[actual][predicted]`.
///
/// The prediction is `[…, classes]`; the target is `[…]` or `[…, 1]` in whole numbers, or probabilities `[…, classes]`,
/// of which the largest is right. As a metric its figure is the accuracy; [`table`](ConfusionMatrix::table) gives the
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
pub struct ConfusionMatrix;

impl ConfusionMatrix {
    /// For as many classes as the prediction has.
    pub fn new() -> ConfusionMatrix {
        ConfusionMatrix
    }

    /// Counts one set of predictions.
    ///
    /// # Errors
    /// A prediction without classes, a target that does not fit it, a label outside the classes.
    #[track_caller]
    pub fn table(prediction: &Tensor, target: &Tensor) -> Result<ConfusionTable> {
        let mut meter = Meter::new(ConfusionMatrix);
        meter.update(prediction, target)?;
        Ok(ConfusionTable::of(&meter))
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> String {
        "accuracy".into()
    }

    #[track_caller]
    fn observe<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let target = labels("confusion matrix", prediction, target);
        let chosen = prediction.argmax(-1);
        let classes = prediction.dim(-1);
        let actual = target.flatten().one_hot(classes);
        actual.t().matmul(chosen.flatten().one_hot(classes))
    }

    fn value(&self, sums: &[f64], _count: usize) -> f64 {
        let classes = sums.len().isqrt();
        sums.iter().step_by(classes + 1).sum::<f64>() / sums.iter().sum::<f64>()
    }

    fn higher_is_better(&self) -> bool {
        true
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
    /// What a meter has counted so far.
    pub fn of(meter: &Meter<ConfusionMatrix>) -> ConfusionTable {
        let classes = meter.sums().len().isqrt();
        let names = (0..classes).map(|class| class.to_string()).collect();
        ConfusionTable { classes, counts: meter.sums().iter().map(|&sum| sum as u64).collect(), names }
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
    let prediction = Tensor::from([[0.1f32, 0.7, 0.2], [3.0, 2.0, 1.0], [0.0, 0.0, 5.0], [-1.0, -2.0, -3.0]]);
    let case = |target| Case {
        file: "confusion",
        metric: Box::new(ConfusionMatrix::new()),
        prediction: prediction.clone(),
        target,
        value: 0.75,
    };
    let shares = Tensor::from([[0.0f32, 0.9, 0.1], [0.5, 0.2, 0.3], [0.3, 0.4, 0.3], [1.0, 0.0, 0.0]]);
    vec![case(Tensor::from([1i64, 0, 1, 0])), case(shares)]
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
    fn outside_the_classes_is_nothing() {
        let table = ConfusionMatrix::table(&Tensor::from([[1f32, 0.0]]), &Tensor::from([0i64])).unwrap();
        assert_eq!((table.get(0, 2), table.get(2, 0), table.get(usize::MAX, 0)), (0, 0, 0));
        assert!(ConfusionMatrix::table(&Tensor::from([[1f32, 0.0]]), &Tensor::from([2i64])).is_err());
    }
}
