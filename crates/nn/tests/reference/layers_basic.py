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

store.save()
kinks.save()
