"""Cells between which other things stand: what is asked for is drawn, folded, and every line is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.drawing.layout.channels import Net
from tinygrad_rnn.drawing.pictures.blocks import BlocksPicture, draw_blocks
from tinygrad_rnn.drawing.pictures.layers import LayersPicture, draw_layers
from tinygrad_rnn.drawing.scene.scene import Scene
from tinygrad_rnn.graphs.excerpt import excerpt
from tinygrad_rnn.graphs.recorded import HANDS_ON, SOURCES, GraphNode

SCREEN = 1440.0  # points


class Feedback(nn.Module):
    """Several cells in one, the last one's state back to the first."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.cells = nn.ModuleList([nn.GRUCell(7 if k == 0 else 4, 4) for k in range(count)])

    def forward(self, x: Any, state: Any) -> Any:
        states = list(state)
        x = tg.cat([x, states[-1]], 1)
        for k, cell in enumerate(self.cells):
            x = states[k] = cell(x, states[k])
        return x, tuple(states)

    def initial_state(self, batch: int) -> Any:
        return tuple(tg.zeros(batch, 4) for _ in range(self.count))


def between(kind: str, layer: type, steps: int) -> tg.Tensor:
    """Two layers with something between them."""
    a, b, y = layer(4, 4), layer(4, 4), tg.randn(steps, 2, 4)
    norm, linear = nn.LayerNorm(4), nn.Linear(4, 4)
    two = layer(4, 4, bidirectional=True)
    middle: dict[str, Callable[[], tg.Tensor]] = {
        "linear": lambda: linear(a(y)[0]),
        "norm": lambda: norm(a(y)[0]),
        "both": lambda: norm(linear(a(y)[0]).relu()),
        "summed": lambda: (lambda z: z[..., :4] + z[..., 4:])(two(y)[0]),
        "mean": lambda: (lambda z: z - z.mean(0, keepdim=True))(a(y)[0]),
        "flip then linear": lambda: linear(a(y)[0].flip(0)),
        "residual": lambda: linear(y) + a(y)[0],
        "twice": lambda: a(y)[0],
    }
    given = middle[kind]()
    top = (a if kind == "twice" else b)(given)[0]
    return top.square().mean()


def decoder(layer: type, steps: int) -> tg.Tensor:
    """A cell that is fed with what it said."""
    cell, head = layer(3, 4), nn.Linear(4, 3)
    state: Any = None
    x, loss = tg.zeros(2, 3), tg.zeros(())
    for _ in range(steps):
        state = cell(x, state)
        x = head(state[0] if isinstance(state, tuple) else state)
        loss = loss + x.square().sum()
    return loss


def attention(steps: int) -> tg.Tensor:
    """An encoder, and a decoder that looks at all of it."""
    encoder, cell, head = nn.GRU(3, 4), nn.GRUCell(7, 4), nn.Linear(4, 3)
    memory, last = encoder(tg.randn(steps, 1, 3))
    memory, h, x, loss = memory[:, 0], last[0], tg.zeros(1, 3), tg.zeros(())
    for _ in range(steps):
        found = (h @ memory.T).softmax(-1) @ memory
        h = cell(tg.cat([x, found], 1), h)
        x = head(h)
        loss = loss + x.square().sum()
    return loss


def chunks(count: int) -> tg.Tensor:
    """A layer run again and again, each time from the state that it left."""
    lstm, state, loss = nn.LSTM(3, 4), None, tg.zeros(())
    for _ in range(count):
        y, state = lstm(tg.randn(5, 1, 3), state)
        loss = loss + y.square().mean()
    return loss


KINDS = ("linear", "norm", "both", "summed", "mean", "flip then linear", "residual", "twice")
MODELS: dict[str, Callable[[], Any]] = {
    f"{kind}, {layer.__name__}, {steps}": (lambda k=kind, c=layer, t=steps: between(k, c, t))
    for kind in KINDS
    for layer, steps in ((nn.RNN, 5), (nn.LSTM, 2), (nn.LSTM, 30), (nn.GRU, 12))
}
MODELS |= {
    f"decoder, {cell.__name__}, {steps}": (lambda c=cell, t=steps: decoder(c, t))
    for cell in (nn.LSTMCell, nn.GRUCell)
    for steps in (1, 6, 40)
}
MODELS |= {f"attention, {steps}": (lambda t=steps: attention(t)) for steps in (2, 5, 9)}
MODELS |= {f"chunks, {count}": (lambda n=count: chunks(n)) for count in (2, 4, 7)}
MODELS |= {
    f"feedback, {count} cells, {steps}": (
        lambda n=count, t=steps: nn.Recurrent(Feedback(n))(tg.randn(t, 1, 3))[0].sum()
    )
    for count, steps in ((1, 5), (2, 12), (4, 2), (4, 40))
}


