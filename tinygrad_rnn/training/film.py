"""How do weights change over training? Kept after some of the epochs, to look at afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.values import Array
from ..nn.module import Module
from .history import History


class Film:
    """Keeps the weights of a model while it is trained: ``tg.fit(..., film=film)``, or as a callback.

    The first picture is of the weights before training. After it at most ``most`` are kept, evenly spaced
    over the epochs (where there are more, every second one goes), and one more of those after training.
    ``epochs`` and ``losses`` are those of the pictures (the loss before training is not known: NaN),
    ``weights[k]`` the Parameters by name. As a callback of a loop of one's own a film is given its model,
    and called with a History or a loss.

    >>> import tinygrad_rnn as tg
    >>> model, film = tg.nn.Linear(2, 1), tg.Film(most=4)
    >>> data = tg.ones(4, 2), tg.ones(4, 1)
    >>> by = tg.optim.SGD(model.parameters(), lr=0.1)
    >>> _ = tg.fit(model, data, tg.nn.functional.mse_loss, by, epochs=9, film=film, progress=False)
    >>> film.epochs
    [0, 2, 4, 6, 8, 9]
    """

    def __init__(self, model: Module | None = None, *, most: int = 100) -> None:
        if most < 2:
            raise ValueError(f"Film: most must be at least 2, got {most}")
        self.model, self.most = model, most
        self.epochs: list[int] = []
        self.losses: list[float] = []
        self.weights: list[dict[str, Array]] = []
        self._every, self._seen, self._loss = 1, 0, float("nan")

    def __len__(self) -> int:
        return len(self.epochs)

    def begin(self, model: Module) -> None:
        """Take the weights before training."""
        if self.model is not None and self.model is not model:
            raise ValueError("Film: it is of another model")
        self.model = model
        if not self.epochs:
            self._keep(0, float("nan"))

    def __call__(self, seen: History | float) -> None:
        """Take the weights after an epoch; ``seen`` is the History so far, or the epoch's loss."""
        if self.model is None:
            raise ValueError("Film: as a callback it needs its model: Film(model)")
        self._seen = seen.rows[-1]["epoch"] if isinstance(seen, History) else self._seen + 1
        loss = seen.loss[-1] if isinstance(seen, History) else float(seen)
        self._loss = loss
        if self._seen % self._every:
            return
        self._keep(self._seen, loss)
        if len(self) > self.most + 1:
            self._every *= 2
            stay = [k for k, epoch in enumerate(self.epochs) if epoch % self._every == 0]
            for name in ("epochs", "losses", "weights"):
                rows = getattr(self, name)
                setattr(self, name, [rows[k] for k in stay])

    def end(self) -> None:
        """Take the weights after training, where the last picture is not of them."""
        if self.epochs and self.epochs[-1] != self._seen:
            self._keep(self._seen, self._loss)

    def _keep(self, epoch: int, loss: float) -> None:
        assert self.model is not None
        self.epochs.append(epoch)
        self.losses.append(loss)
        self.weights.append({name: p._data.copy() for name, p in self.model.named_parameters()})

    def rows(self, names: Sequence[str]) -> Any:
        """The weights of these names side by side: (pictures, numbers)."""
        return np.array([np.concatenate([w[name].ravel() for name in names]) for w in self.weights])
