"""Keras, Flax, Equinox, Haiku, onnxruntime and tinygrad themselves, where they are installed.

Run by hand, with the packages beside this one: python -m pytest -m peers tests/test_frameworks_live.py
"""

import io
import os
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras")


def drawn(model, rng):
    """The model with every weight drawn anew, so that no bias is zero."""
    model.set_weights(
        [rng.standard_normal(w.shape).astype("f4") * 0.5 for w in model.get_weights()]
    )
    return model


def listed(value):
    return [np.asarray(v) for v in (value if isinstance(value, (list, tuple)) else [value])]


def ours(value):
    return [v.numpy() for v in (value if isinstance(value, tuple) else (value,))]


def sequential(keras, *layers, size=3):
    return keras.Sequential([keras.Input((6, size)), *layers])


RECURRENT = ["LSTM", "GRU", "SimpleRNN"]


def models(keras):
    """Name, model: every layer, option and way of putting them together that is read."""
    L = keras.layers  # noqa: N806
    for kind in RECURRENT:
        make = getattr(L, kind)
        yield kind, sequential(keras, make(4, return_sequences=True))
        yield f"{kind}-last", sequential(keras, make(4))
        yield f"{kind}-no-bias", sequential(keras, make(4, use_bias=False, return_sequences=True))
        yield (
            f"{kind}-backwards",
            sequential(keras, make(4, go_backwards=True, return_sequences=True)),
        )
        yield f"{kind}-relu", sequential(keras, make(4, activation="relu", return_sequences=True))
        yield (
            f"{kind}-zero",
            sequential(
                keras, L.Masking(0.0), make(4, zero_output_for_mask=True, return_sequences=True)
            ),
        )
        yield (
            f"{kind}-zero-last",
            sequential(keras, L.Masking(0.0), make(4, zero_output_for_mask=True)),
        )
        for sequences in (True, False):
            yield (
                f"{kind}-masked-{sequences}",
                sequential(keras, L.Masking(0.0), make(4, return_sequences=sequences)),
            )
            yield (
                f"{kind}-masked-backwards-{sequences}",
                sequential(
                    keras, L.Masking(0.0), make(4, return_sequences=sequences, go_backwards=True)
                ),
            )
            for merge in ("concat", "sum", "ave", "mul"):
                yield f"{kind}-both-{merge}-{sequences}", sequential(
                    keras, L.Masking(0.0),
                    L.Bidirectional(make(4, return_sequences=sequences), merge_mode=merge),
                )  # fmt: skip
    for act in (
        "hard_sigmoid",
        "linear",
        "softsign",
        "relu6",
        "hard_tanh",
        "gelu",
        "leaky_relu",
        "silu",
        "elu",
    ):
        yield f"gate-{act}", sequential(keras, L.LSTM(4, recurrent_activation=act))
        yield (
            f"dense-{act}",
            sequential(keras, L.GRU(4, activation=act), L.Dense(2, activation=act)),
        )
    yield (
        "gru-before",
        sequential(keras, L.GRU(4, reset_after=False), L.Dense(2, activation="softmax")),
    )
    yield (
        "gru-before-both",
        sequential(keras, L.Bidirectional(L.GRU(4, reset_after=False, use_bias=False))),
    )
    cells = [L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(5, use_bias=False), L.LSTMCell(2)]
    yield "cells", sequential(keras, L.Masking(0.0), L.RNN(cells, return_sequences=True))
    yield "one-cell", sequential(keras, L.RNN(L.GRUCell(3, reset_after=False)))
    yield "norm", sequential(
        keras, L.LSTM(4, return_sequences=True), L.LayerNormalization(), L.Dropout(0.5),
        L.TimeDistributed(L.Dense(3, activation="tanh")), L.Flatten(), L.Dense(2, use_bias=False),
    )  # fmt: skip
    yield "norm-uncentred", sequential(keras, L.LayerNormalization(center=False, epsilon=0.1))
    yield "stack", sequential(
        keras, L.Masking(0.0), L.LSTM(4, return_sequences=True),
        L.Bidirectional(L.GRU(3, return_sequences=True)),
        L.SimpleRNN(2), L.RepeatVector(3), L.GRU(2, return_sequences=True), L.Activation("softmax"),
    )  # fmt: skip
    words = keras.Input((6,), dtype="int32")
    for masks in (True, False):
        e = L.Embedding(9, 4, mask_zero=masks)(words)
        yield f"words-{masks}", keras.Model(words, L.Bidirectional(L.LSTM(3))(e))
    x = keras.Input((6, 3))
    y, h, c = L.LSTM(4, return_sequences=True, return_state=True)(x)
    again = L.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    both = L.Bidirectional(L.GRU(2, return_sequences=True, return_state=True))(again)
    yield "states", keras.Model(x, [again, L.Concatenate()([y, again]), *both, h])
    a, b = keras.Input((6, 3)), keras.Input((6, 3))
    shared = L.GRU(4)
    one, two = shared(L.Masking(0.0)(a)), shared(b)
    merges = [make()([one, two]) for make in (L.Add, L.Average, L.Multiply, L.Subtract)]
    yield "twice", keras.Model([a, b], merges)
    mask = keras.Input((6,), dtype="bool")
    yield "mask-given", keras.Model([x, mask], L.LSTM(4, return_sequences=True)(x, mask=mask))
    yield (
        "pair",
        keras.Model(x, L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode=None)(x)),
    )


