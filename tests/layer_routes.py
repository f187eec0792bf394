"""The recurrent layers over their options, and over what a user does with their outputs, by every route.

    python tests/layer_routes.py --cases 5000 --seed 3 --routes plain,torch,numpy --minutes 10

A case is data: options, input, lengths, state, which weights are frozen, how the layer is applied (once,
again on its own state, in pieces, on top of another, twice in one loss), and which parts of the outputs
the loss takes. It runs here by the recorded loop, by loops of numpy calls, as machine code; in PyTorch,
where that is installed; and in plain numpy with forward-mode derivatives of its own (``duals.py``).
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from importlib import import_module

import duals
import numpy as np
from duals import PAIRS, curve
from numpy.testing import assert_allclose

import tinygrad_rnn as tg
from tinygrad_rnn.scan import backends


@dataclass(frozen=True)
class LayerCase:
    """A layer, how it is called, and what the loss takes."""

    kind: str = "LSTM"
    features: int = 2
    hidden: int = 3
    layers: int = 1
    bias: bool = True
    batch_first: bool = False
    both: bool = False  # bidirectional
    projected: int = 0
    curve: str = "tanh"  # of RNN
    steps: int = 4
    batch: int | None = 2  # None: unbatched
    lengths: tuple[int, ...] | None = None
    packed: bool = False  # the lengths come with a packed batch
    state: str = "none"  # or given, asks (requires a gradient)
    x_asks: bool = True
    frozen: tuple[str, ...] = ()
    way: str = "once"  # or again, pieces, cut pieces, on top, twice
    takes: tuple[str, ...] = ("y",)  # the parts of y and the last states that the loss takes
    seed: int = 0

    def options(self):
        """The keyword arguments that make the layer, in either library."""
        more = {"nonlinearity": self.curve} if self.kind == "RNN" else {}
        more |= {"proj_size": self.projected} if self.projected else {}
        return {
            "num_layers": self.layers,
            "bias": self.bias,
            "batch_first": self.batch_first,
            "bidirectional": self.both,
            **more,
        }

    @property
    def out(self):
        """The features of one direction's output."""
        return self.projected or self.hidden


TAKES = ["y", "y[k]", "y[::2]", "y[-1]", "y*y", "h", "c", "h[0]", "y[:, :1]", "y part", "y later"]
WAYS = ["once", "once", "once", "again", "pieces", "cut pieces", "on top", "twice"]


def draw(rng):
    """A case."""
    kind = str(rng.choice(["LSTM", "LSTM", "GRU", "RNN"]))
    hidden = int(rng.integers(1, 5))
    batch = None if rng.random() < 0.15 else int(rng.integers(1, 5))
    steps = int(rng.integers(1, 7))
    lengths = None
    if batch is not None and rng.random() < 0.3:
        lengths = tuple(int(k) for k in rng.integers(1, steps + 1, batch))
    case = LayerCase(
        kind=kind,
        features=int(rng.integers(1, 5)),
        hidden=hidden,
        layers=int(rng.choice([1, 1, 1, 2, 3])),
        bias=bool(rng.random() < 0.8),
        batch_first=bool(rng.random() < 0.3),
        both=bool(rng.random() < 0.35),
        projected=int(rng.integers(1, hidden))
        if kind == "LSTM" and hidden > 1 and rng.random() < 0.25
        else 0,
        curve=str(rng.choice(["tanh", "relu"])),
        steps=steps,
        batch=batch,
        lengths=lengths,
        packed=bool(rng.random() < 0.5),
        state=str(rng.choice(["none", "given", "asks"])),
        x_asks=bool(rng.random() < 0.7),
        way=WAYS[int(rng.integers(len(WAYS)))] if lengths is None else "once",
        takes=tuple(str(t) for t in rng.permutation(TAKES)[: int(rng.integers(1, 4))]),
        seed=int(rng.integers(2**31)),
    )
    if kind != "LSTM" and "c" in case.takes:
        case = replace(case, takes=tuple("h" if t == "c" else t for t in case.takes))
    names = list(parameters(case))
    way = rng.random()
    frozen = (
        () if way < 0.5 else tuple(n for n in names if rng.random() < (0.4 if way < 0.9 else 1))
    )
    return replace(case, frozen=frozen)


