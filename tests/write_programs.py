"""Random programs of views, reads and writes, and who runs them: this library, PyTorch, and plain numpy.

A program is a list of lines; a line is (kind, arguments, recorded?), and what it makes gets the next
number. ``Duals`` is the independent right value: the memory is a numpy array and views are numpy's own, so
writes are seen where numpy says; derivatives are carried forward beside the values, one array of them for
each family of tensors that the graph connects (a tensor and its views, but not what was detached).
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

LEAVES = ((2, 3), (3,))
TINY = 1e-30  # the complex step


def leaf_values(seed):
    draw = np.random.default_rng(seed)
    return [draw.uniform(-1, 1, shape) for shape in LEAVES], [
        draw.uniform(-1, 1, shape) for shape in LEAVES
    ]


def index_of(spec):
    """An index from its description, which is plain data."""
    return tuple(
        np.array(p["array"]) if isinstance(p, dict) else slice(*p) if isinstance(p, tuple) else p
        for p in spec
    )


# ---- plain numpy ---------------------------------------------------------------------------------------


class Dual:
    """A tensor: its values, the derivatives of its family, and whether it depends on a leaf."""

    def __init__(self, real, family):
        self.real, self.family = real, family

    def dual(self):
        """The derivatives where this tensor lies: the family's memory seen as the values are seen."""
        memory = self.real if self.real.base is None else self.real.base
        line = self.family["dual"].setdefault(id(memory), (memory, np.zeros(memory.size)))[1]
        start = memory.__array_interface__["data"][0]
        at = self.real.__array_interface__["data"][0] - start
        if not self.real.size:
            return np.zeros(self.real.shape)
        return np.ndarray(self.real.shape, float, line, at, self.real.strides)

    def read(self):
        return self.real + 1j * TINY * self.dual()


class Duals:
    """Runs a program in numpy; ``direction`` is that of the derivative by the leaves."""

    def __init__(self, seed):
        values, self.direction = leaf_values(seed)
        self.vars = []
        for value, along in zip(values, self.direction, strict=True):
            leaf = Dual(value, {"dual": {}, "needs": True, "leaf": True})
            leaf.dual()[...] = along
            self.vars.append(leaf)

    def fresh(self, value, needs):
        value = np.asarray(value)
        made = Dual(np.copy(value.real, order="K"), {"dual": {}, "needs": needs, "leaf": False})
        made.real = made.real if made.real.base is None else np.array(made.real)
        if needs:
            made.dual()[...] = value.imag / TINY
        return made

    def line(self, kind, args, recorded):
        made = getattr(self, kind)(recorded, *args)
        if made is not None:
            self.vars.append(made)

    def needs(self, recorded, *ks):
        return recorded and any(self.vars[k].family["needs"] for k in ks)

    def const(self, _recorded, shape, seed):
        return self.fresh(np.random.default_rng(seed).uniform(-1, 1, shape), False)

    def view(self, recorded, how, k, *args):
        a = self.vars[k]
        real = VIEWS[how](np, a.real, *args)
        own = how in ("detach", "data") or (a.family["needs"] and not recorded)
        return Dual(real, {"dual": {}, "needs": False, "leaf": False} if own else a.family)

    def op(self, recorded, how, *ks):
        found = OPS[how](np, *[self.vars[k].read() for k in ks])
        return self.fresh(found, self.needs(recorded, *ks))

    def value(self, v):
        return self.vars[v].read() if isinstance(v, int) else np.float64(v)

    def put(self, recorded, a, target, value, v):
        """Write complex numbers, or their real parts alone where nothing is recorded."""
        where = target(a.real)
        value = np.array(np.broadcast_to(value, a.real[where].shape))
        asks = isinstance(v, int) and self.vars[v].family["needs"]
        a.real[where] = value.real
        if recorded and (a.family["needs"] or asks):
            a.dual()[where] = value.imag / TINY
            a.family["needs"] = True

    def write(self, recorded, how, k, v):
        a = self.vars[k]
        old = a.read()
        value = WRITES[how](np, old, None if v is None else self.value(v))
        self.put(recorded, a, lambda _m: ..., value, v)

    def setitem(self, recorded, k, spec, v):
        self.put(recorded, self.vars[k], lambda _m: index_of(spec), self.value(v), v)

    def additem(self, recorded, k, spec, v):
        a, where = self.vars[k], index_of(spec)
        self.put(recorded, a, lambda _m: where, a.read()[where] + self.value(v), v)

    def derivative(self, weights):
        """Of ``loss``, along the direction."""
        return (
            sum((w * a.read()).sum().imag for w, a in zip(weights, self.vars, strict=True)) / TINY
        )


