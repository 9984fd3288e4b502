"""PLE-Cluster-adaTT in PyTorch: the experts of `experts.py`, and what joins them."""

import torch
import torch.nn.functional as F

import experts
import losses
from specs import hidden, linear, norm, tower, under, view

# The route of each group, and its tasks.
GROUPS = {
    "engagement": ("journey", ["ctr", "cvr", "engagement"]),
    "lifecycle": ("lifecycle", ["churn", "retention", "life_stage", "ltv"]),
    "value": ("behavior", ["balance_util", "channel", "timing"]),
    "consumption": (
        "behavior",
        ["nba", "spending_category", "consumption_cycle", "spending_bucket", "brand_prediction", "merchant_affinity"],
    ),
}
# Weight, loss, and α of the focal ones.
TASKS = {
    "ctr": (1.0, "focal", 0.25),
    "cvr": (1.5, "focal", 0.20),
    "engagement": (0.8, "mse"),
    "churn": (1.2, "focal", 0.60),
    "retention": (1.0, "focal", 0.20),
    "life_stage": (0.8, "nll"),
    "ltv": (1.5, "huber"),
    "balance_util": (1.0, "huber"),
    "channel": (0.8, "nll"),
    "timing": (0.8, "nll"),
    "nba": (2.0, "nll"),
    "spending_category": (1.2, "nll"),
    "consumption_cycle": (0.8, "nll"),
    "spending_bucket": (0.8, "huber"),
    "brand_prediction": (2.0, "info_nce"),
    "merchant_affinity": (1.0, "huber"),
}
# The task whose prediction a task hears of.
HANDED_OVER = {
    "cvr": "ctr",
    "retention": "churn",
    "ltv": "cvr",
    "spending_category": "nba",
    "brand_prediction": "spending_category",
}
# Widths of the sub-groups of the 644 standardised columns, which are the fields of DeepFM.
FIELDS = [34, 64, 80, 60, 20, 15, 18, 12, 14, 12, 24, 36, 10, 22, 50, 8, 9, 6, 5, 8, 5, 4, 5, 18, 25, 18, 12, 6, 23, 4, 4, 8, 4, 1]


def factorisation_machine(fields, weights, at):
    v = [linear(weights, f"{at}/v/{i}/linear", field) for i, field in enumerate(fields)]
    total = torch.stack(v).sum(0)
    pairs = sum((total - one) * one for one in v) / 2 / len(v)
    high = linear(weights, f"{at}/high/linear", hidden(weights, f"{at}/high/mlp/0", torch.cat(v, 1)))
    first = linear(weights, f"{at}/wide/linear", torch.cat(fields, 1))
    return norm(weights, f"{at}/layer_norm", high + linear(weights, f"{at}/linear", pairs) + linear(weights, f"{at}/wide/linear_2", first))


def temporal(inputs, weights, at):
    each = [view(weights, f"{at}/views/{i}/temporal_views", inputs[name]) for i, name in enumerate(["txn_seq", "session_seq"])]
    kinds = [torch.cat(of_kind, 1) for of_kind in zip(*each)]
    gate = F.softmax(linear(weights, f"{at}/gate/linear", torch.cat(kinds, 1)), 1)
    mixed = sum(gate[:, i : i + 1] * kind for i, kind in enumerate(kinds))
    some = torch.cat([inputs[name].flatten(1) for name in ["txn_seq", "session_seq"]], 1).abs().amax(1, keepdim=True) > 0
    return some * norm(weights, f"{at}/layer_norm", linear(weights, f"{at}/linear", mixed))


def shared_experts(inputs, weights):
    """The outputs of the eight experts, and the terms of the loss of the causal one."""

    def of(name):
        return under(weights, f"shared/{name}")

    features = inputs["features"]
    x = features[:, :644]
    mcc, product, region = inputs["hierarchy"].split([8, 8, 4], 1)
    nodes = {"mcc": mcc, "product": product, "region": region, "merchant": torch.cat([features[:, 594:600], features[:, 623:644]], 1)}
    diagrams = {
        **{"short": inputs["tda_short"], "short_mask": inputs["tda_short_mask"]},
        **{"long": inputs["tda_long"], "long_mask": inputs["tda_long_mask"]},
        **{"stats": torch.cat([inputs["tda_global_stats"], inputs["tda_phase_transition"]], 1), "fallback": inputs["tda"]},
    }
    causal = experts.causal({"x": x}, of("causal"), acyclic=0.1, sparse=1e-3, fit=0.1)
    bank = [
        experts.unified_hgcn(nodes, of("unified_hgcn"), "tangent"),
        experts.pers_lay(diagrams, of("perslay")),
        factorisation_machine(x.split(FIELDS, 1), weights, "shared/deepfm"),
        temporal(inputs, weights, "shared/temporal"),
        experts.light_gcn({"x": inputs["collaborative"]}, of("lightgcn")),
        causal.pop("result"),
        experts.optimal_transport({"x": x}, of("optimal_transport"), eps=0.2, iterations=20, debias=False),
        experts.raw_scale({"x": features[:, 644:]}, of("raw_scale")),
    ]
    return bank, {name.replace("result", "shared/causal"): term for name, term in causal.items()}


