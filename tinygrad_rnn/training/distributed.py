"""How do machines train one model? Gradients are summed over machines as they are summed over steps, on MPI.

A gradient is a sum over time steps and over the rows of a batch, and a sum can be taken in parts. So each
rank (each process of ``mpiexec -n 4 python train.py``) takes some rows of every batch, runs the same
network forward and backward, and one Allreduce adds up what the ranks say. All then take the same step.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from ..engine.signatures import readable
from ..engine.switches import no_grad
from ..nn.module import Module
from ..tensors import Tensor
from .batches import DataLoader
from .fitting import Alone

EXTRA = "pip install 'tinygrad_rnn[mpi]'"


class World(Alone):
    """The ranks of this job, of which this process is one: ``rank`` of ``size``; 0 of 1 without ``mpiexec``.

    ``tg.fit(..., world=World())`` does all of it: it hands rank 0's values to every rank, shares out the
    rows of each batch, sums gradients, lets rank 0 alone show progress and write checkpoints, and checks
    after each epoch that all ranks hold the same bits. In a loop of your own, the same on every rank::

        world.broadcast(model)
        for x, y in world.shard(loader):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            mean = world.sum_gradients(model.parameters(), loss)  # the whole batch's loss
            optimizer.step()

    A rank that fails ends the job: an error on any rank, and a rank that ends while others wait for it,
    abort all of them with a message that names it; a killed process is noticed by ``mpiexec``. Raises
    ImportError where mpi4py or an MPI library is missing, RuntimeError where ``mpiexec`` belongs to
    another MPI than the one that mpi4py found (each process would train alone). After Dean et al., Large
    scale distributed deep networks, 2012, with the synchronous sum of Chen et al., 2016.
    """

    def __init__(self) -> None:
        self._job = _job()
        self.rank, self.size = self._job.comm.rank, self._job.comm.size
        self._count = 0  # exchanges of gradients so far: the ranks must agree on it
        self._rows: int | None = (
            None  # of this rank in its shard's batch; 0 where they are a stand-in
        )

    def __repr__(self) -> str:
        return f"World(rank {self.rank} of {self.size})"

    def broadcast(self, model: Module) -> None:
        """Give every rank the Parameters and buffers that rank 0 has.

        Raises RuntimeError where a rank built another model.
        """
        state = model.state_dict() if self.rank == 0 else None
        state = self.share(state and {name: value.numpy() for name, value in state.items()})
        if self.rank:
            model.load_state_dict(state)

    def shard(self, loader: DataLoader) -> Iterable[Any]:
        """This rank's rows of each batch of a loader, which goes through the same data on every rank.

        The order is rank 0's, drawn once a pass, so that together the ranks see the batches that one
        process sees. A rank for which a batch has no row left gets a stand-in that ``sum_gradients``
        gives no weight. Raises TypeError for anything but a ``DataLoader``.
        """
        if not isinstance(loader, DataLoader):
            raise TypeError(
                f"shard: only a tg.DataLoader can be shared out among ranks, not a {type(loader).__name__}"
            )
        return loader if self.size == 1 else _Shard(self, loader)

    def sum_gradients(
        self, parameters: Iterable[Tensor], loss: Any = 0.0, weight: int | None = None
    ) -> float:
        """Make every rank's gradients, and the loss, those of the whole batch: one Allreduce.

        ``g = sum_r n_r g_r / sum_r n_r``, where rank r's loss is a mean over ``weight`` = n_r items, by
        default the rows that it has of the batch. Where a mean is not taken over rows, say what it was
        divided by: a mask's true elements, the sum of class weights. Returns the loss's mean in the same
        sense. Raises RuntimeError where the ranks are not at the same exchange.
        """
        taken = list(parameters)
        share = self.weigh(weight)
        value = float(loss)
        if self.size == 1:
            return value
        self._count += 1
        there = [p.grad is not None for p in taken]
        dtype = np.result_type(np.float32, *[p.dtype for p in taken])
        head = 3 + len(taken)
        flat = np.zeros(head + sum(p.numel() for p in taken), dtype)
        flat[:3] = self._count % 1024, share, share * value if share else 0
        flat[3:head] = [share > 0 and own for own in there]
        parts = np.split(flat[head:], np.cumsum([p.numel() for p in taken])[:-1])
        for p, part in zip(taken, parts, strict=True):
            if share and p.grad is not None:
                np.multiply(p.grad.numpy().ravel(), share, out=part, dtype=dtype)
        self._job.finish(self._job.comm.Iallreduce(self._job.mpi.IN_PLACE, flat))
        if flat[0] != self.size * (self._count % 1024):
            raise RuntimeError(
                f"rank {self.rank} is at exchange {self._count} of gradients and another rank is not: "
                "all must call sum_gradients equally often"
            )
        if not flat[1]:
            raise RuntimeError("sum_gradients: the weights of all ranks are 0")
        flat[2:] /= flat[1]
        for p, part, own in zip(taken, parts, flat[3:head], strict=True):
            p.grad = Tensor._made(part.reshape(p.shape), p.dtype) if own else None
        return float(flat[2])

    def weigh(self, weight: int | None = None) -> int:
        """How much this rank's share of a batch counts: ``weight``, else its rows (1 outside a shard's loop);
        0 for a stand-in."""
        if self._rows is None:
            return 1 if weight is None else weight
        return self._rows if weight is None or not self._rows else weight

    def check(self, model: Module) -> None:
        """Raise RuntimeError where the ranks' Parameters and buffers are not the same bits."""
        sums = self.gather([zlib.crc32(v.numpy().tobytes()) for v in model.state_dict().values()])
        for name, *found in zip(model.state_dict(), *sums, strict=True):
            if len(set(found)) > 1:
                raise RuntimeError(
                    f"the ranks have come apart: {name} is not the same on all; was it changed on one "
                    "alone, or a random number drawn where only some ranks pass?"
                )

    @no_grad()
    def check_mean(self, loss: Any, prediction: Tensor, y: Tensor, value: float) -> None:
        """Raise ValueError where ``loss`` is no mean over targets: ``tg.fit`` asks for every batch of its
        first epoch, whether the loss of two halves, weighed by their targets, is the loss of both."""
        half = len(y) // 2 if y.ndim else 0
        if self.size == 1 or not half or len(prediction) != len(y):
            return
        parts = [(prediction[:half], y[:half]), (prediction[half:], y[half:])]
        try:
            means = [float(loss(p, t)) * t.numel() / y.numel() for p, t in parts]
        except ValueError:  # nothing counts in one of the halves
            means = [np.inf]
        bound = float(np.finfo(prediction.dtype).eps) ** 0.6 * sum(map(abs, means))
        if not abs(sum(means) - value) <= bound < np.inf:
            raise ValueError(
                "fit on several ranks: the loss is no mean over all targets (class weights, ignore_index or "
                "reduction='sum' make it another), so the ranks' gradients cannot be weighed by them: write "
                "the loop, and tell world.sum_gradients(weight=) what this rank's loss was divided by"
            )

    # ---- any object, to all or from all

    def share(self, value: Any) -> Any:
        """Rank 0's ``value``, on every rank."""
        return self.gather(value if self.rank == 0 else None)[0]

    def gather(self, value: Any) -> list[Any]:
        """Every rank's ``value``, on every rank, by rank."""
        mine = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = np.empty(self.size, np.int64)
        self._job.finish(self._job.comm.Iallgather(np.array([mine.size]), sizes))
        every = np.empty(int(sizes.sum()), np.uint8)
        self._job.finish(self._job.comm.Iallgatherv(mine, [every, sizes]))
        return [pickle.loads(part.tobytes()) for part in np.split(every, np.cumsum(sizes)[:-1])]


