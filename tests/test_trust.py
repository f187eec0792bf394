"""A program stands for a cell's Python only where that only computes; the recorded loop decides."""

import threading
import warnings

import numpy as np
import pytest
from hiding_cells import KINDS
from made_up_cells import CELLS, H, I, MadeUp, filled, tensors
from pure_cells import PURE
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends, cells

CALLS = 4


@pytest.fixture(autouse=True)
def by_numpy():
    with backends.using("numpy"):
        yield


def called(make, compiled, more=CALLS):
    """Outputs, gradients and side effects of some calls of a fresh cell, with changes in between."""
    cell, between, side = make()
    layer = nn.Recurrent(cell)
    layer.compiled = compiled
    found, said = [], []
    for k in range(more):
        between(k)
        for p in layer.parameters():
            p.grad = None
        x = tg.tensor(numbers((4, 2, I), k), requires_grad=k == 3)
        y, last = layer(x)
        outs = [y, *tensors(last)]
        total = sum((t * tg.tensor(numbers(t.shape, 7 + j))).sum() for j, t in enumerate(outs))
        total.backward()
        found.append([t.detach().numpy().copy() for t in outs])
        found.append([None if p.grad is None else p.grad.numpy() for p in layer.parameters()])
        found.append([None if x.grad is None else x.grad.numpy()])
        said.append(layer.explain())
    return found, side(), said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:a step")
def test_the_recorded_loop_is_right_whatever_the_cell_does(kind):
    got, mark, _ = called(KINDS[kind], True)
    expected, right_mark, _ = called(KINDS[kind], False)
    assert mark == right_mark
    for a, b in zip(got, expected, strict=True):
        for u, v in zip(a, b, strict=True):
            assert (u is None) == (v is None)
            if u is not None:
                assert_close(u, v, 1e-12)


@pytest.mark.parametrize("kind", PURE)
def test_what_only_computes_is_compiled(kind):
    def make():
        return PURE[kind](), (lambda k: None), (lambda: None)

    got, _, said = called(make, True, 2)
    assert all(words.startswith("compiled") for words in said), said
    expected, _, _ = called(make, False, 2)
    for a, b in zip(got, expected, strict=True):
        for u, v in zip(a, b, strict=True):
            assert (u is None) == (v is None)
            if u is not None:
                assert_close(u, v, 1e-11)


def test_there_are_enough_kinds():
    assert len(KINDS) >= 190
    assert len(PURE) >= 50


# ---- exceptions, threads, draws ------------------------------------------------------------------------


def test_a_cell_that_raises_at_some_step_raises_there():
    class Raises(MadeUp):
        n = 0

        def forward(self, x, h):
            self.n += 1
            if self.n == 3:
                raise KeyError("at step 3")
            h = self.drive(x, h).tanh()
            return h, h

    for compiled in (True, False):
        layer = nn.Recurrent(filled(Raises()))
        layer.compiled = compiled
        with pytest.raises(KeyError, match="at step 3"):
            layer(tg.tensor(numbers((5, 2, I), 1)))
        assert layer.cell.n == 3


def test_tracing_disturbs_no_stream_of_random_numbers():
    """What another thread draws while cells are traced is what it draws by itself."""
    generator = tg.manual_seed(5)
    alone = [generator.random() for _ in range(100)]
    generator = tg.manual_seed(5)
    drawn, stop = [], threading.Event()

    def trace():
        while not stop.is_set():
            cells._variants.clear()
            layer(tg.zeros(2, 1, I, dtype=tg.float64))

    layer = nn.Recurrent(filled(CELLS[0]()))
    thread = threading.Thread(target=trace)
    thread.start()
    for _ in range(100):
        drawn.append(generator.random())
    stop.set()
    thread.join()
    assert drawn == alone


