"""What do a framework's own options of a layer mean? A rule, and what else they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .activations import Activation
from .activations import activation as activation_of
from .cells import Rule
from .conventions import Row
from .layers import DIRECTIONS, MERGES
from .packing import WeightsError
from .placing import Directions, two_directions

_DIRECTION: dict[Any, str] = {"forward": "forward", "reverse": "reverse", "bidirectional": "bidirectional",
              "bidirect": "bidirectional", "backward": "reverse", 0: "forward", 1: "reverse",
              2: "bidirectional"}  # fmt: skip


@dataclass
class Asked:
    """What the options say: the rule, and what is not of a cell."""

    rule: Rule
    direction: str | None = None
    merge: str | None = "concat"
    flipped: bool = False
    batch_first: bool | None = None
    given: set[str] = field(default_factory=set)
    two: Directions = two_directions


def asked_of(row: Row, config: Mapping[str, Any], options: Mapping[str, Any]) -> Asked:
    """The rule with the framework's options. Raises ValueError for one that the row does not have."""
    asked = Asked(row.rule)
    merged = {**config, **options}
    if isinstance(merged.get("layer"), Mapping):  # a Bidirectional's config
        inner = merged.pop("layer")
        merged = {**inner.get("config", inner), **merged}
        merged.pop("backward_layer", None)
    for name, value in merged.items():
        if name in ("direction", "bidirectional"):
            _direct(row, asked, name, value)
        elif name in ("merge_mode", "mergeMode", "merge"):
            if value not in MERGES:
                raise ValueError(f"{row.title}: merge must be one of {MERGES}, got {value!r}")
            asked.merge = value
        elif name == "activations" and name in row.options:
            asked.rule = _listed(row, asked.rule, merged)
        elif name in row.options:
            _set(row, asked, name, value)
        elif name not in row.harmless:
            known = ", ".join(("direction", *row.options))
            raise ValueError(f"{row.title} has no option {name!r}: there are {known}")
        asked.given |= set(row.options.get(name, ()))
    return asked


def _direct(row: Row, asked: Asked, name: str, value: Any) -> None:
    known = value if name == "direction" else ("bidirectional" if value else "forward")
    if isinstance(known, bool) or known not in _DIRECTION:
        raise ValueError(f"{row.title}: direction must be one of {DIRECTIONS}, got {value!r}")
    asked.direction = _DIRECTION[known]
    two = asked.direction == "bidirectional"
    asked.two = lambda *_: two


def _set(row: Row, asked: Asked, name: str, value: Any) -> None:
    """One option, put where the row says that it acts."""
    for place in row.options[name]:
        if place in ("flipped", "batch_first"):
            setattr(asked, place, bool(value))
            continue
        new: Any = bool(value)
        if place in ("gate", "act", "out"):
            new = _spelled(row, name, value)
        elif place == "clip":
            new = (None if value is None else float(value)) or None
        elif place == "threshold":
            new = float(value)
        elif place == "gated" and isinstance(value, str):
            if value not in ("default", "no_gate"):
                raise WeightsError(
                    f"{row.title}: mode={value!r} has another rule, which is not read"
                )
            new = value == "default"
        changed: dict[str, Any] = {place: new}
        asked.rule = replace(asked.rule, **changed)


def _spelled(row: Row, name: str, value: Any) -> Activation:
    """An activation as the framework spells it; ours, a name with its numbers, is taken too."""
    if callable(value) and hasattr(value, "__name__"):
        value = value.__name__
    if value is None:
        value = "linear"
    if isinstance(value, Mapping):
        value = value.get("class_name", value.get("name"))
    if isinstance(value, (tuple, list)) and value:
        try:
            return activation_of(value[0], *value[1:])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{row.title}: {name}: {error}") from None
    if not isinstance(value, str) or value not in row.spelling:
        raise WeightsError(
            f"{row.title}: {name}={value!r} is an activation that is not known there: there are "
            f"{', '.join(row.spelling)}"
        )
    return row.spelling[value]


_NO_DEFAULT = (
    "affine",
    "scaled_tanh",
    "thresholded_relu",
)  # onnxruntime's is 0, ONNX's operators have 1


def _listed(row: Row, rule: Rule, given: Mapping[str, Any]) -> Rule:
    """ONNX's list of activations, alpha and beta taken up in turn by those that have them."""
    fields = row.options["activations"]
    words = [str(w.decode() if isinstance(w, bytes) else w) for w in given["activations"]]
    numbers = {}
    for kind in ("alpha", "beta"):
        asked = given.get(f"activation_{kind}", given.get(f"activations_{kind}"))
        numbers[kind] = [float(v) for v in (asked or [])]
    chosen: list[Activation] = []
    for word in words:
        if word.lower() not in row.spelling:
            raise WeightsError(f"{row.title}: there is no activation {word!r}")
        name, defaults = row.spelling[word.lower()]
        values = list(defaults)
        if name in _NO_DEFAULT and not numbers["alpha"]:
            raise WeightsError(
                f"{row.title}: {word} has no default that all agree on: give activation_alpha"
            )
        for k, kind in zip(range(len(values)), ("alpha", "beta"), strict=False):
            if numbers[kind]:
                values[k] = numbers[kind].pop(0)
        chosen.append((name, tuple(values)))
    size = len(fields)
    if len(chosen) not in (size, 2 * size):
        raise WeightsError(f"{row.title}: {len(chosen)} activations, expected {size}")
    if chosen[size:] and chosen[size:] != chosen[:size]:
        raise WeightsError(f"{row.title}: the two directions have other activations")
    changed: dict[str, Any] = dict(zip(fields, chosen[:size], strict=True))
    return replace(rule, **changed)
