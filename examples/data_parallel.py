"""One network trained by several processes, or machines: gradients are summed over ranks as over steps.

    python -m pip install "tinygrad_rnn[mpi]"
    python data_parallel.py                     one process
    mpiexec -n 4 python data_parallel.py        four, each with a quarter of every batch

The task is the adding problem (Hochreiter & Schmidhuber 1997): a sequence of pairs (number, mark), two of
them marked; the target is the sum of the two marked numbers. However many ranks there are, they go through
the same batches, and their summed gradient is that of one process but for the order of the rounding. A job
that was ended goes on from data_parallel.checkpoint with --resume, on as many ranks as you like.
"""

import argparse
import time

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import distributed, nn, optim
from tinygrad_rnn.data import adding


class Adder(nn.Module):
    """Reads (batch, time, 2), says one number a sequence."""

    def __init__(self, hidden_size=32):
        super().__init__()
        self.lstm = nn.LSTM(2, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x):
        """(batch, time, 2) in, (batch, 1) out."""
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


def sequences(count, steps, seed):
    """Inputs (count, steps, 2), a row a sequence, and the sums of their two marked numbers (count, 1)."""
    x, y = adding(steps, count, np.random.default_rng(seed))
    return x.swapaxes(0, 1), y


def compare(world, model, x, y):
    """How far the ranks' summed gradient is from that of the whole batch in one process, relatively."""
    mine = tg.DataLoader((x, y), batch_size=len(x))
    for part, target in world.shard(mine):
        model.zero_grad()
        loss = nn.functional.mse_loss(model(part), target)
        loss.backward()
        world.sum_gradients(model.parameters(), loss)
    summed = np.concatenate([p.grad.numpy().ravel() for p in model.parameters()])
    model.zero_grad()
    nn.functional.mse_loss(model(tg.tensor(x)), tg.tensor(y)).backward()
    whole = np.concatenate([p.grad.numpy().ravel() for p in model.parameters()])
    return np.linalg.norm(summed - whole) / np.linalg.norm(whole)


def main():
    """Train on all ranks; rank 0 tells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=20, help="the length of a sequence")
    parser.add_argument("--resume", action="store_true", help="go on from data_parallel.checkpoint")
    options = parser.parse_args()

    world = distributed.World()  # rank 0 of 1 without mpiexec
    tg.manual_seed(world.rank)  # the start is rank 0's
    model = Adder()
    x, y = sequences(2000, options.steps, seed=0)
    begin = time.perf_counter()
    history = tg.fit(
        model,
        tg.DataLoader((x, y), batch_size=100, shuffle=True),
        nn.functional.mse_loss,
        optim.Adam(model.parameters(), lr=0.01),
        epochs=options.epochs,
        validation=tg.DataLoader(sequences(500, options.steps, seed=1), batch_size=100),
        clip=1.0,
        checkpoint="data_parallel.checkpoint",
        resume=options.resume,
        world=world,
    )
    seconds = time.perf_counter() - begin
    difference = compare(world, model, x[:99], y[:99])  # 99 rows do not split evenly
    if world.rank == 0:
        count = sum(p.numel() for p in model.parameters())
        print(f"ranks: {world.size}, {count} numbers in a gradient, {seconds:.1f} s")
        print(f"{history}: mean squared error")
        print(f"gradient of {world.size} ranks against one process: {difference:.0e} apart")


if __name__ == "__main__":
    main()