def inputs_of(model, rng):
    """Batches with padding in front, behind and in the middle."""
    found = []
    for value in model.inputs:
        x = rng.standard_normal((5, 6, 3)).astype("f4")
        live = np.array(
            [
                [1] * 6,
                [1, 1, 1, 0, 0, 0],
                [0, 0, 1, 1, 1, 1],
                [0, 1, 0, 0, 1, 0],
                [1, 0, 1, 1, 0, 1],
            ]
        )
        if len(value.shape) == 3:
            found.append(x * live[..., None].astype("f4"))
        elif "bool" in str(value.dtype):
            found.append(live.astype(bool))
        else:
            found.append(rng.integers(1, 9, (5, 6)) * live)
    return found


def test_keras_models_live_and_from_files_answer_alike_and_are_written_back(keras, rng, tmp_path):
    h5py = pytest.importorskip("h5py")
    for name, model in models(keras):
        drawn(model, rng)
        x = inputs_of(model, rng)
        wanted = listed(model(x if len(x) > 1 else x[0]))
        path = str(tmp_path / "model.keras")
        model.save(path)
        model.save(str(tmp_path / "model.h5"))
        model.save_weights(str(tmp_path / "model.weights.h5"))
        config = model.to_json()
        read = {
            "live": tg.interop.from_keras(model),
            ".keras": tg.interop.from_keras(path),
            ".h5": tg.interop.from_keras(tmp_path / "model.h5"),
            ".weights.h5": tg.interop.from_keras(tmp_path / "model.weights.h5", config=config),
        }
        for kind, net in read.items():
            net.eval()
            found = ours(net(*x))
            assert len(found) == len(wanted), name
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=f"{name} {kind}")
        again = str(tmp_path / "again.keras")
        tg.interop.to_keras(read[".keras"], again)
        back = keras.saving.load_model(again)
        for a, b in zip(back.get_weights(), model.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes(), name
        for a, b in zip(listed(back(x if len(x) > 1 else x[0])), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7, err_msg=name)
        tg.interop.to_keras(read[".weights.h5"], str(tmp_path / "again.weights.h5"))
        model.set_weights([0 * w for w in model.get_weights()])
        model.load_weights(str(tmp_path / "again.weights.h5"))
        for a, b in zip(model.get_weights(), back.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes(), name
        tg.interop.to_keras(read[".h5"], str(tmp_path / "again.h5"))
        with h5py.File(tmp_path / "again.h5") as file:
            assert "model_config" in file.attrs
        model.load_weights(str(tmp_path / "again.h5"))


def test_our_layers_become_keras_s(keras, rng):
    x = rng.standard_normal((4, 6, 3)).astype("f4")
    for layers in (
        [nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 2), nn.Tanh()],
        [nn.GRU(3, 4, bidirectional=True, num_layers=2, batch_first=True), nn.LayerNorm(8)],
        [nn.GRU(3, 4, reset_after=False, batch_first=True), nn.Dropout(0.5), nn.Softmax(-1)],
        [nn.RNN(3, 4, nonlinearity="relu", bias=False, batch_first=True)],
        [nn.Linear(3, 4, bias=False), nn.GELU(), nn.RNN(4, 2, batch_first=True)],
    ):
        for layer in layers:
            layer.load_state_dict(
                {
                    k: rng.standard_normal(v.shape).astype("f4")
                    for k, v in layer.state_dict().items()
                }
            )
            layer.eval()
        y = tg.tensor(x)
        for layer in layers:
            y = layer(y)
            y = y[0] if isinstance(y, tuple) else y
        theirs = tg.interop.to_keras(layers)
        np.testing.assert_allclose(np.asarray(theirs(x)), y.numpy(), rtol=1e-5, atol=1e-6)


def test_lengths_are_a_mask_at_every_input(keras, rng):
    model = drawn(sequential(keras, keras.layers.LSTM(4, return_sequences=True)), rng)
    x = rng.standard_normal((3, 6, 3)).astype("f4")
    lengths = np.array([6, 4, 0])
    wanted = model.layers[0](x, mask=np.arange(6) < lengths[:, None])
    found = tg.interop.from_keras(model)(x, lengths=lengths)
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), rtol=1e-5, atol=1e-6)


