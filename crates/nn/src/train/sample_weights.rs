//! How much each sample of a batch counts.

use wengert_tensor::dtype::DType;
use wengert_tensor::error::{Error, Result};
use wengert_tensor::tensor::Tensor;

/// Weights of samples and of classes.
#[derive(Clone, Debug, Default)]
pub(super) struct Weighing {
    pub(super) samples: Option<Tensor>,
    pub(super) classes: Vec<(i64, f64)>,
}

impl Weighing {
    /// That the weights are weights, and as many as the samples.
    pub(super) fn check(&self, samples: usize) -> Result<()> {
        let wrong = |what: &str, weight: f64| {
            let message = format!("the weight of {what} is {weight}, and must be finite and not negative");
            Err(Error::value(message))
        };
        let sound = |weight: f64| weight >= 0.0 && weight.is_finite();
        if let Some((class, weight)) = self.classes.iter().find(|(_, weight)| !sound(*weight)) {
            return wrong(&format!("class {class}"), *weight);
        }
        let Some(weights) = &self.samples else { return Ok(()) };
        let given = weights.shape().dims().first().copied().unwrap_or(0);
        if weights.rank() == 0 || given != samples {
            return Err(Error::shape(format!(
                "the data has {samples} samples, the sample weights are {}",
                weights.shape()
            ))
            .help(format!("a weight for each sample: [{samples}]")));
        }
        if !self.classes.is_empty() && weights.rank() != 1 {
            return Err(Error::shape(format!(
                "class weights are multiplied with sample weights [{samples}], not {}",
                weights.shape()
            )));
        }
        match weights.to_f64_vec().into_iter().enumerate().find(|(_, weight)| !sound(*weight)) {
            Some((place, weight)) => wrong(&format!("sample {}", place / (weights.len() / given).max(1)), weight),
            None => Ok(()),
        }
    }

    /// The weights of these samples, whose targets are `targets`.
    pub(super) fn of(&self, indices: &[usize], targets: Option<&Tensor>) -> Result<Option<Tensor>> {
        let samples = self.samples.as_ref().map(|weights| weights.gather_rows(indices)).transpose()?;
        let (false, Some(targets)) = (self.classes.is_empty(), targets) else { return Ok(samples) };
        let (classes, shape) = labels(targets)?;
        let weight =
            |class: i64| self.classes.iter().find(|(known, _)| *known == class).map_or(1.0, |(_, weight)| *weight);
        let mut weights: Vec<f64> = classes.into_iter().map(weight).collect();
        if let Some(samples) = samples {
            if weights.len() != samples.len() {
                let message = format!("class weights are [{}], sample weights {}", weights.len(), samples.shape());
                return Err(Error::shape(message).help("with both, there is one label for each sample"));
            }
            weights.iter_mut().zip(samples.to_f64_vec()).for_each(|(weight, sample)| *weight *= sample);
        }
        Tensor::new(weights, shape).map(Some)
    }
}

/// The class of each target, and the shape of what is weighed: labels `[batch, …]` or `[batch, 1]`, or probabilities `[batch, classes]`.
fn labels(targets: &Tensor) -> Result<(Vec<i64>, Vec<usize>)> {
    let dims = targets.shape().dims();
    let floats = targets.dtype().is_float();
    let column = dims.len() == 2 && dims.last() == Some(&1);
    match dims {
        [batch, classes] if floats && *classes > 1 => {
            let values = targets.to_f64_vec();
            let largest = |row: &[f64]| {
                let best = row.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (class, &value)| {
                    if value > best.1 { (class, value) } else { best }
                });
                best.0 as i64
            };
            Ok((values.chunks(*classes).map(largest).collect(), vec![*batch]))
        }
        [batch, ..] if !floats || dims.len() == 1 || column => {
            let shape = if column { vec![*batch] } else { dims.to_vec() };
            let whole = targets.cast(DType::I64)?.to_vec::<i64>()?;
            match floats && targets.to_f64_vec().iter().any(|value| value.fract() != 0.0) {
                true => Err(Error::value("class weights want labels, and the targets are no whole numbers")),
                false => Ok((whole, shape)),
            }
        }
        _ => Err(Error::shape(format!(
            "class weights want labels, and the targets are {} {}",
            targets.shape(),
            targets.dtype()
        ))
        .help("labels `[batch]`, or one probability for each class `[batch, classes]`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(targets: Tensor, samples: Option<Tensor>) -> Result<Vec<f64>> {
        let weighing = Weighing { samples, classes: vec![(1, 4.0), (0, 0.5)] };
        let count = targets.shape().dims().first().copied().unwrap_or(0);
        weighing.check(count)?;
        let indices: Vec<usize> = (0..count).collect();
        Ok(weighing.of(&indices, Some(&targets))?.map(|weights| weights.to_f64_vec()).unwrap_or_default())
    }

    #[test]
    fn a_class_is_found_however_it_is_written() -> Result<()> {
        let expected = [4.0, 0.5, 1.0];
        assert_eq!(weighed(Tensor::from([1i64, 0, 2]), None)?, expected);
        assert_eq!(weighed(Tensor::from([[1i64], [0], [2]]), None)?, expected);
        assert_eq!(weighed(Tensor::from([1f32, 0.0, 2.0]), None)?, expected);
        assert_eq!(weighed(Tensor::from([[0.1f32, 0.8, 0.1], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), None)?, expected);
        let samples = Tensor::from([1f32, 2.0, 3.0]);
        assert_eq!(weighed(Tensor::from([1i64, 0, 2]), Some(samples))?, [4.0, 1.0, 3.0]);
        assert!(weighed(Tensor::from([0.5f32, 1.0]), None).is_err());
        assert!(weighed(Tensor::from([[[0.5f32, 1.0]]]), None).is_err());
        for wrong in [Tensor::from([1f32, 2.0]), Tensor::from([1f32, -2.0, 1.0]), Tensor::from([1f32, f32::NAN, 1.0])] {
            assert!(weighed(Tensor::from([1i64, 0, 2]), Some(wrong)).is_err());
        }
        Ok(())
    }
}
