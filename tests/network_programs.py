"""Networks made up from a seed, each written once and run twice: by the library, and by plain numpy.

What runs in numpy (:class:`Plain`) keeps a record of every application of a cell: which layer, at which
step, what came in and what left. A complex step at one use of a weight, or at one state, gives that use's or
that state's derivative; at one output, with all cells cut off from what they take, it tells what reads it.
Nothing of the library is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SIZE, BATCH, STEP = 3, 2, 1e-30


@dataclass(eq=False)
class Application:
    """One cell at one step: what came in and what left, by the names of the states."""

    owner: tuple  # which layer of which module, in which direction, and which run of it
    step: int
    x: np.ndarray
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]


@dataclass(eq=False)
class Use:
    """One use of a Parameter, by its key; ``step`` is None outside time and -1 where none is said."""

    key: int
    step: int | None


@dataclass
class Plan:
    """What a run in numpy moves: nothing, one use of a weight, or one state that left a cell."""

    use: int | None = None
    along: np.ndarray | None = None
    state: tuple[int, str] | None = None
    cut: bool = False  # whether cells hand on nothing of what moved


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


class Plain:
    """Runs a program in plain numpy on the values that :class:`Ours` drew."""

    def __init__(self, ours, plan=None):
        self.modules, self.plan = iter(ours.modules), plan or Plan()
        self.given = iter(ours.given)
        self.applications: list[Application] = []
        self.uses: list[Use] = []
        self.runs: dict[tuple, int] = {}

    # ---- what there is

    def x(self, *shape, grad=False):
        return next(self.given).numpy().astype(complex)

    def words(self, *shape):
        return next(self.given).numpy()

    def module(self, make):
        return PlainModule(self, next(self.modules))

    def tie(self, a, b, names):
        pass  # the modules of ours are tied already, and Parameters known by their keys

    def weight(self, p, step=None):
        """The value of a Parameter where it is used, moved if this use is the one."""
        self.uses.append(Use(p._node.key, step))
        value = p.numpy().astype(complex)
        if self.plan.use == len(self.uses) - 1:
            value = value + 1j * STEP * self.plan.along
        return value

    # ---- ops

    tanh, sigmoid = staticmethod(np.tanh), staticmethod(sigmoid)

    @staticmethod
    def relu(y):
        return np.where(y.real > 0, y, 0)

    @staticmethod
    def flip(y):
        return y[::-1]

    @staticmethod
    def cat(parts, axis=0):
        return np.concatenate(parts, axis)

    @staticmethod
    def stack(parts):
        return np.stack(parts)

    @staticmethod
    def mean(y):
        return y.mean(0, keepdims=True)

    @staticmethod
    def softmax(y, axis):
        e = np.exp(y)
        return e / e.sum(axis, keepdims=True)

    @staticmethod
    def detach(y):
        return tuple(a.real + 0j for a in y) if isinstance(y, tuple) else y.real + 0j

    @staticmethod
    def argmax(y):
        return y.real.argmax(-1)

    @staticmethod
    def swap(y):
        return y.swapaxes(0, 1)

    @staticmethod
    def steps(count, marked):
        return range(count)

    @staticmethod
    def ways(layer, mode):
        pass

    @staticmethod
    def drop(y, p):
        return y * 1.0

    # ---- cells

    def apply(self, owner, kind, weights, x, state, step):
        """One cell at one step: its record, and the states that it leaves."""
        if self.plan.cut:
            x_in, state_in = x.real + 0j, tuple(s.real + 0j for s in state)
        else:
            x_in, state_in = x, state
        names = ("h", "c")[: len(state)]
        w = [self.weight(p, step) for p in weights]
        k, plan = len(self.applications), self.plan
        moves = {plan.state[1]: 1j * STEP * plan.along} if plan.state and plan.state[0] == k else {}
        new = CELLS[kind](w, x_in, state_in, {} if plan.cut else moves)
        if plan.cut:
            new = tuple(v + moves.get(name, 0) for name, v in zip(names, new, strict=True))
        before, after = (dict(zip(names, v, strict=True)) for v in (state, new))
        self.applications.append(Application(owner, step, x, before, after))
        return new


def rnn(w, x, state, moves):
    (h,) = state
    return (np.tanh(x @ w[0].T + w[2] + h @ w[1].T + w[3]) + moves.get("h", 0),)


def lstm(w, x, state, moves):
    h, c = state
    i, f, g, o = np.split(x @ w[0].T + w[2] + h @ w[1].T + w[3], 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) + moves.get("c", 0)
    h = sigmoid(o) * np.tanh(c)
    return (h @ w[4].T if len(w) > 4 else h) + moves.get("h", 0), c


def gru(w, x, state, moves):
    (h,) = state
    a, b = np.split(x @ w[0].T + w[2], 3, -1), np.split(h @ w[1].T + w[3], 3, -1)
    r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
    n = np.tanh(a[2] + r * b[2])
    return ((1 - z) * n + z * h + moves.get("h", 0),)


CELLS = {"RNN": rnn, "LSTM": lstm, "GRU": gru}


class PlainModule:
    """What a module of ours computes, in numpy, with each use of a weight noted."""

    def __init__(self, net, module):
        self.net, self.module = net, module
        self.kind = type(module).__name__.removesuffix("Cell")

    def __getattr__(self, name):
        return getattr(self.module, name)

    def __call__(self, x, state=None, step=None, first=0, run=None):
        module, net = self.module, self.net
        if isinstance(module, nn.Linear):
            y = x @ net.weight(module.weight, step).T
            return y if module.bias is None else y + net.weight(module.bias, step)
        if isinstance(module, nn.Embedding):
            return net.weight(module.weight, step)[x]
        if isinstance(module, nn.LayerNorm):
            mean = x.mean(-1, keepdims=True)
            var = ((x - mean) ** 2).mean(-1, keepdims=True)
            y = (x - mean) / np.sqrt(var + module.eps)
            return y * net.weight(module.weight, step) + net.weight(module.bias, step)
        if isinstance(module, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
            weights = [module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh]
            parts = self.zeros(x) if state is None else state
            single = not isinstance(parts, tuple)
            new = net.apply(
                (id(module), 0, "", run), self.kind, weights, x, (parts,) if single else parts, step
            )
            return new if self.kind == "LSTM" else new[0]
        return self.layer(x, state, first)

    def zeros(self, x):
        h = np.zeros((x.shape[-2], self.module.hidden_size), complex)
        return (h, h) if self.kind == "LSTM" else (h,)

    def layer(self, x, state, first):
        """A layer of ours, its directions one after the other; (time, batch, features)."""
        m, net = self.module, self.net
        if m.batch_first:
            x = x.swapaxes(0, 1)
        number = net.runs[id(m)] = net.runs.get(id(m), -1) + 1
        lasts, y, ways = [], x, 1 + m.bidirectional
        for layer in range(m.num_layers):
            outs = []
            for way in range(ways):
                back = "_reverse" * way
                names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
                names += ["weight_hr"] * bool(getattr(m, "proj_size", 0))
                weights = [getattr(m, f"{n}_l{layer}{back}") for n in names]
                if state is None:
                    h = np.zeros((x.shape[1], getattr(m, "proj_size", 0) or m.hidden_size), complex)
                    c = np.zeros((x.shape[1], m.hidden_size), complex)
                    parts = (h, c) if self.kind == "LSTM" else (h,)
                else:
                    each = state if isinstance(state, tuple) else (state,)
                    parts = tuple(s[layer * ways + way] for s in each)
                ys, order = {}, range(len(y))
                for t in reversed(order) if way else order:
                    owner = (id(m), layer, back, number)
                    parts = net.apply(owner, self.kind, weights, y[t], parts, first + t)
                    ys[t] = parts[0]
                outs.append(np.stack([ys[t] for t in order]))
                lasts.append(parts)
            y = np.concatenate(outs, -1)
        last = tuple(np.stack([p[k] for p in lasts]) for k in range(len(lasts[0])))
        y = y.swapaxes(0, 1) if m.batch_first else y
        return y, last if self.kind == "LSTM" else last[0]


class Ours:
    """Runs a program by the library; draws what is given."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        tg.manual_seed(seed)
        self.modules, self.given = [], []

    def x(self, *shape, grad=False):
        t = tg.tensor(self.rng.normal(size=shape), dtype=tg.float64, requires_grad=grad)
        self.given.append(t)
        return t

    def words(self, *shape):
        self.given.append(tg.tensor(self.rng.integers(0, SIZE, shape)))
        return self.given[-1]

    def module(self, make):
        made = make().double()
        with tg.no_grad():  # no two alike, no bias of zeros
            for p in made.parameters():
                p.copy_(self.rng.uniform(-0.8, 0.8, p.shape))
        self.modules.append(made)
        return OurModule(self.modules[-1])

    def tie(self, a, b, names):
        for name in names:
            setattr(b.module, name, getattr(a.module, name))

    def weight(self, p, step=None):
        return p

    tanh, sigmoid, relu = staticmethod(tg.tanh), staticmethod(tg.sigmoid), staticmethod(tg.relu)
    cat, stack = staticmethod(tg.cat), staticmethod(tg.stack)

    @staticmethod
    def flip(y):
        return y.flip(0)

    @staticmethod
    def mean(y):
        return y.mean(0, keepdim=True)

    @staticmethod
    def softmax(y, axis):
        return y.softmax(axis)

    @staticmethod
    def detach(y):
        return tuple(a.detach() for a in y) if isinstance(y, tuple) else y.detach()

    @staticmethod
    def argmax(y):
        return y.argmax(-1)

    @staticmethod
    def swap(y):
        return y.transpose(0, 1)

    @staticmethod
    def steps(count, marked):
        return tg.steps(count) if marked else range(count)

    @staticmethod
    def ways(layer, mode):
        layer.module.compiled = mode

    @staticmethod
    def drop(y, p):
        return nn.functional.dropout(y, p, training=False)


