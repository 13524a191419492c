"""Recurrent layers, from PyTorch; ConvLSTM from Keras, whose weights are turned into PyTorch's order of axes."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import Store

import keras

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
# Its own casts float64 to float32 and back.
keras.src.layers.rnn.gru.ops.matmul = torch.matmul
store = Store("layers_recurrent.safetensors")


def packed(module, x, lengths, state=None):
    """Outputs, padded with zeros, and states, of sequences of these lengths."""
    sequences = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    y, state = module(sequences, state)
    return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], state


def flat(*parts):
    return torch.cat([part.reshape(-1) for part in parts])


def sequence(module, x):
    return module(x)[0]


def last(module, x):
    """The last outputs of both directions."""
    y = module(x)[0]
    half = y.shape[-1] // 2
    return torch.cat([y[:, -1, :half], y[:, 0, half:]], -1)


first = dict(batch_first=True)
both = dict(first, bidirectional=True)
deep = dict(both, num_layers=2)

# Simple networks.
twice = lambda cell, x: cell(x, cell(x))
store.layer("rnn/cell", nn.RNNCell(3, 2), (4, 3), forward=twice)
store.layer("rnn/tanh", nn.RNN(3, 2, **first), (2, 4, 3), forward=sequence)
store.layer("rnn/relu", nn.RNN(3, 2, nonlinearity="relu", **first), (2, 4, 3), forward=sequence)
store.layer("rnn/without_bias", nn.RNN(3, 2, bias=False, **first), (2, 4, 3), forward=sequence)
store.layer("rnn/deep", nn.RNN(3, 2, num_layers=2, **first), (2, 4, 3), forward=sequence)
store.layer("rnn/both_ways", nn.RNN(3, 2, **both), (2, 4, 3), forward=sequence)
store.layer("rnn/last_only", nn.RNN(3, 2, **both), (2, 4, 3), forward=last)
store.layer("rnn/small", nn.RNN(1, 1, **first), (1, 2, 1), forward=sequence)

# Gated recurrent units.
store.layer("gru/cell", nn.GRUCell(3, 2), (4, 3), forward=twice)
store.layer("gru/plain", nn.GRU(3, 2, **first), (2, 4, 3), forward=sequence)
store.layer("gru/without_bias", nn.GRU(3, 2, bias=False, **first), (2, 4, 3), forward=sequence)
store.layer("gru/deep", nn.GRU(3, 2, num_layers=2, **first), (2, 4, 3), forward=sequence)
store.layer("gru/both_ways", nn.GRU(3, 2, **both), (2, 4, 3), forward=sequence)
store.layer("gru/deep_both_ways", nn.GRU(3, 2, **deep), (2, 4, 3), forward=sequence)
store.layer("gru/time_first", nn.GRU(3, 2), (4, 2, 3), forward=sequence)
store.layer("gru/one_sequence", nn.GRU(3, 2), (4, 3), forward=sequence)
store.layer("gru/small", nn.GRU(1, 1, **first), (1, 2, 1), forward=sequence)


def gru_lengths(module, x):
    y, h = packed(module, x, [2, 4, 1])
    return flat(y, h)


store.layer("gru/lengths", nn.GRU(3, 2, **deep), (3, 4, 3), forward=gru_lengths)


class KerasGru(nn.Module):
    """Keras's GRU with reset_after=False, which has one bias and its gates in the order z, r, n."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.hidden = hidden
        self.weight_ih_l0 = nn.Parameter(torch.zeros(3 * hidden, inputs))
        self.weight_hh_l0 = nn.Parameter(torch.zeros(3 * hidden, hidden))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden))

    def forward(self, x):
        layer = keras.layers.GRU(self.hidden, reset_after=False, return_sequences=True)
        layer.build(x.shape)
        turned = lambda rows: torch.cat([rows[i * self.hidden : (i + 1) * self.hidden] for i in (1, 0, 2)])
        weights = [turned(self.weight_ih_l0).T, turned(self.weight_hh_l0).T, turned(self.bias_ih_l0 + self.bias_hh_l0)]
        return stateless(layer, weights, x)


def stateless(layer, weights, x):
    """A Keras layer as a function of its weights, so that gradients reach them."""
    others = [variable.value for variable in layer.non_trainable_variables]
    return layer.stateless_call(weights, others, x)[0]


