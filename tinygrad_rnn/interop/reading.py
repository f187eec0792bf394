"""What do arrays say of a layer? Held against a row of the table, or what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..engine.values import Array
from .cells import Rule
from .conventions import Part, Row
from .options import asked_of
from .packing import (
    Canon,
    Place,
    Sizes,
    WeightsError,
    WeightsOrigin,
    is_bias,
    segments,
    shape_of,
    taken,
)
from .placing import matched_name, placed_arrays


@dataclass
class Found:
    """Arrays that fit a row: what they say, not yet a layer."""

    row: Row
    rule: Rule
    cells: dict[Place, Canon]
    sizes: Sizes  # input, hidden, projection or 0, readout or 0
    bias: bool
    direction: str
    origin: WeightsOrigin
    initial: dict[str, Array]
    dtype: Any
    merge: str | None
    flipped: bool
    batch_first: bool | None


def likeness(row: Row, arrays: Mapping[str, Array]) -> float:
    """How many of the arrays' names are a row's, less what the row wants more: for the best error."""
    matched = {m.group("part") for name in arrays if (m := matched_name(row, name)) is not None}
    score = len(matched) - 0.1 * len({p.name for p in row.parts} - matched)
    try:
        sizes_of(row, placed_arrays(row, arrays, lambda *_: False)[0], arrays)
    except WeightsError:
        return score
    return score + 1


def read(
    row: Row, arrays: dict[str, Array], config: dict[str, Any], options: dict[str, Any]
) -> Found:
    """The arrays as a row has them. Raises WeightsError for anything that does not fit."""
    asked = asked_of(row, config, options)
    rule = asked.rule
    placed, extras = placed_arrays(row, arrays, asked.two)
    sizes, first = sizes_of(row, placed, arrays)
    bias_parts = [k for k, p in enumerate(row.parts) if is_bias(p)]
    with_bias = any(k in slots for slots in placed.values() for k in bias_parts)
    if row.needs_bias:
        with_bias = with_bias or bool(bias_parts)
    cells: dict[Place, Canon] = {}
    directions = 2 if any(way for _, way in placed) else 1
    stacked = row.stacked and first.shape[0]
    if row.stacked:
        if stacked not in (1, 2):
            raise WeightsError(
                f"{row.title}: the first axis is {stacked}, expected 1 or 2 directions"
            )
        directions = int(stacked)
        for names in (n for slots in placed.values() for each in slots.values() for n in each):
            if arrays[names].ndim < 1 or arrays[names].shape[0] != directions:
                raise WeightsError(
                    f"{row.title}: {names} has shape {arrays[names].shape}, expected {directions} as its "
                    "first axis, the directions"
                )
    chosen: dict[str, Any] = {}
    entries: dict[str, tuple[int, Place] | Array] = {}
    loose = max(k for k, _ in placed) and "(?P<k>" not in row.names[0].read
    for (k, way), slots in sorted(placed.items()):
        for at in range(directions if row.stacked else 1):
            place = (k, at if row.stacked else way)
            inputs, hidden, proj, out = sizes
            if k > 0:
                inputs = directions * (proj or hidden)
            own = (inputs, hidden, proj, out)
            try:
                canon, used, sets = _cell(row, slots, arrays, own, at, with_bias)
            except WeightsError as error:
                words = "; there are arrays of several layers, which are no stack of one kind and size: "
                words += "give each layer's by itself"
                raise WeightsError(str(error) + words * bool(loose)) from None
            for field, value in sets.items():
                if chosen.setdefault(field, value) != value:
                    raise WeightsError(f"{row.title}: its cells differ in {field}")
            cells[place] = canon
            for name, part in used.items():
                entries[name] = (part, (k, way))
    for field, value in chosen.items():
        if field in asked.given and getattr(rule, field) != value:
            raise WeightsError(
                f"{row.title}: {field}={getattr(rule, field)!r} was said, and the arrays are those of "
                f"{value!r}"
            )
        changed: dict[str, Any] = {field: value}
        rule = replace(rule, **changed)
    initial = _initial(row, arrays, extras, sizes, directions)
    extra = {name: arrays[name] for name in extras}
    if row.settle is not None:
        try:
            plain = {name.rsplit(".")[-1]: array for name, array in extra.items()}
            rule = replace(rule, **row.settle(plain, sizes[0], sizes[1]))
        except (ValueError, TypeError) as error:
            raise WeightsError(f"{row.title}: {error}") from None
    kept = [(name, entries.get(name, extra.get(name))) for name in arrays]
    origin = WeightsOrigin(row, [(name, entry) for name, entry in kept if entry is not None])
    direction = _direction(row, asked.direction, directions)
    if asked.flipped:
        if direction != "forward":
            raise WeightsError(
                f"{row.title}: going backwards in a layer of {direction} is not read"
            )
        direction = "reverse"
    dtype = _dtype(row, {name: arrays[name] for name in entries})
    _complete(row, cells, directions)
    return Found(
        row, rule, cells, sizes, with_bias, direction, origin, initial, dtype,
        asked.merge, asked.flipped, asked.batch_first,
    )  # fmt: skip


def _dtype(row: Row, arrays: Mapping[str, Array]) -> Any:
    kinds = {name: array.dtype for name, array in arrays.items()}
    some = next(iter(kinds.items()))
    for name, dtype in kinds.items():
        if dtype.kind != "f":
            raise WeightsError(f"{row.title}: {name} holds {dtype}, expected floats")
        if dtype.newbyteorder("=") != some[1].newbyteorder("="):
            raise WeightsError(f"{row.title}: {some[0]} is {some[1]} and {name} is {dtype}")
    if some[1].itemsize not in (2, 4, 8):
        raise WeightsError(f"{row.title}: {some[0]} is {some[1]}, which no layer here is")
    return some[1].newbyteorder("=")


def _complete(row: Row, cells: Mapping[Place, Canon], directions: int) -> None:
    layers = max(k for k, _ in cells) + 1
    for k in range(layers):
        for way in range(directions):
            if (k, way) not in cells:
                which = f"layer {k}" + (
                    ", backward" if way else ", forward" if directions == 2 else ""
                )
                raise WeightsError(f"{row.title}: there are no arrays of {which}")


def _direction(row: Row, asked: Any, directions: int) -> str:
    if directions == 2:
        if asked not in (None, "bidirectional"):
            raise WeightsError(
                f"{row.title}: the arrays are of two directions, and direction={asked!r}"
            )
        return "bidirectional"
    if asked == "bidirectional":
        raise WeightsError(f"{row.title}: direction='bidirectional', and the arrays are of one")
    return asked or "forward"


def sizes_of(
    row: Row, placed: Mapping[Place, dict[int, list[str]]], arrays: Mapping[str, Array]
) -> tuple[Sizes, Array]:
    """Input, hidden, projection and readout sizes, from the first cell's matrices."""
    if (0, 0) not in placed:
        raise WeightsError(f"{row.title}: there are no arrays of the first layer, forward")
    slots = placed[0, 0]
    if row.rule.family == "CfC":
        return _cfc_sizes(row, slots, arrays)
    inputs = hidden = recurrent = proj = out = 0
    found: dict[str, Array] = {}
    for index, names in slots.items():
        part, array = row.parts[index], arrays[names[0]]
        kinds = {kind for group in segments(part) for kind, _ in group} or {part.holds}
        want = 3 if row.stacked else 2
        for kind in kinds & {"W_ih", "W_hh", "W_hr", "W_out"}:
            if array.ndim != want:
                raise WeightsError(
                    f"{row.title}: {names[0]} has shape {array.shape}, expected {want} axes"
                )
            found.setdefault(kind, array)
            flat = array[0] if row.stacked and len(array) else array
            if flat.ndim != 2:
                raise WeightsError(f"{row.title}: {names[0]} has shape {array.shape}")
            tall, wide = flat.T.shape if part.columns else flat.shape
            gates = len(segments(part)[0]) if "[" in part.holds else 1
            if kind == "W_hh":
                if tall % gates:
                    raise WeightsError(
                        f"{row.title}: {names[0]} has shape {array.shape}, expected {gates} gates of "
                        "the same size"
                    )
                hidden = tall // gates
                joined = "|" in part.holds
                recurrent = hidden if joined else wide
                inputs = wide - hidden if joined else inputs
            elif kind == "W_ih" and "|" not in part.holds:
                inputs = wide
            elif kind == "W_hr":
                proj = tall
            elif kind == "W_out":
                out = tall
    for kind in ("W_ih", "W_hh"):
        if kind not in found:
            there = ", ".join(sorted({n for names in slots.values() for n in names}))
            missing = next(p.name for p in row.parts if p.holds.startswith(kind))
            raise WeightsError(f"{row.title}: there is no {missing} (found: {there})")
    if min(hidden, inputs, recurrent) < 1:
        raise WeightsError(f"{row.title}: sizes are {inputs} inputs and {hidden} units")
    if recurrent != (proj or hidden):
        raise WeightsError(
            f"{row.title}: the matrix on h has {recurrent} columns for {proj or hidden} features of h"
        )
    return (inputs, hidden, proj, out), found["W_hh"]


