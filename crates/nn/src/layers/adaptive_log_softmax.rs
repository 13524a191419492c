//! AdaptiveLogSoftmax: log-probabilities of many classes, of which few are frequent.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use super::dense::Dense;
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::Param;

/// log p(class | x) for classes that are sorted by frequency, in clusters: the head gives the most frequent ones and one entry for each
/// cluster of the others, whose classes are told apart by fewer features the rarer they are.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, inputs]` |
/// | classes | `[batch]`, i64 |
/// | `head.weight` | `[cutoffs[0] + clusters, inputs]`, with `head.bias` if it was asked for |
/// | `tail.i.0.weight`, `tail.i.1.weight` | `[h, inputs]`, `[size of cluster i, h]` with h = inputs / divⁱ⁺¹ |
/// | [`log_prob`](AdaptiveLogSoftmax::log_prob), [`forward`](Layer::forward) | `[batch, classes]` |
/// | [`output`](AdaptiveLogSoftmax::output) | `[batch]`, log p of the given classes |
/// | [`loss`](AdaptiveLogSoftmax::loss) | one number, the mean of −log p |
///
/// Names, shapes and numbers are those of PyTorch's `AdaptiveLogSoftmaxWithLoss`. The graph of a step is the same whatever classes it
/// sees, so every cluster is computed for every example: what is saved is weights, not the time of the rare clusters. Grave et al. 2017.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layers::adaptive_log_softmax::AdaptiveLogSoftmax, module::Module};
/// use wengert_tensor::{dtype::DType, random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// // 1000 words: 10 frequent ones, then clusters of 90 and of 900.
/// let softmax = AdaptiveLogSoftmax::new(16, 1000, [10, 100]).init(Seed(1))?;
/// let tape = Tape::new();
/// let x = tape.input(&Tensor::ones([2, 16], DType::F32)?);
/// let loss = softmax.loss(x, tape.input(&Tensor::from([3i64, 500])));
/// assert!(loss.item::<f32>()? > 0.0);
/// assert_eq!(softmax.log_prob(x).shape().dims(), [2, 1000]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct AdaptiveLogSoftmax {
    /// The frequent classes and the clusters.
    pub head: Dense,
    /// For each cluster two layers without bias: to fewer features, and from them to the classes.
    pub tail: Vec<(Dense, Dense)>,
    #[module(skip)]
    cutoffs: Vec<usize>,
    #[module(skip)]
    made: Made,
}

#[derive(Clone, Copy, Debug)]
struct Made {
    inputs: usize,
    classes: usize,
    divisor: f64,
    bias: bool,
    at: &'static Location<'static>,
}

impl AdaptiveLogSoftmax {
    /// For so many classes, whose clusters begin at the cutoffs: those before the first one are in the head. What is wrong is reported by the
    /// first use.
    #[track_caller]
    pub fn new(inputs: usize, classes: usize, cutoffs: impl AsRef<[usize]>) -> AdaptiveLogSoftmax {
        let made = Made { inputs, classes, divisor: 4.0, bias: false, at: Location::caller() };
        build(cutoffs.as_ref(), made)
    }

    /// By what the features shrink from cluster to cluster; 4 unless set. Draws the weights anew.
    #[must_use]
    pub fn div_value(self, divisor: f64) -> AdaptiveLogSoftmax {
        build(&self.cutoffs, Made { divisor, ..self.made })
    }

    /// Gives the head a bias. Draws the weights anew.
    #[must_use]
    pub fn with_head_bias(self) -> AdaptiveLogSoftmax {
        build(&self.cutoffs, Made { bias: true, ..self.made })
    }

    /// Where the clusters begin and end.
    fn bounds(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let ends = self.cutoffs.iter().skip(1).copied().chain([self.made.classes]);
        self.cutoffs.iter().copied().zip(ends)
    }

    fn shortlist(&self) -> usize {
        self.cutoffs.first().copied().unwrap_or(0)
    }

