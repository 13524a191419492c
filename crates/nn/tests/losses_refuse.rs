//! What losses refuse, and in which words; and what they do at the edges that no case of the laws has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use wengert_autograd::{Tape, Var};
use wengert_nn::loss::{Loss, Reduction};
use wengert_nn::losses::binary_cross_entropy::BinaryCrossEntropy;
use wengert_nn::losses::binary_focal_cross_entropy::BinaryFocalCrossEntropy;
use wengert_nn::losses::categorical_focal_cross_entropy::CategoricalFocalCrossEntropy;
use wengert_nn::losses::circle::Circle;
use wengert_nn::losses::contrastive::Contrastive;
use wengert_nn::losses::cosine_embedding::CosineEmbedding;
use wengert_nn::losses::cosine_similarity::CosineSimilarity;
use wengert_nn::losses::cross_entropy::CrossEntropy;
use wengert_nn::losses::ctc::Ctc;
use wengert_nn::losses::dice::Dice;
use wengert_nn::losses::gaussian_nll::GaussianNll;
use wengert_nn::losses::generalized_cross_entropy::GeneralizedCrossEntropy;
use wengert_nn::losses::hinge::Hinge;
use wengert_nn::losses::hinge_embedding::HingeEmbedding;
use wengert_nn::losses::huber::Huber;
use wengert_nn::losses::info_nce::InfoNce;
use wengert_nn::losses::kl_divergence::KlDivergence;
use wengert_nn::losses::log_cosh::LogCosh;
use wengert_nn::losses::margin_ranking::MarginRanking;
use wengert_nn::losses::mean_absolute_percentage_error::MeanAbsolutePercentageError;
use wengert_nn::losses::mean_squared_error::MeanSquaredError;
use wengert_nn::losses::multi_label_margin::MultiLabelMargin;
use wengert_nn::losses::multi_label_soft_margin::MultiLabelSoftMargin;
use wengert_nn::losses::multi_margin::MultiMargin;
use wengert_nn::losses::negative_log_likelihood::NegativeLogLikelihood;
use wengert_nn::losses::nt_xent::NtXent;
use wengert_nn::losses::poisson::Poisson;
use wengert_nn::losses::poisson_nll::PoissonNll;
use wengert_nn::losses::quantile::Quantile;
use wengert_nn::losses::smooth_l1::SmoothL1;
use wengert_nn::losses::soft_margin::SoftMargin;
use wengert_nn::losses::squared_hinge::SquaredHinge;
use wengert_nn::losses::supervised_contrastive::SupervisedContrastive;
use wengert_nn::losses::triplet_margin::TripletMargin;
use wengert_nn::losses::triplet_margin_with_distance::TripletMarginWithDistance;
use wengert_nn::losses::tversky::Tversky;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

#[track_caller]
fn refuses(loss: Var<'_>, words: &str) {
    let error = loss.value().expect_err(words).to_string();
    assert!(error.contains(words), "{error}\n  does not say: {words}");
    assert!(error.contains(file!()), "{error}\n  does not say where");
}

fn scores() -> Tensor {
    Tensor::from([[0.5f32, -1.0, 2.0], [0.1, 0.25, -0.7]])
}

