"""Ops, backward passes, cuts, writes, attempts at writing and deletions in any order, drawn by
hypothesis, against the naive engine of reference_engine.py: values, gradients and refusals agree."""

import gc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from reference_engine import NothingError, StaleError, Tape
from support import numbers, weights

import tinygrad_rnn as tg

SHAPE = (2, 3)
SEED = weights(SHAPE)
MASK = np.array([[True, False, True], [False, True, False]])


def _put(a, b):
    a = a.copy()
    a[1] = b[0]
    return a


# name: ours on Tensors, theirs on arrays; all take and give (2, 3) and keep values small
ONE = {
    "neg": (lambda a: -a, lambda a: -a),
    "tanh": (lambda a: a.tanh(), np.tanh),
    "sigmoid": (lambda a: a.sigmoid(), lambda a: 1 / (1 + np.exp(-a))),
    "square": (lambda a: a * a * 0.3, lambda a: a * a * 0.3),
    "centred": (lambda a: a - a.mean(0), lambda a: a - a.mean(0)),
    "row sums": (lambda a: a * 0 + a.sum(1, keepdim=True) / 4, lambda a: a * 0 + a.sum(1, keepdims=True) / 4),
    "softmax": (lambda a: a.softmax(1), lambda a: np.exp(a) / np.exp(a).sum(1, keepdims=True)),
    "rows twice": (lambda a: a[[1, 1]], lambda a: a[[1, 1]]),
    "flip": (lambda a: a.flip(1), lambda a: a[:, ::-1]),
    "fold": (lambda a: a.T.reshape(2, 3), lambda a: a.T.reshape(2, 3)),
    "parts": (
        lambda a: tg.cat([part * (k + 1) / 3 for k, part in enumerate(a.chunk(3, 1))], 1),
        lambda a: a * np.array([1, 2, 3]) / 3,
    ),
    "steps": (lambda a: tg.stack([a[1], a[0]]) * 0.9, lambda a: np.stack([a[1], a[0]]) * 0.9),
    "masked": (lambda a: tg.where(MASK, a, 0.5), lambda a: np.where(MASK, a, 0.5)),
}  # fmt: skip
TWO = {
    "add": (lambda a, b: (a + b) / 2, lambda a, b: (a + b) / 2),
    "sub": (lambda a, b: (a - b) / 2, lambda a, b: (a - b) / 2),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "div": (lambda a, b: a / (2 + b * b), lambda a, b: a / (2 + b * b)),
    "row": (lambda a, b: a * b[0], lambda a, b: a * b[0]),
    "matmul": (lambda a, b: a @ (b.T @ a) / 6, lambda a, b: a @ (b.T @ a) / 6),
    "put": (lambda a, b: a.at[1].set(b[0]), _put),
    "join": (lambda a, b: tg.cat([a[:, :1], b[:, 1:]], 1), lambda a, b: np.c_[a[:, :1], b[:, 1:]]),
}  # fmt: skip


class Pair:
    """A value in both engines: our tensor (None once it is deleted) and the number on the tape."""

    def __init__(self, ours, theirs, leaf=None):
        self.ours, self.theirs, self.leaf = ours, theirs, leaf


