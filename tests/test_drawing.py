"""Pictures: each Parameter once, a tap for each use, nothing overlaps, both back ends agree."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from reading import Read, box, check_nothing_overlaps

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing import output as rendering
from tinygrad_rnn.drawing.draw import draw, render, to_dot, to_svg
from tinygrad_rnn.drawing.output import DrawingError, backend
from tinygrad_rnn.drawing.scene.text import text_width
from tinygrad_rnn.graphs.chains import fold
from tinygrad_rnn.graphs.recorded import short_name


def zeros(*shape):
    return tg.zeros(*shape)


def recurrent(kind, steps, **options):
    layer = getattr(nn, kind)(4, 3, **options)
    y, _ = layer(zeros(steps, 1, 4))
    return tg.graph(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.lstm = nn.LSTM(4, 3, num_layers=2)
        self.head = nn.Linear(3, 20)
        self.h0 = nn.Parameter(np.zeros((2, 1, 3)))
        self.c0 = nn.Parameter(np.zeros((2, 1, 3)))

    def forward(self, ids):
        y, _ = self.lstm(self.embedding(ids), (self.h0, self.c0))
        return self.head(y)


class Gated(nn.Module):
    """A user's own cell: a bare Parameter used twice a step, a named gate, nothing told of pictures."""

    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(np.ones((3, 3)))

    def forward(self, x, h):
        r = tg.name(tg.sigmoid(h @ self.W), "r")
        h = tg.tanh(x @ self.W) * r
        return h, h

    def initial_state(self, batch):
        return zeros(batch, 3)


def head_and_loss(kind="LSTM", steps=5):
    layer, head = getattr(nn, kind)(4, 3), nn.Linear(3, 1)
    y, _ = layer(zeros(steps, 1, 4))
    return tg.graph(nn.functional.mse_loss(head(y[-1]), zeros(1, 1)))


def own_loop(steps=8):
    cell, head, state, loss = nn.LSTMCell(4, 3), nn.Linear(3, 1), None, 0
    for _ in range(steps):
        state = cell(zeros(2, 4), state)
        loss = loss + (head(state[0]) ** 2).mean()
    return tg.graph(loss)


def twice():
    lstm = nn.LSTM(4, 3)
    a, b = lstm(zeros(3, 1, 4))[0], lstm(zeros(3, 1, 4))[0]
    return tg.graph(((a[-1] - b[-1]) ** 2).mean())


def encoder_decoder():
    encoder, decoder = nn.LSTM(4, 3), nn.LSTM(2, 3)
    _, state = encoder(zeros(3, 1, 4))
    y, _ = decoder(zeros(2, 1, 2), state)
    return tg.graph(y.sum())


def with_decay():
    lstm = nn.LSTM(4, 3)
    y, _ = lstm(zeros(3, 1, 4))
    return tg.graph((y[-1] ** 2).mean() + 0.01 * (lstm.weight_hh_l0**2).sum())


def wants_gradient():
    x = tg.tensor(np.zeros((4, 1, 4)), requires_grad=True)
    return tg.graph(nn.LSTM(4, 3)(x)[0])


def scalar_rnn(steps=3):
    w, u = (tg.name(tg.tensor(v, requires_grad=True), n) for n, v in (("w", 0.8), ("u", 0.5)))
    h = tg.tensor(0.5)
    for x in tg.steps(tg.ones(steps)):
        h = (w * h + u * x).tanh()
    return tg.graph(h)


def perceptron():
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    return tg.graph(nn.functional.mse_loss(net(tg.ones(5, 2)), zeros(5, 1)))


def feedback():
    cell, head, h, x = nn.RNNCell(2, 3), nn.Linear(3, 2), None, zeros(1, 2)
    for _ in range(4):
        h = cell(x, h)
        x = head(h)
    return tg.graph(x)


