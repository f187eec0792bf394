"""Values of all steps at once: what is computed before and after the loop."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..ops.elementwise import _sigmoid
from ..ops.row import ROWS
from .memory import empty
from .program import Value
from .schedule import Schedule


class Batched:
    """Arrays of values by number: (time, *shape) for what differs between steps, plain for what does not.

    Asking for a value that is not there computes it from others by its own op.
    """

    def __init__(self, schedule: Schedule, known: dict[int, Any], steps: int) -> None:
        self.schedule, self.steps = schedule, steps
        self.program = schedule.program
        self.known = known
        self.states: dict[int, Any] = {}
        self.totals: dict[int, Any] = {}

    def copy(self) -> Batched:
        """The same values; what is computed from now on stays with the copy."""
        other: Batched = object.__new__(Batched)
        other.__dict__.update(self.__dict__)
        other.known, other.totals = dict(self.known), {}
        return other

    def __getitem__(self, v: int) -> Any:
        found = self.known.get(v)
        if found is None:
            found = self.known[v] = self._compute(v)
        return found

    def _compute(self, v: int) -> Any:
        value, p = self.program.values[v], self.program
        if value.op == "literal":
            return value.consts[0]
        if value.op == "zeros":
            return np.zeros((self.steps, *value.shape), value.dtype)
        args = [self[a] for a in value.args]
        if not p.depends[v]:
            return plain(value, args)
        op = value.op
        if op == "dot":
            a = args[0]
            w = args[1].T if value.consts[0] else args[1]
            out = empty((self.steps, *value.shape), a.dtype)
            np.dot(a.reshape(-1, a.shape[-1]), w, out.reshape(-1, w.shape[1]))
            return out
        if op == "slice":
            low, high = value.consts
            return args[0][..., low:high]
        if op == "concat":
            shape = (self.steps, *value.shape)
            return np.concatenate(
                [self._over_time(a, x) for a, x in zip(value.args, args, strict=True)], -1
            ).reshape(shape)
        if op == "reshape":
            return args[0].reshape((self.steps, *value.shape))
        if op == "permute":
            return args[0].transpose((0, *(i + 1 for i in value.consts[0])))
        if op == "broadcast":
            grown = (None,) * (len(value.shape) - len(p.values[value.args[0]].shape))
            return np.broadcast_to(args[0][(slice(None), *grown)], (self.steps, *value.shape))
        if op == "sum":
            axes, keep = value.consts
            return args[0].sum(axis=tuple(i + 1 for i in axes), keepdims=keep)
        ufunc = SIMPLE.get(op)
        if ufunc is not None:
            eaten = self.schedule.eaten.get(v)
            out = (
                empty((self.steps, *value.shape), value.dtype)
                if eaten is None
                else self.known.pop(eaten)
            )
            return ufunc(*args, out)
        return plain(value, args)

    def _over_time(self, v: int, array: Any) -> Any:
        """A value of a concat, stretched over time where it is the same at every step."""
        if self.program.depends[v] or self.program.values[v].op == "zeros":
            return array
        return np.broadcast_to(array, (self.steps, *array.shape))

    def total(self, v: int) -> Any:
        """The sum of a value over all steps."""
        found = self.totals.get(v)
        if found is None:
            found = self.totals[v] = self._total(v)
        return found

    def _total(self, v: int) -> Any:
        p, value = self.program, self.program.values[v]
        if v not in self.known:
            parts = self.schedule.summands(v)
            if value.op == "zeros":
                return np.zeros(value.shape, value.dtype)
            if parts:
                return plain(value, [self.total(a) for a in parts])
            if value.op == "outer":
                g, x = (self[a] for a in value.args)
                return g.reshape(-1, g.shape[-1]).T.dot(x.reshape(-1, x.shape[-1]))
            if value.op == "sum" and len(value.args) == 1:
                axes, keep = value.consts
                a = self[value.args[0]]
                if axes == tuple(range(len(axes))) and not keep:
                    rows = a.reshape(-1, *value.shape)
                    if rows.ndim == 2 and rows.dtype.kind == "f":
                        return _ones(len(rows), rows.dtype).dot(rows)  # as BLAS sums, in one pass
                    return np.add.reduce(rows, 0)
        if not p.depends[v]:
            return self[v] * self.steps
        return self[v].sum(0)


SIMPLE: dict[str, Any] = {"add": np.add, "sub": np.subtract, "mul": np.multiply}


@lru_cache(maxsize=8)
def _ones(count: int, dtype: Any) -> Any:
    return np.ones(count, dtype)


def plain(value: Value, args: list[Any]) -> Any:
    """A value by its op's own forward."""
    op, consts = value.op, value.consts
    if op == "zeros":
        return np.zeros(value.shape, value.dtype)
    if op == "dot":
        return args[0].dot(args[1].T if consts[0] else args[1])
    if op == "slice":
        return args[0][..., consts[0] : consts[1]]
    if op == "concat":
        return np.concatenate(args, -1)
    if op == "outer":
        return np.atleast_2d(args[0]).T.dot(np.atleast_2d(args[1]))
    if op == "sigmoid":
        return _sigmoid(args[0])
    if op == "invert" or op.startswith("bitwise") or op not in ROWS:
        return getattr(np, op)(*args)
    row = ROWS[op]
    return row.forward(args, *consts) if row.variadic else row.forward(*args, *consts)
