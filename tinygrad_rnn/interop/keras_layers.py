"""What does a layer of a Keras model do? Keras's layers as Modules of ours, masks included."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import nn
from ..engine.values import Array
from ..nn import functional as f
from ..nn.module import Module, ModuleList
from ..tensors import Tensor, as_tensor, functions, several
from .activations import Activation, apply
from .conventions import PLAIN, rows_of
from .layers import merged
from .packing import WeightsError
from .weights import from_weights, to_weights

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
Weights = Sequence[Array]
Mask = Array | None  # which steps count, (batch, time)
Outputs = tuple[list[Any], Mask]  # of a layer, and the mask that goes on with the first
_IGNORED = ("go_backwards", "backward_layer", "cell", "module", "registered_name", "build_config")


def snake(name: str) -> str:
    """A class's name as Keras writes it in a file: ``SimpleRNN`` is ``simple_rnn``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


Config = Mapping[str, Any]  # of a layer, as JSON has it


def config_of(layer: Config) -> dict[str, Any]:
    """A layer's options. Raises WeightsError where there are none."""
    config = layer.get("config")
    if not isinstance(config, Mapping):
        raise WeightsError(f"the layer {layer.get('class_name')!r} has no config")
    return dict(config)


class KerasLayer(Module):
    """What the layers of a model share: ``run(values, masks, state) -> (outputs, mask)``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.title = name

    def run(self, values: list[Tensor], masks: list[Mask], state: list[Tensor]) -> Outputs:
        """The outputs for the inputs, and the mask that goes on with the first."""
        return [self.call(*values)], next((m for m in masks if m is not None), None)

    def call(self, *values: Tensor) -> Any:
        """The output, for a layer that masks pass by."""
        raise NotImplementedError

    def weights(self, layout: str) -> list[Array]:
        """Its arrays in Keras's order."""
        return []