store.layer("gru/reset_before", KerasGru(3, 2), (2, 4, 3))


# Long short-term memory.
def lstm_twice(cell, x):
    y, c = cell(x)
    return cell(x, (y, c))[0] + y * c


def lstm_lengths(module, x):
    y, (h, c) = packed(module, x, [2, 4, 1])
    return flat(y, h, c)


def lstm_states(module, x):
    given = x[:, :2].transpose(0, 1)
    y, (h, c) = packed(module, x, [3, 1], (given[..., :1].contiguous(), given[..., 1:].contiguous() * 2))
    return flat(y, h, c)


store.layer("lstm/cell", nn.LSTMCell(3, 2), (4, 3), forward=lstm_twice)
store.layer("lstm/plain", nn.LSTM(3, 2, **first), (2, 4, 3), forward=sequence)
store.layer("lstm/without_bias", nn.LSTM(3, 2, bias=False, **first), (2, 4, 3), forward=sequence)
store.layer("lstm/deep", nn.LSTM(3, 2, num_layers=2, **first), (2, 4, 3), forward=sequence)
store.layer("lstm/both_ways", nn.LSTM(3, 2, **both), (2, 4, 3), forward=sequence)
store.layer("lstm/deep_both_ways", nn.LSTM(3, 2, **deep), (2, 4, 3), forward=sequence)
store.layer("lstm/deep_both_ways_bare", nn.LSTM(3, 2, bias=False, **deep), (2, 4, 3), forward=sequence)
store.layer("lstm/last_only", nn.LSTM(3, 2, **deep), (2, 4, 3), forward=last)
store.layer("lstm/projection", nn.LSTM(3, 3, proj_size=2, **first), (2, 4, 3), forward=sequence)
store.layer("lstm/deep_projection", nn.LSTM(3, 2, proj_size=1, **deep), (2, 4, 3), forward=sequence)
store.layer("lstm/time_first", nn.LSTM(3, 2), (4, 2, 3), forward=sequence)
store.layer("lstm/one_sequence", nn.LSTM(3, 2, bidirectional=True), (4, 3), forward=sequence)
store.layer("lstm/small", nn.LSTM(1, 1, **first), (1, 2, 1), forward=sequence)
store.layer("lstm/lengths", nn.LSTM(3, 2, **deep), (3, 4, 3), forward=lstm_lengths)
store.layer("lstm/states", nn.LSTM(3, 2, proj_size=1, **both), (2, 3, 3), forward=lstm_states)


# A cell over time; PyTorch has such loops in layers with names of their own.
class Cells(nn.Module):
    """Cells one above another, step by step: their parameters are `cell.…`, or `cell.0.…` where there are several."""

    def __init__(self, *cells, backwards=False, last_only=False, lengths=None):
        super().__init__()
        self.cell = cells[0] if len(cells) == 1 else nn.ModuleList(cells)
        self.backwards, self.last_only, self.lengths = backwards, last_only, lengths

    def forward(self, x):
        cells = list(self.cell) if isinstance(self.cell, nn.ModuleList) else [self.cell]
        rows = []
        for n, row in enumerate(x):
            steps = range(self.lengths[n] if self.lengths else len(row))
            outputs, states = [torch.zeros(cells[-1].hidden_size)] * len(row), [None] * len(cells)
            for t in reversed(steps) if self.backwards else steps:
                y = row[t]
                for i, cell in enumerate(cells):
                    states[i] = cell(y, states[i])
                    y = states[i][0] if isinstance(states[i], tuple) else states[i]
                outputs[t] = y
            rows.append(outputs[0 if self.backwards else -1] if self.last_only else torch.stack(outputs))
        return torch.stack(rows)


store.layer("recurrent/forward", Cells(nn.GRUCell(3, 2)), (2, 4, 3))
store.layer("recurrent/reversed", Cells(nn.GRUCell(3, 2), backwards=True), (2, 4, 3))
store.layer("recurrent/last_only", Cells(nn.GRUCell(3, 2), last_only=True), (2, 4, 3))
store.layer("recurrent/last_reversed", Cells(nn.GRUCell(3, 2), backwards=True, last_only=True), (2, 4, 3))
store.layer("recurrent/stacked_cells", Cells(nn.LSTMCell(3, 2), nn.RNNCell(2, 3, bias=False)), (2, 4, 3))
store.layer("recurrent/lengths", Cells(nn.GRUCell(3, 2), backwards=True, lengths=[2, 4]), (2, 4, 3))


