"""Writes metrics.safetensors, from Keras and scikit-learn in float64: `python metrics.py` in this directory.

Samples: `data.NAME/prediction`, `/target`, `/weights` (one for each of the first axis, or for each element where only that makes sense).
Figures: `NAME/whole`, and with those weights `NAME/weighted`; each over all samples at once.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import scipy.stats
import torch
from keras.src.backend.common import dtypes
from sklearn import metrics as sk

from common import Store

keras.config.set_floatx("float64")
# Its rules of promotion know no float64.
promote = dtypes.result_type
dtypes.result_type = lambda *of: "float64" if promote(*of) == "float32" else promote(*of)
store = Store("metrics.safetensors")
draw = np.random.default_rng(20240607)
data = {}


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def give(name, prediction, target, weights=None):
    target = np.asarray(target)
    weights = np.round(draw.uniform(0.2, 2, len(target)), 2) if weights is None else weights
    weights[2] = 0.0
    data[name] = np.asarray(prediction, float), target, weights
    for part, value in zip(["prediction", "target", "weights"], data[name]):
        store.put(f"data.{name}/{part}", torch.tensor(value))


N, C = 24, 5
labels = draw.integers(0, 4, N)  # class 4 never occurs
logits = draw.normal(size=(N, C)) + 1.5 * np.eye(C)[labels]
logits[:, 4] -= 9.0
one_hot = np.eye(C)[labels]
give("classes", logits, labels)
give("one_hot", logits, one_hot)
give("chance_classes", softmax(logits), labels)
give("chance_one_hot", softmax(logits), one_hot)
give("ignored", logits, np.where(draw.uniform(size=N) < 0.2, -100, labels))
pixels = draw.integers(0, 3, (4, 2, 3))
give("pixels", draw.normal(size=(4, 3, 2, 3)) + np.moveaxis(np.eye(3)[pixels], -1, 1), pixels)
answers = draw.integers(0, 2, N)
scores = np.round(2 * draw.normal(size=N) + 1.5 * answers - 0.5, 1)  # with ties
give("scores", scores, answers)
give("chances", np.round(sigmoid(scores), 2), answers)
several = draw.integers(0, 2, (N, 3))
give("labels", 1.5 * draw.normal(size=(N, 3)) + several, several)
numbers = draw.normal(size=(N, 2)) * [1.0, 3.0] + [0.5, -1.0]
give("numbers", numbers + 0.4 * draw.normal(size=(N, 2)), numbers)
give("numbers_counts", 0.5 * draw.normal(size=(N, 2)), draw.integers(0, 5, (N, 2)).astype(float))
give("column", numbers[:, 0] + 0.3 * draw.normal(size=N) + 0.1, numbers[:, 0])
give("far", np.round(1e6 + numbers[:, 0] + 0.3 * draw.normal(size=N), 6), np.round(1e6 + 0.2 + numbers[:, 0], 6))
give("positive", draw.uniform(0.1, 5, (N, 2)), draw.integers(0, 5, (N, 2)).astype(float))
shares = softmax(draw.normal(size=(N, 3)))
give("shares", draw.normal(size=(N, 3)), shares)
give("chance_shares", softmax(draw.normal(size=(N, 3))), shares)


def case(name, of, figure):
    p, t, w = data[of]
    store.put(f"{name}/whole", torch.tensor(float(figure(p, t, np.ones(w.shape))), dtype=torch.float64))
    store.put(f"{name}/weighted", torch.tensor(float(figure(p, t, w)), dtype=torch.float64))


def k(metric, change=lambda p: p):
    """A streaming metric of Keras, fresh for each use."""

    def figure(p, t, w):
        fresh = metric()
        # The short way for even thresholds does not know float64.
        fresh._thresholds_distributed_evenly = False
        # Its means are taken along the last axis first.
        if isinstance(fresh, keras.metrics.MeanMetricWrapper) and p.ndim == 1:
            p, t = p[:, None], t[:, None]
        fresh.update_state(t, change(p), sample_weight=w)
        return fresh.result()

    return figure


def rows(change):
    """As rows of scores, labels and weights."""

    def read(p, t, w):
        if p.ndim == 4:
            p, w = np.moveaxis(p, 1, -1).reshape(-1, p.shape[1]), np.repeat(w, t[0].size)
            t = t.reshape(-1)
        if t.ndim == 2:
            t = t.argmax(-1)
        keep = t != -100
        return change(p[keep], t[keep], w[keep])

    return read


def mean(values):
    return lambda p, t, w: np.average(values(p, t), weights=np.broadcast_to(w.reshape(w.shape + (1,) * (values(p, t).ndim - w.ndim)), values(p, t).shape))


# Right classes.
right = rows(lambda p, t, w: sk.accuracy_score(t, p.argmax(-1), sample_weight=w))
for name, of in [("accuracy", "classes"), ("accuracy_one_hot", "one_hot"), ("accuracy_axis", "pixels"), ("accuracy_ignore", "ignored")]:
    case(name, of, right)
for name, of in [("confusion", "classes"), ("confusion_one_hot", "one_hot"), ("confusion_ignore", "ignored")]:
    case(name, of, right)
case("confusion_binary", "scores", lambda p, t, w: sk.accuracy_score(t, p > 0, sample_weight=w))
top = lambda n: rows(lambda p, t, w: np.average((p > p[np.arange(len(t)), t][:, None]).sum(-1) < n, weights=w))
for n, of in [(0, "classes"), (1, "classes"), (2, "classes"), (3, "one_hot"), (9, "classes")]:
    case(f"top_{n}", of, top(n))
case("top_2_ignore", "ignored", top(2))
case("top_2_axis", "pixels", top(2))
case("binary_accuracy", "scores", lambda p, t, w: sk.accuracy_score(t, p > 0, sample_weight=w))
case("binary_accuracy_threshold", "chances", lambda p, t, w: sk.accuracy_score(t, p > 0.5, sample_weight=w))
case("binary_accuracy_labels", "labels", mean(lambda p, t: (p > 0) == (t > 0)))
case("exact_match", "labels", lambda p, t, w: sk.accuracy_score(t, p > 0, sample_weight=w))
kappa = lambda weights: rows(lambda p, t, w: sk.cohen_kappa_score(t, p.argmax(-1), labels=range(p.shape[1]), weights=weights, sample_weight=w))
case("cohen_kappa", "classes", kappa(None))
case("cohen_kappa_linear", "classes", kappa("linear"))
case("cohen_kappa_quadratic", "classes", kappa("quadratic"))
case("cohen_kappa_binary", "scores", lambda p, t, w: sk.cohen_kappa_score(t, p > 0, sample_weight=w))
case("matthews", "classes", rows(lambda p, t, w: sk.matthews_corrcoef(t, p.argmax(-1), sample_weight=w)))
case("matthews_binary", "scores", lambda p, t, w: sk.matthews_corrcoef(t, p > 0, sample_weight=w))
case("matthews_ignore", "ignored", rows(lambda p, t, w: sk.matthews_corrcoef(t, p.argmax(-1), sample_weight=w)))
balanced = lambda adjusted: rows(lambda p, t, w: sk.balanced_accuracy_score(t, p.argmax(-1), sample_weight=w, adjusted=adjusted))
case("balanced_accuracy", "classes", balanced(False))
case("balanced_accuracy_adjusted", "classes", balanced(True))
case("balanced_accuracy_binary", "scores", lambda p, t, w: sk.balanced_accuracy_score(t, p > 0, sample_weight=w))


# Finding: counts of each class, from scikit-learn.
def tables(chosen, t, w):
    return sk.multilabel_confusion_matrix(t, chosen, sample_weight=w).reshape(-1, 4)  # tn, fp, fn, tp


def over(a, b):
    return np.divide(a, b, out=np.zeros_like(np.asarray(a, float)), where=np.asarray(b) != 0)


def averaged(figure, counts, average):
    counts = np.asarray(counts, float)
    if average == "micro":
        counts = counts.sum(0, keepdims=True)
    each = figure(*counts.T)
    _, fp, fn, tp = counts.T
    weight = {"micro": np.ones(1), "macro": (tp + fp + fn > 0).astype(float), "weighted": tp + fn}[average]
    return (weight * each).sum() / weight.sum()


FIGURES = {
    "precision": lambda tn, fp, fn, tp: over(tp, tp + fp),
    "recall": lambda tn, fp, fn, tp: over(tp, tp + fn),
    "specificity": lambda tn, fp, fn, tp: over(tn, tn + fp),
    "npv": lambda tn, fp, fn, tp: over(tn, tn + fn),
    "f1": lambda tn, fp, fn, tp: over(2 * tp, 2 * tp + fn + fp),
    "dice": lambda tn, fp, fn, tp: over(2 * tp, 2 * tp + fn + fp),
    "iou": lambda tn, fp, fn, tp: over(tp, tp + fn + fp),
}


def binary(figure, threshold):
    return lambda p, t, w: averaged(FIGURES[figure], [sk.confusion_matrix(t, p > threshold, labels=[0, 1], sample_weight=w).ravel()], "micro")


def by_label(figure, average):
    return lambda p, t, w: averaged(FIGURES[figure], tables(p > 0, t, w), average)


def by_class(figure, average="macro"):
    return rows(lambda p, t, w: averaged(FIGURES[figure], tables(np.eye(p.shape[1])[p.argmax(-1)], np.eye(p.shape[1])[t], w), average))


def one_class(figure, c):
    return rows(lambda p, t, w: averaged(FIGURES[figure], tables(np.eye(p.shape[1])[p.argmax(-1)], np.eye(p.shape[1])[t], w)[c : c + 1], "micro"))


for figure in ["precision", "recall", "specificity", "f1", "npv"]:
    case(figure, "scores", binary(figure, 0))
    case(f"{figure}_threshold", "chances", binary(figure, 0.6))
    case(f"{figure}_labels", "labels", by_label(figure, "micro"))
    case(f"{figure}_labels_macro", "labels", by_label(figure, "macro"))
    case(f"{figure}_macro", "classes", by_class(figure))
    if figure != "npv":
        case(f"{figure}_micro", "classes", by_class(figure, "micro"))
        case(f"{figure}_weighted", "classes", by_class(figure, "weighted"))
        case(f"{figure}_class", "classes", one_class(figure, 2))
# The same from scikit-learn's own averages, where it has them.
for figure, theirs in [("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)]:
    p, t, w = data["classes"]
    for average in ["macro", "weighted", "micro"]:
        assert np.isclose(by_class(figure, average)(p, t, w), theirs(t, p.argmax(-1), average=average, sample_weight=w, zero_division=0))
case("precision_top_k", "one_hot", k(lambda: keras.metrics.Precision(top_k=2)))
case("precision_top_k_threshold", "chance_one_hot", k(lambda: keras.metrics.Precision(thresholds=0.25, top_k=2)))
case("precision_axis", "pixels", by_class("precision"))
case("precision_ignore", "ignored", by_class("precision"))
case("recall_top_k", "one_hot", k(lambda: keras.metrics.Recall(top_k=2)))
case("recall_named", "classes", one_class("recall", 2))
case("f2", "scores", lambda p, t, w: sk.fbeta_score(t, p > 0, beta=2.0, sample_weight=w))
case("f_half_macro", "classes", rows(lambda p, t, w: sk.fbeta_score(t, p.argmax(-1), beta=0.5, average="macro", sample_weight=w)))
case("f1_one_hot", "one_hot", by_class("f1"))
case("dice", "scores", binary("dice", 0))
case("dice_macro", "pixels", by_class("dice"))
case("dice_class", "pixels", one_class("dice", 1))
case("dice_weighted", "classes", by_class("dice", "weighted"))
case("true_positives", "scores", k(lambda: keras.metrics.TruePositives(thresholds=0.0)))
case("false_positives", "chances", k(lambda: keras.metrics.FalsePositives(thresholds=0.3)))
case("false_negatives", "labels", lambda p, t, w: ((p <= 0) * (t > 0) * w[:, None]).sum())
case("true_negatives", "classes", lambda p, t, w: ((p.argmax(-1) != 1) * (t != 1) * w).sum())
case("false_positives_classes", "classes", lambda p, t, w: ((p.argmax(-1) != t) * w).sum())

# Masks.
iou = lambda classes: rows(lambda p, t, w: k(lambda: keras.metrics.IoU(p.shape[1], classes, dtype="float64", sparse_y_pred=False))(p, t, w))
case("iou", "classes", iou([0, 2]))
case("iou_one_hot", "one_hot", iou([1]))
case("iou_axis", "pixels", iou([0, 1]))
case("iou_ignore", "ignored", iou([3, 0]))
case("mean_iou", "classes", iou(range(C)))
case("mean_iou_one_hot", "one_hot", iou(range(C)))
case("mean_iou_axis", "pixels", iou(range(3)))
mask = lambda classes, threshold: k(lambda: keras.metrics.BinaryIoU(classes, threshold, dtype="float64"))
case("binary_iou", "scores", mask([0, 1], 1e-9))  # its threshold is itself a yes
case("binary_iou_threshold", "chances", mask([0, 1], 0.405))
case("binary_iou_mask", "labels", lambda p, t, w: mask([1], 1e-9)(p.ravel(), t.ravel(), np.repeat(w, 3)))

# At many thresholds.
POINTS = {
    "sensitivity_at_specificity": keras.metrics.SensitivityAtSpecificity,
    "specificity_at_sensitivity": keras.metrics.SpecificityAtSensitivity,
    "precision_at_recall": keras.metrics.PrecisionAtRecall,
    "recall_at_precision": keras.metrics.RecallAtPrecision,
}
for name, metric in POINTS.items():
    case(name, "scores", k(lambda: metric(0.6), sigmoid))
    case(f"{name}_probabilities", "chances", k(lambda: metric(0.7, num_thresholds=20)))
    one = lambda p, t, w: k(lambda: metric(0.5))(p[:, 1], t[:, 1], w)
    case(f"{name}_class", "chance_one_hot", one)
auc = lambda **settings: k(lambda: keras.metrics.AUC(**settings))
case("auc", "scores", auc(from_logits=True))
case("auc_probabilities", "chances", auc(num_thresholds=21))
case("auc_minoring", "chances", auc(summation_method="minoring"))
case("auc_majoring", "chances", auc(summation_method="majoring"))
case("auc_at", "chances", auc(thresholds=[0.2, 0.5, 0.6]))
case("auc_labels", "labels", lambda p, t, w: auc(from_logits=True)(p.ravel(), t.ravel(), np.repeat(w, 3)))
apart = lambda curve, weights: lambda p, t, w: np.average([auc(from_logits=True, curve=curve)(p[:, i], t[:, i], w) for i in range(3)], weights=weights)
case("auc_multi_label", "labels", apart("ROC", [1, 1, 1]))
case("auc_label_weights", "labels", apart("ROC", [0.5, 0.2, 0.3]))
multi = auc(from_logits=True, multi_label=True, label_weights=[0.5, 0.2, 0.3])
assert np.isclose(float(multi(*data["labels"][:2], np.ones(N))), float(store.tensors["auc_label_weights/whole"]))
against = lambda p, t, w, c: auc()(p[:, c], t == c, w)
case("auc_classes", "chance_classes", lambda p, t, w: np.mean([against(p, t, w, c) for c in range(4)]))
case("auc_class", "chance_classes", lambda p, t, w: against(p, t, w, 2))
case("pr_auc", "scores", auc(curve="PR", from_logits=True))
case("pr_auc_probabilities", "chances", auc(curve="PR"))
case("pr_auc_minoring", "chances", auc(curve="PR", summation_method="minoring"))
case("pr_auc_majoring", "chances", auc(curve="PR", summation_method="majoring"))
case("pr_auc_multi_label", "labels", apart("PR", [1, 1, 1]))
case("pr_gain_auc", "chances", auc(curve="PRGAIN"))

# Probabilities.
loss = lambda change: rows(lambda p, t, w: sk.log_loss(t, change(p), labels=range(p.shape[1]), sample_weight=w))
same = lambda p: p
case("log_loss", "classes", loss(softmax))
case("log_loss_shares", "shares", mean(lambda p, t: -(t * np.log(softmax(p))).sum(-1)))
case("log_loss_probabilities", "chance_classes", loss(same))
case("log_loss_ignore", "ignored", loss(softmax))
case("log_loss_axis", "pixels", loss(softmax))
for name, of, change in [("", "classes", softmax), ("_ignore", "ignored", softmax), ("_axis", "pixels", softmax), ("_probabilities", "chance_classes", same)]:
    case(f"perplexity{name}", of, lambda p, t, w: np.exp(loss(change)(p, t, w)))
case("mean_loss", "classes", lambda p, t, w: torch.nn.functional.cross_entropy(torch.tensor(p), torch.tensor(t)))
case("binary_log_loss", "scores", lambda p, t, w: sk.log_loss(t, sigmoid(p), sample_weight=w))
case("binary_log_loss_probabilities", "chances", lambda p, t, w: sk.log_loss(t, p, sample_weight=w))
case("binary_log_loss_labels", "labels", mean(lambda p, t: np.log1p(np.exp(p)) - t * p))
case("kl_divergence", "shares", mean(lambda p, t: (t * np.log(t / softmax(p))).sum(-1)))
case("kl_divergence_probabilities", "chance_shares", k(lambda: keras.metrics.KLDivergence()))
case("brier", "scores", lambda p, t, w: sk.brier_score_loss(t, sigmoid(p), sample_weight=w))
case("brier_probabilities", "chances", lambda p, t, w: sk.brier_score_loss(t, p, sample_weight=w))
brier = lambda change: rows(lambda p, t, w: np.average(((change(p) - np.eye(p.shape[1])[t]) ** 2).sum(-1), weights=w))
case("brier_classes", "classes", brier(softmax))
case("brier_classes_probabilities", "chance_classes", brier(same))
case("brier_ignore", "ignored", brier(softmax))


def calibration(bins, norm, change):
    def figure(confidence, right, w):
        place = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1)
        of = [place == b for b in range(bins) if w[place == b].sum() > 0]
        gaps = np.array([abs(np.average(right[b], weights=w[b]) - np.average(confidence[b], weights=w[b])) for b in of])
        shares = np.array([w[b].sum() for b in of]) / w.sum()
        return {"mean": (shares * gaps).sum(), "rms": np.sqrt((shares * gaps**2).sum()), "max": gaps.max()}[norm]

    return rows(lambda p, t, w: figure(change(p).max(-1), p.argmax(-1) == t, w)) if change else figure


case("calibration_error", "classes", calibration(15, "mean", softmax))
case("calibration_error_probabilities", "chance_classes", calibration(7, "mean", same))
case("calibration_error_binary", "chances", calibration(5, "mean", None))
case("calibration_error_rms", "classes", calibration(15, "rms", softmax))
case("calibration_error_max", "classes", calibration(15, "max", softmax))
case("calibration_error_ignore", "ignored", calibration(15, "mean", softmax))

# Margins and errors.
case("hinge", "scores", k(lambda: keras.metrics.Hinge()))
case("squared_hinge", "scores", k(lambda: keras.metrics.SquaredHinge()))
categorical = rows(lambda p, t, w: k(lambda: keras.metrics.CategoricalHinge())(p, np.eye(p.shape[1])[t], w))
case("categorical_hinge", "classes", categorical)
case("categorical_hinge_one_hot", "one_hot", categorical)
case("mae", "numbers", k(lambda: keras.metrics.MeanAbsoluteError()))
case("mse", "numbers", k(lambda: keras.metrics.MeanSquaredError()))
case("rmse", "numbers", lambda p, t, w: np.sqrt(sk.mean_squared_error(t, p, sample_weight=w)))
case("mape", "numbers", k(lambda: keras.metrics.MeanAbsolutePercentageError()))
case("smape", "numbers", mean(lambda p, t: 200 * abs(p - t) / (abs(p) + abs(t))))
case("msle", "positive", lambda p, t, w: sk.mean_squared_log_error(t, p, sample_weight=w))
case("log_cosh", "numbers", k(lambda: keras.metrics.LogCoshError()))
case("max_error", "numbers", lambda p, t, w: sk.max_error(t[w > 0].ravel(), p[w > 0].ravel()))
case("poisson", "positive", k(lambda: keras.metrics.Poisson()))
case("poisson_log", "numbers_counts", mean(lambda p, t: np.exp(p) - t * p))
case("mean_bias", "numbers", mean(lambda p, t: p - t))


# Agreement.
def columns(figure):
    return lambda p, t, w: np.mean([figure(x, y, w) for x, y in zip(p.reshape(N, -1).T, t.reshape(N, -1).T)])


def moments(p, t, w):
    x, y = np.average(p, weights=w), np.average(t, weights=w)
    return x, y, (w * (p - x) ** 2).sum(), (w * (t - y) ** 2).sum(), (w * (p - x) * (t - y)).sum()


def pearson(p, t, w):
    _, _, xx, yy, xy = moments(p, t, w)
    return xy / np.sqrt(xx * yy)


def concordance(p, t, w):
    x, y, xx, yy, xy = moments(p, t, w)
    return 2 * xy / (xx + yy + w.sum() * (x - y) ** 2)


assert np.isclose(pearson(*data["column"][:2], np.ones(N)), scipy.stats.pearsonr(*data["column"][:2]).statistic)
for suffix, of in [("", "column"), ("_far", "far"), ("_outputs", "numbers")]:
    case(f"pearson{suffix}", of, columns(pearson))
    case(f"concordance{suffix}", of, columns(concordance))
    case(f"explained_variance{suffix}", of, lambda p, t, w: sk.explained_variance_score(t, p, sample_weight=w))
    case(f"r2{suffix}", of, lambda p, t, w: sk.r2_score(t, p, sample_weight=w))
case("r2_variance_weighted", "numbers", lambda p, t, w: sk.r2_score(t, p, sample_weight=w, multioutput="variance_weighted"))
adjusted = lambda p, t, w: 1 - (1 - sk.r2_score(t, p, sample_weight=w)) * (w.sum() - 1) / (w.sum() - 4)
case("r2_adjusted", "numbers", adjusted)
case("cosine_similarity", "numbers", k(lambda: keras.metrics.CosineSimilarity()))

# All samples at once.
case("exact_roc_auc", "scores", lambda p, t, w: sk.roc_auc_score(t, p, sample_weight=w))
case("exact_average_precision", "scores", lambda p, t, w: sk.average_precision_score(t, p, sample_weight=w))
once = lambda figure: lambda p, t, w: figure(np.round(p, 1), np.round(t, 1)).statistic
case("exact_spearman", "numbers", lambda p, t, w: once(scipy.stats.spearmanr)(p.ravel(), t.ravel(), w))
case("exact_kendall", "numbers", lambda p, t, w: once(scipy.stats.kendalltau)(p.ravel(), t.ravel(), w))
store.save()