class Autoencoder(nn.Module):
    """Variational, or with the encoder's weights used again, turned round, in the decoder."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.tied = tied
        self.enc, self.mu, self.logvar = nn.Linear(8, 6), nn.Linear(6, 2), nn.Linear(6, 2)
        self.dec, self.out = nn.Linear(2, 6), nn.Linear(6, 8)
        self.bias = nn.Parameter(tg.zeros(8))

    def forward(self, x: Any) -> Any:
        hidden = self.enc(x).relu()
        if self.tied:
            return ((hidden @ self.enc.weight + self.bias).sigmoid() - x).square().mean()
        mean, logvar = self.mu(hidden), self.logvar(hidden)
        z = mean + (0.5 * logvar).exp() * tg.randn(*mean.shape)
        said = self.out(self.dec(z).relu()).sigmoid()
        return (said - x).square().sum() - 0.5 * (1 + logvar - mean**2 - logvar.exp()).sum()


class Block(nn.Module):
    """A transformer's: attention and two layers, each beside a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x: Any) -> Any:
        y = self.norm1(x)
        looks = (self.q(y) @ self.k(y).T / 8**0.5).softmax(-1)
        x = x + self.o(looks @ self.v(y))
        return x + self.down(self.up(self.norm2(x)).relu())


def mlp(depth: int) -> tg.Tensor:
    """Layers one after the other."""
    parts = [part for _ in range(depth) for part in (nn.Linear(4, 4), nn.ReLU())]
    return nn.Sequential(*parts)(tg.randn(3, 4)).square().mean()


def gan() -> tuple[tg.Tensor, ...]:
    """Two losses; one network used three times."""
    made = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))(tg.randn(5, 2))
    judge = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    loss, one, zero = nn.functional.binary_cross_entropy_with_logits, tg.ones(5, 1), tg.zeros(5, 1)
    real = loss(judge(tg.randn(5, 4)), one) + loss(judge(made.detach()), zero)
    return real, loss(judge(made), one)


TIMELESS: dict[str, Callable[[], Any]] = {
    **{f"mlp, {depth}": (lambda d=depth: mlp(d)) for depth in (1, 3, 12)},
    "variational": lambda: Autoencoder(False)(tg.rand(5, 8)),
    "tied": lambda: Autoencoder(True)(tg.rand(5, 8)),
    "gan": gan,
    "side by side": lambda: sum(nn.Linear(4, 4)(x).square() for x in [tg.randn(2, 4)] * 30).sum(),
    **{
        f"transformer, {n}": (
            lambda n=n: nn.Sequential(*(Block() for _ in range(n)))(tg.randn(5, 8)).sum()
        )
        for n in (1, 2, 6)
    },
}
MODELS |= TIMELESS


def graph_of(name: str) -> Any:
    """The graph of a model."""
    tg.manual_seed(0)
    made = MODELS[name]()
    return tg.graph(*made) if isinstance(made, tuple) else tg.graph(made)


@pytest.mark.parametrize("name", TIMELESS)
def test_without_time_modules_are_boxes(name: str) -> None:
    graph = graph_of(name)
    text = graph.to_dot()
    assert text == graph.to_dot("layer")
    assert text.count('class="module"') >= 1
    with pytest.raises(ValueError, match="no recurrent cell ran"):
        graph.to_dot("cell")


LEVELS = [(name, level) for level in ("cell", "layer") for name in MODELS]
DRAWN = [(name, level) for name, level in LEVELS if level == "layer" or name not in TIMELESS]
drawn = pytest.mark.parametrize(("name", "level"), DRAWN)


def picture_of(name: str, level: str) -> BlocksPicture:
    """The picture of a model, its excerpt read as the pictures of cells and of layers read it."""
    graph = excerpt(graph_of(name))
    return BlocksPicture(graph, None) if level == "cell" else LayersPicture(graph)


def scene_of(name: str, level: str) -> Scene:
    graph = excerpt(graph_of(name))
    return draw_blocks(graph) if level == "cell" else draw_layers(graph)


@drawn
def test_every_line_is_true(name: str, level: str) -> None:
    picture = picture_of(name, level)
    nodes = picture.nodes
    boxed = {i for block in picture.blocks.blocks for i in block.nodes}
    for block in picture.blocks.blocks:
        assert block.nodes, "a box stands for something"
        mine = set(block.nodes)
        initial = [s for s, t, _ in picture.initial if t is block]
        beside = [s for s, t, _, _ in picture.beside if t is block]
        drawn = {i for s in [*initial, *beside, *(f[0] for f in block.feeds)] for i in s.nodes}
        needed = {
            origin for i in mine for k in nodes[i].inputs for origin in sources(picture, boxed, k)
        } - mine
        assert needed <= drawn, "every value that comes in has a line"
        for source in [*initial, *beside, *(f[0] for f in block.feeds)]:
            assert needed & set(source.nodes), "every line is of a value that comes in"


