//! Laws of all losses. The operands of a case, and what is right of it, are those of the reference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use support::{assert_close, assert_on_roll, tensors};
use wengert_autograd::{Tape, Var, check_gradients};
use wengert_nn::loss::{Loss, Reduction};
use wengert_nn::losses::case::Case;
use wengert_nn::losses::roll;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// What is known of a case.
struct Known<'a>(&'a BTreeMap<String, Tensor>, String);

impl Known<'_> {
    fn get(&self, what: &str) -> Option<&Tensor> {
        self.0.get(&format!("{}/{what}", self.1))
    }

    fn prediction(&self) -> &Tensor {
        self.get("prediction").unwrap_or_else(|| panic!("{} has no reference", self.1))
    }

    fn target(&self) -> &Tensor {
        self.get("target").unwrap()
    }

    /// The target beside a prediction of this dtype.
    fn target_in(&self, dtype: DType) -> Tensor {
        let target = self.target();
        if target.dtype().is_float() { target.cast(dtype).unwrap() } else { target.clone() }
    }
}

/// Every case with what is known of it.
fn each_case(mut law: impl FnMut(&Case, Known) -> Result<()>) -> Result<()> {
    let reference = tensors("losses");
    roll().iter().try_for_each(|case| law(case, Known(&reference, case.key())))
}

#[track_caller]
fn assert_all_close(ours: &Tensor, theirs: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(ours.shape(), theirs.shape(), "{what}");
    for (ours, theirs) in ours.to_f64_vec().into_iter().zip(theirs.to_f64_vec()) {
        assert_close(ours, theirs, tolerance, what);
    }
}

#[test]
fn every_file_is_on_the_roll() {
    let besides = ["alike", "case", "classes", "operands"];
    assert_on_roll("losses", &besides, roll().iter().map(|case| case.file));
}

#[test]
fn every_reference_has_a_case() {
    let cases: Vec<String> = roll().iter().map(Case::key).collect();
    for key in tensors("losses").keys() {
        assert!(cases.iter().any(|case| key.starts_with(&format!("{case}/"))), "{key}");
    }
    let mut once = cases.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), cases.len(), "two cases of one name");
}

#[test]
fn values_and_gradients_are_those_of_the_reference() -> Result<()> {
    each_case(|case, known| {
        let key = case.key();
        let tape = Tape::new();
        let (prediction, target) = (tape.input(known.prediction()), tape.input(known.target()));
        let loss = match known.get("weights") {
            Some(weights) => case.loss.weighted(prediction, target, tape.input(weights)),
            None => case.loss.loss(prediction, target),
        };
        assert_all_close(&loss.value()?, known.get("loss").unwrap(), 1e-12, &key);
        let [slope] = tape.grad(loss, [prediction]);
        assert_all_close(&slope.value()?, known.get("dprediction").unwrap(), 1e-12, &format!("{key} by prediction"));
        if let Some(theirs) = known.get("dtarget") {
            let [slope] = tape.grad(loss, [target]);
            assert_all_close(&slope.value()?, theirs, 1e-12, &format!("{key} by target"));
        }
        if let Some(theirs) = known.get("each") {
            assert_all_close(&case.loss.each(prediction, target).value()?, theirs, 1e-12, &format!("{key} each"));
        }
        Ok(())
    })
}

#[test]
fn gradients_are_those_of_differences() -> Result<()> {
    each_case(|case, known| {
        if !case.exact {
            return Ok(());
        }
        let (prediction, target) = (known.prediction(), known.target());
        check_gradients(|[p]| case.loss.each(p, p.tape().input(target)), [prediction])
            .map_err(|error| error.within(case.key()))?;
        if known.get("dtarget").is_some() {
            check_gradients(|[t]| case.loss.each(t.tape().input(prediction), t), [target])
                .map_err(|error| error.within(case.key()))?;
        }
        Ok(())
    })
}