LATTICES = {
    "rnn": lambda: recurrent("RNN", 3),
    "rnn relu": lambda: recurrent("RNN", 4, nonlinearity="relu", bias=False),
    "rnn long": lambda: recurrent("RNN", 300, num_layers=2),
    "lstm": lambda: recurrent("LSTM", 4),
    "lstm 1": lambda: recurrent("LSTM", 1),
    "lstm long": lambda: recurrent("LSTM", 300),
    "lstm no bias": lambda: recurrent("LSTM", 3, bias=False),
    "lstm 3 layers": lambda: recurrent("LSTM", 9, num_layers=3),
    "head": head_and_loss,
    "net": lambda: tg.graph(Net()(tg.tensor(np.zeros((5, 1), dtype=int)))),
    "twice": twice,
    "encoder-decoder": encoder_decoder,
    "decay": with_decay,
    "x wants a gradient": wants_gradient,
}
OWN = {
    "own cell": lambda: tg.graph(nn.Recurrent(Gated())(zeros(3, 2, 3))[0]),
    "own cell long": lambda: tg.graph(nn.Recurrent(Gated())(zeros(30, 2, 3))[0]),
}
LATTICES |= OWN
CELLS_ONLY = {"own loop": own_loop}
LOOPS = {"scalar": scalar_rnn, "scalar long": lambda: scalar_rnn(300)}
AUTO = {
    "perceptron": perceptron,
    "feedback": feedback,
}
LAID_OUT = [(n, m, "cell") for n, m in (LATTICES | CELLS_ONLY).items()]
LAID_OUT += [(n, m, "op") for n, m in (LATTICES | LOOPS).items()]
EVERY = [*LAID_OUT, *((n, m, "op") for n, m in (CELLS_ONLY | AUTO).items())]


def cases(rows):
    return pytest.mark.parametrize(
        ("make", "level"), [pytest.param(m, level, id=f"{n}, {level}") for n, m, level in rows]
    )


# ---- what is drawn ------------------------------------------------------------------------------


@cases(EVERY)
def test_each_parameter_is_drawn_once_with_a_tap_for_every_use(make, level):
    graph = make()
    read = Read(to_dot(graph, level))
    taps = read.taps()
    for name in graph.parameters:
        assert len(read.of_class("param", f"p-{name}")) == 1, name
        assert taps[name] == len(graph.uses(name)), name
    assert set(taps) == set(graph.parameters)


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("steps", [1, 3, 300])
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_taps_are_uses_for_any_number_of_steps(kind, steps, level):
    graph = recurrent(kind, steps)
    name = f"{kind.lower()}.weight_hh_l0"
    assert len(graph.uses(name)) == steps
    assert Read(to_dot(graph, level)).taps()[name] == steps


@cases(LAID_OUT)
def test_nothing_overlaps_and_every_label_fits(make, level):
    read = Read(to_dot(make(), level))
    assert 'layout="nop2"' in read.text
    check_nothing_overlaps(read)


@cases(LAID_OUT)
def test_boxes_stay_clear_of_frames_they_do_not_belong_to(make, level):
    text = to_dot(make(), level)
    frames = re.findall(r'subgraph "cluster_(l\d+\.t\d+)" \{ graph \[bb="([^"]*)"', text)
    assert frames
    boxes = [tuple(map(float, bb.split(","))) for _, bb in frames]
    for p, q in itertools.combinations(boxes, 2):
        assert p[0] >= q[2] or q[0] >= p[2] or p[1] >= q[3] or q[1] >= p[3]
    for (name, _), frame in zip(frames, boxes, strict=True):
        for id, attrs in Read(text).of_class("state").items():
            x0, y0, x1, y1 = box(attrs)
            outside = x0 >= frame[2] or x1 <= frame[0] or y0 >= frame[3] or y1 <= frame[1]
            assert outside, (id, name)


@pytest.mark.parametrize("level", ["cell", "op"])
def test_every_step_is_drawn_identically(level):
    text = to_dot(recurrent("LSTM", 4), level)
    read = Read(text)
    frames = re.findall(r'subgraph "cluster_(l0\.t\d+)" \{ graph \[bb="([^"]*)"', text)
    corners = {name: tuple(map(float, bb.split(",")[:2])) for name, bb in frames}
    first = [id for id in read.nodes if id.startswith("l0.t1.")]
    assert len(first) > 5
    assert len(corners) == 4

    def place(id):
        name = ".".join(id.split(".")[:2])
        x, y = map(float, read.nodes[id]["pos"].split(","))
        return x - corners[name][0], y - corners[name][1]

    for id in first:
        x, y = place(id)
        for t in (2, 3, 4):
            there = place(id.replace("l0.t1.", f"l0.t{t}."))
            assert abs(there[0] - x) < 0.02
            # the lines of Parameters are nearer to one another under the steps of a next strip
            assert abs(there[1] - y) < 0.02 or (".tap." in id and level == "op" and t > 2)


def test_the_cell_says_its_equations():
    read = Read(to_dot(recurrent("LSTM", 4), "cell"))
    labels = {a.get("label") for a in read.nodes.values()}
    assert {"LSTM  t = 3", "c₃ = f * c₂ + i * g", "h₃ = o * tanh(c₃)", "y₃ = h₃"} <= labels
    assert "z = W_ih x₃ + b_ih\\n+ W_hh h₂ + b_hh" in labels
    assert {"input i", "forget f", "cell g", "output o"} <= labels
    assert "lstm.weight_hh_l0 · (12, 3) · 4 uses" in labels


