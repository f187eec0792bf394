"""What does ``fit`` do? The training loop; a user can as well write it: this is what it looks like."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.keywords import clear_keywords
from ..engine.random import generator_or_default
from ..engine.switches import no_grad
from ..files import STATES, check_name
from ..nn.module import Module
from ..nn.utils import clip_grad_norm_
from ..optim.lbfgs import LBFGS
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from ..optim.optimizers import Optimizer
from ..tensors import Tensor, as_tensor
from . import checkpoints
from .baseline import Seen, constant_loss
from .checks import (
    Callback,
    check_data,
    check_kinds,
    check_numbers,
    check_trained,
    listed,
    number,
    shown,
)
from .compiled import Iterations
from .film import Film
from .history import History, measure

with warnings.catch_warnings():  # a notebook without ipywidgets gets the bar of a terminal
    warnings.simplefilter("ignore")
    from tqdm.auto import tqdm

Loss = Callable[[Any, Any], Tensor]


@clear_keywords
def fit(
    model: Module,
    data: Any,
    loss: Loss,
    optimizer: Optimizer,
    *,
    epochs: int,
    validation: Any = None,
    clip: float | None = None,
    scheduler: LRScheduler | None = None,
    patience: int | None = None,
    callbacks: Callback | Iterable[Callback] = (),
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    world: Alone | None = None,
    film: Film | None = None,
) -> History:
    """Train ``model`` for ``epochs`` passes over ``data``, and return the :class:`History`.

    ``data`` (and ``validation``) is a ``DataLoader``, or anything that yields the same batches on
    every pass: ``(x, y)`` for ``loss(model(x), y)``; ``(x, y, lengths)`` for ``model(x,
    lengths=lengths)``; ``(x, y, lengths, mask)`` for ``loss(model(x, lengths=lengths)[mask],
    y[mask])``. A tuple is one batch, used whole.

    - ``clip``: the largest norm that gradients may have together (``nn.utils.clip_grad_norm_``).
    - ``scheduler`` steps after every epoch (``OneCycleLR`` after every batch; ``ReduceLROnPlateau``
      takes the validation loss, or the training loss without ``validation``).
    - ``patience``: stop after so many epochs in a row without a new lowest validation loss (training
      loss without ``validation``) and give the model its best values back.
    - ``callbacks`` are called with the History after each epoch; one that returns True ends the
      training.
    - ``checkpoint``: a file that is written after every epoch. With ``resume=True`` training goes on
      from it, if it is there, to the same bits that an unbroken run has: model, optimizer, schedule,
      random generators and history are restored. Nothing is pickled.
    - ``world``: a ``tg.distributed.World()``, where ``mpiexec`` runs this on several ranks: each takes its
      rows of every batch of ``data`` and of ``validation``, which must be DataLoaders, and gradients are
      summed; rank 0 shows the bar and writes checkpoints. The history is the same on every rank.
    - ``film``: a ``tg.Film()``, which keeps the weights of some epochs.
    - ``progress=False`` shows no bar. The bar shows the losses beside the baseline: that of the best
      constant forecast, which is the mean of the targets for squared error and the shares of the
      classes (so that the majority class is predicted) for cross entropy.

    Raises FloatingPointError, with the Parameters as they were before that batch, where the loss is
    not finite; TypeError for data that cannot be gone through twice, a loss that gives no number, and other
    kinds of arguments; ValueError for a checkpoint of something else or called like another format, for an
    optimizer that has none of the model's Parameters, and for a schedule of another optimizer.

    >>> import tinygrad_rnn as tg
    >>> generator = tg.manual_seed(0)
    >>> x = tg.randn(64, 3)
    >>> model = tg.nn.Linear(3, 1)
    >>> history = tg.fit(
    ...     model, (x, x.sum(1, keepdim=True)), tg.nn.functional.mse_loss,
    ...     tg.optim.Adam(model.parameters(), lr=0.1), epochs=100, progress=False,
    ... )
    >>> history.loss[-1] < 0.001 < 1 < history.baseline
    True
    """
    calls = [callbacks] if callable(callbacks) else listed(callbacks)
    check_kinds(model, loss, optimizer, scheduler)
    check_data(data, validation)
    check_numbers(epochs, patience, clip)
    if checkpoint is not None and not isinstance(checkpoint, (str, os.PathLike)):
        raise TypeError(f"fit: checkpoint is the path of a file, not {shown(checkpoint)}")
    if film is not None and not isinstance(film, Film):
        raise TypeError(f"fit: film must be a tg.Film(), not {shown(film)}")
    if resume and checkpoint is None:
        raise ValueError("fit: resume=True needs checkpoint=, the file to resume from")
    for name, batches in (("data", data), ("validation", validation)):
        if epochs > 1 and isinstance(batches, Iterator):
            raise TypeError(
                f"fit: {name} can be gone through only once: pass a list or a DataLoader"
            )
    if film is not None:
        film.begin(model)
        calls.append(film)
    world = Alone() if world is None else world
    run = _Run(model, data, loss, optimizer, validation, clip, scheduler, patience, world)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        check_name(path, STATES)
    check_trained(model, optimizer)
    if resume and path is not None:
        first = world.rank == 0 and path.exists()
        saved = world.share(checkpoints.read(path) if first else None)
        if saved is not None:
            run.restore(saved, path)
    world.broadcast(model)
    mode = model.training
    bar = _bar(data, epochs, len(run.history.rows), progress and world.rank == 0)
    try:
        while len(run.history.rows) < epochs and not run.out_of_patience:
            bar.set_description(f"epoch {len(run.history.rows) + 1}/{epochs}")
            run.epoch(bar.update)
            bar.set_postfix_str(run.history.words())
            ended = [call(run.history) is True for call in calls]
            if path is not None:
                state = run.state()
                if world.rank == 0:
                    checkpoints.write(path, state)
            world.check(model)
            if world.share(any(ended)):
                break
    finally:
        bar.close()
        model.train(mode)
    if film is not None:
        film.end()
    if run.best is not None:
        model.load_state_dict(run.best)
    return run.history


class Alone:
    """One process, which shares with nobody: what ``distributed.World`` is for several."""

    rank, size = 0, 1

    def broadcast(self, model: Module) -> None:
        """Give every rank rank 0's values."""

    def check(self, model: Module) -> None:
        """Raise RuntimeError where ranks hold different values."""

    def check_mean(self, loss: Loss, prediction: Tensor, y: Tensor, value: float) -> None:
        """Raise ValueError where a loss is no mean over targets, so that ranks could not share it."""

    def shard(self, loader: Any) -> Any:
        """This rank's part of each batch."""
        return loader

    def sum_gradients(
        self, parameters: Iterable[Tensor], loss: Any = 0.0, weight: int | None = None
    ) -> float:
        """Gradients and loss of the whole batch."""
        return float(loss)

    def weigh(self, weight: int) -> int:
        """How much this rank's part of a batch counts."""
        return weight

    def share(self, value: Any) -> Any:
        """Rank 0's value."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value."""
        return [value]


