//! Activations where their pieces meet, and far from zero: values and slopes are those of PyTorch and Keras.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::tensors;
use wengert_autograd::Tape;
use wengert_nn::layers::roll;
use wengert_tensor::error::Result;

/// Where Keras has another convention: at the bound of a relu its slope is 1, and that of PyTorch's `ReLU6` is 0; at a threshold it is 0,
/// and that of `LeakyReLU` is the slope below.
const OTHERWISE: [(&str, f64, f64); 3] = [("Relu max_value", 0.7, 0.0), ("Relu all", 0.9, 0.0), ("Relu all", 0.4, 0.3)];

#[test]
fn slopes_at_kinks_are_those_of_the_reference() -> Result<()> {
    let reference = tensors("activations");
    let mut tried = 0;
    for case in roll().into_iter().filter(|case| case.file == "activation") {
        let given = |part: &str| reference.get(&format!("{}/{part}", case.name));
        let Some(points) = given("x") else { continue };
        let tape = Tape::new();
        let x = tape.input(points);
        let y = case.layer.forward(x);
        let [dx] = tape.grad(y.sum(), [x]);
        let rows = points.to_f64_vec().into_iter().zip(y.value()?.to_f64_vec()).zip(dx.value()?.to_f64_vec());
        let theirs = given("y").unwrap().to_f64_vec().into_iter().zip(given("dx").unwrap().to_f64_vec());
        for (((x, y), dx), (their_y, their_dx)) in rows.zip(theirs) {
            let chosen = OTHERWISE.iter().find(|(name, at, _)| *name == case.name && *at == x);
            let their_dx = chosen.map_or(their_dx, |&(_, _, slope)| slope);
            let close = |ours: f64, theirs: f64| (ours - theirs).abs() <= 2e-13 * theirs.abs().max(1.0);
            assert!(close(y, their_y), "{} of {x}: {y} is not {their_y}", case.name);
            assert!(close(dx, their_dx), "slope of {} at {x}: {dx} is not {their_dx}", case.name);
        }
        tried += 1;
    }
    assert!(tried >= 30, "{tried}");
    Ok(())
}
