"""Writes optimizers.txt and optimizers_matrix.txt, in float64: `python optimizers.py` in this directory. PyTorch has most of them; Optax and
Keras have the rest.

A row of optimizers.txt: name  step  w[0] w[1] b            (20 steps on the function `objective`)
A row of optimizers_matrix.txt: name  step  m[0,0] … m[2,1] v[0] v[1]            (10 steps on the function `of_matrix`)
A row of optimizers_average.txt: name  step  average of w[0] w[1] b
"""

import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import keras
import optax
import torch
from optax import contrib
from torch import nn
from torch.optim import swa_utils

torch.set_default_dtype(torch.float64)
keras.backend.set_floatx("float64")
# The iteration of Muon in the precision of everything else.
torch.bfloat16 = torch.float64


def row(*items):
    return " ".join(item if isinstance(item, str) else repr(float(item.detach() if hasattr(item, "detach") else item)) for item in items) + "\n"


def objective(w, b, sin=torch.sin):
    return w[0] ** 2 + 3 * w[1] ** 2 + w[0] * w[1] + 0.1 * (b - 2) ** 4 + sin(w[0] * b)


def of_matrix(m, v, np=torch):
    x = np.asarray([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])
    y = np.tanh(x @ m + v)
    return ((y - np.asarray([[0.5, -0.25], [0.0, 0.75]])) ** 2).sum() + 0.1 * (m**2).sum()


POINT = ([1.5, -2.0], 0.5)
MATRIX = ([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]], [0.1, -0.2])

optim = torch.optim
unclipped = lambda parameters: None
TUNED = dict(lr=0.05, betas=(0.8, 0.95), eps=1e-6)


def adaptive(parameters, bound=0.2, epsilon=1e-3):
    with torch.no_grad():
        for p in parameters:
            axes = tuple(range(1, p.ndim)) if p.ndim > 1 else None
            norm = lambda x: torch.linalg.vector_norm(x, dim=axes, keepdim=p.ndim > 1)
            most, size = norm(p).clamp(min=epsilon) * bound, norm(p.grad)
            p.grad.copy_(torch.where(size > most, p.grad * (most / size.clamp(min=1e-6)), p.grad))


def centralize(parameters):
    for p in parameters:
        if p.ndim > 1:
            p.grad -= p.grad.mean(dim=tuple(range(1, p.ndim)), keepdim=True)


def each_norm(parameters):
    for p in parameters:
        nn.utils.clip_grad_norm_([p], 0.5)


class Lookahead:
    """Zhang et al. 2019, algorithm 1."""

    def __init__(self, inner, parameters, interval, share):
        self.inner, self.parameters, self.interval, self.share, self.count = inner, parameters, interval, share, 0
        self.slow = [p.detach().clone() for p in parameters]
        self.zero_grad = inner.zero_grad

    def step(self):
        self.inner.step()
        self.count += 1
        if self.count % self.interval == 0:
            with torch.no_grad():
                for slow, p in zip(self.slow, self.parameters):
                    slow += self.share * (p - slow)
                    p.copy_(slow)


class Both:
    """One optimizer for matrices, another for the rest."""

    def __init__(self, parameters, matrices, others):
        split = [p for p in parameters if p.ndim == 2], [p for p in parameters if p.ndim != 2]
        self.parts = [make(some) for make, some in zip([matrices, others], split) if some]

    def zero_grad(self):
        [part.zero_grad() for part in self.parts]

    def step(self):
        [part.step() for part in self.parts]


