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
# more of the above: other parameters, whole values, special numbers. By JAX alone: PyTorch's trigamma has ten digits, its median is the
# lower one of two, which of equal elements its argmax names is not said, and its slope of a gamma draw has four digits.
SG = jax.lax.stop_gradient
for name, inputs, tf, jf in [
    ("elu 0.7", [n(*A)], lambda x: F.elu(x, 0.7), lambda x: jax.nn.elu(x, 0.7)), ("leaky_relu by a vector", [n(*A), u(4)], F.prelu, lambda x, a: jnp.where(x > 0, x, a * x)),
    ("clamp by values", [n(*A), n(*A) - 1, n(*A) + 1], T.clamp, jnp.clip), ("powi -2", [p(*A)], lambda x: x ** -2, lambda x: x ** -2),
    ("mul_masked", [n(*A), n(*A)], T.mul, jnp.multiply), ("polygamma 1", [p(*A)], None, lambda x: jsp.special.polygamma(1, x)),
    ("polygamma 5", [p(*A)], lambda x: T.special.polygamma(5, x), lambda x: jsp.special.polygamma(5, x)),
    ("lgamma below 0", [-u(*A) ** 2 - 0.05], T.lgamma, jsp.special.gammaln), ("prod of all", [n(2, 3)], T.prod, jnp.prod), ("max of all", [n(2, 3)], T.max, jnp.max),
    ("min of all", [n(2, 3)], T.min, jnp.min),
    ("var of all", [n(2, 3)], lambda x: x.var(correction=0), jnp.var), ("std of all", [n(2, 3)], lambda x: x.std(correction=0), jnp.std),
    ("std corrected", [n(3, 4)], lambda x: x.std(1), lambda x: jnp.std(x, 1, ddof=1)),
    ("norm of all", [n(2, 3)], T.linalg.vector_norm, jnp.linalg.norm), ("sum of two", [n(2, 3, 4)], lambda x: x.sum((0, 2)), lambda x: x.sum((0, 2))),
    ("max of two", [n(2, 3, 4)], lambda x: x.amax((0, 2)), lambda x: x.max((0, 2))),
    ("prod of two", [n(2, 3, 2)], lambda x: x.prod(2).prod(0), lambda x: x.prod((0, 2))),
    ("logsumexp of all", [n(3, 4)], lambda x: T.logsumexp(x.flatten(), 0), jsp.special.logsumexp),
    ("sum kept", [n(3, 4)], lambda x: x - x.sum(1, True), lambda x: x - x.sum(1, keepdims=True)),
    ("max kept", [n(3, 4)], lambda x: x - x.amax(0, True), lambda x: x - x.max(0, keepdims=True)),
    ("var kept", [n(3, 4)], lambda x: x / x.var(1, correction=0, keepdim=True), lambda x: x / x.var(1, keepdims=True)),
    ("norm kept", [n(3, 4)], F.normalize, lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True)),
    ("median of six", [n(3, 6)], None, lambda x: jnp.median(x, 1)), ("quantile 0.85", [n(5, 3)], lambda x: T.quantile(x, 0.85, 0), lambda x: jnp.quantile(x, 0.85, 0)),
    ("top_k places", [n(3, 5)], lambda x: x.topk(3, 1).indices, lambda x: jax.lax.top_k(x, 3)[1]),
    ("argsort_descending", [n(3, 5)], lambda x: x.argsort(0, descending=True), lambda x: jnp.argsort(-x, 0)),
    ("argsort of ties", [i(3, 6)], lambda x: x.argsort(dim=1, stable=True), lambda x: jnp.argsort(x, 1, stable=True)),
    ("argmax of ties", [i(3, 6)], None, lambda x: jnp.argmax(x, 1)), ("argmin of ties", [i(3, 6)], None, lambda x: jnp.argmin(x, 1)),
    ("argcummax", [n(3, 5)], lambda x: T.cummax(x, 1).indices, None), ("argcummin", [n(3, 5)], lambda x: T.cummin(x, 0).indices, None),
    ("searchsorted in a list with ties", [np.sort(i(6)), i(3, 4)], T.searchsorted, jnp.searchsorted),
    ("searchsorted_right", [np.sort(i(6)), i(3, 4)], lambda x, v: T.searchsorted(x, v, right=True), lambda x, v: jnp.searchsorted(x, v, side="right")),
    ("cumprod with zeros", [np.array([1.5, 0, -2, 0.5, 0, 3])], lambda x: T.cumprod(x, 0), None), ("cumsum i64", [i(3, 4)], lambda x: T.cumsum(x, 1), lambda x: jnp.cumsum(x, 1)),
    ("linear_scan of rows", [n(2, 4), u(2, 4)], None, lambda x, d: jax.lax.associative_scan(lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (d, x), axis=1)[1]),
    ("gamma_slope", [np.array([0.3, 0.9, 2.5, 7., 30.]), np.array([0.2, 1.4, 1.1, 9., 24.])], None, lambda a, z: jax.lax.random_gamma_grad(SG(a), SG(z))),
    ("stop_gradient", [n(*A)], lambda x: x * x.detach().sin(), lambda x: x * jnp.sin(SG(x))),
    ("cross_entropy of rows", [n(2, 3, 4), i(2, 3)], lambda x, k: F.cross_entropy(x.transpose(1, 2), k), None),
    ("custom_vjp straight through", [2 * n(*A)], lambda x: x.clamp(-1, 1) + (x.sign() - x.clamp(-1, 1)).detach(), None),
    ("custom_jvp softplus", [n(*A)], F.softplus, jax.nn.softplus),
]: case(name, inputs, tf, jf)
# of NumPy and of special mathematics; D stops a gradient that a library does not have
S, D = T.special, lambda x: x.detach()
for name, inputs, tf, jf in [
    ("bessel_i0e", [n(*A)], S.i0e, jsp.special.i0e), ("bessel_i1e", [n(*A)], S.i1e, jsp.special.i1e),
    ("bessel_i0", [n(*A)], S.i0, jsp.special.i0), ("bessel_i1", [n(*A)], S.i1, jsp.special.i1),
    ("zeta", [p(*A)], lambda q: S.zeta(T.tensor(2.5), q), lambda q: jsp.special.zeta(2.5, q)),
    ("igamma", [p(*A), p(*A)], None, jax.lax.igamma), ("igammac", [p(*A), p(*A)], None, jax.lax.igammac),
    ("igamma by x", [p(*A)], lambda x: S.gammainc(T.tensor(1.7), x), lambda x: jax.lax.igamma(1.7, x)),
    ("betainc", [rng.uniform(0.1, 0.9, A)], None, lambda x: jsp.special.betainc(2.5, 0.7, x)),
    ("sinc", [n(*A)], T.sinc, jnp.sinc), ("sinc at 0", [np.array([0., 0.01, -0.03])], T.sinc, jnp.sinc),
    ("deg2rad", [n(*A)], T.deg2rad, jnp.deg2rad), ("rad2deg", [n(*A)], T.rad2deg, jnp.rad2deg),
    ("heaviside", [np.array([-1., 0., 2., 0.])], lambda x: T.heaviside(D(x), T.tensor(0.3)), lambda x: jnp.heaviside(x, 0.3)),
    ("fmax", [n(*A), n(4)], T.fmax, jnp.fmax), ("fmin", [n(*A), n(4)], T.fmin, jnp.fmin),
    ("nan_to_num", [np.array([1., np.nan, -2.])], T.nan_to_num, jnp.nan_to_num),
    ("logaddexp2", [n(*A), n(4)], T.logaddexp2, jnp.logaddexp2), ("xlogy", [n(*A), p(4)], S.xlogy, jsp.special.xlogy),
    ("xlog1py", [n(*A), p(4)], S.xlog1py, jsp.special.xlog1py), ("logit", [rng.uniform(0.1, 0.9, A)], T.logit, jsp.special.logit),
    ("floor_divide", [5 * n(*A), p(*A)], lambda x, y: T.floor_divide(D(x), D(y)), jnp.floor_divide),
    ("floor_divide i64", [i(*A) - 2, i(*A) + 1], T.floor_divide, jnp.floor_divide), ("signbit", [n(*A)], T.signbit, jnp.signbit),
    ("frac", [3 * n(*A)], T.frac, None), ("frexp", [9 * n(*A)], lambda x: T.frexp(x).mantissa, lambda x: x * 2.0 ** -jnp.frexp(SG(x))[1]),
    ("exponent", [9 * n(*A)], lambda x: T.frexp(D(x)).exponent, lambda x: jnp.frexp(x)[1]),
    ("ldexp", [n(*A), i(*A)], T.ldexp, jnp.ldexp), ("nextafter", [n(*A), n(*A)], lambda x, y: T.nextafter(D(x), D(y)), None),
    ("gcd", [12 * i(*A), 6 * i(*A)], T.gcd, jnp.gcd), ("lcm", [12 * i(*A), 9 * i(*A)], T.lcm, jnp.lcm),
    ("population_count", [i(*A) - 2], None, jax.lax.population_count), ("count_leading_zeros", [i(*A) - 1], None, jax.lax.clz),
    ("shift_right_logical", [i(*A) - 2, i(*A)], None, jax.lax.shift_right_logical),
]: case(name, inputs, tf, jf)
# casts: there and back
for name, t, j in [("f32", T.float32, jnp.float32), ("bf16", T.bfloat16, jnp.bfloat16), ("f16", T.float16, jnp.float16)]:
    case(f"cast {name}", [n(*A)], lambda x, t=t: x.to(t).double(), lambda x, j=j: x.astype(j).astype(jnp.float64))