def test_threads_with_layers_of_their_own_and_dropout():
    def run(seed):
        generator = np.random.default_rng(seed)
        layer = nn.LSTM(I, H, num_layers=2, dropout=0.5, generator=generator).double()
        found = []
        for k in range(8):
            y, _ = layer(tg.tensor(numbers((4, 2, I), k)))
            y.sum().backward()
            found.append(y.detach().numpy())
        return [*found, layer.weight_hh_l0.grad.numpy()]

    alone, together = [run(seed) for seed in range(3)], {}
    threads = [
        threading.Thread(target=lambda seed=seed: together.update({seed: run(seed)}))
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        for a, b in zip(alone[seed], together[seed], strict=True):
            np.testing.assert_array_equal(a, b)


# ---- words ----------------------------------------------------------------------------------------------


def test_the_reason_names_the_line_and_the_function():
    layer = nn.Recurrent(KINDS["an attribute counts"]()[0])
    layer(tg.tensor(numbers((4, 2, I), 1)))
    assert "it sets .n while it runs (line " in layer.explain()
    assert "in step)" in layer.explain()


def test_a_number_that_is_annealed_is_recorded_after_some_programs():
    layer, made = (
        nn.Recurrent(KINDS["changed between calls: a number at every call"]()[0]),
        len(cells._loops),
    )
    for k in range(30):
        layer.cell.a = 2.0 + 0.01 * k
        layer(tg.tensor(numbers((4, 2, I), 1)))
    assert "pass what changes as a keyword argument" in layer.explain()
    assert len(cells._loops) <= made + cells.MOST_VARIANTS


def test_a_cell_is_not_run_again_while_nothing_changes():
    runs = []
    before = cells._trace_twice

    def counted(*args):
        runs.append(1)
        return before(*args)

    layer, x = nn.Recurrent(filled(CELLS[0]())), tg.tensor(numbers((4, 2, I), 1))
    cells._trace_twice = counted
    try:
        for _ in range(5):
            layer(x)
    finally:
        cells._trace_twice = before
    assert len(runs) == 1


@pytest.mark.parametrize("first", ["compiled", "recorded"])
def test_a_changed_batch_first_counts(first):
    for make in (lambda: nn.GRU(I, H), lambda: nn.Recurrent(nn.GRUCell(I, H))):
        layer, x = filled(make()), tg.tensor(numbers((4, 4, I), 1))
        layer(x)
        layer.batch_first = True
        got = layer(x)[0].detach().numpy()
        layer.compiled = False
        assert_close(got, layer(x)[0].detach().numpy(), 1e-12)


def test_a_weight_without_a_part_in_it_has_no_gradient():
    layer, x = nn.Recurrent(filled(MadeUpWithMore())), tg.tensor(numbers((4, 2, I), 1))
    layer(x)[0].sum().backward()
    assert layer.explain().startswith("compiled")
    assert layer.cell.unused.grad is None
    assert layer.cell.W.grad is not None


class MadeUpWithMore(MadeUp):
    def more(self):
        self.unused = nn.Parameter(np.zeros(H))

    def forward(self, x, h):
        h = self.drive(x, h).tanh()
        return h, h


def test_x_itself_as_a_keyword_argument():
    class Told(MadeUp):
        def forward(self, x, h, *, all_of_it):
            h = (self.drive(x, h) + all_of_it.mean()).tanh()
            return h, h

    found = []
    for compiled in (True, False):
        layer = nn.Recurrent(filled(Told()))
        layer.compiled = compiled
        x = tg.tensor(numbers((4, 2, I), 1), requires_grad=True)
        y, _ = layer(x, all_of_it=x)
        y.square().sum().backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*found, strict=True):
        assert_close(a, b, 1e-12)


def test_warnings_are_given_as_often():
    said = []
    for compiled in (True, False):
        cell, _, _ = KINDS["it warns"]()
        layer = nn.Recurrent(cell)
        layer.compiled = compiled
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            layer(tg.tensor(numbers((4, 2, I), 1)))
        said.append(len(caught))
    assert said == [4, 4]