# ---- what lines mean, in numpy's words ---------------------------------------------------------------

VIEWS = {
    "item": lambda _np, a, spec: a[(*index_of(spec), ...)],
    "reshape": lambda _np, a, shape: a.reshape(shape),
    "permute": lambda _np, a, axes: a.transpose(axes),
    "t": lambda _np, a: a.T,
    "chunk": lambda _np, a, n, axis, i: np.array_split(a, n, axis)[i],
    "unbind": lambda _np, a, axis, i: np.moveaxis(a, axis, 0)[i, ...],
    "unsqueeze": lambda _np, a, axis: np.expand_dims(a, axis),
    "squeeze": lambda _np, a: a.reshape([s for s in a.shape if s != 1]),
    "expand": lambda _np, a, n: np.broadcast_to(a, (n, *a.shape)),
    "detach": lambda _np, a: a[...],
    "data": lambda _np, a: a[...],
}
OPS = {
    "add": lambda _np, a, b: a + b,
    "mul": lambda _np, a, b: a * b,
    "tanh": lambda _np, a: np.tanh(a),
    "square": lambda _np, a: a * a,
    "sum": lambda _np, a: a.sum(0),
    "clone": lambda _np, a: a * 1,
}
WRITES = {
    "fill_": lambda _np, _a, v: v,
    "zero_": lambda _np, _a, _v: 0.0,
    "copy_": lambda _np, _a, v: v,
    "add_": lambda _np, a, v: a + v,
    "mul_": lambda _np, a, v: a * v,
    "iadd": lambda _np, a, v: a + v,
    "isub": lambda _np, a, v: a - v,
    "imul": lambda _np, a, v: a * v,
    "tanh_": lambda _np, a, _v: np.tanh(a),
    "square_": lambda _np, a, _v: a * a,
}
NULLARY = ("zero_", "tanh_", "square_")
NUMERIC = ("fill_",)


# ---- this library, PyTorch ---------------------------------------------------------------------------


