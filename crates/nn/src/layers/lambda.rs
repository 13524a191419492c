//! A function as a layer.

use std::fmt;

use wengert_autograd::Var;

use super::case::Case;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut};

/// A function of one variable as a layer without parameters, for use in a [`Sequential`](crate::sequential::Sequential). Keras's
/// `Lambda`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::lambda::Lambda};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let bump = Lambda::new("Bump", |x| (-x.square()).exp());
/// assert_eq!(bump.predict(&Tensor::from([0f32]))?.to_vec::<f32>()?, [1.0]);
/// # Ok(())
/// # }
/// ```
pub struct Lambda {
    name: &'static str,
    function: Box<Function>,
}

type Function = dyn for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync;

impl Lambda {
    /// The layer that applies `function`; errors and summaries call it `name`.
    pub fn new(name: &'static str, function: impl for<'t> Fn(Var<'t>) -> Var<'t> + Send + Sync + 'static) -> Lambda {
        Lambda { name, function: Box::new(function) }
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lambda({})", self.name)
    }
}

impl Module for Lambda {
    fn type_name(&self) -> &'static str {
        self.name
    }
    fn visit<'a>(&'a self, _at: &mut Visit<'a, '_>) {}
    fn visit_mut(&mut self, _at: &mut VisitMut<'_>) {}
}

impl Layer for Lambda {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        (self.function)(x)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let layer = Lambda::new("Square", |x| x.square());
    vec![Case::new("lambda", "square", layer, [&[4, 3], &[4, 3]], &[]).alone("a function of the user")]
}
