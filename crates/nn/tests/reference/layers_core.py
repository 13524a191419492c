"""The layers that were there first, from PyTorch."""

import torch
from torch import nn
from torch.nn import functional as F

from common import Store

store = Store("layers_core.safetensors")


class Same(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


store.layer("dense/rows", nn.Linear(3, 5), (4, 3))
store.layer("dense/without_bias", nn.Linear(3, 5, bias=False), (4, 3))
store.layer("dense/rank_3", nn.Linear(3, 1), (2, 4, 3))
store.layer("dense/one_example", nn.Linear(3, 2), (3,))

store.layer("flatten/rank_3", nn.Flatten(), (4, 3, 2))
store.layer("flatten/rank_2", nn.Flatten(), (4, 3))
store.layer("flatten/rank_4", nn.Flatten(), (4, 2, 3, 2))

store.layer("max_pool/two", nn.MaxPool2d(2), (2, 3, 4, 6))
store.layer("max_pool/padded", nn.MaxPool1d(3, 2, 1), (2, 1, 5))
store.layer("max_pool/volume", nn.MaxPool3d((1, 2, 2)), (1, 1, 2, 4, 3))
store.layer("avg_pool/two", nn.AvgPool2d(2), (2, 3, 4, 6))
store.layer("avg_pool/inside", nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 1, 5))
store.layer("avg_pool/ceil", nn.AvgPool3d(2, ceil_mode=True), (1, 1, 2, 4, 3))
for name, layer in [("adaptive_avg_pool", nn.AdaptiveAvgPool2d), ("adaptive_max_pool", nn.AdaptiveMaxPool2d)]:
    store.layer(f"{name}/one", layer(1), (2, 3, 5, 4))
    store.layer(f"{name}/parts", layer((3, 2)), (2, 1, 5, 4))
store.layer("pixel_shuffle/two", nn.PixelShuffle(2), (2, 4, 2, 3))
store.layer("upsample/nearest", nn.Upsample(scale_factor=2), (2, 3, 2, 4))
store.layer("upsample/cubic", nn.Upsample((3, 5), mode="bicubic"), (2, 1, 2, 3))

store.layer("conv/line", nn.Conv1d(2, 3, 3), (4, 2, 7))
causal = lambda module, x: module(F.pad(x, (1, 0)))
store.layer("conv/causal", nn.Conv1d(2, 1, 2, bias=False), (2, 2, 4), forward=causal)
store.layer("conv/groups", nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, groups=2), (2, 2, 5, 4))
store.layer("conv/reflect", nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"), (2, 1, 4, 4))
store.layer("conv/volume", nn.Conv3d(1, 2, 2), (2, 1, 3, 3, 2))
store.layer("conv_transpose/line", nn.ConvTranspose1d(2, 3, 3), (4, 2, 5))
groups = nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=(1, 0), groups=2)
store.layer("conv_transpose/groups", groups, (2, 2, 3, 2))
store.layer("conv_transpose/same", nn.ConvTranspose2d(1, 1, 2, stride=2), (1, 1, 3, 2))
store.layer("conv_transpose/volume", nn.ConvTranspose3d(1, 2, 2, bias=False), (2, 1, 2, 1, 2))

activations = {
    "Relu": nn.ReLU(),
    "Tanh": nn.Tanh(),
    "Sigmoid": nn.Sigmoid(),
    "Gelu": nn.GELU(approximate="tanh"),
    "Silu": nn.SiLU(),
    "Softplus": nn.Softplus(threshold=1e9),
    "Softmax": nn.Softmax(-1),
    "LogSoftmax": nn.LogSoftmax(-1),
    "Identity": nn.Identity(),
    "LeakyRelu": nn.LeakyReLU(),
    "Elu": nn.ELU(),
}
for name, layer in activations.items():
    store.layer(f"activation/{name}", layer, (4, 3))

store.save()
