"""Layers whose parameters are made-up numbers, and the tensors of whatever they return."""

from support import numbers

import tinygrad_rnn as tg


def filled(module):
    """In float64, every parameter a made-up number: gains, peepholes and learned states too."""
    module.double()
    with tg.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(numbers(p.shape, 20 + k))
    return module


def flat(value):
    """The tensors of a state of any nesting, in order."""
    if isinstance(value, tg.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [t for part in parts for t in flat(part)]
