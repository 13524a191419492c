//! Derivatives where numbers are very large, very small, or 0.
#![allow(clippy::unwrap_used)]

use wengert_autograd::Tape;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

#[test]
fn an_angle_has_its_slopes_at_every_distance() -> Result<()> {
    for (dtype, sizes) in [(DType::F64, [1e-300, 1e-200, 1.0, 1e200]), (DType::F32, [1e-37, 1e-30, 1.0, 1e30])] {
        for size in sizes {
            let tape = Tape::new();
            let [y, x] = [3.0 * size, -4.0 * size].map(|v| tape.input(&Tensor::from(v)).cast(dtype));
            let slopes = tape.grad(y.atan2(x), [y, x]).map(|slope| slope.cast(DType::F64).item::<f64>().unwrap());
            for (slope, expected) in slopes.into_iter().zip([-0.16 / size, -0.12 / size]) {
                assert!((slope - expected).abs() <= 1e-6 * expected.abs(), "{slope:e}, not {expected:e}");
            }
        }
    }
    Ok(())
}

/// In both modes, and by an exponent of either sign.
#[test]
fn powers_have_infinite_slopes_at_poles() -> Result<()> {
    for (n, expected) in [(-1, f64::NEG_INFINITY), (-2, f64::NEG_INFINITY), (-5, f64::NEG_INFINITY), (0, 0.0), (2, 0.0)]
    {
        let tape = Tape::new();
        let x = tape.input(&Tensor::from(0.0f64));
        let back = tape.grad(x.powi(n), x).item::<f64>()?;
        let (_, forth) = tape.jvp(|[x]| x.powi(n), [x], [x.ones_like()]);
        assert_eq!((back, forth.item::<f64>()?), (expected, expected), "{n}");
    }
    Ok(())
}
