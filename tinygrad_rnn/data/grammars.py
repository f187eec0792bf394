"""Which strings does a grammar make, and which symbols may follow? Embedded Reber strings, a^n b^n."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.random import generator_or_default

REBER = "BTPSXVE"  # the alphabet, in the order of its one-hot features
_REBER: dict[int, dict[str, int]] = {  # state: symbol, next state (Reber 1967); 7 is the end
    0: {"B": 1},
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": 7},
}
_EMBEDDED: dict[str, dict[str, str]] = {  # the same for B o <Reber string> o E, where o is T or P
    "begin": {"B": "choose"},
    "choose": {"T": "T0", "P": "P0"},
    **{f"{o}{k}": {s: f"{o}{n}" for s, n in to.items()} for o in "TP" for k, to in _REBER.items()},
    "T7": {"T": "close"},
    "P7": {"P": "close"},
    "close": {"E": "end"},
    "end": {},
}


def embedded_reber(count: int, generator: np.random.Generator | None = None) -> list[str]:
    """Strings of the embedded Reber grammar (Smith & Zipser 1989; Hochreiter & Schmidhuber 1997).

    ``B T <Reber string> T E`` or ``B P <Reber string> P E``, so that the last symbol but one can be told
    only from the second; each of two continuations has probability 1/2. Lengths start at 9.

    >>> import numpy as np
    >>> from tinygrad_rnn.data import embedded_reber
    >>> embedded_reber(2, np.random.default_rng(0))
    ['BPBPVPXTTTTVVEPE', 'BPBPVVEPE']
    """
    if count < 0:
        raise ValueError(f"embedded_reber: count must not be negative, got {count}")
    rng = generator_or_default(generator)
    return [_walk(rng) for _ in range(count)]


def legal_continuations(string: str) -> list[str]:
    """The symbols that may follow each prefix of an embedded Reber string, "" after its last.

    Raises ValueError for a string that the grammar does not make.

    >>> from tinygrad_rnn.data import legal_continuations
    >>> legal_continuations("BTBPVVETE")
    ['TP', 'B', 'TP', 'TV', 'PV', 'E', 'T', 'E', '']
    """
    state, legal = "begin", []
    for at, symbol in enumerate(string):
        if symbol not in _EMBEDDED[state]:
            expected = " or ".join(_EMBEDDED[state]) or "nothing"
            raise ValueError(
                f"no embedded Reber string: symbol {at} of {string!r} is {symbol!r}, expected {expected}"
            )
        state = _EMBEDDED[state][symbol]
        legal.append("".join(_EMBEDDED[state]))
    if state != "end":
        raise ValueError(f"no embedded Reber string: {string!r} is not finished")
    return legal


def counting_string(n: int) -> str:
    """The string a^n b^n with its start and its end, ``S a...a b...b T`` (Gers & Schmidhuber 2001).

    >>> from tinygrad_rnn.data import counting_string
    >>> counting_string(3)
    'SaaabbbT'
    """
    if n < 1:
        raise ValueError(f"counting_string: n must be at least 1, got {n}")
    return "S" + "a" * n + "b" * n + "T"


def one_hot(string: str, alphabet: str) -> NDArray[np.float32]:
    """A string as (time, symbols) float32, a 1 a row. Raises ValueError for a symbol not in ``alphabet``.

    >>> from tinygrad_rnn.data import one_hot
    >>> one_hot("ab", "ab")
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return np.eye(len(alphabet), dtype=np.float32)[symbol_numbers(string, alphabet)]


def symbol_numbers(string: str, alphabet: str) -> NDArray[np.int64]:
    """The place of each symbol in ``alphabet``, (time,): the classes that a softmax predicts.

    >>> from tinygrad_rnn.data import symbol_numbers
    >>> symbol_numbers("BTE", "BTPSXVE")
    array([0, 1, 6])
    """
    places = [alphabet.find(symbol) for symbol in string]
    if -1 in places:
        raise ValueError(f"symbol {string[places.index(-1)]!r} is not in {alphabet!r}")
    return np.array(places, np.int64)


def _walk(rng: np.random.Generator) -> str:
    string, state = "", "begin"
    while state != "end":
        choices = list(_EMBEDDED[state].items())
        symbol, state = choices[rng.integers(len(choices)) if len(choices) > 1 else 0]
        string += symbol
    return string
