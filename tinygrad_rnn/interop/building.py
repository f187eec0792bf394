"""Which layer of ours is it? Made from what was found in another framework's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..engine.values import Array
from .activations import RELU, TANH
from .cells import CfCCell, Rule
from .conventions import Row
from .layers import OURS, Layer, WithReadout
from .packing import Canon, WeightsError
from .reading import Found


def built(found: Found, batch_first: bool | None, padded: str) -> Any:
    """The layer that was found, with its numbers."""
    row, rule = found.row, found.rule
    there = row.batch_first if found.batch_first is None else found.batch_first
    first = there if batch_first is None else batch_first
    if rule.family == "CfC":
        return _cfc(found, first)
    layers = max(k for k, _ in found.cells) + 1
    inputs, hidden, proj, out = found.sizes
    theirs = (
        row.padded_both if found.direction == "bidirectional" and row.padded_both else row.padded
    )
    made = made_layer(
        rule, inputs, hidden, layers, found.bias, first, direction=found.direction, proj_size=proj,
        padded=theirs if padded == "theirs" else OURS, learned_state=bool(found.initial),
        merge=found.merge if found.direction == "bidirectional" else "concat", flipped=found.flipped,
    )  # fmt: skip
    made.to(found.dtype)
    state: dict[str, Any] = {}
    both = found.direction == "bidirectional"
    for (k, way), canon in found.cells.items():
        suffix = f"_l{k}" + ("_reverse" if way and both else "")
        for name, array in _entries(row, rule, canon, found.bias, found.dtype).items():
            state[name + suffix] = array
    for part, array in found.initial.items():
        state[f"{part}_0"] = array
    if found.initial and rule.family == "LSTM":
        for part in ("h", "c"):
            state.setdefault(f"{part}_0", np.zeros_like(next(iter(found.initial.values()))))
    made.load_state_dict({name: np.array(array, found.dtype) for name, array in state.items()})
    if out:
        head = nn.Linear(hidden, out)
        head.to(found.dtype)
        canon = found.cells[0, 0]
        head.load_state_dict(
            {"weight": np.array(canon["W_out", ""]), "bias": np.array(canon["b_out", ""])}
        )
        made = WithReadout(made, head)
    made.__dict__["_origin"] = found.origin
    return made


def made_layer(
    rule: Rule,
    inputs: int,
    hidden: int,
    layers: int,
    bias: bool,
    batch_first: bool,
    *,
    direction: str = "forward",
    merge: str | None = "concat",
    padded: tuple[str, str, str] = OURS,
    flipped: bool = False,
    proj_size: int = 0,
    learned_state: bool = False,
) -> Any:
    """``nn.LSTM``, ``GRU`` or ``RNN`` where that is the rule, else ``Layer`` with it."""
    family = rule.family
    simple = direction != "reverse" and merge == "concat" and padded == OURS
    common: dict[str, Any] = {
        "num_layers": layers, "bias": bias, "batch_first": batch_first, "learned_state": learned_state,
        "bidirectional": direction == "bidirectional",
    }  # fmt: skip
    if simple and family == "LSTM" and rule in (Rule("LSTM"), Rule("LSTM", peephole="vector")):
        more: dict[str, Any] = {"proj_size": proj_size} if proj_size else {}
        return nn.LSTM(inputs, hidden, peephole=bool(rule.peephole), **common, **more)
    if simple and rule == Rule("GRU", reset_after=rule.reset_after) and family == "GRU":
        return nn.GRU(inputs, hidden, reset_after=rule.reset_after, **common)
    if simple and family == "RNN" and rule in (Rule("RNN"), Rule("RNN", act=RELU)):
        kind = "tanh" if rule.act == TANH else "relu"
        return nn.RNN(inputs, hidden, nonlinearity=kind, **common)
    return Layer(
        rule, inputs, hidden, layers, bias, batch_first, direction=direction, merge=merge, padded=padded,
        flipped=flipped, proj_size=proj_size, learned_state=learned_state,
    )  # fmt: skip


def _cfc(found: Found, batch_first: bool) -> Any:
    canon = found.cells[0, 0]
    state = {slot[0][1:]: np.array(array) for slot, array in canon.items()}
    depth = sum(name.startswith("backbone") for name in state) // 2
    widths = [len(state[f"backbone.{k}.weight"]) for k in range(depth)]
    cell = CfCCell(found.rule, found.sizes[0], found.sizes[1], widths)
    cell.to(found.dtype)
    made = nn.Recurrent(cell, batch_first=batch_first)
    try:
        cell.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(f"{found.row.title}: {error}") from None
    made.__dict__["_origin"] = found.origin
    return made


def _entries(row: Row, rule: Rule, canon: Canon, bias: bool, dtype: Any) -> dict[str, Array]:
    """A cell's state dict entries."""
    gates = rule.gates
    size = len(canon["W_ih", gates[0]])
    found = {
        "weight_ih": np.concatenate([canon["W_ih", g] for g in gates]),
        "weight_hh": np.concatenate([canon["W_hh", g] for g in gates]),
    }
    if bias:
        one, two = [], []
        for g in gates:
            on_x, on_h = canon.get(("b_ih", g)), canon.get(("b_hh", g))
            rest = np.full(size, row.offset.get(g, 0.0), dtype)
            if ("b", g) in canon:
                on_x, on_h = canon["b", g], rest
            elif ("bh", g) in canon:
                on_x, on_h = rest, canon["bh", g]
            one.append(np.zeros(size, dtype) if on_x is None else on_x)
            two.append(np.zeros(size, dtype) if on_h is None else on_h)
        found["bias_ih"], found["bias_hh"] = np.concatenate(one), np.concatenate(two)
    if rule.peephole == "vector":
        found["weight_peephole"] = np.concatenate([canon["p", g] for g in "ifo"])
    for kind, g in canon:
        if kind == "P":
            found[f"weight_c{g}"] = canon[kind, g]
    if ("W_hr", "") in canon:
        found["weight_hr"] = canon["W_hr", ""]
    return found