class OurModule:
    """A module of ours, called without what only numpy has to be told."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(self.module, name)

    def __call__(self, x, state=None, step=None, first=0, run=None):
        if isinstance(self.module, nn.Linear | nn.Embedding | nn.LayerNorm):
            return self.module(x)
        return self.module(x, state)


# ---- programs ------------------------------------------------------------------------------------


KINDS = {"RNN": (nn.RNN, nn.RNNCell), "LSTM": (nn.LSTM, nn.LSTMCell), "GRU": (nn.GRU, nn.GRUCell)}


@dataclass
class Draws:
    """What chance decides about a program: the same for both runs of it."""

    seed: int
    rng: np.random.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed + 7)

    def one(self, options):
        return options[int(self.rng.integers(len(options)))]

    def coin(self, p=0.5):
        return bool(self.rng.random() < p)

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))


class Program:
    """A pool of sequences and states to which stages add; what is left over goes into the loss."""

    def __init__(self, net, d):
        self.net, self.d = net, d
        self.said = []  # what was done, in words
        self.layers = {}  # those there are, by their kind: to be used again
        self.sequences, self.states, self.terms = [], [], []

    def run(self):
        net, d = self.net, self.d
        self.count = d.one([2, 3, 3, 4, 5])
        self.add("x", net.x(self.count, BATCH, SIZE, grad=d.coin(0.15)))
        if d.coin(0.2):
            self.add("x2", net.x(d.one([2, 3, 4]), BATCH, SIZE))
        if d.coin(0.15):
            self.add(
                "emb",
                self.layer_like("emb", lambda: nn.Embedding(SIZE, SIZE))(
                    net.words(self.count, BATCH)
                ),
            )
        for _ in range(d.one([1, 2, 2, 3, 3, 4])):
            getattr(self, d.one(STAGES))()
        if not self.recurrent:
            self.recur()
        return self.loss()

    recurrent = False

    def add(self, what, y):
        self.said.append(what)
        self.sequences.append(y)
        return y

    def pick(self):
        """A sequence: most often the last one."""
        d = self.d
        k = len(self.sequences) - 1 if d.coin(0.65) else d.number(0, len(self.sequences) - 1)
        return self.sequences[k], k

    def layer_like(self, key, make):
        """A module of a kind: one that there is, or a new one."""
        there = self.layers.setdefault(key, [])
        if there and self.d.coin(0.3):
            self.said.append(f"again {key}")
            return self.d.one(there)
        made = self.net.module(make)
        there.append(made)
        return made

    # ---- stages

    def recur(self):
        """A layer over a sequence, of whatever options, from whatever state."""
        net, d = self.net, self.d
        y, k = self.pick()
        kind = d.one(list(KINDS))
        options = {"num_layers": d.one([1, 1, 1, 2]), "bidirectional": d.coin(0.15)}
        options["batch_first"] = d.coin(0.1)
        if kind == "LSTM" and d.coin(0.1):
            options["proj_size"] = 2
        layer = self.layer_like(
            (kind, *options.items()), lambda: KINDS[kind][0](SIZE, SIZE, **options)
        )
        net.ways(layer, d.coin(0.6))
        rows = options["num_layers"] * (1 + options["bidirectional"])
        state, first = None, 0
        fits = [s for s in self.states if s[1] == (kind, rows, options.get("proj_size"))]
        if fits and d.coin(0.5):
            state, _, owner, after = d.one(fits)
            how = d.one(["as it is", "detached", "halved"])
            if how == "detached":
                state = net.detach(state)
            if how == "halved":
                state = tuple(0.5 * s for s in state) if isinstance(state, tuple) else 0.5 * state
            if owner is layer and not options["bidirectional"] and how != "halved":
                first = after
            self.said.append(f"from a state, {how}")
        elif d.coin(0.15) and not options.get("proj_size"):
            h = net.x(rows, BATCH, SIZE, grad=d.coin())
            state = (h, net.x(rows, BATCH, SIZE)) if kind == "LSTM" else h
            self.said.append("from a given state")
        self.said.append(f"{kind} {options} over {k}")
        single = d.coin(0.15) and not options["bidirectional"]
        if single:
            y, state = self.stepwise(layer, y, state, first, options)
        else:
            y, state = layer(net.swap(y) if options["batch_first"] else y, state, first=first)
            y = net.swap(y) if options["batch_first"] else y
        self.recurrent = True
        self.states.append((state, (kind, rows, options.get("proj_size")), layer, first + len(y)))
        if y.shape[-1] != SIZE:
            y = self.narrowed(y, layer)
        self.sequences.append(y)

    def stepwise(self, layer, y, state, first, options):
        """A layer called one step at a time."""
        net, marked = self.net, self.d.coin()
        marked = marked and first == 0
        self.said.append("one step at a time" + " marked" * marked)
        ys = []
        for t in net.steps(len(y), marked):
            y_t = y[t : t + 1]
            y_t, state = layer(
                net.swap(y_t) if options["batch_first"] else y_t, state, first=first + t
            )
            ys.append(net.swap(y_t) if options["batch_first"] else y_t)
        return net.cat(ys), state

    def narrowed(self, y, layer):
        """Back to the usual size: two directions summed, or a Linear."""
        if y.shape[-1] == 2 * SIZE and self.d.coin():
            self.said.append("directions summed")
            return y[..., :SIZE] + y[..., SIZE:]
        size = y.shape[-1]
        self.said.append("linear")
        return self.layer_like(("linear", size), lambda: nn.Linear(size, SIZE))(y)

    def between(self):
        """One op on a sequence."""
        net, d = self.net, self.d
        y, k = self.pick()
        what = d.one(list(OPS))
        self.add(f"{what} of {k}", OPS[what](self, net, y))

    def joined(self):
        """Two sequences in one: a residual, a product, joined features or joined in time."""
        net, d = self.net, self.d
        (a, j), (b, k) = self.pick(), self.pick()
        n = min(len(a), len(b))
        how = d.one(["+", "*", "features", "time"])
        if how == "time":
            y = net.cat([a, b])
            y = y[: self.count + 1]
        elif how == "features":
            y = self.layer_like(("linear", 2 * SIZE), lambda: nn.Linear(2 * SIZE, SIZE))(
                net.cat([a[:n], b[:n]], -1)
            )
        else:
            y = a[:n] + b[:n] if how == "+" else a[:n] * b[:n]
        self.add(f"{j} {how} {k}", y)

    def repeated(self):
        """One vector at every step: the last output, the mean, a last state."""
        net, d = self.net, self.d
        y, k = self.pick()
        how = d.one(["last", "mean", "first", "last two"])
        v = {
            "last": lambda: y[-1],
            "first": lambda: y[0],
            "mean": lambda: net.mean(y)[0],
            "last two": lambda: y[-1] + y[-2 if len(y) > 1 else -1],
        }[how]()
        self.add(f"{how} of {k} repeated", net.stack([v] * d.one([2, 3])))

    def exchanged(self):
        """A loop over two cells, each at every step, maybe on each other's state of the step before."""
        net, d = self.net, self.d
        y, k = self.pick()
        kind = d.one(["RNN", "GRU", "LSTM"])
        one, two = (
            self.layer_like(("cell", kind), lambda: KINDS[kind][1](SIZE, SIZE)) for _ in "ab"
        )
        stacked, swapped, marked = d.coin(), d.coin(0.3), d.coin()
        if one is two:
            swapped = False
        self.said.append(
            f"two cells {kind} over {k}: stacked {stacked}, swapped {swapped}, "
            f"marked {marked}, same {one is two}"
        )
        h = (net.zeros(2),) * 2 if kind == "LSTM" else net.zeros(2)
        a = b = h
        ys = []
        for t in net.steps(len(y), marked):
            if swapped:
                a, b = b, a
            a = one(y[t], a, step=t, run=("one", len(self.said)))
            out = a[0] if kind == "LSTM" else a
            b = two(out if stacked else y[t], b, step=t, run=("two", len(self.said)))
            ys.append(b[0] if kind == "LSTM" else b)
        self.recurrent = True
        self.add("", net.stack(ys))
        if not stacked:
            self.terms.append(a[0] if kind == "LSTM" else a)

    def looped(self):
        """A cell in a loop of one's own: dilated, cut, with its own output fed back, with a head."""
        net, d = self.net, self.d
        y, k = self.pick()
        kind = d.one(list(KINDS))
        cell = self.layer_like(("cell", kind), lambda: KINDS[kind][1](SIZE, SIZE))
        marked = d.coin()
        how = d.one(
            [
                "plain",
                "dilated",
                "cut",
                "fed",
                "argmax",
                "head",
                "teacher",
                "attention",
                "backwards",
            ]
        )
        back = d.one([2, 3]) if how == "dilated" else 1
        head = None
        if how in ("fed", "argmax", "head", "teacher"):
            head = self.layer_like("head", lambda: nn.Linear(SIZE, SIZE))
        table = None
        if how == "argmax":
            table = self.layer_like("emb", lambda: nn.Embedding(SIZE, SIZE))
        self.said.append(f"loop {kind} over {k}: {how} {back}, marked {marked}")
        zero = (net.zeros(2),) * 2 if kind == "LSTM" else net.zeros(2)
        if kind != "LSTM" and d.coin(0.3):
            self.said.append("from the last of it")
            zero = y[-1]
        states, fed, ys = [zero] * back, y[0], []
        order = range(len(y))
        for n, t in enumerate(net.steps(len(y), marked)):
            x_t = fed if how in ("fed", "argmax") else y[t]
            if how == "backwards":
                x_t = y[len(y) - 1 - t]
            if how == "teacher" and n % 2 and n:
                x_t = fed
            h = states[-back]
            if how == "attention":
                q = h[0] if kind == "LSTM" else h
                w = net.softmax((y * q).sum(-1)[..., None], 0)
                x_t = x_t + (w * y).sum(0)
            # cells that start from zeros in turn are runs of their own where no loop says a step
            new = cell(x_t, h, step=-1 if back > 1 and not marked else t, run=len(self.said))
            out = new[0] if kind == "LSTM" else new
            if how in ("fed", "teacher"):
                fed = head(out, step=t if marked else -1)
            elif how == "argmax":
                scores = head(out, step=t if marked else -1)
                self.terms.append(scores * scores)
                fed = table(net.argmax(scores), step=t if marked else -1)
            elif how == "head":
                ys.append(head(out, step=t if marked else -1))
            if how == "cut" and n == 1:
                new = net.detach(new)
            states.append(new)
            if how != "head":
                ys.append(out)
        del order
        self.recurrent = True
        self.add("", net.stack(ys))

    def tied(self):
        """Two layers with some weights in common, one over the other or beside it."""
        net, d = self.net, self.d
        y, k = self.pick()
        kind = d.one(list(KINDS))
        a, b = (net.module(lambda: KINDS[kind][0](SIZE, SIZE)) for _ in "ab")
        names = ["weight_hh_l0", "weight_ih_l0", "bias_hh_l0"][: d.number(1, 3)]
        net.tie(a, b, names)
        over = d.coin()
        self.said.append(f"tied {kind} over {k}: {names}, stacked {over}")
        u = a(y)[0]
        v = b(u if over else y)[0]
        self.recurrent = True
        self.add("", v if over else u + v)

    def loss(self):
        """Everything that nothing took, and some of the rest."""
        net, d = self.net, self.d
        y = self.sequences[-1]
        how = d.one(["last", "all", "mean", "head", "two steps", "product", "last k"])
        self.said.append(f"loss {how}")
        if how == "last":
            total = (y[-1] * y[-1]).sum()
        elif how == "mean":
            m = net.mean(y)
            total = (m * m).sum()
        elif how == "head":
            h = self.layer_like("head", lambda: nn.Linear(SIZE, SIZE))(y)
            total = (h * h).sum()
        elif how == "two steps":
            total = (y[0] * y[-1] * y[-1]).sum()
        elif how == "product" and len(self.sequences) > 1:
            total = (y[-1] * self.sequences[-2][-1]).sum() + (y[-1] * y[-1]).sum()
        elif how == "last k":
            m = net.mean(y[-2:])
            total = (m * m).sum()
        else:
            total = (y * y).sum()
        for term in self.terms:
            total = total + (term * term).sum()
        if self.states and d.coin(0.3):
            state = d.one(self.states)[0]
            s = state[d.number(0, 1)] if isinstance(state, tuple) else state
            self.said.append("and a last state")
            total = total + (s[-1] * s[0]).sum()
        if len(self.sequences) > 2 and d.coin(0.3):
            other = d.one(self.sequences[:-1])
            self.said.append("and another sequence")
            total = total + (other * other).sum() * 0.3
        return total


