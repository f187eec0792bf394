"""Does an LSTM beat linear autoregression on the sunspots of 1921 to 1955? The median of 5 seeds must.

    python benchmarks/sunspots.py            five seeds, about a minute; exit code 1 for a miss
    python benchmarks/sunspots.py --choose   how the learning rate was picked (about ten minutes)

Average relative variance is squared error over the series' variance (1700 to 1979: 1495.6). The test
years take no part in any choice: `--choose` trains on the years up to 1800, 1840 and 1880, measures
each on the 40 years that follow, and takes the setting whose median over seeds is lowest on average.
"""

import argparse
import itertools
import sys

import numpy as np

from tinygrad_rnn.data import forecast_errors, sunspots
from tinygrad_rnn.demo.forecaster import FIRST, LAST_TRAINED, RATE, train
from tinygrad_rnn.demo.prediction import NAMES, compare

RATES, FALLS = (0.01, 0.02, 0.03, 0.05), (False, True)
ENDS, AHEAD = (1800, 1840, 1880), 40


def measure(seeds):
    """Train a forecaster a seed, print its errors beside the baselines'; whether the median wins."""
    known = sunspots().between(FIRST, LAST_TRAINED).values
    arvs = []
    for seed in range(seeds):
        _, errors = compare(train(known, seed))
        if not arvs:
            print("1921 to 1955     RMSE  skill  relative variance")
            for name in NAMES[:2]:
                show(name, errors[name])
        show(f"{NAMES[2]} seed {seed}", errors[NAMES[2]])
        arvs.append(errors[NAMES[2]].arv)
    median, limit = float(np.median(arvs)), errors[NAMES[1]].arv
    verdict = "pass" if median < limit else "MISS"
    print(f"{verdict}: median {median:.4f}, to be below {NAMES[1]}'s {limit:.4f}")
    return median < limit


def show(name, errors):
    """One line of the table."""
    print(f"{name:<15} {errors.rmse:5.1f}  {errors.skill:5.3f}  {errors.arv:17.4f}", flush=True)


def choose(seeds):
    """Print the mean squared error of each setting on years before the test; the best comes last."""
    scores = {}
    print(f"median MSE of {seeds} seeds on the {AHEAD} years after the end of training")
    print("  rate  falls  " + "".join(f"{end:>9}" for end in ENDS) + "     mean")
    for rate, falls in itertools.product(RATES, FALLS):
        found = [np.median([error(end, s, rate, falls) for s in range(seeds)]) for end in ENDS]
        scores[rate, falls] = float(np.mean(found))
        row = "".join(f"{value:9.1f}" for value in (*found, scores[rate, falls]))
        print(f"  {rate:.2f}  {falls!s:<5}  {row}", flush=True)
    best = min(scores, key=scores.get)
    print(f"best: rate {best[0]}, {'falling' if best[1] else 'constant'}; in use: {RATE}, falling")
    return best == (RATE, True)


def error(end, seed, rate, falls):
    """The mean squared error of the years after ``end``, for a forecaster trained until then."""
    series = sunspots()
    trained = train(series.between(FIRST, end).values, seed, rate=rate, falls=falls)
    values = series.between(FIRST, end + AHEAD).values
    made = trained.forecast(values)[-AHEAD:]
    return forecast_errors(made, values[-AHEAD:], values[-AHEAD - 1 : -1], 1.0).arv


def main():
    """Measure, or show the choice."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--choose", action="store_true", help="show how the setting was picked")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    passed = choose(options.seeds) if options.choose else measure(options.seeds)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
