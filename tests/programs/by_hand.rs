//! New weight = old weight − learning rate × ∂L/∂w.

use wengert::prelude::*;

#[test]
fn one_step_is_what_the_formula_says() -> Result<()> {
    let (x, y) = (Tensor::from([[1f32, 2.], [3., 4.]]), Tensor::from([[1f32], [2.]]));
    let (weight, bias) = (Tensor::from([[0.5f32], [-0.25]]), Tensor::from([0.1f32]));

    let tape = Tape::new();
    let (w, b) = (tape.input(&weight), tape.input(&bias));
    let loss = (tape.input(&x).matmul(w) + b - tape.input(&y)).square().mean();
    let [dw, db] = tape.grad(loss, [w, b]);
    let [new_weight, new_bias] = tape.eval([w - 0.1 * dw, b - 0.01 * db])?; // a learning rate per layer

    // By hand: the errors are −0.9 and −1.4, so ∂L/∂w = [−5.1, −7.4] and ∂L/∂b = −2.3.
    let close = |t: &Tensor, expected: &[f64]| {
        assert!(t.to_f64_vec().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{t}");
    };
    close(&new_weight, &[0.5 + 0.51, -0.25 + 0.74]);
    close(&new_bias, &[0.1 + 0.023]);
    Ok(())
}
