"""Every public signature reads as it is written: no annotation stands in quotes."""

import importlib
import inspect
import subprocess
import sys
import typing

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.signatures import Written

ROOMS = [
    "", "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "optim", "optim.lr_scheduler", "data",
    "training", "interop", "plots", "derivatives.transforms", "forecasting", "distributed", "linalg",
    "distributions", "exercises", "experiments", "autograd", "onnx", "utils.data",
]  # fmt: skip


def room(name):
    return importlib.import_module(f"tinygrad_rnn.{name}" if name else "tinygrad_rnn")


def callables(name):
    """(what it is called, function) for the public names of a room, and the methods of its classes."""
    module = room(name)
    for public in dir(module):
        if public.startswith("_"):
            continue
        try:
            value = getattr(module, public)
        except ImportError:  # an extra's name, where the extra is not installed
            continue
        if not callable(value) or not getattr(value, "__module__", "").startswith("tinygrad_rnn"):
            continue
        yield f"{name}.{public}", value
        for part, method in inspect.getmembers(value) if isinstance(value, type) else ():
            ours = getattr(method, "__module__", None) or ""
            if inspect.isroutine(method) and ours.startswith("tinygrad_rnn") and part[0] != "_":
                yield f"{name}.{public}.{part}", method


@pytest.mark.parametrize("name", ROOMS)
def test_no_annotation_stands_in_quotes(name):
    quoted, seen = [], 0
    for what, value in callables(name):
        try:
            signature = inspect.signature(value)
        except ValueError:  # a class of Python's own, such as an enum
            continue
        seen += 1
        parts = [p.annotation for p in signature.parameters.values()]
        if any(type(a) in (str, typing.ForwardRef) for a in (*parts, signature.return_annotation)):
            quoted.append(f"{what}{signature}")
    assert not quoted
    assert seen


def test_what_help_and_others_read():
    assert (
        str(inspect.signature(tg.chunk))
        == "(input: Tensor, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]"
    )
    assert str(inspect.signature(tg.nn.Linear)).startswith("(in_features: int, out_features: int")
    assert "hidden_size: int" in str(inspect.signature(tg.nn.LSTM))
    assert str(inspect.signature(tg.Tensor.backward)).endswith("-> Ledger | None")
    hints = typing.get_type_hints(tg.nn.functional.cross_entropy)
    assert hints["return"] is tg.Tensor
    assert hints["label_smoothing"] is float
    assert isinstance(Written("int"), str)
    assert (Written("int"), hash(Written("int")), repr(Written("int"))) == (
        "int",
        hash("int"),
        "int",
    )


def test_the_estimators_and_help_in_a_fresh_process():
    words = subprocess.run(
        [sys.executable, "-c", "import tinygrad_rnn as tg; help(tg.nn.GRU.__init__); help(tg.fit)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "hidden_size: int" in words
    assert "fit(" in words
    assert "'" not in words.split("Initialize")[0].replace("'none'", "").replace("'mean'", "")
