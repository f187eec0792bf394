"""Numpy runs a cell's first calls, machine code the later ones: by count, so that bits are the same again."""

import copy
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.scan import backends, cells, variants, verified
from tinygrad_rnn.scan.variants import CALLS, FIRST, STEPS, WORK, back_end

WAITS = ("numba", "numba and scipy are installed", True)


@pytest.fixture
def waiting(monkeypatch):
    """Where machine code could take over, numba or no numba."""
    monkeypatch.setattr(backends, "chosen", lambda: WAITS)


@pytest.fixture
def auto():
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    with backends.using("auto"):
        yield


# ---- the count ------------------------------------------------------------------------------------


def turns(count, derive=True, work=0.0, most=CALLS, cell=None):
    cell = cell or SimpleNamespace()
    return [back_end(cell, derive, work, most) for _ in range(count)]


@pytest.mark.parametrize("most", [CALLS, STEPS])
@pytest.mark.parametrize("derive", [True, False])
def test_so_many_calls_are_numpys_and_all_later_ones_are_not(waiting, derive, most):
    assert turns(most + 3, derive, 0.0, most) == [FIRST] * most + ["numba"] * 3


@pytest.mark.parametrize(("share", "first"), [(0.3, 3), (0.5, 2), (0.9, 1), (1.1, 0), (50, 0)])
def test_large_calls_are_fewer(waiting, share, first):
    assert turns(5, work=share * WORK) == [FIRST] * first + ["numba"] * (5 - first)


def test_to_look_at_a_network_does_not_change_how_it_is_trained(waiting):
    cell = SimpleNamespace()
    for _ in range(CALLS):
        assert turns(3, False, cell=cell)[0] in (FIRST, "numba")
        assert turns(1, True, cell=cell) == [FIRST]
    assert turns(1, True, cell=cell) == ["numba"]


def test_a_trained_network_is_machine_code_for_those_who_look(waiting):
    cell = SimpleNamespace()
    turns(CALLS + 1, True, cell=cell)
    assert turns(1, False, cell=cell) == ["numba"]


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_back_end_that_is_asked_for_by_name_runs_every_call(name):
    with backends.using(name):
        cell = SimpleNamespace()
        assert turns(3, cell=cell) == [name] * 3
        assert not vars(cell), "nothing is counted"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", None), ("auto", None), ("numpy", ("numpy", False)), ("numba", ("numba", False))],
)
def test_what_the_environment_says(monkeypatch, word, expected):
    monkeypatch.setenv(backends.CHOICE, word)
    found = backends._installed.__wrapped__()
    if expected is None:
        assert backends._usual.__wrapped__() == found
        assert found[2] == (found[0] == "numba")
    elif found[0] == "numpy" and word == "numba":
        with pytest.raises(ImportError, match=r"asks for numba: .* not installed"):
            backends._usual.__wrapped__()
    else:
        name, why, waits = backends._usual.__wrapped__()
        assert (name, waits) == expected
        assert why == "TINYGRAD_RNN_BACKEND asks for it"


def test_another_word_is_refused(monkeypatch):
    monkeypatch.setenv(backends.CHOICE, "cuda")
    with pytest.raises(ValueError, match="must be 'auto', 'numpy' or 'numba', got 'cuda'"):
        backends._usual.__wrapped__()


def test_the_estimate_grows_with_what_there_is_to_do():
    def of(batch, hidden):
        cell = nn.LSTMCell(2, hidden)
        x = np.zeros((3, batch, 2), np.float32)
        return cells.compiled(cell, x, cell.initial_state(batch), None, {})[0].work

    small, wide, large = of(1, 4), of(16, 32), of(64, 256)
    assert 5e3 < small < wide < large
    assert CALLS * 50 * small < WORK, "a small script's calls are all numpy's"
    assert 100 * large > WORK, "100 steps of a large layer are none of them"


# ---- networks -------------------------------------------------------------------------------------

X = tg.tensor(numbers((6, 2, 1)).astype(np.float32))


def new():
    tg.manual_seed(0)
    model = nn.RNN(1, 3)
    return model, optim.Adam(model.parameters(), lr=0.05)


def train(model, optimizer, steps, look=lambda: None):
    for _ in range(steps):
        optimizer.zero_grad()
        y, _ = model(X)
        y.square().sum().backward()
        optimizer.step()
        look()


def bits(model):
    return b"".join(p.numpy().tobytes() for p in model.parameters())


ALL = CALLS + 6


def test_a_layer_says_who_ran_and_gives_what_the_recorded_loop_gives(auto):
    model, optimizer = new()
    said, losses = [], []
    for _ in range(ALL):
        losses.append(model(X)[0].square().sum().item())
        train(model, optimizer, 1)
        said.append(model.explain())
    half = CALLS // 2  # two calls a turn
    assert all("run by numpy (its first calls; by call 17" in words for words in said[:half])
    assert all("run by numba (numba and scipy" in words for words in said[half:])
    other, optimizer = new()
    other.compiled = False
    for loss in losses:
        np.testing.assert_allclose(other(X)[0].square().sum().item(), loss, rtol=1e-4)
        train(other, optimizer, 1)


def test_the_same_seed_comes_to_the_same_bits(auto):
    model, optimizer = new()
    train(model, optimizer, ALL)
    expected = bits(model)
    model, optimizer = new()
    train(model, optimizer, ALL)
    assert bits(model) == expected
    model, optimizer = new()

    def look():
        with tg.no_grad():
            model(X)

    train(model, optimizer, ALL, look)
    assert bits(model) == expected


