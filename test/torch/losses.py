"""The losses of specs/std/losses.ple and of evidential learning, from their definitions and with what torch has of them."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Dirichlet, StudentT, kl_divergence


def bce(inputs, weights):
    z, y = inputs["z"], inputs["y"]
    known = y >= 0
    target = torch.where(known, y, torch.zeros_like(y))
    return torch.where(known, F.binary_cross_entropy_with_logits(z, target, reduction="none"), torch.zeros_like(z))


def focal(inputs, weights, gamma, alpha):
    z, y = inputs["z"], inputs["y"]
    known = y >= 0
    log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)
    positive = -alpha * torch.exp(gamma * log_q) * log_p
    negative = -(1 - alpha) * torch.exp(gamma * log_p) * log_q
    return torch.where(known, torch.where(y == 1, positive, negative), torch.zeros_like(z))


def nll(inputs, weights):
    return F.cross_entropy(inputs["z"], inputs["y"], ignore_index=-1, reduction="none")


def over_known(loss, z, y):
    """The mean over a row's known values; 0 without any."""
    known = ~torch.isnan(y)
    each = torch.where(known, loss(z, torch.where(known, y, z.detach())), torch.zeros_like(z))
    return each if z.dim() == 1 else each.sum(1) / known.sum(1).clamp(min=1)


def mse(inputs, weights):
    return over_known(lambda z, y: F.mse_loss(z, y, reduction="none"), inputs["z"], inputs["y"])


def huber(inputs, weights, delta):
    return over_known(lambda z, y: F.huber_loss(z, y, reduction="none", delta=delta), inputs["z"], inputs["y"])


def info_nce(inputs, weights, tau):
    z, y = inputs["z"], torch.nan_to_num(inputs["y"])
    present = y.abs().sum(1) > 0
    similarity = F.cosine_similarity(z[:, None], y[None], dim=-1) / tau
    same = (y[:, None] == y[None]).all(-1) & ~torch.eye(len(y), dtype=torch.bool)
    logits = similarity.masked_fill(same | ~present[None], -1e9)
    loss = F.cross_entropy(logits, torch.arange(len(y)), reduction="none")
    return torch.where(present, loss, torch.zeros_like(loss))


# ── evidence ──


def dirichlet_loss(inputs, weights, data, regularise, ramp):
    alpha, y = inputs["alpha"], inputs["y"]
    known = y >= 0
    rows, truth = alpha[known], F.one_hot(y[known].long(), alpha.shape[1])
    expected = Dirichlet(rows)
    if data == "likelihood":
        fit = -torch.log((expected.mean * truth).sum(1))
    elif data == "brier":  # the mean of the squared error under the distribution
        fit = ((truth - expected.mean) ** 2 + expected.variance).sum(1)
    else:
        fit = torch.zeros(len(rows))
    judged = torch.where(truth == 1, torch.ones_like(rows), rows) if regularise == "wrong" else rows
    total = (fit + ramp * kl_divergence(Dirichlet(judged), Dirichlet(torch.ones_like(judged)))).sum()
    return (total / known.sum().clamp(min=1)).expand(len(y))


def dirichlet_uncertainty(inputs, weights):
    alpha = inputs["alpha"]
    total = alpha.sum(1)
    # Each probability is a Beta, and E[p log p] = p̄ E'[log p] under the Beta with one more for it; E'[log p] = digamma(α + 1) - digamma(S + 1).
    mean_log = torch.digamma(alpha + 1) - torch.digamma(total + 1)[:, None]
    return torch.stack([alpha.shape[1] / total, -(Dirichlet(alpha).mean * mean_log).sum(1)], 1)


def normal_loss(inputs, weights, ramp):
    location, nu, alpha, beta = inputs["evidence"].chunk(4, 1)
    y = inputs["y"]
    known = ~torch.isnan(y)
    predictive = StudentT(2 * alpha, location, torch.sqrt(beta * (1 + nu) / (nu * alpha)))
    target = torch.where(known, y, location.detach())
    each = -predictive.log_prob(target) + ramp * (target - location).abs() * (2 * nu + alpha)
    return (torch.where(known, each, torch.zeros_like(each)).sum() / known.sum().clamp(min=1)).expand(len(y))


def normal_uncertainty(inputs, weights):
    location, nu, alpha, beta = inputs["evidence"].chunk(4, 1)
    return torch.stack([(beta / (nu * (alpha - 1))).mean(1), (beta / (alpha - 1)).mean(1)], 1)


def evidential_head(inputs, weights, kind):
    heads = list(weights.values())
    raw = [F.linear(inputs["h"], W.T, b) for W, b in zip(heads[::2], heads[1::2])]
    evidence = [F.softplus(x).clamp(max=1e4) for x in raw]
    if kind == "classes":
        return evidence[0] + 1
    return torch.cat([raw[0], evidence[1] + 1e-6, evidence[2] + 1.001, evidence[3] + 1e-6], 1)


# ── auxiliary terms ──


def sparse_autoencoder(inputs, weights, l1, weight):
    W, b_latent, b_out = weights.values()
    h = inputs["h"].detach()
    latents = F.relu(F.linear(h, W.T, b_latent))
    reconstruction = F.linear(latents, W, b_out)
    loss = F.mse_loss(reconstruction, h, reduction="none").sum(1) + l1 * torch.linalg.vector_norm(latents, ord=1, dim=1)
    return {"result": reconstruction, "result/sae": weight * loss.mean()}


def cycles(inputs, weights):
    (A,) = weights.values()
    d = len(A)
    k = 2 ** math.ceil(math.log2(d))
    return (torch.trace(torch.matrix_power(torch.eye(d) + A * A / k, k)) - d).expand(len(inputs["x"]))


def gate_entropy(inputs, weights, strength):
    W, b = weights.values()
    attention = torch.distributions.Categorical(logits=F.linear(inputs["x"], W.T, b))
    return {"result": attention.probs, "result/BlockScale/entropy": -strength * attention.entropy().mean()}


def special(inputs, weights):
    return {"lgamma": torch.lgamma(inputs["x"]), "digamma": torch.digamma(inputs["x"])}
