"""All or none: an allocation that fails anywhere inside a backward pass changes no gradient, and nothing
that the next pass needs."""

import pytest
from failing_calls import FailingCall, StoppedError, bits
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Graph:
    """A loss, the leaves behind it, each with a gradient of an earlier pass, and how to derive it."""

    def __init__(self, loss, leaves, **keywords):
        self.loss, self.leaves, self.keywords = loss, leaves, keywords
        for t in leaves:
            t.grad = tg.ones(t.shape, dtype=t.dtype)

    def seen(self):
        return bits(t.grad for t in self.leaves)

    def derive(self):
        self.loss.backward(**self.keywords)


def of_ops(**keywords):
    """Gradients that are borrowed, added to, placed, split, cast and broadcast."""
    a, b = (tg.tensor(numbers((3, 2), k), requires_grad=True) for k in (1, 2))
    p, q = (a * b + a).split([1, 2], 0)
    parts = [p, q[0], q[1], (a @ b.T)[0, :2], (b[0] + b[0] * a[1]), b.float().sum(0).double()]
    inner = tg.stack([t.reshape(-1)[:2] for t in parts]).tanh()
    inner.retain_grad()
    graph = Graph((inner * inner).sum(), [a, b], **keywords)
    graph.leaves.append(inner)
    return graph


class Own(nn.Module):
    """A cell of a user's own."""

    def __init__(self):
        super().__init__()
        self.w, self.u = (nn.Parameter(numbers((2, 2), k)) for k in (1, 2))

    def initial_state(self, batch):
        return tg.zeros(batch, 2, dtype=tg.float64)

    def forward(self, x, h):
        h = (x @ self.w + h @ self.u).tanh() * h.sigmoid() + 0.5 * h
        return h * h, h


def of_layer(kind, compiled=True, **keywords):
    """A layer over two steps, its input and its Parameters."""
    tg.manual_seed(0)
    layer = nn.Recurrent(Own()) if kind == "own" else getattr(nn, kind)(2, 2).double()
    layer.compiled = compiled
    x = tg.tensor(numbers((2, 2, 2), 3), requires_grad=True)
    y, last = layer(x)
    last = last if isinstance(last, tg.Tensor) else last[-1]
    assert layer.explain().startswith("compiled" if compiled else "recorded")
    return Graph((y * y).sum() + last.sum(), [x, *layer.parameters()], **keywords)


GRAPHS = {
    "ops": of_ops,
    "ops, recorded": lambda: of_ops(create_graph=True),
    "ops, ledger": lambda: of_ops(ledger=True),
    "recorded layer": lambda: of_layer("LSTM", compiled=False),
    "compiled layer": lambda: of_layer("LSTM"),
    "compiled cell": lambda: of_layer("own"),
    "compiled, ledger": lambda: of_layer("RNN", ledger=True),
    "compiled, recorded": lambda: of_layer("RNN", create_graph=True),
}


def check(make, failing):
    """Let the pass fail at its k-th call, for all k; the next one must be right. How often it failed."""
    graph = make()
    before = graph.seen()
    graph.derive()
    after = graph.seen()
    assert before != after
    for k in range(1, 100_000):
        graph = make()
        assert graph.seen() == before
        try:
            with failing(k):
                graph.derive()
        except StoppedError:
            if graph.seen() == before:
                graph.derive()
            assert graph.seen() == after, f"half done, or another gradient, after call {k} failed"
        else:
            return k - 1
    raise AssertionError("it never ended")


LONG = ["ops, recorded", "compiled, recorded", "compiled, ledger"]  # thousands of calls
MARKED = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in GRAPHS]


@pytest.mark.parametrize("name", MARKED)
def test_a_call_that_fails_changes_nothing(name):
    with backends.using("numpy"):
        assert check(GRAPHS[name], FailingCall) > 20


class FailingLoops:
    """Raises at the k-th use of a numpy function by loops of the numpy back end, backward's: each use
    makes an array, or writes one that lies there for the next pass too."""

    def __init__(self, k):
        self.left = k

    def counted(self, function):
        def call(*args, **keywords):
            self.left -= 1
            if self.left == 0:
                raise StoppedError("planted")
            return function(*args, **keywords)

        return call

    def __enter__(self):
        kept = [*cells._loops.values(), *(c for c, _ in cells._configurations.values())]
        made = [m for c in kept for m in c._loops.values() if getattr(m, "name", "") == "numpy"]
        found = [f for m in made if m.program.gradients for f in (m._backward, m.loops[True])]
        self.spaces = [f.__globals__ for f in found]
        self.before = [dict(space) for space in self.spaces]
        for space, own in zip(self.spaces, self.before, strict=True):
            space.update({n: self.counted(own[n]) for n in USED if n in own})

    def __exit__(self, *_):
        for space, own in zip(self.spaces, self.before, strict=True):
            space.update(own)


USED = ["tanh", "maximum", "equal", "add", "subtract", "multiply", "true_divide", "power", "exp"]
USED += ["dot", "sum", "copyto", "concatenate", "whole", "empty", "ones", "full", "zeros"]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "own"])
def test_compiled_loops_that_fail_leave_what_the_next_pass_needs(kind):
    with backends.using("numpy"):
        assert check(lambda: of_layer(kind), FailingLoops) > 5
