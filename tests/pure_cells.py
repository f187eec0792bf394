"""Cells whose Python only computes, written in the many ways that people write it: all of them compile."""

import enum
import functools
import math
import operator
from functools import partial
from typing import NamedTuple

import numpy as np
from made_up_cells import H, I, MadeUp, filled
from unseen_cells import Settings, cell_with

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F

PURE = {}


def pure(make):
    """Enter a cell; ``make()`` gives it anew."""
    PURE[make.__name__.replace("_", " ")] = make
    return make


def step_of(name, step, **attributes):
    def make():
        return cell_with(step, **{k: v() if callable(v) else v for k, v in attributes.items()})

    PURE[name] = make


def both(value):
    return value, value


def helper(z, factor=0.5, *, shift=0.1):
    return z * factor + shift


def gates(z, count):
    return [part.sigmoid() for part in z.chunk(count, -1)]


class Carry(NamedTuple):
    h: object
    c: object


class Mode(enum.Enum):
    SOFT = "soft"
    HARD = "hard"


LIMIT = 3.0
TABLE = {"tanh": tg.tanh, "relu": F.relu}

step_of("plain equations", lambda self, x, h: both(self.drive(x, h).tanh()))
step_of("functions of tg", lambda self, x, h: both(tg.tanh(tg.relu(self.drive(x, h)) + 0.1)))
step_of("functional", lambda self, x, h: both(F.silu(self.drive(x, h))))
step_of("numpy's functions", lambda self, x, h: both(np.tanh(self.drive(x, h)) * np.sqrt(0.5)))
step_of("a helper function", lambda self, x, h: both(helper(self.drive(x, h)).tanh()))
step_of(
    "a helper with keywords",
    lambda self, x, h: both(helper(self.drive(x, h), shift=0.2, factor=2).tanh()),
)
step_of("a helper with a list", lambda self, x, h: both(gates(self.drive(x, h), 2)[0].repeat(1, 2)))
step_of("star arguments", lambda self, x, h: both(helper(*(self.drive(x, h), 0.3)).tanh()))
step_of(
    "double star arguments",
    lambda self, x, h: both(helper(self.drive(x, h), **self.named).tanh()),
    named=lambda: {"shift": 0.3},
)
step_of(
    "a lambda on the cell",
    lambda self, x, h: both(self.f(self.drive(x, h))),
    f=lambda: lambda z: z.tanh() * 0.5,
)
step_of(
    "a function on the cell", lambda self, x, h: both(self.f(self.drive(x, h))), f=lambda: tg.tanh
)
step_of(
    "a partial on the cell",
    lambda self, x, h: both(self.f(self.drive(x, h)).tanh()),
    f=lambda: partial(helper, factor=0.2),
)
step_of("a table of functions", lambda self, x, h: both(TABLE[self.a](self.drive(x, h))), a="tanh")
step_of("a global number", lambda self, x, h: both(self.drive(x, h).clip(-LIMIT, LIMIT).tanh()))
step_of("a number by math", lambda self, x, h: both((self.drive(x, h) / math.sqrt(H)).tanh()))
step_of(
    "a number by its shape",
    lambda self, x, h: both((self.drive(x, h) / h.shape[-1] ** 0.5 / x.ndim).tanh()),
)
step_of("len of the batch", lambda self, x, h: both((self.drive(x, h) / len(x)).tanh()))
step_of(
    "a module", lambda self, x, h: both(self.m(self.drive(x, h))), m=lambda: filled(nn.Linear(H, H))
)
step_of(
    "a Sequential",
    lambda self, x, h: both(self.m(self.drive(x, h))),
    m=lambda: filled(nn.Sequential(nn.Linear(H, H), nn.Tanh())),
)
step_of(
    "a LayerNorm",
    lambda self, x, h: both(self.m(self.drive(x, h)).tanh()),
    m=lambda: filled(nn.LayerNorm(H)),
)
step_of(
    "an object with settings",
    lambda self, x, h: both((self.drive(x, h) * self.s.a).tanh()),
    s=Settings,
)
step_of(
    "a property",
    lambda self, x, h: both((self.drive(x, h) * self.rate).tanh()),
    rate=property(lambda self: 0.5 + 0.1),
)
step_of(
    "an enumeration",
    lambda self, x, h: both(self.drive(x, h).tanh() if self.a is Mode.SOFT else h),
    a=lambda: Mode.SOFT,
)
step_of(
    "a string's comparison",
    lambda self, x, h: both(self.drive(x, h).tanh() if self.a == "soft" else h),
    a="soft",
)
step_of(
    "membership",
    lambda self, x, h: both(self.drive(x, h).tanh() if self.a in ("soft", "softer") else h),
    a="soft",
)
step_of(
    "a list of numbers",
    lambda self, x, h: both((self.drive(x, h) * self.a[0] + sum(self.a)).tanh()),
    a=lambda: [0.5, 0.2],
)
step_of(
    "a dict of numbers",
    lambda self, x, h: both((self.drive(x, h) * self.a["k"]).tanh()),
    a=lambda: {"k": 0.5},
)
step_of(
    "a tuple of numbers",
    lambda self, x, h: both((self.drive(x, h) * max(self.a)).tanh()),
    a=(0.5, 0.2),
)
step_of(
    "reduce",
    lambda self, x, h: both(functools.reduce(operator.add, [self.drive(x, h), h, h * h]).tanh()),
)
step_of("map and sum", lambda self, x, h: both(sum(map(tg.tanh, [self.drive(x, h), h]))))
step_of(
    "a generator expression",
    lambda self, x, h: both(sum(k * z for k, z in enumerate([h, self.drive(x, h)], 1)).tanh()),
)
step_of(
    "a conditional on the mode",
    lambda self, x, h: both(self.drive(x, h).tanh() * (0.5 if self.training else 1.0)),
)
step_of(
    "isinstance", lambda self, x, h: both((h if isinstance(h, tuple) else self.drive(x, h)).tanh())
)
step_of(
    "getattr with a default",
    lambda self, x, h: both((self.drive(x, h) * getattr(self, "nothing", 0.5)).tanh()),
)
step_of("hasattr", lambda self, x, h: both(self.drive(x, h).tanh() if hasattr(self, "W") else h))
step_of(
    "a keyword of a method",
    lambda self, x, h: both((self.drive(x, h) - h.mean(-1, keepdim=True)).tanh()),
)
step_of(
    "where and comparisons",
    lambda self, x, h: both(tg.where(self.drive(x, h) > 0, h + 0.1, self.drive(x, h)).tanh()),
)
step_of(
    "cat and slices",
    lambda self, x, h: both(tg.cat([self.drive(x, h)[:, :2], h[:, 2:]], -1).tanh()),
)
step_of("stack and unbind", lambda self, x, h: both(tg.stack([h, self.drive(x, h)]).sum(0).tanh()))


