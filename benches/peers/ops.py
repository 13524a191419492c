"""Single ops beside PyTorch, forward and with their gradients, on one table.

    python ops.py --ours target/release/ops --threads 1 --rounds 2 --seconds 0.15 [case ...]

Both sides take turns in each round; a time is the least of all rounds, and the ratio is ours to PyTorch's. A case with `+` behind its name is
the gradient, by the operands, of the sum of squares of the op, and that sum. Where PyTorch gives back a view (a broadcast gradient), nothing is
written, and Wengert's copy is compared with nothing.
"""

import argparse
import json
import os
import subprocess
import time

IMAGES, MATRIX, LONG = (16, 32, 28, 28), (1024, 1024), (1 << 20,)


def cases():
    import torch
    from torch.nn import functional as F

    def conv(**options):
        return lambda x, w: F.conv2d(x, w, **options)

    def norm(x, axes):
        centred = x - x.mean(axes, keepdim=True)
        return centred * (centred.square().mean(axes, keepdim=True) + 1e-5).rsqrt()

    weight = (32, 32, 3, 3)
    return {
        "conv 3x3": ([IMAGES, weight], conv(padding=1)),
        "conv 3x3, stride 2": ([IMAGES, (64, 32, 3, 3)], conv(padding=1, stride=2)),
        "conv 1x1": ([IMAGES, (64, 32, 1, 1)], conv()),
        "conv 5x5": ([IMAGES, (32, 32, 5, 5)], conv(padding=2)),
        "conv 3x3, depthwise": ([IMAGES, (32, 1, 3, 3)], conv(padding=1, groups=32)),
        "conv 3x3, 4 groups": ([IMAGES, (32, 8, 3, 3)], conv(padding=1, groups=4)),
        "conv 3x3, dilated": ([IMAGES, weight], conv(padding=2, dilation=2)),
        "conv 7x7, stem": ([(2, 3, 128, 128), (64, 3, 7, 7)], conv(padding=3, stride=2)),
        "conv transposed": ([(16, 32, 14, 14), (32, 32, 2, 2)], lambda x, w: F.conv_transpose2d(x, w, stride=2)),
        "conv 1d": ([(16, 64, 256), (64, 64, 3)], lambda x, w: F.conv1d(x, w, padding=1)),
        "max pool 2": ([IMAGES], lambda x: F.max_pool2d(x, 2)),
        "max pool 3, stride 2": ([IMAGES], lambda x: F.max_pool2d(x, 3, 2, 1)),
        "average pool 2": ([IMAGES], lambda x: F.avg_pool2d(x, 2)),
        "average of images": ([IMAGES], lambda x: x.mean((2, 3))),
        "batch norm": ([IMAGES], lambda x: F.batch_norm(x, None, None, training=True)),
        "group norm": ([IMAGES], lambda x: F.group_norm(x, 8)),
        "nearest, twice": ([IMAGES], lambda x: F.interpolate(x, scale_factor=2)),
        "bilinear, twice": ([IMAGES], lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")),
        "channels last": ([IMAGES], lambda x: x.permute(0, 2, 3, 1).contiguous() + 1),
        "transpose": ([MATRIX], lambda x: x.t().contiguous() + 1),
        "x + transpose": ([MATRIX], lambda x: x + x.t()),
        "sum": ([MATRIX], lambda x: x.sum()),
        "sum of columns": ([MATRIX], lambda x: x.sum(0)),
        "sum of rows": ([MATRIX], lambda x: x.sum(1)),
        "sum of the middle": ([(64, 64, 256)], lambda x: x.sum(1)),
        "max of rows": ([MATRIX], lambda x: x.amax(1)),
        "variance of rows": ([MATRIX], lambda x: x.var(1, correction=0)),
        "logsumexp of rows": ([MATRIX], lambda x: x.logsumexp(1)),
        "softmax of columns": ([MATRIX], lambda x: x.softmax(0)),
        "norm": ([MATRIX], lambda x: x.norm()),
        "cumsum of rows": ([MATRIX], lambda x: x.cumsum(1)),
        "argmax of rows": ([MATRIX], lambda x: x.argmax(1)),
        "argmax of columns": ([MATRIX], lambda x: x.argmax(0)),
        "sort of rows": ([MATRIX], lambda x: x.sort(1)[0]),
        "top 5 of rows": ([MATRIX], lambda x: x.topk(5, 1)[0]),
        "flip": ([MATRIX], lambda x: x.flip(1)),
        "roll": ([MATRIX], lambda x: x.roll(5, 1)),
        "pad": ([MATRIX], lambda x: F.pad(x, (2, 2))),
        "concat": ([MATRIX, MATRIX], lambda x, y: torch.cat([x, y], 1)),
        "gated half": ([MATRIX], lambda x: F.glu(x, 1)),
        "every other": ([MATRIX], lambda x: x[:, ::2] * 2),
        "lower triangle": ([MATRIX], lambda x: x.tril()),
        "select": ([MATRIX, MATRIX], lambda x, y: torch.where(x > 0.5, x, y * 2)),
        "tanh of an outer sum": ([(1024, 1), (1024,)], lambda x, y: (x + y).tanh()),
        "distances": ([(256, 1, 16), (256, 16)], lambda x, y: (x - y).square().sum(-1)),
        "embedding": ([(8192, 128), (4096, "below", 8192)], lambda x, i: F.embedding(i, x)),
        "sum by index": ([MATRIX, (1024, "below", 100)], lambda x, i: torch.zeros(100, 1024).index_add(0, i, x)),
        "clamp": ([LONG], lambda x: x.clamp(-1, 1)),
        "power": ([LONG], lambda x: x.abs().pow(2.5)),
        "cube": ([LONG], lambda x: x**3),
        "sine": ([LONG], torch.sin),
        "quotient": ([LONG, LONG], lambda x, y: x / (y + 3)),
        "error function": ([LONG], torch.erf),
        "arctan of a quotient": ([LONG, LONG], torch.atan2),
        "log of the logistic": ([LONG], F.logsigmoid),
        "to bf16": ([LONG], lambda x: x.bfloat16()),
        "product 64": ([(64, 64), (64, 64)], torch.matmul),
        "product 256": ([(256, 256), (256, 256)], torch.matmul),
        "product, narrow": ([(100, 1000), (1000, 10)], torch.matmul),
        "product, tall": ([(4096, 32), (32, 32)], torch.matmul),
        "64 products of 32": ([(64, 32, 32), (64, 32, 32)], torch.matmul),
        "1024 products of 4": ([(1024, 4, 4), (1024, 4, 4)], torch.matmul),
        "matrix by vector": ([MATRIX, (1024,)], torch.matmul),
        "dot": ([LONG, LONG], lambda x, y: (x * y).sum()),
        "outer product": ([(1024,), (1024,)], torch.outer),
    }


def theirs(names, threads, seconds):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    def least(step):
        for _ in range(3):
            step()
        best, start = float("inf"), time.perf_counter()
        while time.perf_counter() - start < seconds:
            before = time.perf_counter()
            step()
            best = min(best, time.perf_counter() - before)
        return best * 1e6

    def operand(dims):
        if "below" in dims:
            return torch.arange(dims[0]) * 7919 % dims[2]
        return torch.randn(dims)

    times = {}
    for name, (dims, op) in cases().items():
        operands = [operand(d) for d in dims]

        def forward():
            with torch.no_grad():
                op(*operands)

        tracked = [x.clone().requires_grad_() if x.is_floating_point() else x for x in operands]

        def gradient():
            loss = op(*tracked).square().sum()
            torch.autograd.grad(loss, [x for x in tracked if x.requires_grad])

        if not names or name in names:
            times[name] = least(forward)
        if (not names or name + " +" in names) and not name.startswith(("argmax", "to ")):
            times[name + " +"] = least(gradient)
    return times


def ours(binary, names, threads, seconds):
    command = [binary, "--threads", str(threads), "--seconds", str(seconds), *names]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {told["case"]: told["min_us"] for told in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.15)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    best = [{}, {}]
    for _ in range(options.rounds):
        run = [
            ours(options.ours, options.cases, options.threads, options.seconds),
            theirs(options.cases, options.threads, options.seconds),
        ]
        for side, times in zip(best, run):
            for name, us in times.items():
                side[name] = min(us, side.get(name, us))
    print("| op | Wengert, µs | PyTorch, µs | ratio | with gradient | PyTorch | ratio |\n|---|---|---|---|---|---|---|")
    for name in (name for name in best[0] if not name.endswith(" +")):
        cells = []
        for key in (name, name + " +"):
            a, b = best[0].get(key), best[1].get(key)
            cells += [f"{a:,.0f}", f"{b:,.0f}", f"{a / b:.2f}"] if a and b else ["", "", ""]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
