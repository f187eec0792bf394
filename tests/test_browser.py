"""The page in a real browser: Chromium, driven by Playwright. `python -m pytest -m browser`."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from importlib import resources

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.pictures.cells import draw_cells
from tinygrad_rnn.drawing.pictures.ops import draw_ops
from tinygrad_rnn.graphs.unrolled import UnrolledGraph
from tinygrad_rnn.page.views import ALL

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
EVIL = "</script><script>alert(1)</script>"
KEPT = []


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    command = shutil.which("chromium") or shutil.which("chromium-browser")
    if command is None:
        pytest.skip("needs a chromium on the PATH")
    with api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=command, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, tmp_path):
    """Open the page of a graph; in the end nothing may have gone wrong, nor to any network."""
    contexts, troubles = [], []

    def look(graph, width=1280, height=820, ledger=None, **options):
        path = graph.to_html(tmp_path / f"page{len(contexts)}.html", ledger=ledger)
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: troubles.append(str(e)))
        page.on("dialog", lambda d: troubles.append(f"dialog: {d.message}"))
        page.on("request", lambda r: troubles.append(r.url) if _outside(r.url) else None)
        page.goto((tmp_path / path).as_uri())
        return page

    yield look
    for context in contexts:
        context.close()
    assert troubles == []


def _outside(url):
    return not url.startswith(("file:", "data:", "blob:"))


def forecast(steps=4, batch=1, hidden=3, kind=nn.LSTM, inputs=2, **options):
    layer = kind(inputs, hidden, **options)
    head = nn.Linear(hidden * (2 if options.get("bidirectional") else 1), 1)
    KEPT.append((layer, head))
    y, _ = layer(tg.randn(steps, batch, inputs))
    return layer, y, tg.name(head(y[-1]).square().sum(), "loss")


def part(id):
    return f'[data-id="{id}"]'


def classes(page, selector):
    return page.eval_on_selector_all(selector, "list => list.map(g => g.getAttribute('class'))")


def slide(page, said):
    page.eval_on_selector(
        "#time", "(t, v) => { t.value = v; t.dispatchEvent(new Event('input')) }", said
    )


def shift(page, step):
    page.eval_on_selector(
        "#shift", "(t, v) => { t.value = v; t.dispatchEvent(new Event('input')) }", step
    )


def settle(page):
    """Wait until the picture has come to rest."""
    page.wait_for_function(
        """() => { const now = document.querySelector('.stage > svg').getAttribute('viewBox');
        const rests = window.before === now; window.before = now; return rests; }""",
        polling=80,
    )


def rows(page):
    return page.eval_on_selector_all(
        "#rows .row",
        "list => list.map(r => [r.dataset.param, Number(r.dataset.said), Number(r.dataset.running)])",
    )


def focused(page):
    return page.evaluate("document.activeElement?.dataset?.id ?? document.activeElement?.id")


def panel(page):
    return page.inner_text("#panel")


# ---- 1: every use of a Parameter, and only they


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("how", ["hover", "focus"])
def test_a_parameter_lights_all_its_uses_and_only_them(visit, level, how):
    layer, _, loss = forecast(num_layers=2)
    graph = tg.graph(loss)
    page = visit(graph, width=1600)
    page.click(f"#levels button[value={level}]")
    page.keyboard.press("0")
    settle(page)
    for name, _ in layer.named_parameters():
        full = f"lstm.{name}"
        if how == "hover":
            page.hover(part(f"param.{full}"))
        else:
            page.keyboard.press("Shift+Tab")  # the keyboard is in use: focus is to be seen
            page.focus(part(f"param.{full}"))
        uses = [c.split() for c in classes(page, ".stage svg g.use")]
        lit = [c for c in uses if "lit" in c]
        assert lit == [c for c in uses if f"p-{full}" in c]
        assert len(lit) == len(graph.uses(full)) == 4
        boxes = {c for c in classes(page, ".stage svg g.node.lit") if c.startswith("node param")}
        assert len(boxes) == 1
        page.wait_for_function(
            """() => [...document.querySelectorAll('.stage svg g.edge')].every(
            g => getComputedStyle(g).opacity === (g.matches('.lit') ? '1' : '0.25'))"""
        )
    if level == "op":  # the ops that take it are lit, no others
        heads = page.eval_on_selector_all(
            ".stage svg g.node.op.lit", "list => list.map(g => g.textContent.trim())"
        )
        assert heads == ["linear"] * 4
    page.mouse.move(5, 400)
    page.keyboard.press("Escape")
    assert not page.query_selector(".stage svg.dim")


def test_a_click_pins_and_a_use_says_which_it_is(visit):
    page = visit(tg.graph(forecast()[2]))
    page.click(part("param.lstm.weight_hh_l0"))
    page.mouse.move(5, 400)
    assert len(classes(page, "g.use.lit")) == 4
    assert page.get_attribute(part("param.lstm.weight_hh_l0"), "aria-pressed") == "true"
    page.hover(part("l0.tap3->l0.t3.z"))
    assert page.inner_text("#tip").split("\n") == ["lstm.weight_hh_l0", "use 3 of 4, same object"]
    page.click(part("param.lstm.weight_hh_l0"))
    page.mouse.move(5, 400)
    assert classes(page, "g.use.lit") == []


# ---- 2: backward


@pytest.mark.parametrize("given", [False, True])
def test_the_slider_adds_up_to_the_ledger(visit, given):
    layer, _, loss = forecast(5)
    graph = tg.graph(loss)
    ledger = loss.backward(ledger=True)
    page = visit(graph, ledger=ledger if given else None)
    names = {f"lstm.{name}": p for name, p in layer.named_parameters()}
    assert page.input_value("#time") == "0"
    assert all(row[1:] == [0, 0] for row in rows(page))
    for count in range(1, 7):  # the head first, then the steps from the last to the first
        slide(page, count)
        for name, said, running in rows(page):
            if name in names:
                along, tail = ledger.projection(names[name]), ledger[names[name]][6 - count :]
                assert said == pytest.approx(along[6 - count :].sum(), rel=1e-5, abs=1e-9)
                assert running == pytest.approx(np.linalg.norm(tail.sum(0)), rel=1e-5, abs=1e-9)
    for name, said, running in rows(page):
        if name in names:
            whole = np.linalg.norm(names[name].grad.numpy())
            assert said == pytest.approx(whole, rel=1e-5)
            assert running == pytest.approx(whole, rel=1e-5)
    assert "whole gradient" in page.inner_text("#now")


def test_steps_deposit_their_part_in_the_picture(visit):
    page = visit(tg.graph(forecast()[2]))
    slide(page, 3)  # head, t = 4, t = 3
    said = page.eval_on_selector_all("g.use.said", "list => list.map(g => g.dataset.id)")
    assert {s for s in said if s.startswith("l0.tap")} == {"l0.tap3->l0.t3.z", "l0.tap4->l0.t4.z"}
    assert page.eval_on_selector_all("g.now", "list => list.map(g => g.dataset.id)") == [
        "cluster_l0.t3"
    ]
    assert page.eval_on_selector_all("#rows rect.said", "list => list.length") == 3 * 6
    assert page.inner_text("#now") == "t = 3: steps 3 to 4 have added their part"


def test_play_is_paused_at_the_start_and_runs_to_the_end(visit):
    page = visit(tg.graph(forecast()[2]))
    page.wait_for_timeout(300)
    assert page.input_value("#time") == "0"
    page.click("[data-do=play]")
    page.wait_for_function("() => document.getElementById('time').value === '5'")
    page.wait_for_function("() => document.querySelector('[data-do=play]').textContent === 'Play'")


def test_reduced_motion_has_no_motion(visit):
    page = visit(tg.graph(forecast()[2]), reduced_motion="reduce")
    page.click("[data-do=play]")
    assert page.input_value("#time") == "5"
    assert page.inner_text("[data-do=play]") == "Play"
    before = page.get_attribute(".stage > svg", "viewBox")
    page.keyboard.press("+")
    assert page.get_attribute(".stage > svg", "viewBox") != before


# ---- 3: levels and windows


def test_a_cell_opens_into_its_ops_where_it_stands(visit):
    page = visit(tg.graph(forecast()[2]))

    def middle():
        box = page.locator(part("cluster_l0.t2")).bounding_box()
        return box["x"] + box["width"] / 2

    page.focus(part("cluster_l0.t2"))
    before = middle()
    page.keyboard.press("Enter")
    settle(page)
    assert page.get_attribute("#levels [value=op]", "aria-pressed") == "true"
    assert page.query_selector(part("l0.t2.x")) or page.query_selector("g.node.gate")
    assert middle() == pytest.approx(before, abs=40)  # as near as its new width allows
    assert focused(page) == "cluster_l0.t2"
    opened = middle()
    page.keyboard.press("Backspace")
    settle(page)
    assert page.get_attribute("#levels [value=cell]", "aria-pressed") == "true"
    assert middle() == pytest.approx(opened, abs=2)


def test_a_layer_opens_into_its_cells(visit):
    page = visit(tg.graph(forecast(num_layers=2)[2]))
    page.click("#levels button[value=layer]")
    layers = page.eval_on_selector_all("g.layer", "l => l.map(g => g.dataset.id)")
    assert len(layers) == 2
    page.hover(part("param.lstm.weight_hh_l1"))
    lit = page.eval_on_selector_all("g.use.lit", "l => l.map(g => g.dataset.id)")
    assert len(lit) == 1  # one tap for all steps, from the panel in which the Parameter stands
    assert lit[0].endswith(f"->{layers[1]}")
    page.keyboard.press("Tab")
    page.focus(part(layers[1]))
    page.keyboard.press("Enter")
    assert page.get_attribute("#levels [value=cell]", "aria-pressed") == "true"
    assert focused(page) == "cluster_l1.t1"
    page.keyboard.press("Backspace")
    assert page.get_attribute("#levels [value=layer]", "aria-pressed") == "true"
    assert focused(page) == layers[1]


MANY = {
    "lstm": lambda: nn.LSTM(2, 3),
    "gru": lambda: nn.GRU(2, 3),
    "two layers": lambda: nn.LSTM(2, 3, num_layers=2),
    "both ways": lambda: nn.RNN(2, 3, bidirectional=True),
}


@pytest.mark.parametrize("kind", MANY)
@pytest.mark.parametrize("level", ["cell", "op"])
def test_the_window_shows_what_a_picture_of_those_steps_shows(visit, kind, level):
    layer = MANY[kind]()
    KEPT.append(layer)
    y, _ = layer(tg.randn(14, 1, 2))
    graph = tg.graph(y.square().sum())
    page = visit(graph)
    page.click(f"#levels button[value={level}]")
    for first in (4, 5, 6, 8, 10):
        shift(page, first)
        shown = page.eval_on_selector_all(
            ".stage > svg text", "list => list.map(t => t.textContent.replace(/\\u00a0/g, ' '))"
        )
        unrolled = UnrolledGraph.read(graph, ALL, [0, 1, first - 1, first, 12, 13])
        grid = draw_cells(unrolled) if level == "cell" else draw_ops(unrolled)
        boxes = grid.scene.boxes.values()
        wanted = [line for box in boxes for line in box.label.split("\n") if line.strip()]
        assert Counter(shown) == Counter(wanted)


@pytest.mark.parametrize("level", ["cell", "op"])
def test_the_window_has_the_values_of_its_steps(visit, level):
    _, y, loss = forecast(14)
    page = visit(tg.graph(loss))
    page.click(f"#levels button[value={level}]")
    base = page.eval_on_selector(
        ".stage > svg", "svg => [...svg.querySelectorAll('.state.h')].map(g => g.dataset.id)"
    )
    for first in (3, 5, 11):
        shift(page, first)
        for id in base:
            pill = page.locator(part(id)).first
            step = int(pill.get_attribute("data-t"))
            if step == 0:
                continue
            pill.dispatch_event("click")
            values = page.eval_on_selector_all(
                "#panel .values span", "list => list.map(s => Number(s.title))"
            )
            np.testing.assert_allclose(values, y.numpy()[step - 1].ravel(), rtol=1e-5, atol=1e-6)


def test_a_fold_comes_into_view(visit):
    page = visit(tg.graph(forecast(100)[2]))
    page.focus(part("cluster_l0.t3"))
    assert "folded" in page.get_attribute(part("cluster_l0.t3"), "aria-label")
    page.keyboard.press("Enter")
    assert page.inner_text("#shifted") == "t = 26, 27"
    page.keyboard.press("]")
    assert page.inner_text("#shifted") == "t = 27, 28"
    page.click("[data-do=earlier]")
    assert page.inner_text("#shifted") == "t = 26, 27"


# ---- 4: the panel


def test_the_panel_tells_the_numbers(visit):
    layer, _, loss = forecast()
    graph = tg.graph(loss)
    ledger = loss.backward(ledger=True)
    page = visit(graph)
    page.click(part("param.lstm.weight_hh_l0"))
    weight = layer.weight_hh_l0
    said = panel(page)
    assert "lstm.weight_hh_l0" in said
    assert "4 uses, one object, 36 numbers" in said
    values = page.eval_on_selector_all(
        "#panel .values span", "list => list.map(s => Number(s.title))"
    )
    np.testing.assert_allclose(values, weight.numpy().ravel(), rtol=1e-6)
    facts = dict(re.findall(r"(shape|dtype|min|max|NaN / Inf / zero)\s+(.+)", said))
    assert facts["shape"] == "(12, 3)"
    assert facts["dtype"] == "float32"
    assert facts["NaN / Inf / zero"] == "0 / 0 / 0"
    assert float(facts["max"]) == pytest.approx(weight.numpy().max(), rel=1e-2)
    assert f"{round(ledger.cancellation(weight) * 100)} % of the steps' parts cancels" in said
    table = page.eval_on_selector_all(
        "#panel .contributions tbody tr", "list => list.map(r => r.cells[0].textContent)"
    )
    assert table == ["t = 1", "t = 2", "t = 3", "t = 4"]
    page.click(part("l0.t2.gate1"))
    assert "LSTMCell.step, nn/cells.py:" in panel(page)
    page.click(part("l0.h3"))
    assert "norm of gradient" in panel(page)


# ---- 5: search


def test_search(visit):
    page = visit(tg.graph(forecast(100)[2]))

    def find(words):
        page.fill("#search", words)
        return page.eval_on_selector_all(
            ".stage svg g.lit", "list => list.map(g => g.getAttribute('class'))"
        )

    assert all("gate" in c or "text" in c for c in find("forget"))
    assert page.inner_text("#found") == "6 found"
    found = find("param:W_hh")
    assert len([c for c in found if " use " in c]) == 8
    assert not [c for c in found if "bias" in c and "weight_hh" not in c]
    find("t:57")
    assert page.inner_text("#shifted") == "t = 57, 58"
    assert page.eval_on_selector_all("g.lit[data-t]", "l => l.every(g => g.dataset.t === '57')")
    assert find("no such thing") == []
    assert page.inner_text("#found") == "0 found"
    page.fill("#search", "split")  # an op of the other level
    assert page.inner_text("#found") == "in ops: Enter"
    page.press("#search", "Enter")
    assert page.get_attribute("#levels [value=op]", "aria-pressed") == "true"
    assert page.text_content(":focus") == "split"


# ---- 6: keys


def test_everything_by_keyboard(visit):
    page = visit(tg.graph(forecast()[2]))
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.stage') !== null"):
            break
    first = focused(page)
    assert first.startswith("param.")
    assert page.get_attribute(".ring", "visibility") == "visible"
    page.keyboard.press("Enter")
    assert page.get_attribute(part(first), "aria-pressed") == "true"
    visited = []
    for _ in range(5):
        page.keyboard.press("u")
        visited.append(focused(page))
    taps = [f"l0.tap{t}->l0.t{t}.z" for t in (1, 2, 3, 4, 1)]
    assert visited == taps
    page.keyboard.press("ArrowRight")
    assert focused(page) == taps[1]
    page.focus(part("l0.h2"))
    page.keyboard.press("ArrowRight")
    assert focused(page) == "l0.h3"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "l0.h1"
    page.keyboard.press("ArrowUp")
    assert focused(page) != "l0.h1"
    page.keyboard.press("b")
    page.keyboard.press("b")
    assert page.input_value("#time") == "2"
    settle(page)
    before = page.get_attribute(".stage > svg", "viewBox")
    page.keyboard.press("+")
    settle(page)
    near = page.get_attribute(".stage > svg", "viewBox")
    assert float(near.split()[2]) < float(before.split()[2])
    page.keyboard.press("-")
    page.keyboard.press("0")
    settle(page)
    assert float(page.get_attribute(".stage > svg", "viewBox").split()[2]) > float(near.split()[2])
    page.keyboard.press("/")
    assert focused(page) == "search"
    page.keyboard.type("tanh")
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    assert page.query_selector(".dim") is None
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")
    names = page.eval_on_selector_all(
        "button, input, select, [role=button]",
        "l => l.filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length"
        " || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML.slice(0, 90))",
    )
    assert names == []


# ---- 7: zoom, download, colour scheme, size of the screen


def test_drag_and_wheel_move_the_picture(visit):
    page = visit(tg.graph(forecast()[2]))
    before = [float(v) for v in page.get_attribute(".stage > svg", "viewBox").split()]
    page.mouse.move(700, 500)
    page.mouse.down()
    page.mouse.move(640, 470, steps=4)
    page.mouse.up()
    after = [float(v) for v in page.get_attribute(".stage > svg", "viewBox").split()]
    assert after[0] - before[0] == pytest.approx(60 * before[2] / 956, rel=0.2)
    page.mouse.wheel(100, 0)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(
        "wide => Number(document.querySelector('.stage > svg').getAttribute('viewBox')"
        ".split(' ')[2]) < wide",
        arg=after[2],
    )


def test_download_is_a_picture(visit, tmp_path):
    page = visit(tg.graph(forecast()[2]), accept_downloads=True)
    page.click(part("param.lstm.weight_hh_l0"))
    with page.expect_download() as found:
        page.click("[data-do=download]")
    found.value.save_as(tmp_path / "saved.svg")
    root = ET.parse(tmp_path / "saved.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert found.value.suggested_filename == "LSTM_4_steps_one_set_of_weights_cell.svg"
    assert "W_hh" in "".join(root.itertext())


def test_light_and_dark(visit):
    graph = tg.graph(forecast()[2])
    colors = [
        visit(graph, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert colors == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_on_a_narrow_screen_nothing_is_cut_off(visit):
    page = visit(tg.graph(forecast(100)[2]), width=360, height=740, has_touch=True)
    page.dispatch_event(part("param.lstm.weight_ih_l0"), "click")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    beyond = page.eval_on_selector_all(
        "button, input, select, h1, h2, p, table, .row",
        "l => l.filter(e => e.offsetParent && e.getBoundingClientRect().right > 361)"
        ".map(e => e.outerHTML.slice(0, 80))",
    )
    assert beyond == []
    text = page.locator(part("l0.t1.title") + " text").first.bounding_box()
    assert text["height"] >= 8  # to be read without zooming in


def test_without_javascript_there_is_the_picture(visit):
    page = visit(tg.graph(forecast()[2]), java_script_enabled=False)
    assert page.locator(".stage > svg").bounding_box()["width"] > 600
    assert page.locator(".stage > svg text").first.is_visible()
    assert not page.is_visible(".tools")
    assert not page.is_visible("#dock")
    assert page.inner_text("h1") == "LSTM, 4 steps, one set of weights"


# ---- 8 and 9: measures, own weights


def test_measures(visit):
    layer, _, loss = forecast()
    graph = tg.graph(loss)
    ledger = loss.backward(ledger=True)
    page = visit(graph)
    height = "#rows .row[data-param='lstm.weight_ih_l0'] rect"
    found = {}
    for measure in ("along", "norms", "log"):
        page.select_option("#measure", measure)
        found[measure] = page.eval_on_selector_all(
            height, "l => l.map(r => Number(r.getAttribute('height')))"
        )[:4]
    for measure, wanted in (
        ("along", np.abs(ledger.projection(layer.weight_ih_l0))),
        ("norms", ledger.norms(layer.weight_ih_l0)),
    ):
        big = wanted > 0.05 * wanted.max()
        ratio = np.array(found[measure])[big] / wanted[big]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
    logs = np.log10(ledger.norms(layer.weight_ih_l0))
    slopes = np.diff(found["log"]) / np.diff(logs)
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-3)


def test_own_weights_for_each_step(visit):
    page = visit(tg.graph(forecast()[2]))
    page.click("[data-do=whatif]")
    lstm = KEPT[-1][0]
    shared = sum(p.numel() for p in lstm.parameters())
    assert page.inner_text("#own-total") == f"4 × {shared} = {4 * shared} numbers"
    assert "none left for t = 5" in page.inner_text("#whatif")
    assert page.eval_on_selector_all(".copy text", "l => l.map(t => t.textContent)") == [
        f"own {t}" for t in (1, 2, 3, 4)
    ]
    page.eval_on_selector(
        "#own-range", "t => { t.value = 20; t.dispatchEvent(new Event('input')) }"
    )
    assert page.inner_text("#own-count") == f"{20 * shared:,}"
    assert page.inner_text("#shared-count") == str(shared)
    page.click("[data-do=whatif]")
    assert page.query_selector(".copy") is None
    assert page.query_selector(".slabbed") is None


# ---- what must hold for all of it


def test_names_are_only_text(visit):
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x):
            return tg.name(self.inner(x), EVIL).sum()

    Layer.__name__ = EVIL
    layer = Layer()
    page = visit(tg.graph(layer(tg.randn(1, 2))))
    page.click("#levels button[value=op]")  # where a name is on the box of the op
    assert EVIL in page.text_content(".stage > svg")
    page.click("g.param")
    assert EVIL in panel(page)
    page.fill("#search", EVIL)
    assert page.inner_text("#found") != "0 found"
    page.click("g.op")
    assert EVIL in panel(page)


def test_numbers_that_are_none(visit):
    """A page is what one opens when the loss has become NaN."""
    lstm = nn.LSTM(2, 3)
    KEPT.append(lstm)
    x = np.ones((4, 1, 2), np.float32)
    x[2] = np.nan
    y, _ = lstm(tg.tensor(x))
    page = visit(tg.graph(y[-1].square().sum()))
    for said in range(5):
        slide(page, said)
    for measure in ("norms", "log", "along"):
        page.select_option("#measure", measure)
    page.dispatch_event(part("l0.h3"), "click")
    assert re.search(r"NaN / Inf / zero\s+3 / 0 / 0", panel(page))
    page.dispatch_event(part("param.lstm.weight_hh_l0"), "click")
    assert page.inner_text("#rows .row .of") == "of –"


def test_a_long_encoder_and_decoder(visit):
    """Two blocks of columns, which have no common window: their folds stay."""
    encoder, decoder = nn.LSTM(2, 3), nn.LSTM(2, 3)
    KEPT.append((encoder, decoder))
    _, state = encoder(tg.randn(15, 1, 2))
    y, _ = decoder(tg.randn(12, 1, 2), state)
    page = visit(tg.graph(y.square().sum()))
    assert not page.is_visible("#window")
    folds = page.eval_on_selector_all(
        "g.cluster[role=button]", "l => l.map(g => g.getAttribute('aria-label'))"
    )
    assert [f for f in folds if "…" in f] == ["t = 3 … 13", "t = 3 … 10"]
    slide(page, 5)
    page.click("#levels button[value=op]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(visit, scheme, width):
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python (extra dev)")
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    page = visit(
        tg.graph(forecast(100)[2]), width=width, color_scheme=scheme, reduced_motion="reduce"
    )
    page.evaluate(axe)

    def check():
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            (v["id"], v["impact"], [n["html"][:120] for n in v["nodes"]][:3])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical", "moderate")
        ]

    assert check() == []
    page.dispatch_event(part("param.lstm.weight_hh_l0"), "click")
    slide(page, 40)
    page.click("[data-do=whatif]")
    assert check() == []
    page.click("[data-do=whatif]")
    page.click("#levels button[value=op]")
    page.keyboard.press("?")
    assert check() == []


def test_a_long_page_is_light_and_opens_fast(visit, tmp_path):
    graph = tg.graph(forecast(200, hidden=64, inputs=8)[2])
    page = visit(graph)
    size = (tmp_path / "page0.html").stat().st_size
    assert size < 2_000_000
    times = [np.inf]
    while min(times) >= 2000 and len(times) < 12:  # other work on the machine takes its time, too
        page.reload()
        times.append(
            page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        )
    print(f"T=200, H=64: {size:,} bytes, opens in {min(times)} ms")
    assert min(times) < 2000
