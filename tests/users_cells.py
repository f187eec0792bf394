"""Cells as users write them, a table: the equations of a step, its Parameters and its states.

Papers' cells and home-made ones: heads, slots, fast weights, delta rules, normalisations, hard gates, clocks.
``python tests/users_cells.py 32,16,64`` says by which back end each of them runs at sizes B, I, H.
"""

from __future__ import annotations

import linecache
import re
import sys
import time
from dataclasses import dataclass

import numpy as np
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

# A name, the states' shapes and the Parameters' in B (batch), I (input), H (features); then the lines of a
# step, from x and s0, s1 ... to y and n0, n1 ...
TEXT = """
square [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z ** 2 / (1 + z ** 2)) * z.tanh()
    y = n0
cube [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z - z ** 3 / 6).clip(-2, 2) * 0.5
    y = n0
root [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z / (1 + z.square()) ** 0.5
    y = n0
power_weight [B,H] W: H,H; U: I,H; b: H; p: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z.abs() + 0.1) ** self.p.sigmoid()
    y = n0
softsign [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z / (1 + z.abs())
    y = n0
sign [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = 0.9 * s0 + 0.1 * z.sign() * z.abs().sqrt()
    y = n0
hard_sigmoid [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (0.2 * z + 0.5).clip(0, 1) * s0 + 0.1 * z
    y = n0
hard_tanh [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z.clamp(-1, 1)
    y = n0
clamp_min [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = 0.5 * z.clamp(min=0) - 0.1
    y = n0
softplus [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.softplus(z) - 0.5
    y = n0
elu [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.elu(z) * 0.7
    y = n0
gelu [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.gelu(z)
    y = n0
gelu_tanh [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.gelu(z, approximate='tanh') * 0.9
    y = n0
swish [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.silu(z) + 0.1 * s0
    y = n0
softmax [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.softmax(z, -1) * 2
    y = n0
log_softmax [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.log_softmax(z, -1).exp() + 0.1 * s0
    y = n0
logsumexp [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z - tg.logsumexp(z, -1, keepdim=True)).tanh()
    y = n0
l2_norm [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z / (z.norm(dim=-1, keepdim=True) + 1e-5)
    y = n0
layer_norm [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = ((z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()).tanh()
    y = n0
layer_norm_power [B,H] W: H,H; U: I,H; b: H; g: H
    z = x @ self.U + s0 @ self.W + self.b
    m = z.mean(-1, keepdim=True)
    v = ((z - m) ** 2).mean(-1, keepdim=True)
    n0 = ((z - m) / (v + 1e-5) ** 0.5 * self.g).tanh()
    y = n0
std_scaled [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z / (1 + z.std(-1, keepdim=True))).tanh()
    y = n0
rms_norm [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z * 0.5 / (z.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    y = n0
prod_gate [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z.tanh() * z.sigmoid()[:, :3].prod(-1, keepdim=True)
    y = n0
cumsum_gate [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    g = tg.softmax(z, -1).cumsum(-1)
    n0 = g * z.tanh() + (1 - g) * s0
    y = n0
max_pool [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z.tanh() * (z.amax(-1, keepdim=True) - z.amin(-1, keepdim=True)).sigmoid()
    y = n0
maxout [B,H] W: H,H; U: I,H; b: H; V: H,2*H
    z = x @ self.U + s0 @ self.W + self.b
    w = z @ self.V
    n0 = tg.maximum(w[:, :H], w[:, H:]).tanh()
    y = n0
rounded [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z * 4).round() / 4 * 0.5 + 0.5 * z.tanh()
    y = n0
floored [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z - z.floor()) * 0.5 + 0.4 * s0
    y = n0
spiking [B,H; B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    v = 0.9 * s1 + z
    spike = (v > 0.5).float() + v.sigmoid() - v.sigmoid().detach()
    n1 = v * (1 - spike)
    n0 = spike
    y = n0
leaky_where [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.where(z > 0, z, 0.1 * z).tanh()
    y = n0
detached [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z.tanh() + 0.1 * (s0 - s0.detach())
    y = n0
zeros_like [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    pad = tg.zeros_like(z)
    n0 = tg.maximum(z, pad) * 0.5
    y = n0
ones_made [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    one = tg.ones(B, H)
    n0 = (one - z.sigmoid()) * s0 + z.sigmoid() * z.tanh()
    y = n0
constant_made [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    k = tg.tensor([0.5, -0.5])
    n0 = z.tanh() * k[0] + s0 * k[1]
    y = n0
array_index [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = z[:, np.arange(H)[::-1].copy()].tanh()
    y = n0
list_index [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.cat([z[:, [1, 0]], z[:, 2:]], -1).tanh()
    y = n0
einsum_cell [B,H] W: H,H; U: I,H; b: H
    z = tg.einsum('bi,ih->bh', x, self.U) + tg.einsum('bj,jh->bh', s0, self.W)
    n0 = (z + self.b).tanh()
    y = n0
bilinear [B,H] T: I,H,H; W: H,H
    g = tg.einsum('bi,ijh,bj->bh', x, self.T, s0)
    n0 = (g + s0 @ self.W).tanh()
    y = n0
unbatched [H] unbatched U: H,I; W: H,H; b: H
    n0 = (self.U @ x + self.W @ s0 + self.b).tanh()
    y = n0
turned [B,H] W: H,H; U: H,I
    n0 = ((self.W @ s0.T).T + (self.U @ x.T).T).tanh()
    y = n0
none_index [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z * z[:, 0, None]).tanh()
    y = n0
strided [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.cat([z[:, ::2].tanh(), z[:, 1::2].sigmoid()], -1)
    y = n0
rotary [B,H] W: H,H; U: I,H; b: H; t: H//2
    z = x @ self.U + s0 @ self.W + self.b
    a, c = z[:, ::2], z[:, 1::2]
    u, v = a * self.t.cos() - c * self.t.sin(), a * self.t.sin() + c * self.t.cos()
    n0 = tg.stack([u, v], -1).reshape(B, H).tanh()
    y = n0
heads [B,H] W: H,H; U: I,H; b: H; A: 2,H//2,H//2
    z = x @ self.U + s0 @ self.W + self.b
    h = s0.reshape(B, 2, H // 2)
    n0 = (tg.einsum('bnd,nde->bne', h, self.A).reshape(B, H) + x @ self.U).tanh()
    y = n0
head_norm [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    h = z.reshape(B, 2, H // 2)
    n0 = (h / (h.norm(dim=-1, keepdim=True) + 1e-3)).reshape(B, H)
    y = n0
attention_heads [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    q = z.reshape(B, 2, H // 2)
    a = tg.softmax(q @ q.transpose(1, 2), -1)
    n0 = (a @ q).reshape(B, H).tanh()
    y = n0
slots [B,4,H] Q: I,H; V: I,H
    a = tg.softmax((s0 * (x @ self.Q).unsqueeze(1)).sum(-1), -1)
    w = (x @ self.V).tanh()
    n0 = s0 * (1 - a.unsqueeze(-1)) + a.unsqueeze(-1) * w.unsqueeze(1)
    y = (a.unsqueeze(-1) * n0).sum(1)
fast_weights [B,H,H] U: I,3*H
    k, v, q = (x @ self.U).chunk(3, -1)
    n0 = 0.9 * s0 + v.unsqueeze(-1) * k.unsqueeze(-2)
    y = (n0 @ q.unsqueeze(-1)).squeeze(-1).tanh()
delta_rule [B,H,H] K: I,H; V: I,H; Q: I,H; r: I
    k = tg.softmax(x @ self.K, -1)
    v, q = x @ self.V, tg.softmax(x @ self.Q, -1)
    beta = (x @ self.r).sigmoid().unsqueeze(-1)
    old = tg.einsum('bij,bj->bi', s0, k)
    n0 = s0 + beta.unsqueeze(-1) * tg.einsum('bi,bj->bij', v - old, k)
    y = tg.einsum('bij,bj->bi', n0, q)
tiled [B,H] U2: 2*I,H; W: H,H
    z = x.repeat(1, 2) @ self.U2 + s0 @ self.W
    n0 = z.tanh()
    y = n0
padded [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = F.pad(z, (1, 0))[:, :-1].tanh()
    y = n0
flipped [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z + z.flip(-1)).tanh() * 0.5
    y = n0
rolled [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = (z + 0.5 * z.roll(1, -1)).tanh()
    y = n0
shift_register [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n0 = tg.cat([z[:, :1].tanh(), s0[:, :-1]], -1)
    y = n0
weight_norm [B,H] W: H,H; U: I,H; b: H; g: H
    V = self.W / self.W.norm(dim=0, keepdim=True) * self.g
    n0 = (x @ self.U + s0 @ V + self.U[0]).tanh()
    y = n0
clock [B,H; B,1] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W
    m = (s1 % 2 == 0)
    n0 = tg.where(m, z.tanh(), s0)
    n1 = s1 + 1
    y = n0
peephole_norm [B,H; B,H] U: I,H; W: H,H; p: H; U2: I,H; W2: H,H; U3: I,H
    f = (x @ self.U + s0 @ self.W + self.p * s1).sigmoid()
    z = x @ self.U2 + s0 @ self.W2
    m = z.mean(-1, keepdim=True)
    v = ((z - m) ** 2).mean(-1, keepdim=True)
    g = ((z - m) / (v + 1e-5) ** 0.5).tanh()
    n1 = f * s1 + (1 - f) * g
    n0 = (x @ self.U3).sigmoid() * n1.tanh()
    y = n0
batch_statistics [B,H] W: H,H; U: I,H; b: H
    z = x @ self.U + s0 @ self.W
    n0 = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-3).sqrt()).tanh() * self.b
    y = n0
lstm_by_hand [B,H; B,H] W: H,4*H; U: I,4*H; b: 4*H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
minimal_gru [B,H] W: H,H; U: I,H; b: H; U2: I,H; W2: H,H
    f = (x @ self.U + s0 @ self.W + self.b).sigmoid()
    n0 = (1 - f) * s0 + f * (x @ self.U2 + (f * s0) @ self.W2).tanh()
    y = n0
rk4 [B,H] W: H,H; U: I,H; b: H
    d = lambda h: (x @ self.U + h @ self.W + self.b).tanh() - h
    k1 = d(s0)
    k2 = d(s0 + 0.1 * k1)
    k3 = d(s0 + 0.1 * k2)
    k4 = d(s0 + 0.2 * k3)
    n0 = s0 + 0.2 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    y = n0
neural_stack [B,4,H] r: I; V: I,H
    d = (x @ self.r).sigmoid().unsqueeze(-1)
    top = (x @ self.V).tanh()
    n0 = d.unsqueeze(-1) * tg.cat([top.unsqueeze(1), s0[:, :-1]], 1) + (1 - d).unsqueeze(-1) * s0
    y = n0[:, 0]
conv_state [B,H] k: 3; U: I,H
    p = F.pad(s0, (1, 1))
    n0 = (p[:, :-2] * self.k[0] + p[:, 1:-1] * self.k[1] + p[:, 2:] * self.k[2] + x @ self.U).tanh()
    y = n0
complex_pair [B,H; B,H] a: H; c: H; U: I,H; V: I,H
    re = self.a * s0 - self.c * s1 + x @ self.U
    im = self.c * s0 + self.a * s1 + x @ self.V
    r = (re ** 2 + im ** 2 + 1e-4) ** 0.5
    g = F.relu(r - 0.1) / r
    n0, n1 = re * g, im * g
    y = tg.cat([n0, n1], -1)
rotations [B,H//2,2] nu: H//2; th: H//2; U: I,H; C: H,H
    r = (-self.nu.exp()).exp()
    c, s = r * self.th.cos(), r * self.th.sin()
    R = tg.stack([tg.stack([c, -s], -1), tg.stack([s, c], -1)], -2)
    n0 = tg.einsum('bhj,hij->bhi', s0, R) + (x @ self.U).reshape(B, H // 2, 2)
    y = n0.reshape(B, H) @ self.C
tensor_train [B,H] A: H//2,2,H//2,2; U: I,H; b: H
    h = tg.einsum('bij,ijkl->blk', s0.reshape(B, H // 2, 2), self.A).reshape(B, H)
    n0 = (h + x @ self.U + self.b).tanh()
    y = n0
kronecker [B,H] A: H//2,H//2; C: 2,2; U: I,H
    h = tg.einsum('bij,ik,jl->bkl', s0.reshape(B, H // 2, 2), self.A, self.C).reshape(B, H)
    n0 = (h + x @ self.U).tanh()
    y = n0
quadratic_forms [B,H] W: 4,H,H; U: I,H
    w = tg.einsum('bi,kij,bj->bk', s0, self.W, s0)
    n0 = (x @ self.U + w.tanh().mean(-1, keepdim=True) * s0).tanh()
    y = n0
commutator [B,H] W: H,H; V: H,H; U: I,H
    n0 = (x @ self.U + s0 @ (self.W @ self.V - self.V @ self.W)).tanh()
    y = n0
block_attention [B,2,H//2] K: 2,H//2,H//2; V: H//2,H//2; U: I,H
    k, v = tg.einsum('bnd,nde->bne', s0, self.K), s0 @ self.V
    a = tg.softmax(tg.einsum('bnd,bmd->bnm', k, s0), -1)
    n0 = ((x @ self.U).reshape(B, 2, H // 2) + a @ v).tanh()
    y = n0.reshape(B, H)
hebbian [B,H; B,H,H] W: H,H; U: I,H; A: H,H; eta: 1
    n0 = (x @ self.U + (s0.unsqueeze(1) @ (self.W + self.A * s1)).squeeze(1)).tanh()
    e = self.eta.sigmoid()
    n1 = (1 - e) * s1 + e * s0.unsqueeze(2) * n0.unsqueeze(1)
    y = n0
"""


