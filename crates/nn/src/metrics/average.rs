//! How figures of several classes become one.

/// How the figures of several classes become one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// All answers are counted together.
    Micro,
    /// Every class counts the same. A class that neither occurs nor was predicted is left out.
    Macro,
    /// Every class counts as often as it occurs.
    Weighted,
}

/// Right and wrong answers, each with its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) tp: f64,
    pub(super) fp: f64,
    pub(super) fn_: f64,
    pub(super) tn: f64,
}

impl Counts {
    /// Those of each class, from sums in the order true and false positives, false and true negatives.
    pub(super) fn each(sums: &[f64]) -> impl Iterator<Item = Counts> + '_ {
        sums.as_chunks::<4>().0.iter().map(|&[tp, fp, fn_, tn]| Counts { tp, fp, fn_, tn })
    }

    /// Those of all classes together.
    pub(super) fn total(sums: &[f64]) -> Counts {
        Counts::each(sums).fold(Counts::default(), |a, b| Counts {
            tp: a.tp + b.tp,
            fp: a.fp + b.fp,
            fn_: a.fn_ + b.fn_,
            tn: a.tn + b.tn,
        })
    }

    /// What is positive.
    pub(super) fn positives(&self) -> f64 {
        self.tp + self.fn_
    }

    /// Whether the class occurs or was predicted.
    pub(super) fn occurs(&self) -> bool {
        self.tp + self.fp + self.fn_ > 0.0
    }
}

/// a / b; where b is 0, `zero`.
pub(super) fn over(a: f64, b: f64, zero: f64) -> f64 {
    if b == 0.0 { zero } else { a / b }
}
