"""Cells of a user's own, drawn at random as data: printed as Python, run by plain numpy, made smaller.

A :class:`Drawn` is the cell; its values have names: ``x`` the input, ``s0, s1, ...`` the state, ``w0, ...``
Parameters, ``c0, ...`` keyword arguments of the call, ``v0, ...`` what the lines make. A :class:`Call` is
how a layer of it is called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import duals
import numpy as np
from drawn_lines import KINDS, Line, dual_of, text_of
from duals import Dual

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.ops import curves

MOST = 72  # elements of one value


@dataclass(frozen=True)
class Drawn:
    """A cell as data: the shapes of what goes in, and the lines."""

    x: tuple[int, ...]
    states: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[int, ...], ...]
    constants: tuple[tuple[int, ...], ...]
    lines: tuple[Line, ...]
    output: str
    new: tuple[str, ...]
    nest: str = "tuple"

    def used(self):
        """The names that output and state depend on."""
        found = {self.output, *self.new}
        for line in reversed(self.lines):
            if line.name in found:
                found |= set(line.args)
        return found


@dataclass(frozen=True)
class Call:
    """How a layer is called: everything but the cell."""

    steps: int = 3
    bits: int = 64
    seed: int = 0
    lengths: tuple[int, ...] | None = None
    layout: str = "plain"  # or batch_first, turned, backwards, every second, cast
    start: str = "zeros"  # or given, learned
    asks: frozenset[str] = field(default_factory=frozenset)  # which inputs want a gradient
    losses: tuple[bool, ...] = (True,)  # whether output, and each last state, is in the loss
    last_only: bool = False  # of the output, only the last step is in the loss
    special: str = ""  # or ties, odd (NaN and infinity), huge, tiny, zeros
    cut: int = 1  # the length of the pieces where the sequence is taken in pieces


# ---- drawing -------------------------------------------------------------------------------------


class Pen:
    """Draws lines; knows the values of the first step, so that what does not work is not drawn."""

    def __init__(self, rng, sizes):
        self.rng, self.sizes = rng, sizes
        self.values: dict[str, Dual] = {}
        self.lines: list[Line] = []
        self.weights: list[tuple[int, ...]] = []
        self.wild = self.chance(0.1)  # whether numbers may leave the usual range

    def chance(self, p):
        return bool(self.rng.random() < p)

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def size(self):
        return self.pick(self.sizes)

    def enter(self, name, shape):
        value = self.rng.uniform(-1, 1, shape)
        self.values[name] = Dual(value, np.zeros((1, *shape)))
        return name

    def shape(self, name):
        return self.values[name].shape

    def names(self):
        return list(self.values)

    def any(self, least=0):
        """Any value with so many axes or more, the latest lines most often."""
        fits = [v for v in self.values if len(self.shape(v)) >= least]
        if not fits:
            return self.enter_weight((self.size(),) * least)
        weight = np.ones(len(fits))
        for k, v in enumerate(fits):
            if v[0] == "v":
                weight[k] = 3 if v != f"v{len(self.lines) - 1}" else 6
            elif v[0] in "sx":
                weight[k] = 3
        return fits[int(self.rng.choice(len(fits), p=weight / weight.sum()))]

    def enter_weight(self, shape):
        self.weights.append(tuple(shape))
        return self.enter(f"w{len(self.weights) - 1}", tuple(shape))

    def weight(self, shape):
        """A Parameter of a shape: one that is there already, or computed, or a new one."""
        there = [v for v in self.values if self.shape(v) == tuple(shape) and v[0] in "wv"]
        if there and (self.chance(0.5) or len(self.weights) > 6):
            return self.pick(there)
        return self.enter_weight(shape)

    def shaped(self, shape):
        there = [v for v in self.values if self.shape(v) == tuple(shape)]
        return self.pick(there) if there and self.chance(0.8) else self.enter_weight(shape)

    @staticmethod
    def joins(a, b):
        return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))

    def two(self):
        a = self.any()
        fits = [v for v in self.values if self.joins(self.shape(a), self.shape(v))]
        later = [v for v in fits if v[0] in "vsx"] or fits
        b = self.pick(fits if self.chance(0.3) else later)
        return (a, b) if self.chance(0.5) else (b, a)

    def vector(self):
        there = [v for v in self.values if len(self.shape(v)) == 1]
        if there and self.chance(0.6):
            return self.pick(there)
        a = self.any(1)
        if len(self.shape(a)) == 1:
            return a
        if self.chance(0.5):
            return self.write("reshape", (a,), ((-1,),))
        return self.write("getitem", (a,), ((0,) * (len(self.shape(a)) - 1),))

    def positive(self, a):
        way = self.pick(["abs", "square", "sigmoid"])
        return self.write("add_number", (self.write(way, (a,), ()),), (0.3,))

    def small(self, a):
        return a if np.abs(self.values[a].v).max(initial=0) < 1.5 else self.write("tanh", (a,), ())

    def write(self, kind, args, constants):
        """Add a line, or raise ValueError where it is not one to have."""
        line = Line(f"v{len(self.lines)}", kind, tuple(args), tuple(constants))
        try:
            with np.errstate(all="ignore"):
                value = dual_of(line, self.values)
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise ValueError(f"{kind}: {error}") from None
        if value.v.dtype != np.float64 or not 0 < value.v.size <= MOST or value.ndim > 4:
            raise ValueError("not a value to go on with")
        if not self.wild and not np.abs(value.v).max() < 1e3:
            raise ValueError("out of the usual range")
        self.values[line.name] = value
        self.lines.append(line)
        return line.name

    def draw(self, kind=None):
        """One more line, with those that lead to its domain."""
        before = len(self.lines), dict(self.values), list(self.weights)
        kind = kind or self.pick(list(KINDS))
        try:
            found = KINDS[kind].draw(self)
            return None if found is None else self.write(kind, *found)
        except ValueError:
            del self.lines[before[0] :]
            self.values, self.weights = before[1], before[2]
            return None

    def brought(self, shape):
        """Some value in this shape: as it is, or all of one summed up and spread."""
        there = [v for v in self.values if self.shape(v) == shape and v[0] in "vx"]
        if there and self.chance(0.9):
            return there[-1] if self.chance(0.5) else self.pick(there)
        a = self.any()
        if self.shape(a):
            a = self.write("mean", (a,), (None, False))
        return self.write("expand", (a,), (shape,)) if shape else a


def draw_cell(rng, kind=None, lines=12):
    """A cell; ``kind`` is drawn in any case."""
    batch, features, hidden = (int(k) for k in rng.integers(1, 5, 3))
    if rng.random() < 0.25:
        batch = hidden
    sizes = [batch, features, hidden, hidden, hidden, 1, 2, 3]
    pen = Pen(rng, sizes)
    lead = () if pen.chance(0.15) else (batch,)
    x = pen.enter("x", (*lead, features) if not pen.chance(0.06) else (*lead, 2, features))
    shapes = [
        (*lead, hidden),
        (*lead, hidden),
        (*lead, hidden),
        lead,
        (),
        (*lead, 2, hidden),
        (hidden,),
        (*lead, 1),
    ]
    states = tuple(pen.pick(shapes) for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3]))))
    if pen.chance(0.5):
        states = ((*lead, hidden), *states[1:])
    for k, shape in enumerate(states):
        pen.enter(f"s{k}", shape)
    others = [(*lead, 2, hidden), (hidden,), (), (*lead, 1), (*lead, hidden), (2,)]
    constants = tuple(pen.pick(others) for _ in range(int(rng.choice([0, 0, 0, 1, 2]))))
    for k, shape in enumerate(constants):
        pen.enter(f"c{k}", shape)
    if pen.chance(0.6):
        _drive(pen, x, states[0])
    wanted = len(pen.lines) + int(rng.integers(1, lines))
    for attempt in range(60):
        if attempt == 0 and kind is not None:
            for _ in range(40):
                if pen.draw(kind):
                    break
        if len(pen.lines) >= wanted:
            break
        pen.draw()
    new = tuple(_next_state(pen, k, shape, states) for k, shape in enumerate(states))
    made = [line.name for line in pen.lines]
    output = pen.pick(made[-4:]) if made and not pen.chance(0.1) else pen.any()
    nest = "plain" if len(states) == 1 else pen.pick(["tuple", "tuple", "dict", "nested"])
    if pen.chance(0.1):
        pen.enter_weight((hidden,))
    weights = tuple(pen.weights)
    return Drawn(pen.shape(x), states, weights, constants, tuple(pen.lines), output, new, nest)


def _drive(pen, x, shape):
    """What most cells begin with: a product of the input, and one of the state."""
    width = pen.size() if not shape else shape[-1]
    try:
        a = pen.write("matmul", (x, pen.weight((pen.shape(x)[-1], width))), ())
        if len(shape) and pen.joins(shape, pen.shape(a)):
            b = pen.write("matmul", ("s0", pen.weight((shape[-1], width))), ())
            pen.write("add", (a, b), ())
    except ValueError:
        pass


def _next_state(pen, k, shape, states):
    way = pen.rng.random()
    same = [f"s{j}" for j, other in enumerate(states) if other == shape]
    if way < 0.12 and len(same) > 1:  # handed on: a swap, a delay
        return pen.pick(same)
    if way < 0.15:
        return pen.shaped(shape)
    if way < 0.16:
        return f"s{k}"
    for _ in range(20):
        try:
            a = pen.brought(shape)
            if way < 0.7:
                return pen.write(pen.pick(["tanh", "tanh", "sigmoid"]), (a,), ())
            if way < 0.85:
                b = pen.write("mul_number", (f"s{k}",), (0.9,))
                return pen.write("add", (a, b), ())
            if way < 0.9:
                return pen.write("mul_number", (a,), (0.5,))
            return a
        except ValueError:
            continue
    return f"s{k}"


def draw_call(rng, cell, special=True):
    """A way to call a layer of the cell."""
    batched = len(cell.x) > 1
    lead = cell.x[0] if batched else None
    steps = int(rng.integers(1, 8)) if rng.random() < 0.97 else int(rng.integers(20, 60))
    shapes = [*cell.states, reference_step(cell, _blank(cell))[cell.output].shape]
    lengths = None
    if batched and rng.random() < 0.2 and all(s and s[0] == lead for s in shapes):
        lengths = tuple(int(k) for k in rng.integers(0, steps + 1, lead))
    layouts = ["plain", "plain", "plain", "turned", "backwards", "every second", "cast"]
    if batched and shapes[-1]:
        layouts += ["batch_first", "batch_first"]
    start = ["zeros", "given", "learned"][int(rng.choice(3, p=[0.35, 0.5, 0.15]))]
    names = [
        "x",
        *_names("s", cell.states),
        *_names("w", cell.weights),
        *_names("c", cell.constants),
    ]
    asks = (
        frozenset(n for n in names if rng.random() < 0.6)
        if rng.random() < 0.3
        else frozenset(names)
    )
    if start == "zeros":
        asks -= set(_names("s", cell.states))
    elif start == "learned":
        asks |= set(_names("s", cell.states))
    losses = tuple(bool(rng.random() < 0.75) for _ in range(1 + len(cell.states)))
    if not any(losses):
        losses = (True, *losses[1:])
    odd = ""
    if special and rng.random() < 0.25:
        odd = ["ties", "ties", "zeros", "odd", "huge", "tiny"][int(rng.integers(6))]
    return Call(
        steps=steps,
        bits=32 if rng.random() < 0.25 else 64,
        seed=int(rng.integers(2**31)),
        lengths=lengths,
        layout=layouts[int(rng.integers(len(layouts)))],
        start=start,
        asks=asks,
        losses=losses,
        last_only=bool(rng.random() < 0.2),
        special=odd,
        cut=int(rng.integers(1, 3)),
    )


def _names(letter, shapes):
    return [f"{letter}{k}" for k in range(len(shapes))]


def _blank(cell):
    def ones(shape):
        return Dual(np.full(shape, 0.5), np.zeros((1, *shape)))

    return {name: ones(shape) for name, shape in inputs_of(cell).items()}


def inputs_of(cell):
    """The name and shape of everything that goes into one step."""
    found = {"x": cell.x}
    for letter, shapes in (("s", cell.states), ("w", cell.weights), ("c", cell.constants)):
        found.update(zip(_names(letter, shapes), shapes, strict=True))
    return found


def valid(cell):
    """Whether a cell that was made smaller still computes, with states of the shapes they had."""
    try:
        with np.errstate(all="ignore"):
            values = reference_step(cell, _blank(cell))
        return all(values[n].shape == s for n, s in zip(cell.new, cell.states, strict=True))
    except (ValueError, IndexError, KeyError, ZeroDivisionError):
        return False


# ---- numbers -------------------------------------------------------------------------------------


def numbers_for(cell, call):
    """The arrays of a call, by name; the input with its time axis first. In its precision."""
    rng, dtype = np.random.default_rng(call.seed), f"float{call.bits}"
    found = {}
    for name, shape in inputs_of(cell).items():
        if name == "x":
            shape = (call.steps, *shape)
        value = rng.uniform(-1, 1, shape)
        if call.start == "zeros" and name[0] == "s":
            value = np.zeros(shape)
        elif call.special and (name[0] != "w" or call.special in ("ties", "zeros")):
            value = _special(rng, value, call)
        found[name] = np.asarray(value, dtype)
    return found


def _special(rng, value, call):
    if call.special == "ties":
        return np.round(value * 2) / 2
    if call.special == "zeros":
        return np.where(rng.random(value.shape) < 0.7, 0.0, value)
    large = {32: 1e38, 64: 1e308}[call.bits]
    with np.errstate(all="ignore"):
        options = {
            "odd": [np.nan, np.inf, -np.inf],
            "huge": [large, -large, math.sqrt(large)],
            "tiny": [3 / large / 100, -3 / large / 100, 1 / math.sqrt(large), -0.0],
        }[call.special]
    picked = rng.choice(options, value.shape)
    return np.where(rng.random(value.shape) < 0.15, picked, value)


# ---- plain numpy ---------------------------------------------------------------------------------


def reference_step(cell, values):
    """All values of one step, from those that go in."""
    values = dict(values)
    for line in cell.lines:
        values[line.name] = dual_of(line, values)
    return values


def directions(cell, call):
    """A direction for each input that asks for a gradient: one derivative each."""
    rng = np.random.default_rng(call.seed + 1)
    shapes = {n: (call.steps, *s) if n == "x" else s for n, s in inputs_of(cell).items()}
    return {n: rng.uniform(-1, 1, s) for n, s in shapes.items() if n in call.asks}


def reference(cell, call, arrays, along):
    """The output (time first) and the last states, with their derivatives along each direction."""
    count = len(along)

    def seeded(name):
        d = np.zeros((count, *arrays[name].shape), arrays[name].dtype)
        if name in along:
            d[list(along).index(name)] = along[name]
        return Dual(arrays[name], d)

    values = {name: seeded(name) for name in inputs_of(cell)}
    x, outputs = values["x"], []
    for t in range(call.steps):
        values["x"] = Dual(x.v[t], x.d[:, t])
        live = None if call.lengths is None else np.array(call.lengths) > t
        if live is not None:
            values["x"] = _alive(live, values["x"])
        after = reference_step(cell, values)
        output, states = after[cell.output], [after[n] for n in cell.new]
        if live is not None:
            output = _alive(live, output)
            olds = [values[f"s{k}"] for k in range(len(states))]
            states = [_alive(live, new, old) for new, old in zip(states, olds, strict=True)]
        outputs.append(output)
        values.update({f"s{k}": s for k, s in enumerate(states)})
    return duals.stack(outputs, 0), states


def _alive(live, new, old=None):
    shape = (-1,) + (1,) * (new.ndim - 1)
    old = old or Dual(np.zeros_like(new.v), np.zeros_like(new.d))
    return duals.where(live.reshape(shape), new, old)


# ---- Python --------------------------------------------------------------------------------------


def nested(nest, parts):
    """The parts of a state in their nesting."""
    if nest == "plain":
        return parts[0]
    if nest == "dict":
        return {f"p{k}": part for k, part in enumerate(parts)}
    if nest == "nested":
        return (parts[0], [*parts[1:]])
    return tuple(parts)


def source(cell, call, wrap="{}"):
    """The cell's class. ``wrap`` is put around each line."""

    def naming(name):
        return f"self.{name}" if name[0] == "w" else name

    names = _names("s", cell.states)
    unpack = {
        "plain": "s0 = state",
        "tuple": f"{', '.join(names)} = state",
        "dict": f"{', '.join(names)} = state.values()",
        "nested": f"{names[0]}, ({', '.join(names[1:])},) = state",
    }[cell.nest]
    arguments = ", ".join(["self", "x", "state", *_names("c", cell.constants)])
    body = [unpack, *(f"{li.name} = {wrap.format(text_of(li, naming))}" for li in cell.lines)]
    body += [f"return {naming(cell.output)}, {packed(cell, map(naming, cell.new))}"]
    first = [f"tg.zeros({shape}, dtype=tg.float{call.bits})" for shape in cell.states]
    if call.start == "learned":
        first = [f"self.{name}" for name in names]
    lines = ["class Cell(nn.Module):", "    def initial_state(self, batch):"]
    lines += [f"        return {packed(cell, first)}", ""]
    lines += [f"    def forward({arguments}):", *(f"        {line}" for line in body)]
    return "\n".join(lines) + "\n"