for name, t, j in [("i64", T.int64, jnp.int64), ("i32", T.int32, jnp.int32), ("bool", T.bool, jnp.bool_)]: case(f"cast {name}", [3 * n(*A)], lambda x, t=t: x.to(t), lambda x, j=j: x.astype(j))
case("cast u8 of i64", [100 * i(*A)], lambda x: x.to(T.uint8), lambda x: x.astype(jnp.uint8))
case("cast f64 of i64", [i(*A)], lambda x: x.double(), lambda x: x.astype(jnp.float64))
case("cast f64 of bool", [b(*A)], lambda x: x.double(), lambda x: x.astype(jnp.float64))
# truth
odd = np.array([1.5, np.nan, np.inf, -np.inf, 0.0, -0.0])
for name, tf, jf in [("is_nan", T.isnan, jnp.isnan), ("is_inf", T.isinf, jnp.isinf), ("is_finite", T.isfinite, jnp.isfinite)]: case(name, [odd], tf, jf)
for name in "eq ne lt le gt ge".split():
    for kind, x, y in [("", n(*A), n(4)), (" i64", i(*A), i(*A)), (" odd", odd[:, None], odd)]:
        case(name + kind, [x, y], getattr(T, name), lambda x, y, name=name: getattr(x, f"__{name}__")(y))
case("is_close", [odd[:, None], odd + np.array([1e-6, 0, 0, 0, 1e-9, 1e-3])], lambda x, y: T.isclose(x, y, 1e-5, 1e-8), lambda x, y: jnp.isclose(x, y, 1e-5, 1e-8))
for name, tf, jf in [("and", T.bitwise_and, jnp.bitwise_and), ("or", T.bitwise_or, jnp.bitwise_or), ("xor", T.bitwise_xor, jnp.bitwise_xor)]:
    case(name, [b(*A), b(4)], tf, jf); case(name + " i64", [rng.integers(-999, 999, A), rng.integers(-999, 999, A)], tf, jf)
case("logical_not", [b(*A)], T.logical_not, jnp.logical_not); case("bitwise_not", [rng.integers(-999, 999, A)], T.bitwise_not, jnp.bitwise_not)
case("shift_left", [rng.integers(-999, 999, A), rng.integers(0, 20, A)], T.bitwise_left_shift, jnp.left_shift)
case("shift_right", [rng.integers(-999, 999, A), rng.integers(0, 12, A)], T.bitwise_right_shift, jnp.right_shift)
for name, tf, jf in [
    ("add", T.add, jnp.add), ("mul", T.mul, jnp.multiply), ("div", lambda x, y: T.div(x, y, rounding_mode="trunc"), jax.lax.div), ("rem", T.remainder, jnp.remainder),
    ("fmod", T.fmod, jnp.fmod), ("maximum", T.maximum, jnp.maximum), ("minimum", T.minimum, jnp.minimum),
]: case(name + " i64", [rng.integers(-99, 99, A), rng.integers(1, 9, A) * rng.choice([-1, 1], A)], tf, jf)
case("matmul i64", [i(3, 4), i(4, 2)], T.matmul, jnp.matmul); case("matmul by a vector", [n(2, 3, 4), n(4)], T.matmul, jnp.matmul)
case("matmul of a vector", [n(3), n(3, 4)], T.matmul, jnp.matmul)
case("tensordot of pairs", [n(3, 4, 2), n(2, 3, 5)], lambda x, y: T.tensordot(x, y, ([0, 2], [1, 0])), lambda x, y: jnp.tensordot(x, y, ([0, 2], [1, 0])))
# norms with other powers, over one axis and over two
for q in (0.5, 1, 1.5, 4, np.inf, -np.inf):
    case(f"norm_p {q}", [n(3, 4)], lambda x, q=q: T.linalg.vector_norm(x, q, 1), lambda x, q=q: jnp.linalg.norm(x, q, axis=1))
    case(f"norm_p {q} of two", [n(3, 2, 2)], lambda x, q=q: T.linalg.vector_norm(x, q, (0, 2)))
