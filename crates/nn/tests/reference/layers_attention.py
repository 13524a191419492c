"""Attention and transformers, from PyTorch; additive and dot attention from Keras. Rotary positions, sinusoids, ALiBi, buckets of distances
and mixtures of experts are short formulas here, written from the papers."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

from common import Store

import keras

keras.config.set_dtype_policy("float64")
# Keras would round products of float64 to float32.
keras.src.backend.numpy.matmul = torch.matmul

store = Store("layers_attention.safetensors")
positions = torch.arange


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def formula(key, shape, function):
    store.layer(key, Of(function), shape)


def causal(queries, keys):
    return torch.ones(queries, keys, dtype=torch.bool).tril()


# Scaled dot-product attention.

sdpa = F.scaled_dot_product_attention
holes = torch.tensor([[(i + j) != 2 and i < 2 for j in range(3)] for i in range(3)])


def slopes(heads):
    """As the code of the paper of ALiBi has it."""
    power = lambda n: [2 ** (-(2 ** -(math.log2(n) - 3)) * (i + 1)) for i in range(n)]
    if math.log2(heads).is_integer():
        return power(heads)
    closest = 2 ** math.floor(math.log2(heads))
    return power(closest) + slopes(2 * closest)[0::2][: heads - closest]


def alibi(heads, size):
    distance = (positions(size)[:, None] - positions(size)[None, :]).abs()
    return -torch.tensor(slopes(heads))[:, None, None] * distance


def hidden(mask):
    return torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)


def weights(q, k, v):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1)


def soft_cap(q, k, v):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return torch.softmax(0.7 * torch.tanh(scores / 0.7), -1) @ v


near = (positions(3)[:, None] - positions(3)[None, :]).abs() < 2
plain, grouped = (3, 1, 2, 3, 2), (3, 1, 4, 3, 2)
for name, shape, function in [
    ("plain", plain, lambda q, k, v: sdpa(q, k, v)),
    ("matrix", (3, 3, 4), lambda q, k, v: sdpa(q, k, v)),
    ("one_key", (3, 1, 2), lambda q, k, v: sdpa(q, k, v)),
    ("causal", plain, lambda q, k, v: sdpa(q, k, v, is_causal=True)),
    ("causal_long", plain, lambda q, k, v: sdpa(q, k[:, :, :2], v[:, :, :2], is_causal=True)),
    ("causal_short", plain, lambda q, k, v: sdpa(q[:, :, :2], k, v, is_causal=True)),
    ("scale", plain, lambda q, k, v: sdpa(q, k, v, scale=0.3)),
    ("added", plain, lambda q, k, v: sdpa(q, k, v, attn_mask=q[0, 0, :, 0])),
    ("masked", plain, lambda q, k, v: sdpa(q, k, v, attn_mask=holes)),
    ("masked_causal", plain, lambda q, k, v: sdpa(q, k, v, attn_mask=holes & causal(3, 3))),
    ("grouped", grouped, lambda q, k, v: sdpa(q, k[:, :2], v[:, :2], is_causal=True, enable_gqa=True)),
    ("one_for_all", grouped, lambda q, k, v: sdpa(q, k[:, :1], v[:, :1], enable_gqa=True)),
    ("window", plain, lambda q, k, v: sdpa(q, k, v, attn_mask=near & causal(3, 3))),
    ("window_both_sides", plain, lambda q, k, v: sdpa(q, k, v, attn_mask=near)),
    ("soft_cap", plain, soft_cap),
    ("alibi", grouped, lambda q, k, v: sdpa(q, k, v, attn_mask=alibi(4, 3) + hidden(causal(3, 3)))),
    ("weights", plain, weights),
    ("offset", plain, lambda q, k, v: sdpa(q[:, :, :1], k, v, attn_mask=torch.tensor([[True, True, False]]))),
]:
    formula(f"attention/{name}", shape, lambda x, function=function: function(x[0], x[1], x[2]))
formula("alibi/six_heads", (1, 6, 4, 2), lambda x: sdpa(x, x, x, attn_mask=alibi(6, 4)))


# Positions.


def rotary(x, places, theta=10000.0, interleaved=False):
    """(a + ib) e^(i p θ^(−2j / d)), with complex numbers."""
    d = x.shape[-1]
    angle = places[..., None] * theta ** (-2 * positions(d // 2) / d)
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., : d // 2], x[..., d // 2 :])
    z = torch.complex(a, b) * torch.exp(1j * angle)
    return torch.stack([z.real, z.imag], -1).flatten(-2) if interleaved else torch.cat([z.real, z.imag], -1)


shape = (2, 2, 3, 6)
formula("rotary_embedding/halves", shape, lambda x: rotary(x, positions(3.0)))
formula("rotary_embedding/interleaved", shape, lambda x: rotary(x, positions(3.0), interleaved=True))
formula("rotary_embedding/theta", shape, lambda x: rotary(x, positions(3.0), 500.0, True))
formula("rotary_embedding/part", shape, lambda x: torch.cat([rotary(x[..., :4], positions(3.0)), x[..., 4:]], -1))
formula("rotary_embedding/stretched", shape, lambda x: rotary(x, positions(3.0) / 2.5))


def llama3(x, factor, original, theta, low=1, high=4):
    """Pair by pair, as the code of Llama 3.1 has it."""
    d, halves = x.shape[-1], []
    for j in range(d // 2):
        speed = theta ** (-2 * j / d)
        length = 2 * math.pi / speed
        if length > original / low:
            speed = speed / factor
        elif length > original / high:
            smooth = (original / length - low) / (high - low)
            speed = (1 - smooth) * speed / factor + smooth * speed
        turn = torch.exp(1j * positions(float(x.shape[-2])) * speed)
        halves.append(torch.complex(x[..., j], x[..., j + d // 2]) * turn)
    z = torch.stack(halves, -1)
    return torch.cat([z.real, z.imag], -1)


formula("rotary_embedding/llama3", shape, lambda x: llama3(x, 8, 40, 50.0))
places = 5.0 + positions(2)[:, None] + positions(3)[None, :]
formula("rotary_embedding/placed", shape, lambda x: rotary(x, places[:, None], 100.0))


def sinusoids(places, d, theta=10000.0, halves=False):
    angle = places[..., None] * torch.exp(positions(0, d, 2) * (-math.log(theta) / d))
    table = torch.zeros(*places.shape, d)
    if halves:
        table[..., : (d + 1) // 2], table[..., (d + 1) // 2 :] = angle.sin(), angle[..., : d // 2].cos()
    else:
        table[..., 0::2], table[..., 1::2] = angle.sin(), angle[..., : d // 2].cos()
    return table


formula("sinusoidal_positions/in_turn", (2, 5, 6), lambda x: x + sinusoids(positions(5.0), 6))
formula("sinusoidal_positions/odd", (2, 3, 5), lambda x: x + sinusoids(positions(3.0), 5, 100.0))
formula("sinusoidal_positions/halves", (3, 4), lambda x: x + sinusoids(positions(3.0), 4, halves=True))
places = 7.0 + positions(2)[:, None] + positions(3)[None, :] * 0 + torch.zeros(2, 3)
formula("sinusoidal_positions/placed", (2, 3, 4), lambda x: x + sinusoids(places, 4))

store.layer("learned_positions/first", nn.Embedding(5, 3), (2, 4, 3), forward=lambda m, x: x + m(positions(4)))
store.layer("learned_positions/all", nn.Embedding(2, 3), (2, 3), forward=lambda m, x: x + m(positions(2)))
places = positions(2)[:, None] + positions(2)[None, :] * 2
store.layer("learned_positions/placed", nn.Embedding(4, 3), (2, 2, 3), forward=lambda m, x: x + m(places))


def buckets(relative, bidirectional, count, farthest):
    """The buckets of T5, as Mesh TensorFlow and Hugging Face have them."""
    first = torch.zeros_like(relative)
    if bidirectional:
        count //= 2
        first, relative = first + (relative > 0).long() * count, relative.abs()
    else:
        relative = -torch.minimum(relative, torch.zeros_like(relative))
    exact = count // 2
    far = exact + (torch.log(relative.float() / exact) / math.log(farthest / exact) * (count - exact)).long()
    return first + torch.where(relative < exact, relative, torch.clamp(far, max=count - 1))


def biased(bidirectional):
    places = buckets(positions(9)[None, :] - positions(9)[:, None], bidirectional, 8, 7)
    return lambda m, x: sdpa(x, x, x, attn_mask=m(places).permute(2, 0, 1)[None])


store.layer("relative_position_bias/both_sides", nn.Embedding(8, 2), (1, 2, 9, 2), forward=biased(True))
store.layer("relative_position_bias/causal", nn.Embedding(8, 2), (1, 2, 9, 2), forward=biased(False))


# Multi-head attention. True in its masks means hidden.


def heads(**options):
    return nn.MultiheadAttention(4, 2, batch_first=True, **options)


def attend(**options):
    return lambda m, x: m(x, x, x, need_weights=False, **options)[0]


def attention(name, module, shape=(2, 3, 4), forward=attend()):
    store.layer(f"multi_head_attention/{name}", module, shape, forward=forward)


ahead = ~causal(3, 3)
padding = torch.tensor([[False, False, True], [False, False, False]])
each_head = torch.tensor([[[(h + i + j) % 3 == 0 for j in range(3)] for i in range(3)] for h in range(4)])
attention("self", heads())
attention("one_token", heads(), (1, 1, 4))
attention("one_example", heads(), (3, 4))
attention("without_bias", heads(bias=False))
attention("cross", heads(), (2, 5, 4), lambda m, x: m(x[:, :2], x[:, 2:], x[:, 2:])[0])
attention("remembered", heads(), (2, 5, 4), lambda m, x: m(x[:, :2], x[:, 2:], x[:, 2:])[0])
attention("features_apart", heads(kdim=3, vdim=1), forward=lambda m, x: m(x, x[..., :3], x[..., 3:])[0])
attention("causal", heads(), forward=attend(attn_mask=ahead, is_causal=True))
attention("padding", heads(), forward=attend(key_padding_mask=padding))
attention("lengths", heads(), forward=attend(key_padding_mask=padding))
attention("mask", heads(), forward=attend(attn_mask=each_head[1], key_padding_mask=padding))
attention("mask_of_heads", heads(), forward=attend(attn_mask=each_head))
attention("mask_of_examples", heads(), forward=attend(attn_mask=each_head[1:3].repeat_interleave(2, 0)))
attention(
    "added",
    heads(),
    forward=lambda m, x: m(x, x, x, attn_mask=x[0, 0, :3].expand(3, 3), key_padding_mask=-0.5 * padding)[0],
)
attention("kv_bias", heads(add_bias_kv=True), forward=attend(attn_mask=ahead, key_padding_mask=padding))
attention("zero_attention", heads(add_bias_kv=True, add_zero_attn=True), forward=attend(attn_mask=each_head))


def with_weights(m, x):
    y, w = m(x, x, x, average_attn_weights=False)
    return torch.cat([y, w.transpose(1, 2).flatten(2)], -1)


attention("weights", heads(), forward=with_weights)
attention("mean_weights", heads(), forward=lambda m, x: torch.cat(m(x, x, x, attn_mask=ahead), -1))


class Grouped(nn.Module):
    """Attention with other numbers of features and heads, by the functions of PyTorch."""

    def __init__(self, features, heads, kv_heads, head, turn=None, bias=None):
        super().__init__()
        self.shape, self.turn, self.bias = (heads, kv_heads, head), turn, bias
        self.in_proj_weight = nn.Parameter(torch.empty((heads + 2 * kv_heads) * head, features))
        self.in_proj_bias = nn.Parameter(torch.empty((heads + 2 * kv_heads) * head))
        self.out_proj = nn.Linear(heads * head, features)

    def forward(self, x):
        heads, kv_heads, head = self.shape
        all = F.linear(x, self.in_proj_weight, self.in_proj_bias).unflatten(-1, (-1, head)).transpose(1, 2)
        q, k, v = all.split([heads, kv_heads, kv_heads], 1)
        if self.turn:
            q, k = self.turn(q), self.turn(k)
        y = sdpa(q, k, v, attn_mask=self.bias, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


store.layer("multi_head_attention/grouped", Grouped(8, 4, 2, 2, bias=causal(3, 3)), (2, 3, 8))
store.layer("multi_head_attention/head_features", Grouped(3, 2, 2, 4), (2, 2, 3))
turn = lambda x: rotary(x, positions(3.0))
store.layer("multi_head_attention/rotary", Grouped(4, 2, 2, 2, turn, causal(3, 3)), (2, 3, 4))
store.layer("multi_head_attention/alibi", Grouped(4, 2, 2, 2, bias=alibi(2, 3) + hidden(causal(3, 3))), (2, 3, 4))
store.layer("kv_cache/two_steps", heads(), (2, 3, 4), forward=attend(attn_mask=ahead, is_causal=True))


# Additive and dot attention, of Keras.


class OfKeras(nn.Module):
    """A layer of Keras with its weights as parameters of PyTorch."""

    def __init__(self, layer, shapes):
        super().__init__()
        layer.build(shapes)
        self.layer = layer
        self.own = nn.ParameterDict({w.name: nn.Parameter(torch.zeros(tuple(w.shape))) for w in layer.weights})

    def named_parameters(self, *args, **kwargs):
        return self.own.named_parameters()

    def state_dict(self, *args, **kwargs):
        return dict(self.own.named_parameters())

    def parameters(self, recurse=True):
        return self.own.parameters()

    def forward(self, inputs, **options):
        values = [self.own[w.name] for w in self.layer.weights]
        return self.layer.stateless_call(values, [], inputs, **options)[0]


def of_keras(key, layer, forward=None, **options):
    module = OfKeras(layer, [(2, 3, 4)] * 3)
    forward = forward or (lambda m, x: m([x, x, x], **options))
    store.layer(key, module, (2, 3, 4), forward=forward)


def padded(values):
    def forward(m, x):
        y, w = m([x[:, :2], values(x), x], mask=[None, ~padding], return_attention_scores=True)
        return torch.cat([y, w], -1)

    return forward


layers = keras.layers
of_keras("additive_attention/self", layers.AdditiveAttention())
of_keras("additive_attention/without_scale", layers.AdditiveAttention(use_scale=False))
of_keras("additive_attention/causal", layers.AdditiveAttention(), use_causal_mask=True)
of_keras("additive_attention/padded", layers.AdditiveAttention(), padded(lambda x: x))
of_keras("dot_attention/plain", layers.Attention())
of_keras("dot_attention/scale", layers.Attention(use_scale=True), use_causal_mask=True)
of_keras("dot_attention/concatenated", layers.Attention(use_scale=True, score_mode="concat"))
of_keras("dot_attention/padded", layers.Attention(), padded(lambda x: x[..., :1]))


# Transformers.

options = dict(dim_feedforward=3, dropout=0.0, batch_first=True)


def layer(name, module, shape=(2, 3, 4), forward=None):
    store.layer(f"transformer/{name}", module, shape, forward=forward)


new = lambda **more: nn.TransformerEncoderLayer(4, 2, **options, **more)
layer("encoder_layer", new())
layer("encoder_layer_gelu", new(norm_first=True, activation="gelu"))
layer("encoder_layer_without_bias", new(bias=False, layer_norm_eps=1e-3))
hide = dict(src_mask=ahead, src_key_padding_mask=padding)
layer("encoder_layer_padded", new(), forward=lambda m, x: m(x, **hide))
stack = nn.TransformerEncoder(new(norm_first=True), 2, nn.LayerNorm(4), enable_nested_tensor=False)
layer("encoder", stack, forward=lambda m, x: m(x, mask=ahead))

new = lambda **more: nn.TransformerDecoderLayer(4, 2, **options, **more)
seen = torch.tensor([[False, True], [False, False]])
decode = lambda m, x: m(x[:, :3], x[:, 3:], tgt_mask=ahead, memory_key_padding_mask=seen)
layer("decoder_layer", new(), (2, 5, 4), decode)
layer("decoder_layer_norm_first", new(norm_first=True, activation="gelu"), (2, 5, 4), decode)
stack = nn.TransformerDecoder(new(norm_first=True, bias=False), 1, nn.LayerNorm(4, bias=False))
layer("decoder", stack, (2, 5, 4), lambda m, x: m(x[:, :3], x[:, 3:]))

whole = nn.Transformer(4, 2, 1, 1, 3, 0.0, layer_norm_eps=1e-4, batch_first=True, bias=False)
padded_source = dict(src_key_padding_mask=padding, memory_key_padding_mask=padding)
layer("whole", whole, (2, 5, 4), lambda m, x: m(x[:, :3], x[:, 3:], tgt_mask=~causal(2, 2), **padded_source))


# Feed-forward blocks and mixtures.


class Gated(nn.Module):
    def __init__(self, activation, features=3, hidden=4):
        super().__init__()
        self.w1 = nn.Linear(features, hidden, bias=False)
        self.w2 = nn.Linear(hidden, features, bias=False)
        self.w3 = nn.Linear(features, hidden, bias=False)
        self.activation = activation

    def forward(self, x):
        return self.w2(self.activation(self.w1(x)) * self.w3(x))


store.layer("gated_feed_forward/swiglu", Gated(F.silu), (2, 2, 3))
store.layer("gated_feed_forward/geglu", Gated(F.gelu), (2, 3))
store.layer("gated_feed_forward/reglu", Gated(F.relu), (2, 3))
store.layer("gated_feed_forward/glu", Gated(F.sigmoid), (1, 3))
store.layer("gated_feed_forward/bilinear", Gated(lambda x: x), (3,))


class Mixture(nn.Module):
    """Token by token, expert by expert."""

    def __init__(self, experts, k, divide, balanced=True):
        super().__init__()
        self.gate = nn.Linear(3, len(experts), bias=False)
        self.experts = nn.ModuleList(experts)
        self.k, self.divide, self.balanced = k, divide, balanced

    def forward(self, x):
        tokens = x.reshape(-1, 3)
        probabilities = F.softmax(self.gate(tokens), -1)
        outputs, counts = [], torch.zeros(len(self.experts))
        for token, probability in zip(tokens, probabilities):
            value, index = probability.topk(self.k)
            value = value / value.sum() if self.divide else value
            outputs.append(sum(v * self.experts[i](token) for v, i in zip(value, index)))
            counts[index] += 1
        y = torch.stack(outputs).reshape(*x.shape[:-1], -1)
        share = counts / counts.sum()
        return y + len(self.experts) * (share * probabilities.mean(0)).sum() if self.balanced else y


lines = lambda count: [nn.Linear(3, 2) for _ in range(count)]
store.layer("mixture_of_experts/two_of_three", Mixture(lines(3), 2, True), (3, 4, 3))
store.layer("mixture_of_experts/switch", Mixture(lines(2), 1, False), (3, 4, 3))
store.layer("mixture_of_experts/all", Mixture(lines(3), 3, True), (3, 4, 3))
gated = [Gated(F.silu, 3, 2) for _ in range(2)]
store.layer("mixture_of_experts/gated", Mixture(gated, 2, False, balanced=False), (4, 3))

store.save()
