"""The page as a file: its numbers are the graph's, its names are only text, and no gradient is touched."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.graphs.readback import gradients_of, values_of
from tinygrad_rnn.page.html import asset, lean, page_of, script_of
from tinygrad_rnn.page.views import views_of

EVIL = "</script><script>alert(1)</script>"
KINDS = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u2": "<u2", "u1": "u1"}
KEPT = []


def forecast(steps=4, batch=1, hidden=3, kind=nn.LSTM, **options):
    layer, head = kind(2, hidden, **options), nn.Linear(hidden, 1)
    KEPT.append((layer, head))
    y, _ = layer(tg.randn(steps, batch, 2))
    return layer, y, head(y[-1]).square().sum()


def unpack(value):
    if isinstance(value, list):
        return [unpack(v) for v in value]
    if isinstance(value, dict):
        if len(value) == 1 and (kind := next(iter(value))) in KINDS:
            return np.frombuffer(base64.b64decode(value[kind]), KINDS[kind])
        return {k: unpack(v) for k, v in value.items()}
    return value


def data_of(text):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return unpack(json.loads(found[1]))


class TestValues:
    @pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
    def test_every_value_of_a_layer_is_known_and_right(self, kind):
        _, y, loss = forecast(5, 2, kind=kind)
        graph = tg.graph(loss)
        values = values_of(graph)
        named = [n for n in graph if n.name == "h" and n.step is not None and n.op != "input"]
        assert len(named) == 5
        for node in named:
            np.testing.assert_allclose(values[node.id], y.numpy()[node.step], rtol=1e-5, atol=1e-7)
        assert values[graph.outputs[0]] == pytest.approx(loss.item(), rel=1e-5)
        without = [n.op for n in graph if n.id not in values and n.op != "input"]
        assert without == []

    def test_an_op_with_several_outputs_has_all_in_one_row(self):
        graph = tg.graph(forecast()[2])
        values = values_of(graph)
        split = next(n for n in graph if n.op == "split")
        whole = values[split.inputs[0]]
        np.testing.assert_array_equal(values[split.id], whole.ravel())

    def test_a_number_and_variadic_ops(self):
        a = tg.tensor([1.0, 2.0], requires_grad=True)
        graph = tg.graph((tg.stack([a * 2, a + 1]) ** 2).sum())
        values = values_of(graph)
        by_op = {n.op: values[n.id] for n in graph}
        np.testing.assert_array_equal(by_op["stack"], [[2, 4], [2, 3]])
        assert values[graph.outputs[0]] == 33

    def test_gradients_are_those_of_backward_and_no_grad_changes(self):
        layer, _, loss = forecast()
        graph = tg.graph(loss)
        ledger, norms = gradients_of(graph)
        assert all(p.grad is None for p in layer.parameters())
        loss.backward()
        for p in layer.parameters():
            np.testing.assert_allclose(ledger.total(p), p.grad.numpy(), rtol=1e-5, atol=1e-8)
            assert norms[graph._find(p)] == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-6)
        before = {name: p.grad.numpy().copy() for name, p in layer.named_parameters()}
        gradients_of(graph)
        page_of(graph)
        for name, p in layer.named_parameters():
            np.testing.assert_array_equal(p.grad.numpy(), before[name])

    def test_no_gradients_of_several_outputs_or_after_a_write(self):
        layer, y, loss = forecast()
        assert gradients_of(tg.graph(y)) is None
        assert gradients_of(tg.graph(loss, loss * 2)) is None
        with tg.no_grad():
            layer.weight_hh_l0 -= 0.1
        assert gradients_of(tg.graph(loss)) is None


class TestNumbers:
    def test_contributions_are_the_ledgers(self):
        layer, _, loss = forecast(6)
        ledger = loss.backward(ledger=True)
        data = data_of(page_of(tg.graph(loss)))
        assert data["positions"] == [0, 1, 2, 3, 4, 5, -2]  # the head comes after the steps
        by_name = {p["name"]: p for p in data["parameters"]}
        for name, p in layer.named_parameters():
            g = by_name[f"lstm.{name}"]["gradient"]
            along = ledger.projection(p)
            np.testing.assert_allclose(g["along"][:6], along, rtol=1e-5, atol=1e-8)
            np.testing.assert_allclose(g["norms"][:6], ledger.norms(p), rtol=1e-5, atol=1e-8)
            tails = np.cumsum(ledger[p][::-1], 0)[::-1]
            norms = np.linalg.norm(tails.reshape(6, -1), axis=1)
            np.testing.assert_allclose(g["running"][:6], norms, rtol=1e-5, atol=1e-8)
            assert g["whole"] == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-6)
            assert g["along"].sum() == pytest.approx(g["whole"], rel=1e-6)
            assert g["cancels"] == pytest.approx(ledger.cancellation(p), abs=1e-6)
        head = by_name["linear.weight"]["gradient"]
        assert np.flatnonzero(head["norms"]).tolist() == [6]

    def test_a_ledger_that_is_given_is_the_one_shown(self):
        layer, y, _ = forecast(3)
        seed = np.zeros((3, 1, 3), np.float32)
        seed[1] = 1
        ledger = y.backward(seed, ledger=True)
        data = data_of(page_of(tg.graph(y), ledger=ledger))
        g = next(p for p in data["parameters"] if p["name"] == "lstm.weight_ih_l0")["gradient"]
        np.testing.assert_allclose(g["norms"], ledger.norms(layer.weight_ih_l0), rtol=1e-5)
        assert g["norms"][2] == 0 < g["norms"][1]

    def test_without_a_loss_or_ledger_there_is_no_backward(self):
        data = data_of(page_of(tg.graph(forecast()[1])))
        assert all("gradient" not in p for p in data["parameters"])
        assert "does not end in one number" in data["silent"]
        layer, _, loss = forecast()
        with tg.no_grad():
            layer.weight_hh_l0 -= 0.1
        data = data_of(page_of(tg.graph(loss)))
        assert all("gradient" not in p for p in data["parameters"])
        assert data["silent"] == "a Parameter was written after this graph had used it"

    def test_another_graphs_ledger_is_refused(self):
        graph, other = tg.graph(forecast()[2]), forecast()[2]
        with pytest.raises(ValueError, match="knows none of this graph's Parameters"):
            page_of(graph, ledger=other.backward(ledger=True))
        with pytest.raises(TypeError, match=r"what loss.backward\(ledger=True\) returns, got bool"):
            page_of(graph, ledger=True)

    def test_statistics_and_counts(self):
        x = tg.tensor([0.0, 3.0, -4.0, np.nan, np.inf], requires_grad=True)
        data = data_of(page_of(tg.graph(tg.name((x * 1).sum(), "total"))))
        table = data["nodes"]
        row = [data["nodes"]["kinds"][k][0] for k in table["kind"]].index("mul")
        low, mean, high, std, norm, _, nan, inf, zero = table["stats"].reshape(-1, 9)[row]
        assert (low, high, nan, inf, zero) == (-4, 3, 1, 1, 1)
        assert mean == pytest.approx(-1 / 3)
        assert std == pytest.approx(np.std([0, 3, -4]))
        assert np.isnan(norm)
        at = table["at"][row]
        np.testing.assert_array_equal(table["values"][at : at + 5], [0, 3, -4, np.nan, np.inf])

    def test_more_than_64_values_are_a_histogram(self):
        x = tg.tensor(np.r_[np.zeros(60), np.ones(40)], requires_grad=True)
        table = data_of(page_of(tg.graph((x * 1).sum())))["nodes"]
        row = [table["kinds"][k][0] for k in table["kind"]].index("mul")
        assert table["at"][row] == -1
        bins = table["histograms"].reshape(-1, 24)[table["bins"][row]]
        assert (bins[0], bins[-1]) == (255, 170)
        assert not bins[1:-1].any()

    def test_source_and_names(self):
        class Tanh(nn.Module):
            def __init__(self):
                super().__init__()
                self.W = nn.Linear(4, 2)

            def initial_state(self, batch):
                return tg.zeros(batch, 2)

            def forward(self, x, h):
                h = tg.tanh(self.W(tg.cat([x, h], -1)))
                return h, h

        cell = nn.Recurrent(Tanh())
        data = data_of(page_of(tg.graph(cell(tg.randn(3, 1, 2))[0].sum())))
        sources = {k[5] for k in data["nodes"]["kinds"] if k[0] == "tanh"}
        assert len(sources) == 1
        assert re.search(r"Tanh\.forward, tests/test_page\.py:\d+$", sources.pop())
        shorts = [
            p["short"] for p in data_of(page_of(tg.graph(forecast(num_layers=2)[2])))["parameters"]
        ]
        assert len(set(shorts)) == len(shorts)
        assert "W_hh_l1" in shorts


def boxes_of(view):
    """The node that each box stands for, by the box's id."""
    places = re.findall(r'data-id="([^"]*)" data-part="(\d+)"', view.svg)
    return {id: view.parts[int(k)]["node"] for id, k in places if "node" in view.parts[int(k)]}


