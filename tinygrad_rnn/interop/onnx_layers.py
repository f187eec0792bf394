"""For which layers has ONNX nodes? RNN, LSTM, GRU with their options, Embedding, LayerNorm.

ONNX orders gates i, o, f, c (LSTM) and z, r, h (GRU), peepholes i, o, f; ours are PyTorch's: i, f, g, o
and r, z, n, peepholes i, f, o.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..engine.values import Array
from ..nn.cells import Cell
from ..nn.module import Module
from ..nn.stacks import RecurrentLayer
from .onnx_graph import ExportError, GraphBuilder

Names = Any  # names of values, in the nesting of the layer's arguments or outputs
Layer = RecurrentLayer | nn.Recurrent
ORDER = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
KINDS: dict[type, str] = {
    nn.RNNCell: "RNN",
    nn.LSTMCell: "LSTM",
    nn.PeepholeLSTMCell: "LSTM",
    nn.CoupledLSTMCell: "LSTM",
    nn.GRUCell: "GRU",
}


# ---- one node: a cell, or one for each direction ---------------------------------------------------


def recurrent_node(
    b: GraphBuilder, x: str, cells: list[Any], starts: list[str] | None, lengths: str | None
) -> tuple[str, list[str]]:
    """A node over (time, batch, features): the outputs (time, batch, directions * H), the last states.

    ``starts`` and the last states are (directions, batch, H), one for each part of the state;
    ``lengths`` is int32 (batch,).
    """
    kind, ways = KINDS[type(cells[0])], len(cells)
    direction = "bidirectional" if ways == 2 else "forward"
    options: dict[str, Any] = {"hidden_size": cells[0].hidden_size, "direction": direction}
    if kind == "RNN":
        options["activations"] = [cells[0].nonlinearity.capitalize()] * ways
    if kind == "GRU":
        options["linear_before_reset"] = int(cells[0].reset_after)
    if type(cells[0]) is nn.CoupledLSTMCell:
        options["input_forget"] = 1
    inputs = [x]
    for name in ("W", "R", "B"):
        rows = [_arranged(kind, cell)[name] for cell in cells]
        inputs.append(
            "" if rows[0] is None else b.const(np.stack(rows), wish=f"{b.prefix or kind}.{name}")
        )
    names = cells[0].states
    inputs += [lengths or "", *(starts or [""] * len(names))]
    if type(cells[0]) is nn.PeepholeLSTMCell:
        peeps = [_rows(cell.weight_peephole._data, (0, 2, 1)) for cell in cells]
        inputs.append(b.const(np.stack(peeps), wish=f"{b.prefix or kind}.P"))
    while inputs[-1] == "":
        inputs.pop()
    y, *last = b.op(kind, *inputs, outputs=1 + len(names), **options)
    if ways == 1:
        y = b.squeeze(y, 1)
    else:  # (time, directions, batch, H)
        y = b.op("Reshape", b.op("Transpose", y, perm=[0, 2, 1, 3]), b.ints(0, 0, -1))
    if lengths and starts:  # after no step at all a state is where it began; runtimes say 0
        none = b.op("Equal", lengths, b.const(np.array(0, np.int32)))
        none = b.unsqueeze(none, 0, 2)
        last = [b.op("Where", none, start, end) for start, end in zip(starts, last, strict=True)]
    return y, last


def _arranged(kind: str, cell: Cell) -> dict[str, Any]:
    """A cell's weights and biases in ONNX's order."""
    found: dict[str, Any] = {}
    coupled = type(cell) is nn.CoupledLSTMCell
    for name, key in (("W", "weight_ih"), ("R", "weight_hh"), ("bi", "bias_ih"), ("bh", "bias_hh")):
        value = getattr(cell, key)
        if value is None:
            found[name] = None
        elif coupled:  # i = 1 - sigmoid(f) = sigmoid(-f), and ONNX's f is then 1 - i
            f, g, o = np.split(value._data, 3)
            found[name] = np.concatenate([-f, o, np.zeros_like(f), g])
        else:
            found[name] = _rows(value._data, ORDER[kind])
    one, two = found.pop("bi"), found.pop("bh")
    found["B"] = None if one is None or two is None else np.concatenate([one, two])
    return found


def _rows(array: Array, order: tuple[int, ...]) -> Array:
    """The gates' blocks of rows in another order."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[k] for k in order])