# ---- numbers -------------------------------------------------------------------------------------


def gates(case):
    return {"LSTM": 4, "GRU": 3, "RNN": 1}[case.kind] * case.hidden


def shapes_of(case, features, prefix=""):
    """The Parameters of one layer by PyTorch's names."""
    found, rows = {}, gates(case)
    ways = 2 if case.both else 1
    for k in range(case.layers):
        for end in [f"_l{k}", f"_l{k}_reverse"][:ways]:
            wide = features if k == 0 else ways * case.out
            found[f"{prefix}weight_ih{end}"] = (rows, wide)
            found[f"{prefix}weight_hh{end}"] = (rows, case.out)
            if case.bias:
                found[f"{prefix}bias_ih{end}"] = found[f"{prefix}bias_hh{end}"] = (rows,)
            if case.projected:
                found[f"{prefix}weight_hr{end}"] = (case.out, case.hidden)
    return found


def parameters(case):
    """The shapes of all Parameters; of the layer on top too, where there is one."""
    found = shapes_of(case, case.features)
    if case.way == "on top":
        found |= shapes_of(case, (2 if case.both else 1) * case.out, "top.")
    return found


def arrays_of(case):
    """Every array of a case: x time first, the states, the Parameters."""
    rng = np.random.default_rng(case.seed)
    lead = () if case.batch is None else (case.batch,)
    found = {"x": rng.uniform(-1, 1, (case.steps, *lead, case.features))}
    count = case.layers * (2 if case.both else 1)
    if case.state != "none":
        found["h0"] = rng.uniform(-1, 1, (count, *lead, case.out))
        if case.kind == "LSTM":
            found["c0"] = rng.uniform(-1, 1, (count, *lead, case.hidden))
    for name, shape in parameters(case).items():
        found[name] = rng.uniform(-0.8, 0.8, shape)
    return found


def asking(case):
    """The names that want a gradient."""
    names = [n for n in parameters(case) if n not in case.frozen]
    names += ["x"] if case.x_asks else []
    states = ["h0", "c0"] if case.kind == "LSTM" else ["h0"]
    return names + (states if case.state == "asks" else [])


# ---- what is done with a layer, in any library ----------------------------------------------------


