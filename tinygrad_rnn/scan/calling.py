"""How does machine code call a loop that is compiled already? By its symbol: it is not compiled again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from .vector_math import Code, Context, Signature


def called(loop: Any) -> Any:
    """What compiled functions call in place of a loop of one signature that returns nothing."""
    (compiled,) = loop.overloads.values()
    wanted, name = compiled.signature.args, f"tinygrad_rnn_{loop.__module__}"
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    binding.add_symbol(name, address)

    @intrinsic
    def call(_context: Context, *given: types.Type) -> tuple[Signature, Code]:
        def code(
            context: Context, builder: ir.IRBuilder, signature: Signature, args: list[ir.Value]
        ) -> ir.Value:
            values = cgutils.unpack_tuple(builder, args[0])
            each = zip(values, signature.args[0], wanted, strict=True)
            cast = [context.cast(builder, value, kind, want) for value, kind, want in each]
            convention = context.call_conv
            kind = convention.get_function_type(types.none, wanted)
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            convention.call_function(builder, function, types.none, wanted, cast)
            return context.get_dummy_value()

        return types.none(types.StarArgTuple(given)), code

    return call


__all__ = ["called"]
