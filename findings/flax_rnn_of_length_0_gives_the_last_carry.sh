#!/usr/bin/env bash
# flax 0.12.8 (linen), jax 0.10.2: nn.RNN(..., return_carry=True) with seq_lengths gives, for a sequence of length 0,
# the carry of the LAST padded step, and computes the outputs of padded steps as if they counted.
#
# The carry is picked at step length - 1; for 0 that is -1, which counts from the end. So an empty row of a batch
# (a filler that evens out the last batch, a document without words) enters what comes next with a state that was
# made of padding, where the initial carry is expected. Lengths of 1 and more are right. Outputs beyond a length are
# no zeros either: whoever averages them over time must mask them.
#
# Seen: carries equal to the outputs at steps 3, 1 and (length 0) 3; padded outputs not 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q flax==0.12.8 jax==0.10.2
"$work/venv/bin/python" - <<'PY'
import flax.linen as nn
import jax
import jax.numpy as jnp

layer = nn.RNN(nn.GRUCell(2), return_carry=True)
x = jnp.arange(12.0).reshape(3, 4, 1) / 12
params = layer.init(jax.random.PRNGKey(0), x)
carry, y = layer.apply(params, x, seq_lengths=jnp.array([4, 2, 0]))
picked = [[t for t in range(4) if bool((carry[b] == y[b, t]).all())] for b in range(3)]
print(picked, y[1, 2:].tolist())
assert picked == [[3], [1], [3]], "it changed"
assert bool((y[1, 2:] != 0).all()), "it changed"
PY