def refusal(layer: Layer) -> str | None:
    """Why ONNX has no node for a recurrent layer, in words, or None."""
    cells = layer.cells()
    for cell in cells:
        if type(cell) not in KINDS:
            return f"a {type(cell).__name__} is no RNN, LSTM or GRU of ONNX's"
        if vars(cell).get("proj_size"):
            return f"proj_size={cell.proj_size}: ONNX's LSTM has no projection"
    options = ("hidden_size", "nonlinearity", "reset_after")
    first, last = ([type(c), *map(vars(c).get, options)] for c in (cells[0], cells[-1]))
    if isinstance(layer, nn.Recurrent) and first != last:
        return "its two directions are different cells, and a node of ONNX's has one kind"
    return None


# ---- layers ----------------------------------------------------------------------------------------


def stack(
    b: GraphBuilder, layer: RecurrentLayer, args: Names, kwargs: dict[str, Names], ndim: int
) -> Names:
    """RNN, LSTM, GRU: a node a layer, states cut out for it and put together after it."""
    x, hx = _arguments(layer, args, kwargs)
    ways, names = (2 if layer.bidirectional else 1), layer._first.states
    batched = ndim == 3
    x, lengths = _time_first(b, layer, x, batched), _lengths(b, kwargs)
    starts = None
    if hx is not None:
        given = [hx] if len(names) == 1 else list(hx)
        starts = [h if batched else b.unsqueeze(h, 1) for h in given]
    elif layer.learned_state:
        starts = [_learned(b, layer, f"{name}_0", x) for name in names]
    cells, ends = layer.cells(), []
    for k in range(layer.num_layers):
        own = slice(k * ways, (k + 1) * ways)
        mine = starts
        if starts is not None and layer.num_layers > 1:
            mine = [_slice(b, h, own.start, own.stop) for h in starts]
        x, last = recurrent_node(b, x, cells[own], mine, lengths)
        ends.append(last)
    final = [
        parts[0] if len(parts) == 1 else b.op("Concat", *parts, axis=0)
        for parts in zip(*ends, strict=True)
    ]
    final = final if batched else [b.squeeze(h, 1) for h in final]
    return _time_back(b, layer, x, batched), final[0] if len(final) == 1 else tuple(final)


def recurrent(
    b: GraphBuilder, layer: nn.Recurrent, args: Names, kwargs: dict[str, Names], ndim: int
) -> Names:
    """``nn.Recurrent`` of built-in cells: one node; states without an axis of directions."""
    x, state = _arguments(layer, args, kwargs)
    cells, names = layer.cells(), layer.cell.states
    batched = ndim == 3
    x, lengths = _time_first(b, layer, x, batched), _lengths(b, kwargs)
    each = [state] if layer.reverse is None else list(state or (None, None))
    starts = None
    if any(part is not None for part in each):
        if any(part is None for part in each):
            raise ExportError(
                f"{b.prefix or 'Recurrent'}: give a state for both directions, or for none"
            )
        parts = [[one] if len(names) == 1 else list(one) for one in each]
        axes = (0,) if batched else (0, 1)
        opened = [[b.unsqueeze(h, *axes) for h in row] for row in parts]
        starts = [_joined(b, list(column)) for column in zip(*opened, strict=True)]
    y, last = recurrent_node(b, x, cells, starts, lengths)
    finals = []
    for way in range(len(cells)):
        axes = (0,) if batched else (0, 1)
        cut = [_slice(b, h, way, way + 1) if len(cells) == 2 else h for h in last]
        ends = [b.squeeze(h, *axes) for h in cut]
        finals.append(ends[0] if len(ends) == 1 else tuple(ends))
    return _time_back(b, layer, y, batched), finals[0] if len(finals) == 1 else tuple(finals)


