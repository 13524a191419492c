//! A loss as the tests try it.

use wengert_autograd::Var;

use crate::loss::{Loss, Reduction};

/// A loss that has a reduction.
pub trait Reduced {
    /// The same loss with this one.
    fn reduced(self, reduction: Reduction) -> Self;

    /// The one that it has.
    fn reduction_now(&self) -> Reduction;
}

/// A loss: what the laws try. Prediction, target and what is right are those of the reference for `file/name`.
pub struct Case {
    /// The file of this directory in which the loss lives.
    pub file: &'static str,
    /// What distinguishes the case in its file.
    pub name: &'static str,
    /// The loss.
    pub loss: Box<dyn Loss>,
    /// The same loss with another reduction.
    pub reduced: Box<dyn Fn(Reduction) -> Box<dyn Loss>>,
    /// Whether the loss of an example depends on the other examples.
    pub coupled: bool,
    /// Whether an example by itself, without the axis that counts them, is read otherwise.
    pub batched: bool,
    /// Whether the gradient is that of the value, and no estimate.
    pub exact: bool,
    /// Whether the prediction holds probabilities or rates, which are not negative.
    pub positive: bool,
}

impl Case {
    /// A loss that looks at every example by itself.
    pub fn new(file: &'static str, name: &'static str, loss: impl Loss + Reduced + Clone + 'static) -> Case {
        let again = loss.clone();
        let reduced = Box::new(move |reduction| Box::new(again.clone().reduced(reduction)) as Box<dyn Loss>);
        let (coupled, batched, exact, positive) = (false, false, true, false);
        Case { file, name, loss: Box::new(loss), reduced, coupled, batched, exact, positive }
    }

    /// The loss of an example depends on the others.
    #[must_use]
    pub fn coupled(mut self) -> Case {
        self.coupled = true;
        self
    }

    /// An example by itself, without the axis that counts them, is read otherwise.
    #[must_use]
    pub fn batched(mut self) -> Case {
        self.batched = true;
        self
    }

    /// The gradient is not that of the value, on purpose.
    #[must_use]
    pub fn straight_through(mut self) -> Case {
        self.exact = false;
        self
    }

    /// The prediction holds probabilities or rates.
    #[must_use]
    pub fn positive(mut self) -> Case {
        self.positive = true;
        self
    }

    /// `file/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.file, self.name)
    }
}

/// A loss of more operands with a function that takes them out of one prediction: how it is tried.
#[derive(Clone)]
pub struct Applied<L, F> {
    loss: L,
    each: F,
}

impl<L, F> Applied<L, F>
where
    L: Send + Sync,
    F: for<'t> Fn(&L, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    /// The loss whose `each` is `each(loss, prediction, target)`.
    pub fn new(loss: L, each: F) -> Applied<L, F> {
        Applied { loss, each }
    }
}

impl<L: Reduced, F> Reduced for Applied<L, F> {
    fn reduced(self, reduction: Reduction) -> Applied<L, F> {
        Applied { loss: self.loss.reduced(reduction), ..self }
    }

    fn reduction_now(&self) -> Reduction {
        self.loss.reduction_now()
    }
}

impl<L, F> Loss for Applied<L, F>
where
    L: Reduced + Send + Sync,
    F: for<'t> Fn(&L, Var<'t>, Var<'t>) -> Var<'t> + Send + Sync,
{
    fn each<'t>(&self, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
        (self.each)(&self.loss, prediction, target)
    }

    fn reduces(&self) -> Reduction {
        self.loss.reduction_now()
    }
}
