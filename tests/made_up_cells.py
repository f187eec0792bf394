"""Twenty cells that no library has: what the compiled step is tested on."""

import operator

import numpy as np
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H = 3, 4  # noqa: E741 (the docs' names)


class MadeUp(nn.Module):
    """Weights U (in, H), W (H, H), b (H,), and what a cell adds; a state of one part unless it says more."""

    parts = 1

    def __init__(self):
        super().__init__()
        self.U = nn.Parameter(np.zeros((I, H)))
        self.W = nn.Parameter(np.zeros((H, H)))
        self.b = nn.Parameter(np.zeros(H))
        self.more()

    def more(self):
        pass

    def initial_state(self, batch):
        lead = () if batch is None else (batch,)
        zeros = [tg.zeros(*lead, H, dtype=self.W.dtype) for _ in range(self.parts)]
        return zeros[0] if self.parts == 1 else tuple(zeros)

    def drive(self, x, h):
        return x @ self.U + h @ self.W + self.b


class Leaky(MadeUp):
    def forward(self, x, h):
        h = 0.9 * h + 0.1 * self.drive(x, h).tanh()
        return h, h


class Residual(MadeUp):
    def forward(self, x, h):
        h = h + 0.5 * tg.relu(self.drive(x, h))
        return h, h


class OutputOfItsOwn(MadeUp):
    def more(self):
        self.V = nn.Linear(H, 2)

    def forward(self, x, h):
        h = self.drive(x, h).sigmoid()
        return self.V(h), h


class Slices(MadeUp):
    def more(self):
        self.wide = nn.Linear(I + H, 3 * H)

    def forward(self, x, h):
        z = self.wide(tg.cat([x, h], -1))
        r, u, n = z[:, :H].sigmoid(), z[:, H : 2 * H].sigmoid(), z[:, 2 * H :].tanh()
        h = u * h + (1 - u) * r * n
        return h, h


class UnusedPart(MadeUp):
    def more(self):
        self.wide = nn.Linear(I, 3 * H)

    def forward(self, x, h):
        a, _, c = self.wide(x).chunk(3, -1)
        h = (a + c * h).tanh()
        return h, h


class TwoProducts(MadeUp):
    def forward(self, x, h):
        h = (self.drive(x, h).tanh() @ self.W).tanh()
        return h, h


class WeightTwice(MadeUp):
    def forward(self, x, h):
        h = (self.drive(x, h) + (h * h) @ self.W).tanh()
        return h, h


class LayerNormed(MadeUp):
    def more(self):
        self.norm = nn.LayerNorm(H)

    def forward(self, x, h):
        h = self.norm(self.drive(x, h)).tanh()
        return h, h


class RootMeanSquare(MadeUp):
    def forward(self, x, h):
        z = self.drive(x, h)
        h = (z / (z.square().mean(-1, keepdim=True) + 1e-3).sqrt()).tanh()
        return h, h


class SoftGates(MadeUp):
    def forward(self, x, h):
        h = tg.softmax(self.drive(x, h), -1) * 2.0
        return h, h


class Comparing(MadeUp):
    def forward(self, x, h):
        z = self.drive(x, h)
        h = tg.where(z > 0.1, z.tanh(), 0.3 * z)
        return h, h


class Extremes(MadeUp):
    def forward(self, x, h):
        h = tg.maximum(self.drive(x, h), -0.5 * h).clip(-2.0, 2.0)
        return h, h


class Nested(MadeUp):
    def initial_state(self, batch):
        zeros = super().initial_state(batch)
        return {"h": zeros, "traces": [zeros, (zeros,)]}

    def forward(self, x, state):
        h = self.drive(x, state["h"]).tanh()
        fast, (slow,) = state["traces"]
        fast, slow = 0.5 * fast + h, 0.9 * slow + 0.1 * h
        return fast - slow, {"h": h, "traces": [fast, (slow,)]}


class TwoStates(MadeUp):
    parts = 2

    def forward(self, x, state):
        h, c = state
        c = self.b.sigmoid() * c + self.drive(x, h)
        h = c.tanh()
        return h + c, (h, c)


class SameStateTwice(MadeUp):
    parts = 2

    def forward(self, x, state):
        h, before = state
        h = (self.drive(x, h) - 0.1 * before).tanh()
        return h, (h, h)


class Delay(MadeUp):
    parts = 2

    def forward(self, x, state):
        h, before = state
        return before, (self.drive(x, before).tanh(), h)


class Untouched(MadeUp):
    parts = 2

    def forward(self, x, state):
        h, anchor = state
        h = (self.drive(x, h) + anchor).tanh()
        return h, (h, anchor)


class ManyCurves(MadeUp):
    def forward(self, x, h):
        z = self.drive(x, h)
        h = nn.functional.softplus(z) - nn.functional.silu(z) + z.sin() * (-z.square()).exp()
        return h.tanh(), h.tanh()


