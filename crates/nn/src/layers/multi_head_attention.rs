//! Multi-head attention: several attentions side by side, each to projections of its own.

use std::ops::Range;
use std::panic::Location;

use wengert_autograd::{Tape, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::attended::{attends, fit_together};
use super::attention::{Attention, Masks};
use super::case::{Applied, Case};
use super::dense::Dense;
use super::kv_cache::KvCache;
use super::rotary_embedding::RotaryEmbedding;
use crate::explain::blame;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

const NAME: &str = "MultiHeadAttention";

/// What helps where the features are others.
const MEND: &str = "`new` is told the features of queries, and of keys and values where `key_features` and `value_features` say no others";

/// y = concat(head₁ … headₕ) Wᵒᵀ + bᵒ with headᵢ = softmax(qᵢ kᵢᵀ / √d) vᵢ, where qᵢ, kᵢ, vᵢ are projections of the queries,
/// keys and values to d = features / heads features. Vaswani et al. 2017.
///
/// | | shape |
/// |---|---|
/// | query | `[batch, queries, features]` |
/// | key | `[batch, keys, key_features]`, as many features unless said otherwise |
/// | value | `[batch, keys, value_features]` |
/// | `in_proj_weight` | `[3 · features, features]`: the projections of queries, keys and values below each other |
/// | `q_proj_weight`, `k_proj_weight`, `v_proj_weight` | `[features, …features]` each, in its place where [`key_features`](MultiHeadAttention::key_features) or [`value_features`](MultiHeadAttention::value_features) were given |
/// | `in_proj_bias` | `[3 · features]` |
/// | `bias_k`, `bias_v` | `[1, 1, features]`, a key and a value that every query sees, with [`with_kv_bias`](MultiHeadAttention::with_kv_bias) |
/// | `out_proj.weight`, `out_proj.bias` | `[features, features]`, `[features]` |
/// | y | `[batch, queries, features]` |
///
/// The names and shapes are those of PyTorch's `MultiheadAttention` with `batch_first`, and its numbers. One example
/// without the axis of the batch is taken, too. With fewer [`kv_heads`](MultiHeadAttention::kv_heads) the rows of keys
/// and values are as many fewer. Weights of the projections start from [`Init::GlorotUniform`], biases from zeros: PyTorch
/// draws `out_proj.weight` as a `Linear`, a little smaller.
///
/// As a [`Layer`] it is self-attention: queries, keys and values are the input.
/// [`attend`](MultiHeadAttention::attend) takes all three, and [`Masks`]; [`step`](MultiHeadAttention::step) generates
/// with a [`KvCache`]. A query that may see no key has the output `out_proj.bias`, not NaN.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{attention::Masks, multi_head_attention::MultiHeadAttention};
/// use wengert_nn::{layer::Layer, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let attention = MultiHeadAttention::new(8, 2).dropout(0.1).init(Seed(1))?;
/// let x = Tensor::ones([4, 5, 8], DType::F32)?;
/// assert_eq!(attention.predict(&x)?.shape().dims(), [4, 5, 8]);
///
/// // To another sequence, of which the second half is hidden; and the weights of each head.
/// let tape = Tape::new();
/// let (x, memory) = (tape.input(&x), tape.full([4, 6, 8], 0.5, DType::F32));
/// let masks = Masks::new().lengths(tape.full([4], 3.0, DType::I64));
/// let (y, weights) = attention.attend_weighted(x, memory, memory, masks);
/// assert_eq!(y.value()?.shape().dims(), [4, 5, 8]);
/// assert_eq!(weights.value()?.shape().dims(), [4, 2, 5, 6]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct MultiHeadAttention {
    /// The three projections below each other, unless they take different features.
    pub in_proj_weight: Option<Param>,
    /// The projection of queries, where it is apart.
    pub q_proj_weight: Option<Param>,
    /// The projection of keys, where it is apart.
    pub k_proj_weight: Option<Param>,
    /// The projection of values, where it is apart.
    pub v_proj_weight: Option<Param>,
    /// What is added to the three projections, one after the other.
    pub in_proj_bias: Option<Param>,
    /// A key that every query sees.
    pub bias_k: Option<Param>,
    /// Its value.
    pub bias_v: Option<Param>,
    /// What is made of all heads.
    pub out_proj: Dense,
    #[module(skip)]
    made: Made,
    #[module(skip)]
    rotary: Option<RotaryEmbedding>,
    alibi: bool,
    causal: bool,
    #[module(skip)]
    window: Option<usize>,
    #[module(skip)]
    scale: Option<f64>,
    #[module(skip)]
    soft_cap: Option<f64>,
    dropout: f64,
    zero_attention: bool,
}

