"""The picture of a backward pass says what derivatives that are not the picture's say."""

import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up_cells import CELLS, Leaky, TwoStates
from reading import Read, check_nothing_overlaps
from support import complex_gradient, numbers
from test_docs import load

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.scene.text import number, printed

LAYERS = {
    "rnn": lambda: nn.RNN(2, 3),
    "lstm": lambda: nn.LSTM(2, 3),
    "gru": lambda: nn.GRU(2, 3),
    "gru, reset before": lambda: nn.GRU(2, 3, reset_after=False),
    "peephole": lambda: nn.LSTM(2, 3, peephole=True),
    "projection": lambda: nn.LSTM(2, 4, proj_size=3),
    "two layers": lambda: nn.LSTM(2, 3, num_layers=2),
    "both ways": lambda: nn.LSTM(2, 3, bidirectional=True),
    "two layers both ways": lambda: nn.GRU(2, 3, num_layers=2, bidirectional=True),
}


def norm(t):
    return float(np.linalg.norm(np.asarray(t)))


def drawn(loss, ledger=None, **options):
    """The picture, read back."""
    ledger = loss.backward(ledger=True) if ledger is None else ledger
    return Read(tg.graph(loss).to_dot(backward=ledger, **options))


def total(read, pill):
    """The number of a pill, as its tooltip has it."""
    return float(read.nodes[pill]["tooltip"].rpartition(" ")[2])


def crossing(read, tail, head):
    """What crosses an arrow from ``tail`` to ``head``; 0 where there is no arrow."""
    (found,) = [a for t, h, a in read.edges if (t, h) == (tail, head)]
    if found["tooltip"] == "nothing crosses":
        assert found["arrowhead"] == "none"
        return 0.0
    assert found["arrowhead"] == "normal"
    return float(found["tooltip"])


def close(ours, other):
    assert ours == pytest.approx(other, rel=2e-5, abs=1e-12)  # tooltips have six digits


# ---- an unrolled loop whose every state and every copy of it can be asked for its gradient --------


def unrolled(layer, x, lengths=None):
    """y, and by (row, step) the states that left a cell, the copies that entered and (last) what was held."""
    both = getattr(layer, "bidirectional", False)
    cells = list(layer.cells())
    left, entered, inputs, held = {}, {}, {}, {}
    sequence, row = [x[t] for t in range(len(x))], 0
    while row < len(cells):
        ways = []
        for back in (False, True)[: 1 + both]:
            cell, state, ys = cells[row], None, {}
            start = cell.initial_state(x.shape[1])
            state = start if isinstance(start, tuple) else (start,)
            names = ("h", "c")[: len(state)]
            steps = range(len(x))
            for t in reversed(steps) if back else steps:
                copies = tuple(
                    s * 1.0
                    for s in (p.requires_grad_() if not p.requires_grad else p for p in state)
                )
                x_t = sequence[t] * 1.0 if sequence[t].requires_grad else sequence[t]
                new = cell(x_t, copies if len(copies) > 1 else copies[0])
                new = new if isinstance(new, tuple) else (new,)
                y = new[0]
                left[row, t] = dict(zip(names, new, strict=True))
                if lengths is not None:
                    live = tg.tensor(np.array(lengths) > t).reshape(-1, 1)
                    new = tuple(tg.where(live, a, b) for a, b in zip(new, state, strict=True))
                    y = tg.where(live, y, 0.0)
                entered[row, t] = dict(zip(names, copies, strict=True))
                held[row, t] = dict(zip(names, new, strict=True))
                inputs[row, t] = x_t
                ys[t], state = y, new
            ways.append([ys[t] for t in steps])
            row += 1
        sequence = [tg.cat(list(pair), -1) for pair in zip(*ways, strict=True)] if both else ways[0]
    return tg.stack(sequence), left, entered, inputs, held


