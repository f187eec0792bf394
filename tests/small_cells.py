"""Cells of a few equations, drawn at random or put together by a table, as text that can be read.

A cell is lines of Python over ``x`` (B, I), states and Parameters of many shapes; text and sizes are all
there is to it, so a failure can be written down in one line. Lines whose values are not finite or that
the library refuses on plain tensors are not taken.
"""

from __future__ import annotations

import numpy as np
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SHAPES = {  # of Parameters, by name, from the sizes (B, I, H)
    "W": lambda b, i, h: (h, h),
    "U": lambda b, i, h: (i, h),
    "V": lambda b, i, h: (h, i),
    "W3": lambda b, i, h: (h, 3 * h),
    "bias": lambda b, i, h: (h,),
    "row": lambda b, i, h: (1, h),
    "one": lambda b, i, h: (1,),
    "corner": lambda b, i, h: (1, 1),
    "column": lambda b, i, h: (b, 1),
    "full": lambda b, i, h: (b, h),
    "wide": lambda b, i, h: (b, 3 * h),
    "scalar": lambda b, i, h: (),
}


class Written(nn.Module):
    """A cell of some lines; the last names are ``y`` and the new state ``n0``, ``n1`` ..."""

    def __init__(self, lines, sizes, starts=(None,)):
        super().__init__()
        self.sizes, self.starts, self.lines = sizes, starts, tuple(lines)
        text = "\n".join(self.lines)
        for k, (name, shape) in enumerate(SHAPES.items()):
            if f"self.{name}" in text.replace("self.W3", "self.-") or (
                name == "W3" and "self.W3" in text
            ):
                size = shape(*sizes)
                setattr(self, name, nn.Parameter(0.8 * numbers(size, 30 + k)))
        states = [f"s{k}" for k in range(len(starts))]
        given = "state," if len(starts) == 1 else "state"
        new = ", ".join(f"n{k}" for k in range(len(starts)))
        body = [f"{', '.join(states)}{',' if len(states) == 1 else ''} = {given}", "h = s0"]
        b, i, h = sizes
        body += [*self.lines, f"return y, {new if len(starts) == 1 else f'({new})'}"]
        source = "\n    ".join(["def run(self, x, state):", *body])
        space = {"tg": tg, "np": np, "nn": nn, "F": nn.functional, "B": b, "I": i, "H": h}
        space["__name__"] = __name__
        exec(source, space)
        self.run = space["run"]

    def forward(self, x, state):
        return self.run(self, x, state)

    def shape(self, k):
        b, _, h = self.sizes
        return (b, h) if self.starts[k] is None else self.starts[k]

    def initial_state(self, batch):
        zeros = [tg.zeros(*self.shape(k), dtype=tg.float64) for k in range(len(self.starts))]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)


# ---- lines at random ------------------------------------------------------------------------------

