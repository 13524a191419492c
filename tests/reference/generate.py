"""Values and gradients of PyTorch and JAX, for tests/reference.rs.

    pip install torch jax numpy safetensors
    python tests/reference/generate.py

writes reference.json (the cases, in order) and reference.safetensors (their inputs, weights, values and gradients, in f64). Each case is
y = f(x), and the gradients are those of sum(w * y) by every float input. Where both libraries have the function, they must agree
before a number is written.
"""
import json, pathlib
import jax, jax.numpy as jnp, jax.scipy as jsp
import numpy as np, torch
import torch.nn.functional as F
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(1964)

# Inputs: normal, positive, within (-1, 1), above 1, integers below 4, bool.
def n(*s): return rng.standard_normal(s)
def p(*s): return rng.uniform(0.3, 3.0, s)
def u(*s): return rng.uniform(-0.9, 0.9, s)
def g(*s): return rng.uniform(1.1, 3.0, s)
def i(*s): return rng.integers(0, 4, s)
def b(*s): return rng.integers(0, 2, s).astype(bool)

CASES = []
def case(name, inputs, torch_f, jax_f=None): CASES.append((name, inputs, torch_f, jax_f))

A, V = (3, 4), (5,)
T = torch
# functions of one number
for name, make, tf, jf in [
    ("neg", n, lambda x: -x, lambda x: -x), ("abs", n, T.abs, jnp.abs), ("sign", n, T.sign, jnp.sign),
    ("recip", p, T.reciprocal, lambda x: 1 / x), ("square", n, T.square, jnp.square), ("sqrt", p, T.sqrt, jnp.sqrt),
    ("rsqrt", p, T.rsqrt, jax.lax.rsqrt), ("cbrt", p, lambda x: x ** (1 / 3), jnp.cbrt), ("exp", n, T.exp, jnp.exp),
    ("exp2", n, T.exp2, jnp.exp2), ("expm1", n, T.expm1, jnp.expm1), ("log", p, T.log, jnp.log), ("log2", p, T.log2, jnp.log2),
    ("log10", p, T.log10, jnp.log10), ("log1p", p, T.log1p, jnp.log1p), ("sin", n, T.sin, jnp.sin), ("cos", n, T.cos, jnp.cos),
    ("tan", n, T.tan, jnp.tan), ("asin", u, T.asin, jnp.arcsin), ("acos", u, T.acos, jnp.arccos), ("atan", n, T.atan, jnp.arctan),
    ("sinh", n, T.sinh, jnp.sinh), ("cosh", n, T.cosh, jnp.cosh), ("tanh", n, T.tanh, jnp.tanh), ("asinh", n, T.asinh, jnp.arcsinh),
    ("acosh", g, T.acosh, jnp.arccosh), ("atanh", u, T.atanh, jnp.arctanh), ("sigmoid", n, T.sigmoid, jax.nn.sigmoid),
    ("erf", n, T.erf, jsp.special.erf), ("erfc", n, T.erfc, jsp.special.erfc), ("erfinv", u, T.erfinv, jsp.special.erfinv),
    ("lgamma", p, T.lgamma, jsp.special.gammaln), ("digamma", p, T.digamma, jsp.special.digamma), ("floor", n, T.floor, jnp.floor),
    ("ceil", n, T.ceil, jnp.ceil), ("round", n, T.round, jnp.round), ("trunc", n, T.trunc, jnp.trunc), ("relu", n, T.relu, jax.nn.relu),
    ("softplus", n, F.softplus, jax.nn.softplus), ("softsign", n, F.softsign, jax.nn.soft_sign), ("silu", n, F.silu, jax.nn.silu),
    ("mish", n, F.mish, jax.nn.mish), ("selu", n, F.selu, jax.nn.selu), ("elu", n, F.elu, jax.nn.elu),
    ("gelu", n, lambda x: F.gelu(x, approximate="tanh"), jax.nn.gelu),
    ("gelu_exact", n, F.gelu, lambda x: jax.nn.gelu(x, approximate=False)), ("relu6", n, F.relu6, jax.nn.relu6),
    ("leaky_relu", n, F.leaky_relu, jax.nn.leaky_relu), ("hardtanh", n, F.hardtanh, jax.nn.hard_tanh),
    ("log_sigmoid", n, F.logsigmoid, jax.nn.log_sigmoid), ("powi", n, lambda x: x ** 3, lambda x: x ** 3),
    ("clamp", n, lambda x: x.clamp(-0.5, 0.7), lambda x: jnp.clip(x, -0.5, 0.7)),
]: case(name, [make(*A)], tf, jf)
case("polygamma", [p(*A)], lambda x: T.special.polygamma(2, x), lambda x: jsp.special.polygamma(2, x))
# of two
for name, make, tf, jf in [
    ("add", (n, n), T.add, jnp.add), ("sub", (n, n), T.sub, jnp.subtract), ("mul", (n, n), T.mul, jnp.multiply),
    ("div", (n, p), T.div, jnp.divide), ("pow", (p, n), T.pow, jnp.power), ("maximum", (n, n), T.maximum, jnp.maximum),
    ("minimum", (n, n), T.minimum, jnp.minimum), ("atan2", (n, n), T.atan2, jnp.arctan2), ("hypot", (n, n), T.hypot, jnp.hypot),
    ("copysign", (n, n), T.copysign, jnp.copysign), ("rem", (n, p), T.remainder, jnp.remainder), ("fmod", (n, p), T.fmod, jnp.fmod),
    ("logaddexp", (n, n), T.logaddexp, jnp.logaddexp),
]:
    case(name, [make[0](*A), make[1](*A)], tf, jf)
    case(name + " broadcast", [make[0](3, 1), make[1](4)], tf, jf)