def gradients(loss, tensors):
    found = tg.grad(loss, tensors, allow_unused=True)
    return [0.0 if g is None else norm(g) for g in found]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_pills_and_arrows_are_the_derivatives(kind, compiled):
    tg.manual_seed(1)
    layer = LAYERS[kind]().double()
    layer.compiled = compiled
    x = tg.randn(4, 2, 2, dtype=tg.float64)
    y, _ = layer(x)
    weight = tg.randn(*y.shape, dtype=tg.float64)
    read = drawn((y * weight).sum())
    again, left, entered, inputs, _ = unrolled(layer, x)
    loss = (again * weight).sum()
    rows = {f"l{k}": k for k in range(len(list(layer.cells())))}
    for key, row in rows.items():
        back = getattr(layer, "bidirectional", False) and row % 2
        for t in range(4):
            names = list(left[row, t])
            for name, ours, copy in zip(
                names,
                gradients(loss, list(left[row, t].values())),
                gradients(loss, list(entered[row, t].values())),
                strict=True,
            ):
                close(total(read, f"{key}.{name}{t + 1}"), ours)
                before = f"{key}.{name}{t + 2 if back else t}"
                end = "z" if name == "h" else name
                close(crossing(read, f"{key}.t{t + 1}.{end}", before), copy)
            if row >= 1 + bool(getattr(layer, "bidirectional", False)):
                (up,) = gradients(loss, [inputs[row, t]])
                close(crossing(read, f"{key}.t{t + 1}.z", f"{key}.x{t + 1}"), up)


def test_only_what_crosses_a_rail_is_on_it():
    """c's pill holds more than its rail: what h of the same step sends to it stays inside the cell."""
    tg.manual_seed(2)
    lstm = nn.LSTM(2, 3).double()
    y, _ = lstm(tg.randn(4, 1, 2, dtype=tg.float64))
    read = drawn(y[-1].square().sum())
    assert crossing(read, "l0.c4", "l0.t4.c") == 0
    assert total(read, "l0.c4") > 0
    close(crossing(read, "l0.h4", "l0.t4.h"), total(read, "l0.h4"))
    for t in (1, 2, 3):
        close(
            crossing(read, f"l0.c{t}", f"l0.t{t}.c"), crossing(read, f"l0.t{t + 1}.c", f"l0.c{t}")
        )
        assert total(read, f"l0.c{t}") != pytest.approx(crossing(read, f"l0.c{t}", f"l0.t{t}.c"))
    assert read.nodes["l0.c4.came"]["label"] == "none"
    said = " ".join(a["label"] for id, a in read.nodes.items() if id.startswith("says"))
    assert "The loss uses only h₄: nothing crosses from c₄" in said
    assert not any(id.startswith("l0.y") for id in read.nodes)


