//! Batch normalisation: every channel has mean 0 and variance 1 over the examples of a batch.

use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};

use super::case::Case;
use super::norm::{affine, affine_settings, along, is_part, moments, others, parameter, refuse, sound, wide};
use super::running::{Running, fresh};
use crate::init::Init;
use crate::layer::Layer;
use crate::module::Module;
use crate::param::{Buffer, Param};

/// y = (x − mean) / √(var + ε) · weight + bias, with mean and variance of each channel over all examples and places.
///
/// | | shape |
/// |---|---|
/// | x | `[batch, channels, n…]`, floats; statistics of 16 bits are taken in f32 |
/// | `weight`, `bias` | `[channels]`, from ones and zeros |
/// | `running_mean`, `running_var` | `[channels]`, buffers, from zeros and ones |
/// | `num_batches_tracked` | `[]` i64, a buffer |
/// | y | as x |
///
/// In training the statistics are those of the batch, var = Σ(x − mean)² / n, and the running ones follow them:
/// running ← running + momentum · (new − running), where the new variance is the estimate Σ(x − mean)² / (n − 1). The
/// optimizer's step commits them. In evaluation the running ones are used. A batch with one value for each channel is
/// an error in training.
///
/// The names and defaults (ε = 1e-5, momentum = 0.1) are those of PyTorch's `BatchNorm1d`, `BatchNorm2d` and
/// `BatchNorm3d`, which are this one layer. Keras counts its momentum the other way: its 0.9 is 0.1 here. Ioffe &
/// Szegedy 2015.
///
/// As all examples of a batch are seen together, a training tape refuses this layer inside of `vmap`.
///
/// ```
/// use wengert_autograd::Tape;
/// use wengert_nn::{layer::Layer, layers::batch_norm::BatchNorm};
/// use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// let (norm, x) = (BatchNorm::new(2).epsilon(0.0), Tensor::from([[1f32, 10.0], [3.0, 30.0]]));
/// let tape = Tape::training(0u64);
/// let y = norm.forward(tape.input(&x));
/// assert_eq!(y.value()?.to_vec::<f32>()?, [-1.0, -1.0, 1.0, 1.0]);
/// // Nothing was learned yet: mean 0 and variance 1.
/// assert!(norm.predict(&x)?.equals(&x));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Module)]
pub struct BatchNorm {
    /// The scale, `[channels]`, unless the layer was made [`without_affine`](BatchNorm::without_affine).
    pub weight: Option<Param>,
    /// The offset, `[channels]`.
    pub bias: Option<Param>,
    /// The mean for evaluation, unless the layer was made
    /// [`without_running_statistics`](BatchNorm::without_running_statistics).
    pub running_mean: Option<Buffer>,
    /// The variance for evaluation.
    pub running_var: Option<Buffer>,
    /// How many batches the running statistics have seen.
    pub num_batches_tracked: Option<Buffer>,
    channels: usize,
    axis: isize,
    epsilon: f64,
    momentum: Option<f64>,
    frozen: bool,
}

impl BatchNorm {
    /// A layer for so many channels. Zero is reported by the first use.
    #[track_caller]
    pub fn new(channels: usize) -> BatchNorm {
        let [running_mean, running_var, num_batches_tracked] = fresh(channels);
        BatchNorm {
            weight: Some(parameter("BatchNorm", [channels], Init::Ones)),
            bias: Some(parameter("BatchNorm", [channels], Init::Zeros)),
            running_mean,
            running_var,
            num_batches_tracked,
            channels,
            axis: 1,
            epsilon: 1e-5,
            momentum: Some(0.1),
            frozen: false,
        }
    }

