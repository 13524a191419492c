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