@pure
def a_loop_over_range():
    def step(self, x, h):
        z = self.drive(x, h)
        for k in range(3):
            z = z.tanh() + 0.1 * k
        return z, z

    return cell_with(step)


@pure
def a_while_loop():
    def step(self, x, h):
        z, k = self.drive(x, h), 0
        while k < self.n:
            z, k = z.tanh(), k + 1
        return z, z

    return cell_with(step, n=2)


@pure
def a_list_that_grows():
    def step(self, x, h):
        parts = []
        for k in range(2):
            parts.append(h[:, 2 * k : 2 * k + 2] * (k + 1))
        h = (self.drive(x, h) + tg.cat(parts, -1)).tanh()
        return h, h

    return cell_with(step)


@pure
def a_dict_made_in_the_step():
    def step(self, x, h):
        d = {"z": self.drive(x, h)}
        d["y"] = d["z"].tanh()
        d.update(w=d["y"] * 0.5)
        return d["w"], d["y"]

    return cell_with(step)


@pure
def comprehensions():
    def step(self, x, h):
        parts = [p.tanh() * k for k, p in enumerate(self.drive(x, h).chunk(2, -1), 1)]
        named = {k: p * 2 for k, p in zip("ab", parts, strict=True)}
        h = tg.cat([named["a"], named["b"]], -1)
        return h, h

    return cell_with(step)


@pure
def a_function_inside():
    def step(self, x, h):
        def squash(z, by=0.5):
            return (z * by + shift).tanh()

        shift = 0.1 * self.n
        h = squash(self.drive(x, h))
        return h, h

    return cell_with(step, n=2)


@pure
def a_ModuleList():  # noqa: N802
    def step(self, x, state):
        new = []
        for layer, h in zip(self.layers, state, strict=True):
            x = (layer(x) + h).tanh()
            new.append(x)
        return x, tuple(new)

    cell = cell_with(step, layers=filled(nn.ModuleList([nn.Linear(I, H), nn.Linear(H, H)])))
    type(cell).initial_state = lambda self, batch: tuple(
        tg.zeros(batch, H, dtype=tg.float64) for _ in self.layers
    )
    return cell