case("norm_p 0", [n(3, 4) * b(3, 4)], lambda x: T.linalg.vector_norm(x, 0, 1), lambda x: jnp.linalg.norm(x, 0, axis=1))
# without operands
for name, tf, jf in [
    ("linspace", lambda: T.linspace(-1, 2, 7), lambda: jnp.linspace(-1, 2, 7)), ("eye", lambda: T.eye(3), lambda: jnp.eye(3)),
    ("iota", lambda: T.arange(4).expand(3, 4), lambda: jax.lax.broadcasted_iota(jnp.int64, (3, 4), 1)),
    ("constant", lambda: T.full((2, 3), 1.5), lambda: jnp.full((2, 3), 1.5)), ("full", lambda: T.full((2, 3), 2.5), lambda: jnp.full((2, 3), 2.5)),
    ("fftfreq even", lambda: T.fft.fftfreq(6, 0.5), lambda: jnp.fft.fftfreq(6, 0.5)), ("fftfreq odd", lambda: T.fft.fftfreq(7), lambda: jnp.fft.fftfreq(7)),
    ("rfftfreq even", lambda: T.fft.rfftfreq(6, 0.5), lambda: jnp.fft.rfftfreq(6, 0.5)), ("rfftfreq odd", lambda: T.fft.rfftfreq(7), lambda: jnp.fft.rfftfreq(7)),
]: case(name, [], tf, jf)
# more moves
for name, inputs, tf, jf in [
    ("meshgrid", [n(3), n(2), n(4)], lambda *x: T.stack(T.meshgrid(*x, indexing="ij")), lambda *x: jnp.stack(jnp.meshgrid(*x, indexing="ij"))),
    ("transpose", [n(2, 3, 4)], lambda x: x.transpose(0, 2), lambda x: x.swapaxes(0, 2)),
    ("diag_embed", [n(2, 3)], T.diag_embed, None), ("diag_embed above", [n(2, 3)], lambda x: T.diag_embed(x, 1), None),
    ("diag below", [n(3)], lambda x: T.diag(x, -2), lambda x: jnp.diag(x, -2)), ("diag of a matrix", [n(3, 4)], lambda x: T.diag(x, 1), lambda x: jnp.diag(x, 1)),
    ("diagonal of matrices", [n(2, 3, 4)], lambda x: x.diagonal(-1, 1, 2), lambda x: jnp.diagonal(x, -1, 1, 2)),
    ("tril of matrices", [n(2, 3, 4)], lambda x: x.tril(-1), lambda x: jnp.tril(x, -1)),
    ("trace of matrices", [n(2, 3, 4)], lambda x: x.diagonal(0, 1, 2).sum(1), lambda x: jnp.trace(x, 0, 1, 2)),
    ("at", [n(3, 4)], lambda x: x[:, 2], lambda x: x[:, 2]), ("unsqueeze", [n(3, 4)], lambda x: x.unsqueeze(1), lambda x: x[:, None]),
    ("squeeze", [n(3, 1, 4)], lambda x: x.squeeze(1), lambda x: x.squeeze(1)),
    ("flatten", [n(3, 4)], T.flatten, jnp.ravel), ("flatten_from", [n(2, 3, 4)], lambda x: x.flatten(1), lambda x: x.reshape(2, 12)),
    ("concat of three", [n(3, 2), n(3, 1), n(3, 4)], lambda *x: T.cat(x, 1), lambda *x: jnp.concatenate(x, 1)),
    ("pad_with reflect", [n(2, 2, 5)], lambda x: F.pad(x, (3, 2), "reflect"), lambda x: jnp.pad(x, ((0, 0), (0, 0), (3, 2)), "reflect")),
    ("pad_with replicate", [n(2, 2, 5)], lambda x: F.pad(x, (3, 2), "replicate"), lambda x: jnp.pad(x, ((0, 0), (0, 0), (3, 2)), "edge")),
    ("pad_with circular", [n(2, 2, 5)], lambda x: F.pad(x, (3, 2), "circular"), lambda x: jnp.pad(x, ((0, 0), (0, 0), (3, 2)), "wrap")),
    ("pad_with reflect twice", [n(1, 2, 4, 3)], lambda x: F.pad(x, (2, 1, 1, 3), "reflect"), lambda x: jnp.pad(x, ((0, 0), (0, 0), (1, 3), (2, 1)), "reflect")),
    ("windows", [n(3, 7)], lambda x: x.unfold(1, 3, 2), None), ("windows of the first axis", [n(5, 2)], lambda x: x.unfold(0, 2, 1), None),
    ("fold_windows", [n(4, 3)], lambda x: F.fold(x.T[None], (1, 9), (1, 3), stride=(1, 2))[0, 0, 0], None),
    ("fold_windows dilated", [n(4, 3)], lambda x: F.fold(x.T[None], (1, 8), (1, 3), dilation=(1, 2))[0, 0, 0], None),
]: case(name, inputs, tf, jf)
# writing and reading at places that are named
rows, cols = np.array([[2, 0, 3], [0, 3, 1]]), np.arange(3)
for name, inputs, tf, jf in [
    ("gather of an axis", [n(2, 4, 2), i(3)], lambda x, k: x[:, k], lambda x, k: x[:, k]),
    ("take_along of rows", [n(3, 4), i(3, 2)], lambda x, k: x.gather(1, k), lambda x, k: jnp.take_along_axis(x, k, 1)),
    ("index_add of columns", [n(3, 4), i(5), n(3, 5)], lambda x, k, y: x.index_add(1, k, y), lambda x, k, y: x.at[:, k].add(y)),
    ("scatter", [n(4, 3), rows, n(2, 3)], lambda x, k, y: x.scatter(0, k, y), lambda x, k, y: x.at[k, cols].set(y)),
    ("scatter_add", [n(4, 3), i(5, 3), n(5, 3)], lambda x, k, y: x.scatter_add(0, k, y), lambda x, k, y: x.at[k, cols].add(y)),
    ("scatter_mul", [n(4, 3), i(5, 3), n(5, 3)], lambda x, k, y: x.scatter_reduce(0, k, y, "prod"), None),
    ("scatter_max", [n(4, 3), i(5, 3), n(5, 3)], lambda x, k, y: x.scatter_reduce(0, k, y, "amax"), None),
    ("scatter_min", [n(4, 3), i(5, 3), n(5, 3)], lambda x, k, y: x.scatter_reduce(0, k, y, "amin"), None),
    ("index_set", [n(5, 3), np.array([3, 0]), n(2, 3)], lambda x, k, y: x.index_copy(0, k, y), lambda x, k, y: x.at[k].set(y)),
    ("index_set of columns", [n(3, 5), np.array([3, 0]), n(3, 2)], lambda x, k, y: x.index_copy(1, k, y), lambda x, k, y: x.at[:, k].set(y)),
    ("dynamic_slice", [n(3, 5), np.array(2)], lambda x, k: x[:, 2:4], lambda x, k: jax.lax.dynamic_slice_in_dim(x, k, 2, 1)),
    ("dynamic_slice beyond", [n(3, 5), np.array(9)], lambda x, k: x[:, 3:], lambda x, k: jax.lax.dynamic_slice_in_dim(x, k, 2, 1)),
    ("dynamic_update", [n(5, 3), np.array(1), n(2, 3)], lambda x, k, y: x.slice_scatter(y, 0, 1, 3), lambda x, k, y: jax.lax.dynamic_update_slice_in_dim(x, y, k, 0)),
    ("take", [n(3, 4), rng.integers(0, 12, (2, 5))], T.take, jnp.take),
    ("masked_select", [n(3, 4), b(3, 4)], lambda x, m: F.pad(x[m], (0, int((~m).sum()))), None), ("masked_select count", [n(3, 4), b(3, 4)], lambda x, m: m.sum(), None),
    ("unique", [i(7)], lambda x: F.pad(T.unique(x)[None].double(), (0, 7 - len(T.unique(x))), "replicate")[0], lambda x: jnp.unique(x, size=7, fill_value=x.max())),
    ("unique counts", [i(7)], lambda x: F.pad(T.unique(x, return_counts=True)[1], (0, 7 - len(T.unique(x)))), lambda x: jnp.unique(x, size=7, fill_value=x.max(), return_counts=True)[1]),
    ("bincount", [i(9)], lambda x: T.bincount(x, minlength=5), lambda x: jnp.bincount(x, length=5)),
]: case(name, inputs, tf, jf)

