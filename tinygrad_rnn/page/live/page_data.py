"""What of a model goes into a page in which it runs? Its text, its data, its weights, its film."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from importlib import resources
from os import PathLike
from typing import Any, Protocol

import numpy as np

from ...doors import door
from ...nn.functional import mse_loss
from ...nn.module import Module
from ...tensors import Tensor
from .lowering import NoText
from .network import Loss, Network
from .recorded_network import RecordedNetwork

FEATURES = {"adding": 2, "echo": 1, "sine": 1}  # what a step of a generated task is
SCRIPTS = ("runtime", "network", "tasks", "panel")


class Snapshots(Protocol):
    """What a film is to a page: an epoch, a loss and the weights in each picture."""

    epochs: list[int]
    losses: list[float]

    def rows(self, names: Sequence[str]) -> Any:
        """The weights of these names side by side, a row a picture."""


class Live:
    """A model that runs in a page, offline: with its data, its loss and, if there is one, its film.

    ``data`` is (x, y), whole, as ``tg.fit`` takes it: ``loss(model(x), y)`` is one number. The reader changes
    inputs and weights, holds gates, cuts the gradient, and trains; ``tasks`` are further data to train on,
    generated in the page: ("adding" | "echo" | "sine", steps, batch), as far as the model's features fit.
    ``film`` (a ``tg.Film``) gives a slider over the epochs. ``title`` and ``words`` are put above it.
    Integers in x choose rows of an embedding, integers in y are classes, as ``cross_entropy`` takes them;
    ``symbols`` are the names of x's integers (a string, or a list), and of the classes where there are as
    many: the page then shows the gates over the text itself.

    ``graph.to_html(path, live=live)`` puts it beside the picture of a graph (``live=True`` the model that
    is found in the graph), ``live.to_html(path)`` into a page of its own. Raises ValueError (``NoText``)
    naming what of the model has no text in JavaScript.

    >>> import pathlib, tempfile, tinygrad_rnn as tg
    >>> class Model(tg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.lstm, self.head = tg.nn.LSTM(2, 8), tg.nn.Linear(8, 1)
    ...     def forward(self, x):
    ...         return self.head(self.lstm(x)[0][-1])
    >>> live = tg.Live(
    ...     Model(), (tg.randn(6, 1, 2), tg.randn(1, 1)), tg.nn.functional.mse_loss, tasks=[("adding", 20, 8)]
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = live.to_html(f"{folder}/live.html")
    ...     "forward(m, T)" in pathlib.Path(path).read_text(encoding="utf-8")
    True
    """

    symbols: list[str] | None = None

    def __init__(
        self,
        model: Module,
        data: Any,
        loss: Loss,
        *,
        title: str = "",
        words: str = "",
        film: Snapshots | None = None,
        tasks: Sequence[tuple[str, int, int]] = (),
        symbols: Sequence[str] | None = None,
    ) -> None:
        x, y = (np.asarray(a.numpy() if isinstance(a, Tensor) else a) for a in data)
        kinds = {np.dtype(p.dtype).char for p in model.parameters()} or {x.dtype.char}
        if len(kinds) != 1 or not kinds <= {"f", "d"}:
            raise NoText("Parameters that are not all float32 or all float64")
        (self.kind,) = kinds
        x, y = (a if a.dtype.kind in "iu" else a.astype(self.kind) for a in (x, y))
        self._own(Network(model, x, y, loss, hold=True), title or type(model).__name__)
        self.words, self.film = words, film
        self.symbols = self._checked(symbols)
        network = self.networks[0][2]
        turned = bool(network.layers[0].call.time_axis)
        for name, steps, batch in tasks:
            self.networks.append(
                (
                    f"{name}, T = {steps}, B = {batch}",
                    name,
                    self._task(model, name, steps, batch, turned),
                )
            )

    def _own(self, network: Network, title: str) -> None:
        if not network.layers:
            raise NoText("a model without a recurrent layer")
        self.title, self.words, self.film = title, "", None
        self.networks = [("its own data", "", network)]

    def _checked(self, symbols: Sequence[str] | None) -> list[str] | None:
        """The names of integers. Raises ValueError where there are none to name, or more than names."""
        if symbols is None:
            return None
        names, count = [str(s) for s in symbols], self.networks[0][2].symbols
        if count is None:
            raise ValueError("symbols: the model looks nothing up by integers of x")
        if len(names) != count:
            raise ValueError(f"symbols: {len(names)} names for the {count} rows of the embedding")
        return names

    @classmethod
    def of_graph(cls, graph: Any) -> Live:
        """The model behind a graph of one number: what ``graph.to_html(path, live=True)`` shows."""
        found = cls.__new__(cls)
        network = RecordedNetwork(graph)
        found.kind = network.x.dtype.char
        found._own(
            network,
            " and ".join(dict.fromkeys(type(c.call.layer).__name__ for c in network.layers)),
        )
        return found

    def _task(self, model: Module, name: str, steps: int, batch: int, turned: bool) -> Network:
        """The network on a generated task."""
        if name not in FEATURES:
            raise ValueError(f"tasks: {name!r} is none of {', '.join(map(repr, FEATURES))}")
        lead = (batch, steps) if turned else (steps, batch)
        x = np.zeros((*lead, FEATURES[name]), self.kind)
        try:
            network = Network(model, x, None, mse_loss)
        except ValueError as reason:
            raise ValueError(f"tasks: the model cannot take {name!r}: {reason}") from reason
        answers = network.y.shape[-1:]
        if answers != (1,):
            given = answers[0] if answers else 0
            raise ValueError(
                f"tasks: {name!r} has one answer, and the model gives {given} features"
            )
        return network

    def to_html(
        self, path: str | PathLike[str], *others: Live, title: str = "", words: str = ""
    ) -> str:
        """Write one offline page in which the model runs, and return its path.

        ``others`` are shown beside it, and their films run together. Raises ValueError where the path does
        not end in .html, FileNotFoundError for a folder that is not there.
        """
        written: str = door("live_html")(path, [self, *others], title=title, words=words)
        return written

    # ---- for the page

    def text(self) -> str:
        """The networks as JavaScript."""
        each = [
            f"{{label: {json.dumps(label)}, task: {json.dumps(task)}, spec: {network.text}}}"
            for label, task, network in self.networks
        ]
        return f"{{networks: [{', '.join(each)}]}}"

    def data(self) -> dict[str, Any]:
        """The numbers, ready for JSON."""
        own = self.networks[0][2]
        found: dict[str, Any] = {
            "title": self.title,
            "words": self.words,
            "kind": self.kind,
            "values": [self._packed(v) for v in own.values],
            "x": self._packed(own.x),
            "y": self._packed(own.y),
            "symbols": self.symbols,
            "count": own.symbols,
            "classes": _classes(own),
        }
        if self.film is not None and len(self.film.epochs):
            losses = [float(v) if np.isfinite(v) else None for v in self.film.losses]
            rows = self.film.rows(own.names)
            found["film"] = {
                "epochs": list(self.film.epochs),
                "losses": losses,
                "values": self._packed(rows),
            }
        return found

    def _packed(self, a: Any) -> str:
        array = np.ascontiguousarray(a, np.dtype(self.kind).newbyteorder("<"))
        return base64.b64encode(array.tobytes()).decode()


def _classes(network: Network) -> dict[str, Any] | None:
    """How many classes y chooses from, and how far apart their scores lie; None of other targets."""
    shape, count = network.outer.shape_of_prediction, network.classes
    if count is None:
        return None
    for axis in reversed(range(len(shape))):
        rest = shape[:axis] + shape[axis + 1 :]
        flat = axis == len(shape) - 1 and network.y.shape == (math.prod(rest),)
        if shape[axis] == count and (rest == network.y.shape or flat):
            return {"count": count, "apart": math.prod(shape[axis + 1 :])}
    return None


class Silent:
    """A model that cannot run in a page, and why."""

    def __init__(self, why: str) -> None:
        self.title, self.why = "Live", f"This model does not run in the page: {why}."

    def text(self) -> str:
        """No network."""
        return "{networks: []}"

    def data(self) -> dict[str, Any]:
        """Why."""
        return {"why": self.why}


def found_in(graph: Any) -> Live | Silent:
    """The model behind a graph, or why it cannot run."""
    try:
        return Live.of_graph(graph)
    except NoText as reason:
        return Silent(str(reason))


def script(lives: Sequence[Live]) -> str:
    """The program of a page."""
    files = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    models = ",\n".join(live.text() for live in lives)
    return (
        f"{files}\nconst MODELS = [{models}];\n"
        'window.live = new LivePage(MODELS, JSON.parse(document.getElementById("live-data").textContent));'
    )


def asset(name: str) -> str:
    """A file of the room, as text."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def safe(text: str) -> str:
    """Text that may stand in a script: it does not end it."""
    return re.sub(r"</(?=script)", r"<\\/", text, flags=re.IGNORECASE)
