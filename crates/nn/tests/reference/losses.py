"""Writes losses.txt, from PyTorch in float64: `python losses.py` in this directory.

A row: name  loss  d loss / d prediction …
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def row(*items):
    return " ".join(item if isinstance(item, str) else repr(float(item.detach() if hasattr(item, "detach") else item)) for item in items) + "\n"


def losses():
    elementwise = [[0.5, -1.0], [2.0, 0.25], [-3.0, 1.5]], [[1.0, 0.0], [2.5, -0.25], [1.0, -1.0]]
    logits = [[0.5, -1.0], [40.0, 0.25], [-30.0, 1.5]]
    soft = [[1.0, 0.0], [1.0, 0.5], [1.0, 0.0]]
    hard = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    classes = [[0.5, -1.0, 2.0], [100.0, 0.25, -7.0], [-3.0, 1.5, 1.5], [0.0, 0.0, 0.0]]
    labels = torch.tensor([2, 0, 0, 1])
    shares = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.1, 0.8, 0.1]])
    positive = torch.tensor(3.0)
    yield "mse", nn.MSELoss(), *map(torch.tensor, elementwise)
    yield "mae", nn.L1Loss(), *map(torch.tensor, elementwise)
    yield "bce", nn.BCEWithLogitsLoss(), torch.tensor(logits), torch.tensor(soft)
    yield "bce_labels", nn.BCEWithLogitsLoss(), torch.tensor(logits), torch.tensor(hard)
    yield "bce_positive_weight", nn.BCEWithLogitsLoss(pos_weight=positive), torch.tensor(logits), torch.tensor(soft)
    yield "cross_entropy", nn.CrossEntropyLoss(), torch.tensor(classes), labels
    yield "cross_entropy_smoothing", nn.CrossEntropyLoss(label_smoothing=0.1), torch.tensor(classes), labels
    yield "cross_entropy_probabilities", nn.CrossEntropyLoss(), torch.tensor(classes), shares
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.3)
    yield "cross_entropy_probabilities_smoothing", smoothed, torch.tensor(classes), shares


with open("losses.txt", "w") as file:
    for name, loss, prediction, target in losses():
        prediction.requires_grad_()
        value = loss(prediction, target)
        value.backward()
        file.write(row(name, value, *prediction.grad.flatten()))
