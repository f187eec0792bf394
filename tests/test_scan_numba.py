"""Machine code for the compiled step: vectorised, right in the tails, compiled once, kept safely."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from made_up_cells import I, LayerNormed, RootMeanSquare, SumsOverFeatures
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells, machine_code, numba_loops

pytestmark = pytest.mark.skipif(
    backends.choice()[0] != "numba", reason="numba is not installed (extra fast)"
)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Nothing compiled yet, and a cache of the test's own."""
    monkeypatch.setattr(machine_code, "folder", lambda: tmp_path)
    monkeypatch.setattr(machine_code, "_functions", {})
    monkeypatch.setattr(cells, "_loops", {})
    monkeypatch.setattr(cells, "_configurations", {})


def loops(kind, steps=4, batch=2, features=2, hidden=3):
    """The machine code of a layer, after a forward and a backward run in float32."""
    layer = getattr(nn, kind)(features, hidden)
    y, _ = layer(numbers((steps, batch, features)).astype(np.float32))
    y.sum().backward()
    assert "run by numba" in layer.explain()
    cell, x = layer._first, np.zeros((steps, batch, features), np.float32)
    found, _ = cells.compiled(cell, x, cell.initial_state(batch), None, {})
    return found.loops(True, False)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gate_loops_are_vectorised(kind, fresh):
    """Each loop's assembly multiplies and divides whole vectors: with every gate's division packed."""
    from tinygrad_rnn.scan.native import machine, optimized

    for backward, loop in loops(kind).loops.items():
        assembly = machine().emit_assembly(optimized(loop.module(loop.kinds, "loop")))
        packed = len(re.findall(r"\bv?(?:mul|fma\w*|fnma\w*|fmadd\w*)ps\b", assembly))
        least = 2 if backward else 10  # a curve alone is ten
        assert packed >= least, f"{kind}: only {packed} packed products"
        if not backward:
            assert re.search(r"\bv?divps\b", assembly), "a division of a whole vector: the gates'"


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_loops_do_not_ask_whether_arrays_overlap(kind, fresh):
    """Where LLVM has asked, it writes down of what it knows since that it lies apart."""
    from tinygrad_rnn.scan.native import optimized

    for backward, loop in loops(kind).loops.items():
        text = str(optimized(loop.module(loop.kinds, "loop")))
        assert "!alias.scope" not in text, f"{kind}: {'backward' if backward else 'forward'} asks"


@pytest.mark.parametrize("bits", [32, 64])
def test_products_add_up_whole_vectors(bits, fresh):
    from tinygrad_rnn.scan.native import optimized
    from tinygrad_rnn.scan.products import LANES, kernels

    text = str(optimized(kernels("kernels", bits)))
    assert re.search(rf"@llvm\.fmuladd\.v{LANES[bits]}f{bits}", text), (
        "a vector, not a number, at a time"
    )


PRECISIONS = """
import sys
import numpy as np
from tinygrad_rnn.scan import machine_code
for bits in map(int, sys.argv[1:]):
    machine_code.kernels(bits)
"""


def test_kernels_of_both_precisions_from_the_cache_are_not_taken_for_each_other(tmp_path):
    """Made by processes that knew one of them, read by one that needs both, in either order."""
    env = {**os.environ, "TINYGRAD_RNN_CACHE": str(tmp_path)}
    for wanted in (["32"], ["64"], ["32", "64"], ["64", "32"]):
        subprocess.run([sys.executable, "-c", PRECISIONS, *wanted], env=env, check=True)


def test_wrong_kernels_are_refused_and_not_kept(fresh, monkeypatch):
    machine_code.kernels.cache_clear()
    right, answers = machine_code._right, [True, False]
    monkeypatch.setattr(
        machine_code, "_right", lambda made, bits: right(made, bits) and answers.pop()
    )
    with pytest.raises(RuntimeError, match="TINYGRAD_RNN_BACKEND=numpy"):
        machine_code.kernels(32)
    assert not list(machine_code.folder().iterdir())
    machine_code.kernels(32)
    assert list(machine_code.folder().iterdir())


CURVE = """import numpy as np
from tinygrad_rnn.scan.vector_math import {name}
@compiled()
def loop(count, x, out):
    for i in range(count):
        out[i] = {name}(x[i])
"""


def curve(name, x):
    """A curve's values, by a loop of machine code."""
    x = np.asarray(x, f"f{int(name[-2:]) // 8}")
    out = np.empty_like(x)
    machine_code.function(CURVE.format(name=name))(len(x), x, out)
    return out