@pure
def built_in_cells_inside():
    def step(self, x, state):
        h, c = self.first(x, (state[0], state[1]))
        g = self.second(h, state[2])
        return g, (h, c, g)

    cell = cell_with(step, first=filled(nn.LSTMCell(I, H)), second=filled(nn.GRUCell(H, H)))
    type(cell).parts = 3
    return cell


@pure
def a_named_tuple_as_state():
    def step(self, x, state):
        c = 0.9 * state.c + self.drive(x, state.h)
        h = c.tanh()
        return h, Carry(h, c)

    cell = cell_with(step)
    type(cell).initial_state = lambda self, batch: Carry(
        tg.zeros(batch, H, dtype=tg.float64), tg.zeros(batch, H, dtype=tg.float64)
    )
    return cell


@pure
def a_dict_as_state():
    def step(self, x, state):
        h = (self.drive(x, state["h"]) + state["c"]).tanh()
        return h, {"h": h, "c": 0.5 * state["c"] + h}

    cell = cell_with(step)
    type(cell).initial_state = lambda self, batch: {
        k: tg.zeros(batch, H, dtype=tg.float64) for k in "hc"
    }
    return cell


@pure
def a_list_as_state():
    def step(self, x, state):
        new = [(self.drive(x, h) * (k + 1)).tanh() for k, h in enumerate(state)]
        return new[-1], new

    cell = cell_with(step)
    type(cell).initial_state = lambda self, batch: [
        tg.zeros(batch, H, dtype=tg.float64) for _ in range(2)
    ]
    return cell


@pure
def a_subclass_with_super():
    class Scaled(nn.LSTMCell):
        factor = 0.5

        def step(self, x, state):
            h, state = super().step(x, state)
            return h * self.factor, state

    return filled(Scaled(I, H))


@pure
def a_base_class_with_a_hook():
    class Base(MadeUp):
        def forward(self, x, h):
            h = self.squash(self.drive(x, h))
            return h, h

        def squash(self, z):
            raise NotImplementedError

    class Derived(Base):
        def squash(self, z):
            return z.tanh()

    return filled(Derived())


@pure
def static_and_class_methods():
    class Cell(MadeUp):
        rate = 0.5

        @staticmethod
        def squash(z):
            return z.tanh()

        @classmethod
        def scaled(cls, z):
            return z * cls.rate

        def forward(self, x, h):
            h = self.scaled(self.squash(self.drive(x, h)))
            return h, h

    return filled(Cell())


@pure
def checks_that_raise():
    def step(self, x, h):
        assert x.ndim == 2, f"x has shape {x.shape}"
        if x.shape[-1] != I:
            raise ValueError(f"{type(self).__name__} wants {I} features, got {x.shape[-1]}")
        h = self.drive(x, h).tanh()
        return h, h

    return cell_with(step)


@pure
def dropout_in_evaluation():
    cell = cell_with(lambda self, x, h: both(self.drop(self.drive(x, h)).tanh()))
    cell.drop = nn.Dropout(0.5)
    return cell.eval()


@pure
def dead_branches():
    def step(self, x, h):
        h = self.drive(x, h).tanh()
        if self.verbose:
            print(f"h is {h}")
            self.log = h
        return h, h

    return cell_with(step, verbose=False)


@pure
def without_recording():
    def step(self, x, h):
        with tg.no_grad():
            scale = h.abs() + 1.0
        h = (self.drive(x, h) / scale).tanh()
        return h, h

    return cell_with(step)


@pure
def weights_in_a_list():
    def step(self, x, h):
        z = self.drive(x, h)
        for w in self.ws:
            z = (z @ w).tanh()
        return z, z

    cell = cell_with(step)
    cell.A, cell.B = (nn.Parameter(np.eye(H) * k, dtype=tg.float64) for k in (0.5, 0.7))
    cell.ws = [cell.A, cell.B]
    return cell


@pure
def a_buffer():
    cell = cell_with(lambda self, x, h: both((self.drive(x, h) * self.mask).tanh()))
    cell.register_buffer("mask", tg.tensor([0.0, 1.0, 1.0, 0.5], dtype=tg.float64))
    return cell


@pure
def a_step_called_step():
    class Cell(MadeUp):
        def step(self, x, h):
            h = self.drive(x, h).tanh()
            return h, h

    return filled(Cell())
