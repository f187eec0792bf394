"""What does a student start from? A solution's file with the bodies taken out, as a script or a notebook."""

from __future__ import annotations

import ast
import inspect
import json
import re
from typing import Any

from .tasks import EXERCISES, Exercise

HEAD = '''"""{title}

Fill in the functions below; their docstrings say what goes in and what comes out. Then mark them:

    tinygrad-rnn exercise check {file}

The marker names the first thing that is wrong: its step, its gate, its term.
"""

import numpy as np
'''


def exercise_named(name: str) -> Exercise:
    """An exercise; a ``ValueError`` lists their names."""
    for exercise in EXERCISES:
        if exercise.name == name:
            return exercise
    names = ", ".join(exercise.name for exercise in EXERCISES)
    raise ValueError(f"there is no exercise {name!r}; there are: {names}")


def stub(name: str, file: str = "") -> str:
    """The text of a Python file to fill in.

    >>> from tinygrad_rnn import exercises
    >>> "def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):" in exercises.stub("lstm")
    True
    """
    title, imports, parts = _parts(exercise_named(name))
    head = HEAD.format(title=title, file=file or f"{name}.py")
    return (
        "\n\n\n".join([head + imports, *(text for _, text in parts)]).replace("\n\n\n\n", "\n\n\n")
        + "\n"
    )


def notebook(name: str) -> str:
    """The same as a Jupyter notebook: a cell a function, and one that marks it."""
    title, imports, parts = _parts(exercise_named(name))
    words = (
        "Fill in each function and run the cell below it: the marker names the first thing that is "
    )
    words += "wrong, its step, its gate, its term."
    cells = [_cell("markdown", f"# {title.rstrip('.')}\n\n{words}")]
    setup = f"import numpy as np\n\nfrom tinygrad_rnn import exercises\n{imports}".rstrip()
    cells.append(_cell("code", setup))
    for task, text in parts:
        cells.append(_cell("code", text))
        if task:
            cells.append(_cell("code", f"exercises.check({task})"))
    for k, cell in enumerate(cells):
        cell["id"] = f"{name}-{k}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _parts(exercise: Exercise) -> tuple[str, str, list[tuple[str, str]]]:
    """The title, the imports of what is given, and each function: its name if it is asked, its text."""
    module = exercise.tasks[0].solution
    tree = ast.parse(inspect.getsource(module))
    asked = {task.name for task in exercise.tasks}
    given = [
        f"from tinygrad_rnn.exercises.solutions.{node.module} import {', '.join(n.name for n in node.names)}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    imports = "\n" + "\n".join(given) + "\n" if given else ""
    functions = [
        (node.name if node.name in asked else "", _text(node, node.name in asked))
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    ]
    return ast.get_docstring(tree) or exercise.name, imports, functions


def _text(node: ast.FunctionDef, empty: bool) -> str:
    """A function without annotations, and without its body where that is to be written."""
    arguments = ", ".join(argument.arg for argument in node.args.args)
    words = ast.get_docstring(node, clean=True) or ""
    lines = [
        f"def {node.name}({arguments}):",
        _indented(f'"""{words}' + ('\n"""' if "\n" in words else '"""')),
    ]
    body = (
        [f'raise NotImplementedError("write {node.name}")']
        if empty
        else map(ast.unparse, node.body[1:])
    )
    return "\n".join([*lines, *map(_indented, body)])


def _indented(text: str) -> str:
    return re.sub(r"^(?=.)", "    ", text, flags=re.MULTILINE)


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "metadata": {},
        "source": source.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
