"""Whole specs in PyTorch, from their papers and the sentences at their heads. Weights come by plec's names; the outputs are logits and terms of the loss."""

import torch
import torch.nn.functional as F

import layers


def under(weights, path):
    """The weights whose names begin like this, in order, by the rest of their names."""
    return {name[len(path) + 1 :]: value for name, value in weights.items() if name.startswith(path + "/")}


def linear(weights, path, x):
    W, *b = under(weights, path).values()
    return F.linear(x, W.T, b[0] if b else None)


def norm(weights, path, x):
    gamma, beta = under(weights, path).values()
    return F.layer_norm(x, gamma.shape, gamma, beta)


def hidden(weights, path, x):
    """A hidden layer of a tower: linear, normalisation, SiLU."""
    return F.silu(norm(weights, f"{path}/normed/norm", linear(weights, f"{path}/y", x)))


def tower(weights, path, x, layers=1):
    for i in range(layers):
        x = hidden(weights, f"{path}/mlp/{i}", x)
    return linear(weights, f"{path}/linear", x)


def dense(weights, path, x, layers=1):
    for i in range(layers):
        x = F.relu(linear(weights, f"{path}/mlp/{i}/y", x))
    return x


def embeddings(weights, inputs, names):
    return [F.embedding(inputs[name], weights[f"x/{i}/embedding/table"]) for i, name in enumerate(names)]


def binary_loss(logit, y):
    """The mean over all rows, those without a label counting 0."""
    known = (y >= 0).double()
    return (known * F.binary_cross_entropy_with_logits(logit[:, 0], y.clamp(min=0), reduction="none")).mean()


def judged(logits, inputs):
    terms = {f"objective/{task}": binary_loss(logit, inputs[f"label/{task}"]) for task, logit in logits.items()}
    return {**{f"logit of {task}": logit for task, logit in logits.items()}, **terms}


def cgc(inputs, weights):
    numeric = inputs["numeric"]
    scaled = norm(weights, "x/layer_norm", torch.sign(numeric) * torch.log1p(numeric.abs()))
    ids = ["education", "occupation", "industry", "household", "sex"]
    x = torch.cat([scaled, *embeddings(weights, inputs, ids)], 1)
    logits = {}
    for task in ["income", "never_married"]:
        own = [dense(weights, f"own/{task}/private_{i}", x) for i in range(4)]
        shared = [dense(weights, f"shared/common_{i}", x) for i in range(4)]
        gate = F.softmax(linear(weights, f"mixed/{task}/attention/linear", x), 1)
        mixed = torch.einsum("be,ebd->bd", gate, torch.stack(own + shared))
        logits[task] = tower(weights, f"flow/{task}/Tower", mixed)
    return judged(logits, inputs)


def deepfm(inputs, weights):
    """With embeddings looked up, and the machine as a sum over pairs of fields."""
    context = inputs["context"]
    at = "shared/deepfm"
    fields = [context[:, 0:1], context[:, 1:2], context[:, 2:4], context[:, 4:8]]
    v = [linear(weights, f"{at}/v/{i}/linear", field) for i, field in enumerate(fields)]
    first = context @ weights[f"{at}/wide/linear/W"][:8] + weights[f"{at}/wide/linear/add_bias/b"]
    offset = 8
    for i, name in enumerate(["user", "item", "category", "device"], start=4):
        table, b = under(weights, f"{at}/v/{i}/linear").values()
        v.append(F.embedding(inputs[name], table) + b)
        first = first + F.embedding(inputs[name] + offset, weights[f"{at}/wide/linear/W"])
        offset += len(table)
    pairs = sum(v[i] * v[j] for i in range(len(v)) for j in range(i + 1, len(v))) / len(v)
    high = hidden(weights, f"{at}/high/mlp/1", hidden(weights, f"{at}/high/mlp/0", torch.cat(v, 1)))
    high = linear(weights, f"{at}/high/linear", high)
    y = high + linear(weights, f"{at}/linear", pairs) + linear(weights, f"{at}/wide/linear_2", first)
    return judged({"ctr": tower(weights, "flow/ctr/Tower", norm(weights, f"{at}/layer_norm", y), layers=0)}, inputs)


