"""Writes losses.safetensors, from PyTorch and Keras in float64: `python losses.py` in this directory.

Of every case `file/name`: prediction, target, loss, each (where the other library has it in the same shape), dprediction, and dtarget where
the target is differentiated. Where no library has the loss, its formula is written out here in PyTorch.
"""

import math

from common import Store

import keras
import torch
import torch.nn.functional as F
from keras.src import backend
from keras.src.backend.common import dtypes
from torch import nn

# Keras computes means of float64 in float32, unless it is told otherwise.
result_type = dtypes.result_type
dtypes.result_type = backend.result_type = lambda *given: "float64" if any("float64" in str(dtype) for dtype in given) else result_type(*given)
keras.backend.set_floatx("float64")
store = Store("losses.safetensors")
draw = torch.Generator().manual_seed(20)


def normal(*shape):
    return torch.randn(shape, generator=draw)


def uniform(*shape):
    return 0.05 + 0.9 * torch.rand(shape, generator=draw)


def labels(below, *shape):
    return torch.randint(below, shape, generator=draw)


def signs(*shape):
    return 2 * labels(2, *shape) - 1


def case(key, loss, prediction, target, each=None, weights=None, by_target=True):
    """`loss(prediction, target)`, and `each` before the reduction."""
    prediction = prediction.detach().clone().requires_grad_()
    target = target.detach().clone()
    smooth = by_target and target.dtype == torch.float64
    target.requires_grad_(smooth)
    value = loss(prediction, target)
    assert value.isfinite() and value.ndim == 0, key
    value.backward()
    store.put(f"{key}/prediction", prediction)
    store.put(f"{key}/target", target)
    store.put(f"{key}/loss", value)
    store.put(f"{key}/dprediction", prediction.grad)
    if smooth:
        store.put(f"{key}/dtarget", target.grad)
    if each is not None:
        store.put(f"{key}/each", each(prediction, target))
    if weights is not None:
        store.put(f"{key}/weights", weights)


def torch_case(key, make, prediction, target, reduction="mean", **more):
    """`make(reduction=…)` is a loss of PyTorch's."""
    case(key, make(reduction=reduction), prediction, target, each=make(reduction="none"), **more)


def keras_case(key, make, prediction, target, weights=None, each=False, **more):
    """`make(reduction=…)` is a loss of Keras's."""
    none = make(reduction="none")
    loss = lambda p, t: make(reduction="sum_over_batch_size")(t, p, sample_weight=weights)
    case(key, loss, prediction, target, each=(lambda p, t: none(t, p)) if each else None, weights=weights, **more)


def packed(make, axis=-2):
    """A loss of two predictions, which are packed into one along an axis."""
    return lambda **settings: lambda p, t: make(**settings)(p.select(axis, 0), p.select(axis, 1), t)


P, T = normal(5, 3), normal(5, 3)
WEIGHTS = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.5])
losses = keras.losses

# Numbers
torch_case("mean_squared_error/plain", nn.MSELoss, P, T)
keras_case("mean_squared_error/weights", losses.MeanSquaredError, P, T, weights=WEIGHTS)
torch_case("mean_squared_error/column", nn.MSELoss, normal(4, 1), normal(4, 1))
torch_case("mean_absolute_error/plain", nn.L1Loss, P, T)
keras_case("mean_absolute_error/weights", losses.MeanAbsoluteError, P, T, weights=WEIGHTS)
keras_case("mean_absolute_percentage_error/plain", losses.MeanAbsolutePercentageError, P, T)
near_zero = lambda p, t: 100 * (p - t).abs() / t.abs().clamp(min=0.5)
case("mean_absolute_percentage_error/near_zero", lambda p, t: near_zero(p, t).mean(), P, T, each=near_zero)
keras_case("mean_squared_logarithmic_error/plain", losses.MeanSquaredLogarithmicError, 3 * uniform(5, 3), 3 * uniform(5, 3))
torch_case("huber/plain", nn.HuberLoss, P, T)
torch_case("huber/delta", lambda **more: nn.HuberLoss(delta=0.6, **more), P, T)
torch_case("smooth_l1/plain", nn.SmoothL1Loss, P, T)
torch_case("smooth_l1/beta", lambda **more: nn.SmoothL1Loss(beta=0.6, **more), P, T)
torch_case("smooth_l1/beta_0", lambda **more: nn.SmoothL1Loss(beta=0.0, **more), P, T)
keras_case("log_cosh/plain", losses.LogCosh, 2 * P, T)
for name, q in ("tenth", 0.1), ("ninth", 0.9):
    pinball = lambda p, t, q=q: torch.maximum(q * (t - p), (q - 1) * (t - p))
    case(f"quantile/{name}", lambda p, t: pinball(p, t).mean(), P, T, each=pinball)