class Library:
    """Runs a program with ``torch`` or with this library as ``lib``."""

    def __init__(self, lib, seed):
        self.lib = lib
        values, _ = leaf_values(seed)
        self.leaves = [lib.tensor(v, requires_grad=True) for v in values]
        self.vars = list(self.leaves)

    def line(self, kind, args, recorded):
        with nullcontext() if recorded else self.lib.no_grad():
            made = getattr(self, kind)(*args)
        if made is not None:
            self.vars.append(made)

    def const(self, shape, seed):
        return self.lib.tensor(np.random.default_rng(seed).uniform(-1, 1, shape))

    def index(self, spec):
        return tuple(self.lib.tensor(i) if isinstance(i, np.ndarray) else i for i in index_of(spec))

    def view(self, how, k, *args):
        a = self.vars[k]
        if how == "item":
            return a[self.index(*args)]
        if how == "chunk":
            n, axis, i = args
            sizes = [len(part) for part in np.array_split(np.arange(a.shape[axis]), n)]
            return a.split(sizes, axis)[i]
        if how == "unbind":
            return a.unbind(args[0])[args[1]]
        if how == "expand":
            return a.expand(args[0], *a.shape)
        if how == "data":
            return a.data
        return getattr(a, how)(*args)

    def op(self, how, *ks):
        operands = [self.vars[k] for k in ks]
        if how in ("add", "mul"):
            a, b = operands
            return a + b if how == "add" else a * b
        if how == "sum":
            return operands[0].sum(0)
        return getattr(operands[0], how)()

    def value(self, v, a):
        """What is written into ``a``; a copy for PyTorch, which reads what overlaps it while it writes."""
        if not isinstance(v, int):
            return v
        value = self.vars[v]
        if not hasattr(a, "untyped_storage") or value is a:
            return value
        same = value.untyped_storage().data_ptr() == a.untyped_storage().data_ptr()
        return value.clone() if same else value

    def write(self, how, k, v):
        a = self.vars[k]
        if how in NULLARY:
            got = getattr(a, how)()
        elif how == "iadd":
            got = a.__iadd__(self.value(v, a))
        elif how == "isub":
            got = a.__isub__(self.value(v, a))
        elif how == "imul":
            got = a.__imul__(self.value(v, a))
        else:
            got = getattr(a, how)(self.value(v, a))
        assert got is a

    def setitem(self, k, spec, v):
        self.vars[k][self.index(spec)] = self.value(v, self.vars[k])

    def additem(self, k, spec, v):
        self.vars[k][self.index(spec)] += self.value(v, self.vars[k])

    def values(self):
        return [np.array(a.detach().numpy()) for a in self.vars]

    def gradients(self, weights):
        """Of ``loss`` by the leaves; None where nothing asks."""
        parts = [
            (a * self.lib.tensor(w)).sum()
            for a, w in zip(self.vars, weights, strict=True)
            if a.requires_grad
        ]
        total = parts[0]
        for p in parts[1:]:
            total = total + p
        total.backward()
        return [
            np.zeros(a.shape) if a.grad is None else np.array(a.grad.numpy()) for a in self.leaves
        ]


# ---- drawing programs ----------------------------------------------------------------------------------


