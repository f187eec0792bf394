#!/usr/bin/env bash
# PyTorch 2.13.0 (PyPI), CPU: schedules made with last_epoch=k on an optimizer whose state was loaded follow two rules.
#
# The documents say "last_epoch: the index of the last epoch". StepLR and MultiStepLR then apply the step to epoch
# k + 1 to the loaded rate; ExponentialLR and CosineAnnealingLR leave the loaded rate as it is. So there is no moment
# to save the optimizer at that is right for both: before scheduler.step() of epoch k the second kind comes back one
# epoch behind for good, after it the first kind decays twice where a decay falls on that epoch. No warning is given.
#
# Seen, with gamma = 0.5 at every epoch, resumed with last_epoch=1: after saving before the step StepLR goes on with
# 0.25, ExponentialLR with 0.5; after saving behind the step StepLR goes on with 0.125, ExponentialLR with 0.25.
# The unbroken run has 0.25 there, and StepLR(step_size=1) and ExponentialLR are the same schedule.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import copy

import torch
from torch.optim.lr_scheduler import ExponentialLR, StepLR

MAKERS = {"StepLR": lambda o, **k: StepLR(o, 1, 0.5, **k), "ExponentialLR": lambda o, **k: ExponentialLR(o, 0.5, **k)}


def sgd():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def epoch(optimizer):
    optimizer.step()


found = {}
for name, make in MAKERS.items():
    optimizer = sgd()
    schedule, rates, before, behind = make(optimizer), [], [], []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        epoch(optimizer)
        before.append(copy.deepcopy(optimizer.state_dict()))
        schedule.step()
        behind.append(copy.deepcopy(optimizer.state_dict()))
    assert rates == [1.0, 0.5, 0.25, 0.125]
    for moment, states in (("before", before), ("behind", behind)):
        resumed = sgd()
        resumed.load_state_dict(states[1])
        make(resumed, last_epoch=1)
        found[name, moment] = resumed.param_groups[0]["lr"]
        print(f"{name}, saved {moment} the step of epoch 1: epoch 2 at {found[name, moment]}, unbroken {rates[2]}")
assert found == {
    ("StepLR", "before"): 0.25,
    ("StepLR", "behind"): 0.125,
    ("ExponentialLR", "before"): 0.5,
    ("ExponentialLR", "behind"): 0.25,
}, "it changed"
PY
