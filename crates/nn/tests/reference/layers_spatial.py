"""Merges, branches and spatial layers, from PyTorch; what PyTorch has no layer for, from Keras."""

from common import Store  # first: it chooses the backend of Keras

import keras
import torch
from torch import nn
from torch.nn import functional as F

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
keras.backend.set_image_data_format("channels_first")
store = Store("layers_spatial.safetensors")


class Same(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def checked(function, layer):
    """Keras computes in f32 here and there: it says that the function is the right one, and PyTorch gives the digits."""

    def apply(x):
        y = function(x)
        assert torch.allclose(layer(x).to(y.dtype), y, atol=1e-5)
        return y

    return apply


def sliced(key, function, layer, shape):
    """A merge of the slices along axis 1."""
    apply = checked(function, layer)
    store.layer(key, Same(lambda x: apply(list(x.unbind(1)))), shape)


merges = {
    "Add": lambda xs: xs[0] + xs[1] + xs[2],
    "Multiply": lambda xs: xs[0] * xs[1] * xs[2],
    "Average": lambda xs: (xs[0] + xs[1] + xs[2]) / 3,
    "Maximum": lambda xs: torch.stack(xs).amax(0),
    "Minimum": lambda xs: torch.stack(xs).amin(0),
}
for name, function in merges.items():
    sliced(f"merge/{name}", function, getattr(keras.layers, name)(), (4, 3, 2))
sliced("merge/Subtract", lambda xs: xs[0] - xs[1], keras.layers.Subtract(), (4, 2, 2))
store.layer("merge/one", Same(lambda x: x[:, 0]), (4, 1, 2))
ranks = checked(lambda xs: xs[0] * xs[1][:, None], keras.layers.Multiply())
store.layer("merge/ranks", Same(lambda x: ranks([x, x[:, :, 0]])), (4, 3, 3))
sliced("concat/last", lambda xs: torch.cat(xs, -1), keras.layers.Concatenate(), (4, 3, 2))
sliced("concat/channels", lambda xs: torch.cat(xs, 1), keras.layers.Concatenate(axis=1), (2, 2, 3, 2))

vectors = lambda xs: (xs[0] * xs[1]).sum(-1, keepdim=True)
cosine = lambda xs: F.cosine_similarity(*xs)[:, None]
sliced("dot/vectors", vectors, keras.layers.Dot(1), (4, 2, 3))
sliced("dot/cosine", cosine, keras.layers.Dot(-1, normalize=True), (4, 2, 3))
sliced("dot/matrices", lambda xs: torch.einsum("bik,bjk->bij", *xs), keras.layers.Dot(2), (2, 2, 3, 4))
across = checked(lambda xs: torch.einsum("bik,bkj->bij", *xs), keras.layers.Dot((2, 1)))
store.layer("dot/across", Same(lambda x: across([x, x[:, :2]])), (2, 3, 2))


class Branches(nn.ModuleList):
    def __init__(self, merge, *branches):
        super().__init__(branches)
        self.merge = merge

    def forward(self, x):
        return self.merge([branch(x) for branch in self])


class Residual(nn.Module):
    def __init__(self, body, projection=None):
        super().__init__()
        self.body, self.projection = body, projection

    def forward(self, x):
        return (self.projection(x) if self.projection else x) + self.body(x)


store.layer("parallel/sum", Branches(sum, nn.Linear(3, 2), nn.Linear(3, 2, bias=False)), (4, 3))
images = Branches(lambda ys: torch.cat(ys, 1), nn.Conv2d(2, 1, 3, padding=1), nn.MaxPool2d(3, 1, 1))
store.layer("parallel/images", images, (2, 2, 4, 3))
store.layer("residual/same", Residual(nn.Sequential(nn.Linear(3, 3), nn.Tanh())), (4, 3))
store.layer("residual/projected", Residual(nn.Linear(3, 2), nn.Linear(3, 2, bias=False)), (4, 3))

# Depthwise and separable convolutions; Keras agrees when its kernels are turned.
store.layer("depthwise_conv/line", nn.Conv1d(3, 3, 3, groups=3), (2, 3, 6))
two = nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, groups=2)
store.layer("depthwise_conv/multiplied", two, (2, 2, 5, 4))
store.layer("depthwise_conv/plain", nn.Conv2d(3, 3, 2, dilation=2, groups=3, bias=False), (1, 3, 4, 3))
store.layer("depthwise_conv/volume", nn.Conv3d(2, 2, 2, groups=2), (1, 2, 2, 3, 2))


