"""Twenty architectures in PyTorch, drawn by this project and three others: nodes, size, time.

    python -m pip install torch torchview torchviz torchlens && python benchmarks/architectures.py

Each model is a ``torch.nn.Module`` with a forward of its own; here it is ``tg.draw(model, x)``. Every tool
runs in a process of its own, draws a small model first and then each of the twenty; the time is from the
model and its input to the SVG, Graphviz's included (the system's ``dot`` for all). Writes the pictures into
docs/pictures/architectures/, the figures into benchmarks/results/architectures.json and the page
docs/guides/architectures.md.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures" / "architectures"
FIGURES = ROOT / "benchmarks" / "results" / "architectures.json"
PAGE = ROOT / "docs" / "guides" / "architectures.md"
LIMIT = 20
TOOLS = ("tinygrad_rnn", "torchview", "torchviz", "TorchLens")


class LanguageModel(nn.Module):
    """A character model: embedding, two LSTM layers, a head at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = (
            nn.Embedding(27, 8),
            nn.LSTM(8, 16, 2),
            nn.Linear(16, 27),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0])


class Classifier(nn.Module):
    """A GRU whose last state is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[1][-1])


class Tagger(nn.Module):
    """A bidirectional LSTM over an embedding, a tag at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.lstm, self.tags = nn.LSTM(8, 6, bidirectional=True), nn.Linear(12, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.tags(self.lstm(self.embedding(tokens))[0])


class NormedStack(nn.Module):
    """Layer norm between two recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.lower, self.norm, self.upper = nn.GRU(4, 6), nn.LayerNorm(6), nn.GRU(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.upper(self.norm(self.lower(x)[0]))[0]


class ResidualStack(nn.Module):
    """A skip around each recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(6, 6), nn.LSTM(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.first(x)[0]
        return x + self.second(x)[0]


class SummedDirections(nn.Module):
    """Both directions added up before the next layer."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.next = nn.LSTM(4, 6, bidirectional=True), nn.LSTM(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.both(x)[0]
        return self.next(y[..., :6] + y[..., 6:])[0]


class Seq2Seq(nn.Module):
    """An encoder, and a decoder that goes on from its last state, fed with its own output."""

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.encoder, self.decoder, self.out, self.steps = (
            nn.GRU(3, 8),
            nn.GRUCell(3, 8),
            nn.Linear(8, 3),
            steps,
        )

    def forward(self, x: Tensor) -> Tensor:
        h, y, said = self.encoder(x)[1][0], x[-1], []
        for _ in range(self.steps):
            h = self.decoder(y, h)
            y = self.out(h)
            said.append(y)
        return torch.stack(said)


class Bahdanau(nn.Module):
    """Additive attention: the decoder looks at every state of the encoder."""

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.encoder, self.steps = nn.GRU(3, 8), steps
        self.keys, self.query = nn.Linear(8, 6, bias=False), nn.Linear(8, 6, bias=False)
        self.score, self.decoder, self.out = (
            nn.Linear(6, 1, bias=False),
            nn.GRUCell(11, 8),
            nn.Linear(8, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        memory, h = self.encoder(x)
        keys, h, y, said = self.keys(memory), h[0], x[-1], []
        for _ in range(self.steps):
            weights = F.softmax(self.score(torch.tanh(keys + self.query(h))), dim=0)
            context = (weights * memory).sum(0)
            h = self.decoder(torch.cat([y, context], 1), h)
            y = self.out(h)
            said.append(y)
        return torch.stack(said)


class Luong(nn.Module):
    """Dot-product attention after the decoder's cell."""

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.encoder, self.decoder, self.steps = nn.LSTM(3, 8), nn.LSTMCell(3, 8), steps
        self.join, self.out = nn.Linear(16, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        memory, (h, c) = self.encoder(x)
        memory, h, c, y, said = memory[:, 0], h[0], c[0], x[-1], []
        for _ in range(self.steps):
            h, c = self.decoder(y, (h, c))
            context = F.softmax(h @ memory.T, dim=-1) @ memory
            y = self.out(torch.tanh(self.join(torch.cat([h, context], 1))))
            said.append(y)
        return torch.stack(said)


class Forecaster(nn.Module):
    """DeepAR's form: a mean and a spread at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.mean, self.spread = nn.LSTM(2, 8), nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.lstm(x)[0]
        return self.mean(y), F.softplus(self.spread(y))


class Siamese(nn.Module):
    """One LSTM reads two sequences; how alike are they?"""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        left, right = self.lstm(a)[1][0][-1], self.lstm(b)[1][0][-1]
        return torch.exp(-(left - right).abs().sum(-1))


class LstmAutoencoder(nn.Module):
    """A sequence into one vector, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.out = nn.LSTM(3, 4), nn.LSTM(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)[1][0][-1]
        return self.out(self.decoder(torch.stack([code] * len(x)))[0])


class Hierarchical(nn.Module):
    """Words into sentences, sentences into a document."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.sentences, self.head = nn.GRU(4, 6), nn.GRU(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        sentences = torch.stack([self.words(sentence)[1][0] for sentence in x])
        return self.head(self.sentences(sentences)[1][0])


class Deep(nn.Module):
    """Four cells a step, the top one's state back into the lowest."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.GRUCell(7 if k == 0 else 4, 4) for k in range(4)])

    def forward(self, x: Tensor) -> Tensor:
        states = [torch.zeros(1, 4)] * 4
        for x_t in x:
            below = torch.cat([x_t, states[-1]], 1)
            for k, cell in enumerate(self.cells):
                below = states[k] = cell(below, states[k])
        return states[-1]


class Skipping(nn.Module):
    """A dilated recurrence: each state goes on from the one three steps before."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        states = [torch.zeros(1, 4)] * 3
        for x_t in x:
            states.append(self.cell(x_t, states[-3]))
        return states[-1] + states[-2]


class Perceptron(nn.Module):
    """Three layers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.net(x), dim=-1)


class Variational(nn.Module):
    """A variational autoencoder's two terms."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mean, self.logvar = nn.Linear(8, 6), nn.Linear(6, 2), nn.Linear(6, 2)
        self.decoder, self.out = nn.Linear(2, 6), nn.Linear(6, 8)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        hidden = torch.relu(self.encoder(x))
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        z = mean + torch.exp(0.5 * logvar) * noise
        said = torch.sigmoid(self.out(torch.relu(self.decoder(z))))
        return ((said - x) ** 2).sum() - 0.5 * (1 + logvar - mean**2 - torch.exp(logvar)).sum()


class TiedAutoencoder(nn.Module):
    """The encoder's weights, turned round, decode."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias, self.back = (
            nn.Parameter(torch.randn(*s)) for s in ((3, 8), (3,), (8,))
        )

    def forward(self, x: Tensor) -> Tensor:
        code = torch.sigmoid(x @ self.weight.T + self.bias)
        return ((code @ self.weight + self.back - x) ** 2).mean()


class Transformer(nn.Module):
    """A block: attention with one head and two layers, each beside a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.query, self.key, self.value, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        looks = F.softmax(self.query(y) @ self.key(y).T / 8**0.5, dim=-1)
        x = x + self.out(looks @ self.value(y))
        return x + self.down(F.relu(self.up(self.norm2(x))))


class Adversaries(nn.Module):
    """A GAN with its two losses: the judge is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))
        self.judge = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, noise: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        made = self.judge(self.maker(noise))
        return F.softplus(-self.judge(real)).mean() + F.softplus(made).mean(), F.softplus(
            -made
        ).mean()