def of_torch():
    sgd, adam, adamw = optim.SGD, optim.Adam, optim.AdamW
    yield "sgd", lambda p: sgd(p, lr=0.1), unclipped
    yield "sgd_momentum_decay", lambda p: sgd(p, lr=0.05, momentum=0.9, weight_decay=0.1), unclipped
    yield "sgd_dampening", lambda p: sgd(p, lr=0.05, momentum=0.9, dampening=0.5), unclipped
    yield "sgd_nesterov", lambda p: sgd(p, lr=0.05, momentum=0.8, nesterov=True), unclipped
    yield "sgd_clip_global_norm", lambda p: sgd(p, lr=0.1), lambda p: nn.utils.clip_grad_norm_(p, 0.5)
    yield "sgd_clip_by_value", lambda p: sgd(p, lr=0.1), lambda p: nn.utils.clip_grad_value_(p, 0.25)
    yield "sgd_clip_norm", lambda p: sgd(p, lr=0.1), each_norm
    yield "sgd_clip_adaptive", lambda p: sgd(p, lr=0.1), adaptive
    yield "sgd_centralize", lambda p: sgd(p, lr=0.1), centralize
    yield "sgd_lookahead", lambda p: Lookahead(sgd(p, lr=0.1, momentum=0.5), p, 3, 0.6), unclipped
    yield "sgd_ema", lambda p: sgd(p, lr=0.1), unclipped
    yield "sgd_swa", lambda p: sgd(p, lr=0.1), unclipped
    yield "decay_before", lambda p: sgd(p, lr=0.05, momentum=0.9, weight_decay=0.1), unclipped
    yield "adam", lambda p: adam(p, lr=0.1), unclipped
    yield "adam_betas_decay", lambda p: adam(p, **TUNED, weight_decay=0.1), unclipped
    yield "adam_amsgrad", lambda p: adam(p, lr=0.1, amsgrad=True), unclipped
    yield "adamw", lambda p: adamw(p, lr=0.1), unclipped
    yield "adamw_betas_decay", lambda p: adamw(p, **TUNED, weight_decay=0.3), unclipped
    yield "adamw_amsgrad", lambda p: adamw(p, lr=0.1, amsgrad=True), unclipped
    yield "adamax", lambda p: optim.Adamax(p, lr=0.1), unclipped
    yield "adamax_betas_decay", lambda p: optim.Adamax(p, **TUNED, weight_decay=0.1), unclipped
    yield "nadam", lambda p: optim.NAdam(p, lr=0.1), unclipped
    yield "nadam_betas_decay", lambda p: optim.NAdam(p, **TUNED, weight_decay=0.1, momentum_decay=0.01), unclipped
    yield "nadam_decoupled", lambda p: optim.NAdam(p, lr=0.1, weight_decay=0.2, decoupled_weight_decay=True), unclipped
    yield "radam", lambda p: optim.RAdam(p, lr=0.1), unclipped
    yield "radam_betas_decay", lambda p: optim.RAdam(p, **TUNED, weight_decay=0.1), unclipped
    yield "radam_decoupled", lambda p: optim.RAdam(p, lr=0.1, weight_decay=0.2, decoupled_weight_decay=True), unclipped
    yield "rmsprop", lambda p: optim.RMSprop(p, lr=0.05), unclipped
    yield "rmsprop_momentum_decay", lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.8, eps=1e-6, weight_decay=0.1), unclipped
    yield "rmsprop_centered", lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9, centered=True, eps=1e-3), unclipped
    yield "rprop", lambda p: optim.Rprop(p, lr=0.1), unclipped
    yield "rprop_sizes", lambda p: optim.Rprop(p, lr=0.3, etas=(0.3, 1.4), step_sizes=(1e-3, 0.4)), unclipped
    yield "adagrad", lambda p: optim.Adagrad(p, lr=0.5), unclipped
    yield "adagrad_decay", lambda p: optim.Adagrad(p, lr=0.3, lr_decay=0.01, initial_accumulator_value=0.1, eps=1e-6, weight_decay=0.1), unclipped
    yield "adadelta", lambda p: optim.Adadelta(p, lr=20.0), unclipped
    yield "adadelta_rho_decay", lambda p: optim.Adadelta(p, lr=1.0, rho=0.8, eps=1e-3, weight_decay=0.1), unclipped
    yield "adafactor", lambda p: optim.Adafactor(p, lr=0.3), unclipped
    yield "adafactor_decay", lambda p: optim.Adafactor(p, lr=0.2, eps=(1e-4, 1e-2), d=1.5, beta2_decay=-0.7, weight_decay=0.1), unclipped
    yield "asgd", lambda p: optim.ASGD(p, lr=0.1), unclipped
    yield "asgd_average", lambda p: optim.ASGD(p, lr=0.1, lambd=0.01, alpha=0.5, t0=5, weight_decay=0.1), unclipped
    muon = lambda p: optim.Muon(p, lr=0.02, weight_decay=0.0)
    yield "muon", lambda p: Both(p, muon, lambda p: sgd(p, lr=0.02)), unclipped
    muon_options = lambda p: optim.Muon(p, lr=0.1, momentum=0.8, nesterov=False, ns_steps=3, adjust_lr_fn="match_rms_adamw")
    yield "muon_options", lambda p: Both(p, muon_options, lambda p: adamw(p, lr=0.1)), unclipped


