"""Sixty cells as users write them, a table: the equations of a step, its Parameters and its first state.

Papers' cells and home-made ones: heads, slots, fast weights, delta rules, normalisations, hard gates, clocks.
Each is text that a class is made of, so that a failure can be read and the sizes be chosen.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field

import numpy as np
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@dataclass(frozen=True)
class Equations:
    """A cell: its lines, its Parameters' and states' shapes, in B (batch), I (input) and H (features)."""

    name: str
    text: str
    weights: dict[str, str] = field(default_factory=dict)
    states: tuple[str, ...] = ("B, H",)
    batched: bool = True
    kept: str = ""  # lines of the constructor


class UsersCell(nn.Module):
    """A cell of some lines over ``x`` and states ``s0``, ``s1`` ...; they make ``y`` and ``n0``, ``n1`` ..."""

    def __init__(self, equations, sizes, dtype=np.float32):
        super().__init__()
        self.equations, self.sizes = equations, dict(zip("BIH", sizes, strict=True))
        self.dtype = dtype
        self.R = 2  # heads
        for k, (name, shape) in enumerate(equations.weights.items()):
            side = eval(f"({shape},)", dict(self.sizes))
            scale = 0.8 / max(side[-1] if len(side) > 1 else 1, 1) ** 0.5
            setattr(self, name, nn.Parameter((scale * numbers(side, 30 + k)).astype(dtype)))
        exec(equations.kept, {"self": self, "np": np, "tg": tg, "nn": nn, **self.sizes})

    def initial_state(self, batch):
        states = [
            tg.tensor(0.3 * numbers(self.shape_of(k), 7 + k).astype(self.dtype))
            for k in range(len(self.equations.states))
        ]
        return states[0] if len(states) == 1 else tuple(states)

    def shape_of(self, k):
        return eval(f"({self.equations.states[k]},)", dict(self.sizes))


def users_cell(equations, sizes, dtype=np.float32):
    """A cell whose class has the equations as its ``forward``, as if they stood in a file."""
    count = len(equations.states)
    states = [f"s{k}" for k in range(count)]
    new = [f"n{k}" for k in range(count)]
    lines = [line.strip(" ") for line in equations.text.strip("\n").split("\n")]
    given = f"{', '.join(states)} = state" if count > 1 else "s0 = state"
    back = new[0] if count == 1 else f"({', '.join(new)})"
    body = "\n    ".join([given, *lines, f"return y, {back}"])
    source = f"def forward(self, x, state):\n    {body}\n"
    file = f"<{equations.name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space = {"tg": tg, "np": np, "nn": nn, "F": nn.functional, "__name__": __name__}
    space.update(zip("BIH", sizes, strict=True))
    exec(compile(source, file, "exec"), space)
    kind = type(
        equations.name.title().replace("_", ""), (UsersCell,), {"forward": space["forward"]}
    )
    return kind(equations, sizes, dtype)


WU = {"W": "H, H", "U": "I, H", "b": "H"}
GATES = {"W": "H, 3*H", "U": "I, 3*H", "b": "3*H"}
FOUR = {"W": "H, 4*H", "U": "I, 4*H", "b": "4*H"}
Z = "z = x @ self.U + s0 @ self.W + self.b\n"


def _plain(name, line, weights=None, states=("B, H",), **more):
    return Equations(
        name,
        Z + line + ("" if "y = " in line else "\ny = n0"),
        {**WU, **(weights or {})},
        states,
        **more,
    )


TABLE = [
    _plain("square", "n0 = (z ** 2 / (1 + z ** 2)) * z.tanh()"),
    _plain("cube", "n0 = (z - z ** 3 / 6).clip(-2, 2) * 0.5"),
    _plain("root", "n0 = z / (1 + z.square()) ** 0.5"),
    _plain("power_weight", "n0 = (z.abs() + 0.1) ** self.p.sigmoid()", {"p": "H"}),
    _plain("softsign", "n0 = z / (1 + z.abs())"),
    _plain("sign", "n0 = 0.9 * s0 + 0.1 * z.sign() * z.abs().sqrt()"),
    _plain("hard_sigmoid", "n0 = (0.2 * z + 0.5).clip(0, 1) * s0 + 0.1 * z"),
    _plain("hard_tanh", "n0 = z.clamp(-1, 1)"),
    _plain("clamp_min", "n0 = 0.5 * z.clamp(min=0) - 0.1"),
    _plain("softplus", "n0 = F.softplus(z) - 0.5"),
    _plain("elu", "n0 = F.elu(z) * 0.7"),
    _plain("gelu", "n0 = F.gelu(z)"),
    _plain("gelu_tanh", "n0 = F.gelu(z, approximate='tanh') * 0.9"),
    _plain("swish", "n0 = F.silu(z) + 0.1 * s0"),
    _plain("softmax", "n0 = tg.softmax(z, -1) * 2"),
    _plain("log_softmax", "n0 = tg.log_softmax(z, -1).exp() + 0.1 * s0"),
    _plain("logsumexp", "n0 = (z - tg.logsumexp(z, -1, keepdim=True)).tanh()"),
    _plain("l2_norm", "n0 = z / (z.norm(dim=-1, keepdim=True) + 1e-5)"),
    _plain("layer_norm", "n0 = ((z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()).tanh()"),
    _plain("layer_norm_power", "m = z.mean(-1, keepdim=True)\nv = ((z - m) ** 2).mean(-1, keepdim=True)\nn0 = ((z - m) / (v + 1e-5) ** 0.5 * self.g).tanh()", {"g": "H"}),
    _plain("std_scaled", "n0 = (z / (1 + z.std(-1, keepdim=True))).tanh()"),
    _plain("rms_norm", "n0 = z * 0.5 / (z.square().mean(-1, keepdim=True) + 1e-6).sqrt()"),
    _plain("prod_gate", "n0 = z.tanh() * z.sigmoid()[:, :3].prod(-1, keepdim=True)"),
    _plain("cumsum_gate", "g = tg.softmax(z, -1).cumsum(-1)\nn0 = g * z.tanh() + (1 - g) * s0"),
    _plain("max_pool", "n0 = z.tanh() * (z.amax(-1, keepdim=True) - z.amin(-1, keepdim=True)).sigmoid()"),
    _plain("maxout", "w = z @ self.V\nn0 = tg.maximum(w[:, :H], w[:, H:]).tanh()", {"V": "H, 2*H"}),
    _plain("rounded", "n0 = (z * 4).round() / 4 * 0.5 + 0.5 * z.tanh()"),
    _plain("floored", "n0 = (z - z.floor()) * 0.5 + 0.4 * s0"),
    _plain("spiking", "v = 0.9 * s1 + z\nspike = (v > 0.5).float() + v.sigmoid() - v.sigmoid().detach()\nn1 = v * (1 - spike)\nn0 = spike", states=("B, H", "B, H")),
    _plain("leaky_where", "n0 = tg.where(z > 0, z, 0.1 * z).tanh()"),
    _plain("detached", "n0 = z.tanh() + 0.1 * (s0 - s0.detach())"),
    _plain("zeros_like", "pad = tg.zeros_like(z)\nn0 = tg.maximum(z, pad) * 0.5"),
    _plain("ones_made", "one = tg.ones(B, H)\nn0 = (one - z.sigmoid()) * s0 + z.sigmoid() * z.tanh()"),
    _plain("constant_made", "k = tg.tensor([0.5, -0.5])\nn0 = z.tanh() * k[0] + s0 * k[1]"),
    _plain("array_index", "n0 = z[:, np.arange(H)[::-1].copy()].tanh()"),
    _plain("list_index", "n0 = tg.cat([z[:, [1, 0]], z[:, 2:]], -1).tanh()"),
    Equations("einsum_cell", "z = tg.einsum('bi,ih->bh', x, self.U) + tg.einsum('bj,jh->bh', s0, self.W)\nn0 = (z + self.b).tanh()\ny = n0", WU),
    Equations("bilinear", "g = tg.einsum('bi,ijh,bj->bh', x, self.T, s0)\nn0 = (g + s0 @ self.W).tanh()\ny = n0", {"T": "I, H, H", "W": "H, H"}),
    Equations("unbatched", "n0 = (self.U @ x + self.W @ s0 + self.b).tanh()\ny = n0", {"U": "H, I", "W": "H, H", "b": "H"}, ("H",), batched=False),
    Equations("turned", "n0 = ((self.W @ s0.T).T + (self.U @ x.T).T).tanh()\ny = n0", {"W": "H, H", "U": "H, I"}),
    _plain("none_index", "n0 = (z * z[:, 0, None]).tanh()"),
    _plain("strided", "n0 = tg.cat([z[:, ::2].tanh(), z[:, 1::2].sigmoid()], -1)"),
    _plain("rotary", "a, c = z[:, ::2], z[:, 1::2]\nn0 = tg.stack([a * self.t.cos() - c * self.t.sin(), a * self.t.sin() + c * self.t.cos()], -1).reshape(B, H).tanh()", {"t": "H//2"}),
    _plain("heads", "h = s0.reshape(B, 2, H // 2)\nn0 = (tg.einsum('bnd,nde->bne', h, self.A).reshape(B, H) + x @ self.U).tanh()", {"A": "2, H//2, H//2"}),
    _plain("head_norm", "h = z.reshape(B, 2, H // 2)\nn0 = (h / (h.norm(dim=-1, keepdim=True) + 1e-3)).reshape(B, H)"),
    _plain("attention_heads", "q = z.reshape(B, 2, H // 2)\na = tg.softmax(q @ q.transpose(1, 2), -1)\nn0 = (a @ q).reshape(B, H).tanh()"),
    Equations("slots", "a = tg.softmax((s0 * (x @ self.Q).unsqueeze(1)).sum(-1), -1)\nw = (x @ self.V).tanh()\nn0 = s0 * (1 - a.unsqueeze(-1)) + a.unsqueeze(-1) * w.unsqueeze(1)\ny = (a.unsqueeze(-1) * n0).sum(1)", {"Q": "I, H", "V": "I, H"}, ("B, 4, H",)),
    Equations("fast_weights", "k, v, q = (x @ self.U).chunk(3, -1)\nn0 = 0.9 * s0 + v.unsqueeze(-1) * k.unsqueeze(-2)\ny = (n0 @ q.unsqueeze(-1)).squeeze(-1).tanh()", {"U": "I, 3*H"}, ("B, H, H",)),
    Equations("delta_rule", "k = tg.softmax(x @ self.K, -1)\nv, q = x @ self.V, tg.softmax(x @ self.Q, -1)\nbeta = (x @ self.r).sigmoid().unsqueeze(-1)\nold = tg.einsum('bij,bj->bi', s0, k)\nn0 = s0 + beta.unsqueeze(-1) * tg.einsum('bi,bj->bij', v - old, k)\ny = tg.einsum('bij,bj->bi', n0, q)", {"K": "I, H", "V": "I, H", "Q": "I, H", "r": "I"}, ("B, H, H",)),
    Equations("tiled", "z = x.repeat(1, 2) @ self.U2 + s0 @ self.W\nn0 = z.tanh()\ny = n0", {"U2": "2*I, H", "W": "H, H"}),
    _plain("padded", "n0 = F.pad(z, (1, 0))[:, :-1].tanh()"),
    _plain("flipped", "n0 = (z + z.flip(-1)).tanh() * 0.5"),
    _plain("rolled", "n0 = (z + 0.5 * z.roll(1, -1)).tanh()"),
    _plain("shift_register", "n0 = tg.cat([z[:, :1].tanh(), s0[:, :-1]], -1)"),
    Equations("weight_norm", "V = self.W / self.W.norm(dim=0, keepdim=True) * self.g\nn0 = (x @ self.U + s0 @ V + self.U[0]).tanh()\ny = n0", {**WU, "g": "H"}),
    Equations("clock", "i = self.n % 2 == 0\nz = x @ self.U + s0 @ self.W\nm = (s1 % 2 == 0)\nn0 = tg.where(m, z.tanh(), s0)\nn1 = s1 + 1\ny = n0", WU, ("B, H", "B, 1"), kept="self.n = 2"),
    Equations("peephole_norm", "f = (x @ self.U + s0 @ self.W + self.p * s1).sigmoid()\nz = x @ self.U2 + s0 @ self.W2\nm = z.mean(-1, keepdim=True)\nv = ((z - m) ** 2).mean(-1, keepdim=True)\ng = ((z - m) / (v + 1e-5) ** 0.5).tanh()\nn1 = f * s1 + (1 - f) * g\nn0 = (x @ self.U3).sigmoid() * n1.tanh()\ny = n0", {"U": "I, H", "W": "H, H", "p": "H", "U2": "I, H", "W2": "H, H", "U3": "I, H"}, ("B, H", "B, H")),
    Equations("batch_statistics", "z = x @ self.U + s0 @ self.W\nn0 = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-3).sqrt()).tanh() * self.b\ny = n0", WU),
    Equations("lstm_by_hand", "i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)\nn1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()\nn0 = o.sigmoid() * n1.tanh()\ny = n0", FOUR, ("B, H", "B, H")),
    Equations("minimal_gru", "f = (x @ self.U + s0 @ self.W + self.b).sigmoid()\nn0 = (1 - f) * s0 + f * (x @ self.U2 + (f * s0) @ self.W2).tanh()\ny = n0", {**WU, "U2": "I, H", "W2": "H, H"}),
    Equations("rk4", "d = lambda h: (x @ self.U + h @ self.W + self.b).tanh() - h\nk1 = d(s0)\nk2 = d(s0 + 0.1 * k1)\nk3 = d(s0 + 0.1 * k2)\nk4 = d(s0 + 0.2 * k3)\nn0 = s0 + 0.2 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)\ny = n0", WU),
    Equations("neural_stack", "d = (x @ self.r).sigmoid().unsqueeze(-1)\ntop = (x @ self.V).tanh()\nn0 = d.unsqueeze(-1) * tg.cat([top.unsqueeze(1), s0[:, :-1]], 1) + (1 - d).unsqueeze(-1) * s0\ny = n0[:, 0]", {"r": "I", "V": "I, H"}, ("B, 4, H",)),
    Equations("conv_state", "p = F.pad(s0, (1, 1))\nn0 = (p[:, :-2] * self.k[0] + p[:, 1:-1] * self.k[1] + p[:, 2:] * self.k[2] + x @ self.U).tanh()\ny = n0", {"k": "3", "U": "I, H"}),
    Equations("complex_pair", "re = self.a * s0 - self.c * s1 + x @ self.U\nim = self.c * s0 + self.a * s1 + x @ self.V\nr = (re ** 2 + im ** 2 + 1e-4) ** 0.5\ng = F.relu(r - 0.1) / r\nn0, n1 = re * g, im * g\ny = tg.cat([n0, n1], -1)", {"a": "H", "c": "H", "U": "I, H", "V": "I, H"}, ("B, H", "B, H")),
]  # fmt: skip


def main():
    """Which back end takes each cell, and how fast."""
    import sys
    import time

    sizes = tuple(map(int, sys.argv[1].split(","))) if len(sys.argv) > 1 else (3, 2, 4)
    only = sys.argv[2:]
    counts = {}
    for eq in TABLE:
        if only and eq.name not in only:
            continue
        layer = nn.Recurrent(users_cell(eq, sizes))
        b, i, h = sizes
        shape = (5, b, i) if eq.batched else (5, i)
        x = tg.tensor(numbers(shape, 3).astype(np.float32), requires_grad=True)
        begun = time.perf_counter()
        try:
            y, last = layer(x)
            total = (y * y).sum()
            total.backward()
            words = layer.explain()
        except Exception as error:
            words = f"CRASH {type(error).__name__}: {error}"
        first = time.perf_counter() - begun
        how = words.split("\n")[0]
        key = "numba" if "run by numba" in how else "numpy" if "run by numpy" in how else "recorded"
        counts[key] = counts.get(key, 0) + 1
        print(
            f"{eq.name:18} {key:9} {first:6.2f}s {'' if key == 'numba' else how[:230]}", flush=True
        )
    print(counts)


if __name__ == "__main__":
    main()
