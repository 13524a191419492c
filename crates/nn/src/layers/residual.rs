//! Residual connections: what a layer adds to its input.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::activation::Tanh;
use super::case::Case;
use super::dense::Dense;
use crate::layer::Layer;
use crate::module::{Module, Visit, VisitMut, enter};

/// y = x + f(x), or y = p(x) + f(x) with a projection p where f changes the shape. He et al. 2015.
///
/// | | shape |
/// |---|---|
/// | x | that of f's input |
/// | f(x) | that of x, or of p(x) |
/// | y | that of f(x) |
///
/// The parameters are `body.…` and `projection.…`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::{conv::Conv2d, residual::Residual}};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let images = Tensor::zeros([1, 4, 6, 6], DType::F32)?;
/// let same = Residual::new(Conv2d::new(4, 4, 3).padding(1));
/// assert_eq!(same.predict(&images)?.shape().dims(), [1, 4, 6, 6]);
/// let halved = Residual::new(Conv2d::new(4, 8, 3).padding(1).stride(2)).projection(Conv2d::new(4, 8, 1).stride(2));
/// assert_eq!(halved.predict(&images)?.shape().dims(), [1, 8, 3, 3]);
/// # Ok(())
/// # }
/// ```
pub struct Residual<F> {
    /// f.
    pub body: F,
    projection: Option<Box<dyn Layer>>,
}

impl<F: Layer> Residual<F> {
    /// x + `body`(x).
    pub fn new(body: F) -> Residual<F> {
        Residual { body, projection: None }
    }

    /// Adds the body to `projection`(x), in place of x itself.
    #[must_use]
    pub fn projection(mut self, projection: impl Layer + 'static) -> Residual<F> {
        self.projection = Some(Box::new(projection));
        self
    }
}

impl<F: Module> Module for Residual<F> {
    fn type_name(&self) -> &'static str {
        "Residual"
    }
    fn visit<'a>(&'a self, at: &mut Visit<'a, '_>) {
        at.field("body", &self.body);
        at.field("projection", &self.projection);
    }
    fn visit_mut(&mut self, at: &mut VisitMut<'_>) {
        at.field("body", &mut self.body);
        at.field("projection", &mut self.projection);
    }
}

impl<F: Layer> Layer for Residual<F> {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let short = match &self.projection {
            Some(projection) => {
                let _scope = enter(tape, "projection", projection);
                projection.forward(x)
            }
            None => x,
        };
        let added = {
            let _scope = enter(tape, "body", &self.body);
            self.body.forward(x)
        };
        // Broadcasting would hide a body of another shape.
        if short.shape() != added.shape() && tape.error().is_none() {
            let error = match &self.projection {
                Some(_) => {
                    Error::shape(format!("the projection gives {}, and the body {}", short.shape(), added.shape()))
                }
                None => Error::shape(format!("x is {}, and the body gives {}", short.shape(), added.shape()))
                    .help("a layer that takes x to the shape of the body: `.projection(Dense::new(…))`"),
            };
            return tape.reject("Residual", &[("x", short), ("body", added)], error);
        }
        short + added
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let own: &[&str] = &["body.0.weight", "body.0.bias"];
    let both: &[&str] = &["body.weight", "body.bias", "projection.weight"];
    let same = Residual::new((Dense::new(3, 3), Tanh));
    let projected = Residual::new(Dense::new(3, 2)).projection(Dense::new(3, 2).without_bias());
    vec![
        Case::new("residual", "same", same, [&[4, 3], &[4, 3]], own),
        Case::new("residual", "projected", projected, [&[4, 3], &[4, 2]], both),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn another_shape_is_refused() -> Result<()> {
        let x = Tensor::zeros([2, 3], DType::F32)?;
        let text = |layer: &dyn Layer| {
            let tape = wengert_autograd::Tape::new();
            layer.forward(tape.input(&x));
            tape.check().map_or_else(|error| error.to_string(), |()| String::new())
        };
        let plain = text(&Residual::new(Dense::new(3, 1)));
        assert!(plain.contains("x is [2, 3], and the body gives [2, 1]") && plain.contains(".projection"), "{plain}");
        let projected = text(&Residual::new(Dense::new(3, 1)).projection(Dense::new(3, 2)));
        assert!(projected.contains("the projection gives [2, 2], and the body [2, 1]"), "{projected}");
        let inside = text(&Residual::new(Dense::new(4, 3)));
        assert!(inside.contains("takes 4 inputs, not 3") && inside.contains("body (Dense)"), "{inside}");
        Ok(())
    }
}
