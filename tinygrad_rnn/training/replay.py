"""How is a traced iteration run again? As lines of Python on arrays: forward, then every rule in its turn.

The lines do what the engine does (``engine.autograd.flow``), in its order and with its roundings, so that
loss and gradients are the traced iteration's to the last bit; what is gone are the questions: which node is
next, whether a gradient has come already, what a rule is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.autograd import sum_to
from ..engine.values import Leaf, Literal, as_array
from ..ops.recording import prepared
from ..ops.row import ROWS
from ..scan.tracing import Fixed, Unrecorded, Untraceable
from ..tensors import Tensor
from .iteration import Iteration, PartOf


class Differs(Exception):  # noqa: N818 (an answer, not a mistake)
    """Something is not as the program takes it to be: the iteration is run as Python, which says what."""


class Replay:
    """The program of an iteration: ``run(*arrays, told)`` gives the loss and the leaves' gradients.

    The latter are as ``flow`` gives them; ``told``, if there is one, is told the loss before backward.
    """

    def __init__(self, iteration: Iteration, tensors: Iterable[Tensor]) -> None:
        self.iteration = iteration
        self.tensors: list[Tensor] = []  # from outside that take part, read at every call
        every = list(tensors)
        self.outside = {id(t._node): t for t in every if t._node is not None}
        self._bare = {id(t): t for t in every}
        self._names: dict[int, str] = {}
        self.space: dict[str, Any] = {
            "as_array": as_array,
            "sum_to": sum_to,
            "zeros": np.zeros,
            "array": np.array,
            "rows_in": _rows_in,
            "finite": _finite,
            "Differs": Differs,
        }
        self._called: dict[int, str] = {}  # the names in it, by object
        self.lines: list[str] = []
        self._of_result = {
            id(t._node): (block, k)
            for block in iteration.blocks
            for k, t in enumerate(block.results)
        }
        self.order = self._in_order()
        self._forward()
        self._backward()
        arguments = ", ".join(f"x{k}" for k in range(len(iteration.inputs)))
        text = f"def run({arguments}, told):\n" + "".join(f"    {line}\n" for line in self.lines)
        exec(compile(text, "<an iteration of training>", "exec"), self.space)
        self.text, self.run = text, self.space["run"]

    # ---- what there is

    def _in_order(self) -> list[Any]:
        """Nodes and blocks behind the loss, in the order in which they were made."""
        found: dict[int, Any] = {}
        stack: list[Any] = [self.iteration.total._node]
        while stack:
            node = stack.pop()
            if id(node) in found:
                continue
            found[id(node)] = node
            if id(node) in self._of_result:
                stack.append(self._of_result[id(node)][0])
            elif hasattr(node, "taken"):
                stack += [t._node for t in node.taken if t._node is not None]
            else:
                stack += node.parents
        return sorted(found.values(), key=lambda node: node.number)

    def _known(self, value: Any, stem: str) -> str:
        """The name of an object of the program's own, the same for the same one."""
        name = self._called.get(id(value))
        if name is None:
            name = self._called[id(value)] = f"{stem}{len(self.space)}"
            self.space[name] = value
        return name

    def handle(self, t: Tensor) -> str:
        """The name of a tensor from outside."""
        return self._known(t, "w")

    def _name(self, node: Any) -> str:
        """The name of a value."""
        return self._names[id(node)]

    # ---- forward

    def _forward(self) -> None:
        for k, t in enumerate(self.iteration.inputs):
            self._names[id(t._node)] = f"x{k}"
        for node in self.order:
            if id(node) in self._names or id(node) in self._of_result:
                continue
            if hasattr(node, "taken"):
                self._block(node)
            elif node.op is None:
                self._source(node)
            elif getattr(node.op, "several", False):
                name = self._names[id(node)] = f"v{len(self._names)}"
                arrays, constants = self._operands(node)
                forward = self._known(node.op.forward, "f")
                self.lines.append(f"{name} = {forward}({', '.join([*arrays, *constants])})")
            else:
                self._op(node)
        self.lines.append(f"if told is not None: told({self._name(self.iteration.total._node)})")

    def _source(self, node: Any) -> None:
        """A value that no op made: a number, or a tensor from outside."""
        if isinstance(node, Literal):
            self._names[id(node)] = f"({node.value!r})"
            if isinstance(node.value, float):  # NaN and infinity have no text
                self._names[id(node)] = self._known(node.value, "n")
            return
        tensor = self.outside.get(id(node))
        if tensor is None:
            what = "a Parameter" if isinstance(node, Leaf) else "an array"
            raise Untraceable(f"it uses {what} of shape {node.shape} from outside")
        name = self._names[id(node)] = f"v{len(self._names)}"
        self.tensors.append(tensor)
        self.lines.append(f"{name} = {self._known(tensor, 'w')}._data")
        if any(node is leaf for leaf in self.iteration.tracer.finite):
            self.lines.append(f"finite({name})")

    def _block(self, block: Any) -> None:
        """What runs as a whole."""
        taken = [self.taken(t) for t in block.taken]
        name = self._known(block, "block")
        kept, results = f"kept_{name}", f"results_{name}"
        self.lines.append(f"{results}, {kept} = {name}.forward([{', '.join(taken)}])")
        for k, t in enumerate(block.results):
            self._names[id(t._node)] = f"{results}[{k}]"
        self.tensors += [t for t in block.weights.values() if not any(t is u for u in self.tensors)]

    def taken(self, t: Tensor) -> str:
        """What a block takes: a value of the program, a tensor from outside, or a state of zeros."""
        if t._node is not None:
            return self._name(t._node)
        if id(t) in self._bare:
            self.tensors.append(t)
            return f"{self._known(t, 'w')}._data"
        if t._data.any():
            raise Untraceable(f"a layer takes an array of shape {t._data.shape} from outside")
        return self._known(t._data, "n")

    def _op(self, node: Any) -> None:
        name = f"v{len(self._names)}"
        if isinstance(node, Unrecorded):
            text = self._unrecorded(node)
        elif node.op.item:
            text = f"{self._name(node.parents[0])}[{node.saved[1]}]"
        else:
            arrays, constants = self._operands(node)
            if node.op is ROWS["embedding"]:
                self.lines.append(f"rows_in({constants[0]}, {node.parents[0].shape[0]})")
            text = self._call(node.op.forward, node.op.variadic, arrays, constants)
        self._names[id(node)] = name
        self.lines.append(f"{name} = as_array({text})" if node.shape == () else f"{name} = {text}")

    def _call(self, forward: Any, variadic: bool, arrays: list[str], constants: list[str]) -> str:
        given = [f"[{', '.join(arrays)}]"] if variadic else arrays
        return f"{self._known(forward, 'f')}({', '.join([*given, *constants])})"

    def _unrecorded(self, node: Any) -> str:
        """A value without a gradient: a row's, or a function's of numpy."""
        name = node.op.name
        if name == "constant":
            return self._known(node.saved[0].array, "n")
        operands = [self._name(p) for p in node.parents]
        if name == "detach":
            return operands[0]
        if isinstance(node.op, PartOf):
            constants = [self._constant(c) for c in node.op.constants]
            several = self._call(node.op.op.forward, False, operands, constants)
            return f"{several}[{node.op.place}]"
        op = ROWS.get(name)
        constants = [self._constant(c) for c in node.saved[len(node.parents) :]]
        if op is not None:
            if op is ROWS["embedding"]:
                self.lines.append(f"rows_in({constants[0]}, {node.parents[0].shape[0]})")
            arrays = self._cast(op, node.parents, operands)
            return self._call(op.forward, op.variadic, arrays, constants)
        function = getattr(np, name, None)
        if function is None or constants:
            raise Untraceable(f"it uses {name}, which has no text here")
        dtype = self._known(np.dtype(node.dtype), "t")
        call = f"{self._known(function, 'f')}({', '.join(operands)})"
        return f"{self._known(np.asarray, 'f')}({call}).astype({dtype}, copy=False)"

    def _operands(self, node: Any) -> tuple[list[str], list[str]]:
        """A recorded op's operands, cast as the row casts them, and its constants."""
        op, parents = node.op, node.parents
        saved = node.saved[1:] if op.variadic else node.saved[len(parents) :]
        names = [self._name(p) for p in parents]
        return self._cast(op, parents, names), [self._constant(c) for c in saved]

    def _cast(self, op: Any, parents: Any, names: list[str]) -> list[str]:
        """Operands in the dtypes that the row computes in."""
        stand = [
            p.value if isinstance(p, Literal) else Tensor._wrap(np.empty(p.shape, p.dtype), None)
            for p in parents
        ]
        if getattr(op, "several", False):
            return names
        _, arrays = prepared(op, tuple(stand))
        cast = []
        for name, given, array in zip(names, stand, arrays, strict=True):
            if not isinstance(given, Tensor):
                if isinstance(array, np.ndarray):
                    raise Untraceable(f"{op.name} of numbers alone")
                cast.append(name)
            elif array.dtype != given._data.dtype:
                cast.append(f"{name}.astype({self._known(array.dtype, 't')})")
            else:
                cast.append(name)
        return cast

    def _constant(self, value: Any) -> str:
        """A constant of an op; an array must be an input as it is, or made of Python's numbers."""
        if isinstance(value, np.ndarray):
            for k, t in enumerate(self.iteration.inputs):
                if value is t._data:
                    return f"x{k}"
            if not self.iteration.tracer.is_index(value):
                raise Untraceable("it indexes with an array that it computes")
        elif isinstance(value, (tuple, list)) and any(map(_holds_array, value)):
            parts = "".join(f"{self._constant(v)}, " for v in value)
            return f"({parts})" if isinstance(value, tuple) else f"[{parts}]"
        elif isinstance(value, (np.generic, Fixed)):
            raise Untraceable("an op takes a number that it reads")
        return self._known(value, "n")

    # ---- backward

    def _backward(self) -> None:
        total = self.iteration.total
        self._grads: dict[int, str] = {}
        self._owned: set[int] = set()
        self._parts: dict[int, list[str | None]] = {}
        seed = np.ones(total._data.shape, total._data.dtype)
        self._grads[id(total._node)] = self._known(seed, "n")
        leaves: dict[int, Any] = {}
        for node in reversed(self.order):
            if hasattr(node, "taken"):
                leaves |= {id(t._node): t._node for t in node.weights.values()}
                self._block_back(node)
            elif id(node) in self._of_result:
                if id(node) in self._grads:
                    block, k = self._of_result[id(node)]
                    parts = self._parts.setdefault(id(block), [None] * len(block.results))
                    parts[k] = self._grads[id(node)]
            elif node.op is None:
                if id(node) in self._grads:
                    leaves[id(node)] = node
            elif isinstance(node, Unrecorded):
                continue
            elif id(node) in self._grads or id(node) in self._parts:
                self._op_back(node)
        back = []
        for node in leaves.values():
            if id(node) not in self._grads:
                continue
            tensor = self._known(self.outside[id(node)], "w")
            back.append(f"({tensor}._node, {self._grads[id(node)]}, {id(node) in self._owned})")
        self.lines.append(f"return {self._name(total._node)}, [{', '.join(back)}]")

    def _block_back(self, block: Any) -> None:
        parts = self._parts.get(id(block))
        if parts is None:
            return
        name = self._known(block, "block")
        given = ", ".join("None" if p is None else p for p in parts)
        found = f"found_{name}"
        self.lines.append(f"{found} = {name}.backward(kept_{name}, [{given}])")
        for k, reached in enumerate(block.reached([p is not None for p in parts])):
            if reached:
                self._sparse_free(block.parents[k]._node, f"{found}[{k}]", True)

    def _op_back(self, node: Any) -> None:
        op = node.op
        if op.several:
            whole = self._known(node, "node")
            parts = ["None" if p is None else p for p in self._parts[id(node)]]
            g = f"g{len(self.space)}_{len(self.lines)}"
            self.lines.append(f"{g} = {whole}.op.filled({whole}, [{', '.join(parts)}])")
        else:
            g = self._grads[id(node)]
            if node.shape == ():
                self.lines.append(f"{g}_ = as_array({g})")
                g = f"{g}_"
        if op.item:
            parent, at = node.parents[0], node.saved[1]
            parts_of = self._parts.setdefault(id(parent), [None] * len(parent.shape))
            held = parts_of[at]
            if held is None:
                parts_of[at] = g
            else:
                self.lines.append(f"{held}s = {held} + {g}")
                parts_of[at] = f"{held}s"
            return
        arguments = self._saved(node)
        for i, parent in enumerate(node.parents):
            if not parent.needs:
                continue
            rule = self._known(op.rules[0] if op.variadic else op.rules[i], "r")
            place = f"{i}, " if op.variadic else ""
            d = f"d{len(self.lines)}"
            self.lines.append(f"{d} = {rule}({place}{g}, {arguments})")
            if op.sparse:
                self._sparse(parent, d)
            else:
                self._sparse_free(parent, d, False)

    def _saved(self, node: Any) -> str:
        """What a rule is given after the gradient."""
        op = node.op
        out = self._name(node) if op.keep_out else "None"
        arrays, constants = self._operands(node)
        shapes = [str(tuple(p.shape)) for p in node.parents]
        if op.variadic:
            what = op.keep[0]
            given = arrays if what == "value" else shapes
            kept = [f"({', '.join(given)},)" if what else "None"]
        else:
            kept = [
                a if what == "value" else s if what == "shape" else "None"
                for a, s, what in zip(arrays, shapes, op.keep, strict=True)
            ]
        return ", ".join([out, *kept, *constants])

    def _sparse(self, parent: Any, d: str) -> None:
        """A gradient of a part: into a buffer of the program's own."""
        key, shape, dtype = id(parent), tuple(parent.shape), self._known(parent.dtype, "t")
        held = self._grads.get(key)
        name = held if held is not None and key in self._owned else f"g{len(self.lines)}"
        if held is None:
            self.lines.append(f"{name} = zeros({shape}, {dtype})")
        elif key not in self._owned:
            self.lines.append(f"{name} = array({held}, {dtype})")
        self._owned.add(key)
        self._grads[key] = name
        self.lines.append(f"{d}.add_to({name})")

    def _sparse_free(self, parent: Any, d: str, whole: bool) -> None:
        """A gradient of all of a value: the first is borrowed, the second makes memory of our own."""
        key = id(parent)
        held = self._grads.get(key)
        if not whole:
            shape, dtype = tuple(parent.shape), self._known(parent.dtype, "t")
            self.lines.append(f"if {d}.shape != {shape}: {d} = sum_to({d}, {shape})")
            self.lines.append(f"if {d}.dtype is not {dtype}: {d} = {d}.astype({dtype})")
        if held is None:
            name = f"g{len(self.lines)}"
            self.lines.append(f"{name} = {d}")
            self._grads[key] = name
        elif key in self._owned and parent.shape != ():
            self.lines.append(f"{held} += {d}")
        else:
            name = f"g{len(self.lines)}"
            self.lines.append(f"{name} = {held} + {d}")
            self._grads[key] = name
            self._owned.add(key)


def _holds_array(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_holds_array, value))
    return isinstance(value, (np.ndarray, np.generic, Fixed))


def _rows_in(index: Any, count: int) -> None:
    """Raise where an index names no row of a table."""
    if index.size and not (index.min() >= 0 and index.max() < count):
        raise Differs("an index out of range")


def _finite(a: Any) -> None:
    """Raise where a product would spread what is not finite to rows that have no part in it."""
    if not np.isfinite(a).all():
        raise Differs("a weight that is not finite")


__all__ = ["Differs", "Replay"]
