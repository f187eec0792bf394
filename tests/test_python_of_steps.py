"""Python of many kinds in a step: followed, with the recorded values, or the reason is said."""

import operator
from collections import OrderedDict, namedtuple
from enum import Enum

import numpy as np
import pytest
from support import assert_close, numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn

N = 4
Pair = namedtuple("Pair", "left right")
SETTINGS = {"rate": 0.5, "names": ["a", "b"], "on": True}


class Mode(Enum):
    SOFT = 1
    HARD = 2


class Squeezing(nn.Module):
    """A module of the user's own, found by name, entry or loop."""

    @staticmethod
    def bent(v):
        return v.tanh()

    @classmethod
    def twice(cls, v):
        return cls.bent(v) * 2

    @property
    def half(self):
        return 0.5

    def forward(self, v, by=1.0, *, shift=0.0):
        return (v * by + shift).sigmoid()


def helper(v, *rest, by=1.0, **words):
    """A function outside the class: with everything that an argument can be."""
    for r in rest:
        v = v + r
    return v * by * words.get("more", 1.0)


PYTHON = {
    "list of steps, summed": "h = sum([x * k for k in (1, 2)]).tanh() + h",
    "generator in sum": "h = (h + sum(x * k for k in range(3))).tanh()",
    "nested comprehension": "h = tg.stack([a * b for a in (x, h) for b in (1, 2)]).sum(0).tanh()",
    "dict comprehension": "d = {k: x * k for k in range(1, 3)}; h = (h + d[1] + d[2]).tanh()",
    "set of numbers": "s = {1, 2, 2}; h = (h + x * len(s)).tanh()",
    "tuple of a list": "t = tuple([x, h]); h = (t[0] + t[-1]).tanh()",
    "starred list": "h = tg.cat([*[x], *(h,)], -1)[:, :4].tanh()",
    "starred in the middle": "a, *b, c = (x, h, x, h); h = (a + b[0] - c + b[-1]).tanh()",
    "walrus": "h = ((a := x * 2) + a * h).tanh()",
    "conditional expression": "h = (x if self.rate > 0.2 else -x) + h * 0.5",
    "chained comparison": "h = (x + h).tanh() if 0 < self.rate < 1 and not self.off else h",
    "f-string": "k = f'{self.rate:.1f}'; h = (x + h).tanh() * (1 if k == '0.5' else 2)",
    "plus of a number": "h = (x * +self.rate + h).tanh()",
    "del of a name": "a = x * 2; b = a + h; del a; h = b.tanh()",
    "name again after del": "a = x * 2; h = h + a; del a; a = h.tanh(); h = a",
    "while": "k = 0\nwhile k < 3:\n    h = h * 0.5 + x; k += 1",
    "for and else": "for k in range(2):\n    h = h * 0.5 + x\nelse:\n    h = h.tanh()",
    "break and continue": (
        "for k in range(9):\n    if k == 1: continue\n    if k > 3: break\n    h = (h + x * k).tanh()"
    ),
    "zip and enumerate": "for k, (a, b) in enumerate(zip([x, h], [h, x])):\n    h = (h + a * b * k).tanh()",
    "reversed list": "for a in reversed([x, h]):\n    h = (h + a).tanh()",
    "map and lambda": "h = sum(map(lambda v: v * 2, [x, h])).tanh()",
    "filter of numbers": "h = (h + x * sum(filter(None, [0, 1, 2]))).tanh()",
    "closure": "scale = self.rate\ndef f(v):\n    return v * scale\nh = (f(x) + f(h)).tanh()",
    "default in a closure": "def f(v, by=2.0):\n    return v * by\nh = (f(x) + f(h, 0.5)).tanh()",
    "nonlocal": (
        "total = x\ndef add(v):\n    nonlocal total\n    total = total + v\nadd(h); add(x); h = total.tanh()"
    ),
    "arguments of every kind": "h = helper(x, h, x, by=0.5, more=2.0).tanh()",
    "spread arguments": "h = helper(*[x, h], **{'by': 0.5}).tanh()",
    "named tuple": "p = Pair(x, right=h); h = (p.left + p.right * p[0]).tanh()",
    "static method": "h = self.inner.bent(x + h)",
    "class method": "h = Squeezing.twice(x + h)",
    "property": "h = (x * self.inner.half + h).tanh()",
    "keyword-only": "h = self.inner(x + h, shift=0.25, by=2.0)",
    "entry of a ModuleList": "h = self.parts[1](x) + self.parts[-1](h)",
    "loop over a ModuleList": "for part in self.parts:\n    h = part(h + x)",
    "slice of a ModuleList": "for part in self.parts[:1]:\n    h = part(h + x)",
    "length of a ModuleList": "h = (x * len(self.parts) + h).tanh()",
    "truth of a list": "h = (x + h).tanh() if self.names else h",
    "entry of a dict outside": "h = (x * SETTINGS['rate'] + h).tanh()",
    "get of a dict outside": "h = (x * SETTINGS.get('absent', 0.25) + h).tanh()",
    "in": "h = (x + h).tanh() if 'a' in SETTINGS['names'] else h",
    "enum, by identity": "h = (x + h).tanh() if self.mode is Mode.SOFT else (x + h).relu()",
    "enum, by equality": "h = (x + h).tanh() if self.mode == Mode.HARD else (x + h).relu()",
    "None, by identity": "h = (x + h).tanh() if self.nothing is None else h",
    "match of a number": (
        "match self.kind:\n    case 1: h = (x - h).tanh()\n    case 2: h = (x + h).tanh()\n    case _: h = x"
    ),
    "match of a tuple": (
        "match (x, h):\n    case (a, b): h = (a * b).tanh()\n    case _: pass"
    ),
    "getattr": "h = getattr(tg, 'tanh')(x + h) + getattr(self, 'absent', 0.5)",
    "hasattr": "h = (x + h).tanh() if hasattr(self, 'rate') else h",
    "isinstance": "h = (x + h).tanh() if isinstance(self.rate, (int, float)) else h",
    "import inside": "import math\nh = (x * math.pi + h).tanh()",
    "from-import inside": "from math import sqrt, e\nh = (x * sqrt(2.0) + h * e).tanh()",
    "assert": "assert self.rate > 0, 'a rate'\nh = (x + h).tanh()",
    "assert of a shape": "assert x.shape == h.shape\nh = (x + h).tanh()",
    "operator module": "h = operator.add(x, operator.mul(h, 0.5)).tanh()",
    "sorted numbers": "h = (x * sorted([3, 1, 2])[0] + h).tanh()",
    "numpy number": "h = (x * np.sqrt(2.0) + h).tanh()",
    "numpy function of a tensor": "h = np.tanh(x + h)",
    "buffer": "h = (x * self.mask + h).tanh()",
    "list built by append": "a = []\nfor k in range(3): a.append(x * k)\nh = (h + tg.stack(a).sum(0)).tanh()",
    "list built by extend": "a = [x]; a.extend([h, x]); a += [h]; h = tg.stack(a).mean(0).tanh()",
    "entry of a list written": "a = [x, h]; a[0] = a[1] * 2; h = (a[0] + x).tanh()",
    "dict written and read": "d = {}; d['x'] = x; d['h'] = h\nfor v in d.values(): h = (h + v).tanh()",
    "items of a dict": "for k, v in {'a': x, 'b': h}.items():\n    h = (h + v * (k == 'a')).tanh()",
    "merged dicts": "d = {**{'a': x}, 'b': h}; h = (d['a'] + d['b']).tanh()",
    "OrderedDict": "d = OrderedDict(a=x, b=h); h = (d['a'] * d['b']).tanh()",
    "pop from a list": "a = [x, h]; b = a.pop(); h = (b * 0.5 + a[0]).tanh()",
    "slice object": "s = slice(0, 2); h = tg.cat([x[:, s], h[:, 2:]], -1).tanh()",
    "two names at once": "a, b = x, h; a, b = b, a; h = (a * 0.25 + b).tanh()",
    "unpacked chunks": "a, b = (x + h).chunk(2, -1); h = tg.cat([b, a], -1).tanh()",
    "recursive with an end": (
        "def f(v, n):\n    return v if n == 0 else f(v * 0.5 + x, n - 1)\nh = f(h, 3)"
    ),
    "with no_grad": "with tg.no_grad():\n    a = x * 2\nh = (a + h * x).tanh()",
    "try": "try:\n    h = (x + h).tanh()\nexcept ValueError:\n    pass",
    "try and finally": "try:\n    h = (x + h).tanh()\nfinally:\n    k = 1",
    "set of tensors": "s = {x, h}; h = (x + h * len(s)).tanh()",
    "generator of one's own": "def g():\n    yield x\n    yield h\nh = sum(g()).tanh()",
    "keyword-only default inside": "def f(v, *, by=2.0):\n    return v * by\nh = f(x + h).tanh()",
    "type of a tensor": "h = (x + h).tanh() if type(x) is tg.Tensor else h",
    "identity of two tensors": "h = (x + h).tanh() if x is not h else h",
    "name of a class": "h = (x * len(type(self).__name__) + h).tanh()",
    "docstring of a function": "h = (x * len(helper.__doc__) * 0.01 + h).tanh()",
    "ufunc outer of numbers": "h = (x * np.multiply.outer([1.0], [2.0]).item() + h).tanh()",
    "iter and next": "it = iter([x, h]); a = next(it); b = next(it); h = (a - b).tanh()",
    "any and all": "h = (x + h).tanh() if all([True, self.rate]) and any(self.names) else h",
    "divmod and round": "q, r = divmod(7, 3); h = (x * q + h * round(r * 0.4, 1)).tanh()",
    "string methods": "h = (x + h).tanh() if 'Tanh'.lower().startswith('t') else h",
    "min and max of numbers": "h = (x * max(1, self.rate) + h * min(self.rate, 2)).tanh()",
    "global read through a function": "h = helper(x + h, by=SETTINGS['rate']).tanh()",
}  # fmt: skip