    /// The log-probabilities of all classes.
    #[track_caller]
    pub fn log_prob<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if let Err(error) = self.fits(x) {
            return tape.reject("AdaptiveLogSoftmax", &[("input", x)], error);
        }
        let head = self.head.forward(x).log_softmax(-1);
        let mut parts = vec![head.slice(-1, ..self.shortlist())];
        for (cluster, (narrow, wide)) in self.tail.iter().enumerate() {
            let place = self.shortlist() + cluster;
            let inside = wide.forward(narrow.forward(x)).log_softmax(-1);
            parts.push(inside + head.slice(-1, place..place + 1));
        }
        tape.concat(&parts, -1)
    }

    /// The log-probability of one class for each example. A class out of range is an error when the value is computed.
    #[track_caller]
    pub fn output<'t>(&self, x: Var<'t>, classes: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if let Err(error) = self.fits(x).and_then(|()| labels(x, classes)) {
            return tape.reject("AdaptiveLogSoftmax", &[("input", x), ("classes", classes)], error);
        }
        let classes = classes.cast(DType::I64).check_index(self.made.classes, "class");
        let head = self.head.forward(x).log_softmax(-1);
        let pick = |table: Var<'t>, index: Var<'t>| table.take_along(-1, index.unsqueeze(-1)).squeeze(-1);
        // The place in the head: of the class, or of its cluster.
        let mut place = classes;
        let mut inside: Option<Var<'t>> = None;
        for (cluster, ((narrow, wide), (begin, end))) in self.tail.iter().zip(self.bounds()).enumerate() {
            let (here, last) = (classes.ge(begin as i64).and(classes.lt(end as i64)), (end - begin - 1) as i64);
            let table = wide.forward(narrow.forward(x)).log_softmax(-1);
            let found = pick(table, (classes - begin as i64).clamp(0, last));
            inside = Some(found.select(here, inside.unwrap_or_else(|| found.zeros_like())));
            place = place.masked_fill(here, (self.shortlist() + cluster) as i64);
        }
        let head = pick(head, place);
        inside.map_or(head, |inside| head + inside)
    }

    /// The mean of −log p over the examples: the loss of a classifier.
    #[track_caller]
    pub fn loss<'t>(&self, x: Var<'t>, classes: Var<'t>) -> Var<'t> {
        -self.output(x, classes).mean()
    }

    fn fits(&self, x: Var<'_>) -> Result<()> {
        match x.shape().dims() {
            &[_, inputs] if inputs == self.made.inputs => Ok(()),
            _ => Err(Error::shape(format!("takes [batch, {}], not {}", self.made.inputs, x.shape()))),
        }
    }
}

fn labels(x: Var<'_>, classes: Var<'_>) -> Result<()> {
    if classes.dtype().is_float() || classes.dtype() == DType::Bool {
        return Err(Error::dtype(format!("takes classes of whole numbers, not {}", classes.dtype())));
    }
    match classes.rank() == 1 && classes.len() == x.shape().first().copied().unwrap_or(0) {
        true => Ok(()),
        false => {
            Err(Error::shape(format!("takes one class for each example of {}, not {}", x.shape(), classes.shape())))
        }
    }
}

fn build(cutoffs: &[usize], made: Made) -> AdaptiveLogSoftmax {
    let mut layer = AdaptiveLogSoftmax { head: Dense::new(1, 1), tail: Vec::new(), cutoffs: cutoffs.to_vec(), made };
    let rises = cutoffs.first().is_some_and(|first| *first > 0)
        && cutoffs.is_sorted_by(|a, b| a < b)
        && cutoffs.last().is_some_and(|last| *last < made.classes);
    let fault = if !rises {
        let message = format!("cutoffs {cutoffs:?} of {} classes", made.classes);
        Some(
            Error::value(message)
                .help("at least one, each above the one before, the first above 0 and the last below the classes"),
        )
    } else if made.inputs == 0 {
        Some(Error::value("0 inputs").help("at least 1"))
    } else if !(1.0..f64::INFINITY).contains(&made.divisor) {
        Some(
            Error::value(format!("a divisor of {}", made.divisor))
                .help("features shrink by a number that is at least 1"),
        )
    } else {
        None
    };
    if let Some(error) = fault {
        layer.head.weight = Param::faulty(error.op("AdaptiveLogSoftmax").at(made.at));
        return layer;
    }
    layer.head = Dense::new(made.inputs, layer.shortlist() + cutoffs.len());
    if !made.bias {
        layer.head.bias = None;
    }
    let tail = layer.bounds().enumerate().map(|(cluster, (begin, end))| {
        // PyTorch divides without remainder; nothing is left of few inputs and many clusters but one feature.
        let features = (made.inputs as f64 / made.divisor.powi(cluster as i32 + 1)).floor().max(1.0) as usize;
        (Dense::new(made.inputs, features).without_bias(), Dense::new(features, end - begin).without_bias())
    });
    layer.tail = tail.collect();
    layer.head = layer.head.weight_init(Init::GlorotUniform);
    layer
}

