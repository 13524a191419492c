//! Means and central moments of two series, in f64 and merged as such: sound also where the means are large and the spread is small.

use super::weigh::spread;
use wengert_autograd::Var;
use wengert_tensor::dtype::DType;

/// Of one output: the weight, both means, and the sums of the squares and of the products of the deviations from them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) n: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) xx: f64,
    pub(super) yy: f64,
    pub(super) xy: f64,
}

/// The moments of a batch as `[outputs · 6]`. The outputs are the last axis of what has more than one.
#[track_caller]
pub(super) fn moments<'t>(metric: &'static str, x: Var<'t>, y: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
    let (tape, outputs) = (x.tape(), if x.rank() < 2 { 1 } else { x.dim(-1) });
    let weights = spread(metric, weights, x);
    let flat = |value: Var<'t>| value.reshape([value.len() / outputs.max(1), outputs]);
    let weights = flat(weights);
    let counts = weights.ne(0.0);
    let series = |value: Var<'t>| flat(value).cast(DType::F64).select(counts, 0.0);
    let (x, y) = (series(x), series(y));
    let n = weights.sum_axes(0);
    let some = n.select(n.ne(0.0), 1.0);
    let mean = |value: Var<'t>| (weights * value).sum_axes(0) / some;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (dx, dy) = ((x - mean_x).select(counts, 0.0), (y - mean_y).select(counts, 0.0));
    let product = |a: Var<'t>, b: Var<'t>| (weights * a * b).sum_axes(0);
    tape.stack(&[n, mean_x, mean_y, product(dx, dx), product(dy, dy), product(dx, dy)], -1).flatten()
}

impl Moments {
    /// Those of each output.
    pub(super) fn each(sums: &[f64]) -> impl Iterator<Item = Moments> + '_ {
        sums.as_chunks::<6>().0.iter().map(|&[n, x, y, xx, yy, xy]| Moments { n, x, y, xx, yy, xy })
    }

    /// Those of both parts together. Chan, Golub & LeVeque 1979.
    fn with(self, other: Moments) -> Moments {
        let n = self.n + other.n;
        if other.n == 0.0 {
            return self;
        }
        if self.n == 0.0 {
            return other;
        }
        let (dx, dy, share) = (other.x - self.x, other.y - self.y, other.n / n);
        let between = self.n * share;
        Moments {
            n,
            x: self.x + dx * share,
            y: self.y + dy * share,
            xx: self.xx + other.xx + dx * dx * between,
            yy: self.yy + other.yy + dy * dy * between,
            xy: self.xy + other.xy + dx * dy * between,
        }
    }
}

/// Takes the moments of a batch into those so far.
pub(super) fn merge(total: &mut [f64], batch: &[f64]) {
    let (totals, batches) = (total.as_chunks_mut::<6>().0, Moments::each(batch));
    for (total, batch) in totals.iter_mut().zip(batches) {
        let [n, x, y, xx, yy, xy] = *total;
        let Moments { n, x, y, xx, yy, xy } = Moments { n, x, y, xx, yy, xy }.with(batch);
        *total = [n, x, y, xx, yy, xy];
    }
}

/// The mean of a figure over the outputs.
pub(super) fn over_outputs(sums: &[f64], figure: impl Fn(Moments) -> f64) -> f64 {
    let (total, outputs) = Moments::each(sums).fold((0.0, 0.0), |(total, n), each| (total + figure(each), n + 1.0));
    total / outputs
}
