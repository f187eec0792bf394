"""How do sequences of different lengths share a batch, and what becomes of the padding?

The network reads a first name a character at a time and after each says what the next will be; the end of
the name is a character too. The score is bits a character, the mean of -log2 P(next character), and to beat
is a 4-gram, which counts what follows three characters (smoothed after Witten & Bell 1991).

A batch is one array, so short names are padded to the longest. Nothing may come of it: lengths= lets the
layer keep each state as it was at the end of its name, and the mask leaves the padding out of the loss and
of its mean. The table scores the test names in batches of a hundred and one by one, without any padding.

Settings were chosen on the validation names (benchmarks/choices.py); the test names took no part.
"""

import string

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import first_names, fit_ngram
from tinygrad_rnn.experiments import QUIET, Task, main

ALPHABET = "\n" + string.ascii_lowercase  # a name ends with the first, and starts after it
HIDDEN, BATCH, RATE, ITERATIONS = 64, 64, 1e-2, 1000
TASK = Task(
    "names",
    f"LSTM({HIDDEN}), batch {BATCH}, Adam {RATE:g} falling to 0, {ITERATIONS} iterations on 3,421 names; "
    "427 test names; to be below 2.75 and below the 4-gram",
    "bits a character",
    short=2,
)


class Speller(nn.Module):
    """A vector a character, an LSTM, and a head that says what comes next."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), len(ALPHABET))
        self.lstm, self.head = nn.LSTM(len(ALPHABET), HIDDEN), nn.Linear(HIDDEN, len(ALPHABET))

    def forward(self, x, lengths=None):
        """Characters (time, batch) in, logits (time, batch, 27) out."""
        y, _ = self.lstm(self.embedding(x), lengths=lengths)
        return self.head(y)


def loader(names, size, shuffle=False):
    """Batches of x, y, lengths, mask: y is x one character later."""
    codes = [np.array([ALPHABET.index(c) for c in f"\n{name}\n"]) for name in names]
    return tg.DataLoader(([c[:-1] for c in codes], [c[1:] for c in codes]), size, shuffle)


def bits(model, x, y, lengths, mask):
    """The loss over all that is no padding, in bits."""
    return nn.functional.cross_entropy(model(x, lengths)[mask], y[mask]) / np.log(2)


@tg.no_grad()
def score(model, names, size=100):
    """Bits a character over names, however they are cut into batches."""
    batches = [(bits(model, *b).item(), b[2].sum().item()) for b in loader(names, size)]
    return float(np.average([s for s, _ in batches], weights=[count for _, count in batches]))


def train(names, seed, iterations, show=QUIET, rate=RATE, batch=BATCH):
    """A Speller trained on names, and its losses."""
    tg.manual_seed(seed)
    model, losses, batches = Speller(), [], iter(())
    optimizer, one = optim.Adam(model.parameters(), lr=rate), *loader(["elizabeth"], 1)
    show.gradient("before training", model, bits(model, *one))
    for k in show.bar(range(iterations)):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / iterations)
        if k % -(-len(names) // batch) == 0:  # a new pass, in a new order
            batches = iter(loader(names, batch, shuffle=True))
        loss = bits(model, *next(batches))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, bits(model, *one))
    return model, losses


@tg.no_grad()
def spell(model, rng):
    """A new name: each character is drawn from the network's distribution, and fed back to it."""
    name, state = "\n", None
    while len(name) == 1 or (name[-1] != "\n" and len(name) < 20):
        y, state = model.lstm.step(model.embedding([ALPHABET.index(name[-1])]), state)
        name += rng.choice(list(ALPHABET), p=tg.softmax(model.head(y).double(), -1).numpy()[0])
    return name.strip()


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train, score the test names beside n-grams, spell new ones."""
    names = first_names()
    model, losses = train(names.train, seed, iterations or (20 if quick else ITERATIONS), show)
    found = {
        f"{n}-gram": fit_ngram(names.train, n, ALPHABET).bits(names.test) for n in (1, 2, 3, 4)
    }
    four, reached = found["4-gram"], score(model, names.test)
    if show.active:
        found |= {f"LSTM({HIDDEN})": reached, "without padding": score(model, names.test, size=1)}
        show.table(["427 test names", "bits a character"], list(found.items()), strong=4)
        rng, known = np.random.default_rng([seed, 1]), {"", *names.train}
        new = sorted({spell(model, rng) for _ in range(40)} - known)
        show.say(f"Spelled by the network, none of them read in training: {', '.join(new)}.")
        marks = {"4-gram": four}
        show.curves("losses", {"training": losses}, "Bits a character.", log=False, marks=marks)
        with nn.record_gates(model.lstm) as gates:
            said = model(*[x for x, *_ in loader(["elizabeth"], 1)])
        show.gates(gates, "Elizabeth, a character a step, until the name's end.")
        show.graph(said, "One name, one set of weights.")
    return TASK.result(reached, reference=min(2.75, four), baseline=found["1-gram"], details=found)


if __name__ == "__main__":
    main(run)