def worst_ulp(name, exact, x):
    out = curve(name, x)
    expected = exact(x.astype(np.float64))
    spacing = np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64)
    return (np.abs(out.astype(np.float64) - expected) / spacing).max()


@pytest.mark.parametrize("bits", [32, 64])
def test_kernels_refuse_matrices_of_another_dtype(bits):
    w, panels = np.ones((2, 3), "f8" if bits == 32 else "f4"), np.zeros(200, f"f{bits // 8}")
    with pytest.raises(TypeError, match=f"matrices of float{bits}"):
        machine_code.kernels(bits)(w, panels, 2, 3, 3, 1)


def every_size():
    """Numbers of every exponent and of every size in the range where curves bend, both signs."""
    bends = np.linspace(-110, 110, 400_001)
    small = np.logspace(-37, 2, 200_001)
    return np.concatenate([bends, small, -small, [0.0, -0.0]]).astype(np.float32)


def exact_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def test_curves_are_within_5_ulp_over_the_whole_range():
    from tinygrad_rnn.ops.normal import normal_share

    x = every_size()
    assert worst_ulp("tanh32", np.tanh, x) <= 4
    assert worst_ulp("sigmoid32", exact_sigmoid, x[x > -88.7]) <= 4
    assert worst_ulp("exp32", np.exp, x[(x < 88.5) & (x > -103)]) <= 4
    assert worst_ulp("expm132", np.expm1, x[x < 88.5]) <= 4
    positive = np.concatenate([x[x > 0], np.float32([1e-45, 3e-39]), np.spacing(x[x > 0])])
    around_one = np.linspace(0.7, 1.42, 100_001, dtype=np.float32)
    for given in (positive[positive > 0], around_one[around_one != 1]):
        assert worst_ulp("log32", np.log, given) <= 4
    worst = np.arange(-2.2, -2.1, 2e-7, dtype=np.float32)  # some are 5.9 off
    for given in (x[x > -14], worst):
        assert worst_ulp("normal_cdf32", normal_share, given) <= 6
    assert worst_ulp("softplus32", lambda z: np.logaddexp(0, z), x[x > -103]) <= 4


def test_curves_of_nan_infinity_and_zero():
    x = [np.nan, np.inf, -np.inf, 0.0, -0.0]
    same = np.testing.assert_array_equal
    same(curve("tanh32", x), [np.nan, 1, -1, 0, 0])
    same(np.signbit(curve("tanh32", x)[3:]), [False, True])
    same(curve("exp32", x), [np.nan, np.inf, 0, 1, 1])
    for bits in (32, 64):
        same(curve(f"sigmoid{bits}", x), [np.nan, 1, 0, 0.5, 0.5])
        same(curve(f"log{bits}", x), [np.nan, np.inf, np.nan, *2 * [-np.inf]])
        assert curve(f"log{bits}", [1]) == 0
        shares = curve(f"normal_cdf{bits}", x)
        np.testing.assert_allclose(shares, [np.nan, 1, 0, 0.5, 0.5], rtol=2e-7)
        same(curve(f"expm1{bits}", x), [np.nan, np.inf, -1, 0, 0])
        same(np.signbit(curve(f"expm1{bits}", x)[3:]), [False, True])
        found = curve(f"softplus{bits}", x)
        same(found, [np.nan, np.inf, 0, *2 * [found[3]]])
        np.testing.assert_allclose(found[3], np.log(2), rtol=2e-7)


PRODUCTS = [
    *((1, 1, 1), (1, 7, 5), (3, 4, 9), (4, 1, 16), (5, 130, 200), (7, 3, 64), (9, 33, 65)),
    *((rows, 5 + rows, 8 * width + 3) for rows in range(1, 12) for width in range(10)),
    *(
        (1, 6, 8 * width + 3) for width in range(10, 42)
    ),  # panels side by side, of vectors of any machine
]


TIMES = """from tinygrad_rnn.scan.products import {name}{bits} as product
@compiled({options})
def loop(a, w, out, rows, inner, width, onto, alike, back):
    product(a, w, out, rows, inner, width, onto, alike, back)
"""


def product_of(bits, name="product", options=""):
    """What multiplies, as a loop that Python calls."""
    return machine_code.function(TIMES.format(name=name, bits=bits, options=options), bits)