class Recurring(KerasLayer):
    """LSTM, GRU, SimpleRNN, RNN of cells and Bidirectional of these: ``layers``, one above the other.

    A masked step leaves the state as it is: the steps that count are moved to the front, run with their
    ``lengths``, and put back. What stands at a masked step is the last output again, 0 where Keras has
    ``zero_output_for_mask`` (in a Bidirectional it has).
    """

    def __init__(
        self,
        name: str,
        layers: list[Any],
        *,
        sequences: bool,
        states: bool,
        backwards: bool,
        zero: tuple[bool, bool],
        shown: bool,
        both: bool,
        merge: str | None,
    ) -> None:
        super().__init__(name)
        self.layers = ModuleList(layers)
        self.sequences, self.states, self.backwards = sequences, states, backwards
        self.zero, self.shown, self.both, self.merge = zero, shown, both, merge

    def run(self, values: list[Tensor], masks: list[Mask], state: list[Tensor]) -> Outputs:
        """The outputs, states after them, and the mask where the sequence goes on."""
        x, state = values[0], [*values[1:], *state]
        if x.ndim != 3:
            raise ValueError(
                f"{self.title}: x has shape {x.shape}, expected (batch, time, features)"
            )
        mask = masks[0]
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"{self.title}: a mask of shape {mask.shape} for x of shape {x.shape}")
        passed = mask
        if self.backwards:
            x = functions.flip(x, [1])
            mask = None if mask is None else mask[:, ::-1]
        lengths = None
        if mask is not None:
            rows = np.arange(len(mask))[:, None]
            lengths = mask.sum(1)
            if (np.diff(mask.astype(np.int8), axis=1) > 0).any():
                x = x[rows, np.argsort(~mask, axis=1, kind="stable")]
        y, last = self._stack(x, lengths, state)
        outputs = [self._placed(y, mask) if self.sequences else self._ends(last, mask)]
        outputs = [merged(outputs[0], self.merge if self.both else "concat")]
        if isinstance(outputs[0], tuple):
            outputs = list(outputs[0])
        if self.states:
            outputs += self._in_order(last)
        return outputs, passed if self.sequences else None

    def _stack(self, x: Tensor, lengths: Any, state: list[Tensor]) -> tuple[Tensor, list[Any]]:
        """The layers over a sequence: the last one's outputs, every layer's states (cells, batch, H)."""
        extra = {} if lengths is None else {"lengths": lengths}
        last = []
        given = list(state)
        for layer in self.layers:
            ways = 2 if layer.bidirectional else 1
            parts = len(layer._first.states)
            hx = None
            if given:
                if len(given) < ways * parts:
                    raise ValueError(
                        f"{self.title}: {len(state)} states given, and more are needed"
                    )
                taken, given = given[: ways * parts], given[ways * parts :]
                stacked = [several.stack(taken[k::parts]) for k in range(parts)]
                hx = stacked[0] if parts == 1 else tuple(stacked)
            x, final = layer(x, hx, **extra)
            last.append(final if isinstance(final, tuple) else (final,))
        if given:
            raise ValueError(f"{self.title}: {len(state)} states given, {len(given)} too many")
        return x, last

    def _in_order(self, last: list[Any]) -> list[Any]:
        """States as Keras gives them: layer by layer, direction by direction, h before c."""
        return [part[way] for parts in last for way in range(parts[0].shape[0]) for part in parts]

    def _placed(self, y: Tensor, mask: Mask) -> Tensor:
        """The outputs at every step, put back to where the steps were."""
        if mask is None:
            return y
        halves = y.chunk(2, -1) if self.both else (y,)
        counted = np.cumsum(mask, 1)
        rows = np.arange(len(mask))[:, None]
        found = []
        for way, (half, zero) in enumerate(zip(halves, self.zero, strict=False)):
            if way == 0:
                at, live = counted - 1, counted > 0
            else:  # what a cell that comes from the end gave last
                at = counted - mask
                live = at < counted[:, -1:]
            live = mask if zero else live
            at = np.clip(at, 0, mask.shape[1] - 1)
            found.append(several.where(Tensor._wrap(live[..., None], None), half[rows, at], 0.0))
        return found[0] if len(found) == 1 else several.cat(found, -1)

    def _ends(self, last: list[Any], mask: Mask) -> Any:
        """The last output alone: both last states in a Bidirectional."""
        h = last[-1][0]
        if self.both:
            return several.cat([h[0], h[1]], -1)
        if mask is not None and self.shown:  # then the output of a masked last step is 0, too
            return several.where(Tensor._wrap(mask[:, -1:], None), h[0], 0.0)
        return h[0]

    def weights(self, layout: str) -> list[Array]:
        """Kernels and biases, layer by layer, direction by direction."""
        return [a for layer in self.layers for a in to_weights(layer, layout).values()]

    def extra_repr(self) -> str:
        """What the layer gives."""
        words = "return_sequences" if self.sequences else "the last output"
        return f"{words}{', return_state' if self.states else ''}"


class Plain(KerasLayer):
    """Dense, Embedding, LayerNormalization: one layer of ours, and an activation after it."""

    def __init__(self, name: str, kind: str, layer: Module, act: Activation | str) -> None:
        super().__init__(name)
        self.kind, self.layer, self.act, self.mask_zero = kind, layer, act, False
        self.axis = -1

    def run(self, values: list[Tensor], masks: list[Mask], state: list[Tensor]) -> Outputs:
        """An Embedding with ``mask_zero`` begins a mask: the steps whose index is not 0."""
        outputs, mask = super().run(values, masks, state)
        if self.mask_zero:
            mask = np.asarray(as_tensor(values[0]).numpy() != 0)
        return outputs, mask

    def call(self, *values: Tensor) -> Any:
        """The layer of ours, then the activation."""
        if self.axis not in (-1, values[0].ndim - 1):
            raise ValueError(
                f"{self.title} acts along axis {self.axis} of x of shape {values[0].shape}: the last "
                "alone is read"
            )
        return activated(self.act, self.layer(values[0]))

    def weights(self, layout: str) -> list[Array]:
        """The arrays as Keras keeps them."""
        held = {name: p.numpy() for name, p in self.layer.state_dict().items()}
        found = []
        for _, ours, turned in PLAIN[self.kind][1]:
            if ours in held:
                found.append(np.ascontiguousarray(held[ours].T) if turned else held[ours])
        return found


