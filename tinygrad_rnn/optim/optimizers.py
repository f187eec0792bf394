"""What does one step of SGD, RMSprop or Adam do? Every new value is computed before any is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np

from ..engine.keywords import check_keywords
from ..engine.switches import enable_grad
from ..engine.values import Array, Leaf
from ..tensors import Tensor
from ..tensors.all_or_none import all_or_none
from .together import Rows, elementwise
from .updates import adam, applied, sgd

Group = dict[str, Any]  # Parameters and their options: lr and so on
Memory = dict[str, Any]  # what is remembered of one Parameter: arrays of its shape, and numbers
_NOT_NEGATIVE = (
    "lr", "weight_decay", "eps", "momentum", "alpha",
    "lr_decay", "initial_accumulator_value", "momentum_decay",
)  # fmt: skip


class Optimizer:
    """What optimizers share: parameters in groups, state per parameter, ``step``, ``zero_grad``.

    ``params`` are Parameters, or dicts with ``"params"`` and options that differ for that group.
    Writing a Parameter installs a new array: graphs that used the old one stay true, and refuse to
    send gradients to it. Raises ValueError for an empty list and for options out of range.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A new optimizer, unless a keyword is none of its constructor's: TypeError names what is."""
        if kwargs:
            check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        who = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError("params must be a list of Parameters: wrap the one in [ ]")
        if hasattr(params, "parameters"):
            raise TypeError(f"{who} takes Parameters, not a {type(params).__name__}: .parameters()")
        if not isinstance(params, Iterable) or isinstance(params, (str, Mapping)):
            cure = f": call it, {who}(model.parameters())" if callable(params) else ""
            raise TypeError(f"{who} takes a list of Parameters, not {type(params).__name__}{cure}")
        listed = list(params)
        if not listed:
            raise ValueError(f"{who} got no parameters")
        groups = listed if isinstance(listed[0], dict) else [{"params": listed}]
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self._rows = Rows()
        self._state: dict[Tensor, Memory] | None = {}
        for group in groups:
            self.add_param_group(group)

    @property
    def state(self) -> dict[Tensor, Memory]:
        """What is remembered of each Parameter, by the Parameter: arrays of its shape, and numbers."""
        state = self._state
        if state is None:
            rows = self._rows.whole or []
            state = {p: m for r in rows for p, m in zip(r.params, r.told(), strict=True)}
            self._state = state
        self._rows.whole = None  # what is looked at may be changed
        return state

    @state.setter
    def state(self, state: dict[Tensor, Memory]) -> None:
        self._state, self._rows.whole = state, None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled and copied: the state as it is told, and no rows."""
        return {**self.__dict__, "_state": self.state, "_rows": Rows()}

    def add_param_group(self, param_group: Group) -> None:
        """Train more Parameters, with options of their own where the dict names them."""
        given = param_group["params"]
        group = {**self.defaults, **param_group}
        group["params"] = [given] if isinstance(given, Tensor) else [_unnamed(p) for p in given]
        unknown = sorted(set(param_group) - set(self.defaults) - {"params"})
        if unknown:
            raise ValueError(f"{type(self).__name__} has no option {', '.join(unknown)}")
        self._check(group)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in group["params"]:
            if not isinstance(p, Tensor) or not p.is_leaf:
                what = f"{type(p).__name__} {p!r:.40}"
                if isinstance(p, Tensor):
                    what = "computed tensors"
                elif hasattr(p, "parameters"):
                    what = f"a {type(p).__name__}: [*a.parameters(), *b.parameters()]"
                raise TypeError(f"an optimizer trains leaves (Parameters), not {what}")
            if id(p) in known:
                raise ValueError("a Parameter is in two groups of the optimizer")
            known.add(id(p))
        self.param_groups.append(group)

    def _check(self, group: Group) -> None:
        for name in _NOT_NEGATIVE:
            if not _number(self, name, group.get(name, 0)) >= 0:
                raise ValueError(
                    f"{type(self).__name__}: {name} must not be negative: {group[name]}"
                )
        betas = group.get("betas", (0, 0))
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"{type(self).__name__}: betas must be two numbers, got {betas!r}")
        for beta in betas:
            if not 0 <= _number(self, "betas", beta) < 1:
                raise ValueError(
                    f"{type(self).__name__}: betas must be in 0 ... 1: {group['betas']}"
                )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every Parameter (or set them to zeros)."""
        for group in self.param_groups:
            for p in group["params"]:
                node = p._node
                if set_to_none and node.__class__ is Leaf:
                    node.grad = None
                elif p.grad is not None:
                    p.grad = None if set_to_none else Tensor._made(np.zeros_like(p._data))

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every Parameter that has a gradient; ``closure`` computes the loss first, if given."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        by = f"{type(self).__name__}.step()"
        done = self._rows.again(self)
        if done is not None:
            params = [p for row, *_ in done for p in row.params]
            with all_or_none(params) as written:
                written.install([a for _, _, parts, _ in done for a in parts], by)
                for row, value, parts, memory in done:  # no call, nothing that could fail
                    row.flat, row.parts, row.memory = value, parts, memory
                self._state = None  # it is in the rows
            return loss
        writes, state = [], dict(self.state)
        for number, group in enumerate(self.param_groups):
            given = [(p, g._data) for p in group["params"] if (g := p.grad) is not None]
            mine, grads = [p for p, _ in given], [g for _, g in given]
            together = self._rows.updated(self._updated, mine, grads, self.state, group, number)
            for k, (p, g) in enumerate(zip(mine, grads, strict=True)):
                if k in together:
                    value, state[p] = together[k]
                else:
                    memory = dict(self.state.get(p, {}))
                    value = np.asarray(self._updated(p._data, g, memory, group), p.dtype)
                    state[p] = {name: _stored(kept, p) for name, kept in memory.items()}
                writes.append((p, value))
        with all_or_none([p for p, _ in writes]):
            for p, value in writes:
                p._install(value, by)
            self._state = state
        self._rows.are_whole(self.param_groups, state)
        return loss

    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        """The new value of one Parameter; each optimizer writes its own."""
        raise NotImplementedError  # the base class has no update of its own

    def state_dict(self) -> dict[str, Any]:
        """The options and the state, by each Parameter's position."""
        order = [p for group in self.param_groups for p in group["params"]]
        state = {i: dict(self.state[p]) for i, p in enumerate(order) if p in self.state}
        groups, start = [], 0
        for group in self.param_groups:
            options = {k: v for k, v in group.items() if k != "params"}
            count = len(group["params"])
            groups.append({**options, "params": list(range(start, start + count))})
            start += count
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the options and the state of an optimizer of the same groups.

        Raises ValueError, before anything is changed, where the groups, the options or the shapes
        differ.
        """
        groups = state_dict["param_groups"]
        sizes = [len(g["params"]) for g in groups]
        own = [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ValueError(f"load_state_dict: groups of {sizes} Parameters, expected {own}")
        lacking = sorted({name for g in groups for name in self.defaults if name not in g})
        if lacking:
            raise ValueError(
                f"load_state_dict: this is not the state of a {type(self).__name__}: it has no "
                f"{', '.join(lacking)}"
            )
        order = [p for group in self.param_groups for p in group["params"]]
        state = {}
        for i, memory in state_dict["state"].items():
            if i not in range(len(order)):
                raise ValueError(
                    f"load_state_dict: there is state for Parameter {i!r}, and there are {len(order)}"
                )
            wanted = self._memory_shape(order[i])
            for name, value in memory.items():
                if isinstance(value, (np.ndarray, Tensor)) and value.shape != wanted:
                    raise ValueError(
                        f"load_state_dict: {name} of Parameter {i} has shape {value.shape}, "
                        f"expected {wanted}"
                    )
            state[order[i]] = {name: _loaded(value) for name, value in memory.items()}
        taken = [
            {**group, **new, "params": group["params"]}
            for group, new in zip(self.param_groups, groups, strict=True)
        ]
        self.state, self.param_groups = state, taken

    def _memory_shape(self, p: Tensor) -> tuple[int, ...]:
        """The shape of the arrays that are remembered of one Parameter."""
        return p.shape

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for group in self.param_groups:
            options = ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
            lines.append(f"  {len(group['params'])} Parameters: {options}")
        return "\n".join([*lines, ")"])


def _unnamed(p: Any) -> Any:
    """The Parameter of a pair of ``named_parameters()``, and what is no pair as it is."""
    return p[1] if isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) else p


def _number(optimizer: Optimizer, name: str, value: Any) -> Any:
    if (isinstance(value, (int, float, np.number)) and not isinstance(value, bool)) or (
        isinstance(value, (np.ndarray, Tensor)) and value.ndim == 0
    ):
        return value
    raise TypeError(f"{type(optimizer).__name__}: {name} must be a number, got {value!r}")


def _stored(value: Any, p: Tensor) -> Any:
    """What is remembered of a Parameter: an array of its dtype (numpy makes scalars of 0-d ones)."""
    return np.asarray(value, p.dtype) if isinstance(value, (np.ndarray, np.generic)) else value


def _loaded(value: Any) -> Any:
    """The same from a file, whose tensors are arrays here."""
    return np.asarray(value) if isinstance(value, (Tensor, np.ndarray, np.generic)) else value


def options(given: Group, *without: str) -> Group:
    """The options among a constructor's ``locals()``: all that it is given but the Parameters."""
    return {k: v for k, v in given.items() if k not in ("self", "params", "__class__", *without)}


