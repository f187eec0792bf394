"""What the golden cases of training compute, for two libraries: ``lib`` is torch or tinygrad_rnn.

Optimizers step by step, schedules epoch by epoch, losses with their options and gradients. ``run(lib,
name)`` returns a dict of arrays, as in ``table.py``.
"""

from __future__ import annotations

import math

import numpy as np
from golden import store
from golden.table import fill, leaf, plain, results
from support import numbers, weights

# ---- optimizers: 20 steps on a small curved problem, in two groups ------------------------------------

OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "SGD momentum": {"lr": 0.05, "momentum": 0.9},
    "SGD dampening": {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02},
    "SGD nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"lr": 0.1},
    "Adam options": {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-3, "weight_decay": 0.3},
    "AdamW": {"lr": 0.1},
    "AdamW options": {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.5},
    "RMSprop": {"lr": 0.02},
    "RMSprop alpha": {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1},
    "RMSprop momentum": {"lr": 0.01, "momentum": 0.8},
    "RMSprop centered": {"lr": 0.01, "centered": True},
    "RMSprop all": {
        "lr": 0.01,
        "alpha": 0.8,
        "momentum": 0.5,
        "centered": True,
        "weight_decay": 0.2,
    },
}


def problem(lib):
    """Two Parameters and a loss of them that bends and couples them."""
    w, b = leaf(lib, numbers((3, 2), 1)), leaf(lib, numbers(3, 2))
    x, y = lib.from_numpy(numbers((8, 2), 3, 2.0)), lib.from_numpy(numbers((8, 3), 4))
    scale = lib.from_numpy(weights((8, 3)))
    return w, b, lambda: ((((x @ w.T + b).tanh() - y) ** 2) * scale).mean()


def optimizer(lib, name):
    w, b, loss = problem(lib)
    options = OPTIMIZERS[name]
    groups = [{"params": [w]}, {"params": [b], "lr": options["lr"] / 3}]
    trainer = getattr(lib.optim, name.split()[0])(groups, **options)
    found = []
    for _ in range(20):
        trainer.zero_grad()
        loss().backward()
        trainer.step()
        found.append(np.concatenate([plain(w).ravel(), plain(b)]))
    return {"parameters": np.array(found)}


# ---- L-BFGS on a sine, PyTorch's time_sequence_prediction example in small -----------------------------

LBFGS = {
    "LBFGS lstm": {"lr": 0.8},
    "LBFGS lstm wolfe": {"line_search_fn": "strong_wolfe", "history_size": 10},
    "LBFGS cells": {"lr": 0.8},
    "LBFGS cells wolfe": {"line_search_fn": "strong_wolfe"},
}
STEPS, BATCH, HIDDEN = 20, 3, 8


def sine_model(lib, kind):
    """An LSTM, or two LSTMCells in a loop, with a linear head: the modules and the loss of them."""
    head = lib.nn.Linear(HIDDEN, 1)
    if kind == "lstm":
        layers = [lib.nn.LSTM(1, HIDDEN)]
    else:
        layers = [lib.nn.LSTMCell(1, HIDDEN), lib.nn.LSTMCell(HIDDEN, HIDDEN)]
    for module in (head, *layers):
        fill(lib, module, 0.3)
    t = np.arange(STEPS + 1)[:, None] + np.array([0.0, 3.0, 11.0])[:BATCH]
    wave = lib.from_numpy(np.sin(t / 4.0)[:, :, None])

    def loss():
        x = wave[:-1]
        if kind == "lstm":
            y, _ = layers[0](x)
        else:
            zero = lib.from_numpy(np.zeros((BATCH, HIDDEN)))
            states, outputs = [(zero, zero), (zero, zero)], []
            for x_t in x:
                for k, cell in enumerate(layers):
                    states[k] = cell(x_t, states[k])
                    x_t = states[k][0]
                outputs.append(x_t)
            y = lib.stack(outputs)
        return lib.nn.functional.mse_loss(head(y), wave[1:])

    return [p for module in (*layers, head) for p in module.parameters()], loss


def lbfgs(lib, name):
    parameters, loss = sine_model(lib, name.split()[1])
    trainer = lib.optim.LBFGS(parameters, **LBFGS[name])
    losses = []

    def closure():
        trainer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(4):
        losses.append(float(trainer.step(closure)))
    return {"losses": np.array([*losses, float(loss())])}


