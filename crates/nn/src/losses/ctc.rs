//! Connectionist temporal classification: labels without knowing when.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use super::classes::LABELS;
use super::operands::floats;
use crate::loss::{Loss, Reduction, reducible, wide};

const NAME: &str = "Ctc";

/// −ln of the probability that a series of scores says a series of labels, summed over all alignments: at each time a label or
/// a blank is said; equal neighbours count once, and then blanks are dropped. Graves et al. 2006; PyTorch's `CTCLoss`, Keras's
/// `CTC`.
///
/// | | shape | dtype |
/// |---|---|---|
/// | logits | `[batch, time, classes]`, or `[time, classes]` | float |
/// | targets | `[batch, most labels]`; what is beyond the target length is not read | integers from 0 to classes − 1 |
/// | input lengths, target lengths | `[batch]` | integers |
/// | each | `[batch]` | that of the logits |
///
/// The softmax over the classes is taken here, so logits and log-probabilities give the same. PyTorch's time is the first axis:
/// `log_probs.transpose(0, 1)`. As PyTorch's, the mean is that of the losses divided by their target lengths;
/// [`mean_of_examples`](Ctc::mean_of_examples) is Keras's. With a blank of 0, both defaults are the same.
///
/// As a [`Loss`] of two operands, as Keras's, every series is as long as the time axis, and a target ends with its first blank
/// or negative number.
///
/// The forward algorithm runs in the log domain, one loop over time; the gradient is that of the loop. Where no alignment
/// exists, because a series is too short, the loss is infinite and the gradient 0;
/// [`zero_infinity`](Ctc::zero_infinity) makes the loss 0, too. A length beyond its axis or a label outside the classes is an
/// error when the loss is computed.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::losses::ctc::Ctc;
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::new();
/// let logits = tape.input(&Tensor::from([[[0f32, 0.0], [0.0, 0.0]]]));
/// let targets = tape.input(&Tensor::from([[1i64]]));
/// let (times, labels) = (tape.input(&Tensor::from([2i64])), tape.input(&Tensor::from([1i64])));
/// // Three of the four ways to say two things are an alignment: blank 1, 1 blank, 1 1.
/// let loss = Ctc::new().loss(logits, targets, times, labels).item::<f32>()?;
/// assert!((loss - (4f32 / 3.0).ln()).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ctc {
    blank: usize,
    zero_infinity: bool,
    of_examples: bool,
    reduction: Reduction,
}

impl Ctc {
    /// The loss with class 0 as the blank.
    pub fn new() -> Ctc {
        Ctc::default()
    }

    /// The class that says nothing.
    #[must_use]
    pub fn blank(self, blank: usize) -> Ctc {
        Ctc { blank, ..self }
    }

    /// Series that are too short for their labels lose nothing, where their loss would be infinite.
    #[must_use]
    pub fn zero_infinity(self) -> Ctc {
        Ctc { zero_infinity: true, ..self }
    }

    /// The mean is that of the losses of the examples, however many labels they have.
    #[must_use]
    pub fn mean_of_examples(self) -> Ctc {
        Ctc { of_examples: true, ..self }
    }