case("select", [b(*A), n(*A), n(4)], T.where, jnp.where)
case("masked_fill", [n(*A), b(*A)], lambda x, m: x.masked_fill(m, 2.5))
# reductions
for name, tf, jf in [
    ("sum", lambda x, d: x.sum(d), jnp.sum), ("mean", lambda x, d: x.mean(d), jnp.mean), ("max", lambda x, d: x.amax(d), jnp.max),
    ("min", lambda x, d: x.amin(d), jnp.min), ("var", lambda x, d: x.var(d, correction=0), jnp.var),
    ("std", lambda x, d: x.std(d, correction=0), jnp.std), ("logsumexp", lambda x, d: T.logsumexp(x, d), jsp.special.logsumexp),
    ("norm", lambda x, d: T.linalg.vector_norm(x, 2, d), lambda x, d: jnp.linalg.norm(x, axis=d)),
    ("norm_3", lambda x, d: T.linalg.vector_norm(x, 3, d), lambda x, d: jnp.linalg.norm(x, 3, axis=d)),
]:
    for d in (0, 1, -1): case(f"{name} {d}", [n(3, 4, 2)], lambda x, tf=tf, d=d: tf(x, d), lambda x, jf=jf, d=d: jf(x, d))
case("prod 1", [n(3, 4, 2)], lambda x: x.prod(1), lambda x: jnp.prod(x, 1))
z = n(3, 4, 2); z[0, 1, 0] = 0; z[1, 1, 1] = z[1, 2, 1] = 0
case("prod 1 with zeros", [z], lambda x: x.prod(1))
case("sum of all", [n(3, 4, 2)], T.sum, jnp.sum); case("mean of all", [n(3, 4, 2)], T.mean, jnp.mean)
case("var corrected", [n(3, 4)], lambda x: x.var(1), lambda x: jnp.var(x, 1, ddof=1))
case("argmax", [n(3, 4)], lambda x: x.argmax(1), lambda x: jnp.argmax(x, 1)); case("argmin", [n(3, 4)], lambda x: x.argmin(0), lambda x: jnp.argmin(x, 0))
case("any", [b(3, 4)], lambda x: x.any(1), lambda x: jnp.any(x, 1)); case("all", [b(3, 4)], lambda x: x.all(1), lambda x: jnp.all(x, 1))
case("median", [n(3, 5)], lambda x: x.median(1).values, lambda x: jnp.median(x, 1))
case("quantile", [n(3, 5)], lambda x: T.quantile(x, 0.3, 1), lambda x: jnp.quantile(x, 0.3, 1))
# running
for name, tf, jf in [
    ("cumsum", T.cumsum, jnp.cumsum), ("cumprod", T.cumprod, jnp.cumprod), ("cummax", lambda x, d: T.cummax(x, d).values, jax.lax.cummax),
    ("cummin", lambda x, d: T.cummin(x, d).values, jax.lax.cummin), ("logcumsumexp", T.logcumsumexp, jax.lax.cumlogsumexp),
]:
    for d in (0, 1): case(f"{name} {d}", [n(3, 4)], lambda x, tf=tf, d=d: tf(x, d), lambda x, jf=jf, d=d: jf(x, d))
