//! Instance normalisation: every channel of every example has mean 0 and variance 1.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::norm::{affine, along, channels, is_part, moments, parameter, refuse, sound, wide};
use super::running::{Running, fresh};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::{Buffer, Param};

/// y = (x − mean) / √(var + ε) · weight + bias, with mean and variance of each channel of each example over its places.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, floats; statistics of 16 bits are taken in f32 |
/// | `weight`, `bias` | `[channels]`, from ones and zeros; only [`affine`](InstanceNorm::affine) |
/// | `running_mean`, `running_var` | `[channels]`, buffers; only [with running statistics][running] |
/// | `num_batches_tracked` | `[]` i64, a buffer; only with those |
/// | y | as x |
///
/// [running]: InstanceNorm::with_running_statistics
///
/// var = Σ(x − mean)² / n. With running statistics, those follow the averages over the batch in training (running ←
/// running + momentum · (new − running), of the variance the estimate Σ(x − mean)² / (n − 1)) and are used in
/// evaluation; without, training and evaluation are the same. An input with one place is an error where its own
/// statistics are used.
///
/// The names and defaults (ε = 1e-5, momentum = 0.1, neither affine nor running) are those of PyTorch's
/// `InstanceNorm1d`, `InstanceNorm2d` and `InstanceNorm3d`, which are this one layer; as there, `num_batches_tracked`
/// is never counted. Ulyanov, Vedaldi & Lempitsky 2016.
///
/// ```
/// use wengert_nn::{layer::Layer, layers::instance_norm::InstanceNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let norm = InstanceNorm::new(2).epsilon(0.0);
/// let y = norm.predict(&Tensor::from([[[1f32, 3.0], [20.0, 10.0]]]))?;
/// assert_eq!(y.to_vec::<f32>()?, [-1.0, 1.0, 1.0, -1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct InstanceNorm {
    /// The scale, `[channels]`, if the layer was made [`affine`](InstanceNorm::affine).
    pub weight: Option<Param>,
    /// The offset, `[channels]`.
    pub bias: Option<Param>,
    /// The mean for evaluation, if the layer was made
    /// [`with_running_statistics`](InstanceNorm::with_running_statistics).
    pub running_mean: Option<Buffer>,
    /// The variance for evaluation.
    pub running_var: Option<Buffer>,
    /// Stays 0, as in PyTorch.
    pub num_batches_tracked: Option<Buffer>,
    channels: usize,
    epsilon: f64,
    momentum: f64,
}

impl InstanceNorm {
    /// A layer for so many channels.
    pub fn new(channels: usize) -> InstanceNorm {
        InstanceNorm {
            weight: None,
            bias: None,
            running_mean: None,
            running_var: None,
            num_batches_tracked: None,
            channels,
            epsilon: 1e-5,
            momentum: 0.1,
        }
    }

    /// With scale and offset for each channel. Zero channels are reported by the first use.
    #[must_use]
    #[track_caller]
    pub fn affine(mut self) -> InstanceNorm {
        let [weight, bias] = [Init::Ones, Init::Zeros].map(|init| parameter("InstanceNorm", [self.channels], init));
        (self.weight, self.bias) = (Some(weight), Some(bias));
        self
    }

    /// With running statistics, for evaluation: PyTorch's `track_running_stats`.
    #[must_use]
    pub fn with_running_statistics(mut self) -> InstanceNorm {
        [self.running_mean, self.running_var, self.num_batches_tracked] = fresh(self.channels);
        self
    }

    /// The part of the way that the running statistics go to those of a batch; 0.1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> InstanceNorm {
        self.momentum = momentum;
        self
    }

    /// What is added to the variance, so that nothing is divided by zero.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> InstanceNorm {
        self.epsilon = epsilon;
        self
    }
}

