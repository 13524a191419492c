//! Orthogonal: rows or columns that share no direction.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::regularizer::{Regularizer, sound, wide};

/// factor · the mean of |cos(wᵢ, wⱼ)| over all pairs of rows wᵢ of a matrix, or of its columns. Keras's `OrthogonalRegularizer`, which adds
/// 1e-7 to the lengths that it divides by.
///
/// ```
/// use wengert_autograd::Apply;
/// use wengert_nn::regularizers::{orthogonal::Orthogonal, regularizer::Regularizer};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let price = Tensor::from([[2f32, 0.0], [3.0, 4.0]]).apply(|w| Orthogonal::new(1.0).penalty(w))?;
/// assert!((price.item::<f32>()? - 0.6).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    factor: f64,
    columns: bool,
}

impl Orthogonal {
    /// With this factor, at least 0, for the rows of a matrix: what leads into each output of a [`Dense`](crate::layers::dense::Dense).
    pub fn new(factor: f64) -> Orthogonal {
        Orthogonal { factor, columns: false }
    }

    /// For the columns.
    #[must_use]
    pub fn columns(mut self) -> Orthogonal {
        self.columns = true;
        self
    }
}

impl Regularizer for Orthogonal {
    fn check(&self) -> Result<()> {
        sound("Orthogonal", self.factor)
    }

    #[track_caller]
    fn penalty<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = tape.scope("Orthogonal");
        if x.rank() != 2 {
            let error = Error::shape(format!("takes a matrix, not {}", x.shape()));
            return tape.reject("Orthogonal", &[("weight", x)], error.help("name the matrix alone: \"head.weight\""));
        }
        let x = wide(if self.columns { x.t() } else { x });
        let rows = x.dim(0) as f64;
        let unit = x / x.norm_keep(-1).maximum(1e-7);
        // A row with itself is no pair, and the others stand there twice.
        let cosines = unit.matmul(unit.t()) * (tape.eye(x.dim(0), x.dtype()) * -1.0 + 1.0);
        cosines.abs().sum() * (self.factor / (rows * (rows - 1.0)).max(1.0))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("orthogonal", "rows", Orthogonal::new(0.375)),
        Case::new("orthogonal", "columns", Orthogonal::new(0.375).columns()),
    ]
}