def of_optax():
    tuned = dict(learning_rate=0.05, b1=0.8, b2=0.95)
    vectors = lambda p: jax.tree.map(lambda x: x.ndim > 0, p)
    sgd = lambda before, after: optax.chain(before, optax.trace(0.9), after, optax.scale(-0.05))
    yield "decay_after", sgd(optax.identity(), optax.add_decayed_weights(0.1))
    yield "decay_without_biases", sgd(optax.identity(), optax.add_decayed_weights(0.1, mask=vectors))
    yield "lion", optax.lion(0.04, weight_decay=0.0)
    yield "lion_betas_decay", optax.lion(**tuned, weight_decay=0.3)
    yield "lamb", optax.lamb(0.1)
    yield "lamb_betas_decay", optax.lamb(**tuned, weight_decay=0.3)
    yield "lars", optax.lars(0.1, trust_coefficient=0.3, momentum=0.5)
    yield "lars_nesterov_decay", optax.lars(0.1, weight_decay=0.1, trust_coefficient=0.1, eps=1e-3, momentum=0.8, nesterov=True)
    yield "adabelief", optax.adabelief(0.1, eps=1e-16, eps_root=1e-16)
    yield "adabelief_betas_decay", optax.chain(
        optax.scale_by_belief(b1=0.8, b2=0.95, eps=1e-6, eps_root=1e-6), optax.add_decayed_weights(0.3), optax.scale(-0.05)
    )
    yield "schedule_free", contrib.schedule_free_adamw(0.1, b1=0.9, b2=0.999)
    yield "schedule_free_betas_decay", contrib.schedule_free_adamw(0.2, b1=0.95, b2=0.9, eps=1e-6, weight_decay=0.1)


def of_keras():
    yield "ftrl", lambda: keras.optimizers.Ftrl(0.5)
    yield "ftrl_regularized", lambda: keras.optimizers.Ftrl(
        0.3,
        learning_rate_power=-0.6,
        initial_accumulator_value=0.5,
        l1_regularization_strength=0.01,
        l2_regularization_strength=0.1,
        l2_shrinkage_regularization_strength=0.05,
        beta=0.2,
    )


AVERAGES = {
    "sgd_ema": lambda: swa_utils.get_ema_multi_avg_fn(0.8),
    "sgd_swa": lambda: None,
}


def steps(start, loss, count, jloss):
    """Each optimizer's way: name, step, parameters, averages."""
    for name, make, clip in of_torch():
        parameters = [torch.tensor(value, requires_grad=True) for value in start]
        if name in AVERAGES:
            module = nn.Module()
            for i, p in enumerate(parameters):
                module.register_parameter(str(i), nn.Parameter(p.detach().clone()))
            parameters = list(module.parameters())
            average = swa_utils.AveragedModel(module, multi_avg_fn=AVERAGES[name]())
        optimizer = make(parameters)
        for step in range(1, count + 1):
            optimizer.zero_grad()
            loss(*parameters).backward()
            clip(parameters)
            optimizer.step()
            averages = None
            if name == "sgd_ema" or name == "sgd_swa" and step > 4 and (step - 5) % 3 == 0:
                average.update_parameters(module)
            if name in AVERAGES:
                averages = list(average.module.parameters()) if name == "sgd_ema" or step > 4 else parameters
            if name == "asgd_average":
                averages = [optimizer.state[p]["ax"] for p in parameters]
            yield name, step, parameters, averages
    for name, optimizer in of_optax():
        parameters = tuple(jnp.asarray(value, dtype=jnp.float64) for value in start)
        state = optimizer.init(parameters)
        for step in range(1, count + 1):
            gradients = jax.grad(lambda p: jloss(*p))(parameters)
            updates, state = optimizer.update(gradients, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
            averages = contrib.schedule_free_eval_params(state, parameters) if name.startswith("schedule_free") else None
            yield name, step, parameters, averages
    for name, make in of_keras():
        variables = [keras.Variable(value, dtype="float64") for value in start]
        optimizer = make()
        for step in range(1, count + 1):
            parameters = [v.value.detach().clone().requires_grad_() for v in variables]
            gradients = torch.autograd.grad(loss(*parameters), parameters)
            optimizer.apply(gradients, variables)
            yield name, step, [v.value for v in variables], None


def numbers(parameters):
    flat = lambda p: p.detach().reshape(-1).tolist() if hasattr(p, "detach") else p.reshape(-1).tolist()
    return [x for p in parameters for x in flat(p)]


with open("optimizers.txt", "w") as file, open("optimizers_average.txt", "w") as averaged:
    for name, step, parameters, averages in steps(POINT, objective, 20, lambda w, b: objective(w, b, jnp.sin)):
        file.write(row(name, str(step), *numbers(parameters)))
        if averages is not None:
            averaged.write(row(name, str(step), *numbers(averages)))

with open("optimizers_matrix.txt", "w") as file:
    for name, step, parameters, _ in steps(MATRIX, of_matrix, 10, lambda m, v: of_matrix(m, v, jnp)):
        if name.split("_")[0] in ("adafactor", "muon", "lamb", "lars") or name in ("sgd_clip_adaptive", "sgd_centralize", "decay_without_biases"):
            file.write(row(name, str(step), *numbers(parameters)))
