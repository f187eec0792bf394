"""Write docs/reference.md: every public name with its signature and its docstring's first sentence.

python docs/make_reference.py
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import exercises, experiments

HERE = Path(__file__).parent

ROOMS: list[tuple[str, str, ModuleType]] = [
    ("tg", "Tensors, functions, graphs, pictures", tg),
    ("tg.linalg", "Norms", tg.linalg),
    ("tg.func", "Derivatives of functions", tg.func),
    ("tg.nn", "Modules", tg.nn),
    ("tg.nn.functional", "Layers and losses as functions", tg.nn.functional),
    ("tg.nn.init", "How parameters start", tg.nn.init),
    ("tg.nn.utils", "Gradients clipped, sequences padded and masked", tg.nn.utils),
    ("tg.utils.data", "Data sets, and the loader", tg.utils.data),
    ("tg.optim", "Optimizers", tg.optim),
    ("tg.optim.lr_scheduler", "Schedules of the learning rate", tg.optim.lr_scheduler),
    ("tg.training", "Batches and the training loop", tg.training),
    ("tg.forecasting", "From a series to a forecast and its test", tg.forecasting),
    ("tg.plots", "Plots of results (extra `plot`)", tg.plots),
    ("tg.interop", "To and from other frameworks and ONNX", tg.interop),
    ("tg.distributed", "Several processes or machines (extra `mpi`)", tg.distributed),
    ("tinygrad_rnn.exercises", "Exercises that mark themselves", exercises),
    ("tg.data", "Series of your own and series that ship, generated tasks, baselines", tg.data),
    ("tinygrad_rnn.experiments", "The frame of the examples", experiments),
]


# Rooms whose extra need not be installed here: read, not imported.
UNIMPORTED: list[tuple[str, str, str]] = [
    ("tg.estimators", "Estimators for scikit-learn (extra `sklearn`)", "estimators/__init__.py"),
    (
        "tinygrad_rnn.estimators.forecasting",
        "A forecaster for sktime (`pip install sktime`)",
        "estimators/forecasting.py",
    ),
]


def public(module: ModuleType) -> list[str]:
    """The public names of a module that are classes or functions of this package."""
    listed = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    found = [n for n in listed if not isinstance(getattr(module, n), ModuleType)]
    return sorted(found, key=str.lower)


def sentence(value: Any) -> str:
    """The first paragraph of a docstring, on one line, as Markdown."""
    if isinstance(value, str):  # a constant: str's own docstring is not about it
        return f"the text `{value}`"
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", inspect.getdoc(value) or "").replace("``", "`")
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def signature(name: str, value: Any) -> str:
    """The call as it is typed, without annotations."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return name
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return f"{name}{inspect.Signature(bare)}"


def table(prefix: str, owner: Any, names: list[str]) -> list[str]:
    """A row a name."""
    lines = ["| name | what it is |", "| --- | --- |"]
    for name in names:
        value = inspect.getattr_static(owner, name) if inspect.isclass(owner) else None
        value = getattr(owner, name) if value is None else value
        value = getattr(value, "__func__", value)
        if hasattr(value, "kind") and not callable(value):
            lines.append(f"| `{prefix}.{name}` | the dtype {value} |")
        elif isinstance(value, property):
            lines.append(f"| `{name}` | {sentence(value)} |")
        else:
            shown = signature(name, value).replace("(self, ", "(").replace("(self)", "()")
            lines.append(f"| `{shown.replace('|', chr(92) + '|')}` | {sentence(value)} |")
    return lines


def read(prefix: str, file: str) -> list[str]:
    """A line a public class of a file."""
    tree = ast.parse((HERE.parent / "tinygrad_rnn" / file).read_text(encoding="utf-8"))
    classes = [
        c for c in tree.body if isinstance(c, ast.ClassDef) and c.name.startswith("Recurrent")
    ]
    return [
        f"- `{prefix}.{c.name}`: {' '.join((ast.get_docstring(c) or '').partition(chr(10) * 2)[0].split())}"
        for c in classes
    ]


def reference() -> str:
    """The page."""
    lines = [
        "# Reference",
        "",
        "Every public name. Written by `docs/make_reference.py` from the docstrings, which say more:",
        "the equation, shapes, errors, source and an example (`help(tg.nn.LSTM)`).",
        "",
    ]
    for prefix, title, module in ROOMS:
        lines += [f"## `{prefix}`: {title}", "", *table(prefix, module, public(module)), ""]
    methods = [n for n in dir(tg.Tensor) if not n.startswith("_") and n != "kind"]
    lines += ["## On a Tensor", "", *table("tg.Tensor", tg.Tensor, sorted(methods)), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "reference.md").write_text(reference(), encoding="utf-8", newline="\n")