# convolutions: PyTorch's weights of a transposed one are [inputs, outputs / groups, kernel…]
def each(x, k): return tuple(x) if isinstance(x, (list, tuple)) else (x,) * k
def jax_conv(x, w, stride=1, padding=0, dilation=1, groups=1):
    k = x.ndim - 2
    pad = padding.upper() if isinstance(padding, str) else [(q, q) for q in each(padding, k)]
    return jax.lax.conv_general_dilated(x, w, each(stride, k), pad, rhs_dilation=each(dilation, k), feature_group_count=groups)
def jax_conv_transpose(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    k = x.ndim - 2
    w = w.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2)
    w = jnp.flip(w.reshape(-1, *w.shape[2:]), tuple(range(2, 2 + k)))
    pad = [(d * (s - 1) - q, d * (s - 1) - q + o) for d, s, q, o in zip(each(dilation, k), w.shape[2:], each(padding, k), each(output_padding, k))]
    return jax.lax.conv_general_dilated(x, w, (1,) * k, pad, lhs_dilation=each(stride, k), rhs_dilation=each(dilation, k), feature_group_count=groups)
for name, x, w, how in [
    ("1d", (2, 3, 6), (4, 3, 3), {}), ("1d strided", (2, 2, 7), (3, 2, 3), dict(stride=2, padding=1)), ("1d dilated", (1, 2, 8), (3, 2, 3), dict(dilation=2, padding=2)),
    ("1d grouped", (2, 4, 6), (6, 2, 3), dict(groups=2, padding=1)), ("1d by channel", (2, 3, 5), (6, 1, 2), dict(groups=3)),
    ("1d same", (1, 2, 6), (3, 2, 4), dict(padding="same")), ("1d same dilated", (1, 2, 7), (2, 2, 2), dict(padding="same", dilation=3)),
    ("2d", (2, 2, 5, 4), (3, 2, 3, 2), {}), ("2d of 1", (2, 3, 3, 2), (4, 3, 1, 1), {}), ("2d strided", (1, 2, 6, 5), (3, 2, 3, 3), dict(stride=(2, 1), padding=(1, 0))),
    ("2d dilated", (1, 2, 6, 5), (2, 2, 2, 3), dict(dilation=(3, 2), padding=(0, 2))),
    ("2d grouped", (2, 4, 4, 4), (4, 2, 3, 3), dict(groups=2, padding=1)), ("2d all", (2, 4, 7, 6), (6, 2, 3, 2), dict(stride=(2, 3), padding=(2, 1), dilation=(1, 2), groups=2)),
    ("3d", (1, 2, 3, 4, 3), (2, 2, 2, 3, 2), {}), ("3d all", (1, 2, 5, 4, 4), (4, 1, 2, 3, 2), dict(stride=(2, 1, 2), padding=(1, 2, 0), dilation=(2, 1, 1), groups=2)),
]: case(f"conv {name}", [n(*x), n(*w)], lambda x, w, how=how: getattr(F, f"conv{x.ndim - 2}d")(x, w, **how), lambda x, w, how=how: jax_conv(x, w, **how))
for mode, jax_mode in [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]:
    case(f"conv 2d {mode}", [n(1, 2, 4, 5), n(2, 2, 3, 3)], lambda x, w, m=mode: F.conv2d(F.pad(x, (2, 2, 1, 1), m), w),
        lambda x, w, m=jax_mode: jax_conv(jnp.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), m), w))
case("conv 1d on one side", [n(2, 2, 5), n(3, 2, 3)], lambda x, w: F.conv1d(F.pad(x, (2, 0)), w), lambda x, w: jax_conv(jnp.pad(x, ((0, 0), (0, 0), (2, 0))), w))
for name, x, w, how in [
    ("1d", (2, 3, 4), (3, 2, 3), {}), ("1d strided", (2, 2, 4), (2, 3, 3), dict(stride=2, padding=1, output_padding=1)),
    ("1d dilated", (1, 2, 5), (2, 3, 3), dict(dilation=2, padding=2)), ("1d grouped", (2, 4, 4), (4, 3, 3), dict(groups=2, stride=3)),
    ("1d with gaps", (1, 2, 4), (2, 2, 2), dict(stride=3, output_padding=2)),
    ("2d", (1, 2, 3, 4), (2, 3, 2, 3), {}), ("2d strided", (2, 2, 3, 3), (2, 2, 3, 3), dict(stride=2, padding=1, output_padding=(1, 0))),
    ("2d all", (1, 4, 3, 4), (4, 2, 3, 2), dict(stride=(3, 2), padding=(2, 1), output_padding=(2, 1), dilation=(2, 1), groups=2)),
    ("3d", (1, 2, 2, 3, 2), (2, 2, 2, 2, 3), {}), ("3d all", (1, 2, 2, 3, 2), (2, 2, 3, 2, 2), dict(stride=(2, 1, 2), padding=(1, 0, 1), output_padding=(1, 0, 1), groups=2)),
]: case(f"conv_transpose {name}", [n(*x), n(*w)], lambda x, w, how=how: getattr(F, f"conv_transpose{x.ndim - 2}d")(x, w, **how), lambda x, w, how=how: jax_conv_transpose(x, w, **how))
# pools
def jax_pool(x, start, f, size, stride=None, padding=0):
    k = x.ndim - 2
    return jax.lax.reduce_window(x, start, f, (1, 1) + each(size, k), (1, 1) + each(stride or size, k), ((0, 0), (0, 0)) + tuple((q, q) for q in each(padding, k)))
