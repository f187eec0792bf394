"""Our layers beside onnxruntime: random nodes of every kind, direction, raggedness and option.

Made by ``golden/make_onnx.py``. ONNX orders gates i, o, f, c (LSTM), z, r, h (GRU) and peepholes
i, o, f; ours are PyTorch's: i, f, g, o and r, z, n, peepholes i, f, o.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from support import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn import nn

ORDER = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
STATES = {"RNN": "h", "GRU": "h", "LSTM": "hc"}


def _load():
    with np.load(Path(__file__).parent / "golden" / "onnx.npz", allow_pickle=False) as stored:
        values, cases = stored["values"], json.loads(str(stored["cases"]))
    nodes = {}
    for name, (kind, attributes, where) in cases.items():
        arrays = {
            key: values[start : start + int(np.prod(shape))].reshape(shape)
            for key, (start, shape) in where.items()
        }
        if "sequence_lens" in arrays:
            arrays["sequence_lens"] = arrays["sequence_lens"].astype(int)
        nodes[name] = (kind, attributes, arrays)
    return nodes


NODES = _load()


def rows(array, order):
    """The gates' blocks of rows in another order."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[k] for k in order])


def weights(kind, arrays, way):
    """The entries of our state dict for one direction, without a suffix."""
    order, hidden = ORDER[kind], arrays["R"].shape[-1]
    gates = len(order) * hidden
    biases = arrays["B"][way] if "B" in arrays else np.zeros(2 * gates, np.float32)
    found = {
        "weight_ih": rows(arrays["W"][way], order),
        "weight_hh": rows(arrays["R"][way], order),
        "bias_ih": rows(biases[:gates], order),
        "bias_hh": rows(biases[gates:], order),
    }
    if "P" in arrays:
        found["weight_peephole"] = rows(arrays["P"][way], (0, 2, 1))
    return found


def options(kind, attributes, arrays):
    if kind == "GRU":
        return {"reset_after": bool(attributes["linear_before_reset"])}
    return {"peephole": True} if "P" in arrays else {}


def layer_result(kind, attributes, arrays):
    """By ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``, forward or in both directions."""
    both = attributes["direction"] == "bidirectional"
    features, hidden = arrays["X"].shape[-1], attributes["hidden_size"]
    make = getattr(nn, kind)
    layer = make(features, hidden, bidirectional=both, **options(kind, attributes, arrays))
    entries = {}
    for way, suffix in enumerate(["_l0", "_l0_reverse"][: 1 + both]):
        found = weights(kind, arrays, way)
        entries |= {key + suffix: tg.tensor(value) for key, value in found.items()}
    layer.load_state_dict(entries)
    shape = arrays["Y_h"].shape
    given = [arrays.get(f"initial_{n}", np.zeros(shape, np.float32)) for n in STATES[kind]]
    hx = given[0] if len(given) == 1 else tuple(given)
    y, last = layer(arrays["X"], hx, lengths=arrays.get("sequence_lens"))
    return y, [last] if kind != "LSTM" else last


def reverse_result(kind, attributes, arrays):
    """By the backward cell of ``nn.Recurrent``, whose forward cell has weights of its own."""
    features, hidden = arrays["X"].shape[-1], attributes["hidden_size"]
    chosen = options(kind, attributes, arrays)
    make = nn.PeepholeLSTMCell if chosen.pop("peephole", False) else getattr(nn, f"{kind}Cell")
    cell = make(features, hidden, **chosen)
    cell.load_state_dict({k: tg.tensor(v) for k, v in weights(kind, arrays, 0).items()})
    zeros = np.zeros(arrays["Y_h"].shape[1:], np.float32)
    given = [
        tg.tensor(arrays[f"initial_{n}"][0] if f"initial_{n}" in arrays else zeros)
        for n in STATES[kind]
    ]
    state = given[0] if len(given) == 1 else tuple(given)
    layer = nn.Recurrent(make(features, hidden, **chosen), reverse=cell)
    y, (_, last) = layer(arrays["X"], (None, state), lengths=arrays.get("sequence_lens"))
    return y[..., hidden:], [t.unsqueeze(0) for t in ([last] if kind != "LSTM" else last)]


@pytest.mark.parametrize("name", NODES)
def test_as_onnxruntime(name):
    kind, attributes, arrays = NODES[name]
    alone = attributes["direction"] == "reverse"
    y, last = (reverse_result if alone else layer_result)(kind, attributes, arrays)
    steps, ways, batch, hidden = arrays["Y"].shape
    expected = arrays["Y"].transpose(0, 2, 1, 3).reshape(steps, batch, ways * hidden)
    assert_close(y.detach(), expected, 1e-5, f"{name}: Y")
    empty = arrays.get("sequence_lens", np.ones(batch)) == 0
    for ours, n in zip(last, STATES[kind], strict=True):
        # After no step at all ours is where it began; onnxruntime says 0, whatever it was given.
        theirs = arrays[f"Y_{n}"]
        assert not theirs[:, empty].any()
        began = arrays.get(f"initial_{n}", np.zeros_like(theirs))
        expected = np.where(empty[:, None], began, theirs)
        assert_close(ours.detach(), expected, 1e-5, f"{name}: Y_{n}")


def test_the_nodes_hold_every_option_and_lengths_of_zero():
    assert len(NODES) >= 180
    seen = set()
    for kind, attributes, arrays in NODES.values():
        lengths = arrays.get("sequence_lens")
        uses = {"B", "P", "initial_h", "initial_c", "sequence_lens"} & set(arrays)
        uses.add(f"reset {attributes.get('linear_before_reset')}")
        if lengths is not None and not lengths.all():
            uses.add("a length of 0")
        seen |= {(kind, attributes["direction"], use) for use in uses}
    for kind in ORDER:
        wanted = {"B", "initial_h", "sequence_lens", "a length of 0"}
        wanted |= {"P", "initial_c"} if kind == "LSTM" else set()
        wanted |= {"reset 0", "reset 1"} if kind == "GRU" else set()
        for direction in ("forward", "reverse", "bidirectional"):
            assert {use for k, d, use in seen if (k, d) == (kind, direction)} >= wanted
