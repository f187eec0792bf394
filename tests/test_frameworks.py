"""Weights of other frameworks: every stored case read, run, written back; what is foreign is refused."""

import contextlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from framework_cases import MODELS, NAMES, Case, error

import tinygrad_rnn as tg
from tinygrad_rnn.interop.building import made_layer
from tinygrad_rnn.interop.conventions import TABLE
from tinygrad_rnn.interop.packing import segments
from tinygrad_rnn.scan import backends

LAYERS = [name for name in NAMES if name not in MODELS]


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


@pytest.mark.parametrize("name", LAYERS)
def test_a_framework_s_layer_answers_as_it_does_there(name):
    case = Case(name)
    runs = case.runs()
    assert runs
    for x, states, lengths, answers in runs:
        layer = case.read(padded="theirs")
        found = case.run(layer, x, states, lengths)
        assert answers
        for part, wanted in answers.items():
            if name == "mlx_lstm" and part == "c":
                wanted = wanted[:, -1]
            assert error(found[part], wanted) <= case.tolerance(), (name, part)


@pytest.mark.parametrize("name", LAYERS)
def test_what_was_read_is_written_back_bit_for_bit(name):
    case = Case(name)
    back = tg.interop.to_weights(case.read(), case.layout)
    assert list(back) == list(case.weights)
    for key, array in case.weights.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == array.shape
        assert back[key].tobytes() == array.tobytes(), key


# ---- the family: any size, any number of layers and directions, both ways ---------------------------------


def several(row):
    """What the names of a row can tell apart: layers, directions."""
    names = row.names[0]
    layers = (1, 3) if "{k}" in names.single or "{n}" in names.single else (1,)
    directions = ("forward", "bidirectional") if names.forward or row.stacked else ("forward",)
    return [(k, d) for k in layers for d in directions]


FAMILY = [
    (row, layers, direction, bias)
    for row in TABLE
    if row.rule.family != "CfC" and "W_out" not in [p.holds for p in row.parts]
    for layers, direction in several(row)
    for bias in (True, False)
]


@pytest.mark.parametrize(
    ("row", "layers", "direction", "bias"),
    FAMILY,
    ids=[f"{r.layout}-{r.layer}-{k}-{d}-{b}" for r, k, d, b in FAMILY],
)
def test_a_layer_written_for_a_framework_and_read_again_is_the_same_layer(
    row, layers, direction, bias, rng
):
    """Sizes are drawn, and both biases are full: one bias in a framework is the sum of the two."""
    inputs, hidden = (int(n) for n in rng.integers(1, 6, 2))
    inputs = hidden if row.rule.family == "SLSTM" else inputs
    made = made_layer(row.rule, inputs, hidden, layers, bias, False, direction=direction).double()
    state = {k: rng.standard_normal(v.shape) for k, v in made.state_dict().items()}
    for part in no_room(row, made):
        state = {k: zeroed(v, part, made) if k.startswith(part[0]) else v for k, v in state.items()}
    made.load_state_dict(state)
    arrays = tg.interop.to_weights(made, row.layout, layer=row.layer)
    options = {"direction": direction} if "NStep" in row.layer else {}
    if row.rule.family == "GRU" and not bias and "reset_after" in row.options:
        options["reset_after"] = row.rule.reset_after
    for prefix in ("", *(("model/",) if row.layout in ("keras", "flax", "haiku") else ())):
        named = {prefix + name: array for name, array in arrays.items()}
        again = tg.interop.from_weights(
            named, row.layout, layer=row.layer, batch_first=False, **options
        )
        x = rng.standard_normal((5, 2, inputs))
        y, last = made(x)
        y_again, last_again = again(x)
        np.testing.assert_allclose(y_again.numpy(), y.numpy(), rtol=1e-12, atol=1e-12)
        parts = zip(
            last if isinstance(last, tuple) else (last,),
            last_again if isinstance(last_again, tuple) else (last_again,),
            strict=True,
        )
        for ours, back in parts:
            np.testing.assert_allclose(back.numpy(), ours.numpy(), rtol=1e-12, atol=1e-12)
        twice = tg.interop.to_weights(again, row.layout)
        assert list(twice) == list(named)
        for key, array in named.items():
            assert twice[key].tobytes() == array.tobytes()


def no_room(row, made):
    """The gates of which a row has one bias where a GRU that resets after has two."""
    slots = {s for p in row.parts if "[" in p.holds for g in segments(p) for s in g}
    found = []
    for at, gate in enumerate(row.rule.gates):
        kinds = {kind for kind in ("b", "bh", "b_ih", "b_hh") if (kind, gate) in slots}
        found += [("bias_hh", at)] if kinds == {"b_ih"} else []
    return found


def zeroed(array, part, made):
    array = array.copy()
    size = made.hidden_size
    array[part[1] * size : (part[1] + 1) * size] = 0
    return array


