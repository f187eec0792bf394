"""What does ``tinygrad-rnn draw`` draw? A layer by its name, or what a script recorded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiments.arguments import UserError, count
from .command import Command, blamed, run_script

if TYPE_CHECKING:
    from ..graphs import Graph


def _arguments(p: argparse.ArgumentParser) -> None:
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "source",
        nargs="?",
        metavar="SCRIPT.py:NAME",
        help="draw what NAME in a script is: a Tensor, a Graph, a layer (with --steps), or a function "
        "without arguments that returns one",
    )
    what.add_argument("--layer", choices=sorted(_layers()), help="draw a layer of this kind")
    p.add_argument(
        "--steps",
        metavar="N",
        type=count(1),
        help="time steps to unroll a layer over (default: 4)",
    )
    for size, default, words in (
        ("--input", 4, "features of its input"),
        ("--hidden", 3, "features of its state"),
        ("--layers", 1, "how many, one on the other"),
    ):
        words = f"with --layer: {words} (default: %(default)s)"
        p.add_argument(size, metavar="N", type=count(1), default=default, help=words)
    p.add_argument(
        "--level",
        choices=["auto", "layer", "cell", "op", "scalar"],
        default="auto",
        help="a box a cell or a box an op (default: %(default)s)",
    )
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to; the ending .svg, .png, .pdf, .dot or .html (a page to explore) says the format "
        "(default: NAME.svg)",
    )
    p.add_argument(
        "--json",
        action="store_true",
        help="print as JSON what was drawn: the file, the time steps, each Parameter and its uses",
    )


def _run(options: argparse.Namespace) -> None:
    from ..drawing.draw import draw
    from ..drawing.output import DrawingError
    from ..graphs.graph import as_graph

    steps = options.steps
    if options.layer is not None:
        kind = _layers()[options.layer]
        subject: Any = kind(options.input, options.hidden, num_layers=options.layers)
        name, steps = options.layer, steps or 4
    else:
        subject, name = _from_script(options.source)
        steps = (steps or 4) if _is_module(subject) else None
        if steps is None and options.steps is not None:
            raise UserError(
                f"--steps {options.steps}: {name} is no layer, its steps are recorded already"
            )
    path = options.output or Path(f"{name}.svg")
    try:
        graph, _ = as_graph(subject, steps, loss=path.suffix.lower() == ".html")
        written = draw(graph, path, options.level)
    except (DrawingError, ValueError, TypeError) as error:
        raise UserError(str(error)) from error
    print(json.dumps(_facts(graph, written), indent=2) if options.json else Path(written))


def _facts(graph: Graph, path: str) -> dict[str, Any]:
    """What a program may want to know of a picture."""
    return {
        "file": str(Path(path)),
        "nodes": len(graph),
        "steps": len(graph.steps),
        "parameters": {
            name: {"shape": list(node.shape), "uses": len(graph.uses(name))}
            for name, node in graph.parameters.items()
        },
    }


def _layers() -> dict[str, Any]:
    """Every recurrent layer that ``nn`` has, by the name that users type."""
    from .. import nn
    from ..nn.stacks import RecurrentLayer

    found = [v for v in vars(nn).values() if isinstance(v, type) and issubclass(v, RecurrentLayer)]
    return {kind.__name__.lower(): kind for kind in found if kind is not RecurrentLayer}


def _is_module(subject: Any) -> bool:
    from ..nn import Module

    return isinstance(subject, Module)


def _from_script(source: str) -> tuple[Any, str]:
    """Run a script and take the value of a name in it; a function is called."""
    script, colon, name = source.rpartition(":")
    if not colon or not name.isidentifier():
        raise UserError(f"{source!r}: expected SCRIPT.py:NAME, for example model.py:loss")
    values = run_script(Path(script))
    if name not in values:
        known = ", ".join(k for k in values if not k.startswith("_")) or "nothing"
        raise UserError(f"{script} has no {name!r}; it has: {known}")
    value = values[name]
    if callable(value) and not _is_module(value):
        with blamed(Path(script)):
            value = value()
    return value, name


COMMAND = Command(
    "draw",
    "draw a layer, or what a script recorded",
    "Draw the unrolled graph: every Parameter once, with a tap for each use.\n\n"
    "  tinygrad-rnn draw --layer lstm --steps 4 -o lstm.svg\n"
    "  tinygrad-rnn draw --layer lstm --steps 4 -o page.html\n"
    "  tinygrad-rnn draw model.py:loss -o loss.svg",
    _arguments,
    _run,
)
