"""Values of all steps at once are what each step gives alone: time comes before the axes that an op names."""

import linecache

import numpy as np
import pytest
from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan.batched import TIME, Lines
from tinygrad_rnn.scan.cells import variant_of
from tinygrad_rnn.scan.program import STATE, Program
from tinygrad_rnn.scan.schedule import Schedule
from tinygrad_rnn.scan.tracing import Tracer, tracing

STEPS = 5
ANY = """
x.amax(-1)                x.amin(0)             x.sum(0)              x.mean()            x.prod(-1)
x.cumsum(-1)              x.cumsum(0)           x.cumprod(0)          x.norm()            x.norm(dim=0)
tg.softmax(x, 0)          tg.log_softmax(x, -1)                       tg.logsumexp(x, 0)  x.std(-1)
x.flip(0)                 x.roll(1, 0)          x.roll(1, -1)         x[..., ::2]         x[..., 0, None]
x[1]                      x[..., [1, 0, 1]]     x[[1, 0, 0]]          x[::-1]             x.reshape(-1)
x.unsqueeze(0)            x.unsqueeze(-1)       tg.stack([x, 2 * x], 0)                   tg.stack([x, x], -1)
tg.cat([x, x], 0)         tg.cat([x, 2 * x], -1)                      F.pad(x, (1, 2))    x.repeat(2, 1)
x.expand(2, *x.shape)     x @ self.W            x @ x.T               tg.einsum('...i,...i->...', x, x)
tg.einsum('...i->i...', x)                      x.chunk(2, -1)[1]     x.unbind(0)[1]      x.var(0)
tg.where(x > 0, x, x.flip(-1))                  (x > 0).sum(0) * x    x.max()
x.detach().amax(0) * x    x.sum(0, keepdim=True)
tg.einsum('...i,ij,...j->...', x, self.W, x)    x * x.amax(-1, keepdim=True)
x.gather(-1, self.at)
x.index_select(0, tg.tensor([1, 0]))            x.abs() ** x          x - x.round() % 0.7     x.T @ x
"""
LINES = [
    line.strip() for row in ANY.strip().split("\n") for line in row.split("  ") if line.strip()
]
BATCHED = [
    "x[:, 1]",
    "x[:, 1:2]",
    "x[:, [2, 0]]",
    "x.permute(1, 0)",
    "x.T.reshape(-1)",
    "x.flatten()[::2]",
]
ALONE = [
    "x.dot(x)",
    "tg.outer(x, x)",
    "tg.einsum('i,j->ij', x, x)",
    "self.W @ x",
    "x[2]",
    "x[:, None] * x",
]


class Line(nn.Module):
    """A cell that puts out what one line makes of its input."""

    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(numbers((4, 4), 3))

    def initial_state(self, batch):
        return tg.zeros(1, dtype=tg.float64)


def made(line):
    text = f"def forward(self, x, h):\n    y = {line}\n    return 1.0 * y, h + y.sum()\n"
    file = f"<all steps of {line}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    space = {"np": np, "tg": tg, "F": nn.functional, "__name__": __name__}
    exec(compile(text.replace("self.at", "tg.tensor([0])"), file, "exec"), space)
    return type("Cell", (Line,), {"forward": space["forward"]})()


@pytest.mark.parametrize(
    ("line", "shape"),
    [(line, (3, 4)) for line in LINES + BATCHED] + [(line, (4,)) for line in LINES + ALONE],
)
def test_an_op_on_values_of_all_steps(line, shape):
    cell, x = made(line), numbers((STEPS, *shape), 1)
    try:
        right = [cell.forward(tg.tensor(a), tg.zeros(1, dtype=tg.float64))[0].numpy() for a in x]
    except (ValueError, IndexError, TypeError, RuntimeError) as error:
        pytest.xfail(f"not for this shape: {error}")
    found = variant_of(cell, x, cell.initial_state(None), None, {})
    with tracing(Tracer()):
        program = Program(found.found.trace, False)
    assert not program.depends[program.y] & STATE
    lines = Lines(Schedule(program))
    given = {v: role for role, v in program.inputs.items()}
    lines.names.update(dict(given.items()))
    result = lines[program.y]
    lines.line(f"return {result}")
    arrays = {"x": x, "s0": np.zeros(1), TIME: STEPS}
    arrays |= {f"w{k}": t.numpy() for k, t in enumerate(found.weights({}))}
    names = [TIME, *given.values()]
    seen = lines.compiled("forward", names)(*[arrays[name] for name in names])
    np.testing.assert_allclose(seen, np.stack(right), rtol=1e-12, atol=1e-15)