def packed(cell, parts):
    """The parts of a state in their nesting, as Python writes it."""
    first, *rest = parts
    return {
        "plain": first,
        "tuple": f"({', '.join([first, *rest])})",
        "dict": "{" + ", ".join(f'"p{k}": {n}' for k, n in enumerate([first, *rest])) + "}",
        "nested": f"({first}, [{', '.join(rest)}])",
    }[cell.nest]


def made(cell, call, arrays, noise=None):
    """The cell as a module with Parameters of these arrays; ``noise`` is applied to each line's value."""
    names = {"nn": nn, "tg": tg, "np": np, "F": nn.functional, "curves": curves}
    names |= {"noise": noise, "__name__": "drawn"}
    exec(source(cell, call, "{}" if noise is None else "noise({})"), names)
    module = names["Cell"]()
    learned = _names("s", cell.states) if call.start == "learned" else []
    for name in [*_names("w", cell.weights), *learned]:
        setattr(module, name, nn.Parameter(arrays[name]))
    return module


# ---- smaller -------------------------------------------------------------------------------------


def smaller(cell, call):
    """Pairs of cell and call that are a little simpler than these."""
    for change in (
        {"special": ""},
        {"layout": "plain"},
        {"lengths": None},
        {"start": "zeros", "asks": call.asks - set(_names("s", cell.states))},
        {"last_only": False},
        {"bits": 64},
        {"steps": 1, "lengths": None},
        {"steps": 2, "lengths": None},
    ):
        changed = replace(call, **change)
        if changed != call and changed.steps <= call.steps:
            yield cell, changed
    for k, on in enumerate(call.losses):
        if on and sum(call.losses) > 1:
            yield cell, replace(call, losses=(*call.losses[:k], False, *call.losses[k + 1 :]))
    for name in sorted(call.asks):
        if len(call.asks) > 1:
            yield cell, replace(call, asks=call.asks - {name})
    used = cell.used()
    kept = tuple(line for line in cell.lines if line.name in used)
    if len(kept) < len(cell.lines):
        yield replace(cell, lines=kept), call
    for k in reversed(range(len(cell.lines))):
        gone, rest = cell.lines[k], (*cell.lines[:k], *cell.lines[k + 1 :])
        earlier = [*gone.args, "x", *_names("s", cell.states), *_names("w", cell.weights)]
        for other in dict.fromkeys(earlier):
            yield _renamed(replace(cell, lines=rest), {gone.name: other}), call
    for letter in "wsc":
        yield from _without(cell, call, letter)
    for k, name in enumerate(cell.new):
        if name != f"s{k}":
            continue
        for line in reversed(cell.lines):
            yield replace(cell, new=(*cell.new[:k], line.name, *cell.new[k + 1 :])), call