# ---- JAX's ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jax():
    found = pytest.importorskip("jax")
    found.config.update("jax_enable_x64", True)
    return found


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), np.asarray(wanted), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "kind", ["LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell", "MGUCell"]
)
def test_flax_linen(jax, rng, kind):
    linen = pytest.importorskip("flax.linen")
    jnp = jax.numpy
    options = (
        {}
        if kind not in ("SimpleCell", "MGUCell")
        else {"SimpleCell": {"residual": True}, "MGUCell": {"reset_gate": False}}[kind]
    )
    for both in (False, True):

        def make():
            return linen.RNN(
                getattr(linen, kind)(5, dtype=jnp.float64, param_dtype=jnp.float64, **options)
            )

        layer = linen.Bidirectional(make(), make()) if both else make()
        x = rng.standard_normal((3, 6, 2))
        p = layer.init(jax.random.PRNGKey(0), x)
        p = jax.tree_util.tree_map(lambda a: jnp.asarray(rng.standard_normal(a.shape)), p)
        read = tg.interop.from_flax(p, **options)
        same(read(x)[0], layer.apply(p, x))


@pytest.mark.parametrize("kind", ["LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell"])
def test_flax_nnx(jax, rng, kind):
    nnx = pytest.importorskip("flax.nnx")
    jnp = jax.numpy
    f8 = {"dtype": jnp.float64, "param_dtype": jnp.float64}

    def make(seed):
        cell = getattr(nnx, kind)(2, 5, rngs=nnx.Rngs(seed), **f8)
        state = jax.tree_util.tree_map(
            lambda a: jnp.asarray(rng.standard_normal(a.shape)), nnx.state(cell, nnx.Param)
        )
        nnx.update(cell, state)
        return nnx.RNN(cell)

    x = rng.standard_normal((3, 6, 2))
    one, two = make(0), nnx.Bidirectional(make(1), make(2))
    same(tg.interop.from_flax(one)(x)[0], one(jnp.asarray(x)))
    same(tg.interop.from_flax(one.cell)(x)[0], one(jnp.asarray(x)))
    same(tg.interop.from_flax(two)(x)[0], two(jnp.asarray(x)))


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_equinox(jax, rng, kind, bias):
    eqx = pytest.importorskip("equinox")
    cell = getattr(eqx.nn, kind)(
        2, 5, use_bias=bias, dtype=jax.numpy.float64, key=jax.random.PRNGKey(1)
    )
    read = tg.interop.from_equinox(cell)
    x = rng.standard_normal((6, 2))
    state = (np.zeros(5), np.zeros(5)) if kind == "LSTMCell" else np.zeros(5)
    for t in range(6):
        state = cell(jax.numpy.asarray(x[t]), state)
        h = state[0] if kind == "LSTMCell" else state
        same(read(x)[0][t], h)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "VanillaRNN"])