class Separable(nn.Module):
    def __init__(self, depthwise, pointwise):
        super().__init__()
        self.depthwise, self.pointwise = depthwise, pointwise

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


line = Separable(nn.Conv1d(2, 2, 3, groups=2, bias=False), nn.Conv1d(2, 3, 1, bias=False))
store.layer("separable_conv/line", line, (2, 2, 5))
two = Separable(nn.Conv2d(2, 4, 3, groups=2, stride=2, padding=1, bias=False), nn.Conv2d(4, 3, 1))
store.layer("separable_conv/multiplied", two, (2, 2, 5, 4))

x = torch.randn(2, 2, 7, 6)
both = Separable(nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.Conv2d(4, 3, 1))
theirs = keras.layers.SeparableConv2D(3, 3, depth_multiplier=2)
theirs.build(x.shape)
depthwise = both.depthwise.weight.reshape(2, 2, 3, 3).permute(2, 3, 0, 1)
pointwise = both.pointwise.weight.permute(2, 3, 1, 0)
theirs.set_weights([value.detach().numpy() for value in [depthwise, pointwise, both.pointwise.bias]])
assert torch.allclose(theirs(x), both(x))

# Pools.
store.layer("lp_pool/image", nn.LPPool2d(2, 2), (2, 3, 4, 6))
store.layer("lp_pool/line", nn.LPPool1d(4, 3, 1), (2, 1, 5))
store.layer("lp_pool/volume", nn.LPPool3d(2, 2, ceil_mode=True), (1, 1, 2, 4, 4))
store.layer("lp_pool/cubes", Same(lambda x: F.lp_pool2d(x * x, 3, 2)), (2, 1, 4, 4))
pools = [("global_avg_pool", torch.mean, "GlobalAveragePooling"), ("global_max_pool", torch.amax, "GlobalMaxPooling")]
for ours, function, theirs in pools:
    pool = lambda axes, **options: getattr(keras.layers, f"{theirs}{axes}D")(**options)
    store.layer(f"{ours}/line", Same(checked(lambda x: function(x, 2), pool(1))), (2, 3, 4))
    store.layer(f"{ours}/image", Same(checked(lambda x: function(x, (2, 3)), pool(2))), (2, 3, 4, 5))
    kept = checked(lambda x: function(x, (2, 3, 4), keepdim=True), pool(3, keepdims=True))
    store.layer(f"{ours}/kept", Same(kept), (1, 2, 3, 2, 2))


def indexed(function, *arguments, **options):
    def apply(x):
        y, indices = function(x, *arguments, return_indices=True, **options)
        return y * (indices + 1)

    return Same(apply)


store.layer("max_pool/indexed", indexed(F.max_pool2d, 3, 2, 1), (2, 2, 5, 4))
store.layer("max_pool/dilated", indexed(F.max_pool1d, 2, 1, 0, 2), (2, 1, 5))
store.layer("max_pool/ceil", indexed(F.max_pool2d, 2, ceil_mode=True), (1, 2, 3, 5))


def there_and_back(pool, unpool, factor=2, **options):
    def apply(x):
        y, indices = pool(x)
        return unpool(y * factor, indices, **options)

    return Same(apply)


back = there_and_back(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2))
store.layer("max_unpool/image", back, (2, 3, 4, 6))
back = there_and_back(nn.MaxPool1d(3, 3, 1, return_indices=True), nn.MaxUnpool1d(3, 3, 1))
store.layer("max_unpool/line", back, (2, 1, 4))
back = there_and_back(nn.MaxPool3d((1, 2, 2), return_indices=True), nn.MaxUnpool3d((1, 2, 2)))
store.layer("max_unpool/volume", back, (1, 2, 2, 4, 2))
back = there_and_back(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2), 1, output_size=(5, 4))
store.layer("max_unpool/sized", back, (2, 1, 5, 4))