rates, counts = 3 * uniform(5, 3), labels(5, 5, 3).double()
keras_case("poisson/plain", losses.Poisson, rates, counts)
torch_case("poisson_nll/plain", lambda **more: nn.PoissonNLLLoss(**more), P, counts)
torch_case("poisson_nll/rates", lambda **more: nn.PoissonNLLLoss(log_input=False, **more), rates, counts)
torch_case("poisson_nll/full", lambda **more: nn.PoissonNLLLoss(full=True, **more), P, counts, by_target=False)
torch_case("poisson_nll/epsilon", lambda **more: nn.PoissonNLLLoss(log_input=False, eps=0.1, **more), rates, counts)
moments = torch.stack([normal(5, 3), 2 * uniform(5, 3)], 1)
gaussian = lambda **settings: lambda **more: lambda p, t: nn.GaussianNLLLoss(**settings, **more)(p[:, 0], t, p[:, 1])
torch_case("gaussian_nll/plain", gaussian(), moments, T)
torch_case("gaussian_nll/full", gaussian(full=True), moments, T)
torch_case("gaussian_nll/epsilon", gaussian(eps=0.8), moments, T)
shared = lambda **more: lambda p, t: nn.GaussianNLLLoss(**more)(p[:, 0], t, p[:, 1].mean(-1, keepdim=True))
torch_case("gaussian_nll/shared", shared, moments, T)
keras_case("cosine_similarity/plain", losses.CosineSimilarity, P, T, each=True)

# Yes and no
LOGITS = torch.tensor([[0.5, -1.0], [40.0, 0.25], [-30.0, 1.5]])
SOFT, HARD = torch.tensor([[1.0, 0.0], [1.0, 0.5], [1.0, 0.0]]), torch.tensor([[1, 0], [1, 0], [1, 0]])
CHANCES, SHARES = uniform(3, 2), uniform(3, 2)
torch_case("binary_cross_entropy/logits", nn.BCEWithLogitsLoss, LOGITS, SOFT)
torch_case("binary_cross_entropy/labels", lambda **more: lambda p, t: nn.BCEWithLogitsLoss(**more)(p, t.double()), LOGITS, HARD)
keras_case(
    "binary_cross_entropy/weights", lambda **more: losses.BinaryCrossentropy(from_logits=True, **more), LOGITS, SOFT, weights=WEIGHTS[1:4]
)
torch_case("binary_cross_entropy/positive_weight", lambda **more: nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0), **more), LOGITS, SOFT)
torch_case(
    "binary_cross_entropy/positive_weights",
    lambda **more: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 0.5]), **more),
    LOGITS,
    SOFT,
)
torch_case("binary_cross_entropy/probabilities", nn.BCELoss, CHANCES, SHARES)
keras_case("binary_cross_entropy/keras", lambda **more: losses.BinaryCrossentropy(label_smoothing=0.2, **more), CHANCES, SHARES)
focal = lambda **settings: lambda **more: losses.BinaryFocalCrossentropy(**settings, **more)
near = normal(3, 2)
keras_case("binary_focal_cross_entropy/logits", focal(from_logits=True), near, SHARES)
keras_case("binary_focal_cross_entropy/alpha", focal(from_logits=True, apply_class_balancing=True, gamma=1.5), near, SHARES)
keras_case("binary_focal_cross_entropy/gamma_0", focal(from_logits=True, gamma=0.0), near, SHARES)
keras_case("binary_focal_cross_entropy/smoothing", focal(from_logits=True, gamma=0.5, label_smoothing=0.2), near, SHARES)
keras_case("binary_focal_cross_entropy/probabilities", focal(apply_class_balancing=True), CHANCES, SHARES)
keras_case("hinge/plain", losses.Hinge, P, signs(5, 3).double(), by_target=False)
keras_case("hinge/bits", losses.Hinge, P, labels(2, 5, 3))
keras_case("squared_hinge/plain", losses.SquaredHinge, P, signs(5, 3).double(), by_target=False)
keras_case("squared_hinge/bits", losses.SquaredHinge, P, labels(2, 5, 3))
torch_case("soft_margin/plain", nn.SoftMarginLoss, P, signs(5, 3).double(), by_target=False)
torch_case("hinge_embedding/plain", nn.HingeEmbeddingLoss, P.abs(), signs(5, 3))
torch_case("hinge_embedding/margin", lambda **more: nn.HingeEmbeddingLoss(margin=0.4, **more), P.abs(), signs(5, 3))

