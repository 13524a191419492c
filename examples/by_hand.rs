//! What an optimizer does, without one: new weight = old weight − learning rate × ∂L/∂w.
//!
//! `cargo run --release --example by_hand`

use wengert::prelude::*;

fn main() -> Result<()> {
    let x = Tensor::from_fn([64, 1], |i| i as f32 / 32.0 - 1.0)?;
    let y = x.apply(|x| (x * 3.0).sin())?;

    // Two layers, four tensors. The values of a normal distribution, scaled down.
    let tape = Tape::with_key(Seed(1));
    let normal = |shape: [usize; 2]| tape.normal(shape, DType::F32);
    let [mut w1, mut w2] = tape.eval([normal([1, 16]) * 2.0, normal([16, 1]) * 0.25])?;
    let (mut b1, mut b2) = (Tensor::zeros([16], DType::F32)?, Tensor::zeros([1], DType::F32)?);

    for step in 0..=2000 {
        let tape = Tape::new();
        let [vw1, vb1, vw2, vb2] = [&w1, &b1, &w2, &b2].map(|weight| tape.input(weight));
        let hidden = (tape.input(&x).matmul(vw1) + vb1).tanh();
        let error = (hidden.matmul(vw2) + vb2 - tape.input(&y)).square().mean();

        // The gradient is more of the same tape; a learning rate for each layer.
        let [dw1, db1, dw2, db2] = tape.grad(error, [vw1, vb1, vw2, vb2]);
        let (first, second) = (0.4, 0.1);
        let new = [vw1 - first * dw1, vb1 - first * db1, vw2 - second * dw2, vb2 - second * db2, error];

        // Nothing was computed so far. Now all of it is, at once.
        let loss;
        [w1, b1, w2, b2, loss] = tape.eval(new)?;
        if step % 400 == 0 {
            println!("step {step:4}  loss {:.5}", loss.item::<f32>()?);
        }
    }
    Ok(())
}
