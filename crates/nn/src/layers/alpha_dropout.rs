//! Alpha dropout: silence elements at random while training, so that mean 0 and variance 1 stay.

use wengert_autograd::Var;
use wengert_tensor::error::Result;

use super::case::Case;
use super::mask::{kept, per_channel, sound};
use super::norm::{refuse, wide};
use crate::layer::Layer;
use crate::module::Module;

/// In training y = a (x m + α′ (1 − m)) + b, where each element of m is 0 with probability p and else 1; otherwise y
/// = x.
///
/// α′ ≈ −1.758 is what SELU gives far below zero: a silenced element takes this value, and a = 1 / √((1 − p)(1 + p
/// α′²)) and b = −a p α′ bring an input of mean 0 and variance 1 back to these. Made for networks of SELUs, whose
/// layers keep both. The names and formula are those of PyTorch's `AlphaDropout`; any shape of floats. Klambauer et
/// al. 2017.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::alpha_dropout::AlphaDropout};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (drop, x) = (AlphaDropout::new(0.1), Tensor::from([1f32, -2.0]));
/// assert!(drop.predict(&x)?.equals(&x));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct AlphaDropout {
    probability: f64,
}

impl AlphaDropout {
    /// Silences each element with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> AlphaDropout {
        AlphaDropout { probability }
    }

    /// The probability with which an element is silenced.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

/// −λα of SELU: what it tends to far below zero.
const SATURATED: f64 = -1.758_099_340_847_376_6;

/// The formula, with one draw for each element of `shape`, which is broadcast to that of `x`.
#[track_caller]
fn silenced<'t>(x: Var<'t>, p: f64, shape: &[usize]) -> Var<'t> {
    let a = ((1.0 - p) * (1.0 + p * SATURATED * SATURATED)).sqrt().recip();
    let values = x.cast(wide(x.dtype())).select(kept(x, p, shape), SATURATED);
    (values * a - a * p * SATURATED).cast(x.dtype())
}

#[track_caller]
fn forward<'t>(layer: &dyn Module, x: Var<'t>, p: f64, shape: Result<Vec<usize>>) -> Var<'t> {
    let _scope = layer.scope(x.tape());
    match sound(x, p).and(shape) {
        Ok(shape) if x.tape().is_training() && p > 0.0 => silenced(x, p, &shape),
        Ok(_) => x,
        Err(error) => refuse(layer.type_name(), x, None, error),
    }
}

impl Layer for AlphaDropout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        forward(self, x, self.probability, Ok(x.shape().dims().to_vec()))
    }
}

/// [`AlphaDropout`] that silences whole channels of inputs `[batch, channels, n…]`. The name is PyTorch's.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::alpha_dropout::FeatureAlphaDropout};
/// use wengert_tensor::{dtype::DType, tensor::Tensor};
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let tape = Tape::training(7u64);
/// let y = FeatureAlphaDropout::new(0.5).forward(tape.full([4, 3, 8], 1.0, DType::F32)).value()?.to_vec::<f32>()?;
/// assert!(y.chunks(8).all(|channel| channel.iter().all(|&v| v == channel[0])));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
pub struct FeatureAlphaDropout {
    probability: f64,
}

impl FeatureAlphaDropout {
    /// Silences each channel with this probability, in `0 ≤ p < 1`. Another number is an error of `forward`.
    pub fn new(probability: f64) -> FeatureAlphaDropout {
        FeatureAlphaDropout { probability }
    }

    /// The probability with which a channel is silenced.
    pub fn probability(&self) -> f64 {
        self.probability
    }
}

impl Layer for FeatureAlphaDropout {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        forward(self, x, self.probability, per_channel(x))
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    let plain = Case::new("alpha_dropout", "plain", AlphaDropout::new(0.3), [&[4, 3], &[4, 3]], &[]);
    let shape: &[usize] = &[4, 3, 2];
    let channels = Case::new("alpha_dropout", "channels", FeatureAlphaDropout::new(0.3), [shape, shape], &[]);
    [plain, channels].map(|case| case.alone("its mask is its own")).into()
}

#[cfg(test)]
mod tests {
    use super::super::mask::{assert_random, assert_told, spread};
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn mean_0_and_variance_1_stay() -> Result<()> {
        assert_random(&AlphaDropout::new(0.4), &AlphaDropout::new(0.0))?;
        assert_random(&FeatureAlphaDropout::new(0.4), &FeatureAlphaDropout::new(0.0))?;
        let x = Tensor::normal([200, 400, 1], DType::F64, 1u64)?;
        for p in [0.05, 0.3, 0.7] {
            for layer in [&AlphaDropout::new(p) as &dyn Layer, &FeatureAlphaDropout::new(p)] {
                let tape = Tape::training(2u64);
                let (mean, var) = spread(&layer.forward(tape.input(&x)).value()?.to_f64_vec());
                assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.03, "{p}: {mean}, {var}");
            }
        }
        Ok(())
    }

    /// The two values that PyTorch makes of 0.5 with p = 0.25.
    #[test]
    fn kept_and_silenced_elements_are_those_of_pytorch() -> Result<()> {
        let tape = Tape::training(2u64);
        let y = AlphaDropout::new(0.25).forward(tape.full([1000], 0.5, DType::F64)).value()?.to_f64_vec();
        let [kept, silenced] = [0.814_810_357_998_790_9, -1.143_544_188_209_472_6];
        assert!(y.iter().all(|y| (y - kept).abs() < 1e-9 || (y - silenced).abs() < 1e-9), "{:?}", &y[..8]);
        let count = y.iter().filter(|&&y| y < 0.0).count();
        assert!((205..295).contains(&count), "{count} of 1000 with probability ¼");
        Ok(())
    }

    /// Ten layers of SELUs with weights of variance 1 / n keep mean and variance, also with dropout between them.
    #[test]
    fn a_deep_network_of_selus_normalises_itself() -> Result<()> {
        let tape = Tape::training(3u64);
        let mut x = tape.normal([256, 128], DType::F64);
        for _ in 0..10 {
            let w = tape.normal([128, 128], DType::F64) * (1.0f64 / 128.0).sqrt();
            x = AlphaDropout::new(0.1).forward(x.matmul(w).selu());
        }
        let (mean, var) = spread(&x.value()?.to_f64_vec());
        assert!(mean.abs() < 0.15 && (0.7..1.4).contains(&var), "{mean}, {var}");
        Ok(())
    }

    #[test]
    fn bad_input_is_told() {
        assert_told(&AlphaDropout::new(-0.5), &[4, 3], DType::F32, "a probability of -0.5 to silence");
        assert_told(&AlphaDropout::new(0.5), &[4, 3], DType::I64, "needs floats, not i64");
        assert_told(&FeatureAlphaDropout::new(0.5), &[4, 3], DType::F32, "takes [batch, channels, n…], not [4, 3]");
    }
}
