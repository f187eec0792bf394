"""Loops on more threads than one: the same bits, errors of any part, forked children."""

import multiprocessing
import os

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells, threads

pytestmark = pytest.mark.skipif(
    backends.choice()[0] != "numba", reason="numba is not installed (extra fast)"
)


@pytest.fixture
def two(monkeypatch):
    """Two threads, for any size; says which parts of how many rows have run."""
    ran = []

    def count(number):
        monkeypatch.setattr(threads, "threads", lambda: number)
        monkeypatch.setattr(cells, "_loops", {})
        monkeypatch.setattr(cells, "_configurations", {})
        threads._workers.cache_clear()
        ran.clear()

    whole = threads.in_parts

    def in_parts(loop, batch, size):
        def counted(steps, rows, most, low, *arguments):
            ran.append((low, rows, most))
            return loop(steps, rows, most, low, *arguments)

        return whole(counted, batch, size)

    monkeypatch.setattr("tinygrad_rnn.scan.numba_loops.in_parts", in_parts)
    monkeypatch.setattr(threads, "LEAST", 1)
    monkeypatch.setattr(threads, "WORK", 1)
    yield count, ran
    threads._workers.cache_clear()


class Normed(nn.Module):
    """A cell with sums over columns, whose last bits depend on how a loop is vectorised."""

    def __init__(self, features, hidden):
        super().__init__()
        self.input_size, self.hidden_size = features, hidden
        self.w = nn.Linear(features + hidden, hidden)

    def initial_state(self, batch):
        return tg.zeros(batch, self.hidden_size)

    def forward(self, x, h):
        z = self.w(tg.cat([x, h], -1))
        h = ((z - z.mean(-1, keepdim=True)) / (1 + z.var(-1, keepdim=True))).tanh() + 0.1 * h
        return h, h


LAYERS = {
    "LSTM": lambda: nn.LSTM(5, 19, num_layers=2, bidirectional=True),
    "GRU": lambda: nn.GRU(5, 24),
    "RNN": lambda: nn.RNN(5, 7, batch_first=True),
    "peephole": lambda: nn.LSTM(5, 17, peephole=True),
    "LayerNorm": lambda: nn.Recurrent(nn.LayerNormLSTMCell(5, 9)),
    "own": lambda: nn.Recurrent(Normed(5, 9)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch", [32, 51])
def test_the_same_bits_on_one_thread_and_on_more(name, batch, two):
    count, ran = two
    x = numbers((6, batch, 5)).astype(np.float32)
    x[3, batch - 1, 2] = np.nan  # a row's NaN is its own
    x = x.swapaxes(0, 1) if name == "RNN" else x
    found = {}
    for number in (1, 2, 3):
        count(number)
        tg.manual_seed(0)
        layer = LAYERS[name]()
        for _ in range(2):  # the first call compiles, in one piece
            layer.zero_grad()
            y, state = layer(x)
            y[:, :16].sum().backward()
        with tg.no_grad():
            alone, _ = layer(x)
        last = state if isinstance(state, tuple) else (state,)
        gradients = [p.grad for p in layer.parameters()]
        found[number] = [t.numpy() for t in (y, alone, *last, *gradients)]
        parts = {(low, rows) for low, rows, most in ran if most == batch}
        assert (len(parts) > 1) == (number > 1), "it was shared"
        assert all(low % 4 == 0 for low, _ in parts)
    for number in (2, 3):
        for one, more in zip(found[1], found[number], strict=True):
            np.testing.assert_array_equal(one, more)


def test_how_many_threads_are_asked_for(monkeypatch):
    for names, expected in (
        ({}, 1),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "0"}, 1),
        ({"OMP_NUM_THREADS": "4,2"}, 1),
    ):
        for name in threads.NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        assert threads.threads.__wrapped__() == expected


def test_small_batches_and_few_numbers_stay_on_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)

    def loop(*_):
        pass

    assert threads.in_parts(loop, 31, 10**6) is loop
    assert threads.in_parts(loop, 64, threads.LEAST - 1) is loop
    assert threads.in_parts(loop, 64, threads.LEAST) is not loop


@pytest.mark.parametrize("failing", [0, 16])
def test_an_error_of_any_part_is_raised_once_all_are_done(failing, monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    threads._workers.cache_clear()
    done = []

    def loop(_steps, _rows, _most, low):
        if low == failing:
            raise IndexError("a product reaches beyond its arrays")
        done.append(low)

    shared = threads.in_parts(loop, 32, threads.LEAST)
    with pytest.raises(IndexError, match="beyond its arrays"):
        shared(100, 32, 32, 0)
    assert done == [16 - failing]
    threads._workers.cache_clear()


def in_child(pipe):
    shared = threads.in_parts(lambda *given: pipe.send(given), 32, threads.LEAST)
    shared(100, 32, 32, 0)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    threads._workers.cache_clear()
    threads.in_parts(lambda *_: None, 32, threads.LEAST)(100, 32, 32, 0)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=in_child, args=(theirs,))
    child.start()
    parts = sorted(ours.recv() for _ in range(2) if ours.poll(30))
    child.join(30)
    assert parts == [(100, 16, 32, 0), (100, 16, 32, 16)]
    threads._workers.cache_clear()
