"""How does machine code call a loop that is compiled already? By its symbol: it is not compiled again."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

if TYPE_CHECKING:
    from .vector_math import Code, Context, Signature


@cache
def version() -> str:
    """What tells this file from other states of it: code kept between runs has what it writes in it."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def versions_of(loop: Any) -> str:
    """What tells apart for which types a loop has been compiled so far."""
    return " ".join(sorted(_key(compiled) for compiled in loop.overloads.values()))


def _key(compiled: Any) -> str:
    return hashlib.sha256(str(compiled.signature.args).encode()).hexdigest()[:16]


def called(loop: Any, versions: str) -> Any:
    """What compiled functions call in place of a loop that returns nothing, as compiled for such types.

    ``versions`` is what ``versions_of`` says: code that is kept between runs calls symbols that are there.
    """
    if versions_of(loop) != versions:
        raise ImportError(f"{loop.__module__} is not compiled for the same types")
    for compiled in loop.overloads.values():
        address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        binding.add_symbol(f"tinygrad_rnn_{loop.__module__}_{_key(compiled)}", address)

    @intrinsic
    def call(_context: Context, *given: types.Type) -> tuple[Signature, Code]:
        fitting = [c for c in loop.overloads.values() if _fits(given, c.signature.args)]
        if not fitting:
            raise TypingError(f"{loop.__module__} is not compiled for {given}")
        wanted = fitting[0].signature.args
        name = f"tinygrad_rnn_{loop.__module__}_{_key(fitting[0])}"

        def code(
            context: Context, builder: ir.IRBuilder, signature: Signature, args: list[ir.Value]
        ) -> ir.Value:
            values = cgutils.unpack_tuple(builder, args[0])
            each = zip(values, signature.args[0], wanted, strict=True)
            cast = [context.cast(builder, value, kind, want) for value, kind, want in each]
            convention = context.call_conv
            kind = convention.get_function_type(types.none, wanted)
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            status, _ = convention.call_function(builder, function, types.none, wanted, cast)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.none(types.StarArgTuple(given)), code

    return call


def _fits(given: tuple[types.Type, ...], wanted: tuple[types.Type, ...]) -> bool:
    """Whether values of some types are laid out as a compiled loop takes them; it writes over no input."""
    if len(given) != len(wanted):
        return False
    for kind, want in zip(given, wanted, strict=True):
        if isinstance(want, types.Array):
            if not isinstance(kind, types.Array) or kind.layout != want.layout:
                return False
            if (kind.dtype, kind.ndim) != (want.dtype, want.ndim):
                return False
        elif not isinstance(kind, types.Integer) or not isinstance(want, types.Integer):
            return False
    return True


__all__ = ["called", "version", "versions_of"]
