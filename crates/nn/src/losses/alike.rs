//! What the losses that compare element by element ask of their operands.

use wengert_autograd::Var;
use wengert_tensor::error::Error;

/// The target with the shape and dtype of the prediction, for a loss that compares element by element.
///
/// Labels in integers or bools become floats. `[n]` and `[n, 1]` say the same and fit each other; any other difference
/// of shapes is refused, since broadcasting would compare everything with everything.
#[track_caller]
pub fn alike<'t>(name: &'static str, prediction: Var<'t>, target: Var<'t>) -> Var<'t> {
    let (wanted, given) = (prediction.shape(), target.shape());
    let target = match target.dtype().is_float() {
        true => target,
        false => target.cast(prediction.dtype()),
    };
    if wanted == given {
        return target;
    }
    let column = |longer: &[usize], shorter: &[usize]| longer.split_last() == Some((&1, shorter));
    if column(&wanted, &given) || column(&given, &wanted) {
        return target.reshape(&wanted);
    }
    let operands = [("prediction", prediction), ("target", target)];
    let error = Error::shape(format!("a prediction {wanted} has no target {given}"));
    let error = match *wanted {
        // One for each sequence, or a column of them.
        [batch, steps, width] if *given == [batch, width] || (width == 1 && *given == [batch]) => error.help(format!(
            "there is one prediction for each of {steps} steps: `Lstm::new(…).last_only()`, or a pooling layer, gives one for a sequence"
        )),
        _ => error,
    };
    prediction.tape().reject(name, &operands, error)
}
