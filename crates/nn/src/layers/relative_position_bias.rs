//! Relative position bias: a learned number for each distance of query and key, in buckets.

use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::attention::Attention;
use super::case::{Applied, Case};
use crate::init::Init;
use crate::module::Module;
use crate::param::Param;

const NAME: &str = "RelativePositionBias";

/// What each head adds to the score of a query and a key, by the bucket of their distance. Raffel et al. 2020 (T5).
///
/// | | shape |
/// |---|---|
/// | `weight` | `[buckets, heads]` |
/// | bias | `[1, heads, queries, keys]`: a mask of floats for [`Attention::mask`] and [`Masks::mask`](super::attention::Masks::mask) |
///
/// Half of the buckets are for keys behind the query, unless the bias is [`causal`](RelativePositionBias::causal). Near
/// distances have a bucket each, up to half of those there are; farther ones share buckets that grow with the logarithm of
/// the distance up to [`max_distance`](RelativePositionBias::max_distance), and all beyond share the last. The numbers and the
/// shape are those of `relative_attention_bias` of T5 in Hugging Face. The weight starts normal with σ = 0.02.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Attention, relative_position_bias::RelativePositionBias};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let bias = RelativePositionBias::new(4).bias(&tape, 10, 10);
/// let x = tape.full([2, 4, 10, 8], 0.1, DType::F32);
/// assert_eq!(Attention::new().scale(1.0).mask(bias).of(x, x, x).value()?.shape().dims(), [2, 4, 10, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct RelativePositionBias {
    /// A number for each bucket and head, `[buckets, heads]`.
    pub weight: Param,
    max_distance: usize,
    causal: bool,
}

impl RelativePositionBias {
    /// For so many heads: 32 buckets, distances up to 128.
    #[track_caller]
    pub fn new(heads: usize) -> RelativePositionBias {
        RelativePositionBias { weight: drawn(32, heads), max_distance: 128, causal: false }
    }

    /// With another number of buckets. Draws the weight anew.
    #[must_use]
    #[track_caller]
    pub fn buckets(self, buckets: usize) -> RelativePositionBias {
        // A faulty weight stays faulty: it has no heads.
        let heads = self.weight.shape().get(1).copied().unwrap_or(0);
        RelativePositionBias { weight: drawn(buckets, heads), ..self }
    }

    /// From this distance on, all are alike.
    #[must_use]
    pub fn max_distance(self, distance: usize) -> RelativePositionBias {
        RelativePositionBias { max_distance: distance, ..self }
    }

    /// No key behind its query is seen, so all buckets are for those before it: for a decoder.
    #[must_use]
    pub fn causal(self) -> RelativePositionBias {
        RelativePositionBias { causal: true, ..self }
    }

