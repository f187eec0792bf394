"""What is recorded after a compiled call is that call, whatever has happened to its layer since."""

import numpy as np
import pytest
from made_up_cells import H, I, MadeUp, filled
from support import assert_close, numbers, share_of_the_day

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.values import reachable
from tinygrad_rnn.nn.some_steps import SomeSteps
from tinygrad_rnn.nn.stepping import parts

RATE = 0.5


class Settings(MadeUp):
    """A cell with a number, a list, a module, a global, a class attribute, and two modes."""

    kind = 1.0

    def more(self):
        self.scale, self.factors = 0.5, [0.7]
        self.inner = nn.Linear(H, H)
        self.rows = nn.ModuleList([nn.Tanh()])

    def forward(self, x, h):
        z = self.drive(x, h) * self.scale * self.factors[0] * RATE * self.kind
        z = self.rows[0](self.inner(z))
        h = z if self.training else 2 * z
        return h, h


LAYERS = {
    "LSTM": lambda: nn.LSTM(I, H),
    "batch first": lambda: nn.GRU(I, H, batch_first=True),
    "two layers": lambda: nn.GRU(I, H, num_layers=2, dropout=0.5),
    "both ways": lambda: nn.LSTM(I, H, num_layers=2, bidirectional=True, dropout=0.5),
    "learned state": lambda: nn.GRU(I, H, learned_state=True),
    "Recurrent": lambda: nn.Recurrent(nn.GRUCell(I, H), reverse=nn.LSTMCell(I, H)),
    "settings": lambda: nn.Recurrent(Settings()),
    "a cell in a loop": lambda: Looped(nn.RNNCell(I, H)),
}