def sources(picture: BlocksPicture, boxed: set[int], i: int) -> Iterator[int]:
    """The working nodes and inputs that a value is made of, by a walk of its own."""
    node: GraphNode = picture.nodes[i]
    if node.op in ("parameter", "literal"):
        return
    if i in boxed or node.op in SOURCES:
        yield i
        return
    one = picture.graph.element(i)
    if one is not None:
        yield from sources(picture, boxed, one)
        return
    assert node.op in HANDS_ON | {"stack", "cat"}, f"{node.op} stands in no box"
    for k in node.inputs:
        yield from sources(picture, boxed, k)


@drawn
def test_no_two_values_on_one_line_and_no_line_through_a_box(name: str, level: str) -> None:
    picture = picture_of(name, level)
    channels = picture.channels
    runs: list[tuple[Net, tuple[float, float], tuple[float, float]]] = []
    for net in picture.nets:
        for target in net.targets:
            route = channels.route(net, target)
            assert target.left - 1 <= route[-1][0] <= target.right + 1
            assert route[-1][1] == target.y - target.height / 2
            for a, b in pairwise(route):
                assert a[0] == b[0] or a[1] == b[1], "lines go straight"
                runs.append((net, a, b))
    for k in (0, 1):  # upright lines, then level ones
        along = sorted((run for run in runs if run[1][k] == run[2][k]), key=lambda run: run[1][k])
        for n, (net, a, b) in enumerate(along):
            for other, c, d in along[n + 1 :]:
                if c[k] - a[k] > 2:
                    break
                assert other is net or not _meet(a, b, c, d, 1 - k), "two values share a line"
    scene = scene_of(name, level)
    solid = [b for b in scene.boxes.values() if b.kind not in ("text", "dot", "port")]
    for wire in scene.wires:
        for box in solid:
            if box.key not in (wire.tail, wire.head):
                for a, b in pairwise(wire.route):
                    assert not _crosses(a, b, *box.sides), f"a line runs through {box.label!r}"


Point = tuple[float, float]


def _crosses(a: Point, b: Point, left: float, bottom: float, right: float, top: float) -> bool:
    (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    return x1 > left + 0.5 and x0 < right - 0.5 and y1 > bottom + 0.5 and y0 < top - 0.5


def _meet(a: Point, b: Point, c: Point, d: Point, k: int) -> bool:
    """Whether two stretches of one line have a part in common."""
    return min(max(a[k], b[k]), max(c[k], d[k])) - max(min(a[k], b[k]), min(c[k], d[k])) > 0.5


@drawn
def test_it_fits_on_a_screen_and_every_use_is_counted(name: str, level: str) -> None:
    graph = graph_of(name)
    scene = scene_of(name, level)
    left, _, right, _ = scene.bounds()
    assert right - left <= SCREEN
    uses: dict[str, int] = {}
    for wire in scene.wires:
        if wire.kind == "use":
            for parameter, count in zip(wire.of.parameters, wire.of.counts, strict=True):
                uses[parameter.name] = uses.get(parameter.name, 0) + count
    assert uses == {name: graph.use_count(name) for name in graph.parameters}


@pytest.mark.parametrize("kind", ["linear", "summed", "twice", "flip then linear", "mean"])
def test_cells_are_drawn_where_cells_are_asked_for(kind: str) -> None:
    tg.manual_seed(0)
    text = tg.graph(between(kind, nn.LSTM, 10)).to_dot("cell")
    assert text.count('"LSTM') >= 5
    assert "x 6 steps" in text
    assert "tanh" not in text.replace("tanh(c", "")


def test_what_the_user_named_is_on_its_box() -> None:
    a, b = nn.GRU(4, 4), nn.GRU(4, 4)
    a_out = tg.name(a(tg.randn(5, 1, 4))[0].flip(0), "turned")
    scores = tg.name(b(a_out.relu())[0].square(), "scores")
    scene = draw_blocks(tg.graph(scores.sum()))
    labels = " ".join(box.label for box in scene.boxes.values())
    assert "turned" in labels
    assert "scores" in labels


def test_steps_that_were_asked_for_are_drawn() -> None:
    tg.manual_seed(0)
    graph = tg.graph(between("linear", nn.GRU, 12))
    text = graph.to_dot("cell", steps=[0, 6, -1])
    assert "t = 7" in text
    assert "x 5 steps" in text


def test_the_same_graph_gives_the_same_text() -> None:
    def text() -> str:
        tg.manual_seed(3)
        return tg.graph(attention(4)).to_dot("cell")

    assert text() == text()
    assert np.all([line.isprintable() for line in text().splitlines()])