def applied(case, layer, top, x, state, cat):
    """(y, last states, y of a first call or None): ``layer(x, state) -> y, (h,) or (h, c)``, time first."""
    half = max(case.steps // 2, 1)
    if case.way == "again":
        y, last = layer(x, state)
        return *layer(x.flip((0,)), last), y
    if case.way in ("pieces", "cut pieces") and case.steps > 1:
        first, last = layer(x[:half], state)
        if case.way == "cut pieces":
            last = tuple(s.detach() for s in last)
        y, last = layer(x[half:], last)
        return cat([first, y], 0), last, None
    if case.way == "on top":
        first, _ = layer(x, state)
        return *top(first, None), first
    if case.way == "twice":
        first, _ = layer(x, state)
        return *layer(x * 0.5, state), first
    return *layer(x, state), None


def taken(case, y, last, first):
    """The tensors whose weighted sums are the loss, time first."""
    steps = y.shape[0]
    parts = {
        "y": lambda: y,
        "y[k]": lambda: y[min(3, steps - 1)],
        "y[::2]": lambda: y[::2],
        "y[-1]": lambda: y[-1],
        "y*y": lambda: y * y,
        "h": lambda: last[0],
        "c": lambda: last[-1],
        "h[0]": lambda: last[0][0],
        "y[:, :1]": lambda: y[:, :1],
        "y part": lambda: y[..., : max(y.shape[-1] // 2, 1)],
        "y later": lambda: y[: steps // 2 + 1] * y[: steps // 2 + 1].detach(),
    }
    found = [parts[name]() for name in case.takes]
    return found if first is None else [*found, first]


def weight_of(case, k, shape):
    """What the k-th tensor of the loss is multiplied by."""
    return np.random.default_rng([case.seed, k]).uniform(0.2, 1.0, shape)


# ---- here, and in PyTorch ----------------------------------------------------------------------------


class Library:
    """The few things that are written in another way: how a tensor is made, and lengths are given."""

    def __init__(self, lib, compiled=True):
        self.lib, self.compiled = lib, compiled
        self.ours = lib is tg
        self.rnn = import_module(f"{lib.__name__}.nn.utils.rnn")

    def tensor(self, a, asks=False):
        if self.ours:
            return tg.tensor(a, requires_grad=asks)
        return self.lib.tensor(np.ascontiguousarray(a), requires_grad=asks)

    def layer(self, case, arrays, prefix, features):
        kind = getattr(self.lib.nn, case.kind)
        layer = kind(features, case.hidden, **case.options()).double()
        with self.lib.no_grad():
            for name, p in layer.named_parameters():
                p.copy_(self.tensor(arrays[prefix + name]))
        for name, p in layer.named_parameters():
            p.requires_grad_(prefix + name not in case.frozen)
        if self.ours:
            layer.compiled = self.compiled
        return layer

    def called(self, case, layer):
        """The layer as ``applied`` calls it: time first, the last states a tuple."""
        turn = case.batch_first and case.batch is not None

        def call(x, state):
            given = None if state is None else state[0] if len(state) == 1 else tuple(state)
            if turn:
                x = x.transpose(0, 1)
            if case.lengths is None:
                y, last = layer(x, given)
            elif self.ours and not case.packed:
                y, last = layer(x, given, lengths=list(case.lengths))
            else:
                packed = self.rnn.pack_padded_sequence(
                    x, self.lib.tensor(list(case.lengths)), turn, enforce_sorted=False
                )
                y, last = layer(packed, given)
                y, _ = self.rnn.pad_packed_sequence(y, turn, total_length=case.steps)
            y = y.transpose(0, 1) if turn else y
            return y, (tuple(last) if isinstance(last, tuple) else (last,))

        return call

    def run(self, case, arrays):
        """Values and gradients by name."""
        asks = set(asking(case))
        layer = self.layer(case, arrays, "", case.features)
        top, modules = None, {"": layer}
        if case.way == "on top":
            modules["top."] = self.layer(case, arrays, "top.", (2 if case.both else 1) * case.out)
            top = self.called(case, modules["top."])
        inputs = {n: self.tensor(arrays[n], n in asks) for n in ("x", "h0", "c0") if n in arrays}
        state = tuple(inputs[n] for n in ("h0", "c0") if n in inputs) or None
        y, last, first = applied(
            case, self.called(case, layer), top, inputs["x"], state, self.lib.cat
        )
        found = {"y": y, **dict(zip(("h", "c"), last, strict=False))}
        parts = taken(case, y, last, first)
        loss = sum(
            (p * self.tensor(weight_of(case, k, tuple(p.shape)))).sum() for k, p in enumerate(parts)
        )
        found = {n: np.array(t.detach().numpy()) for n, t in found.items()}
        if loss.requires_grad:
            loss.backward()
        leaves = {p + n: t for p, m in modules.items() for n, t in m.named_parameters()} | inputs
        for name in asks:
            g = leaves[name].grad
            found[f"grad {name}"] = (
                np.zeros(arrays[name].shape) if g is None else np.array(g.numpy())
            )
        for name in set(leaves) - asks:
            assert leaves[name].grad is None, f"{name} asks for no gradient and has one"
        return found, layer.explain() if self.ours else ""


# ---- in plain numpy ------------------------------------------------------------------------------------


def plain_layer(case, values, prefix, count):
    """A layer of Duals, as ``applied`` calls it."""
    ways = 2 if case.both else 1
    lead = () if case.batch is None else (case.batch,)

    def start(size):
        return duals.constant(np.zeros((*lead, size)), count)

    def call(x, state):
        finals = []
        for k in range(case.layers):
            outputs = []
            for way in range(ways):
                at, end = k * ways + way, f"_l{k}" + ("_reverse" if way else "")
                w = {
                    n.removesuffix(end): values[prefix + n]
                    for n in shapes_of(case, 1)
                    if n.endswith(end) and (way or "reverse" not in n)
                }
                if state is None:
                    s = [start(case.out)] + [start(case.hidden)] * (case.kind == "LSTM")
                else:
                    s = [part[at] for part in state]
                y, s = plain_run(case, w, x, s, bool(way))
                outputs.append(y)
                finals.append(s)
            x = outputs[0] if ways == 1 else duals.cat(outputs, -1)
        return x, tuple(duals.stack(list(part), 0) for part in zip(*finals, strict=True))

    return call


def plain_run(case, w, x, s, backwards):
    """One cell over the sequence; what lies beyond a sequence's length has no influence."""
    outputs = [None] * len(x.v)
    for t in reversed(range(len(x.v))) if backwards else range(len(x.v)):
        new = plain_step(case, w, x[t], s)
        output = new[0]
        if case.lengths is not None:
            live = (np.array(case.lengths) > t)[:, None]
            new = [duals.where(live, a, b) for a, b in zip(new, s, strict=True)]
            output = duals.where(live, output, 0.0)
        outputs[t], s = output, new
    return duals.stack(outputs, 0), s


def plain_step(case, w, x, s):
    """The equations of the cell."""
    h, sub = s[0], PAIRS["sub"]
    a = duals.linear(x, w["weight_ih"], w.get("bias_ih"))
    b = duals.linear(h, w["weight_hh"], w.get("bias_hh"))
    tanh, sigmoid, size = curve("tanh"), curve("sigmoid"), case.hidden
    if case.kind == "RNN":
        return [curve(case.curve)(a + b)]
    if case.kind == "GRU":
        (xr, xz, xn), (hr, hz, hn) = (
            [v[..., k * size : (k + 1) * size] for k in range(3)] for v in (a, b)
        )
        z = sigmoid(xz + hz)
        n = tanh(xn + sigmoid(xr + hr) * hn)
        return [sub(n, z * n) + z * h]
    i, f, g, o = (v[..., k * size : (k + 1) * size] for v in (a + b,) for k in range(4))
    c = sigmoid(f) * s[1] + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return [duals.linear(h, w["weight_hr"]) if case.projected else h, c]


def plain(case, arrays):
    """Values, and the loss's derivative along a direction of each input that asks."""
    rng = np.random.default_rng(case.seed + 1)
    asks = asking(case)
    along = {n: rng.uniform(-1, 1, arrays[n].shape) for n in asks}
    values = {}
    for name, a in arrays.items():
        values[name] = duals.constant(a, len(asks))
        if name in along:
            values[name].d[asks.index(name)] = along[name]
    layer = plain_layer(case, values, "", len(asks))
    top = plain_layer(case, values, "top.", len(asks))
    state = tuple(values[n] for n in ("h0", "c0") if n in values) or None
    y, last, first = applied(case, layer, top, values["x"], state, duals.cat)
    found = {"y": y.v, **{n: part.v for n, part in zip(("h", "c"), last, strict=False)}}
    for k, name in enumerate(asks):
        total = 0.0
        for j, part in enumerate(taken(case, y, last, first)):
            total += (part.d[k] * weight_of(case, j, part.shape)).sum()
        found[f"slope {name}"] = total
    return found, along


# ---- comparing --------------------------------------------------------------------------------------------


def check(case, routes):
    """Run a case by each route against the recorded loop; raise AssertionError where one differs."""
    arrays = arrays_of(case)
    base, _ = Library(tg, compiled=False).run(case, arrays)
    ran = {}
    for route in routes:
        if route == "plain":
            found, along = plain(case, arrays)
            sums = {f"slope {n}": (base[f"grad {n}"] * d).sum() for n, d in along.items()}
            hold(route, base | sums, found)
        elif route == "torch":
            hold(route, base, Library(import_module("torch")).run(case, arrays)[0])
        else:
            with backends.using(route):
                found, ran[route] = Library(tg).run(case, arrays)
            hold(route, found, base)
    return ran


def hold(route, ours, theirs):
    for name, other in theirs.items():
        size = np.abs(other).max(initial=0)
        assert_allclose(
            ours[name], other, rtol=1e-9, atol=1e-11 * (1 + size), err_msg=f"{route}: {name}"
        )


def differs(case, routes):
    """What a case shows, in a line; '' for nothing."""
    try:
        check(case, routes)
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        words = " ".join(str(error).split())[:200]
        return f"{type(error).__name__}: {words} ({at.name}:{at.lineno})"
    return ""


SIMPLER = [
    *({"takes": (t,)} for t in ("y", "h", "c", "y[-1]", "y*y")),
    *({name: getattr(LayerCase(), name)} for name in ("layers", "both", "projected", "packed")),
    {"batch_first": False},
    {"lengths": None},
    {"state": "none"},
    {"state": "given"},
    {"way": "once"},
    {"frozen": ()},
    {"x_asks": False},
    {"batch": 1},
    {"steps": 1},
    {"steps": 2},
    {"hidden": 1},
    {"features": 1},
    {"bias": False},
    {"kind": "RNN", "curve": "tanh"},
]


def shrunk(case, routes):
    """A case with fewer options that still fails."""
    again = True
    while again:
        again = False
        for change in [
            *SIMPLER,
            *({"frozen": tuple(n for n in case.frozen if n != f)} for f in case.frozen),
        ]:
            if "c" in change.get("takes", ()) and case.kind != "LSTM":
                continue
            small = replace(case, **change)
            if small.kind != "LSTM":
                small = replace(
                    small, projected=0, takes=tuple("h" if t == "c" else t for t in small.takes)
                )
            if small.hidden <= small.projected:
                continue
            if small.lengths and (
                small.batch != len(small.lengths) or max(small.lengths) > small.steps
            ):
                continue
            if small != case and _cost(small) < _cost(case) and differs(small, routes):
                case, again = small, True
                break
    return case


def _cost(case):
    plain_case = LayerCase(
        kind="RNN", bias=False, steps=1, batch=1, hidden=1, features=1, x_asks=False
    )
    fields = LayerCase.__dataclass_fields__
    odd = sum(
        getattr(case, n) != getattr(plain_case, n) for n in fields if n not in ("seed", "frozen")
    )
    return odd * 1000 + 10 * (case.steps + (case.batch or 9) + case.hidden) + len(case.frozen)


def main():
    """Draw cases, count, print what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--routes", default="plain,numpy")
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    routes, began = options.routes.split(","), time.monotonic()
    found, ran, n = Counter(), Counter(), options.start
    while n - options.start < options.cases and time.monotonic() - began < 60 * options.minutes:
        case = draw(np.random.default_rng([options.seed, n]))
        try:
            for route, words in check(case, routes).items():
                ran[f"{route}: {words.partition(' (')[0].partition(':')[0]}"] += 1
        except Exception:
            words = differs(case, routes)
            if not found[words[:60]]:
                small = shrunk(case, routes)
                print(
                    f"seed {options.seed}, case {n}: {differs(small, routes)}\n    {small}",
                    flush=True,
                )
            found[words[:60]] += 1
        n += 1
    print(
        f"{n - options.start} cases, {time.monotonic() - began:.0f} s, routes {options.routes}; {dict(ran)}"
    )
    print(f"{sum(found.values())} differences")
    for words, count in found.most_common():
        print(f"  {count:5} {words}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
