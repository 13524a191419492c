"""Normalisations and parametrizations, from PyTorch; the unit normalization is compared with Keras."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from common import Store

import keras

store = Store("layers_norms.safetensors")
torch.manual_seed(1)


def running(module):
    """As if it had seen something."""
    module.running_mean.copy_(torch.randn(module.running_mean.shape))
    module.running_var.copy_(0.5 + torch.rand(module.running_var.shape))
    module.num_batches_tracked.fill_(3)
    return module


def three(module, x):
    """Three steps, of which the last one counts."""
    module(x * 0.5)
    module(x.square() + 1.0)
    return module(x)


last = lambda module, x: module(x.transpose(1, 2)).transpose(1, 2)

store.layer("batch_norm/rows", nn.BatchNorm1d(3), (4, 3), training=True)
store.layer("batch_norm/evaluation", running(nn.BatchNorm1d(3)), (4, 3))
store.layer("batch_norm/images", running(nn.BatchNorm2d(2, momentum=0.3, eps=1e-2)), (2, 2, 3, 4), training=True)
store.layer("batch_norm/volumes", running(nn.BatchNorm3d(2)), (1, 2, 2, 1, 3), training=True)
store.layer("batch_norm/without_affine", nn.BatchNorm1d(3, affine=False), (2, 3, 4), training=True)
bare = nn.BatchNorm1d(3)
bare.register_parameter("bias", None)
store.layer("batch_norm/without_bias", bare, (5, 3), training=True)
store.layer("batch_norm/without_running", nn.BatchNorm1d(3, track_running_stats=False), (4, 3))
store.layer("batch_norm/channels_last", running(nn.BatchNorm1d(3)), (2, 4, 3), training=True, forward=last)
store.layer("batch_norm/three_steps", nn.BatchNorm1d(3), (4, 3), training=True, forward=three)
store.layer("batch_norm/cumulative", nn.BatchNorm1d(3, momentum=None), (4, 3), training=True, forward=three)

store.layer("layer_norm/rows", nn.LayerNorm(5), (4, 5))
store.layer("layer_norm/two_axes", nn.LayerNorm((3, 4), eps=1e-2), (2, 3, 4))
store.layer("layer_norm/sequence", nn.LayerNorm(4), (2, 3, 4))
store.layer("layer_norm/without_bias", nn.LayerNorm(5, bias=False), (4, 5))
store.layer("layer_norm/without_affine", nn.LayerNorm(5, elementwise_affine=False), (1, 5))
store.layer("layer_norm/one_example", nn.LayerNorm(3), (3,))

store.layer("rms_norm/rows", nn.RMSNorm(5), (4, 5))
store.layer("rms_norm/two_axes", nn.RMSNorm((3, 4), eps=1e-2), (2, 3, 4))
store.layer("rms_norm/without_affine", nn.RMSNorm(5, elementwise_affine=False), (1, 5))
store.layer("rms_norm/one_example", nn.RMSNorm(3), (3,))

store.layer("group_norm/rows", nn.GroupNorm(2, 6), (3, 6))
store.layer("group_norm/images", nn.GroupNorm(2, 4, eps=1e-2), (2, 4, 3, 2))
store.layer("group_norm/one_group", nn.GroupNorm(1, 3), (2, 3, 4))
store.layer("group_norm/channel_each", nn.GroupNorm(3, 3), (1, 3, 4))
store.layer("group_norm/without_affine", nn.GroupNorm(2, 4, affine=False), (2, 4, 3))

whole = dict(affine=True, track_running_stats=True)
store.layer("instance_norm/line", nn.InstanceNorm1d(3), (2, 3, 4), training=True)
store.layer("instance_norm/images", nn.InstanceNorm2d(2, affine=True, eps=1e-2), (2, 2, 3, 4))
store.layer("instance_norm/volumes", nn.InstanceNorm3d(1), (1, 1, 2, 1, 3))
store.layer("instance_norm/running", running(nn.InstanceNorm1d(2, momentum=0.3, **whole)), (3, 2, 4), training=True)
store.layer("instance_norm/evaluation", running(nn.InstanceNorm1d(2, **whole)), (3, 2, 4))
store.layer("instance_norm/three_steps", nn.InstanceNorm1d(2, **whole), (2, 2, 3), training=True, forward=three)

store.layer("local_response_norm/images", nn.LocalResponseNorm(3, alpha=0.5), (2, 4, 3, 2))
store.layer("local_response_norm/even", nn.LocalResponseNorm(2, alpha=0.5, beta=0.6, k=2.0), (2, 4, 3))
store.layer("local_response_norm/wider_than_the_channels", nn.LocalResponseNorm(5), (1, 2, 3))

for name, shape, axes in [("rows", (4, 3), -1), ("two_axes", (2, 3, 2), (1, 2))]:
    # Keras computes this in f32, so its numbers are those of PyTorch only to seven digits.
    unit = lambda _, x: F.normalize(x, dim=axes, eps=1e-12)
    keras_unit = keras.layers.UnitNormalization(axis=axes, dtype="float64")
    x = torch.randn(shape)
    assert (unit(None, x) - keras_unit(x)).abs().max() < 1e-6
    store.layer(f"unit_normalization/{name}", nn.Identity(), shape, forward=unit)

store.layer("weight_norm/dense", weight_norm(nn.Linear(3, 5)), (4, 3))
store.layer("weight_norm/columns", weight_norm(nn.Linear(3, 5), dim=1), (4, 3))
store.layer("weight_norm/whole", weight_norm(nn.Linear(3, 5), dim=None), (4, 3))
store.layer("weight_norm/conv", weight_norm(nn.Conv2d(2, 3, 2)), (2, 2, 3, 4))
store.layer("weight_norm/conv_transpose", weight_norm(nn.ConvTranspose1d(2, 3, 2, bias=False)), (2, 2, 3))

many = lambda module, **options: spectral_norm(module, n_power_iterations=40, **options)
store.layer("spectral_norm/dense", many(nn.Linear(3, 5)), (4, 3), training=True)
store.layer("spectral_norm/evaluation", many(nn.Linear(3, 5)), (4, 3))
store.layer("spectral_norm/axis", many(nn.Linear(3, 5), dim=1), (4, 3), training=True)
store.layer("spectral_norm/one_output", spectral_norm(nn.Linear(3, 1)), (4, 3), training=True)
store.layer("spectral_norm/conv", many(nn.Conv2d(2, 3, 2)), (2, 2, 3, 4), training=True)
store.layer("spectral_norm/conv_transpose", many(nn.ConvTranspose1d(2, 3, 2, bias=False)), (2, 2, 3), training=True)

store.save()
