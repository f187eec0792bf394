"""The exercises mark themselves: right answers pass, and of a wrong one the first wrong term is named."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from planted_slips import PLANTED, PROGRAMS

import tinygrad_rnn as tg
from tinygrad_rnn import exercises, nn
from tinygrad_rnn.commands import cli
from tinygrad_rnn.exercises.solutions import inlined
from tinygrad_rnn.exercises.solutions.lstm import lstm_forward, lstm_step
from tinygrad_rnn.exercises.solutions.rnn import rnn_forward, rnn_step
from tinygrad_rnn.exercises.tasks import EXERCISES

TASKS = {task.name: task for exercise in EXERCISES for task in exercise.tasks}
LONG = ("lstm_backward", "rnn_backward", "rnn_tbptt")  # seconds each: run among the slow tests


def program(name, old="", new="", extra=""):
    """A student's function, with what it may call beside it."""
    names = {"np": np, **{n: task.right for n, task in TASKS.items()}}
    assert old in PROGRAMS[name]
    exec(compile(PROGRAMS[name].replace(old, new) + extra, "student.py", "exec"), names)
    return names[name]


# ---- what is right ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_solution_is_right(name):
    assert exercises.check(TASKS[name].right).right


@pytest.mark.parametrize("name", PROGRAMS)
def test_another_way_to_write_it_is_right(name):
    report = exercises.check(program(name))
    assert report.right, report


def test_every_function_has_a_program_and_slips():
    assert set(PROGRAMS) == set(TASKS)
    assert {name for name, *_ in PLANTED} == set(TASKS)


def test_float32_passes():
    def rnn_step(x, h_prev, W_ih, W_hh, b):
        x, h_prev, W_ih, W_hh, b = (v.astype(np.float32) for v in (x, h_prev, W_ih, W_hh, b))
        return np.tanh(x @ W_ih.T + h_prev @ W_hh.T + b)

    assert exercises.check(rnn_step).right


def test_solutions_are_the_layers():
    """Independent of the marker's recorded values: nn.LSTM and nn.RNN."""
    rng = np.random.default_rng(3)
    T, N, D, H = 5, 3, 4, 2
    for layer, gates, solution in ((nn.RNN, 1, rnn_forward), (nn.LSTM, 4, lstm_forward)):
        made = layer(D, H).double()
        W, U, b, b2 = (p.numpy() for p in made.parameters())
        x, h0, c0 = rng.normal(size=(T, N, D)), rng.normal(size=(N, H)), rng.normal(size=(N, H))
        state = (h0[None], c0[None]) if gates == 4 else h0[None]
        if gates == 4:
            hs, _ = solution(x, h0, c0, W, U, b + b2)
        else:
            hs = solution(x, h0, W, U, b + b2)
        ready = tuple(map(tg.tensor, state)) if gates == 4 else tg.tensor(state)
        np.testing.assert_allclose(made(tg.tensor(x), ready)[0].numpy(), hs, rtol=1e-12)


# ---- the numbers that CS231n's assignment prints ---------------------------------------------------


def line(first, last, *shape):
    return np.linspace(first, last, num=int(np.prod(shape))).reshape(shape)


def gates_here(W):
    """CS231n has the gates i, f, o, g in columns; here they are i, f, g, o in rows."""
    i, f, o, g = np.split(W, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1).T


