//! Splits of a data set: k folds, and parts in which every class has its share.

use super::sampler::balanced::labels_of;
use crate::explain::framed;
use std::collections::BTreeMap;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::{Key, permutation};
use wengert_tensor::tensor::Tensor;

/// The indices of one split; [`Dataset::subset`](super::dataset::Dataset::subset) takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What to train on.
    pub train: Vec<usize>,
    /// What to test on.
    pub test: Vec<usize>,
}

/// Cross-validation: `k` splits, and every sample is in one test part; scikit-learn's `KFold` and `StratifiedKFold`.
///
/// The first `n mod k` test parts have one sample more. Indices are in ascending order.
///
/// ```
/// use wengert_nn::data::dataset::Dataset;
/// use wengert_nn::data::folds::KFold;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let data = (Tensor::from([[0.0f32], [1.0], [2.0], [3.0], [4.0]]), Tensor::from([0i64, 1, 0, 1, 0]));
/// for fold in KFold::new(2).shuffle(7).split(data.len())? {
///     let (train, test) = ((&data).subset(fold.train)?, (&data).subset(fold.test)?);
///     assert_eq!(train.len() + test.len(), 5);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct KFold {
    k: usize,
    shuffle: Option<Key>,
}

impl KFold {
    /// `k` folds of neighbours.
    pub fn new(k: usize) -> KFold {
        KFold { k, shuffle: None }
    }

    /// Folds of samples at random (a number, a `Seed` or a `Key`).
    #[must_use]
    pub fn shuffle(mut self, seed: impl Into<Key>) -> Self {
        self.shuffle = Some(seed.into());
        self
    }

    /// The folds of `samples` samples.
    ///
    /// # Errors
    /// Fewer than two folds, or more folds than samples.
    #[track_caller]
    pub fn split(&self, samples: usize) -> Result<Vec<Fold>> {
        framed("KFold", self.check(samples, "samples"))?;
        let order = self.ordered((0..samples).collect(), 0);
        let mut fold_of = vec![0; samples];
        let (size, larger) = (samples / self.k, samples % self.k);
        let mut next = order.into_iter();
        for fold in 0..self.k {
            for index in next.by_ref().take(size + usize::from(fold < larger)) {
                set(&mut fold_of, index, fold);
            }
        }
        Ok(self.folds(&fold_of))
    }

    /// Folds in which every class has its share, of class labels `[samples]` i64.
    ///
    /// # Errors
    /// Fewer than two folds, or a class of fewer samples than folds.
    #[track_caller]
    pub fn stratified(&self, labels: &Tensor) -> Result<Vec<Fold>> {
        framed("KFold::stratified", self.by_class(labels))
    }

    fn by_class(&self, labels: &Tensor) -> Result<Vec<Fold>> {
        let labels = labels_of(labels)?;
        self.check(labels.len(), "samples")?;
        let mut fold_of = vec![0; labels.len()];
        // Each class goes on dealing where the one before it stopped, so that the folds are equally large.
        let mut dealt = 0;
        for (class, members) in classes(&labels) {
            self.check(members.len(), &format!("samples of class {class}"))?;
            for index in self.ordered(members, class as u64) {
                set(&mut fold_of, index, dealt % self.k);
                dealt += 1;
            }
        }
        Ok(self.folds(&fold_of))
    }

    fn check(&self, have: usize, what: &str) -> Result<()> {
        if self.k < 2 {
            return Err(Error::value(format!("{} folds are no cross-validation", self.k)).help("2 or more"));
        }
        if have < self.k {
            return Err(Error::data(format!("{have} {what} for {} folds", self.k)));
        }
        Ok(())
    }

    fn ordered(&self, indices: Vec<usize>, part: u64) -> Vec<usize> {
        match self.shuffle {
            Some(key) => shuffled(key.fold(part), &indices),
            None => indices,
        }
    }

    fn folds(&self, fold_of: &[usize]) -> Vec<Fold> {
        let members = |keep: &dyn Fn(usize) -> bool| -> Vec<usize> {
            fold_of.iter().enumerate().filter(|(_, fold)| keep(**fold)).map(|(index, _)| index).collect()
        };
        (0..self.k)
            .map(|fold| Fold { train: members(&|other| other != fold), test: members(&|other| other == fold) })
            .collect()
    }
}