def series(*shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape)


MODELS: dict[str, tuple[type[nn.Module], Callable[[], tuple[Tensor, ...]]]] = {
    "Character language model": (LanguageModel, lambda: (torch.randint(0, 27, (4, 1)),)),
    "Sequence classifier": (Classifier, lambda: (series(100, 1, 4),)),
    "Bidirectional tagger over an embedding": (Tagger, lambda: (torch.randint(0, 50, (4, 1)),)),
    "Layer norm between layers": (NormedStack, lambda: (series(4, 1, 4),)),
    "Residual recurrent layers": (ResidualStack, lambda: (series(4, 1, 6),)),
    "Directions added up": (SummedDirections, lambda: (series(4, 1, 4),)),
    "Sequence to sequence": (Seq2Seq, lambda: (series(4, 1, 3),)),
    "Additive attention": (Bahdanau, lambda: (series(4, 1, 3),)),
    "Dot-product attention": (Luong, lambda: (series(4, 1, 3),)),
    "Probabilistic forecaster": (Forecaster, lambda: (series(30, 1, 2),)),
    "Siamese LSTM": (Siamese, lambda: (series(3, 1, 3), series(3, 1, 3))),
    "LSTM autoencoder": (LstmAutoencoder, lambda: (series(4, 1, 3),)),
    "Words, sentences, document": (Hierarchical, lambda: (series(3, 3, 1, 4),)),
    "Four cells with feedback": (Deep, lambda: (series(40, 1, 3),)),
    "Dilated recurrence": (Skipping, lambda: (series(9, 1, 3),)),
    "Multi-layer perceptron": (Perceptron, lambda: (series(5, 4),)),
    "Variational autoencoder": (Variational, lambda: (series(5, 8), series(5, 2))),
    "Tied autoencoder": (TiedAutoencoder, lambda: (series(5, 8),)),
    "Transformer block": (Transformer, lambda: (series(5, 8),)),
    "GAN with two losses": (Adversaries, lambda: (series(5, 2), series(5, 4))),
}


