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


# ---- where the variable itself is gone ----------------------------------------------------------------


def weights(n: int) -> nn.Parameter:
    return nn.Parameter([0.5] * n)


def of_locals() -> tg.Tensor:
    slope = nn.Parameter([0.5])
    offset: tg.Tensor = tg.ones(1, requires_grad=True)
    made = weights(1)
    later = tg.ones(1).requires_grad_()
    return (slope * 2.0 + offset * made * later).sum()


def of_a_dict() -> tg.Tensor:
    p = {"U": nn.Parameter([1.0]), "W": nn.Parameter([2.0])}
    p["b"] = nn.Parameter([3.0])
    q = dict(V=nn.Parameter([4.0]))  # noqa: C408 (a call with keywords)
    return (p["U"] * p["W"] + p["b"] * q["V"]).sum()


def of_an_object() -> tg.Tensor:
    class Plain:
        def __init__(self) -> None:
            self.U, self.W = nn.Parameter([1.0]), nn.Parameter([2.0])

    plain = Plain()
    plain.b = nn.Parameter([3.0])  # type: ignore[attr-defined]
    return (plain.U * plain.W * plain.b).sum()  # type: ignore[attr-defined]


def of_lists() -> tg.Tensor:
    first = [
        nn.Parameter([1.0]),
        weights(1),
    ]
    many = [nn.Parameter([1.0]) for _ in range(2)]
    return (first[0] * first[1] * many[0] * many[1]).sum()


def of_nobody() -> tg.Tensor:
    doubled = 2.0 * nn.Parameter([1.0])
    print(end="", file=None) if nn.Parameter([1.0]) is None else None
    return doubled.sum()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (of_locals, {"slope", "offset", "made", "later"}),
        (of_a_dict, {"p.U", "p.W", "p.b", "q.V"}),
        (of_an_object, {"U", "W", "plain.b"}),
        (of_lists, {"first[0]", "first[1]", "many", "many_2"}),
        (of_nobody, {"w1"}),
    ],
)
def test_what_was_made_in_a_function_that_is_left(make: Any, expected: set[str]) -> None:
    assert names(make()) == expected


def test_the_name_stays_through_writes() -> None:
    def trained() -> tg.Tensor:
        slope = nn.Parameter([0.5])
        (slope * 2.0).sum().backward()
        tg.optim.SGD([slope], lr=0.1).step()
        return (slope * 3.0).sum()

    assert names(trained()) == {"slope"}


def test_source_that_cannot_be_read(tmp_path: Any) -> None:
    space: dict[str, Any] = {"nn": nn}
    exec("def f():\n    a = nn.Parameter([1.0])\n    return (a * 2.0).sum()", space)
    assert names(space["f"]()) == {"w1"}