# ---- schedules ------------------------------------------------------------------------------------------


def measures():
    """A validation loss that falls, stalls and falls again."""
    return [*np.linspace(2, 1, 5), *[1.0] * 9, 0.99995, 0.6, *[0.7] * 12]


SCHEDULES = {
    "StepLR": {"step_size": 4},
    "StepLR gamma": {"step_size": 3, "gamma": 0.5},
    "MultiStepLR": {"milestones": [2, 5, 5, 9], "gamma": 0.3},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 10},
    "CosineAnnealingLR eta_min": {"T_max": 7, "eta_min": 0.01},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.9**epoch / (1 + epoch)},
    "LambdaLR each": {"lr_lambda": [lambda epoch: 0.95**epoch, lambda epoch: 1 / (epoch + 1)]},
    "OneCycleLR": {"max_lr": 0.4, "total_steps": 25},
    "OneCycleLR linear": {
        "max_lr": 0.4,
        "epochs": 5,
        "steps_per_epoch": 5,
        "anneal_strategy": "linear",
    },
    "OneCycleLR three_phase": {"max_lr": [0.4, 0.2], "total_steps": 25, "three_phase": True},
    "OneCycleLR factors": {
        "max_lr": 0.4,
        "total_steps": 25,
        "pct_start": 0.5,
        "div_factor": 5.0,
        "final_div_factor": 50.0,
        "cycle_momentum": False,
    },
    "ReduceLROnPlateau": {"patience": 2},
    "ReduceLROnPlateau abs": {
        "factor": 0.5,
        "patience": 1,
        "threshold": 0.3,
        "threshold_mode": "abs",
        "cooldown": 2,
        "min_lr": [0.02, 0.01],
    },
    "ReduceLROnPlateau max": {"mode": "max", "patience": 4, "factor": 0.3},
    "ReduceLROnPlateau max abs": {
        "mode": "max",
        "patience": 3,
        "threshold_mode": "abs",
        "eps": 1e-3,
        "min_lr": 0.001,
    },
}


def schedule(lib, name, kind):
    """Rate and momentum (beta 1 of Adam) of two groups at every epoch."""
    w, b, loss = problem(lib)
    groups = [{"params": [w]}, {"params": [b], "lr": 0.05}]
    momentum = {} if kind == "Adam" else {"momentum": 0.9}
    trainer = getattr(lib.optim, kind)(groups, lr=0.1, **momentum)
    short = name.split()[0]
    scheduler = getattr(lib.optim.lr_scheduler, short)(trainer, **SCHEDULES[name])

    def row():
        inertia = [g["betas"][0] if kind == "Adam" else g["momentum"] for g in trainer.param_groups]
        return [*(g["lr"] for g in trainer.param_groups), *scheduler.get_last_lr(), *inertia]

    rows = [row()]
    loss().backward()
    for measure in measures()[:25]:
        trainer.step()
        scheduler.step(measure) if short == "ReduceLROnPlateau" else scheduler.step()
        rows.append(row())
    return {"rates": np.array(rows, float)}


def two_schedules(lib):
    """Two schedules on one optimizer multiply."""
    w, _, loss = problem(lib)
    trainer = lib.optim.SGD([w], lr=1.0)
    make = lib.optim.lr_scheduler
    both = [
        make.ExponentialLR(trainer, 0.9),
        make.StepLR(trainer, 3),
        make.MultiStepLR(trainer, [4]),
    ]
    loss().backward()
    rates = []
    for _ in range(8):
        trainer.step()
        for scheduler in both:
            scheduler.step()
        rates.append(trainer.param_groups[0]["lr"])
    return {"rates": np.array(rates)}


# ---- losses -----------------------------------------------------------------------------------------------