/// A split at random in which every class has its share of both parts, by class labels `[samples]` i64; scikit-learn's
/// `train_test_split(stratify=…)`. `fraction` of each class trains, rounded, and at least one sample is in either part.
///
/// ```
/// use wengert_nn::data::folds::stratified_split;
/// use wengert_tensor::tensor::Tensor;
///
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let labels: Vec<i64> = (0..100).map(|i| i64::from(i < 10)).collect();
/// let fold = stratified_split(&Tensor::from(labels), 0.8, 7)?;
/// assert_eq!((fold.train.len(), fold.test.len()), (80, 20));
/// assert_eq!(fold.test.iter().filter(|&&index| index < 10).count(), 2);
/// # Ok(()) }
/// ```
///
/// # Errors
/// A fraction that is not between 0 and 1, or a class of one sample.
#[track_caller]
pub fn stratified_split(labels: &Tensor, fraction: f64, seed: impl Into<Key>) -> Result<Fold> {
    framed("stratified_split", split_classes(labels, fraction, seed.into()))
}

fn split_classes(labels: &Tensor, fraction: f64, key: Key) -> Result<Fold> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(Error::value(format!("a fraction of {fraction} leaves one part of the split empty"))
            .help("a number between 0 and 1, such as 0.8"));
    }
    let labels = labels_of(labels)?;
    let mut fold = Fold { train: Vec::new(), test: Vec::new() };
    for (class, members) in classes(&labels) {
        if members.len() < 2 {
            return Err(Error::data(format!("class {class} has one sample, which cannot be in both parts")));
        }
        let first = ((members.len() as f64 * fraction).round() as usize).clamp(1, members.len() - 1);
        let mut members = shuffled(key.fold(class as u64), &members);
        fold.test.extend(members.split_off(first));
        fold.train.extend(members);
    }
    fold.train.sort_unstable();
    fold.test.sort_unstable();
    Ok(fold)
}

/// The samples of every class, in the order of the labels.
fn classes(labels: &[i64]) -> BTreeMap<i64, Vec<usize>> {
    let mut classes = BTreeMap::new();
    for (index, &label) in labels.iter().enumerate() {
        classes.entry(label).or_insert_with(Vec::new).push(index);
    }
    classes
}

fn shuffled(key: Key, indices: &[usize]) -> Vec<usize> {
    permutation(key, indices.len()).into_iter().filter_map(|at| indices.get(at).copied()).collect()
}

fn set(list: &mut [usize], at: usize, value: usize) {
    if let Some(place) = list.get_mut(at) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(folds: &[Fold], n: usize) {
        let mut all: Vec<usize> = folds.iter().flat_map(|fold| fold.test.iter().copied()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..n).collect::<Vec<_>>(), "each sample is tested once");
        for fold in folds {
            let mut both = [fold.train.clone(), fold.test.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, (0..n).collect::<Vec<_>>(), "a fold is all samples");
        }
    }

    #[test]
    fn folds_cover_the_data() {
        let plain = KFold::new(3).split(8).unwrap();
        whole(&plain, 8);
        assert_eq!(plain[0].test, [0, 1, 2]);
        assert_eq!(plain[2].test, [6, 7]);
        let shuffled = KFold::new(3).shuffle(1).split(8).unwrap();
        whole(&shuffled, 8);
        assert_ne!(plain, shuffled);
        assert_eq!(shuffled, KFold::new(3).shuffle(1).split(8).unwrap());
        assert!(KFold::new(1).split(8).is_err() && KFold::new(9).split(8).is_err());
    }

    #[test]
    fn strata_keep_their_shares() {
        let labels: Vec<i64> = (0..60).map(|i| [5, 5, 5, -1, -1, 9][i % 6]).collect();
        let tensor = Tensor::from(labels.clone());
        for kfold in [KFold::new(4), KFold::new(4).shuffle(2)] {
            let folds = kfold.stratified(&tensor).unwrap();
            whole(&folds, 60);
            for fold in &folds {
                assert_eq!(fold.test.len(), 15);
                for (class, n) in [(5, 30), (-1, 20), (9, 10)] {
                    let count = fold.test.iter().filter(|&&i| labels[i] == class).count();
                    assert!(count == n / 4 || count == n / 4 + 1, "class {class}: {count}");
                }
            }
        }
        let error = KFold::new(11).stratified(&tensor).unwrap_err().to_string();
        assert!(error.contains("10 samples of class 9 for 11 folds"), "{error}");
        assert!(KFold::new(2).stratified(&Tensor::from([1.0f32, 2.0])).is_err());
    }

    #[test]
    fn a_stratified_split_has_both_classes_in_both_parts() {
        let labels = Tensor::from([0i64, 0, 0, 0, 0, 0, 1, 1]);
        let fold = stratified_split(&labels, 0.99, 1).unwrap();
        whole(&[fold.clone(), Fold { train: fold.test.clone(), test: fold.train.clone() }], 8);
        assert_eq!(fold.test.iter().filter(|&&i| i >= 6).count(), 1);
        for fraction in [0.0, 1.0, f64::NAN] {
            assert!(stratified_split(&labels, fraction, 1).is_err());
        }
        assert!(stratified_split(&Tensor::from([0i64, 0, 1]), 0.5, 1).is_err());
    }
}