class Simple(KerasLayer):
    """A layer without weights: a function of its inputs."""

    def __init__(self, name: str, kind: str, config: Config, layout: str) -> None:
        super().__init__(name)
        self.kind, self.options = kind, dict(config)
        self.act = _activation(layout, config.get("activation", "linear"))

    def run(self, values: list[Tensor], masks: list[Mask], state: list[Tensor]) -> Outputs:
        """Masking begins a mask; a merge keeps a step that every input keeps; Flatten ends one."""
        outputs, mask = super().run(values, masks, state)
        if self.kind == "Masking":
            live = (as_tensor(values[0]).numpy() != self.options["mask_value"]).any(-1)
            outputs = [several.where(Tensor._wrap(live[..., None], None), values[0], 0.0)]
            mask = live
        elif self.kind in ("Flatten", "RepeatVector", "Reshape"):
            mask = None
        elif len(values) > 1 and len(kept := [m for m in masks if m is not None]) == len(masks):
            mask = np.logical_and.reduce(kept)
        return outputs, mask

    def call(self, *values: Tensor) -> Any:
        """The function."""
        kind, options, x = self.kind, self.options, values[0]
        if kind == "Activation":
            return activated(self.act, x)
        if kind == "ReLU":
            return functions.relu(x)
        if kind == "Softmax":
            return functions.softmax(x, options.get("axis", -1))
        if kind in ("Dropout", "SpatialDropout1D", "GaussianNoise"):
            return f.dropout(x, options["rate"], self.training) if kind == "Dropout" else x
        if kind == "Concatenate":
            return several.cat(list(values), options.get("axis", -1))
        if kind in ("Add", "Average"):
            total = values[0]
            for value in values[1:]:
                total = total + value
            return total * (1 / len(values)) if kind == "Average" else total
        if kind == "Multiply":
            for value in values[1:]:
                x = x * value
            return x
        if kind == "Subtract":
            return values[0] - values[1]
        if kind == "Flatten":
            return functions.reshape(x, (x.shape[0], -1))
        if kind == "Reshape":
            return functions.reshape(x, (x.shape[0], *options["target_shape"]))
        if kind == "RepeatVector":
            return several.stack([x] * options["n"], 1)
        return x


_SIMPLE = ("Masking", "Activation", "ReLU", "Softmax", "Dropout", "Concatenate", "Add", "Average",
           "Multiply", "Subtract", "Flatten", "Reshape", "RepeatVector", "InputLayer")  # fmt: skip


def activated(act: Activation | str, x: Tensor) -> Tensor:
    """A layer's activation; softmax, which is over the features, is no function of single numbers."""
    if act == "softmax":
        return functions.softmax(x, -1)
    if act == "log_softmax":
        return functions.log_softmax(x, -1)
    assert not isinstance(act, str)
    return apply(act, x)


def _activation(layout: str, value: Any) -> Activation | str:
    if isinstance(value, Mapping):
        value = value.get("class_name", value.get("name", value.get("config")))
    if value is None:
        return ("linear", ())
    if value in ("softmax", "log_softmax"):
        return str(value)
    spelling = rows_of(layout)[0].spelling
    if not isinstance(value, str) or value not in spelling:
        raise WeightsError(f"{layout}: the activation {value!r} is not known here")
    return spelling[value]


# ---- from a layer's config and its arrays ------------------------------------------------------------


def counted(layer: Config) -> int:
    """How many arrays a layer has, from its config."""
    kind, config = str(layer.get("class_name")), config_of(layer)
    if kind in RECURRENT or kind in CELLS:
        return 3 if config.get("use_bias", True) else 2
    if kind == "Bidirectional":
        return 2 * counted(config["layer"])
    if kind == "TimeDistributed":
        return counted(config["layer"])
    if kind == "RNN":
        return sum(counted(cell) for cell in _cells(config))
    if kind == "StackedRNNCells":
        return sum(counted(cell) for cell in config["cells"])
    if kind == "Dense":
        return 2 if config.get("use_bias", True) else 1
    if kind == "LayerNormalization":
        return int(config.get("scale", True)) + int(config.get("center", True))
    return 1 if kind == "Embedding" else 0