def test_haiku(jax, rng, kind):
    hk = pytest.importorskip("haiku")
    jnp = jax.numpy

    def run(x):
        core = getattr(hk, kind)(5)
        return hk.dynamic_unroll(core, x, core.initial_state(3))[0]

    f = hk.without_apply_rng(hk.transform(run))
    x = jnp.asarray(rng.standard_normal((6, 3, 2)))
    p = f.init(jax.random.PRNGKey(0), x)
    p = jax.tree_util.tree_map(lambda a: jnp.asarray(rng.standard_normal(a.shape)), p)
    same(tg.interop.from_haiku(p)(np.asarray(x))[0], f.apply(p, x))


def test_tinygrad(rng):
    os.environ.setdefault("DEV", "PYTHON")  # no compiler is needed
    tiny = pytest.importorskip("tinygrad")
    from tinygrad.nn import LSTMCell

    cell = LSTMCell(2, 5)
    x = rng.standard_normal((6, 3, 2)).astype("f4")
    read = tg.interop.from_tinygrad(cell)
    state = None
    for t in range(6):
        state = cell(tiny.Tensor(x[t]), state)
    np.testing.assert_allclose(read(x)[0][-1].numpy(), state[0].numpy(), rtol=1e-5, atol=1e-6)


# ---- onnxruntime -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_onnxruntime(rng, op, direction):
    """Random nodes, what we write of a layer and what we read of it: lengths, states, activations, clip."""
    ort = pytest.importorskip(
        "onnxruntime", reason="onnx and onnxruntime are not installed (extra onnx)"
    )
    onnx = pytest.importorskip("onnx", reason="onnx and onnxruntime are not installed (extra onnx)")
    helper = onnx.helper
    gates, ways = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 1 + (direction == "bidirectional")
    for extra in ({}, {"clip": 0.7}, {"linear_before_reset": 1}, {"input_forget": 1},
                  {"activations": {"LSTM": ["HardSigmoid", "Elu", "Softsign"], "GRU": ["Sigmoid", "Relu"],
                                   "RNN": ["LeakyRelu"]}[op] * ways}):  # fmt: skip
        if ("linear_before_reset" in extra and op != "GRU") or (
            "input_forget" in extra and op != "LSTM"
        ):
            continue
        hidden, inputs = (int(n) for n in rng.integers(1, 6, 2))
        weights = {
            "W": rng.standard_normal((ways, gates * hidden, inputs)).astype("f4"),
            "R": rng.standard_normal((ways, gates * hidden, hidden)).astype("f4") * 0.5,
            "B": rng.standard_normal((ways, 2 * gates * hidden)).astype("f4"),
        }
        x = rng.standard_normal((5, 4, inputs)).astype("f4")
        lengths = np.array([5, 3, 0, 1], np.int32)
        h0 = rng.standard_normal((ways, 4, hidden)).astype("f4")
        outs = ["Y", "Y_h"]
        names = ["X", "W", "R", "B", "lens", "h0"]
        node = helper.make_node(op, names, outs, hidden_size=hidden, direction=direction, **extra)
        kind = onnx.TensorProto
        graph = helper.make_graph(
            [node], "g",
            [helper.make_tensor_value_info("X", kind.FLOAT, [5, 4, inputs]),
             helper.make_tensor_value_info("lens", kind.INT32, [4]),
             helper.make_tensor_value_info("h0", kind.FLOAT, [ways, 4, hidden])],
            [helper.make_tensor_value_info(o, kind.FLOAT, None) for o in outs],
            [onnx.numpy_helper.from_array(v, k) for k, v in weights.items()],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        file = io.BytesIO(model.SerializeToString())
        session = ort.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        y, h = session.run(None, {"X": x, "lens": lengths, "h0": h0})
        read = tg.interop.from_weights(
            weights, "onnx", padded="theirs", direction=direction, **extra
        )
        state = (tg.tensor(h0), tg.zeros(*h0.shape)) if op == "LSTM" else tg.tensor(h0)
        found, last = read(x, state, lengths=lengths)
        last = last[0] if op == "LSTM" else last
        split = np.stack(np.split(found.numpy(), ways, -1), 1)
        np.testing.assert_allclose(split, y, rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(last.numpy(), h, rtol=2e-5, atol=2e-6)
        back = tg.interop.to_weights(read, "onnx")
        assert all(back[k].tobytes() == v.tobytes() for k, v in weights.items())
    warnings.resetwarnings()
