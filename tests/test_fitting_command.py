"""``tinygrad-rnn fit``: from a CSV file to one page, and one plain line for what cannot be."""

import csv

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.commands import cli
from tinygrad_rnn.commands import command as shared


def written(path, n=120, gap=False, heading="date,load"):
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + np.arange(n)
    load = 50 + 9 * np.sin(2 * np.pi * np.arange(n) / 7) + rng.normal(0, 1, n)
    rows = [f"{day},{value:.2f}" for day, value in zip(days, load, strict=True)]
    if gap:
        del rows[40:43]
    path.write_text("\n".join([heading, *rows]) + "\n")
    return load


@pytest.fixture(autouse=True)
def _one_thread_is_this_one(monkeypatch, tmp_path):
    for name in shared.THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.chdir(tmp_path)


def test_from_a_file_to_a_page(tmp_path, capsys):
    load = written(tmp_path / "load.csv", gap=True)
    words = ["fit", "load.csv", "--target", "load", "--horizon", "3", "--epochs", "3"]
    words += ["--window", "7", "--missing", "interpolate", "--test", "30"]
    assert cli.main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    folder = tmp_path / "load-forecast"
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "http" not in page.partition("<main>")[2].replace("http://www.w3.org", "")
    for word in ("persistence", "seasonal naive (7)", "in 90%", "Missing values: 3", "The network"):
        assert word in page, word
    assert "test on" not in err
    rows = list(csv.reader((folder / "forecast.csv").read_text().splitlines()))
    assert rows[0] == ["date", "load", "load lower", "load upper"]
    assert [row[0] for row in rows[1:]] == ["2024-04-30", "2024-05-01", "2024-05-02"]
    # the file forecasts what the page says, and the errors on it are those of a backtest by hand
    forecaster = tg.Forecaster.load(folder / "forecaster.safetensors")
    series = tg.data.read_csv("load.csv")
    made = forecaster.forecast(3, series, level=0.9)
    np.testing.assert_allclose([[float(v) for v in row[1:]] for row in rows[1:]],
                               np.hstack([made.values, made.lower, made.upper]), rtol=1e-6)  # fmt: skip
    errors = [load[row + 1] - load[row - 1] for row in range(90, 118)]  # persistence, 2 rows ahead
    said = out.partition("  2  ")[2].split()
    assert float(said[1]) == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-3)
    for picture in ("series", "training", "errors", "forecast", "graph"):
        assert (folder / f"{picture}.svg").read_text().startswith(("<svg", "<?xml"))


def test_a_file_without_dates_and_defaults(tmp_path, capsys):
    values = np.sin(np.arange(150) * 0.4)
    (tmp_path / "wave.csv").write_text("wave\n" + "\n".join(f"{v:.4f}" for v in values) + "\n")
    assert cli.main(["fit", "wave.csv", "--epochs", "1", "--model", "rnn", "--out", "here"]) == 0
    assert (
        "seasonal" not in capsys.readouterr().out.partition("step  model")[2].partition("mean")[0]
    )
    assert (tmp_path / "here" / "forecast.csv").read_text().startswith("step,wave,wave lower")


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (None, [], "No such file"),
        (
            "date,load\n2024-01-01,5\n2024-01-02,five\n",
            [],
            "line 3: 'five' in column 'load' is no number",
        ),
        ("date,load\n2024-01-02,5\n2024-01-01,5\n", [], "sort the rows by date"),
        ("date,load\n2024-01-01,5\n2024-01-01,5\n", [], "comes twice"),
        ("date,load\n2024-01-01,5\n2024-01-02,\n2024-01-03,4\n", [], "--missing interpolate"),
        (
            "date,load\n2024-01-01,5\n2024-01-02,4\n2024-01-03,4\n",
            [],
            "has 3 rows: too few to train",
        ),
        (
            "date,load,a\n2024-01-01,5,b\n2024-01-02,5,b\n",
            ["--target", "load"],
            "--columns reads some",
        ),
        (
            "date,load,a\n2024-01-01,5,b\n2024-01-02,5,b\n",
            ["--columns", "load"],
            "too few to train",
        ),
        (None, ["--target", "laod"], "there is no target 'laod': the series has 'load'"),
        (None, ["--date", "day"], "no column 'day', only 'date', 'load'"),
        (None, ["--out", "file.csv"], "that is a file"),
        (None, ["--test", "2"], "too few"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, text, words, said):
    name = "file.csv"
    if text is not None:
        (tmp_path / name).write_text(text)
    elif words:
        written(tmp_path / name)
    assert cli.main(["fit", name, *words]) == 1
    _, err = capsys.readouterr()
    assert said in err
    assert err.startswith("tinygrad-rnn: error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "file-forecast").exists()


@pytest.mark.parametrize("words", [["--horizon", "0"], ["--horizon", "x"], ["--model", "cnn"], []])
def test_options_that_are_not_understood(words, capsys):
    assert cli.main(["fit", *(["load.csv"] if words else []), *words]) == 2
    assert "usage: tinygrad-rnn fit" in capsys.readouterr().err
