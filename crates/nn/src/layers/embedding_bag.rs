//! EmbeddingBag: sums, means or largest values of bags of embeddings.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

use super::case::{Applied, Case};
use super::embedding::{Options, table, with_zero_row};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// How the rows of a bag become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BagMode {
    /// Their sum.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest value of each feature.
    Max,
}

/// y = the mean, sum or maximum of the rows of W that a bag of whole numbers names.
///
/// | | shape | dtype |
/// |---|---|---|
/// | x of [`forward`](Layer::forward) | `[bags, n]`, bags of one size | i64 (or other integers), each in `0..entries` |
/// | x of [`bags`](EmbeddingBag::bags) | `[n]`, all bags one after another | as above |
/// | offsets | `[bags]`, where each bag starts, in order, the first at 0 | i64 |
/// | `weight` W | `[entries, features]` | float |
/// | y | `[bags, features]` | that of W |
///
/// An empty bag gives zeros. Names, shapes and options are those of PyTorch's `EmbeddingBag`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::embedding_bag::{BagMode, EmbeddingBag}};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let table = EmbeddingBag::of(Tensor::from([[0f32, 0.0], [1.0, 2.0], [3.0, 4.0]])).mode(BagMode::Sum);
/// let y = table.predict(&Tensor::from([[2i64, 1]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [4.0, 6.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct EmbeddingBag {
    /// W, `[entries, features]`.
    pub weight: Param,
    #[module(skip)]
    options: Options,
    #[module(skip)]
    mode: BagMode,
}

/// The rows of some bags.
struct Rows<'t> {
    /// `[…, features]`.
    rows: Var<'t>,
    /// 1 for a row that counts, 0 for padding, of the shape of the indices; `None` where all count.
    counts: Option<Var<'t>>,
    /// What the rows are multiplied with.
    weights: Option<Var<'t>>,
}

impl EmbeddingBag {
    /// A table of so many entries with so many features. Zero of either is reported by the first use.
    #[track_caller]
    pub fn new(entries: usize, features: usize) -> EmbeddingBag {
        EmbeddingBag { weight: table("EmbeddingBag", entries, features), options: Options::NONE, mode: BagMode::Mean }
    }

    /// The table that is given, `[entries, features]`.
    pub fn of(table: impl Into<Tensor>) -> EmbeddingBag {
        EmbeddingBag { weight: Param::new(table), options: Options::NONE, mode: BagMode::Mean }
    }

    /// How the rows of a bag become one; their mean unless set.
    #[must_use]
    pub fn mode(mut self, mode: BagMode) -> EmbeddingBag {
        self.mode = mode;
        self
    }

    /// Keeps optimizers from moving the table.
    #[must_use]
    pub fn frozen(mut self) -> EmbeddingBag {
        self.weight.freeze();
        self
    }

    /// The entry that is in no bag, though the bag names it: how bags of several sizes become the rows of one tensor. It gets no gradient.
    /// In a table that is drawn it is zeros; one that was [given](EmbeddingBag::of) stays as it is.
    #[must_use]
    pub fn padding_idx(mut self, entry: usize) -> EmbeddingBag {
        self.options.padding = Some(entry);
        match self.weight.drawn_from().cloned() {
            Some(init) => self.weight_init(init),
            None => self,
        }
    }

    /// Rows that are longer are looked up with this norm: see [`Embedding::max_norm`](super::embedding::Embedding::max_norm).
    #[must_use]
    pub fn max_norm(mut self, bound: f64) -> EmbeddingBag {
        self.options = self.options.bounded(bound);
        self
    }

    /// Which norm [`max_norm`](EmbeddingBag::max_norm) means; 2 unless set.
    #[must_use]
    pub fn norm_type(mut self, p: f64) -> EmbeddingBag {
        self.options = self.options.norm(p);
        self
    }

