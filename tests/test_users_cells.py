"""Cells as users write them: compiled, on every back end, they are what the recorded loop is."""

import linecache
from itertools import product

import numpy as np
import pytest
from field_cells import TEXT
from support import numbers, of_the_day
from users_cells import TABLE, read, users_cell

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells
from tinygrad_rnn.scan.schedule import Schedule

INSTALLED = backends.choice()[0] == "numba"
needs_numba = pytest.mark.skipif(not INSTALLED, reason="numba is not installed (extra fast)")
STEPS = 4
SIZES = [(3, 2, 4), (1, 3, 6)]
CASES = list(product((np.float32, np.float64), SIZES))
FIELD = read(TEXT)


def outcome(layer, x, states, compiled):
    """Outputs, last states and all gradients of a weighted sum."""
    layer.compiled = compiled
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    states = [tg.tensor(s, requires_grad=True) for s in states]
    y, last = layer(x, states[0] if len(states) == 1 else tuple(states))
    outs = [y, last] if isinstance(last, tg.Tensor) else [y, *last]
    ways = [tg.tensor(0.3 + numbers(t.shape, 70 + k).astype(t.dtype)) for k, t in enumerate(outs)]
    total = sum((t * w).sum() for t, w in zip(outs, ways, strict=True))
    total.backward()
    leaves = [x, *states, *layer.parameters()]
    return [t.detach().numpy() for t in outs] + [
        None if p.grad is None else p.grad.numpy() for p in leaves
    ]


def agree(equations, sizes, backend, dtype=np.float64, tol=1e-9):
    layer = nn.Recurrent(users_cell(equations, sizes, dtype))
    if dtype == np.float64 and any("tg.ones" in line for line in equations.lines):
        tol = 1e-6
    b, i, _ = sizes
    x = numbers((STEPS, b, i) if equations.batched else (STEPS, i), 3).astype(dtype)
    states = [
        0.5 * numbers(layer.cell.shape_of(k), 5 + k).astype(dtype)
        for k in range(len(equations.states))
    ]
    slow = outcome(layer, x, states, False)
    with backends.using(backend), np.errstate(all="ignore"):
        fast = outcome(layer, x, states, True)
    for k, (a, c) in enumerate(zip(fast, slow, strict=True)):
        assert (a is None) == (c is None), k
        if a is not None:
            np.testing.assert_allclose(
                a, c, rtol=tol, atol=tol * max(1e-3, np.abs(c).max()), err_msg=str(k)
            )
    return layer.explain()


def names(part):
    return getattr(part, "name", None)


@pytest.mark.parametrize("sizes", [(3, 2, 4), (1, 1, 4), (4, 4, 4)])
@pytest.mark.parametrize("equations", TABLE, ids=names)
def test_in_numpy_calls(equations, sizes):
    assert "run by numpy" in agree(equations, sizes, "numpy")


@pytest.mark.parametrize("equations", FIELD, ids=names)
def test_the_fields_in_numpy_calls(equations):
    assert "run by numpy" in agree(equations, (3, 5, 8), "numpy")


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("equations", FIELD[::4], ids=names)
def test_the_fields_in_machine_code(equations):
    assert "run by numba" in agree(equations, (3, 5, 8), "numba")


@needs_numba
@pytest.mark.parametrize("equations", TABLE[::16], ids=names)
def test_in_machine_code(equations):
    assert "run by numba" in agree(equations, (3, 2, 4), "numba")


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize(("equations", "dtype", "sizes"), of_the_day(TABLE, CASES), ids=names)
def test_every_one_in_machine_code(equations, dtype, sizes, monkeypatch):
    """A precision and a size a day: each of them with cells enough, and each cell with another tomorrow."""
    monkeypatch.setenv("TINYGRAD_RNN_BOUNDSCHECK", "1")
    words = agree(equations, sizes, "numba", dtype, 1e-9 if dtype == np.float64 else 3e-4)
    assert "run by numba" in words, words


@pytest.mark.parametrize(
    "name",
    [
        *("lstm_weight_norm", "antisymmetric", "lipschitz", "commutator", "highway"),
        *("einsum_cell", "mixture_of_experts", "bilinear", "tensor_train", "gru_blocks"),
        *("block_attention", "self_attending_slots"),
    ],
)
def test_gradients_of_weights_are_products_over_all_steps(name, monkeypatch):
    """Whatever the weights are made of or multiplied by: no step has a product of its own for them."""
    monkeypatch.setattr(cells, "_loops", {})  # no program has been made yet
    planned, plan = [], Schedule._plan_backward

    def noted(self, everything):
        planned.append(self)
        plan(self, everything)

    monkeypatch.setattr(Schedule, "_plan_backward", noted)
    (equations,) = (e for e in FIELD + TABLE if e.name == name)
    assert "run by numpy" in agree(equations, (2, 5, 8), "numpy")
    assert planned
    for s in planned:
        values, inputs = s.program.values, s.program.inputs
        weights = {values[v].shape for role, v in inputs.items() if role[0] == "w"}
        weights = {shape for shape in weights if len(shape) > 1}
        assert weights
        assert not [values[v] for v in (*s.back, *s.stored) if values[v].shape in weights]


