//! A mixture of experts: a gate chooses for each token which of several networks it goes through.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::random::Key;

use super::case::{Applied, Case};
use super::dense::Dense;
use super::gated_feed_forward::GatedFeedForward;
use super::norm::wide;
use crate::explain::blame;
use crate::layer::Layer;
use crate::module::{Module, each_mut};
use crate::param::Param;

const NAME: &str = "MixtureOfExperts";

/// y = Σ gᵢ(x) Eᵢ(x) over the k experts E with the largest gates: g = softmax(W x), set to 0 for the others and, where
/// k > 1, divided by what is left. Shazeer et al. 2017.
///
/// | | shape |
/// |---|---|
/// | x | `[…, features]` |
/// | `gate.weight` W | `[experts, features]` |
/// | `noise.weight` | `[experts, features]`, if [`noisy`](MixtureOfExperts::noisy) |
/// | `experts.0.…` | what an expert has |
/// | y | `[…, what an expert gives]` |
/// | balance loss | `[]` |
///
/// An expert is any layer from features to outputs; the names `gate` and `experts` are Mixtral's. With k = 1 the gate is
/// not divided, since it would be 1 and never learn: this is the Switch layer of Fedus et al. 2021. Every expert computes
/// every token, and what was not chosen is left out of the sum: no token is dropped, there is no capacity to set, and it
/// takes the time of all experts. The softmax of 16 bits is taken in f32.
///
/// The balance loss is that of the Switch Transformer, experts · Σ fᵢ · Pᵢ, with fᵢ the share of the choices that fell on
/// expert i and Pᵢ its mean probability: 1 where all are chosen alike. Add about 0.01 of it to the loss: by hand with what
/// [`route`](MixtureOfExperts::route) gives, or by [`balance`](MixtureOfExperts::balance), for a
/// loss [with what layers add](Var::with_added_losses), such as that of a trainer.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::layers::{gated_feed_forward::GatedFeedForward, mixture_of_experts::MixtureOfExperts};
/// use wengert_tensor::dtype::DType;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let experts = MixtureOfExperts::new(8, 4, GatedFeedForward::new(8, 16)).top_k(2);
/// let tape = Tape::training(1u64);
/// let (y, balance) = experts.route(tape.full([2, 5, 8], 0.5, DType::F32));
/// let loss = y.square().mean() + 0.01 * balance;
/// assert!(loss.item::<f32>()?.is_finite());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct MixtureOfExperts<E> {
    /// Scores each expert for a token.
    pub gate: Dense,
    /// How much noise the scores get while training.
    pub noise: Option<Dense>,
    /// The experts.
    pub experts: Vec<E>,
    chosen: usize,
    #[module(skip)]
    divided: Option<bool>,
    /// How much of the balance loss [`Layer::forward`] adds to the loss.
    balance: f64,
}

impl<E: Layer + Clone> MixtureOfExperts<E> {
    /// So many experts like this one, each with weights of its own, for tokens of so many features; the 2 best are used.
    #[track_caller]
    pub fn new(features: usize, count: usize, expert: E) -> MixtureOfExperts<E> {
        MixtureOfExperts::of(features, copies(expert, count))
    }
}

impl<E: Layer> MixtureOfExperts<E> {
    /// With these experts; the 2 best are used.
    #[track_caller]
    pub fn of(features: usize, experts: Vec<E>) -> MixtureOfExperts<E> {
        let gate = Dense::new(features, experts.len()).without_bias();
        let chosen = experts.len().clamp(1, 2);
        MixtureOfExperts { gate, noise: None, experts, chosen, divided: None, balance: 0.0 }
    }

    /// How many experts are used for a token.
    #[must_use]
    pub fn top_k(self, k: usize) -> MixtureOfExperts<E> {
        MixtureOfExperts { chosen: k, ..self }
    }

    /// Whether the gates of the chosen experts are divided by their sum, also where one is chosen.
    #[must_use]
    pub fn normalized(self, normalized: bool) -> MixtureOfExperts<E> {
        MixtureOfExperts { divided: Some(normalized), ..self }
    }

    /// [`Layer::forward`] adds so much of the balance loss to the loss of the tape; none unless set.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{layer::Layer, layers::{dense::Dense, mixture_of_experts::MixtureOfExperts}};
    /// use wengert_tensor::dtype::DType;
    /// let experts = MixtureOfExperts::new(8, 4, Dense::new(8, 8)).balance(0.01);
    /// let tape = Tape::training(1u64);
    /// let y = experts.forward(tape.full([2, 8], 0.5, DType::F32));
    /// assert_eq!(tape.added_losses().len(), 1);
    /// let loss = y.square().mean().with_added_losses();
    /// # assert!(loss.item::<f32>().is_ok());
    /// ```
    #[must_use]
    pub fn balance(self, weight: f64) -> MixtureOfExperts<E> {
        MixtureOfExperts { balance: weight, ..self }
    }