def test_equations_follow_what_was_recorded():
    read = Read(to_dot(recurrent("RNN", 2, nonlinearity="relu", bias=False), "cell"))
    labels = {a.get("label") for a in read.nodes.values()}
    assert "h₂ = relu(z)" in labels
    assert any(label and "z = W_ih x₁" in label and "b_ih" not in label for label in labels)


def test_an_own_cell_is_drawn_from_its_recorded_names():
    read = Read(to_dot(OWN["own cell"](), "cell"))
    labels = {a.get("label") for a in read.nodes.values()}
    assert {"Gated  t = 1", "r", "h₁", "x₁"} <= labels
    assert len(read.of_class("gate")) == 3


def test_auto_draws_cells_where_there_are_any_and_ops_elsewhere():
    graph = recurrent("LSTM", 2)
    assert to_dot(graph) == to_dot(graph, "cell")
    other = scalar_rnn()
    assert to_dot(other) == to_dot(other, "op")


# ---- folds ----------------------------------------------------------------------------------------


def test_fold_keeps_both_ends():
    assert [s.count for s in fold(range(6), 6)] == [1] * 6
    assert [s.count for s in fold(range(7), 6)] == [1, 1, 3, 1, 1]
    assert [s.count for s in fold(range(10_000), 4)] == [1, 1, 9996, 1, 1]
    assert [(s.first, s.last, s.folded) for s in fold(range(9), 6, [0, 4, -1])] == [
        (1, 1, False),
        (2, 4, True),
        (5, 5, False),
        (6, 8, True),
        (9, 9, False),
    ]


@pytest.mark.parametrize(("level", "boxes"), [("cell", 5), ("op", 5)])
def test_a_long_sequence_is_folded(level, boxes):
    text = to_dot(recurrent("LSTM", 300), level)
    assert len(re.findall(r'subgraph "cluster_l0\.t\d+"', text)) == boxes
    assert "x 296 steps" in text
    assert "same weights" in text
    assert "296 uses" in text
    assert "c₃₀₀" in text


def test_chosen_steps_are_drawn_one_by_one():
    graph = recurrent("LSTM", 50)
    text = to_dot(graph, "cell", steps=[0, 24, 49])
    assert [int(t) for t in re.findall(r'subgraph "cluster_l0\.t(\d+)"', text)] == [
        1,
        2,
        25,
        26,
        50,
    ]
    with pytest.raises(ValueError, match=r"no step 50; its steps are 0 to 49"):
        to_dot(graph, "cell", steps=[50])


def test_four_digit_steps_fit():
    graph = recurrent("RNN", 1200)
    read = Read(to_dot(graph, "cell"))
    pill = read.nodes["l0.h1200"]
    assert text_width("h₁₂₀₀", 11, bold=True) <= float(pill["width"]) * 72


# ---- text that a user chose -------------------------------------------------------------------------


ODD = '<b>"x"\\N</b>&amp;</script>'


def odd_graph():
    class Odd(Gated):
        pass

    Odd.__name__ = ODD
    w = tg.name(tg.tensor(np.ones((3, 3)), requires_grad=True), ODD)
    y, _ = nn.Recurrent(Odd())(zeros(2, 2, 3))
    return tg.graph(tg.name(y[-1] @ w, ODD))


@pytest.mark.parametrize("level", ["cell", "op"])
@pytest.mark.parametrize("engine", ["system", "pure"])
def test_any_text_is_shown_as_text(engine, level):
    need(engine)
    svg = to_svg(odd_graph(), level, engine=engine)
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    escaped = "&lt;b&gt;&quot;x&quot;\\N&lt;/b&gt;&amp;amp;&lt;/script&gt;"
    assert any(escaped in t.replace("&#45;", "-").replace("&#92;", "\\") for t in shown)
    assert "<b>" not in svg
    assert "</script>" not in svg


def test_classes_hold_no_odd_characters():
    read = Read(to_dot(odd_graph(), "cell"))
    for attrs in [*read.nodes.values(), *(a for _, _, a in read.edges)]:
        assert re.fullmatch(r"[\w .-]*", attrs.get("class", ""))


def test_short_names():
    names = ["lstm.weight_hh_l0", "lstm.bias_ih_l12", "head.weight", "a.b.bias", "cell.gamma", "w"]
    assert [short_name(n) for n in names] == ["W_hh", "b_ih", "W", "b", "gamma", "w"]