    /// Draws the table from another distribution; the padding entry stays zero.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> EmbeddingBag {
        self.weight.set_init(match self.options.padding {
            Some(padding) => with_zero_row(init, padding),
            None => init,
        });
        self
    }

    /// As [`forward`](Layer::forward), with each row multiplied by its own number first: `weights` has the shape of `x` and the dtype of
    /// the table. For [`BagMode::Sum`] only.
    #[track_caller]
    pub fn weighted<'t>(&self, x: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        let index = match self.check(x, Some(weights), 2, "[bags, n]") {
            Ok(index) => index,
            Err(error) => return self.reject(error, &[("input", x), ("weights", weights)]),
        };
        self.reduce(&self.rows(index, Some(weights)))
    }

    /// Bags of any sizes, one after another: `offsets` says where each starts. The last one ends with `x`.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::layers::embedding_bag::EmbeddingBag;
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let table = EmbeddingBag::of(Tensor::from([[0f32], [1.0], [4.0]]));
    /// let tape = Tape::new();
    /// let (x, offsets) = (Tensor::from([1i64, 2, 2, 1]), Tensor::from([0i64, 1, 1]));
    /// let y = table.bags(tape.input(&x), tape.input(&offsets));
    /// assert_eq!(y.value()?.to_vec::<f32>()?, [1.0, 0.0, 3.0]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn bags<'t>(&self, x: Var<'t>, offsets: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.split(x, offsets, None)
    }

    /// As [`bags`](EmbeddingBag::bags), with each row multiplied by its own number first. For [`BagMode::Sum`] only.
    #[track_caller]
    pub fn weighted_bags<'t>(&self, x: Var<'t>, offsets: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        self.split(x, offsets, Some(weights))
    }

    #[track_caller]
    fn split<'t>(&self, x: Var<'t>, offsets: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let tape = x.tape();
        let fits = match (offsets.rank(), offsets.dtype()) {
            (1, DType::I64 | DType::I32) => self.check(x, weights, 1, "[n] beside offsets"),
            (1, other) => Err(Error::dtype(format!("takes offsets of whole numbers, not {other}"))),
            _ => Err(Error::shape(format!("takes offsets [bags], not {}", offsets.shape()))),
        };
        let index = match fits {
            Ok(index) => index,
            Err(error) => return self.reject(error, &[("input", x), ("offsets", offsets)]),
        };
        let rows = self.rows(index, weights);
        let (n, bags) = (x.len(), offsets.len());
        let offsets = ordered(offsets.cast(DType::I64), n);
        // Which bag each place is in: how many bags start up to there.
        let places = tape.iota([n], 0, DType::I64);
        let bag = offsets.searchsorted_right(places) - 1;
        let features = rows.rows.dim(-1);
        let zeros = |shape: &[usize]| tape.constant(shape, wengert_tensor::dtype::Scalar::new(rows.rows.dtype(), 0.0));
        let summed = |values: Var<'t>, shape: &[usize]| zeros(shape).index_add(0, bag, values);
        let count = || summed(rows.counts.unwrap_or_else(|| zeros(&[n]) + 1.0), &[bags]);
        match self.mode {
            BagMode::Sum => summed(rows.counted(), &[bags, features]),
            BagMode::Mean => summed(rows.counted(), &[bags, features]) / count().maximum(1.0).unsqueeze(-1),
            BagMode::Max => {
                let least = zeros(&[bags, features]) + f64::NEG_INFINITY;
                let largest = least.scatter_max(0, bag.unsqueeze(-1).broadcast_to([n, features]), rows.counting_most());
                largest.select(count().gt(0.0).unsqueeze(-1), 0.0)
            }
        }
    }

    /// The rows that checked indices name.
    #[track_caller]
    fn rows<'t>(&self, index: Var<'t>, weights: Option<Var<'t>>) -> Rows<'t> {
        let weight = self.weight.on(index.tape());
        let counts = self.options.padding.map(|padding| index.ne(padding as i64).cast(weight.dtype()));
        Rows { rows: self.options.rows(weight, index), counts, weights }
    }

    /// Bags along the last axis but one.
    #[track_caller]
    fn reduce<'t>(&self, rows: &Rows<'t>) -> Var<'t> {
        let count = || rows.counts.map(|counts| counts.sum_keep(-1));
        match (self.mode, rows.rows.dim(1)) {
            (_, 0) | (BagMode::Sum, _) => rows.counted().sum_axes(1),
            (BagMode::Mean, n) => match count() {
                Some(count) => rows.counted().sum_axes(1) / count.maximum(1.0),
                None => rows.counted().sum_axes(1) / n as f64,
            },
            (BagMode::Max, _) => {
                let largest = rows.counting_most().max_axes(1);
                count().map_or(largest, |count| largest.select(count.gt(0.0), 0.0))
            }
        }
    }

    /// The indices as i64, if everything fits.
    fn check<'t>(&self, x: Var<'t>, weights: Option<Var<'t>>, rank: usize, wanted: &str) -> Result<Var<'t>> {
        let table = self.weight.on(x.tape());
        if x.rank() != rank {
            return Err(Error::shape(format!("takes whole numbers {wanted}, not {}", x.shape())).help(
                "`forward` and `weighted` take bags of one size [bags, n], `bags` all bags one after another [n]",
            ));
        }
        if let Some(weights) = weights {
            if self.mode != BagMode::Sum {
                return Err(Error::value(format!("weights for a bag whose mode is {:?}", self.mode))
                    .help("`.mode(BagMode::Sum)` takes weights"));
            }
            if weights.shape() != x.shape() || weights.dtype() != table.dtype() {
                let (shape, dtype) = (weights.shape(), weights.dtype());
                return Err(Error::shape(format!(
                    "takes weights {} {}, not {shape} {dtype}",
                    x.shape(),
                    table.dtype()
                )));
            }
        }
        self.options.check(table, x)
    }

    #[track_caller]
    fn reject<'t>(&self, error: Error, operands: &[(&'static str, Var<'t>); 2]) -> Var<'t> {
        let [(_, x), _] = operands;
        x.tape().reject("EmbeddingBag", operands, error)
    }
}

