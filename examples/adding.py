"""Why are gradients summed over steps, and why does an LSTM remember over 100 what an RNN forgets?

At every step the network reads a value and a mark. Two of the hundred marks are 1, and the target is the
sum of the two marked values (Hochreiter & Schmidhuber 1997; in this form Le et al. 2015). The baseline,
the mean for every input, has a mean squared error of 1/6 for values from U[0, 1], of 2/3 for U[-1, 1].

There is one W, used at every step. The loss changes with it through each of those uses, and the derivative
is the sum of what they add, as for any variable that is in a formula more than once. The picture of the
gradient takes the sum apart: after training, the parts of the marked steps are the largest.

An RNN's state is rewritten at every step, and so its gradient is a product of 100 factors, all made of the
same matrix: it vanishes. An LSTM's cell is added to, c = f * c + i * g, and the factor is f. Whether it
remembers at the start of training is thus a matter of f's bias. Chrono initialisation (Tallec & Ollivier
2018) spreads the biases so that units forget over 1, 2, ... 100 steps; with a bias of 0, f is near 1/2,
and after 100 steps a factor of 2^-100 is left.
"""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import adding
from tinygrad_rnn.experiments import QUIET, Task, main

STEPS, HIDDEN, BATCH = 100, 16, 32
TASK = Task(
    "adding",
    f"T={STEPS}, LSTM({HIDDEN}) with chrono initialisation, batch {BATCH}, Adam 1e-2, clip 1, "
    "600 iterations; the worse of values U[0, 1] and U[-1, 1]",
    "mean squared error",
    reference=0.01,
    baseline=1 / 6,
    short=2,
)
STARTS = {  # what the table compares: a layer, and how it starts
    "LSTM, chrono": (nn.LSTM, lambda layer: nn.init.chrono_(layer, STEPS)),
    "LSTM, forget bias 1": (nn.LSTM, lambda layer: nn.init.forget_bias_(layer, 1.0)),
    "LSTM, forget bias 0": (nn.LSTM, lambda layer: nn.init.forget_bias_(layer, 0.0)),
    "tanh RNN": (nn.RNN, lambda layer: layer),
}


class Adder(nn.Module):
    """A recurrent layer, and a head that reads its last output."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(HIDDEN, 1)

    def forward(self, x):
        """(time, batch, 2) in, (batch, 1) out."""
        y, _ = self.layer(x)
        return self.head(y[-1])


def mse(model, sequences):
    """The loss of a batch."""
    x, y = sequences
    return nn.functional.mse_loss(model(x), y)


def train(start, seed, low, iterations, show=QUIET):
    """One model on values from U[low, 1]; returns it, its losses, and its error on 2,000 new sequences."""
    tg.manual_seed(seed)
    rng, test = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    kind, begin = STARTS[start]
    model, losses = Adder(begin(kind(2, HIDDEN))), []
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    one = adding(STEPS, 1, np.random.default_rng(0), low=low)  # the sequence that pictures show
    show.gradient("before training", model, mse(model, one))
    for _ in show.bar(range(iterations), f"{start}, U[{low:g}, 1]"):
        loss = mse(model, adding(STEPS, BATCH, rng, low=low))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    show.gradient("after training", model, mse(model, one))
    with tg.no_grad():
        return model, losses, mse(model, adding(STEPS, 2000, test, low=low)).item()


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train on both ranges of values; where somebody looks, every start of the table."""
    iterations = iterations or (20 if quick else 600)
    found, curves = {}, {}
    for start in STARTS if show.active else list(STARTS)[:1]:
        for low in (0.0, -1.0):
            shown = show if start == "LSTM, chrono" and low == 0 else QUIET
            model, losses, found[start, low] = train(start, seed, low, iterations, shown)
            if low == 0:
                curves[start] = losses
            if shown.active:
                x, _ = adding(STEPS, 1, np.random.default_rng(0))
                with nn.record_gates(model.layer) as gates:
                    said = model(x)
                marks = " and ".join(str(t + 1) for t in np.flatnonzero(x[:, 0, 1]))
                show.gates(
                    gates, f"One sequence, marked at t = {marks}: the cell waits for the marks."
                )
                show.graph(said, f"{STEPS} steps, one set of weights; the middle is folded.")
    if show.active:
        rows = [[s, found[s, 0.0], found[s, -1.0]] for s in STARTS]
        rows.append(["baseline: the mean", 1 / 6, 2 / 3])
        show.table(["mean squared error", "U[0, 1]", "U[-1, 1]"], rows, strong=0)
        caption = "The loss on values from U[0, 1], from four starts."
        show.curves("losses", curves, caption, marks={"the mean: 1/6": 1 / 6}, ylabel="MSE")
    chrono = {"U[0, 1]": found["LSTM, chrono", 0.0], "U[-1, 1]": found["LSTM, chrono", -1.0]}
    return TASK.result(max(chrono.values()), details=chrono)


if __name__ == "__main__":
    main(run)
