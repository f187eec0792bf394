"""Which words ship with the package? First names, one a line in the file beside this one, split for good."""

from __future__ import annotations

from importlib.resources import files

from .splits import Split, every


def first_names() -> Split[list[str]]:
    """4,275 first names in lower case, the most frequent first: 3,421 to train on, 427 and 427 held out.

    Of every ten names in the order of the file the ninth is for validation and the tenth for the test, so
    that all three parts have frequent and rare names alike. (US census of 1990, all 4,275 female first
    names that it lists; from the package ``names``, MIT, see the README beside the file.)

    >>> from tinygrad_rnn.data import first_names
    >>> names = first_names()
    >>> [len(part) for part in names], names.train[:3]
    ([3421, 427, 427], ['mary', 'patricia', 'linda'])
    """
    text = (files(__package__) / "names.txt").read_text(encoding="ascii")
    return every(10, text.split())
