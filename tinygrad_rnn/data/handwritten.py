"""Which digits are read a pixel at a time? Handwritten ones; they come with scikit-learn."""

from __future__ import annotations

import numpy as np

from .generated import Batch
from .splits import Split, every

MISSING = "the digits come with scikit-learn: pip install scikit-learn (extra: examples)"


def sequential_digits() -> Split[Batch]:
    """1,797 handwritten digits of 8 x 8 pixels as sequences of 64 steps, a row of pixels after the other.

    x (64, n, 1) float32 from 0 to 1 and y (n,) int64, what digit it is. Of every five in scikit-learn's
    order the fourth is for validation, the fifth for the test: 1,079, 359 and 359. (The test set of the
    UCI optical recognition of handwritten digits, Alpaydin & Kaynak 1998.) Raises ImportError where
    scikit-learn is missing. Nothing is downloaded: its package holds the file.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(MISSING) from error
    pixels, classes = load_digits(return_X_y=True)
    parts = every(5, range(len(classes)))
    x = (pixels / 16).astype(np.float32).T[:, :, None]
    return Split(*(Batch(x[:, rows], classes[rows].astype(np.int64)) for rows in parts))