def fractional(layer):
    """With given samples; PyTorch has that of the last of two axes first, and those of three in order."""

    def apply(x):
        axes = x.ndim - 2
        u = torch.arange(x.shape[0] * x.shape[1] * axes, dtype=x.dtype) * 7 % 10 / 10 + 0.05
        u = u.reshape(*x.shape[:2], axes)
        layer._random_samples = u.flip(-1) if axes == 2 else u
        return layer(x)

    return Same(apply)


store.layer("fractional_max_pool/image", fractional(nn.FractionalMaxPool2d((2, 3), (4, 3))), (1, 2, 7, 6))
store.layer("fractional_max_pool/ratio", fractional(nn.FractionalMaxPool2d(2, output_ratio=0.6)), (1, 2, 6, 5))
store.layer("fractional_max_pool/volume", fractional(nn.FractionalMaxPool3d(2, (1, 2, 3))), (1, 2, 3, 5, 5))


# What is added at the sides, and taken away. PyTorch begins with the last axis.
around = (2, 1, 1, 2)
store.layer("pad/zero", nn.ZeroPad2d(around), (2, 1, 3, 4))
store.layer("pad/zero_line", nn.ZeroPad1d(2), (2, 2, 1))
store.layer("pad/zero_volume", nn.ZeroPad3d((2, 2, 0, 0, 1, 1)), (1, 2, 2, 1, 2))
store.layer("pad/constant", nn.ConstantPad2d(around, -1.5), (2, 1, 3, 4))
store.layer("pad/reflect", nn.ReflectionPad2d(around), (2, 1, 3, 4))
store.layer("pad/reflect_volume", nn.ReflectionPad3d(1), (1, 1, 2, 2, 3))
store.layer("pad/replicate", nn.ReplicationPad2d(around), (2, 1, 3, 4))
store.layer("pad/circular", nn.CircularPad2d(around), (2, 1, 3, 4))
store.layer("pad/circular_line", nn.CircularPad1d((3, 1)), (2, 1, 3))
store.layer("cropping/line", Same(lambda x: keras.layers.Cropping1D(1)(x.transpose(1, 2)).transpose(1, 2)), (2, 2, 5))
store.layer("cropping/image", Same(keras.layers.Cropping2D(((1, 0), (1, 2)))), (2, 1, 3, 5))
store.layer("cropping/volume", Same(keras.layers.Cropping3D((1, 0, 1))), (1, 1, 3, 2, 4))
store.layer("center_crop/image", Same(keras.layers.CenterCrop(2, 3, dtype="float64")), (2, 1, 5, 4))

# Elements in another order.
store.layer("unfold/plain", nn.Unfold(2), (2, 3, 3, 4))
store.layer("unfold/apart", nn.Unfold((2, 3), (1, 2), 1, (2, 1)), (2, 1, 4, 5))
store.layer("fold/plain", nn.Fold((3, 4), 2), (2, 12, 6))
store.layer("fold/apart", nn.Fold((4, 5), (2, 3), (1, 2), 1, (2, 1)), (2, 6, 9))
store.layer("channel_shuffle/three", nn.ChannelShuffle(3), (2, 6, 2, 2))
turned = lambda x: x.reshape(1, 2, 2, 1, 2, 2).transpose(1, 2).reshape(1, 4, 1, 2, 2)
store.layer("channel_shuffle/volume", Same(turned), (1, 4, 1, 2, 2))
store.layer("pixel_unshuffle/two", nn.PixelUnshuffle(2), (2, 1, 4, 6))
store.layer("unflatten/features", nn.Unflatten(1, (2, 3)), (4, 6, 2))
store.layer("unflatten/last", nn.Unflatten(-1, (2, 1, 2)), (2, 3, 4))
store.layer("unflatten/rest", nn.Unflatten(1, (2, -1)), (2, 6, 3))

# The other modes of upsampling.
store.layer("upsample/exact", nn.Upsample((3, 5), mode="nearest-exact"), (2, 1, 4, 3))
store.layer("upsample/exact_by", nn.Upsample(scale_factor=1.7, mode="nearest-exact"), (2, 1, 4))
store.layer("upsample/area", Same(lambda x: F.interpolate(x, (2, 3), mode="area")), (2, 1, 5, 4))
store.layer("upsample/linear", nn.Upsample(scale_factor=1.5, mode="linear"), (2, 1, 4))
store.layer("upsample/corners", nn.Upsample((5, 4), mode="bilinear", align_corners=True), (2, 1, 3, 2))

store.save()
