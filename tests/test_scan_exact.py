"""Small cells of every kind: compiled loops, on both back ends, equal the recorded loop.

The recorded loop's gradients are held against central differences. Each cell is a line of a table; the
tables are built from operands of every shape, the rows of the calculus, and ways to hand a state on.
"""

import itertools

import numpy as np
import pytest
from small_cells import PARTS, REDUCE, SHAPE, UNARY, Written, difference, drawn, given, outcome
from support import along, numbers, on_both

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells, numpy_text, verified
from tinygrad_rnn.scan.verified import _Fenced

INSTALLED = backends.choice()[0] == "numba"
needs_numba = pytest.mark.skipif(not INSTALLED, reason="numba is not installed (extra fast)")
BACKENDS = ["numpy", pytest.param("numba", marks=needs_numba)]
SIZES = [(3, 2, 4), (4, 4, 4), (1, 3, 4), (2, 1, 4), (2, 3, 1), (1, 1, 1), (3, 3, 2)]  # B, I, H
Z = "z = (x @ self.U + s0 @ self.W).tanh()"

WRITTEN = """
x[:, :1]                x[:, -1:]             s0[:, :1]            s0[:, -1:]         z[:, :1]
x[:, :1].expand(B, H)   self.bias             self.bias[:1]        self.row           self.row[:, :1]
self.corner             self.scalar           self.column          self.full          self.wide[:, 1:2]
self.wide[:, H:2*H]     self.one              z[:, :2].sum(-1, keepdim=True)          (x[:, :1] > 0)
z.mean(-1, keepdim=True)                      (x[:, :1] > z[:, -1:])                  self.W[:1]
"""
USES = [
    "({}) * z",
    "z + 1.0 * ({})",
    "z / (1 + (1.0 * ({})).abs())",
    "tg.maximum(z, ({}) * 0.5)",
    "tg.where(({}) * z > 0.1, z, 0.5 * z)",
    "(z * ({})) @ self.W",
    "tg.cat([z, ((1.0 * ({})) + 0 * z[:, :1]).expand(B, H)], -1)[:, 1:1 + H]",
    "(tg.cat([((1.0 * ({})) * z).expand(B, H), z], -1) * self.wide[:, :2 * H]).sum(-1, keepdim=True) * z",
]
OPERANDS = [
    part for line in WRITTEN.strip().split("\n") for part in line.split("  ") if part.strip()
]
COLUMNS = [use.format(a.strip()) for a, use in itertools.product(OPERANDS, USES)]
ROWS = [
    text.format(a="z", p=0, q=1, n="H") for text in (*UNARY, *REDUCE, *PARTS, *SHAPE)
]  # the shape of each is made the state's by what follows
HANDED_ON = [  # lines, and the shapes of the states after the first (None: as the first)
    (["y = z", "n0 = s1", "n1 = z"], (None,)),
    (["y = s0 * z", "n0 = s1", "n1 = s0"], (None,)),
    (["y = z", "n0 = z", "n1 = s0", "n2 = s1"], (None, None)),
    (["y = z", "n0 = s2", "n1 = s0 * 0.5", "n2 = s1 + z"], (None, None)),
    (["y = z + s2", "n0 = s1", "n1 = s2", "n2 = z + s0"], (None, None)),
    (["y = self.full", "n0 = z"], ()),
    (["y = self.bias", "n0 = z"], ()),
    (["y = self.scalar.exp()", "n0 = z"], ()),
    (["y = x", "n0 = z"], ()),
    (["y = s0", "n0 = z"], ()),
    (["y = z[:, :2]", "n0 = z"], ()),
    (["y = z", "n0 = z", "n1 = z"], (None,)),
    (["y = z + s1", "n0 = z", "n1 = self.full"], (None,)),
    (["y = z", "n0 = x @ self.U", "n1 = x @ self.U"], (None,)),
    (["w = z @ self.W3", "y = w[:, 1:3]", "n0 = w[:, H:2*H]", "n1 = w[:, :H]"], (None,)),
    (["y = z", "n0 = z", "n1 = s0[:, ::1]"], (None,)),
    (["y = z * s1", "n0 = z", "n1 = s1 + 1.0"], ((),)),
    (["y = z * s1", "n0 = z + s1", "n1 = s1 * 0.9 + z.mean()"], ((),)),
    (["y = tg.cat([s0, s0.sum(-1, keepdim=True)], -1)", "n0 = z"], ()),
    (["y = z", "n0 = z * s1", "n1 = s1 * 0.5 + z.mean(-1, keepdim=True)"], ("column",)),
    (["y = z", "n0 = z * s1", "n1 = s1 * 0.5 + z.mean(0)"], ("features",)),
    (["y = z * s1.sum(-1)", "n0 = z", "n1 = s1 * 0.5 + z.unsqueeze(-1)"], ("three",)),
    (["y = z.sum(-1)", "n0 = z"], ()),
    (["y = z.sum()", "n0 = z"], ()),
    (["y = z.unsqueeze(1)", "n0 = z"], ()),
    (["y = z.reshape(-1)", "n0 = z"], ()),
    (["t = self.full.tanh()", "y = z * t + s1", "n0 = z", "n1 = t"], (None,)),
    (["y = z", "n0 = z * (self.row @ self.W)"], ()),
    (["y = (s1 > 0) * z", "n0 = z", "n1 = (s1 > 0.1) * z"], (None,)),
    (
        ["n0 = ((s0 + s1) @ self.W + s0 @ self.W.t()).tanh() + x @ self.U", "n1 = z", "y = n0"],
        (None,),
    ),
    (["y = tg.where(s0 > 0, 0.1, 0.3) * z", "n0 = z"], ()),
    (["y = s1 * z", "n0 = z", "n1 = tg.cat([s0[:, 1:], z.sum(-1, keepdim=True)], -1)"], (None,)),
]
IN_MACHINE_CODE = [2, 4, 5, 16, 19, -3, -2, -1]
HEADS = [  # a reshape of what does not lie in one piece is another array
    "(s0.reshape(-1, H // 2, 2).permute(1, 0, 2) @ self.W[:2, :2]).permute(1, 0, 2).reshape(-1, H) + z",
    "z.reshape(B, 2, -1).transpose(1, 2).reshape(B, -1)",
    "z.t().reshape(B, -1) * 0.9",
    "z.t().reshape(-1, 2).t().reshape(B, -1) + s0",
    "s0.reshape(-1, 2, H // 2).permute(1, 0, 2).reshape(B, -1) * z",
    "(z.reshape(B, 2, 1, -1) * tg.softmax((z.reshape(B, 2, 1, -1) * z.reshape(B, 1, 2, -1)).sum(-1), -1)"
    ".unsqueeze(-1)).sum(2).reshape(B, -1)",
    "tg.stack([z, s0], -1).reshape(B, -1)[:, ::2]",
    "(z[:, :2] * 1.0).reshape(-1, 2, 1).permute(0, 2, 1).reshape(-1, 2).sum(-1, keepdim=True) * z",
    "x[:, :1].expand(B, H).reshape(-1).reshape(B, H) * z",
]


