//! Averages of the weights, and their use for evaluation.

use wengert_autograd::{Tape, Var};
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

use super::case::Case;
use super::optimizer::Optimizer;
use super::rule::{Leaf, Rule};
use super::settings::{memory, within};
use super::sgd::Sgd;
use crate::module::{Module, each_mut};

impl<R: Rule> Optimizer<R> {
    /// Keeps a running mean of the weights, with this memory. See [`Ema`].
    #[must_use]
    pub fn ema(self, memory: f64) -> Optimizer<R> {
        self.after(Ema::new(memory))
    }

    /// Keeps the mean of the weights of every `interval`-th step after the first `start`. See [`Swa`].
    #[must_use]
    pub fn swa(self, start: u64, interval: u64) -> Optimizer<R> {
        self.after(Swa::new(start, interval))
    }

    /// The weights for evaluation: those of training, or the average of a rule that keeps one ([`Ema`], [`Swa`],
    /// [`Lookahead`](super::lookahead::Lookahead), [`Asgd`](super::asgd::Asgd), [`ScheduleFree`](super::schedule_free::ScheduleFree)).
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn averages<M: Module + ?Sized>(&self, model: &M) -> Result<Vec<(String, Tensor)>> {
        let tape = Tape::new();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, param) in model.parameters() {
            // What was never moved has no average, whatever state was prepared for it.
            let held = self.held.get(&param.id()).filter(|held| held.began());
            let own = held.and_then(|held| held.own);
            let now = param.on(&tape);
            let mut value = now;
            let leaf = held.and_then(|_| self.leaf(param, [now; 3], 0.0)).filter(|leaf| !leaf.slots.is_empty());
            if let Some(mut leaf) = leaf {
                for (place, rule) in self.rules().enumerate().filter(|(place, _)| self.applies(*place, own)) {
                    leaf.rule = place;
                    value = rule.evaluation(&leaf).map_or(value, |average| average.cast(param.dtype()));
                }
            }
            names.push(name);
            values.push(value);
        }
        Ok(names.into_iter().zip(tape.eval(&values[..])?).collect())
    }

    /// Runs `f` on the model with its weights for evaluation, which are those of training again afterwards, also after an error.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{optim::sgd::Sgd, param::Param};
    /// use wengert_tensor::tensor::Tensor;
    /// # fn main() -> wengert_tensor::error::Result<()> {
    /// let (mut weight, mut sgd) = (Param::new(Tensor::from(4f32)), Sgd::new(0.5).swa(0, 1));
    /// for _ in 0..2 {
    ///     let tape = Tape::new();
    ///     let loss = weight.on(&tape) * 2.0;
    ///     sgd.step(&mut weight, loss.backward())?;       // 3, then 2
    /// }
    /// let mean = sgd.evaluate(&mut weight, |weight| weight.value().item::<f32>())?;
    /// assert_eq!((mean, weight.value().item::<f32>()?), (2.5, 2.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Side results of layers that saw other weights (the running means of a batch norm) are not averaged: run the model in training mode over
    /// some data first, where it has them.
    ///
    /// # Errors
    /// That of `f`; when the memory cannot be had.
    pub fn evaluate<M: Module + ?Sized, T>(&self, model: &mut M, f: impl FnOnce(&M) -> Result<T>) -> Result<T> {
        let averages = self.averages(model)?;
        let trained: Vec<(String, Tensor)> =
            model.parameters().into_iter().map(|(name, param)| (name, param.value().clone())).collect();
        let placed = place(model, averages);
        let outcome = placed.and_then(|()| f(model));
        place(model, trained)?;
        outcome
    }
}

/// Gives the weights of a model these values, in the order of `parameters`.
pub(super) fn place<M: Module + ?Sized>(model: &mut M, values: Vec<(String, Tensor)>) -> Result<()> {
    let mut ids: Vec<_> = model.parameters().into_iter().map(|(_, param)| param.id()).zip(values).collect();
    ids.reverse();
    let mut outcome = Ok(());
    each_mut(model, &mut |_, param| {
        if ids.last().is_some_and(|(id, _)| *id == param.id())
            && let Some((_, (_, value))) = ids.pop()
            && outcome.is_ok()
        {
            outcome = param.set(value);
        }
    });
    outcome
}

/// A running mean of the weights: `a ← β a + (1 − β) w`, and `a ← w` in the first step. [`Optimizer::evaluate`] puts it in place of the
/// weights.
///
/// The same numbers as PyTorch's `AveragedModel` with `get_ema_multi_avg_fn`. Its state is `average`, in f32 for
/// weights of 16 bits. It stands after all that change the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    memory: f64,
    warm: bool,
}

impl Ema {
    /// A running mean with this memory, in `0 ≤ β < 1`: 0.999 is the mean of about 1000 steps.
    pub fn new(memory: f64) -> Ema {
        Ema { memory, warm: false }
    }

    /// Begins with a short memory: β is at most (1 + t) / (10 + t) in step t.
    #[must_use]
    pub fn warm_up(self) -> Ema {
        Ema { warm: true, ..self }
    }
}

impl Rule for Ema {
    fn name(&self) -> &'static str {
        "ema"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        memory("Ema", "the memory", self.memory)
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("average", parameter.clone())])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let Ema { memory, warm } = *self;
        for leaf in leaves {
            mix(leaf, move |count| {
                let t = count as f64;
                match count {
                    1 => 1.0,
                    _ if warm => 1.0 - memory.min((1.0 + t) / (10.0 + t)),
                    _ => 1.0 - memory,
                }
            });
        }
    }

    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        Some(leaf.state("average"))
    }
}

/// The mean of the weights of every `interval`-th step after the first `start`; before that the weights themselves. [`Optimizer::evaluate`]
/// puts it in place of the weights.
///
/// Izmailov et al. 2018: with a learning rate that stays large the mean lies in a wide valley. The same numbers as PyTorch's
/// `AveragedModel`. Its state is `average`. It stands after all that change the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swa {
    start: u64,
    interval: u64,
}

impl Swa {
    /// The mean of the weights after steps start + 1, start + 1 + interval, and so on.
    pub fn new(start: u64, interval: u64) -> Swa {
        Swa { start, interval }
    }
}

impl Rule for Swa {
    fn name(&self) -> &'static str {
        "swa"
    }

    fn reusable(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        within("Swa", "the interval", self.interval as f64, self.interval > 0, "must be at least 1")
    }

    fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        Ok(vec![("average", parameter.clone())])
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        let (start, interval) = (self.start, self.interval.max(1));
        for leaf in leaves {
            mix(leaf, move |count| match count.checked_sub(1).and_then(|before| before.checked_sub(start)) {
                None => 1.0,
                Some(since) if since % interval == 0 => 1.0 / (since / interval + 1) as f64,
                Some(_) => 0.0,
            });
        }
    }

    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        Some(leaf.state("average"))
    }
}

/// Takes a share of what the parameter becomes into the average.
fn mix(leaf: &mut Leaf<'_>, share: impl Fn(u64) -> f64 + Clone + Send + 'static) {
    let kept = share.clone();
    let kept = leaf.number(move |now| 1.0 - kept(now.count));
    let share = leaf.number(move |now| share(now.count));
    let average = leaf.state("average") * kept + leaf.next() * share;
    leaf.set_state("average", average);
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, optimizer| Case { file: "average", name, decays: false, optimizer };
    vec![case("sgd_ema", || Sgd::new(0.1).ema(0.8).boxed()), case("sgd_swa", || Sgd::new(0.1).swa(4, 3).boxed())]
}
