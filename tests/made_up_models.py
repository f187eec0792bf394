"""Models as people build them, made up from a seed, for the tests of pictures: a loss each.

Layers with all sorts of things between them, several runs of one layer, shared weights, loops of one's own,
frozen parts, one-step calls, both directions, an encoder and a decoder.
"""

from __future__ import annotations

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

KINDS = (nn.RNN, nn.LSTM, nn.GRU)
CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)


class Draws:
    """What chance decides, from a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        tg.manual_seed(seed)

    def one(self, options):
        return options[int(self.rng.integers(len(options)))]

    def coin(self, p=0.5):
        return bool(self.rng.random() < p)

    def x(self, steps, size, grad=False):
        data = self.rng.normal(size=(steps, 2, size))
        return tg.tensor(data, dtype=tg.float64, requires_grad=grad)

    def layer(self, inputs, size, **options):
        return self.one(KINDS)(inputs, size, **options).double()


BETWEEN = {
    "nothing": lambda y, x, d: y,
    "flip": lambda y, x, d: y.flip(0),
    "residual": lambda y, x, d: y + x if y.shape == x.shape else y,
    "mean over time": lambda y, x, d: y - y.mean(0, keepdim=True),
    "linear": lambda y, x, d: nn.Linear(y.shape[-1], y.shape[-1]).double()(y),
    "norm": lambda y, x, d: nn.LayerNorm(y.shape[-1]).double()(y),
    "tanh": lambda y, x, d: y.tanh(),
    "gate": lambda y, x, d: y * y.sigmoid(),
    "shift": lambda y, x, d: y[1:] if len(y) > 1 else y,
    "every other": lambda y, x, d: y[::2],
    "join": lambda y, x, d: tg.cat([y, x], -1) if len(y) == len(x) else y,
    "half": lambda y, x, d: y[..., : y.shape[-1] // 2],
    "turned": lambda y, x, d: y.flip(0).flip(0),
    "dropout": lambda y, x, d: nn.Dropout(0.3)(y),
    "attention": lambda y, x, d: (y @ y.transpose(1, 2)).softmax(-1) @ y,
}


def head(y, d):
    """From outputs to a loss."""
    how = d.one(["last", "all", "mean", "linear", "first and last"])
    if how == "last":
        return y[-1].sum()
    if how == "mean":
        return y.mean(0).square().sum()
    if how == "linear":
        return nn.Linear(y.shape[-1], 1).double()(y[-1]).square().mean()
    if how == "first and last":
        return (y[0] * y[-1]).sum()
    return y.square().mean()


def stack(d):
    """Layers, with something between them."""
    x = d.x(d.one([2, 3, 4, 5, 9, 40]), 4, d.coin(0.2))
    if d.coin(0.2):
        x = nn.Linear(4, 4).double()(x)
    y = x
    for _ in range(d.one([2, 2, 3])):
        both = d.coin(0.2)
        out, _ = d.layer(y.shape[-1], 4, bidirectional=both)(y)
        if both and d.coin():
            out = out[..., :4] + out[..., 4:]
        y = BETWEEN[d.one(list(BETWEEN))](out, y, d)
    more = {"num_layers": 2, "dropout": d.one([0.0, 0.4])} if d.coin(0.2) else {}
    out, _ = d.layer(y.shape[-1], 3, **more)(y)
    return head(out, d)


def runs(d):
    """One layer, several times: on different inputs."""
    steps, size = d.one([2, 3, 4]), d.one([3, 4])
    layer, start = d.layer(4, size), d.coin(0.3)
    ys = [layer(d.x(steps, 4, start))[0] for _ in range(d.one([2, 2, 3]))]
    how = d.one(["product", "difference", "all"])
    if how == "product":
        return (ys[0][-1] * ys[-1][-1]).sum()
    if how == "difference":
        return (ys[0] - ys[-1]).square().mean() + ys[0].sum() * 0.1
    return sum((y[-1].sum() for y in ys[1:]), ys[0][-1].sum())


def tied(d):
    """Two layers with some weights in common."""
    kind = d.one(KINDS)
    a, b = kind(4, 4).double(), kind(4, 4).double()
    for name in ("weight_hh_l0", "weight_ih_l0", "bias_hh_l0")[: d.one([1, 2, 3])]:
        setattr(b, name, getattr(a, name))
    x = d.x(3, 4)
    if d.coin():
        return (a(x)[0][-1] * b(x)[0][-1]).sum()
    return (a(x)[0] * b(x)[0]).sum()


def beside(d):
    """Independent layers on one input, or on two."""
    x = d.x(d.one([2, 3, 4]), 4)
    if d.coin():
        x = nn.Embedding(5, 4).double()(tg.tensor(d.rng.integers(0, 5, x.shape[:2])))
    a, b = d.layer(4, 3), d.layer(4, 3)
    y, z = a(x)[0], b(x)[0]
    how = d.one(["product", "sum", "upper"])
    if how == "upper":
        return head(d.layer(3, 3)(y + z)[0], d)
    return (y[-1] * z[-1]).sum() if how == "product" else (y + z).square().mean()


def adversaries(d):
    """A generator under a discriminator that sees given sequences too."""
    g, judge = d.layer(3, 4), d.layer(4, 3)
    fake, true = g(d.x(3, 3))[0], d.x(3, 4)
    return (judge(fake)[0][-1] - judge(true)[0][-1]).sum()


def dilated(d):
    """A cell on the state of some steps ago."""
    which, back = d.one([1, 2, 0]), d.one([2, 3])
    cell = CELLS[which](4, 3).double()
    zero = tg.zeros(2, 3, dtype=tg.float64)
    start = (zero, zero) if which == 1 else zero
    states = [start] * back
    for x_t in tg.steps(d.x(d.one([4, 5, 6]), 4)):
        states.append(cell(x_t, states[-back]))
    ends = states[-d.one([1, 2, 3]) :]
    return sum(((s[0] if which == 1 else s).square().sum() for s in ends), tg.tensor(0.0).double())


def loop(d):
    """A loop of one's own: a cell, a head at some steps, a cut now and then."""
    which = d.one([0, 1, 2])
    cell, out = CELLS[which](4, 3).double(), nn.Linear(3, 2).double()
    state, losses, cut = None, [], d.coin(0.3)
    for t, x_t in enumerate(tg.steps(d.x(d.one([3, 4, 5]), 4))):
        state = cell(x_t, state)
        if cut and t == 1:
            state = tuple(s.detach() for s in state) if which == 1 else state.detach()
        else:
            losses.append(out(state[0] if which == 1 else state).square().mean())
    return sum(losses[1:], losses[0])