# {a}, {b} are values at hand; numbers are drawn: {p} < {q} <= the last side of a, {n} its length.
UNARY = [
    "{a}.tanh()", "{a}.sigmoid()", "tg.relu({a})", "{a}.exp()", "-{a}", "{a}.abs()", "{a}.sin()",
    "{a}.cos()", "{a} * 0.5", "1 - {a}", "{a} / 3", "{a}.square()", "{a} ** 2", "{a} ** 3",
    "({a}.abs() + 0.5).sqrt()", "({a}.abs() + 0.5).log()", "{a}.expm1()", "({a}.abs()).log1p()",
    "F.softplus({a})", "F.silu({a})", "F.leaky_relu({a}, 0.1)", "F.elu({a})", "F.gelu({a})",
    "{a}.clip(-0.4, 0.6)", "tg.maximum({a}, 0.1)", "tg.minimum({a}, 0.2)", "{a}.sign()",
    "tg.where({a} > 0.1, {a}, 0.3)", "tg.where({a} > 0, 0.5, {a} * 2)", "{a}.round()", "{a}.floor()",
    "{a}.ceil()", "{a} % 0.7", "{a} // 0.3", "1 / ({a}.abs() + 1)", "({a} > 0) * {a}",
    "({a} < 0.2).float() if {a}.dtype == tg.float32 else ({a} < 0.2).double()",
]  # fmt: skip
REDUCE = [
    "{a}.sum(-1, keepdim=True)", "{a}.mean(-1, keepdim=True)", "{a}.amax(-1, keepdim=True)",
    "{a}.amin(-1, keepdim=True)", "{a}.prod(-1, keepdim=True)", "{a}.norm(dim=-1, keepdim=True)",
    "{a}.var(-1, keepdim=True)", "tg.logsumexp({a}, -1, keepdim=True)", "tg.softmax({a}, -1)",
    "tg.log_softmax({a}, -1)", "{a}.cumsum(-1)", "{a}.sum()", "{a}.mean()", "{a}.sum(0, keepdim=True)",
    "{a}.sum(-1)", "{a}.mean(0)", "{a}.norm()", "{a}.sum(-1).unsqueeze(-1)",
    "{a}[..., {p}:{q}].sum(-1, keepdim=True)",
]  # fmt: skip
PARTS = [
    "{a}[..., {p}:{q}]", "{a}[..., :1]", "{a}[..., -1:]", "{a}[..., {p}]", "{a}[..., {p}].unsqueeze(-1)",
    "{a}.flip(-1)", "{a}[:1]", "{a}.chunk(2, -1)[-1]", "{a}.roll(1, -1)", "{a}[..., ::2]",
    "F.pad({a}, (1, 0))", "F.pad({a}, (1, 0))[..., :-1]", "{a}.unbind(-1)[0].unsqueeze(-1)",
]  # fmt: skip
SHAPE = [
    "{a}[..., :1].expand(B, H)", "{a}.expand(B, H)", "{a}.sum(-1, keepdim=True).expand(B, H)",
    "{a}.reshape(-1, {n})", "{a}.reshape(-1)", "{a}.unsqueeze(1)", "{a}.unsqueeze(1).squeeze(1)",
    "{a}.reshape(B, -1)", "{a}.t().reshape(B, -1)", "{a}.t().reshape(-1, 2).t().reshape(B, -1)",
    "{a}.t().t()", "{a}.reshape(-1, 2, {n} // 2).permute(1, 0, 2).reshape(B, -1)",
    "({a}.reshape(B, {n} // 2, 2).permute(1, 0, 2) * 2).permute(1, 0, 2).reshape(B, -1)",
    "{a}.reshape(B, 2, -1).transpose(1, 2).reshape(B, -1)", "{a}.repeat(1, 2)",
]  # fmt: skip
BINARY = [
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} * {b}", "{a} + {b}", "{a} / ({b}.abs() + 0.5)",
    "tg.maximum({a}, {b})", "tg.minimum({a}, {b})", "tg.cat([{a}, {b}], -1)", "tg.cat([{b}, {a}, {a}], -1)",
    "tg.where({a} > {b}, {a}, {b} * 0.5)", "({a} >= {b}) * {a}", "tg.stack([{a}, {b}], 1).sum(1)",
    "tg.stack([{a}, {b}], -1).reshape(B, -1)", "tg.cat([{a}.expand(B, H), {b}], -1)",
    "({a}.abs() + 0.5) ** {b}", "tg.einsum('bi,bi->b', {a}, {b}).unsqueeze(-1)",
    "tg.einsum('bi,bj->bij', {a}, {b}).reshape(B, -1)", "{a} @ {b}.t()", "{a} @ {b}",
]  # fmt: skip
PRODUCT = [
    "x @ self.U", "s0 @ self.W", "x @ self.U + s0 @ self.W", "{a} @ self.W", "{a} @ self.U",
    "{a} @ self.V", "{a} @ self.W.t()", "{a} @ self.V.t()", "{a} @ (self.W @ self.W)",
    "({a} @ self.W3).chunk(3, -1)[1]", "F.linear({a}, self.W, self.bias)", "{a} @ self.W3",
    "tg.cat([x, s0], -1) @ tg.cat([self.U, self.W], 0)", "{a} @ self.W[:, :2]",
]  # fmt: skip
LEAVES = [
    "x", "s0", "x[:, :1]", "s0[:, -1:]", "self.bias", "self.row", "self.one", "self.corner", "self.column",
    "self.full", "self.scalar", "self.bias[:1]", "self.wide[:, 1:2]", "self.wide[:, H:2 * H]",
    "self.row[:, :1]", "self.W[:1]", "self.W[0]", "self.bias.sigmoid()", "self.scalar.exp()",
    "self.full * 0.5", "self.column.tanh()", "(self.row @ self.W)",
]  # fmt: skip
KINDS = {
    "all": [UNARY, REDUCE, PARTS, SHAPE, BINARY, PRODUCT],
    # what goes by columns of rows: machine code takes it
    "columns": [UNARY[:-7], REDUCE[:2], PARTS[:3], SHAPE[:3], BINARY[:12], PRODUCT],
}
WEIGHTS = np.array([0.26, 0.12, 0.14, 0.12, 0.24, 0.12])


