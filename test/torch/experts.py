"""The experts of specs/std/experts and the layers beside them that have no counterpart in torch, from the formulas of their papers."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Weights:
    """Hands weights out in the order of their declaration."""

    def __init__(self, weights):
        self.rest = list(weights.values())

    def take(self, count=1):
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken[0] if count == 1 else taken

    def linear(self, x):
        W, b = self.take(2)
        return F.linear(x, W.T, b)

    def norm(self, x):
        gamma, beta = self.take(2)
        return F.layer_norm(x, gamma.shape, gamma, beta)

    def hidden(self, x):
        return F.silu(self.norm(self.linear(x)))


def raw_scale(inputs, weights):
    w = Weights(weights)
    x = torch.nan_to_num(inputs["x"], nan=0.0, posinf=0.0, neginf=0.0)
    return w.norm(w.linear(w.hidden(w.norm(torch.sign(x) * torch.log1p(x.abs())))))


def light_gcn(inputs, weights):
    w = Weights(weights)
    x = inputs["x"]
    e = w.norm(x)
    gate = torch.sigmoid(w.linear(e))
    return (x.abs().amax(1, keepdim=True) > 0) * w.norm(w.linear(w.hidden(e)) + gate * e)


def causal(inputs, weights, acyclic, sparse, fit):
    w = Weights(weights)
    z = torch.tanh(w.norm(w.linear(inputs["x"])))
    A_raw, gain = w.take(2)
    d = len(gain)
    A = A_raw.clamp(-1, 1) * (1 - torch.eye(d))
    parents = torch.einsum("bi,ij->bj", z, A)
    k = 2 ** math.ceil(math.log2(d))
    h = torch.trace(torch.matrix_power(torch.eye(d) + A * A / k, k)) - d
    misfit = z.detach() - z.detach() @ A
    return {
        "result": w.norm(w.linear(w.hidden(torch.cat([z, parents, gain * (z - parents)], 1)))),
        "result/y/structural/acyclicity": acyclic * h,
        "result/y/structural/sparsity": sparse * A.abs().sum(),
        "result/y/structural/fit": fit * misfit.square().mean(),
    }


def pers_lay(inputs, weights):
    w = Weights(weights)
    features, masks = [], []
    for name, degrees in [("short", [0, 1]), ("long", [0, 1, 2])]:
        diagram = inputs[name]
        mask = (diagram.abs().amax(2) > 0) * inputs.get(f"{name}_mask", 1.0)
        masks.append(mask.amax(1, keepdim=True))
        birth = diagram[..., 0].clamp(0, 1)
        death = torch.maximum(diagram[..., 1], birth).clamp(max=1)
        life = death - birth
        for degree in degrees:
            center, inverse_width, tent, C = w.take(4)
            points = torch.stack([birth, life], 2)[:, :, None]
            gaussian = torch.exp(-((points - center) * inverse_width.clamp(0.5, 64)).square().sum(-1))
            roof = F.relu(life[..., None] / 2 - (tent - (birth + death)[..., None] / 2).abs())
            weight = mask * (diagram[..., 2] == degree) * C.abs() * life
            total = torch.einsum("bn,bnq->bq", weight, torch.cat([gaussian, roof], 2))
            features.append(total / (1 + weight.sum(1, keepdim=True)))
    raw = w.linear(w.hidden(torch.cat([*features, w.norm(inputs["stats"])], 1)))
    fallback = w.linear(w.hidden(inputs["fallback"]))
    seen = torch.maximum(*masks)
    known = torch.maximum(seen, (inputs["fallback"].abs().amax(1, keepdim=True) > 0).double())
    return known * w.norm(seen * raw + (1 - seen) * fallback)


class Ball:
    """Points x of the ball of curvature -c, c |x|² < 1."""

    def __init__(self, c):
        self.c = torch.as_tensor(c)

    def size(self, x):
        return torch.sqrt(self.c * x.square().sum(-1, keepdim=True) + 1e-12)

    def exp(self, u):
        return torch.tanh(self.size(u)) / self.size(u) * u

    def log(self, x):
        t = self.size(x).clamp(max=1 - 4e-3)
        return torch.atanh(t) / t * x

    def project(self, x, room=4e-3):
        length = torch.sqrt(x.square().sum(-1, keepdim=True) + 1e-12)
        return x * ((1 - room) / torch.sqrt(self.c) / length).clamp(max=1)

    def add(self, x, y):
        xy, x2, y2 = (x * y).sum(-1, keepdim=True), x.square().sum(-1, keepdim=True), y.square().sum(-1, keepdim=True)
        above = (1 + 2 * self.c * xy + self.c * y2) * x + (1 - self.c * x2) * y
        return above / (1 + 2 * self.c * xy + self.c**2 * x2 * y2)

    def point(self, u):
        return self.project(self.exp(u), 5e-3)

    def linear(self, u, W, b):
        return self.project(self.add(self.point(u @ W), self.point(b)))


def unified_hgcn(inputs, weights, aggregate):
    w = Weights(weights)
    balls = [Ball(F.softplus(raw).clamp(1e-3, 10)) for raw in w.take(3)]
    flat = Ball(1.0)
    tangents = [flat.log(flat.project(x)) for name, x in inputs.items() if name != "merchant"] + [inputs["merchant"].clamp(-5, 5)]
    h = torch.stack([balls[0].linear(u, *w.take(2)) for u in tangents], 1)
    for here, there in zip(balls, balls[1:]):
        source, target, bias = w.take(3)
        x = here.linear(here.log(h), *w.take(2))
        t = here.log(x)
        A = F.softmax(F.leaky_relu((t @ target)[:, :, None] + (t @ source)[:, None] + bias, 0.2), 2)
        if aggregate == "tangent":
            s = A @ t
        else:
            factor = 2 / (1 - here.c * x.square().sum(-1, keepdim=True))
            middle = (A @ (factor * x)) / (A @ (factor - 1))
            s = 0.5 * here.log(here.project(middle))
        h = there.point(F.silu(s))
    y = w.norm(w.linear(w.hidden(balls[-1].log(h).flatten(1))))
    present = torch.cat(list(inputs.values()), 1).abs().amax(1, keepdim=True) > 0
    return present * y


def transport(C, log_a, log_b, eps, iterations):
    """The cost of entropic transport and its plan, for C [..., n, m]; gradients are the optimum's, by Danskin's theorem."""
    with torch.no_grad():
        f, g = torch.zeros_like(C[..., 0]), torch.zeros_like(C[..., 0, :])
        for _ in range(iterations):
            f = -eps * torch.logsumexp((g[..., None, :] - C) / eps + log_b[..., None, :], -1)
            g = -eps * torch.logsumexp((f[..., None] - C) / eps + log_a[..., None], -2)
        plan = torch.exp(log_a[..., None] + log_b[..., None, :] + (f[..., None] + g[..., None, :] - C) / eps)
    dual = (f * log_a.exp()).sum(-1) + (g * log_b.exp()).sum(-1)
    return dual + (plan * (C - C.detach())).sum((-1, -2)), plan


def optimal_transport(inputs, weights, eps, iterations, debias):
    w = Weights(weights)
    Y, logits = w.take(2)
    x = inputs["x"]
    prototypes, atoms, space = Y.shape
    X = w.norm(w.linear(x)).reshape(len(x), -1, space) / math.sqrt(space)
    log_a, log_b = F.log_softmax(w.linear(x), 1), F.log_softmax(logits, 1)

    def cost(P, Q):
        return (P[..., :, None, :] - Q[..., None, :, :]).square().sum(-1)

    W, plan = transport(cost(X[:, None], Y[None]), log_a[:, None].expand(-1, prototypes, -1), log_b[None].expand(len(x), -1, -1), eps, iterations)
    if debias:
        W = W - 0.5 * transport(cost(X, X), log_a, log_a, eps, iterations)[0][:, None] - 0.5 * transport(cost(Y, Y), log_b, log_b, eps, iterations)[0]
    shares = plan * F.softmax(-W, 1)[..., None, None] / (log_a.detach().exp() + 1e-6)[:, None, :, None]
    carried = torch.einsum("bkij,kjc->bic", shares, Y)
    return w.norm(w.linear(torch.cat([W, carried.flatten(1)], 1)))


def ltc_diag(inputs, weights):
    w = Weights(weights)
    x, mask, elapsed = inputs["x"], inputs["mask"], inputs["elapsed"]
    w_tau, A = w.take(2)
    rate = F.softplus(w_tau) + F.softplus(w.linear(x))
    target = A + torch.tanh(w.linear(x))
    gate = torch.sigmoid(w.linear(x))
    h, states = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        k = torch.exp(-(elapsed * mask)[:, t, None] * rate[:, t])
        h = k * h + (1 - k) * target[:, t]
        states.append(h)
    return w.norm(w.linear(gate * torch.stack(states, 1)))


def mamba2(inputs, weights, state, head):
    """One step after another, which the chunks of the original only compute faster."""
    gamma, W_in, K, b_conv, dt_bias, A_log, D, gamma_out, W_out = weights.values()
    x, mask = inputs["x"], inputs["mask"]
    B, T, d = x.shape
    inner, taps = gamma_out.shape[0], len(K)

    def rms(v, scale):
        return v * torch.rsqrt(v.square().mean(-1, keepdim=True) + 1e-5) * scale

    z, entry, step = (rms(x, gamma) @ W_in).split([inner, inner + 2 * state, inner // head], -1)
    conv = nn.functional.conv1d(F.pad((entry * mask[..., None]).transpose(1, 2), (taps - 1, 0)), K.T[:, None], b_conv, groups=K.shape[1])
    u, write, read = F.silu(conv.transpose(1, 2)).split([inner, state, state], -1)
    dt = F.softplus(step + dt_bias) * mask[..., None]
    values = u.reshape(B, T, inner // head, head)
    h, out = torch.zeros(B, inner // head, state, head), []
    for t in range(T):
        h = torch.exp(dt[:, t] * -torch.exp(A_log))[..., None, None] * h + torch.einsum("bn,bhp,bh->bhnp", write[:, t], values[:, t], dt[:, t])
        out.append(torch.einsum("bn,bhnp->bhp", read[:, t], h) + D[:, None] * values[:, t])
    y = torch.stack(out, 1).reshape(B, T, inner)
    return x + rms(y * F.silu(z), gamma_out) @ W_out


def hmm_projector(inputs, weights):
    w = Weights(weights)
    default, x = w.take(), inputs["x"]
    return torch.where(x.abs().amax(1, keepdim=True) > 0, w.hidden(x), default)


def auxiliary_projection(inputs, weights):
    w = Weights(weights)
    h, segment = inputs["h"], inputs["segment"][:, None]

    def project(x):
        return w.linear(F.silu(w.linear(x)))

    g = torch.sigmoid(project(torch.cat([h, F.one_hot(segment[:, 0], 3)], 1)))
    cold, anonymous = project(inputs["cold"]), project(inputs["anonymous"])
    return torch.where(segment == 2, h, g * h + (1 - g) * torch.where(segment == 1, cold, anonymous))


def personal_tower(inputs, weights):
    w = Weights(weights)
    x = inputs["x"]
    seen = torch.cat([inputs["prior"], x.detach()], 1)
    for _ in range(2):
        x = F.relu(w.linear(x))
        x = 2 * torch.sigmoid(w.linear(F.relu(w.linear(seen)))) * x
    return w.linear(x)