    /// While training, adds noise to the scores, normal with the learned deviation softplus(V x), so that other experts are
    /// tried, too.
    #[must_use]
    #[track_caller]
    pub fn noisy(self) -> MixtureOfExperts<E> {
        let noise = Dense::new(self.gate.inputs(), self.experts.len()).without_bias();
        MixtureOfExperts { noise: Some(noise), ..self }
    }

    /// The output, and the balance loss.
    #[track_caller]
    pub fn route<'t>(&self, x: Var<'t>) -> (Var<'t>, Var<'t>) {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let here = Location::caller();
        let refused = |error: Error| {
            let none = tape.reject(NAME, &[("input", x)], error);
            tape.amend(|error| blame(error, here));
            (none, none)
        };
        let (count, k) = (self.experts.len(), self.chosen);
        if let Err(error) = self.check() {
            return refused(error);
        }
        let mut scores = self.gate.forward(x).cast(wide(x.dtype()));
        if let Some(noise) = self.noise.as_ref().filter(|_| tape.is_training()) {
            let deviation = noise.forward(x).cast(scores.dtype()).softplus();
            scores = scores + tape.normal(scores.shape(), scores.dtype()) * deviation;
        }
        let gates = scores.softmax(-1);
        let (_, best) = scores.top_k(k, -1);
        let chosen = best.one_hot(count).sum_axes(-2).cast(gates.dtype());
        let kept = gates * chosen;
        let weights = match self.divided.unwrap_or(k > 1) {
            true => kept / kept.sum_keep(-1),
            false => kept,
        };
        let taken = chosen.ne(0.0);
        let rows = |x: Var<'t>| x.reshape([x.len() / count, count]);
        let (shares, means) = (rows(chosen).mean_axes(0) * (1.0 / k as f64), rows(gates).mean_axes(0));
        let balance = (shares * means).sum() * count as f64;
        let weights = weights.cast(x.dtype());
        let outputs = self.experts.iter().enumerate().map(|(i, expert)| {
            let column = |x: Var<'t>| x.slice(-1, i..i + 1);
            // Not only multiplied by 0: what an expert makes of tokens that are not its own may be infinite.
            (expert.forward(x) * column(weights)).select(column(taken), 0.0)
        });
        match outputs.reduce(|sum, y| sum + y) {
            Some(y) => (y, balance.cast(x.dtype())),
            None => refused(Error::value("no experts")),
        }
    }

    fn check(&self) -> Result<()> {
        let (count, k) = (self.experts.len(), self.chosen);
        if count == 0 {
            return Err(Error::value("a mixture of 0 experts").help("at least 1"));
        }
        if k == 0 || k > count {
            return Err(Error::value(format!("the best {k} of {count} experts")).help(format!("1 to {count} are used")));
        }
        if !(self.balance.is_finite() && self.balance >= 0.0) {
            return Err(
                Error::value(format!("{} of the balance loss", self.balance)).help("a number from 0 on, as 0.01")
            );
        }
        Ok(())
    }
}

/// More modules of one kind than a model has.
const MANY: usize = 1 << 16;

/// So many modules like this one, each with draws of its own. Too many are one that reports it.
pub(super) fn copies<M: Module + Clone>(module: M, count: usize) -> Vec<M> {
    let copy = |_| {
        let mut copy = module.clone();
        each_mut(&mut copy, &mut |_, param| {
            // Any number will do that other draws do not start from.
            param.redraw(Key::new(0x636f_7069_6573).fold(param.id().0));
        });
        copy
    };
    if count > MANY {
        let (mut copy, kind) = (copy(0), module.type_name());
        let error = Error::value(format!("{count} copies of a {kind} are more than {MANY}"));
        each_mut(&mut copy, &mut |_, param| *param = Param::faulty(error.clone().op(kind)));
        return vec![copy];
    }
    (0..count).map(copy).collect()
}