class Both(nn.Module):
    def __init__(self, merge):
        super().__init__()
        self.ahead, self.back, self.merge = nn.GRU(3, 2, **first), nn.LSTM(3, 2, **first), merge

    def forward(self, x):
        return self.merge(self.ahead(x)[0], self.back(x.flip(1))[0].flip(1))


class BothWithLengths(Both):
    def forward(self, x):
        lengths = [3, 2]
        turned = torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(x, lengths)])
        ahead, h = packed(self.ahead, x, lengths)
        back, (_, c) = packed(self.back, turned, lengths)
        back = torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(back, lengths)])
        return flat(torch.cat([ahead, back], -1), h, c)


names = {
    f"{theirs}.{part}_l0": f"{ours}.{part}"
    for theirs, ours in [("ahead", "forward"), ("back", "backward")]
    for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
}
concat = lambda a, b: torch.cat([a, b], -1)
store.layer("bidirectional/concat", Both(concat), (2, 4, 3), names=names)
store.layer("bidirectional/sum", Both(torch.add), (2, 4, 3), names=names)
store.layer("bidirectional/multiply", Both(torch.mul), (2, 4, 3), names=names)
store.layer("bidirectional/average", Both(lambda a, b: (a + b) / 2), (2, 4, 3), names=names)
store.layer("bidirectional/last_only", Both(lambda a, b: torch.cat([a[:, -1], b[:, 0]], -1)), (2, 4, 3), names=names)
store.layer("bidirectional/lengths", BothWithLengths(concat), (2, 4, 3), names=names)


def at_each_step(module, x):
    y = module.layer(x.flatten(0, 1))
    return y.unflatten(0, x.shape[:2])


class Layer(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer


store.layer("time_distributed/dense", Layer(nn.Linear(3, 2)), (2, 4, 3), forward=at_each_step)
store.layer("time_distributed/conv", Layer(nn.Conv1d(2, 3, 2)), (2, 3, 2, 4), forward=at_each_step)
store.layer("time_distributed/one_step", Layer(nn.Linear(1, 2)), (1, 1, 1), forward=at_each_step)


class KerasConvLstm(nn.Module):
    """Keras's, channels first, as a function of weights in PyTorch's order of axes."""

    def __init__(self, axes, inputs, hidden, kernel, bias=True, **options):
        super().__init__()
        kernel = kernel if isinstance(kernel, tuple) else (kernel,) * axes
        self.input, self.state = nn.Module(), nn.Module()
        self.input.weight = nn.Parameter(torch.zeros(4 * hidden, inputs, *kernel))
        if bias:
            self.input.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.state.weight = nn.Parameter(torch.zeros(4 * hidden, hidden, *kernel))
        kind = getattr(keras.layers, f"ConvLSTM{axes}D")
        self.options = dict(filters=hidden, kernel_size=kernel, use_bias=bias, data_format="channels_first", **options)
        self.kind, self.bias = kind, bias

    def forward(self, x):
        layer = self.kind(**self.options)
        layer.build(x.shape)
        # [out, in, kernel…] becomes [kernel…, in, out].
        turned = lambda weight: weight.permute(*range(2, weight.dim()), 1, 0)
        weights = [turned(self.input.weight), turned(self.state.weight)] + ([self.input.bias] if self.bias else [])
        return stateless(layer, weights, x)


names = {"state.weight": "hidden.weight"}
every = dict(return_sequences=True)
store.layer("conv_lstm/images", KerasConvLstm(2, 2, 2, 3, padding="same", **every), (2, 3, 2, 3, 4), names=names)
store.layer("conv_lstm/strided", KerasConvLstm(2, 2, 2, (3, 2), strides=(2, 1), **every), (1, 2, 2, 5, 3), names=names)
store.layer("conv_lstm/last_only", KerasConvLstm(1, 2, 1, 3), (2, 3, 2, 5), names=names)
store.layer("conv_lstm/volumes", KerasConvLstm(3, 1, 1, 2, **every), (1, 2, 1, 3, 2, 2), names=names)
store.layer("conv_lstm/without_bias", KerasConvLstm(1, 1, 2, 3, bias=False, **every), (1, 3, 1, 4), names=names)

store.save()
