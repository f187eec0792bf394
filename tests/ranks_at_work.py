"""What the ranks do in tests/test_distributed.py: mpiexec -n N python ranks_at_work.py SCENARIO FOLDER."""

import os
import signal
import sys
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import distributed, nn, optim


class Net(nn.Module):
    """An LSTM and a head; ``spare`` gets a gradient from rows whose first number is positive alone."""

    def __init__(self, dtype="float64", dropout=0.0):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, num_layers=2, batch_first=True, dropout=dropout)
        self.head, self.spare, self.never = (nn.Linear(5, 2), nn.Linear(5, 2), nn.Linear(5, 2))
        self.to(dtype)

    def forward(self, x, lengths=None):
        y, _ = self.lstm(x, lengths=lengths)
        if lengths is not None:
            return self.head(y)
        out = self.head(y[:, -1])
        some = np.flatnonzero(x.numpy()[:, 0, 0] > 1)
        return out.at[some].add(self.spare(y[some, -1])) if len(some) else out


def columns(rows, dtype="float64"):
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, 6, 3)).astype(dtype)
    x[0, 0, 0], x[1:, 0, 0] = 2, -2  # only the first row is of use to `spare`
    return x, rng.standard_normal((rows, 2)).astype(dtype)


def ragged(rows):
    rng = np.random.default_rng(rows)
    lengths = rng.integers(1, 7, rows)
    return [rng.standard_normal((n, 3)) for n in lengths], [
        rng.standard_normal((n, 2)) for n in lengths
    ]


def masked_loss(model, x, y, lengths, mask):
    """The mean over all steps that are there, and how many numbers it is a mean of."""
    return nn.functional.mse_loss(model(x, lengths=lengths)[mask], y[mask]), y[mask].numel()


def gradient(world, folder):
    """Gradients of batches that split evenly, unevenly, and into fewer rows than there are ranks."""
    found = {}
    for dtype in ("float64", "float32", "float16"):
        for rows in (8, 7, 3, 1):
            tg.manual_seed(world.rank)  # broadcast makes them equal
            model = Net(dtype)
            world.broadcast(model)
            loader = tg.DataLoader(columns(rows, dtype), batch_size=rows, shuffle=True)
            for x, y in world.shard(loader):
                loss = nn.functional.mse_loss(model(x), y)
                loss.backward()
                found[f"{dtype} {rows} loss"] = world.sum_gradients(model.parameters(), loss)
            for name, p in model.named_parameters():
                if p.grad is not None:
                    found[f"{dtype} {rows} {name}"] = p.grad.numpy()
    tg.manual_seed(5)
    model = Net()
    for batch in world.shard(
        tg.DataLoader(ragged(9), batch_size=9, batch_first=True, shuffle=True)
    ):
        loss, count = masked_loss(model, *batch)
        loss.backward()
        found["ragged loss"] = world.sum_gradients(model.parameters(), loss, count)
    found |= {
        f"ragged {n}": p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None
    }
    for other in world.gather(found):
        assert other.keys() == found.keys()
        assert all(np.array_equal(other[k], found[k]) for k in found), "the ranks differ"
    if world.rank == 0:
        np.savez(folder / "gradient.npz", **found)


def train(world, folder, epochs=4, dropout=0.0, act=lambda history: None, resume=False):
    """tg.fit on this job's ranks, seven rows a batch of 31, with all that fit can do."""
    tg.manual_seed(0 if world.rank == 0 else [0, world.rank])
    model = Net(dropout=dropout)
    model.register_buffer("offset", tg.randn(2))
    adam = optim.Adam(model.parameters(), lr=0.02)
    return model, tg.fit(
        model,
        tg.DataLoader(columns(31), batch_size=7, shuffle=True),
        nn.functional.mse_loss,
        adam,
        epochs=epochs,
        validation=tg.DataLoader(columns(10), batch_size=4),
        clip=1.0,
        scheduler=optim.lr_scheduler.StepLR(adam, 2, 0.5),
        patience=50,
        callbacks=act,
        checkpoint=folder / "run.checkpoint",
        resume=resume,
        progress=os.environ.get("BAR") == "1",
        world=world,
    )