def test_an_lstm_by_complex_step():
    """Every pill and rail against a plain numpy LSTM, moved along the imaginary axis."""
    hidden, steps = 3, 4
    wi, wh = numbers((4 * hidden, 2), 1), numbers((4 * hidden, hidden), 2)
    bi, bh = numbers(4 * hidden, 3), numbers(4 * hidden, 4)
    x = numbers((steps, 2), 5)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def run(into, moves):
        """The loss, with ``moves[k]`` added to h or c at step k, at the pill or where the next takes it."""
        h = c = np.zeros(hidden)
        for t in range(steps):
            h, c = h + moves.get(("enter", "h", t), 0), c + moves.get(("enter", "c", t), 0)
            i, f, g, o = np.split(wi @ x[t] + bi + wh @ h + bh, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            c = c + moves.get(("pill", "c", t), 0)
            h = sigmoid(o) * np.tanh(c)
            h = h + moves.get(("pill", "h", t), 0)
        return (h * h).sum()

    lstm = nn.LSTM(2, hidden).double()
    with tg.no_grad():
        for p, value in zip(lstm.parameters(), (wi, wh, bi, bh), strict=True):
            p.copy_(value)
    y, _ = lstm(tg.tensor(x[:, None], dtype=tg.float64))
    read = drawn(y[-1].square().sum())
    for t in range(steps):
        for name in ("h", "c"):
            for kind in ("pill", "enter"):
                (g,) = complex_gradient(
                    lambda a, at=(kind, name, t): run(None, {at: a}), [np.zeros(hidden)]
                )
                if kind == "pill":
                    close(total(read, f"l0.{name}{t + 1}"), norm(g))
                else:
                    end = "z" if name == "h" else name
                    close(crossing(read, f"l0.t{t + 1}.{end}", f"l0.{name}{t}"), norm(g))


def test_ragged_states_are_what_the_loop_holds():
    tg.manual_seed(3)
    layer, lengths = nn.LSTM(2, 3).double(), [4, 2, 1]
    x = tg.randn(4, 3, 2, dtype=tg.float64)
    y, (h, _) = layer(x, lengths=lengths)
    read = drawn(h.square().sum() + y.sum())
    again, left, entered, _, held = unrolled(layer, x, lengths)
    loss = held[0, 3]["h"].square().sum() + again.sum()

    def of(where, t, name, old_only=False):
        (g,) = tg.grad(loss, [where[0, t][name]], allow_unused=True)
        g = np.zeros((3, 3)) if g is None else np.asarray(g)
        return np.where((np.array(lengths) > t)[:, None], 0, g) if old_only else g

    for t in range(4):
        for name in ("h", "c"):
            state = of(left, t, name) + of(held, t, name, old_only=True)
            close(total(read, f"l0.{name}{t + 1}"), norm(state))
            end = "z" if name == "h" else name
            back = of(entered, t, name) + of(held, t, name, old_only=True)
            close(crossing(read, f"l0.t{t + 1}.{end}", f"l0.{name}{t}"), norm(back))


def test_a_chunk_of_truncated_backpropagation():
    tg.manual_seed(4)
    layer = nn.GRU(2, 3).double()
    x, state = tg.randn(6, 2, 2, dtype=tg.float64), None
    for start in (0, 3):
        y, state = layer(x[start : start + 3], state, first_step=start)
        loss = y.square().sum()
        ledger = loss.backward(ledger=True)
        state = tg.detach(state)
    read = drawn(loss, ledger)
    assert {"l0.h3", "l0.h4", "l0.h6"} <= read.nodes.keys()
    assert "l0.h2" not in read.nodes
    parts = [
        a.get("tooltip", "")
        for id, a in read.nodes.items()
        if id.startswith("part.gru.weight_hh_l0.")
    ]
    values = [float(p.partition(": ")[2]) for p in parts if p.startswith("t=")]
    np.testing.assert_allclose(values, ledger.projection(layer.weight_hh_l0), rtol=1e-5)


# ---- what a state that takes no gradient would get ----------------------------------------------


def test_a_constant_first_state_has_what_would_go_on():
    tg.manual_seed(5)
    layer, x = nn.LSTM(2, 3).double(), tg.randn(3, 1, 2, dtype=tg.float64)
    read = drawn(layer(x)[0].sum())
    h, c = (tg.zeros(1, 1, 3, dtype=tg.float64, requires_grad=True) for _ in range(2))
    loss = layer(x, (h, c))[0].sum()
    for name, g in zip("hc", tg.grad(loss, [h, c]), strict=True):
        close(total(read, f"l0.{name}0"), norm(g))
    said = " ".join(a["label"] for id, a in read.nodes.items() if id.startswith("says"))
    assert "take no gradient" in said
    asked = drawn(loss)
    assert "take no gradient" not in " ".join(a["label"] for a in asked.nodes.values())


def test_no_number_where_a_way_was_not_recorded():
    """0.9 * h_0 of a constant leaves no node: what would go on by it is unknown, and nothing is said."""
    tg.manual_seed(6)
    layer = nn.Recurrent(Leaky())
    with tg.no_grad():
        for p in layer.parameters():
            p.copy_(numbers(p.shape, 3))
    y, _ = layer(tg.randn(3, 1, 3))
    read = drawn(y.sum())
    first = min(id for id in read.nodes if re.fullmatch(r"l0\.\w+0", id))
    assert read.nodes[first]["tooltip"].endswith("nothing comes")
    assert f"{first}.norm" not in read.nodes


# ---- the slab -----------------------------------------------------------------------------------


def rows_of(read):
    """By Parameter: the printed parts (inside the segments and beside them) and the printed whole."""
    found = {}
    for id, attrs in read.nodes.items():
        match = re.fullmatch(r"part\.(.+)\.(\d+|beside\d+|whole)", id)
        if match and match[2] == "whole":
            found.setdefault(match[1], [[], None])[1] = attrs["label"]
        elif match and attrs["label"]:
            found.setdefault(match[1], [[], None])[0].append(attrs["label"])
    return found


def value_of(label):
    return Decimal(re.split(r"\s{2,}|\\n", label)[1].split(" ")[0].replace("−", "-"))


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(LAYERS)),
    steps=st.integers(1, 12),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-6, 0.03, 1.0, 300.0, 1e7]),
)
@example(kind="both ways", steps=10, seed=4, scale=300.0)  # one part is -1.16 of 1550
def test_printed_parts_add_up(kind, steps, seed, scale):
    tg.manual_seed(seed)
    layer = LAYERS[kind]()
    y, _ = layer(tg.randn(steps, 1, 2))
    loss = (y * tg.randn(*y.shape)).sum() * scale
    ledger = loss.backward(ledger=True)
    read = drawn(loss, ledger)
    rows = rows_of(read)
    assert len(rows) == len(list(layer.parameters()))
    for name, (parts, whole) in rows.items():
        assert whole.startswith("|G| = ")
        total = Decimal(whole.removeprefix("|G| = ").replace("−", "-").rstrip("\\l"))
        # Parts below the third digit of the largest number are told in their own, beyond what adds up; a
        # number that was rounded up to a power of ten has its third digit one place lower.
        values = [*map(value_of, parts)]
        third = Decimal(1).scaleb(max(map(abs, [total, *values])).adjusted() - 2)
        units = (third, third / 10)
        assert total in [sum(v for v in values if abs(v) >= unit) for unit in units], name
        parameter = dict(layer.named_parameters())[name.partition(".")[2]]
        assert float(total) == pytest.approx(norm(parameter.grad), rel=6e-3)