def _renamed(cell, names):
    def now(name):
        return names.get(name, name)

    lines = tuple(
        li._replace(name=now(li.name), args=tuple(map(now, li.args))) for li in cell.lines
    )
    return replace(cell, lines=lines, output=now(cell.output), new=tuple(map(now, cell.new)))


def _without(cell, call, letter):
    """Without one Parameter, keyword argument or part of the state that no line reads."""
    field_ = {"w": "weights", "c": "constants", "s": "states"}[letter]
    shapes = getattr(cell, field_)
    read = {a for line in cell.lines for a in line.args} | {cell.output}
    for k in range(len(shapes)):
        new = [n for j, n in enumerate(cell.new) if letter != "s" or j != k]
        if f"{letter}{k}" in read | set(new) or (letter == "s" and len(shapes) == 1):
            continue
        moved = {f"{letter}{j}": f"{letter}{j - 1}" for j in range(k + 1, len(shapes))}
        changed = replace(cell, **{field_: (*shapes[:k], *shapes[k + 1 :])}, new=tuple(new))
        losses = call.losses
        if letter == "s":
            losses = (*losses[: k + 1], *losses[k + 2 :])
            if len(changed.states) == 1:
                changed = replace(changed, nest="plain")
        asks = frozenset(moved.get(n, n) for n in call.asks if n != f"{letter}{k}")
        if any(losses):
            yield _renamed(changed, moved), replace(call, losses=losses, asks=asks)
