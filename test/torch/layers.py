"""Layers of specs/std that torch has too, or that a few lines of it give."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def linear(inputs, weights):
    W, b = weights.values()
    return F.linear(inputs["x"], W.T, b)


def layer_norm(inputs, weights):
    gamma, beta = weights.values()
    return F.layer_norm(inputs["x"], gamma.shape, gamma, beta)


def rms_norm(inputs, weights):
    (gamma,) = weights.values()
    x = inputs["x"]
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * gamma


def elementwise(inputs, weights):
    x = inputs["x"]
    return {
        "silu": F.silu(x),
        "leaky": F.leaky_relu(x, 0.2),
        "softplus": -F.logsigmoid(-x),
        "sigmoid": torch.sigmoid(x),
        "symlog": torch.sign(x) * torch.log1p(x.abs()),
        "unit": F.normalize(x, dim=-1),
        "lse": torch.logsumexp(x, -1),
        "softmax": F.softmax(x, -1),
        "log_softmax": F.log_softmax(x, -1),
        "running": torch.cumsum(x, 1),
    }


def embedding(inputs, weights):
    (table,) = weights.values()
    return F.embedding(inputs["ids"], table)


def mlp(inputs, weights):
    W1, b1, gamma, beta, W2, b2 = weights.values()
    hidden = F.silu(F.layer_norm(F.linear(inputs["x"], W1.T, b1), gamma.shape, gamma, beta))
    return F.linear(hidden, W2.T, b2)


def causal_conv(inputs, weights):
    K, b = weights.values()
    taps, n = K.shape
    steps_last = F.pad(inputs["x"].transpose(1, 2), (taps - 1, 0))
    return F.conv1d(steps_last, K.T[:, None], b, groups=n).transpose(1, 2)


def attention_of(width, heads, weights):
    """A torch module with the projections of the library, which come as (W, b) of q, k, v and the output."""
    Wq, bq, Wk, bk, Wv, bv, Wo, bo = weights
    module = nn.MultiheadAttention(width, heads, batch_first=True)
    put(module, {
        "in_proj_weight": torch.cat([Wq.T, Wk.T, Wv.T]),
        "in_proj_bias": torch.cat([bq, bk, bv]),
        "out_proj.weight": Wo.T,
        "out_proj.bias": bo,
    })
    return module


def put(module, tensors):
    """Sets parameters to expressions, through which gradients pass to the tensors that they are made of."""
    for path, value in tensors.items():
        *parents, name = path.split(".")
        owner = module
        for parent in parents:
            owner = getattr(owner, parent)
        del owner._parameters[name]
        setattr(owner, name, value)


def self_attention(inputs, weights, heads):
    x, mask = inputs["x"], inputs["mask"]
    module = attention_of(x.shape[-1], heads, list(weights.values()))
    return module(x, x, x, key_padding_mask=mask == 0, need_weights=True)[0]


def transformer(inputs, weights, layers, heads, hidden):
    position, *rest = weights.values()
    x, mask = inputs["x"], inputs["mask"]
    d = x.shape[-1]
    h = x + position
    for i in range(layers):
        norm1, norm2 = rest[16 * i : 16 * i + 2], rest[16 * i + 10 : 16 * i + 12]
        W1, b1, W2, b2 = rest[16 * i + 12 : 16 * i + 16]
        layer = nn.TransformerEncoderLayer(d, heads, hidden, dropout=0, activation=F.silu, batch_first=True, norm_first=True)
        layer.self_attn = attention_of(d, heads, rest[16 * i + 2 : 16 * i + 10])
        put(layer, {
            "norm1.weight": norm1[0], "norm1.bias": norm1[1], "norm2.weight": norm2[0], "norm2.bias": norm2[1],
            "linear1.weight": W1.T, "linear1.bias": b1, "linear2.weight": W2.T, "linear2.bias": b2,
        })
        layer.train()
        h = layer(h, src_key_padding_mask=mask == 0)
    gamma, beta = rest[16 * layers :]
    return F.layer_norm(h, (d,), gamma, beta)


def gru(inputs, weights):
    Wi, bi, Wh, bh = weights.values()
    x = inputs["x"]
    start = torch.zeros(1, len(x), len(Wh))
    return torch.gru(x, start, (Wi.T, Wh.T, bi, bh), True, 1, 0.0, False, False, True)[0]


def lstm(inputs, weights):
    Wi, bi, Wh, bh = weights.values()
    x = inputs["x"]
    start = torch.zeros(1, len(x), len(Wh))
    return torch.lstm(x, (start, start), (Wi.T, Wh.T, bi, bh), True, 1, 0.0, False, False, True)[0]


def cfc(inputs, weights):
    """The cell of ncps in its default mode, step by step."""
    Wb, bb, W, b = weights.values()
    x, mask, elapsed = inputs["x"], inputs["mask"], inputs["elapsed"]
    W1, W2, Wa, Wt = W.chunk(4, 1)
    b1, b2, ba, bt = b.chunk(4)
    h = torch.zeros(len(x), W1.shape[1])
    states = []
    for t in range(x.shape[1]):
        q = 1.7159 * torch.tanh(0.666 * (torch.cat([x[:, t], h], 1) @ Wb + bb))
        f1, f2 = torch.tanh(q @ W1 + b1), torch.tanh(q @ W2 + b2)
        s = torch.sigmoid((q @ Wa + ba) * elapsed[:, t, None] + q @ Wt + bt)
        h = torch.where(mask[:, t, None] > 0, f1 * (1 - s) + s * f2, h)
        states.append(h)
    return torch.stack(states, 1)


def mamba(inputs, weights, state, rank):
    """The block of mamba-minimal, with the selective scan as a loop."""
    gamma, W_in, K, b_conv, W_x, W_dt, b_dt, A_log, D, W_out = weights.values()
    x, mask = inputs["x"], inputs["mask"]
    normed = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * gamma
    entry, z = (normed @ W_in).chunk(2, -1)
    u = F.silu(causal_conv({"x": entry * mask[..., None]}, {"K": K, "b": b_conv}))
    r, write, read = (u @ W_x).split([rank, state, state], -1)
    dt = F.softplus(r @ W_dt + b_dt) * mask[..., None]
    A = -torch.exp(A_log)
    h = torch.zeros(len(x), *A.shape)
    out = []
    for t in range(x.shape[1]):
        h = torch.exp(dt[:, t, :, None] * A) * h + torch.einsum("bi,bn->bin", dt[:, t] * u[:, t], write[:, t])
        out.append(torch.einsum("bin,bn->bi", h, read[:, t]) + D * u[:, t])
    return x + (torch.stack(out, 1) * F.silu(z)) @ W_out


def cross_net(inputs, weights):
    x = inputs["x"]
    h = x
    for W, b in zip(list(weights.values())[::2], list(weights.values())[1::2]):
        h = x * F.linear(h, W.T, b) + h
    return h


def weighted_sum(inputs, weights):
    (W,) = weights.values()
    attention = F.softmax(inputs["x"] @ W, -1)
    return torch.einsum("be,ebd->bd", attention, torch.stack([inputs["a"], inputs["b"]]))


def block_scale(inputs, weights):
    W, b = weights.values()
    attention = F.softmax(F.linear(inputs["x"], W.T, b), -1)
    return torch.cat([inputs["a"] * attention[:, :1], inputs["c"] * attention[:, 1:]], 1)


def cluster_task_expert(inputs, weights):
    Wt, bt, W1, b1, W2, b2 = weights.values()
    trunk = F.silu(F.linear(inputs["x"], Wt.T, bt))
    hidden = F.silu(torch.einsum("bi,cih->cbh", trunk, W1) + b1[:, None])
    return torch.einsum("bc,cbo->bo", inputs["p"], torch.baddbmm(b2[:, None], hidden, W2))