    /// The loss of every series.
    #[track_caller]
    pub fn each<'t>(
        &self,
        logits: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Var<'t> {
        let tape = logits.tape();
        let (_scope, _call) = (tape.scope(NAME), tape.call(NAME));
        match self.fit(logits, targets, input_lengths, target_lengths) {
            Err(error) => {
                let lengths = [("input_lengths", input_lengths), ("target_lengths", target_lengths)];
                tape.reject(NAME, &[[("prediction", logits), ("target", targets)], lengths].concat(), error)
            }
            Ok(()) if logits.rank() == 2 => {
                let [logits, targets, times, labels] =
                    [logits, targets, input_lengths, target_lengths].map(|x| x.unsqueeze(0));
                self.forward(logits, targets, times, labels).squeeze(0)
            }
            Ok(()) => self.forward(logits, targets, input_lengths, target_lengths),
        }
    }

    /// The reduced loss on the tape of all.
    #[track_caller]
    pub fn loss<'t>(
        &self,
        logits: Var<'t>,
        targets: Var<'t>,
        input_lengths: Var<'t>,
        target_lengths: Var<'t>,
    ) -> Var<'t> {
        self.reduce(self.each(logits, targets, input_lengths, target_lengths), target_lengths, None)
    }

    /// The reduced loss with a weight for each series, as in [`Loss::weighted`].
    #[track_caller]
    pub fn weighted<'t>(
        &self,
        logits: Var<'t>,
        targets: Var<'t>,
        [input_lengths, target_lengths]: [Var<'t>; 2],
        weights: Var<'t>,
    ) -> Var<'t> {
        self.reduce(self.each(logits, targets, input_lengths, target_lengths), target_lengths, Some(weights))
    }

    fn fit(&self, logits: Var<'_>, targets: Var<'_>, times: Var<'_>, labels: Var<'_>) -> Result<()> {
        floats("prediction", logits)?;
        let (scores, given) = (logits.shape(), targets.shape());
        let (batch, classes) = match *scores {
            [time, classes] => (None, time.min(1) * classes),
            [batch, time, classes] => (Some(batch), time.min(1) * classes),
            _ => return Err(Error::shape(format!("a prediction is [batch, time, classes], not {scores}"))),
        };
        if classes == 0 {
            return Err(Error::shape(format!("a prediction {scores} has no time or no classes")));
        }
        if self.blank >= classes {
            return Err(Error::index(format!("the blank is class {} of {classes}", self.blank)));
        }
        if given.rank() + 1 != scores.rank() || given.first() != batch.as_ref().or(given.first()) {
            let batch = batch.map_or(String::new(), |batch| format!("{batch}, "));
            return Err(Error::shape(format!("a prediction {scores} takes labels [{batch}most labels], not {given}")));
        }
        for (label, lengths) in [("input", times), ("target", labels)] {
            let wanted: &[usize] = batch.as_slice();
            if lengths.shape().dims() != wanted {
                let found = lengths.shape();
                return Err(Error::shape(format!(
                    "a prediction {scores} takes {label} lengths {wanted:?}, not {found}"
                )));
            }
        }
        match [targets, times, labels].into_iter().find(|x| x.dtype().is_float()) {
            Some(odd) => {
                Err(Error::dtype(format!("labels and lengths of a prediction are integers, not {}", odd.dtype()))
                    .help("cast them: `.cast(DType::I64)`"))
            }
            None => Ok(()),
        }
    }

    /// The forward algorithm: αₜ(s) is ln of the probability of all ways to be at place s of the labels with blanks between them
    /// at time t.
    #[track_caller]
    fn forward<'t>(&self, logits: Var<'t>, targets: Var<'t>, times: Var<'t>, lengths: Var<'t>) -> Var<'t> {
        const NEVER: f64 = f64::NEG_INFINITY;
        let tape = logits.tape();
        let [batch, time, classes] = *logits.shape() else { return logits };
        let most = targets.dim(-1);
        let places = 2 * most + 1;
        let blank = self.blank as i64;

        let times = times.cast(DType::I64).check_index(time + 1, "input length");
        let lengths = lengths.cast(DType::I64).check_index(most + 1, "target length");
        let named = tape.iota([batch, most], 1, DType::I64).lt(lengths.unsqueeze(1));
        let labels = targets.cast(DType::I64).select(named, blank).check_index_or(classes, "label", LABELS);

        // Blank, first label, blank, second label, …, blank.
        let between = |blank: Var<'t>, x: Var<'t>| {
            let pairs = tape.stack(&[blank.broadcast_to([batch, most]), x], 2).reshape([batch, 2 * most]);
            tape.concat(&[pairs, blank.broadcast_to([batch, 1])], 1)
        };
        let said = between(tape.constant([], blank), labels);
        // Between two labels that differ, no blank is needed.
        let before = labels.pad(1, 1, 0, blank as f64).slice(1, ..most);
        let skips = between(tape.constant([], false), labels.ne(before).and(labels.ne(blank)));

        let log = wide(logits).log_softmax(-1);
        let scores = log.take_along(-1, said.unsqueeze(1).broadcast_to([batch, time, places])).transpose(0, 1);
        let on = tape.iota([time, batch], 0, DType::I64).lt(times.unsqueeze(0)).unsqueeze(-1);
        // Before the first time: at the first place, having said nothing.
        let first = tape.iota([batch, places], 1, DType::I64).eq(0);
        let start = tape.full([batch, places], 0.0, log.dtype()).select(first, NEVER);
        let (alpha, ()) = tape.scan(start, (scores, on), |alpha, (scores, on)| {
            let earlier = |by| alpha.pad(1, by, 0, NEVER).slice(1, ..places);
            let ways = [alpha, earlier(1), earlier(2).select(skips, NEVER)];
            let next = tape.stack(&ways, 0).logsumexp(0) + scores;
            (next.select(on, alpha), ())
        });

        // It ends with the last label or the blank behind it.
        let last = lengths * 2;
        let end = |place: Var<'t>| alpha.take_along(1, place.unsqueeze(1)).squeeze(1);
        let ends = [end(last), end((last - 1).maximum(0)).select(lengths.gt(0), NEVER)];
        let each = -tape.stack(&ends, 0).logsumexp(0);
        let each = if self.zero_infinity { each.select(each.ne(f64::INFINITY), 0.0) } else { each };
        each.cast(logits.dtype())
    }

    #[track_caller]
    fn reduce<'t>(&self, each: Var<'t>, lengths: Var<'t>, weights: Option<Var<'t>>) -> Var<'t> {
        let each = match self.reduction {
            Reduction::Mean | Reduction::WeightedMean if !self.of_examples => {
                (wide(each) / lengths.maximum(1).cast(wide(each).dtype())).cast(each.dtype())
            }
            _ => each,
        };
        self.reduction.reduce(each, None, weights)
    }

    /// How long every series and every target is, if nobody says.
    #[track_caller]
    fn lengths<'t>(&self, logits: Var<'t>, targets: Var<'t>) -> [Var<'t>; 2] {
        let tape = logits.tape();
        let named = targets.ne(self.blank as i64).and(targets.ge(0)).cast(DType::I64);
        let labels = if targets.rank() == 0 { named } else { named.cummin(-1).sum_axes(-1) };
        let time = if logits.rank() < 2 { 0 } else { logits.dim(-2) };
        [tape.constant(labels.shape(), time as i64), labels]
    }
}

