#!/usr/bin/env bash
# PyTorch 2.13.0 (PyPI), CPU: a view of a leaf made under no_grad says that it requires a gradient, and gets none.
#
# Under torch.no_grad() results have requires_grad=False. A view of a leaf that requires a gradient has
# requires_grad=True there, is a leaf and has no grad_fn; what is computed from it afterwards requires a gradient, its
# backward() raises nothing, and neither the view nor the tensor that it is a view of has a gradient then.
# w * 1 and w[0].clone() under no_grad have requires_grad=False.
#
# Seen: with no_grad: v = w[0]; then (v * 2).sum().backward() leaves v.grad and w.grad None.
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
total = (v * 2).sum()
assert total.requires_grad
total.backward()
print("gradients:", v.grad, w.grad)
assert v.grad is None
assert w.grad is None
PY
