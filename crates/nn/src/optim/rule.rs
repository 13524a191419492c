//! What an optimizer is: state for a parameter, and how a gradient becomes an update.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use wengert_autograd::{LeafId, NodeId, Var};
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

use super::select::Select;

/// A rewriting of updates, as graph.
///
/// The update of every parameter starts as its gradient, passes through the rules of the optimizer one after another,
/// and at the end the parameter becomes `parameter − learning rate × update`, or what a rule chose by [`Leaf::set_next`]. State is what the
/// rule remembers from step to step, a tensor under a name for each parameter.
///
/// Of a parameter in 16 bits a rule sees everything in f32: the parameter, its gradient, its state.
///
/// Numbers that change from step to step, such as a bias correction, are computed in f64 and enter the graph as
/// [`Leaf::number`]: they are slots of the plan, so the second step compiles nothing, and a
/// [compiled step](super::compiled::CompiledStep) finds them again without recording anything.
///
/// ```
/// use wengert_nn::optim::{optimizer::Optimizer, rule::{Leaf, Rule}};
/// use wengert_tensor::{error::Result, tensor::Tensor};
///
/// /// The sign of a running mean of the gradient.
/// #[derive(Debug)]
/// struct SignMomentum { decay: f64 }
///
/// impl Rule for SignMomentum {
///     fn name(&self) -> &'static str {
///         "sign_momentum"
///     }
///     fn init(&self, _: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
///         Ok(vec![("mean", Tensor::zeros(parameter.shape(), parameter.dtype())?)])
///     }
///     fn update(&self, leaves: &mut [Leaf<'_>]) {
///         for leaf in leaves {
///             let mean = leaf.state("mean") * self.decay + leaf.update * (1.0 - self.decay);
///             leaf.set_state("mean", mean);
///             leaf.update = mean.sign();
///         }
///     }
/// }
///
/// let optimizer = Optimizer::of(SignMomentum { decay: 0.9 }, 1e-3).clip_global_norm(1.0);
/// assert_eq!(optimizer.learning_rate(), 1e-3);
/// ```
pub trait Rule: fmt::Debug + Send + Sync + 'static {
    /// The name under which the state is saved: `adam`.
    fn name(&self) -> &'static str;

    /// Whether the settings have a meaning.
    ///
    /// # Errors
    /// The setting that has none.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The state that one parameter starts with, from its name and its value (f32 where the parameter has 16 bits).
    ///
    /// # Errors
    /// When the memory cannot be had; a parameter that the rule cannot move.
    fn init(&self, name: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        let _ = (name, parameter);
        Ok(Vec::new())
    }

    /// Rewrites [`Leaf::update`] of every parameter, and its state.
    fn update(&self, leaves: &mut [Leaf<'_>]);

    /// Which of its graphs the rule records in a step after `step` others, as [`Leaf::phase`] gives it to the update. A rule that does the
    /// same in every step, as nearly all do, has one phase. Each phase is a plan.
    fn phase(&self, step: u64) -> u64 {
        let _ = step;
        0
    }

    /// Whether an update follows from the settings of the rule, the phase and the leaves alone, and what changes from step to step has
    /// [formulas](Leaf::number). Then a step like the one before takes its graph over and does not ask the rule. One that reads anything
    /// else, or takes derivatives, says no, as it does unless told otherwise, and is asked in every step.
    fn reusable(&self) -> bool {
        false
    }

    /// The value of a parameter for evaluation, where it is not that of training: an average of past values. See
    /// [`Optimizer::evaluate`](super::optimizer::Optimizer::evaluate).
    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        let _ = leaf;
        None
    }

    /// The names of parameters that it is told of, each of which must fit the model.
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// This rule for some parameters only; the updates of the others pass by it unchanged, and it has no state for them.
    ///
    /// ```
    /// use wengert_nn::optim::{adam::Adam, decay::WeightDecay, rule::Rule, select::rank_at_least};
    /// // AdamW without decay of biases and norms.
    /// let optimizer = Adam::new(1e-3).after(WeightDecay::new(0.1).only(rank_at_least(2)));
    /// assert_eq!(optimizer.learning_rate(), 1e-3);
    /// ```
    fn only(self, select: impl Select) -> Only<Self>
    where
        Self: Sized,
    {
        Only { rule: self, select: Box::new(select) }
    }
}

impl Rule for Box<dyn Rule> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn check(&self) -> Result<()> {
        (**self).check()
    }
    fn init(&self, name: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        (**self).init(name, parameter)
    }
    fn update(&self, leaves: &mut [Leaf<'_>]) {
        (**self).update(leaves);
    }
    fn phase(&self, step: u64) -> u64 {
        (**self).phase(step)
    }
    fn reusable(&self) -> bool {
        (**self).reusable()
    }
    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        (**self).evaluation(leaf)
    }
    fn names(&self) -> Vec<&str> {
        (**self).names()
    }
}