def made(body):
    """A cell with a text as its forward's Python."""
    lines = "\n".join("        " + line for line in body.splitlines())
    space = {**globals(), "operator": operator, "OrderedDict": OrderedDict}
    exec(
        f"class Cell(nn.Module):\n    def forward(self, x, h):\n{lines}\n        return h, h", space
    )
    cell = space["Cell"]()
    cell.rate, cell.off, cell.names, cell.nothing = 0.5, False, ["a", "b"], None
    cell.kind, cell.mode, cell.inner = 2, Mode.SOFT, Squeezing()
    cell.parts = nn.ModuleList([nn.Linear(N, N), nn.Linear(N, N, bias=False)])
    cell.register_buffer("mask", tg.tensor(np.array([1.0, 0.0, 1.0, 0.5])))
    return cell.to(tg.float64)


def outcome(layer, k=0):
    x = tg.tensor(numbers((5, 3, N), 1 + k), requires_grad=True)
    h = tg.tensor(numbers((3, N), 2 + k), requires_grad=True)
    layer.zero_grad()
    y, last = layer(x, h)
    ((y * tg.tensor(numbers(y.shape, 3))).sum() + (last * last).sum()).backward()
    return [y.detach(), *(t.grad for t in (x, h, *layer.parameters()))]


def agree(layer, k):
    """The compiled call gives what the recorded loop gives; what it says of itself."""
    got, said = outcome(layer, k), layer.explain()
    layer.compiled = False
    expected = outcome(layer, k)
    layer.compiled = True
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert_close(a, b, 1e-12)
    return said


