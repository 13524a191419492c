//! Lp pooling: the p-norm of every window.

use wengert_autograd::{Pool, Var};
use wengert_tensor::error::Error;

use super::case::{Applied, Case};
use crate::layer::Layer;
use crate::module::Module;

/// (Σ |x|ᵖ)^(1/p) over every window of images `[batch, channels, n…]`, of any number of spatial axes: [`Var::lp_pool`].
///
/// p = 1 is the sum, p = ∞ the largest magnitude. PyTorch's `LPPool1d`, `LPPool2d` and `LPPool3d`, which take no magnitude and so give NaN for
/// an odd p and negative elements.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::lp_pool::LpPool};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let y = LpPool::new(2.0, 2).predict(&Tensor::from([[[3f32, -4.0, 0.0, 2.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [5.0, 2.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Module)]
pub struct LpPool {
    p: f64,
    #[module(skip)]
    options: Pool,
}

impl LpPool {
    /// The norm with this p ≥ 1, of windows of this size, side by side, or as the options say.
    pub fn new(p: f64, options: impl Into<Pool>) -> LpPool {
        LpPool { p, options: options.into() }
    }
}

impl Layer for LpPool {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let _scope = self.scope(x.tape());
        if self.p.is_nan() || self.p < 1.0 {
            let error = Error::value(format!("a norm with p = {}", self.p)).help("p is at least 1, or f64::INFINITY");
            return x.tape().reject("LpPool", &[("input", x)], error);
        }
        x.lp_pool(self.p, &self.options)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let (wide, ceil) = (Pool::new(3).stride(1), Pool::new(2).ceil_mode(true));
    let cubes = Applied::new(LpPool::new(3.0, 2), |pool: &LpPool, x: Var<'_>| pool.forward(x.square()));
    vec![
        Case::new("lp_pool", "image", LpPool::new(2.0, 2), [&[2, 3, 4, 6], &[2, 3, 2, 3]], &[]),
        Case::new("lp_pool", "line", LpPool::new(4.0, wide), [&[2, 1, 5], &[2, 1, 3]], &[]),
        Case::new("lp_pool", "volume", LpPool::new(2.0, ceil), [&[1, 1, 2, 4, 4], &[1, 1, 1, 2, 2]], &[]),
        Case::new("lp_pool", "cubes", cubes, [&[2, 1, 4, 4], &[2, 1, 2, 2]], &[]),
    ]
}

#[cfg(test)]
mod tests {
    use wengert_tensor::dtype::DType;
    use wengert_tensor::error::Result;
    use wengert_tensor::tensor::Tensor;

    use super::*;

    #[test]
    fn settings_without_meaning_are_refused() -> Result<()> {
        let x = Tensor::zeros([1, 1, 4], DType::F32)?;
        let text = |layer: LpPool| layer.predict(&x).map_or_else(|error| error.to_string(), |_| String::new());
        for p in [f64::NAN, -1.0, 0.0, 0.5] {
            assert!(text(LpPool::new(p, 2)).contains("p is at least 1"));
        }
        assert!(text(LpPool::new(2.0, 5)).contains("window of 5"));
        assert!(text(LpPool::new(2.0, Pool::new(2).stride(0))).contains("lp_pool"));
        assert_eq!(text(LpPool::new(f64::INFINITY, 2)), "");
        Ok(())
    }

    #[test]
    fn zeros_have_a_gradient() -> Result<()> {
        let tape = wengert_autograd::Tape::new();
        let x = tape.full([1, 1, 4], 0.0, DType::F32);
        let [dx] = tape.grad(LpPool::new(2.0, 2).forward(x).sum(), [x]);
        assert!(!dx.value()?.has_nan());
        Ok(())
    }
}
