//! What attention keeps of the tokens that it has seen, so that the next one costs one step.

use std::fmt;
use std::panic::Location;

use smallvec::SmallVec;
use wengert_autograd::{Tape, Var, Vars};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use super::multi_head_attention::MultiHeadAttention;
use crate::explain::blame;

const NAME: &str = "KvCache";

/// The keys and values of all tokens so far, for each layer of attention of a model: state that goes into a step and comes
/// out of it.
///
/// | | shape | dtype |
/// |---|---|---|
/// | keys, values of a layer | `[batch, kv_heads, capacity, features of a head]` | that of the weights |
/// | length | `[]` | i64, how many tokens there are |
///
/// The room is fixed and the length is a value, so the graph of a step is the same for every token: one plan runs them all.
/// Between steps a cache holds tensors; on a tape ([`on`](KvCache::on)) it holds variables, and `eval` turns it back. A
/// step that does not fit the room is an error when it is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::multi_head_attention::MultiHeadAttention;
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let attention = MultiHeadAttention::new(8, 2).causal();
/// let mut cache = attention.cache(1, 16)?;
/// for _ in 0..3 {
///     let tape = Tape::new();
///     let token = tape.input(&Tensor::ones([1, 1, 8], DType::F32)?);
///     let (y, next) = tape.eval(attention.step(token, cache.on(&tape)))?;
///     assert_eq!(y.shape().dims(), [1, 1, 8]);
///     cache = next;
/// }
/// assert_eq!(cache.tokens()?, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KvCache<V = Tensor> {
    /// Keys and values of each layer.
    layers: Vec<[V; 2]>,
    length: V,
}

impl KvCache<Tensor> {
    /// Room for `capacity` tokens in one layer of attention, empty.
    ///
    /// # Errors
    /// A size of 0; a dtype that is no float; the memory cannot be had.
    #[track_caller]
    pub fn new(batch: usize, heads: usize, capacity: usize, features: usize, dtype: DType) -> Result<KvCache> {
        let shape = [batch, heads, capacity, features];
        if shape.contains(&0) || !dtype.is_float() {
            let error = Error::value(format!("room for {shape:?} {dtype}: batch, heads, capacity, features"));
            let error = error.op(NAME).at(Location::caller());
            return Err(error.help("all sizes are at least 1, and the numbers are floats"));
        }
        let empty = Tensor::zeros(shape, dtype)?;
        Ok(KvCache { layers: vec![[empty.clone(), empty]], length: Tensor::from(0i64) })
    }

    /// The cache as variables of a tape, for a step.
    #[track_caller]
    pub fn on<'t>(&self, tape: &'t Tape) -> KvCache<Var<'t>> {
        let layers = self.layers.iter().map(|layer| layer.each_ref().map(|part| tape.input(part))).collect();
        KvCache { layers, length: tape.input(&self.length) }
    }

    /// How many tokens it holds.
    ///
    /// # Errors
    /// None, for a cache that a step gave.
    pub fn tokens(&self) -> Result<usize> {
        Ok(usize::try_from(self.length.item::<i64>()?).unwrap_or(0))
    }

    /// How many tokens there is room for.
    pub fn capacity(&self) -> usize {
        self.layers.first().and_then(|[keys, _]| keys.dim(-2).ok()).unwrap_or(0)
    }

    /// The same room, with the first `length` tokens only: what follows them is written over. For another continuation of a
    /// prompt, or to take back what was guessed.
    ///
    /// # Errors
    /// More tokens than it holds.
    #[track_caller]
    pub fn truncated(&self, length: usize) -> Result<KvCache> {
        let held = self.tokens()?;
        if length > held {
            let error = Error::value(format!("the first {length} of {held} tokens")).op(NAME).at(Location::caller());
            return Err(error.help("a cache is cut to fewer tokens than it holds: see `tokens`"));
        }
        Ok(KvCache { layers: self.layers.clone(), length: Tensor::from(length as i64) })
    }
}

impl<V: Clone> KvCache<V> {
    /// How many layers of attention it is for.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The part of one layer, as a cache of its own.
    pub fn layer(&self, index: usize) -> Option<KvCache<V>> {
        let layer = self.layers.get(index)?.clone();
        Some(KvCache { layers: vec![layer], length: self.length.clone() })
    }