#[test]
fn settings_without_meaning() {
    let yes = || Tensor::from([[0.5f32, 0.1, 0.2], [0.1, 0.25, 0.7]]);
    let labels = || Tensor::from([2i64, 0]);
    let cases: Vec<(Box<dyn Loss>, Tensor, &str)> = vec![
        (Box::new(Huber::new().delta(0.0)), yes(), "the delta is 0, and must be a positive number"),
        (Box::new(Huber::new().delta(f64::NAN)), yes(), "the delta is NaN"),
        (Box::new(SmoothL1::new().beta(-1.0)), yes(), "the beta is -1, and must be a number that is at least 0"),
        (Box::new(Quantile::new(1.0)), yes(), "the quantile is 1, and must be above 0 and below 1"),
        (Box::new(MeanAbsolutePercentageError::new().epsilon(0.0)), yes(), "the epsilon is 0"),
        (Box::new(PoissonNll::new().epsilon(-1e-8)), yes(), "the epsilon is -0.00000001"),
        (Box::new(HingeEmbedding::new().margin(f64::NAN)), yes(), "the margin is NaN, and must be a number"),
        (Box::new(BinaryCrossEntropy::new().label_smoothing(1.5)), yes(), "the label smoothing is 1.5"),
        (Box::new(BinaryCrossEntropy::new().positive_weight(-2.0)), yes(), "the positive weight is -2"),
        (Box::new(BinaryCrossEntropy::new().positive_weights([1.0, 2.0])), yes(), "2 class weights for 3 classes"),
        (Box::new(BinaryFocalCrossEntropy::new().gamma(-1.0)), yes(), "the gamma is -1"),
        (Box::new(BinaryFocalCrossEntropy::new().alpha(2.0)), yes(), "the alpha is 2, and must be in 0 ≤ α ≤ 1"),
        (Box::new(CategoricalFocalCrossEntropy::new().alphas([0.5; 2])), labels(), "2 class weights for 3 classes"),
        (Box::new(CategoricalFocalCrossEntropy::new().gamma(f64::INFINITY)), labels(), "the gamma is inf"),
        (Box::new(GeneralizedCrossEntropy::new(0.0)), labels(), "the q is 0, and must be above 0 and at most 1"),
        (Box::new(CrossEntropy::new().label_smoothing(-0.1)), labels(), "the label smoothing is -0.1"),
        (Box::new(CrossEntropy::new().class_weights([1.0, 2.0])), labels(), "2 class weights for 3 classes"),
        (Box::new(CrossEntropy::new().class_weights([1.0, 2.0, -3.0])), labels(), "a class weight is -3"),
        (Box::new(CrossEntropy::new().class_axis(2)), labels(), "axis 2"),
        (Box::new(NegativeLogLikelihood::new().class_weights([1.0; 4])), labels(), "4 class weights for 3 classes"),
        (Box::new(MultiMargin::new().p(3)), labels(), "the power p is 3, and must be 1 or 2"),
        (Box::new(MultiMargin::new().class_weights([1.0])), labels(), "1 class weights for 3 classes"),
        (Box::new(MultiLabelSoftMargin::new().class_weights([1.0; 4])), yes(), "4 class weights for 3 classes"),
        (Box::new(InfoNce::new().temperature(0.0)), yes(), "the temperature is 0, and must be a positive number"),
        (Box::new(NtXent::new().temperature(f64::NAN)), yes(), "the temperature is NaN"),
        (Box::new(SupervisedContrastive::new().temperature(-1.0)), labels(), "the temperature is -1"),
        (Box::new(Circle::new().gamma(0.0)), labels(), "the gamma is 0"),
        (Box::new(Dice::new().smooth(-1.0)), yes(), "the smoothing is -1"),
        (Box::new(Dice::new().axes([5])), yes(), "axis 5"),
        (Box::new(Tversky::new().false_positives(-1.0)), yes(), "the alpha is -1"),
    ];
    for (loss, target, words) in cases {
        let tape = Tape::new();
        refuses(loss.loss(tape.input(&scores()), tape.input(&target)), words);
    }
    let of_three = |loss: &dyn for<'t> Fn([Var<'t>; 3]) -> Var<'t>, words: &str| {
        let tape = Tape::new();
        refuses(loss([&scores(), &yes(), &yes()].map(|x| tape.input(x))), words);
    };
    of_three(&|[a, b, _]| MarginRanking::new().margin(f64::INFINITY).loss(a, b, a), "the margin is inf");
    of_three(&|[a, b, c]| CosineEmbedding::new().margin(2.0).loss(a, b, c), "the margin is 2, and must be a cosine");
    of_three(&|[a, b, c]| Contrastive::new().margin(0.0).loss(a, b, c), "the margin is 0, and must be a positive");
    of_three(&|[a, b, c]| TripletMargin::new().margin(-1.0).loss(a, b, c), "the margin is -1");
    of_three(&|[a, b, c]| TripletMargin::new().p(0.0).loss(a, b, c), "the norm p is 0, and must be above 0");
    of_three(&|[a, b, c]| GaussianNll::new().epsilon(0.0).loss(a, b, c), "the epsilon is 0");
    fn far<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
        (a - b).square().sum_axes(-1)
    }
    let own = TripletMarginWithDistance::new(far).margin(0.0);
    of_three(&|[a, b, c]| own.loss(a, b, c), "the margin is 0");
}

