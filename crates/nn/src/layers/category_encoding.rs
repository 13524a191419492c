//! CategoryEncoding: whole numbers as vectors of marks or counts.

use wengert_autograd::Var;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};

use super::case::{Applied, Case};
use crate::layer::Layer;
use crate::module::Module;

/// How categories become a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    OneHot,
    MultiHot,
    Count,
}

/// Categories in `0..categories` as vectors.
///
/// | | x | y |
/// |---|---|---|
/// | [`one_hot`](CategoryEncoding::one_hot) | `[…]` or `[…, 1]` integers | `[…, categories]`, 1 at the category |
/// | [`multi_hot`](CategoryEncoding::multi_hot) | `[…, n]` integers | `[…, categories]`, 1 at each category that occurs |
/// | [`count`](CategoryEncoding::count) | `[…, n]` integers | `[…, categories]`, how often each occurs |
///
/// y is f32. A category out of range is an error when the value is computed. Keras's `CategoryEncoding`.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::category_encoding::CategoryEncoding};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let x = Tensor::from([[2i64, 0, 2]]);
/// assert_eq!(CategoryEncoding::multi_hot(4).predict(&x)?.to_vec::<f32>()?, [1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(CategoryEncoding::count(4).predict(&x)?.to_vec::<f32>()?, [1.0, 0.0, 2.0, 0.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Module)]
pub struct CategoryEncoding {
    categories: usize,
    #[module(skip)]
    encoding: Encoding,
}

impl CategoryEncoding {
    /// A vector for each category. A last axis of size 1 makes place for it.
    pub fn one_hot(categories: usize) -> CategoryEncoding {
        CategoryEncoding { categories, encoding: Encoding::OneHot }
    }

    /// A vector for all categories along the last axis: which occur.
    pub fn multi_hot(categories: usize) -> CategoryEncoding {
        CategoryEncoding { categories, encoding: Encoding::MultiHot }
    }

    /// A vector for all categories along the last axis: how often each occurs.
    pub fn count(categories: usize) -> CategoryEncoding {
        CategoryEncoding { categories, encoding: Encoding::Count }
    }

    /// The counts, where each occurrence counts as its own number: `weights` are f32 and have the shape of `x`.
    #[track_caller]
    pub fn weighted<'t>(&self, x: Var<'t>, weights: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let fault = match self.check(x) {
            Err(error) => Some(error),
            Ok(()) if self.encoding != Encoding::Count => {
                let error = Error::value("weights for an encoding that does not count");
                Some(error.help(format!("CategoryEncoding::count({}) takes weights", self.categories)))
            }
            Ok(()) if weights.shape() != x.shape() || weights.dtype() != DType::F32 => {
                let (wanted, shape, dtype) = (x.shape(), weights.shape(), weights.dtype());
                Some(Error::shape(format!("takes weights {wanted} f32, not {shape} {dtype}")))
            }
            Ok(()) => None,
        };
        match fault {
            Some(error) => tape.reject("CategoryEncoding", &[("input", x), ("weights", weights)], error),
            None => (self.marks(x) * weights.unsqueeze(-1)).sum_axes(-2),
        }
    }

    #[track_caller]
    fn marks<'t>(&self, x: Var<'t>) -> Var<'t> {
        let x = if x.dtype() == DType::I64 { x } else { x.cast(DType::I64) };
        x.one_hot(self.categories)
    }

    fn check(&self, x: Var<'_>) -> Result<()> {
        if self.categories == 0 {
            return Err(Error::value("0 categories").help("at least 1"));
        }
        if x.dtype().is_float() || x.dtype() == DType::Bool {
            return Err(Error::dtype(format!("takes whole numbers, not {}", x.dtype())).help("`x.cast(DType::I64)`"));
        }
        match x.rank() == 0 && self.encoding != Encoding::OneHot {
            true => Err(Error::shape("takes an axis of categories, and the input is a scalar")),
            false => Ok(()),
        }
    }
}

impl Layer for CategoryEncoding {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        if let Err(error) = self.check(x) {
            return tape.reject("CategoryEncoding", &[("input", x)], error);
        }
        match self.encoding {
            Encoding::OneHot if x.shape().last() == Some(&1) => self.marks(x.squeeze(-1)),
            Encoding::OneHot => self.marks(x),
            // No category of nothing occurs.
            Encoding::MultiHot if x.shape().last() != Some(&0) => self.marks(x).max_axes(-2),
            Encoding::MultiHot | Encoding::Count => self.marks(x).sum_axes(-2),
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    fn as_f64<'t>(layer: &CategoryEncoding, x: Var<'t>) -> Var<'t> {
        layer.forward(x).cast(DType::F64)
    }
    fn weighted<'t>(layer: &CategoryEncoding, x: Var<'t>) -> Var<'t> {
        let weights = (x.tape().iota(x.shape(), -1, DType::F32) - 1.0) * 0.5;
        layer.weighted(x, weights).cast(DType::F64)
    }
    let case = |name, layer, function: for<'t> fn(&CategoryEncoding, Var<'t>) -> Var<'t>, shapes| {
        Case::new("category_encoding", name, Applied::new(layer, function), shapes, &[]).below(5)
    };
    vec![
        case("one_hot", CategoryEncoding::one_hot(5), as_f64, [&[4], &[4, 5]]),
        case("one_hot_column", CategoryEncoding::one_hot(5), as_f64, [&[4, 1], &[4, 5]]),
        case("multi_hot", CategoryEncoding::multi_hot(5), as_f64, [&[2, 4], &[2, 5]]),
        case("count", CategoryEncoding::count(5), as_f64, [&[2, 4], &[2, 5]]),
        case("count_weighted", CategoryEncoding::count(5), weighted, [&[2, 4], &[2, 5]]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = Tensor::from([[1i64, 5]]);
        for (layer, x, words) in [
            (CategoryEncoding::count(5), &x, "5 at"),
            (CategoryEncoding::count(0), &x, "0 categories"),
            (CategoryEncoding::count(5), &Tensor::from([[1f32]]), "takes whole numbers, not f32"),
            (CategoryEncoding::multi_hot(5), &Tensor::from(1i64), "the input is a scalar"),
        ] {
            let text = layer.predict(x).unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
        let tape = Tape::new();
        let y = CategoryEncoding::multi_hot(5).weighted(tape.input(&x), tape.full([1, 2], 1.0, DType::F32));
        let text = y.value().unwrap_err().to_string();
        assert!(text.contains("weights for an encoding that does not count"), "{text}");
        let tape = Tape::new();
        let y = CategoryEncoding::count(5).weighted(tape.input(&x), tape.full([2], 1.0, DType::F32));
        let text = y.value().unwrap_err().to_string();
        assert!(text.contains("takes weights [1, 2] f32, not [2] f32"), "{text}");
    }

    #[test]
    fn nothing_occurs_in_nothing() -> Result<()> {
        let x = Tensor::zeros([2, 0], DType::I64)?;
        for layer in [CategoryEncoding::multi_hot(3), CategoryEncoding::count(3)] {
            assert_eq!(layer.predict(&x)?.to_f64_vec(), [0.0; 6]);
        }
        Ok(())
    }
}
