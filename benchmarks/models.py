"""Whole models in training: an iteration of ours beside the same one of PyTorch eager.

    python benchmarks/models.py [--repeats 60] [--only characters] [--json benchmarks/results/models.json]

Forward, loss, backward and Adam in float32, one thread, pinned to one core where the system allows. Both
libraries run the same module, written once:

characters       embedding, LSTM, linear, cross entropy; V=60, T=50, B=32, H=128
many words       the same with V=10,000
classification   LSTM over T=50 of 8 features, the last output, linear, cross entropy of 10; B=64, H=32
forecast         LSTM over T=100 of 1 feature, linear at every step, squared error; B=16, H=32

Ours is the plain loop and ``tg.compile_step``; PyTorch's Adam is its own choice, and fused: the one that is
harder to beat counts. Sides take turns call by call, and in turns of 20 ms; a ratio is the median over the
pairs of the peer's time through ours.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairs import Run, beside, pin, write  # first: it sets threads and the back end

import tinygrad_rnn as tg

GOALS = {"characters": 1.3, "many words": 1.2, "classification": 2.0}


def languages(library: Any, words: int) -> tuple[Any, Any, Any, Any]:
    """(model, loss, input, target) of a model of characters or words."""
    nn, (steps, batch, hidden) = library.nn, (50, 32, 128)

    class Model(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(words, hidden)
            self.lstm, self.head = nn.LSTM(hidden, hidden), nn.Linear(hidden, words)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(self.embedding(x))
            return self.head(y).reshape(-1, words)

    x, y = (library.randint(0, words, shape) for shape in ((steps, batch), (steps * batch,)))
    return Model(), nn.functional.cross_entropy, x, y


def classification(library: Any) -> tuple[Any, Any, Any, Any]:
    """As ``languages``, of a classifier of sequences."""
    nn = library.nn

    class Model(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(8, 32), nn.Linear(32, 10)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(x)
            return self.head(y[-1])

    loss = nn.functional.cross_entropy
    return Model(), loss, library.randn(50, 64, 8), library.randint(0, 10, (64,))


def forecast(library: Any) -> tuple[Any, Any, Any, Any]:
    """As ``languages``, of a forecaster of a series."""
    nn = library.nn

    class Model(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(1, 32), nn.Linear(32, 1)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(x)
            return self.head(y)

    return Model(), nn.functional.mse_loss, library.randn(100, 16, 1), library.randn(100, 16, 1)


MODELS: dict[str, Callable[[Any], tuple[Any, Any, Any, Any]]] = {
    "characters": lambda library: languages(library, 60),
    "many words": lambda library: languages(library, 10_000),
    "classification": classification,
    "forecast": forecast,
}


def loop(model: Any, loss: Any, x: Any, y: Any, optimizer: Any) -> Run:
    """An iteration as one writes it."""

    def run() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return run


def ours(make: Callable[[Any], tuple[Any, Any, Any, Any]]) -> dict[str, Run]:
    """The plain loop and the compiled step."""
    model, loss, x, y = make(tg)
    plain = loop(model, loss, x, y, tg.optim.Adam(model.parameters()))
    model, loss, x, y = make(tg)
    step = tg.compile_step(model, loss, tg.optim.Adam(model.parameters()))
    for _ in range(3):
        step(x, y)
    assert step.explain() == "replayed as one program", step.explain()
    return {"plain loop": plain, "compile_step": lambda: step(x, y)}


def of_torch(make: Callable[[Any], tuple[Any, Any, Any, Any]]) -> dict[str, Run]:
    """PyTorch eager with each Adam."""
    import torch

    torch.set_num_threads(1)
    found = {}
    for words, fused in (("PyTorch eager", None), ("PyTorch eager, fused Adam", True)):
        model, loss, x, y = make(torch)
        adam = torch.optim.Adam(model.parameters(), fused=fused)
        found[words] = loop(model, loss, x, y, adam)
    return found


def measured(names: list[str], repeats: int) -> list[dict[str, Any]]:
    """A row for each model, way of ours and peer."""
    rows = []
    for name in names:
        peers = of_torch(MODELS[name])
        for way, mine in ours(MODELS[name]).items():
            for peer, others in peers.items():
                row = {"model": name, "ours": way, "peer": peer}
                turns = max(5, repeats // 6)
                row = beside(row, f"{name:15s} {way:13s}", mine, others, repeats, turns, 3)
                rows.append({**row, "goal": GOALS.get(name, 0) if way == "compile_step" else 0})
    return rows


def main() -> None:
    """Measure, print and, if asked, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--only", default=",".join(MODELS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    pin()
    write(measured(arguments.only.split(","), arguments.repeats), arguments.json)


if __name__ == "__main__":
    main()
