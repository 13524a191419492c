//! Data through a model, batch by batch: the sums that a training or evaluation epoch reports.

use super::logs::Logs;
use super::step::Step;
use crate::data::dataset::Dataset;
use crate::metrics::metric::{Meter, Metric};
use crate::tensors::{Named, count, counted, float, floats, lines, read_lines};
use std::borrow::Cow;
use wengert_autograd::Var;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::shape::Shape;
use wengert_tensor::tensor::Tensor;

/// Loss, metrics and reported numbers of the batches so far. A batch counts with its number of samples.
pub(super) struct Totals<'a> {
    loss: f64,
    samples: usize,
    meters: Vec<Meter<&'a dyn Metric>>,
    /// Sums of numbers times samples, and the samples.
    logged: Vec<(String, f64, usize)>,
}

impl<'a> Totals<'a> {
    pub(super) fn new(metrics: &'a [Box<dyn Metric + 'a>]) -> Totals<'a> {
        let meters = metrics.iter().map(|metric| Meter::new(&**metric as &dyn Metric)).collect();
        Totals { loss: 0.0, samples: 0, meters, logged: Vec::new() }
    }

    /// What every metric wants to know of a batch, and the numbers that the step reports.
    pub(super) fn observe<'t>(&self, step: &Step<'t>) -> Vec<Var<'t>> {
        let mut wanted = Vec::new();
        if let Some((prediction, target)) = step.predicted {
            wanted.extend(self.meters.iter().map(|meter| meter.metric().observe(prediction, target)));
        }
        wanted.extend(step.logs.iter().map(|(name, value)| single(name, *value)));
        wanted
    }

    /// Takes a batch in: what [`Totals::observe`] wanted, and after it whatever else.
    pub(super) fn add(&mut self, samples: usize, step: &Step<'_>, values: &[Tensor]) {
        let mut values = values.iter();
        if let Some((_, target)) = step.predicted {
            let shape: Shape = target.shape();
            self.meters.iter_mut().zip(values.by_ref()).for_each(|(meter, sums)| meter.add(sums, &shape));
        }
        for ((name, _), value) in step.logs.iter().zip(values) {
            let sum = number(value) * samples as f64;
            match self.logged.iter_mut().find(|(known, ..)| known == name) {
                Some((_, total, count)) => (*total, *count) = (*total + sum, *count + samples),
                None => self.logged.push((name.clone(), sum, samples)),
            }
        }
    }

    /// Counts a batch: its loss, the sum of that of all its steps.
    pub(super) fn count(&mut self, samples: usize, loss: f64) {
        self.loss += loss * samples as f64;
        self.samples += samples;
    }

    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    pub(super) fn logs(&self) -> Logs {
        let mut logs = Logs::from([("loss", self.loss / self.samples as f64)]);
        let names = names(self.meters.iter().map(|meter| meter.metric().name()));
        names.into_iter().zip(&self.meters).for_each(|(name, meter)| logs.set(name, meter.value()));
        self.logged.iter().for_each(|(name, sum, count)| logs.set(name, sum / *count as f64));
        logs
    }

    /// To be saved, bit for bit.
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub(super) fn state(&self) -> Named {
        let mut state = vec![
            ("loss".to_string(), Tensor::from(self.loss)),
            ("samples".to_string(), counted(self.samples)),
            ("logged".to_string(), lines(self.logged.iter().map(|(name, ..)| name))),
        ];
        for (place, (_, sum, count)) in self.logged.iter().enumerate() {
            state.push((format!("logged.{place}.sum"), Tensor::from(*sum)));
            state.push((format!("logged.{place}.count"), counted(*count)));
        }
        for (place, meter) in self.meters.iter().enumerate() {
            state.push((format!("metric.{place}.count"), counted(meter.count())));
            if !meter.sums().is_empty() {
                state.push((format!("metric.{place}.sums"), Tensor::from(meter.sums().to_vec())));
            }
        }
        state
    }

    pub(super) fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let mut logged = Vec::new();
        for (place, name) in read_lines(state, "logged")?.into_iter().enumerate() {
            let sum = float(state, &format!("logged.{place}.sum"))?;
            logged.push((name, sum, count(state, &format!("logged.{place}.count"))?));
        }
        for (place, meter) in self.meters.iter_mut().enumerate() {
            let sums = floats(state, &format!("metric.{place}.sums"))?;
            meter.restore(sums, count(state, &format!("metric.{place}.count"))?);
        }
        (self.loss, self.samples, self.logged) = (float(state, "loss")?, count(state, "samples")?, logged);
        Ok(())
    }
}

