//! Embedding: a table of vectors, looked up by whole numbers.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// y = the row of W that x names.
///
/// | | shape | dtype |
/// |---|---|---|
/// | x | `[…]` | i64 (or other integers), each in `0..entries` |
/// | `weight` W | `[entries, features]` | float |
/// | y | `[…, features]` | that of W |
///
/// The weight starts from a normal distribution of deviation 1. Names, shapes and options are those of PyTorch's `Embedding`. A number
/// outside of the table is an error when the value is computed. Bengio et al. 2003.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::embedding::Embedding};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let table = Embedding::of(Tensor::from([[0f32, 0.0], [1.0, 2.0], [3.0, 4.0]]));
/// let y = table.predict(&Tensor::from([[2i64, 1, 2]]))?;
/// assert_eq!(y.shape().dims(), [1, 3, 2]);
/// assert_eq!(y.to_vec::<f32>()?, [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Embedding {
    /// W, `[entries, features]`.
    pub weight: Param,
    #[module(skip)]
    options: Options,
}

/// What of a table is special; [`EmbeddingBag`](super::embedding_bag::EmbeddingBag) has the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) padding: Option<usize>,
    max_norm: Option<f64>,
    norm_type: f64,
}

impl Options {
    pub(super) const NONE: Options = Options { padding: None, max_norm: None, norm_type: 2.0 };

    pub(super) fn bounded(self, bound: f64) -> Options {
        Options { max_norm: Some(bound), ..self }
    }

    pub(super) fn norm(self, norm_type: f64) -> Options {
        Options { norm_type, ..self }
    }

    /// The rows that the indices name, for a table and indices that fit.
    #[track_caller]
    pub(super) fn rows<'t>(self, weight: Var<'t>, index: Var<'t>) -> Var<'t> {
        let mut rows = weight.gather(0, index);
        if let Some(bound) = self.max_norm {
            let norms = match self.norm_type == 2.0 {
                true => rows.norm_axes(-1),
                false => rows.norm_p(self.norm_type, -1),
            };
            let scale = (bound / (norms + 1e-7)).select(norms.gt(bound), 1.0).unsqueeze(-1);
            // The gradient is that of a table whose rows were bounded before: it does not pass the norm.
            rows = rows + (rows * scale - rows).stop_gradient();
        }
        match self.padding {
            Some(padding) => rows.stop_gradient().select(index.eq(padding as i64).unsqueeze(-1), rows),
            None => rows,
        }
    }

    /// Whether table, indices and options fit together; the indices as i64.
    pub(super) fn check<'t>(self, weight: Var<'t>, index: Var<'t>) -> Result<Var<'t>> {
        let entries = weight.shape().first().copied().unwrap_or(0);
        if weight.rank() != 2 {
            return Err(Error::shape(format!("a table is [entries, features], not {}", weight.shape())));
        }
        if let Some(padding) = self.padding.filter(|padding| *padding >= entries) {
            let error = Error::value(format!("the padding entry {padding} is not in a table of {entries}"));
            return Err(error.help(format!("it is one of 0..{entries}")));
        }
        if let Some(bound) = self.max_norm.filter(|bound| bound.is_nan() || *bound <= 0.0) {
            return Err(Error::value(format!("a largest norm of {bound}")).help("it is a positive number"));
        }
        if self.norm_type.is_nan() || self.norm_type <= 0.0 {
            let error = Error::value(format!("a norm of order {}", self.norm_type));
            return Err(error.help("the order is a positive number, 2 for the Euclidean norm"));
        }
        match index.dtype() {
            DType::I64 => Ok(index),
            DType::I32 | DType::U8 => Ok(index.cast(DType::I64)),
            other => Err(Error::dtype(format!("takes whole numbers, not {other}"))
                .help("the input names entries of the table: `x.cast(DType::I64)`")),
        }
    }
}

/// A table of so many entries, drawn from N(0, 1) except for the padding entry, which is zero.
#[track_caller]
pub(super) fn table(layer: &'static str, entries: usize, features: usize) -> Param {
    match entries.min(features) {
        0 => Param::faulty(
            Error::value(format!("a table of {entries} entries with {features} features is empty"))
                .op(layer)
                .at(Location::caller())
                .help("both numbers are at least 1"),
        ),
        _ => Param::draw([entries, features], Init::Normal { mean: 0.0, std: 1.0 }),
    }
}

