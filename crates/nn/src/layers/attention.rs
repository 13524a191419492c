//! Scaled dot-product attention, softmax(q kᵀ / √d) v, as a function of variables, and the masks that go with it.

use smallvec::SmallVec;
use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;

use super::alibi;
use super::case::{Applied, Case};
use super::norm::wide;

const NAME: &str = "Attention";

/// Attention with its defaults: softmax(q kᵀ / √d) v. See [`Attention`], which has the options, the
/// shapes and the source; the name is PyTorch's.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::attention::scaled_dot_product_attention;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let q = tape.input(&Tensor::from([[1f32, 0.0], [0.0, 1.0], [1.0, 1.0]]));
/// let v = tape.input(&Tensor::from([[1f32], [2.0], [3.0]]));
/// assert_eq!(scaled_dot_product_attention(q, q, v).value()?.shape().dims(), [3, 1]);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn scaled_dot_product_attention<'t>(query: Var<'t>, key: Var<'t>, value: Var<'t>) -> Var<'t> {
    Attention::new().of(query, key, value)
}

/// y = softmax(q kᵀ · scale + mask) v: every query takes the mean of all values, weighted by how well it fits their keys.
/// Vaswani et al. 2017.
///
/// | | shape | dtype |
/// |---|---|---|
/// | query q | `[…, heads, queries, features]` | float |
/// | key k | `[…, heads or fewer, keys, features]` | that of q |
/// | value v | `[…, as k, keys, outputs]` | that of q |
/// | mask | what broadcasts to `[…, heads, queries, keys]` | bool, or that of q and added to the scores |
/// | y | `[…, heads, queries, outputs]` | that of q |
///
/// The names and numbers are those of PyTorch's `scaled_dot_product_attention`. The axes before the last two are
/// broadcast; with four axes or more, keys and values may have fewer heads than queries: each is shared by as many
/// neighbours (grouped-query attention, Ainslie et al. 2023; one head for all is Shazeer's multi-query attention).
///
/// **In every mask, true means: takes part.** What a mask excludes has the weight 0 and gets the gradient 0. A query that
/// may see no key at all has the output 0, and so have its gradients: never NaN. What is excluded must be finite
/// numbers nevertheless.
///
/// The softmax of scores of 16 bits is taken in f32.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::attention::Attention;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::from([[1f32, 0.0], [0.0, 1.0], [1.0, 1.0]]));
/// let (y, weights) = Attention::new().causal().with_weights(x, x, x);
/// assert_eq!(y.at(0, 0).value()?.to_vec::<f32>()?, [1.0, 0.0]);
/// assert_eq!(weights.at(0, 0).value()?.to_vec::<f32>()?, [1.0, 0.0, 0.0]);
///
/// let seen = tape.input(&Tensor::from([true, true, false]));
/// assert_eq!(Attention::new().mask(seen).of(x, x, x).value()?.shape().dims(), [3, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attention<'t> {
    masks: SmallVec<[Var<'t>; 2]>,
    causal: bool,
    window: Option<usize>,
    offset: Option<Var<'t>>,
    alibi: bool,
    scale: Option<f64>,
    soft_cap: Option<f64>,
    dropout: f64,
    /// How many of the last keys have no position, and are seen from everywhere.
    placeless: usize,
}

