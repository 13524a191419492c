//! Bilinear: a form of two inputs.

use std::panic::Location;

use wengert_autograd::Var;
use wengert_tensor::error::Error;

use super::case::{Applied, Case};
use crate::init::Init;
use crate::module::Module;
use crate::param::Param;

/// yₖ = xᵀ Aₖ z + bₖ, on the last axes of two inputs.
///
/// | | shape |
/// |---|---|
/// | x | `[…, left]` |
/// | z | `[…, right]`, with the other axes of x |
/// | `weight` A | `[outputs, left, right]` |
/// | `bias` b | `[outputs]` |
/// | y | `[…, outputs]` |
///
/// The names, shapes and first values are those of PyTorch's `Bilinear`: weight and bias uniform on ±1/√left.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layers::bilinear::Bilinear, module::Module};
/// use wengert_tensor::{random::Seed, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let form = Bilinear::new(3, 2, 4).init(Seed(1))?;
/// let tape = Tape::new();
/// let (x, z) = (tape.input(&Tensor::from([[1f32, 2.0, 3.0]])), tape.input(&Tensor::from([[1f32, -1.0]])));
/// assert_eq!(form.forward(x, z).shape().dims(), [1, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct Bilinear {
    /// A, `[outputs, left, right]`.
    pub weight: Param,
    /// b, `[outputs]`, unless the layer was made [`without_bias`](Bilinear::without_bias).
    pub bias: Option<Param>,
}

impl Bilinear {
    /// A form of `left` and `right` features with so many outputs. Zero of any is reported by the first use.
    #[track_caller]
    pub fn new(left: usize, right: usize, outputs: usize) -> Bilinear {
        let bound = 1.0 / (left.max(1) as f64).sqrt();
        let init = Init::Uniform { low: -bound, high: bound };
        let weight = match left.min(right).min(outputs) {
            0 => Param::faulty(
                Error::value(format!("a form of {left} and {right} features with {outputs} outputs has no weights"))
                    .op("Bilinear")
                    .at(Location::caller())
                    .help("all three numbers are at least 1"),
            ),
            _ => Param::draw([outputs, left, right], init.clone()),
        };
        Bilinear { weight, bias: Some(Param::draw([outputs], init)) }
    }

    /// yₖ = xᵀ Aₖ z.
    #[must_use]
    pub fn without_bias(mut self) -> Bilinear {
        self.bias = None;
        self
    }

    /// Draws the weight from another distribution.
    #[must_use]
    pub fn weight_init(mut self, init: Init) -> Bilinear {
        self.weight.set_init(init);
        self
    }

    /// Draws the bias from another distribution.
    #[must_use]
    pub fn bias_init(mut self, init: Init) -> Bilinear {
        if let Some(bias) = &mut self.bias {
            bias.set_init(init);
        }
        self
    }

    /// The outputs for x and z, recorded on their tape.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t>, z: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let weight = self.weight.on(tape);
        let (left, right) = (x.shape(), z.shape());
        let &[_, wants_left, wants_right] = weight.shape().dims() else {
            let error = Error::shape(format!("a weight is [outputs, left, right], not {}", weight.shape()));
            return tape.reject("Bilinear", &[("weight", weight)], error);
        };
        let fault = if left.last() != Some(&wants_left) || right.last() != Some(&wants_right) {
            Some(format!("takes {wants_left} and {wants_right} features in the last axes, not {left} and {right}"))
        } else if left.dims().split_last().map(|(_, rest)| rest) != right.dims().split_last().map(|(_, rest)| rest) {
            Some(format!("takes inputs that differ in the last axis only, not {left} and {right}"))
        } else {
            None
        };
        if let Some(fault) = fault {
            return tape.reject("Bilinear", &[("left", x), ("right", z), ("weight", weight)], Error::shape(fault));
        }
        let y = tape.einsum("...i,kij,...j->...k", &[x, weight, z]);
        match &self.bias {
            Some(bias) => y + bias,
            None => y,
        }
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    // The second input is made of the first.
    fn split<'t>(layer: &Bilinear, x: Var<'t>) -> Var<'t> {
        layer.forward(x.slice(-1, ..3), x.slice(-1, 3..))
    }
    let (form, plain) = (Bilinear::new(3, 2, 4), Bilinear::new(3, 1, 1).without_bias());
    vec![
        Case::new("bilinear", "rows", Applied::new(form, split), [&[5, 5], &[5, 4]], &["weight", "bias"]),
        Case::new("bilinear", "without_bias", Applied::new(plain, split), [&[2, 3, 4], &[2, 3, 1]], &["weight"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::Seed;

    #[test]
    fn what_does_not_fit_is_refused() {
        for (left, right, words) in [
            ([2, 4], [2, 2], "takes 3 and 2 features in the last axes, not [2, 4] and [2, 2]"),
            ([2, 3], [2, 3], "takes 3 and 2 features"),
            ([2, 3], [4, 2], "differ in the last axis only, not [2, 3] and [4, 2]"),
        ] {
            let tape = Tape::new();
            let y = Bilinear::new(3, 2, 4).forward(tape.full(left, 1.0, DType::F32), tape.full(right, 1.0, DType::F32));
            let text = y.value().unwrap_err().to_string();
            assert!(text.contains(words), "{words}\n{text}");
        }
        let text = Bilinear::new(3, 0, 4).init(Seed(1)).unwrap_err().to_string();
        assert!(text.contains("a form of 3 and 0 features with 4 outputs has no weights"), "{text}");
    }

    #[test]
    fn starts_within_its_bound() {
        let form = Bilinear::new(4, 3, 5).init(Seed(1)).unwrap();
        let values = form.weight.value().to_f64_vec();
        assert!(values.iter().all(|w| w.abs() <= 0.5) && values.iter().any(|w| w.abs() > 0.4));
    }
}
