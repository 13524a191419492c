//! What a constraint is, and how it becomes part of an optimizer.

use std::fmt;

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use crate::optim::rule::{Leaf, Rule};
use crate::path::covers;

/// A function from a weight to one that is allowed. A weight that is allowed stays as it is.
///
/// ```
/// use wengert_autograd::{Apply, Var};
/// use wengert_nn::constraints::constraint::{Constrain, Constraint};
/// use wengert_nn::{constraints::max_norm::MaxNorm, optim::adam::Adam};
/// use wengert_tensor::tensor::Tensor;
///
/// /// Weights between −1 and 1, as those of a critic (Arjovsky et al. 2017).
/// #[derive(Debug)]
/// struct Box1;
///
/// impl Constraint for Box1 {
///     fn apply<'t>(&self, weight: Var<'t>) -> Var<'t> {
///         weight.clamp(-1.0, 1.0)
///     }
/// }
///
/// let adam = Adam::new(1e-3).after(Constrain::new("critic", Box1)).after(Constrain::new("head.weight", MaxNorm::new(2.0)));
/// # assert_eq!(adam.learning_rate(), 1e-3);
/// # assert_eq!(Tensor::from([3f32]).apply(|w| Box1.apply(w)).unwrap().item::<f32>().unwrap(), 1.0);
/// ```
pub trait Constraint: fmt::Debug + Send + Sync + 'static {
    /// Whether the settings have a meaning.
    ///
    /// # Errors
    /// The setting that has none.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The weight that is allowed, of the shape and dtype of this one.
    fn apply<'t>(&self, weight: Var<'t>) -> Var<'t>;
}

/// A rule that puts every new value of some parameters through a [`Constraint`]; it runs after the rule of an optimizer, by
/// [`Optimizer::after`](crate::optim::optimizer::Optimizer::after).
///
/// The learning rate is applied before: what the constraint allows is what the model gets, to the last bit (of a parameter in 16 bits, rounded
/// once). Where several constraints have a parameter in common the last one has the last word. Weights that were never updated are as they
/// were drawn.
///
/// A name that no parameter of the model has, and settings without meaning, are errors of the first step.
pub struct Constrain {
    name: String,
    constraint: Box<dyn Constraint>,
}

impl Constrain {
    /// The parameter of this name, and whatever lies below it: `head` means `head.weight` and `head.bias`, the empty name all.
    pub fn new(name: impl Into<String>, constraint: impl Constraint) -> Constrain {
        Constrain { name: name.into(), constraint: Box::new(constraint) }
    }
}

impl fmt::Debug for Constrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constrain({:?}, {:?})", self.name, self.constraint)
    }
}

impl Rule for Constrain {
    fn name(&self) -> &'static str {
        "constrain"
    }

    fn check(&self) -> Result<()> {
        self.constraint.check().map_err(|error| error.operand("constraint", format!("{:?}", self.constraint)))
    }

    fn update(&self, leaves: &mut [Leaf<'_>]) {
        for leaf in leaves.iter_mut().filter(|leaf| covers(&self.name, leaf.name())) {
            let next = self.constraint.apply(leaf.next());
            leaf.set_next(next);
        }
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.name]
    }
}

/// Applies a function to a weight in at least f32, and rounds once.
#[track_caller]
pub(super) fn widened<'t>(weight: Var<'t>, f: impl FnOnce(Var<'t>) -> Var<'t>) -> Var<'t> {
    match weight.dtype() {
        half @ (DType::BF16 | DType::F16) => f(weight.cast(DType::F32)).cast(half),
        _ => f(weight),
    }
}

/// That a setting is a number that is not negative.
pub(super) fn not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    match (0.0..f64::INFINITY).contains(&value) {
        true => Ok(()),
        false => {
            Err(Error::value(format!("{name} = {value} has no meaning")).op(op).help(format!("{name} is at least 0")))
        }
    }
}
