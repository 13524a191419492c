//! The norms that several constraints bound.

use wengert_autograd::Var;

use super::constraint::widened;

/// Along which axes norms are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Along(Option<Vec<isize>>);

impl Along {
    pub(super) fn axes(axes: impl AsRef<[isize]>) -> Along {
        Along(Some(axes.as_ref().to_vec()))
    }

    /// The axes in this weight: all but the first unless set; that of a vector.
    fn of(&self, weight: Var<'_>) -> Vec<isize> {
        let rank = weight.rank() as isize;
        self.0.clone().unwrap_or_else(|| (isize::from(rank > 1)..rank).collect())
    }

    /// The weight with other norms: those that `wanted` makes of the ones it has. A weight of norm 0 has no direction, and stays.
    #[track_caller]
    pub(super) fn rescale<'t>(&self, weight: Var<'t>, wanted: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
        widened(weight, |weight| {
            let norms = weight.norm_keep(self.of(weight));
            let wanted = wanted(norms);
            // What is as it should be keeps its bits.
            let other = wanted.ne(norms).and(norms.gt(0.0));
            weight * (wanted / norms).select(other, 1.0)
        })
    }
}