def decayed(p: Array, g: Array, group: Group) -> Array:
    """The gradient of the loss and of ``weight_decay / 2`` times the squares of a Parameter."""
    return g + group["weight_decay"] * p if group["weight_decay"] else g


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013).

    ``g = grad + weight_decay p``; ``v = momentum v + (1 - dampening) g``;
    ``p = p - lr (g + momentum v)`` with ``nesterov``, else ``p - lr v``; v starts as the first g.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.8
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        momentum, share = group["momentum"], 1 - group["dampening"]
        v: Any = memory.get("momentum_buffer") if momentum else g
        if v is None:  # it starts as the first g
            v, share = 0.0, 1.0
        numbers = (group["weight_decay"], momentum, share, group["lr"], group["nesterov"])
        result: Array
        result, *kept = applied(sgd, (p, g, v), numbers, 2 if momentum else 1)
        if momentum:
            (memory["momentum_buffer"],) = kept
        return result


class RMSprop(Optimizer):
    """RMSprop (Hinton's lecture 6e, 2012; ``centered``: Graves 2013), PyTorch's form.

    ``g = grad + weight_decay p``; ``v = alpha v + (1 - alpha) g**2``;
    ``u = g / (sqrt(v - m**2) + eps)``, where m is the same average of g if ``centered``, else 0;
    ``b = momentum b + u``; ``p = p - lr b``.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.RMSprop([w], lr=0.01)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        g, alpha, momentum = decayed(p, g, group), group["alpha"], group["momentum"]
        v = memory["square_avg"] = alpha * memory.get("square_avg", 0.0) + (1 - alpha) * (g * g)
        if group["centered"]:
            m = memory["grad_avg"] = alpha * memory.get("grad_avg", 0.0) + (1 - alpha) * g
            v = np.maximum(v - m * m, 0)  # rounding can make it negative
        u = g / (np.sqrt(v) + group["eps"])
        if momentum:
            u = memory["momentum_buffer"] = momentum * memory.get("momentum_buffer", 0.0) + u
        result: Array = p - group["lr"] * u
        return result


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), PyTorch's form.

    ``m = b1 m + (1 - b1) g``; ``v = b2 v + (1 - b2) g**2``;
    ``p = p - lr (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)``; ``weight_decay`` adds to g.
    With ``amsgrad`` v in the last line is the largest so far (Reddi, Kale & Kumar 2018).

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.Adam([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, options(locals(), *(() if amsgrad else ("amsgrad",))))

    @elementwise
    def _updated(self, p: Array, g: Array, memory: Memory, group: Group) -> Array:
        (b1, b2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        amsgrad = bool(group.get("amsgrad"))
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 2 + amsgrad]
        m, v = memory.get("exp_avg", 0.0), memory.get("exp_avg_sq", 0.0)
        top = memory.get("max_exp_avg_sq", -np.inf) if amsgrad else v
        keep, decay = (1 - lr * decay if decay else 1, 0) if self.decoupled else (1, decay)
        t = memory["step"] = memory.get("step", 0) + 1
        root, rate = math.sqrt(1 - b2**t), lr / (1 - b1**t)
        numbers = (keep, decay, b1, 1 - b1, b2, 1 - b2, root, group["eps"], rate, amsgrad)
        result: Array
        result, *kept = applied(adam, (p, g, m, v, top), numbers, 1 + len(names))
        memory.update(zip(names, kept, strict=True))
        return result


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019), PyTorch's form.

    ``p = p (1 - lr weight_decay)``, then Adam's update.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = tg.optim.AdamW([w], lr=0.1)
    >>> (w * w).backward(); optimizer.step()
    >>> round(w.item(), 4)
    0.899
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
