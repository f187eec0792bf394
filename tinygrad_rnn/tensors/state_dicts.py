"""What is a state dict beside its tensors? How often the cells had been called that they came from.

Which back end runs a cell's next call depends on that (``scan.variants``): a run that goes on from a file
must come to the same bits as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .value import Tensor

CALLED = "_called"  # the attribute of a cell


class StateDict(dict[str, Tensor]):
    """Tensors by name; ``called`` has the counts of cells, by the names of the modules."""

    def __init__(self, tensors: Mapping[str, Tensor], called: Mapping[str, Any]) -> None:
        super().__init__(tensors)
        self.called = {name: tuple(map(float, counts)) for name, counts in called.items()}


def counts(modules: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The counts of modules, and of the cells in their stacks, that have any."""
    return {name: m.__dict__[CALLED] for name, m in _cells(modules) if CALLED in m.__dict__}


def take_counts(modules: Iterable[tuple[str, Any]], source: Any) -> None:
    """Give modules the counts of a state dict; tensors in another mapping say nothing."""
    if isinstance(source, StateDict):
        for name, module in _cells(modules):
            module.__dict__.pop(CALLED, None)
            if name in source.called:
                module.__dict__[CALLED] = source.called[name]


def _cells(modules: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Modules by name, and what stacks of cells hold, which have no names there."""
    for name, module in modules:
        yield name, module
        stack = module.__dict__.get("_stack")
        for k, layer in enumerate(stack if isinstance(stack, list) else ()):
            if hasattr(layer, "cell"):
                yield f"{name}[{k}]", layer.cell