/// What decides the shapes of the weights.
#[derive(Clone, Debug)]
struct Made {
    features: usize,
    heads: usize,
    kv_heads: usize,
    /// The features of a head, where they are not features / heads.
    head_features: Option<usize>,
    /// The features of keys and values, where they are projected apart.
    apart: Option<[usize; 2]>,
    bias: bool,
    kv_bias: bool,
    init: Init,
}

impl MultiHeadAttention {
    /// For inputs of so many features, which the heads share evenly. What is wrong is reported by the first use.
    #[track_caller]
    pub fn new(features: usize, heads: usize) -> MultiHeadAttention {
        let (bias, kv_bias, init) = (true, false, Init::GlorotUniform);
        let made = Made { features, heads, kv_heads: heads, head_features: None, apart: None, bias, kv_bias, init };
        MultiHeadAttention {
            in_proj_weight: None,
            q_proj_weight: None,
            k_proj_weight: None,
            v_proj_weight: None,
            in_proj_bias: None,
            bias_k: None,
            bias_v: None,
            out_proj: Dense::new(1, 1),
            made,
            rotary: None,
            alibi: false,
            causal: false,
            window: None,
            scale: None,
            soft_cap: None,
            dropout: 0.0,
            zero_attention: false,
        }
        .built()
    }

    /// Keys and values have so many heads, each for as many neighbouring heads of queries: grouped-query attention, and
    /// with 1 multi-query attention. Draws the weights anew, as all that changes their shapes. Ainslie et al. 2023.
    #[must_use]
    #[track_caller]
    pub fn kv_heads(mut self, heads: usize) -> MultiHeadAttention {
        self.made.kv_heads = heads;
        self.built()
    }

    /// Each head has so many features, instead of features / heads.
    #[must_use]
    #[track_caller]
    pub fn head_features(mut self, features: usize) -> MultiHeadAttention {
        self.made.head_features = Some(features);
        self.built()
    }

    /// Keys have another number of features than queries: PyTorch's `kdim`.
    #[must_use]
    #[track_caller]
    pub fn key_features(mut self, features: usize) -> MultiHeadAttention {
        let [_, values] = self.made.apart.unwrap_or([self.made.features; 2]);
        self.made.apart = Some([features, values]);
        self.built()
    }

    /// Values have another number of features than queries: PyTorch's `vdim`.
    #[must_use]
    #[track_caller]
    pub fn value_features(mut self, features: usize) -> MultiHeadAttention {
        let [keys, _] = self.made.apart.unwrap_or([self.made.features; 2]);
        self.made.apart = Some([keys, features]);
        self.built()
    }

    /// Projections without something added, `out_proj` included.
    #[must_use]
    #[track_caller]
    pub fn without_bias(mut self) -> MultiHeadAttention {
        self.made.bias = false;
        self.built()
    }

    /// One more key and value, which are learned and which every query sees: PyTorch's `add_bias_kv`.
    #[must_use]
    #[track_caller]
    pub fn with_kv_bias(mut self) -> MultiHeadAttention {
        self.made.kv_bias = true;
        self.built()
    }

    /// One more key and value, of zeros, which every query sees and so may look away: PyTorch's `add_zero_attn`.
    #[must_use]
    pub fn with_zero_attention(mut self) -> MultiHeadAttention {
        self.zero_attention = true;
        self
    }

    /// Draws the weights of the projections from another distribution, that of `out_proj`, too.
    #[must_use]
    #[track_caller]
    pub fn weight_init(mut self, init: Init) -> MultiHeadAttention {
        self.made.init = init;
        self.built()
    }

    /// A query sees only the keys that are less than `size` from it: see [`Attention::window`].
    #[must_use]
    pub fn window(mut self, size: usize) -> MultiHeadAttention {
        self.window = Some(size);
        self
    }

    /// Turns the features of queries and keys by their positions.
    #[must_use]
    pub fn rotary(mut self, rotary: RotaryEmbedding) -> MultiHeadAttention {
        self.rotary = Some(rotary);
        self
    }

