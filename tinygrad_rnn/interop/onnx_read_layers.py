"""What do ONNX's RNN, LSTM and GRU nodes become? Our layers, or loops over cells with ONNX's options.

ONNX orders gates i, o, f, c (LSTM) and z, r, h (GRU), peepholes i, o, f; ours are PyTorch's: i, f, g, o
and r, z, n, peepholes i, f, o. The operators' documentation (opset 14) is the source of the equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import nn
from ..autograd import Array
from ..functions import cat, clip, where
from ..nn import functional as f
from ..nn.cells import Cell
from ..nn.functional import linear
from ..nn.module import Module
from ..nn.naming import name_all
from ..tensors import Tensor

Curve = tuple[str, float, float]  # an activation: its name in lower case, alpha, beta

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
ORDER = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}  # ONNX's block for each of ours
USUAL = {"RNN": ("tanh",), "LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}
DEFAULTS: dict[str, tuple[float | None, float | None]] = {  # (alpha, beta); None: it takes none
    "relu": (None, None),
    "tanh": (None, None),
    "sigmoid": (None, None),
    "softsign": (None, None),
    "softplus": (None, None),
    "affine": (1.0, 0.0),
    "leakyrelu": (0.01, None),
    "thresholdedrelu": (1.0, None),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, None),
}


class CannotSay(ValueError):  # noqa: N818 (an answer, not a mistake)
    """Why a node has no layer, in words."""


def activate(curve: Curve, x: Tensor) -> Tensor:
    """One of ONNX's activations of a recurrent node."""
    name, alpha, beta = curve
    if name == "sigmoid":
        return x.sigmoid()
    if name == "tanh":
        return x.tanh()
    if name == "relu":
        return x.relu()
    if name == "hardsigmoid":
        return clip(x * alpha + beta, 0.0, 1.0)
    if name == "leakyrelu":
        return f.leaky_relu(x, alpha)
    if name == "elu":
        return f.elu(x, alpha)
    if name == "affine":
        return x * alpha + beta
    if name == "scaledtanh":
        return (x * beta).tanh() * alpha
    if name == "thresholdedrelu":
        return where(x > alpha, x, 0.0)
    if name == "softplus":
        return f.softplus(x)
    return x / (x.abs() + 1.0)  # softsign


def curves(kind: str, attributes: dict[str, Any], ways: int) -> list[tuple[Curve, ...]]:
    """The activations of each direction; alphas and betas go, in order, to those that take one."""
    given = attributes.get("activations") or USUAL[kind] * ways
    names = [str(name).lower() for name in given]
    count = len(USUAL[kind])
    if len(names) != count * ways:
        raise CannotSay(f"{len(names)} activations for {ways} direction(s), expected {count} each")
    alphas = list(attributes.get("activation_alpha") or ())
    betas = list(attributes.get("activation_beta") or ())
    found: list[Curve] = []
    for name in names:
        if name not in DEFAULTS:
            raise CannotSay(f"the activation {name!r} is not one of {', '.join(DEFAULTS)}")
        alpha, beta = DEFAULTS[name]
        if alpha is not None and alphas:
            alpha = float(alphas.pop(0))
        if beta is not None and betas:
            beta = float(betas.pop(0))
        found.append((name, alpha or 0.0, beta or 0.0))
    return [tuple(found[way * count : (way + 1) * count]) for way in range(ways)]


# ---- cells with ONNX's options ---------------------------------------------------------------------


