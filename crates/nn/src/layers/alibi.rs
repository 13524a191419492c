//! ALiBi: attention with linear biases, which see positions as distances.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Error;
use wengert_tensor::tensor::Tensor;

use super::attention::Attention;
use super::case::{Applied, Case};
use crate::explain::blame;

/// The slopes of ALiBi, one for each head: 2^(−8 h / heads) for h = 1 … heads, where the number of heads is a power of two.
///
/// For another number these are the slopes of the power of two below it, and between them as many as are missing from
/// those of twice that power: h = 1, 3, 5 …, as in the code of Press et al. 2021.
///
/// ```
/// use wengert_nn::layers::alibi::alibi_slopes;
/// assert_eq!(alibi_slopes(4), [0.25, 0.0625, 0.015625, 0.00390625]);
/// assert_eq!(alibi_slopes(3), [0.0625, 0.00390625, 0.25]);
/// ```
pub fn alibi_slopes(heads: usize) -> Vec<f64> {
    let heads = heads.min(MOST_HEADS);
    // The largest power of two that is not above the number of heads.
    let below = if heads == 0 { 1 } else { 1usize << heads.ilog2() };
    let slope = |h: usize, heads: usize| (-8.0 * h as f64 / heads as f64).exp2();
    let between = (0..).map(|i| slope(2 * i + 1, 2 * below));
    (1..=below).map(|h| slope(h, below)).chain(between).take(heads).collect()
}

/// More heads than any model has; of more there are no slopes.
const MOST_HEADS: usize = 1 << 16;

/// −slope · |query − key| for each head: what ALiBi adds to the scores of attention. Press et al. 2021.
///
/// | | shape | dtype |
/// |---|---|---|
/// | queries | `[queries]`, their positions | i64 |
/// | keys | `[keys]`, their positions | i64 |
/// | bias | `[heads, queries, keys]` | float |
///
/// For causal attention, where no key is behind its query, this is the bias of the paper. [`Attention::alibi`] adds it.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::alibi::alibi_bias;
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let positions = tape.iota([2], 0, DType::I64);
/// let bias = alibi_bias(2, positions, positions, DType::F64).value()?;
/// assert_eq!(bias.to_vec::<f64>()?, [0.0, -0.0625, -0.0625, 0.0, 0.0, -0.00390625, -0.00390625, 0.0]);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn alibi_bias<'t>(heads: usize, queries: Var<'t>, keys: Var<'t>, dtype: DType) -> Var<'t> {
    let tape = queries.tape();
    let here = Location::caller();
    let refused = |error: Error| {
        let none = tape.reject("alibi_bias", &[("queries", queries), ("keys", keys)], error);
        tape.amend(|error| blame(error, here));
        none
    };
    if queries.rank() != 1 || keys.rank() != 1 {
        return refused(Error::shape("positions are one axis, a number for each query and for each key"));
    }
    if heads == 0 {
        return refused(Error::value("no heads").help("there is a slope for each head"));
    }
    if heads > MOST_HEADS {
        return refused(Error::value(format!("{heads} heads")).help(format!("at most {MOST_HEADS}")));
    }
    if !dtype.is_float() {
        return refused(Error::dtype(format!("a bias is a float, not {dtype}")));
    }
    match Tensor::new(alibi_slopes(heads), [heads, 1, 1]).and_then(|slopes| slopes.cast(dtype)) {
        Ok(slopes) => {
            let distance = (queries.unsqueeze(-1) - keys.unsqueeze(0)).cast(dtype).abs();
            // Without a distance there is no bias, and none is 0, not −0.
            distance.unsqueeze(0) * -tape.input(&slopes) + 0.0
        }
        Err(error) => refused(error),
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    // Six heads: four slopes of a power of two, and two between them.
    let layer = Applied::new((), |(), x: Var<'_>| Attention::new().alibi().of(x, x, x));
    vec![Case::new("alibi", "six_heads", layer, [&[1, 6, 4, 2], &[1, 6, 4, 2]], &[])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_other_numbers_lie_between() {
        assert_eq!(alibi_slopes(1), [2f64.powi(-8)]);
        assert_eq!(alibi_slopes(8), [1, 2, 3, 4, 5, 6, 7, 8].map(|h| 2f64.powi(-h)));
        let twelve = alibi_slopes(12);
        assert_eq!(twelve.len(), 12);
        assert!((twelve[8] - 2f64.powf(-0.5)).abs() < 1e-15 && (twelve[11] - 2f64.powf(-3.5)).abs() < 1e-15);
        assert!(alibi_slopes(0).is_empty());
    }
}
