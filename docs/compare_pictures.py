"""Draw the same LSTM with torchview, torchviz, TorchLens and this project, and time it.

    python -m pip install torch torchview torchviz torchlens && python docs/compare_pictures.py [FOLDER]

Not run in CI. Each drawing runs in a process of its own, from running the network to the SVG; seconds are of
processor time, Graphviz's included, and LIMIT holds for each of the two. One Graphviz draws for all (the
system's ``dot``). With FOLDER all SVG files go there; what the page shows goes to docs/pictures/compared/ by
hand, after looking at it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

INPUT, HIDDEN, LIMIT = 4, 3, 20
LENGTHS = (3, 20, 100)


def torch_loop(steps: int) -> tuple[Any, Any]:
    """``torch.nn.LSTMCell`` in a loop, as a module that returns all outputs; and its input."""
    import torch

    class Loop(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.LSTMCell(INPUT, HIDDEN)

        def forward(self, x: Any) -> Any:
            state, outputs = None, []
            for x_t in x:
                state = self.cell(x_t, state)
                outputs.append(state[0])
            return torch.stack(outputs)

    torch.manual_seed(0)
    return Loop(), torch.randn(steps, 1, INPUT)


def torchview_layer(steps: int, path: Path) -> None:
    """torchview of torch.nn.LSTM itself."""
    import torch
    import torchview

    model = torch.nn.LSTM(INPUT, HIDDEN)
    picture = torchview.draw_graph(model, input_data=torch.randn(steps, 1, INPUT), depth=3)
    picture.visual_graph.render(path.with_suffix(""), format="svg", cleanup=True)


def torchview_loop(steps: int, path: Path) -> None:
    """torchview of the loop over LSTMCell."""
    import torchview

    model, x = torch_loop(steps)
    picture = torchview.draw_graph(model, input_data=x, depth=3)
    picture.visual_graph.render(path.with_suffix(""), format="svg", cleanup=True)


def torchview_rolled(steps: int, path: Path) -> None:
    """torchview of the loop with roll=True, which draws a module that recurs once."""
    import torchview

    model, x = torch_loop(steps)
    picture = torchview.draw_graph(model, input_data=x, depth=3, roll=True)
    picture.visual_graph.render(path.with_suffix(""), format="svg", cleanup=True)


def torchviz_loop(steps: int, path: Path) -> None:
    """torchviz of the loop over LSTMCell."""
    from torchviz import make_dot

    model, x = torch_loop(steps)
    picture = make_dot(model(x), params=dict(model.named_parameters()))
    picture.render(path.with_suffix(""), format="svg", cleanup=True)


def torchlens_loop(steps: int, path: Path) -> None:
    """TorchLens of the loop over LSTMCell, all passes drawn."""
    import torchlens

    model, x = torch_loop(steps)
    trace = torchlens.trace(model, x)
    trace.draw(
        vis_mode="unrolled",
        vis_outpath=str(path.with_suffix("")),
        vis_fileformat="svg",
        vis_save_only=True,
    )


def ours(level: str) -> Callable[[int, Path], None]:
    """tinygrad_rnn at a level; long graphs fold by themselves."""

    def draw(steps: int, path: Path) -> None:
        import tinygrad_rnn as tg
        from tinygrad_rnn import nn

        tg.manual_seed(0)
        y, _ = nn.LSTM(INPUT, HIDDEN)(tg.randn(steps, 1, INPUT))
        tg.draw(y, path, level=level, engine="system")

    return draw


TOOLS: dict[str, Callable[[int, Path], None]] = {
    "torchview, nn.LSTM": torchview_layer,
    "torchview, LSTMCell loop": torchview_loop,
    "torchview, LSTMCell loop, roll=True": torchview_rolled,
    "torchviz, LSTMCell loop": torchviz_loop,
    "TorchLens, LSTMCell loop": torchlens_loop,
    "tinygrad_rnn, cells": ours("cell"),
    "tinygrad_rnn, ops": ours("op"),
}


def shapes(svg: str) -> int:
    """How many nodes of an SVG by Graphviz have a shape: text alone and invisible ends do not count."""
    groups = re.findall(r'<g [^>]*class="node\b[^"]*">(.*?)</g>\n', svg, re.DOTALL)
    return sum(bool(re.search("<(path|polygon|ellipse)", group)) for group in groups)


def measured(tool: str, steps: int, path: Path) -> dict[str, Any]:
    """Run one tool in a process of its own: seconds, shapes, width and height in points."""
    command = [sys.executable, __file__, "--one", tool, str(steps), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "SIGXCPU" in done.stderr or done.returncode == -signal.SIGXCPU:
        return {"failed": f"not done in {LIMIT} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def one(tool: str, steps: int, path: Path) -> None:
    """In the process: a first picture of two steps to have everything loaded, then the one that is timed."""
    with tempfile.TemporaryDirectory() as folder:
        TOOLS[tool](2, Path(folder) / "warm.svg")
    start = _processor_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(start) + LIMIT, int(start) + LIMIT + 5))
    TOOLS[tool](steps, path)
    seconds = _processor_time() - start
    svg = path.read_text(encoding="utf-8")
    size = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    wide, high = (round(float(n)) for n in size.groups()) if size else (0, 0)
    words = {"seconds": round(seconds, 3), "shapes": shapes(svg), "width": wide, "height": high}
    print(json.dumps({**words, "kB": round(len(svg) / 1000)}))


def _processor_time() -> float:
    """Of this process and of what it ran."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Print the table of the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "STEPS", "PATH"))
    args = parser.parse_args()
    if args.one:
        tool, steps, path = args.one
        one(tool, int(steps), Path(path))
        return
    with tempfile.TemporaryDirectory() as empty:
        folder = args.folder or Path(empty)
        folder.mkdir(exist_ok=True)
        print(
            "| | T | shapes | points | kB | seconds |\n| --- | ---: | ---: | ---: | ---: | ---: |"
        )
        for tool in TOOLS:
            for steps in LENGTHS:
                name = re.sub(r"\W+", "_", tool.lower())
                row = measured(tool, steps, folder / f"{name}_{steps}.svg")
                if "failed" in row:
                    print(f"| {tool} | {steps} | | | | {row['failed']} |", flush=True)
                    continue
                size = f"{row['width']} x {row['height']}"
                figures = f"{row['shapes']:,} | {size} | {row['kB']:,} | {row['seconds']:.2f}"
                print(f"| {tool} | {steps} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
