"""How the settings of the examples were chosen: on validation data, never on what they are judged by.

    python benchmarks/choices.py names|co2|digits [--seeds 3]

Trains the example (`examples/NAME.py`) with each setting and prints its median over seeds on data that is
neither trained on nor tested: names and digits have a validation part, and CO2 is forecast for the 260
weeks before the test and for an earlier 260. Minutes to half an hour; exit code 1 where a setting other
than the example's is better by more than the seeds differ. (Sunspots: benchmarks/sunspots.py --choose.)
"""

import argparse
import itertools
import sys

import numpy as np

from tinygrad_rnn.data import first_names, sequential_digits
from tinygrad_rnn.experiments import shelf

GRIDS = {
    "names": {"rate": (0.005, 0.01, 0.02), "batch": (32, 64)},
    "co2": {"hidden": (8, 16), "decay": (0.0, 0.5), "iterations": (150, 300)},
    "digits": {"rate": (0.01, 0.02), "batch": (32, 64)},
}


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


MEASURES = {"names": names, "co2": co2, "digits": digits}


def choose(name, seeds):
    """Print a line a setting, and whether the example's is the best of them (or as good as)."""
    example, grid, found = shelf.load(name), GRIDS[name], {}
    print(f"{MEASURES[name].__doc__} Median of {seeds} seeds, lowest and highest.")
    for values in itertools.product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        each = [MEASURES[name](example, seed, setting) for seed in range(seeds)]
        found[values] = each
        words = ", ".join(f"{k} {v:g}" for k, v in setting.items())
        print(f"  {words:<40} {np.median(each):.4f}  {min(each):.4f}  {max(each):.4f}", flush=True)
    own = tuple(getattr(example, key.upper()) for key in grid)
    best = min(found, key=lambda values: np.median(found[values]))
    print(
        f"in use: {dict(zip(grid, own, strict=True))}; best: {dict(zip(grid, best, strict=True))}"
    )
    return bool(min(found[own]) <= np.median(found[best]))


def main():
    """Choose for one example."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(MEASURES))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    return 0 if choose(options.name, options.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