def draw(tool: str, model: nn.Module, given: tuple[Tensor, ...], path: Path) -> None:
    """One picture by one tool."""
    if tool == "tinygrad_rnn":
        import tinygrad_rnn as tg

        tg.draw(model, path, inputs=given, engine="system")
    elif tool == "torchview":
        import torchview

        found = torchview.draw_graph(model, input_data=given, depth=3)
        found.visual_graph.render(path.with_suffix(""), format="svg", cleanup=True)
    elif tool == "torchviz":
        from torchviz import make_dot

        made = make_dot(model(*given), params=dict(model.named_parameters()))
        made.render(path.with_suffix(""), format="svg", cleanup=True)
    else:
        import torchlens

        torchlens.trace(model, given).draw(
            vis_mode="unrolled",
            vis_outpath=str(path.with_suffix("")),
            vis_fileformat="svg",
            vis_save_only=True,
        )


def slug(name: str) -> str:
    """A file's name."""
    return re.sub(r"\W+", "_", name.lower())


def shapes(svg: str) -> int:
    """How many nodes of an SVG by Graphviz have a shape: text alone and invisible ends do not count."""
    groups = re.findall(r'<g [^>]*class="node\b[^"]*">(.*?)</g>\n', svg, re.DOTALL)
    return sum(bool(re.search("<(path|polygon|ellipse)", group)) for group in groups)