    /// Makes far keys weigh less, each head by a slope of its own: see [`alibi_bias`](super::alibi::alibi_bias).
    #[must_use]
    pub fn alibi(mut self) -> MultiHeadAttention {
        self.alibi = true;
        self
    }

    /// Multiplies the scores by this number instead of 1 / √(features of a head).
    #[must_use]
    pub fn scale(mut self, scale: f64) -> MultiHeadAttention {
        self.scale = Some(scale);
        self
    }

    /// Keeps the scores below a cap: see [`Attention::soft_cap`].
    #[must_use]
    pub fn soft_cap(mut self, cap: f64) -> MultiHeadAttention {
        self.soft_cap = Some(cap);
        self
    }

    /// The number of features of queries and of the output.
    pub fn features(&self) -> usize {
        self.made.features
    }

    /// The number of heads.
    pub fn heads(&self) -> usize {
        self.made.heads
    }

    /// As [`attend`](MultiHeadAttention::attend), with the weights of each head, `[batch, heads, queries, keys]`. Their mean,
    /// which PyTorch returns, is `weights.mean_axes(-3)`.
    #[track_caller]
    pub fn attend_weighted<'t>(
        &self,
        query: Var<'t>,
        key: Var<'t>,
        value: Var<'t>,
        masks: Masks<'t>,
    ) -> (Var<'t>, Var<'t>) {
        let tape = query.tape();
        let _scope = self.scope(tape);
        self.touch(tape);
        let inputs = [query, key, value];
        if let Err(error) = self.fit(inputs) {
            let none = tape.reject(NAME, &[("query", query), ("key", key), ("value", value)], error);
            return (none, none);
        }
        let single = query.rank() == 2;
        let same = key.id() == query.id() && value.id() == query.id();
        let inputs = if single { inputs.map(|x| x.unsqueeze(0)) } else { inputs };
        let [q, k, v] = match (&self.in_proj_weight, inputs) {
            (Some(_), [x, ..]) if same => self.project_all(x),
            (_, [q, k, v]) => [self.project(0, q), self.project(1, k), self.project(2, v)],
        };
        let [q, k] = [q, k].map(|x| self.turned(x, None));
        let (y, weights) = self.look(q, k, v, self.options(), masks);
        if single { (y.squeeze(0), weights.squeeze(0)) } else { (y, weights) }
    }

    /// The keys and values of a memory, projected once for many queries: [`recall`](MultiHeadAttention::recall) looks at
    /// them. `key` and `value` are those of [`attend`](MultiHeadAttention::attend), with the axis of the batch.
    #[track_caller]
    pub fn remember<'t>(&self, key: Var<'t>, value: Var<'t>) -> KvCache<Var<'t>> {
        let tape = key.tape();
        let _scope = self.scope(tape);
        self.touch(tape);
        if let Err(error) = self.fit_memory(key, value) {
            let none = tape.reject(NAME, &[("key", key), ("value", value)], error);
            return KvCache::full(none, none);
        }
        KvCache::full(self.turned(self.project(1, key), None), self.project(2, value))
    }

    /// What each query `[batch, queries, features]` finds in a memory that was [remembered](MultiHeadAttention::remember).
    #[track_caller]
    pub fn recall<'t>(&self, query: Var<'t>, memory: &KvCache<Var<'t>>, masks: Masks<'t>) -> Var<'t> {
        self.recall_from(query, memory, masks, None)
    }

    /// As [`recall`](MultiHeadAttention::recall), where the first query stands beside this key.
    #[track_caller]
    pub(super) fn recall_from<'t>(
        &self,
        query: Var<'t>,
        memory: &KvCache<Var<'t>>,
        masks: Masks<'t>,
        start: Option<Var<'t>>,
    ) -> Var<'t> {
        let tape = query.tape();
        let _scope = self.scope(tape);
        self.touch(tape);
        let (layers, shape) = (memory.layers(), query.shape());
        let Some([keys, values]) = memory.keys_and_values().filter(|_| layers == 1) else {
            let error = Error::state(format!("a memory of {layers} layers for one"));
            return tape.reject(NAME, &[("query", query)], error.help("`remember` of the layer makes one"));
        };
        if shape.rank() != 3 || shape.last() != Some(&self.made.features) || shape.first() != keys.shape().first() {
            let fits = format!("[{}, queries, {}]", keys.shape().first().copied().unwrap_or(0), self.made.features);
            let error = Error::shape(format!("queries {shape} for a memory that takes {fits}"));
            return tape.reject(NAME, &[("query", query), ("memory", keys)], error);
        }
        let options = match start {
            Some(start) => self.options().offset(start),
            None => self.options(),
        };
        self.look(self.turned(self.project(0, query), start), keys, values, options, masks).0
    }

    /// An empty cache with room for so many tokens of each example.
    ///
    /// # Errors
    /// A size of 0; the weights are faulty; the memory cannot be had.
    #[track_caller]
    pub fn cache(&self, batch: usize, capacity: usize) -> Result<KvCache> {
        crate::module::check(self)?;
        let head = self.made.sizes().map_err(|error| error.op(NAME))?;
        KvCache::new(batch, self.made.kv_heads, capacity, head, self.out_proj.weight.dtype())
    }

    /// Self-attention of the next tokens `[batch, tokens, features]` to those in the cache and to themselves, none to what
    /// follows it. Several tokens at once, such as a prompt, are as good as one after another.
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t>, cache: KvCache<Var<'t>>) -> (Var<'t>, KvCache<Var<'t>>) {
        self.step_masked(x, cache, Masks::new())
    }

    /// As [`step`](MultiHeadAttention::step), with masks whose keys are all places of the cache: for prompts that are padded.
    #[track_caller]
    pub fn step_masked<'t>(
        &self,
        x: Var<'t>,
        cache: KvCache<Var<'t>>,
        masks: Masks<'t>,
    ) -> (Var<'t>, KvCache<Var<'t>>) {
        let tape = x.tape();
        let _scope = self.scope(tape);
        self.touch(tape);
        let here = Location::caller();
        let refused = |error: Error| {
            let none = tape.reject(NAME, &[("input", x)], error);
            tape.amend(|error| blame(error, here));
            (none, cache.clone())
        };
        if let Err(error) = self.fit([x; 3]) {
            return refused(error);
        }
        if x.rank() != 3 {
            return refused(Error::shape(format!("a step takes [batch, tokens, features], not {}", x.shape())));
        }
        let start = cache.length();
        let [q, k, v] = match self.in_proj_weight {
            Some(_) => self.project_all(x),
            None => [self.project(0, x), self.project(1, x), self.project(2, x)],
        };
        let [q, k] = [q, k].map(|x| self.turned(x, Some(start)));
        let cache = cache.append(k, v);
        let Some([keys, values]) = cache.keys_and_values() else { return refused(Error::state("a cache of 0 layers")) };
        let (y, _) = self.look(q, keys, values, self.options().causal().offset(start), masks);
        (y, cache)
    }

    fn options<'t>(&self) -> Attention<'t> {
        Attention::new()
            .causal_if(self.causal)
            .window_if(self.window)
            .alibi_if(self.alibi)
            .scale_if(self.scale)
            .soft_cap_if(self.soft_cap)
            .dropout(self.dropout)
    }

    /// Attention of heads `[batch, heads, positions, features]`, and what is made of it.
    #[track_caller]
    fn look<'t>(
        &self,
        q: Var<'t>,
        k: Var<'t>,
        v: Var<'t>,
        options: Attention<'t>,
        masks: Masks<'t>,
    ) -> (Var<'t>, Var<'t>) {
        let tape = q.tape();
        let (batch, queries, keys) = (q.dim(0), q.dim(2), k.dim(2));
        let (k, v) = self.with_more(k, v);
        let more = k.dim(2).saturating_sub(keys);
        let options = match masks.added_to(options, [batch, self.made.heads, queries, keys], more, q.dtype()) {
            Ok(options) => options.placeless(more),
            Err((what, mask, error)) => {
                let none = tape.reject(NAME, &[(what, mask)], error);
                return (none, none);
            }
        };
        let (y, weights) = options.with_weights(q, k, v);
        let y = y.transpose(1, 2);
        let y = y.reshape([batch, queries, y.dim(2) * y.dim(3)]);
        (self.out_proj.forward(y), weights)
    }

    /// Keys and values, and after them those that have no position.
    #[track_caller]
    fn with_more<'t>(&self, k: Var<'t>, v: Var<'t>) -> (Var<'t>, Var<'t>) {
        let tape = k.tape();
        let (batch, heads, head) = (k.dim(0), k.dim(1), k.dim(3));
        let row = |param: &Param| {
            let row = param.on(tape).reshape([1, heads, 1, head]);
            row.broadcast_to([batch, heads, 1, head])
        };
        let (mut k, mut v) = (k, v);
        if let (Some(bias_k), Some(bias_v)) = (&self.bias_k, &self.bias_v) {
            k = tape.concat(&[k, row(bias_k)], 2);
            v = tape.concat(&[v, row(bias_v)], 2);
        }
        if self.zero_attention {
            [k, v] = [k, v].map(|x| x.pad(2, 0, 1, 0.0));
        }
        (k, v)
    }

    /// A fault of the weights is told before one of the input.
    #[track_caller]
    fn touch(&self, tape: &Tape) {
        for weight in self.in_proj_weight.iter().chain(&self.q_proj_weight) {
            weight.on(tape);
        }
    }

    /// The heads of queries, keys and values that are all made of `x`, `[batch, heads, positions, features]`.
    #[track_caller]
    fn project_all<'t>(&self, x: Var<'t>) -> [Var<'t>; 3] {
        let weight = self.in_proj_weight.as_ref().map(|weight| weight.on(x.tape()));
        let y = linear(x, weight, self.in_proj_bias.as_ref().map(|bias| bias.on(x.tape())));
        self.cuts().map(|cut| self.split(y.slice(-1, cut)))
    }

    /// The heads of queries (0), keys (1) or values (2).
    #[track_caller]
    fn project<'t>(&self, part: usize, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let cut = self.cuts().get(part).cloned().unwrap_or(0..0);
        let apart = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight];
        let weight = match &self.in_proj_weight {
            Some(weight) => Some(weight.on(tape).slice(0, cut.clone())),
            None => apart.get(part).copied().and_then(Option::as_ref).map(|weight| weight.on(tape)),
        };
        let bias = self.in_proj_bias.as_ref().map(|bias| bias.on(tape).slice(0, cut));
        self.split(linear(x, weight, bias))
    }

    /// Which rows of the projections are those of queries, keys and values.
    fn cuts(&self) -> [Range<usize>; 3] {
        let [rows, kv_rows] = self.made.rows().unwrap_or([0; 2]);
        [0..rows, rows..rows + kv_rows, rows + kv_rows..rows + 2 * kv_rows]
    }

    /// `[batch, positions, heads · features]` as `[batch, heads, positions, features]`.
    #[track_caller]
    fn split<'t>(&self, x: Var<'t>) -> Var<'t> {
        let head = self.made.sizes().unwrap_or(0).max(1);
        x.reshape([x.dim(0), x.dim(1), x.dim(2) / head, head]).transpose(1, 2)
    }

    /// Queries or keys, turned as their positions say, which count from `start`.
    #[track_caller]
    fn turned<'t>(&self, x: Var<'t>, start: Option<Var<'t>>) -> Var<'t> {
        match (&self.rotary, start) {
            (Some(rotary), Some(start)) => rotary.rotate(x, x.tape().iota([x.dim(-2)], 0, DType::I64) + start),
            (Some(rotary), None) => rotary.forward(x),
            (None, _) => x,
        }
    }

    /// Whether queries, keys and values fit the layer and each other.
    fn fit(&self, [query, key, value]: [Var<'_>; 3]) -> Result<()> {
        let [keys, values] = self.made.apart.unwrap_or([self.made.features; 2]);
        let queries = ("queries", query.shape(), self.made.features);
        fit_together(&[queries, ("keys", key.shape(), keys), ("values", value.shape(), values)], MEND)
    }

    /// Whether keys and values of a batch fit the layer and each other.
    fn fit_memory(&self, key: Var<'_>, value: Var<'_>) -> Result<()> {
        let [keys, values] = self.made.apart.unwrap_or([self.made.features; 2]);
        match key.rank() {
            3 => fit_together(&[("keys", key.shape(), keys), ("values", value.shape(), values)], MEND),
            _ => Err(Error::shape(format!("keys are [batch, positions, features], not {}", key.shape()))),
        }
    }

    /// The layer with the weights that its settings ask for.
    #[track_caller]
    fn built(mut self) -> MultiHeadAttention {
        let made = self.made.clone();
        let here = Location::caller();
        let fault = |error: Error| Param::faulty(error.op(NAME).at(here));
        let weight = |dims: [usize; 2]| Param::draw(dims, made.init.clone());
        (self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v) = (None, None, None, None);
        (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight) = (None, None, None);
        let [rows, kv_rows] = match made.rows() {
            Ok(rows) => rows,
            Err(error) => {
                self.in_proj_weight = Some(fault(error));
                return self;
            }
        };
        // As in PyTorch, what takes the same features is one weight.
        match made.apart.filter(|apart| *apart != [made.features; 2]) {
            None => self.in_proj_weight = Some(weight([rows + 2 * kv_rows, made.features])),
            Some([keys, values]) => {
                self.q_proj_weight = Some(weight([rows, made.features]));
                self.k_proj_weight = Some(weight([kv_rows, keys]));
                self.v_proj_weight = Some(weight([kv_rows, values]));
            }
        }
        if made.bias {
            self.in_proj_bias = Some(Param::draw([rows + 2 * kv_rows], Init::Zeros));
        }
        if made.kv_bias {
            let row = || Some(Param::draw([1, 1, kv_rows], Init::GlorotNormal));
            (self.bias_k, self.bias_v) = (row(), row());
        }
        self.out_proj = Dense::new(rows, made.features).weight_init(made.init.clone());
        if !made.bias {
            self.out_proj = self.out_proj.without_bias();
        }
        self
    }
}