/// The same draw with a row of zeros.
pub(super) fn with_zero_row(init: Init, row: usize) -> Init {
    Init::custom(move |key, shape, dtype| {
        let drawn = init.draw(key, shape, dtype)?;
        let features = shape.last().copied().unwrap_or(1);
        let values = drawn.cast(DType::F64)?.to_f64_vec();
        let kept = |i: usize| if i / features == row { 0.0 } else { values.get(i).copied().unwrap_or(0.0) };
        Tensor::from_fn(shape, kept)?.cast(dtype)
    })
}

impl Embedding {
    /// A table of so many entries with so many features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(entries: usize, features: usize) -> Embedding {
        Embedding { weight: table("Embedding", entries, features), options: Options::NONE }
    }

    /// The table that is given, `[entries, features]`: vectors that were trained elsewhere. They are trained further unless the layer is
    /// [`frozen`](Embedding::frozen).
    pub fn of(table: impl Into<Tensor>) -> Embedding {
        Embedding { weight: Param::new(table), options: Options::NONE }
    }

    /// Keeps optimizers from moving the table.
    #[must_use]
    pub fn frozen(mut self) -> Embedding {
        self.weight.freeze();
        self
    }

    /// The entry that stands for nothing: it starts as zeros and gets no gradient. (Of a table that was given it keeps its value.)
    #[must_use]
    pub fn padding_idx(mut self, entry: usize) -> Embedding {
        self.options.padding = Some(entry);
        match self.weight.drawn_from().cloned() {
            Some(init) => self.weight_init(init),
            None => self,
        }
    }

    /// Rows that are longer are looked up with this norm.
    ///
    /// The values and the gradient are PyTorch's. But PyTorch shortens such a row in the table, too, while `forward` changes nothing: for
    /// that, let [`MaxNorm`](crate::constraints::max_norm::MaxNorm) run after the optimizer.
    #[must_use]
    pub fn max_norm(mut self, bound: f64) -> Embedding {
        self.options = self.options.bounded(bound);
        self
    }

    /// Which norm [`max_norm`](Embedding::max_norm) means: (Σ |w|ᵖ)¹ᐟᵖ, with p = 2 unless set.
    #[must_use]
    pub fn norm_type(mut self, p: f64) -> Embedding {
        self.options = self.options.norm(p);
        self
    }

    /// Draws the table from another distribution; the padding entry stays zero.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> Embedding {
        self.weight.set_init(match self.options.padding {
            Some(padding) => with_zero_row(init, padding),
            None => init,
        });
        self
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.weight.shape().first().copied().unwrap_or(0)
    }

    /// The number of features of an entry.
    pub fn features(&self) -> usize {
        self.weight.shape().get(1).copied().unwrap_or(0)
    }

    /// x Wᵀ: how much each entry of the table is like x, `[…, features]` to `[…, entries]`. A language model that reads and writes by
    /// one table ends with it. Press & Wolf 2017; Flax's name.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::embedding::Embedding;
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let table = Embedding::of(Tensor::from([[1f32, 0.0], [0.0, 1.0], [1.0, 1.0]]));
    /// let tape = Tape::new();
    /// let logits = table.attend(tape.input(&Tensor::from([[2f32, 3.0]])));
    /// assert_eq!(logits.value()?.to_vec::<f32>()?, [2.0, 3.0, 5.0]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn attend<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        if x.shape().last() != Some(&self.features()) {
            let error = Error::shape(format!("takes {} features in the last axis, not {}", self.features(), x.shape()));
            return tape.reject("Embedding", &[("input", x), ("weight", weight)], error);
        }
        x.matmul(weight.t())
    }
}

