"""Configurations of the recurrent layers, written once for two libraries: ``lib`` is torch or tinygrad_rnn.

Together with ``table.py`` (RNN and LSTM in one direction) these are all options that PyTorch has.
"""

from __future__ import annotations

import itertools

from golden.table import fill, leaf, plain, results, tensors
from support import numbers

T, B, IN, H, PROJ = 4, 3, 3, 3, 2
LENGTHS = (3, 4, 1)
KINDS = ("rnn_tanh", "rnn_relu", "lstm", "lstm_proj", "gru")
LAYOUTS = ("time_first", "batch_first", "unbatched")
YES_NO = (True, False)


def make(lib, kind, layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False):
    """A layer, its arguments by position: their order is PyTorch's too."""
    if kind.startswith("rnn"):
        name = kind.removeprefix("rnn_")
        return lib.nn.RNN(IN, H, layers, name, bias, batch_first, dropout, bidirectional)
    if kind == "gru":
        return lib.nn.GRU(IN, H, layers, bias, batch_first, dropout, bidirectional)
    proj = PROJ if kind == "lstm_proj" else 0
    return lib.nn.LSTM(IN, H, layers, bias, batch_first, dropout, bidirectional, proj)


def states(lib, kind, lead):
    """Initial states of the right shapes: one, or for an LSTM two."""
    sizes = {"lstm": (H, H), "lstm_proj": (PROJ, H)}.get(kind, (H,))
    return [leaf(lib, numbers((*lead, size), 2 + k)) for k, size in enumerate(sizes)]


def packed(inputs):
    """What a layer is called with: x and the state, if there is one."""
    x, *given = inputs
    return (x, None if not given else given[0] if len(given) == 1 else tuple(given))


def recurrent(lib, kind, layers, ways, layout, bias, given):
    layer = fill(lib, make(lib, kind, layers, bias, layout == "batch_first", 0.0, ways == 2))
    shape = {"time_first": (T, B, IN), "batch_first": (B, T, IN), "unbatched": (T, IN)}[layout]
    lead = (layers * ways,) if layout == "unbatched" else (layers * ways, B)
    inputs = [leaf(lib, numbers(shape, 1, 2.0))]
    inputs += states(lib, kind, lead) if given else []
    return results(lib, inputs, layer(*packed(inputs)), layer.named_parameters())


def ragged(lib, kind, layers, ways, layout, given):
    """Sequences of several lengths: PyTorch packs them, ours takes the lengths."""
    first = layout == "batch_first"
    layer = fill(lib, make(lib, kind, layers, True, first, 0.0, ways == 2))
    inputs = [leaf(lib, numbers((B, T, IN) if first else (T, B, IN), 1, 2.0))]
    inputs += states(lib, kind, (layers * ways, B)) if given else []
    x, hx = packed(inputs)
    if lib.__name__ == "torch":
        rnn = lib.nn.utils.rnn
        whole = rnn.pack_padded_sequence(x, LENGTHS, first, enforce_sorted=False)
        y, last = layer(whole, hx)
        result = rnn.pad_packed_sequence(y, first, total_length=T)[0], last
    else:
        result = layer(x, hx, lengths=LENGTHS)
    return results(lib, inputs, result, layer.named_parameters())


def evaluated(lib, kind, ways):
    """Dropout between layers does nothing once the layer is evaluated."""
    layer = fill(lib, make(lib, kind, 2, True, False, 0.5, ways == 2)).eval()
    x = leaf(lib, numbers((T, B, IN), 1, 2.0))
    return results(lib, [x], layer(x), layer.named_parameters())


def gru_cell(lib, batch, bias, given):
    module = fill(lib, lib.nn.GRUCell(IN, H, bias))
    lead = (B,) if batch else ()
    inputs = [leaf(lib, numbers((*lead, IN), 1, 2.0))]
    inputs += [leaf(lib, numbers((*lead, H), 2))] if given else []
    once = module(*packed(inputs))
    return results(lib, inputs, [once, module(inputs[0] * 0.5, once)], module.named_parameters())


def in_two_parts(lib, kind, layers):
    """A sequence in two calls, the state handed on: gradients cross the cut."""
    layer = fill(lib, make(lib, kind, layers))
    x = leaf(lib, numbers((T, B, IN), 1, 2.0))
    y, state = layer(x[:1])
    z, last = layer(x[1:], state)
    return results(lib, [x], [y, z, *tensors(last)], layer.named_parameters())


def _cases():
    cases = {}
    for kind, layers, ways, layout, bias, given in itertools.product(
        KINDS, (1, 2, 3), (1, 2), LAYOUTS, YES_NO, YES_NO
    ):
        if ways == 1 and kind not in ("gru", "lstm_proj"):
            continue  # those are in table.py
        words = [f"{kind} {layers} layers {ways} ways {layout}", "bias" * bias, "state" * given]
        name = " ".join(filter(None, words))
        cases[name] = (recurrent, (kind, layers, ways, layout, bias, given))
    for kind, layers, ways, layout in itertools.product(KINDS, (1, 2), (1, 2), LAYOUTS[:2]):
        given = layers == ways
        name = f"ragged {kind} {layers} layers {ways} ways {layout}" + " state" * given
        cases[name] = (ragged, (kind, layers, ways, layout, given))
    for kind, ways in itertools.product(KINDS, (1, 2)):
        cases[f"evaluated {kind} {ways} ways"] = (evaluated, (kind, ways))
    for kind, layers in itertools.product(KINDS, (1, 2)):
        cases[f"in two parts {kind} {layers} layers"] = (in_two_parts, (kind, layers))
    for batch, bias, given in itertools.product(YES_NO, YES_NO, YES_NO):
        words = ["gru cell", "batch" * batch, "bias" * bias, "state" * given]
        cases[" ".join(filter(None, words))] = (gru_cell, (batch, bias, given))
    return cases


CASES = _cases()


def run(lib, name):
    """Every value and gradient of a case."""
    function, arguments = CASES[name]
    return function(lib, *arguments)


def keys(lib):
    """The entries of every layer's state dict, with their shapes, in order."""
    found = {}
    for kind, layers, ways, bias in itertools.product(KINDS, (1, 2, 3), (1, 2), YES_NO):
        layer = make(lib, kind, layers, bias, False, 0.0, ways == 2)
        found[f"{kind} {layers} layers {ways} ways" + " bias" * bias] = _entries(layer)
    for name, bias in itertools.product(("RNNCell", "LSTMCell", "GRUCell"), YES_NO):
        found[name + " bias" * bias] = _entries(getattr(lib.nn, name)(IN, H, bias))
    return found


def _entries(layer):
    return [[key, list(plain(value).shape)] for key, value in layer.state_dict().items()]
