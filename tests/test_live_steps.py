"""A cell's step as JavaScript gives every value and gradient of the recorded loop, in node."""

import shutil

import numpy as np
import pytest
from live_steps import apart, case, run
from made_up_cells import CELLS, Attending, H, I, Untouched, at_random, filled
from small_cells import Clock, drawn, given
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.stepping import mapped
from tinygrad_rnn.page.live.steps import NoText, step_of

STEPS, BATCH = 5, 3
BUILT_IN = {
    "RNN": lambda: nn.RNNCell(I, H),
    "RNN relu": lambda: nn.RNNCell(I, H, nonlinearity="relu"),
    "RNN without bias": lambda: nn.RNNCell(I, H, bias=False),
    "LSTM": lambda: nn.LSTMCell(I, H),
    "LSTM without bias": lambda: nn.LSTMCell(I, H, bias=False),
    "LSTM with a projection": lambda: nn.LSTMCell(I, H, proj_size=2),
    "GRU": lambda: nn.GRUCell(I, H),
    "GRU that resets before": lambda: nn.GRUCell(I, H, reset_after=False),
    "peephole": lambda: nn.PeepholeLSTMCell(I, H),
    "layer norm": lambda: nn.LayerNormLSTMCell(I, H),
    "coupled": lambda: nn.CoupledLSTMCell(I, H),
}


@pytest.fixture(autouse=True)
def node():
    if shutil.which("node") is None:
        pytest.skip("needs node on the PATH")


def arrays(cell, dtype, steps=STEPS, batch=BATCH):
    x = numbers((steps, batch, I), 1).astype(dtype)
    state = mapped(
        lambda t: tg.tensor(numbers(t.shape, 9).astype(dtype)), cell.initial_state(batch)
    )
    return x, state


def cells():
    yield from ((name, make) for name, make in BUILT_IN.items())
    yield from ((kind.__name__, kind) for kind in CELLS if kind is not Untouched)
    yield from ((f"at random {seed}", lambda seed=seed: at_random(seed)) for seed in range(24))


def compared(made):
    """Each case in float64 to 1e-11; in float32 the loop's values to 2e-6 and the right ones to 4e-6, or to
    the recorded loop's own rounding: the page rounds where the loop does, but adds up in another order."""
    names, cases, rights, exact = [], [], [], {}
    for dtype in "df":
        for name, cell, x, state, options in made(dtype):
            job, right = case(cell, x, state, **options)
            names.append((name, dtype, len(x)))
            cases.append(job)
            rights.append(right)
            if dtype == "d":
                exact[name] = right
    wrong, beyond = [], 0
    for (name, dtype, steps), right, seen in zip(names, rights, run(cases), strict=True):
        if dtype == "d":
            off, limit = apart(seen, right, steps), 1e-11
        else:
            rounding = apart(flat(right, steps), exact[name], steps)[0]
            off, limit = apart(seen, exact[name], steps), max(4e-6, 2 * rounding)
            near = apart(seen, right, steps)
            if near[0] > max(2e-6, 3 * rounding):
                wrong.append((name, "the loop's", *near))
            beyond += near[0] > 1e-6
        if not off[0] <= limit:
            wrong.append((name, dtype, *off))
    assert not wrong
    assert beyond <= len(cases) / 16
    return len(cases)


def flat(right, steps):
    """What a recorded loop gave as if JavaScript had."""
    seen = {k: v.ravel() for k, v in right.items() if v is not None and k[:4] != "last"}
    ends = {k[4:]: v for k, v in right.items() if k[:4] == "last"}
    return seen | {
        f"s{k}": np.concatenate([np.zeros(v.size * steps), v.ravel()]) for k, v in ends.items()
    }


def in_kind(cell, dtype):
    return cell.double() if dtype == "d" else cell.float()


def test_built_in_cells_and_cells_that_no_library_has():
    def made(dtype):
        for name, make in cells():
            cell = in_kind(filled(make()), dtype)
            yield name, cell, *arrays(cell, dtype), {}

    assert compared(made) > 2 * 50


def test_one_sequence_and_sequences_of_other_lengths():
    def made(dtype):
        for name, make in [*BUILT_IN.items(), ("Slices", CELLS[3])]:
            cell = in_kind(filled(make()), dtype)
            yield f"{name}, one", cell, *arrays(cell, dtype, batch=1), {}
            live = (np.arange(STEPS)[:, None] < np.array([5, 2, 0]))[..., None]
            yield f"{name}, ragged", cell, *arrays(cell, dtype), {"live": live}

    compared(made)


def test_constants_of_the_call():
    def made(dtype):
        cell = in_kind(filled(Attending()), dtype)
        held = tg.tensor(numbers((BATCH, 5, H), 4).astype(dtype), requires_grad=True)
        yield "attending", cell, *arrays(cell, dtype), {"constants": {"memory": held}}

    compared(made)


def test_whole_quotients_are_exact_and_so_is_what_they_leave():
    def made(dtype):
        cell = in_kind(Clock(), dtype)
        x = numbers((STEPS, BATCH, 4), 1).astype(dtype)
        start = [numbers((BATCH, 4), 9).astype(dtype), np.zeros((BATCH, 1), dtype)]
        yield "clock", cell, x, tuple(map(tg.tensor, start)), {}

    compared(made)


def test_lines_at_random_of_all_ops():
    def made(dtype):
        for seed in range(110):
            cell = in_kind(drawn(seed, (3, 4, 6), states=1 + seed % 3), dtype)
            x, states = given(cell, 4, dtype)
            state = tuple(map(tg.tensor, states))
            state = state[0] if len(states) == 1 else state
            try:
                step_of(cell, x, state)
            except NoText:
                continue
            yield str(seed), cell, x, state, {}

    assert compared(made) > 2 * 70


class Counting(nn.Module):
    """A cell whose gradient needs what has no text."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, h):
        h = self.function(x[..., :H] + h)
        return h, h


def test_what_has_no_text_is_named():
    for cell, word in [
        (Counting(lambda a: a + tg.randn(1)), "random|draws"),
        (Counting(lambda a: a * float(a.sum())), "reads"),
    ]:
        with pytest.raises(NoText, match=word):
            step_of(cell, numbers((2, 1, 4)), tg.zeros(1, H, dtype=tg.float64))


def test_the_text_is_of_the_page_to_read():
    text = step_of(
        nn.LSTMCell(2, 3), numbers((2, 1, 2)).astype("f"), nn.LSTMCell(2, 3).initial_state(1)
    ).text
    assert "Math.exp" in text
    assert len(text) < 8_000
    assert max(map(len, text.splitlines())) < 500