for name, x, how in [
    ("1d", (2, 3, 7), dict(size=2)), ("1d overlapping", (2, 2, 7), dict(size=3, stride=2, padding=1)),
    ("1d ceil", (2, 2, 8), dict(size=3, stride=2, padding=1, ceil_mode=True)), ("1d ceil beyond", (2, 2, 4), dict(size=2, stride=3, padding=1, ceil_mode=True)),
    ("2d", (2, 2, 5, 4), dict(size=2)), ("2d overlapping", (1, 2, 6, 5), dict(size=(3, 2), stride=(2, 1), padding=1)),
    ("2d ceil", (1, 2, 6, 7), dict(size=3, stride=2, ceil_mode=True)),
    ("3d", (1, 2, 4, 4, 2), dict(size=2)), ("3d overlapping", (1, 1, 4, 5, 4), dict(size=(2, 3, 2), stride=(1, 2, 2), padding=(1, 1, 0), ceil_mode=True)),
]:
    def pool(what, x, how, **more): return getattr(F, f"{what}_pool{x.ndim - 2}d")(x, how["size"], **{k: v for k, v in how.items() if k != "size"}, **more)
    by_max, by_sum = (lambda x, how=how: jax_pool(x, -jnp.inf, jax.lax.max, **how)), (lambda x, how=how: jax_pool(x, 0., jax.lax.add, **how))
    by_size, by_count = (lambda x, how=how, f=by_sum: f(x) / np.prod(each(how["size"], x.ndim - 2))), (lambda x, f=by_sum: f(x) / f(jnp.ones_like(x)))
    if "ceil_mode" in how: by_max = by_size = by_count = None
    case(f"max_pool {name}", [n(*x)], lambda x, how=how: pool("max", x, how), by_max); case(f"avg_pool {name}", [n(*x)], lambda x, how=how: pool("avg", x, how), by_size)
    if "padding" in how: case(f"avg_pool {name} uncounted", [n(*x)], lambda x, how=how: pool("avg", x, how, count_include_pad=False), by_count)
case("max_pool 1d dilated", [n(2, 2, 8)], lambda x: F.max_pool1d(x, 3, 1, 1, 2))
case("max_pool 2d dilated", [n(1, 2, 6, 7)], lambda x: F.max_pool2d(x, 2, (2, 1), 1, (1, 3), ceil_mode=True))
# PyTorch takes the powers of x, not of |x|, and pads no norm: zeros are padded before, and an odd power is of numbers above 0.
case("lp_pool 1d", [n(2, 2, 7)], lambda x: F.lp_pool1d(x, 2, 3, 2)); case("lp_pool 1d of 3", [p(2, 2, 7)], lambda x: F.lp_pool1d(x, 3, 2))
case("lp_pool 2d", [n(1, 2, 5, 4)], lambda x: F.lp_pool2d(x, 4, (2, 3), 1))
case("lp_pool 2d padded", [n(1, 2, 4, 4)], lambda x: F.lp_pool2d(F.pad(x, (1, 1, 1, 1)), 2, 3, 2)); case("lp_pool 3d", [n(1, 1, 4, 3, 3)], lambda x: F.lp_pool3d(x, 2, 2, 1))
for k, x, to in [(1, (2, 3, 7), 3), (1, (1, 2, 3), 5), (2, (1, 2, 7, 5), (3, 2)), (2, (2, 2, 4, 6), 2), (3, (1, 2, 3, 5, 4), (2, 3, 2)), (2, (2, 3, 3, 4), 1)]:
    name = f"{k}d {'x'.join(map(str, x[2:]))}"
    case(f"adaptive_max_pool {name}", [n(*x)], lambda x, k=k, to=to: getattr(F, f"adaptive_max_pool{k}d")(x, to))
    case(f"adaptive_avg_pool {name}", [n(*x)], lambda x, k=k, to=to: getattr(F, f"adaptive_avg_pool{k}d")(x, to))
# patches
for name, x, how in [("", (2, 2, 4, 5), dict(kernel_size=(2, 3))), (" all", (1, 2, 6, 5), dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)))]:
    def patches(x, kernel_size, stride=1, padding=0, dilation=1):
        y = jax.lax.conv_general_dilated_patches(x, kernel_size, each(stride, 2), [(q, q) for q in each(padding, 2)], rhs_dilation=each(dilation, 2))
        return y.reshape(*y.shape[:2], -1)
    case("unfold" + name, [n(*x)], lambda x, how=how: F.unfold(x, **how), lambda x, how=how: patches(x, **how))
    case("fold" + name, [n(*F.unfold(T.zeros(x), **how).shape)], lambda y, x=x, how=how: F.fold(y, x[2:], **how))
case("unfold 1d", [n(2, 3, 6)], lambda x: x.unfold(2, 3, 2).transpose(2, 3).flatten(1, 2)); case("fold 1d", [n(1, 6, 4)], lambda y: F.fold(y, (1, 5), (1, 2))[:, :, 0])
# other sizes: of JAX's rules only linear interpolation without corners is PyTorch's, and nearest at whole factors
def resized(x, to, how): return jax.image.resize(x, x.shape[:2] + each(to, x.ndim - 2), how, antialias=False)
for name, x, how, jf in [
    ("nearest 1d up", (2, 2, 5), dict(size=8), None), ("nearest 1d down", (2, 2, 7), dict(size=3), None),
    ("nearest 2d twice", (1, 2, 3, 4), dict(scale_factor=2), lambda x: resized(x, (6, 8), "nearest")), ("nearest 2d by 1.7", (1, 2, 5, 4), dict(scale_factor=1.7), None),
    ("nearest 3d", (1, 1, 2, 3, 3), dict(size=(3, 2, 5)), None),
    ("linear 1d up", (2, 2, 5), dict(size=8, mode="linear"), lambda x: resized(x, 8, "linear")),
    ("linear 1d down", (2, 2, 7), dict(size=3, mode="linear"), lambda x: resized(x, 3, "linear")),
    ("linear 1d corners", (2, 2, 5), dict(size=8, mode="linear", align_corners=True), None), ("linear 1d by 1.7", (2, 2, 5), dict(scale_factor=1.7, mode="linear"), None),
    ("linear 1d by 0.6", (2, 2, 8), dict(scale_factor=0.6, mode="linear"), None),
    ("linear 2d twice", (1, 2, 3, 4), dict(scale_factor=2, mode="bilinear"), lambda x: resized(x, (6, 8), "linear")),
    ("linear 2d", (1, 2, 4, 5), dict(size=(7, 3), mode="bilinear"), lambda x: resized(x, (7, 3), "linear")),
    ("linear 2d corners", (1, 2, 4, 5), dict(size=(7, 3), mode="bilinear", align_corners=True), None),
    ("linear 2d by each", (1, 2, 4, 5), dict(scale_factor=(1.3, 0.7), mode="bilinear"), None),
    ("linear 2d corners by 1.7", (1, 1, 4, 3), dict(scale_factor=1.7, mode="bilinear", align_corners=True), None),
    ("linear 3d", (1, 1, 2, 3, 4), dict(size=(3, 4, 3), mode="trilinear"), lambda x: resized(x, (3, 4, 3), "linear")),
    ("linear 3d corners", (1, 1, 2, 3, 4), dict(size=(3, 4, 3), mode="trilinear", align_corners=True), None),
    ("cubic 2d twice", (1, 2, 3, 4), dict(scale_factor=2, mode="bicubic"), None), ("cubic 2d", (1, 2, 4, 5), dict(size=(7, 3), mode="bicubic"), None),
    ("cubic 2d corners", (1, 2, 4, 5), dict(size=(7, 3), mode="bicubic", align_corners=True), None),
    ("cubic 2d by 1.7", (1, 1, 4, 3), dict(scale_factor=1.7, mode="bicubic"), None),
]: case(f"interpolate {name}", [n(*x)], lambda x, how=how: F.interpolate(x, **how), jf)
case("pixel_shuffle", [n(2, 8, 2, 3)], lambda x: F.pixel_shuffle(x, 2), lambda x: x.reshape(2, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 4, 6))
case("pixel_unshuffle", [n(1, 2, 6, 3)], lambda x: F.pixel_unshuffle(x, 3), lambda x: x.reshape(1, 2, 2, 3, 1, 3).transpose(0, 1, 3, 5, 2, 4).reshape(1, 18, 2, 1))

