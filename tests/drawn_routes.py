"""The routes from a drawn cell to values and gradients, and what is a difference between two of them.

How much rounding can do is measured where it matters: the recorded loop runs again with each value off
by a unit in its last place or so, some times, and what moves by that may differ by much more.
"""

from __future__ import annotations

import io
import traceback
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawn_cells import directions, made, nested, numbers_for, reference

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

STEP = 1e-30  # of the complex step
ODD = ("odd", "huge", "tiny")  # special inputs for which only routes of the engine are compared

JUMPS = {"floor", "ceil", "round", "sign", "remainder", "remainder_number", "floor_divide"}
JUMPS |= {"floor_divide_number", "where", "where_number", "where_both", "mask"}


class Difference(Exception):  # noqa: N818 (a finding)
    """Two routes differ: ``args`` are the route, what differs and by how much."""


# ---- calling a layer -----------------------------------------------------------------------------


class Leaves:
    """The tensors of one call, new: the input in its layout, states, keyword arguments, a layer."""

    def __init__(self, cell, call, arrays, module):
        self.cell, self.call, self.module = cell, call, module
        asks = call.asks
        self.by_name = {}
        x = arrays["x"]
        base, view = _laid_out(call.layout, x)
        self.x = tg.tensor(base, requires_grad="x" in asks)
        self.entering = view(self.x)
        for k in range(len(cell.constants)):
            self._leaf(f"c{k}", arrays, asks)
        given = call.start == "given"
        for k in range(len(cell.states)):
            if given:
                self._leaf(f"s{k}", arrays, asks)
            elif call.start == "learned":
                self.by_name[f"s{k}"] = getattr(module, f"s{k}")
        for k in range(len(cell.weights)):
            p = getattr(module, f"w{k}")
            if p.requires_grad != (f"w{k}" in asks):
                p.requires_grad_(f"w{k}" in asks)
            self.by_name[f"w{k}"] = p
        for t in self.by_name.values():
            t.grad = None
        states = [self.by_name.get(f"s{k}") for k in range(len(cell.states))]
        self.state = nested(cell.nest, states) if given else None
        self.constants = {f"c{k}": self.by_name[f"c{k}"] for k in range(len(cell.constants))}

    def _leaf(self, name, arrays, asks):
        self.by_name[name] = tg.tensor(arrays[name], requires_grad=name in asks)

    def gradients(self):
        """What came to each input; of the input in the order of time."""
        found = {
            f"grad {n}": _array(t.grad) for n, t in self.by_name.items() if n in self.call.asks
        }
        if "x" in self.call.asks:
            found["grad x"] = _in_time(self.call.layout, _array(self.x.grad))
        return found


def _laid_out(layout, x):
    """The array that holds the input, and how the layer's input is a view of it."""
    if layout == "batch_first":
        return x.swapaxes(0, 1), lambda t: t
    if layout == "turned":
        return x.swapaxes(0, 1), lambda t: t.transpose(0, 1)
    if layout == "backwards":
        return x[::-1], lambda t: t.flip(0)
    if layout == "every second":
        return np.repeat(x, 2, 0), lambda t: t[::2]
    if layout == "cast" and x.dtype == np.float32:
        return x.astype(np.float64), lambda t: t.to(tg.float32)
    return x, lambda t: t


def _in_time(layout, g):
    if g is None:
        return None
    if layout in ("batch_first", "turned"):
        return g.swapaxes(0, 1)
    if layout == "backwards":
        return g[::-1]
    return g[::2] if layout == "every second" else g


def _array(t):
    return None if t is None else np.array(t.numpy())


def _parts(state):
    return [t for _, t in nn.stepping.parts(state)]


def layer_of(module, call, compiled):
    layer = nn.Recurrent(module, batch_first=call.layout == "batch_first")
    layer.compiled = compiled
    return layer


def loss_of(cell, call, y, finals):
    """A weighted sum of what the loss takes, the output with its time axis first."""
    weights = weights_of(call, y.shape, [f.shape for f in finals])
    total = None
    for on, t, w in zip(call.losses, (y, *finals), weights, strict=True):
        if on:
            part = (t * tg.tensor(w.astype(t.dtype))).sum()
            total = part if total is None else total + part
    return total


def weights_of(call, shape, shapes):
    rng = np.random.default_rng(call.seed + 2)
    found = [rng.uniform(0.2, 1.0, s) for s in (shape, *shapes)]
    if call.last_only:
        found[0][:-1] = 0
    return found