    /// The bias for so many queries and keys, both counted from 0.
    #[track_caller]
    pub fn bias<'t>(&self, tape: &'t Tape, queries: usize, keys: usize) -> Var<'t> {
        self.between(tape.iota([queries], 0, DType::I64), tape.iota([keys], 0, DType::I64))
    }

    /// The bias for queries and keys at these positions, `[queries]` and `[keys]` i64.
    #[track_caller]
    pub fn between<'t>(&self, queries: Var<'t>, keys: Var<'t>) -> Var<'t> {
        let tape = queries.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        match self.check(queries, keys) {
            Ok(buckets) => {
                let bucket = self.bucket(keys.unsqueeze(0) - queries.unsqueeze(-1), buckets);
                weight.gather(0, bucket).permute(&[2, 0, 1]).unsqueeze(0)
            }
            Err(error) => tape.reject(NAME, &[("queries", queries), ("keys", keys), ("weight", weight)], error),
        }
    }

    fn check(&self, queries: Var<'_>, keys: Var<'_>) -> Result<usize> {
        let buckets = self.weight.shape().first().copied().unwrap_or(0);
        let exact = self.exact(buckets);
        if exact == 0 || self.max_distance <= exact {
            let error = Error::value(format!("{buckets} buckets for distances up to {}", self.max_distance));
            return Err(error.help(match exact {
                0 => "at least 2 buckets, and 4 where keys stand on both sides".to_string(),
                _ => format!("{exact} distances have a bucket each, so the largest is above {exact}"),
            }));
        }
        for positions in [queries, keys] {
            if positions.rank() != 1 || positions.dtype() != DType::I64 {
                return Err(Error::shape(format!("positions are one axis of i64, not {}", positions.meta())));
            }
        }
        Ok(buckets)
    }

    /// How many distances have a bucket of their own.
    fn exact(&self, buckets: usize) -> usize {
        if self.causal { buckets / 2 } else { buckets / 4 }
    }

    /// The bucket of key − query.
    #[track_caller]
    fn bucket<'t>(&self, offset: Var<'t>, buckets: usize) -> Var<'t> {
        let side = if self.causal { buckets } else { buckets / 2 };
        let exact = self.exact(buckets);
        // In f32, as the reference: at a border of two buckets roundings decide.
        let distance = (-offset).maximum(if self.causal { offset.zeros_like() } else { offset });
        let octaves = (self.max_distance as f64 / exact as f64).ln();
        let ratio = distance.maximum(1).cast(DType::F32) / exact as f64;
        let far = ratio.log() / octaves * (side - exact) as f64;
        let far = (far.cast(DType::I64) + exact as i64).minimum(side as i64 - 1);
        let bucket = distance.select(distance.lt(exact as i64), far);
        match self.causal {
            true => bucket,
            false => bucket + offset.gt(0).cast(DType::I64) * side as i64,
        }
    }
}

#[track_caller]
fn drawn(buckets: usize, heads: usize) -> Param {
    match buckets.min(heads) {
        0 => Param::faulty(
            Error::value(format!("{buckets} buckets for {heads} heads"))
                .op(NAME)
                .at(Location::caller())
                .help("both numbers are at least 1"),
        ),
        _ => Param::draw([buckets, heads], Init::Normal { mean: 0.0, std: 0.02 }),
    }
}

/// What the laws try: what a row of ones finds, after a bias for its distances.
pub(super) fn cases() -> Vec<Case> {
    fn case(name: &'static str, layer: RelativePositionBias) -> Case {
        let applied = Applied::new(layer, |layer: &RelativePositionBias, x: Var<'_>| {
            Attention::new().mask(layer.bias(x.tape(), 9, 9)).of(x, x, x)
        });
        Case::new("relative_position_bias", name, applied, [&[1, 2, 9, 2], &[1, 2, 9, 2]], &["weight"])
    }
    let new = || RelativePositionBias::new(2).buckets(8).max_distance(7);
    vec![case("both_sides", new()), case("causal", new().causal())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::tensor::Tensor;

    /// As `T5Attention._relative_position_bucket` of Hugging Face gives them.
    #[test]
    fn buckets_are_those_of_t5() -> Result<()> {
        let tape = Tape::new();
        let offsets =
            tape.input(&Tensor::from([-200i64, -128, -64, -32, -16, -9, -8, -7, -1, 0, 1, 7, 8, 20, 127, 500]));
        let both = RelativePositionBias::new(1).bucket(offsets, 32).value()?.to_vec::<i64>()?;
        assert_eq!(both, [15, 15, 14, 12, 10, 8, 8, 7, 1, 0, 17, 23, 24, 26, 31, 31]);
        let causal = RelativePositionBias::new(1).causal().bucket(offsets, 32).value()?.to_vec::<i64>()?;
        assert_eq!(causal, [31, 31, 26, 21, 16, 9, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |layer: RelativePositionBias| layer.bias(&Tape::new(), 2, 2).value().unwrap_err().to_string();
        assert!(say(RelativePositionBias::new(0)).contains("32 buckets for 0 heads"));
        assert!(say(RelativePositionBias::new(2).buckets(0)).contains("0 buckets for 2 heads"));
        assert!(say(RelativePositionBias::new(2).buckets(3)).contains("at least 2 buckets"));
        assert!(say(RelativePositionBias::new(2).max_distance(8)).contains("above 8"));
    }
}
