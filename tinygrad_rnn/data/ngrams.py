"""What is a character model measured against? An n-gram, which counts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

END = "\n"  # stands before a word, as often as needed, and once after it


@dataclass(frozen=True)
class NGram:
    """A character model that looks at the last ``order - 1`` characters; made by :func:`fit_ngram`.

    With n the count of a context, d the number of different characters seen after it, and the context
    that is one character shorter below it, smoothed after Witten & Bell (1991):

    ``P(x | context) = (count(context, x) + d P(x | shorter context)) / (n + d)``

    below the empty context all characters are alike, and a context that was never seen hands on to the
    shorter one. ``alphabet`` holds every character that can come, the end of a word (``"\\n"``) too.
    """

    order: int
    alphabet: str
    counts: dict[str, Counter[str]]

    def probability(self, context: str, character: str) -> float:
        """That ``character`` comes after ``context``; of a longer context the end counts.

        >>> from tinygrad_rnn.data import fit_ngram
        >>> fit_ngram(["aa", "ab"], order=2, alphabet="ab\\n").probability("b", "\\n")
        0.6666666666666666
        """
        found = 1 / len(self.alphabet)
        for k in range(min(self.order, len(context) + 1)):
            seen = self.counts.get(context[len(context) - k :])
            if seen is None:
                break
            different = len(seen)
            found = (seen[character] + different * found) / (seen.total() + different)
        return found

    def bits(self, words: Iterable[str]) -> float:
        """Bits a character over ``words``, the end of each word being one of its characters.

        ``-sum(log2 P(x_t | x_{t-n+1} ... x_{t-1})) / number of x_t``. Raises ValueError for a character
        outside the alphabet, or no words.
        """
        total, count = 0.0, 0
        for word in words:
            if not set(word) <= set(self.alphabet) - {END}:
                raise ValueError(f"{word!r} has characters outside the alphabet {self.alphabet!r}")
            padded = END * (self.order - 1) + word + END
            for t in range(self.order - 1, len(padded)):
                total -= math.log2(self.probability(padded[t - self.order + 1 : t], padded[t]))
                count += 1
        if not count:
            raise ValueError("bits a character need at least one word")
        return total / count


def fit_ngram(words: Iterable[str], order: int, alphabet: str) -> NGram:
    """Count what follows every context of up to ``order - 1`` characters in ``words``.

    ``alphabet`` must hold every character and ``"\\n"``, which ends a word. Raises ValueError where it
    does not, or where ``order`` is below 1.

    >>> from tinygrad_rnn.data import fit_ngram
    >>> model = fit_ngram(["anna", "hannah"], order=3, alphabet="ahn\\n")
    >>> round(model.probability("an", "n"), 3), round(model.bits(["hanna"]), 3)
    (0.812, 0.719)
    """
    if order < 1:
        raise ValueError(f"an n-gram looks at 1 character at least, got order={order}")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for word in words:
        if END in word or not {*word, END} <= set(alphabet):
            raise ValueError(f"{word!r} and its end do not fit the alphabet {alphabet!r}")
        padded = END * (order - 1) + word + END
        for t in range(order - 1, len(padded)):
            for k in range(order):
                counts[padded[t - k : t]][padded[t]] += 1
    return NGram(order, alphabet, dict(counts))