class OnnxRNNCell(nn.RNNCell):
    """ONNX's RNN with any activation f and a bound on what enters it.

    ``h_t = f(clip(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh))``
    """

    equations: dict[str, str] = {  # noqa: RUF012
        "z": "W_ih x + b_ih + W_hh h' + b_hh",
        "h": "f(z)",
    }

    def __init__(
        self, sizes: tuple[int, int], bias: bool, curves: tuple[Curve, ...], bound: float | None
    ) -> None:
        super().__init__(*sizes, bias=bias)
        self.curves, self.bound = curves, bound

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equation: (h, h)."""
        z = linear(x, self.weight_ih, self.bias_ih) + linear(state, self.weight_hh, self.bias_hh)
        if self.bound is not None:
            z = clip(z, -self.bound, self.bound)
        h = activate(self.curves[0], z)
        name_all(z=z, h=h)
        return h, h


class OnnxLSTMCell(nn.PeepholeLSTMCell):
    """ONNX's LSTM with activations f, g, h of its own, a bound on what enters them, and coupled gates.

    ``i = f(z_i + p_i * c_{t-1})``; ``f = f(z_f + p_f * c_{t-1})``, or ``1 - i`` where gates are coupled;
    ``c_t = f * c_{t-1} + i * g(z_g)``; ``o = f(z_o + p_o * c_t)``; ``h_t = o * h(c_t)``
    """

    squashed: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        sizes: tuple[int, int],
        bias: bool,
        curves: tuple[Curve, ...],
        bound: float | None,
        coupled: bool,
    ) -> None:
        super().__init__(*sizes, bias=bias)
        self.curves, self.bound, self.coupled = curves, bound, coupled

    def bounded(self, z: Tensor) -> Tensor:
        """What enters an activation."""
        return z if self.bound is None else clip(z, -self.bound, self.bound)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The equations: (h, (h, c))."""
        h, c = state
        gate, inner, outer = self.curves
        z = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = z.chunk(4, -1)
        p_i, p_f, p_o = self.weight_peephole.chunk(3)
        i = activate(gate, self.bounded(i + p_i * c))
        f = 1 - i if self.coupled else activate(gate, self.bounded(f + p_f * c))
        g = activate(inner, self.bounded(g))
        c = f * c + i * g
        o = activate(gate, self.bounded(o + p_o * c))
        h = o * activate(outer, c)
        name_all(z=z, i=i, f=f, g=g, o=o, c=c, h=h)
        return h, (h, c)


class OnnxGRUCell(nn.GRUCell):
    """ONNX's GRU with activations f and g of its own and a bound on what enters them.

    ``r, z = f(...)``; ``n = g(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))``, or with the reset before the
    product; ``h_t = (1 - z) * n + z * h_{t-1}``
    """

    squashed: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        sizes: tuple[int, int],
        bias: bool,
        curves: tuple[Curve, ...],
        bound: float | None,
        reset_after: bool,
    ) -> None:
        super().__init__(*sizes, bias=bias, reset_after=reset_after)
        self.curves, self.bound = curves, bound

    def bounded(self, z: Tensor) -> Tensor:
        """What enters an activation."""
        return z if self.bound is None else clip(z, -self.bound, self.bound)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations: (h, h)."""
        h = state
        gate, inner = self.curves
        H = self.hidden_size  # noqa: N806 (the equation's name)
        x_r, x_z, x_n = linear(x, self.weight_ih, self.bias_ih).chunk(3, -1)
        both = None if self.bias_hh is None else self.bias_hh[: 2 * H]
        last = None if self.bias_hh is None else self.bias_hh[2 * H :]
        h_r, h_z = linear(h, self.weight_hh[: 2 * H], both).chunk(2, -1)
        r = activate(gate, self.bounded(x_r + h_r))
        z = activate(gate, self.bounded(x_z + h_z))
        if self.reset_after:
            n = x_n + r * linear(h, self.weight_hh[2 * H :], last)
        else:
            n = x_n + linear(r * h, self.weight_hh[2 * H :], last)
        n = activate(inner, self.bounded(n))
        h = (1 - z) * n + z * h
        name_all(r=r, z=z, n=n, h=h)
        return h, h


# ---- a node ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Weights:
    """A node's arrays: W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H) or None, P (D, 3*H) or None."""

    W: Array
    R: Array
    B: Array | None
    P: Array | None


