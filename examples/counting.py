"""What does padding do, and does a network that saw ten steps know what to do at a thousand?

Strings a^n b^n: S, n times a, n times b, T (Gers & Schmidhuber 2001). While a comes, a or b may follow; from
the first b on everything is certain, if the network has counted. It is trained on n = 1 ... 10 and asked for
more. The same weights apply at every step, so a longer string is no other network; whether it is the same
*solution* is another matter: a cell that adds exactly 1 for an a goes on for ever, one that adds almost 1,
or squashes, does not.

Strings of ten lengths make one batch: short ones are padded at the end, and the loss leaves the padded steps
out (their class is -100, which cross entropy ignores). What is there cannot matter: states go forward in
time only, and no loss looks at it.

Measured: the largest n up to which every string is right, that is: no symbol but a or b is preferred while a
comes, and the one right symbol from the first b on.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import counting_string, one_hot, symbol_numbers
from tinygrad_rnn.experiments import QUIET, Task, main

SYMBOLS, HIDDEN, TRAINED, FARTHEST = "SabT", 4, 10, 1000
TASK = Task(
    "counting",
    f"a^n b^n, trained on n = 1 ... {TRAINED}, LSTM({HIDDEN}), Adam 0.02 falling to 0, clip 1, "
    "3,000 iterations",
    "largest n right, and all below",
    baseline=0,
    better="higher",
    judged="median",
    gated=False,
)


class Counter(nn.Module):
    """After each symbol, a score for each that may come next."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(len(SYMBOLS), HIDDEN), nn.Linear(HIDDEN, len(SYMBOLS))
        nn.init.forget_bias_(self.lstm, 3.0)

    def forward(self, x):
        """(time, batch, 4) in, (time, batch, 4) out."""
        return self.head(self.lstm(x)[0])


def batch(last):
    """The strings n = 1 ... last: inputs (time, last, 4), and what comes next, -100 where nothing does."""
    strings = [counting_string(n) for n in range(1, last + 1)]
    x = np.zeros((2 * last + 1, last, len(SYMBOLS)), np.float32)
    y = np.full((2 * last + 1, last), -100)
    for k, string in enumerate(strings):
        x[: len(string) - 1, k] = one_hot(string[:-1], SYMBOLS)
        y[: len(string) - 1, k] = symbol_numbers(string[1:], SYMBOLS)
    return x, y


def loss_of(model, x, y):
    """Cross entropy of each next symbol, padding left out."""
    return nn.functional.cross_entropy(model(x).reshape(-1, len(SYMBOLS)), y.reshape(-1))


def is_right(model, n):
    """Whether the string of n is predicted correctly, to its end."""
    with tg.no_grad():
        said = model(one_hot(counting_string(n)[:-1], SYMBOLS)[:, None]).numpy()[:, 0].argmax(-1)
    text = "".join(SYMBOLS[k] for k in said)
    return (
        text[0] == "a"
        and set(text[1 : n + 1]) <= {"a", "b"}
        and text[n + 1 :] == "b" * (n - 1) + "T"
    )


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train on short strings, then count how far it goes."""
    iterations = iterations or (20 if quick else 3000)
    tg.manual_seed(seed)
    model, losses = Counter(), []
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    x, y = batch(TRAINED)
    show.gradient("before training", model, loss_of(model, x, y))
    for k in show.bar(range(iterations)):
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - k / iterations)
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, loss_of(model, x, y))
    reached = 0
    while reached < FARTHEST and is_right(model, reached + 1):
        reached += 1
    if show.active:
        show.table(
            ["largest n", "n"], [["trained on", TRAINED], ["right up to", reached]], strong=1
        )
        show.curves("losses", {"cross entropy": losses}, "Cross entropy of the next symbol.")
        longer = one_hot(counting_string(2 * TRAINED)[:-1], SYMBOLS)[:, None]
        with nn.record_gates(model.lstm) as gates:
            said = model(longer)
        show.gates(
            gates, f"n = {2 * TRAINED}, twice what it was trained on: c counts up, then down."
        )
        show.graph(
            said[-1], "The way to the last prediction: one set of weights; the middle is folded."
        )
    return TASK.result(reached)


if __name__ == "__main__":
    main(run)