class _Run:
    """A training run: what it works on, and what it has come to."""

    def __init__(
        self,
        model: Module,
        data: Any,
        loss: Loss,
        optimizer: Optimizer,
        validation: Any,
        clip: float | None,
        scheduler: LRScheduler | None,
        patience: int | None,
        world: Alone,
    ) -> None:
        self.model, self.loss, self.optimizer, self.world = model, loss, optimizer, world
        self.data = world.shard(data)
        self.validation = None if validation is None else world.shard(validation)
        self.clip = clip
        alone = type(world) is Alone and not isinstance(optimizer, LBFGS)
        self.iterations = Iterations(model, loss) if alone else None
        self.scheduler, self.patience = scheduler, patience
        self.history = History()
        self.best: dict[str, Any] | None = None  # with patience: the model's state at its best

    @property
    def out_of_patience(self) -> bool:
        """Whether the best epoch is too long ago."""
        rows, best = self.history.rows, self.history.best
        if self.patience is None or best is None:
            return False
        waited: int = rows[-1]["epoch"] - best["epoch"]
        return waited >= self.patience

    def epoch(self, tick: Callable[[], Any]) -> None:
        """One pass over the data, then validation, schedule and a row of history."""
        number = len(self.history.rows) + 1
        lr, seen, judged = self.optimizer.param_groups[0]["lr"], Seen(), Seen()
        self.model.train()
        trained = _Mean()
        for k, batch in enumerate(_batches(self.data), 1):
            trained.add(*self.step(batch, f"epoch {number}, batch {k}", seen))
            if self.scheduler is not None and self.scheduler.per_batch:
                self.scheduler.step()
            tick()
        loss = trained.value("data", self.world)
        validated = None if self.validation is None else self.validate(judged)
        if number == 1:
            seen, judged = (
                [pair for part in self.world.gather(own) for pair in part] for own in (seen, judged)
            )
            self.history.baseline = constant_loss(self.loss, seen, judged or seen)
        row = {"epoch": number, "loss": loss, "validation": validated, "lr": lr}
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(measure(row))
        elif self.scheduler is not None and not self.scheduler.per_batch:
            self.scheduler.step()
        self.history.rows.append(row)
        if self.patience is not None and self.history.best is self.history.rows[-1]:
            self.best = dict(self.model.state_dict())

    def step(self, batch: Any, where: str, seen: Seen) -> tuple[float, int]:
        """One step of the optimizer: the loss before it, and how many targets it is the mean of."""
        asked: list[tuple[float, int]] = []

        def check(found: float, shape: tuple[int, ...], y: Tensor, weight: int) -> None:
            if not asked and not self.history.rows and weight:
                seen.append((shape, y))
            asked.append((found, weight))
            if not math.isfinite(found) and not isinstance(self.optimizer, LBFGS):
                raise FloatingPointError(
                    f"{where}: the loss is {found}: lower the learning rate, clip gradients "
                    "(clip=1.0), or look for values in the data that are not finite"
                )

        def as_python() -> tuple[Tensor, int]:
            prediction, y = self.predict(batch)
            value, weight = number(self.loss(prediction, y)), self.world.weigh(y.numel())
            if not asked and not self.history.rows:
                self.world.check_mean(self.loss, prediction, y, float(value))
            check(float(value), prediction.shape, y, weight)
            if not value.requires_grad:
                raise ValueError(
                    "fit: the loss depends on nothing that requires a gradient: is it detached, or computed "
                    "under no_grad or of the targets alone?"
                )
            value.backward()
            return value, weight

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            value, weight = self.replayed(batch, check) or as_python()
            if len(asked) == 1 and not self.history.rows and self.world.size == 1:
                self.check_reached()
            whole = self.world.sum_gradients(self.trained(), value, weight)
            if self.clip is not None:
                clip_grad_norm_(self.model.parameters(), self.clip)
            return value if self.world.size == 1 else Tensor._made(whole, value.dtype)

        self.optimizer.step(closure)
        return asked[0]

    def replayed(self, batch: Any, check: Callable[..., None]) -> tuple[Tensor, int] | None:
        """Loss and gradients by the iteration's program (``compile_step``); None where Python must run."""
        if self.iterations is None or not isinstance(batch, (tuple, list)) or len(batch) != 2:
            return None
        x, y = batch[0], as_tensor(batch[1])
        if x.__class__ is not Tensor:
            return None
        weight = y.numel()
        value = self.iterations.attempt(
            (x, y), {}, lambda found, shape: check(float(found), shape, y, weight)
        )
        return None if value is None else (value, weight)

    def check_reached(self) -> None:
        """Raise ValueError where no gradient came to anything that the optimizer changes."""
        listed = [p for group in self.optimizer.param_groups for p in group["params"]]
        if all(p.grad is None for p in listed):
            raise ValueError(
                "fit: no gradient came to any Parameter that the optimizer has, so that nothing would be "
                "trained: are they another model's, frozen, or cut off by detach or no_grad?"
            )
        self.check_replaced(listed)

    def check_replaced(self, listed: list[Tensor]) -> None:
        """Raise ValueError where the optimizer has old ones in place of Parameters of the model."""
        own, known = {id(p) for p in self.model.parameters()}, {id(p) for p in listed}
        old = [p for p in listed if id(p) not in own and p.grad is None]
        new = {
            n: p for n, p in self.model.named_parameters() if p.requires_grad and id(p) not in known
        }
        if old and sorted(p.ndim for p in old) == sorted(p.ndim for p in new.values()):
            raise ValueError(
                f"fit: the optimizer lacks {', '.join(list(new)[:3])}{', ...' * (len(new) > 3)} of the model "
                f"and has {len(old)} Parameters in their place that get no gradient: was a part of the model "
                "replaced after the optimizer was made?"
            )

    def trained(self) -> list[Tensor]:
        """All whose gradients count: the model's Parameters, and what else the optimizer has."""
        groups = (p for group in self.optimizer.param_groups for p in group["params"])
        return list({id(p): p for p in (*self.model.parameters(), *groups)}.values())

    def predict(self, batch: Any) -> tuple[Tensor, Tensor]:
        """The model's output and the target, without the padding where the batch has a mask."""
        if not isinstance(batch, (tuple, list)) or not 2 <= len(batch) <= 4:
            raise TypeError(
                "fit: a batch must be (x, y), (x, y, lengths) or (x, y, lengths, mask), "
                f"got a {type(batch).__name__}"
            )
        x, y, *ragged = batch
        prediction = self.model(x, lengths=ragged[0]) if ragged else self.model(x)
        if not isinstance(prediction, Tensor):
            raise TypeError(
                f"fit: the model returned a {type(prediction).__name__}, and the loss takes one "
                "Tensor: write a Module whose forward returns the prediction alone"
            )
        y = as_tensor(y)
        return (prediction[ragged[1]], y[ragged[1]]) if len(ragged) == 2 else (prediction, y)

    @no_grad()
    def validate(self, judged: Seen) -> float:
        """The mean loss over the validation data, in evaluation mode."""
        mean = _Mean()
        self.model.eval()
        for batch in _batches(self.validation):
            prediction, y = self.predict(batch)
            weight = self.world.weigh(y.numel())
            mean.add(float(number(self.loss(prediction, y))), weight)
            if not self.history.rows and weight:
                judged.append((prediction.shape, y))
        return mean.value("validation", self.world)

    # ---- checkpoints

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "kinds": self.kinds(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": self.world.gather([g.bit_generator.state for g in self.generators()]),
            "rows": self.history.rows,
            "baseline": self.history.baseline,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Go on from a state; a misfit is found before anything is changed."""
        for name, kind in self.kinds().items():
            if state["kinds"][name] != kind:
                raise ValueError(
                    f"{path} does not fit: {name} was {state['kinds'][name]}, and is {kind} here"
                )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        for mine in state["random"][
            self.world.rank : self.world.rank + 1
        ]:  # a new rank has its own
            for generator, saved in zip(self.generators(), mine, strict=True):
                generator.bit_generator.state = saved
        self.history.rows, self.history.baseline = state["rows"], state["baseline"]
        self.best = state["best"]

    def kinds(self) -> dict[str, Any]:
        """What must be alike for a state to fit."""
        return {
            "model": type(self.model).__name__,
            "optimizer": type(self.optimizer).__name__,
            "groups": [[p.shape for p in g["params"]] for g in self.optimizer.param_groups],
            "scheduler": type(self.scheduler).__name__,
            "generators": [type(g.bit_generator).__name__ for g in self.generators()],
        }

    def generators(self) -> list[np.random.Generator]:
        """Every source of randomness: the library's, the loaders', the modules'."""
        owners = (self.data, self.validation, *self.model.modules())
        own = [getattr(owner, "generator", None) for owner in owners]
        return [generator_or_default(None), *(g for g in own if g is not None)]


class _Mean:
    """A mean of means, each over its number of targets."""

    def __init__(self) -> None:
        self.sum, self.size = 0.0, 0

    def add(self, value: float, size: int) -> None:
        self.sum += value * size
        self.size += size

    def value(self, name: str, world: Alone) -> float:
        parts = world.gather((self.sum, self.size))
        total, size = (sum(part) for part in zip(*parts, strict=True))
        if not size:
            raise ValueError(f"fit: {name} has no batches, or no targets in them")
        return float(total / size)


def _batches(data: Any) -> Any:
    """What to go through; a tuple is one batch."""
    return [data] if isinstance(data, tuple) else data


def _bar(data: Any, epochs: int, done: int, progress: bool) -> Any:
    """tqdm's bar for terminals or notebooks, over all batches where their number is known."""
    batches = _batches(data)
    count = len(batches) if hasattr(batches, "__len__") else None
    total = None if count is None else count * epochs
    return tqdm(total=total, initial=done * (count or 0), unit="batch", disable=not progress)