    /// The caches of several layers as one. They hold the same tokens, so the length is that of the first; `None` of none.
    pub fn stack(caches: impl IntoIterator<Item = KvCache<V>>) -> Option<KvCache<V>> {
        let mut caches = caches.into_iter();
        let mut all = caches.next()?;
        caches.for_each(|cache| all.layers.extend(cache.layers));
        Some(all)
    }

    /// How many tokens it holds: an i64 without axes.
    pub fn length(&self) -> V {
        self.length.clone()
    }
}

impl<'t> KvCache<Var<'t>> {
    /// Keys and values of one layer, as many as there is room for.
    #[track_caller]
    pub(super) fn full(keys: Var<'t>, values: Var<'t>) -> KvCache<Var<'t>> {
        let count = keys.shape().dims().iter().rev().nth(1).copied().unwrap_or(0);
        KvCache { layers: vec![[keys, values]], length: keys.tape().scalar(count as f64, DType::I64) }
    }

    /// The keys and values `[batch, kv_heads, capacity, features]` of the first layer, with room at the end.
    pub fn keys_and_values(&self) -> Option<[Var<'t>; 2]> {
        self.layers.first().copied()
    }

    /// The cache of these examples, `[examples]` i64, in their order and as often as they are named: for the beams of a search.
    #[track_caller]
    pub fn select(&self, examples: Var<'t>) -> KvCache<Var<'t>> {
        let layers = self.layers.iter().map(|layer| layer.map(|part| part.index_select(0, examples))).collect();
        KvCache { layers, length: self.length }
    }

    /// This cache of one layer with the keys and values of more tokens, `[batch, kv_heads, tokens, features]`.
    #[track_caller]
    pub fn append(&self, keys: Var<'t>, values: Var<'t>) -> KvCache<Var<'t>> {
        let tape = keys.tape();
        let _scope = tape.scope(NAME);
        let here = Location::caller();
        let refused = |error: Error| {
            let none = tape.reject(NAME, &[("keys", keys), ("values", values)], error);
            tape.amend(|error| blame(error, here));
            KvCache { layers: vec![[none, none]; self.layers.len()], length: none }
        };
        let &[[old_keys, old_values]] = &self.layers[..] else {
            return refused(Error::state(format!("a cache of {} layers for one", self.layers.len())));
        };
        let tokens = keys.shape().dims().iter().rev().nth(1).copied().unwrap_or(0);
        for (old, new) in [(old_keys, keys), (old_values, values)] {
            let (room, new) = (old.meta(), new.meta());
            let fits = match (room.shape.dims(), new.shape.dims()) {
                (&[b, h, _, d], &[batch, heads, n, features]) => [b, h, tokens, d] == [batch, heads, n, features],
                _ => false,
            };
            if !fits || room.dtype != new.dtype {
                let error =
                    Error::shape(format!("a cache {} {} for {} {}", room.shape, room.dtype, new.shape, new.dtype));
                return refused(error.help("they differ in the number of tokens alone"));
            }
        }
        let capacity = old_keys.dim(-2);
        if tokens == 0 || tokens > capacity {
            let error = Error::shape(format!("{tokens} tokens at once, and there is room for {capacity}"));
            return refused(error.help("at least one; a larger capacity has room for more"));
        }
        // The last one must have a place, too. Which position that is shows when it is computed.
        let last = (self.length + (tokens - 1) as i64).check_index(capacity, "position in a KvCache");
        let start = last - (tokens - 1) as i64;
        let layer = [old_keys.dynamic_update(-2, start, keys), old_values.dynamic_update(-2, start, values)];
        KvCache { layers: vec![layer], length: last + 1 }
    }
}

/// A step gives `(y, cache)`, and `tape.eval` of both gives tensors in the same form.
impl<'t> Vars<'t> for KvCache<Var<'t>> {
    type Of<T> = KvCache<T>;

    fn list(&self) -> SmallVec<[Var<'t>; 4]> {
        self.layers.iter().flatten().copied().chain([self.length]).collect()
    }

    fn collect<T>(&self, mut results: impl Iterator<Item = T>) -> Option<KvCache<T>> {
        let layers = self.layers.iter().map(|_| Some([results.next()?, results.next()?])).collect::<Option<_>>()?;
        Some(KvCache { layers, length: results.next()? })
    }

    fn map<T>(&self, mut f: impl FnMut(Var<'t>) -> T) -> KvCache<T> {
        let layers = self.layers.iter().map(|layer| layer.map(&mut f)).collect();
        KvCache { layers, length: f(self.length) }
    }
}

