"""The plots with time on an axis show the values that they are given."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

pytest.importorskip("matplotlib")
from tinygrad_rnn.plots import (
    figure_svg,
    plot_credit,
    plot_gates,
    plot_history,
    plot_memory,
    plot_parts,
    plot_training_parts,
)


def test_memory_shows_each_curve():
    figure = plot_memory({"RNN": [1.0, 0.1, 0.0], "LSTM": [1.0, 0.9, 0.8]})
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["RNN", "LSTM"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [1.0, 0.9, 0.8])
    assert np.isnan(axes.lines[0].get_ydata()[2])  # 0 has no place on a logarithmic axis
    assert axes.get_yscale() == "log"


def test_credit_shows_zero_as_nothing():
    matrix = np.tril(np.full((4, 4), 0.5))
    figure = plot_credit(matrix)
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.masked_invalid(shown)), matrix == 0)
    assert figure_svg(figure) == figure_svg(plot_credit(matrix))
    with pytest.raises(ValueError, match="two axes"):
        plot_credit([1.0])


def test_training_has_a_column_a_step():
    figure = plot_training_parts([[0.1, 1.0], [0.2, 1.0], [0.3, 1.0]])
    assert figure.axes[0].images[0].get_array().shape == (2, 3)
    assert figure.axes[0].get_xlim() == (0.5, 3.5)
    with pytest.raises(ValueError, match="same T"):
        plot_training_parts([[0.1], [0.1, 0.2]])


def test_parts_before_and_after_training():
    parts = {"W_ih": {"before": [1.0, 1e-20], "after": [2.0, 0.5]}, "W_hh": {"before": [0.0, 0.0]}}
    figure = plot_parts(parts)
    first, second = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["W_ih", "W_hh"]
    before, after = first.lines
    np.testing.assert_array_equal(before.get_ydata(), [1.0, np.nan])  # too small to tell from 0
    np.testing.assert_array_equal(after.get_ydata(), [2.0, 0.5])
    assert list(after.get_xdata()) == [1, 2]
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["before", "after"]


def test_curves_with_a_mark_at_other_places():
    figure = plot_history({"a": [3.0, 2.0]}, marks={"chance": 2.5}, log=False, at=[10, 100])
    (axes,) = figure.axes
    curve, mark = axes.lines
    assert list(curve.get_xdata()) == [10, 100]
    assert list(mark.get_ydata()) == [2.5, 2.5]
    assert axes.get_yscale() == "linear"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "chance"]
    (axes,) = plot_history([3.0, 2.0], every=20).axes
    assert list(axes.lines[0].get_xdata()) == [20, 40]


def test_gates_have_their_scales():
    tg.manual_seed(0)
    lstm = nn.LSTM(2, 3)
    with nn.record_gates(lstm) as gates:
        lstm(tg.randn(6, 2, 2))
    figure = plot_gates(gates, ["f", "c"], sequence=1)
    forget, cell = (axes.images[0] for axes in figure.axes if axes.images)
    assert forget.get_clim() == (0, 1)
    assert cell.get_clim()[0] == -cell.get_clim()[1]
    np.testing.assert_allclose(forget.get_array(), gates["f"][:, 1].T)
    assert gates.is_gate("f")
    assert not gates.is_gate("c")
    every = [axes.get_title("left") for axes in plot_gates(gates).axes if axes.images]
    assert every == ["i", "f", "g", "o", "c", "h"]  # not z, which has four rows a unit
    with pytest.raises(KeyError, match="no value 'q'"):
        plot_gates(gates, ["q"])
