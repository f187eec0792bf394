"""Cells whose Python does what no trace shows, or reads what changes: each made anew by a function."""

import collections
import contextlib
import dataclasses
import enum
import functools
import io
import itertools
import logging
import math
import os
import random
import threading
import types
import warnings

import numpy as np
from made_up_cells import H, I, MadeUp, filled
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional as F

KINDS = {}


def kind(make):
    """Enter a kind: ``make()`` gives a cell, what to change before a call (by its number), and what to
    look at in the end."""
    KINDS[make.__name__.replace("_", " ")] = make
    return make


def nothing(*_):
    return None


def cell_with(step, **attributes):
    """A cell with a step (a plain function of self, x, h) and attributes."""
    members = {k: v for k, v in attributes.items() if isinstance(v, property)}
    made = filled(type("Made", (MadeUp,), {"forward": step, **members})())
    for name, value in attributes.items():
        if name not in members:
            setattr(made, name, value)
    return made


# ---- what keeps count -----------------------------------------------------------------------------------


@kind
def an_attribute_counts():
    def step(self, x, h):
        self.n += 1
        h = (self.drive(x, h) * (1 + 0.1 * self.n)).tanh()
        return h, h

    cell = cell_with(step, n=0)
    return cell, nothing, lambda: cell.n


@kind
def an_attribute_counts_but_is_not_used():
    def step(self, x, h):
        self.n += 1
        h = self.drive(x, h).tanh()
        return h, h

    cell = cell_with(step, n=0)
    return cell, nothing, lambda: cell.n


@kind
def a_list_counts():
    def step(self, x, h):
        self.n[0] += 1
        h = (self.drive(x, h) * self.n[0]).tanh()
        return h, h

    cell = cell_with(step, n=[0])
    return cell, nothing, lambda: cell.n


@kind
def a_dict_counts_every_second_call():
    def step(self, x, h):
        self.n["k"] = self.n.get("k", 0) + 1
        h = (self.drive(x, h) * (2.0 if self.n["k"] > 7 else 1.0)).tanh()
        return h, h

    cell = cell_with(step, n={})
    return cell, nothing, lambda: cell.n


COUNT = 0


@kind
def a_global_counts():
    global COUNT
    COUNT = 0

    def step(self, x, h):
        global COUNT
        COUNT += 1
        h = (self.drive(x, h) * (1 + 0.1 * COUNT)).tanh()
        return h, h

    return cell_with(step), nothing, lambda: COUNT


@kind
def a_variable_of_the_function_around_counts():
    n = 0

    def step(self, x, h):
        nonlocal n
        n += 1
        h = (self.drive(x, h) * n).tanh()
        return h, h

    return cell_with(step), nothing, lambda: n


@kind
def a_default_argument_counts():
    def step(self, x, h, seen=[]):  # noqa: B006 (that is the point)
        seen.append(1)
        h = (self.drive(x, h) * len(seen)).tanh()
        return h, h

    return cell_with(step), nothing, lambda: len(step.__defaults__[0])


@kind
def a_function_counts_in_its_attribute():
    def scale(z):
        scale.n += 1
        return z * scale.n

    def step(self, x, h):
        h = scale(self.drive(x, h)).tanh()
        return h, h

    scale.n = 0
    return cell_with(step), nothing, lambda: scale.n


@kind
def a_class_counts():
    def step(self, x, h):
        type(self).n += 1
        h = (self.drive(x, h) * type(self).n).tanh()
        return h, h

    cell = cell_with(step)
    type(cell).n = 0
    return cell, nothing, lambda: type(cell).n


@kind
def setattr_counts():
    def step(self, x, h):
        setattr(self, "n", self.n + 1)  # noqa: B010
        h = (self.drive(x, h) * self.n).tanh()
        return h, h

    cell = cell_with(step, n=0)
    return cell, nothing, lambda: cell.n


@kind
def vars_count():
    def step(self, x, h):
        vars(self)["n"] = vars(self)["n"] + 1
        h = (self.drive(x, h) * self.n).tanh()
        return h, h

    cell = cell_with(step, n=0)
    return cell, nothing, lambda: cell.n