impl fmt::Display for KvCache<Tensor> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.tokens().map_err(|_| fmt::Error)?;
        write!(f, "KvCache of {} layers: {length} of {} tokens", self.layers.len(), self.capacity())
    }
}

/// What the laws try: three tokens in two steps are attention to all of them at once.
pub(super) fn cases() -> Vec<Case> {
    let attention = MultiHeadAttention::new(4, 2).causal();
    let names: &[&str] = &["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
    let stepped = Applied::new(attention, |attention: &MultiHeadAttention, x: Var<'_>| {
        let tape = x.tape();
        let empty = tape.full([2, 2, 5, 2], 0.0, x.dtype());
        let cache = KvCache { layers: vec![[empty, empty]], length: tape.scalar(0.0, DType::I64) };
        let (first, cache) = attention.step(x.slice(1, 0..2), cache);
        let (second, _) = attention.step(x.slice(1, 2..3), cache);
        tape.concat(&[first, second], 1)
    });
    vec![Case::new("kv_cache", "two_steps", stepped, [&[2, 3, 4], &[2, 3, 4]], names)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said() -> Result<()> {
        let error = KvCache::new(1, 2, 0, 4, DType::F32).unwrap_err().to_string();
        assert!(error.contains("room for [1, 2, 0, 4] f32") && error.contains("at least 1"), "{error}");
        assert!(KvCache::new(1, 2, 3, 4, DType::I64).unwrap_err().to_string().contains("floats"));

        let cache = KvCache::new(1, 2, 3, 4, DType::F32)?;
        let say = |shape: [usize; 4], dtype| {
            let tape = Tape::new();
            let new = tape.full(shape, 1.0, dtype);
            tape.eval(cache.on(&tape).append(new, new)).unwrap_err().to_string()
        };
        assert!(say([1, 2, 4, 4], DType::F32).contains("4 tokens at once, and there is room for 3"));
        assert!(say([2, 2, 1, 4], DType::F32).contains("a cache [1, 2, 3, 4] f32 for [2, 2, 1, 4] f32"));
        assert!(say([1, 2, 1, 4], DType::F64).contains("f32 for [1, 2, 1, 4] f64"));
        Ok(())
    }

    #[test]
    fn examples_are_chosen_for_a_search() -> Result<()> {
        let tape = Tape::new();
        let new = tape.input(&Tensor::from_fn([3, 1, 1, 1], |i| i as f32)?);
        let cache = KvCache::new(3, 1, 1, 1, DType::F32)?.on(&tape).append(new, new);
        let beams = tape.eval(cache.select(tape.input(&Tensor::from([2i64, 0, 2, 1]))))?;
        assert_eq!(beams.layers[0][1].to_vec::<f32>()?, [2.0, 0.0, 2.0, 1.0]);
        assert_eq!(beams.tokens()?, 1);
        Ok(())
    }

    #[test]
    fn more_than_there_is_room_for_is_an_error_of_the_step() -> Result<()> {
        let mut cache = KvCache::new(1, 1, 2, 1, DType::F32)?;
        let step = |cache: &KvCache, value: f64| {
            let tape = Tape::new();
            let new = tape.full([1, 1, 1, 1], value, DType::F32);
            tape.eval(cache.on(&tape).append(new, new))
        };
        for value in [1.0, 2.0] {
            cache = step(&cache, value)?;
        }
        assert_eq!((cache.tokens()?, cache.capacity(), cache.layers()), (2, 2, 1));
        let error = step(&cache, 3.0).unwrap_err().to_string();
        assert!(error.contains("position in a KvCache 2") && error.contains("outside 0..2"), "{error}");
        let back = step(&cache.truncated(1)?, 4.0)?;
        assert_eq!(back.layers[0][0].to_vec::<f32>()?, [1.0, 4.0]);
        assert_eq!(back.to_string(), "KvCache of 1 layers: 2 of 2 tokens");
        assert!(cache.truncated(3).is_err());
        Ok(())
    }
}