def layer_of(lines, sizes, starts=(None,)):
    return nn.Recurrent(Written([Z, *lines], sizes, starts)).double()


def agree(layer, steps, backend, tol=1e-9, dtype="d", only=None, how=""):
    """Outputs and gradients are those of the recorded loop, by the back end or what it fell to."""
    x, states = given(layer.cell, steps, dtype)
    slow = outcome(layer, x, states, False, only)
    with backends.using(backend), np.errstate(all="ignore"):
        fast = outcome(layer, x, states, True, only)
    assert not difference(fast, slow, tol), layer.cell.lines
    assert how in layer.explain(), layer.explain()
    return slow


def state_of(text):
    """The lines of a cell whose state is made of some value, and which puts that out."""
    return [f"v = {text}", "y = v", "n0 = 0.9 * z + 0.1 * v.sum()"]


def some(table, every, sizes=SIZES):
    """A slice of a table for everyday, each with one of the sizes, by turns; the rest is slow."""
    return [
        pytest.param(
            entry, sizes[k % len(sizes)], marks=[] if k % every == 0 else [pytest.mark.slow]
        )
        for k, entry in enumerate(table)
    ]


# ---- values and gradients ---------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "sizes"), some(COLUMNS, 2))
def test_operands_of_every_shape(text, sizes):
    agree(layer_of([f"n0 = {text}", "y = n0"], sizes), 4, "numpy", how="compiled")


@pytest.mark.slow
@pytest.mark.parametrize("text", COLUMNS)
def test_operands_of_every_shape_at_every_size(text):
    for sizes in SIZES:
        agree(layer_of([f"n0 = {text}", "y = n0"], sizes), 3, "numpy", how="compiled")


@pytest.mark.parametrize("sizes", [(3, 2, 4), (4, 4, 4)])
@pytest.mark.parametrize("text", ROWS)
def test_every_row(text, sizes):
    layer = layer_of(state_of(text), sizes)
    x, states = given(layer.cell, 1)
    try:
        outcome(layer, x, states, False)
    except (ValueError, IndexError, RuntimeError):
        pytest.xfail("not for these sizes")
    agree(layer, 4, "numpy")


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
@pytest.mark.parametrize(("lines", "starts"), HANDED_ON)
def test_states_are_handed_on_as_they_are(lines, starts, steps):
    for sizes in ((3, 2, 4), (4, 4, 4), (1, 2, 4)):
        b, _, h = sizes
        shapes = {None: None, (): (), "column": (b, 1), "features": (h,), "three": (b, h, 2)}
        layer = layer_of(lines, sizes, (None, *(shapes[s] for s in starts)))
        how = "compiled" if steps > 3 else ""  # few steps may not show what moves on
        for only in (None, [0], [len(starts) + 1]):
            agree(layer, steps, "numpy", only=only, how=how)