@kind
def the_dictionary_of_attributes_counts():
    def step(self, x, h):
        self.__dict__["n"] += 1
        h = (self.drive(x, h) * self.n).tanh()
        return h, h

    cell = cell_with(step, n=0)
    return cell, nothing, lambda: cell.n


@kind
def a_property_counts():
    def rate(self):
        self.n += 1
        return 0.1 * self.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.rate).tanh()
        return h, h

    cell = cell_with(step, rate=property(rate), n=0)
    return cell, nothing, lambda: cell.n


@kind
def an_iterator_goes_on():
    def step(self, x, h):
        h = (self.drive(x, h) * next(self.it)).tanh()
        return h, h

    return cell_with(step, it=iter([0.1 * k for k in range(100)])), nothing, nothing


@kind
def a_count_of_itertools():
    def step(self, x, h):
        h = (self.drive(x, h) * next(self.it)).tanh()
        return h, h

    return cell_with(step, it=itertools.count(1)), nothing, nothing


@kind
def a_loop_over_a_kept_iterator():
    def step(self, x, h):
        for k in self.it:
            h = h + k
            break
        h = (self.drive(x, h)).tanh()
        return h, h

    return cell_with(step, it=itertools.cycle([0.1, 0.2, 0.3])), nothing, nothing


@kind
def an_object_that_is_called_counts():
    class Scale:
        n = 0

        def __call__(self, z):
            self.n += 1
            return z * self.n

    def step(self, x, h):
        h = self.scale(self.drive(x, h)).tanh()
        return h, h

    cell = cell_with(step, scale=Scale())
    return cell, nothing, lambda: cell.scale.n


@kind
def an_object_with_operators_counts():
    class Scale:
        n = 0

        def __mul__(self, z):
            self.n += 1
            return z * self.n

    def step(self, x, h):
        h = (self.scale * self.drive(x, h)).tanh()
        return h, h

    cell = cell_with(step, scale=Scale())
    return cell, nothing, lambda: cell.scale.n


@kind
def an_object_whose_truth_counts():
    class Odd:
        n = 0

        def __bool__(self):
            self.n += 1
            return self.n % 2 == 1

    def step(self, x, h):
        z = self.drive(x, h)
        h = z.tanh() if self.odd else z.sigmoid()
        return h, h

    cell = cell_with(step, odd=Odd())
    return cell, nothing, lambda: cell.odd.n


@kind
def a_context_counts():
    class Context:
        n = 0

        def __enter__(self):
            self.n += 1
            return self.n

        def __exit__(self, *_):
            return None

    def step(self, x, h):
        with self.context as n:
            h = (self.drive(x, h) * n).tanh()
        return h, h

    cell = cell_with(step, context=Context())
    return cell, nothing, lambda: cell.context.n


@kind
def getattr_of_its_own_counts():
    def step(self, x, h):
        h = (self.drive(x, h) * self.rate_of_change).tanh()
        return h, h

    cell = cell_with(step)
    seen = []

    def found(self, name):
        if name == "rate_of_change":
            seen.append(name)
            return len(seen)
        raise AttributeError(name)

    type(cell).__getattr__ = found
    return cell, nothing, lambda: len(seen)


@kind
def a_descriptor_counts():
    class Rate:
        n = 0

        def __get__(self, owner, kind):
            self.n += 1
            return 0.1 * self.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.rate).tanh()
        return h, h

    cell = cell_with(step)
    type(cell).rate = Rate()
    return cell, nothing, nothing


@kind
def a_variable_of_a_thread_counts():
    def step(self, x, h):
        local.n = getattr(local, "n", 0) + 1
        h = (self.drive(x, h) * local.n).tanh()
        return h, h

    local = threading.local()
    return cell_with(step), nothing, lambda: local.n