class Powers(MadeUp):
    def forward(self, x, h):
        z = self.drive(x, h)
        h = (z**2 + 1.0).log() / (1.0 + z.abs()) - (1.0 + z.square()).sqrt() ** -1
        return h, h


class SumsOverFeatures(MadeUp):
    def forward(self, x, h):
        share = self.drive(x, h).sigmoid()
        h = share * (h.sum(-1, keepdim=True) + x.mean(-1, keepdim=True)).tanh()
        return h, h


class Attending(MadeUp):
    """A constant of the call, (batch, places, H), looked at with weights."""

    def forward(self, x, h, memory):
        h = self.drive(x, h).tanh()
        weight = tg.softmax((memory * h.unsqueeze(1)).sum(-1), -1)
        h = h + (weight.unsqueeze(-1) * memory).sum(1)
        return h, h


class HouseholderLike(MadeUp):
    def forward(self, x, h):
        v = self.drive(x, h)
        h = (
            h - 2.0 * v * (v * h).sum(-1, keepdim=True) / (1.0 + (v * v).sum(-1, keepdim=True))
        ).tanh()
        return h, h


class Signs(MadeUp):
    """Gates whose sums are read as they are, too, before or after; squashed twice, or by each other."""

    parts = 2

    def more(self):
        self.wide = nn.Linear(I, 4 * H)
        self.W4 = nn.Parameter(np.zeros((H, 4 * H)))

    def forward(self, x, state):
        h, c = state
        z = self.wide(x) + h @ self.W4
        a, b, d, e = z.chunk(4, -1)
        n, i, o = a.tanh(), b.sigmoid(), d.sigmoid()
        c = i * o * c - (e.tanh() * n - i * e.tanh()) + (-b).tanh() * e.sigmoid()
        return (o - c.tanh()) * 0.5 + 0.01 * z[..., :H], ((-c).tanh() * -n, c * o.sigmoid())


class Gate(MadeUp):
    """A state that is a gate itself."""

    def forward(self, x, h):
        h = self.drive(x, h).sigmoid()
        return h * h.tanh(), h


class Decay(MadeUp):
    """A part that no output reads: its gradient comes from the last state, and is read as it comes."""

    parts = 2

    def forward(self, x, state):
        h, c = state
        h = self.drive(x, h).tanh()
        return h, (h, c * (x @ self.U).sigmoid() + x @ self.U * self.b)


class Products(MadeUp):
    """Parts whose gradients are read again after they are made."""

    parts = 3

    def forward(self, x, state):
        h, c, d = state
        h = self.drive(x, h).tanh()
        return h, (h, c * h, (d + 1) * self.b)


def at_random(seed):
    """A cell of equations drawn at random, most of them senseless."""
    draw = np.random.default_rng(seed)
    parts = int(draw.integers(1, 4))
    lines = [(int(k), *map(int, draw.integers(100, size=2))) for k in draw.integers(12, size=8)]
    ends = [int(n) for n in draw.integers(100, size=parts + 1)]

    class Random(MadeUp):
        def more(self):
            self.wide = nn.Linear(H, 3 * H)

        def gates(self, a, x):
            p, q, r = (self.wide(a) + self.wide(x @ self.U)).chunk(3, -1)
            return p.sigmoid() * q.tanh() + r.sigmoid()

        def forward(self, x, state):
            olds = (state,) if parts == 1 else state
            v = [*olds, x @ self.U]
            alone = [tg.tanh, tg.sigmoid, tg.relu, operator.neg, lambda a: 0.5 * a, lambda a: 1 - a]
            pairs = [operator.mul, operator.add, operator.sub, lambda a, b: a @ self.W + b]
            for op, i, j in lines:
                a, b = v[i % len(v)], v[j % len(v)]
                if op < len(alone):
                    v.append(alone[op](a))
                elif op - len(alone) < len(pairs):
                    v.append(pairs[op - len(alone)](a, b))
                else:
                    v.append(self.gates(a, x) if op == 11 else a * self.b)
            new = [v[n % len(v)].tanh() if n % 3 else v[n % len(v)] * 0.9 for n in ends[1:]]
            return v[ends[0] % len(v)] * 1.0, new[0] if parts == 1 else tuple(new)

    Random.parts = parts
    return Random()


CELLS = [cell for cell in MadeUp.__subclasses__() if cell is not Attending]


def filled(module):
    """A module in float64, its Parameters set to numbers that are the same in every run."""
    module.double()
    with tg.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(0.7 * numbers(p.shape, k))
    return module


def tensors(value):
    """The tensors of a state of any nesting."""
    if isinstance(value, tg.Tensor):
        return [value]
    return [t for v in (value.values() if isinstance(value, dict) else value) for t in tensors(v)]
