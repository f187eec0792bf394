"""Which schedules of learning rates do PyTorch's scripts use beside ``optim.lr_scheduler``'s own?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..optim.lr_scheduler import LambdaLR, LRScheduler, _each
from ..optim.optimizers import Optimizer


class MultiplicativeLR(LambdaLR):
    """``lr = lr * lr_lambda(epoch)``: what the function gives is multiplied up.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        """The rates times the functions' values."""
        pairs = zip(self._lrs, self.lr_lambdas, strict=True)
        return [lr * factor(self.last_epoch) for lr, factor in pairs]

    def _started(self) -> list[float]:
        return self._lrs


class ConstantLR(LRScheduler):
    """``factor`` times the rate for ``total_iters`` epochs, then the rate itself."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor is from 0 to 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The initial rates, or that part of them."""
        part = self.factor if self.last_epoch < self.total_iters else 1.0
        return [base * part for base in self.base_lrs]

    _started = get_lr


class LinearLR(LRScheduler):
    """The rate times a factor that goes from ``start_factor`` to ``end_factor`` in ``total_iters`` epochs.

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: factors are from 0 to 1: {start_factor}, {end_factor}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The initial rates times the factor."""
        done = min(self.last_epoch, self.total_iters) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * done
        return [base * factor for base in self.base_lrs]

    _started = get_lr


class PolynomialLR(LRScheduler):
    """The rate times ``(1 - epoch / total_iters)**power``."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The initial rates times the power."""
        left = 1 - min(self.last_epoch, self.total_iters) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from the rate to ``eta_min`` in ``T_0`` epochs, begun anew, each ``T_mult`` as long.

    (Loshchilov & Hutter 2017.)

    >>> import tinygrad_rnn as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 (PyTorch's name)
        T_mult: int = 1,  # noqa: N803 (PyTorch's name)
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if T_0 < 1 or T_mult < 1:
            raise ValueError(f"CosineAnnealingWarmRestarts: T_0 {T_0} and T_mult {T_mult}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to a point that need not be whole, and set the rates."""
        if epoch is None:
            super().step()
        else:
            self.last_epoch = epoch  # type: ignore[assignment]
            self._write(self.get_lr())

    def get_lr(self) -> list[float]:
        """The rates at this point of the cosine."""
        at, long = float(self.last_epoch), self.T_0
        while at >= long:
            at, long = at - long, long * self.T_mult
        part = (1 + math.cos(math.pi * at / long)) / 2
        return [self.eta_min + (base - self.eta_min) * part for base in self.base_lrs]


class CyclicLR(LRScheduler):
    """Up from ``base_lr`` to ``max_lr`` in ``step_size_up`` batches and down again (Smith 2017).

    ``mode`` is "triangular", "triangular2" (half as high each time) or "exp_range" (``gamma**batch`` as
    high). The momentum, where the optimizer has one, goes the other way unless ``cycle_momentum=False``.
    """

    per_batch = True

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if scale_fn is not None:
            raise ValueError("CyclicLR: scale_fn is not there; mode says how high a cycle is")
        if mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(f"CyclicLR: there is no mode {mode!r}")
        self.low, self.high = (
            _each(optimizer, n, r) for n, r in (("base_lr", base_lr), ("max_lr", max_lr))
        )
        self.up, self.down = step_size_up, step_size_down or step_size_up
        self.mode, self.gamma, self.cycle_momentum = mode, gamma, cycle_momentum
        self.momenta = (base_momentum, max_momentum)
        if cycle_momentum and not all(
            {"momentum", "betas"} & set(g) for g in optimizer.param_groups
        ):
            raise ValueError("CyclicLR: the optimizer has no momentum: cycle_momentum=False")
        for group, lr in zip(optimizer.param_groups, self.low, strict=True):
            group["lr"] = group["initial_lr"] = lr
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at this point of the cycle; writes the momentum too."""
        whole = self.up + self.down
        cycle, at = divmod(self.last_epoch, whole)
        part = at / self.up if at <= self.up else 1 - (at - self.up) / self.down
        scale = {"triangular": 1.0, "triangular2": 0.5**cycle}.get(
            self.mode, self.gamma**self.last_epoch
        )
        if self.cycle_momentum:
            least, most = self.momenta
            for group in self.optimizer.param_groups:
                momentum = most - (most - least) * part * scale
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        pairs = zip(self.low, self.high, strict=True)
        return [low + (high - low) * part * scale for low, high in pairs]

    _started = get_lr


class SequentialLR(LRScheduler):
    """One schedule after the other, each from its milestone on, as if begun there.

    >>> import tinygrad_rnn as tg
    >>> s = tg.optim.lr_scheduler
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)
    >>> warm, then = s.ConstantLR(optimizer, 0.5, 9), s.ExponentialLR(optimizer, 0.1)
    >>> both = s.SequentialLR(optimizer, [warm, then], milestones=[2])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += both.get_last_lr(); both.step()
    >>> rates
    [0.5, 0.5, 1.0, 0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(schedulers) != len(milestones) + 1 or not schedulers:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedules and {len(milestones)} milestones"
            )
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _started(self) -> list[float]:
        return self._begun(self.schedulers[0])

    def _begun(self, schedule: LRScheduler) -> list[float]:
        """The rates of a schedule at its beginning."""
        for group, base in zip(self.optimizer.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = base
        schedule.last_epoch = 0
        schedule._write(schedule._started())
        return schedule.get_last_lr()

    def get_lr(self) -> list[float]:
        """The rates of the schedule whose turn it is."""
        turn = sum(self.last_epoch >= m for m in self.milestones)
        schedule = self.schedulers[turn]
        if turn and self.last_epoch == self.milestones[turn - 1]:
            return self._begun(schedule)
        schedule.step()
        return schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of each schedule its own state."""
        state = super().state_dict()
        return state | {"schedulers": [s.state_dict() for s in self.schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as the schedules that were saved."""
        for schedule, state in zip(self.schedulers, state_dict["schedulers"], strict=True):
            schedule.load_state_dict(state)
        super().load_state_dict(state_dict | {"schedulers": self.schedulers})
