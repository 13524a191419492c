//! Derivatives inside a loss, of any order: a network that learns u″ = −u with u(0) = 0 and u′(0) = 1.

use wengert::prelude::*;

#[test]
fn third_derivatives_without_another_word() -> Result<()> {
    let points = Tensor::from_fn([32, 1], |i| i as f32 / 16.0)?;
    let mut net = Sequential::input([1]).dense(24).tanh().dense(24).tanh().dense(1).build(Seed(2))?;
    let mut optimizer = Adam::new(5e-3);
    let mut last = (f64::MAX, f64::MAX);
    for step in 0..600 {
        let tape = Tape::training(step);
        let x = tape.input(&points); // [n, 1]
        let u = net.forward(x);
        let [du] = tape.grad(u.sum(), [x]);
        let [d2u] = tape.grad(du.sum(), [x]); // u″ at every point
        let boundary = u.slice(0, 0..1).square().sum() + (du.slice(0, 0..1) - 1.0).square().sum();
        let loss = (d2u + u).square().mean() + boundary;
        let grads = loss.backward(); // third derivatives
        let loss = optimizer.step(&mut net, grads)?;
        if step == 0 {
            last.0 = loss;
        }
        last.1 = loss;
    }
    assert!(last.1 < 1e-2 * last.0, "{last:?}");
    // It found the sine.
    let u = net.predict(&points)?;
    let worst = points.apply(|x| x.sin())?.max_abs_diff(&u)?;
    assert!(worst < 0.1, "off by {worst}");
    Ok(())
}

#[test]
fn sine_four_times_is_sine_again() -> Result<()> {
    let tape = Tape::new();
    let x = tape.input(&Tensor::from([0.3f64, 1.2, -2.0]));
    let fourth = (0..4).fold(x.sin(), |y, _| tape.grad(y.sum(), [x])[0]);
    assert!(fourth.value()?.max_abs_diff(&x.sin().value()?)? < 1e-15);
    Ok(())
}