reducible!(Ctc);

impl Loss for Ctc {
    #[track_caller]
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let [times, labels] = self.lengths(prediction, target);
        Ctc::each(self, prediction, target, times, labels)
    }

    fn reduces(&self) -> Reduction {
        self.reduction
    }

    #[track_caller]
    fn loss<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        let [times, labels] = self.lengths(prediction, target);
        Ctc::loss(self, prediction, target, times, labels)
    }

    #[track_caller]
    fn weighted<'t>(&self, prediction: Var<'t>, target: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let lengths = self.lengths(prediction, target);
        Ctc::weighted(self, prediction, target, lengths, weights)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, loss: Ctc| Case::new("ctc", name, loss);
    // A target that starts with the two lengths.
    fn with_lengths<'t>(loss: &Ctc, p: Var<'t>, t: Var<'t>) -> Var<'t> {
        loss.each(p, t.slice(-1, 2..), t.at(-1, 0), t.at(-1, 1))
    }
    let each = |name, loss: Ctc| Case::new("ctc", name, Applied::new(loss, with_lengths));
    vec![
        case("padded", Ctc::new()),
        case("keras", Ctc::new().mean_of_examples()),
        case("sum", Ctc::new().reduction(Reduction::Sum)),
        each("lengths", Ctc::new()),
        each("blank", Ctc::new().blank(3)),
        each("zero_infinity", Ctc::new().zero_infinity()),
    ]
}