# Classes
CLASSES = torch.tensor([[0.5, -1.0, 2.0], [100.0, 0.25, -7.0], [-3.0, 1.5, 1.5], [0.0, 0.0, 0.0]])
LABELS, SOME = torch.tensor([2, 0, 0, 1]), torch.tensor([2, -100, 0, 1])
PARTS = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.1, 0.8, 0.1]])
W = torch.tensor([0.5, 2.0, 1.5])
entropy = lambda **settings: lambda **more: nn.CrossEntropyLoss(**settings, **more)
torch_case("cross_entropy/labels", entropy(), CLASSES, LABELS)
torch_case("cross_entropy/smoothing", entropy(label_smoothing=0.1), CLASSES, LABELS)
torch_case("cross_entropy/weights", entropy(weight=W), CLASSES, LABELS)
torch_case("cross_entropy/weights_smoothing", entropy(weight=W, label_smoothing=0.2), CLASSES, LABELS)
torch_case("cross_entropy/ignore", entropy(), CLASSES, SOME)
torch_case("cross_entropy/ignore_weights_smoothing", entropy(weight=W, label_smoothing=0.2, ignore_index=1), CLASSES, LABELS)
torch_case("cross_entropy/probabilities", entropy(), CLASSES, PARTS, by_target=False)
torch_case("cross_entropy/probabilities_smoothing", entropy(label_smoothing=0.3), CLASSES, PARTS)
torch_case("cross_entropy/any_sums", entropy(), CLASSES, PARTS + normal(4, 3), by_target=False)
torch_case("cross_entropy/probabilities_weights", entropy(weight=W, label_smoothing=0.3), CLASSES, PARTS)
torch_case("cross_entropy/spatial", entropy(weight=W), normal(2, 3, 4, 2), labels(3, 2, 4, 2))
torch_case("cross_entropy/spatial_probabilities", entropy(), normal(2, 3, 4), normal(2, 3, 4).softmax(1))
last = lambda **more: lambda p, t: nn.CrossEntropyLoss(ignore_index=0, **more)(p.transpose(1, -1), t)
torch_case("cross_entropy/sequence", last, normal(2, 4, 3), labels(3, 2, 4))
chances, parts = uniform(4, 3), normal(4, 3).softmax(1)
keras_case("cross_entropy/keras_sparse", losses.SparseCategoricalCrossentropy, chances, LABELS, each=True)
keras_case("cross_entropy/keras_categorical", lambda **more: losses.CategoricalCrossentropy(label_smoothing=0.2, **more), chances, parts, each=True)
keras_case(
    "cross_entropy/sample_weights",
    lambda **more: losses.SparseCategoricalCrossentropy(from_logits=True, **more),
    CLASSES,
    LABELS,
    weights=WEIGHTS[:4],
)
torch_case("cross_entropy/one_example", entropy(), CLASSES[:1], LABELS[:1])
nll = lambda **settings: lambda **more: nn.NLLLoss(**settings, **more)
torch_case("negative_log_likelihood/labels", nll(), normal(4, 3).log_softmax(1), LABELS)
torch_case("negative_log_likelihood/weights", nll(weight=W), normal(4, 3).log_softmax(1), LABELS)
torch_case("negative_log_likelihood/ignore", nll(weight=W), normal(4, 3).log_softmax(1), SOME)
torch_case("negative_log_likelihood/spatial", nll(), normal(2, 3, 4).log_softmax(1), labels(3, 2, 4))
focal = lambda **settings: lambda **more: losses.CategoricalFocalCrossentropy(**settings, **more)
keras_case("categorical_focal_cross_entropy/logits", focal(from_logits=True), normal(4, 3), parts, each=True)
alphas = focal(from_logits=True, gamma=1.5, alpha=torch.tensor([0.5, 0.2, 0.3]))
one_hot = lambda **more: lambda t, p, sample_weight=None: alphas(**more)(F.one_hot(t, 3), p)
keras_case("categorical_focal_cross_entropy/labels", one_hot, normal(4, 3), LABELS, each=True)
smoothing = focal(from_logits=True, alpha=0.7, label_smoothing=0.2)
keras_case("categorical_focal_cross_entropy/smoothing", smoothing, normal(4, 3), parts, each=True)
keras_case("categorical_focal_cross_entropy/probabilities", focal(), chances, parts, each=True)
generalized = lambda p, t: (1 - p.softmax(1).gather(1, t[:, None])[:, 0] ** 0.7) / 0.7
case("generalized_cross_entropy/logits", lambda p, t: generalized(p, t).mean(), normal(4, 3), LABELS, each=generalized)
keras_case("generalized_cross_entropy/probabilities", losses.CategoricalGeneralizedCrossEntropy, parts, LABELS, each=True)
kl = lambda **settings: lambda **more: nn.KLDivLoss(**settings, **more)
log, right = normal(4, 3).log_softmax(1), normal(4, 3).softmax(1)
torch_case("kl_divergence/plain", kl(), log, right)
torch_case("kl_divergence/batch_mean", kl(), log, right, reduction="batchmean")
torch_case("kl_divergence/log_target", kl(log_target=True), log, right.log())
keras_case("kl_divergence/probabilities", losses.KLDivergence, log.exp(), right)
keras_case("categorical_hinge/shares", losses.CategoricalHinge, normal(4, 3), parts, each=True)
one_hot = lambda **more: lambda t, p, sample_weight=None: losses.CategoricalHinge(**more)(F.one_hot(t, 3), p)
keras_case("categorical_hinge/labels", one_hot, normal(4, 3), LABELS, each=True)
margin = lambda **settings: lambda **more: nn.MultiMarginLoss(**settings, **more)
torch_case("multi_margin/plain", margin(), normal(4, 3), LABELS)
torch_case("multi_margin/squares", margin(p=2, margin=0.7), normal(4, 3), LABELS)
torch_case("multi_margin/weights", margin(weight=W), normal(4, 3), LABELS)
several = torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3], [1, -1, 0, -1]])
torch_case("multi_label_margin/plain", nn.MultiLabelMarginLoss, normal(4, 4), several)
torch_case("multi_label_soft_margin/plain", nn.MultiLabelSoftMarginLoss, normal(4, 3), uniform(4, 3))
torch_case("multi_label_soft_margin/weights", lambda **more: nn.MultiLabelSoftMarginLoss(weight=W, **more), normal(4, 3), uniform(4, 3))