#[test]
fn labels_out_of_range_and_of_other_kinds() {
    let classes: Vec<(Box<dyn Loss>, bool)> = vec![
        (Box::new(CrossEntropy::new()), false),
        (Box::new(NegativeLogLikelihood::new()), true),
        (Box::new(CategoricalFocalCrossEntropy::new()), false),
        (Box::new(GeneralizedCrossEntropy::new(0.5)), true),
        (Box::new(MultiMargin::new()), true),
    ];
    for (loss, only_labels) in classes {
        let tape = Tape::new();
        let of = |target: Tensor| loss.loss(tape.input(&scores()), tape.input(&target));
        refuses(of(Tensor::from([0i64, 5])), "label 5 at 1 is outside 0..3");
        refuses(of(Tensor::from([-100i64, 1])), "label -100 at 0 is outside 0..3");
        let tape = Tape::new();
        let of = |target: Tensor| loss.loss(tape.input(&scores()), tape.input(&target));
        let words =
            if only_labels { "labels of a prediction are integers" } else { "labels are integers, one for each" };
        refuses(of(Tensor::from([0f32, 1.0])), words);
    }
    let tape = Tape::new();
    let loss = CrossEntropy::new().loss(tape.input(&scores()), tape.input(&Tensor::from([0i64, 5])));
    let error = loss.value().unwrap_err();
    assert_eq!(error.op_name(), Some("CrossEntropy"));
    assert!(error.help_text().unwrap().starts_with("the prediction scores 3 classes, counted from 0"), "{error}");
    let tape = Tape::new();
    let ignoring = CrossEntropy::new().ignore_index(-100);
    let loss = ignoring.loss(tape.input(&scores()), tape.input(&Tensor::from([-100i64, 3])));
    refuses(loss, "label 3 at 1 is outside 0..3");
    let several = Tensor::from([[0i64, 7, -1], [-1, 9, 9]]);
    refuses(MultiLabelMargin::new().loss(tape.input(&scores()), tape.input(&several)), "label 7 at [0, 1]");
}

#[test]
fn probabilities_that_are_none() {
    let of = |loss: &dyn Loss, prediction: Tensor, target: Tensor, words: &str| {
        let tape = Tape::new();
        refuses(loss.loss(tape.input(&prediction), tape.input(&target)), words);
    };
    let half = Tensor::from([[1f32, 0.0, 0.0], [0.25, 0.25, 0.0]]);
    let double = Tensor::from([[1f32, 1.0, 0.0], [0.0, 1.0, 0.0]]);
    let negative = Tensor::from([[1f32, 0.0, 0.0], [-0.25, 1.25, 0.0]]);
    let focal = CategoricalFocalCrossEntropy::new();
    for loss in [&CrossEntropy::new() as &dyn Loss, &focal, &CrossEntropy::new().label_smoothing(0.1)] {
        of(loss, scores(), half.clone(), "sum of probabilities 0.5 at 1 is outside 0.99..=1.01");
        of(loss, scores(), double.clone(), "sum of probabilities 2 at 0 is outside 0.99..=1.01");
        of(loss, scores(), negative.clone(), "probability -0.25 at 1 is outside -0.01..=1.01");
    }
    let words = " is outside 0..=1";
    of(&BinaryCrossEntropy::new().from_probabilities(), scores(), half.clone(), words);
    of(&BinaryFocalCrossEntropy::new().from_probabilities(), scores(), half.clone(), words);
    let tape = Tape::new();
    let (mean, variance) = (tape.input(&scores()), tape.input(&negative));
    refuses(GaussianNll::new().loss(mean, mean, variance), "variance -0.25 is outside 0..=inf");
    let two = || Tensor::from([[0f32, 1.0, 2.0], [1.0, 0.0, 0.0]]);
    let binary: [&dyn Loss; 5] = [
        &BinaryCrossEntropy::new(),
        &BinaryFocalCrossEntropy::new(),
        &MultiLabelSoftMargin::new(),
        &Dice::new(),
        &Tversky::new(),
    ];
    for loss in binary {
        of(loss, half.clone(), two(), "target 2 at [0, 2] is outside -0.01..=1.01");
        of(loss, half.clone(), Tensor::from([[0i64, 1, -1], [1, 0, 0]]), "target -1 at [0, 2] is outside -0.01..=1.01");
    }
    let signs: [&dyn Loss; 4] = [&Hinge::new(), &SquaredHinge::new(), &HingeEmbedding::new(), &SoftMargin::new()];
    for loss in signs {
        of(loss, half.clone(), two(), "label 2 at [0, 2] is outside -1..=1");
    }
    of(&Poisson::new(), negative.clone(), half.clone(), "rate -0.25 at [1, 0] is outside -0.01..=inf");
    of(&PoissonNll::new().from_rates(), negative.clone(), half.clone(), "rate -0.25 at [1, 0] is outside -0.01..=inf");
    of(&PoissonNll::new(), scores(), negative.clone(), "count -0.25 at [1, 0] is outside -0.01..=inf");
    // Rounded sums will do.
    let tape = Tape::new();
    let thirds = tape.input(&Tensor::from([[1f32 / 3.0; 3]; 2]).cast(DType::BF16).unwrap());
    assert!(CrossEntropy::new().loss(tape.input(&scores()).cast(DType::BF16), thirds).value().is_ok());
}