def _cells(config: Config) -> list[Config]:
    """The cells of an RNN layer."""
    cell = config.get("cell")
    if isinstance(cell, Sequence):
        return list(cell)
    if not isinstance(cell, Mapping):
        raise WeightsError("an RNN layer has no cell in its config")
    if cell.get("class_name") == "StackedRNNCells":
        return list(config_of(cell)["cells"])
    return [cell]


def layer_of(layer: Config, weights: Weights, layout: str) -> KerasLayer:
    """One layer of a model. Raises WeightsError that names a layer or option that is not read."""
    kind, config = str(layer.get("class_name")), config_of(layer)
    name = str(config.get("name", layer.get("name", snake(kind))))
    who = f"the layer {name!r} ({kind})"
    _one_dtype(config, who)
    if len(weights) != counted(layer):
        raise WeightsError(f"{who} has {len(weights)} arrays, expected {counted(layer)}")
    try:
        if kind in (*RECURRENT, "RNN", "Bidirectional"):
            return _recurring(name, kind, config, weights, layout)
        if kind == "TimeDistributed":
            inner = config["layer"]
            if inner.get("class_name") not in PLAIN:
                raise WeightsError(f"{who} of {inner.get('class_name')!r} is not read")
            return _plain(name, inner["class_name"], config_of(inner), weights, layout)
        if kind in PLAIN:
            return _plain(name, kind, config, weights, layout)
    except ValueError as error:
        raise WeightsError(f"{who}: {error}") from None
    if kind in _SIMPLE:
        return Simple(name, kind, config, layout)
    known = ", ".join((*RECURRENT, "Bidirectional", "RNN", *PLAIN, "TimeDistributed", *_SIMPLE))
    raise WeightsError(f"{who} is not read: there are {known}")


def _one_dtype(config: Config, who: str) -> None:
    policy: Any = config.get("dtype")
    if isinstance(policy, Mapping):
        policy = policy.get("config", {}).get("name")
    if isinstance(policy, str) and policy.startswith("mixed"):
        raise WeightsError(f"{who} computes in another dtype than its weights ({policy}): not read")


def _recurring(
    name: str, kind: str, config: dict[str, Any], weights: Weights, layout: str
) -> Recurring:
    both = kind == "Bidirectional"
    outer = config
    if both:
        inner = config["layer"]
        kind, config = str(inner.get("class_name")), config_of(inner)
        other = outer.get("backward_layer")
        if other is not None:
            _mirrored(config, config_of(other), inner, other)
    for option, words in (
        ("stateful", "is stateful there: here the state goes from call to call by hand"),
        ("dropout", "drops inputs in training there: here nothing is dropped"),
        ("recurrent_dropout", "drops states in training there: here nothing is dropped"),
    ):
        if config.get(option):
            warnings.warn(f"the layer {name!r} {words}", UserWarning, stacklevel=6)
    if config.get("time_major"):
        raise WeightsError("time_major=True is not read")
    if config.get("return_state") and both and outer.get("merge_mode", "concat") is None:
        raise WeightsError("return_state with merge_mode=None is not read")
    each = _cells(config) if kind == "RNN" else [{"class_name": kind, "config": config}]
    layers, at = [], 0
    for cell in each:
        size = counted(cell) * (2 if both else 1)
        layers.append(_one(cell, weights[at : at + size], layout, both))
        at += size
    camel = layout == "tfjs"
    zero = bool(config.get("zero_output_for_mask", False))
    return Recurring(
        name, layers, sequences=bool(config.get("return_sequences")),
        states=bool(config.get("return_state")),
        backwards=bool(config.get("go_backwards")), both=both,
        zero=(False, False) if camel else (both or zero, both or zero),
        shown=zero and not both, merge=outer.get("merge_mode", "concat") if both else "concat",
    )  # fmt: skip