class Looped(nn.Module):
    """A built-in cell in a loop of one's own."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        outputs, h = [], None
        for x_t in x:
            h = self.cell(x_t, h)
            outputs.append(h)
        return tg.stack(outputs), h


def cell_of(layer):
    return layer.cell if hasattr(layer, "cell") else layer.cells()[0]


def another_cell(layer):
    if isinstance(layer, (nn.Recurrent, Looped)):
        layer.cell = filled(nn.GRUCell(I, H))
    else:
        layer._stack[0].cell = filled(type(cell_of(layer))(I, H))


def another_number(layer):
    cell = cell_of(layer)
    for name, value in (("scale", 3.0), ("nonlinearity", "relu"), ("reset_after", False)):
        if hasattr(cell, name):
            setattr(cell, name, value)


def another_entry(layer):
    if hasattr(cell_of(layer), "factors"):
        cell_of(layer).factors[0] = 3.0
        cell_of(layer).rows[0]
        setattr(cell_of(layer).rows, "0", nn.Sigmoid())


def another_weight(layer):
    """Another Parameter in the place of one."""
    cell = cell_of(layer)
    name = "W" if hasattr(cell, "W") else "weight_hh"
    setattr(cell, name, nn.Parameter(numbers(getattr(cell, name).shape, 3), dtype=tg.float64))


def longer(layer):
    if hasattr(layer, "batch_first"):
        layer.batch_first = not layer.batch_first


def less_dropout(layer):
    if hasattr(layer, "dropout"):
        layer.dropout = 0.0 if layer.dropout else 0.5


def called_again(layer):
    shape = (4, 4, I)
    for _ in range(2):
        layer(tg.tensor(numbers(shape, 8)))


CHANGES = {
    "eval": lambda layer: layer.eval(),
    "train": lambda layer: layer.train(),
    "manual_seed": lambda layer: tg.manual_seed(99),
    "draws": lambda layer: tg.randn(100),
    "a number": another_number,
    "an entry": another_entry,
    "a cell": another_cell,
    "a Parameter": another_weight,
    "batch_first": longer,
    "dropout": less_dropout,
    "a method": lambda layer: setattr(cell_of(layer), "step", lambda x, h: (x, h)),
    "not compiled": lambda layer: setattr(layer, "compiled", False),
    "frozen": lambda layer: layer.requires_grad_(False),
    "another call": called_again,
}


def ledger(loss, layer):
    found = loss.backward(ledger=True)
    every = [found[p] for p in layer.parameters()]
    return [*every, *(p.grad.numpy() for p in layer.parameters())]


def anomaly(loss, layer):
    with tg.detect_anomaly():
        loss.backward()
    return [p.grad.numpy() for p in layer.parameters()]


def steps(loss, layer):
    turns = [np.asarray(turn.gradient) for turn in loss.backward_steps()]
    return [*turns, *(p.grad.numpy() for p in layer.parameters())]


def second(loss, layer):
    first = tg.grad(loss, list(layer.parameters()), create_graph=True)
    total = sum(g.square().sum() for g in first)
    return [g.detach().numpy() for g in (*first, *tg.grad(total, list(layer.parameters())))]


def picture(loss, layer):
    return [tg.graph(loss).to_dot(level="op")]


def nodes(loss, layer):
    graph = tg.graph(loss)
    return [graph.nodes, graph.calls, graph.summary()]


ACTIONS = {
    "ledger": ledger,
    "detect_anomaly": anomaly,
    "backward_steps": steps,
    "create_graph": second,
    "draw": picture,
    "graph": nodes,
    "backward": lambda loss, layer: loss.backward() or [p.grad.numpy() for p in layer.parameters()],
}


def outcome(make, change, action, prior, compiled=True):
    """What an action gives after a call and a change, which must be as it was after the action."""
    tg.manual_seed(1)
    layer = filled(make())
    for m in layer.modules():
        m.compiled = compiled
    x = tg.tensor(numbers((2 if action is picture else 4, 4, I), 1))
    for _ in range(prior):
        layer(x)
    old = list(layer.parameters())
    y, last = layer(x)
    loss = y.square().sum() + sum(t.sum() for _, t in parts(last))
    change(layer)
    before = {id(m): dict(vars(m)) for m in layer.modules()}
    random = tg.get_rng_state()
    found = action(loss, type("Old", (), {"parameters": lambda self: iter(old)})())
    assert tg.get_rng_state() == random, "a replay draws nothing"
    for module in layer.modules():
        now = {k: v for k, v in vars(module).items() if k != "_known_as"}
        assert all(before[id(module)][k] is v for k, v in now.items())
    return found


@pytest.mark.parametrize("prior", [0, 1])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_change_after_the_call_does_not_matter(kind, action, prior):
    folded = action == "backward_steps"  # a last state has a turn of its own there
    plain = outcome(LAYERS[kind], lambda layer: None, ACTIONS[action], prior, compiled=folded)
    seen = action in ("draw", "graph")
    # wires' ways take seconds: what a picture is made of is compared for all
    for name, change in share_of_the_day([*CHANGES.items()], 4 if action == "draw" else 1):
        if name == "frozen" and not seen:
            continue  # a weight that is frozen is another leaf: refused as stale, compiled or not
        got = outcome(LAYERS[kind], change, ACTIONS[action], prior)
        if seen:  # names come from the layer as it is
            expected = outcome(LAYERS[kind], change, ACTIONS[action], prior, compiled=False)
            assert got == expected, name
            continue
        assert len(got) == len(plain), name
        for a, b in zip(got, plain, strict=True):
            assert_close(np.asarray(a), np.asarray(b), 1e-10)


@pytest.mark.parametrize("action", ["backward", "ledger", "create_graph", "detect_anomaly"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_written_weight_is_refused_by_its_name(kind, action):
    def written(layer):
        with tg.no_grad():
            next(layer.parameters()).mul_(0.5)

    with pytest.raises(tg.StaleGraphError, match="changed it"):
        outcome(LAYERS[kind], written, ACTIONS[action], 1)


def another_global(_layer):
    global RATE
    RATE = 3.0


WORDS = {
    "the global 'RATE'": another_global,
    "the class's 'kind'": lambda layer: setattr(Settings, "kind", 3.0),
    "the class's 'drive'": lambda layer: setattr(Settings, "drive", lambda self, x, h: x @ self.U),
    "Settings.forward.__code__": lambda layer: setattr(
        Settings.forward, "__code__", (lambda self, x, h: (h, h)).__code__
    ),
}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("action", ["ledger", "create_graph", "draw", "backward_steps"])
def test_what_cannot_be_put_back_is_refused_by_its_name(words, action, monkeypatch):
    monkeypatch.setitem(globals(), "RATE", RATE)
    monkeypatch.setattr(Settings, "kind", 1.0)
    code = Settings.forward.__code__
    try:
        with pytest.raises(RuntimeError, match="cannot be recorded as they were: " + words):
            outcome(LAYERS["settings"], WORDS[words], ACTIONS[action], 0)
    finally:
        Settings.forward.__code__ = code
        if "drive" in vars(Settings):
            del Settings.drive


def test_another_value_than_the_calls_is_refused():
    """Should anything escape the guards: the recorded values are held against the computed ones."""
    layer = filled(nn.Recurrent(Settings()))
    y, _ = layer(tg.tensor(numbers((4, 4, I), 1)))
    step = Settings.forward
    found = []

    def other(self, x, h):
        out, h = step(self, x, h)
        found.append(1)
        return out + 0.01, h

    fold = y._node.fold
    fold.variants()[0].guards = []
    Settings.forward = other
    try:
        with pytest.raises(RuntimeError, match="they give other values now"):
            y.sum().backward(ledger=True)
    finally:
        Settings.forward = step
    assert found


def test_dropout_of_a_picture_of_some_steps_is_the_calls():
    layer = filled(nn.GRU(I, H, num_layers=2, dropout=0.5))
    tg.manual_seed(3)
    y, _ = layer(tg.tensor(numbers((6, 2, I), 1)))
    masks = y._node.fold.masks
    outputs = y._node.fold._record(SomeSteps([3, 4]))
    assert_masks = [
        n.saved[1]
        for n in reachable([outputs[0]._node])
        if n.op is not None and n.op.name == "mul" and n.parents[1].op is None
    ]
    shown = {m.tobytes() for m in assert_masks if m is not None and np.shape(m) == (2, H)}
    assert {masks[1][t].tobytes() for t in (3, 4)} <= shown