#[test]
fn a_target_of_another_shape_is_refused() -> Result<()> {
    each_case(|case, known| {
        let tape = Tape::new();
        let target = tape.input(known.target());
        let target = target.reshape([1, 1, 1, 1, target.len()]);
        let loss = case.loss.loss(tape.input(known.prediction()), target);
        let error = loss.value().expect_err(&case.key()).to_string();
        let words = ["prediction", "takes labels", "of one shape"];
        assert!(words.iter().any(|word| error.contains(word)), "{}: {error}", case.key());
        Ok(())
    })
}

#[test]
fn a_prediction_of_whole_numbers_is_refused() -> Result<()> {
    each_case(|case, known| {
        let tape = Tape::new();
        let prediction = tape.input(&known.prediction().cast(DType::I64)?);
        let error = case.loss.loss(prediction, tape.input(known.target())).value().expect_err(&case.key()).to_string();
        assert!(error.contains("float"), "{}: {error}", case.key());
        Ok(())
    })
}

#[test]
fn a_loss_has_the_dtype_of_its_prediction_and_nearly_the_same_value() -> Result<()> {
    each_case(|case, known| {
        for (dtype, tolerance) in [(DType::F32, 1e-4), (DType::BF16, 2e-2), (DType::F16, 4e-3)] {
            let (prediction, target) = (known.prediction().cast(dtype)?, known.target_in(dtype));
            let tape = Tape::new();
            let p = tape.input(&prediction);
            let loss = case.loss.loss(p, tape.input(&target));
            let [slope] = tape.grad(loss, [p]);
            assert_eq!((loss.dtype(), loss.rank(), slope.dtype()), (dtype, 0, dtype), "{}", case.key());
            assert!(!slope.value()?.has_nan(), "{}", case.key());
            // What the same rounded numbers give in f64.
            let exact = Tape::new();
            let target = if target.dtype().is_float() { target.cast(DType::F64)? } else { target };
            let right = case.loss.loss(exact.input(&prediction.cast(DType::F64)?), exact.input(&target));
            let what = format!("{} in {dtype}", case.key());
            assert_all_close(&loss.value()?.cast(DType::F64)?, &right.value()?, tolerance, &what);
        }
        Ok(())
    })
}

#[test]
fn reductions_are_of_each() -> Result<()> {
    each_case(|case, known| {
        let key = case.key();
        let tape = Tape::new();
        let (p, t) = (tape.input(known.prediction()), tape.input(known.target()));
        let each = case.loss.each(p, t);
        let counts = case.loss.counts(p, t);
        let reduced = |reduction: Reduction| reduction.reduce(each, counts, None).value();
        assert_all_close(&reduced(Reduction::None)?, &each.value()?, 0.0, &key);
        let sum = reduced(Reduction::Sum)?;
        assert_all_close(&sum, &each.sum().value()?, 0.0, &key);
        let count = match counts {
            Some(counts) => counts.sum().item::<f64>()?,
            None => each.len() as f64,
        };
        for mean in [Reduction::Mean, Reduction::WeightedMean] {
            assert_close(reduced(mean)?.item::<f64>()? * count, sum.item()?, 1e-13, &key);
        }
        let examples = each.shape().first().copied().unwrap_or(1) as f64;
        assert_close(reduced(Reduction::BatchMean)?.item::<f64>()? * examples, sum.item()?, 1e-13, &key);
        // The builder's method is heard.
        for reduction in reductions(case) {
            let told = (case.reduced)(reduction).loss(p, t).value()?;
            assert_all_close(&told, &reduced(reduction)?, 0.0, &format!("{key} {reduction:?}"));
        }
        Ok(())
    })
}

/// All of them, but for the mean of CTC, which divides by the lengths of the targets first.
fn reductions(case: &Case) -> impl Iterator<Item = Reduction> {
    let all = [Reduction::None, Reduction::Sum, Reduction::BatchMean, Reduction::WeightedMean, Reduction::Mean];
    all.into_iter().take(if case.file == "ctc" { 3 } else { 5 })
}