# Embeddings
ranking = lambda **settings: packed(lambda **more: nn.MarginRankingLoss(**settings, **more), -1)
torch_case("margin_ranking/plain", ranking(), normal(5, 2), signs(5))
torch_case("margin_ranking/margin", ranking(margin=0.4), normal(5, 2), signs(5))
cosine = lambda **settings: packed(lambda **more: nn.CosineEmbeddingLoss(**settings, **more))
PAIRS = normal(6, 2, 3)
torch_case("cosine_embedding/plain", cosine(), PAIRS, signs(6))
torch_case("cosine_embedding/margin", cosine(margin=0.3), PAIRS, signs(6))
for name, far in ("plain", 1.0), ("margin", 2.5):

    def contrastive(p, t, far=far):
        d = (p[:, 0] - p[:, 1]).norm(dim=-1)
        return torch.where(t > 0, d**2, (far - d).clamp(min=0) ** 2) / 2

    case(f"contrastive/{name}", lambda p, t: contrastive(p, t).mean(), 0.5 * PAIRS, signs(6), each=contrastive)
triplet = lambda **settings: packed(lambda **more: nn.TripletMarginLoss(**settings, **more))
torch_case("triplet_margin/plain", triplet(), PAIRS, normal(6, 3))
torch_case("triplet_margin/p_1", triplet(p=1.0, margin=2.0), PAIRS, normal(6, 3))
torch_case("triplet_margin/p_3_swap", triplet(p=3.0, swap=True, eps=1e-3), PAIRS, normal(6, 3))
torch_case("triplet_margin/swap", triplet(swap=True), PAIRS, normal(6, 3))
squared = lambda x, y: ((x - y) ** 2).sum(-1)
own = lambda **settings: packed(lambda **more: nn.TripletMarginWithDistanceLoss(distance_function=squared, **settings, **more))
torch_case("triplet_margin_with_distance/plain", own(), PAIRS, normal(6, 3))
torch_case("triplet_margin_with_distance/swap", own(swap=True, margin=0.5), PAIRS, normal(6, 3))


def info_nce(temperature, symmetric=False, unit=True):
    def each(q, k):
        q, k = (F.normalize(q, dim=1), F.normalize(k, dim=1)) if unit else (q, k)
        scores, own = q @ k.T / temperature, torch.arange(len(q))
        one = F.cross_entropy(scores, own, reduction="none")
        return (one + F.cross_entropy(scores.T, own, reduction="none")) / 2 if symmetric else one

    return each


for name, each in ("plain", info_nce(0.07)), ("symmetric", info_nce(0.5, True)), ("products", info_nce(1.0, unit=False)):
    case(f"info_nce/{name}", lambda q, k: each(q, k).mean(), normal(5, 3), normal(5, 3), each=each)


