"""Computes what plec computes, in PyTorch and float64. Reads requests from standard input and writes the answers to standard output, both as JSON.

A request names a function of `losses.py`, `layers.py`, `experts.py` or `specs.py` in this folder, with tensors as arguments; the answer holds its outputs and, for the
sum of the outputs times the weights given with the request, the gradients that autograd finds.
"""

import base64
import importlib
import json
import sys

try:
    import numpy
    import torch
except ImportError as missing:
    sys.exit(
        f"{missing}. {sys.executable} lacks PyTorch; on Debian: apt-get install python3-torch. "
        "Elsewhere: pip install torch numpy, and set PLEC_PYTHON to that python."
    )

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def decode(array, differentiable):
    values = numpy.frombuffer(base64.b64decode(array["data"]), dtype="<f8").reshape(array["shape"]).copy()
    tensor = torch.from_numpy(values)
    if array["dtype"] != "f32":
        return tensor.long() if array["dtype"] == "i32" else tensor.bool()
    return tensor.requires_grad_() if differentiable else tensor


def encode(tensor):
    values = tensor.detach().numpy().astype("<f8")
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def answer(request):
    module = importlib.import_module(request["module"])
    wrt = set(request["wrt"])
    inputs = {name: decode(array, name in wrt) for name, array in request["inputs"].items()}
    weights = {name: decode(array, name in wrt) for name, array in request["weights"].items()}
    outputs = getattr(module, request["function"])(inputs, weights, **request["settings"])
    if not isinstance(outputs, dict):
        outputs = {"result": outputs}
    answered = {"outputs": {name: encode(value) for name, value in outputs.items()}}
    if wrt:
        total = sum((value * decode(request["seeds"][name], False)).sum() for name, value in outputs.items())
        total.backward()
        leaves = {name: leaf for name, leaf in {**inputs, **weights}.items() if name in wrt}
        answered["gradients"] = {
            name: encode(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad) for name, leaf in leaves.items()
        }
    return answered


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