/// Σ w l and what it is divided by, number by number, for every loss and reduction.
#[test]
fn weights_of_samples_multiply_before_the_reduction() -> Result<()> {
    each_case(|case, known| {
        let tape = Tape::new();
        let (p, t) = (tape.input(known.prediction()), tape.input(known.target()));
        let each = case.loss.each(p, t).value()?;
        let Some(&examples) = each.shape().first() else {
            let error = case.loss.weighted(p, t, tape.input(&Tensor::from([1f64]))).value().expect_err(&case.key());
            assert!(error.to_string().contains("one number for all examples"), "{}: {error}", case.key());
            return Ok(());
        };
        let weight = |i: usize| [0.5, 2.0, 0.25, 3.0][i % 4];
        let weights = Tensor::from_fn([examples], weight)?;
        let one_each = each.len() / examples.max(1);
        let counts = case.loss.counts(p, t).map_or(Ok(vec![1.0; each.len()]), |c| Ok(c.value()?.to_f64_vec()))?;
        let losses: Vec<f64> =
            each.to_f64_vec().iter().enumerate().map(|(i, loss)| loss * weight(i / one_each)).collect();
        let sum = losses.iter().sum::<f64>();
        let weighed = counts.iter().enumerate().map(|(i, count)| count * weight(i / one_each)).sum::<f64>();
        for reduction in reductions(case) {
            let what = format!("{} {reduction:?}", case.key());
            let ours = (case.reduced)(reduction).weighted(p, t, tape.input(&weights)).value()?;
            let right = match reduction {
                Reduction::Mean => Tensor::from(sum / counts.iter().sum::<f64>()),
                Reduction::WeightedMean => Tensor::from(sum / weighed),
                Reduction::BatchMean => Tensor::from(sum / examples as f64),
                Reduction::Sum => Tensor::from(sum),
                Reduction::None => Tensor::new(losses.clone(), each.shape())?,
            };
            assert_all_close(&ours, &right, 1e-13, &what);
        }
        Ok(())
    })
}

#[test]
fn weights_of_one_change_nothing_and_a_weight_of_zero_leaves_out() -> Result<()> {
    each_case(|case, known| {
        let key = case.key();
        let tape = Tape::new();
        let (p, t) = (tape.input(known.prediction()), tape.input(known.target()));
        let each = case.loss.each(p, t);
        let Some(&examples) = each.shape().first() else { return Ok(()) };
        let ones = tape.input(&Tensor::ones([examples], DType::F64)?);
        if known.get("weights").is_none() {
            let loss = case.loss.weighted(p, t, ones);
            assert_all_close(&loss.value()?, &case.loss.loss(p, t).value()?, 1e-15, &key);
        }
        if case.coupled || examples == 1 {
            return Ok(());
        }
        let without = |x: &Tensor| Tensor::concat(&[x.slice(0, ..1)?, x.slice(0, 2..)?], 0);
        let weights = Tensor::from_fn([examples], |i| if i == 1 { 0.0 } else { 1.0 })?;
        let loss = Reduction::Sum.weighted(each, tape.input(&weights));
        let [slope] = tape.grad(loss, [p]);
        let (q, u) = (tape.input(&without(known.prediction())?), tape.input(&without(known.target())?));
        let rest = case.loss.each(q, u).sum();
        let [right] = tape.grad(rest, [q]);
        assert_all_close(&loss.value()?, &rest.value()?, 1e-13, &key);
        let slope = slope.value()?;
        assert!(slope.slice(0, 1..2)?.to_f64_vec().iter().all(|&slope| slope == 0.0), "{key}");
        assert_all_close(&without(&slope)?, &right.value()?, 1e-13, &key);
        Ok(())
    })
}

