"""The page of three models that answers the five questions of students by being played with.

python docs/three_models.py three_models.html
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import adding

STEPS, HIDDEN, EPOCHS = 20, 8, 300
TRAINED, SHOWN = 256, 16  # sequences: so many are learnt from, so many are in the page


class Adder(nn.Module):
    """A recurrent layer that reads numbers and marks, and a head that names the sum of the marked ones."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn, self.head = layer, nn.Linear(HIDDEN, 1)

    def forward(self, x: Any) -> Any:
        """x (time, batch, 2): (batch, 1)."""
        return self.head(self.rnn(x)[0][-1])


MODELS: list[tuple[str, Callable[..., nn.Module]]] = [
    ("h = tanh(W_ih x + W_hh h + b): every step back goes through W_hh and tanh.", nn.RNN),
    ("c = f * c + i * g: where f is near 1, c goes back in time as it is.", nn.LSTM),
    ("h = (1 - z) * n + z * h: z does what f does.", nn.GRU),
]


def button(words: str, *situations: dict[str, Any]) -> str:
    """A button that brings the models into a situation."""
    data = json.dumps(situations).replace("'", "&#39;").replace("<", "&lt;")
    return f"<button type='button' data-situation='{data}'>{words}</button>"


def questions() -> str:
    """The five questions, each with what to do and what to look at."""
    rnn: dict[str, Any] = {"panel": 0}
    lstm: dict[str, Any] = {"panel": 1}
    own: dict[str, Any] = {"data": 0}
    before: dict[str, Any] = {**own, "frame": 0, "gate": ""}
    items = [
        (
            "Which weights does it use at t = 4?",
            "The same as at t = 3 and at t = 100. Change the length: the picture of the weights stays, only "
            "the count of their uses moves.",
            button("4 steps", {"data": 1})
            + button("20 steps", own)
            + button("100 steps", {"data": 3}),
        ),
        (
            "Why do gradients add up over steps?",
            "One W is in the loss once for each step; the ledger shows what each use says, and that the "
            "parts sum to |G|. “One step” then moves the one W, and all steps with it.",
            button("the ledger of W_hh", {**own, "weight": "weight_hh_l0"}),
        ),
        (
            "Why does the early gradient vanish in an RNN, and not in an LSTM whose forget gate is open?",
            "Go back to before training and look at the gradient that arrives at each state (a log scale). "
            "In the RNN each step back multiplies by W_hh and tanh': with a smaller W_hh it is gone after a "
            "few steps, with a larger one it grows. In the LSTM hold f at 1, and c carries it whole, "
            "whatever the weights; at 0.5 it halves with each step.",
            button("RNN: W_hh × 0.6", before, {**rnn, "weight": "weight_hh_l0", "scale": 0.6})
            + button("RNN: W_hh × 1.6", before, {**rnn, "weight": "weight_hh_l0", "scale": 1.6})
            + button("LSTM: f := 1", before, {**lstm, "gate": "f", "value": 1, "show": "f"})
            + button("LSTM: f := 0.5", before, {**lstm, "gate": "f", "value": 0.5, "show": "f"})
            + button("as learnt", {**own, "gate": "", "frame": -1}),
        ),
        (
            "What does truncation cut?",
            "No gradient goes from the steps after a cut to those before it: the earlier bars of the ledger "
            "go, the prediction stays as it is.",
            button("cut before step 11", {**own, "cut": 10}) + button("no cut", {"cut": 0}),
        ),
        (
            "What happens beyond the length trained on?",
            "It runs: the weights know no length. How well is another question. Look at prediction and "
            "truth at 20, 50 and 100 steps, then train on 50.",
            button("50 steps", {"data": 2}) + button("100 steps", {"data": 3}),
        ),
    ]
    listed = "\n".join(f"<li><b>{q}</b> {answer} {buttons}</li>" for q, answer, buttons in items)
    return (
        '<div class="questions"><p>Three models that learnt to add two marked numbers of a sequence of 20. '
        "All of it runs here: pull at the input, change a weight, hold a gate, cut the gradient, train. "
        f"The slider goes through the training.</p>\n<ol>\n{listed}\n</ol></div>"
    )


def draw(path: str | os.PathLike[str]) -> str:
    """Train the three, film it, and write the page."""
    x, y = adding(STEPS, TRAINED, np.random.default_rng(0))
    loss = nn.functional.mse_loss
    lives = []
    for words, kind in MODELS:
        tg.manual_seed(0)
        model, film = Adder(kind(2, HIDDEN)), tg.Film(most=40)
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        tg.fit(model, (x, y), loss, optimizer, epochs=EPOCHS, clip=1.0, film=film, progress=False)
        shown = x[:, :SHOWN], y[:SHOWN]
        tasks = [("adding", steps, SHOWN) for steps in (4, 50, 100)]
        lives.append(
            tg.Live(model, shown, loss, title=kind.__name__, words=words, film=film, tasks=tasks)
        )
    title = "One set of weights: three models to play with"
    return lives[0].to_html(path, *lives[1:], title=title, words=questions())


if __name__ == "__main__":
    print(draw(sys.argv[1] if len(sys.argv) > 1 else "three_models.html"))
