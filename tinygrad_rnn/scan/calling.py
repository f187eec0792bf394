"""How does numba's machine code call a loop that is compiled already? By its symbol, with addresses."""

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
from numba.np.numpy_support import as_dtype

from .lowering import TYPES, memory
from .native import OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from numba.core.typing import Signature
    from numba.core.typing.context import BaseContext as Context

    from .native import CompiledLoop

    Code = Callable[[Context, ir.IRBuilder, Signature, list[ir.Value]], ir.Value]


@cache
def version() -> str:
    """What tells this file from other states of it: code kept between runs has what it writes in it."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def named(loop: CompiledLoop) -> str:
    """A loop that has run, as text that ``called`` takes: its code is a symbol from now on."""
    name, address = loop.address()
    binding.add_symbol(name, address)
    return f'"{name}", {loop.of_any_size()}'


def called(name: str, kinds: tuple[str, ...]) -> Any:
    """What compiled functions call in place of a loop, as it was made for arguments of some kinds."""

    @intrinsic
    def call(_context: Context, *given: types.Type) -> tuple[Signature, Code]:
        if tuple(map(_kind, given)) != kinds:
            raise TypingError(f"{name} is not compiled for {given}")

        def code(
            context: Context, builder: ir.IRBuilder, signature: Signature, args: list[ir.Value]
        ) -> ir.Value:
            values = []
            for value, of in zip(
                cgutils.unpack_tuple(builder, args[0]), signature.args[0], strict=True
            ):
                if isinstance(of, types.Array):
                    place = context.make_array(of)(context, builder, value).data
                    values.append(
                        builder.bitcast(place, memory(OF[as_dtype(of.dtype)]).as_pointer())
                    )
                else:
                    values.append(context.cast(builder, value, of, types.int64))
            shape = ir.FunctionType(TYPES["i32"], [v.type for v in values])
            function = cgutils.get_or_insert_function(builder.module, shape, name)
            status = builder.call(function, values)
            with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, status)):
                context.call_conv.return_user_exc(builder, MemoryError)
            return context.get_dummy_value()

        return types.none(types.StarArgTuple(given)), code

    return call


def _kind(of: types.Type) -> str:
    """The kind that a loop knows a type by."""
    if isinstance(of, types.Array) and of.layout == "C":
        return f"{OF.get(as_dtype(of.dtype))}*"
    return "i64" if isinstance(of, types.Integer) else ""


__all__ = ["called", "named", "version"]