def test_small_products_and_large_ones():
    from tinygrad_rnn.scan.products import BYTES
    from tinygrad_rnn.scan.runtime import laid_out

    for kind, bits, tolerance in ((np.float64, 64, 1e-12), (np.float32, 32, 1e-5)):
        product = product_of(bits)
        for rows, inner, width in PRODUCTS:
            a = numbers((rows, inner), 1).astype(kind)
            w = numbers((inner, width), 2).astype(kind)
            for turned in (False, True):
                out = np.full(rows * width + 3, 7, kind)
                given = np.ascontiguousarray(w.T) if turned else w
                panels = laid_out(given, turned)
                product(a.reshape(-1), panels, out, rows, inner, width, 0, 0, 0)
                assert (out[rows * width :] == 7).all(), "nothing is written behind the result"
                found = out[: rows * width].reshape(rows, width)
                np.testing.assert_allclose(found, a @ w, rtol=tolerance, atol=tolerance)
                product(a.reshape(-1), panels, out, rows, inner, width, 1, 0, 0)
                np.testing.assert_allclose(found, 2 * (a @ w), rtol=tolerance, atol=2 * tolerance)
                lies_so = np.shares_memory(panels, given)
                assert lies_so or panels.ctypes.data % BYTES == 0
                for alike in (0, 1):  # from which end the panels are gone through changes no bit
                    ways = [np.empty(rows * width, kind) for _ in range(2)]
                    for back, way in enumerate(ways):
                        product(a.reshape(-1), panels, way, rows, inner, width, 0, alike, back)
                    np.testing.assert_array_equal(*ways)


def test_one_code_for_every_length_batch_width_and_value(fresh):
    before = len(machine_code._functions)
    first = loops("LSTM")
    count = len(machine_code._functions)
    for steps, batch, features, hidden in ((9, 2, 2, 3), (4, 7, 2, 3), (4, 2, 5, 6)):
        loops("LSTM", steps, batch, features, hidden)
    assert len(machine_code._functions) == count >= before
    assert all(len(loop.made) == 1 for loop in first.loops.values())


TRAIN = """
import sys
import numpy as np, tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
tg.manual_seed(0)
layer = nn.RNN(2, 3)
y, _ = layer(np.ones((4, 2, 2), np.float32))
y.sum().backward()
assert "run by numba" in layer.explain()
print(float(layer.weight_hh_l0.grad.numpy().sum()))
optim.Adam(layer.parameters()).step()
assert "numba" not in sys.modules
"""


def process(folder):
    env = {**os.environ, "TINYGRAD_RNN_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_code_is_kept_privately_and_made_anew_when_damaged(tmp_path):
    folder = tmp_path / "cache"
    first = process(folder)
    assert folder.stat().st_mode & 0o077 == 0
    kept = sorted(p for p in folder.rglob("*") if p.is_file())
    assert any(p.suffix == ".o" for p in kept)
    for path in kept:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + b"\0" * 7)
    assert process(folder) == first
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        path.write_bytes(b"")
    assert process(folder) == first


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions are another system's here")
def test_a_folder_that_others_may_write_is_not_trusted(tmp_path, monkeypatch):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(folder))
    machine_code.folder.cache_clear()
    try:
        assert machine_code.folder() != folder
        assert machine_code.folder().stat().st_mode & 0o077 == 0
    finally:
        machine_code.folder.cache_clear()


def test_what_numba_cannot_take_runs_on_numpy_and_says_so():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.W = nn.Parameter(np.eye(2, dtype=np.float32))

        def forward(self, x, h):
            h = (x @ self.W + h).tanh()
            return h * (h > 0).sum(-1, keepdim=True), h  # a whole number

        def initial_state(self, batch):
            return tg.zeros(batch, 3, 2)

    layer = nn.Recurrent(Counts())
    y, _ = layer(numbers((4, 2, 3, 2)).astype(np.float32))
    y.sum().backward()
    assert "run by numpy" in layer.explain()
    assert "numba cannot take" in layer.explain()


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("kind", [LayerNormed, RootMeanSquare, SumsOverFeatures])
def test_the_bits_do_not_depend_on_where_arrays_lie(kind, dtype):
    """A vectorised loop that asks where arrays lie would add up in another order where they are close."""
    for batch in (1, 2):
        layer, found = nn.Recurrent(kind()).double(), []
        layer = layer.float() if dtype == "f" else layer
        rng = np.random.default_rng(0)
        x = tg.tensor(rng.standard_normal((20, batch, I)).astype(dtype))
        arrays = [rng.standard_normal(p.shape).astype(dtype) for p in layer.parameters()]
        for _ in range(16):
            layer.zero_grad()
            pool, at = np.zeros(1 << 14, dtype), 0
            for p, array in zip(layer.parameters(), arrays, strict=True):
                at += 4 * int(rng.integers(0, 10))
                p._data = pool[at : at + array.size].reshape(array.shape)
                p._data[...] = array
                at += array.size
            y, _ = layer(x)
            y.square().sum().backward()
            grads = [p.grad.numpy().tobytes() for p in layer.parameters()]
            found.append(y.detach().numpy().tobytes() + b"".join(grads))
        assert len(set(found)) == 1


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("batch", [1, 2, 3, 7, 15, 16])
def test_a_sequence_in_parts_has_the_wholes_bits(batch, dtype):
    """Whatever number of steps' inputs one product takes."""
    for features, layer in ((3, nn.LSTM(3, 5)), (17, nn.GRU(17, 33)), (4, nn.RNN(4, 16))):
        layer.to(dtype)
        x = tg.tensor(numbers((19, batch, features)), dtype=dtype)
        with backends.using("numba"), tg.no_grad():
            whole, _ = layer(x)
            state, parts = None, []
            for part in x.split([1, 4, 2, 12]):
                y, state = layer(part, state)
                parts.append(y)
            step, one = None, []
            for x_t in x:
                y, step = layer.step(x_t, step)
                one.append(y)
        np.testing.assert_array_equal(tg.cat(parts).numpy(), whole.numpy())
        np.testing.assert_allclose(tg.stack(one).numpy(), whole.numpy(), rtol=1e-5)


