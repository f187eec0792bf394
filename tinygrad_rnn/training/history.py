"""What does training leave behind? A row an epoch, and the loss to beat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class History:
    """The course of a training run, made by ``tg.fit``.

    ``rows`` has a dict an epoch: ``epoch`` (from 1), ``loss``, ``validation`` (None without any data
    for it), ``lr`` (of the first group, as it began), and what callbacks add. ``baseline`` is the loss of the
    trivial forecast, the best constant: on the validation data, without any on the training data;
    None where targets and predictions do not tell what a constant forecast is.

    >>> import tinygrad_rnn as tg
    >>> history = tg.training.History()
    >>> history.rows.append({"epoch": 1, "loss": 0.5, "validation": 0.6, "lr": 0.1})
    >>> history.loss, history.validation
    ([0.5], [0.6])
    >>> history
    History(1 epoch: loss 0.5, validation 0.6)
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.baseline: float | None = None

    @property
    def loss(self) -> list[float]:
        """The mean training loss of each epoch."""
        return [row["loss"] for row in self.rows]

    @property
    def validation(self) -> list[float | None]:
        """The validation loss after each epoch."""
        return [row["validation"] for row in self.rows]

    @property
    def lr(self) -> list[float]:
        """The learning rate that each epoch began with."""
        return [row["lr"] for row in self.rows]

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the lowest validation loss (of the lowest loss without validation)."""
        return min(self.rows, key=measure, default=None)

    def plot(self) -> Figure:
        """The losses by epoch beside the baseline, as a matplotlib Figure.

        Raises ImportError where matplotlib is missing, ValueError before the first epoch.

        >>> import tinygrad_rnn as tg
        >>> history = tg.training.History()
        >>> history.rows.append({"epoch": 1, "loss": 0.5, "validation": 0.6, "lr": 0.1})
        >>> [line.get_label() for line in history.plot().axes[0].lines]
        ['loss', 'validation']
        """
        from ..plots import plot_history

        if not self.rows:
            raise ValueError("there is nothing to plot before the first epoch")
        curves: dict[str, Any] = {"loss": self.loss}
        if any(value is not None for value in self.validation):
            curves["validation"] = [math.nan if v is None else v for v in self.validation]
        marks = None if self.baseline is None else {"baseline": self.baseline}
        positive = all(value > 0 for values in curves.values() for value in values)
        figure = plot_history(curves, xlabel="epoch", marks=marks, log=positive)
        figure.axes[0].locator_params(axis="x", integer=True)
        return figure

    def words(self) -> str:
        """The last losses beside the baseline, in words."""
        if not self.rows:
            return "nothing yet"
        last = {**self.rows[-1], "baseline": self.baseline}
        names = ("loss", "validation", "baseline")
        return ", ".join(f"{name} {last[name]:.4g}" for name in names if last[name] is not None)

    def __repr__(self) -> str:
        count = len(self.rows)
        return f"History({count} epoch{'s' * (count != 1)}: {self.words()})"

    def _repr_html_(self) -> str:
        from ..plots.cards import history_html

        return history_html(self)


def measure(row: dict[str, Any]) -> float:
    """What a row is judged by: its validation loss, its loss without validation; NaN is the worst."""
    judged: float = row["loss"] if row["validation"] is None else row["validation"]
    return math.inf if math.isnan(judged) else judged