class TestBoxes:
    @pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
    @pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
    def test_each_box_stands_for_its_node(self, kind, options):
        layer = kind(2, 3, **options)
        KEPT.append(layer)
        y, _ = layer(tg.randn(4, 1, 2))
        loss = tg.name(y.square().sum(), "loss")
        graph = tg.graph(loss)
        layers, cell, op = views_of(graph)
        assert [v.level for v in (layers, cell, op)] == ["layer", "cell", "op"]
        calls = {(c.label, c.path, c.step): c for c in graph.calls}
        for view in (cell, op):
            boxes = boxes_of(view)
            for key, chain in view.chains.items():
                mine = [c for c in calls.values() if c.path == chain["path"]]
                for t in range(1, 5):
                    state = boxes[f"{key}.h{t}"]
                    assert state in {i for c in mine for i in c.outputs.values()} | {
                        i for c in mine for i in c.inputs.values()
                    }
                    assert graph[boxes[f"{key}.x{t}"]].id in {c.inputs["x"] for c in mine}
        words = {"linear": "linear", "+": "add", "*": "mul", "tanh": "tanh", "split": "split"}
        for view in (cell, op):
            boxes = boxes_of(view)
            for box, label in re.findall(
                r'class="node (?:op|loss)" data-id="([^"]*)".*?<text[^>]*>([^<]*)</text>', view.svg
            ):
                if label in words:
                    assert graph[boxes[box]].op == words[label]
                elif label == "loss":
                    assert boxes[box] == graph.outputs[0]

    def test_the_window_goes_only_over_steps_that_are_alike(self):
        lstm = nn.LSTM(2, 3)
        KEPT.append(lstm)
        y, _ = lstm(tg.randn(20, 2, 2), lengths=[14, 9])
        view = views_of(tg.graph(y))[1]
        assert view.columns[0][:2] == (1, 1)
        assert view.columns[-1][:2] == (20, 20)
        assert view.span == (3, 14)  # beyond, states hold still and are drawn grey

    def test_any_graph_has_a_page(self):
        m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
        graph = tg.graph(m(tg.randn(5, 3)).square().mean())
        modules, view = views_of(graph)
        assert modules.level == "layer"
        data = data_of(page_of(graph))
        assert data["positions"] == [-2]
        assert data["level"] == "layer"
        for box, node in boxes_of(view).items():
            if box.startswith("n"):
                assert graph[node].op in ("input", "linear", "square", "mean")


