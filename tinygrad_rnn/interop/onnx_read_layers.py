"""What do ONNX's RNN, LSTM and GRU nodes become? Layers, by ONNX's rows of the table of conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.values import Array
from ..nn.module import Module
from ..tensors import Tensor
from ..tensors.several import cat, where
from .packing import WeightsError
from .weights import from_weights

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
ACTIVATIONS = {"RNN": 1, "LSTM": 3, "GRU": 2}  # a direction
AROUND = (
    "direction",
    "hidden_size",
    "layout",
    "output_sequence",
)  # attributes that are no rule of a cell


class OnnxRecurrent(Module):
    """One RNN, LSTM or GRU node of ONNX: ``layer`` holds the weights under PyTorch's names.

    ``arrays`` are W (D, G*H, I), R (D, G*H, H) and, where the node has them, B (D, 2*G*H) and P (D, 3*H).
    Takes x (time, batch, features), lengths (batch,) or None and first states (directions, batch, H) or
    None; returns the outputs (time, batch, directions * H) and the last states (directions, batch, H).
    Steps beyond a sequence's length give 0, and so does the state of a sequence of length 0, as
    onnxruntime has it. Where the two directions have activations of their own there is a ``second`` layer.
    Raises WeightsError for arrays or attributes that do not fit.
    """

    def __init__(
        self, kind: str, attributes: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        super().__init__()
        self.kind, self.direction = kind, str(attributes.get("direction", "forward"))
        _check(kind, self.direction, attributes.get("hidden_size"), arrays)
        self.ways, self.hidden_size = len(arrays["W"]), int(arrays["R"].shape[2])
        config = {k: v for k, v in attributes.items() if k not in AROUND}
        names = [str(a).lower() for a in config.get("activations", ())]
        half = ACTIVATIONS[kind]
        self.second: Any = None
        if len(names) == 2 * half and not _alike(config, names, half):
            one, two = _parted(config, names, half)
            self.layer = self._read(arrays, one, "forward", 0)
            self.second = self._read(arrays, two, "reverse", 1)
        else:
            self.layer = self._read(arrays, config, self.direction)

    def _read(
        self,
        arrays: Mapping[str, Array],
        config: Mapping[str, Any],
        direction: str,
        way: int | None = None,
    ) -> Any:
        """The layer of all directions, or of one."""
        rows = slice(None) if way is None else slice(way, way + 1)
        given = {name: array[rows] for name, array in arrays.items()}
        return from_weights(given, "onnx", layer=self.kind, config=config, direction=direction)

    def forward(self, x: Tensor, lengths: Any = None, states: Sequence[Any] = ()) -> Any:
        """The node's outputs; see the class."""
        if lengths is not None and (lengths == x.shape[0]).all():
            lengths = None
        count = 2 if self.kind == "LSTM" else 1
        given = [*states, None, None][:count]
        if any(s is not None for s in given):  # ONNX: what is not given is 0
            zero = Tensor._made(np.zeros((self.ways, x.shape[1], self.hidden_size)), x.dtype)
            given = [zero if s is None else s for s in given]
        if self.second is None:
            y, last = _called(self.layer, x, lengths, given)
        else:
            y, last = _called(self.layer, x, lengths, [s if s is None else s[:1] for s in given])
            z, first = _called(self.second, x, lengths, [s if s is None else s[1:] for s in given])
            y, last = cat([y, z], -1), [cat(pair, 0) for pair in zip(last, first, strict=True)]
        if lengths is not None and not lengths.all():
            some = Tensor._made((lengths > 0)[None, :, None])
            last = [where(some, state, 0.0) for state in last]
        return y, last

    def extra_repr(self) -> str:
        """The node's kind and direction."""
        return f"{self.kind}, {self.direction}"


def _called(layer: Any, x: Tensor, lengths: Any, given: list[Any]) -> tuple[Tensor, list[Tensor]]:
    """A layer's call; its states are a list."""
    state = given[0] if len(given) == 1 or given[0] is None else tuple(given)
    y, last = layer(x, state, lengths=lengths)
    return y, list(last) if isinstance(last, tuple) else [last]


def _check(kind: str, direction: str, hidden: Any, arrays: Mapping[str, Array]) -> None:
    """Raise WeightsError where the arrays' shapes are not those of the node."""
    if direction not in ("forward", "reverse", "bidirectional"):
        raise WeightsError(f"the direction {direction!r} is none of ONNX's three")
    ways, rows = (2 if direction == "bidirectional" else 1), GATES[kind]
    w, r = arrays["W"], arrays["R"]
    if w.ndim != 3 or r.ndim != 3:
        raise WeightsError(f"W has shape {w.shape} and R {r.shape}, expected three axes each")
    size = r.shape[2]
    wanted = {
        "W": (ways, rows * size, w.shape[2]),
        "R": (ways, rows * size, size),
        "B": (ways, 2 * rows * size),
        "P": (ways, 3 * size),
    }
    for name, array in arrays.items():
        if array.shape != wanted[name]:
            raise WeightsError(f"{name} has shape {array.shape}, expected {wanted[name]}")
        if array.dtype not in (np.float32, np.float64):
            raise WeightsError(f"{name} holds {array.dtype}, expected float32 or float64")
    if hidden is not None and int(hidden) != size:
        raise WeightsError(f"hidden_size is {hidden}, and R has shape {r.shape}")


# ---- two directions with activations of their own ----------------------------------------------------

TAKES = {  # alpha, beta
    "activation_alpha": [
        "affine",
        "leakyrelu",
        "thresholdedrelu",
        "scaledtanh",
        "hardsigmoid",
        "elu",
    ],
    "activation_beta": ["affine", "scaledtanh", "hardsigmoid"],
}


def _parted(
    config: Mapping[str, Any], names: list[str], half: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of each direction: alphas and betas go, in order, to the activations that take one."""
    one, two = dict(config), dict(config)
    one["activations"], two["activations"] = names[:half], names[half:]
    for key, takers in TAKES.items():
        values = list(config.get(key) or ())
        cut = sum(name in takers for name in names[:half])
        one[key], two[key] = values[:cut], values[cut:]
    return one, two


def _alike(config: Mapping[str, Any], names: list[str], half: int) -> bool:
    one, two = _parted(config, names, half)
    return one == two


# ---- outputs as ONNX lays them out -------------------------------------------------------------------


class OnnxOutput:
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

    def permuted(self, axes: Sequence[int]) -> OnnxOutput:
        """Its axes in another order."""
        return OnnxOutput(self.y, self.ways, "".join(self.order[k] for k in axes))

    def reshaped(self, shape: tuple[int, ...]) -> Tensor | None:
        """With the directions joined along the features, if that is what the shape says."""
        if len(shape) != 3 or not self.order.endswith("DH"):
            return None
        found = self._in_order(self.order.replace("D", ""))
        sides = () if found is None else found.shape
        fits = all(n in (-1, 0, side) for n, side in zip(shape, sides, strict=True)) if sides else 0
        return found if fits and shape.count(-1) < 2 and shape[2] != 0 else None