# linear algebra: m is regular and far from singular, d symmetric, d + 3 positive definite
def m(*s): return n(*s) + 3 * np.eye(s[-2], s[-1])
def s(*s): x = n(*s); return (x + x.swapaxes(-1, -2)) / 2
def pd(*s): x = n(*s); return x @ x.swapaxes(-1, -2) / 2 + np.eye(s[-1])
TL, JL, solve_j = T.linalg, jnp.linalg, jsp.linalg.solve_triangular
for name, inputs, tf, jf in [
    ("cholesky", [pd(4, 4)], TL.cholesky, JL.cholesky), ("cholesky of matrices", [pd(2, 3, 3)], TL.cholesky, JL.cholesky),
    ("cholesky of a product", [n(3, 4)], lambda x: TL.cholesky(x @ x.T), lambda x: JL.cholesky(x @ x.T)),
    ("solve", [m(4, 4), n(4, 2)], TL.solve, JL.solve), ("solve a vector", [m(4, 4), n(4)], TL.solve, JL.solve),
    ("solve many", [m(2, 3, 3), n(2, 3, 2)], TL.solve, JL.solve), ("solve broadcast", [m(3, 3), n(2, 3, 2)], TL.solve, None), ("inv", [m(4, 4)], TL.inv, JL.inv),
    ("inv of matrices", [m(2, 3, 3)], TL.inv, JL.inv),
    ("det", [m(4, 4)], TL.det, JL.det), ("det below 0", [np.diag([1., -1, 1]) @ m(3, 3)], TL.det, JL.det), ("det of matrices", [n(3, 2, 2)], TL.det, JL.det),
    ("logdet", [pd(4, 4)], T.logdet, lambda x: JL.slogdet(x)[1]), ("slogdet", [m(2, 3, 3)], lambda x: TL.slogdet(x)[1], lambda x: JL.slogdet(x)[1]),
    ("slogdet below 0", [np.diag([1., -1, 1]) @ m(3, 3)], lambda x: TL.slogdet(x)[1], lambda x: JL.slogdet(x)[1]),
    ("slogdet signs", [n(5, 3, 3)], lambda x: TL.slogdet(x)[0].detach(), lambda x: JL.slogdet(x)[0]),
    ("lu", [n(4, 4)], lambda x: T.stack(TL.lu(x)), lambda x: jnp.stack(jsp.linalg.lu(x))), ("lu of matrices", [n(2, 3, 3)], lambda x: T.stack(TL.lu(x)), None),
    ("eigvalsh", [s(4, 4)], TL.eigvalsh, JL.eigvalsh), ("eigvalsh of matrices", [s(2, 3, 3)], TL.eigvalsh, JL.eigvalsh),
    ("svdvals", [n(4, 3)], TL.svdvals, lambda x: JL.svd(x, compute_uv=False)), ("svdvals of matrices", [n(2, 2, 3)], TL.svdvals, lambda x: JL.svd(x, compute_uv=False)),
    ("pinv tall", [n(4, 2)], TL.pinv, JL.pinv), ("pinv wide", [n(2, 2, 4)], TL.pinv, JL.pinv),
    ("pinv of rank 2", [n(4, 2), n(2, 3)], lambda x, y: TL.pinv(x @ y, rtol=1e-12), lambda x, y: JL.pinv(x @ y, rtol=1e-12)),
    ("lstsq tall", [n(5, 3), n(5, 2)], lambda a, b: TL.lstsq(a, b).solution, lambda a, b: JL.lstsq(a, b)[0]),
    ("lstsq wide", [n(2, 4), n(2, 3)], lambda a, b: TL.lstsq(a, b).solution, lambda a, b: JL.lstsq(a, b)[0]),
    ("lstsq of a vector", [n(5, 3), n(5)], lambda a, b: TL.lstsq(a, b[:, None]).solution[:, 0], lambda a, b: JL.lstsq(a, b)[0]),
    ("matrix_exp", [n(3, 3)], TL.matrix_exp, jsp.linalg.expm), ("matrix_exp of matrices", [n(2, 3, 3) / 9], TL.matrix_exp, jsp.linalg.expm),
    ("matrix_exp of a large one", [3 * n(3, 3)], TL.matrix_exp, jsp.linalg.expm),
    ("matrix_exp of a rotation", [n(4, 4)], lambda x: TL.matrix_exp(x - x.T), lambda x: jsp.linalg.expm(x - x.T)),
    ("matrix_power 3", [n(3, 3)], lambda x: TL.matrix_power(x, 3), lambda x: JL.matrix_power(x, 3)),
    ("matrix_power 6", [n(2, 2, 2)], lambda x: TL.matrix_power(x, 6), lambda x: JL.matrix_power(x, 6)),
    ("matrix_power -2", [m(3, 3)], lambda x: TL.matrix_power(x, -2), lambda x: JL.matrix_power(x, -2)),
]: case(name, inputs, tf, jf)
for name in ["lower", "upper", "lower transposed", "upper transposed", "lower unit", "upper unit", "lower unit transposed", "upper unit transposed"]:
    def solve_t(a, b, q=name): return TL.solve_triangular(a.mT if "trans" in q else a, b, upper=("upper" in q) != ("trans" in q), unitriangular="unit" in q)
    case(f"triangular_solve {name}", [m(4, 4), n(4, 2)], solve_t, lambda a, b, q=name: solve_j(a, b, int("trans" in q), "lower" in q, "unit" in q))
