"""The demo: three acts, one page, with and without what draws; and the plots."""

import io
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import plots
from tinygrad_rnn.commands import cli
from tinygrad_rnn.drawing import output as render
from tinygrad_rnn.experiments.demo import contributions, prediction, question, run_demo
from tinygrad_rnn.experiments.demo.forecaster import SunspotForecaster, Trained, train
from tinygrad_rnn.experiments.page import Page, inline
from tinygrad_rnn.experiments.report import Reporter, as_table, sparkline, wrapped


@pytest.fixture
def without_matplotlib(monkeypatch):
    for name in [n for n in sys.modules if n == "matplotlib" or n.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def without_graphviz(monkeypatch):
    def none(engine=None):
        raise render.DrawingError("no Graphviz was found: `pip install graphviz-pure`")

    monkeypatch.setattr(render, "_find", none)


def told(folder, steps=3, seed=0):
    """What the demo says on the terminal, and the page that it makes."""
    out = io.StringIO()
    page = run_demo(folder, steps=steps, seed=seed, stream=out)
    return out.getvalue(), page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One quick run: its folder, its words, its page."""
    folder = tmp_path_factory.mktemp("demo") / "a folder" / "below"
    return folder, *told(folder)


def check_page(html):
    """One file that needs nothing else."""
    assert html.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme:dark" in html
    assert "<script" not in html
    sources = re.findall(r'(?:src|href)="([^"]{,40})', html)
    sources = [source for source in sources if source != "explore.html"]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "url(" not in html
    assert "@import" not in html
    body = re.search(r"<body>.*</body>", html, re.DOTALL)[0].replace("&nbsp;", " ")
    void = re.sub(r"<(img[^>]*)>", r"<\1/>", body).replace("class=strong", 'class="strong"')
    ElementTree.fromstring(void)  # every element closes where it should
    for act in ("act-1", "act-2", "act-3"):
        assert f'id="{act}"' in html


def test_the_three_acts_and_their_page(demo):
    folder, text, html = demo
    assert text.isascii()
    assert all(len(line) <= 78 for line in text.splitlines() if str(folder) not in line)
    assert [f"ACT {k}" in text for k in (1, 2, 3)] == [True] * 3
    assert str((folder / "index.html").resolve()) == text.splitlines()[-1].strip()
    check_page(html)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "explore.html",
        "forecast.svg",
        "gradient_of_one_forecast.svg",
        "gradient_of_training.svg",
        "index.html",
        "lstm_300_steps.svg",
        "lstm_3_steps.svg",
        "lstm_4_steps.svg",
        "training.svg",
    ]
    assert html.count("<img ") == 7
    assert '<a href="explore.html">Explore this very graph' in html
    for name in names:
        if name.endswith(".svg"):
            ElementTree.parse(folder / name)


def test_the_question_is_answered_with_counted_uses(demo):
    _, text, _ = demo
    assert re.search(r"numbers it learns +352 +352 +352\n", text)
    for name in ("W_ih", "W_hh", "b_ih", "b_hh"):
        assert re.search(rf"uses of {name} +3 +4 +300\n", text)
    assert re.search(r"an LSTM +W +W +W +W +W\n", text)


def test_the_parts_sum_to_the_gradient(demo):
    _, text, _ = demo
    difference = float(re.search(r"over all weights: (\S+),", text)[1])
    assert difference < 1e-12


def test_without_matplotlib_the_figures_come_as_text(tmp_path, without_matplotlib):
    text, html = told(tmp_path)
    assert text.count("pip install matplotlib") == 1
    assert text.isascii()
    assert "what came   |" in text
    assert "W_hh  |" in text
    assert html.count("<pre>") == 4
    assert html.count("<img ") == 3
    check_page(html)


def test_without_graphviz_it_says_so_and_goes_on(tmp_path, without_graphviz):
    text, html = told(tmp_path)
    assert "No pictures here" in text
    assert "pip install graphviz-pure" in text
    assert html.count("<img ") == 4
    check_page(html)


def test_same_seed_same_bits():
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    first, again, other = (train(values, seed, steps=4) for seed in (1, 1, 2))
    assert first.losses == again.losses
    assert first.losses != other.losses
    state, same = first.model.state_dict(), again.model.state_dict()
    assert all((state[k].numpy() == same[k].numpy()).all() for k in state)
    assert first.forecast(values).tolist() == again.forecast(values).tolist()


def test_a_forecast_knows_nothing_of_its_own_year_or_later():
    tg.manual_seed(0)
    trained = Trained(SunspotForecaster(), 10.0, [])
    values = np.arange(8.0)
    changed = values.copy()
    changed[5:] = 99.0
    assert trained.forecast(values)[:5].tolist() == trained.forecast(changed)[:5].tolist()
    made, errors = prediction.compare(trained)
    assert [len(forecast) for forecast in made.values()] == [35, 35, 35]
    assert round(errors["AR(9)"].arv, 3) == 0.126


@pytest.mark.slow
def test_the_real_demo_is_fast_and_beats_linear_autoregression(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "beats the linear autoregression" in text
    seconds = float(re.search(r"one page \((\d+) s\)", text)[1])
    assert seconds <= 60
    check_page((tmp_path / "index.html").read_text(encoding="utf-8"))


# ---- the pieces ----------------------------------------------------------------------------------


def test_sparkline():
    assert sparkline([0.0, 1.0], low=0, high=9) == " ."
    assert sparkline([5.0, 5.0]) == "  "
    assert sparkline([np.nan, 0.0, 9.0]) == "  @"
    assert sparkline([np.nan]) == " "
    assert len(sparkline(range(1000))) == 60


def test_text_wraps_at_78_and_keeps_equations_whole():
    words = "word " * 30 + "t = 4 `pip install matplotlib`"
    lines = wrapped(words).splitlines()
    assert all(len(line) <= 78 for line in lines)
    assert any("t = 4" in line for line in lines)
    assert any("`pip install matplotlib`" in line for line in lines)
    assert as_table(["a"], [["long cell"]]).splitlines()[1] == "  ---------"


def test_the_page_escapes_what_it_is_given():
    assert inline("a < b & `c > d`") == "a &lt; b &amp; <code>c &gt; d</code>"
    page = Page()
    page.section("x", "label", "1 < 2")
    page.table(["<", "b"], [["&", "1"]], "note", 0)
    page.block(["<pre>"], "caption")
    html = page.html("0", 1.0)
    assert '<th scope="col">&lt;</th>' in html
    assert "&lt;pre&gt;" in html


def test_names_of_the_equations():
    names = [name for name, _ in tg.nn.LSTM(1, 2, num_layers=2).named_parameters()]
    assert [question.short_name(n) for n in names[:4]] == ["W_ih", "W_hh", "b_ih", "b_hh"]


def test_a_report_lists_pictures_together(tmp_path):
    out = io.StringIO()
    report = Reporter(tmp_path, out)
    report.act(1, "Title")
    report.picture("a.svg", "<svg/>", "alt", "caption")
    report.picture("b.svg", "<svg/>", "alt", "caption")
    report.say("Then words.")
    assert "a.svg\n  picture: " in out.getvalue()
    assert "b.svg\n\n  Then words." in out.getvalue()


# ---- plots ---------------------------------------------------------------------------------------


def book():
    tg.manual_seed(0)
    rnn, head = tg.nn.RNN(2, 3), tg.nn.Linear(3, 1)
    y, _ = rnn(tg.randn(6, 1, 2))
    ledger = head(y).sum().backward(ledger=True)
    return ledger, dict(rnn.named_parameters()), head


def test_plots_are_the_same_bytes_and_need_no_background():
    def svg():
        return plots.figure_svg(plots.plot_history({"a": [1.0, 0.1], "b": [0.5, 0.2]}))

    first = svg()
    assert first == svg()
    assert "#ffffff" not in first
    ElementTree.fromstring(first)


def test_plot_forecast():
    figure = plots.plot_forecast([1, 2], [1.0, 2.0], {"m": [np.nan, 2.5]}, ylabel="y", since=1.5)
    assert len(figure.axes[0].lines) == 3
    with pytest.raises(ValueError, match=r"'m' has shape \(1,\), expected \(2,\)"):
        plots.plot_forecast([1, 2], [1.0, 2.0], {"m": [1.0]})


def test_projections_add_up_to_the_norm_of_the_gradient():
    ledger, shared, _ = book()
    figure = plots.plot_contributions(ledger, shared, measure="projection")
    for axes, parameter in zip(figure.axes, shared.values(), strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        assert len(heights) == 6
        assert sum(heights) == pytest.approx(np.linalg.norm(parameter.grad.numpy()), rel=1e-5)


def test_norms_leave_out_zeros_and_uses_outside_time():
    ledger, shared, head = book()
    figure = plots.plot_contributions(ledger, {"W_hh": shared["weight_hh_l0"]}, times=range(10, 16))
    (line,) = figure.axes[0].lines
    assert np.isnan(line.get_ydata()).tolist() == [True] + [False] * 5  # h_0 is 0
    assert line.get_xdata().tolist() == list(range(10, 16))
    empty = plots.plot_contributions(ledger, {"head": head.weight})
    assert len(empty.axes[0].lines[0].get_xdata()) == 0
    with pytest.raises(ValueError, match="expected 'norm' or 'projection'"):
        plots.plot_contributions(ledger, shared, measure="size")


def test_an_odd_number_of_panels_leaves_one_empty():
    ledger, shared, _ = book()
    three = dict(list(shared.items())[:3])
    figure = plots.plot_contributions(ledger, three)
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


def test_a_plot_without_matplotlib_names_the_library(without_matplotlib):
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plots.plot_history([1.0])


def test_shares_of_the_gradient_add_up_to_one():
    ledger, shared, _ = book()
    for parameter in shared.values():
        assert contributions._along(ledger, parameter).sum() == pytest.approx(1, rel=1e-5)
