"""Regularizers and constraints, from Keras: `regularizers.safetensors`, `constraints.safetensors`."""

from common import Store  # first: it chooses the backend of Keras

import keras
import torch

keras.config.set_floatx("float64")
# Keras adds this to the norms that it divides by.
keras.config.set_epsilon(1e-30)


def orthogonal(factor, w):
    """As Keras defines `OrthogonalRegularizer` for rows. (It rounds to f32 on the way, here and in `NonNeg`.)"""
    cosines = torch.nn.functional.normalize(w, dim=1, eps=1e-7)
    cosines = (cosines @ cosines.T).triu(1)
    return factor * cosines.abs().sum() / (len(w) * (len(w) - 1) / 2)


draw = torch.Generator().manual_seed(5)
weight = torch.randn((4, 3), generator=draw)
weight[1, 2] = 0.0

regularizers = Store("regularizers.safetensors")
r = keras.regularizers
for name, regularizer in {
    "l1/l1": r.L1(0.3),
    "l2/l2": r.L2(0.3),
    "l1_l2/both": r.L1L2(0.3, 0.2),
    "orthogonal/rows": lambda w: orthogonal(0.375, w),
    "orthogonal/columns": lambda w: orthogonal(0.375, w.T),
}.items():
    x = weight.clone().requires_grad_()
    y = regularizer(x)
    y.backward()
    for part, value in [("x", x), ("y", y), ("dx", x.grad)]:
        regularizers.put(f"{name}/{part}", value)
regularizers.save()

constraints = Store("constraints.safetensors")
c = keras.constraints
for name, constraint in {
    "max_norm/columns": c.MaxNorm(1.5, axis=0),
    "max_norm/rows": c.MaxNorm(1.5, axis=1),
    "max_norm/all": c.MaxNorm(2.0, axis=[0, 1]),
    "min_max_norm/columns": c.MinMaxNorm(1.2, 1.8, axis=0),
    "min_max_norm/rate": c.MinMaxNorm(1.2, 1.8, rate=0.3, axis=1),
    "non_negative/all": lambda w: w.clamp(min=0),
    "unit_norm/columns": c.UnitNorm(axis=0),
    "unit_norm/rows": c.UnitNorm(axis=1),
}.items():
    constraints.put(f"{name}/x", weight)
    constraints.put(f"{name}/y", constraint(weight))
constraints.save()
