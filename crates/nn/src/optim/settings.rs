//! What the files of the rules share: builder methods of a rule that its optimizer has too, and checks of settings.

use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Builder methods of a rule, and the same ones of its optimizer:
/// `/// doc` `name(argument: type) |rule| change;`
macro_rules! settings {
    ($rule:ident { $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) |$this:ident| $change:expr;)* }) => {
        impl $rule {
            $($(#[$doc])* #[must_use] pub fn $name(mut self, $($arg: $type),*) -> $rule {
                let $this = &mut self;
                $change;
                self
            })*
        }

        impl $crate::optim::optimizer::Optimizer<$rule> {
            $($(#[$doc])* #[must_use] pub fn $name(self, $($arg: $type),*) -> Self {
                self.configure(|rule| rule.$name($($arg),*))
            })*
        }
    };
}
pub(super) use settings;

/// That a setting is finite and at least 0.
pub(super) fn not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    within(op, name, value, (0.0..f64::INFINITY).contains(&value), "must be finite and not negative")
}

/// That a setting is finite and above 0.
pub(super) fn positive(op: &'static str, name: &str, value: f64) -> Result<()> {
    within(op, name, value, value > 0.0 && value.is_finite(), "must be finite and positive")
}

/// That a memory lies in 0 ≤ β < 1.
pub(super) fn memory(op: &'static str, name: &str, value: f64) -> Result<()> {
    within(op, name, value, (0.0..1.0).contains(&value), &format!("must lie in 0 ≤ {name} < 1"))
}

/// What else must hold of a setting.
pub(super) fn within(op: &'static str, name: &str, value: f64, holds: bool, range: &str) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::value(format!("{name} is {value}, and {range}")).op(op)),
    }
}

/// State of zeros, one for each name, in the shape of the parameter.
pub(super) fn zeros(parameter: &Tensor, names: &[&'static str]) -> Result<Vec<(&'static str, Tensor)>> {
    let zeros = Tensor::zeros(parameter.shape(), parameter.dtype())?;
    Ok(names.iter().map(|name| (*name, zeros.clone())).collect())
}

/// A single number as state, of the dtype of the parameter.
pub(super) fn number(parameter: &Tensor, name: &'static str, value: f64) -> Result<(&'static str, Tensor)> {
    Ok((name, Tensor::full(Shape::scalar(), value)?.cast(parameter.dtype())?))
}
