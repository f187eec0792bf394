"""Twenty cells that no library has: what the compiled step is tested on."""

import numpy as np

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


CELLS = [cell for cell in MadeUp.__subclasses__() if cell is not Attending]