#[test]
fn a_prediction_for_every_step_is_told_how_to_be_one() {
    let tape = Tape::new();
    let each = tape.full([10, 20, 1], 0.0, DType::F32);
    for target in [vec![10], vec![10, 1]] {
        let error = MeanSquaredError::new().loss(each, tape.full(target, 0.0, DType::F32)).value().unwrap_err();
        assert!(error.help_text().unwrap().contains("20 steps: `Lstm::new(…).last_only()`"), "{error}");
    }
    let tape = Tape::new();
    let error = MeanSquaredError::new().loss(tape.full([10, 20, 1], 0.0, DType::F32), tape.full([20], 0.0, DType::F32));
    assert_eq!(error.value().unwrap_err().help_text(), None);
}

#[test]
fn operands_that_do_not_fit() {
    let tape = Tape::new();
    let wide = tape.input(&scores().cast(DType::F64).unwrap());
    refuses(MeanSquaredError::new().loss(tape.input(&scores()), wide), "the prediction is f32 and the target f64");
    type Of<'a> = &'a dyn for<'t> Fn(&'t Tape, Var<'t>) -> Var<'t>;
    let cases: [(Of, &str); 14] = [
        (
            &|tape, x| CrossEntropy::new().loss(x, tape.input(&Tensor::from([[1f32; 3]; 3]))),
            "probabilities [3, 3] do not",
        ),
        (&|tape, x| CrossEntropy::new().loss(x.sum(), tape.input(&Tensor::from([1i64]))), "[batch, classes]"),
        (&|tape, x| CrossEntropy::new().loss(x.slice(1, ..0), tape.input(&Tensor::from([1i64, 0]))), "has no classes"),
        (&|tape, x| MarginRanking::new().loss(x, tape.input(&Tensor::from([1f32])), x), "predictions of one shape"),
        (&|_, x| MarginRanking::new().loss(x, x.cast(DType::F64), x), "`first` is f32 and `second` f64"),
        (&|_, x| CosineEmbedding::new().loss(x, x, x), "takes labels [2], not [2, 3]"),
        (&|_, x| CosineEmbedding::new().loss(x.sum(), x.sum(), x.sum()), "an embedding is […, n]"),
        (&|_, x| TripletMargin::new().loss(x, x, x.slice(1, ..2)), "`anchor` [2, 3] and `negative` [2, 2]"),
        (&|_, x| GaussianNll::new().loss(x, x, x.slice(1, ..2)), "a prediction [2, 3] has no variance [2, 2]"),
        (&|_, x| GaussianNll::new().loss(x, x, x.cast(DType::F64)), "the mean is f32 and the variance f64"),
        (&|_, x| InfoNce::new().loss(x.flatten(), x.flatten()), "a prediction is [batch, n]"),
        (&|tape, x| MultiLabelMargin::new().loss(x, tape.input(&Tensor::from([[1i64, 0]]))), "filled up with −1"),
        (
            &|tape, x| MeanSquaredError::new().weighted(x, x, tape.input(&Tensor::from([1f32; 3]))),
            "take no weights [3]",
        ),
        (&|tape, x| MeanSquaredError::new().weighted(x, x, tape.input(&Tensor::from([1f64; 2]))), "not f64"),
    ];
    for (loss, words) in cases {
        let tape = Tape::new();
        refuses(loss(&tape, tape.input(&scores())), words);
    }
}