#[test]
fn a_batch_is_its_examples() -> Result<()> {
    each_case(|case, known| {
        if case.coupled || case.batched {
            return Ok(());
        }
        let tape = Tape::new();
        let (p, t) = (tape.input(known.prediction()), tape.input(known.target()));
        let together = case.loss.each(p, t);
        let alone = tape.vmap((p, t), |(p, t)| case.loss.each(p, t));
        assert_all_close(&alone.value()?, &together.value()?, 1e-14, &case.key());
        let [slope, one_by_one] = [together, alone].map(|each| tape.grad(each.sum(), p));
        assert_all_close(&one_by_one.value()?, &slope.value()?, 1e-14, &case.key());
        Ok(())
    })
}

#[test]
fn the_ends_of_the_numbers_give_no_nan() -> Result<()> {
    const FAR: [f32; 3] = [1e4, -1e4, 0.0];
    const NEAR: [f32; 5] = [0.0, 1.0, 1.0, 0.0, 0.0];
    each_case(|case, known| {
        let shape = known.prediction().shape();
        let far = Tensor::from_fn(shape, |i| FAR[i * i % 7 % 3])?;
        let near = Tensor::from_fn(shape, |i| NEAR[i % 5])?;
        let zeros = Tensor::from_fn(shape, |_| 0f32)?;
        for prediction in [far, near, zeros].into_iter().skip(usize::from(case.positive)) {
            let tape = Tape::new();
            let p = tape.input(&prediction);
            let each = case.loss.each(p, tape.input(&known.target_in(DType::F32)));
            let [slope] = tape.grad(each.sum(), [p]);
            assert!(!each.value()?.has_nan(), "{}: {prediction} has {}", case.key(), each.value()?);
            assert!(!slope.value()?.has_nan(), "{}: {prediction} has the slope {}", case.key(), slope.value()?);
        }
        Ok(())
    })
}

#[test]
fn a_closure_is_a_loss_with_reductions_and_weights() -> Result<()> {
    fn squares<'t>(p: Var<'t>, t: Var<'t>) -> Var<'t> {
        (p - t).square()
    }
    fn one<'t>(p: Var<'t>, t: Var<'t>) -> Var<'t> {
        (p - t).square().mean()
    }
    let tape = Tape::new();
    let (p, t) = (tape.input(&Tensor::from([[1f32, 2.0], [3.0, 4.0]])), tape.input(&Tensor::from([[1f32, 1.0]; 2])));
    assert_eq!(squares.loss(p, t).item::<f32>()?, 3.5);
    assert_eq!(one.loss(p, t).item::<f32>()?, 3.5);
    let weights = tape.input(&Tensor::from([2i64, 0]));
    assert_eq!(squares.weighted(p, t, weights).item::<f32>()?, 0.5);
    assert_eq!(Reduction::WeightedMean.weighted(squares.each(p, t), weights).item::<f32>()?, 0.5);
    let none = tape.input(&Tensor::from([false, false]));
    assert_eq!(Reduction::WeightedMean.weighted(squares.each(p, t), none).item::<f32>()?, 0.0);
    let elements = tape.input(&Tensor::from([[0f32, 3.0], [0.0, 1.0]]));
    assert_eq!(squares.weighted(p, t, elements).item::<f32>()?, 3.0);
    let boxed: Box<dyn Loss> = Box::new(squares);
    let _a_loss: &dyn Loss = &boxed;
    assert_eq!(boxed.loss(p, t).item::<f32>()?, 3.5);

    let error = one.weighted(p, t, weights).value().unwrap_err().to_string();
    assert!(error.contains("one number for all examples"), "{error}");
    Ok(())
}

/// An infinite loss is left out by a weight of 0, too.
#[test]
fn what_is_left_out_may_be_anything() -> Result<()> {
    let tape = Tape::new();
    let p = tape.input(&Tensor::from([f32::INFINITY, 2.0]));
    let weights = tape.input(&Tensor::from([0f32, 1.0]));
    let loss = Reduction::Sum.weighted(p.square(), weights);
    let [slope] = tape.grad(loss, [p]);
    assert_eq!(loss.item::<f32>()?, 4.0);
    assert_eq!(slope.value()?.to_vec::<f32>()?, [0.0, 4.0]);
    Ok(())
}