case("triangular_solve of matrices", [m(2, 3, 3), n(2, 3, 2)], lambda a, b: TL.solve_triangular(a, b, upper=False))
case("triangular_solve a vector", [m(3, 3), n(3)], lambda a, b: TL.solve_triangular(a, b[:, None], upper=True)[:, 0], lambda a, b: solve_j(a, b))
# Columns of Q, vectors of a spectrum have free signs: the diagonal of R is made positive, functions of the matrix have none.
def qr(x): q, r = TL.qr(x); z = r.diagonal(0, -2, -1).sign(); return q * z[..., None, :], r * z[..., :, None]
def jax_qr(x): q, r = JL.qr(x); z = jnp.sign(jnp.diagonal(r, 0, -2, -1)); return q * z[..., None, :], r * z[..., :, None]
for name, x in [("square", (3, 3)), ("tall", (4, 2)), ("of matrices", (2, 3, 2))]:
    for part in (0, 1): case(f"qr {name} {'qr'[part]}", [n(*x)], lambda x, k=part: qr(x)[k], lambda x, k=part: jax_qr(x)[k])
for part in (0, 1): case(f"qr wide {'qr'[part]}", [n(2, 4)], lambda x, k=part: qr(x)[k])
def spectral(x, f): w, v = TL.eigh(x); return (v * f(w)[..., None, :]) @ v.mT
def jax_spectral(x, f): w, v = JL.eigh(x); return (v * f(w)[..., None, :]) @ v.swapaxes(-1, -2)
def singular(x): u, w, v = TL.svd(x, full_matrices=False); return (u * T.exp(-w)[..., None, :]) @ v
def jax_singular(x): u, w, v = JL.svd(x, full_matrices=False); return (u * jnp.exp(-w)[..., None, :]) @ v
for name, x in [("", (4, 4)), (" of matrices", (2, 3, 3))]: case("eigh" + name, [s(*x)], lambda x: spectral(x, T.sin), lambda x: jax_spectral(x, jnp.sin))
case("eigh of a product", [n(3, 4)], lambda x: spectral(x @ x.T, T.sqrt), lambda x: jax_spectral(x @ x.T, jnp.sqrt))
case("eigh values", [s(3, 3)], lambda x: TL.eigh(x)[0], lambda x: JL.eigh(x)[0]); case("svd values", [n(3, 3)], lambda x: TL.svd(x)[1], lambda x: JL.svd(x)[1])
for name, x in [("square", (3, 3)), ("tall", (4, 2)), ("wide", (2, 4)), ("of matrices", (2, 3, 2))]: case(f"svd {name}", [n(*x)], singular, jax_singular)
for name, o in [("Frobenius", "fro"), ("Nuclear", "nuc"), ("Spectral", 2), ("One", 1), ("Infinity", np.inf)]:
    case(f"matrix_norm {name}", [n(2, 3, 4)], lambda x, o=o: TL.matrix_norm(x, o), lambda x, o=o: jnp.linalg.norm(x, o, (-2, -1)))

# Fourier: complex numbers are a last axis of 2
TF, JF, TC, TR = T.fft, jnp.fft, T.view_as_complex, T.view_as_real
def JC(x): return x[..., 0] + 1j * x[..., 1]
def JR(x): return jnp.stack([x.real, x.imag], -1)
for norm in ("backward", "ortho", "forward"):
    for name, x, tf, jf in [
        ("fft", (3, 5, 2), lambda x, k: TR(TF.fft(TC(x), norm=k)), lambda x, k: JR(JF.fft(JC(x), norm=k))),
        ("ifft", (4, 3, 2), lambda x, k: TR(TF.ifft(TC(x), dim=0, norm=k)), lambda x, k: JR(JF.ifft(JC(x), axis=0, norm=k))),
        ("fft2", (3, 4, 2), lambda x, k: TR(TF.fft2(TC(x), norm=k)), lambda x, k: JR(JF.fft2(JC(x), norm=k))),
        ("ifft2", (4, 3, 2), lambda x, k: TR(TF.ifft2(TC(x), norm=k)), lambda x, k: JR(JF.ifft2(JC(x), norm=k))),
        ("fftn", (2, 3, 2, 2), lambda x, k: TR(TF.fftn(TC(x), norm=k)), lambda x, k: JR(JF.fftn(JC(x), norm=k))),
        ("ifftn", (2, 3, 2, 2), lambda x, k: TR(TF.ifftn(TC(x), dim=(0, 2), norm=k)), lambda x, k: JR(JF.ifftn(JC(x), axes=(0, 2), norm=k))),
        ("rfft", (3, 6), lambda x, k: TR(TF.rfft(x, norm=k)), lambda x, k: JR(JF.rfft(x, norm=k))),
        ("rfft odd", (5, 3), lambda x, k: TR(TF.rfft(x, dim=0, norm=k)), lambda x, k: JR(JF.rfft(x, axis=0, norm=k))),
        ("irfft", (2, 4, 2), lambda x, k: TF.irfft(TC(x), 6, norm=k), lambda x, k: JF.irfft(JC(x), 6, norm=k)),
        ("irfft odd", (3, 2, 2), lambda x, k: TF.irfft(TC(x), 5, 0, norm=k), lambda x, k: JF.irfft(JC(x), 5, 0, norm=k)),
        ("rfft2", (3, 4), lambda x, k: TR(TF.rfft2(x, norm=k)), lambda x, k: JR(JF.rfft2(x, norm=k))),
        ("irfft2", (3, 3, 2), lambda x, k: TF.irfft2(TC(x), (3, 4), norm=k), lambda x, k: JF.irfft2(JC(x), (3, 4), norm=k)),
        ("rfftn", (2, 3, 4), lambda x, k: TR(TF.rfftn(x, norm=k)), lambda x, k: JR(JF.rfftn(x, norm=k))),
        ("irfftn", (2, 3, 3, 2), lambda x, k: TF.irfftn(TC(x), (2, 3, 5), norm=k), lambda x, k: JF.irfftn(JC(x), (2, 3, 5), norm=k)),
    ]: case(f"{name} {norm}", [n(*x)], lambda x, tf=tf, k=norm: tf(x, k), lambda x, jf=jf, k=norm: jf(x, k))