@dataclass(frozen=True)
class Equations:
    """A cell: its lines, and the shapes of its Parameters and states as text."""

    name: str
    lines: tuple[str, ...]
    weights: dict[str, str]
    states: tuple[str, ...]
    batched: bool = True


def read(text=TEXT):
    """The table."""
    found = []
    for part in re.split(r"\n(?=\w)", text.strip()):
        head, *lines = part.split("\n")
        name, states, unbatched, weights = re.match(
            r"(\w+) \[(.*?)\]( unbatched)? ?(.*)", head
        ).groups()
        shapes = dict(pair.split(": ") for pair in weights.split("; "))
        lines = tuple(line.strip() for line in lines)
        found.append(Equations(name, lines, shapes, tuple(states.split("; ")), not unbatched))
    return found


TABLE = read()


class UsersCell(nn.Module):
    """A cell of the table; its class gets the equations as ``forward``."""

    def __init__(self, equations, sizes, dtype=np.float32):
        super().__init__()
        self.equations, self.sizes, self.kind = equations, sizes, dtype
        for k, (name, shape) in enumerate(equations.weights.items()):
            side = self.shape(shape)
            scale = 0.8 / (side[-1] if len(side) > 1 else 1) ** 0.5
            setattr(self, name, nn.Parameter((scale * numbers(side, 30 + k)).astype(dtype)))

    def shape(self, text):
        """A shape at the cell's sizes."""
        return eval(f"({text},)", dict(zip("BIH", self.sizes, strict=True)))

    def shape_of(self, k):
        """The shape of a state."""
        return self.shape(self.equations.states[k])

    def initial_state(self, batch):
        """Numbers of no kind."""
        count = len(self.equations.states)
        arrays = [0.3 * numbers(self.shape_of(k), 7 + k) for k in range(count)]
        states = [tg.tensor(a.astype(self.kind)) for a in arrays]
        return states[0] if len(states) == 1 else tuple(states)


