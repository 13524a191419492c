//! Local response normalisation: every channel is divided by the size of its neighbours.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::norm::{refuse, sound, wide};
use crate::layer::Layer;
use crate::module::Module;

/// y = x / (k + α / size · Σ x²)^β, with the sum over a window of `size` neighbouring channels.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, floats; 16 bits are summed in f32 |
/// | y | as x |
///
/// Of an even window one more channel lies before than behind; where it reaches beyond the channels it holds zeros.
/// The names and defaults (α = 1e-4, β = 0.75, k = 1) are those of PyTorch's `LocalResponseNorm`. Krizhevsky,
/// Sutskever & Hinton 2012.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::local_response_norm::LocalResponseNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let norm = LocalResponseNorm::new(3).alpha(3.0).beta(1.0);
/// let y = norm.predict(&Tensor::from([[[1f32], [0.0], [2.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [0.5, 0.0, 0.4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
}

impl LocalResponseNorm {
    /// Over so many neighbouring channels. What is wrong is an error of `forward`.
    pub fn new(size: usize) -> LocalResponseNorm {
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    /// The factor of the mean of the squares.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> LocalResponseNorm {
        self.alpha = alpha;
        self
    }

    /// The exponent.
    #[must_use]
    pub fn beta(mut self, beta: f64) -> LocalResponseNorm {
        self.beta = beta;
        self
    }

    /// What is added to the squares, above 0.
    #[must_use]
    pub fn k(mut self, k: f64) -> LocalResponseNorm {
        self.k = k;
        self
    }

    fn fits(&self, x: Var<'_>) -> Result<()> {
        sound(x, 0.0)?;
        let &LocalResponseNorm { size, alpha, beta, k } = self;
        if size == 0 {
            return Err(Error::value("a window of 0 channels").help("it has at least one"));
        }
        if !(alpha.is_finite() && alpha >= 0.0 && beta.is_finite() && k.is_finite() && k > 0.0) {
            let error = Error::value(format!("α = {alpha}, β = {beta}, k = {k}"));
            return Err(error.help("α is at least 0, k is above 0, and all are finite"));
        }
        if x.rank() < 3 {
            let error = Error::shape(format!("takes [batch, channels, n…], not {}", x.shape()));
            return Err(error.help("examples lie on axis 0, channels on axis 1"));
        }
        Ok(())
    }
}

impl Layer for LocalResponseNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        if let Err(error) = self.fits(x) {
            return refuse("LocalResponseNorm", x, None, error);
        }
        let values = x.cast(wide(x.dtype()));
        let squares = values.square().pad(1, self.size / 2, (self.size - 1) / 2, 0.0);
        let sum = squares.windows(1, self.size, 1, 1).sum_axes(-1);
        (values * (sum * (self.alpha / self.size as f64) + self.k).pow(-self.beta)).cast(x.dtype())
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let case = |name, layer, shape: &[usize]| Case::new("local_response_norm", name, layer, [shape, shape], &[]);
    vec![
        case("images", LocalResponseNorm::new(3).alpha(0.5), &[2, 4, 3, 2]),
        case("even", LocalResponseNorm::new(2).alpha(0.5).beta(0.6).k(2.0), &[2, 4, 3]),
        case("wider_than_the_channels", LocalResponseNorm::new(5), &[1, 2, 3]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: LocalResponseNorm, shape: &[usize], wanted: &str| {
            let tape = Tape::new();
            layer.forward(tape.full(shape, 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(LocalResponseNorm::new(0), &[1, 2, 3], "a window of 0 channels");
        told(LocalResponseNorm::new(2).k(0.0), &[1, 2, 3], "k = 0");
        told(LocalResponseNorm::new(2).beta(f64::NAN), &[1, 2, 3], "β = NaN");
        told(LocalResponseNorm::new(2), &[2, 3], "takes [batch, channels, n…], not [2, 3]");
    }

    #[test]
    fn sixteen_bits_are_summed_in_32() -> Result<()> {
        let tape = Tape::new();
        let y = LocalResponseNorm::new(2).alpha(1.0).forward(tape.full([1, 2, 1], 1000.0, DType::F16));
        assert!(y.value()?.to_f64_vec().iter().all(|y| (0.03..0.06).contains(y)));
        Ok(())
    }
}