def test_the_folded_part_is_what_its_steps_add_together():
    tg.manual_seed(7)
    lstm = nn.LSTM(2, 3)
    y, _ = lstm(tg.randn(100, 1, 2))
    loss = y[-1].square().sum()
    ledger = loss.backward(ledger=True)
    read = drawn(loss, ledger)
    for name, parameter in lstm.named_parameters():
        along = ledger.projection(parameter)
        expected = [*along[:2], along[2:98].sum(), *along[98:]]
        found = [
            a.get("tooltip", "")
            for id, a in read.nodes.items()
            if id.startswith(f"part.lstm.{name}.")
        ]
        values = {
            t.partition(":")[0]: float(t.partition(": ")[2]) for t in found if t.startswith("t=")
        }
        for when, value in zip(("t=1", "t=2", "t=3…98", "t=99", "t=100"), expected, strict=True):
            assert values.get(when, 0.0) == pytest.approx(value, rel=1e-4, abs=1e-9)
        thin = {
            int(id.rpartition(".")[2]): float(a["tooltip"].partition(": ")[2])
            for id, a in read.of_class("thin").items()
            if id.startswith(f"thin.lstm.{name}.")
        }
        for step, value in thin.items():
            assert value == pytest.approx(along[step - 1], rel=1e-4, abs=1e-9)
        assert max(along, key=abs) in [pytest.approx(value, rel=1e-4) for value in thin.values()]
    whole = np.concatenate([ledger[p][2:98].sum(0).ravel() for p in lstm.parameters()])
    close(crossing(read, "l0.t3.z", "l0.tap3"), norm(whole))
    text = " ".join(a["label"] for a in read.nodes.values())
    assert "t=3…98: what its 96 steps add together." in text
    y, _ = lstm(tg.randn(9, 1, 2))
    others = len(read.nodes) - len(read.of_class("thin"))
    shorter = drawn(y[-1].square().sum())
    assert len(shorter.nodes) - len(shorter.of_class("thin")) == pytest.approx(others, abs=12)


def test_a_tap_is_as_wide_as_all_parameters_together():
    tg.manual_seed(8)
    gru = nn.GRU(2, 3).double()
    y, _ = gru(tg.randn(4, 1, 2, dtype=tg.float64))
    loss = y[-1].sum()
    ledger = loss.backward(ledger=True)
    read = drawn(loss, ledger)
    sizes = [np.sqrt(sum(ledger.norms(p)[t] ** 2 for p in gru.parameters())) for t in range(4)]
    for t, size in enumerate(sizes, 1):
        (tap,) = [a for tail, head, a in read.edges if head == f"l0.tap{t}"]
        close(float(tap["tooltip"]), size)
        assert float(tap["penwidth"]) == pytest.approx(1 + 8 * size / max(sizes), rel=1e-4)


def test_a_part_is_zero_where_the_first_state_is():
    tg.manual_seed(9)
    lstm = nn.LSTM(2, 3)
    read = drawn(lstm(tg.randn(4, 1, 2))[0][-1].sum())
    assert "t=1   0 (h₀ = 0)" in rows_of(read)["lstm.weight_hh_l0"][0]
    h, c = (tg.ones(1, 1, 3) for _ in range(2))
    other = drawn(lstm(tg.randn(4, 1, 2), (h, c))[0][-1].sum())
    assert not any("= 0)" in a["label"] for a in other.nodes.values())