RECORDED = {
    "match of a tuple": "its bytecode has MATCH_SEQUENCE",
    "OrderedDict": "it makes a OrderedDict",
    "recursive with an end": "a function of it calls itself",
    "try": "forward catches exceptions",
    "try and finally": "forward catches exceptions",
    "set of tensors": "it makes a set of values whose order may change",
    "keyword-only default inside": "it makes a function with keyword-only defaults",
    "identity of two tensors": "it asks whether two values are the same object",
}


@pytest.mark.parametrize("name", PYTHON)
def test_a_step_of_any_python_gives_the_recorded_values(name, monkeypatch):
    """At the first call, at later ones, and after all that its Python reads has changed."""
    tg.manual_seed(3)
    layer = nn.Recurrent(made(PYTHON[name]))
    for k in range(3):
        said = agree(layer, k)
        if name in RECORDED:
            assert said.startswith("recorded")
            assert RECORDED[name] in said
        else:
            assert said.startswith("compiled"), said
    cell = layer.cell
    cell.rate, cell.kind, cell.mode, cell.nothing = 0.125, 1, Mode.HARD, 0
    cell.names.clear()
    agree(layer, 3)
    for key, value in {"rate": 0.25, "absent": 3.0, "names": ["b"]}.items():
        monkeypatch.setitem(SETTINGS, key, value)
    agree(layer, 4)
    monkeypatch.setattr(Squeezing, "bent", staticmethod(lambda v: v.sigmoid() * 3))
    monkeypatch.setattr(Squeezing, "half", 0.75)
    agree(layer, 5)
    cell.parts[1] = nn.Linear(N, N, dtype=tg.float64)
    cell.parts.append(nn.Linear(N, N, dtype=tg.float64))
    cell.absent, cell.mask = 2.0, tg.tensor(np.array([0.5, 2.0, 0.0, 1.0]))
    agree(layer, 6)