def run_layer(layer, leaves, pieces=None):
    """(output with time first, last states); in pieces of so many steps where it is asked for."""
    call = leaves.call
    if pieces is None:
        lengths = None if call.lengths is None else list(call.lengths)
        y, final = layer(leaves.entering, leaves.state, lengths=lengths, **leaves.constants)
    else:
        axis = 1 if call.layout == "batch_first" else 0
        ys, final = [], leaves.state
        for t in range(0, call.steps, pieces):
            part = (
                leaves.entering[t : t + pieces] if axis == 0 else leaves.entering[:, t : t + pieces]
            )
            y, final = layer(part, final, **leaves.constants)
            ys.append(y)
        y = tg.cat(ys, axis)
    return (y.transpose(0, 1) if call.layout == "batch_first" else y), _parts(final)


def outcome(cell, call, arrays, module, compiled, pieces=None, ledger=False):
    """Values and gradients by name."""
    leaves = Leaves(cell, call, arrays, module)
    layer = layer_of(module, call, compiled)
    y, finals = run_layer(layer, leaves, pieces)
    found = {"y": _array(y), **{f"last {k}": _array(t) for k, t in enumerate(finals)}}
    loss = loss_of(cell, call, y, finals)
    if loss.requires_grad:
        book = loss.backward(ledger=ledger)
        found.update(leaves.gradients())
        if ledger:
            for name, t in leaves.by_name.items():
                if t.grad is not None:
                    found[f"ledger {name}"] = np.asarray(book[t]).sum(0)
    else:
        found.update({f"grad {n}": None for n in call.asks})
    found["ran"] = layer.explain()
    return found


# ---- comparing -----------------------------------------------------------------------------------


def compare(route, ours, theirs, slack, eps, floor=100.0):
    """Raise Difference where ``ours`` is not ``theirs``, for all names of ``theirs`` but ``ran``.

    Values are allowed to be off by some units in the last place of the largest of their kind (the
    output and the input's gradient: of the same step) or, ``floor`` times, of 1: what squashes
    numbers gives slopes that are differences from 1.
    """
    both = {n: (ours[n], other) for n, other in theirs.items() if n != "ran" and n in ours}
    for name, (one, other) in both.items():
        if one is None or other is None:
            continue
        if one.shape != other.shape or one.dtype != other.dtype:
            raise Difference(
                route, name, f"{one.shape} {one.dtype}, expected {other.shape} {other.dtype}"
            )
        off = farthest(one, other, slack and slack().get(name), eps, name, floor)
        if off:
            raise Difference(route, name, off)
    for name, (one, other) in both.items():
        if one is None and other is not None and not other.any():
            continue  # a graph without what is multiplied by zero
        if (one is None) != (other is None):
            raise Difference(route, name, f"{_said(one)}, expected {_said(other)}")


def _said(a):
    return "None" if a is None else f"an array of {a.shape}"


def farthest(one, other, slack, eps, name, floor):
    """Where two arrays differ by more than is allowed, in words; '' where they do not.

    With ``floor`` 0 (NaN, infinite and huge inputs) a gradient may be NaN where the other is a number:
    a step that says nothing has no gradient in one graph and zeros in another, and 0 * inf is NaN.
    """
    poisoned = not floor
    with np.errstate(all="ignore"):
        finite = np.isfinite(other)
        if poisoned and name.startswith("grad"):
            finite = finite & np.isfinite(one)
        if (np.isfinite(one) & ~np.isfinite(other)).any() or not np.isfinite(one)[finite].all():
            return f"not finite at other places: {_show(one)}, expected {_show(other)}"
        if not finite.any():
            return ""
        gap = np.where(finite, np.abs(one - other), 0)
        size = np.where(finite, np.abs(other), 0)
        over_time = name in ("y", "grad x") and one.ndim > 0
        axes = tuple(range(1, one.ndim)) if over_time else None
        allowed = 1e3 * eps * size.max(axis=axes, keepdims=True)
        allowed = allowed + floor * eps + 10 * np.finfo(one.dtype).smallest_normal
        if slack is not None:
            allowed = allowed + 300 * np.nan_to_num(slack, nan=np.inf).max(axis=axes, keepdims=True)
        if (gap <= allowed).all():
            return ""
        worst = gap.max()
        return f"off by {worst:.3g} of {size.max():.3g}: {_show(one)}, expected {_show(other)}"


def _show(a):
    flat = np.asarray(a).ravel()
    return " ".join(f"{v:.6g}" for v in flat[:6]) + (" ..." if flat.size > 6 else "")


def eps_of(cell, call):
    """The precision of a case: the lowest that any of its lines computes in."""
    casts = call.layout == "cast" or any(line.kind == "cast" for line in cell.lines)
    return np.finfo("float32" if casts else f"float{call.bits}").eps