def one(tool: str, folder: Path) -> None:
    """In a process of its own: every model by one tool, a line of JSON each."""
    torch.set_num_threads(1)
    first = (Perceptron, Classifier, LanguageModel, Tagger, Luong)  # all that is compiled once
    for kind in first if tool == "tinygrad_rnn" else first[:1]:
        _, given = next(pair for pair in MODELS.values() if pair[0] is kind)
        draw(tool, kind(), given(), folder / "warm.svg")

    def late(*_: Any) -> None:
        raise TimeoutError(f"not done in {LIMIT} s")

    signal.signal(signal.SIGALRM, late)
    for name, (kind, given) in MODELS.items():
        torch.manual_seed(0)
        model, inputs, path = kind(), given(), folder / f"{slug(name)}.svg"
        start, found = time.perf_counter(), {"model": name}
        signal.alarm(LIMIT)
        try:
            draw(tool, model, inputs, path)
            signal.alarm(0)
            svg = path.read_text(encoding="utf-8")
            size = re.search(r'<svg width="(\d+)[^"]*" height="(\d+)', svg)
            seconds = time.perf_counter() - start
            found |= {"seconds": round(seconds, 3), "nodes": shapes(svg)}
            found |= {"size": [int(n) for n in size.groups()] if size else None}
        except Exception as error:  # what a tool says of a model that it cannot draw
            found["failed"] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        finally:
            signal.alarm(0)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def line(tool: str, found: dict[str, Any] | None) -> str:
    """A tool's figures as a row of a table."""
    if found is None or "failed" in found:
        late = found is not None and "not done" in found["failed"]
        why = "not measured" if found is None else f"not done in {LIMIT} s" if late else "fails"
        return f"| {tool} | | | {why} |"
    width, height = found["size"]
    return f"| {tool} | {found['nodes']} | {width} x {height} | {found['seconds']:.2f} |"


def page(figures: dict[str, dict[str, Any]], versions: dict[str, str]) -> str:
    """The page: each architecture's picture and figures."""
    said = ", ".join(f"{tool} {version}" for tool, version in versions.items())
    where = "../pictures/architectures"
    lines = [
        "# Twenty architectures, drawn",
        "",
        "Each is a `torch.nn.Module` with a forward of its own, drawn by `tg.draw(model, x)`: every set of",
        "weights is drawn once, with a line to each use. The figures of each picture are below it:",
        "how many nodes, width x height in points, and seconds from the model to the SVG, beside those of",
        f"other tools on the same model and input ({said}).",
        "",
        "Nodes are no measure of quality: torchview and TorchLens show `nn.LSTM` and `nn.GRU` as one",
        "box, torchviz what autograd keeps of them; here every step is drawn, of long runs only both ends.",
        "",
        "The models, and the script that wrote this page: `benchmarks/architectures.py`. A model of one's",
        "own is drawn by the same call:",
        "",
        "```python",
        "import tinygrad_rnn as tg",
        "",
        "model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.Tanh(), tg.nn.Linear(8, 1))",
        'print(tg.draw(model, "mlp.svg", inputs=tg.randn(3, 4)))',
        "```",
        "",
        "```text",
        "mlp.svg",
        "```",
        "",
    ]
    for name, (kind, _) in MODELS.items():
        words = " ".join((kind.__doc__ or "").split())
        lines += [
            f"## {name}",
            "",
            words,
            "",
            f"[![{name}: {words}]({where}/{slug(name)}.svg)]({where}/{slug(name)}.svg)",
            "",
            "| | nodes | points | seconds |",
            "| --- | ---: | ---: | ---: |",
            *(line(tool, figures.get(tool, {}).get(name)) for tool in TOOLS),
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--one", nargs=2, metavar=("TOOL", "FOLDER"))
    parser.add_argument("--only", nargs="+", choices=TOOLS, default=list(TOOLS))
    options = parser.parse_args()
    if options.one:
        one(options.one[0], Path(options.one[1]))
        return
    from importlib.metadata import version

    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    figures, versions = known.get("figures", {}), known.get("versions", {})
    for tool in options.only:
        with tempfile.TemporaryDirectory() as folder:
            target = PICTURES if tool == "tinygrad_rnn" else Path(folder)
            target.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, __file__, "--one", tool, str(target)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            sys.stderr.write(f"{tool}: {len(rows)} drawn\n{done.stderr[-500:] if not rows else ''}")
            figures[tool] = {row.pop("model"): row for row in rows}
            (target / "warm.svg").unlink(missing_ok=True)
            if tool != "tinygrad_rnn":
                versions[tool] = version(tool.lower())
    text = json.dumps({"versions": versions, "figures": figures}, indent=1)
    FIGURES.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(page(figures, versions), encoding="utf-8")


if __name__ == "__main__":
    main()