class TestFile:
    def test_names_are_only_text(self, tmp_path):
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(2, 2)

            def forward(self, x):
                return tg.name(self.inner(x), EVIL).sum()

        Layer.__name__ = EVIL
        layer = Layer()
        graph = tg.graph(layer(tg.randn(1, 2)))
        text = page_of(graph)
        assert EVIL not in text
        assert "alert(1)" in text
        assert text.count("<script") == text.count("</script>") == 2
        assert EVIL in data_of(text)["nodes"]["names"]

    def test_one_file_and_nothing_from_elsewhere(self):
        text = page_of(tg.graph(forecast()[2]))
        addresses = set(re.findall(r"https?://[^\s\"'<>)]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        assert not re.search(r"<(link|img|iframe|object|embed|base)\b|\bsrc=|@import|url\(", text)
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
        assert policy.startswith("default-src 'none';")
        assert "script-src 'sha256-" in policy

    def test_the_viewer_is_small(self):
        assert len(script_of().encode()) < 60_000
        assert len(lean(asset("viewer.css"))) + len(asset("page.html")) < 25_000

    def test_draw_writes_a_page(self, tmp_path):
        layer, _, loss = forecast()
        path = tg.draw(loss, tmp_path / "page.html", level="op")
        assert data_of((tmp_path / "page.html").read_text(encoding="utf-8"))["level"] == "op"
        assert path == str(tmp_path / "page.html")
        tg.draw(nn.LSTM(4, 3), tmp_path / "layer.html", steps=4)
        data = data_of((tmp_path / "layer.html").read_text(encoding="utf-8"))
        assert all(p["gradient"]["whole"] > 0 for p in data["parameters"])
        assert all(p.grad is None for p in layer.parameters())

    def test_the_same_graph_gives_the_same_page(self):
        loss = forecast()[2]
        assert page_of(tg.graph(loss)) == page_of(tg.graph(loss))

    @pytest.mark.parametrize(
        "make",
        [
            lambda s: nn.GRU(4, 3),
            lambda s: nn.GRU(4, 3, batch_first=True),
            lambda s: nn.LSTMCell(4, 3),
        ],
    )
    def test_a_layer_or_cell_alone(self, tmp_path, make):
        tg.draw(make(0), tmp_path / "a.html", steps=3)
        data = data_of((tmp_path / "a.html").read_text(encoding="utf-8"))
        assert data["steps"] == 3
        assert len(data["parameters"]) == 4

    def test_what_cannot_be(self, tmp_path):
        graph = tg.graph(forecast()[2])
        with pytest.raises(ValueError, match=r"ends in \.html"):
            graph.to_html(tmp_path / "page.svg")
        with pytest.raises(FileNotFoundError, match="does not exist"):
            graph.to_html(tmp_path / "no" / "page.html")
        with pytest.raises(ValueError, match=r"level='scalar!'.*'layer', 'cell', 'op'"):
            graph.to_html(tmp_path / "page.html", level="scalar!")
        with pytest.raises(ValueError, match="every step can be brought into view"):
            tg.draw(graph, tmp_path / "page.html", steps=[0])
        assert list(tmp_path.iterdir()) == []
