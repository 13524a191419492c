"""Writes schedules.txt, from PyTorch, Keras and Optax in float64: `python schedules.py` in this directory.

A row: name, and the factors of the learning rate at 60 steps. Names that end in `_keras` or `_optax` are from there; the others are PyTorch's,
or a formula where nobody has the thing.
"""

import math
import os
import warnings

os.environ["KERAS_BACKEND"] = "torch"

import jax
import keras
import optax
import torch
from torch.optim import lr_scheduler as lr

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
warnings.filterwarnings("ignore")
STEPS, BASE = 60, 0.5


def pytorch(make, top=BASE):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    schedule = make(optimizer)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"] / top)
        optimizer.step()
        if step < STEPS - 1:
            schedule.step()
    return rates


def keras_(schedule, base=BASE):
    return [float(schedule(step)) / base for step in range(STEPS)]


def optax_(schedule, base=BASE):
    return [float(schedule(step)) / base for step in range(STEPS)]


def formula(factor):
    return [factor(step) for step in range(STEPS)]


def plateau(**settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = lr.ReduceLROnPlateau(optimizer, eps=0.0, **settings)
    rates = []
    for n in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step(1.0 + 0.5 * math.sin(0.7 * n) + 0.01 * n)
    return rates


def schedules():
    decay, sched = keras.optimizers.schedules, optax.schedules
    yield "constant", formula(lambda step: 0.25)
    yield "constant_steps", pytorch(lambda o: lr.ConstantLR(o, factor=1 / 3, total_iters=5))
    yield "warmup", formula(lambda step: min(1.0, (step + 1) / 20))
    yield "warmup_start", pytorch(lambda o: lr.LambdaLR(o, lambda step: min(1.0, 0.2 + 0.8 * (step + 1) / 20)))
    yield "linear_pytorch", pytorch(lambda o: lr.LinearLR(o, start_factor=1 / 3, end_factor=1.0, total_iters=5))
    yield "linear_optax", optax_(sched.linear_schedule(BASE, 0.1 * BASE, 40))
    yield "cosine_pytorch", pytorch(lambda o: lr.CosineAnnealingLR(o, T_max=25, eta_min=0.1 * BASE))
    yield "cosine_keras", keras_(decay.CosineDecay(BASE, 40, alpha=0.2))
    yield "cosine_optax", optax_(sched.cosine_decay_schedule(BASE, 40, alpha=0.05, exponent=1.7))
    yield "cosine_restarts_pytorch", pytorch(lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=7, eta_min=0.1 * BASE))
    yield "cosine_restarts_pytorch_longer", pytorch(lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=7, T_mult=2))
    yield "cosine_restarts_keras", keras_(decay.CosineDecayRestarts(BASE, 9, t_mul=1.5, m_mul=0.8, alpha=0.05))
    cyclic = lambda o, base, **settings: lr.CyclicLR(o, base * BASE, BASE, cycle_momentum=False, **settings)
    yield "cyclic_triangular", pytorch(lambda o: cyclic(o, 0.1, step_size_up=8))
    yield "cyclic_triangular2", pytorch(lambda o: cyclic(o, 0.1, step_size_up=5, step_size_down=9, mode="triangular2"))
    yield "cyclic_exp_range", pytorch(lambda o: cyclic(o, 0.2, step_size_up=6, mode="exp_range", gamma=0.97))
    yield "step_pytorch", pytorch(lambda o: lr.StepLR(o, step_size=10, gamma=0.5))
    yield "exponential_pytorch", pytorch(lambda o: lr.ExponentialLR(o, gamma=0.9))
    yield "exponential_keras", keras_(decay.ExponentialDecay(BASE, 15, 0.6))
    yield "exponential_keras_staircase", keras_(decay.ExponentialDecay(BASE, 15, 0.6, staircase=True))
    yield "exponential_optax", optax_(sched.exponential_decay(BASE, 8, 0.5, transition_begin=12, end_value=0.2 * BASE))
    yield "exponential_optax_growth", optax_(sched.exponential_decay(BASE, 4, 1.1, staircase=True, end_value=2 * BASE))
    yield "inverse_sqrt", formula(lambda step: 12**0.5 * min((step + 1) ** -0.5, (step + 1) * 12**-1.5))
    yield "inverse_time", keras_(decay.InverseTimeDecay(BASE, 7, 0.5))
    yield "inverse_time_staircase", keras_(decay.InverseTimeDecay(BASE, 7, 0.5, staircase=True))
    three = [sched.constant_schedule(0.1 * BASE), sched.exponential_decay(BASE, 1, 0.9), sched.linear_schedule(0.5 * BASE, 0.1 * BASE, 12)]
    yield "join_optax", optax_(sched.join_schedules(three, [10, 30]))
    two = lambda o: [lr.ConstantLR(o, factor=0.1, total_iters=20), lr.ExponentialLR(o, gamma=0.9)]
    yield "join_pytorch", pytorch(lambda o: lr.SequentialLR(o, two(o), milestones=[20]))
    yield "multistep_pytorch", pytorch(lambda o: lr.MultiStepLR(o, milestones=[10, 25, 40], gamma=0.3))
    yield "multistep_optax", optax_(sched.piecewise_constant_schedule(BASE, {20: 0.5, 30: 0.5}))
    yield "natural_exponential", formula(lambda step: math.exp(-0.4 * step / 10))
    yield "natural_exponential_staircase", formula(lambda step: math.exp(-0.4 * (step // 10)))
    yield "one_cycle_cosine", pytorch(lambda o: lr.OneCycleLR(o, BASE, total_steps=60))
    linear = dict(anneal_strategy="linear", pct_start=0.25, div_factor=10.0, final_div_factor=100.0)
    yield "one_cycle_linear", pytorch(lambda o: lr.OneCycleLR(o, BASE, total_steps=60, **linear))
    yield "one_cycle_three_phase", pytorch(lambda o: lr.OneCycleLR(o, BASE, total_steps=60, three_phase=True))
    yield "cosine_onecycle_optax", optax_(sched.cosine_onecycle_schedule(50, BASE))
    yield "linear_onecycle_optax", optax_(sched.linear_onecycle_schedule(50, BASE))
    yield "piecewise_constant_keras", keras_(decay.PiecewiseConstantDecay([10, 30], [BASE, 0.5 * BASE, 0.1 * BASE]))
    for kind in ["linear", "cosine"]:
        yield f"piecewise_interpolate_{kind}", optax_(sched.piecewise_interpolate_schedule(kind, BASE, {15: 0.5, 40: 0.2}))
    yield "plateau_min", plateau(patience=3, factor=0.5, cooldown=2)
    yield "plateau_max", plateau(mode="max", patience=2, factor=0.3, threshold=0.02, min_lr=0.01)
    yield "plateau_absolute", plateau(patience=1, factor=0.7, threshold=0.05, threshold_mode="abs")
    yield "plateau_max_absolute", plateau(mode="max", patience=4, factor=0.5, threshold=0.01, threshold_mode="abs")
    yield "polynomial_pytorch", pytorch(lambda o: lr.PolynomialLR(o, total_iters=40, power=2.0))
    yield "polynomial_keras", keras_(decay.PolynomialDecay(BASE, 40, 0.1 * BASE, power=0.5))
    yield "polynomial_keras_cycle", keras_(decay.PolynomialDecay(BASE, 18, 0.1 * BASE, power=1.5, cycle=True))
    yield "polynomial_optax", optax_(sched.polynomial_schedule(BASE, 0.2 * BASE, 3.0, 40))
    stages = [sched.constant_schedule(BASE), sched.linear_schedule(BASE, 0.0, 20)]
    warm = lambda step: BASE * (step + 1) / 10
    yield "then", optax_(sched.join_schedules([warm, *stages], [10, 30]))
    chained = lambda o: lr.ChainedScheduler([lr.ConstantLR(o, factor=0.1, total_iters=5), lr.ExponentialLR(o, gamma=0.9)])
    yield "times_pytorch", pytorch(chained)
    yield "warmup_cosine_optax", optax_(sched.warmup_cosine_decay_schedule(0.1 * BASE, BASE, 10, 50, 0.05 * BASE, exponent=1.5))
    yield "warmup_cosine_keras", keras_(decay.CosineDecay(0.25 * BASE, 40, alpha=0.1, warmup_target=BASE, warmup_steps=12))
    warmed = sched.warmup_exponential_decay_schedule
    yield "warmup_exponential_optax", optax_(warmed(0.2 * BASE, BASE, 10, 9, 0.6))
    stairs = warmed(0.0, BASE, 10, 8, 0.5, transition_begin=4, staircase=True, end_value=0.1 * BASE)
    yield "warmup_exponential_optax_staircase", optax_(stairs)


with open("schedules.txt", "w") as file:
    for name, factors in schedules():
        file.write(" ".join([name, *(repr(float(factor)) for factor in factors)]) + "\n")
