"""How is one of our layers written for another framework? As the arrays of its row, or why it is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..engine.values import Array
from ..nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from ..nn.more_cells import PeepholeLSTMCell
from ..nn.stacks import RecurrentLayer
from .activations import FUNCTIONS, RELU, TANH, in_words
from .cells import CfCCell, Rule
from .conventions import Names, Part, Row
from .layers import WithReadout
from .packing import (
    Canon,
    Place,
    Sizes,
    WeightsError,
    WeightsOrigin,
    is_bias,
    put_together,
    segments,
)


@dataclass
class Held:
    """One of our layers as the table sees it."""

    rule: Rule
    cells: dict[Place, Any]
    layers: int
    directions: int
    direction: str
    bias: bool
    learned: dict[str, Array]
    out: Any
    recurrent: Any


def described(source: Any) -> Held:
    """A layer of ours as the table sees it. Raises TypeError for what is none."""
    out = None
    inner = source
    if isinstance(source, WithReadout):
        inner, out = source.recurrent, source.out
    if isinstance(inner, nn.Recurrent):
        if isinstance(inner.cell, CfCCell):
            cfc: dict[Place, Any] = {(0, 0): inner.cell}
            return Held(inner.cell.rule, cfc, 1, 1, "forward", True, {}, None, inner)
        cells = inner.cells()
        rules = {_rule_of(cell) for cell in cells}
        if len(rules) > 1:
            raise WeightsError("the two cells of a Recurrent have different rules")
        both = len(cells) == 2
        each = {(0, way): cell for way, cell in enumerate(cells)}
        direction = "bidirectional" if both else "forward"
        bias = getattr(cells[0], "bias_ih", None) is not None
        return Held(rules.pop(), each, 1, len(cells), direction, bias, {}, None, inner)
    if isinstance(inner, Cell):
        bias = inner.bias_ih is not None
        return Held(_rule_of(inner), {(0, 0): inner}, 1, 1, "forward", bias, {}, None, inner)
    if not isinstance(inner, RecurrentLayer):
        raise TypeError(
            f"to_weights takes a recurrent layer or cell, not {type(source).__name__}: for a whole "
            "model there is to_keras"
        )
    ways = 2 if inner.bidirectional else 1
    cells = inner.cells()
    placed = {(k // ways, k % ways): cell for k, cell in enumerate(cells)}
    learned = {}
    if inner.learned_state:
        learned = {n: getattr(inner, f"{n}_0").numpy() for n in inner._first.states}
    direction = getattr(inner, "direction", "bidirectional" if ways == 2 else "forward")
    rule = _rule_of(cells[0])
    return Held(rule, placed, inner.num_layers, ways, direction, inner.bias, learned, out, inner)


def _rule_of(cell: Any) -> Rule:
    known = cell.__dict__.get("rule")
    if isinstance(known, Rule):
        return known
    kind = type(cell)
    if kind is LSTMCell or kind is PeepholeLSTMCell:
        return Rule("LSTM", peephole="vector" if kind is PeepholeLSTMCell else "")
    if kind is GRUCell:
        return Rule("GRU", reset_after=cell.reset_after)
    if kind is RNNCell:
        return Rule("RNN", act=TANH if cell.nonlinearity == "tanh" else RELU)
    raise WeightsError(f"a {kind.__name__} is a layer that no row of the table has")


def cannot(row: Row, held: Held) -> str | None:
    """Why a row cannot hold a layer, in words."""
    rule = held.rule
    if row.rule.family != rule.family:
        return f"{row.layout} has no {rule.family} in the table"
    free = {field for fields in row.options.values() for field in fields}
    free |= {part.when[0] for part in row.parts if part.when is not None}
    for field in Rule.__dataclass_fields__:
        ours, theirs = getattr(rule, field), getattr(row.rule, field)
        if ours == theirs or field in ("first_without_state", *row.settled):
            continue
        known = not isinstance(ours, tuple) or _has(row, ours)
        if field not in free or not known:
            said = in_words(ours) if isinstance(ours, tuple) else repr(ours)
            there = in_words(theirs) if isinstance(theirs, tuple) else repr(theirs)
            return f"{row.title} has {field}={there}, and this layer {said}: another rule"
    kinds = {part.holds for part in row.parts}
    cell = held.cells[0, 0]
    if getattr(cell, "weight_hr", None) is not None and "W_hr" not in kinds:
        return f"{row.title} has no projection, and this layer has proj_size"
    if held.learned and not row.initial:
        return f"{row.title} has no learned initial state among its weights"
    if ("W_out" in kinds) != (held.out is not None):
        return f"{row.title} has a readout: write the layer that from_weights read of it"
    return None


def cannot_place(row: Row, held: Held) -> str | None:
    """Why a row has no names for a layer's layers and directions, in words."""
    names = row.names[0]
    if held.layers > 1 and "{k}" not in names.single and "{n}" not in names.single:
        return f"{row.title} is one layer, and this one has {held.layers}"
    if held.directions > 1 and not (names.forward or row.stacked):
        return f"{row.title} is one direction, and this layer has two"
    return None


def _has(row: Row, which: Any) -> bool:
    names = {value[0] for value in row.spelling.values()}
    exact = which in row.spelling.values()
    return exact or ("activations" in row.options and which[0] in names and which[0] in FUNCTIONS)


