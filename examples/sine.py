"""Why share weights over time, and how can a network run for more steps than it was trained on?

Because no step has weights of its own. Two LSTM cells, one above the other, and a linear head are one set
of weights; a step takes the state and a value, and gives the next value and the next state. Nothing in it
counts steps, so a network that was trained on 300 steps goes on for as long as it is asked to; with weights
for each step there would be none for step 301, and each would have to learn the wave for itself.

Here it learns to continue sine waves that start anywhere. In training it is given the true value at every
step. Then the loop is closed: after 300 steps of a wave that it has not seen it is fed its own forecasts
for 1,000 steps, 40 periods. Whatever is wrong in phase, height or period comes back at the next step and
adds up, so that the loss must be very small: L-BFGS, which uses the curvature of the loss, gets there in
a few steps. The first period does not count in training: until then the phase cannot be known.

Two linear weights would do: x_{t+1} = 2 cos(2 pi / period) x_t - x_{t-1} is exact. The network is not told
that this is a sine. The baseline, 0 at every step, has an error of 0.707. (After "time sequence prediction",
an example that comes with PyTorch, where the waves are longer and there is no figure.)
"""

from functools import partial

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, plots
from tinygrad_rnn.data import sine_waves
from tinygrad_rnn.experiments import QUIET, Task, main

PERIOD, STEPS, WAVES, HIDDEN, CLOSED, ITERATIONS = 25, 300, 16, 51, 1000, 5
TASK = Task(
    "sine",
    f"two LSTM cells ({HIDDEN}), {WAVES} waves of {STEPS} steps, {ITERATIONS} steps of L-BFGS; "
    f"{CLOSED} steps fed with its own forecasts, 20 new waves",
    "RMSE of the closed loop",
    reference=0.05,  # ours; no figure was published
    baseline=0.5**0.5,
    seeds=3,
)


class Oscillator(nn.Module):
    """Two LSTM cells and a head: (time, batch, 1) in, the next values and the last state out."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, HIDDEN, num_layers=2), nn.Linear(HIDDEN, 1)

    def forward(self, x, state=None):
        """One forecast a step."""
        y, state = self.lstm(x, state)
        return self.head(y), state


def train(model, x, y, iterations, show=QUIET):
    """Steps of L-BFGS on the error of the next value, after the first period; the loss before each."""
    optimizer, losses = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe"), []

    def mse(waves):
        return nn.functional.mse_loss(model(x[:, waves])[0][PERIOD:], y[PERIOD:, waves])

    def closure():
        optimizer.zero_grad()
        loss = mse(slice(None))
        loss.backward()
        return loss

    show.gradient("before training", model, mse([0]))
    for _ in show.bar(range(iterations), "L-BFGS"):
        losses.append(optimizer.step(closure).item())
    show.gradient("after training", model, mse([0]))
    return losses


@tg.no_grad()
def closed_loop(model, x, steps):
    """What the model says after x (time, batch, 1) when it is fed its own forecasts: (steps, batch)."""
    y, state = model(x)
    made = [y[-1]]
    while len(made) < steps:
        h, state = model.lstm.step(made[-1], state)
        made.append(model.head(h))
    return np.stack([y.numpy()[:, 0] for y in made])


def run(seed=0, quick=False, iterations=None, show=QUIET):
    """Train on true values, then close the loop on waves that were not seen."""
    iterations, waves, closed = (1, 2, 100) if quick else (iterations or ITERATIONS, WAVES, CLOSED)
    rng, test = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    x, y = sine_waves(STEPS, waves, rng, period=PERIOD)
    wave = sine_waves(STEPS + closed, 20, test, period=PERIOD).x
    given, came = wave[:STEPS], wave[STEPS:, :, 0]
    tg.manual_seed(seed)
    model = Oscillator().double()  # a rounded phase would add up too
    losses = train(model, x, y, iterations, show)
    made = closed_loop(model, given, closed)
    off = np.sqrt(np.mean((made - came) ** 2, axis=1))
    found = {f"step {k}": off[k - 1] for k in (1, 100, closed)}
    reached = np.sqrt(np.mean(off**2))
    if show.active:
        show.table(["closed loop", "RMSE"], [*found.items(), ["all steps", reached]], strong=3)
        caption = "Loss before each step of L-BFGS."
        show.curves("losses", {"L-BFGS": losses}, caption, xlabel="step of L-BFGS")
        steps, wave = np.arange(1, closed + 1), {"closed loop": made[:, 0]}
        picture = partial(plots.plot_forecast, steps, came[:, 0], wave, ylabel="x")
        show.figure("closed_loop", picture, f"{closed:,} steps, fed with its own forecasts.")
        show.curves("drift", {"closed loop": off}, "What adds up.", ylabel="RMSE", xlabel="step")
        with nn.record_gates(model.lstm) as gates:
            said, _ = model(x[:50, :1])
        show.gates(gates, "The first two periods.", names=("f_l0", "c_l0", "f_l1", "c_l1"))
        show.graph(said, "50 steps of two cells: one set of weights each.")
    return TASK.result(reached, details=found)


if __name__ == "__main__":
    main(run)
