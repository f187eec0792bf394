"""What is an op? A row of the calculus: its forward and its rules side by side.

A row is a name, a forward on arrays, and one rule for each operand::

    mul = row("mul", np.multiply, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a)

A rule is called as ``rule(gradient, output, *operands, *constants)`` and returns the gradient of its
operand. The names of its arguments say what a recorded node must keep: an operand (or the output)
whose name begins with an underscore is not kept, one named ``shape`` is kept as its shape alone, any
other is kept. Rules are pure and use only operators, methods and rows, so that the same rule runs on
arrays, and on Tensors when a gradient is to be derived again. Undoing broadcasting and casting is the
engine's work, not the rule's.

What :func:`row` returns dispatches on what it is given: Tensors are recorded (``recording.py``), arrays go
straight to the forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..engine.autograd import sum_to
from ..engine.places import state
from ..engine.scatter import At, AtOutput
from ..engine.values import Node, as_array
from .at_once import mark
from .recording import arguments, recorder

if TYPE_CHECKING:
    from ..tensors import Tensor

Row = Callable[..., "Tensor"]
Rule = Callable[..., Any] | None


class Texts(NamedTuple):
    """What back ends call an op, each in its own words; "" where one has none for it.

    ``numpy``: the ufunc that computes it into ``out=``. ``machine``: one number of the result as numba
    compiles it, of the operands ``{0}``, ``{1}`` and then the constants; ``zero``, ``one`` and the curves of
    ``scan/vector_math`` are at hand, and a comparison gives a truth value. ``onnx``: the node's name.
    ``js``: one number of the result in JavaScript, of the operands (a constant is one of them); the curves of
    ``page/live/runtime.js`` are at hand, truth values are numbers in memory.
    ``text`` stands for ``machine`` and ``js`` where both say the same, ``math`` being JavaScript's ``Math``.
    An op with a text for one number is elementwise: its result has the shape that its operands broadcast to.
    """

    numpy: str = ""
    machine: str = ""
    onnx: str = ""
    js: str = ""

    @classmethod
    def of(cls, text: str = "", **texts: str) -> Texts:
        """Those that a row gives."""
        return cls(**{"machine": text, "js": text.replace("math.", "Math."), **texts})


ROWS: dict[str, Op] = {}
_NO_TEXTS = Texts()


class Op:
    """A row of the table: the forward, the rules, and what a node of it must keep.

    An op with ``joint`` gives the gradients of all its parents at once, from the node and the list of
    those of its outputs, each in its parent's shape and dtype; None for a parent that has no part in them.
    """

    joint: Callable[[Node, list[Any]], list[Any]] | None = None

    __slots__ = (
        "call",
        "constant_names",
        "floating",
        "forward",
        "item",
        "keep",
        "keep_out",
        "made_of",
        "name",
        "promote",
        "rules",
        "several",
        "sparse",
        "texts",
        "variadic",
        "view",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        rules: tuple[Rule, ...],
        *,
        variadic: bool = False,
        several: bool = False,
        sparse: bool = False,
        promote: int | None = None,
        floating: bool = False,
        view: bool = False,
        texts: Texts | None = None,
        made_of: Callable[..., Any] | None = None,
        at_once: bool = False,
    ) -> None:
        self.name = name
        self.texts, self.made_of = texts or _NO_TEXTS, made_of
        self.call: Any = None  # the function of the row
        self.forward = forward
        self.rules = rules
        self.variadic = variadic
        self.several = several
        self.sparse = sparse
        self.item = name == "item"
        self.promote = promote
        self.floating = floating
        self.view = view
        self.keep_out, self.keep = _what_to_keep(rules, variadic)
        self.constant_names: list[str] | None = None  # of what runs at once
        if at_once:
            self.constant_names = arguments(forward)[1:]
            mark(self)

    @classmethod
    def of_calls(cls, name: str, call: Callable[..., Any], rule: Callable[..., Any]) -> Op:
        """A row for what is called as a whole: any number of tensors in and out, one rule for all of them.

        ``rule(i, g, y, call)`` gives the gradient of the i-th, of a node that saved its call.
        """
        return cls(name, call, (rule,), variadic=True, several=True)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def filled(self, node: Node, parts: list[Any]) -> list[Any]:
        """The gradients of several outputs, zeros for those that nothing came to."""
        zeros = np.zeros if state.tracer is None else state.tracer.zeros
        for k, part in enumerate(parts):
            parts[k] = zeros(node.shape[k], node.dtype) if part is None else as_array(part)
        return parts

    def delta(self, node: Node, i: int, g: Any, out: Any, saved: Any) -> Any:
        """The gradient that crosses one edge, in the parent's shape and dtype."""
        parent = node.parents[i]
        rule: Any = self.rules[0] if self.variadic else self.rules[i]
        d = rule(i, g, out, *saved) if self.variadic else rule(g, out, *saved)
        if d.__class__ is At or d.__class__ is AtOutput:
            return d
        if d.shape != parent.shape:
            d = sum_to(d, parent.shape)
        return as_array(d if d.dtype == parent.dtype else d.astype(parent.dtype))


def _what_to_keep(rules: tuple[Rule, ...], variadic: bool) -> tuple[bool, tuple[str, ...]]:
    """Read from the rules' argument names what a node keeps: output, and value / shape / nothing."""
    keep_out, keep = False, [""] * len(rules)
    for rule in rules:
        if rule is None:
            continue
        names = arguments(rule)
        if variadic:
            names = names[1:]
        keep_out |= not names[1].startswith("_")
        for i, name in enumerate(names[2 : 2 + len(rules)]):
            if name.startswith("_"):
                continue
            what = "shape" if name == "shape" else "value"
            if keep[i] not in ("", what):
                raise TypeError(f"operand {i}: one rule keeps its {keep[i]}, another its {what}")
            keep[i] = what
    return keep_out, tuple(keep)


def row(
    name: str,
    forward: Callable[..., Any],
    *rules: Rule,
    variadic: bool = False,
    several: bool = False,
    sparse: bool = False,
    promote: int | None = None,
    floating: bool = False,
    view: bool = False,
    shown: str | None = None,
    made_of: Callable[..., Any] | None = None,
    at_once: bool = False,
    **texts: str,
) -> Row:
    """Add an op to the table and return the function that applies it.

    ``variadic``: any number of operands and one rule, which gets the operand's position first.
    ``several``: the forward returns a list; the rule gets the list of their gradients.
    ``sparse``: the rule returns :class:`At`. ``promote=k``: operands from the k-th on are brought to
    a common dtype first (PyTorch's promotion). ``floating``: integers become the default float first.
    ``view``: the result may lie in the operand's memory, and a write to one is then seen by the other.
    ``shown``: the name that nodes bear where it is not the row's own. ``texts``: see :class:`Texts`.
    ``made_of``: the op said in other rows, called like it: for back ends that have no text for it.
    ``at_once``: an op of one operand that machine code may run as one loop (``at_once``).
    """
    if name in ROWS:
        raise ValueError(f"the table has a row {name!r} already")
    if isinstance(forward, np.ufunc):
        texts.setdefault("numpy", forward.__name__)
    op = Op(
        shown or name,
        forward,
        rules,
        variadic=variadic,
        several=several,
        sparse=sparse,
        promote=promote,
        floating=floating,
        view=view,
        texts=Texts.of(**texts),
        made_of=made_of,
        at_once=at_once,
    )
    ROWS[name] = op
    call = recorder(op, ROWS)
    call.op, op.call = op, call  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = name
    return call