@pytest.mark.parametrize(
    ("text", "sizes", "backend"),
    on_both(HEADS, [((3, 2, 4),), ((4, 4, 4),), ((1, 2, 4),), ((2, 3, 6),)], INSTALLED),
)
def test_a_reshape_that_has_to_copy(text, sizes, backend):
    layer = layer_of(state_of(text), sizes)
    for steps in (1, 2, 5):
        agree(layer, steps, backend, how="compiled")


@pytest.mark.parametrize("text", COLUMNS[::7] + HEADS[:4])
def test_recorded_gradients_are_central_differences(text):
    layer = layer_of([f"n0 = {text}", "y = n0"], (4, 4, 4))
    x, states = given(layer.cell, 3)
    leaves = [x, *states, *[p.detach().numpy() for p in layer.parameters()]]
    ways = [numbers(a.shape, 11 + k) for k, a in enumerate(leaves)]
    _, grads = outcome(layer, x, states, False)
    parameters = list(layer.parameters())

    def total(arrays):
        with tg.no_grad():
            for p, a in zip(parameters, arrays[2:], strict=True):
                p.copy_(a)
        outs, _ = outcome(layer, *arrays[:1], arrays[1:2], False)
        return [sum(((0.3 + numbers(o.shape, 70 + k)) * o).sum() for k, o in enumerate(outs))]

    (slope,) = along(total, leaves, ways, 1e-4)
    ours = sum((d * g).sum() for d, g in zip(ways, grads.values(), strict=True) if g is not None)
    np.testing.assert_allclose(ours, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(60))
def test_cells_drawn_at_random(seed):
    agree_at_random(seed, "numpy")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 3000, 40))
def test_more_cells_drawn_at_random(seed):
    for k in range(40):
        agree_at_random(seed + k, "numpy")


def agree_at_random(seed, backend, kinds="all"):
    draw = np.random.default_rng(seed)
    cell = drawn(
        seed, SIZES[seed % len(SIZES)], int(draw.integers(3, 9)), int(draw.integers(1, 4)), kinds
    )
    only = None if draw.random() < 0.5 else [int(draw.integers(len(cell.starts) + 1))]
    agree(nn.Recurrent(cell).double(), int(draw.integers(1, 6)), backend, only=only)


# ---- what goes wrong is seen, and goes one back end down ----------------------------------------------


@pytest.fixture
def unknown(monkeypatch):
    """No program has been made yet."""
    monkeypatch.setattr(cells, "_loops", {})


