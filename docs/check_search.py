"""Do people find the page? Queries on the index of a built site, ranked as the site's search box ranks them.

    python docs/check_search.py site

Scores are those of Sphinx's searchtools.js: an entry of the index that holds the query, a title that holds
it, then pages that have every word, in a title or in the text.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from sphinx.search import languages

QUERIES = {
    "LSTM weights at t=4": "questions/what_weights_at_t4",
    "LSTM weights at t = 4": "questions/what_weights_at_t4",
    "same weights every step": "questions/what_weights_at_t4",
    "one-to-many": "guides/training",
    "sequence to sequence": "guides/training",
    "loss is nan": "guides/training",
    "encoder decoder": "guides/architectures",
    "time series": "guides/your_own_series",
    "csv": "guides/your_own_series",
    "forecast": "guides/your_own_series",
    "missing values": "guides/your_own_series",
    "prediction interval": "guides/your_own_series",
    "backtest": "guides/your_own_series",
    "GridSearchCV": "guides/your_own_series",
    "custom layer": "questions/your_own_cell",
    "unequal lengths": "layers",
    "masking": "layers",
    "GPU": "guides/speed",
    "what weights does an lstm use": "questions/what_weights_at_t4",
    "shared weights": "questions/what_weights_at_t4",
    "hidden units time steps": "questions/hidden_units_are_not_time_steps",
    "hidden_size and sequence length": "questions/hidden_units_are_not_time_steps",
    "gradients sum over steps": "questions/why_gradients_sum",
    "backpropagation through time": "questions/why_gradients_sum",
    "vanishing gradient": "questions/why_the_early_gradient_vanishes",
    "exploding gradient": "questions/why_the_early_gradient_vanishes",
    "output vs h_n": "questions/output_and_h_n",
    "return_sequences": "questions/output_and_h_n",
    "two biases": "questions/why_two_biases",
    "stateful": "questions/when_to_reset_state",
    "reset state": "questions/when_to_reset_state",
    "truncated backpropagation": "questions/when_to_reset_state",
    "detach": "questions/when_to_reset_state",
    "custom cell": "questions/your_own_cell",
    "many-to-one": "guides/training",
    "many to one": "guides/training",
    "seq2seq": "guides/training",
    "early stopping": "guides/training",
    "teacher forcing": "guides/training",
    "gradient clipping": "guides/training",
    "LSTM backward by hand": "guides/exercises",
    "exercises": "guides/exercises",
    "draw LSTM": "guides/drawing",
    "Keras LSTM": "guides/from_keras",
    "save and load": "guides/files",
    "padding": "layers",
    "glossary": "glossary",
    "worksheet": "teaching",
    "how to train an LSTM": "guides/training",
    "loss does not decrease": "guides/training",
    "learning rate": "guides/training",
    "text classification": "guides/training",
    "how many parameters LSTM": "layers",
    "number of parameters": "layers",
    "difference between RNN and LSTM": "layers",
    "LSTM vs GRU": "layers",
    "input shape": "layers",
    "batch_first": "layers",
    "stacked LSTM": "layers",
    "weight initialization": "layers",
    "peephole": "layers",
    "last time step": "questions/output_and_h_n",
    "unfolding": "questions/what_weights_at_t4",
    "sentiment": "guides/architectures",
    "language model": "guides/architectures",
    "text generation": "guides/live",
    "stock price": "guides/your_own_series",
    "normalize data": "guides/your_own_series",
    "plot loss": "guides/your_own_series",
    "hyperparameters": "guides/your_own_series",
    "convert PyTorch model": "guides/from_pytorch",
    "load Keras weights": "guides/from_keras",
    "gradient check": "questions/your_own_cell",
    "adding problem": "classic_tasks",
    "copy task": "classic_tasks",
    "animation": "teaching",
    "gif": "teaching",
    "cheat sheet": "teaching",
    "license": "teaching",
}
TOP = 3


class Index:
    """A site's searchindex.js, and the ranking of its search box."""

    def __init__(self, site: Path) -> None:
        text = (site / "searchindex.js").read_text(encoding="utf-8")
        self.data: dict[str, Any] = json.loads(text[text.index("(") + 1 : text.rindex(")")])
        self.language = languages["en"]
        if isinstance(self.language, str):
            module, _, name = self.language.rpartition(".")
            self.language = getattr(__import__(module, fromlist=[name]), name)
        self.language = self.language({})

    def pages(self, query: str) -> list[str]:
        """The pages that are found, each once, the best first."""
        scores: dict[int, float] = defaultdict(float)
        lower = query.lower().strip()
        for title, places in self.data["alltitles"].items():
            if lower in title.lower().strip() and len(lower) >= len(title) / 2:
                for page, anchor in places:
                    whole = self.data["titles"][page] == title and anchor is None
                    scores[page] = max(scores[page], round(15 * len(lower) / len(title)) + whole)
        for entry, places in self.data["indexentries"].items():
            if lower in entry and len(lower) >= len(entry) / 2:
                for page, _, main in places:  # what is not a main entry comes after all else
                    score = round(100 * len(lower) / len(entry)) if main else 0
                    scores[page] = max(scores[page], score)
        for page, score in self._by_words(lower).items():
            scores[page] = max(scores[page], score)
        names = self.data["docnames"]
        order = sorted(scores, key=lambda page: (-scores[page], self.data["titles"][page].lower()))
        return [names[page] for page in order]

    def _by_words(self, query: str) -> dict[int, float]:
        """Pages that have every word of the query, by the best place of any of them."""
        words = re.split(r"[^\w]+", query)
        wanted = {
            self.language.stem(w)
            for w in words
            if w and w not in self.language.stopwords and not w.isdigit()
        }
        found: dict[int, dict[str, float]] = defaultdict(dict)
        for word in wanted:
            for terms, exact, partial in (("terms", 5, 2), ("titleterms", 15, 7)):
                table = self.data[terms]
                pages = dict.fromkeys(_listed(table.get(word, [])), exact)
                if len(word) > 2 and word not in self.data["terms"] | self.data["titleterms"]:
                    for term, places in table.items():
                        if word in term:
                            pages |= dict.fromkeys(_listed(places), partial)
                for page, score in pages.items():
                    found[page][word] = max(found[page].get(word, 0), score)
        need = len(wanted), len([w for w in wanted if len(w) > 2])
        return {p: max(s.values()) for p, s in found.items() if len(s) in need}


def _listed(places: int | list[int]) -> list[int]:
    return [places] if isinstance(places, int) else places


def misses(site: Path) -> list[str]:
    """Queries whose page is not among the first three, with what is found instead."""
    index = Index(site)
    found = {query: index.pages(query)[:TOP] for query in QUERIES}
    return [
        f"{query!r}: {page} is not among {', '.join(found[query]) or 'nothing'}"
        for query, page in QUERIES.items()
        if page not in found[query]
    ]


def main(site: str) -> int:
    """Print every query that misses; 1 if there is one."""
    missed = misses(Path(site))
    print(*missed, sep="\n")
    print(
        f"{len(QUERIES) - len(missed)} of {len(QUERIES)} queries find their page in the top {TOP}"
    )
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "site"))