class _Shard:
    """One rank's rows of a loader's batches."""

    def __init__(self, world: World, loader: DataLoader) -> None:
        self.world, self.loader, self.generator = world, loader, loader.generator

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        world = self.world
        for rows in world.share(self.loader.order() if world.rank == 0 else None):
            own = np.array_split(rows, world.size)[world.rank]
            world._rows = len(own)
            try:
                yield self.loader.batch(own if len(own) else rows[:1])
            finally:
                world._rows = None


# ---- joining and leaving ---------------------------------------------------------------------------


class _Job:
    """This process in the job: what it is connected by, and who has ended."""

    def __init__(self, mpi: Any) -> None:
        self.mpi, self.comm, self.farewells = mpi, mpi.COMM_WORLD.Dup(), mpi.COMM_WORLD.Dup()
        self.exchanges = 0
        self.ended: dict[int, int] = {}  # after how many exchanges, by rank

    def finish(self, request: Any) -> None:
        """Wait for an exchange; a rank that ended before it will never take part."""
        self.exchanges += 1
        for pause in _pauses():
            if request.Test():
                return
            if pause:
                self.listen()
                early = [r for r, took_part in self.ended.items() if took_part < self.exchanges]
                if early:
                    raise RuntimeError(
                        f"rank {early[0]} has ended, and rank {self.comm.rank} waits for it: every rank "
                        "must go through as many batches and epochs"
                    )
                time.sleep(pause)

    def listen(self) -> None:
        """Note who said goodbye."""
        for rank in range(self.comm.size):
            if rank not in self.ended and self.farewells.Iprobe(rank):
                count = np.zeros(1, np.int64)
                self.farewells.Recv(count, rank)
                self.ended[rank] = int(count[0])

    def leave(self) -> None:
        """Say goodbye to every rank, and wait, mostly asleep, until each has said it too."""
        count = np.array([self.exchanges])
        requests = [self.farewells.Isend(count, rank) for rank in range(self.comm.size)]
        for pause in _pauses():
            self.listen()
            sent = [request.Test() for request in requests]
            if all(sent) and len(self.ended) == self.comm.size:
                return
            time.sleep(pause)

    def fail(self, kind: Any, error: Any, trace: Any) -> None:
        """An error that nobody caught: show it, and end the job, since the other ranks wait."""
        sys.__excepthook__(kind, error, trace)
        who = f"rank {self.comm.rank} of {self.comm.size}"
        print(f"{who} failed ({kind.__name__}): the job ends", file=sys.stderr, flush=True)
        self.comm.Abort(1)


def _pauses() -> Iterator[float]:
    """How long to sleep between two looks: not at all for half a millisecond, then up to one."""
    start = time.perf_counter()
    while time.perf_counter() - start < 5e-4:
        yield 0
    pause = 5e-5
    while True:
        yield pause
        pause = min(pause * 1.5, 1e-3)


@cache
def _job() -> _Job:
    """This process's part in the job; from here on a rank that fails ends it."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"tinygrad_rnn.distributed needs mpi4py and an MPI library: {EXTRA} ({error})"
        ) from error
    started = {os.environ.get(name, "1") for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")} - {"1"}
    if MPI.COMM_WORLD.size == 1 and started:
        name = MPI.Get_library_version().split(",")[0].split("\n")[0]
        raise RuntimeError(
            f"mpiexec started {started.pop()} processes, and each sees itself alone: it is not the "
            f"mpiexec of the MPI that mpi4py found ({name}); use the one beside this Python, "
            f"{os.path.join(os.path.dirname(sys.executable), 'mpiexec')}"
        )
    job = _Job(MPI)
    if job.comm.size > 1:
        sys.excepthook = job.fail
        atexit.register(job.leave)
    return job


readable(__name__)
