"""What can be told of every node and Parameter in numbers? Statistics, histograms, what each step adds."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graphs.readback import norm
from ..graphs.recorded import count_numbers, short_name
from .timeline import Added, Timeline

if TYPE_CHECKING:
    from ..graphs.accounts import Account
    from ..graphs.ledger import Ledger
    from ..graphs.recorded import GraphNode, RecordedGraph

Packed = dict[str, str]
VALUES, BINS = 64, 24  # so many values are listed; of more, a histogram
MOST_VALUES = 200_000  # of a whole page: beyond them, histograms
EXACT = 5_000  # uses of a Parameter whose contributions are packed as doubles


def pack(numbers: Any, kind: str) -> Packed:
    """Numbers as ``{kind: base64}``; ``kind`` is little-endian f4, f8, i4, u2 or u1."""
    return {kind: base64.b64encode(np.ascontiguousarray(numbers, f"<{kind}").tobytes()).decode()}


def node_table(
    graph: RecordedGraph,
    nodes: Sequence[GraphNode],
    values: Mapping[int, Any],
    gradients: Mapping[int, float],
) -> dict[str, Any]:
    """What the page knows of some nodes, as columns: kind, name, step, statistics, values or histogram.

    A row of ``stats`` is min, mean, max, standard deviation (of the finite values), norm, norm of the
    gradient, counts of NaN, Inf and zeros; NaN where a number is not known. ``at`` is where a node's
    values begin, ``bins`` which row of ``histograms`` is its own, -1 for neither.
    """
    kinds: dict[tuple[Any, ...], int] = {}
    names: dict[str, int] = {}
    stats = np.full((len(nodes), 9), np.nan)
    at, bins = np.full(len(nodes), -1), np.full(len(nodes), -1)
    listed: list[Any] = []
    histograms: list[Any] = []
    total = 0
    kind, name = [], []
    for k, node in enumerate(nodes):
        fact = (node.op, _shape(node), node.dtype, node.path, node.detail, _source(graph, node.id))
        kind.append(kinds.setdefault(fact, len(kinds)))
        name.append(names.setdefault(node.name, len(names)))
        stats[k, 5] = gradients.get(node.id, np.nan)
        value = values.get(node.id)
        if value is None or not np.size(value):
            continue
        flat = np.asarray(value, np.float64).ravel()
        stats[k] = [*_statistics(flat), stats[k, 5], *_counts(flat)]
        if flat.size <= VALUES and total + flat.size <= MOST_VALUES:
            at[k], total = total, total + flat.size
            listed.append(flat)
        elif np.isfinite(flat).any():
            bins[k] = len(histograms)
            histograms.append(_histogram(flat))
    step = [-1 if node.step is None else node.step for node in nodes]
    with np.errstate(over="ignore"):
        return {
            "id": pack([node.id for node in nodes], "i4"),
            "kind": pack(kind, "u2"),
            "name": pack(name, "u2"),
            "step": pack(step, "i4"),
            "stats": pack(stats, "f4"),
            "at": pack(at, "i4"),
            "bins": pack(bins, "i4"),
            "values": pack(np.concatenate(listed) if listed else [], "f4"),
            "histograms": pack(np.array(histograms), "u1"),
            "kinds": list(kinds),
            "names": list(names),
        }


def parameter_table(
    graph: RecordedGraph, timeline: Timeline, ledger: Ledger | None
) -> list[dict[str, Any]]:
    """Each Parameter: its names, shape, uses, and what every column of the slider adds to its gradient.

    ``norms`` are of the sum of a column's uses, ``along`` their signed parts along the whole gradient G
    (they add up to |G|), ``running`` the norm of what the columns from this one to the last say together.
    """
    accounts: dict[int, Account] = {}
    if ledger is not None:
        keys = {graph._raw[node.id].key: node.id for node in graph.parameters.values()}
        accounts = {keys[key]: ledger.account_of(key) for key in keys if key in ledger.leaves}
    shorts = _shorts(list(graph.parameters))
    table = []
    for name, node in graph.parameters.items():
        uses = graph.uses(name)
        entry: dict[str, Any] = {
            "name": name,
            "short": shorts[name],
            "node": node.id,
            "shape": _shape(node),
            "dtype": node.dtype,
            "numbers": count_numbers(node.shape),
            "stepped": any(use.step is not None for use in uses),
            "uses": pack(timeline.of_uses(name), "i4"),
        }
        if node.id in accounts:
            entry["gradient"] = _packed(timeline.added(accounts[node.id], node.shape))
        table.append(entry)
    return table


def _shorts(names: list[str]) -> dict[str, str]:
    """A short name for each Parameter, no two alike: ``W_hh``, of several layers ``W_hh_l1``.

    >>> list(_shorts(["a.weight_hh_l0", "a.weight_hh_l1", "a.bias", "b.bias"]).values())
    ['W_hh_l0', 'W_hh_l1', 'a.b', 'b.b']
    """
    ways = (short_name, _last_name, lambda name: _below(name, short_name(name)))
    shorts = {}
    for name in names:
        rivals = [other for other in names if short_name(other) == short_name(name)]
        fitting = (way for way in ways if len({way(rival) for rival in rivals}) == len(rivals))
        shorts[name] = next(fitting, lambda name: _below(name, _last_name(name)))(name)
    return shorts


def _last_name(name: str) -> str:
    """``W_hh_l0`` of ``lstm.weight_hh_l0``."""
    return re.sub("^weight", "W", re.sub("^bias", "b", name.rpartition(".")[2]))


def _below(name: str, short: str) -> str:
    return ".".join(filter(None, [name.rpartition(".")[0], short]))


def _packed(found: Added) -> dict[str, Any]:
    """Norm, part along the whole, and running norm, of every column, and how much cancels."""
    kind = "f8" if len(found.norms) <= EXACT else "f4"
    return {
        "norms": pack(found.norms, kind),
        "along": pack(found.along, kind),
        "running": pack(found.running, kind),
        "whole": found.whole if np.isfinite(found.whole) else None,
        "cancels": found.cancels,
    }


def _statistics(flat: Any) -> list[float]:
    """min, mean, max, std of the finite values, and the norm of all."""
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return [np.nan] * 5
    with np.errstate(all="ignore"):
        size = norm(flat) if finite.size == flat.size else np.nan
        return [finite.min(), finite.mean(), finite.max(), finite.std(), size]


def _counts(flat: Any) -> list[int]:
    """How many are NaN, Inf, zero."""
    return [int(np.isnan(flat).sum()), int(np.isinf(flat).sum()), int((flat == 0).sum())]


def _histogram(flat: Any) -> Any:
    """How many finite values in each of equal bins, the fullest as 255."""
    finite = flat[np.isfinite(flat)]
    low, high = finite.min(), finite.max()
    if not np.isfinite(high - low) or high == low:
        counts: Any = np.eye(BINS)[BINS // 2]
    else:
        place = ((finite - low) / (high - low) * BINS).astype(int).clip(0, BINS - 1)
        counts = np.bincount(place, minlength=BINS)
    return np.ceil(counts / counts.max() * 255)


def _shape(node: GraphNode) -> str:
    if node.shape and isinstance(node.shape[0], tuple):
        return " ".join(str(tuple(shape)) for shape in node.shape)
    return str(node.shape)


def _source(graph: RecordedGraph, node: int) -> str:
    """Where the equations are that made a node: ``LSTMCell.step, nn/cells.py:218``."""
    place = graph._raw[node].place
    if place.call is not None:
        kind, names = place.call.cell, ["step", "forward"]
    else:
        kind, names = getattr(place.scope, "kind", None), ["forward"]
    methods = (inspect.unwrap(getattr(kind, name)) for name in names if hasattr(kind, name))
    method = next((m for m in methods if hasattr(m, "__code__")), None)
    if method is None:
        return ""
    file = "/".join(Path(method.__code__.co_filename).parts[-2:])
    return f"{method.__qualname__}, {file}:{method.__code__.co_firstlineno}"