for k in (1, 13, 16): case(f"fft of {k}", [n(k, 2)], lambda x: TR(TF.fft(TC(x))), lambda x: JR(JF.fft(JC(x))))
for name, x, tf, jf in [
    ("fftshift", [n(5, 4)], TF.fftshift, JF.fftshift), ("ifftshift", [n(5, 4)], TF.ifftshift, JF.ifftshift),
    ("fftshift of rows", [n(2, 5)], lambda x: TF.fftshift(x, 1), lambda x: JF.fftshift(x, 1)),
    ("fft_conv", [n(7), n(3)], lambda x, k: F.conv1d(x[None, None], k.flip(0)[None, None], padding=2)[0, 0], jnp.convolve),
    ("fft_conv of rows", [n(3, 6), n(4)], lambda x, k: F.conv1d(x[:, None], k.flip(0)[None, None], padding=3)[:, 0], None),
    ("to_complex", [n(3, 2)], lambda x: TR(T.complex(x, T.zeros_like(x))), lambda x: JR(x + 0j)),
    ("complex_mul", [n(3, 2, 2), n(2, 2)], lambda x, y: TR(TC(x) * TC(y)), lambda x, y: JR(JC(x) * JC(y))),
    ("complex_abs", [n(3, 2)], lambda x: TC(x).abs(), lambda x: jnp.abs(JC(x))),
    ("complex_conj", [n(3, 2)], lambda x: TR(TC(x).conj().resolve_conj()), lambda x: JR(JC(x).conj())),
    ("spectrum", [n(4, 8)], lambda x: TF.rfft(x).abs(), lambda x: jnp.abs(JF.rfft(x))),
]: case(name, x, tf, jf)

# loops, choices, functions of functions
def loop(c, d, x):
    for row in x: c = T.tanh(c * d + row); yield c
def doubled(x):
    while x.sum() <= 100: x = x * x + x
    return x
def still(w, x):
    z = T.zeros_like(x)
    for _ in range(200): z = T.tanh(w @ z * 0.3 + x)
    return z
def f(x): return (x.sin() * x.roll(1, 0)).exp().sum()
def jax_f(x): return jnp.exp(jnp.sin(x) * jnp.roll(x, 1, 0)).sum()
AF = T.autograd.functional
for name, inputs, tf, jf in [
    ("scan", [n(3), u(3), n(4, 3)], lambda *x: T.stack(list(loop(*x))), lambda c, d, x: jax.lax.scan(lambda c, x: (jnp.tanh(c * d + x),) * 2, c, x)[1]),
    ("scan last", [n(3), u(3), n(4, 3)], lambda *x: list(loop(*x))[-1], lambda c, d, x: jax.lax.scan(lambda c, x: (jnp.tanh(c * d + x),) * 2, c, x)[0]),
    ("while_loop", [p(3)], doubled, None), ("while_loop i64", [np.array(84), np.array(36)], T.gcd, jnp.gcd),
    ("cond first", [b(1)[0:1].reshape(()) | True, n(3)], lambda k, x: x.exp(), lambda k, x: jax.lax.cond(k, jnp.exp, jnp.sin, x)),
    ("cond second", [b(1)[0:1].reshape(()) & False, n(3)], lambda k, x: x.sin(), lambda k, x: jax.lax.cond(k, jnp.exp, jnp.sin, x)),
    ("checkpoint", [n(2, 3), n(3, 3)], lambda x, w: T.utils.checkpoint.checkpoint(lambda x: (x @ w).tanh() @ w, x, use_reentrant=False), lambda x, w: jax.checkpoint(lambda x: jnp.tanh(x @ w) @ w)(x)),
    ("fixed_point", [u(3, 3), n(3)], still, None), ("root", [p(3)], lambda a: a ** (1 / 3), jnp.cbrt),
    ("vmap", [n(4, 3), n(3)], T.vmap(lambda x, y: (x * y).sum().sin() * x, (0, None)), jax.vmap(lambda x, y: jnp.sin((x * y).sum()) * x, (0, None))),
    ("jacobian", [n(3)], lambda x: AF.jacobian(lambda x: x.cumprod(0).sin(), x, create_graph=True), jax.jacobian(lambda x: jnp.sin(jnp.cumprod(x)))),
    ("hessian", [n(3)], lambda x: AF.hessian(f, x, create_graph=True), jax.hessian(jax_f)),
    ("hvp", [n(3), n(3)], lambda x, v: AF.hvp(f, x, v, create_graph=True)[1], lambda x, v: jax.jvp(jax.grad(jax_f), (x,), (v,))[1]),
    ("jvp", [n(3), n(3)], lambda x, v: AF.jvp(lambda x: x.cumprod(0).sin(), x, v, create_graph=True)[1], lambda x, v: jax.jvp(lambda x: jnp.sin(jnp.cumprod(x)), (x,), (v,))[1]),
]: case(name, inputs, tf, jf)

index, data = [], {}
assert len({name for name, *_ in CASES}) == len(CASES)
for number, (name, inputs, tf, jf) in enumerate(CASES):
    key = f"{number:03}"
    floats = [k for k, x in enumerate(inputs) if x.dtype == np.float64]
    entry = dict(name=name, inputs=[str(x.dtype) for x in inputs], gradients=[])
    def put(what, x): data[f"{key}.{what}"] = np.array(x, dtype=None if x.dtype == np.int64 else np.float64, order="C")
    for k, x in enumerate(inputs): put(f"x{k}", x.astype(np.int64) if x.dtype == bool else x)
    found = []
    if tf is not None:
        xs = [T.tensor(x).requires_grad_(x.dtype == np.float64) for x in inputs]
        y = tf(*xs)
        found.append(y.detach().numpy())
    if jf is not None:
        args = [jnp.asarray(x) for x in inputs]
        found.append(np.asarray(jax.jit(jf)(*args)))
        entry["jax"] = True
    put("y", found[0].astype(np.float64))
    slopes = []
    if floats and found[0].dtype == np.float64 and (tf is None or y.requires_grad):
        w = rng.standard_normal(found[0].shape)
        entry["gradients"] = floats
        put("w", np.asarray(w))
        if tf is not None:
            grads = T.autograd.grad((y * T.tensor(w)).sum(), [xs[k] for k in floats], allow_unused=True)
            slopes.append([np.zeros_like(inputs[k]) if gr is None else gr.numpy() for k, gr in zip(floats, grads)])
        if jf is not None: slopes.append([np.asarray(gr) for gr in jax.jit(jax.grad(lambda *a: (jf(*a) * w).sum(), argnums=tuple(floats)))(*args)])
        # PyTorch's trigamma, the slope of digamma, has ten digits.
        for k, gr in zip(floats, slopes[name == "digamma"]): put(f"g{k}", gr)
    if len(found) == 2: assert np.allclose(found[0], found[1], rtol=1e-11, atol=1e-12, equal_nan=True), (name, *found)
    if len(slopes) == 2:
        for k, gr, gj in zip(floats, *slopes): assert np.allclose(gr, gj, rtol=1e-9, atol=1e-10), (name, k, gr, gj)
    if tf is None: entry["torch"] = False
    index.append(entry)

here = pathlib.Path(__file__).parent
save_file(data, here / "reference.safetensors")
text = ",\n".join(json.dumps(entry) for entry in index)
(here / "reference.json").write_text(json.dumps(dict(torch=T.__version__, jax=jax.__version__))[:-1] + ', "cases": [\n' + text + "\n]}\n")
alone = sum("torch" in e for e in index)
print(len(index), "cases,", sum("jax" in e for e in index) - alone, "of them by both,", alone, "by JAX alone")