def _arguments(layer: Layer, args: Names, kwargs: dict[str, Names]) -> tuple[Any, Any]:
    """Input and initial state of a call."""
    given = dict(zip(("input", "hx"), args, strict=False))
    x = given.get("input", kwargs.get("input", kwargs.get("x")))
    return x, given.get("hx", kwargs.get("hx", kwargs.get("state")))


def _time_first(b: GraphBuilder, layer: Layer, x: str, batched: bool) -> str:
    if not batched:
        return b.unsqueeze(x, 1)
    return str(b.op("Transpose", x, perm=[1, 0, 2])) if layer.batch_first else x


def _time_back(b: GraphBuilder, layer: Layer, y: str, batched: bool) -> str:
    if not batched:
        return b.squeeze(y, 1)
    return str(b.op("Transpose", y, perm=[1, 0, 2])) if layer.batch_first else y


def _lengths(b: GraphBuilder, kwargs: dict[str, Names]) -> str | None:
    lengths = kwargs.get("lengths")
    return None if lengths is None else str(b.cast(lengths, np.int64, np.int32))


def _learned(b: GraphBuilder, layer: RecurrentLayer, name: str, x: str) -> str:
    """A learned state, stretched over the batch of (time, batch, features)."""
    value = getattr(layer, name)._data
    count, size = value.shape
    start = b.parameter(f"{b.prefix}.{name}" if b.prefix else name, value[:, None])
    shape = b.op("Concat", b.ints(count), b.side(x, 1), b.ints(size), axis=0)
    return str(b.op("Expand", start, shape))


def _slice(b: GraphBuilder, name: str, start: int, stop: int) -> str:
    return str(b.op("Slice", name, b.ints(start), b.ints(stop), b.ints(0)))


def _joined(b: GraphBuilder, names: list[str]) -> str:
    return names[0] if len(names) == 1 else str(b.op("Concat", *names, axis=0))


def embedding(
    b: GraphBuilder, layer: nn.Embedding, args: Names, kwargs: dict[str, Names], ndim: int
) -> Names:
    """Rows of a table."""
    index = args[0] if args else kwargs["input"]
    table = b.parameter(f"{b.prefix}.weight" if b.prefix else "weight", layer.weight._data)
    return b.op("Gather", table, index)


def layer_norm(
    b: GraphBuilder, layer: nn.LayerNorm, args: Names, kwargs: dict[str, Names], ndim: int
) -> Names:
    """Normalised over the last axes."""
    x = args[0] if args else kwargs["input"]
    here = f"{b.prefix}." if b.prefix else ""
    gain = (
        np.ones(layer.normalized_shape, np.float32) if layer.weight is None else layer.weight._data
    )
    inputs = [x, b.parameter(here + "weight", gain)]
    if layer.bias is not None:
        inputs.append(b.parameter(here + "bias", layer.bias._data))
    axis = -len(layer.normalized_shape)
    return b.op("LayerNormalization", *inputs, axis=axis, epsilon=layer.eps)


Writer = Callable[[GraphBuilder, Any, Names, dict[str, Names], int], Names]
WRITERS: list[tuple[type[Module], Writer]] = [
    (RecurrentLayer, stack),
    (nn.Recurrent, recurrent),
    (nn.Embedding, embedding),
    (nn.LayerNorm, layer_norm),
]


def writer(module: Module) -> Writer | None:
    """What writes a module as a node, unless it is a class of the user's with a forward of its own."""
    for kind, write in WRITERS:
        if isinstance(module, kind) and type(module).forward is kind.forward:
            return write
    return None