@kind
def a_list_in_a_comprehension_counts():
    def step(self, x, h):
        [self.log.append(k) for k in range(2)]
        h = (self.drive(x, h) * len(self.log)).tanh()
        return h, h

    cell = cell_with(step, log=[])
    return cell, nothing, lambda: len(cell.log)


@kind
def a_list_under_another_name_counts():
    def step(self, x, h):
        log = [self.log][0]
        log += [1]
        h = (self.drive(x, h) * len(self.log)).tanh()
        return h, h

    cell = cell_with(step, log=[])
    return cell, nothing, lambda: len(cell.log)


@kind
def a_list_that_a_helper_is_given_counts():
    def note(log, z):
        log.insert(0, 1)
        return z * len(log)

    def step(self, x, h):
        h = note(self.log, self.drive(x, h)).tanh()
        return h, h

    cell = cell_with(step, log=[])
    return cell, nothing, lambda: len(cell.log)


@kind
def a_set_counts():
    def step(self, x, h):
        self.seen.add(len(self.seen))
        h = (self.drive(x, h) * len(self.seen)).tanh()
        return h, h

    cell = cell_with(step, seen=set())
    return cell, nothing, lambda: len(cell.seen)


@kind
def a_method_of_a_list_is_kept():
    log = []

    def step(self, x, h):
        self.note(1)
        h = (self.drive(x, h) * len(log)).tanh()
        return h, h

    return cell_with(step, note=log.append), nothing, lambda: len(log)


@kind
def a_function_remembers():
    seen = []

    @functools.lru_cache
    def rate(n):
        seen.append(n)
        return 0.5

    def step(self, x, h):
        h = (self.drive(x, h) * rate(1) + len(seen)).tanh()
        return h, h

    return cell_with(step), nothing, lambda: len(seen)


@kind
def a_cached_property():
    seen = []

    def rate(self):
        seen.append(1)
        return 0.5

    def step(self, x, h):
        h = (self.drive(x, h) * self.rate).tanh()
        return h, h

    cell = cell_with(step)
    type(cell).rate = functools.cached_property(rate)
    type(cell).rate.__set_name__(type(cell), "rate")
    return cell, nothing, lambda: len(seen)


@kind
def finally_counts():
    def step(self, x, h):
        try:
            h = self.drive(x, h).tanh()
        finally:
            self.log.append(1)
        return h, h

    cell = cell_with(step, log=[])
    return cell, nothing, lambda: len(cell.log)


@kind
def an_exception_is_caught():
    def step(self, x, h):
        try:
            factor = 1.0 / self.n[0]
        except ZeroDivisionError:
            factor = 3.0
            self.n[0] = 2
        h = (self.drive(x, h) * factor).tanh()
        return h, h

    return cell_with(step, n=[0]), nothing, nothing


@kind
def an_effect_where_an_exception_is_caught():
    def step(self, x, h):
        h = self.drive(x, h).tanh()
        try:
            if x.shape[0] > 1:
                raise KeyError
        except KeyError:
            self.log.append(1)
        return h, h

    cell = cell_with(step, log=[])
    return cell, nothing, lambda: len(cell.log)


@kind
def a_generator_with_a_memory():
    def steps():
        n = 0
        while True:
            n += 1
            yield n

    def step(self, x, h):
        h = (self.drive(x, h) * self.it.__next__()).tanh()
        return h, h

    return cell_with(step, it=steps()), nothing, nothing


# ---- tensors that are kept ----------------------------------------------------------------------------


@kind
def the_last_state_is_kept():
    def step(self, x, h):
        before = h if self.last is None else self.last
        self.last = h = (self.drive(x, h) + before.detach()).tanh()
        return h, h

    return cell_with(step, last=None), nothing, nothing


@kind
def a_delay_line():
    def step(self, x, h):
        self.line.append(h.detach())
        h = (self.drive(x, h) + self.line[0]).tanh()
        return h, h

    return cell_with(step, line=collections.deque(maxlen=3)), nothing, nothing


@kind
def tensors_in_a_list_are_kept():
    def step(self, x, h):
        h = self.drive(x, h).tanh()
        self.seen.append(h.detach())
        return h + self.seen[0], h

    return cell_with(step, seen=[]), nothing, nothing