impl<'t> Attention<'t> {
    /// Without a mask; scores are divided by √features.
    pub fn new() -> Attention<'t> {
        Attention::default()
    }

    /// Restricts which keys are seen. A bool mask is true where a key takes part; one of floats is added to the scores.
    /// Several masks all hold.
    #[must_use]
    pub fn mask(mut self, mask: Var<'t>) -> Attention<'t> {
        self.masks.push(mask);
        self
    }

    /// Query i sees the keys 0 to i only. (Both are counted from the first, as in PyTorch; [`offset`](Attention::offset)
    /// moves the queries.)
    #[must_use]
    pub fn causal(self) -> Attention<'t> {
        self.causal_if(true)
    }

    pub(super) fn causal_if(mut self, causal: bool) -> Attention<'t> {
        self.causal |= causal;
        self
    }

    /// Query i sees only the keys that are less than `size` from it. With [`causal`](Attention::causal) these are the
    /// last `size`, i itself included: sliding-window attention. Beltagy et al. 2020.
    #[must_use]
    pub fn window(self, size: usize) -> Attention<'t> {
        self.window_if(Some(size))
    }

    pub(super) fn window_if(mut self, size: Option<usize>) -> Attention<'t> {
        self.window = size.or(self.window);
        self
    }

    /// The first query stands beside this key, an i64 of rank 0: for queries that continue a sequence whose keys are kept.
    #[must_use]
    pub fn offset(mut self, position: Var<'t>) -> Attention<'t> {
        self.offset = Some(position);
        self
    }

    /// Subtracts from each score the distance of query and key times a slope of the head. See
    /// [`alibi_bias`](super::alibi::alibi_bias).
    #[must_use]
    pub fn alibi(self) -> Attention<'t> {
        self.alibi_if(true)
    }

    pub(super) fn alibi_if(mut self, alibi: bool) -> Attention<'t> {
        self.alibi |= alibi;
        self
    }

    /// Multiplies the scores by this number instead of 1 / √features.
    #[must_use]
    pub fn scale(self, scale: f64) -> Attention<'t> {
        self.scale_if(Some(scale))
    }

    pub(super) fn scale_if(mut self, scale: Option<f64>) -> Attention<'t> {
        self.scale = scale.or(self.scale);
        self
    }

    /// Bends the scaled scores s to cap · tanh(s / cap), before any mask: no score is beyond the cap. As in Gemma 2 (2024).
    #[must_use]
    pub fn soft_cap(self, cap: f64) -> Attention<'t> {
        self.soft_cap_if(Some(cap))
    }

    pub(super) fn soft_cap_if(mut self, cap: Option<f64>) -> Attention<'t> {
        self.soft_cap = cap.or(self.soft_cap);
        self
    }

    /// While the tape is training, silences each weight with this probability, in `0 ≤ p < 1`.
    #[must_use]
    pub fn dropout(mut self, probability: f64) -> Attention<'t> {
        self.dropout = probability;
        self
    }

    /// The last `count` keys are seen whatever the positions say.
    pub(super) fn placeless(mut self, count: usize) -> Attention<'t> {
        self.placeless = count;
        self
    }

    /// The mean of the values for each query.
    #[track_caller]
    pub fn of(&self, query: Var<'t>, key: Var<'t>, value: Var<'t>) -> Var<'t> {
        self.with_weights(query, key, value).0
    }

    /// The mean of the values, and the weights `[…, heads, queries, keys]` by which it was taken (after the dropout, if there
    /// is any).
    #[track_caller]
    pub fn with_weights(&self, query: Var<'t>, key: Var<'t>, value: Var<'t>) -> (Var<'t>, Var<'t>) {
        let tape = query.tape();
        let _scope = tape.scope(NAME);
        let shared = match fit(query, key, value) {
            Ok(shared) => shared,
            Err(error) => {
                let none = tape.reject(NAME, &[("query", query), ("key", key), ("value", value)], error);
                return (none, none);
            }
        };
        let scale = self.scale.unwrap_or_else(|| 1.0 / (query.dim(-1).max(1) as f64).sqrt());
        // The query is scaled, not the scores: there are fewer numbers, and none that overflows in f16.
        let scaled = query * scale;
        // Heads that share a key are rows of one product.
        let scores = match shared {
            Some(heads) => regroup(regroup(scaled, heads).matmul(key.t()), query.dim(-3)),
            None => scaled.matmul(key.t()),
        };
        let weights = self.weigh(scores);
        let y = match shared {
            Some(heads) => regroup(regroup(weights, heads).matmul(value), query.dim(-3)),
            None => weights.matmul(value),
        };
        (y, weights)
    }

    /// The weights for scores `[…, queries, keys]` that are scaled already.
    #[track_caller]
    pub(super) fn weigh(&self, scores: Var<'t>) -> Var<'t> {
        let tape = scores.tape();
        let dtype = scores.dtype();
        if let Err((mask, error)) = self.check(scores) {
            let operands: SmallVec<[_; 2]> = mask.into_iter().map(|mask| ("mask", mask)).collect();
            return tape.reject(NAME, &[&operands[..], &[("scores", scores)]].concat(), error);
        }
        let wide = scores.cast(wide(dtype));
        let capped = match self.soft_cap {
            Some(cap) => (wide * (1.0 / cap)).tanh() * cap,
            None => wide,
        };
        let (bool_masks, added): (SmallVec<[Var<'t>; 2]>, SmallVec<[Var<'t>; 2]>) =
            self.masks.iter().copied().partition(|mask| mask.dtype() == DType::Bool);
        let biased = self.biased(capped, &added);
        let seen = bool_masks.into_iter().chain(self.places(scores)).reduce(|all, mask| all.and(mask));
        let scores = match seen {
            Some(seen) => biased.select(seen, f64::NEG_INFINITY),
            None => biased,
        };
        // Every query sees the first key, unless there is another mask than the causal one.
        let weights = match self.masks.is_empty() && self.window.is_none() && self.offset.is_none() {
            true => scores.softmax(-1),
            false => softmax_of_seen(scores),
        };
        weights.cast(dtype).dropout(self.dropout)
    }

    #[track_caller]
    fn biased(&self, scores: Var<'t>, added: &[Var<'t>]) -> Var<'t> {
        let scores = added.iter().fold(scores, |scores, mask| scores + mask.cast(scores.dtype()));
        if !self.alibi {
            return scores;
        }
        let (queries, keys) = self.positions(scores);
        let bias = alibi::alibi_bias(scores.dim(-3), queries, keys, scores.dtype());
        scores + if self.placeless == 0 { bias } else { bias.select(self.placed(scores), 0.0) }
    }

    /// Which keys are seen by their positions.
    #[track_caller]
    fn places(&self, scores: Var<'t>) -> Option<Var<'t>> {
        let (queries, keys) = self.positions(scores);
        let (queries, keys) = (queries.unsqueeze(-1), keys.unsqueeze(0));
        let causal = self.causal.then(|| queries.ge(keys));
        let window = self.window.map(|size| {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            (queries - keys).lt(size).and((keys - queries).lt(size))
        });
        let seen = causal.into_iter().chain(window).reduce(|all, mask| all.and(mask))?;
        Some(if self.placeless == 0 { seen } else { seen.or(self.placed(scores).logical_not()) })
    }

    /// Where the queries and the keys stand.
    #[track_caller]
    fn positions(&self, scores: Var<'t>) -> (Var<'t>, Var<'t>) {
        let tape = scores.tape();
        let queries = tape.iota([scores.dim(-2)], 0, DType::I64);
        let queries = self.offset.map_or(queries, |offset| queries + offset);
        (queries, tape.iota([scores.dim(-1)], 0, DType::I64))
    }

    /// Which keys have a position, `[keys]`.
    #[track_caller]
    fn placed(&self, scores: Var<'t>) -> Var<'t> {
        let keys = scores.dim(-1);
        scores.tape().iota([keys], 0, DType::I64).lt(keys.saturating_sub(self.placeless) as i64)
    }

    /// What is wrong with the options for these scores, and the mask that it is about.
    fn check(&self, scores: Var<'t>) -> std::result::Result<(), (Option<Var<'t>>, Error)> {
        let plain = |error: Error| Err((None, error));
        if let Some(scale) = self.scale.filter(|scale| !scale.is_finite()) {
            return plain(Error::value(format!("a scale of {scale}")).help("it is a finite number, as 1 / √features"));
        }
        if let Some(cap) = self.soft_cap.filter(|cap| !(cap.is_finite() && *cap > 0.0)) {
            return plain(Error::value(format!("a soft cap of {cap}")).help("it is above 0, as 50.0"));
        }
        if let Some(offset) = self.offset.filter(|offset| offset.rank() != 0 || offset.dtype() != DType::I64) {
            return plain(Error::shape(format!("an offset {}", offset.meta())).help("it is one i64, without axes"));
        }
        if self.window == Some(0) {
            return plain(Error::value("a window of 0 keys").help("with 1, a query sees the key beside it"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let error = Error::value(format!("a probability of {} to silence a weight", self.dropout));
            return plain(error.help("it is at least 0 and below 1"));
        }
        if self.alibi && scores.rank() < 3 {
            return plain(Error::shape("a slope for each head, and there is no axis of heads"));
        }
        for &mask in &self.masks {
            fit_mask(mask, scores).map_err(|error| (Some(mask), error))?;
        }
        Ok(())
    }
}

/// Softmax over the last axis, where what is not seen is −∞. A row without anything else has the weights 0.
#[track_caller]
fn softmax_of_seen(scores: Var<'_>) -> Var<'_> {
    let most = scores.max_keep(-1).stop_gradient();
    let most = most.select(most.ne(f64::NEG_INFINITY), 0.0);
    let e = (scores - most).exp();
    let sum = e.sum_keep(-1);
    e * sum.select(sum.ne(0.0), 1.0).recip()
}

/// `[…, heads, rows, n]` with another number of heads, and as many rows more or fewer.
#[track_caller]
fn regroup(x: Var<'_>, heads: usize) -> Var<'_> {
    let mut dims = x.shape().dims().to_vec();
    if let [.., old, rows, _] = &mut dims[..] {
        *rows = *old * *rows / heads.max(1);
        *old = heads;
    }
    x.reshape(dims)
}

/// Whether queries, keys and values fit each other; the number of heads of the keys, if several queries share them.
fn fit(query: Var<'_>, key: Var<'_>, value: Var<'_>) -> Result<Option<usize>> {
    let (q, k, v) = (query.shape(), key.shape(), value.shape());
    let ([q_batch @ .., _, features], [k_batch @ .., keys, inner], [v_batch @ .., values, _]) =
        (q.dims(), k.dims(), v.dims())
    else {
        return Err(Error::shape(format!("a query {q}, a key {k} and a value {v}"))
            .help("the last two axes of each count positions and features"));
    };
    if !query.dtype().is_float() || query.dtype() != key.dtype() || query.dtype() != value.dtype() {
        let of = [query.dtype(), key.dtype(), value.dtype()].map(|dtype| dtype.to_string()).join(", ");
        return Err(Error::dtype(format!("a query, a key and a value of {of}")).help("all three are floats, the same"));
    }
    if features != inner {
        return Err(Error::shape(format!("a query of {features} features and a key of {inner}")));
    }
    if *keys == 0 {
        return Err(Error::shape("no keys to look at").help("at least one; a mask may hide it"));
    }
    if keys != values {
        return Err(Error::shape(format!("{keys} keys and {values} values")).help("each key has one value"));
    }
    if let ([q_lead @ .., heads], [k_lead @ .., shared], [v_lead @ .., also]) = (q_batch, k_batch, v_batch)
        && shared == also
        && heads > shared
        && ![q_lead, k_lead, v_lead].contains(&&[][..])
    {
        together(&[q_lead, k_lead, v_lead])?;
        return match heads.checked_rem(*shared) == Some(0) {
            true => Ok(Some(*shared)),
            false => Err(Error::shape(format!("{heads} heads of queries for {shared} of keys"))
                .help("the number of key heads divides that of the query heads")),
        };
    }
    together(&[q_batch, k_batch, v_batch]).map(|()| None)
}

/// Whether these axes are broadcast to common ones.
fn together(batches: &[&[usize]]) -> Result<()> {
    let mut common = Shape::scalar();
    for &batch in batches {
        common = common.broadcast(&Shape::new(batch)?)?;
    }
    Ok(())
}

/// Whether a mask fits scores `[…, queries, keys]`.
fn fit_mask(mask: Var<'_>, scores: Var<'_>) -> Result<()> {
    let (own, all) = (mask.shape(), scores.shape());
    typed(mask, scores.dtype())?;
    match own.broadcast(&all) {
        Ok(common) if common == all => Ok(()),
        _ => {
            let (queries, keys) = (scores.dim(-2), scores.dim(-1));
            let error = Error::shape(format!("a mask {own} for {queries} queries and {keys} keys"));
            Err(error.help(format!("[{queries}, {keys}] would fit, or what else broadcasts to the scores {all}")))
        }
    }
}

/// Whether a mask has a dtype that says what it means.
fn typed(mask: Var<'_>, dtype: DType) -> Result<()> {
    match mask.dtype() {
        DType::Bool => Ok(()),
        float if float == dtype => Ok(()),
        other => {
            let error = Error::dtype(format!("a mask is bool, or {dtype} and added to the scores, not {other}"));
            Err(match other.is_float() {
                true => error.help(format!("cast it first: `mask.cast(DType::{dtype:?})`")),
                false => error.help("`mask.ne(0)` is true where a mask of 0 and 1 has 1"),
            })
        }
    }
}

/// Which keys each query of a batch may see: what one call of a layer is told.
///
/// | mask | shape | dtype |
/// |---|---|---|
/// | [`mask`](Masks::mask) | `[queries, keys]`, `[batch, queries, keys]`, `[batch · heads, queries, keys]` or `[batch or 1, heads or 1, queries, keys]` | bool, true where a key takes part; or float, added to the scores |
/// | [`padding`](Masks::padding) | `[batch, keys]` or `[keys]` | bool, true where a key is padding; or float, added to the scores |
/// | [`lengths`](Masks::lengths) | `[batch]` | i64, each from 0 to the number of keys |
///
/// The shapes are those of `attn_mask` and `key_padding_mask` of PyTorch's `MultiheadAttention`. Beware: in its bool
/// `attn_mask` true means *hidden*, in ours and in PyTorch's `scaled_dot_product_attention` it means *takes part*.
/// `mask.logical_not()` makes one of the other.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Masks, multi_head_attention::MultiHeadAttention};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::ones([2, 3, 8], DType::F32)?);
/// let padding = tape.input(&Tensor::from([[false, false, true], [false, false, false]]));
/// let y = MultiHeadAttention::new(8, 2).attend(x, x, x, Masks::new().causal().padding(padding));
/// assert_eq!(y.value()?.shape().dims(), [2, 3, 8]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks<'t> {
    causal: bool,
    mask: Option<Var<'t>>,
    padding: Option<Var<'t>>,
    lengths: Option<Var<'t>>,
}

impl<'t> Masks<'t> {
    /// All keys are seen.
    pub fn new() -> Masks<'t> {
        Masks::default()
    }

    /// Query i sees the keys 0 to i only.
    #[must_use]
    pub fn causal(self) -> Masks<'t> {
        Masks { causal: true, ..self }
    }

    /// Which key each query sees: true where it does; or numbers that are added to the scores.
    #[must_use]
    pub fn mask(self, mask: Var<'t>) -> Masks<'t> {
        Masks { mask: Some(mask), ..self }
    }

    /// Which keys are padding, that no query sees: true where one is; or numbers that are added to the scores.
    #[must_use]
    pub fn padding(self, padding: Var<'t>) -> Masks<'t> {
        Masks { padding: Some(padding), ..self }
    }

    /// How many keys of each example are no padding: the first ones.
    #[must_use]
    pub fn lengths(self, lengths: Var<'t>) -> Masks<'t> {
        Masks { lengths: Some(lengths), ..self }
    }

    /// What is said of the keys alone, for those who look at them from another sequence.
    pub(super) fn of_keys(self) -> Masks<'t> {
        Masks { causal: false, mask: None, ..self }
    }

    /// Adds these masks to an attention of scores `[batch, heads, queries, keys]`, beside which there are `more` keys that
    /// everyone sees. The error goes with the mask that it is about.
    #[track_caller]
    pub(super) fn added_to(
        self,
        attention: Attention<'t>,
        [batch, heads, queries, keys]: [usize; 4],
        more: usize,
        dtype: DType,
    ) -> std::result::Result<Attention<'t>, (&'static str, Var<'t>, Error)> {
        let mut attention = attention.causal_if(self.causal);
        let mut add = |mask: Var<'t>| {
            let shown = if mask.dtype() == DType::Bool { 1.0 } else { 0.0 };
            let mask = if more == 0 { mask } else { mask.pad(-1, 0, more, shown) };
            attention.masks.push(mask);
        };
        if let Some(mask) = self.mask {
            typed(mask, dtype).map_err(|error| ("mask", mask, error))?;
            let shape = mask.shape();
            add(match *shape.dims() {
                [q, k] if [q, k] == [queries, keys] => mask,
                [b, q, k] if [b, q, k] == [batch, queries, keys] => mask.unsqueeze(1),
                [b, q, k] if [b, q, k] == [batch * heads, queries, keys] => mask.reshape([batch, heads, q, k]),
                [b, h, q, k] if [q, k] == [queries, keys] && [1, batch].contains(&b) && [1, heads].contains(&h) => mask,
                _ => {
                    let error = Error::shape(format!("a mask {shape} for {queries} queries and {keys} keys"));
                    let help = format!(
                        "it is [{queries}, {keys}], [{batch}, {queries}, {keys}], [{}, {queries}, {keys}] or \
                         [{batch}, {heads}, {queries}, {keys}]",
                        batch * heads
                    );
                    return Err(("mask", mask, error.help(help)));
                }
            });
        }
        if let Some(padding) = self.padding {
            typed(padding, dtype).map_err(|error| ("padding", padding, error))?;
            let shape = padding.shape();
            if ![&[batch, keys][..], &[keys]].contains(&shape.dims()) {
                let error = Error::shape(format!("a padding mask {shape} for {batch} examples of {keys} keys"));
                return Err(("padding", padding, error.help(format!("it is [{batch}, {keys}]"))));
            }
            let shown = if padding.dtype() == DType::Bool { padding.logical_not() } else { padding };
            add(shown.reshape([shape.len() / keys.max(1), 1, 1, keys]));
        }
        if let Some(lengths) = self.lengths {
            let shape = lengths.shape();
            if lengths.dtype() != DType::I64 || shape.dims() != [batch] {
                let error = Error::shape(format!("lengths {shape} {} for {batch} examples", lengths.dtype()));
                return Err(("lengths", lengths, error.help(format!("they are [{batch}] i64"))));
            }
            let lengths = lengths.check_index(keys + 1, "length").reshape([batch, 1, 1, 1]);
            add(lengths.tape().iota([1, 1, 1, keys], -1, DType::I64).lt(lengths));
        }
        Ok(attention)
    }
}

/// A mask that is true where query i may see key j, j ≤ i: `[size, size]`, bool. [`Attention::causal`] needs none; this
/// is for formulas of one's own.
#[track_caller]
pub fn causal_mask(tape: &Tape, size: usize) -> Var<'_> {
    tape.iota([size, 1], 0, DType::I64).ge(tape.iota([1, size], 1, DType::I64))
}

/// What the laws try: q, k and v are three slices of the input.
pub(super) fn cases() -> Vec<Case> {
    type Function = for<'t> fn(Attention<'t>, [Var<'t>; 3]) -> Var<'t>;
    fn case(name: &'static str, shapes: [&[usize]; 2], function: Function) -> Case {
        let layer = Applied::new((), move |(), x| function(Attention::new(), [0, 1, 2].map(|i| x.at(0, i))));
        Case::new("attention", name, layer, shapes, &[])
    }
    /// Some keys of each query, the last one none.
    fn holes<'t>(x: Var<'t>) -> Var<'t> {
        let (queries, keys) = (x.tape().iota([3, 3], 0, DType::I64), x.tape().iota([3, 3], 1, DType::I64));
        (queries + keys).ne(2).and(queries.lt(2))
    }
    let plain: [&[usize]; 2] = [&[3, 1, 2, 3, 2], &[1, 2, 3, 2]];
    let grouped: [&[usize]; 2] = [&[3, 1, 4, 3, 2], &[1, 4, 3, 2]];
    vec![
        case("plain", plain, |a, [q, k, v]| a.of(q, k, v)),
        case("matrix", [&[3, 3, 4], &[3, 4]], |a, [q, k, v]| a.of(q, k, v)),
        case("one_key", [&[3, 1, 2], &[1, 2]], |a, [q, k, v]| a.of(q, k, v)),
        case("causal", plain, |a, [q, k, v]| a.causal().of(q, k, v)),
        case("causal_long", plain, |a, [q, k, v]| a.causal().of(q, k.slice(-2, 0..2), v.slice(-2, 0..2))),
        case("causal_short", [&[3, 1, 2, 3, 2], &[1, 2, 2, 2]], |a, [q, k, v]| a.causal().of(q.slice(-2, 0..2), k, v)),
        case("scale", plain, |a, [q, k, v]| a.scale(0.3).of(q, k, v)),
        case("added", plain, |a, [q, k, v]| a.mask(q.at(0, 0).at(0, 0).at(-1, 0)).of(q, k, v)),
        case("masked", plain, |a, [q, k, v]| a.mask(holes(q)).of(q, k, v)),
        case("masked_causal", plain, |a, [q, k, v]| a.mask(holes(q)).causal().of(q, k, v)),
        case("grouped", grouped, |a, [q, k, v]| a.causal().of(q, k.slice(1, 0..2), v.slice(1, 0..2))),
        case("one_for_all", grouped, |a, [q, k, v]| a.of(q, k.slice(1, 0..1), v.slice(1, 0..1))),
        case("window", plain, |a, [q, k, v]| a.window(2).causal().of(q, k, v)),
        case("window_both_sides", plain, |a, [q, k, v]| a.window(2).of(q, k, v)),
        case("soft_cap", plain, |a, [q, k, v]| a.soft_cap(0.7).of(q, k, v)),
        case("alibi", grouped, |a, [q, k, v]| a.alibi().causal().of(q, k, v)),
        case("weights", [&[3, 1, 2, 3, 2], &[1, 2, 3, 3]], |a, [q, k, v]| a.with_weights(q, k, v).1),
        case("offset", [&[3, 1, 2, 3, 2], &[1, 2, 1, 2]], |a, [q, k, v]| {
            let last = q.tape().scalar(1.0, DType::I64);
            a.causal().offset(last).of(q.slice(-2, 0..1), k, v)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::random::{Key, normal_f64};
    use wengert_tensor::tensor::Tensor;

    fn drawn(shape: &[usize], seed: u64) -> Tensor {
        Tensor::from_fn(shape, |i| normal_f64(Key::new(seed), i as u64)).unwrap()
    }

    #[test]
    fn a_query_that_sees_nothing_gives_0_and_gets_0() -> Result<()> {
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let tape = Tape::new();
            let [q, k, v] = [1, 2, 3].map(|seed| tape.input(&drawn(&[2, 3, 4], seed).cast(dtype).unwrap()));
            let seen = tape.input(&Tensor::from([[true, false, true], [false; 3], [true; 3]]));
            let added = tape.full([3, 3], 0.0, dtype).select(seen, f64::NEG_INFINITY);
            for mask in [seen, added] {
                let (y, weights) = Attention::new().mask(mask).with_weights(q, k, v);
                assert!(y.at(1, 1).value()?.to_f64_vec().iter().all(|&y| y == 0.0));
                assert_eq!(weights.sum_axes(-1).value()?.to_f64_vec(), [1.0, 0.0, 1.0, 1.0, 0.0, 1.0], "{dtype}");
                let [dq, dk, dv] = tape.grad(y.square().sum(), [q, k, v]);
                let [ddq] = tape.grad(dk.sum() + dv.square().sum(), [q]);
                for gradient in [dq, dk, dv, ddq] {
                    assert!(gradient.value()?.to_f64_vec().iter().all(|g| g.is_finite()));
                }
                assert!(dq.at(1, 1).value()?.to_f64_vec().iter().all(|&g| g == 0.0));
            }
        }
        Ok(())
    }

    #[test]
    fn a_mask_is_as_good_as_taking_the_keys_away() -> Result<()> {
        let tape = Tape::new();
        let [q, k, v] = [1, 2, 3].map(|seed| tape.input(&drawn(&[2, 2, 5, 4], seed)));
        let mask = tape.input(&Tensor::from([true, true, true, false, false]));
        let masked = Attention::new().mask(mask).of(q, k, v);
        let removed = Attention::new().of(q, k.slice(-2, 0..3), v.slice(-2, 0..3));
        assert!(masked.value()?.max_abs_diff(&removed.value()?)? < 1e-14);
        Ok(())
    }

    #[test]
    fn nothing_looks_ahead() -> Result<()> {
        let [x, mut y] = [drawn(&[1, 6, 4], 1), drawn(&[1, 6, 4], 1)];
        y = Tensor::from_fn(y.shape(), |i| y.to_f64_vec()[i] + if i >= 16 { 3.0 } else { 0.0 })?;
        for window in [None, Some(2)] {
            let first = |x: &Tensor| {
                let tape = Tape::new();
                let x = tape.input(x);
                Attention::new().causal().window_if(window).of(x, x, x).slice(1, 0..4).value()
            };
            assert!(first(&x)?.equals(&first(&y)?));
        }
        Ok(())
    }

    #[test]
    fn large_scores_of_16_bits_do_not_overflow() -> Result<()> {
        let tape = Tape::new();
        let x = tape.input(&Tensor::full([1, 3, 64], 60.0f32)?.cast(DType::F16)?);
        let y = Attention::new().of(x, x, x).value()?;
        assert_eq!(y.dtype(), DType::F16);
        assert!(y.to_f64_vec().iter().all(|&y| y == 60.0));
        Ok(())
    }

    #[test]
    fn a_batch_is_its_examples() -> Result<()> {
        let tape = Tape::new();
        let [q, k, v] = [1, 2, 3].map(|seed| tape.input(&drawn(&[3, 2, 4, 5], seed)));
        let whole = Attention::new().causal().of(q, k, v);
        let each = tape.vmap((q, k, v), |(q, k, v)| Attention::new().causal().of(q, k, v));
        assert!(whole.value()?.equals(&each.value()?));
        Ok(())
    }

    #[test]
    fn dropout_silences_weights_while_training() -> Result<()> {
        let x = drawn(&[1, 50, 4], 1);
        let weights = |tape: &Tape| {
            let x = tape.input(&x);
            Attention::new().dropout(0.5).with_weights(x, x, x).1.value()
        };
        let zeros = |weights: Tensor| weights.to_f64_vec().iter().filter(|&&w| w == 0.0).count();
        assert_eq!(zeros(weights(&Tape::new())?), 0);
        assert!((1000..1500).contains(&zeros(weights(&Tape::training(1u64))?)));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let say = |shapes: [&[usize]; 3], options: for<'t> fn(Attention<'t>, &'t Tape) -> Attention<'t>| {
            let tape = Tape::new();
            let [q, k, v] = shapes.map(|shape| tape.input(&Tensor::zeros(shape, DType::F32).unwrap()));
            options(Attention::new(), &tape).of(q, k, v).value().unwrap_err().to_string()
        };
        let same: [&[usize]; 3] = [&[2, 3, 4]; 3];
        let has = |text: String, words: &[&str]| {
            for word in words {
                assert!(text.contains(word), "{text} lacks {word}");
            }
        };
        has(say([&[2, 3, 4], &[2, 3, 5], &[2, 3, 4]], |a, _| a), &["query of 4 features and a key of 5", "Attention"]);
        has(say([&[2, 3, 4], &[2, 3, 4], &[2, 5, 4]], |a, _| a), &["3 keys and 5 values"]);
        has(say([&[4], &[4], &[4]], |a, _| a), &["the last two axes"]);
        has(say([&[2, 4], &[0, 4], &[0, 4]], |a, _| a), &["no keys"]);
        has(say([&[2, 3, 4], &[5, 3, 4], &[5, 3, 4]], |a, _| a), &["[2]", "[5]"]);
        let heads: [&[usize]; 3] = [&[1, 6, 3, 4], &[1, 4, 3, 4], &[1, 4, 3, 4]];
        has(say(heads, |a, _| a), &["6 heads of queries for 4 of keys", "divides"]);
        has(say(same, |a, tape| a.mask(tape.full([3, 2], 1.0, DType::Bool))), &["mask [3, 2]", "[3, 3] would fit"]);
        has(
            say(same, |a, tape| a.mask(tape.full([3, 3], 1.0, DType::I64))),
            &["bool, or f32", "not i64", "mask.ne(0)"],
        );
        has(say(same, |a, tape| a.mask(tape.full([3, 3], 1.0, DType::F64))), &["not f64", "cast(DType::F32)"]);
        has(say(same, |a, _| a.scale(f64::NAN)), &["a scale of NaN"]);
        has(say(same, |a, _| a.soft_cap(-1.0)), &["a soft cap of -1"]);
        has(say(same, |a, _| a.window(0)), &["a window of 0"]);
        has(say(same, |a, tape| a.causal().offset(tape.full([2], 1.0, DType::I64))), &["an offset", "one i64"]);
        has(say(same, |a, _| a.dropout(1.0)), &["a probability of 1", "below 1"]);
        has(say([&[3, 4]; 3], |a, _| a.alibi()), &["no axis of heads"]);
    }
}