/// The columns of metrics. Two of one name are both shown.
pub(super) fn names(metrics: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = vec!["loss".into()];
    for name in metrics {
        let taken = (2..).map(|n| format!("{name}_{n}"));
        let free = std::iter::once(name.clone()).chain(taken).find(|name| !names.contains(name));
        names.push(free.unwrap_or(name));
    }
    names.remove(0);
    names
}

/// A number that is reported.
#[track_caller]
fn single<'t>(name: &str, value: Var<'t>) -> Var<'t> {
    if value.len() == 1 {
        return value;
    }
    let error = Error::shape(format!("`{name}` is reported as one number, and has the shape {}", value.shape()));
    value.tape().reject("log", &[("value", value)], error.help("reduce it: `.mean()`"))
}

/// The loss, which a step can descend if it is one number.
#[track_caller]
pub(super) fn descended(loss: Var<'_>) -> Var<'_> {
    if loss.rank() == 0 {
        return loss;
    }
    let error = Error::shape(format!("a step descends one number, and the loss has the shape {}", loss.shape()));
    loss.tape().reject("loss", &[("loss", loss)], error.help("reduce it: `.reduction(Reduction::Mean)`"))
}

/// The first number of a tensor: the loss.
pub(super) fn number(value: &Tensor) -> f64 {
    value.to_f64_vec().first().copied().unwrap_or(f64::NAN)
}

/// Says in which batch an error arose.
pub(super) fn in_batch(error: Error, step: usize, indices: &[usize]) -> Error {
    const SHOWN: usize = 6;
    let mut samples: String = indices.iter().take(SHOWN).map(usize::to_string).collect::<Vec<_>>().join(", ");
    if indices.len() > SHOWN {
        samples.push_str(", …");
    }
    error.operand("batch", format!("{} of its epoch: samples {samples}", step + 1))
}

/// A loss that is no number says nothing, and its gradients would destroy the weights.
pub(super) fn finite(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::value(format!("the loss became {loss}"))
        .help("a smaller learning rate, `clip_global_norm`, or inputs of a smaller scale (`standardize`)"))
}

/// Samples of a data set that follow each other.
pub(super) struct Part<'d, D: ?Sized> {
    data: &'d D,
    pub(super) start: usize,
    len: usize,
}

impl<'d, D: Dataset + ?Sized> Part<'d, D> {
    pub(super) fn whole(data: &'d D) -> Part<'d, D> {
        Part { data, start: 0, len: data.len() }
    }

    /// The first samples and the rest.
    pub(super) fn split(self, first: usize) -> (Part<'d, D>, Part<'d, D>) {
        let Part { data, start, len } = self;
        (Part { data, start, len: first }, Part { data, start: start + first, len: len.saturating_sub(first) })
    }
}

impl<D: Dataset + ?Sized> Part<'_, D> {
    /// The numbers that its samples have in the whole.
    fn moved<'i>(&self, indices: &'i [usize]) -> Cow<'i, [usize]> {
        match self.start {
            0 => Cow::Borrowed(indices),
            start => indices.iter().map(|index| index.saturating_add(start)).collect(),
        }
    }
}

impl<D: Dataset + ?Sized> Dataset for Part<'_, D> {
    type Batch = D::Batch;

    fn len(&self) -> usize {
        self.len
    }

    fn batch(&self, indices: &[usize]) -> Result<D::Batch> {
        self.data.batch(&self.moved(indices))
    }

    fn batch_in(&self, epoch: usize, indices: &[usize]) -> Result<D::Batch> {
        self.data.batch_in(epoch, &self.moved(indices))
    }

    fn check(&self) -> Result<()> {
        self.data.check()
    }
}