@kind
def a_running_mean():
    def step(self, x, h):
        h = self.drive(x, h).tanh()
        self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return h - self.mean, h

    cell = cell_with(step, mean=tg.zeros(H, dtype=tg.float64))
    return cell, nothing, lambda: cell.mean.tolist()


@kind
def a_running_mean_in_a_buffer():
    def step(self, x, h):
        h = self.drive(x, h).tanh()
        with tg.no_grad():
            self.mean.copy_(0.9 * self.mean + 0.1 * h.detach().mean(0))
        return h - self.mean, h

    cell = cell_with(step)
    cell.register_buffer("mean", tg.zeros(H, dtype=tg.float64))
    return cell, nothing, lambda: cell.mean.tolist()


@kind
def tensors_in_a_global_dict_are_kept():
    kept = {}

    def step(self, x, h):
        h = self.drive(x, h).tanh()
        kept["h"] = 0.5 * kept.get("h", 0.0) + h.detach()
        return h + kept["h"], h

    return cell_with(step), nothing, nothing


@kind
def a_state_that_is_a_list_is_written():
    def step(self, x, state):
        state[0] = self.drive(x, state[0]).tanh()
        return state[0], state

    cell = cell_with(step)
    type(cell).initial_state = lambda self, batch: [tg.zeros(batch, H, dtype=tg.float64)]
    return cell, nothing, nothing


@kind
def a_first_state_that_is_kept_is_written():
    def step(self, x, state):
        state[0] = self.drive(x, state[0]).tanh()
        return state[0], [state[0]]

    cell = cell_with(step)
    cell.start = [tg.zeros(2, H, dtype=tg.float64)]
    type(cell).initial_state = lambda self, batch: self.start
    return cell, nothing, lambda: cell.start[0].tolist()


@kind
def two_parts_of_a_state_that_begin_as_one():
    def step(self, x, state):
        h, c = state
        z = self.drive(x, h)
        h = z.tanh() if h is c else z.sigmoid()
        return h, (h, 0.5 * c + h)

    cell = cell_with(step)

    def begin(self, batch):
        zeros = tg.zeros(batch, H, dtype=tg.float64)
        return zeros, zeros

    type(cell).initial_state = begin
    return cell, nothing, nothing


@kind
def a_list_in_a_dict_is_written_and_not_read():
    def step(self, x, h):
        self.log.get("k").append(1)
        h = self.drive(x, h).tanh()
        return h, h

    cell = cell_with(step, log={"k": []})
    return cell, nothing, lambda: len(cell.log["k"])


@kind
def an_iterator_goes_on_and_is_not_read():
    def step(self, x, h):
        next(self.it)
        h = self.drive(x, h).tanh()
        return h, h

    cell = cell_with(step, it=iter(range(100)))
    return cell, nothing, lambda: next(cell.it)


# ---- what tensors say of themselves --------------------------------------------------------------------


def asking(name, question):
    def make():
        def step(self, x, h):
            z = self.drive(x, h)
            h = z.tanh() if question(self, x, h) else z.sigmoid()
            return h, h

        return cell_with(step), nothing, nothing

    KINDS[f"it asks {name}"] = make


asking("h.requires_grad", lambda self, x, h: h.requires_grad)
asking("x.requires_grad", lambda self, x, h: x.requires_grad)
asking("h.is_leaf", lambda self, x, h: h.is_leaf)
asking("for a private slot", lambda self, x, h: h._node is None)
asking("a weight's grad", lambda self, x, h: self.W.grad is None)
asking("a weight's requires_grad", lambda self, x, h: self.W.requires_grad)
asking("getattr requires_grad", lambda self, x, h: getattr(h, "requires_grad"))  # noqa: B009
asking("is_grad_enabled", lambda self, x, h: tg.is_grad_enabled())
asking("for identity", lambda self, x, h: x is h)
asking("for its data", lambda self, x, h: float(h.data.sum()) > 0)
asking("for a value", lambda self, x, h: h.sum().item() > 0)
asking("for the truth", lambda self, x, h: bool((h > 0.1).any()))