def dcn_v2(inputs, weights):
    """Crosses by low-rank experts, one expert after another."""
    x0 = torch.cat([*embeddings(weights, inputs, ["user", "item", "category", "device"]), norm(weights, "x/layer_norm", inputs["context"])], 1)
    x = x0
    for i in range(3):
        at = f"shared/dcn/crossed/{i}"
        V, C, U, G = under(weights, f"{at}/product_2/low_rank_mixture").values()
        gate = F.softmax(x @ G, 1)
        product = sum(gate[:, e : e + 1] * (torch.tanh(torch.tanh(x @ V[e]) @ C[e]) @ U[e]) for e in range(len(V)))
        x = x0 * (product + weights[f"{at}/add_bias/b"]) + x
    deep = x0
    for i in range(2):
        deep = F.relu(linear(weights, f"shared/dcn/high/{i}/y", deep))
    return judged({"ctr": tower(weights, "flow/ctr/Tower", torch.cat([x, deep], 1), layers=0)}, inputs)


def aitm(inputs, weights):
    ids = ["user", "item", "category", "device"]
    x = torch.cat([*embeddings(weights, inputs, ids), norm(weights, "x/layer_norm", inputs["context"])], 1)
    logits, before = {}, None
    for task, source in [("click", None), ("cart", "click"), ("buy", "cart")]:
        h = dense(weights, f"flow/{task}/own", x, layers=2)
        if source is not None:
            at = f"flow/{task}/hidden/transfers/{source}"
            both = torch.stack([F.relu(linear(weights, f"{at}/u/linear", before)), h], 1)
            q, k, v = (both @ weights[f"{at}/query/{i}/linear/W"] for i in range(3))
            attention = F.softmax((q * k).sum(-1) / h.shape[1] ** 0.5, 1)
            h = (attention[..., None] * v).sum(1)
        before = h
        logits[task] = tower(weights, f"flow/{task}/Tower", h)
    click, cart, buy = (torch.sigmoid(logits[task])[:, 0] for task in ["click", "cart", "buy"])
    calibrator = 0.6 * (F.relu(cart - click) + F.relu(buy - cart)).mean()
    return {**judged(logits, inputs), "calibrator": calibrator}


def view(weights, path, sequence):
    """What the three kinds of networks make of a sequence, each pooled to one row."""
    mask = (sequence.abs().amax(2) > 0).double()
    x = linear(weights, f"{path}/x/linear", torch.sign(sequence) * torch.log1p(sequence.abs()))

    def pool(h):
        last = torch.stack([h[row, int(steps.nonzero().max()) if steps.any() else 0] for row, steps in enumerate(mask)])
        return 0.5 * ((h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1) + last * mask.amax(1, keepdim=True))

    selective, block = x, 0
    while mamba := under(weights, f"{path}/selective/{block}"):
        selective = layers.mamba({"x": selective, "mask": mask}, mamba, state=16, rank=4)
        block += 1
    cell = {name: value for name, value in under(weights, f"{path}/liquid/CfC").items()}
    liquid = layers.cfc({"x": x, "mask": mask, "elapsed": torch.ones_like(mask)}, cell)
    # torch gives NaN for a row without any step, which counts for nothing
    seen = torch.where(mask.amax(1, keepdim=True) > 0, mask, torch.ones_like(mask))
    encoder = under(weights, f"{path}/attentive/Transformer")
    attentive = layers.transformer({"x": x, "mask": seen}, encoder, layers=2, heads=4, hidden=256)
    views = [norm(weights, f"{path}/selective/layer_norm", pool(selective)), norm(weights, f"{path}/liquid/layer_norm", pool(liquid)), pool(attentive)]
    return [mask.amax(1, keepdim=True) * one for one in views]


def sequences(inputs, weights):
    at = "shared/temporal"
    each = [view(weights, f"{at}/views/{i}/temporal_views", inputs[name]) for i, name in enumerate(["visits", "orders"])]
    kinds = [torch.cat(of_kind, 1) for of_kind in zip(*each)]
    gate = F.softmax(linear(weights, f"{at}/gate/linear", torch.cat(kinds, 1)), 1)
    mixed = sum(gate[:, i : i + 1] * kind for i, kind in enumerate(kinds))
    x = torch.cat([norm(weights, f"{at}/layer_norm", linear(weights, f"{at}/linear", mixed)), norm(weights, "x/layer_norm", inputs["profile"])], 1)
    logits = {task: tower(weights, f"flow/{task}/Tower", F.silu(linear(weights, f"flow/{task}/linear", x))) for task in ["next", "amount"]}
    y = inputs["label/amount"]
    error = F.mse_loss(logits["amount"], torch.where(torch.isnan(y), logits["amount"].detach(), y), reduction="none")
    known = (~torch.isnan(y)).double().sum(1).clamp(min=1)
    return {
        **{f"logit of {task}": logit for task, logit in logits.items()},
        "objective/next": 0.5 * F.cross_entropy(logits["next"], inputs["label/next"], ignore_index=-1, reduction="none").mean(),
        "objective/amount": (error.sum(1) / known).mean(),
    }