impl Layer for AdaptiveLogSoftmax {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.log_prob(x)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn output<'t>(layer: &AdaptiveLogSoftmax, x: Var<'t>) -> Var<'t> {
        let classes = wengert_tensor::tensor::Tensor::from([0i64, 9, 3, 2, 6]);
        layer.output(x, x.tape().input(&classes))
    }
    fn loss<'t>(layer: &AdaptiveLogSoftmax, x: Var<'t>) -> Var<'t> {
        let classes = wengert_tensor::tensor::Tensor::from([0i64, 9, 3, 2, 6]);
        layer.loss(x, x.tape().input(&classes)).reshape([1])
    }
    let layer = || AdaptiveLogSoftmax::new(6, 10, [3, 7]).div_value(2.0);
    let plain: &[&str] = &["head.weight", "tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight", "tail.1.1.weight"];
    let bias: &[&str] =
        &["head.weight", "head.bias", "tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight", "tail.1.1.weight"];
    let case = |name, layer, shapes, names| Case::new("adaptive_log_softmax", name, layer, shapes, names);
    vec![
        case("log_prob", layer(), [&[5, 6], &[5, 10]], plain),
        Case::new(
            "adaptive_log_softmax",
            "output",
            Applied::new(layer().with_head_bias(), output),
            [&[5, 6], &[5]],
            bias,
        ),
        Case::new("adaptive_log_softmax", "loss", Applied::new(layer(), loss), [&[5, 6], &[1]], plain),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::random::Seed;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn probabilities_sum_to_1_and_agree() -> Result<()> {
        let layer = AdaptiveLogSoftmax::new(8, 12, [2, 5]).init(Seed(4))?;
        let x = Tensor::normal([3, 8], DType::F32, 2u64)?;
        let tape = Tape::new();
        let all = layer.log_prob(tape.input(&x));
        let sums = all.exp().sum_axes(-1).value()?.to_f64_vec();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{sums:?}");
        let values = all.value()?.to_f64_vec();
        for class in 0..12 {
            let classes = tape.input(&Tensor::from([class as i64; 3]));
            let ours = layer.output(tape.input(&x), classes).value()?.to_f64_vec();
            (0..3).for_each(|row| assert!((ours[row] - values[row * 12 + class]).abs() < 1e-6));
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let text = |layer: AdaptiveLogSoftmax| layer.init(Seed(1)).unwrap_err().to_string();
        for (text, words) in [
            (text(AdaptiveLogSoftmax::new(8, 12, [])), "cutoffs [] of 12 classes"),
            (text(AdaptiveLogSoftmax::new(8, 12, [5, 5])), "cutoffs [5, 5] of 12 classes"),
            (text(AdaptiveLogSoftmax::new(8, 12, [0, 5])), "the first above 0"),
            (text(AdaptiveLogSoftmax::new(8, 12, [5, 12])), "the last below the classes"),
            (text(AdaptiveLogSoftmax::new(0, 12, [5])), "0 inputs"),
            (text(AdaptiveLogSoftmax::new(8, 12, [5]).div_value(0.5)), "a divisor of 0.5"),
        ] {
            assert!(text.contains(words) && text.contains("AdaptiveLogSoftmax"), "{words}\n{text}");
        }
        let layer = AdaptiveLogSoftmax::new(8, 12, [2, 5]);
        let text = layer.predict(&Tensor::ones([3, 7], DType::F32)?).unwrap_err().to_string();
        assert!(text.contains("takes [batch, 8], not [3, 7]"), "{text}");
        for (classes, words) in [
            (Tensor::from([1i64, 12]), "class 12 at 1 is outside 0..12"),
            (Tensor::from([1i64]), "takes one class for each example of [2, 8], not [1]"),
            (Tensor::from([1f32, 2.0]), "takes classes of whole numbers, not f32"),
        ] {
            let tape = Tape::new();
            let x = tape.input(&Tensor::ones([2, 8], DType::F32)?);
            let text = layer.loss(x, tape.input(&classes)).value().unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
        Ok(())
    }
}
