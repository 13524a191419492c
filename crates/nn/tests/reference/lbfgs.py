"""Writes lbfgs.txt, from PyTorch in float64: `python lbfgs.py` in this directory.

A row: name  call  x y            (calls of step on Rosenbrock's function)
"""

import torch

torch.set_default_dtype(torch.float64)


def rosenbrock(w):
    return 100 * (w[1] - w[0] ** 2) ** 2 + (w[0] - 1) ** 2


CASES = {
    "wolfe": (25, dict(max_iter=1, max_eval=40, line_search_fn="strong_wolfe")),
    "wolfe_short": (12, dict(max_iter=2, max_eval=40, history_size=2, lr=0.5, line_search_fn="strong_wolfe")),
    "fixed": (8, dict(max_iter=3, max_eval=40, lr=0.05)),
}

with open("lbfgs.txt", "w") as file:
    for name, (calls, settings) in CASES.items():
        w = torch.tensor([-1.2, 1.0], requires_grad=True)
        optimizer = torch.optim.LBFGS([w], **settings)

        def closure():
            optimizer.zero_grad()
            loss = rosenbrock(w)
            loss.backward()
            return loss

        for call in range(1, calls + 1):
            optimizer.step(closure)
            file.write(f"{name} {call} {float(w[0].detach())!r} {float(w[1].detach())!r}\n")
