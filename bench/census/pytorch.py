"""Trains MMoE or PLE of the shapes in examples/census with PyTorch, on the same rows and columns: what plec is measured against.

pytorch.py DATA MODEL SEED EPOCHS [THREADS]; prints one JSON object.
"""

import csv
import gzip
import json
import sys
import time

import numpy
import torch
from torch import nn

NUMERIC = ["age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked"]
DROPPED = ["instance_weight", "income_50k", "marital_stat"]
BATCH = 512


def read(path):
    """Numeric columns standardised, categories as ids by the training rows (0 for others); every fifth row is held out."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    held = numpy.arange(1, len(rows) + 1) % 5 == 0
    numeric = numpy.array([[float(row[name]) for name in NUMERIC] for row in rows], dtype=numpy.float64)
    train = numeric[~held]
    numeric = ((numeric - train.mean(0)) / train.std(0)).astype(numpy.float32)
    names = [name for name in rows[0] if name not in NUMERIC + DROPPED]
    columns, sizes = [], []
    for name in names:
        values = [row[name] for row in rows]
        known = {value: i + 1 for i, value in enumerate(sorted({v for v, h in zip(values, held) if not h}))}
        columns.append([known.get(value, 0) for value in values])
        sizes.append(len(known) + 1)
    labels = [[row["income_50k"] == "50000+", row["marital_stat"] == "Never married"] for row in rows]
    tensors = (torch.tensor(numeric), torch.tensor(columns).T.contiguous(), torch.tensor(labels, dtype=torch.float32))
    split = lambda mask: tuple(tensor[torch.tensor(mask)] for tensor in tensors)
    return split(~held), split(held), sizes


class Inputs(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 4) for size in sizes)
        self.width = len(NUMERIC) + 4 * len(sizes)

    def forward(self, numeric, ids):
        return torch.cat([numeric] + [table(ids[:, i]) for i, table in enumerate(self.tables)], dim=1)


def expert(*widths):
    return nn.Sequential(*[layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())])


def tower():
    return nn.Sequential(nn.Linear(64, 32), nn.LayerNorm(32), nn.SiLU(), nn.Linear(32, 1))


def mix(gate, by, experts):
    """The experts' outputs by the softmax of the gate's logits."""
    return (torch.softmax(gate(by), dim=1).unsqueeze(2) * torch.stack(experts, dim=1)).sum(1)


class MMoE(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.inputs = Inputs(sizes)
        n = self.inputs.width
        self.experts = nn.ModuleList(expert(n, 128, 64) for _ in range(4))
        self.gates = nn.ModuleList(nn.Linear(n, 4) for _ in range(2))
        self.towers = nn.ModuleList(tower() for _ in range(2))

    def forward(self, numeric, ids):
        x = self.inputs(numeric, ids)
        experts = [e(x) for e in self.experts]
        return torch.cat([t(mix(g, x, experts)) for g, t in zip(self.gates, self.towers)], dim=1)


class PLE(nn.Module):
    """Two levels, each with two experts of 64 for each task and two shared ones."""

    def __init__(self, sizes):
        super().__init__()
        self.inputs = Inputs(sizes)
        n = self.inputs.width
        experts = lambda width: nn.ModuleList(expert(width, 64) for _ in range(2))
        self.shared = nn.ModuleList([experts(n), experts(64)])
        self.own = nn.ModuleList(nn.ModuleList(experts(width) for _ in range(2)) for width in (n, 64))
        self.gates = nn.ModuleList(nn.ModuleList(nn.Linear(width, 4) for _ in range(2)) for width in (n, 64))
        self.shared_gate = nn.Linear(n, 6)
        self.towers = nn.ModuleList(tower() for _ in range(2))

    def forward(self, numeric, ids):
        x = self.inputs(numeric, ids)
        shared = [e(x) for e in self.shared[0]]
        own = [[e(x) for e in bank] for bank in self.own[0]]
        tasks = [mix(self.gates[0][k], x, own[k] + shared) for k in range(2)]
        every = mix(self.shared_gate, x, own[0] + own[1] + shared)
        shared = [e(every) for e in self.shared[1]]
        outs = [mix(self.gates[1][k], tasks[k], [e(tasks[k]) for e in self.own[1][k]] + shared) for k in range(2)]
        return torch.cat([t(out) for t, out in zip(self.towers, outs)], dim=1)


def auc(scores, labels):
    """The share of pairs in the right order, from mean ranks."""
    values, inverse, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = labels > 0.5
    n, m = positives.sum(), (~positives).sum()
    return float((ranks[positives].sum() - n * (n + 1) / 2) / (n * m))


def main(path, name, seed, epochs, threads=2):
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    train, test, sizes = read(path)
    model = {"mmoe": MMoE, "ple": PLE}[name](sizes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    rows = len(train[0])
    seconds = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        order = torch.randperm(rows)
        for start in range(0, rows, BATCH):
            numeric, ids, labels = (tensor[order[start : start + BATCH]] for tensor in train)
            loss = nn.functional.binary_cross_entropy_with_logits(model(numeric, ids), labels, reduction="none").mean(0).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - started
    model.eval()
    with torch.no_grad():
        scores = torch.cat([model(n, i) for n, i in zip(test[0].split(4096), test[1].split(4096))]).numpy()
    result = {"income": auc(scores[:, 0], test[2][:, 0].numpy()), "never_married": auc(scores[:, 1], test[2][:, 1].numpy())}
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"auc": result, "rows_per_second": epochs * rows / seconds, "parameters": parameters}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
