"""``torch.save(model)``: a whole module by the names of its classes and what it holds, without pickle."""

import io

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Tagger(nn.Module):
    """A model as people write them: layers, numbers, texts, a shared weight, a state, an activation."""

    def __init__(self, kind="LSTM", tied=True):
        super().__init__()
        self.embedding = nn.Embedding(7, 4, padding_idx=0)
        self.rnn = getattr(nn, kind)(4, 4, 2, bidirectional=False, dropout=0.25)
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(2)])
        self.out = nn.Linear(4, 7)
        if tied:
            self.out.weight = self.embedding.weight
        self.sizes, self.words, self.activation = (1, 2.5), {"a": 1, "b": [2]}, tg.tanh
        self.register_buffer("mask", tg.tensor([True, False]))
        self.hidden = None

    def forward(self, words):
        x, self.hidden = self.rnn(self.embedding(words))
        for block in self.blocks:
            x = self.activation(block(x)) + x
        return self.out(x)


def through_a_file(value):
    file = io.BytesIO()
    with pytest.warns(
        UserWarning, match="the names of its classes and what it holds, not their code"
    ):
        tg.save(value, file)
    return tg.load(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("tied", [True, False])
def test_it_computes_and_trains_on_as_before(kind, tied):
    tg.manual_seed(1)
    words = tg.tensor([[1, 2], [3, 0], [5, 6]])
    model = Tagger(kind, tied)
    model(words).sum().backward()  # the state that it keeps has a past
    model.zero_grad()
    made = through_a_file({"model": model, "epoch": 3})
    other = made["model"]
    assert made["epoch"] == 3
    assert type(other) is Tagger
    assert (other.sizes, other.words, other.activation) == (model.sizes, model.words, tg.tanh)
    assert (other.out.weight is other.embedding.weight) == tied
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in model.named_parameters()]
    assert other.rnn.dropout == 0.25
    assert other.training
    for net in (model, other):
        net.eval()
    np.testing.assert_array_equal(other(words).detach(), model(words).detach())
    for net in (model, other):
        optimizer = tg.optim.Adam(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net(words).square().mean().backward()
            optimizer.step()
    np.testing.assert_array_equal(other(words).detach(), model(words).detach())
    assert repr(other) == repr(model)


def test_what_is_requires_grad_stays_so():
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    other = through_a_file(model)
    assert (other.weight.requires_grad, other.bias.requires_grad) == (True, False)


def test_code_is_not_kept_and_a_class_must_be_there():
    model = nn.Linear(2, 1)
    model.act = lambda x: x
    with (
        pytest.warns(UserWarning, match="whole"),
        pytest.raises(
            TypeError, match=r"cannot hold a function \(at act\): save the module's state_dict"
        ),
    ):
        tg.save(model, io.BytesIO())

    class Passing(nn.Module):
        pass

    file = io.BytesIO()
    with pytest.warns(UserWarning, match="Passing"):
        tg.save(Passing(), file)
    with pytest.raises(
        RuntimeError, match="no such module class is there: import or define it first"
    ):
        tg.load(io.BytesIO(file.getvalue()))


def test_no_file_names_a_class_that_is_no_module():
    from tinygrad_rnn.compat.whole import unpacked_module

    for tree in (
        ["module", "os:system"],
        ["module", "subprocess:Popen", ["args", "true"]],
        ["module", "builtins:object"],
        ["module", "nowhere:Net"],
    ):
        with pytest.raises(RuntimeError, match="no such module class"):
            unpacked_module(tree, {})
    for tree in (["named", "os", "system"], ["code", "1"]):
        with pytest.raises(ValueError, match="no such kind"):
            unpacked_module(tree, {})
