"""Which pieces of LLVM's code do loops and kernels have in common? Functions, memory, turns of a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

LONG, BYTE = ir.IntType(64), ir.IntType(8)


@dataclass(frozen=True)
class Instructions:
    """A function of numbers whose code ``write`` makes of a builder and operands, and its result's kind."""

    write: Callable[..., Any]
    kind: str


@dataclass(frozen=True)
class External:
    """A function of whole numbers that is a symbol of the process, and returns nothing."""

    symbol: str


def declared(module: Any, result: Any, kinds: list[Any], name: str) -> Any:
    """A function of a module by its name, declared where it is not there yet."""
    shape = ir.FunctionType(result, kinds)
    return module.globals.get(name) or ir.Function(module, shape, name)


def variable(b: ir.IRBuilder, kind: Any) -> Any:
    """Memory for one value, taken once where the function begins; it holds 0."""
    with b.goto_entry_block():
        place = b.alloca(kind)
        b.store(kind(None), place)
    return place


@contextmanager
def turns(b: ir.IRBuilder, count: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Code within it runs so many times; it is given the turn's number, and room for a loop's metadata."""
    head, body, end = (b.append_basic_block(name) for name in ("head", "body", "end"))
    before, metadata = b.block, dict[str, Any]()
    b.branch(head)
    b.position_at_end(head)
    turn = b.phi(LONG)
    turn.add_incoming(ir.Constant(LONG, 0), before)
    b.cbranch(b.icmp_signed("<", turn, count), body, end)
    b.position_at_end(body)
    yield turn, metadata
    turn.add_incoming(b.add(turn, ir.Constant(LONG, 1), flags=("nuw", "nsw")), b.block)
    back = b.branch(head)
    for name, value in metadata.items():
        if value is not None:
            back.set_metadata(name, value)
    b.position_at_end(end)


__all__ = ["BYTE", "LONG", "External", "Instructions", "declared", "turns", "variable"]