# ---- chance and the world -------------------------------------------------------------------------------


def drawing(name, make_source, draw):
    def make():
        source = make_source()

        def step(self, x, h):
            h = (self.drive(x, h) * draw(self.source)).tanh()
            return h, h

        return cell_with(step, source=source), nothing, nothing

    KINDS[f"it draws from {name}"] = make


drawing("a generator", lambda: np.random.default_rng(3), lambda g: float(g.normal()))
drawing("a generator's method", lambda: np.random.default_rng(3).normal, lambda g: float(g()))
drawing("random.Random", lambda: random.Random(3), lambda g: g.random())
drawing("random", lambda: random.seed(3), lambda _: random.random())
drawing("numpy.random", lambda: np.random.seed(3), lambda _: float(np.random.rand()))
drawing(
    "the library's generator", lambda: tg.manual_seed(3), lambda _: tg.randn(1, dtype=tg.float64)
)
drawing("a tensor of its own", lambda: tg.manual_seed(3), lambda _: tg.zeros(1).uniform_())
drawing(
    "dropout", lambda: tg.manual_seed(3), lambda _: F.dropout(tg.ones(H, dtype=tg.float64), 0.5)
)
drawing("multinomial", lambda: tg.manual_seed(3), lambda _: tg.ones(4).multinomial(1).double())


@kind
def it_drops_while_training():
    tg.manual_seed(3)
    cell = cell_with(lambda self, x, h: (self.drop(self.drive(x, h)).tanh(),) * 2)
    cell.drop = nn.Dropout(0.5)
    return cell, lambda k: cell.train(k != 1), nothing


@kind
def it_seeds():
    def step(self, x, h):
        tg.manual_seed(3)
        h = self.drive(x, h).tanh()
        return h, h

    tg.manual_seed(7)
    return cell_with(step), nothing, lambda: tg.randn(3).tolist()


@kind
def the_environment_is_read():
    def step(self, x, h):
        h = (self.drive(x, h) * float(os.environ.get("TINYGRAD_RNN_TEST", "1"))).tanh()
        return h, h

    os.environ.pop("TINYGRAD_RNN_TEST", None)

    def between(k):
        if k:
            os.environ["TINYGRAD_RNN_TEST"] = str(k)

    return cell_with(step), between, nothing


@kind
def a_clock_is_read():
    times = iter(range(1000))
    clock = types.SimpleNamespace(now=lambda: next(times))

    def step(self, x, h):
        h = (self.drive(x, h) * (1 + 0.1 * clock.now())).tanh()
        return h, h

    return cell_with(step), nothing, nothing


@kind
def it_prints():
    def step(self, x, h):
        print("a step", file=self.out)
        h = self.drive(x, h).tanh()
        return h, h

    cell = cell_with(step, out=io.StringIO())
    return cell, nothing, lambda: cell.out.getvalue()


@kind
def it_prints_by_a_hidden_name():
    def step(self, x, h):
        self.say("a step", file=out)
        h = self.drive(x, h).tanh()
        return h, h

    out = io.StringIO()
    return cell_with(step, say=print), nothing, lambda: out.getvalue()


@kind
def it_logs():
    records = []
    logger = logging.Logger("of_a_cell")
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger.addHandler(handler)

    def step(self, x, h):
        logger.info("a step")
        h = self.drive(x, h).tanh()
        return h, h

    return cell_with(step), nothing, lambda: len(records)


@kind
def it_warns():
    def step(self, x, h):
        warnings.warn("a step", stacklevel=1)
        h = self.drive(x, h).tanh()
        return h, h

    return cell_with(step), nothing, nothing


# ---- what it reads is changed between calls ------------------------------------------------------------

FACTOR = 1.0