class OnnxRecurrent(Module):
    """One RNN, LSTM or GRU node of ONNX as a layer: ``layer`` holds the weights under PyTorch's names.

    Takes x (time, batch, features), lengths (batch,) or None and first states (directions, batch, H) or
    None; returns the outputs (time, batch, directions * H) and the last states (directions, batch, H).
    Steps beyond a sequence's length give 0, and so does the state of a sequence of length 0, as
    onnxruntime has it. Raises ValueError for shapes that do not fit.
    """

    def __init__(self, kind: str, attributes: dict[str, Any], weights: Weights) -> None:
        super().__init__()
        self.kind, self.direction = kind, str(attributes.get("direction", "forward"))
        ways = 2 if self.direction == "bidirectional" else 1
        if self.direction not in ("forward", "reverse", "bidirectional"):
            raise CannotSay(f"the direction {self.direction!r} is none of ONNX's three")
        _check(kind, weights, ways, attributes.get("hidden_size"))
        self.ways, self.hidden_size = ways, weights.R.shape[2]
        make = _Maker(kind, attributes, weights, curves(kind, attributes, ways))
        self.layer: Any = make.layer()

    def forward(self, x: Tensor, lengths: Any = None, states: Sequence[Any] = ()) -> Any:
        """The node's outputs; see the class."""
        steps, batch = x.shape[:2]
        if lengths is not None and (lengths == steps).all():
            lengths = None
        back = self.direction == "reverse"
        if back:
            x = _turned(x, lengths)
        given = [s for s in states if s is not None]
        if given and len(given) < self._parts:  # ONNX: what is not given is 0
            zero = Tensor(np.zeros((self.ways, batch, self.hidden_size)), x.dtype)
            given = [zero if s is None else s for s in (*states, *[None] * self._parts)]
            given = given[: self._parts]
        y, last = self._run(x, lengths, given)
        if back:
            y = _turned(y, lengths)
        if lengths is not None and not lengths.all():
            ended = Tensor((lengths == 0)[None, :, None])
            last = [where(ended, 0.0, state) for state in last]
        return y, last

    @property
    def _parts(self) -> int:
        return 2 if self.kind == "LSTM" else 1

    def _run(self, x: Tensor, lengths: Any, given: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The layer's own call, whose states nest as the layer has them."""
        if not isinstance(self.layer, nn.Recurrent):
            state: Any = None
            if given:
                state = tuple(given) if self.kind == "LSTM" else given[0]
            y, last = self.layer(x, state, lengths=lengths)
            return y, list(last) if self.kind == "LSTM" else [last]
        each = [
            tuple(s[way] for s in given) if self.kind == "LSTM" else given[0][way]
            for way in range(self.ways if given else 0)
        ]
        start: Any = None
        if given:
            start = each[0] if self.ways == 1 else tuple(each)
        y, last = self.layer(x, start, lengths=lengths)
        ends = [last] if self.ways == 1 else list(last)
        rows = [end if self.kind == "LSTM" else (end,) for end in ends]
        return y, [
            rows[0][k].unsqueeze(0) if self.ways == 1 else cat([r[k].unsqueeze(0) for r in rows], 0)
            for k in range(self._parts)
        ]

    def extra_repr(self) -> str:
        """The node's kind and direction."""
        return f"{self.kind}, {self.direction}"


def _check(kind: str, w: Weights, ways: int, hidden: Any) -> None:
    """Raise CannotSay where the arrays' shapes are not those of one node."""
    rows = GATES[kind]
    if w.R.ndim != 3 or w.W.ndim != 3:
        raise CannotSay(f"W has shape {w.W.shape} and R {w.R.shape}, expected three axes each")
    size = w.R.shape[2]
    wanted = {
        "W": (w.W, (ways, rows * size, w.W.shape[2])),
        "R": (w.R, (ways, rows * size, size)),
        "B": (w.B, (ways, 2 * rows * size)),
        "P": (w.P, (ways, 3 * size)),
    }
    for name, (array, shape) in wanted.items():
        if array is not None and array.shape != shape:
            raise CannotSay(f"{name} has shape {array.shape}, expected {shape}")
        if array is not None and array.dtype not in (np.float32, np.float64):
            raise CannotSay(f"{name} holds {array.dtype}, expected float32 or float64")
    if hidden is not None and int(hidden) != size:
        raise CannotSay(f"hidden_size is {hidden}, and R has shape {w.R.shape}")


@dataclass(slots=True)
class _Maker:
    """How a node's layer is made."""

    kind: str
    attributes: dict[str, Any]
    weights: Weights
    curves: list[tuple[Curve, ...]]

    def layer(self) -> Module:
        """PyTorch's layer where its equations are the node's, else the loop over cells of ONNX's."""
        w, ways = self.weights, len(self.curves)
        if self._plain():
            options: dict[str, Any] = {"bias": w.B is not None, "bidirectional": ways == 2}
            if self.kind == "RNN":
                options["nonlinearity"] = self.curves[0][0][0]
            elif self.kind == "LSTM":
                options["peephole"] = w.P is not None
            else:
                options["reset_after"] = self._after()
            layer = getattr(nn, self.kind)(w.W.shape[2], w.R.shape[2], **options)
            cells: list[Cell] = layer.cells()
        else:
            cells = [self._cell(way) for way in range(ways)]
            layer = nn.Recurrent(cells[0], reverse=cells[1] if ways == 2 else None)
        layer.to(w.W.dtype)
        for way, cell in enumerate(cells):
            for name, array in self._entries(way).items():
                parameter = getattr(cell, name)
                parameter._install(np.array(array, w.W.dtype), "from_onnx")
        return layer  # type: ignore[no-any-return]

    def _after(self) -> bool:
        return bool(self.attributes.get("linear_before_reset", 0))

    def _plain(self) -> bool:
        """Whether our own layer computes the node."""
        names = {tuple(name for name, _, _ in each) for each in self.curves}
        usual = {USUAL[self.kind]}
        if self.kind == "RNN":
            usual.add(("relu",))
        extra = self.attributes.get("clip") is not None or self.attributes.get("input_forget")
        return len(names) == 1 and names <= usual and not extra

    def _cell(self, way: int) -> Cell:
        w = self.weights
        sizes, bias = (w.W.shape[2], w.R.shape[2]), w.B is not None
        clip = self.attributes.get("clip")
        bound = None if clip is None else float(clip)
        if self.kind == "RNN":
            return OnnxRNNCell(sizes, bias, self.curves[way], bound)
        if self.kind == "GRU":
            return OnnxGRUCell(sizes, bias, self.curves[way], bound, self._after())
        coupled = bool(self.attributes.get("input_forget", 0))
        return OnnxLSTMCell(sizes, bias, self.curves[way], bound, coupled)

    def _entries(self, way: int) -> dict[str, Array]:
        """A cell's Parameters by name, in our order of gates."""
        w, order = self.weights, ORDER[self.kind]

        def rows(array: Array, order: tuple[int, ...] = order) -> Array:
            blocks = np.split(array, len(order))
            return np.concatenate([blocks[k] for k in order])

        found = {"weight_ih": rows(w.W[way]), "weight_hh": rows(w.R[way])}
        if w.B is not None:
            of_x, of_h = np.split(w.B[way], 2)
            found |= {"bias_ih": rows(of_x), "bias_hh": rows(of_h)}
        if w.P is not None:
            found["weight_peephole"] = rows(w.P[way], (0, 2, 1))
        return found


def _turned(x: Tensor, lengths: Any) -> Tensor:
    """The steps that count, (time, batch, ...), in the other order; padding stays where it is."""
    if lengths is None:
        return x.flip(0)
    steps = np.arange(x.shape[0])[:, None]
    there = np.where(steps < lengths, lengths - 1 - steps, steps)
    return x[there, np.arange(x.shape[1])[None]]


# ---- outputs as ONNX lays them out -------------------------------------------------------------------


class Lanes:
    """A recurrent node's Y, (time, directions, batch, H) or another order of those axes, not yet laid out.

    What stands between two layers in a file (a Squeeze of the direction's axis, a Transpose and a Reshape
    that join the directions) gives back the layer's own (time, batch, directions * H), so that the graph
    holds no op that moves nothing.
    """

    def __init__(self, y: Tensor, ways: int, order: str) -> None:
        self.y, self.ways, self.order = y, ways, order

    def tensor(self) -> Tensor:
        """Y itself."""
        steps, batch, features = self.y.shape
        open_y = self.y.reshape(steps, batch, self.ways, features // self.ways)
        return open_y.permute([("TBDH").index(axis) for axis in self.order])

    def _in_order(self, order: str) -> Tensor | None:
        """(time, batch, features) or (batch, time, features)."""
        if order == "TBH":
            return self.y
        return self.y.transpose(0, 1) if order == "BTH" else None

    def squeezed(self, axes: tuple[int, ...] | None) -> Tensor | None:
        """Without its axis of directions, where there is one direction and nothing else is squeezed."""
        at = self.order.index("D")
        if axes is None or self.ways != 1 or {k % 4 for k in axes} != {at}:
            return None
        return self._in_order(self.order.replace("D", ""))

    def permuted(self, axes: Sequence[int]) -> Lanes:
        """Its axes in another order."""
        return Lanes(self.y, self.ways, "".join(self.order[k] for k in axes))

    def reshaped(self, shape: tuple[int, ...]) -> Tensor | None:
        """With the directions joined along the features, if that is what the shape says."""
        if len(shape) != 3 or not self.order.endswith("DH"):
            return None
        found = self._in_order(self.order.replace("D", ""))
        sides = () if found is None else found.shape
        fits = all(n in (-1, 0, side) for n, side in zip(shape, sides, strict=True)) if sides else 0
        return found if fits and shape.count(-1) < 2 and shape[2] != 0 else None
