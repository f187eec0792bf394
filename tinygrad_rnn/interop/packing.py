"""How are an array's gates laid out? Taken apart by the table, and put together again."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..engine.values import Array
from .conventions import Part, Row

Slot = tuple[str, str]  # what an array holds of one gate: ("W_ih", "i")
Canon = dict[Slot, Array]
Place = tuple[int, int]  # layer, direction
Sizes = tuple[int, int, int, int]  # inputs, hidden, projection or 0, readout or 0


class WeightsError(ValueError):
    """Arrays that are not the layer that they were said to be, or a layer that a framework has not.

    The message names array, shape or rule, what came and what was expected.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> try:
    ...     tg.interop.from_weights({"kernel": np.zeros((2, 12))}, "keras", layer="LSTM")
    ... except tg.interop.WeightsError as error:
    ...     print(error)
    keras's LSTM: there is no recurrent_kernel (found: kernel)
    """


@dataclass
class WeightsOrigin:
    """Where a layer's weights came from: enough to write the same names again."""

    row: Row
    entries: list[tuple[str, tuple[int, Place] | Array]]


def is_bias(part: Part) -> bool:
    """Whether a part holds biases."""
    return bool(re.match(r"(b|bh|b_ih|b_hh)\[", part.holds))


def segments(part: Part) -> list[list[Slot]]:
    """What a part holds: along the features, and in each along the gates."""
    groups = []
    for group in part.holds.split("|"):
        found = re.findall(r"(\w+)\[(\w+)\]", group)
        groups.append([(kind, gate) for kind, gates in found for gate in gates])
    return groups


def shape_of(part: Part, sizes: Sizes) -> tuple[int, ...]:
    """The shape of a part's array, without an axis of directions."""
    inputs, hidden, proj, out = sizes
    if part.holds == "W_hr":
        shape: tuple[int, ...] = (proj, hidden)
        return shape[::-1] if part.columns else shape
    if part.holds == "W_out":
        return (out, hidden)
    if part.holds == "b_out":
        return (out, 1)
    groups = segments(part)
    tall = len(groups[0]) * hidden
    widths = {"W_ih": inputs, "W_hh": proj or hidden, "P": hidden}
    wide = sum(widths.get(group[0][0], 0) for group in groups)
    if wide:
        return (wide, tall) if part.columns else (tall, wide)
    if part.form == "two rows":
        return (2, tall // 2)
    return (tall, 1) if part.form == "column" else (tall,)


def taken(part: Part, array: Array, sizes: Sizes) -> Canon:
    """A part's array, taken apart."""
    if part.holds.startswith("@"):
        return {(part.holds, ""): array}
    if part.holds in ("W_hr", "W_out", "b_out"):
        turned = array.T if part.columns else array
        return {(part.holds, ""): turned[:, 0] if part.holds == "b_out" else turned}
    groups = segments(part)
    hidden = sizes[1]
    a = array.T if part.columns else array
    if part.form:
        a = a.reshape(-1)
    if part.interleaved:
        a = a.reshape(hidden, -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)
    found: Canon = {}
    start = 0
    for group in groups:
        width = {"W_ih": sizes[0], "W_hh": sizes[2] or hidden}.get(group[0][0], 0)
        piece = a if len(groups) == 1 else a[:, start : start + width]
        start += width
        for k, slot in enumerate(group):
            found[slot] = piece[k * hidden : (k + 1) * hidden]
    return found


def put_together(part: Part, canon: Canon, sizes: Sizes) -> Array:
    """The inverse of ``_taken``."""
    if part.holds.startswith("@"):
        return canon[part.holds, ""]
    if part.holds in ("W_hr", "W_out", "b_out"):
        whole = canon[part.holds, ""]
        if part.holds == "b_out":
            return whole[:, None]
        return np.ascontiguousarray(whole.T) if part.columns else whole
    pieces = [np.concatenate([canon[slot] for slot in group]) for group in segments(part)]
    a = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, 1)
    if part.interleaved:
        a = a.reshape(-1, sizes[1], *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)
    if part.form:
        a = a.reshape((2, -1) if part.form == "two rows" else (-1, 1))
    return np.ascontiguousarray(a.T if part.columns else a)