def _cfc_sizes(
    row: Row, slots: Mapping[int, list[str]], arrays: Mapping[str, Array]
) -> tuple[Sizes, Array]:
    shapes = {row.parts[k].holds[1:]: arrays[names[0]] for k, names in slots.items()}
    missing = [p.name for p in row.parts if p.holds[1:] not in shapes]
    if missing:
        raise WeightsError(f"{row.title}: there is no {missing[0]}")
    first = shapes.get("backbone.0.weight", shapes["ff1.weight"])
    head = shapes["ff1.weight"]
    if first.ndim != 2 or head.ndim != 2 or first.shape[1] <= head.shape[0]:
        raise WeightsError(
            f"{row.title}: {first.shape} and {head.shape} are no shapes of a CfC's maps"
        )
    return (first.shape[1] - head.shape[0], head.shape[0], 0, 0), head


def _cell(
    row: Row,
    slots: Mapping[int, list[str]],
    arrays: Mapping[str, Array],
    sizes: Sizes,
    at: int,
    with_bias: bool,
) -> tuple[Canon, dict[str, int], dict[str, Any]]:
    """One cell's numbers by what they hold; which array was which part; what the parts say of the rule."""
    canon: Canon = {}
    used: dict[str, int] = {}
    sets: dict[str, Any] = {}
    done: set[str] = set()
    for part in row.parts:
        if part.name in done:
            continue
        done.add(part.name)
        same = [k for k, p in enumerate(row.parts) if p.name == part.name]
        names = slots.get(same[0], [])
        if not names:
            _may_be_missing(row, part, slots, with_bias)
            continue
        index = _chosen(row, same, names[0], arrays[names[0]], sizes, at)
        chosen = row.parts[index]
        if chosen.when is not None:
            sets[chosen.when[0]] = chosen.when[1]
        array = _one(row, arrays[names[0]], at)
        for name in names:
            again = _one(row, arrays[name], at)
            if again.shape != array.shape or again.tobytes() != array.tobytes():
                raise WeightsError(f"{row.title}: {names[0]} and {name} are one weight, and differ")
            used[name] = index
        canon.update(taken(chosen, array, sizes))
    for (kind, gate), value in list(canon.items()):
        if gate and gate in row.minus:
            canon[kind, gate] = -value
    return canon, used, sets