class Author:
    """Draws a program line by line, running it in numpy to know the shapes."""

    def __init__(self, seed, leaf_writes=0.01):
        self.draw = np.random.default_rng([seed, 1])
        self.seed, self.leaf_writes = seed, leaf_writes
        self.duals = Duals(seed)
        self.lines = []

    def program(self, length):
        while len(self.lines) < length:
            line = self.next()
            if line is not None:
                self.lines.append(line)
                self.duals.line(*line)
        return self.lines

    def pick(self, some):
        return some[int(self.draw.integers(len(some)))]

    def some_var(self):
        n = len(self.duals.vars)
        return int(n - 1 - min(self.draw.geometric(0.3) - 1, n - 1))

    def next(self):
        kind = self.pick(["const", "view", "view", "view", "op", "op", "write", "write", "setitem"])
        recorded = bool(self.draw.random() > 0.1)
        if kind == "const":
            shape = self.pick([(2, 3), (3,), (4, 3), (2, 2, 3), (2, 1), ()])
            return "const", (shape, int(self.draw.integers(1000))), recorded
        if kind == "view":
            return self.view(recorded)
        if kind == "op":
            return self.op(recorded)
        return self.write(recorded, kind)

    def spec(self, shape, plain):
        """An index; ``plain``: one that takes a view."""
        parts = []
        for n in shape[: int(self.draw.integers(len(shape) + 1))]:
            how = self.pick(["int", "slice", "slice", "step", "all", "none"])
            if how == "none":
                parts.append(None)
            if how == "int":
                parts.append(int(self.draw.integers(-n, n)))
            elif how == "slice":
                low = int(self.draw.integers(n))
                parts.append((low, int(self.draw.integers(low + 1, n + 1)), 1))
            elif how == "step":
                parts.append((int(self.draw.integers(n)), None, 2))
            else:
                parts.append((None, None, None))
        if not plain and shape and self.draw.random() < 0.3:
            if self.draw.random() < 0.5:
                mask = self.draw.random(shape) < 0.5
                return ({"array": mask.tolist()},)
            n = shape[0]
            rows = self.draw.permutation(n)[: int(self.draw.integers(1, n + 1))]
            return ({"array": rows.tolist()},)
        return tuple(parts)

    def view(self, recorded):
        k = self.some_var()
        real = self.duals.vars[k].real
        n, shape = real.ndim, real.shape
        how = self.pick(["item"] * 5 + list(VIEWS))
        if not real.size or (0 in real.strides and real.size > 1):
            return None
        args = ()
        if how == "item":
            args = (self.spec(shape, True),)
        elif how == "reshape":
            if not real.flags.c_contiguous:
                return None
            args = (self.pick([(-1,), (1, *shape), (*shape[::-1],) if n < 3 else (-1, shape[-1])]),)
        elif how == "permute":
            args = (tuple(int(i) for i in self.draw.permutation(n)),)
            if not n:
                return None
        elif how == "t":
            if n > 2:
                return None
        elif how in ("chunk", "unbind"):
            if not n:
                return None
            axis = int(self.draw.integers(n))
            if how == "chunk":
                if shape[axis] < 2:
                    return None
                args = (2, axis, int(self.draw.integers(2)))
            else:
                args = (axis, int(self.draw.integers(shape[axis])))
        elif how == "unsqueeze":
            args = (int(self.draw.integers(n + 1)),)
        elif how == "expand":
            args = (2,)
        return "view", (how, k, *args), recorded

    def op(self, recorded):
        how, k = self.pick(list(OPS)), self.some_var()
        shape = self.duals.vars[k].real.shape
        if how == "sum":
            return ("op", (how, k), recorded) if shape else None
        if how not in ("add", "mul"):
            return "op", (how, k), recorded
        others = [j for j, b in enumerate(self.duals.vars) if fits(shape, b.real.shape)]
        return ("op", (how, k, self.pick(others)), recorded) if others else None

    def write(self, recorded, kind):
        k = self.some_var()
        a = self.duals.vars[k]
        shape = a.real.shape
        if (0 in a.real.strides and a.real.size > 1) or not a.real.size:
            return None
        if a.family["leaf"] and self.draw.random() > self.leaf_writes:
            return None
        if any(self.lies_in_leaf(a)) and self.draw.random() > self.leaf_writes:
            return None
        if kind == "write":
            how = self.pick(list(WRITES))
            if how in NULLARY:
                return "write", (how, k, None), recorded
            if how in NUMERIC:
                return "write", (how, k, self.number()), recorded
            return "write", (how, k, self.operand(shape)), recorded
        spec = self.spec(shape, False)
        region = np.empty(shape)[index_of(spec)].shape
        v = self.operand(region)
        kind = "additem" if self.draw.random() < 0.3 else "setitem"
        return kind, (k, spec, v), recorded

    def lies_in_leaf(self, a):
        for leaf in self.duals.vars[: len(LEAVES)]:
            yield np.may_share_memory(a.real, leaf.real)

    def number(self):
        return float(np.round(self.draw.uniform(-1, 1), 2))

    def operand(self, shape):
        """A number, or a variable that broadcasts to a shape."""
        fitting = [j for j, b in enumerate(self.duals.vars) if fits(shape, b.real.shape)]
        if not fitting or self.draw.random() < 0.3:
            return self.number()
        return self.pick(fitting)


def fits(shape, other):
    """Whether a value of shape ``other`` broadcasts to ``shape``."""
    try:
        return np.broadcast_shapes(shape, other) == shape
    except ValueError:
        return False


def weights_for(seed, values):
    draw = np.random.default_rng([seed, 2])
    return [draw.uniform(-1, 1, np.shape(v)) for v in values]
