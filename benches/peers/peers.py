"""The work of `workloads`, done by PyTorch and JAX.

    python peers.py torch|compile|jax --threads N --seconds S [case ...]

A case is a function that builds its data and gives back one step, as a user of that library would write it: whole training steps with a fused
Adam, whose loss is read. Each prints a line of JSON: the least and the median microseconds of a step. `torch` is PyTorch's eager mode,
`compile` the same with the loss compiled, `jax` one jitted function a step with its state donated.
"""

import argparse
import json
import math
import os
import statistics
import time

V, T, BATCH, WIDTH, HEADS, BLOCKS = 65, 64, 12, 128, 4, 4  # of `gpt`
HEIGHTS = [[150.0, 67.0], [130.0, 60.0], [200.0, 65.0], [125.0, 52.0], [230.0, 72.0], [181.0, 70.0]]
SEXES = [1, 1, 0, 1, 0, 0]


def pytorch(compiled):
    import torch
    from torch import nn
    from torch.func import functional_call, grad, jvp
    from torch.nn import functional as F

    torch.manual_seed(0)
    fast = torch.compile if compiled else (lambda f: f)
    randn, randint = torch.randn, torch.randint

    def train(model, x, y, loss=F.cross_entropy):
        adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        value = fast(lambda x, y: loss(model(x), y))

        def step():
            adam.zero_grad(set_to_none=True)
            loss = value(x, y)
            loss.backward()
            adam.step()
            return loss.item()

        return step

    def dense(*sizes, activation=nn.ReLU):
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [nn.Linear(inputs, outputs), activation()]
        return nn.Sequential(*layers[:-1])

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = self.qkv(self.before(x)).view(n, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(n, t, d))
            return x + self.down(F.gelu(self.up(self.between(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.letters, self.places = nn.Embedding(V, WIDTH), nn.Embedding(T, WIDTH)
            self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, V)

        def forward(self, text):
            x = self.blocks(self.letters(text) + self.places.weight)
            return self.head(self.norm(x)).flatten(0, 1)

    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(64, 64, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0]

    def cnn():
        model = nn.Sequential(
            *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)),
        )
        return train(model, randn(64, 1, 28, 28), randint(0, 10, (64,)))

    def elementwise():
        values = [randn(1 << 22, requires_grad=True) for _ in range(4)]
        f = fast(lambda x, a, b, c: (F.gelu(x * a + b, approximate="tanh") * c).sum())
        return lambda: torch.autograd.grad(f(*values), values)

    def layernorm_softmax():
        x = randn(2048, 1024, requires_grad=True)
        scale, shift = torch.ones(1024, requires_grad=True), torch.zeros(1024, requires_grad=True)
        f = fast(lambda x, scale, shift: F.softmax(F.layer_norm(x, (1024,), scale, shift), -1).square().sum())
        return lambda: torch.autograd.grad(f(x, scale, shift), (x, scale, shift))

    def attention():
        inputs = [randn(2, 8, 1024, 64, requires_grad=True) for _ in range(3)]
        f = fast(lambda q, k, v: F.scaled_dot_product_attention(q, k, v).square().sum())
        return lambda: torch.autograd.grad(f(*inputs), inputs)

    def adam10m():
        weight = randn(10_000_000, requires_grad=True)
        weight.grad = randn(10_000_000)
        return torch.optim.Adam([weight], lr=1e-3, fused=True).step

    def hvp():
        model, x, y = dense(784, 128, 10, activation=nn.Tanh), randn(64, 784), randint(0, 10, (64,))
        weights = {name: weight.detach() for name, weight in model.named_parameters()}
        along = {name: torch.randn_like(weight) for name, weight in weights.items()}
        slope = grad(lambda weights: F.cross_entropy(functional_call(model, weights, x), y))
        product = fast(lambda weights, along: jvp(slope, (weights,), (along,))[1])
        return lambda: product(weights, along)

    def infer1():
        model, x = fast(dense(784, 512, 256, 10).eval()), randn(1, 784)

        def step():
            with torch.no_grad():
                return model(x)

        return step

    def scalar_chain():
        def step():
            x = y = torch.tensor(0.5, requires_grad=True)
            for _ in range(500):
                y = y * 1.0001 + 0.0001
            y.backward()
            return x.grad.item()

        return step

    return {
        "seed": lambda: train(dense(2, 8, 16, 2), torch.tensor(HEIGHTS) / 100, torch.tensor(SEXES)),
        "mlp_small": lambda: train(dense(64, 64, 64, 10), randn(32, 64), randint(0, 10, (32,))),
        "mlp_mnist": lambda: train(dense(784, 512, 256, 10), randn(128, 784), randint(0, 10, (128,))),
        "cnn": cnn,
        "gpt": lambda: train(Gpt(), randint(0, V, (BATCH, T)), randint(0, V, (BATCH * T,))),
        "lstm": lambda: train(Remembers(), randn(32, 64, 64), None, lambda y, _: y.square().mean()),
        "elementwise": elementwise,
        "layernorm_softmax": layernorm_softmax,
        "attention": attention,
        "adam10m": adam10m,
        "hvp": hvp,
        "infer1": infer1,
        "scalar_chain": scalar_chain,
    }


def jax():
    import jax
    import numpy as np
    from jax import lax
    from jax import numpy as jnp

    dice = np.random.default_rng(0)
    tree = jax.tree.map

    def randn(*shape):
        return jnp.asarray(dice.standard_normal(shape, dtype=np.float32))

    def randint(most, *shape):
        return jnp.asarray(dice.integers(0, most, shape, dtype=np.int32))

    def cross_entropy(scores, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean()

    def begin(weights):
        return weights, tree(jnp.zeros_like, weights), tree(jnp.zeros_like, weights), jnp.zeros(())

    def adam(state, slope, rate=1e-3, b1=0.9, b2=0.999):
        weights, m, v, t = state
        t = t + 1
        m = tree(lambda m, g: b1 * m + (1 - b1) * g, m, slope)
        v = tree(lambda v, g: b2 * v + (1 - b2) * g * g, v, slope)
        (c1, c2) = (1 - b1**t, 1 - b2**t)
        weights = tree(lambda w, m, v: w - rate * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), weights, m, v)
        return weights, m, v, t

    def train(forward, weights, x, y, loss=cross_entropy):
        state = [begin(weights)]

        def whole(state, x, y):
            value, slope = jax.value_and_grad(lambda weights: loss(forward(weights, x), y))(state[0])
            return adam(state, slope), value

        whole = jax.jit(whole, donate_argnums=0)

        def step():
            state[0], value = whole(state[0], x, y)
            return float(value)

        return step

    def waits(f, *arguments):
        f = jax.jit(f)
        return lambda: jax.block_until_ready(f(*arguments))

    def linear(inputs, outputs):
        return {"w": randn(inputs, outputs) / math.sqrt(inputs), "b": jnp.zeros(outputs)}

    def apply(layer, x):
        return x @ layer["w"] + layer["b"]

    def dense(*sizes):
        return [linear(*pair) for pair in zip(sizes, sizes[1:])]

    def through(layers, x, activation=jax.nn.relu):
        for layer in layers[:-1]:
            x = activation(apply(layer, x))
        return apply(layers[-1], x)

    def norm(x, scale, shift):
        centred = x - x.mean(-1, keepdims=True)
        return centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5) * scale + shift

    def cnn():
        def conv(layer, x):
            y = lax.conv_general_dilated(x, layer["w"], (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
            return jax.nn.relu(y + layer["b"][None, :, None, None])

        def forward(layers, x):
            x = conv(layers["second"], conv(layers["first"], x))
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            return through(layers["dense"], x.reshape(x.shape[0], -1))

        layers = {
            "first": {"w": randn(32, 1, 3, 3) / 3, "b": jnp.zeros(32)},
            "second": {"w": randn(64, 32, 3, 3) / 17, "b": jnp.zeros(64)},
            "dense": dense(9216, 128, 10),
        }
        return train(forward, layers, randn(64, 1, 28, 28), randint(10, 64))

    def gpt():
        mask = jnp.tril(jnp.ones((T, T), bool))

        def plain():
            return jnp.ones(WIDTH), jnp.zeros(WIDTH)

        def block():
            parts = {"qkv": linear(WIDTH, 3 * WIDTH), "out": linear(WIDTH, WIDTH)}
            parts |= {"up": linear(WIDTH, 4 * WIDTH), "down": linear(4 * WIDTH, WIDTH)}
            return parts | {"before": plain(), "between": plain()}

        def forward(weights, text):
            x = weights["letters"][text] + weights["places"]
            for parts in weights["blocks"]:
                qkv = apply(parts["qkv"], norm(x, *parts["before"]))
                q, k, v = jnp.moveaxis(qkv.reshape(BATCH, T, 3, HEADS, WIDTH // HEADS), (2, 3), (0, 2))
                scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(WIDTH // HEADS)
                seen = jax.nn.softmax(jnp.where(mask, scores, -1e30))
                seen = jnp.moveaxis(jnp.einsum("bhqk,bhkd->bhqd", seen, v), 1, 2).reshape(BATCH, T, WIDTH)
                x = x + apply(parts["out"], seen)
                x = x + apply(parts["down"], jax.nn.gelu(apply(parts["up"], norm(x, *parts["between"]))))
            return apply(weights["head"], norm(x, *weights["norm"])).reshape(BATCH * T, V)

        weights = {"letters": randn(V, WIDTH) * 0.02, "places": randn(T, WIDTH) * 0.02, "norm": plain()}
        weights |= {"blocks": [block() for _ in range(BLOCKS)], "head": linear(WIDTH, V)}
        return train(forward, weights, randint(V, BATCH, T), randint(V, BATCH * T))

    def lstm():
        def forward(weights, x):
            def cell(state, x):
                h, c = state
                i, f, g, o = jnp.split(x + h @ weights["h"], 4, -1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                return (h, c), h

            begin = (jnp.zeros((32, 64)), jnp.zeros((32, 64)))
            return lax.scan(cell, begin, jnp.moveaxis(apply(weights, x), 1, 0))[1]

        weights = linear(64, 256) | {"h": randn(64, 256) / 8}
        return train(forward, weights, randn(32, 64, 64), None, lambda y, _: jnp.square(y).mean())

    def elementwise():
        f = jax.grad(lambda x, a, b, c: (jax.nn.gelu(x * a + b) * c).sum(), (0, 1, 2, 3))
        return waits(f, *(randn(1 << 22) for _ in range(4)))

    def layernorm_softmax():
        f = jax.grad(lambda x, scale, shift: jnp.square(jax.nn.softmax(norm(x, scale, shift))).sum(), (0, 1, 2))
        return waits(f, randn(2048, 1024), jnp.ones(1024), jnp.zeros(1024))

    def attention():
        def loss(q, k, v):
            weights = jax.nn.softmax(jnp.einsum("bhqd,bhkd->bhqk", q, k) / 8)
            return jnp.square(jnp.einsum("bhqk,bhkd->bhqd", weights, v)).sum()

        return waits(jax.grad(loss, (0, 1, 2)), *(randn(2, 8, 1024, 64) for _ in range(3)))

    def adam10m():
        state, slope, update = [begin(randn(10_000_000))], randn(10_000_000), jax.jit(adam, donate_argnums=0)

        def step():
            state[0] = jax.block_until_ready(update(state[0], slope))

        return step

    def hvp():
        weights, x, y = dense(784, 128, 10), randn(64, 784), randint(10, 64)
        slope = jax.grad(lambda weights: cross_entropy(through(weights, x, jnp.tanh), y))
        along = tree(lambda weight: randn(*weight.shape), weights)
        return waits(lambda weights, along: jax.jvp(slope, (weights,), (along,))[1], weights, along)

    return {
        "seed": lambda: train(through, dense(2, 8, 16, 2), jnp.asarray(HEIGHTS) / 100, jnp.asarray(SEXES)),
        "mlp_small": lambda: train(through, dense(64, 64, 64, 10), randn(32, 64), randint(10, 32)),
        "mlp_mnist": lambda: train(through, dense(784, 512, 256, 10), randn(128, 784), randint(10, 128)),
        "cnn": cnn,
        "gpt": gpt,
        "lstm": lstm,
        "elementwise": elementwise,
        "layernorm_softmax": layernorm_softmax,
        "attention": attention,
        "adam10m": adam10m,
        "hvp": hvp,
        "infer1": lambda: waits(through, dense(784, 512, 256, 10), randn(1, 784)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["torch", "compile", "jax"])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_intermixed_args()
    # Before the libraries start their threads.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads)}
    for name, build in (jax() if options.peer == "jax" else pytorch(options.peer == "compile")).items():
        if options.cases and name not in options.cases:
            continue
        step = build()
        for _ in range(5):
            step()
        times, end = [], time.perf_counter() + options.seconds
        while time.perf_counter() < end and len(times) < 20_000:
            start = time.perf_counter()
            step()
            times.append((time.perf_counter() - start) * 1e6)
        print(json.dumps({"case": name, "min_us": min(times), "median_us": statistics.median(times)}), flush=True)


if __name__ == "__main__":
    main()