def _mirrored(one: Config, two: Config, first: Any, second: Any) -> None:
    """Raise where the backward layer of a Bidirectional has other options than the forward one."""
    matter = (
        "units",
        "activation",
        "recurrent_activation",
        "use_bias",
        "reset_after",
        "return_sequences",
    )
    if first.get("class_name") != second.get("class_name"):
        raise WeightsError("its two directions are of two classes, which is not read")
    for key in matter:
        if one.get(key) != two.get(key):
            raise WeightsError(
                f"its two directions differ in {key} ({one.get(key)!r}, {two.get(key)!r}): not read"
            )


def _one(cell: Config, weights: Weights, layout: str, both: bool) -> Any:
    """One recurrent layer of ours, of both directions where there are two."""
    kind = str(cell.get("class_name"))
    kind = CELLS.get(kind, kind)
    if kind not in RECURRENT:
        raise WeightsError(f"a cell of class {kind!r} is not read: there are {', '.join(CELLS)}")
    config = {k: v for k, v in config_of(cell).items() if k not in _IGNORED}
    row = rows_of(layout, kind)[0]
    unread = set(config) - set(row.options) - set(row.harmless) - {"time_major"}
    config = {k: v for k, v in config.items() if k in row.options or k in unread}
    config.pop("time_major", None)
    names = ("kernel", "recurrent_kernel", "bias")
    half = len(weights) // (2 if both else 1)
    arrays = {}
    for way, prefix in enumerate(
        ("forward_layer/cell/", "backward_layer/cell/") if both else ("cell/",)
    ):
        for key, array in zip(names, weights[way * half : (way + 1) * half], strict=False):
            arrays[prefix + key] = array
    return from_weights(arrays, layout, layer=kind, config=config)


def _plain(name: str, kind: str, config: Config, weights: Weights, layout: str) -> Plain:
    made, entries = PLAIN[kind]
    arrays = list(weights)
    act = _activation(layout, config.get("activation", "linear"))
    state: dict[str, Array] = {}
    flags = {
        "bias": config.get("use_bias", config.get("center", True)),
        "weight": config.get("scale", True),
    }
    for _, ours, turned in entries:
        if flags.get(ours, True):
            array = np.asarray(arrays.pop(0))
            if array.dtype.kind != "f" or array.ndim not in (1, 2):
                raise WeightsError(f"an array is {array.dtype} of shape {array.shape}")
            state[ours] = array.T if turned else array
    layer = _made(made, kind, config, state)
    for array in state.values():
        layer.to(array.dtype)
        break
    try:
        layer.load_state_dict({k: np.ascontiguousarray(v) for k, v in state.items()})
    except (RuntimeError, ValueError) as error:
        raise WeightsError(str(error)) from None
    plain = Plain(name, kind, layer, act)
    axis = config.get("axis", -1)
    plain.axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    plain.mask_zero = kind == "Embedding" and bool(config.get("mask_zero"))
    return plain


def _made(made: str, kind: str, config: Config, state: Mapping[str, Array]) -> Module:
    if kind == "Dense":
        if state["weight"].ndim != 2:
            raise WeightsError(
                f"the kernel has shape {state['weight'].shape[::-1]}, expected two axes"
            )
        return nn.Linear(state["weight"].shape[1], len(state["weight"]), "bias" in state)
    if kind == "Embedding":
        if state["weight"].ndim != 2:
            raise WeightsError(
                f"the embeddings have shape {state['weight'].shape}, expected two axes"
            )
        return nn.Embedding(*state["weight"].shape)
    axis = config.get("axis", -1)
    single = isinstance(axis, int) or (isinstance(axis, list) and len(axis) == 1)
    if not single:
        raise WeightsError(f"axis={axis!r} is not read: the last alone")
    if config.get("rms_scaling"):
        raise WeightsError("rms_scaling is another rule, which is not read")
    if "weight" not in state:
        raise WeightsError("scale=False is not read")
    return nn.LayerNorm(len(state["weight"]), eps=config.get("epsilon", 1e-3), bias="bias" in state)
