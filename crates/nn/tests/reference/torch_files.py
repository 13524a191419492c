"""Writes the files torch_*.pt and what they hold, torch_files.safetensors: `python torch_files.py` in this directory.

Expected values are under `FILE/NAME`, where the path of a nested value is joined by dots; int8 and int16 are widened to int32.
"""

import collections

import torch
from safetensors.torch import save_file

torch.manual_seed(7)
expected = {}


def expect(file, name, value):
    value = torch.as_tensor(value).detach()
    if value.dtype in (torch.int8, torch.int16):
        value = value.to(torch.int32)
    expected[f"{file}/{name}"] = value.clone().contiguous()


def walk(file, value, name=""):
    if isinstance(value, dict):
        for key, item in value.items():
            walk(file, item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        for at, item in enumerate(value):
            if isinstance(item, (torch.Tensor, dict, list, tuple)):
                walk(file, item, f"{name}.{at}" if name else str(at))
    elif isinstance(value, str):
        expect(file, name, torch.tensor(list(value.encode()), dtype=torch.uint8))
    elif isinstance(value, float):
        expect(file, name, torch.tensor(value, dtype=torch.float64))
    elif isinstance(value, (torch.Tensor, bool, int)):
        expect(file, name, value)


def save(file, value, **options):
    torch.save(value, f"torch_{file}.pt", **options)
    walk(file, value)


net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
net(torch.randn(8, 3))
save("state", net.state_dict())

adam = torch.optim.Adam(net.parameters(), lr=3e-4)
net(torch.randn(8, 3)).square().sum().backward()
adam.step()
save(
    "checkpoint",
    {"model": net.state_dict(), "optimizer": adam.state_dict(), "epoch": 3, "best": 0.25, "name": "Zoë", "done": False,
     "none": None, "history": [1.5, 0.5], "rng": torch.tensor([1, 2, 255], dtype=torch.uint8)},
)

base = torch.arange(24, dtype=torch.float32)
views = collections.OrderedDict(
    transposed=base.view(4, 6).t(),
    part=base[5:9],
    strided=base.view(4, 6)[1::2, ::3],
    whole=base,
    parameter=torch.nn.Parameter(base.view(2, 12)[:, 1]),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    nested=[torch.tensor([1, 2]), (torch.tensor([3]), {"x": torch.tensor(4)})],
    big=-(2**40),
    negative=-5,
)
for dtype in [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8]:
    views[str(dtype)[6:]] = torch.tensor([[-3, 0, 100], [1, 2, -128]]).to(dtype)
views["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
views["bool"] = torch.tensor([True, False, True])
for protocol in (2, 4):
    save(f"views{protocol}", views, pickle_protocol=protocol)

# What is refused.
torch.save(net.state_dict(), "torch_old.pt", _use_new_zipfile_serialization=False)
torch.save(net, "torch_module.pt")
torch.save({"w": torch.complex(torch.ones(2), torch.ones(2))}, "torch_complex.pt")
torch.save({"w": torch.zeros(1).expand(1000)}, "torch_expanded.pt")

save_file(expected, "torch_files.safetensors")
