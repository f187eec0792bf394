"""What does the compiler do for layers? All that ``nn.stepping.Compiler`` asks of one, behind a door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..nn.module import Module
from ..tensors import Tensor
from . import again, backends, running, streaming


class LoopCompiler:
    """The compiler of this package: steps are traced once, and loops over them written as text."""

    layer_again = staticmethod(again.run_again)
    cell_again = staticmethod(again.run_cell_again)
    step_again = staticmethod(again.step_again)
    streamed = staticmethod(streaming.streamed)

    def run(
        self,
        layer: Any,
        x: Tensor,
        time_axis: int,
        stages: list[tuple[list[tuple[Module, Any, bool]], float]],
        lengths: Any,
        first_step: int,
        recorded: Callable[[Sequence[int] | None, list[Any]], tuple[Tensor, Any]],
        constants: dict[str, Any],
        joined: tuple[str, ...],
    ) -> tuple[tuple[Tensor, Any] | None, Any]:
        """(outputs and last states, by which back ends), or (None, why not) where they are recorded."""
        built = [
            running.Stage(
                [running.Way(c, s, back, constants) for c, s, back in ways], p, layer.generator
            )
            for ways, p in stages
        ]
        stack = running.Stack(x, time_axis, built, lengths, first_step, recorded, joined, layer)
        try:
            result = running.run(stack)
        except running.Untraceable as reason:
            return None, str(reason)
        if lengths is None and len(stack.found) == 1:
            remember = again.remember if joined else again.remember_cell
            remember(layer, stack, stack.found[0])
        return result, stack.by

    def usual(self) -> str:
        """Why the usual back end is the usual one."""
        return backends.choice()[1]


_COMPILER = LoopCompiler()


def compiler() -> LoopCompiler:
    """The compiler."""
    return _COMPILER
