"""How is a bench run? All experiments over their seeds, each in a process of its own, and verdicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import examples
from .arguments import THREADS
from .task import Result, Task, figure


@dataclass(frozen=True)
class BenchRow:
    """One task of the bench: what its seeds reached, and the verdict on all of them."""

    task: Task
    results: list[Result]
    failure: str = ""  # the last line of what went wrong, where a run did

    @property
    def whole(self) -> Result | None:
        """The result that speaks for all seeds."""
        return None if self.failure else self.task.over_seeds(self.results)

    @property
    def verdict(self) -> str:
        """ "pass", "miss", "not judged" or "failed"."""
        return self.whole.verdict if self.whole is not None else "failed"

    @property
    def seconds(self) -> float:
        """All seeds together."""
        return sum(r.seconds for r in self.results)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        whole = self.whole.as_dict() if self.whole is not None else {}
        return {
            "task": self.task.name,
            "setting": self.task.setting,
            "measure": self.task.measure,
            "better": self.task.better,
            "judged": self.task.judged,
            "reached": whole.get("reached"),
            "reference": whole.get("reference"),
            "baseline": whole.get("baseline"),
            "verdict": self.verdict,
            "seconds": round(self.seconds, 1),
            "failure": self.failure,
            "seeds": [r.as_dict() for r in self.results],
        }


def plan(names: Sequence[str], *, quick: bool, seeds: int | None) -> list[tuple[Task, int]]:
    """Which tasks over how many seeds: those named, or all; the short version of those that have one."""
    tasks: list[Task] = [examples.load(name).TASK for name in (names or examples.names())]
    wanted = [(task, task.short if quick and not names else task.seeds) for task in tasks]
    return [(task, seeds or count) for task, count in wanted if count]


def measure(tasks: Sequence[tuple[Task, int]], jobs: int = 1) -> Iterator[BenchRow]:
    """Run the tasks, ``jobs`` processes at a time, and yield a row as soon as its seeds are done."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [(t, [pool.submit(one, t.name, s) for s in range(n)]) for t, n in tasks]
        try:
            for task, futures in waiting:
                yield _row(task, futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def one(name: str, seed: int) -> Result:
    """One seed of one task, in a process of its own. Raises RuntimeError with its last words."""
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_rnn", "train", name, "--seed", str(seed), "--json"],
        env={**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": _path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RuntimeError(f"seed {seed}: {last}")
    return Result(**json.loads(done.stdout))


def lines(row: BenchRow) -> list[str]:
    """A row as text: the figures, and the setting under them."""
    whole = row.whole
    cells = [
        f"{row.task.name:<20}",
        f"{figure(whole.reached if whole else None):>9}",
        f"{figure(whole.reference if whole else None):>9}",
        f"{figure(whole.baseline if whole else None):>9}",
        f"{_seeds(row):>7}",
        f"{row.seconds:>6.0f} s",
        f"  {row.verdict}",
    ]
    words = row.failure or f"{row.task.measure}: {row.task.setting}"
    return ["".join(cells), f"    {words}"]


HEAD = f"{'task':<20}{'reached':>9}{'to reach':>9}{'trivial':>9}{'seeds':>7}{'time':>8}  verdict"


def report(rows: Iterator[BenchRow], say: Callable[[str], Any]) -> list[BenchRow]:
    """Say each row as it comes; return all."""
    done = []
    say(HEAD)
    say("-" * len(HEAD))
    for row in rows:
        done.append(row)
        for line in lines(row):
            say(line)
    return done


def _row(task: Task, futures: list[Future[Result]]) -> BenchRow:
    results, failure = [], ""
    for future in futures:
        try:
            results.append(future.result())
        except RuntimeError as error:
            failure = failure or str(error)
    return BenchRow(task, results, failure)


def _seeds(row: BenchRow) -> str:
    """How many seeds passed of how many, or how many there were."""
    if row.task.gated and row.task.judged == "every":
        return f"{sum(r.passed is True for r in row.results)}/{len(row.results)}"
    return str(len(row.results))


def _path() -> str:
    """The import path, so that a process of its own finds this very package."""
    known = os.environ.get("PYTHONPATH")
    return os.pathsep.join(filter(None, [str(examples.PACKAGE.parent), known]))