def cluster_of(inputs, table):
    p = inputs["cluster_probs"]
    soft = p / (p.sum(1, keepdim=True) + 1e-8)
    return torch.where(p.abs().amax(1, keepdim=True) > 0, soft, F.one_hot(inputs["cluster_id"], len(table)).double()) @ table


def gate(bank, weights):
    """The concatenation, each block by its weight, and minus the mean entropy of the weights."""
    W, b = weights.values()
    attention = torch.distributions.Categorical(logits=torch.cat(bank, 1) @ W + b)
    mean_width = sum(x.shape[1] for x in bank) / len(bank)
    blocks = [x * attention.probs[:, i : i + 1] * (mean_width / x.shape[1]) ** 0.5 for i, x in enumerate(bank)]
    return torch.cat(blocks, 1), -attention.entropy().mean()


def task_loss(task, logit, y):
    _, kind, *alpha = TASKS[task]
    one = {"z": logit if kind in ("nll", "info_nce") else logit[:, 0], "y": y}
    settings = {"focal": {"gamma": 2.0, "alpha": alpha and alpha[0]}, "huber": {"delta": 1.0}, "info_nce": {"tau": 0.07}}
    return getattr(losses, kind)(one, {}, **settings.get(kind, {})).mean()


def evidence_loss(h, y, kind, weights, ramp):
    if kind in ("focal", "nll"):
        alpha = losses.evidential_head({"h": h}, weights, "classes")
        return losses.dirichlet_loss({"alpha": alpha, "y": y}, {}, "likelihood", "wrong", ramp)[0]
    evidence = losses.evidential_head({"h": h}, weights, "values")
    return losses.normal_loss({"evidence": evidence, "y": y[:, None]}, {}, ramp)[0]


def ple_cluster_adatt(inputs, weights):
    bank, terms = shared_experts(inputs, weights)
    terms["sae/sae"] = losses.sparse_autoencoder({"h": torch.cat(bank, 1)}, under(weights, "sae"), l1=0.001, weight=0.01)["result/sae"]
    ramp = 0.01 * min(1, inputs["train/epoch"].item() / 10)
    logits, predictions = {}, {}
    for group, (route, tasks) in GROUPS.items():
        state = experts.hmm_projector({"x": inputs[f"hmm_{route}"]}, under(weights, f"hmm/{route}"))
        cluster = cluster_of(inputs, weights[f"cluster/{group}/table"])
        at = f"hidden/{group}"
        for task in tasks:
            mixed, negative_entropy = gate(bank, under(weights, f"cgc/{task}"))
            terms[f"cgc/{task}/entropy"] = 0.01 / 16 * negative_entropy
            u = hidden(weights, f"{at}/encoding/mlp_2/0", hidden(weights, f"{at}/encoding/mlp/0", torch.cat([mixed, state], 1)))
            h = hidden(weights, f"{at}/TaskHead/mlp/0", torch.cat([u, cluster], 1))
            y, kind = inputs[f"label/{task}"], TASKS[task][1]
            if kind != "info_nce":
                terms[f"evidence/{task}"] = evidence_loss(h, y, kind, under(weights, f"evidence/{task}"), ramp)
            if task in HANDED_OVER:
                source = HANDED_OVER[task]
                said = 1 - predictions[source] if task == "retention" else predictions[source]
                edge = f"flow/{task}/transfers/{source}"
                h = h + 0.5 * F.silu(norm(weights, f"{edge}/layer_norm", linear(weights, f"{edge}/linear", said)))
            logits[task] = tower(weights, f"flow/{task}/Tower", h, layers=2)
            activated = {"focal": torch.sigmoid, "nll": lambda z: F.softmax(z, 1)}
            predictions[task] = activated.get(kind, lambda z: z)(logits[task])
            terms[f"objective/{task}"] = TASKS[task][0] * task_loss(task, logits[task], y)
    return {**{f"logit of {task}": logit for task, logit in logits.items()}, **terms}
