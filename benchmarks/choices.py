"""How the settings of the examples were chosen: never on what they are judged by.

    python benchmarks/choices.py names|co2|digits|sunspots|reber|temporal_order [--seeds N]

Trains the example (`examples/NAME.py`) with each setting and prints what its seeds get. Where the data is
given, that is measured on data that is neither trained on nor tested: names and digits have a validation
part, CO2 is forecast for the 260 weeks before the test and for an earlier 260, the sunspots for the 40
years after 1800, 1840 and 1880; the lowest median is best. Where the data is generated, other seeds are
other data: those from 20 on choose, those from 0 on are judged; best is what reaches the figure most often.

Minutes to half an hour. Exit code 1 where another setting than the one in use is better by more than the
seeds differ, or, with generated data, where the one in use misses the figure on any seed.
"""

import argparse
import inspect
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.data import first_names, sequential_digits
from tinygrad_rnn.data import sunspots as yearly_sunspots
from tinygrad_rnn.experiments import examples
from tinygrad_rnn.experiments.demo import forecaster


def names(example, seed, setting):
    """Bits a character on the validation names."""
    known = first_names()
    model, _ = example.train(known.train, seed, example.ITERATIONS, **setting)
    return example.score(model, known.validation)


def co2(example, seed, setting):
    """RMSE in ppm, the mean of two windows of 260 weeks before the test."""
    values, setting = example.SERIES.values, dict(setting)
    iterations, found = setting.pop("iterations"), []
    for end in (1357, len(values) - example.AHEAD):  # the first is where a stretch ends
        model, _, scale = example.train(end - example.AHEAD, seed, iterations, **setting)
        error = example.forecast(model, scale, end) - values[end - example.AHEAD : end]
        found.append(np.sqrt(np.mean(error**2)))
    return float(np.mean(found))


def digits(example, seed, setting):
    """The share of validation images that is named wrong."""
    images = sequential_digits()
    model, _ = example.train(images.train, seed, example.ITERATIONS, **setting)
    return 1 - example.accuracy(model, images.validation)


def sunspots(_, seed, setting, ends=(1800, 1840, 1880), ahead=40):
    """Mean squared error on the 40 years after training, the mean of three ends."""
    series, found = yearly_sunspots(), []
    for end in ends:
        known = series.between(forecaster.FIRST, end).values
        values = series.between(forecaster.FIRST, end + ahead).values
        made = forecaster.train(known, seed, **setting).forecast(values)[-ahead:]
        found.append(np.mean((made - values[-ahead:]) ** 2))
    return float(np.mean(found))


def reber(example, seed, setting):
    """Strings until solved, of 8,440."""
    _, used, shares = example.train(seed, int(example.TASK.reference), **setting)
    return used if shares[-1] == (1.0, 1.0) else np.inf


def temporal_order(example, seed, setting):
    """Right of 512 new sequences."""
    model, _ = example.train(nn.LSTM, 3, seed, example.ITERATIONS, **setting)
    return example.right(model, 3, example.TESTED, [seed, 1])


@dataclass(frozen=True)
class Choice:
    """What is measured, on which settings and seeds: with generated data not from 0 on."""

    measure: Callable[..., float]
    grid: dict[str, tuple[Any, ...]]
    seeds: int = 3
    first: int = 0


CHOICES = {
    "names": Choice(names, {"rate": (0.005, 0.01, 0.02), "batch": (32, 64)}),
    "co2": Choice(co2, {"hidden": (8, 16), "decay": (0.0, 0.5), "iterations": (150, 300)}),
    "digits": Choice(digits, {"rate": (0.01, 0.02), "batch": (32, 64)}),
    "sunspots": Choice(sunspots, {"rate": (0.01, 0.02, 0.03, 0.05), "falls": (False, True)}),
    "reber": Choice(
        reber,
        {"bias": (3.0, 20.0), "rate": (0.01, 0.03), "beta2": (0.999, 0.99), "clip": (1.0, 0.3)},
        seeds=12,
        first=20,
    ),
    "temporal_order": Choice(
        temporal_order,
        {"span": (60, 100), "feedback": (0.25, 1.0), "head": (1.0, 5.0), "fall": (0.01, 0.2)},
        seeds=12,
        first=20,
    ),
}


def in_use(name, example, key):
    """What the example itself is trained with."""
    train = forecaster.train if name == "sunspots" else example.train
    default = inspect.signature(train).parameters[key].default
    return getattr(example, key.upper()) if default is inspect.Parameter.empty else default


def choose(name, seeds=None):
    """Print a line a setting; whether the one in use is the best of them (or as good as)."""
    choice, example, found = CHOICES[name], examples.load(name), {}
    seeds = range(choice.first, choice.first + (seeds or choice.seeds))
    judged = " reached by," if choice.first else ""
    print(
        f"{choice.measure.__doc__} Seeds {seeds[0]} to {seeds[-1]}:{judged} median, lowest, highest."
    )

    def reaching(values):
        """How many seeds reach the figure of the task; 0 where only the median counts."""
        aim = example.TASK.reference
        return sum(example.TASK.reaches(x, aim) for x in found[values]) if choice.first else 0

    for values in itertools.product(*choice.grid.values()):
        setting = dict(zip(choice.grid, values, strict=True))
        each = found[values] = [choice.measure(example, seed, setting) for seed in seeds]
        words = ", ".join(f"{k} {v:g}" for k, v in setting.items())
        count = f"{reaching(values):>4} of {len(seeds)} " if choice.first else ""
        figures = "".join(f"{x:>11.6g}" for x in (np.median(each), min(each), max(each)))
        print(f"  {words:<44}{count}{figures}", flush=True)
    own = tuple(in_use(name, example, key) for key in choice.grid)
    sign = -1 if choice.first and example.TASK.better == "higher" else 1
    best = min(found, key=lambda values: (-reaching(values), sign * np.median(found[values])))
    shown = [dict(zip(choice.grid, values, strict=True)) for values in (own, best)]
    print(f"in use: {shown[0]}; best: {shown[1]}")
    if choice.first:
        return reaching(own) == len(seeds)
    return bool(min(found[own]) <= np.median(found[best]))


def main():
    """Choose for one example."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(CHOICES))
    parser.add_argument("--seeds", type=int, help="how many (default: 3, with generated data 12)")
    options = parser.parse_args()
    return 0 if choose(options.name, options.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