attends!(MultiHeadAttention);

/// x Wᵀ + b.
#[track_caller]
fn linear<'t>(x: Var<'t>, weight: Option<Var<'t>>, bias: Option<Var<'t>>) -> Var<'t> {
    let y = weight.map_or(x, |weight| x.matmul(weight.t()));
    bias.map_or(y, |bias| y + bias)
}

impl Made {
    /// The features of a head.
    fn sizes(&self) -> Result<usize> {
        let &Made { features, heads, kv_heads, .. } = self;
        let apart = self.apart.unwrap_or([features; 2]);
        if features == 0 || heads == 0 || apart.contains(&0) || self.head_features == Some(0) {
            let error = Error::value(format!(
                "{heads} heads for {features} features of queries, and {apart:?} of keys and values"
            ));
            return Err(error.help("all numbers are at least 1"));
        }
        if self.head_features.is_none() && !features.is_multiple_of(heads) {
            let error = Error::value(format!("{features} features cannot be shared by {heads} heads"));
            return Err(error.help("the number of heads divides that of the features; or say `head_features`"));
        }
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let error = Error::value(format!("{heads} heads of queries for {kv_heads} of keys and values"));
            return Err(error.help("`kv_heads` divides the number of heads"));
        }
        Ok(self.head_features.unwrap_or(features / heads))
    }

    /// How many rows the projection of queries has, and that of keys or values.
    fn rows(&self) -> Result<[usize; 2]> {
        let head = self.sizes()?;
        match (self.heads.checked_mul(head), self.kv_heads.checked_mul(head)) {
            (Some(rows), Some(kv_rows)) if rows.checked_mul(3).is_some() => Ok([rows, kv_rows]),
            _ => Err(Error::value(format!("{} heads of {head} features are too many", self.heads))),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    const ALL: &[&str] = &["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
    const APART: &[&str] =
        &["q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
    const KV_BIAS: &[&str] =
        &["in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj.weight", "out_proj.bias"];
    type Function = for<'t> fn(&MultiHeadAttention, Var<'t>) -> Var<'t>;
    fn case(
        name: &'static str,
        layer: MultiHeadAttention,
        shapes: [&[usize]; 2],
        names: &'static [&'static str],
        function: Function,
    ) -> Case {
        Case::new("multi_head_attention", name, Applied::new(layer, function), shapes, names)
    }
    let new = || MultiHeadAttention::new(4, 2);
    let same: [&[usize]; 2] = [&[2, 3, 4], &[2, 3, 4]];
    let plain: Function = |a, x| a.forward(x);
    /// The last key of the first example.
    fn padding(x: Var<'_>) -> Var<'_> {
        let tape = x.tape();
        tape.iota([2, 3], 0, DType::I64).lt(1).and(tape.iota([2, 3], 1, DType::I64).eq(2))
    }
    /// All but one key of each query; another one in each head.
    fn each_head(x: Var<'_>) -> Var<'_> {
        let tape = x.tape();
        let [heads, queries, keys] = [0, 1, 2].map(|axis| tape.iota([4, 3, 3], axis, DType::I64));
        ((heads + queries + keys) % 3).ne(0)
    }
    fn each_example(x: Var<'_>) -> Var<'_> {
        each_head(x).slice(0, 1..3)
    }
    vec![
        case("self", new(), same, ALL, plain),
        case("one_token", new(), [&[1, 1, 4], &[1, 1, 4]], ALL, plain),
        case("one_example", new(), [&[3, 4], &[3, 4]], ALL, plain),
        case("without_bias", new().without_bias(), same, &["in_proj_weight", "out_proj.weight"], plain),
        case("cross", new(), [&[2, 5, 4], &[2, 2, 4]], ALL, |a, x| {
            let (query, memory) = (x.slice(1, 0..2), x.slice(1, 2..));
            a.attend(query, memory, memory, Masks::new())
        }),
        case("remembered", new(), [&[2, 5, 4], &[2, 2, 4]], ALL, |a, x| {
            let memory = x.slice(1, 2..);
            a.recall(x.slice(1, 0..2), &a.remember(memory, memory), Masks::new())
        }),
        case("features_apart", new().key_features(3).value_features(1), same, APART, |a, x| {
            a.attend(x, x.slice(-1, 0..3), x.slice(-1, 3..), Masks::new())
        }),
        case("causal", new().causal(), same, ALL, plain),
        case("padding", new(), same, ALL, |a, x| a.attend(x, x, x, Masks::new().padding(padding(x)))),
        case("lengths", new(), same, ALL, |a, x| {
            let lengths = x.tape().iota([2], 0, DType::I64) + 2;
            a.attend(x, x, x, Masks::new().lengths(lengths))
        }),
        case("mask", new(), same, ALL, |a, x| {
            let mask = each_head(x).at(0, 1);
            a.attend(x, x, x, Masks::new().mask(mask).padding(padding(x)))
        }),
        case("mask_of_heads", new(), same, ALL, |a, x| a.attend(x, x, x, Masks::new().mask(each_head(x)))),
        case("mask_of_examples", new(), same, ALL, |a, x| a.attend(x, x, x, Masks::new().mask(each_example(x)))),
        case("added", new(), same, ALL, |a, x| {
            let padding = x.tape().full([2, 3], -0.5, x.dtype()).select(padding(x), 0.0);
            a.attend(
                x,
                x,
                x,
                Masks::new().mask(x.at(0, 0).at(0, 0).slice(0, 0..3).broadcast_to([3, 3])).padding(padding),
            )
        }),
        case("kv_bias", new().with_kv_bias(), same, KV_BIAS, |a, x| {
            a.attend(x, x, x, Masks::new().causal().padding(padding(x)))
        }),
        case("zero_attention", new().with_zero_attention().with_kv_bias(), same, KV_BIAS, |a, x| {
            a.attend(x, x, x, Masks::new().mask(each_head(x)))
        }),
        // The weights beside the output.
        case("weights", new(), [&[2, 3, 4], &[2, 3, 10]], ALL, |a, x| {
            let (y, weights) = a.attend_weighted(x, x, x, Masks::new());
            x.tape().concat(&[y, weights.transpose(1, 2).reshape([2, 3, 6])], -1)
        }),
        case("mean_weights", new(), [&[2, 3, 4], &[2, 3, 7]], ALL, |a, x| {
            let (y, weights) = a.attend_weighted(x, x, x, Masks::new().causal());
            x.tape().concat(&[y, weights.mean_axes(-3)], -1)
        }),
        case("grouped", MultiHeadAttention::new(8, 4).kv_heads(2).causal(), [&[2, 3, 8], &[2, 3, 8]], ALL, plain),
        case("head_features", MultiHeadAttention::new(3, 2).head_features(4), [&[2, 2, 3], &[2, 2, 3]], ALL, plain),
        case("rotary", new().rotary(RotaryEmbedding::new()).causal(), same, ALL, plain),
        case("alibi", new().alibi().causal(), same, ALL, plain),
    ]
}