def _zeros(net):
    return (
        tg.zeros(BATCH, SIZE, dtype=tg.float64)
        if isinstance(net, Ours)
        else np.zeros((BATCH, SIZE), complex)
    )


Ours.zeros = Plain.zeros = lambda self, n: _zeros(self)

OPS = {
    "flip": lambda p, net, y: net.flip(y),
    "centred": lambda p, net, y: y - net.mean(y),
    "linear": lambda p, net, y: p.layer_like(("linear", SIZE), lambda: nn.Linear(SIZE, SIZE))(y),
    "norm": lambda p, net, y: p.layer_like("norm", lambda: nn.LayerNorm(SIZE))(y),
    "tanh": lambda p, net, y: net.tanh(y),
    "gate": lambda p, net, y: y * net.sigmoid(y),
    "shift": lambda p, net, y: y[1:] if len(y) > 1 else y,
    "every other": lambda p, net, y: y[::2],
    "no dropout": lambda p, net, y: net.drop(y, 0.3),
    "detach": lambda p, net, y: net.detach(y),
    "delayed": lambda p, net, y: net.cat([y[:1] * 0.5, y[:-1]]) if len(y) > 1 else y,
    "rolled": lambda p, net, y: net.cat([y[1:], y[:1]]),
    "attention": lambda p, net, y: net.swap(
        net.softmax(net.swap(y) @ net.swap(y).swapaxes(1, 2), -1) @ net.swap(y)
    ),
}
STAGES = [
    "recur",
    "recur",
    "recur",
    "recur",
    "between",
    "between",
    "joined",
    "repeated",
    "looped",
    "looped",
    "exchanged",
    "tied",
]


def both(seed):
    """(loss of ours, what ours drew, the program as said)."""
    ours = Ours(seed)
    program = Program(ours, Draws(seed))
    return program.run(), ours, program


def plain(seed, ours, plan=None):
    """(the loss in numpy, the record)."""
    net = Plain(ours, plan)
    return Program(net, Draws(seed)).run(), net