# order
case("sort", [n(3, 5)], lambda x: x.sort(1).values, lambda x: jnp.sort(x, 1))
case("sort_descending", [n(3, 5)], lambda x: x.sort(0, descending=True).values, lambda x: -jnp.sort(-x, 0))
case("argsort", [n(3, 5)], lambda x: x.argsort(1), lambda x: jnp.argsort(x, 1))
case("top_k", [n(3, 5)], lambda x: x.topk(2, 1).values, lambda x: jax.lax.top_k(x, 2)[0])
case("searchsorted", [np.sort(n(5)), n(3, 4)], T.searchsorted, jnp.searchsorted)
# softmax and losses
for name, tf, jf in [("softmax", F.softmax, jax.nn.softmax), ("log_softmax", F.log_softmax, jax.nn.log_softmax)]:
    for d in (0, -1): case(f"{name} {d}", [n(3, 4)], lambda x, tf=tf, d=d: tf(x, d), lambda x, jf=jf, d=d: jf(x, d))
case("cross_entropy", [n(3, 4), i(3)], F.cross_entropy)
# moves
case("reshape", [n(3, 4)], lambda x: x.reshape(2, 6), lambda x: x.reshape(2, 6)); case("permute", [n(2, 3, 4)], lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1))
case("flip", [n(3, 4)], lambda x: x.flip(1), lambda x: jnp.flip(x, 1)); case("slice", [n(5, 4)], lambda x: x[1:4], lambda x: x[1:4])
case("slice_step", [n(5, 4)], lambda x: x[0:5:2], lambda x: x[0:5:2]); case("pad", [n(3, 4)], lambda x: F.pad(x, (1, 2), value=0.5), lambda x: jnp.pad(x, ((0, 0), (1, 2)), constant_values=0.5))
case("concat", [n(3, 4), n(2, 4)], lambda x, y: T.cat([x, y]), lambda x, y: jnp.concatenate([x, y])); case("stack", [n(3, 4), n(3, 4)], lambda x, y: T.stack([x, y], 1), lambda x, y: jnp.stack([x, y], 1))
case("broadcast_to", [n(3, 1)], lambda x: x.expand(2, 3, 4), lambda x: jnp.broadcast_to(x, (2, 3, 4))); case("roll", [n(3, 4)], lambda x: x.roll(2, 1), lambda x: jnp.roll(x, 2, 1))
case("repeat", [n(3, 4)], lambda x: x.repeat_interleave(2, 1), lambda x: jnp.repeat(x, 2, 1)); case("tile", [n(3, 4)], lambda x: x.tile(2, 3), lambda x: jnp.tile(x, (2, 3)))
case("tril", [n(4, 4)], T.tril, jnp.tril); case("triu", [n(3, 4)], lambda x: x.triu(1), lambda x: jnp.triu(x, 1)); case("diag", [n(4)], T.diag, jnp.diag)
case("diagonal", [n(3, 4)], T.diagonal, jnp.diagonal); case("trace", [n(4, 4)], T.trace, jnp.trace)
case("gather", [n(4, 3), i(5)], lambda x, k: x[k], lambda x, k: x[k]); case("take_along", [n(4, 3), i(2, 3)], lambda x, k: x.gather(0, k), lambda x, k: jnp.take_along_axis(x, k, 0))
case("index_add", [n(4, 3), i(5), n(5, 3)], lambda x, k, y: x.index_add(0, k, y), lambda x, k, y: x.at[k].add(y)); case("one_hot", [i(5)], lambda k: F.one_hot(k, 4), lambda k: jax.nn.one_hot(k, 4))
# products
case("matmul", [n(3, 4), n(4, 2)], T.matmul, jnp.matmul); case("matmul batched", [n(5, 3, 4), n(5, 4, 2)], T.matmul, jnp.matmul)
case("matmul broadcast", [n(5, 1, 3, 4), n(2, 4, 2)], T.matmul, jnp.matmul); case("matmul transposed", [n(3, 4), n(2, 4)], lambda x, y: x @ y.T, lambda x, y: x @ y.T)
case("dot", [n(5), n(5)], T.dot, jnp.dot); case("outer", [n(3), n(4)], T.outer, jnp.outer); case("kron", [n(2, 3), n(3, 2)], T.kron, jnp.kron)
case("tensordot", [n(3, 4, 2), n(4, 2, 5)], lambda x, y: T.tensordot(x, y, 2), lambda x, y: jnp.tensordot(x, y, 2))
for e, s in [("ij,jk->ik", [(3, 4), (4, 2)]), ("bij,bjk,bk->bi", [(2, 3, 4), (2, 4, 3), (2, 3)]), ("ii->i", [(4, 4)]), ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("ijk->", [(2, 3, 4)])]:
    case(f"einsum {e}", [n(*x) for x in s], lambda *x, e=e: T.einsum(e, *x), lambda *x, e=e: jnp.einsum(e, *x))
