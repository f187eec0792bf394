"""Plain words: values, weights and networks do not stand, say, tell, hear or err, wherever users read."""

import argparse
import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

from tinygrad_rnn.commands.cli import parser

HOME = Path(__file__).parent.parent
ROOMS = (
    "",
    "nn",
    "nn.functional",
    "optim",
    "data",
    "forecasting",
    "estimators",
    "exercises",
    "plots",
    "interop",
)
THINGS = (
    "array|batch|box|calendar|cell|column|contribution|copy|edge|forecast|forecaster|function|gate|gradient|graph|layer|"
    "learner|loss|mean|model|module|network|node|number|op|parameter|part|picture|quantile|row|scaler|sequence|"
    "series|slab|state|step|sum|tensor|use|value|weight|window"
)
FIGURES = re.compile(
    r"\b(stands?|stood|hears?|heard|errs?|erred|opinions?|speaks?|spoke)\b"
    rf"|\b(?:{THINGS})(?:s|es)? (?:then |each |may |will |can )?"
    r"(says?|said|tells?|told|believes?|claims?|wants?)\b"
    r"|\bwho(?:ever)? (says?|asks?|hears?|tells?)\b",
    re.IGNORECASE,
)
# "understand", "stand-in" and names of code are other words; so is an error, which says something.
ALLOWED = re.compile(
    r"`[^`]*`|stand-?(?:in|alone|by)s?|```.*?```|\]\([^)]*\)", re.DOTALL | re.IGNORECASE
)
PAGES = sorted(
    path
    for path in [
        HOME / "README.md",
        *(HOME / "docs").rglob("*.md"),
        *(HOME / "docs").rglob("*.ipynb"),
    ]
    if path.name not in ("pytorch_calls.md", "performance.md", "reference.md", "README.md")
    or path.parent == HOME
)


def words(text):
    return [found.group() for found in FIGURES.finditer(ALLOWED.sub(" ", text))]


def read(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def documented(room):
    """Public names of a room with their docstrings, methods of classes among them."""
    module = importlib.import_module(f"tinygrad_rnn.{room}".rstrip("."))
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.ismodule(thing) or not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        yield name, inspect.getdoc(thing) or ""
        for part, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not part.startswith("_") and (
                inspect.isroutine(value) or isinstance(value, property)
            ):
                yield f"{name}.{part}", inspect.getdoc(value) or ""


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_a_page_is_plain(path):
    assert not words(read(path))


@pytest.mark.parametrize("path", sorted((HOME / "examples").glob("*.py")), ids=lambda p: p.name)
def test_an_example_is_plain(path):
    """Its docstring is a page of the site, in a checkout without the built pages too."""
    assert not words(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_of_public_names_are_plain(room):
    if room == "estimators":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra examples)")
    found = {name: said for name, text in documented(room) if (said := words(text))}
    assert not found


def test_help_is_plain():
    """Of every command, and of its arguments."""
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        assert not words(command.format_help()), name
    assert {*commands.choices} >= {"demo", "fit", "draw", "exercise", "train", "bench", "info"}
    assert not words(parser().format_help())


def test_what_is_looked_for():
    assert words("The mean, whatever came, errs by 1/6") == ["errs"]
    assert words("values that stand under a graph, steps that say where") == ["stand"]
    assert words("a layer says `stands`; the gradient hears of it") == ["layer says", "hears"]
    assert not words("An error says why; you understand it; `x.stand()` is a stand-in")
