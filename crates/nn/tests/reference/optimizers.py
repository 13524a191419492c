"""Writes optimizers.txt, from PyTorch in float64: `python optimizers.py` in this directory.

A row: name  step  w[0] w[1] b            (20 steps on the function `objective`)
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def row(*items):
    return " ".join(item if isinstance(item, str) else repr(float(item.detach() if hasattr(item, "detach") else item)) for item in items) + "\n"


def objective(w, b):
    return w[0] ** 2 + 3 * w[1] ** 2 + w[0] * w[1] + 0.1 * (b - 2) ** 4 + torch.sin(w[0] * b)


def optimizers():
    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
    unclipped = lambda parameters: None
    by_norm = lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.5)
    by_value = lambda parameters: nn.utils.clip_grad_value_(parameters, 0.25)
    yield "sgd", lambda p: sgd(p, lr=0.1), unclipped
    yield "sgd_momentum_decay", lambda p: sgd(p, lr=0.05, momentum=0.9, weight_decay=0.1), unclipped
    yield "sgd_nesterov", lambda p: sgd(p, lr=0.05, momentum=0.8, nesterov=True), unclipped
    yield "sgd_clip_global_norm", lambda p: sgd(p, lr=0.1), by_norm
    yield "sgd_clip_by_value", lambda p: sgd(p, lr=0.1), by_value
    yield "adam", lambda p: adam(p, lr=0.1), unclipped
    tuned = dict(lr=0.05, betas=(0.8, 0.95), eps=1e-6)
    yield "adam_betas_decay", lambda p: adam(p, **tuned, weight_decay=0.1), unclipped
    yield "adamw", lambda p: adamw(p, lr=0.1), unclipped
    yield "adamw_betas_decay", lambda p: adamw(p, **tuned, weight_decay=0.3), unclipped


with open("optimizers.txt", "w") as file:
    for name, make, clip in optimizers():
        w = torch.tensor([1.5, -2.0], requires_grad=True)
        b = torch.tensor(0.5, requires_grad=True)
        optimizer = make([w, b])
        for step in range(1, 21):
            optimizer.zero_grad()
            objective(w, b).backward()
            clip([w, b])
            optimizer.step()
            file.write(row(name, str(step), *w, b))