def fit(world, folder):
    """A whole run; every rank ends with the same weights and history."""
    model, history = train(world, folder)
    same = world.gather(
        [history.rows, history.baseline, model.state_dict()["head.weight"].tolist()]
    )
    assert all(one == same[0] for one in same)
    if world.rank == 0:
        values = {n: v.numpy() for n, v in model.state_dict().items()}
        losses = np.array([history.loss, history.validation, [history.baseline] * 4])
        np.savez(folder / "fit.npz", losses=losses, **values)


def interrupted(world, folder):
    """Four epochs in two halves reach the bits of four in one, dropout on every rank included."""
    ends = []
    for name, parts in (("whole", (4,)), ("halves", (2, 4))):
        (folder / name).mkdir(exist_ok=True) if world.rank == 0 else None
        world.share(None)
        for epochs in parts:
            model, _ = train(world, folder / name, epochs, dropout=0.3, resume=epochs == 4)
        ends.append(model.state_dict())
    assert all(np.array_equal(ends[0][n].numpy(), ends[1][n].numpy()) for n in ends[0])
    kept = world.gather(tg.rand(1).item())
    assert len(set(kept)) == world.size, "every rank draws its own dropout"


def dies(how):
    def scenario(world, folder):
        """The last rank ends in the third epoch, after two checkpoints."""

        def act(history):
            if len(history.rows) == 3 and world.rank == world.size - 1:
                {
                    "raise": lambda: int("a bad day"),
                    "exit": lambda: sys.exit(3),
                    "vanish": lambda: os._exit(7),
                    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
                }[how]()

        train(world, folder, epochs=5, act=act)

    return scenario


def apart(world, folder):
    """One rank changes its own model."""
    model = Net()
    world.broadcast(model)
    world.check(model)
    if world.rank == 1:
        with tg.no_grad():
            model.head.bias += 1
    world.check(model)


def uneven(world, folder):
    """One rank goes through more exchanges than the others."""
    model = Net()
    for _ in range(2 + (world.rank == 0)):
        model(tg.zeros(2, 3, 3, dtype=tg.float64)).sum().backward()
        world.sum_gradients(model.parameters())


def out_of_step(world, folder):
    """One rank has already taken part in an exchange that it had with nobody."""
    world._count += world.rank == 1
    model = Net()
    model(tg.zeros(2, 3, 3, dtype=tg.float64)).sum().backward()
    world.sum_gradients(model.parameters())


def classes(world, folder):
    """A mean over classes passes; class weights, an ignored class and a sum are refused."""
    x, y = columns(40)[0], np.arange(40) % 2
    for loss, fits in (
        (nn.CrossEntropyLoss(), True),
        (lambda p, t: nn.functional.cross_entropy(p, t, [1.0, 3.0]), False),
        (nn.CrossEntropyLoss(ignore_index=1), False),
        (nn.CrossEntropyLoss(reduction="sum"), False),
    ):
        model = Net()
        adam = optim.Adam(model.parameters())
        loader = tg.DataLoader((x, y), batch_size=10)
        words = ""
        try:
            tg.fit(model, loader, loss, adam, epochs=1, progress=False, world=world)
        except ValueError as error:
            words = str(error)
        assert ("the loss is no mean over all targets" in words) is not fits, (loss, words)
    if world.rank == 0:
        print("all four")


SCENARIOS = {
    "gradient": gradient,
    "fit": fit,
    "interrupted": interrupted,
    "apart": apart,
    "classes": classes,
    "uneven": uneven,
    "out_of_step": out_of_step,
    **{how: dies(how) for how in ("raise", "exit", "vanish", "kill")},
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](distributed.World(), Path(sys.argv[2]))
