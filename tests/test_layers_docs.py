"""docs/layers.md: its code runs, its table names every option, and its counts are the layers'."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinygrad_rnn import nn

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.fixture(scope="module")
def benchmark():
    """benchmarks/layers.py as a module, without what sets the threads: numpy is loaded here."""
    spec = importlib.util.spec_from_file_location("layers_bench", ROOT / "benchmarks" / "layers.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pairs", SimpleNamespace(pin=None))
        spec.loader.exec_module(module)
    return module


def test_the_pages_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 7
    exec(compile("\n".join(blocks), "docs/layers.md", "exec"), {"__name__": "layers"})


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU, nn.Recurrent])
def test_every_option_has_a_row(make):
    named = {word for row in ROWS for word in re.findall(r"`([a-z_]+)=?`", row.split("|")[1])}
    wanted = set(inspect.signature(make).parameters) - {"cell"}
    assert wanted <= named, f"docs/layers.md lacks {wanted - named}"


def test_every_option_of_a_call_has_a_row():
    for call in (nn.LSTM.forward, nn.Recurrent.forward):
        for name, parameter in inspect.signature(call).parameters.items():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                assert f"| `{name}=`" in PAGE
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                assert f"| `**{name}`" in PAGE


def test_every_layer_has_a_row():
    made = [nn.RNN, nn.LSTM, nn.GRU, nn.LayerNormLSTMCell, nn.CoupledLSTMCell]
    for name in [m.__name__ for m in made]:
        assert f"| `{name}`" in PAGE


def test_the_counts_are_what_the_layers_have(benchmark):
    """Each benchmark row is named in the page, with the number of parameters that it has."""
    for row, (layer, run) in benchmark.programs().items():
        cited = [line for line in ROWS if f"`{row}`" in line]
        assert cited, f"docs/layers.md lacks the row {row!r}"
        for line in cited:
            count, us = (cell.strip() for cell in line.split("|")[-3:-1])
            assert count == f"{benchmark.parameters(layer):,}", line
            assert us.isdigit(), line
        if row in ("GRU", "LSTM lengths", "LSTM step, no_grad, forward alone"):
            run()