def _one(row: Row, array: Array, at: int) -> Array:
    """An array of one direction, where a framework stacks them."""
    return np.asarray(array[at]) if row.stacked else array


def _chosen(row: Row, same: list[int], name: str, array: Array, sizes: Sizes, at: int) -> int:
    """Which of the parts under one name an array is: by its shape."""
    shape = _one(row, array, at).shape
    wanted = []
    for index in same:
        if row.parts[index].holds.startswith("@"):
            return index
        want = shape_of(row.parts[index], sizes)
        wanted.append(want)
        if shape == want:
            return index
    lead = (array.shape[0],) if row.stacked else ()
    words = " or ".join(str(lead + want) for want in wanted)
    raise WeightsError(f"{row.title}: {name} has shape {array.shape}, expected {words}")


def _may_be_missing(row: Row, part: Part, slots: Mapping[int, list[str]], with_bias: bool) -> None:
    if part.when is not None and not is_bias(part):
        return
    if part.holds == "W_hr" or (is_bias(part) and not with_bias):
        return
    there = ", ".join(sorted({n for names in slots.values() for n in names}))
    raise WeightsError(f"{row.title}: there is no {part.name} (found: {there})")


def _initial(
    row: Row,
    arrays: Mapping[str, Array],
    extras: list[str],
    sizes: Sizes,
    directions: int,
) -> dict[str, Array]:
    """Initial states that are among the weights, (1, directions * H): those that are not all zero."""
    found = {}
    for name in extras:
        if name not in row.initial:
            continue
        array = arrays[name]
        if array.ndim != 2 or array.shape[1] != directions * sizes[1] or not len(array):
            raise WeightsError(
                f"{row.title}: {name} has shape {array.shape}, expected (1, {directions * sizes[1]})"
            )
        if (array != array[:1]).any():
            raise WeightsError(f"{row.title}: {name} differs from sequence to sequence")
        found[row.initial[name]] = array[0].reshape(directions, sizes[1])
    return found if any(array.any() for array in found.values()) else {}