def step_of(equations, sizes, **words):
    """The equations as a function ``forward(self, x, state)``, as if it stood in a file."""
    count = len(equations.states)
    states, new = ([f"{letter}{k}" for k in range(count)] for letter in "sn")
    given = f"{', '.join(states)} = state"
    back = new[0] if count == 1 else f"({', '.join(new)})"
    body = "\n    ".join([given, *equations.lines, f"return y, {back}"])
    source = f"def forward(self, x, state):\n    {body}\n"
    file = f"<{equations.name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space = {"np": np, "__name__": __name__, **words, **dict(zip("BIH", sizes, strict=True))}
    exec(compile(source, file, "exec"), space)
    return space["forward"]


def users_cell(equations, sizes, dtype=np.float32):
    """A cell whose class has the equations as its ``forward``."""
    forward = step_of(equations, sizes, tg=tg, nn=nn, F=nn.functional)
    name = equations.name.title().replace("_", "")
    return type(name, (UsersCell,), {"forward": forward})(equations, sizes, dtype)


def main():
    """Which back end takes each cell, and what its first call takes."""
    sizes = tuple(map(int, sys.argv[1].split(","))) if len(sys.argv) > 1 else (3, 2, 4)
    counts = {}
    for equations in TABLE:
        if sys.argv[2:] and equations.name not in sys.argv[2:]:
            continue
        layer = nn.Recurrent(users_cell(equations, sizes))
        shape = (5, *sizes[:2]) if equations.batched else (5, sizes[1])
        x = tg.tensor(numbers(shape, 3).astype(np.float32), requires_grad=True)
        begun = time.perf_counter()
        y, _ = layer(x)
        (y * y).sum().backward()
        took, how = time.perf_counter() - begun, layer.explain().split("\n")[0]
        by = re.search(r"run by (\w+)", how)
        word = by.group(1) if by else "recorded"
        counts[word] = counts.get(word, 0) + 1
        print(
            f"{equations.name:18} {word:9} {took:6.2f} s  {'' if word == 'numba' else how[:200]}",
            flush=True,
        )
    print(counts)


if __name__ == "__main__":
    main()