impl Layer for InstanceNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let fits = || -> Result<usize> {
            sound(x, self.epsilon)?;
            is_part(Some(self.momentum))?;
            channels("InstanceNorm", x, self.channels, 3)
        };
        if let Err(error) = fits() {
            return refuse("InstanceNorm", x, self.weight.as_ref(), error);
        }
        let shape = x.shape();
        let beside = along(shape.rank(), 1, self.channels);
        let values = x.cast(wide(x.dtype()));
        let running = Running::of([&self.running_mean, &self.running_var, &self.num_batches_tracked]);
        let [mean, var] = match running {
            Some(running) if !tape.is_training() => running.beside(x, &beside),
            running => {
                let count: usize = shape.dims().iter().skip(2).product();
                if count < 2 {
                    let error = Error::value(format!("a variance wants 2 places of each channel, not {count}"));
                    let error = error.help("an instance norm wants inputs of at least two places");
                    return refuse("InstanceNorm", x, self.weight.as_ref(), error);
                }
                if running.is_some() && x.dim(0) == 0 {
                    let error = Error::value("running statistics of 0 examples");
                    return refuse("InstanceNorm", x, self.weight.as_ref(), error.help("at least one"));
                }
                let axes: Vec<isize> = (2..shape.rank() as isize).collect();
                let [mean, var] = moments(values, &axes);
                if let Some(running) = running {
                    let n = count as f64;
                    running.follow([mean.mean_axes(0), var.mean_axes(0) * (n / (n - 1.0))], Some(self.momentum));
                }
                [mean, var]
            }
        };
        let y = (values - mean) * (var + self.epsilon).rsqrt();
        affine(x, y, self.weight.as_ref(), self.bias.as_ref(), &beside)
    }
}

/// What the laws try.
pub(super) fn cases() -> Vec<Case> {
    use super::case::Applied;
    const ALL: &[&str] = &["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    let case = |name, layer, shape: &[usize], names| Case::new("instance_norm", name, layer, [shape, shape], names);
    let all = || InstanceNorm::new(2).affine().with_running_statistics();
    let three_steps = Applied::new(all(), |norm: &InstanceNorm, x| {
        norm.forward(x * 0.5);
        norm.forward(x.square() + 1.0);
        norm.forward(x)
    });
    vec![
        case("line", InstanceNorm::new(3), &[2, 3, 4], &[]),
        case("images", InstanceNorm::new(2).affine().epsilon(1e-2), &[2, 2, 3, 4], ALL.get(..2).unwrap_or_default()),
        case("volumes", InstanceNorm::new(1), &[1, 1, 2, 1, 3], &[]),
        case("running", all().momentum(0.3), &[3, 2, 4], ALL),
        case("evaluation", all(), &[3, 2, 4], ALL),
        Case::new("instance_norm", "three_steps", three_steps, [&[2, 2, 3], &[2, 2, 3]], ALL),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::{Key, normal_f32};
    use wengert_tensor::tensor::Tensor;

    #[test]
    fn bad_input_is_told() {
        let told = |layer: InstanceNorm, shape: &[usize], wanted: &str| {
            let tape = Tape::training(0u64);
            layer.forward(tape.full(shape, 1.0, DType::F32));
            let text = tape.error().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains(wanted), "{text}");
        };
        told(InstanceNorm::new(0).affine(), &[2, 0, 3], "nothing to normalise in [0]");
        told(InstanceNorm::new(2), &[2, 3, 4], "takes 2 channels on axis 1, not 3");
        told(InstanceNorm::new(3), &[2, 3], "takes [batch, channels, n…], not [2, 3]");
        told(InstanceNorm::new(3), &[2, 3, 1], "a variance wants 2 places of each channel, not 1");
        told(InstanceNorm::new(3).momentum(-0.1), &[2, 3, 4], "a momentum of -0.1");
        told(InstanceNorm::new(3).epsilon(-1.0), &[2, 3, 4], "ε = -1");
    }

    #[test]
    fn a_large_mean_costs_no_digits() -> Result<()> {
        let x = Tensor::from_fn([2, 1, 4096], |i| 1e4 + normal_f32(Key::new(1), i as u64))?;
        for row in InstanceNorm::new(1).predict(&x)?.to_f64_vec().chunks(4096) {
            let mean = row.iter().sum::<f64>() / 4096.0;
            let var = row.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 4096.0;
            assert!(mean.abs() < 2e-3 && (var - 1.0).abs() < 1e-3, "{mean}, {var}");
        }
        Ok(())
    }
}