/// −ln of the sum over all ways to say the labels, one by one.
fn by_all_ways(log: &[Vec<f64>], labels: &[i64], blank: i64) -> f64 {
    let (classes, time) = (log[0].len(), log.len());
    let mut total = 0.0;
    for way in 0..classes.pow(time as u32) {
        let said: Vec<i64> = (0..time).map(|t| (way / classes.pow(t as u32) % classes) as i64).collect();
        let mut heard = said.clone();
        heard.dedup();
        heard.retain(|&label| label != blank);
        if heard == labels {
            total += said.iter().zip(log).map(|(&label, log)| log[label as usize]).sum::<f64>().exp();
        }
    }
    -f64::ln(total)
}

#[test]
fn ctc_is_the_sum_over_all_alignments() -> Result<()> {
    let tape = Tape::new();
    let logits = tape.input(&Tensor::from_fn([1, 5, 3], |i| (i as f64 * 1.7).sin() * 2.0)?);
    let log = logits.log_softmax(-1).value()?.to_f64_vec();
    let log: Vec<Vec<f64>> = log.chunks(3).map(<[f64]>::to_vec).collect();
    for (labels, blank) in [(vec![1i64, 2], 0), (vec![1, 1], 0), (vec![2, 1, 2], 0), (vec![], 0), (vec![0, 0], 2)] {
        let count = labels.len();
        let targets = tape.input(&Tensor::new(labels.clone(), [1, count])?);
        let lengths = [5, count as i64].map(|n| tape.input(&Tensor::from([n])));
        let loss = Ctc::new().blank(blank as usize).each(logits, targets, lengths[0], lengths[1]);
        let (ours, right) = (loss.value()?.to_f64_vec()[0], by_all_ways(&log, &labels, blank));
        assert!((ours - right).abs() < 1e-12, "{labels:?}: {ours} is not {right}");
    }
    Ok(())
}

#[test]
fn ctc_without_an_alignment_is_infinite_and_has_no_gradient() -> Result<()> {
    let tape = Tape::new();
    let logits = tape.input(&Tensor::from_fn([2, 3, 4], |i| (i as f32).sin())?);
    // 2 2 needs a blank between.
    let targets = tape.input(&Tensor::from([[2i64, 2, -1], [1, 2, 3]]));
    let times = tape.input(&Tensor::from([2i64, 3]));
    let labels = tape.input(&Tensor::from([2i64, 3]));
    let each = Ctc::new().each(logits, targets, times, labels);
    let slope = tape.grad(each.sum(), logits).value()?;
    let values = each.value()?.to_vec::<f32>()?;
    assert!(values[0] == f32::INFINITY && values[1].is_finite(), "{values:?}");
    assert!(slope.slice(0, 0..1)?.to_f64_vec().iter().all(|&slope| slope == 0.0), "{slope}");
    assert!(slope.slice(0, 1..2)?.to_f64_vec().iter().all(|&slope| slope != 0.0), "{slope}");
    let zero = Ctc::new().zero_infinity();
    assert_eq!(zero.each(logits, targets, times, labels).value()?.to_vec::<f32>()?, [0.0, values[1]]);
    // PyTorch's mean divides by the lengths of the targets.
    let mean = zero.loss(logits, targets, times, labels).item::<f32>()?;
    assert!((mean - values[1] / 3.0 / 2.0).abs() < 1e-6);
    assert!(
        (zero.mean_of_examples().loss(logits, targets, times, labels).item::<f32>()? - values[1] / 2.0).abs() < 1e-6
    );
    let weights = tape.input(&Tensor::from([1f32, 3.0]));
    let weighed = zero.weighted(logits, targets, [times, labels], weights).item::<f32>()?;
    assert!((weighed - values[1] / 2.0).abs() < 1e-5);
    Ok(())
}

