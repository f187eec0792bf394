"""The notebooks run from top to bottom, show what they talk about, and are kept without outputs."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.plots.cards import MOST_ROWS, history_html, module_html

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
RUN = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=240, kernel_name="python3").execute()
nbformat.write(book, sys.argv[2])
"""
SHOWN = {  # words that a notebook must have printed
    "one_set_of_weights": [
        "300 steps: 108 numbers, weight_hh_l0 is used 300 times",
        "(4, 12, 3) sums over its first axis to (12, 3)",
        "t = 4: IndexError",
    ],
    "what_a_gradient_says_about_time": ["w.grad: 0.108", "of the constant 0: 1"],
    "your_own_cell": ["True", "compiled, run by numpy", "MGU: validation loss 0.0"],
}
PICTURES = {"one_set_of_weights": 2, "what_a_gradient_says_about_time": 5, "your_own_cell": 1}


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows(path, tmp_path):
    if not all(map(importlib.util.find_spec, ("nbclient", "ipykernel", "matplotlib"))):
        pytest.skip("nbclient is not installed (extra docs)")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(tmp_path / "done.ipynb")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINYGRAD_RNN_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    book = json.loads((tmp_path / "done.ipynb").read_text(encoding="utf-8"))
    outputs = [out for cell in book["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.get("name") == "stderr"]
    said = "\n".join("".join(out.get("text", "")) for out in outputs)
    shown = [out["data"] for out in outputs if "data" in out]
    said += "\n".join("".join(data.get("text/plain", "")) for data in shown)
    for words in SHOWN[path.stem]:
        assert words in said
    assert sum("image/svg+xml" in data for data in shown) == PICTURES[path.stem]
    assert path.stem == "what_a_gradient_says_about_time" or any("text/html" in d for d in shown)


def test_a_module_shows_its_parameters():
    html = nn.LSTM(4, 3)._repr_html_()
    assert "LSTM(4, 3)</code>: 108 numbers in 4 Parameters" in html
    assert html.count("<tr>") == 5
    assert "(12, 4)" in html
    frozen = nn.Linear(2, 1)
    frozen.bias.requires_grad = False
    assert module_html(frozen).count("frozen") == 1
    assert "no Parameters" in module_html(nn.Tanh())
    many = nn.ModuleList([nn.Linear(1, 1) for _ in range(20)])
    assert f"... and {40 - MOST_ROWS} more" in module_html(many)


class Sly(nn.Module):
    def extra_repr(self):
        return "<script>"


def test_what_a_user_named_is_escaped():
    assert "<script>" not in module_html(Sly())


def test_a_history_shows_its_course():
    history = tg.training.History()
    assert "nothing yet" in history._repr_html_()
    assert "<table>" not in history._repr_html_()
    history.rows.append({"epoch": 1, "loss": 0.5, "validation": None, "lr": 0.1})
    assert "validation" not in history_html(history)
    assert "<svg" not in history_html(history)
    history.rows.append({"epoch": 2, "loss": 0.25, "validation": None, "lr": 0.1})
    history.baseline = 1.0
    html = history_html(history)
    assert html.count("<svg") == 1
    assert [word in html for word in ("first", "best", "last", "0.25", "baseline")] == [True] * 5


def test_a_history_without_matplotlib_is_a_table(monkeypatch):
    history = tg.training.History()
    history.rows += [{"epoch": k, "loss": 1.0, "validation": 2.0, "lr": 0.1} for k in (1, 2)]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    html = history_html(history)
    assert "<svg" not in html
    assert html.count("<tr>") == 4
