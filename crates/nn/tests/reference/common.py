"""What the generators of this directory share: a file of tensors, filled case by case.

Each generator is run in this directory: `python layers_core.py` writes `layers_core.safetensors`. They need torch and safetensors; those that
compare with Keras or Optax say so. The tests need none of them.
"""

import os
import zlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)


class Store:
    """The tensors of one file."""

    def __init__(self, file):
        self.file, self.tensors = file, {}

    def put(self, key, value):
        assert key not in self.tensors, key
        value = torch.as_tensor(value).detach().clone()
        self.tensors[key] = (value if value.dtype == torch.int64 else value.to(torch.float64)).contiguous()

    def layer(self, key, module, shape, *, below=None, training=False, names=None, forward=None):
        """A case of a layer: `module` at an input of this shape, whole numbers below `below` if that is given.

        Its parameters are drawn anew, so that scales and offsets are not 1 and 0; `names` renames them (name there → name here, None leaves
        it out). `forward(module, x)` is called in place of `module(x)` where that is given.
        """
        draw = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        normal = lambda size: torch.randn(size, generator=draw)
        name = lambda theirs: (names or {}).get(theirs, theirs)
        module = module.to(torch.float64).train(training)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.5 * normal(parameter.shape) + 0.1)
        for theirs, value in module.state_dict().items():
            if name(theirs) is not None:
                self.put(f"{key}/parameter.{name(theirs)}", value)
        x = torch.randint(below, shape, generator=draw) if below else normal(shape).requires_grad_()
        y = forward(module, x) if forward else module(x)
        mix = normal(y.shape)
        (y * mix).sum().backward()
        self.put(f"{key}/x", x)
        self.put(f"{key}/y", y)
        self.put(f"{key}/mix", mix)
        if not below:
            self.put(f"{key}/dx", x.grad)
        if training:
            self.put(f"{key}/training", torch.ones(1))
        for theirs, parameter in module.named_parameters():
            if name(theirs) is not None:
                self.put(f"{key}/gradient.{name(theirs)}", parameter.grad)
        for theirs, buffer in module.named_buffers():
            if training and name(theirs) is not None and theirs in module.state_dict():
                self.put(f"{key}/after.{name(theirs)}", buffer)

    def save(self):
        save_file(self.tensors, self.file)
        print(f"{self.file}: {os.path.getsize(self.file)} bytes, {sum(key.endswith('/y') for key in self.tensors)} layers")