def written(row: Row, held: Held, origin: WeightsOrigin | None) -> dict[str, Array]:
    """A layer's arrays under the names of where it came from, or those that the row gives it."""
    cells = {place: _canon(row, held, cell) for place, cell in held.cells.items()}
    any_cell = held.cells[0, 0]
    sizes = _held_sizes(held, any_cell)
    bias = held.bias or row.needs_bias

    def array(index: int, place: Place) -> Array:
        part = row.parts[index]
        if row.stacked:
            ways = range(held.directions)
            return np.stack([put_together(part, cells[0, way], sizes) for way in ways])
        return put_together(part, cells[place], sizes)

    if origin is not None:
        found = {}
        for name, entry in origin.entries:
            if isinstance(entry, tuple):
                found[name] = array(*entry)
            else:
                found[name] = _extra(row, name, entry, held)
        return found
    found = {}
    for at, names in enumerate(row.names):
        if not names.single:
            continue
        for k, way in held.cells:
            if row.stacked and way:
                continue
            text = _text(row, names, held, way)
            for index, part in enumerate(row.parts):
                if part.naming is not None and part.naming != at:
                    continue
                if _left_out(part, held, bias):
                    continue
                name = text.format(part=part.name, k=k, n=k * held.directions + way)
                found[name] = array(index, (k, way))
    for name, state in row.initial.items():
        if state in any_cell.states:
            size = any_cell.state_sizes()[state]
            zeros = np.zeros((held.directions, size), any_cell.weight_hh.dtype)
            found[name] = held.learned.get(state, zeros).reshape(1, -1)
    return found


def _text(row: Row, names: Names, held: Held, way: int) -> str:
    if held.directions == 1 or row.stacked:
        return names.single
    return names.second if way else names.forward


def _left_out(part: Part, held: Held, bias: bool) -> bool:
    if part.when is not None and getattr(held.rule, part.when[0]) != part.when[1]:
        return True
    if is_bias(part) and not bias:
        return True
    return part.holds == "W_hr" and getattr(held.cells[0, 0], "weight_hr", None) is None


def _extra(row: Row, name: str, array: Array, held: Held) -> Array:
    if name in row.initial and held.learned:
        whole = held.learned[row.initial[name]].reshape(1, -1)
        return np.repeat(whole, len(array), 0)
    return array


def _held_sizes(held: Held, cell: Any) -> Sizes:
    proj = 0 if getattr(cell, "weight_hr", None) is None else cell.proj_size
    return cell.input_size, cell.hidden_size, proj, 0 if held.out is None else held.out.out_features


def _canon(row: Row, held: Held, cell: Any) -> Canon:
    """A cell's numbers as a row holds them."""
    if held.rule.family == "CfC":
        return {(f"@{name}", ""): value.numpy() for name, value in cell.state_dict().items()}
    gates, size = held.rule.gates, cell.hidden_size
    arrays = {name: p.numpy() for name, p in cell.state_dict().items()}
    canon: Canon = {}
    zeros = np.zeros(len(gates) * size, arrays["weight_hh"].dtype)
    for k, g in enumerate(gates):
        rows = slice(k * size, (k + 1) * size)
        sign = -1 if g in row.minus else 1
        canon["W_ih", g] = sign * arrays["weight_ih"][rows]
        canon["W_hh", g] = sign * arrays["weight_hh"][rows]
        on_x = sign * arrays.get("bias_ih", zeros)[rows]
        on_h = sign * arrays.get("bias_hh", zeros)[rows]
        rest = row.offset.get(g, 0.0)
        canon["b_ih", g], canon["b_hh", g] = on_x, on_h
        canon["b", g], canon["bh", g] = _sum(on_x, on_h, rest), _sum(on_h, on_x, rest)
    _no_room(row, held, canon)
    if held.rule.peephole == "vector":
        for k, g in enumerate("ifo"):
            canon["p", g] = arrays["weight_peephole"][k * size : (k + 1) * size]
    for g in "ifo":
        if f"weight_c{g}" in arrays:
            canon["P", g] = arrays[f"weight_c{g}"]
    if "weight_hr" in arrays:
        canon["W_hr", ""] = arrays["weight_hr"]
    if held.out is not None:
        canon["W_out", ""], canon["b_out", ""] = held.out.weight.numpy(), held.out.bias.numpy()
    return canon


def _sum(one: Array, two: Array, offset: float) -> Array:
    """One bias for two, less what is added at run time; the first as it is where nothing is added."""
    rest = two - np.asarray(offset, two.dtype)
    return np.where(rest == 0, one, one + rest)


def _no_room(row: Row, held: Held, canon: Canon) -> None:
    """Raise where a bias within the reset, or the one beside it, has no place in a row."""
    slots = {slot for part in row.parts if not _left_out(part, held, True)
             for group in segments(part) for slot in group}  # fmt: skip
    for g in held.rule.gates:
        kinds = {kind for kind in ("b", "bh", "b_ih", "b_hh") if (kind, g) in slots}
        for kind in {"b_ih", "b_hh"} - kinds:
            other = "b_hh" if kind == "b_ih" else "b_ih"
            if kinds == {other} and canon[kind, g].any():
                on = "h" if kind == "b_hh" else "x"
                raise WeightsError(
                    f"{row.title} has no bias on {on} for the gate {g}, and this layer's is not zero"
                )