def test_norms_stand_beside_no_plus_and_no_equals():
    tg.manual_seed(10)
    lstm = nn.LSTM(2, 3)
    loss = lstm(tg.randn(4, 1, 2))[0][-1].sum()
    ledger = loss.backward(ledger=True)
    read = drawn(loss, ledger, backward_measure="norm")
    slab = {
        id: a["label"]
        for id, a in read.nodes.items()
        if id.startswith(("part.", "row0.")) and a["label"]
    }
    for label in slab.values():
        left = re.sub(r"t=\d+|\(h₀ = 0\)", "", label)
        assert "+" not in left, label
        assert "=" not in left, label
    segments = [
        a.get("tooltip", "")
        for id, a in read.nodes.items()
        if id.startswith("part.lstm.bias_ih_l0.")
    ]
    values = [float(t.partition(": ")[2]) for t in segments if t.startswith("t=")]
    np.testing.assert_allclose(values, ledger.norms(lstm.bias_ih_l0), rtol=1e-5)
    assert any("not make up" in label for label in slab.values())


@pytest.mark.parametrize(
    "values", [[0.5, -0.25, 0.1], [1e-9, 2e-9], [0.0, 0.0], [4e5, -3e5], [3.3333] * 3]
)
def test_printing_keeps_each_within_a_unit(values):
    said, whole = printed(values, sum(values))
    numbers = [float(s.replace("−", "-")) for s in said]
    unit = 10.0 ** (np.floor(np.log10(max(map(abs, values)))) - 2) if any(values) else 1
    assert all(abs(a - b) <= unit * 1.01 for a, b in zip(numbers, values, strict=True))
    assert sum(Decimal(s.replace("−", "-")) for s in said) == Decimal(whole.replace("−", "-"))


# ---- around it ----------------------------------------------------------------------------------


def test_drawing_changes_no_gradient_and_gives_the_same_bytes():
    tg.manual_seed(11)
    lstm, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    y, _ = lstm(tg.randn(5, 2, 2))
    loss = head(y[-1]).square().mean()
    ledger = loss.backward(ledger=True)
    before = [np.array(p.grad) for p in (*lstm.parameters(), *head.parameters())]
    graph = tg.graph(loss)
    texts = {graph.to_dot(backward=ledger) for _ in range(3)} | {
        tg.graph(loss).to_dot(backward=ledger)
    }
    assert len(texts) == 1
    for p, g in zip((*lstm.parameters(), *head.parameters()), before, strict=True):
        np.testing.assert_array_equal(p.grad, g)
    with tg.no_grad():
        for p in lstm.parameters():
            p -= 0.1  # the ledger speaks of the values of its own pass
    assert graph.to_dot(backward=ledger) in texts


def test_the_loss_and_the_head_have_their_numbers():
    tg.manual_seed(12)
    lstm, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    y, _ = lstm(tg.randn(3, 1, 2))
    loss = nn.functional.mse_loss(head(y[-1]), tg.zeros(1, 1))
    read = drawn(loss)
    (box,) = read.of_class("loss").values()
    assert box["label"] == f"loss\\nL = {loss.item():.2f}"
    shown = read.nodes["param.linear.weight.whole"]["label"]
    assert float(shown.rpartition(" ")[2]) == pytest.approx(norm(head.weight.grad), abs=0.006)
    (tap,) = [a for tail, h, a in read.edges if h == "param.linear.weight"]
    close(float(tap["tooltip"]), norm(head.weight.grad))


def test_a_line_goes_from_the_batch_not_from_a_step():
    """``y[:, 0]`` takes of every step: all the outputs are its source, in both pictures."""
    tg.manual_seed(13)
    gru = nn.GRU(2, 3)
    y, _ = gru(tg.randn(3, 2, 2))
    loss = y[:, 0].square().sum()
    read = drawn(loss)
    for t in (1, 2, 3):
        assert crossing(read, f"l0.y{t}", f"l0.t{t}.title") > 0
    assert "y₃ = h₃" in tg.graph(loss).to_dot()