def test_a_bias_that_a_framework_has_no_place_for_is_refused_by_its_gate():
    gru = tg.nn.GRU(2, 3)
    gru.load_state_dict({k: np.ones(v.shape) for k, v in gru.state_dict().items()})
    with pytest.raises(
        tg.interop.WeightsError, match="nnx's GRUCell has no bias on h for the gate n"
    ):
        tg.interop.to_weights(gru, "nnx")


@pytest.mark.parametrize(
    ("layer", "layout", "words"),
    [
        (tg.nn.GRU(2, 3), "haiku", "haiku's GRU has reset_after=False, and this layer True"),
        (tg.nn.RNN(2, 3), "haiku", r"haiku's VanillaRNN has act=relu, and this layer tanh"),
        (tg.nn.LSTM(2, 3, peephole=True), "keras", "keras's LSTM has peephole=''"),
        (tg.nn.LSTM(2, 3, proj_size=2), "keras", "no projection"),
        (tg.nn.LSTM(2, 3, num_layers=2), "keras", "is one layer, and this one has 2"),
        (tg.nn.LSTM(2, 3, bidirectional=True), "equinox", "is one direction"),
        (tg.nn.LSTM(2, 3, learned_state=True), "keras", "no learned initial state"),
        (tg.nn.RNN(2, 3), "equinox", "equinox has no RNN"),
        (tg.nn.GRU(2, 3), "tinygrad", "tinygrad has no GRU"),
        (tg.nn.CoupledLSTMCell(2, 3), "keras", "a CoupledLSTMCell is a layer that no row"),
    ],
)
def test_a_rule_that_a_framework_has_not_is_named(layer, layout, words):
    with pytest.raises(tg.interop.WeightsError, match=words):
        tg.interop.to_weights(layer, layout)


def test_padded_zero_is_as_everywhere_here():
    case = Case("onnxruntime_lstm_bidirectional_lens_states")
    x, states, lengths, answers = case.runs()[0]
    ours = case.run(case.read(), x, states, lengths)
    theirs = case.run(case.read(padded="theirs"), x, states, lengths)
    assert (lengths == 0).any()
    np.testing.assert_array_equal(ours["Y_h"][:, lengths == 0], states[0][:, lengths == 0])
    np.testing.assert_array_equal(theirs["Y_h"][:, lengths == 0], 0 * states[0][:, lengths == 0])
    keras = Case("keras_lstm")
    x, states, lengths, answers = keras.runs()[1]
    plain = keras.run(keras.read(), x, states, lengths)["y"]
    beyond = np.arange(x.shape[1]) >= lengths[:, None]
    assert beyond.any()
    assert not plain[beyond].any()
    repeated = tg.interop.repeat_last(plain, lengths, batch_first=True).numpy()
    assert error(repeated, answers["y"]) < 1e-6