def slack_of(cell, call, arrays, base):
    """How far each result moves where every value is off by about a unit in its last place."""
    found = {}
    eps = 2 * np.finfo(f"float{call.bits}").eps
    rng = np.random.default_rng(call.seed + 3)

    def noise(t):
        factor = 1 + eps * rng.uniform(-1, 1, t.shape)
        return t * tg.tensor(factor.astype(t.dtype)) if t.is_floating_point() else t

    for _ in range(4):
        moved = {
            n: (a * (1 + eps * rng.uniform(-1, 1, a.shape))).astype(a.dtype)
            for n, a in arrays.items()
        }
        other = outcome(cell, call, moved, made(cell, call, moved, noise), False)
        for name, value in base.items():
            if name == "ran" or value is None or other.get(name) is None:
                continue
            with np.errstate(all="ignore"):
                gap = np.abs(other[name].astype(float) - value)
            found[name] = np.fmax(found.get(name, gap), gap)
    return found


# ---- the routes ----------------------------------------------------------------------------------


class Case:
    """A cell, a call, and what the recorded loop says."""

    def __init__(self, cell, call, module=None):
        self.cell, self.call = cell, call
        self.arrays = numbers_for(cell, call)
        self.module = module or made(cell, call, self.arrays)
        self.eps = eps_of(cell, call)
        if module is not None:
            with tg.no_grad():
                for name, a in self.arrays.items():
                    if name[0] == "w" or (name[0] == "s" and call.start == "learned"):
                        getattr(module, name).copy_(a)
        self.base = outcome(cell, call, self.arrays, self.module, False)
        self.floor = 0.0 if call.special in ODD else 100.0
        self._slack = None

    def slack(self):
        if self._slack is None:
            self._slack = slack_of(self.cell, self.call, self.arrays, self.base)
        return self._slack

    def as_recorded(self, found):
        """With lengths: None for zeros where the recorded loop, whose graph depends on them, has None."""
        return {
            n: None if a is not None and self.base.get(n, 0) is None and not a.any() else a
            for n, a in found.items()
            if n != "ran"
        }

    def check(self, route, found):
        """Hold a route's results against the recorded loop's; rounding is measured only if need be."""
        try:
            if self.call.lengths is not None:
                found = self.as_recorded(found)
            compare(route, found, self.base, None, self.eps, self.floor)
        except Difference as first:
            if "off by" not in first.args[2]:
                raise
            compare(route, found, self.base, self.slack, self.eps, self.floor)
            raise Loose from None


class Loose(Exception):  # noqa: N818
    """Equal only as far as rounding, measured, allows."""


def by_backend(name):
    def route(case):
        with backends.using(name):
            found = outcome(case.cell, case.call, case.arrays, case.module, True)
        case.check(name, found)
        return found["ran"].partition(" (")[0].partition(":")[0]

    return route


def in_pieces(case):
    """The sequence in pieces, each from the state that the last one left: one step at a time."""
    if case.call.lengths is not None:
        return None
    with backends.using("numpy"):
        found = outcome(case.cell, case.call, case.arrays, case.module, True, case.call.cut)
    case.check("pieces", found)
    return "run"


def ledger(case):
    """The rows of the ledger add up to the gradient, and the gradient is the one without it."""
    with backends.using("numpy"):
        found = outcome(case.cell, case.call, case.arrays, case.module, True, ledger=True)
    case.check("ledger", found)
    rows = {n: a for n, a in found.items() if n.startswith("ledger ")}
    slack = {n: case.slack().get(f"grad {n[7:]}") for n in rows} if rows else {}
    compare(
        "ledger rows",
        {
            n: a.astype(found[f"grad {n[7:]}"].dtype).reshape(found[f"grad {n[7:]}"].shape)
            for n, a in rows.items()
        },
        {n: found[f"grad {n[7:]}"] for n in rows},
        lambda: slack,
        case.eps,
    )
    return "run"


