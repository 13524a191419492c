//! Merges, branches and spatial layers in 16 bits and under `vmap`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::Tape;
use wengert_nn::layers::case::Case;
use wengert_nn::layers::roll;
use wengert_nn::module::each_mut;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::random::{Key, normal_f64};
use wengert_tensor::tensor::Tensor;

const FILES: &[&str] = &[
    "center_crop",
    "channel_shuffle",
    "concat",
    "cropping",
    "depthwise_conv",
    "dot",
    "fold",
    "fractional_max_pool",
    "global_avg_pool",
    "global_max_pool",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "merge",
    "pad",
    "parallel",
    "pixel_unshuffle",
    "residual",
    "separable_conv",
    "unflatten",
    "unfold",
    "upsample",
];

fn cases() -> Vec<Case> {
    roll().into_iter().filter(|case| FILES.contains(&case.file)).collect()
}

fn cast(case: &mut Case, dtype: DType) {
    each_mut(&mut *case.layer, &mut |_, param| param.cast(dtype).unwrap());
}

#[test]
fn all_run_in_16_bits() -> Result<()> {
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        for mut case in cases() {
            cast(&mut case, dtype);
            let x = Tensor::from_fn(case.input.clone(), |i| normal_f64(Key::new(3), i as u64))?.cast(dtype)?;
            let tape = Tape::training(1u64);
            let input = tape.input(&x);
            let y = case.layer.forward(input);
            let [dx] = tape.grad(y.sum(), [input]);
            let (y, dx) = tape.eval((y, dx)).map_err(|error| error.within(case.key()))?;
            assert_eq!((y.dtype(), y.shape().dims()), (dtype, &*case.output), "{}", case.key());
            assert!(!y.has_nan() && !dx.has_nan(), "{} in {dtype}", case.key());
        }
    }
    Ok(())
}

#[test]
fn a_mapped_layer_gives_what_it_gives_one_after_another() -> Result<()> {
    for mut case in cases() {
        cast(&mut case, DType::F64);
        let dims = [&[2], &case.input[..]].concat();
        let tape = Tape::new();
        let x = tape.input(&Tensor::from_fn(dims, |i| normal_f64(Key::new(5), i as u64))?);
        let mapped = tape.vmap(x, |x| case.layer.forward(x));
        let apart = tape.stack(&[0, 1].map(|i| case.layer.forward(x.at(0, i))), 0);
        let (mapped, apart) = tape.eval((mapped, apart)).map_err(|error| error.within(case.key()))?;
        for (ours, theirs) in mapped.to_f64_vec().into_iter().zip(apart.to_f64_vec()) {
            assert!((ours - theirs).abs() < 1e-12, "{}: {ours} is not {theirs}", case.key());
        }
    }
    Ok(())
}