def drawn(seed, sizes, length=6, states=1, kinds="all"):
    """A cell of some lines drawn at random."""
    draw = np.random.default_rng(seed)
    b, _, h = sizes
    starts = [None] * states
    for k in range(1, states):
        any_start = [None, (b, 1), (b, 3), (), (1,), (b, 2, 2)]
        starts[k] = any_start[int(draw.integers(6 if kinds == "all" else 3))]
    probe = Probe(sizes, starts)
    probe.add("x @ self.U + s0 @ self.W")
    tries = 0
    while len(probe.lines) < length and tries < 200:
        tries += 1
        kind = KINDS[kinds][int(draw.choice(len(WEIGHTS), p=WEIGHTS))]
        text = kind[int(draw.integers(len(kind)))]
        probe.add(text, probe.some(draw), probe.some(draw), draw)
    for k in range(states):
        probe.end(f"n{k}", starts[k] if starts[k] is not None else (b, h), draw)
    probe.end("y", None, draw)
    return Written(probe.lines, sizes, tuple(starts))


class Probe:
    """The values of a cell's lines while it is being drawn: one step on sample values."""

    def __init__(self, sizes, starts):
        self.sizes, self.lines = sizes, []
        b, i, h = sizes
        shapes = [(b, h) if s is None else s for s in starts]
        self.space = {"tg": tg, "np": np, "nn": nn, "F": nn.functional, "B": b, "I": i, "H": h}
        self.space["x"] = tg.tensor(numbers((b, i), 1))
        for k, shape in enumerate(shapes):
            self.space[f"s{k}"] = tg.tensor(numbers(shape, 2 + k))
        weights = {
            n: tg.tensor(0.8 * numbers(s(*sizes), 30 + k))
            for k, (n, s) in enumerate(SHAPES.items())
        }
        self.space["self"] = type("Weights", (), weights)
        self.names = [f"s{k}" for k in range(len(starts))] + ["x"]

    def some(self, draw):
        if draw.random() < 0.3:
            return LEAVES[int(draw.integers(len(LEAVES)))]
        late = min(int(draw.geometric(0.35)), len(self.names))
        return (
            self.names[-late]
            if draw.random() < 0.7
            else self.names[int(draw.integers(len(self.names)))]
        )

    def value(self, text):
        with np.errstate(all="ignore"):
            try:
                v = eval(text, self.space)
            except Exception:
                return None
        if (
            not isinstance(v, tg.Tensor)
            or v.dtype != tg.float64
            or v.ndim > 4
            or not 0 < v.numpy().size < 400
        ):
            return None
        v = v.numpy()
        return v if np.isfinite(v).all() and np.abs(v).max() < 30 else None

    def add(self, text, a="", b="", draw=None):
        base = self.value(a) if a else None
        n = base.shape[-1] if base is not None and base.ndim else 1
        p = 0 if draw is None else int(draw.integers(n))
        q = n if draw is None else int(draw.integers(p, n)) + 1
        text = text.format(
            a=a if a.isidentifier() else f"({a})", b=f"({b})" if b else "", p=p, q=q, n=n
        )
        v = self.value(text)
        if v is None:
            return False
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.space[name] = tg.tensor(v)
        self.names.append(name)
        return True

    def end(self, name, shape, draw):
        """The output or a new state: a value of the shape, or one made of that shape; not too large."""
        pool = self.names[::-1] if draw.random() < 0.75 else list(draw.permutation(self.names))
        for candidate in pool:
            for form in (
                "{a}",
                "{a}.expand(*{s})",
                "{a}[..., :1].expand(*{s})",
                "{a}.sum().expand(*{s})",
            ):
                if "expand" in form and not shape and shape is not None:
                    form = "{a}.sum()"
                text = form.format(a=candidate, s=shape)
                v = self.value(text)
                if v is None or (shape is not None and v.shape != tuple(shape)):
                    continue
                if shape is None and v.ndim == 0 and draw.random() < 0.7:
                    continue
                wrap = ["{}", "tg.tanh({})", "0.5 * {} + 0.1", "tg.sin({})"][int(draw.integers(4))]
                if name[0] == "n" and np.abs(v).max() > 1.0:
                    wrap = "tg.tanh({})"
                self.lines.append(f"{name} = {wrap.format(text)}")
                return
        source = "s" + name[1:] if name[0] == "n" else "s0"
        self.lines.append(f"{name} = {source} * 0.9")


