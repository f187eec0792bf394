"""What is an experiment? Its setting, what it reaches, what it is held against, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Task:
    """What is known of an experiment before it is run.

    ``setting`` says in one line what is trained on what; ``measure`` is what ``reference`` (the figure to
    reach) and ``baseline`` (what the trivial answer gets) are figures of; both may be left to ``result``
    where they are computed. ``seeds`` is how many seeds a bench runs, ``judged`` whether every one of them
    must reach the reference or their median; a task that is not ``gated`` is reported and not judged.
    ``short`` is how many seeds the short bench runs, 0 for none.

    >>> from tinygrad_rnn.experiments import Task
    >>> task = Task("adding", "T=100, LSTM(16)", "mean squared error", reference=0.01, baseline=1 / 6)
    >>> task.result(0.004).passed, task.result(0.02).passed
    (True, False)
    """

    name: str
    setting: str
    measure: str
    reference: float | None = None
    baseline: float | None = None
    better: Literal["lower", "higher"] = "lower"
    seeds: int = 5
    judged: Literal["every", "median"] = "every"
    gated: bool = True
    short: int = 0

    def result(
        self,
        reached: float,
        *,
        reference: float | None = None,
        baseline: float | None = None,
        details: Mapping[str, float] | None = None,
    ) -> Result:
        """The Result of one run; ``details`` are further figures by name, reported and not judged."""
        reference = self.reference if reference is None else reference
        baseline = self.baseline if baseline is None else baseline
        found = {name: float(value) for name, value in (details or {}).items()}
        return Result(
            self.name,
            self.setting,
            self.measure,
            float(reached),
            None if reference is None else float(reference),
            None if baseline is None else float(baseline),
            self.reaches(reached, reference),
            details=found,
        )

    def reaches(self, reached: float, reference: float | None) -> bool | None:
        """Whether a figure is as good as the reference; None where nothing is judged. NaN never is."""
        if not self.gated or reference is None:
            return None
        return bool(reached <= reference if self.better == "lower" else reached >= reference)

    def over_seeds(self, results: Sequence[Result]) -> Result:
        """One Result for several seeds: that of the median, or the worst where every seed must pass."""
        by_figure = sorted(results, key=lambda r: r.reached, reverse=self.better == "higher")
        if self.judged == "every":
            return next((r for r in by_figure if r.passed is False), by_figure[-1])
        middle = statistics.median(r.reached for r in results)
        return self.result(middle, reference=by_figure[0].reference, baseline=by_figure[0].baseline)


@dataclass(frozen=True)
class Result:
    """What one run of an experiment reached, beside the reference and the trivial baseline.

    ``passed`` is None where nothing is judged (a task without a gate, a run of ``--quick``). ``seed`` and
    ``seconds`` are filled in by the frame.
    """

    task: str
    setting: str
    measure: str
    reached: float
    reference: float | None
    baseline: float | None
    passed: bool | None
    seed: int = 0
    seconds: float = 0.0
    details: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """ "pass", "miss", or "not judged"."""
        return {True: "pass", False: "miss", None: "not judged"}[self.passed]

    def as_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return asdict(self)


def figure(value: float | None) -> str:
    """A figure with three or four digits that count.

    >>> from tinygrad_rnn.experiments.task import figure
    >>> figure(0.00412), figure(512.0), figure(None)
    ('0.00412', '512', '-')
    """
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.4g}"