# ---- files and back ends ------------------------------------------------------------------------------


def need(engine):
    try:
        backend(engine)
    except DrawingError:
        pytest.skip(f"no {engine} Graphviz here")


@pytest.mark.parametrize("level", ["cell", "op"])
def test_the_same_graph_gives_the_same_bytes(level):
    layer = nn.LSTM(4, 3, num_layers=2)
    texts = {to_dot(tg.graph(layer(zeros(9, 1, 4))[0]), level) for _ in range(2)}
    assert len(texts) == 1


def test_bytes_do_not_depend_on_hashes():
    program = (
        "import tinygrad_rnn as tg; from tinygrad_rnn import nn; import hashlib;"
        "g = tg.graph(nn.LSTM(4, 3, num_layers=2)(tg.zeros(9, 1, 4))[0]);"
        "w = tg.tensor(0.5, requires_grad=True); h = w;\n"
        "for x in tg.steps(tg.ones(3)): h = (w * h + x).tanh()\n"
        "text = g.to_dot('cell') + g.to_dot('op') + tg.graph(h).to_dot();"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    said = set()
    for seed in "12":
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, check=True
        )
        said.add(done.stdout)
    assert len(said) == 1


@pytest.mark.parametrize("engine", ["system", "pure"])
@cases([c for c in EVERY if c[0] in ("lstm", "lstm long", "net", "scalar", "feedback", "own cell")])
def test_files_are_written_and_show_every_tap(make, level, engine, tmp_path):
    need(engine)
    graph = make()
    svg = tmp_path / "a.svg"
    assert render(graph, svg, level, engine=engine) == str(svg)
    text = svg.read_text(encoding="utf-8")
    drawn = len(re.findall(r'class="edge use', text))
    assert drawn == len(re.findall(r'class="use', to_dot(graph, level)))
    assert " bold" not in text
    assert "transparent" not in text
    assert "<!--" not in text


@pytest.mark.parametrize("engine", ["system", "pure"])
def test_png(engine, tmp_path):
    need(engine)
    path = draw(recurrent("LSTM", 4), tmp_path / "a.PNG", engine=engine)
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    assert path.endswith("a.PNG")


@pytest.mark.parametrize("level", ["cell", "op"])
def test_both_back_ends_draw_the_same_geometry(level):
    need("system")
    need("pure")
    graph = recurrent("LSTM", 4)
    found = []
    for engine in ("system", "pure"):
        svg = to_svg(graph, level, engine=engine)
        shapes = re.findall(
            r'class="node ([^"]*)">.*?<(?:path|polygon|ellipse) [^>]*?/>', svg, re.S
        )
        numbers = re.findall(r'class="edge use[^"]*">.*?d="M([-\d.]+),([-\d.]+)', svg, re.S)
        found.append((Counter(shapes), [(float(x), float(y)) for x, y in numbers]))
    assert found[0][0] == found[1][0]
    assert len(found[0][1]) == len(found[1][1]) > 0
    offsets = {
        (round(a[0] - b[0]), round(a[1] - b[1]))
        for a, b in zip(found[0][1], found[1][1], strict=True)
    }
    assert len(offsets) == 1


def test_four_cells_fit_a_readme():
    need(None)
    svg = to_svg(recurrent("LSTM", 4))
    assert float(re.search(r'<svg width="(\d+)pt"', svg)[1]) <= 660


def test_pdf_needs_a_system_graphviz(tmp_path):
    if shutil.which("dot"):
        draw(recurrent("RNN", 2), tmp_path / "a.pdf", engine="system")
        assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    need("pure")
    with pytest.raises(DrawingError, match=r"PDF needs Graphviz itself .*\.svg and \.png"):
        draw(recurrent("RNN", 2), tmp_path / "b.pdf", engine="pure")
    assert not (tmp_path / "b.pdf").exists()