def test_a_wrong_result_is_seen_and_the_loop_recorded(unknown, monkeypatch):
    monkeypatch.setitem(numpy_text.UFUNCS, "mul", "add")
    layer = layer_of(["n0 = z * s0.sin()", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numpy", how="numpy gave another")


def test_what_numpy_cannot_run_is_recorded(unknown, monkeypatch):
    monkeypatch.setitem(numpy_text.UFUNCS, "sin", "no_such_function")
    layer = layer_of(["n0 = z * s0.sin() * 0.25", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numpy", how="recorded op by op: numpy cannot run it")


def test_a_refusal_is_asked_for_once(unknown, monkeypatch):
    monkeypatch.setitem(numpy_text.UFUNCS, "sin", "no_such_function")
    layer = layer_of(["n0 = z * s0.sin() * 0.125", "y = n0"], (3, 2, 4))
    agree(layer, 3, "numpy", how="recorded op by op")
    monkeypatch.setattr(verified, "loops", lambda *_: pytest.fail("asked again"))
    agree(layer, 3, "numpy", how="recorded op by op")


def test_what_is_close():
    b = np.array([1.0, np.inf, np.nan])
    assert verified._close(b + 1e-9, b, 1.0)
    for other in ([1.0, np.inf, 0.0], [1.0, np.nan, np.nan], [1.0, -np.inf, np.nan]):
        assert not verified._close(np.array(other), b, 1.0)
    for other in ([1.1, np.inf, np.nan], [np.nan, np.inf, np.nan]):
        assert not verified._close(np.array(other), b, 1.0)
    assert not verified._close(b.astype("f"), b, 1.0)
    assert not verified._close(b[None], b, 1.0)
    assert verified._close(None, np.zeros(2), 1.0)
    assert not verified._close(np.ones(2), None, 1.0)


def test_writing_beside_an_array_is_seen():
    for beside in (-1, 6):
        fenced = _Fenced()
        array = fenced.copy(np.zeros((2, 3), np.float32))
        array.base.reshape(-1)[verified.FENCE + beside] = 0
        with pytest.raises(AssertionError, match="beside an array"):
            fenced.check()
    assert np.isnan(_Fenced().empty((2, 3), "f")).all()
    assert _Fenced().empty((2, 3), "d", "F").flags.f_contiguous


# ---- numbers at the edge -------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_differences_of_large_numbers_are_taken_in_their_order(backend):
    """(h + 1e9) - 1e9 rounds; h - h of infinity is NaN: an optimiser that knows algebra must not see it."""
    for text in (
        "(z + 3e16) - 3e16",
        "(s0 + z) - s0",
        "z / self.column / 3.0",
        "z * 1e-300 * 1e300",
    ):
        agree(layer_of([f"n0 = 0.1 * z + {text}", "y = n0"], (3, 2, 4)), 3, backend, 1e-13)


ODD = [np.nan, np.inf, -np.inf, 1e200, -1e200, 1e-310, -1e-310, 0.0, -0.0, 710.0, -100.0, 30.0]


@pytest.mark.parametrize(
    "text",
    [
        "-z.sigmoid() * s0 * -z",
        "z.sigmoid() * z.tanh() + (1 - z.sigmoid()) * s0",
        "tg.where(s0 > 0, z.exp(), s0)",
        "z.exp() / (1 + z.exp())",
        "F.softplus(z) - F.silu(z)",
        "tg.maximum(z, s0) * tg.minimum(x[:, :1], z)",
        "tg.softmax(z, -1) * z",
        "z.clip(-0.5, 1e100) * z.sign()",
        "tg.relu(z) - F.leaky_relu(s0, 0.1)",
    ],
)
def test_what_is_not_finite_stays_as_it_is(text):
    for seed in range(8):
        cell = Written(["z = x @ self.U + s0 @ self.W", f"n0 = {text}", "y = n0"], (3, 2, 4))
        layer = nn.Recurrent(cell).double()
        x, states = given(cell, 3)
        draw = np.random.default_rng(seed)
        for a in (x, *states):
            odd = draw.random(a.shape) < (0.15 if seed % 2 else 0.05)
            a[odd] = draw.choice(ODD, odd.sum())
        with np.errstate(all="ignore"):
            slow = outcome(layer, x, states, False)
            with backends.using("numpy"):
                fast = outcome(layer, x, states, True)
        assert not difference((fast[0], {}), (slow[0], {}), 1e-9)
        for name, g in slow[1].items():  # finite numbers may be what rounding left of huge ones
            odd = [np.where(np.isfinite(a), 0, a) for a in (fast[1][name], g)]
            np.testing.assert_array_equal(*odd)


def test_factors_that_overflow_before_a_gradient_scales_them():
    """g a b is finite, a b is not: fewer multiplications are not worth an infinite gradient."""
    large = "(x[:, :1] * 0 + 1e200)"
    layer = layer_of([f"n0 = s0 * {large} * {large}", "y = n0 * 1e-300"], (3, 2, 4))
    x, states = given(layer.cell, 1)
    states = [s * 1e-250 for s in states]
    slow = outcome(layer, x, states, False, [0])
    with backends.using("numpy"):
        fast = outcome(layer, x, states, True, [0])
    assert np.isfinite(slow[1]["s0"]).all()
    assert not difference(fast, slow, 1e-9)


class _OuterWithoutABatch(nn.Module):
    """Its gradient of w is an outer product of vectors, made of all steps after the loop."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(np.arange(9.0).reshape(3, 3) / 10 - 0.3)
        self.s = nn.Parameter(np.array([0.5, -0.7, 0.4]))

    def initial_state(self, batch):
        return self.s

    def forward(self, x, h):
        h = tg.where(x > 0.5, x, h @ self.w)
        return h, h


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_an_index_that_names_axes_of_one_step_leaves_time_alone(steps):
    found = []
    for compiled in (False, True):
        with backends.using("numpy"):
            cell = _OuterWithoutABatch()
            layer = nn.Recurrent(cell)
            layer.compiled = compiled
            _, last = layer(tg.tensor(np.linspace(0.1, 0.6, steps * 3).reshape(steps, 3)))
            (last * tg.tensor([1.0, 2.0, 3.0], dtype=tg.float64)).sum().backward()
            found.append((cell.w.grad.numpy(), cell.s.grad.numpy()))
            assert layer.explain().startswith("compiled" if compiled else "recorded")
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-12)
