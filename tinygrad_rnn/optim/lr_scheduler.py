"""What does the learning rate do over the epochs? Schedules, in PyTorch's names and values.

Make one after the optimizer and call ``scheduler.step()`` after each epoch's ``optimizer.step()``
(``OneCycleLR``: after each batch's). All but ``LambdaLR``, ``OneCycleLR`` and ``ReduceLROnPlateau``
change the rate as it is, so that several on one optimizer multiply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, SupportsFloat

from ..engine.keywords import check_keywords
from ..engine.signatures import readable
from .optimizers import Optimizer

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "StepLR",
]


class LRScheduler:
    """What schedules share: ``step``, ``get_last_lr``, ``state_dict``.

    ``last_epoch`` is how often ``step`` was called; a value k other than -1 goes on, on an optimizer whose
    groups have an ``initial_lr``, with the rates of epoch k + 1, whether its state was saved before the step
    to them or after. ``per_batch`` tells ``tg.fit`` to step after every
    batch and not after every epoch. Raises TypeError for what is no optimizer, KeyError for a missing
    ``initial_lr``.
    """

    per_batch = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """A new schedule, unless a keyword is none of its constructor's: TypeError names what is."""
        if kwargs:
            check_keywords(cls, kwargs)
        return super().__new__(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            if last_epoch != -1 and "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: last_epoch={last_epoch} needs groups with an "
                    "initial_lr: load the optimizer's state first, or leave last_epoch out"
                )
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch + 1
        self._write(self._started() if last_epoch == -1 else self._resumed())

    def step(self) -> None:
        """Go on by one epoch (``OneCycleLR``: by one batch) and set the rates."""
        self.last_epoch += 1
        try:
            rates = self.get_lr()
        except Exception:
            self.last_epoch -= 1
            raise
        self._write(rates)

    def get_lr(self) -> list[float]:
        """The rate of each group at ``last_epoch``, from the rate it has; each schedule's own."""
        raise NotImplementedError  # the base class has no schedule of its own

    def _started(self) -> list[float]:
        """The rate of each group before the first step."""
        return self._lrs

    def _resumed(self) -> list[float]:
        """The rates of this epoch, on an optimizer that may have been saved before the step to it.

        The rates that the schedule alone would have had tell which; where another schedule has changed them
        too, they are left as they are.
        """
        alone = [self._alone(epoch) for epoch in (self.last_epoch - 1, self.last_epoch)]
        saved_before = all(
            math.isclose(lr, before, rel_tol=1e-9)
            for lr, before in zip(self._lrs, alone[0], strict=True)
        )
        return alone[1] if saved_before else self._started()

    def _alone(self, epoch: int) -> list[float]:
        """The rates at an epoch, from the initial ones by this schedule's own steps."""
        kept, now = self._lrs, self.last_epoch
        try:
            self._write(list(self.base_lrs))
            for self.last_epoch in range(1, epoch + 1):
                self._write(self.get_lr())
            return self._lrs
        finally:
            self._write(kept)
            self.last_epoch = now

    @property
    def _lrs(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _write(self, rates: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = rates

    def get_last_lr(self) -> list[float]:
        """The rate of each group as it was last set."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, whose own ``state_dict`` holds the rates (and functions)."""
        skipped = ("optimizer", "lr_lambdas")
        return {key: value for key, value in self.__dict__.items() if key not in skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as the schedule that was saved, at the rates that it had set last.

        The optimizer's own state is to be loaded as well, before or after. Raises ValueError, with
        nothing changed, for the state of another kind of schedule or of other groups.
        """
        if set(state_dict) != set(self.state_dict()):
            odd = sorted(set(state_dict) ^ set(self.state_dict()))
            raise ValueError(
                f"load_state_dict: this is not the state of a {type(self).__name__}: "
                f"{', '.join(odd)}"
            )
        groups, rates = len(self.optimizer.param_groups), list(state_dict["_last_lr"])
        if len(rates) != groups:
            raise ValueError(
                f"load_state_dict: rates of {len(rates)} groups, and the optimizer has {groups}"
            )
        self.__dict__.update(state_dict)
        self._resume(rates)

    def _resume(self, rates: list[float]) -> None:
        """Give the optimizer what was set last: making this schedule has set it to the beginning."""
        self._write(rates)

    def __repr__(self) -> str:
        rates = ", ".join(f"{lr:.4g}" for lr in self._last_lr)
        return f"{type(self).__name__}(epoch {self.last_epoch}, lr {rates})"


class LambdaLR(LRScheduler):
    """``lr = initial_lr * lr_lambda(epoch)``, one function or one a group.

    The functions are not part of ``state_dict``.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = tg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = _each(optimizer, "lr_lambda", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The initial rates times the functions' values."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * factor(self.last_epoch) for base, factor in pairs]

    _started = get_lr


class StepLR(LRScheduler):
    """``lr = lr * gamma`` every ``step_size`` epochs.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates, times gamma where a step ends."""
        factor = 1 if self.last_epoch % self.step_size else self.gamma
        return [lr * factor for lr in self._lrs]


class MultiStepLR(LRScheduler):
    """``lr = lr * gamma`` at each of the epochs in ``milestones``.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates, times gamma for each milestone that is this epoch."""
        return [lr * self.gamma ** self.milestones.count(self.last_epoch) for lr in self._lrs]


class ExponentialLR(LRScheduler):
    """``lr = lr * gamma`` every epoch.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates times gamma."""
        return [lr * self.gamma for lr in self._lrs]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate down to ``eta_min`` in ``T_max`` epochs, then back up.

    ``lr = eta_min + (initial_lr - eta_min) (1 + cos(pi epoch / T_max)) / 2`` (Loshchilov & Hutter
    2017), as a change of the rate as it is.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 (PyTorch's name)
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates, moved on by one epoch of the cosine."""
        low, end, turn = self.eta_min, self.T_max, math.pi / self.T_max
        if (self.last_epoch - 1 - end) % (
            2 * end
        ) == 0:  # the rate is at its lowest: a ratio is lost
            pairs = zip(self._lrs, self.base_lrs, strict=True)
            return [lr + (base - low) * (1 - math.cos(turn)) / 2 for lr, base in pairs]
        ratio = (1 + math.cos(turn * self.last_epoch)) / (
            1 + math.cos(turn * (self.last_epoch - 1))
        )
        return [ratio * (lr - low) + low for lr in self._lrs]


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down to almost nothing, in one cycle (Smith & Topin 2018); a step a batch.

    The rate begins at ``max_lr / div_factor``, reaches ``max_lr`` after the share ``pct_start`` of
    ``total_steps`` (or ``epochs * steps_per_epoch``), and ends at the first rate over
    ``final_div_factor``; ``three_phase`` goes down as it went up and adds the end as a third phase.
    ``anneal_strategy`` is "cos" or "linear". With ``cycle_momentum`` the momentum (beta 1 of Adam)
    goes the other way, between ``max_momentum`` and ``base_momentum``. Raises ValueError for options
    out of range, and where it is stepped more than ``total_steps`` times.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.Adam([tg.ones(1, requires_grad=True)])
    >>> scheduler = tg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [1.0]
    """

    per_batch = True

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(optimizer)
        if total_steps is None:
            total_steps = (epochs or 0) * (steps_per_epoch or 0)
        if total_steps < 1:
            raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}"
            )
        self.momentum_name = "betas" if "betas" in optimizer.defaults else "momentum"
        if cycle_momentum and self.momentum_name not in optimizer.defaults:
            raise ValueError(
                f"OneCycleLR: {type(optimizer).__name__} has no momentum: cycle_momentum=False"
            )
        highest = _each(optimizer, "max_lr", max_lr)
        heavy = _each(optimizer, "max_momentum", max_momentum)
        light = _each(optimizer, "base_momentum", base_momentum)
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.cycle_momentum = cycle_momentum
        # each phase: its last step, the rates and the momenta that it goes from and to
        peak = pct_start * total_steps - 1
        up = (peak, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        down = (
            "max_lr",
            "initial_lr" if three_phase else "min_lr",
            "base_momentum",
            "max_momentum",
        )
        end = ("initial_lr", "min_lr", "max_momentum", "max_momentum")
        last = total_steps - 1
        self.phases = [up, (2 * peak, *down), (last, *end)] if three_phase else [up, (last, *down)]
        if last_epoch == -1:
            for k, group in enumerate(optimizer.param_groups):
                first = highest[k] / div_factor
                group.update(initial_lr=first, max_lr=highest[k], min_lr=first / final_div_factor)
                if cycle_momentum:
                    group.update(max_momentum=heavy[k], base_momentum=light[k])
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of this step; sets the momenta as well."""
        n = self.last_epoch
        if n > self.total_steps:
            raise ValueError(f"OneCycleLR: step {n} of a schedule of {self.total_steps} steps")
        begin = 0.0
        for phase in self.phases[:-1]:
            if n <= phase[0]:
                break
            begin = phase[0]
        else:
            phase = self.phases[-1]
        end, lr_from, lr_to, momentum_from, momentum_to = phase
        done = (n - begin) / (end - begin) if end != begin else 1.0
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[lr_from], group[lr_to], done))
            if self.cycle_momentum:
                momentum = self._between(group[momentum_from], group[momentum_to], done)
                adam = self.momentum_name == "betas"
                value = (momentum, *group["betas"][1:]) if adam else momentum
                group[self.momentum_name] = value
        return rates

    _started = get_lr

    def _resume(self, rates: list[float]) -> None:
        self.get_lr()  # the momenta
        self._write(rates)

    def _between(self, start: float, end: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


class ReduceLROnPlateau(LRScheduler):
    """``lr = lr * factor`` where a measure stopped improving: ``scheduler.step(validation_loss)``.

    ``mode`` says whether a good measure is small ("min") or large ("max"). One that is not better
    than the best by ``threshold`` ("rel": as a share of the best, "abs": as such) for more than
    ``patience`` epochs reduces the rate, no lower than ``min_lr`` and only where it changes by more
    than ``eps``; the ``cooldown`` epochs after that are not counted. Raises ValueError for options
    out of range.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}"
            )
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.min_lrs = _each(optimizer, "min_lr", min_lr)
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0
        self._last_lr = self._lrs

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]
        """Take an epoch's measure, and reduce the rates where it is time to."""
        measure = float(metrics)
        self.last_epoch += 1
        if self._is_better(measure):
            self.best, self.num_bad_epochs = measure, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            lower = [
                max(lr * self.factor, m) for lr, m in zip(self._lrs, self.min_lrs, strict=True)
            ]
            pairs = zip(self._lrs, lower, strict=True)
            self._write([new if old - new > self.eps else old for old, new in pairs])
        self._last_lr = self._lrs

    def _is_better(self, measure: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * measure < sign * self.best - self.threshold
        return sign * measure < sign * self.best * (1 - sign * self.threshold)


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a schedule takes an optimizer, not {type(optimizer).__name__}")


def _each(optimizer: Optimizer, name: str, given: Any) -> list[Any]:
    """One value a group of the optimizer."""
    _check_optimizer(optimizer)
    count = len(optimizer.param_groups)
    if not isinstance(given, (list, tuple)):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"{name} has {len(given)} values, and the optimizer {count} groups")
    return list(given)


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    from ..doors import for_scripts

    return for_scripts(__name__, name)


readable(__name__)