/// The offsets, checked when they are computed: the first is 0, none is below the one before it, and none is beyond `n`.
#[track_caller]
fn ordered(offsets: Var<'_>, n: usize) -> Var<'_> {
    let bags = offsets.len();
    if bags == 0 {
        return offsets;
    }
    let tape = offsets.tape();
    let first = offsets.slice(0, ..1).check_index(1, "first offset");
    let ends = tape.concat(&[offsets.slice(0, 1..), tape.full([1], n as f64, DType::I64)], 0);
    let sizes = (ends - offsets).check_index(n + 1, "size of a bag, as its offset and the next one say:");
    tape.concat(&[first, (ends - sizes).slice(0, 1..)], 0)
}

impl<'t> Rows<'t> {
    /// The rows with their factors; those that do not count are zero.
    #[track_caller]
    fn counted(&self) -> Var<'t> {
        let factor = match (self.counts, self.weights) {
            (Some(counts), Some(weights)) => counts * weights,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return self.rows,
        };
        self.rows * factor.unsqueeze(-1)
    }

    /// The rows; those that do not count are −∞.
    #[track_caller]
    fn counting_most(&self) -> Var<'t> {
        match self.counts {
            Some(counts) => self.rows.select(counts.gt(0.0).unsqueeze(-1), f64::NEG_INFINITY),
            None => self.rows,
        }
    }
}