case("linear_scan", [n(5), u(5)], lambda x, d: T.stack([sum((x[j] * T.prod(d[j + 1:k + 1]) for j in range(k + 1)), T.zeros(())) for k in range(5)]))
# compositions that users write
case("layer norm", [n(3, 6), p(6), n(6)], lambda x, w, c: F.layer_norm(x, (6,), w, c)); case("attention", [n(2, 3, 4), n(2, 5, 4), n(2, 5, 4)], F.scaled_dot_product_attention)
case("mse", [n(3, 4), n(3, 4)], F.mse_loss); case("bce with logits", [n(5), u(5) ** 2], F.binary_cross_entropy_with_logits); case("cosine", [n(5), n(5)], lambda x, y: F.cosine_similarity(x, y, 0))

index, data = [], {}
for number, (name, inputs, tf, jf) in enumerate(CASES):
    key = f"{number:03}"
    xs = [T.tensor(x).requires_grad_(x.dtype == np.float64) for x in inputs]
    y = tf(*xs)
    entry = dict(name=name, inputs=[str(x.dtype) for x in inputs], gradients=[])
    for k, x in enumerate(inputs): data[f"{key}.x{k}"] = np.ascontiguousarray(x.astype(np.int64) if x.dtype == bool else x)
    data[f"{key}.y"] = np.ascontiguousarray(y.detach().numpy().astype(np.float64))
    floats = [k for k, x in enumerate(xs) if x.requires_grad]
    if y.dtype.is_floating_point and floats and y.requires_grad:
        w = rng.standard_normal(tuple(y.shape))
        data[f"{key}.w"] = np.asarray(w)
        grads = T.autograd.grad((y * T.tensor(w)).sum(), [xs[k] for k in floats], allow_unused=True)
        for k, gr in zip(floats, grads):
            gr = np.zeros_like(inputs[k]) if gr is None else gr.numpy()
            data[f"{key}.g{k}"] = np.ascontiguousarray(gr); entry["gradients"].append(k)
    if jf is not None:
        args = [jnp.asarray(x) for x in inputs]
        yj = np.asarray(jf(*args)).astype(np.float64)
        assert np.allclose(yj, data[f"{key}.y"], rtol=1e-11, atol=1e-12), (name, yj, data[f"{key}.y"])
        if entry["gradients"]:
            gj = jax.grad(lambda *a: (jf(*a) * w).sum(), argnums=tuple(floats))(*args)
            # PyTorch's trigamma, the slope of digamma, has ten digits.
            if name == "digamma": data[f"{key}.g0"] = np.ascontiguousarray(gj[0])
            for k, gr in zip(floats, gj): assert np.allclose(gr, data[f"{key}.g{k}"], rtol=1e-9, atol=1e-10), (name, gr, data[f"{key}.g{k}"])
        entry["jax"] = True
    index.append(entry)

here = pathlib.Path(__file__).parent
save_file(data, here / "reference.safetensors")
text = ",\n".join(json.dumps(entry) for entry in index)
(here / "reference.json").write_text(json.dumps(dict(torch=T.__version__, jax=jax.__version__))[:-1] + ', "cases": [\n' + text + "\n]}\n")
print(len(index), "cases,", sum("jax" in e for e in index), "of them by both")
