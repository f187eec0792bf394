"""What can change about an LSTM between two calls that are alike otherwise."""

from support import numbers

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def replaced(layer):
    layer.weight_hh_l0 = nn.Parameter(numbers(layer.weight_hh_l0.shape, 9))


def written(layer):
    with tg.no_grad():
        layer.weight_ih_l0.mul_(0.5)


def frozen(layer):
    layer.weight_ih_l0.requires_grad = False


def all_frozen(layer):
    for p in layer.parameters():
        p.requires_grad = False


def a_method(layer):
    layer._first.step = lambda x, state: (state[0] + x.sum(-1, keepdim=True), state)


def hooked(layer):
    layer.register_forward_hook(lambda module, inputs, result: (result[0] * 2.0, result[1]))


def turned(layer):
    layer.batch_first = True


def from_the_end(layer):
    layer._backwards = lambda way: True


CHANGES = [replaced, written, frozen, all_frozen, a_method]
OF_THE_CALL = [hooked, turned, from_the_end]  # what goes in or comes out
