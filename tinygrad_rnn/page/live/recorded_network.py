"""How is a recorded network taken apart? Layers and ops behind a graph's one number, as they were called.

Layers that ran compiled are one node each, from which they are read; what is around them is recorded
anew, op by op, on leaves in the place of data and Parameters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...engine.lazy_output import LazyOutput
from ...engine.switches import no_grad
from ...engine.values import Leaf, Literal
from ...nn.compiling import Direction, LayerCall, Stage
from ...nn.recurrent import initial_state
from ...nn.stepping import mapped
from ...scan.running import CompiledCall
from ...scan.tracing import Untraceable, leaf, tracing
from ...tensors import Tensor
from .indices import arrays_in
from .lowering import NoText
from .network import CalledLayer, LayersAsWholes, Network


class RecordedNetwork(Network):
    """The network behind a graph. Raises NoText where the graph does not say all that it is made of."""

    def __init__(self, graph: Any) -> None:
        self.hold, self.constants = True, {}
        if len(graph._ends) != 1 or graph._ends[0].shape:
            raise NoText("a graph that does not end in one number")
        try:
            self._read(graph)
        except Untraceable as reason:
            raise NoText(str(reason)) from reason

    def _read(self, graph: Any) -> None:
        nodes, calls = _behind(graph._ends[0])
        if not calls:
            raise NoText("a graph without a layer that ran compiled")
        written = any(t._data is not data for fold in calls for t, data, _ in fold.values)
        if written or any(getattr(node, "stale", None) is not None for node in nodes):
            raise NoText("a graph of which a Parameter was written since")
        with no_grad():
            self._results = {id(f): [t._data for t in f.recorded(None)] for f in calls}
        modules = [module for _, module in graph._roots.values() if module is not None]
        roots = {id(p): (name, p) for m in modules for name, p in m.named_parameters()}
        for fold in calls:
            for t in (t for v in fold.variants() for t in v.tensors):
                roots.setdefault(id(t), (t._node.name or f"weight {len(roots)}", t))
        every = list(roots.values())
        self.names, self.learnt = [n for n, _ in every], [t.requires_grad for _, t in every]
        self.values = [t._data for _, t in every]
        self._of_copy = {key: k for k, key in enumerate(roots)}
        source = calls[0].call.x if isinstance(calls[0], CompiledCall) else calls[0].x
        if isinstance(source._node, LazyOutput) or getattr(source._node, "op", None) is not None:
            raise NoText(
                "a layer whose input is computed: give the model, tg.Live(model, data, loss)"
            )
        self.x = source._data
        self.kind = self.x.dtype.char
        fresh = {id(t._node): leaf(t._data) for _, t in every}
        weights = [fresh[id(t._node)] for _, t in every]
        data = {"x0": leaf(self.x)}
        known: dict[int, Any] = dict(fresh)
        if source._node is not None:
            known[id(source._node)] = data["x0"]
        with tracing(LayersAsWholes()) as tracer:
            tracer.trusts = True  # what a recorded op held is the same at every run
            meets = self._again(nodes, known, data, tracer, source)
        total = known[id(graph._ends[0])]
        prediction = meets if meets is not None else tracer.layers[-1].results[0]
        self.y = data["x1"]._data if "x1" in data else np.zeros(0, self.x.dtype)
        self.constants = {role: t._data for role, t in data.items() if role not in ("x0", "x1")}
        given = {role: t._node for role, t in data.items()}
        self._finish(tracer, given, [t._node for t in weights], total, prediction)

    def _again(
        self,
        nodes: list[Any],
        known: dict[int, Any],
        data: dict[str, Any],
        tracer: LayersAsWholes,
        source: Any,
    ) -> Any:
        """Record the ops anew, into ``known`` by their nodes; returns what meets the first constant."""
        meets = None
        done: dict[int, list[Any]] = {}
        for node in nodes:
            if id(node) in known:
                continue
            if isinstance(node, LazyOutput):
                fold = node.whole.saved[0]  # type: ignore[union-attr]
                if id(fold) not in done:
                    done[id(fold)] = self._layer(fold, known, data["x0"], source, tracer)
                known[id(node)] = done[id(fold)][node.position]
            elif node.op is None:
                known[id(node)] = self._source(node, data)
            else:
                operands = [
                    p.value if isinstance(p, Literal) else known[id(p)] for p in node.parents
                ]
                values = [o for o in operands if isinstance(o, Tensor)]
                if meets is None and len(values) == 2 and any(o is data.get("x1") for o in values):
                    meets = next((o for o in values if o is not data["x1"]), None)
                if node.op.item:
                    known[id(node)] = known[id(node.parents[0])][node.saved[1]]
                    continue
                constants = node.saved[1 if node.op.variadic else len(operands) :]
                run = node.op.made_of if arrays_in(constants) else None
                known[id(node)] = (run or node.op.call)(*operands, *constants)
        return meets

    def _source(self, node: Any, data: dict[str, Any]) -> Any:
        """A value that no op made."""
        if isinstance(node, Literal):
            return node.value
        held = node.held
        value = held if isinstance(held, (bool, int, float)) else None if held is None else held()
        if value is None:
            raise NoText(
                f"an array of shape {node.shape} that is gone: keep it, or give the model, "
                "tg.Live(model, data, loss)"
            )
        made = leaf(np.full(node.shape, value, node.dtype) if np.ndim(value) == 0 else value)
        if isinstance(node, Leaf) or np.dtype(node.dtype).kind == "f":
            data[f"x{max(len(data), 1)}"] = made
            return made
        raise NoText(f"data of {np.dtype(node.dtype)}")

    def _layer(
        self, fold: Any, known: dict[int, Any], x0: Any, source: Any, tracer: LayersAsWholes
    ) -> list[Any]:
        """What a layer gives, on leaves of their own."""

        def now(t: Any) -> Any:
            if t is source:
                return x0
            found = None if t._node is None else known.get(id(t._node))
            return Tensor._wrap(t._data, None) if found is None else found

        if isinstance(fold, CompiledCall):
            stages = [
                Stage([replace(way, state=mapped(now, way.state)) for way in stage.directions])
                for stage in fold.call.stages
            ]
            call = replace(fold.call, x=now(fold.call.x), stages=stages)
        else:
            if fold.layer is None:
                raise NoText(
                    "a cell that is called in a loop of one's own: give it to nn.Recurrent"
                )
            batch = fold.x._data.shape[1 - fold.time_axis]
            hx = getattr(fold, "hx", None)
            first = initial_state(fold.cell, batch) if hx is None else None
            if first is None:
                (first,) = fold.layer._states(mapped(now, hx), batch)
            stages, x = [Stage([Direction(fold.cell, first)])], now(fold.x)
            names = tuple(fold.cell.states)
            args = (fold.layer, x, fold.time_axis, stages, fold.recorded, fold.lengths)
            call = LayerCall(*args, joined=names)
        called = CalledLayer(call, [leaf(array) for array in self._results[id(fold)]])
        tracer.layers.append(called)
        return called.results


def _behind(end: Any) -> tuple[list[Any], list[Any]]:
    """What a number was computed from, each layer as one, in the order in which it was made; the layers."""
    seen, stack, calls = {id(end): end}, [end], {}
    while stack:
        node = stack.pop()
        below = node.parents if not isinstance(node, LazyOutput) else ()
        if isinstance(node, LazyOutput):
            if node.whole is None:
                raise NoText(
                    "a cell that is called in a loop of one's own: give it to nn.Recurrent"
                )
            fold = node.whole.saved[0]
            calls[id(fold)] = fold
            below = fold.before
        for p in below:
            if id(p) not in seen:
                seen[id(p)] = p
                stack.append(p)
    ordered = sorted(seen.values(), key=lambda n: n.number)
    first = [n.whole.saved[0] for n in ordered if isinstance(n, LazyOutput) and n.whole is not None]
    return ordered, list({id(f): f for f in first}.values())