def plain_numpy(case):
    """Values and, along a direction of each input, derivatives in plain numpy."""
    cell, call = case.cell, case.call
    if call.special in ODD:
        return None
    if call.bits == 32 and any(line.kind in JUMPS for line in cell.lines):
        return None  # where it rounds decides on which side of a jump it is
    along = directions(cell, call)
    wide = {n: a.astype(np.float64) for n, a in case.arrays.items()}
    y, finals = reference(cell, call, wide, along)
    results = [y, *finals]
    if not all(np.isfinite(r.v).all() and np.isfinite(r.d).all() for r in results):
        return None
    found, theirs = {}, {}
    for name, r in zip(["y", *(f"last {k}" for k in range(len(finals)))], results, strict=True):
        found[name], theirs[name] = case.base[name].astype(np.float64), r.v.astype(np.float64)
    weights = weights_of(call, y.v.shape, [f.v.shape for f in finals])
    for k, (name, direction) in enumerate(along.items()):
        total = sum(
            float((w * r.d[k]).sum())
            for on, r, w in zip(call.losses, results, weights, strict=True)
            if on
        )
        g = case.base[f"grad {name}"]
        found[f"slope {name}"] = np.asarray(
            0.0 if g is None else (g.astype(float) * direction).sum()
        )
        theirs[f"slope {name}"] = np.asarray(total)
    size = {
        f"slope {n}": np.asarray(np.abs(case.base[f"grad {n}"]).sum() * 1e3 * case.eps)
        for n in along
        if case.base[f"grad {n}"] is not None
    }

    def slack():
        measured = case.slack()
        projected = {
            f"slope {n}": np.asarray(measured[f"grad {n}"].sum())
            for n in along
            if f"grad {n}" in measured
        }
        return {
            **measured,
            **{
                n: projected.get(n, 0) + size.get(n, 0) / 300
                for n in theirs
                if n.startswith("slope")
            },
        }

    try:
        compare("plain numpy", found, theirs, None, case.eps)
    except Difference as first:
        if "off by" not in first.args[2]:
            raise
        compare("plain numpy", found, theirs, slack, case.eps)
        raise Loose from None
    return "run"


def _function(case, compiled):
    """The loss as a function of the inputs that ask for gradients, and those."""
    cell, call = case.cell, replace(case.call, layout="plain", start=case.call.start)
    names = sorted(case.call.asks)

    def f(*tensors):
        given = dict(zip(names, tensors, strict=True))
        for n, a in case.arrays.items():
            given.setdefault(n, tg.tensor(a))
        shell = made(cell, call, case.arrays)
        for n, t in given.items():
            if n[0] == "w" or (n[0] == "s" and call.start == "learned"):
                del shell.__dict__["_parameters"][n]
                shell.__dict__[n] = t
        layer = layer_of(shell, call, compiled)
        states = [given[f"s{k}"] for k in range(len(cell.states))]
        state = nested(cell.nest, states) if call.start == "given" else None
        constants = {f"c{k}": given[f"c{k}"] for k in range(len(cell.constants))}
        lengths = None if call.lengths is None else list(call.lengths)
        y, final = layer(given["x"], state, lengths=lengths, **constants)
        return y, _parts(final)

    return f, names


def forwards(case, compiled):
    """``tg.func.jvp`` of output and last states along one direction of everything."""
    cell, call = case.cell, case.call
    along = directions(cell, call)
    if call.special in ODD or call.bits == 32 or not along or call.steps > 8:
        return None
    f, names = _function(case, compiled)
    primals = tuple(tg.tensor(case.arrays[n]) for n in names)
    with backends.using("numpy"):
        (y, finals), (dy, dfinals) = tg.func.jvp(
            f, primals, tuple(tg.tensor(along[n]) for n in names)
        )
    ry, rfinals = reference(cell, call, case.arrays, along)
    found = {"y": _array(y), "dy": _array(dy)}
    theirs = {"y": ry.v, "dy": ry.d.sum(0)}
    for k, (t, d, r) in enumerate(zip(finals, dfinals, rfinals, strict=True)):
        found |= {f"last {k}": _array(t), f"dlast {k}": _array(d)}
        theirs |= {f"last {k}": r.v, f"dlast {k}": r.d.sum(0)}
    if not all(np.isfinite(a).all() for a in theirs.values()):
        return None
    _close_or_loose("jvp_compiled" if compiled else "jvp", case, found, theirs)
    return "run"


def _close_or_loose(route, case, found, theirs):
    """Compare; where they differ, by the slack that all gradients together have."""
    try:
        compare(route, found, theirs, None, case.eps)
    except Difference as first:
        if "off by" not in first.args[2]:
            raise
        ratio = 0.0
        for n, s in case.slack().items():
            size = np.abs(case.base[n]).max(initial=0)
            ratio = max(ratio, float(np.nan_to_num(s, nan=np.inf).max(initial=0)) / (size or 1))
        slack = {
            n: np.full(a.shape, 10 * ratio * np.abs(a).max(initial=0)) for n, a in theirs.items()
        }
        compare(route, found, theirs, lambda: slack, case.eps)
        raise Loose from None