@pytest.mark.parametrize("name", ["mixture_of_experts", "bilinear", "tensor_train", "einsum_cell"])
def test_einsums_with_weights_are_products_of_rows(name, monkeypatch):
    """Where no label is of a sequence and of the weights both, each is one product of matrices."""
    (equations,) = (e for e in FIELD + TABLE if e.name == name)
    layer = nn.Recurrent(users_cell(equations, (3, 5, 8)))
    monkeypatch.setattr(cells, "_loops", {})
    programs, make = [], Schedule.__init__

    def noted(self, program, *args, **more):
        programs.append(program)
        make(self, program, *args, **more)

    monkeypatch.setattr(Schedule, "__init__", noted)
    with backends.using("numpy"):
        layer(tg.tensor(numbers((4, 3, 5), 3).astype("f"), requires_grad=True))
    assert programs
    for p in programs:
        for v in p.needed([*p.outputs, *p.gradients.values()]):
            value = p.values[v]
            assert value.op != "einsum" or all(p.depends[a] for a in value.args), value


@needs_numba
@pytest.mark.parametrize("name", ["sign", "self_attending_slots"])
def test_a_cell_that_is_steep_somewhere_is_not_refused_for_its_rounding(name):
    """Near a root of 0, or where a softmax chooses, gradients in float32 are what rounding makes of them."""
    (equations,) = (e for e in FIELD + TABLE if e.name == name)
    layer = nn.Recurrent(users_cell(equations, (32, 16, 64)))
    with backends.using("numba"):
        layer(tg.tensor(numbers((2, 32, 16), 3).astype("f"), requires_grad=True))
    assert "run by numba" in layer.explain()


# ---- arrays in a step ------------------------------------------------------------------------------

GLOBAL = np.array([1.0, 2.0, 3.0])


class Arrays(nn.Module):
    """A cell whose step is a function of ``self`` and what drives it."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(np.eye(3) * 0.5)
        self.array, self.places = np.array([1.0, 0.0, 2.0]), np.array([2, 0, 1])
        self.numbers, self.arrays = [1.0, 0.0, 2.0], [np.ones(3), np.ones(3)]
        self.order = tg.tensor([2, 0, 1])

    def initial_state(self, batch):
        return tg.zeros(batch, 3, dtype=tg.float64)


def arrays_cell(line):
    text = f"def forward(self, x, h):\n    z = x + h @ self.w\n    h = {line}\n    return h, h\n"
    file = f"<{line}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    space = {"np": np, "tg": tg, "GLOBAL": GLOBAL, "__name__": __name__}
    exec(compile(text, file, "exec"), space)
    return type("Cell", (Arrays,), {"forward": space["forward"]})()


def agree_with_recorded(layer):
    x = tg.tensor(numbers((4, 2, 3), 1))
    with backends.using("numpy"):
        layer.compiled = True
        fast = layer(x)[0].numpy()
    words = layer.explain()
    layer.compiled = False
    np.testing.assert_allclose(fast, layer(x)[0].numpy(), rtol=1e-9)
    return words


@pytest.mark.parametrize(
    "line",
    [
        "z * tg.tensor(self.numbers)",
        "z * np.array([1.0, 2.0, 3.0])",
        "z * np.kron([1.0, 2.0, 3.0], np.diff([1.0, 3.0]))",
        "z[:, np.arange(3)[::-1].copy()]",
        "z[:, [2, 0, 0]]",
        "z * tg.arange(3)",
        "z * tg.full((3,), 0.5)",
        "tg.where(np.array([True, False, True]), z, 0.5 * z)",
        "z + tg.ones_like(z) - tg.zeros(3) + z.new_ones(3)",
        "z * z.detach()",
        "z * (z > 0).sum(-1, keepdim=True)",
        "z * z.detach().tanh().amax(-1, keepdim=True)",
    ],
)
def test_arrays_made_in_the_step_are_constants(line):
    layer = nn.Recurrent(arrays_cell(line))
    assert "compiled" in agree_with_recorded(layer)
    layer.cell.numbers[0] = -3.0
    agree_with_recorded(layer)


@pytest.mark.parametrize(
    "line",
    [
        "z * self.array",
        "z * GLOBAL",
        "z * tg.tensor(self.array)",
        "z * tg.tensor([self.array, self.array])",
        "z * tg.tensor(self.arrays)",
        "z[:, self.places]",
        "z[(slice(None), self.places)]",
        "z.index_select(1, self.places)",
        "z[:, self.order]",
        "z * tg.tensor(z.detach())",
        "z * tg.full((3,), z.sum().detach())",
        "z * tg.tensor(np.asarray(z.detach()))",
        "z[:, z.argmax(-1)[0]].unsqueeze(-1) * z",
    ],
)
def test_arrays_that_may_change_are_recorded(line):
    layer = nn.Recurrent(arrays_cell(line))
    assert "recorded" in agree_with_recorded(layer)
    layer.cell.array[1], layer.cell.arrays[0][1], GLOBAL[1] = 5.0, 7.0, 9.0
    layer.cell.places[:] = [1, 1, 0]
    with tg.no_grad():
        layer.cell.order[0] = 1
    agree_with_recorded(layer)
