"""Which number does a layer have in a picture, where several have states of one name?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from .recorded import CellCall, title_of


class LayerName(NamedTuple):
    """Which layer of which module some calls are of: both directions of one have the same number."""

    path: str
    number: int | None


class StateRun(NamedTuple):
    """Some calls of a cell one after another: of which layer, at which steps, with which states.

    ``begins`` is the step before the first, where the state that it starts from is no other run's.
    """

    layer: LayerName
    way: str  # what tells it from the other direction of the layer
    steps: Collection[int]
    states: Sequence[str]
    begins: int | None = None


def name_of(path: str, label: str) -> LayerName:
    """Which layer a path and a label say.

    >>> name_of("lstm", "layer 1 reverse")
    LayerName(path='lstm', number=2)
    """
    number = next((int(word) + 1 for word in label.split() if word.isdigit()), None)
    return LayerName(path, number)


def numbers_of(calls: Sequence[CellCall]) -> dict[LayerName, int]:
    """A number for each layer, where there are several: what its label says, else in order.

    Both directions of a layer have the same; {} where there is one layer.
    """
    return _numbered([name_of(c.path or title_of(c.cell), c.label) for c in calls])


def _numbered(layers: Sequence[LayerName]) -> dict[LayerName, int]:
    names = list(dict.fromkeys(layers))
    if len(names) < 2:
        return {}
    if all(name.number is not None for name in names) and len({n.path for n in names}) == 1:
        return {name: name.number or 0 for name in names}
    return {name: k + 1 for k, name in enumerate(names)}


def numbers_of_runs(runs: Sequence[StateRun]) -> list[int | None]:
    """A number for each run, so that no state of one name at one step is that of two layers or runs.

    That of its layer, where a layer runs over no step twice; else the runs have numbers in order. None
    where no two layers or runs have a state of one name at one step.

    >>> one = LayerName("lstm", None)
    >>> numbers_of_runs([StateRun(one, "", range(4), "hc"), StateRun(one, "", range(4), "hc")])
    [1, 2]
    >>> numbers_of_runs([StateRun(one, "", range(4), "hc"), StateRun(one, "", range(4, 8), "hc")])
    [None, None]
    >>> runs = StateRun(one, "", range(4), "hc"), StateRun(one, "", range(4, 8), "hc", 3)
    >>> numbers_of_runs(runs)
    [1, 2]
    """
    turns: dict[
        tuple[LayerName, str], list[set[int]]
    ] = {}  # the steps of each time that a layer runs
    owners: list[tuple[LayerName, int]] = []
    for run in runs:
        known = turns.setdefault((run.layer, run.way), [])
        mine = {*run.steps} if run.begins is None else {*run.steps, run.begins}
        turn = next((k for k, steps in enumerate(known) if steps.isdisjoint(mine)), len(known))
        known += [set()] * (turn == len(known))
        known[turn] = known[turn] | mine
        owners.append((run.layer, turn))
    named: dict[tuple[str, int], tuple[LayerName, int]] = {}
    clear = True
    for run, owner in zip(runs, owners, strict=True):
        for place in ((state, step) for state in run.states for step in run.steps):
            clear &= named.setdefault(place, owner) == owner
    for run, owner in zip(runs, owners, strict=True):
        begins = [] if run.begins is None else [(state, run.begins) for state in run.states]
        clear &= all(named.get(place, owner) == owner for place in begins)
    if clear:
        return [None] * len(runs)
    with_states = [owner for run, owner in zip(runs, owners, strict=True) if run.states]
    if all(turn == 0 for _, turn in owners):
        numbers = _numbered([layer for layer, _ in with_states])
        found = {(layer, 0): number for layer, number in numbers.items()}
    else:
        found = {owner: k + 1 for k, owner in enumerate(dict.fromkeys(with_states))}
    pairs = zip(runs, owners, strict=True)
    return [found.get(owner) if run.states else None for run, owner in pairs]