impl Layer for Embedding {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        match self.options.check(weight, x) {
            Ok(index) => self.options.rows(weight, index),
            Err(error) => tape.reject("Embedding", &[("input", x), ("weight", weight)], error),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shapes| Case::new("embedding", name, layer, shapes, &["weight"]).below(7);
    vec![
        case("rows", Embedding::new(7, 3), [&[2, 4], &[2, 4, 3]]),
        // The laws do not look up this entry, the reference does.
        case("padding", Embedding::new(7, 3).padding_idx(2), [&[2, 4], &[2, 4, 3]]),
        case("one", Embedding::new(7, 1), [&[1], &[1, 1]]),
        Case::new(
            "embedding",
            "attend",
            super::case::Applied::new(Embedding::new(7, 3), |table: &Embedding, x| table.attend(x)),
            [&[4, 3], &[4, 7]],
            &["weight"],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::random::Seed;

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = Tensor::from([0i64, 7]);
        let text = |layer: Embedding| layer.predict(&x).unwrap_err().to_string();
        for (text, words) in [
            (text(Embedding::new(7, 3)), "7"),
            (text(Embedding::new(8, 3).padding_idx(8)), "the padding entry 8 is not in a table of 8"),
            (text(Embedding::new(8, 3).max_norm(0.0)), "a largest norm of 0"),
            (text(Embedding::new(8, 3).max_norm(f64::NAN)), "a largest norm of NaN"),
            (text(Embedding::new(8, 3).norm_type(-1.0)), "a norm of order -1"),
            (text(Embedding::of(Tensor::from([1f32, 2.0]))), "a table is [entries, features], not [2]"),
            (text(Embedding::new(0, 3)), "a table of 0 entries with 3 features is empty"),
            (
                Embedding::new(8, 3).predict(&Tensor::from([0.5f32])).unwrap_err().to_string(),
                "takes whole numbers, not f32",
            ),
        ] {
            assert!(text.contains(words) && text.contains("Embedding"), "{words}\n{text}");
        }
        let below = Embedding::new(7, 3).predict(&Tensor::from([-1i64])).unwrap_err().to_string();
        assert!(below.contains("-1"), "{below}");
    }

    #[test]
    fn padding_starts_as_zeros_and_stays() -> Result<()> {
        let layer = Embedding::new(4, 2).padding_idx(1).init(Seed(3))?;
        let free = Embedding::new(4, 2).init(Seed(3))?;
        let (values, without) = (layer.weight.value().to_f64_vec(), free.weight.value().to_f64_vec());
        assert_eq!(values[2..4], [0.0, 0.0]);
        assert_eq!((&values[..2], &values[4..]), (&without[..2], &without[4..]));
        let tape = Tape::new();
        let y = layer.forward(tape.input(&Tensor::from([1i64, 2, 1])));
        let gradient = y.sum().backward()[&layer.weight].value()?;
        assert_eq!(gradient.to_f64_vec(), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn long_rows_are_shortened_and_their_gradient_is_whole() -> Result<()> {
        let layer = Embedding::of(Tensor::from([[3f64, 4.0], [0.3, 0.4]])).max_norm(1.0);
        let tape = Tape::new();
        let y = layer.forward(tape.input(&Tensor::from([0i64, 1])));
        let gradient = y.sum().backward()[&layer.weight].value()?.to_f64_vec();
        let values = y.value()?.to_f64_vec();
        for (ours, theirs) in values.iter().zip([0.6, 0.8, 0.3, 0.4]) {
            assert!((ours - theirs).abs() < 1e-7);
        }
        assert_eq!(gradient, [1.0; 4]);
        let sums = layer.norm_type(1.0).predict(&Tensor::from([0i64]))?.to_f64_vec();
        assert!((sums[0] - 3.0 / 7.0).abs() < 1e-7 && (sums[1] - 4.0 / 7.0).abs() < 1e-7, "{sums:?}");
        Ok(())
    }

    #[test]
    fn takes_other_integers_and_16_bits() -> Result<()> {
        let layer = Embedding::new(4, 2).frozen().with_dtype(DType::BF16)?;
        assert!(!layer.weight.is_trainable());
        let y = layer.predict(&Tensor::from([3i32, 0]))?;
        assert_eq!((y.dtype(), y.shape().dims()), (DType::BF16, &[2, 2][..]));
        Ok(())
    }
}