# ---- running one --------------------------------------------------------------------------------------


def given(cell, steps, dtype="d", seed=5):
    """(x, first states) as arrays."""
    b, i, _ = cell.sizes
    x = numbers((steps, b, i), seed).astype(dtype)
    return x, [numbers(cell.shape(k), seed + 1 + k).astype(dtype) for k in range(len(cell.starts))]


def outcome(layer, x, states, compiled, only=None):
    """(outputs and last states, gradients or None of x, states and Parameters) of a weighted sum.

    ``only`` are the outputs (0) and last states (1, 2 ...) that the sum is of, where it is not of all.
    """
    layer.compiled = compiled
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    states = [tg.tensor(s, requires_grad=True) for s in states]
    y, last = layer(x, states[0] if len(states) == 1 else tuple(states))
    outs = [y, last] if isinstance(last, tg.Tensor) else [y, *last]
    total = None
    for k, t in enumerate(outs):
        if t.requires_grad and (only is None or k in only):
            part = (t * tg.tensor(0.3 + numbers(t.shape, 70 + k).astype(t.dtype))).sum()
            total = part if total is None else total + part
    if total is not None:
        total.backward()
    leaves = {
        "x": x,
        **{f"s{k}": s for k, s in enumerate(states)},
        **dict(layer.named_parameters()),
    }
    grads = {n: None if p.grad is None else p.grad.numpy() for n, p in leaves.items()}
    return [t.detach().numpy() for t in outs], grads


def difference(fast, slow, tol):
    """In words where two outcomes differ, or ""."""
    for k, (a, b) in enumerate(zip(fast[0], slow[0], strict=True)):
        words = _differ(a, b, tol)
        if words:
            return f"output {k}: {words}"
    sizes = [np.abs(g).max() for g in slow[1].values() if g is not None and np.isfinite(g).all()]
    most = max(sizes, default=0.0)
    for name, b in slow[1].items():
        a = fast[1][name]
        if (a is None) != (b is None):
            return f"gradient of {name}: {'None' if a is None else 'there'}, recorded the other"
        if a is not None:
            words = _differ(a, b, tol, most)
            if words:
                return f"gradient of {name}: {words}"
    return ""


def _differ(a, b, tol, most=0.0):
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype} {a.shape} for {b.dtype} {b.shape}"
    odd = ~np.isfinite(b)
    if not np.array_equal(a[odd], b[odd], equal_nan=True):
        return f"{a[odd]} for {b[odd]}"
    a, b = a[~odd], b[~odd]
    if not b.size:
        return ""
    worst = np.abs(a - b).max()
    worst = np.inf if np.isnan(worst) else worst
    if worst <= tol * max(np.abs(b).max(), 1e-3 * most, 1e-3):
        return ""
    return f"off by {worst:.3g} where values reach {np.abs(b).max():.3g}"


class Clock(nn.Module):
    """A cell that counts time and looks where in its period it is."""

    def __init__(self):
        super().__init__()
        self.period = nn.Parameter(tg.tensor([0.1, 0.3, 0.7, 2.0]))
        self.w = nn.Parameter(tg.tensor([0.5, -1.0, 0.25, 2.0]))

    def initial_state(self, batch):
        return tg.zeros(batch, 4, dtype=tg.float64), tg.zeros(batch, 1, dtype=tg.float64)

    def forward(self, x, state):
        h, t = state
        t = t + 0.5
        phase = (t % self.period) / self.period
        h = h * 0.5 + phase * self.w * x + (t // self.period) * 0.1 + (h % 0.3)
        return h, (h, t)
