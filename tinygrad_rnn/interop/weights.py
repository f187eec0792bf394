"""How do weights go from framework to framework? A dict of arrays in, a layer out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine.values import Array
from ..nn.module import Module
from ..tensors import Tensor
from .building import built
from .conventions import rows_of
from .packing import WeightsError, WeightsOrigin
from .reading import Found, likeness, read
from .writing import cannot, cannot_place, described, written


def from_weights(
    arrays: Mapping[str, Any],
    layout: str,
    *,
    layer: str | None = None,
    batch_first: bool | None = None,
    padded: str = "zero",
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """A recurrent layer from another framework's weights, under the names that they have there.

    ``arrays`` are that framework's by name, in any order, a common prefix allowed; ``layout`` is its
    name (``tg.interop.layouts()``) and ``layer`` its class, needed only where names and shapes leave a
    choice. What changes the equations and is not seen in the arrays is given under the framework's
    own names, as ``options`` or as its ``config``: ``recurrent_activation="hard_sigmoid"`` (Keras),
    ``linear_before_reset=1`` (ONNX; its ``layout`` in ``config``), ``direction="reverse"``.

    The layer is ``nn.LSTM``, ``GRU`` or ``RNN`` where that is the rule, and one with the framework's
    rule where it differs (``layer.rule``); both are called alike, ``y, state = layer(x, state,
    lengths=...)``, the state h or (h, c), each (layers * directions, batch, H). The input is as there
    (Keras: batch first) unless ``batch_first`` says. ``padded="theirs"`` makes outputs beyond a
    sequence's length, and states at length 0, what the framework gives: Keras repeats the last
    output, ONNX's states are 0; "zero" is as everywhere here.

    Raises WeightsError that names array, shape or rule for what does not fit, is missing or is left
    over; ValueError for a layout, layer or option that is not in the table.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> kernel, recurrent, bias = np.ones((2, 12)), np.ones((3, 12)), np.zeros(12)
    >>> lstm = tg.interop.from_weights(
    ...     {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}, layout="keras"
    ... )
    >>> lstm
    LSTM(2, 3, batch_first=True)  # 84 parameters
    """
    if padded not in ("zero", "theirs"):
        raise ValueError(f"padded must be 'zero' or 'theirs', got {padded!r}")
    candidates = rows_of(layout, layer)
    given = _arrays(arrays)
    fits, faults = [], []
    for row in candidates:
        try:
            fits.append(read(row, given, dict(config or {}), dict(options)))
        except ValueError as error:
            known = isinstance(error, WeightsError)  # the options are those of this row
            faults.append(((known, likeness(row, given)), error))
    if not fits:
        raise max(faults, key=lambda fault: fault[0])[1]
    if len(fits) > 1 and len({_signature(found) for found in fits}) > 1:
        names = " and ".join(found.row.layer for found in fits)
        raise WeightsError(
            f"{fits[0].row.layout}: these names and shapes are those of {names}: say which as layer="
        )
    return built(fits[0], batch_first, padded)


def _signature(found: Found) -> Any:
    return found.rule, found.sizes, found.direction, tuple(sorted(found.cells)), found.row.minus


def _arrays(arrays: Any) -> dict[str, Array]:
    if not isinstance(arrays, Mapping):
        raise TypeError(f"from_weights takes a dict of arrays by name, not {type(arrays).__name__}")
    if not arrays:
        raise WeightsError("there are no arrays")
    found = {}
    for name, value in arrays.items():
        if not isinstance(name, str):
            raise WeightsError(f"a name is {name!r}, expected a text")
        plain = value.numpy() if isinstance(value, Tensor) else _plain(name, value)
        found[name] = plain
    return found


def _plain(name: str, value: Any) -> Array:
    """Anything that numpy can read as numbers; bfloat16, which numpy has not, as float32."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    try:
        array = np.asarray(value)
    except Exception as error:
        raise WeightsError(f"{name} is no array: {error}") from None
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise WeightsError(f"{name} holds {array.dtype}, expected floats")
    return array


def to_weights(source: Module, layout: str, *, layer: str | None = None) -> dict[str, Array]:
    """One of our recurrent layers as another framework's arrays, under its names; see ``from_weights``.

    A layer that ``from_weights`` read of that framework is written under the names that it had there,
    bit for bit where nothing was trained since. Two biases become one where the framework has one
    (their sum, less what it adds at run time). Options that are no arrays (activations, a GRU's
    reset in ONNX, the direction) are those of the layer, to be set on the other side.

    Raises WeightsError that names the rule that the framework does not have.

    >>> import tinygrad_rnn as tg
    >>> arrays = tg.interop.to_weights(tg.nn.LSTM(2, 3), layout="keras")
    >>> {name: array.shape for name, array in arrays.items()}
    {'lstm_cell/kernel': (2, 12), 'lstm_cell/recurrent_kernel': (3, 12), 'lstm_cell/bias': (12,)}
    """
    rows = rows_of(layout, layer)
    held = described(source)
    origin = source.__dict__.get("_origin")
    if isinstance(origin, WeightsOrigin) and any(row is origin.row for row in rows):
        rows = [origin.row]
    elif origin is not None:
        origin = None
    faults = []
    for row in rows:
        fault = cannot(row, held) or (None if origin is not None else cannot_place(row, held))
        if fault is None:
            return written(row, held, origin if isinstance(origin, WeightsOrigin) else None)
        faults.append(fault)
    known = [
        text for row, text in zip(rows, faults, strict=True) if row.rule.family == held.rule.family
    ]
    raise WeightsError((known or faults)[0])