#[test]
fn ctc_refuses_what_does_not_fit() {
    let of = |targets: Tensor, times: Tensor, labels: Tensor, words: &str| {
        let tape = Tape::new();
        let logits = tape.input(&Tensor::from_fn([2, 3, 4], |i| i as f32).unwrap());
        let [targets, times, labels] = [&targets, &times, &labels].map(|x| tape.input(x));
        refuses(Ctc::new().loss(logits, targets, times, labels), words);
    };
    let targets = || Tensor::from([[1i64, 2], [3, 1]]);
    let both = |a: i64, b: i64| Tensor::from([a, b]);
    of(targets(), both(3, 4), both(2, 2), "input length 4 at 1 is outside 0..4");
    of(targets(), both(3, 3), both(3, 2), "target length 3 at 0 is outside 0..3");
    of(Tensor::from([[1i64, 4], [3, 1]]), both(3, 3), both(2, 2), "label 4 at [0, 1] is outside 0..4");
    of(Tensor::from([[1f32, 2.0], [3.0, 1.0]]), both(3, 3), both(2, 2), "integers, not f32");
    of(targets(), Tensor::from([3i64]), both(2, 2), "takes input lengths [2], not [1]");
    of(Tensor::from([[1i64, 2]]), both(3, 3), both(2, 2), "takes labels [2, most labels], not [1, 2]");
    let tape = Tape::new();
    let logits = tape.input(&Tensor::from_fn([2, 3, 4], |i| i as f32).unwrap());
    let targets = tape.input(&targets());
    refuses(Ctc::new().blank(4).loss(logits, targets, targets.at(1, 0), targets.at(1, 0)), "the blank is class 4 of 4");
    let tape = Tape::new();
    let logits = tape.input(&Tensor::from([1f32]));
    refuses(Loss::loss(&Ctc::new(), logits, logits), "a prediction is [batch, time, classes], not [1]");
}

#[test]
fn a_batch_in_which_nothing_counts_is_zero() -> Result<()> {
    let tape = Tape::new();
    let p = tape.input(&scores());
    let loss = CrossEntropy::new().ignore_index(1).loss(p, tape.input(&Tensor::from([1i64, 1])));
    assert_eq!(loss.item::<f32>()?, 0.0);
    assert_eq!(tape.grad(loss, p).value()?.to_vec::<f32>()?, [0.0; 6]);
    let loss = SupervisedContrastive::new().loss(p, tape.input(&Tensor::from([1i64, 2])));
    assert_eq!(loss.item::<f32>()?, 0.0);
    assert_eq!(tape.grad(loss, p).value()?.to_vec::<f32>()?, [0.0; 6]);
    Ok(())
}

/// What is ignored has no gradient, even where its scores are no numbers.
#[test]
fn ignored_examples_have_no_gradient() -> Result<()> {
    let tape = Tape::new();
    let p = tape.input(&Tensor::from([[0.5f32, -1.0], [f32::NAN, f32::INFINITY]]));
    let labels = tape.input(&Tensor::from([1i64, -1]));
    for loss in [CrossEntropy::new(), CrossEntropy::new().class_weights([2.0, 3.0])] {
        let loss = loss.ignore_index(-1).loss(p, labels);
        assert!((loss.item::<f32>()? - 1.7014133).abs() < 1e-6);
        let slope = tape.grad(loss, p).value()?.to_vec::<f32>()?;
        assert!(slope[0] > 0.0 && slope[1] < 0.0 && slope[2..] == [0.0, 0.0], "{slope:?}");
    }
    Ok(())
}

/// A score of −∞ is a class that is impossible: it loses nothing unless it is right.
#[test]
fn impossible_classes_lose_nothing() -> Result<()> {
    let tape = Tape::new();
    let p = tape.input(&Tensor::from([[0f32, 0.0, f32::NEG_INFINITY]]));
    for target in [Tensor::from([0i64]), Tensor::from([[0.25f32, 0.75, 0.0]])].map(|x| tape.input(&x)) {
        let loss = CrossEntropy::new().loss(p, target);
        assert!((loss.item::<f32>()? - 2f32.ln()).abs() < 1e-6);
        assert!(!tape.grad(loss, p).value()?.has_nan());
    }
    let target = tape.input(&Tensor::from([[0.5f32, 0.5, 0.0]]));
    let loss = KlDivergence::new().reduction(Reduction::Sum).loss(p, target);
    assert!((loss.item::<f32>()? + 2f32.ln()).abs() < 1e-6);
    let sure = tape.input(&Tensor::from([[0f32, f32::NEG_INFINITY, f32::NEG_INFINITY]]));
    let loss = KlDivergence::new().log_target().reduction(Reduction::Sum).loss(p, sure);
    assert_eq!(loss.item::<f32>()?, 0.0);
    assert!(!tape.grad(loss, p).value()?.has_nan());
    Ok(())
}