def nt_xent(temperature):
    def each(one, other):
        z = F.normalize(torch.cat([one, other]), dim=1)
        scores = (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
        views = torch.arange(len(z)).roll(len(one))
        return F.cross_entropy(scores, views, reduction="none").reshape(2, -1).T

    return each


for name, each in ("plain", nt_xent(0.5)), ("temperature", nt_xent(0.1)):
    case(f"nt_xent/{name}", lambda one, other: each(one, other).mean(), normal(4, 3), normal(4, 3), each=each)

GROUPS = torch.tensor([0, 1, 0, 2, 1, 0])


def supervised(z, t):
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    log = (z @ z.T / 0.5).masked_fill(itself, -math.inf).log_softmax(1)
    friends = (t[:, None] == t) & ~itself
    return -log.masked_fill(~friends, 0.0).sum(1) / friends.sum(1).clamp(min=1)


unique = torch.tensor([group in GROUPS.tolist()[:i] + GROUPS.tolist()[i + 1 :] for i, group in enumerate(GROUPS.tolist())])
case("supervised_contrastive/plain", lambda z, t: supervised(z, t)[unique].mean(), normal(6, 3), GROUPS, each=supervised)
circle = lambda **settings: lambda **more: losses.Circle(**settings, **more)
keras_case("circle/plain", circle(), F.normalize(normal(6, 3), dim=1), GROUPS, each=True)
keras_case("circle/itself", circle(remove_diagonal=False, gamma=2.0, margin=0.25), 0.9 * F.normalize(normal(6, 3), dim=1), GROUPS, each=True)

# Sets
masks, spots = uniform(3, 2, 4), labels(2, 3, 2, 4).double()
sets = lambda make, **settings: lambda **more: make(**settings, **more)
keras_case("dice/example", sets(losses.Dice, axis=(1, 2)), masks, spots, each=True)
smooth = lambda p, t: 1 - (2 * (p * t).sum((1, 2)) + 1) / (p.sum((1, 2)) + t.sum((1, 2)) + 1 + 1e-7)
case("dice/smooth", lambda p, t: smooth(p, t).mean(), masks, spots, each=smooth)
keras_case("dice/whole_batch", sets(losses.Dice), masks, spots, each=True)
keras_case("dice/axes", sets(losses.Dice, axis=(0, 2)), masks, spots, each=True)
keras_case("tversky/example", sets(losses.Tversky, axis=(1, 2), alpha=0.7, beta=0.3), masks, spots, each=True)
keras_case("tversky/whole_batch", sets(losses.Tversky, alpha=0.3, beta=0.7), masks, spots, each=True)


# Series: a target starts with the length of the input and that of the labels.
def ctc(lengths, **settings):
    def make(**more):
        def loss(p, t):
            times, most = (t[:, 0], t[:, 1]) if lengths else (torch.full((len(p),), p.shape[1]), (t > 0).sum(1))
            return nn.CTCLoss(**settings, **more)(p.log_softmax(-1).transpose(0, 1), t[:, 2:] if lengths else t, times, most)

        return loss

    return make


SERIES = normal(4, 6, 5)
WORDS = torch.tensor([[1, 2, 3], [2, 2, 0], [0, 0, 0], [4, 0, 0]])
torch_case("ctc/padded", ctc(False), SERIES, WORDS)
keras_case("ctc/keras", losses.CTC, SERIES, WORDS, each=True)
torch_case("ctc/sum", ctc(False), SERIES, WORDS, reduction="sum")
TIMES = torch.tensor([[6, 3, 1, 2, 1], [3, 2, 2, 2, 4], [5, 0, 1, 1, 1], [4, 1, 4, 2, 3]])
mean = lambda make: lambda p, t: make(reduction="none")(p, t).mean()
case("ctc/lengths", mean(ctc(True)), SERIES, TIMES, each=ctc(True)(reduction="none"))
words = torch.where(TIMES[:, 2:] == 3, 0, TIMES[:, 2:])
blank = ctc(True, blank=3)
case("ctc/blank", mean(blank), SERIES, torch.cat([TIMES[:, :2], words], 1), each=blank(reduction="none"))
SHORT = torch.tensor([[6, 3, 1, 2, 1], [2, 2, 2, 2, 4], [1, 2, 1, 2, 1], [4, 1, 4, 2, 3]])
zero = ctc(True, zero_infinity=True)
case("ctc/zero_infinity", mean(zero), SERIES, SHORT, each=zero(reduction="none"))

store.save()