CS231N_RNN_STEP = [
    [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
    [0.66854692, 0.79562378, 0.87755553, 0.92795967],
    [0.97934501, 0.99144213, 0.99646691, 0.99854353],
]
CS231N_RNN = [
    [
        [-0.42070749, -0.27279261, -0.11074945, 0.05740409, 0.22236251],
        [-0.39525808, -0.22554661, -0.0409454, 0.14649412, 0.32397316],
        [-0.42305111, -0.24223728, -0.04287027, 0.15997045, 0.35014525],
    ],
    [
        [-0.55857474, -0.39065825, -0.19198182, 0.02378408, 0.23735671],
        [-0.27150199, -0.07088804, 0.13562939, 0.33099728, 0.50158768],
        [-0.51014825, -0.30524429, -0.06755202, 0.17806392, 0.40333043],
    ],
]
CS231N_LSTM_STEP_H = [
    [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904],
    [0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181],
    [0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299],
]
CS231N_LSTM_STEP_C = [
    [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407],
    [0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345],
    [0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676],
]
CS231N_LSTM = [
    [
        [0.01764008, 0.01823233, 0.01882671, 0.0194232],
        [0.11287491, 0.12146228, 0.13018446, 0.13902939],
        [0.31358768, 0.33338627, 0.35304453, 0.37250975],
    ],
    [
        [0.45767879, 0.4761092, 0.4936887, 0.51041945],
        [0.6704845, 0.69350089, 0.71486014, 0.7346449],
        [0.81733511, 0.83677871, 0.85403753, 0.86935314],
    ],
]


def test_cs231n_rnn_step():
    N, D, H = 3, 10, 4
    h = rnn_step(
        line(-0.4, 0.7, N, D),
        line(-0.2, 0.5, N, H),
        line(-0.1, 0.9, D, H).T,
        line(-0.3, 0.7, H, H).T,
        line(-0.2, 0.4, H),
    )
    np.testing.assert_allclose(h, CS231N_RNN_STEP, atol=1e-8)


def test_cs231n_rnn():
    N, T, D, H = 2, 3, 4, 5
    hs = rnn_forward(
        line(-0.1, 0.3, N, T, D).swapaxes(0, 1),
        line(-0.3, 0.1, N, H),
        line(-0.2, 0.4, D, H).T,
        line(-0.4, 0.1, H, H).T,
        line(-0.7, 0.1, H),
    )
    np.testing.assert_allclose(hs.swapaxes(0, 1), CS231N_RNN, atol=1e-8)


def test_cs231n_lstm_step():
    N, D, H = 3, 4, 5
    h, c = lstm_step(
        line(-0.4, 1.2, N, D),
        line(-0.3, 0.7, N, H),
        line(-0.4, 0.9, N, H),
        gates_here(line(-2.1, 1.3, D, 4 * H)),
        gates_here(line(-0.7, 2.2, H, 4 * H)),
        gates_here(line(0.3, 0.7, 4 * H)),
    )
    np.testing.assert_allclose(h, CS231N_LSTM_STEP_H, atol=1e-8)
    np.testing.assert_allclose(c, CS231N_LSTM_STEP_C, atol=1e-8)


def test_cs231n_lstm():
    N, D, H, T = 2, 5, 4, 3
    hs, _ = lstm_forward(
        line(-0.4, 0.6, N, T, D).swapaxes(0, 1),
        line(-0.4, 0.8, N, H),
        np.zeros((N, H)),
        gates_here(line(-0.2, 0.9, D, 4 * H)),
        gates_here(line(-0.3, 0.6, H, 4 * H)),
        gates_here(line(0.2, 0.7, 4 * H)),
    )
    np.testing.assert_allclose(hs.swapaxes(0, 1), CS231N_LSTM, atol=1e-8)


# ---- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        pytest.param(*row, id=f"{k}-{row[0]}", marks=[pytest.mark.slow] if row[0] in LONG else [])
        for k, row in enumerate(PLANTED)
    ],
)
def test_a_planted_slip_is_named(name, old, new, words):
    """Not one of 82 may be missed; the words are searched for in the first line alone."""
    (finding,) = exercises.check(program(name, old, new)).findings
    assert not finding.right
    assert re.search(words, finding.text), finding


WRITTEN = [
    tuple(text.split("\n", 2))
    for text in (Path(__file__).parent / "planted_programs.txt")
    .read_text(encoding="utf-8")
    .split("\n=== ")[1:]
]