@kind
def a_global_number():
    def step(self, x, h):
        h = (self.drive(x, h) * FACTOR).tanh()
        return h, h

    def between(k):
        global FACTOR
        FACTOR = 1.0 + (k // 2)

    return cell_with(step), between, nothing


@kind
def a_closed_over_number():
    factor = 1.0

    def step(self, x, h):
        h = (self.drive(x, h) * factor).tanh()
        return h, h

    def between(k):
        nonlocal factor
        factor = 1.0 + k // 2

    return cell_with(step), between, nothing


def changing(name, step, change, **attributes):
    """``change(cell, k)`` before call k of a cell whose step only computes."""

    def make():
        cell = cell_with(step, **{k: v() if callable(v) else v for k, v in attributes.items()})
        return cell, lambda k: change(cell, k), nothing

    KINDS[f"changed between calls: {name}"] = make


def scaled(self, x, h):
    h = (self.drive(x, h) * self.a).tanh()
    return h, h


def set_a(cell, k):
    cell.a = [1.0, 1.0, 2.0, 1.0][k]


changing("a number", scaled, set_a, a=1.0)


def signed(self, x, h):
    h = self.drive(x, h)
    h = (1.0 / (h * self.a + 2.0) + math.copysign(1.0, self.a)).tanh()
    return h, h


changing(
    "the sign of zero", signed, lambda cell, k: setattr(cell, "a", -0.0 if k > 1 else 0.0), a=0.0
)
changing(
    "an integer to a float", scaled, lambda cell, k: setattr(cell, "a", 1.0 if k > 1 else 1), a=1
)
changing("True to 1", scaled, lambda cell, k: setattr(cell, "a", 2 if k > 1 else True), a=1)


def at_class(cell, k):
    type(cell).a = 1.0 + k // 2


def class_step(self, x, h):
    h = (self.drive(x, h) * type(self).a * self.a).tanh()
    return h, h


changing("a class attribute", class_step, at_class)


def hide(cell, k):
    type(cell).a = 3.0
    cell.__dict__.pop("a", None)
    if k < 2:
        cell.a = 1.0


changing("an attribute that hid its class's", scaled, hide)


def listed(self, x, h):
    z = self.drive(x, h)
    for factor in self.factors:
        z = z * factor
    h = z.tanh()
    return h, h


changing(
    "a list's entry",
    listed,
    lambda c, k: c.factors.__setitem__(0, 1.0 + k // 2),
    factors=lambda: [1.0, 2.0],
)
changing("a list's length", listed, lambda c, k: c.factors.append(0.5), factors=lambda: [1.0, 2.0])
changing(
    "an inner list",
    lambda self, x, h: ((self.drive(x, h) * self.factors[0][0]).tanh(),) * 2,
    lambda c, k: c.factors[0].__setitem__(0, 1.0 + k // 2),
    factors=lambda: ([1.0], 2.0),
)
changing(
    "a list in a list that is handed on",
    lambda self, x, h: ((self.drive(x, h) * float(np.sum(self.factors))).tanh(),) * 2,
    lambda c, k: c.factors[0].__setitem__(0, 1.0 + k // 2),
    factors=lambda: [[1.0], [2.0]],
)
changing(
    "a dict's entry",
    lambda self, x, h: ((self.drive(x, h) * self.d["a"]).tanh(),) * 2,
    lambda c, k: c.d.update(a=1.0 + k // 2),
    d=lambda: {"a": 1.0},
)
changing(
    "a dict's values",
    lambda self, x, h: ((self.drive(x, h) * sum(self.d.values())).tanh(),) * 2,
    lambda c, k: c.d.update({k // 2: 2.0}),
    d=lambda: {0: 1.0},
)
changing(
    "a set",
    lambda self, x, h: (
        ((self.drive(x, h) * len(self.d) * (2.0 if 3 in self.d else 1.0)).tanh(),) * 2
    ),
    lambda c, k: c.d.add(k + 1),
    d=lambda: {1},
)


@dataclasses.dataclass
class Settings:
    a: float = 1.0
    inner: object = None


changing(
    "an object's attribute",
    lambda self, x, h: ((self.drive(x, h) * self.s.a).tanh(),) * 2,
    lambda c, k: setattr(c.s, "a", 1.0 + k // 2),
    s=Settings,
)
changing(
    "an attribute of an object in an object",
    lambda self, x, h: ((self.drive(x, h) * self.s.inner.a).tanh(),) * 2,
    lambda c, k: setattr(c.s.inner, "a", 1.0 + k // 2),
    s=lambda: Settings(inner=Settings()),
)


class Mode(enum.Enum):
    SOFT = 1
    HARD = 2


changing(
    "an enumerated mode",
    lambda self, x, h: (
        ((self.drive(x, h).tanh() if self.a is Mode.SOFT else self.drive(x, h).sigmoid()),) * 2
    ),
    lambda c, k: setattr(c, "a", Mode.SOFT if k < 2 else Mode.HARD),
    a=lambda: Mode.SOFT,
)
changing(
    "a string",
    lambda self, x, h: (
        (getattr(self.drive(x, h), "tanh" if self.a == "soft" else "sigmoid")(),) * 2
    ),
    lambda c, k: setattr(c, "a", "soft" if k < 2 else "hard"),
    a="soft",
)
changing(
    "a function",
    lambda self, x, h: (self.f(self.drive(x, h)),) * 2,
    lambda c, k: setattr(c, "f", tg.tanh if k < 2 else tg.sigmoid),
    f=lambda: tg.tanh,
)


def helper_of_mine(z, factor=1.0):
    return z.tanh() * factor


def uses_helper(self, x, h):
    h = helper_of_mine(self.drive(x, h))
    return h, h


def set_default(_cell, k):
    helper_of_mine.__defaults__ = (1.0 + k // 2,)


def other_code(z, factor=1.0):
    return z.sigmoid() * factor


TANH_CODE = helper_of_mine.__code__


def set_code(_cell, k):
    helper_of_mine.__defaults__ = (1.0,)
    helper_of_mine.__code__ = TANH_CODE if k < 2 else other_code.__code__


changing("a default argument", uses_helper, set_default)
changing("a function's code", uses_helper, set_code)


def set_method(cell, k):
    if k == 2:
        type(cell).drive = lambda self, x, h: x @ self.U - h


changing("a method of the class", lambda self, x, h: (self.drive(x, h).tanh(),) * 2, set_method)
changing(
    "a method of the object",
    lambda self, x, h: (self.drive(x, h).tanh(),) * 2,
    lambda c, k: setattr(c, "drive", lambda x, h: x @ c.U - h) if k == 2 else None,
)
changing(
    "its whole step",
    lambda self, x, h: (self.drive(x, h).tanh(),) * 2,
    lambda c, k: (
        setattr(type(c), "forward", lambda self, x, h: (x @ self.U - h,) * 2) if k == 2 else None
    ),
)
changing(
    "a step of the object's",
    lambda self, x, h: (self.drive(x, h).tanh(),) * 2,
    lambda c, k: setattr(c, "step", lambda x, h: (x @ c.U - h,) * 2) if k == 2 else None,
)
changing(
    "a module",
    lambda self, x, h: (self.inner(self.drive(x, h)).tanh(),) * 2,
    lambda c, k: setattr(c, "inner", filled(nn.Linear(H, H, bias=k < 2))),
    inner=lambda: filled(nn.Linear(H, H)),
)
changing(
    "a module in a list",
    lambda self, x, h: (
        (functools.reduce(lambda z, m: m(z), self.inner, self.drive(x, h)).tanh(),) * 2
    ),
    lambda c, k: c.inner.append(nn.Tanh()) if k == 2 else None,
    inner=lambda: nn.ModuleList([nn.Sigmoid()]),
)
changing(
    "a module in a Sequential",
    lambda self, x, h: (self.inner(self.drive(x, h)).tanh(),) * 2,
    lambda c, k: setattr(c.inner, "0", nn.Sigmoid() if k < 2 else nn.ReLU()),
    inner=lambda: nn.Sequential(nn.Sigmoid(), nn.Tanh()),
)
changing(
    "a module's forward",
    lambda self, x, h: (self.inner(self.drive(x, h)).tanh(),) * 2,
    lambda c, k: setattr(c.inner, "forward", lambda z: 2 * z) if k == 2 else None,
    inner=lambda: nn.Tanh(),
)
changing(
    "a Parameter",
    lambda self, x, h: (self.drive(x, h).tanh(),) * 2,
    lambda c, k: setattr(
        c, "b", nn.Parameter(numbers((1, H) if k > 1 else (H,), k), dtype=tg.float64)
    ),
)
changing(
    "a tensor to a number",
    scaled,
    lambda c, k: setattr(c, "a", 2.0 if k > 1 else tg.full((H,), 0.5, dtype=tg.float64)),
    a=1.0,
)
changing(
    "a tensor's values",
    scaled,
    lambda c, k: setattr(c, "a", tg.full((H,), 0.5 + k, dtype=tg.float64)),
    a=1.0,
)


def written(cell, k):
    with tg.no_grad():
        cell.W.mul_(0.5)


changing("a weight's values", lambda self, x, h: (self.drive(x, h).tanh(),) * 2, written)
changing(
    "training",
    lambda self, x, h: ((2 if self.training else 1) * self.drive(x, h).tanh(),) * 2,
    lambda c, k: c.train(k % 2 == 0),
)
changing(
    "one of two Parameters becomes the other",
    lambda self, x, h: (((x @ self.U) * self.b + h * self.c).tanh(),) * 2,
    lambda c, k: setattr(c, "c", c.b if k > 1 else nn.Parameter(numbers(H, 3), dtype=tg.float64)),
)


def patched(cell, k):
    F.silu_of_mine = F.silu if k < 2 else F.relu


changing(
    "a function of a module", lambda self, x, h: (F.silu_of_mine(self.drive(x, h)),) * 2, patched
)


def annealed(cell, k):
    cell.a = 1.0 + 0.1 * k


changing("a number at every call", scaled, annealed, a=1.0)


# ---- built-in cells -------------------------------------------------------------------------------------


@kind
def a_subclass_whose_class_attribute_changes():
    class Scaled(nn.GRUCell):
        a = 1.0

        def step(self, x, h):
            _, h = super().step(x, h)
            return h * self.a, h

    def between(k):
        Scaled.a = 1.0 + k // 2

    return filled(Scaled(I, H)), between, nothing


@kind
def a_subclass_whose_method_changes():
    class Scaled(nn.LSTMCell):
        def project(self, h):
            return h * 0.5

    def between(k):
        if k == 2:
            Scaled.project = lambda self, h: h * 2.0

    return filled(Scaled(I, H)), between, nothing


@kind
def a_subclass_that_counts():
    class Counted(nn.LSTMCell):
        n = 0

        def step(self, x, state):
            self.n += 1
            h, state = super().step(x, state)
            return h * self.n, state

    cell = filled(Counted(I, H))
    return cell, nothing, lambda: cell.n


@kind
def an_instance_whose_method_changes():
    cell = filled(nn.LSTMCell(I, H))
    return cell, lambda k: setattr(cell, "project", lambda h: h * (1.0 + k // 2)), nothing


@kind
def an_option_that_changes():
    cell = filled(nn.RNNCell(I, H))
    return cell, lambda k: setattr(cell, "nonlinearity", "tanh" if k < 2 else "relu"), nothing


@kind
def a_built_in_cell_inside_that_changes():
    cell = cell_with(lambda self, x, h: (self.inner(x, h),) * 2)
    cell.inner = filled(nn.GRUCell(I, H))
    return cell, lambda k: setattr(cell.inner, "reset_after", k < 2), nothing


@kind
def a_context_that_is_entered_or_not():
    held = False

    def step(self, x, h):
        z = self.drive(x, h)
        with tg.no_grad() if held else contextlib.nullcontext():
            s = 2 * z + 1
        h = (z * s).tanh()
        return h, h

    def between(k):
        nonlocal held
        held = k > 1

    return cell_with(step), between, nothing