@pytest.mark.parametrize(
    "name",
    [
        "keras_gru_reset_before",
        "onnxruntime_lstm_activations",
        "onnxruntime_gru_reverse_lens_states",
        "brainjs_lstmtimestep",
        "dynet_coupledlstm",
        "flax_linen_mgucell",
        "chainer_statefulgru",
        "ncps_cfc",
        "tfjs_gru",
    ],
)
def test_gradients_of_a_layer_with_another_rule_are_those_of_differences(name):
    """Through compiled loops and op by op, padded steps as there."""
    case = Case(name)
    x, _, lengths, _ = case.runs()[0]
    layer = case.read(padded="theirs").double()
    core = layer.recurrent if hasattr(layer, "recurrent") else layer
    names = list(layer.state_dict())
    extra = {} if lengths is None else {"lengths": lengths}

    def value(*arrays):
        layer.load_state_dict(dict(zip(names, arrays, strict=True)))
        return float(np.square(layer(x.astype(float), **extra)[0].numpy()).sum())

    start = [v.numpy().copy() for v in layer.state_dict().values()]
    for compiled in (True, False):
        core.compiled = compiled
        layer.load_state_dict(dict(zip(names, start, strict=True)))
        layer.zero_grad()
        layer(x.astype(float), **extra)[0].square().sum().backward()
        grads = {n: p.grad for n, p in layer.named_parameters()}
        for at, key in enumerate(names):
            if grads.get(key) is None:
                continue
            flat = np.flatnonzero(np.ones(start[at].shape))[:: max(1, start[at].size // 3)]
            for where in flat:
                moved = []
                for step in (1e-6, -1e-6):
                    arrays = [a.copy() for a in start]
                    arrays[at].reshape(-1)[where] += step
                    moved.append(value(*arrays))
                slope = (moved[0] - moved[1]) / 2e-6
                assert abs(grads[key].numpy().reshape(-1)[where] - slope) < 1e-5 * max(
                    1, abs(slope)
                )


# ---- what is malformed or foreign ------------------------------------------------------------------------


def refused(arrays, case):
    """Whether reading the arrays raises our error, or gives a layer of other inputs."""
    with contextlib.suppress(tg.interop.WeightsError):
        read = tg.interop.from_weights(arrays, case.layout, **case.options)
        return inputs_of(read) != inputs_of(case.read())
    return True


def inputs_of(layer):
    core = layer.recurrent if hasattr(layer, "recurrent") else layer
    return core.cells()[0].input_size


@pytest.mark.parametrize("name", LAYERS)
def test_arrays_that_do_not_fit_get_our_error_and_nothing_else(name):
    case = Case(name)
    assert refused({}, case)
    assert refused({**case.weights, "more/of/it": np.ones(3)}, case)
    foreign = {f"lstm_cell/{k}": v for k, v in Case("mlx_gru").weights.items()}
    assert refused({**case.weights, **foreign, "kernel/more": np.ones((3, 4))}, case)
    keys = list(case.weights)
    for key in keys[:: max(1, len(keys) // 9)]:
        array = case.weights[key]
        rest = {k: v for k, v in case.weights.items() if k != key}
        refused(rest, case)  # or it is another layer, without a bias
        aside = array.ndim == 0 or "initial" in key  # none of the layer's own
        cut = array[:-1] if array.ndim else array
        for other in (
            array[..., None],
            array[None],
            array.reshape(-1)[:-1],
            cut,
            np.stack([cut] * 2),
        ):
            assert refused({**rest, key: other}, case) or aside, other.shape
        kinds = [array.astype(kind) for kind in (str, object, complex, np.int64, np.float16)]
        for foreign in (*kinds, None, "words", {"a": 1}):
            assert refused({**rest, key: foreign}, case) or aside


@pytest.mark.parametrize("name", ["keras_model", "keras2_model"])
def test_layers_of_two_kinds_in_one_dict_are_refused(name):
    case = Case(name)
    with pytest.raises(tg.interop.WeightsError, match="several layers"):
        tg.interop.from_weights(case.weights, case.layout)


def test_layouts_layers_and_options_that_there_are_not_are_named():
    arrays = Case("keras_lstm").weights
    with pytest.raises(ValueError, match=r"no layout 'caffe': there are keras, keras2, tfjs"):
        tg.interop.from_weights(arrays, "caffe")
    with pytest.raises(ValueError, match=r"keras has no layer 'ConvLSTM2D' in the table"):
        tg.interop.from_weights(arrays, "keras", layer="ConvLSTM2D")
    with pytest.raises(ValueError, match=r"keras's LSTM has no option 'peepholes'"):
        tg.interop.from_weights(arrays, "keras", peepholes=True)
    with pytest.raises(ValueError, match=r"mish.* an activation that is not known"):
        tg.interop.from_weights(arrays, "keras", activation="mish")
    with pytest.raises(ValueError, match="padded must be"):
        tg.interop.from_weights(arrays, "keras", padded="mirror")
    with pytest.raises(TypeError, match="a dict of arrays"):
        tg.interop.from_weights([1], "keras")
    with pytest.raises(TypeError, match="a recurrent layer or cell, not Linear"):
        tg.interop.to_weights(tg.nn.Linear(1, 1), "keras")


def test_names_and_shapes_that_leave_a_choice_are_refused_until_it_is_made():
    case = Case("chainer_nsteprnnrelu")
    with pytest.raises(tg.interop.WeightsError, match="NStepRNNTanh and NStepRNNReLU"):
        tg.interop.from_weights(case.weights, "chainer")
    two = tg.nn.LSTM(3, 3, num_layers=1, bidirectional=True)
    arrays = tg.interop.to_weights(two, "chainer")
    with pytest.raises(tg.interop.WeightsError, match="two layers or two directions"):
        tg.interop.from_weights(arrays, "chainer")
    for direction, layers in (("bidirectional", 1), ("forward", 2)):
        read = tg.interop.from_weights(arrays, "chainer", direction=direction)
        assert (read.num_layers, read.bidirectional) == (layers, direction == "bidirectional")


def test_what_pytorch_calls_a_state_dict_is_a_row_like_the_others():
    lstm = tg.nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=2)
    arrays = tg.interop.to_weights(lstm, "pytorch")
    assert list(arrays) == list(lstm.state_dict())
    for name, value in lstm.state_dict().items():
        np.testing.assert_array_equal(arrays[name], value.numpy())


def test_the_page_of_frameworks_is_up_to_date():
    path = Path(__file__).parent.parent / "docs" / "make_frameworks.py"
    spec = importlib.util.spec_from_file_location("make_frameworks", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), (
        "run python docs/make_frameworks.py"
    )