@pytest.mark.parametrize(
    ("name", "words", "text"),
    [
        pytest.param(*row, id=f"{k}-{row[0]}", marks=[pytest.mark.slow] if row[0] in LONG else [])
        for k, row in enumerate(WRITTEN)
    ],
)
def test_a_mistake_in_another_shape_of_program_is_named(name, words, text):
    """einsum, all steps at once, classes, no step function: the words are the whole first line."""
    names = {"np": np, **{n: task.right for n, task in TASKS.items()}}
    exec(compile(text, "student.py", "exec"), names)
    (finding,) = exercises.check(names[name]).findings
    assert not finding.right
    assert finding.text.strip() == words, finding


@pytest.mark.parametrize("name", [name for name in TASKS if hasattr(inlined, name)])
def test_an_answer_that_is_written_out_is_right(name):
    assert exercises.check(getattr(inlined, name)).right


def test_of_several_slips_the_first_is_named():
    function = program(
        "lstm_step_backward",
        "df = total * c_prev\n    di = total * g",
        "df = total\n    di = total",
    )
    text = exercises.check(function).findings[0].text
    assert "the gradient of i at t = 2 lacks g" in text
    assert "more is wrong after it" in text


def test_what_no_slip_explains_shows_the_first_entry():
    function = program("rnn_step", "return np.tanh(z)", "return np.tanh(z) ** 3 + 0.1 * z")
    finding = exercises.check(function).findings[0]
    assert finding.text == "h at t = 0 is the first that differs"
    assert re.match(r"h\[0, 0\] is \S+, expected 0\.99639114 \(T = 3", finding.details[0])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", "returned None: it lacks `return h`"),
        ("return None,", "returned None for h"),
        ("return x, x", "returned 2; 1 value is expected: h"),
        ("return 'h'", "an array of floats is expected"),
        ("return np.zeros((2, 2), int)", "whole numbers .* lose their fraction"),
        ("return [[1.0], [2.0, 3.0]]", "unequal shapes"),
        ("return np.zeros((2, 7))", r"h has shape \(2, 7\); \(2, 5\) is expected"),
        ("return 1 / {}['a']", "raised KeyError: 'a'"),
        ("raise SystemExit('stop')", "raised SystemExit: stop"),
        ("raise NotImplementedError", "not written yet"),
        ("return rnn_step(x, h_prev, W_ih, W_hh, b)", "raised RecursionError"),
        ("return x @ W_hh", "raised ValueError: matmul"),
    ],
)
def test_what_is_no_result_is_told_in_clear_words(body, words):
    names = {"np": np}
    exec(f"def rnn_step(x, h_prev, W_ih, W_hh, b):\n    {body}", names)
    assert re.search(words, exercises.check(names["rnn_step"]).findings[0].text)


def test_an_error_has_its_line_its_shapes_and_a_guess():
    (finding,) = exercises.check(program("lstm_step", "W_hh.T", "W_hh")).findings
    assert finding.text.startswith("raised ValueError: matmul")
    assert finding.details[1].startswith("called with x (2, 4), h_prev (2, 5)")
    assert finding.details[2] == "perhaps: a at t = 0 uses W_hh without the transpose"


def test_other_arguments_are_told():
    def rnn_step(x, h):
        return x

    words = "takes x, h; it is called as rnn_step(x, h_prev, W_ih, W_hh, b)"
    assert exercises.check(rnn_step).findings[0].text == words


def test_changing_an_argument_is_told():
    def clip_by_norm(grads, max_norm):
        norm = np.sqrt(sum((g * g).sum() for g in grads))
        for g in grads:
            g *= min(1, max_norm / max(norm, 1e-30))
        return grads, norm

    (finding,) = exercises.check(clip_by_norm).findings
    assert finding.text == "right values, but it changes its argument grads in place"


def test_what_builds_on_a_wrong_function_waits():
    report = exercises.check(program("rnn_step", " + b", ""), program("rnn_forward"))
    assert [finding.text for finding in report.findings] == [
        "a at t = 0 lacks b",
        "not marked yet: rnn_step comes first",
    ]
    assert not report.right


def test_an_unknown_function_is_refused():
    with pytest.raises(ValueError, match="len to check: expected one of rnn_step"):
        exercises.check(len)