/// A rule for some parameters only. See [`Rule::only`].
pub struct Only<R> {
    rule: R,
    select: Box<dyn Select>,
}

impl<R: Rule> Rule for Only<R> {
    fn name(&self) -> &'static str {
        self.rule.name()
    }
    fn check(&self) -> Result<()> {
        self.rule.check()
    }
    fn init(&self, name: &str, parameter: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
        match self.select.picks(name, parameter.shape()) {
            true => self.rule.init(name, parameter),
            false => Ok(Vec::new()),
        }
    }
    fn update(&self, leaves: &mut [Leaf<'_>]) {
        those(leaves, |leaf| self.select.picks(&leaf.name, &leaf.parameter.shape()), |leaves| self.rule.update(leaves));
    }
    fn phase(&self, step: u64) -> u64 {
        self.rule.phase(step)
    }
    fn reusable(&self) -> bool {
        self.rule.reusable()
    }
    fn evaluation<'t>(&self, leaf: &Leaf<'t>) -> Option<Var<'t>> {
        let own = self.select.picks(&leaf.name, &leaf.parameter.shape());
        own.then(|| self.rule.evaluation(leaf)).flatten()
    }
    fn names(&self) -> Vec<&str> {
        [self.select.names(), self.rule.names()].concat()
    }
}

impl<R: fmt::Debug> fmt::Debug for Only<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} only of {}", self.rule, self.select.describe())
    }
}

/// Hands the leaves that `are` so to `change`, and keeps the order of all.
pub(super) fn those<'t>(
    leaves: &mut [Leaf<'t>],
    are: impl Fn(&Leaf<'t>) -> bool,
    change: impl FnOnce(&mut [Leaf<'t>]),
) {
    let count = leaves.iter().filter(|leaf| are(leaf)).count();
    if count < leaves.len() {
        leaves.sort_by_key(|leaf| (!are(leaf), leaf.place));
    }
    if let Some(own) = leaves.get_mut(..count).filter(|own| !own.is_empty()) {
        change(own);
    }
    leaves.sort_by_key(|leaf| leaf.place);
}

/// One parameter on its way through the rules.
#[derive(Debug)]
pub struct Leaf<'t> {
    /// The parameter as it is before the step; f32 where it has 16 bits.
    pub parameter: Var<'t>,
    /// The update so far: at first the gradient, at the end what is scaled by the learning rate and subtracted. Of the
    /// dtype of `parameter`.
    pub update: Var<'t>,
    /// What the parameter becomes, if a rule has chosen it.
    pub(crate) next: Option<Var<'t>>,
    /// The loss, the parameter itself and the gradient by it, before anything was cast or changed.
    pub(crate) source: [Var<'t>; 3],
    pub(crate) name: Arc<str>,
    /// Which of the rules for single layers moves it.
    pub(crate) own: Option<usize>,
    pub(crate) phase: u64,
    /// The dtype of the parameter itself.
    pub(crate) dtype: DType,
    pub(crate) id: LeafId,
    pub(crate) count: u64,
    pub(crate) rate: f64,
    /// The factor by which the loss was scaled.
    pub(crate) scale: f64,
    /// The place of the rule that is running, by which it finds its own state.
    pub(crate) rule: usize,
    pub(crate) slots: SmallVec<[Slot<'t>; 2]>,
    /// Its place among the leaves.
    pub(crate) place: usize,
    /// Where the numbers of a step are kept that is recorded once.
    pub(crate) numbers: Option<Rc<Numbers>>,
}

/// What changes for a parameter from step to step, apart from values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Which update of this parameter it is: 1 for the first.
    pub count: u64,
    /// The learning rate of this parameter in this step.
    pub learning_rate: f64,
    /// The factor by which the loss was scaled; see [`LossScale`](super::scale::LossScale).
    pub loss_scale: f64,
}

/// The numbers of a step that is recorded once.
#[derive(Default)]
pub(crate) struct Numbers {
    /// Each with the place of its parameter and its slot on the tape.
    pub(crate) formulas: RefCell<Vec<(usize, NodeId, Formula)>>,
    /// Whether a rule has asked for what changes, and may have used it outside of a formula.
    pub(crate) asked: Cell<bool>,
    /// Whether a rule has asked for what was differentiated: the derivatives of closures are not known by their structure.
    pub(crate) derived: Cell<bool>,
}

/// A number as a function of the step.
pub(crate) type Formula = Box<dyn Fn(Moment) -> f64 + Send>;

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Numbers({})", self.formulas.borrow().len())
    }
}

/// A named piece of state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'t> {
    pub(crate) rule: usize,
    pub(crate) name: &'static str,
    pub(crate) now: Var<'t>,
    pub(crate) next: Option<Var<'t>>,
}

impl<'t> Leaf<'t> {
    /// The name of the parameter in its model: `head.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity of the parameter.
    pub fn id(&self) -> LeafId {
        self.id
    }