def by_file(model, path):
    tg.save({"model": model.state_dict(), "note": "x"}, path)
    other = new()[0]
    other.load_state_dict(tg.load(path)["model"])
    return other


def by_state_file(model, path):
    tg.save(model.state_dict(), path)
    other = new()[0]
    other.load_state_dict(tg.load(path))
    return other


def by_module_file(model, path):
    model.save(path)
    other = new()[0]
    other.load(path)
    return other


def by_state(model, _):
    other = new()[0]
    other.load_state_dict(model.state_dict())
    return other


def by_pickle(model, _):
    return pickle.loads(pickle.dumps(model))


def by_copy(model, _):
    return copy.deepcopy(model)


def by_pickled_state(model, _):
    other = new()[0]
    other.load_state_dict(pickle.loads(pickle.dumps(model.state_dict())))
    return other


WAYS = [by_file, by_state_file, by_module_file, by_state, by_pickle, by_copy, by_pickled_state]


@pytest.mark.parametrize("cut", [3, CALLS, CALLS + 2])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_goes_on_comes_to_the_bits_of_one_that_was_not_interrupted(
    auto, way, cut, tmp_path
):
    whole, optimizer = new()
    train(whole, optimizer, ALL)
    model, optimizer = new()
    train(model, optimizer, cut)
    other = way(model, tmp_path / "run.safetensors")
    going_on = optim.Adam(other.parameters(), lr=0.05)
    going_on.load_state_dict(optimizer.state_dict())
    train(other, going_on, ALL - cut)
    assert bits(other) == bits(whole)


def test_fit_goes_on_to_the_same_bits(auto, tmp_path):
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.RNN(1, 3), nn.Linear(3, 1)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    def fitted(epochs, **options):
        tg.manual_seed(0)
        model = Forecast()
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        data = [(X, X)] * 9
        loss = nn.MSELoss()
        tg.fit(model, data, loss, optimizer, epochs=epochs, progress=False, **options)
        return bits(model)

    path = tmp_path / "run.safetensors"
    whole = fitted(3)
    fitted(1, checkpoint=path)
    assert fitted(3, checkpoint=path, resume=True) == whole


@pytest.fixture
def broken(auto, monkeypatch):
    """``broken(name)``: a back end that can write no program."""
    made = verified._made

    def broken(broken_one):
        def planted(trace, wanted, name, kind, why, trusted):
            if name == broken_one:
                raise TypeError("planted")
            return made(trace, wanted, name, kind, why, trusted)

        monkeypatch.setattr(verified, "_made", planted)
        monkeypatch.setattr(cells, "_loops", {})
        monkeypatch.setattr(cells, "_configurations", {})

    return broken


def test_what_machine_code_cannot_do_stays_with_numpy_and_is_said(broken):
    broken("numba")
    model, optimizer = new()
    train(model, optimizer, CALLS + 2)
    assert "run by numpy" in model.explain()
    assert "TypeError: planted" in model.explain()
    with backends.using("numpy"):
        other, optimizer = new()
        train(other, optimizer, CALLS + 2)
    assert bits(model) == bits(other), "nothing has changed on the way"


def test_what_numpy_cannot_do_is_machine_code_from_the_first_call(broken):
    broken("numpy")
    model, optimizer = new()
    train(model, optimizer, 1)
    assert "run by numba" in model.explain()


def test_streams_are_counted_step_by_step(auto, monkeypatch):
    monkeypatch.setattr(variants, "STEPS", 5)
    model, _ = new()
    with tg.no_grad():
        expected, _ = model(tg.cat([X[:1]] * 9, 0))
        said, state = [], None
        for t in range(9):
            y, state = model.step(X[0], state)
            np.testing.assert_allclose(y.numpy(), expected[t].numpy(), rtol=1e-5)
            counts = model.cells()[0].__dict__["_called"]
            said.append(counts[1])
    assert said[-1] > 1
    assert said == sorted(said)
    assert len(set(said)) < len(said), "no longer counted once machine code runs"


# ---- processes ------------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Linear(8, 8), nn.Linear(1, 8)
    def initial_state(self, batch):
        return tg.zeros(batch, 8)
    def forward(self, x, h):
        h = 0.5 * h + 0.5 * (self.W(h) + self.U(x)).tanh()
        return h, h

class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(1, 8)
    def forward(self, x):
        state, ys = None, []
        for t in range(len(x)):
            state = self.cell(x[t], state)
            ys.append(state[0])
        return tg.stack(ys), state

x = tg.tensor(np.sin(np.arange(50) / 4).astype("f").reshape(-1, 1, 1))
for kind in (nn.LSTM(1, 8), nn.GRU(1, 8), nn.RNN(1, 8), nn.LSTM(1, 8, 2), nn.GRU(1, 8, bidirectional=True),
             nn.Recurrent(Own()), Loop()):
    opt = optim.Adam(kind.parameters())
    for _ in range(10):
        opt.zero_grad()
        y, _ = kind(x)
        y.square().mean().backward()
        opt.step()
    with tg.no_grad():
        y, state = kind(x)
        if hasattr(kind, "step") and not kind.bidirectional:
            for _ in range(20):
                h, state = kind.step(x[0], state)
    print(kind.explain() if hasattr(kind, "explain") else "a loop", "numba" in sys.modules)
"""


def test_a_small_script_does_not_wait_for_machine_code(tmp_path):
    env = {**os.environ, "TINYGRAD_RNN_BACKEND": "auto", "TINYGRAD_RNN_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 7
    for line in said:
        assert line.endswith("False"), "numba is not even imported"
        assert line.startswith(("compiled, run by numpy", "a loop"))
    assert not list(tmp_path.iterdir()), "and nothing is compiled"