/// Certain and wrong probabilities lose much, and are led back.
#[test]
fn probabilities_of_zero_and_one_are_led_back() -> Result<()> {
    let tape = Tape::new();
    let p = tape.input(&Tensor::from([0f32, 1.0, 0.0, 1.0]));
    let t = tape.input(&Tensor::from([1i64, 0, 0, 1]));
    let each = BinaryCrossEntropy::new().from_probabilities().each(p, t);
    assert_eq!(each.value()?.to_vec::<f32>()?, [100.0, 100.0, 0.0, 0.0]);
    let slope = tape.grad(each.sum(), p).value()?.to_vec::<f32>()?;
    assert!(slope[0] < -1e11 && slope[1] > 1e11, "{slope:?}");
    Ok(())
}

#[test]
fn logits_far_out_keep_their_digits_in_16_bits() -> Result<()> {
    let tape = Tape::new();
    for dtype in [DType::BF16, DType::F16] {
        // softplus(z) − t z is a difference of equals there.
        let z = tape.input(&Tensor::from([8f32]).cast(dtype)?);
        let loss = BinaryCrossEntropy::new().loss(z, tape.input(&Tensor::from([true])));
        let right = (-8f64).exp().ln_1p();
        let ours = loss.value()?.to_f64_vec()[0];
        assert!((ours / right - 1.0).abs() < 1e-2, "{ours} is not {right} in {dtype}");
    }
    // Small errors do not drown in ln 2.
    let (p, t) = (tape.input(&Tensor::from([1e-4f32])), tape.input(&Tensor::from([0f32])));
    let ours = LogCosh::new().loss(p, t).item::<f32>()?;
    assert!((f64::from(ours) / 0.5e-8 - 1.0).abs() < 1e-4, "{ours}");
    Ok(())
}

#[test]
fn rows_of_zeros_have_a_direction() -> Result<()> {
    let tape = Tape::new();
    let (zeros, ones) = (tape.input(&Tensor::from([[0f32; 3]; 2])), tape.input(&Tensor::from([[1f32; 3]; 2])));
    let same = tape.input(&Tensor::from([true, false]));
    for loss in [
        CosineSimilarity::new().loss(zeros, ones),
        CosineEmbedding::new().loss(zeros, ones, same),
        Contrastive::new().loss(zeros, zeros, same),
        TripletMargin::new().loss(zeros, zeros, zeros),
        InfoNce::new().loss(zeros, ones),
        NtXent::new().loss(zeros, zeros),
    ] {
        assert!(loss.item::<f32>()?.is_finite());
        assert!(tape.grad(loss, zeros).value()?.to_f64_vec().iter().all(|slope| slope.is_finite()));
    }
    Ok(())
}

/// The builder of the reduction, and losses of three operands with weights.
#[test]
fn every_loss_is_reduced_as_it_is_told() -> Result<()> {
    let tape = Tape::new();
    let (a, b) = (tape.input(&Tensor::from([1f32, 3.0])), tape.input(&Tensor::from([2f32, 1.0])));
    let higher = tape.input(&Tensor::from([true, true]));
    let weights = tape.input(&Tensor::from([0.5f32, 1.0]));
    let loss = MarginRanking::new().margin(0.5);
    assert_eq!(loss.loss(a, b, higher).item::<f32>()?, 0.75);
    assert_eq!(loss.reduction(Reduction::Sum).loss(a, b, higher).item::<f32>()?, 1.5);
    assert_eq!(loss.reduction(Reduction::None).loss(a, b, higher).value()?.to_vec::<f32>()?, [1.5, 0.0]);
    assert_eq!(loss.weighted(a, b, higher, weights).item::<f32>()?, 0.375);
    assert_eq!(loss.reduction(Reduction::WeightedMean).weighted(a, b, higher, weights).item::<f32>()?, 0.5);
    let classes = CrossEntropy::new().class_weights([1.0, 2.0, 3.0]).reduction(Reduction::None);
    let each = classes.loss(tape.input(&scores()), tape.input(&Tensor::from([2i64, 0])));
    assert_eq!(each.shape().dims(), [2]);
    Ok(())
}