    /// Which update of this parameter it is: 1 for the first. A parameter that took no part in a loss is not updated.
    ///
    /// What follows from it is better said by [`Leaf::number`]: a rule that asks for this is recorded anew at every step.
    pub fn count(&self) -> u64 {
        self.asked();
        self.count
    }

    /// The learning rate of this parameter in this step; it is applied after the last rule. As for [`Leaf::count`], [`Leaf::number`] is
    /// the better way to what follows from it.
    pub fn learning_rate(&self) -> f64 {
        self.asked();
        self.rate
    }

    /// A number that changes from step to step, in every element of the shape and dtype of `update`: a slot of the plan. The formula must
    /// follow from the [`Moment`] alone.
    ///
    /// ```
    /// use wengert_nn::optim::rule::{Leaf, Rule};
    ///
    /// /// Steps that shrink: g / √t.
    /// #[derive(Debug)]
    /// struct Shrink;
    ///
    /// impl Rule for Shrink {
    ///     fn name(&self) -> &'static str {
    ///         "shrink"
    ///     }
    ///     fn update(&self, leaves: &mut [Leaf<'_>]) {
    ///         for leaf in leaves {
    ///             leaf.update = leaf.update * leaf.number(|now| 1.0 / (now.count as f64).sqrt());
    ///         }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn number(&self, formula: impl Fn(Moment) -> f64 + Send + 'static) -> Var<'t> {
        self.filled(self.update.shape().clone(), formula)
    }

    /// As [`Leaf::number`], a single number.
    #[track_caller]
    pub fn scalar(&self, formula: impl Fn(Moment) -> f64 + Send + 'static) -> Var<'t> {
        self.filled(Shape::scalar(), formula)
    }

    #[track_caller]
    fn filled(&self, shape: Shape, formula: impl Fn(Moment) -> f64 + Send + 'static) -> Var<'t> {
        let value = formula(Moment { count: self.count, learning_rate: self.rate, loss_scale: self.scale });
        let slot = self.update.tape().full(shape, value, self.update.dtype());
        if let Some(numbers) = &self.numbers {
            numbers.formulas.borrow_mut().push((self.place, slot.id(), Box::new(formula)));
        }
        slot
    }

    /// What the parameter becomes by what was done so far: `parameter − learning rate × update`, unless a rule chose otherwise.
    #[track_caller]
    pub fn next(&self) -> Var<'t> {
        self.next.unwrap_or_else(|| self.parameter - self.update * self.number(|now| now.learning_rate))
    }

    /// Chooses what the parameter becomes, whatever the update and the learning rate are. A rule that does so stands last, or before others
    /// that do so too: what later rules make of the update is not looked at.
    pub fn set_next(&mut self, next: Var<'t>) {
        self.next = Some(next);
    }

    /// The phase of the step, as [`Rule::phase`] of the running rule gave it.
    pub fn phase(&self) -> u64 {
        self.phase
    }

    fn asked(&self) {
        if let Some(numbers) = &self.numbers {
            numbers.asked.set(true);
        }
    }

    fn derived(&self) {
        if let Some(numbers) = &self.numbers {
            numbers.derived.set(true);
        }
    }

    /// What was differentiated, the parameter itself, and the gradient by it before any rule: for second derivatives, which are recorded as
    /// `tape.grad` of these.
    pub fn loss(&self) -> Var<'t> {
        self.derived();
        let [loss, ..] = self.source;
        loss
    }

    /// The parameter as the loss reads it, in its own dtype. See [`Leaf::loss`].
    pub fn leaf(&self) -> Var<'t> {
        self.derived();
        let [_, leaf, _] = self.source;
        leaf
    }

    /// The gradient of the loss by [`Leaf::leaf`], before any rule changed it. See [`Leaf::loss`].
    pub fn gradient(&self) -> Var<'t> {
        self.derived();
        let [.., gradient] = self.source;
        gradient
    }

    /// The state of that name. A name that [`Rule::init`] did not give is an error of the tape.
    #[track_caller]
    pub fn state(&self, name: &'static str) -> Var<'t> {
        match self.slots.iter().find(|slot| slot.rule == self.rule && slot.name == name) {
            Some(slot) => slot.next.unwrap_or(slot.now),
            None => {
                self.missing(name);
                self.update
            }
        }
    }

    /// Sets what the state of that name becomes when the step is committed.
    #[track_caller]
    pub fn set_state(&mut self, name: &'static str, next: Var<'t>) {
        match self.slots.iter_mut().find(|slot| slot.rule == self.rule && slot.name == name) {
            Some(slot) => slot.next = Some(next),
            None => self.missing(name),
        }
    }

    #[track_caller]
    fn missing(&self, name: &str) {
        let error = Error::state(format!("the rule has no state `{name}`"))
            .help("return it from `Rule::init`, with the value that it starts from");
        self.update.tape().fail(error);
    }
}