/// The output; the balance loss is added to that of the tape if [`balance`](MixtureOfExperts::balance) says so.
impl<E: Layer> Layer for MixtureOfExperts<E> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (y, balance) = self.route(x);
        if self.balance != 0.0 {
            x.tape().add_loss(balance * self.balance);
        }
        y
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    const NAMES: &[&str] = &[
        "gate.weight",
        "experts.0.weight",
        "experts.0.bias",
        "experts.1.weight",
        "experts.1.bias",
        "experts.2.weight",
        "experts.2.bias",
    ];
    const GATED: &[&str] = &[
        "gate.weight",
        "experts.0.w1.weight",
        "experts.0.w2.weight",
        "experts.0.w3.weight",
        "experts.1.w1.weight",
        "experts.1.w2.weight",
        "experts.1.w3.weight",
    ];
    const NOISY: &[&str] = &[
        "gate.weight",
        "noise.weight",
        "experts.0.weight",
        "experts.0.bias",
        "experts.1.weight",
        "experts.1.bias",
        "experts.2.weight",
        "experts.2.bias",
    ];
    let experts = || MixtureOfExperts::new(3, 3, Dense::new(3, 2));
    let with_balance = |name, layer: MixtureOfExperts<Dense>, names| {
        let applied = Applied::new(layer, |layer: &MixtureOfExperts<Dense>, x: Var<'_>| {
            let (y, balance) = layer.route(x);
            y + balance
        });
        Case::new("mixture_of_experts", name, applied, [&[3, 4, 3], &[3, 4, 2]], names)
    };
    let gated = MixtureOfExperts::new(3, 2, GatedFeedForward::new(3, 2)).normalized(false);
    let noisy = Applied::new(experts().noisy(), |layer: &MixtureOfExperts<Dense>, x: Var<'_>| {
        let (y, balance) = layer.route(x);
        y + balance
    });
    vec![
        with_balance("two_of_three", experts(), NAMES),
        with_balance("switch", MixtureOfExperts::new(3, 2, Dense::new(3, 2)).top_k(1), &NAMES[..5]),
        with_balance("all", experts().top_k(3), NAMES),
        Case::new("mixture_of_experts", "gated", gated, [&[4, 3], &[4, 3]], GATED),
        Case::new("mixture_of_experts", "noisy", noisy, [&[3, 4, 3], &[3, 4, 2]], NOISY).alone("its noise is its own"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn copies_differ() {
        let experts = MixtureOfExperts::new(4, 2, Dense::new(4, 4)).experts;
        assert!(!experts[0].weight.value().equals(experts[1].weight.value()));
    }

    #[test]
    fn a_token_goes_through_its_best_experts() -> Result<()> {
        let mut layer = MixtureOfExperts::new(1, 3, Dense::new(1, 1).without_bias()).top_k(1);
        layer.gate.weight.set(Tensor::from([[0f32], [5.0], [-5.0]]))?;
        for (i, expert) in layer.experts.iter_mut().enumerate() {
            expert.weight.set(Tensor::from([[i as f32 + 1.0]]))?;
        }
        let y = layer.normalized(true).predict(&Tensor::from([[1f32], [-1.0]]))?;
        assert_eq!(y.to_vec::<f32>()?, [2.0, -3.0]);
        Ok(())
    }

    #[test]
    fn what_is_not_chosen_does_not_matter() -> Result<()> {
        let expert = crate::layers::lambda::Lambda::new("Pole", |x| x.recip());
        let mut layer = MixtureOfExperts::of(1, vec![Box::new(expert) as Box<dyn Layer>, Box::new(Dense::new(1, 1))]);
        layer = layer.top_k(1);
        layer.gate.weight.set(Tensor::from([[1f32], [-1.0]]))?;
        let tape = Tape::new();
        // Of equal scores the first would be chosen.
        let x = tape.input(&Tensor::from([[-1e-40f32], [2.0]]));
        let loss = layer.forward(x).sum();
        let [dx] = tape.grad(loss, [x]);
        let gate = loss.backward()[&layer.gate.weight];
        assert!(loss.item::<f32>()?.is_finite() && !dx.value()?.has_nan() && !gate.value()?.has_nan());
        Ok(())
    }

    #[test]
    fn even_choices_have_a_balance_loss_of_1() -> Result<()> {
        let mut layer = MixtureOfExperts::new(2, 2, Dense::new(2, 1)).top_k(1);
        layer.gate.weight.set(Tensor::from([[9f32, 0.0], [0.0, 9.0]]))?;
        let balance = |x: Tensor| -> Result<f32> {
            let tape = Tape::new();
            layer.route(tape.input(&x)).1.item::<f32>()
        };
        assert!((balance(Tensor::from([[1f32, 0.0], [0.0, 1.0]]))? - 1.0).abs() < 1e-6);
        assert!(balance(Tensor::from([[1f32, 0.0], [1.0, 0.0]]))? > 1.9);
        Ok(())
    }

    #[test]
    fn noise_is_for_training() -> Result<()> {
        let layer = MixtureOfExperts::new(2, 4, Dense::new(2, 1)).noisy();
        let x = Tensor::from_fn([20, 2], |i| (i as f32).cos())?;
        let y = |tape: &Tape| layer.forward(tape.input(&x)).value();
        assert!(y(&Tape::new())?.equals(&y(&Tape::new())?));
        assert!(y(&Tape::training(1u64))?.equals(&y(&Tape::training(1u64))?));
        assert!(!y(&Tape::training(1u64))?.equals(&y(&Tape::training(2u64))?));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() -> Result<()> {
        let say = |layer: MixtureOfExperts<Dense>, features: usize| {
            layer.predict(&Tensor::ones([2, features], DType::F32).unwrap()).unwrap_err().to_string()
        };
        let new = |count| MixtureOfExperts::new(3, count, Dense::new(3, 1));
        assert!(say(new(0), 3).contains("0 experts"));
        assert!(say(new(2).top_k(3), 3).contains("the best 3 of 2 experts"));
        assert!(say(new(2).top_k(0), 3).contains("1 to 2 are used"));
        let wrong = say(new(2), 4);
        assert!(wrong.contains("takes 3 inputs, not 4") && wrong.contains("gate"), "{wrong}");
        Ok(())
    }
}