def by_the_book(layer, x):
    """An LSTM's, GRU's or RNN's outputs of one row, in numpy and float64."""
    w, u, b, c = (p.numpy().astype(float) for p in layer.parameters())
    h, cell, found = np.zeros(u.shape[1]), np.zeros(u.shape[1]), []

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for x_t in x[:, 0].astype(float):
        given, own = w @ x_t + b, u @ h + c
        if isinstance(layer, nn.LSTM):
            i, f, g, o = np.split(given + own, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(cell)
        elif isinstance(layer, nn.GRU):
            (a, z, n), (r, v, m) = np.split(given, 3), np.split(own, 3)
            z = sigmoid(z + v)
            h = (1 - z) * np.tanh(n + sigmoid(a + r) * m) + z * h
        else:
            h = np.tanh(given + own)
        found.append(h)
    return np.stack(found)[:, None]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_one_row_of_every_small_width(kind, dtype):
    """Its sizes are constants of the code: none is taken for another's."""
    layers = [getattr(nn, kind)(f, h).to(dtype) for f, h in ((1, 1), (2, 7), (1, 8), (3, 33))]
    xs = [numbers((20, 1, layer.input_size), 3) for layer in layers]
    with backends.using("numba"):
        for layer, x in [*zip(layers, xs, strict=True)] * 2:
            given = tg.tensor(x, dtype=dtype)
            tolerance = {"rtol": 1e-5, "atol": 1e-6 if dtype == tg.float32 else 1e-14}
            expected = by_the_book(layer, given.numpy())
            with tg.no_grad():
                np.testing.assert_allclose(layer(given)[0].numpy(), expected, **tolerance)
            np.testing.assert_allclose(layer(given)[0].detach().numpy(), expected, **tolerance)


FIRST_STATES = {
    "LSTM": lambda: nn.LSTM(3, 5),
    "GRU": lambda: nn.GRU(3, 5),
    "RNN, 2 layers both ways": lambda: nn.RNN(3, 5, 2, bidirectional=True),
    "layer norm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(3, 5)),
    "own": lambda: nn.Recurrent(LayerNormed()),
}


@pytest.mark.parametrize("block", [None, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("name", FIRST_STATES)
def test_first_states_get_gradients_where_they_ask(name, steps, block, monkeypatch):
    """Nobody's are not made, which nothing else may notice: in one block of steps or in some."""
    layer = FIRST_STATES[name]().double()
    x = numbers((steps, 4, I if name == "own" else 3), 2)
    _, state = layer(x)
    state = state if isinstance(state, tuple) else (state,)
    starts = [numbers(t.shape, 5 + k) for k, t in enumerate(state)]
    if block:
        monkeypatch.setattr(numba_loops.NumbaLoops, "backward", in_blocks(block))

    def found(compiled, ask):
        layer.zero_grad()
        layer.compiled = compiled
        given = [tg.tensor(a, requires_grad=ask) for a in starts]
        y, last = layer(x, tuple(given) if len(given) > 1 else given[0])
        lasts = last if isinstance(last, tuple) else (last,)
        ((y * y).sum() + sum((t**3).sum() for t in lasts)).backward()
        return [t.grad.numpy() for t in (*given, *layer.parameters()) if t.grad is not None]

    for ask in (False, True, False):
        for a, b in zip(found(True, ask), found(False, ask), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def in_blocks(block):
    """Backward in blocks of so many steps."""
    backward = numba_loops.NumbaLoops.backward

    def run(self, *given):
        self.block = block
        return backward(self, *given)

    return run