class Engines(RuleBasedStateMachine):
    values = Bundle("values")
    leaves = Bundle("leaves")

    def __init__(self):
        super().__init__()
        self.tape = Tape()
        self.pairs, self.passed = [], []

    def _kept(self, ours, theirs, leaf=None):
        self.pairs.append(Pair(ours, theirs, leaf))
        return self.pairs[-1]

    def _number(self, pair):
        """The value of today: a leaf's moves on with each write."""
        return pair.theirs if pair.leaf is None else self.tape.now[pair.leaf]

    # ---- values

    @rule(target=leaves, seed=st.integers(0, 50))
    def leaf(self, seed):
        array = numbers(SHAPE, seed)
        self.passed.append(array)
        k = self.tape.leaf(array)
        return self._kept(tg.tensor(array, requires_grad=True), k, leaf=k)

    @rule(target=values, seed=st.integers(51, 60))
    def constant(self, seed):
        array = numbers(SHAPE, seed)
        self.passed.append(array)
        return self._kept(tg.tensor(array), self.tape.value(array))

    @rule(target=values, a=values | leaves, name=st.sampled_from(list(ONE)))
    def one(self, a, name):
        ours, theirs = ONE[name]
        return self._kept(ours(a.ours), self.tape.apply(theirs, self._number(a)))

    @rule(target=values, a=values | leaves, b=values | leaves, name=st.sampled_from(list(TWO)))
    def two(self, a, b, name):
        ours, theirs = TWO[name]
        numbers = self._number(a), self._number(b)
        return self._kept(ours(a.ours, b.ours), self.tape.apply(theirs, *numbers))

    @rule(target=values, a=values | leaves)
    def detach(self, a):
        return self._kept(a.ours.detach().clone(), self.tape.detach(self._number(a)))

    @rule(target=values, a=values | leaves, b=values | leaves)
    def without_recording(self, a, b):
        with tg.no_grad():
            ours = a.ours * b.ours
        array = self.tape.values[self._number(a)] * self.tape.values[self._number(b)]
        return self._kept(ours, self.tape.value(array))

    # ---- derivatives

    def _both(self, ours, theirs):
        """Both succeed, or both refuse for the same reason: (what came of it on either side) or None."""
        try:
            expected = theirs()
        except (StaleError, NothingError) as refusal:
            error = tg.StaleGraphError if isinstance(refusal, StaleError) else RuntimeError
            with pytest.raises(error, match=r"was it computed|takes no part|as it was before"):
                ours()
            return None
        return ours(), expected

    @rule(a=values, twice=st.booleans())
    def backward(self, a, twice):
        for _ in range(1 + twice):
            k = self._number(a)
            self._both(lambda: a.ours.backward(SEED), lambda k=k: self.tape.backward(k, SEED))

    @rule(a=values, leaf=leaves, create_graph=st.booleans())
    def grad(self, a, leaf, create_graph):
        both = self._both(
            lambda: tg.grad(a.ours, leaf.ours, SEED, create_graph=create_graph)[0],
            lambda: self.tape.grad(self._number(a), SEED, leaf.leaf),
        )
        if both:
            np.testing.assert_allclose(both[0].numpy(), both[1], rtol=1e-9, atol=1e-12)

    @rule(leaf=leaves)
    def zero_grad(self, leaf):
        leaf.ours.grad = self.tape.grads[leaf.leaf] = None

    # ---- writes

    @rule(leaf=leaves, seed=st.integers(61, 70), way=st.sampled_from(["copy_", "*=", "init"]))
    def write(self, leaf, seed, way):
        array = numbers(SHAPE, seed)
        w = leaf.ours
        if way == "init":
            tg.nn.init.constant_(w, 0.25)
            array = np.full(SHAPE, 0.25)
        elif way == "copy_":
            with tg.no_grad():
                w.copy_(array)
        else:
            with tg.no_grad():
                w *= 0.5
            array = self.tape.values[self._number(leaf)] * 0.5
        self.tape.write(leaf.leaf, array)

    @rule(leaf=leaves)
    def optimizer_step(self, leaf):
        tg.optim.SGD([leaf.ours], lr=0.01).step()
        if (g := self.tape.grads[leaf.leaf]) is not None:
            self.tape.write(leaf.leaf, self.tape.values[self._number(leaf)] - 0.01 * g)

    @rule()
    def write_what_was_passed_in(self):
        for array in self.passed:
            array[...] = 1e9

    @rule(a=values | leaves)
    def try_to_write(self, a):
        views = [
            a.ours.numpy(),
            np.asarray(a.ours.detach()),
            a.ours[0].numpy(),
            a.ours.reshape(6).numpy(),
        ]
        for view in views + ([] if a.ours.grad is None else [a.ours.grad.numpy()]):
            with pytest.raises(ValueError, match="read-only"):
                view[...] = 1e9
        if a.leaf is not None:
            for write in (lambda: a.ours.copy_(1e9), lambda: a.ours.T[0].zero_()):
                with pytest.raises(RuntimeError, match="no_grad"):
                    write()

    @rule(a=values, b=values | leaves, way=st.sampled_from(["*=", "add_", "a row", "an item"]))
    def write_in_place(self, a, b, way):
        """A computed value gets a new one; what was computed from the old one has kept it."""
        t, other = a.ours, b.ours
        if way == "*=":
            t *= other
            theirs = self.tape.apply(lambda x, y: x * y, self._number(a), self._number(b))
        elif way == "add_":
            t.add_(other, alpha=-0.5)
            theirs = self.tape.apply(lambda x, y: x - 0.5 * y, self._number(a), self._number(b))
        else:
            t[1] = other[0] if way == "an item" else t[1].copy_(other[0])
            theirs = self.tape.apply(_put, self._number(a), self._number(b))
        a.theirs = theirs

    # ---- the end of values

    @rule(a=consumes(values))
    def delete(self, a):
        a.ours = None

    @rule()
    def collect(self):
        gc.collect(0)

    # ---- what always holds

    @invariant()
    def values_and_gradients_agree(self):
        for pair in self.pairs:
            if pair.ours is None:
                continue
            np.testing.assert_allclose(
                pair.ours.numpy(), self.tape.values[self._number(pair)], rtol=1e-9, atol=1e-12
            )
            assert pair.ours.requires_grad == self.tape.needs(self._number(pair))
            if pair.leaf is not None:
                g, expected = pair.ours.grad, self.tape.grads[pair.leaf]
                assert (g is None) == (expected is None)
                if g is not None:
                    np.testing.assert_allclose(g.numpy(), expected, rtol=1e-9, atol=1e-12)


TestEngines = Engines.TestCase
TestEngines.settings = settings(
    max_examples=80, stateful_step_count=35, deadline=None, derandomize=True
)