OFF_THE_GRID = {
    "SameStateTwice",
    "Delay",
    "Untouched",
}  # no rail from step to step can be drawn truly


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: c.__name__)
def test_cells_of_ones_own(cell):
    tg.manual_seed(14)
    layer = nn.Recurrent(cell())
    with tg.no_grad():
        for k, p in enumerate(layer.parameters()):
            p.copy_(numbers(p.shape, k))
    y, _ = layer(tg.randn(4, 2, 3))
    loss = y.square().sum()
    ledger = loss.backward(ledger=True)
    if cell.__name__ in OFF_THE_GRID:
        rows = drawn(loss, ledger)
        for p in layer.parameters():
            assert any(
                f"|G| = {number(norm(p.grad))}" in a["label"]
                for a in rows.of_class("param").values()
            )
        return
    read = drawn(loss, ledger)
    check_nothing_overlaps(read)
    if cell is TwoStates:
        assert len([id for id in read.nodes if id.endswith(".norm")]) >= 8


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("steps", [1, 3, 6, 40])
def test_nothing_overlaps(kind, steps):
    tg.manual_seed(15)
    y, _ = LAYERS[kind]()(tg.randn(steps, 1, 2))
    check_nothing_overlaps(drawn(y.square().sum()))


def test_what_cannot_be_drawn_is_said():
    tg.manual_seed(16)
    lstm = nn.LSTM(2, 3)
    one, two = (lstm(tg.randn(3, 1, 2))[0].sum() for _ in range(2))
    ledger, other = one.backward(ledger=True), two.backward(ledger=True)
    with pytest.raises(ValueError, match="another graph"):
        tg.graph(one).to_dot(backward=other)
    with pytest.raises(ValueError, match="level='cell'"):
        tg.graph(one).to_dot("op", backward=ledger)
    with pytest.raises(ValueError, match="backward_measure='size'"):
        tg.graph(one).to_dot(backward=ledger, backward_measure="size")
    with pytest.raises(TypeError, match="not bool"):
        tg.graph(one).to_dot(backward=True)
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(ValueError, match="cells over time steps"):
        tg.graph(loss).to_dot(backward=loss.backward(ledger=True))


def test_ledger_and_draw_into_files(tmp_path):
    tg.manual_seed(17)
    loss = nn.LSTM(2, 3)(tg.randn(3, 1, 2))[0].sum()
    ledger = loss.backward(ledger=True)
    path = tg.draw(loss, tmp_path / "backward.svg", backward=ledger)
    svg = (tmp_path / "backward.svg").read_text(encoding="utf-8")
    assert path.endswith("backward.svg")
    assert "|G| = " in svg
    assert "x 0" not in svg


class FirstIsY(nn.Module):
    """y is the first of two states without names, as in an LSTM that someone wrote down."""

    def __init__(self):
        super().__init__()
        self.W = nn.Linear(5, 6)

    def initial_state(self, batch):
        return tg.zeros(batch, 3), tg.zeros(batch, 3)

    def forward(self, x, state):
        h, c = state
        f, g = self.W(tg.cat([x, h], -1)).chunk(2, -1)
        c = f.sigmoid() * c + g.tanh()
        h = c.tanh()
        return h, (h, c)


def test_the_state_that_goes_on_is_y():
    tg.manual_seed(18)
    layer = nn.Recurrent(FirstIsY())
    loss = layer(tg.randn(4, 1, 2))[0].square().sum()
    text = tg.graph(loss).to_dot("cell")
    assert "nop2" in text
    read = drawn(loss)
    for t in range(1, 5):
        assert crossing(read, f"l0.y{t}", f"l0.t{t}.title") > 0


def test_the_first_page_prints_what_it_says(tmp_path, monkeypatch):
    run_pages = load("run_pages")
    page = run_pages.HERE / "index.md"
    monkeypatch.chdir(tmp_path)
    assert run_pages.run(page) == page.read_text(encoding="utf-8")
    assert "|G| = " in (tmp_path / "backward.svg").read_text(encoding="utf-8")


def test_a_part_of_the_graph_may_be_drawn():
    """Of what the loss was made of, the outputs alone: what comes from outside comes all the same."""
    tg.manual_seed(19)
    lstm, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    y, _ = lstm(tg.randn(3, 1, 2))
    loss = head(y[-1]).square().sum()
    ledger = loss.backward(ledger=True)
    whole, part = drawn(loss, ledger), Read(tg.graph(y).to_dot(backward=ledger))
    for pill in ("l0.h1", "l0.c2", "l0.h3"):
        assert total(part, pill) == total(whole, pill)
    assert rows_of(part) == rows_of(whole)