LOGITS = {
    "one": (numbers(4, 1, 2.0), np.array(2)),
    "batch": (numbers((5, 4), 2, 3.0), np.array([3, 0, 1, 1, 2])),
    "3-d": (numbers((2, 4, 3), 3, 2.0), np.array([[0, 1, 3], [1, 1, 2]])),
    "4-d": (numbers((2, 4, 2, 2), 4, 2.0), np.array([[[0, 1], [2, 3]], [[1, 1], [0, 2]]])),
}
Q = numbers((5, 4), 9) ** 2
DISTRIBUTIONS = {
    "distributions": (numbers((5, 4), 5, 2.0), Q / Q.sum(1, keepdims=True)),
    "3-d distributions": (numbers((2, 4, 3), 6, 2.0), numbers((2, 4, 3), 7) ** 2),
}
CLASS_WEIGHT = np.array([0.3, 1.7, 0.9, 2.2])
CLASS_OPTIONS = {
    "plain": {},
    "weight": {"weight": CLASS_WEIGHT},
    "ignore": {"ignore_index": 1},
    "weight ignore": {"weight": CLASS_WEIGHT, "ignore_index": 1},
}
SMOOTHED = {f"{name} smooth": {**o, "label_smoothing": 0.2} for name, o in CLASS_OPTIONS.items()}
BCE = (numbers((4, 3), 8, 4.0), numbers((4, 3), 9) ** 2)
BCE_OPTIONS = {
    "plain": {},
    "weight": {"weight": weights((4, 3))},
    "weight of columns": {"weight": weights((3,))},
    "pos_weight": {"pos_weight": np.array([0.5, 3.0, 1.0])},
    "both": {"weight": weights((4, 1)), "pos_weight": np.array(2.5)},
}
MODULES = {
    "nll_loss": "NLLLoss",
    "cross_entropy": "CrossEntropyLoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
}


def loss(lib, function, inputs, options, reduction):
    """As a function and as a module, with the gradients of both."""
    x, y = (leaf(lib, a) for a in inputs)
    given = {k: lib.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    value = getattr(lib.nn.functional, function)(x, y, reduction=reduction, **given)
    again = getattr(lib.nn, MODULES[function])(reduction=reduction, **given)(x, y)
    return results(lib, [x, y], [value, again * math.pi])


def padding(lib, batch_first, value):
    """Padded sequences and the gradient of each."""
    parts = [leaf(lib, numbers((n, 2), n)) for n in (3, 1, 4, 2)]
    padded = (
        lib.nn.utils.rnn.pad_sequence if hasattr(lib.nn.utils, "rnn") else lib.nn.utils.pad_sequence
    )
    return results(lib, parts, [padded(parts, batch_first=batch_first, padding_value=value)])


def _losses():
    cases = {}

    def add(function, shape, inputs, options):
        for name, given in options.items():
            for reduction in ("mean", "sum", "none"):
                cases[f"{function} {shape}: {name}, {reduction}"] = (
                    loss,
                    (function, inputs, given, reduction),
                )

    for shape, inputs in LOGITS.items():
        add("nll_loss", shape, inputs, CLASS_OPTIONS)
        add("cross_entropy", shape, inputs, CLASS_OPTIONS | SMOOTHED)
    for shape, inputs in DISTRIBUTIONS.items():
        options = CLASS_OPTIONS | SMOOTHED
        add("cross_entropy", shape, inputs, {k: v for k, v in options.items() if "ignore" not in k})
    add("binary_cross_entropy_with_logits", "", BCE, BCE_OPTIONS)
    for batch_first in (False, True):
        for value in (0.0, -3.5):
            cases[f"pad_sequence {batch_first} {value}"] = (padding, (batch_first, value))
    return cases


def _schedules():
    cases = {"two schedules": (two_schedules, ())}
    for name in SCHEDULES:
        for kind in ("SGD", "Adam") if name.startswith("OneCycle") else ("SGD",):
            cases[f"{name}, {kind}"] = (schedule, (name, kind))
    return cases


FILES = {
    "optim_steps": {name: (optimizer, (name,)) for name in OPTIMIZERS}
    | {name: (lbfgs, (name,)) for name in LBFGS},
    "optim_schedules": _schedules(),
    "optim_losses": _losses(),
}


def run(lib, file, name):
    """Every array of a case."""
    function, arguments = FILES[file][name]
    return function(lib, *arguments)


def stored(file):
    """The arrays of every case in a file of golden cases."""
    cases = store.read(file)
    assert list(cases) == list(FILES[file]), "run tests/golden/make_optim.py"
    return cases