    /// The part of the way that the running statistics go to those of a batch; 0.1.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> BatchNorm {
        self.momentum = Some(momentum);
        self
    }

    /// The running statistics are the averages of all batches: PyTorch's `momentum=None`.
    #[must_use]
    pub fn cumulative_average(mut self) -> BatchNorm {
        self.momentum = None;
        self
    }

    /// Keeps no running statistics: evaluation, too, uses those of its batch. PyTorch's `track_running_stats=False`.
    #[must_use]
    pub fn without_running_statistics(mut self) -> BatchNorm {
        (self.running_mean, self.running_var, self.num_batches_tracked) = (None, None, None);
        self
    }

    /// Uses the running statistics in training, too, and leaves them as they are: to tune a trained model on small
    /// batches.
    #[must_use]
    pub fn frozen_statistics(mut self) -> BatchNorm {
        self.frozen = true;
        self
    }

    /// Which axis counts the channels, from the end if negative: −1 for Keras's `[batch, n…, channels]`.
    #[must_use]
    pub fn axis(mut self, axis: isize) -> BatchNorm {
        self.axis = axis;
        self
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    fn running(&self) -> Option<Running<'_>> {
        Running::of([&self.running_mean, &self.running_var, &self.num_batches_tracked])
    }

    /// The axis of the channels, if the input fits.
    fn fits(&self, x: Var<'_>) -> Result<usize> {
        sound(x, self.epsilon)?;
        is_part(self.momentum)?;
        let shape = x.shape();
        let (axis, found) = match shape.axis(self.axis) {
            Ok(axis) if shape.rank() > 1 => (axis, shape.get(axis).copied().unwrap_or(0)),
            _ => {
                let error = Error::shape(format!("takes [batch, channels, …], not {shape}"));
                return Err(error.help(format!("examples lie on axis 0, channels on axis {}", self.axis)));
            }
        };
        if found != self.channels {
            let error = Error::shape(format!("takes {} channels on axis {axis}, not {found}", self.channels));
            return Err(error.help(format!("BatchNorm::new({found}) would take this one")));
        }
        Ok(axis)
    }
}

affine_settings!(BatchNorm);