def test_dot_needs_no_graphviz(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "_find", lambda engine: pytest.fail("asked for a back end"))
    graph = recurrent("RNN", 2)
    draw(graph, tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_bytes() == to_dot(graph).encode()


def test_without_any_graphviz_the_error_names_both(tmp_path, monkeypatch):
    monkeypatch.setattr(rendering.shutil, "which", lambda *a, **k: None)
    monkeypatch.setattr(rendering, "_pure_command", lambda: None)
    with pytest.raises(DrawingError, match=r"pip install graphviz-pure.*`dot` on the PATH"):
        draw(recurrent("RNN", 2), tmp_path / "a.svg")


def test_a_failure_leaves_the_old_file_whole(tmp_path, monkeypatch):
    need(None)
    path = tmp_path / "a.svg"
    path.write_text("old")
    found = rendering._find(None)
    monkeypatch.setattr(rendering, "_find", lambda engine: found._replace(command=sys.executable))
    with pytest.raises(DrawingError, match="failed"):
        draw(recurrent("RNN", 2), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_a_slow_graphviz_is_given_up(tmp_path, monkeypatch):
    need(None)
    monkeypatch.setattr(rendering, "TIMEOUT", 1e-6)
    with pytest.raises(DrawingError, match="took more than"):
        draw(recurrent("RNN", 2), tmp_path / "a.svg")


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("a.gif",), ValueError, r"\.svg, \.png, \.pdf, \.dot"),
        (("no/folder/a.svg",), FileNotFoundError, "does not exist"),
        (("a.dot", "gate"), ValueError, "expected one of 'auto', 'layer', 'cell', 'op', 'scalar'"),
    ],
)
def test_errors_say_what_is_possible(tmp_path, arguments, error, says):
    path, *rest = arguments
    with pytest.raises(error, match=says):
        draw(recurrent("RNN", 2), tmp_path / path, *rest)


def test_cells_need_cells():
    with pytest.raises(ValueError, match="no recurrent cell ran"):
        to_dot(perceptron(), "cell")


# ---- what draw takes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(4, 3, num_layers=2, batch_first=True),
        lambda: nn.RNN(4, 3),
        lambda: nn.LSTMCell(4, 3),
        lambda: nn.Recurrent(nn.RNNCell(4, 3)),
    ],
)
def test_a_layer_is_drawn_without_data_and_stays_as_it_is(make, tmp_path):
    layer = make()
    layer.train()
    before = {k: v.numpy().copy() for k, v in layer.state_dict().items()}
    tg.manual_seed(0)
    expected = tg.randn(3).numpy()
    tg.manual_seed(0)
    with tg.no_grad():
        draw(layer, tmp_path / "a.dot", steps=4)
    assert np.array_equal(tg.randn(3).numpy(), expected)
    assert layer.training
    assert all(np.array_equal(v.numpy(), before[k]) for k, v in layer.state_dict().items())
    assert all(p.grad is None for p in layer.parameters())
    taps = Read((tmp_path / "a.dot").read_text(encoding="utf-8")).taps()
    assert taps
    assert set(taps.values()) == {4}


def test_what_draw_cannot_take(tmp_path):
    path, y = tmp_path / "a.dot", nn.RNN(2, 3)(zeros(2, 1, 2))[0]
    with pytest.raises(ValueError, match="say how many time steps"):
        draw(nn.RNN(2, 3), path)
    with pytest.raises(ValueError, match="has its steps already"):
        draw(y, path, steps=4)
    with pytest.raises(ValueError, match="input_size is unknown"):
        draw(nn.Recurrent(Gated()), path, steps=4)
    with pytest.raises(TypeError, match="not str"):
        draw("y", path)
    with pytest.raises(ValueError, match="'system', 'pure' or None"):
        draw(y, tmp_path / "a.svg", engine="cairo")


def test_tensors_tuples_and_graphs_draw_alike(tmp_path):
    y, (h, c) = nn.LSTM(4, 3)(zeros(3, 1, 4))
    texts = []
    for k, given in enumerate([(y, (h, c)), [y, h, c], tg.graph(y, h, c)]):
        draw(given, tmp_path / f"{k}.dot")
        texts.append((tmp_path / f"{k}.dot").read_text(encoding="utf-8"))
    assert texts[0] == texts[1] == texts[2]


def test_a_folder_of_its_own_without_a_path():
    need(None)
    path = draw(recurrent("RNN", 2))
    try:
        assert path.endswith("graph.svg")
    finally:
        shutil.rmtree(os.path.dirname(path))


def test_drawing_costs_nothing_at_import():
    program = "import sys, tinygrad_rnn; print('graphviz' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


class Separate(nn.Module):
    """The misconception: a cell of its own for each step."""

    def __init__(self):
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(4, 3) for _ in range(3)])

    def forward(self, x):
        state = None
        for cell, x_t in zip(self.cells, x, strict=True):
            state = cell(x_t, state)
        return state[0]


def test_separate_weights_are_not_said_to_be_shared():
    h = Separate()(tg.zeros(3, 1, 4))
    dot = to_dot(tg.graph(h), level="cell")
    assert "used at every step" not in dot
    assert "any T" not in dot
    for t in (1, 2, 3):
        assert f"used at t = {t} alone" in dot
    assert "the same for any number of steps" not in tg.graph(h).summary()
