"""What does the compiler do for layers? All that ``nn.compiling.Compiler`` asks of one, behind a door."""

from __future__ import annotations

from ..nn.compiling import LayerCall, Ran, State
from ..tensors import Tensor
from . import backends, call_cache, running, streaming


class LoopCompiler:
    """The compiler of this package: steps are traced once, and loops over them written as text."""

    layer_again = staticmethod(call_cache.run_again)
    cell_again = staticmethod(call_cache.run_cell_again)
    step_again = staticmethod(call_cache.step_again)
    streamed = staticmethod(streaming.streamed)
    without_gradients = staticmethod(streaming.without_gradients)

    def run(self, call: LayerCall) -> tuple[tuple[Tensor, State] | None, str | Ran]:
        """(outputs and last states, by which back ends), or (None, why not) where they are recorded."""
        try:
            result, done = running.run(call)
        except running.Untraceable as reason:
            return None, str(reason)
        if len(done) == 1:
            remember = call_cache.remember if call.joined else call_cache.remember_cell
            remember(call, done[0])
        return result, frozenset().union(*(p.loops.ran for p in done))

    def usual(self) -> str:
        """Why the usual back end is the usual one."""
        return backends.choice()[1]


_COMPILER = LoopCompiler()


def compiler() -> LoopCompiler:
    """The compiler."""
    return _COMPILER
