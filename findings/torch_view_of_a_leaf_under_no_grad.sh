#!/usr/bin/env bash
# PyTorch 2.13.0 (PyPI), CPU: a view of a leaf made under no_grad says that it requires a gradient, and keeps it.
#
# Under torch.no_grad() results have requires_grad=False. A view of a leaf that requires a gradient has
# requires_grad=True there, is a leaf itself and has no grad_fn: used afterwards it takes the gradient, and the tensor
# that it is a view of gets none. (w * 1)[0] and w[0].clone() under no_grad have requires_grad=False.
#
# Seen: with no_grad: v = w[0]; then (v * 2).sum().backward() gives v.grad = [2, 2, 2] and w.grad = None.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import torch

w = torch.ones(2, 3, requires_grad=True)
with torch.no_grad():
    v, c, product = w[0], w[0].clone(), w * 1
print("a view:", v.requires_grad, v.is_leaf, v.grad_fn, " a clone:", c.requires_grad)
assert not c.requires_grad
assert not product.requires_grad
assert v.requires_grad
assert v.is_leaf
assert v._base is w
(v * 2).sum().backward()
print("gradients:", v.grad, w.grad)
assert v.grad.tolist() == [2, 2, 2]
assert w.grad is None
PY