def second_order(case, compiled):
    """``tg.func.hvp`` of the loss, against the complex step of the derivatives in plain numpy."""
    cell, call = case.cell, case.call
    along = directions(cell, call)
    if call.special or call.bits == 32 or not along or call.steps > 5:
        return None
    if not all(np.isfinite(a).all() for n, a in case.base.items() if n != "ran" and a is not None):
        return None
    f, names = _function(case, compiled)

    def loss(*tensors):
        y, finals = f(*tensors)
        return loss_of(cell, call, y, finals)

    rng = np.random.default_rng(call.seed + 4)
    v = {n: rng.uniform(-1, 1, along[n].shape) for n in names}
    with backends.using("numpy"):
        _, product = tg.func.hvp(
            loss,
            tuple(tg.tensor(case.arrays[n]) for n in names),
            tuple(tg.tensor(v[n]) for n in names),
        )
    moved = {n: a + 1j * STEP * v[n] if n in v else a + 0j for n, a in case.arrays.items()}
    y, finals = reference(cell, call, moved, along)
    weights = weights_of(call, y.v.shape, [r.v.shape for r in finals])
    found, theirs = {}, {}
    for k, n in enumerate(along):
        total = sum(
            float((w * np.imag(r.d[k])).sum()) / STEP
            for on, r, w in zip(call.losses, (y, *finals), weights, strict=True)
            if on
        )
        at = names.index(n)
        found[f"second {n}"] = np.asarray((_array(product[at]) * along[n]).sum())
        theirs[f"second {n}"] = np.asarray(total)
    if not all(np.isfinite(a).all() for a in theirs.values()):
        return None
    size = max(abs(float(a)) for a in theirs.values())
    if size == 0 or all(abs(float(a)) < 1e-9 * size for a in theirs.values()):
        size = 1.0
    for n in theirs:  # the sums may cancel: held against the largest
        found[n], theirs[n] = np.array([found[n], size]), np.array([theirs[n], size])
    _close_or_loose("second_compiled" if compiled else "second", case, found, theirs)
    return "run"


def in_onnxruntime(case):
    """The layer as an ONNX file, run by onnxruntime; None where one of them has no word for an op."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    cell, call = case.cell, case.call
    if call.bits == 64 or call.special in ODD or call.lengths or call.layout != "plain":
        return None
    if call.steps > 8:
        return None
    leaves = Leaves(cell, call, case.arrays, case.module)
    given = [leaves.x] if leaves.state is None else [leaves.x, leaves.state]
    file = io.BytesIO()
    try:
        layer = layer_of(case.module, call, False)
        tg.interop.to_onnx(layer, file, *given, unroll=True, **leaves.constants)
    except tg.interop.ExportError:
        return "refused"
    arrays = [_array(t) for t in (leaves.x, *_parts(leaves.state), *leaves.constants.values())]
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(file.getvalue(), options)
    except states.NotImplemented:
        return "onnxruntime lacks an op"
    names = [i.name for i in session.get_inputs()]
    results = session.run(None, dict(zip(names, arrays, strict=True)))
    finals = [f"last {k}" for k in range(len(cell.states))]
    case.check("onnx", dict(zip(["y", *finals], results, strict=True)))
    return "run"


ROUTES = {
    "plain": plain_numpy,
    "numpy": by_backend("numpy"),
    "numba": by_backend("numba"),
    "pieces": in_pieces,
    "ledger": ledger,
    "jvp": lambda case: forwards(case, False),
    "second": lambda case: second_order(case, False),
    "jvp_compiled": lambda case: forwards(case, True),
    "second_compiled": lambda case: second_order(case, True),
    "onnx": in_onnxruntime,
}


# what routes call their findings, besides by their own name
NAMES = dict.fromkeys(ROUTES, ())
NAMES |= {"plain": ("plain numpy",), "ledger": ("ledger rows",)}


def verdict(case, route):
    """(what happened, difference or None): of one route."""
    try:
        return ROUTES[route](case), None
    except Loose:
        return "run, within measured rounding", None
    except Difference as difference:
        return "DIFFERS", difference.args
    except Exception as error:
        return "RAISES", (route, "raises", _words(error))


def _words(error):
    """An exception's name, where it was raised, and its words."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    words = (str(error).splitlines() or [""])[0][:120]
    return f"{type(error).__name__}: {words} ({Path(at.filename).name}:{at.lineno} {at.name})"


def whole(cell, call, routes, module=None):
    """What each route says; the first difference, as (route, what, how much)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            case = Case(cell, call, module)
        except Exception as error:
            return {"recorded": "RAISES"}, [("recorded", "raises", _words(error))]
        said, differences = {"recorded": "run"}, []
        for route in routes:
            said[route], difference = verdict(case, route)
            if difference:
                differences.append(difference)
        return said, differences
