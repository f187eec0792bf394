"""A Parameter that has no name is called what its variable is called."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def leaf() -> tg.Tensor:
    return tg.ones(2, requires_grad=True)


def names(*outputs: tg.Tensor) -> set[str]:
    return set(tg.graph(*outputs).parameters)


def test_variables_lists_dicts_and_attributes() -> None:
    class Holder:
        def __init__(self) -> None:
            self.scale = leaf()

        def names(self, other: tg.Tensor) -> set[str]:
            return names((self.scale * other).sum())

    w_in, layers, table, held = leaf(), [leaf(), leaf()], {"bias": leaf()}, Holder()
    total = (w_in * layers[0] * layers[1] * table["bias"] * held.scale).sum()
    assert set(tg.graph(total).parameters) == {
        "w_in",
        "layers[0]",
        "layers[1]",
        "table.bias",
        "held.scale",
    }
    assert held.names(w_in) == {"scale", "other"}


def test_a_name_of_its_own_and_a_module_s_come_first() -> None:
    given, layer = tg.name(leaf(), "theta"), nn.Linear(2, 2)
    weight = layer.weight
    found = set(tg.graph((layer(given) @ weight).sum()).parameters)
    assert found == {"theta", "linear.weight", "linear.bias"}


def test_what_no_variable_holds_is_counted() -> None:
    total = (leaf() * leaf()).sum()
    assert names(total) == {"w1", "w2"}


@pytest.mark.parametrize("level", ["auto", "op", "scalar"])
def test_the_box_says_it(level: str, tmp_path: Any) -> None:
    slope, offset = leaf(), leaf()
    loss = (slope * 2.0 + offset).square().sum()
    text = (tmp_path / "a.dot", tg.draw(loss, tmp_path / "a.dot", level=level))[0].read_text(
        encoding="utf-8"
    )
    assert "slope" in text
    assert "offset" in text
    assert "w1" not in text


def test_a_long_loop_says_it_too() -> None:
    recurrent, h = tg.tensor(0.5, requires_grad=True), tg.zeros(())
    for x in tg.steps(tg.ones(40)):
        h = (recurrent * h + x).tanh()
    assert list(tg.graph(h).parameters) == ["recurrent"]
    assert "recurrent" in tg.graph(h).to_dot()
