"""Schedules: PyTorch's stored values, states, several at once, and what is refused."""

import copy
import json

import numpy as np
import pytest
from golden import optim_table

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.optim import lr_scheduler

EXPECTED = optim_table.stored("optim_schedules")


@pytest.mark.parametrize("name", EXPECTED)
def test_as_pytorch(name):
    ours = optim_table.run(tg, "optim_schedules", name)["rates"]
    np.testing.assert_allclose(ours, EXPECTED[name]["rates"], rtol=1e-12, atol=1e-15)


def sgd(lr=0.1, groups=1, **options):
    parameters = [tg.ones(1, requires_grad=True) for _ in range(groups)]
    return optim.SGD([{"params": [p]} for p in parameters], lr=lr, **options)


def advance(scheduler, measures):
    for measure in measures:
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(measure)
        else:
            scheduler.step()


def course(scheduler, measures):
    rates = []
    for measure in measures:
        advance(scheduler, [measure])
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", optim_table.SCHEDULES)
def test_a_loaded_state_continues_to_the_same_bits(name):
    make = getattr(lr_scheduler, name.split()[0])
    given, measures = optim_table.SCHEDULES[name], optim_table.measures()[:24]
    groups = 2 if any(isinstance(v, list) for k, v in given.items() if k != "milestones") else 1
    whole = course(make(sgd(groups=groups, momentum=0.9), **given), measures)

    first = make(sgd(groups=groups, momentum=0.9), **given)
    advance(first, measures[:9])
    saved = copy.deepcopy((first.state_dict(), first.optimizer.state_dict()))
    json.dumps(saved)  # plain numbers, lists and texts
    second = make(sgd(groups=groups, momentum=0.9), **given)
    second.load_state_dict(saved[0])
    second.optimizer.load_state_dict(saved[1])
    assert course(second, measures[9:]) == whole[9:]


def test_last_epoch_goes_on_from_a_loaded_optimizer():
    whole = lr_scheduler.ExponentialLR(sgd(), 0.5)
    course(whole, range(3))
    resumed = sgd()
    resumed.load_state_dict(whole.optimizer.state_dict())
    scheduler = lr_scheduler.ExponentialLR(resumed, 0.5, last_epoch=2)
    assert scheduler.get_last_lr() == whole.get_last_lr()
    assert course(scheduler, range(4)) == course(whole, range(4))


def test_what_one_changes_reaches_the_optimizer():
    trainer = sgd(lr=1.0)
    scheduler = lr_scheduler.StepLR(trainer, 1, gamma=0.5)
    scheduler.step()
    assert trainer.param_groups[0]["lr"] == 0.5
    trainer.param_groups[0]["lr"] = 0.1  # a user's change is taken up
    scheduler.step()
    assert trainer.param_groups[0]["lr"] == 0.05
    assert repr(scheduler) == "StepLR(epoch 2, lr 0.05)"


def test_one_cycle_ends_where_it_says():
    trainer = sgd(momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(trainer, 1.0, total_steps=4)
    course(scheduler, range(4))
    with pytest.raises(ValueError, match="step 5 of a schedule of 4"):
        scheduler.step()
    assert scheduler.last_epoch == 4
    single = lr_scheduler.OneCycleLR(sgd(momentum=0.9), 1.0, total_steps=2, pct_start=0.5)
    assert single.get_last_lr() == [1.0]


REFUSED = {
    "no optimizer": (lambda: lr_scheduler.StepLR([1], 2), TypeError, "not list"),
    "no optimizer for cycles": (lambda: lr_scheduler.OneCycleLR(1, 1.0, 2), TypeError, "not int"),
    "step_size": (lambda: lr_scheduler.StepLR(sgd(), 0), ValueError, "step_size"),
    "T_max": (lambda: lr_scheduler.CosineAnnealingLR(sgd(), 0), ValueError, "T_max"),
    "lambdas": (lambda: lr_scheduler.LambdaLR(sgd(), [abs, abs]), ValueError, "2 values"),
    "factor": (lambda: lr_scheduler.ReduceLROnPlateau(sgd(), factor=1), ValueError, "less than 1"),
    "mode": (lambda: lr_scheduler.ReduceLROnPlateau(sgd(), "low"), ValueError, "'min' or 'max'"),
    "threshold_mode": (
        lambda: lr_scheduler.ReduceLROnPlateau(sgd(), threshold_mode="x"),
        ValueError,
        "'rel' or 'abs'",
    ),
    "total_steps": (lambda: lr_scheduler.OneCycleLR(sgd(), 1.0), ValueError, "total_steps"),
    "pct_start": (
        lambda: lr_scheduler.OneCycleLR(sgd(), 1.0, 9, pct_start=2),
        ValueError,
        "pct_start",
    ),
    "strategy": (
        lambda: lr_scheduler.OneCycleLR(sgd(), 1.0, 9, anneal_strategy="x"),
        ValueError,
        "'cos' or 'linear'",
    ),
    "initial_lr": (lambda: lr_scheduler.StepLR(sgd(), 1, last_epoch=3), KeyError, "initial_lr"),
    "another's state": (
        lambda: lr_scheduler.StepLR(sgd(), 1).load_state_dict(
            lr_scheduler.ExponentialLR(sgd(), 0.5).state_dict()
        ),
        ValueError,
        "not the state of a StepLR",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    action, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        action()


def test_a_cycle_of_momentum_needs_one():
    trainer = optim.LBFGS([tg.ones(1, requires_grad=True)])
    with pytest.raises(ValueError, match="no momentum"):
        lr_scheduler.OneCycleLR(trainer, 1.0, 9)
    assert "initial_lr" not in trainer.param_groups[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda o, **k: lr_scheduler.StepLR(o, 2, 0.5, **k),
        lambda o, **k: lr_scheduler.MultiStepLR(o, [2, 3, 5], 0.5, **k),
        lambda o, **k: lr_scheduler.ExponentialLR(o, 0.5, **k),
        lambda o, **k: lr_scheduler.CosineAnnealingLR(o, 6, **k),
        lambda o, **k: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch), **k),
        lambda o, **k: lr_scheduler.OneCycleLR(o, 1.0, 10, **k),
    ],
    ids=["step", "milestones", "exponential", "cosine", "lambda", "one cycle"],
)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("saved", ["before the step", "after the step"])
def test_a_schedule_made_after_the_state_was_loaded_has_the_rates_of_an_unbroken_run(
    make, groups, saved
):
    """``last_epoch=k``: the rates of epoch k + 1, on whichever side of that step the state was saved."""
    whole = sgd(lr=1.0, groups=groups, momentum=0.9)
    whole.param_groups[-1]["lr"] = 0.3
    schedule, rates, states = make(whole), [], []
    for _ in range(9):
        rates.append([group["lr"] for group in whole.param_groups])
        states.append(copy.deepcopy(whole.state_dict()))
        schedule.step()
    for k in range(6):
        resumed = sgd(lr=1.0, groups=groups, momentum=0.9)
        resumed.load_state_dict(states[k if saved == "before the step" else k + 1])
        schedule = make(resumed, last_epoch=k)
        for expected in rates[k + 1 :]:
            got = [group["lr"] for group in resumed.param_groups]
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-15)
            np.testing.assert_allclose(schedule.get_last_lr(), expected, rtol=1e-9, atol=1e-15)
            schedule.step()