def one_step(d):
    """A layer that is called one step at a time."""
    layer, state, ys = d.layer(4, 3, num_layers=d.one([1, 1, 2])), None, []
    x = d.x(d.one([2, 3, 4]), 4)
    for x_t in tg.steps(x) if d.coin() else x:
        y, state = layer(x_t.unsqueeze(0), state)
        ys.append(y)
    return head(tg.cat(ys), d)


def frozen(d):
    """Parts that take no gradient, under an input that may."""
    a, b = d.layer(4, 4), d.layer(4, 3)
    for p in (a if d.coin() else b).parameters():
        p.requires_grad = False
    return head(
        b(BETWEEN[d.one(["nothing", "tanh", "linear"])](a(d.x(3, 4, True))[0], None, d))[0], d
    )


def shared(d):
    """A Parameter inside the loop and outside of it."""
    if d.coin():
        table, layer = nn.Embedding(5, 4).double(), d.layer(4, 4)
        y, _ = layer(table(tg.tensor(d.rng.integers(0, 5, (3, 2)))))
        return (y @ table.weight.transpose(0, 1)).square().mean()
    layer = nn.RNN(4, 4).double()
    x = d.x(3, 4)
    if d.coin():
        return layer(x @ layer.weight_hh_l0)[0][-1].sum()
    return (layer(x)[0][-1] @ layer.weight_hh_l0).square().sum()


def encoder(d):
    """One layer goes on from the last state of another."""
    kind = d.one(KINDS)
    a, b = kind(4, 3).double(), kind(4, 3).double()
    y, state = a(d.x(d.one([2, 3, 4]), 4))
    if d.coin(0.3) and kind is not nn.LSTM:
        state = nn.Linear(3, 3).double()(state).tanh()
    z, _ = b(d.x(d.one([2, 3]), 4), state)
    return head(z, d) + (y.sum() if d.coin(0.2) else 0.0)


MAKERS = (
    stack, stack, stack, stack, runs, tied, beside, adversaries, dilated, loop, one_step, frozen,
    shared, encoder,
)  # fmt: skip


def model(seed):
    """The name of what was made, and its loss."""
    make = MAKERS[seed % len(MAKERS)]
    return make.__name__, make(Draws(seed))
