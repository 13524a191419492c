"""Activations, products, tables and shapes, from PyTorch and, where PyTorch has no such thing, from Keras."""

from common import Store  # first: it chooses the backend of Keras

import keras
import torch
from torch import nn
from torch.nn import functional as F

store = Store("layers_basic.safetensors")


class Same(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def sparsemax(x, axis=-1):
    """As in the paper. (Keras 3.15 on this backend gives rows that do not sum to 1.)"""
    ranked = x.sort(axis, descending=True).values
    total = ranked.cumsum(axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = torch.arange(1, x.shape[axis] + 1.0).view(shape)
    size = (1 + rank * ranked > total).sum(axis, keepdim=True)
    return F.relu(x - (total.gather(axis, size - 1) - 1) / size)


k = keras.activations
relu = lambda **settings: Same(lambda x: k.relu(x, **settings))
activations = {
    "Exponential": Same(k.exponential),
    "Relu6": nn.ReLU6(),
    "Selu": nn.SELU(),
    "Mish": nn.Mish(),
    "Softsign": nn.Softsign(),
    "LogSigmoid": nn.LogSigmoid(),
    # PyTorch's own slope is a sixth in f32, also for f64.
    "Hardsigmoid": Same(lambda x: F.relu6(x + 3) / 6),
    "Hardswish": nn.Hardswish(),
    "Tanhshrink": nn.Tanhshrink(),
    "SparsePlus": Same(k.sparse_plus),
    "SparseSigmoid": Same(k.sparse_sigmoid),
    "Relu max_value": relu(max_value=0.7),
    "Relu negative_slope": relu(negative_slope=0.3),
    "Relu threshold": relu(threshold=0.4),
    "Relu all": relu(max_value=0.9, negative_slope=0.3, threshold=0.4),
    "Gelu exact": nn.GELU(),
    "Softplus beta": nn.Softplus(2.5, 1.0),
    "Elu alpha": nn.ELU(0.4),
    "Celu": nn.CELU(),
    "Celu alpha": nn.CELU(0.25),  # a power of two: PyTorch takes α in f32
    "Hardtanh": nn.Hardtanh(),
    "Hardtanh bounds": nn.Hardtanh(-0.4, 0.8),
    "Hardshrink": nn.Hardshrink(),
    "Softshrink": nn.Softshrink(),
    "Threshold": nn.Threshold(0.1, -7.0),
    "Squareplus": Same(k.squareplus),
    "Squareplus b": Same(lambda x: k.squareplus(x, 0.25)),
    "RRelu": nn.RReLU(),
}
for name, layer in activations.items():
    store.layer(f"activation/{name}", layer, (4, 3))
for name, layer in {
    "Softmax axis": nn.Softmax(0),
    "LogSoftmax axis": nn.LogSoftmax(0),
    "Softmin": nn.Softmin(-1),
    "Sparsemax": Same(sparsemax),
    "Sparsemax axis": Same(lambda x: sparsemax(x, 0)),
}.items():
    store.layer(f"activation/{name}", layer, (4, 3))
store.layer("activation/Softmax2d", nn.Softmax2d(), (2, 3, 2, 2))
store.layer("activation/Glu", nn.GLU(), (4, 6))
store.layer("activation/Glu axis", nn.GLU(1), (2, 4, 3))

# Where the pieces of an activation meet, and far away: values and slopes.
points = torch.tensor([-40, -3, -1, -0.5, -0.4, -1e-3, -0.0, 0, 1e-3, 0.1, 0.4, 0.5, 0.7, 0.8, 0.9, 1, 3, 6, 19.9, 25, 40.0])
kinks = Store("activations.safetensors")
also = {"Relu": nn.ReLU(), "LeakyRelu": nn.LeakyReLU(), "Elu": nn.ELU(), "Silu": nn.SiLU(), "Sigmoid": nn.Sigmoid()}
for name, layer in {**activations, **also}.items():
    x = points.clone().requires_grad_()
    y = layer.eval()(x)
    y.sum().backward()
    kinks.put(f"{name}/x", x)
    kinks.put(f"{name}/y", y)
    kinks.put(f"{name}/dx", x.grad)


class Keras(nn.Module):
    """A layer of Keras with its weights under their names."""

    def __init__(self, layer, shape):
        super().__init__()
        layer.build(shape)
        self.layer, self.order = [layer], [variable.name for variable in layer.trainable_variables]
        for variable in layer.trainable_variables:
            self.register_parameter(variable.name, nn.Parameter(torch.empty(tuple(variable.shape))))

    def forward(self, x):
        weights = [getattr(self, name) for name in self.order]
        return self.layer[0].stateless_call(weights, [], x)[0]


store.layer("prelu/one", nn.PReLU(), (4, 3))
store.layer("prelu/vector", nn.PReLU(), (5,))
store.layer("prelu/channels", nn.PReLU(3), (2, 3, 2, 2))
store.layer("prelu/features", nn.PReLU(3), (4, 3))

pieces = lambda outputs: lambda module, x: module(x).unflatten(-1, (outputs, -1)).amax(-1)
store.layer("maxout/rows", nn.Linear(3, 8), (4, 3), forward=pieces(2))
store.layer("maxout/rank_3", nn.Linear(3, 2, bias=False), (2, 5, 3), forward=pieces(1))
store.layer("maxout/one_piece", nn.Linear(3, 2), (3,))

store.layer("embedding/rows", nn.Embedding(7, 3), (2, 4), below=7)
store.layer("embedding/padding", nn.Embedding(7, 3, padding_idx=2), (2, 4), below=7)
store.layer("embedding/one", nn.Embedding(7, 1), (1,), below=7)
store.layer("embedding/attend", nn.Embedding(7, 3), (4, 3), forward=lambda module, x: F.linear(x, module.weight))
assert 2 in store.tensors["embedding/padding/x"]

for mode in ["sum", "mean", "max"]:
    bag = lambda **options: nn.EmbeddingBag(7, 3, mode=mode, **options)
    store.layer(f"embedding_bag/{mode}", bag(), (2, 4), below=7)
    store.layer(f"embedding_bag/{mode}_padding", bag(padding_idx=2), (3, 4), below=7)
    assert 2 in store.tensors[f"embedding_bag/{mode}_padding/x"]
    split = lambda module, x: module(x, torch.tensor([0, 2, 2, 3]))
    store.layer(f"embedding_bag/{mode}_offsets", bag(padding_idx=6), (7,), below=7, forward=split)
weights = lambda x: (torch.arange(x.shape[-1]).expand(x.shape) - 1) * 0.5
weighted = lambda module, x: module(x, per_sample_weights=weights(x))
store.layer("embedding_bag/weighted", nn.EmbeddingBag(7, 3, mode="sum"), (2, 4), below=7, forward=weighted)
weighted = lambda module, x: module(x, torch.tensor([0, 3]), per_sample_weights=weights(x))
padded = nn.EmbeddingBag(7, 3, mode="sum", padding_idx=6)
store.layer("embedding_bag/weighted_offsets", padded, (5,), below=7, forward=weighted)

halves = lambda module, x: module(x[..., :3].contiguous(), x[..., 3:].contiguous())
store.layer("bilinear/rows", nn.Bilinear(3, 2, 4), (5, 5), forward=halves)
store.layer("bilinear/without_bias", nn.Bilinear(3, 1, 1, bias=False), (2, 3, 4), forward=halves)

keras.config.set_floatx("float64")
for name, equation, output, bias, shape in [
    ("dense", "ab,bc->ac", 5, "c", (4, 3)),
    ("sequence", "abc,cd->abd", (4, 2), "d", (2, 4, 3)),
    ("rest", "...x,xy->...y", 2, "y", (2, 4, 3)),
    ("heads", "abc,cde->abde", (3, 2, 3), "de", (2, 3, 4)),
    ("together", "abcd,cde->abe", (3, 4), None, (2, 3, 2, 3)),
    ("between", "abd,dc->acb", (2, 4), "c", (2, 4, 3)),
]:
    layer = Keras(keras.layers.EinsumDense(equation, output, bias_axes=bias), shape)
    store.layer(f"einsum_dense/{name}", layer, shape)

store.layer("reshape/sizes", nn.Unflatten(1, (3, 2)), (4, 6))
store.layer("reshape/rest", Keras(keras.layers.Reshape((-1, 2)), (4, 3, 4)), (4, 3, 4))
store.layer("reshape/scalar", Same(lambda x: x.squeeze(1)), (4, 1))
store.layer("permute/two", Keras(keras.layers.Permute((2, 1)), (2, 3, 4)), (2, 3, 4))
store.layer("permute/three", Keras(keras.layers.Permute((3, 1, 2)), (2, 3, 4, 5)), (2, 3, 4, 5))
store.layer("repeat_vector/three", Keras(keras.layers.RepeatVector(3), (2, 4)), (2, 4))
store.layer("repeat_vector/one", Keras(keras.layers.RepeatVector(1), (1, 4)), (1, 4))
store.layer("rescaling/both", Keras(keras.layers.Rescaling(0.25, -1.0), (4, 3)), (4, 3))

bins = keras.layers.Discretization([-0.5, 0.0, 0.75])
store.layer("discretization/numbers", Same(lambda x: bins(x.detach()).to(torch.float64) + 0 * x), (4, 3))
store.put("discretization/numbers/parameter.boundaries", torch.tensor([-0.5, 0.0, 0.75]))

encode = lambda mode: lambda module, x: keras.layers.CategoryEncoding(5, output_mode=mode)(x).to(torch.float64).requires_grad_()
store.layer("category_encoding/one_hot", nn.Identity(), (4,), below=5, forward=encode("one_hot"))
store.layer("category_encoding/one_hot_column", nn.Identity(), (4, 1), below=5, forward=encode("one_hot"))
store.layer("category_encoding/multi_hot", nn.Identity(), (2, 4), below=5, forward=encode("multi_hot"))
store.layer("category_encoding/count", nn.Identity(), (2, 4), below=5, forward=encode("count"))
layer = keras.layers.CategoryEncoding(5, output_mode="count")
counted = lambda module, x: layer(x, count_weights=weights(x)).to(torch.float64).requires_grad_()
store.layer("category_encoding/count_weighted", nn.Identity(), (2, 4), below=5, forward=counted)

r = keras.regularizers
price = Same(lambda x: (x.sum() + r.L1L2(0.3, 0.2)(x)).reshape(1))
store.layer("activity_regularization/both", price, (4, 3))
prices = lambda module, y: r.L2(0.3)(module.weight) + r.L1(0.2)(module.bias) + r.L1(0.1)(y)
priced = lambda module, x: (module(x).sum() + prices(module, module(x))).reshape(1)
store.layer("regularized/price", nn.Linear(3, 2), (4, 3), forward=priced)
store.layer("regularized/output", nn.Linear(3, 2), (4, 3))

softmax = lambda **options: nn.AdaptiveLogSoftmaxWithLoss(6, 10, [3, 7], div_value=2.0, **options)
classes = torch.tensor([0, 9, 3, 2, 6])
log_prob = lambda module, x: module.log_prob(x)
store.layer("adaptive_log_softmax/log_prob", softmax(), (5, 6), forward=log_prob)
output = lambda module, x: module(x, classes).output
store.layer("adaptive_log_softmax/output", softmax(head_bias=True), (5, 6), forward=output)
loss = lambda module, x: module(x, classes).loss.reshape(1)
store.layer("adaptive_log_softmax/loss", softmax(), (5, 6), forward=loss)

store.save()
kinks.save()