# ---- stubs, notebooks, the command line ------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_stub_is_python_and_gives_nothing_away(exercise, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["exercise", exercise.name]) == 0
    path = tmp_path / f"{exercise.name}.py"
    text = path.read_text(encoding="utf-8")
    assert f"tinygrad-rnn exercise check {path.name}" in text
    values = runpy.run_path(str(path))
    bodies = {n.name: n.body for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)}
    for task in exercise.tasks:
        assert len(bodies[task.name]) == 2  # its words, and NotImplementedError
        assert "Return" in ast.unparse(bodies[task.name][0])
        assert exercises.check(values[task.name]).findings[0].text == "not written yet"
    assert cli.main(["exercise", "check", path.name]) == 1
    out, err = capsys.readouterr()
    assert f"{exercise.tasks[0].name}: not written yet" in out
    assert f"0 of {len(exercise.tasks)} functions right so far" in err


def test_a_file_is_never_overwritten_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("rnn.py").write_text("mine")
    assert cli.main(["exercise", "rnn"]) == 1
    assert Path("rnn.py").read_text() == "mine"
    assert "rnn.py is there already; --overwrite replaces it" in capsys.readouterr().err
    assert cli.main(["exercise", "rnn", "--overwrite"]) == 0
    assert "def rnn_step" in Path("rnn.py").read_text()


def test_check_marks_a_file(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\n" + PROGRAMS["rnn_step"] + PROGRAMS["rnn_forward"])
    assert cli.main(["exercise", "check", str(path)]) == 0
    assert capsys.readouterr().out == "rnn_step: right\nrnn_forward: right\nall right\n"
    path.write_text("import numpy as np\n" + PROGRAMS["rnn_step"].replace("W_hh.T", "W_hh"))
    assert cli.main(["exercise", "check", str(path)]) == 1
    assert "rnn_step: a at t = 0 uses W_hh without the transpose" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "defines none of rnn_step"),
        ("def rnn_step(:", "failed in line 1"),
        ("1 / 0", "failed in line 1: ZeroDivisionError"),
        ("f = lambda x: x\nrnn_step = f", "write it as def rnn_step"),
        ("from tinygrad_rnn.exercises.solutions.rnn import rnn_step", "no function of its own"),
    ],
)
def test_a_file_that_cannot_be_marked_is_told(text, words, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert cli.main(["exercise", "check", str(path)]) == 1
    assert words in capsys.readouterr().err


def test_other_words_on_the_command_line_are_told(capsys, tmp_path):
    for words, said in (
        (["gru"], "there is no exercise 'gru'; there are: rnn, bptt, lstm"),
        (["check"], "check what?"),
        (["check", "none.py"], "there is no script 'none.py'"),
        (["rnn", "mine.py"], "to mark it: tinygrad-rnn exercise check mine.py"),
    ):
        assert cli.main(["exercise", *words]) == 1
        assert said in capsys.readouterr().err
    assert cli.main(["exercise"]) == 0
    assert "lstm_step_backward, lstm_backward" in capsys.readouterr().out


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_notebook_is_marked_like_a_file(exercise, tmp_path, capsys):
    path = tmp_path / "mine.ipynb"
    assert cli.main(["exercise", exercise.name, "-o", str(path)]) == 0
    book = json.loads(path.read_text(encoding="utf-8"))
    assert cli.main(["exercise", "check", str(path)]) == 1
    assert "not written yet" in capsys.readouterr().out
    for cell in book["cells"]:
        for name, text in PROGRAMS.items():
            if "".join(cell["source"]).startswith(f"def {name}("):
                cell["source"] = text.splitlines(keepends=True)
    path.write_text(json.dumps(book), encoding="utf-8")
    assert cli.main(["exercise", "check", str(path)]) == 0


def test_it_runs_without_plots_in_a_process_of_its_own(tmp_path):
    """The command itself, as a student starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_rnn", "exercise"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tinygrad-rnn exercise check rnn.py" in done.stdout