impl Layer for EmbeddingBag {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        match self.check(x, None, 2, "[bags, n]") {
            Ok(index) => self.reduce(&self.rows(index, None)),
            Err(error) => self.reject(error, &[("input", x), ("weight", self.weight.on(x.tape()))]),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn bags<'t>(layer: &EmbeddingBag, x: Var<'t>) -> Var<'t> {
        layer.bags(x, x.tape().input(&Tensor::from([0i64, 2, 2, 3])))
    }
    fn weights<'t>(layer: &EmbeddingBag, x: Var<'t>) -> Var<'t> {
        (x.tape().iota(x.shape(), -1, layer.weight.dtype()) - 1.0) * 0.5
    }
    fn weighted<'t>(layer: &EmbeddingBag, x: Var<'t>) -> Var<'t> {
        layer.weighted(x, weights(layer, x))
    }
    fn weighted_bags<'t>(layer: &EmbeddingBag, x: Var<'t>) -> Var<'t> {
        layer.weighted_bags(x, x.tape().input(&Tensor::from([0i64, 3])), weights(layer, x))
    }
    let of = |mode| EmbeddingBag::new(7, 3).mode(mode);
    let case = |name, layer, shapes| Case::new("embedding_bag", name, layer, shapes, &["weight"]).below(7);
    let applied = |name, layer, function: for<'t> fn(&EmbeddingBag, Var<'t>) -> Var<'t>, shapes| {
        Case::new("embedding_bag", name, Applied::new(layer, function), shapes, &["weight"]).below(7)
    };
    let mut cases = Vec::new();
    for (mode, [plain, padded, split]) in [
        (BagMode::Sum, ["sum", "sum_padding", "sum_offsets"]),
        (BagMode::Mean, ["mean", "mean_padding", "mean_offsets"]),
        (BagMode::Max, ["max", "max_padding", "max_offsets"]),
    ] {
        cases.push(case(plain, of(mode), [&[2, 4], &[2, 3]]));
        // The laws do not look up these entries, the reference does.
        cases.push(case(padded, of(mode).padding_idx(2), [&[3, 4], &[3, 3]]));
        cases.push(applied(split, of(mode).padding_idx(6), bags, [&[7], &[4, 3]]));
    }
    cases.push(applied("weighted", of(BagMode::Sum), weighted, [&[2, 4], &[2, 3]]));
    cases.push(applied("weighted_offsets", of(BagMode::Sum).padding_idx(6), weighted_bags, [&[5], &[2, 3]]));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::random::Seed;

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::new;
        let text = EmbeddingBag::new(7, 2).predict(&Tensor::from([1i64, 2])).unwrap_err().to_string();
        assert!(text.contains("takes whole numbers [bags, n], not [2]") && text.contains("`bags`"), "{text}");
        let text = EmbeddingBag::new(7, 2).predict(&Tensor::from([[1f32, 2.0]])).unwrap_err().to_string();
        assert!(text.contains("takes whole numbers, not f32"), "{text}");
        let text = EmbeddingBag::new(0, 2).init(Seed(1)).unwrap_err().to_string();
        assert!(text.contains("a table of 0 entries with 2 features is empty"), "{text}");
        for (mode, x, offsets, weights, words) in [
            (BagMode::Mean, vec![1i64], vec![0i64], Some(vec![1f32]), "weights for a bag whose mode is Mean"),
            (BagMode::Sum, vec![1], vec![0], Some(vec![1.0, 2.0]), "takes weights [1] f32, not [2] f32"),
            (BagMode::Sum, vec![1, 2], vec![1, 2], None, "first offset 1"),
            (BagMode::Sum, vec![9], vec![0], None, "9"),
        ] {
            let (layer, tape) = (EmbeddingBag::new(7, 2).mode(mode), tape());
            let (x, offsets) = (tape.input(&Tensor::from(x)), tape.input(&Tensor::from(offsets)));
            let y = match weights {
                Some(weights) => layer.weighted_bags(x, offsets, tape.input(&Tensor::from(weights))),
                None => layer.bags(x, offsets),
            };
            let text = y.value().unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
        let tape = tape();
        let y = EmbeddingBag::new(7, 2).bags(tape.input(&Tensor::from([1i64])), tape.input(&Tensor::from([0f32])));
        assert!(y.value().unwrap_err().to_string().contains("takes offsets of whole numbers, not f32"));
    }

    #[test]
    fn empty_and_padded_bags_are_zeros_without_a_gradient() -> Result<()> {
        for mode in [BagMode::Sum, BagMode::Mean, BagMode::Max] {
            let layer = EmbeddingBag::new(7, 2).mode(mode).padding_idx(3);
            let tape = Tape::new();
            let (x, offsets) = (tape.input(&Tensor::from([3i64, 3])), tape.input(&Tensor::from([0i64, 2])));
            for y in [layer.bags(x, offsets), layer.forward(x.unsqueeze(0))] {
                let gradient = y.sum().backward()[&layer.weight];
                assert!(y.value()?.to_f64_vec().iter().all(|y| *y == 0.0), "{mode:?}");
                assert!(gradient.value()?.to_f64_vec().iter().all(|g| *g == 0.0), "{mode:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn runs_in_16_bits() -> Result<()> {
        for mode in [BagMode::Sum, BagMode::Mean, BagMode::Max] {
            let layer = EmbeddingBag::new(7, 2).mode(mode).padding_idx(3).with_dtype(DType::BF16)?;
            assert_eq!(layer.predict(&Tensor::from([[1i64, 3], [0, 2]]))?.dtype(), DType::BF16);
        }
        Ok(())
    }
}