impl Layer for BatchNorm {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let tape = x.tape();
        let _scope = self.scope(tape);
        let axis = match self.fits(x) {
            Ok(axis) => axis,
            Err(error) => return refuse("BatchNorm", x, self.weight.as_ref(), error),
        };
        let (rank, count) = (x.rank(), others(&x.shape(), axis));
        let beside = along(rank, axis, self.channels);
        let values = x.cast(wide(x.dtype()));
        let training = tape.is_training() && !self.frozen;
        let [mean, var] = match self.running() {
            Some(running) if !training => running.beside(x, &beside),
            running => {
                if count < 2 {
                    let error = Error::value(format!("a variance wants 2 values of each channel, not {count}"));
                    let error =
                        error.help("in training a batch has at least two; in evaluation running statistics serve");
                    return refuse("BatchNorm", x, self.weight.as_ref(), error);
                }
                let axes: Vec<isize> = (0..rank).filter(|&at| at != axis).map(|at| at as isize).collect();
                let [mean, var] = moments(values, &axes);
                if let Some(running) = running {
                    let n = count as f64;
                    running.follow([mean, var * (n / (n - 1.0))], self.momentum);
                    running.tick(x);
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
    const NO_BIAS: &[&str] = &["weight", "running_mean", "running_var", "num_batches_tracked"];
    let case = |name, layer, shape: &[usize], names| Case::new("batch_norm", name, layer, [shape, shape], names);
    let thrice = |norm: &BatchNorm, x: Var<'_>| {
        norm.forward(x * 0.5);
        norm.forward(x.square() + 1.0);
    };
    let three_steps = Applied::new(BatchNorm::new(3), move |norm: &BatchNorm, x| {
        thrice(norm, x);
        norm.forward(x)
    });
    let cumulative = Applied::new(BatchNorm::new(3).cumulative_average(), move |norm: &BatchNorm, x| {
        thrice(norm, x);
        norm.forward(x)
    });
    vec![
        case("rows", BatchNorm::new(3), &[4, 3], ALL),
        case("evaluation", BatchNorm::new(3), &[4, 3], ALL),
        case("images", BatchNorm::new(2).momentum(0.3).epsilon(1e-2), &[2, 2, 3, 4], ALL),
        case("volumes", BatchNorm::new(2), &[1, 2, 2, 1, 3], ALL),
        case("without_affine", BatchNorm::new(3).without_affine(), &[2, 3, 4], ALL.get(2..).unwrap_or_default()),
        case("without_bias", BatchNorm::new(3).without_bias(), &[5, 3], NO_BIAS),
        case(
            "without_running",
            BatchNorm::new(3).without_running_statistics(),
            &[4, 3],
            ALL.get(..2).unwrap_or_default(),
        ),
        case("channels_last", BatchNorm::new(3).axis(-1), &[2, 4, 3], ALL),
        Case::new("batch_norm", "three_steps", three_steps, [&[4, 3], &[4, 3]], ALL),
        Case::new("batch_norm", "cumulative", cumulative, [&[4, 3], &[4, 3]], ALL),
        case("frozen", BatchNorm::new(3).frozen_statistics(), &[1, 3], ALL).alone("evaluation's numbers in training"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_autograd::Tape;
    use wengert_tensor::dtype::DType;
    use wengert_tensor::random::{Key, normal_f32};
    use wengert_tensor::tensor::Tensor;

    fn told(layer: BatchNorm, shape: &[usize], dtype: DType) -> String {
        let tape = Tape::training(0u64);
        layer.forward(tape.full(shape, 1.0, dtype));
        tape.error().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn bad_input_is_told() {
        let rows = |layer, wanted: &str| {
            let text = told(layer, &[4, 3], DType::F32);
            assert!(text.contains(wanted), "{text}");
        };
        rows(BatchNorm::new(0), "nothing to normalise in [0]");
        rows(BatchNorm::new(2), "takes 2 channels on axis 1, not 3");
        rows(BatchNorm::new(2), "BatchNorm::new(3) would take this one");
        rows(BatchNorm::new(3).epsilon(-1.0), "ε = -1");
        rows(BatchNorm::new(3).epsilon(f64::NAN), "ε = NaN");
        rows(BatchNorm::new(3).momentum(1.5), "a momentum of 1.5");
        rows(BatchNorm::new(3).axis(2), "takes [batch, channels, …], not [4, 3]");
        let text = told(BatchNorm::new(3), &[1, 3], DType::F32);
        assert!(text.contains("a variance wants 2 values of each channel, not 1"), "{text}");
        let text = told(BatchNorm::new(3), &[0, 3], DType::F32);
        assert!(text.contains("a variance wants 2 values of each channel, not 0"), "{text}");
        let text = told(BatchNorm::new(3), &[3], DType::F32);
        assert!(text.contains("takes [batch, channels, …], not [3]"), "{text}");
        let text = told(BatchNorm::new(3), &[2, 3], DType::I64);
        assert!(text.contains("needs floats, not i64"), "{text}");
    }

    #[test]
    fn a_large_mean_costs_no_digits() -> Result<()> {
        let x = Tensor::from_fn([4096, 2], |i| 1e4 + normal_f32(Key::new(1), i as u64))?;
        let exact = Tensor::from_fn([4096, 2], |i| f64::from(1e4 + normal_f32(Key::new(1), i as u64)))?;
        let norm = |x: &Tensor| -> Result<Vec<f64>> {
            let (tape, layer) = (Tape::training(0u64), BatchNorm::new(2).without_affine().without_running_statistics());
            Ok(layer.forward(tape.input(x)).value()?.to_f64_vec())
        };
        for (ours, exact) in norm(&x)?.into_iter().zip(norm(&exact)?) {
            assert!((ours - exact).abs() < 2e-3, "{ours} is not {exact}");
        }
        Ok(())
    }

    #[test]
    fn sixteen_bits_are_summed_in_32() -> Result<()> {
        // The sum of the squares leaves the range of f16.
        let x = Tensor::from_fn([512, 2], |i| 300.0 + 200.0 * normal_f32(Key::new(1), i as u64))?;
        for dtype in [DType::F16, DType::BF16] {
            for layer in [BatchNorm::new(2), BatchNorm::new(2).with_dtype(dtype)?] {
                let (tape, x) = (Tape::training(0u64), x.cast(dtype)?);
                let y = layer.forward(tape.input(&x));
                let [mean, var] = [y.cast(DType::F32).mean_axes(0), y.cast(DType::F32).var_axes(0)];
                let running = layer.running_mean.as_ref().and_then(|mean| tape.updated(mean.id()));
                assert_eq!(y.dtype(), dtype);
                for (mean, var) in mean.value()?.to_f64_vec().into_iter().zip(var.value()?.to_f64_vec()) {
                    assert!(mean.abs() < 1e-2 && (var - 1.0).abs() < 1e-2, "{dtype}: {mean}, {var}");
                }
                for mean in running.map_or(Ok(vec![]), |mean| Ok(mean.value()?.to_f64_vec()))? {
                    assert!((mean - 30.0).abs() < 3.0, "{dtype}: {mean}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn frozen_statistics_serve_in_training() -> Result<()> {
        let layer = BatchNorm::new(2).frozen_statistics().epsilon(0.0);
        let (tape, x) = (Tape::training(0u64), Tensor::from([[5f32, -7.0]]));
        assert!(layer.forward(tape.input(&x)).value()?.equals(&x));
        assert!(tape.updates().is_empty());
        Ok(())
    }
}
