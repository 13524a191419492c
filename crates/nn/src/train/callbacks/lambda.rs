//! A callback from functions.

use crate::train::callback::{At, Callback};
use crate::train::flow::Flow;
use wengert_tensor::error::Result;

type Hook<'a, T> = Option<Box<dyn FnMut(&mut At<'_>) -> Result<T> + 'a>>;

/// A callback from functions, for what needs no type of its own. Keras's `LambdaCallback`.
///
/// ```
/// use wengert_nn::train::callbacks::lambda::Lambda;
/// # use wengert_nn::{layers::dense::Dense, losses::mean_squared_error::MeanSquaredError};
/// # use wengert_nn::{optim::sgd::Sgd, train::trainer::Trainer};
/// # use wengert_tensor::tensor::Tensor;
/// # fn main() -> wengert_tensor::error::Result<()> {
/// # let data = (Tensor::from([[0f32], [1.0]]), Tensor::from([[1f32], [3.0]]));
/// let mut losses = Vec::new();
/// let mut trainer = Trainer::new(Sgd::new(0.1), MeanSquaredError::new())
///     .epochs(3)
///     .callback(Lambda::new().batch_end(|at| losses.push(at.logs().get("loss"))));
/// # trainer = trainer.verbose(false);
/// trainer.fit(&mut Dense::new(1, 1), &data)?;
/// drop(trainer);
/// assert_eq!(losses.len(), 3);
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct Lambda<'a> {
    begin: Hook<'a, ()>,
    epoch_begin: Hook<'a, ()>,
    batch_end: Hook<'a, Flow>,
    epoch_end: Hook<'a, Flow>,
    end: Hook<'a, ()>,
}

impl<'a> Lambda<'a> {
    /// A callback that does nothing yet.
    pub fn new() -> Lambda<'a> {
        Lambda::default()
    }

    /// Runs when the run begins.
    #[must_use]
    pub fn begin(self, mut hook: impl FnMut(&mut At<'_>) + 'a) -> Lambda<'a> {
        Lambda {
            begin: Some(Box::new(move |at| {
                hook(at);
                Ok(())
            })),
            ..self
        }
    }

    /// Runs when an epoch begins.
    #[must_use]
    pub fn epoch_begin(self, mut hook: impl FnMut(&mut At<'_>) + 'a) -> Lambda<'a> {
        Lambda {
            epoch_begin: Some(Box::new(move |at| {
                hook(at);
                Ok(())
            })),
            ..self
        }
    }

    /// Runs after every batch, and may answer [`Flow::Stop`].
    #[must_use]
    pub fn batch_end<F: Into<Flow>>(self, mut hook: impl FnMut(&mut At<'_>) -> F + 'a) -> Lambda<'a> {
        Lambda { batch_end: Some(Box::new(move |at| Ok(hook(at).into()))), ..self }
    }

    /// Runs after every epoch, and may answer [`Flow::Stop`].
    #[must_use]
    pub fn epoch_end<F: Into<Flow>>(self, mut hook: impl FnMut(&mut At<'_>) -> F + 'a) -> Lambda<'a> {
        Lambda { epoch_end: Some(Box::new(move |at| Ok(hook(at).into()))), ..self }
    }

    /// Runs when the run has ended.
    #[must_use]
    pub fn end(self, mut hook: impl FnMut(&mut At<'_>) + 'a) -> Lambda<'a> {
        Lambda {
            end: Some(Box::new(move |at| {
                hook(at);
                Ok(())
            })),
            ..self
        }
    }
}

impl Callback for Lambda<'_> {
    fn name(&self) -> &str {
        "lambda"
    }

    fn on_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.begin.as_mut().map_or(Ok(()), |hook| hook(at))
    }

    fn on_epoch_begin(&mut self, at: &mut At<'_>) -> Result<()> {
        self.epoch_begin.as_mut().map_or(Ok(()), |hook| hook(at))
    }

    fn on_batch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        self.batch_end.as_mut().map_or(Ok(Flow::Continue), |hook| hook(at))
    }

    fn on_epoch_end(&mut self, at: &mut At<'_>) -> Result<Flow> {
        self.epoch_end.as_mut().map_or(Ok(Flow::Continue), |hook| hook(at))
    }

    fn on_end(&mut self, at: &mut At<'_>) -> Result<()> {
        self.end.as_mut().map_or(Ok(()), |hook| hook(at))
    }
}
