//! What the layers of attention share: their settings, whether operands fit, and attention by scores that are given.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

use super::attention::{Attention, Masks};

/// The settings of a layer with `attend_weighted`, and its faces.
macro_rules! attends {
    ($layer:ident) => {
        impl $layer {
            /// Query i sees the keys 0 to i only.
            #[must_use]
            pub fn causal(mut self) -> $layer {
                self.causal = true;
                self
            }

            /// While training, silences each weight of the attention with this probability, in `0 ≤ p < 1`.
            #[must_use]
            pub fn dropout(mut self, probability: f64) -> $layer {
                self.dropout = probability;
                self
            }

            /// What each query finds among the keys.
            #[track_caller]
            pub fn attend<'t>(&self, query: Var<'t>, key: Var<'t>, value: Var<'t>, masks: Masks<'t>) -> Var<'t> {
                self.attend_weighted(query, key, value, masks).0
            }
        }

        /// Self-attention: queries, keys and values are the input.
        impl $crate::layer::Layer for $layer {
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
                self.attend(x, x, x, Masks::new())
            }
        }
    };
}
pub(super) use attends;

/// Whether shapes have the features that are wanted, and fit each other. The last two are keys and values. `mend` is the help for other
/// features.
pub(super) fn fit_together(named: &[(&str, Shape, usize)], mend: &str) -> Result<()> {
    let Some((_, first, _)) = named.first() else { return Ok(()) };
    let mut counts = Vec::new();
    for (what, shape, features) in named {
        match (shape.dims(), first.dims()) {
            (&[n, given], &[_, _]) | (&[_, n, given], &[_, _, _]) if given == *features => counts.push(n),
            (&[_, given], &[_, _]) | (&[_, _, given], &[_, _, _]) => {
                return Err(Error::shape(format!("takes {what} of {features} features, not {given}")).help(mend));
            }
            _ => {
                let error = Error::shape(format!("{what} are [batch, positions, features], not {shape}"));
                return Err(error.help("all have the same axes; one example may go without `batch`"));
            }
        }
        if shape.rank() == 3 && shape.first() != first.first() {
            return Err(Error::shape(format!("{what} {shape} beside a batch {first}")).help("of as many examples"));
        }
    }
    match counts[..] {
        [.., keys, values] if keys != values => {
            Err(Error::shape(format!("{keys} keys and {values} values")).help("each key has one value"))
        }
        _ => Ok(()),
    }
}

/// Attention of one head by scores `[batch, queries, keys]`, once all fits: the queries have `features`, those of the first if it is `None`,
/// and the keys as many. Gives the weights, too.
#[track_caller]
pub(super) fn attended<'t>(
    name: &'static str,
    inputs: [Var<'t>; 3],
    (features, mend): (Option<usize>, &str),
    options: Attention<'t>,
    masks: Masks<'t>,
    scores: impl FnOnce(Var<'t>, Var<'t>) -> Var<'t>,
) -> (Var<'t>, Var<'t>) {
    let [query, key, value] = inputs;
    let tape = query.tape();
    let last = |x: Var<'t>| x.shape().last().copied().unwrap_or(0);
    let features = features.unwrap_or(last(query));
    let named =
        [("queries", query.shape(), features), ("keys", key.shape(), features), ("values", value.shape(), last(value))];
    if let Err(error) = fit_together(&named, mend) {
        let none = tape.reject(name, &[("query", query), ("key", key), ("value", value)], error);
        return (none, none);
    }
    let single = query.rank() == 2;
    let [q, k, v] = if single { inputs.map(|x| x.unsqueeze(0)) } else { inputs };
    let options = match masks.added_to(options, [q.dim(0), 1, q.dim(1), k.dim(1)], 0, q.dtype()) {
        Ok(options) => options,
        Err((what, mask, error)) => {
            let none = tape.reject(name, &[(what, mask)], error);
            return (none, none);
        }
    };
    // Masks have an axis of heads.
    let weights = options.weigh(scores(q, k).unsqueeze(1)).squeeze(1);
    let y = weights.matmul(v);
    if single { (y.squeeze(0), weights.squeeze(0)) } else { (y, weights) }
}
