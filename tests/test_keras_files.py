"""Keras's files without Keras: read, run, written again; cut short and foreign ones are refused."""

import contextlib
import io
import json
import sys
import zipfile

import numpy as np
import pytest
from framework_cases import STORED, Case, error

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.scan import backends

h5py = pytest.importorskip("h5py")
FILES = {
    "keras_model.keras": "keras_model",
    "keras_model.weights.h5": "keras_model",
    "keras2_model.h5": "keras2_model",
}
REFUSALS = (tg.FileFormatError, tg.interop.WeightsError)


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


@pytest.mark.parametrize("name", FILES)
def test_a_stored_file_answers_as_keras_did(name):
    case = Case(FILES[name])
    model = tg.interop.from_keras(STORED / name)
    assert error(model(case.arrays["x"]).numpy(), case.arrays["y"]) <= 1e-6
    held = [a for layer in model.layers.children() for a in layer.weights(model._layout)]
    for mine, theirs in zip(held, case.weights.values(), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def arrays_in(path):
    """Every array in a file, by its path."""
    found = {}
    raw = path.read_bytes()
    if raw[:2] == b"PK":
        raw = zipfile.ZipFile(io.BytesIO(raw)).read("model.weights.h5")
    with h5py.File(io.BytesIO(raw)) as file:
        file.visititems(
            lambda key, item: found.update({key: item[()]}) if hasattr(item, "shape") else None
        )
    return found


@pytest.mark.parametrize("name", FILES)
def test_what_was_read_is_written_back_bit_for_bit(name, tmp_path):
    model = tg.interop.from_keras(STORED / name)
    tg.interop.to_keras(model, tmp_path / name)
    there, here = arrays_in(STORED / name), arrays_in(tmp_path / name)
    if name.endswith("2_model.h5"):  # our labels of weights are shorter
        assert [a.tobytes() for a in there.values()] == [
            a.tobytes() for a in here.values()
        ] or sorted(a.tobytes() for a in there.values()) == sorted(
            a.tobytes() for a in here.values()
        )
    else:
        assert list(there) == list(here)
        assert all(there[k].tobytes() == here[k].tobytes() for k in there)
    x = Case(FILES[name]).arrays["x"]
    again = tg.interop.from_keras(tmp_path / name)
    np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())


def test_a_model_is_a_module_that_trains_further_and_is_written(tmp_path, rng):
    model = tg.interop.from_keras(STORED / "keras_model.keras")
    x = Case("keras_model").arrays["x"]
    target = rng.standard_normal((3, 6, 8)).astype("f4")
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (model(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    tg.interop.to_keras(model, tmp_path / "trained.keras")
    again = tg.interop.from_keras(tmp_path / "trained.keras")
    np.testing.assert_allclose(again(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-6)


def test_lengths_are_masks_and_masked_steps_do_not_count(rng):
    model = tg.interop.from_keras(STORED / "keras2_model.h5").double()
    x = rng.standard_normal((3, 6, 3))
    whole = model(x, lengths=[6, 4, 0]).numpy()
    short = model(x[1:2, :4]).numpy()
    np.testing.assert_allclose(whole[1:2, :4], short, rtol=1e-12, atol=1e-12)
    assert not whole[1, 4:].any()
    assert not whole[2].any()
    x[1, 4:] = np.nan
    np.testing.assert_array_equal(model(x, lengths=[6, 4, 0]).numpy(), whole)


def layers_of_ours(rng):
    yield [nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 2), nn.Tanh()]
    yield [
        nn.GRU(3, 4, bidirectional=True, batch_first=True),
        nn.LayerNorm(8),
        nn.Linear(8, 1, bias=False),
    ]
    yield [
        nn.GRU(3, 4, reset_after=False, batch_first=True),
        nn.RNN(4, 2, nonlinearity="relu", batch_first=True),
    ]
    yield [nn.Linear(3, 4), nn.GELU(), nn.RNN(4, 2, bias=False, batch_first=True), nn.Softmax(-1)]


def test_our_layers_written_and_read_again_are_the_same(tmp_path, rng):
    for layers in layers_of_ours(rng):
        x = rng.standard_normal((4, 6, 3)).astype("f4")
        y = tg.tensor(x)
        for layer in layers:
            y = layer(y)
            y = y[0] if isinstance(y, tuple) else y
        for ending in ("keras", "h5"):
            tg.interop.to_keras(layers, tmp_path / f"m.{ending}")
            found = tg.interop.from_keras(tmp_path / f"m.{ending}")(x)
            np.testing.assert_allclose(found.numpy(), y.numpy(), rtol=1e-5, atol=1e-6)
        config = json.loads(zipfile.ZipFile(tmp_path / "m.keras").read("config.json"))
        tg.interop.to_keras(layers, tmp_path / "m.weights.h5")
        found = tg.interop.from_keras(tmp_path / "m.weights.h5", config=config)(x)
        np.testing.assert_allclose(found.numpy(), y.numpy(), rtol=1e-5, atol=1e-6)


# ---- what is damaged or foreign -----------------------------------------------------------------------


def refused(path, **more):
    """Whether reading raises our error; another goes through, and a model that runs is no refusal."""
    with contextlib.suppress(*REFUSALS):
        tg.interop.from_keras(path, **more)
        return False
    return True


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_gets_our_error_and_nothing_else(name, tmp_path):
    whole = (STORED / name).read_bytes()
    place = tmp_path / name
    for size in np.unique(np.linspace(0, len(whole) - 1, 60).astype(int)):
        place.write_bytes(whole[:size])
        assert refused(place), size


@pytest.mark.filterwarnings("ignore:the layer")
@pytest.mark.parametrize("name", FILES)
def test_bytes_changed_anywhere_get_our_error_or_other_numbers(name, tmp_path, rng):
    whole = (STORED / name).read_bytes()
    place = tmp_path / name
    for at in rng.integers(0, len(whole), 120):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        place.write_bytes(bytes(changed))
        refused(place)


@pytest.mark.filterwarnings("ignore:the layer")
def test_keys_of_a_config_left_out_get_our_error_or_the_default(tmp_path):
    """Every key of the config, one at a time, left out and made nonsense."""
    with zipfile.ZipFile(STORED / "keras_model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    place = STORED / "keras_model.weights.h5"

    def paths(value, path=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield (*path, key)
                yield from paths(inner, (*path, key))
        elif isinstance(value, list):
            for k, inner in enumerate(value):
                yield from paths(inner, (*path, k))

    seen = 0
    for path in paths(config):
        if any("initializer" in str(key) for key in path[:-1]):
            continue
        for how in ("del", None, "nonsense", [1], {"a": 2}, -1):
            changed = json.loads(json.dumps(config))
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            if how == "del":
                del inner[path[-1]]
            else:
                inner[path[-1]] = how
            seen += refused(place, config=changed)
    assert seen > 50


def test_what_is_no_file_of_keras_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no file"):
        tg.interop.from_keras(tmp_path / "none.keras")
    with pytest.raises(tg.FileFormatError, match="is a folder"):
        tg.interop.from_keras(tmp_path)
    for content in (b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{}", b"words"):
        (tmp_path / "m.keras").write_bytes(content)
        assert refused(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "z.keras", "w") as archive:
        archive.writestr("a.txt", "words")
    with pytest.raises(tg.FileFormatError, match=r"no config\.json"):
        tg.interop.from_keras(tmp_path / "z.keras")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = np.ones(3)
    with pytest.raises(tg.FileFormatError, match="none of Keras's"):
        tg.interop.from_keras(tmp_path / "plain.h5")
    tg.interop.to_keras([nn.LSTM(2, 3), nn.Linear(3, 1)], tmp_path / "w.weights.h5")
    with pytest.raises(tg.interop.WeightsError, match="give the model's config="):
        tg.interop.from_keras(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"writes \.keras, \.weights\.h5 or \.h5"):
        tg.interop.to_keras(nn.LSTM(2, 3), tmp_path / "w.onnx")
    with pytest.raises(TypeError, match="a Keras model, a layer or a path"):
        tg.interop.from_keras(3)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad_rnn\[keras\]"'):
        tg.interop.from_keras(STORED / "keras_model.keras")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.LSTM(2, 3, peephole=True)], "peephole"),
        ([nn.LSTM(2, 3, proj_size=2)], "projection"),
        ([nn.Tanh()], "begins with a recurrent layer, an Embedding or a Linear, not Tanh"),
        ([nn.LSTM(2, 3), nn.Flatten()], "knows no Flatten"),
    ],
)
def test_what_keras_has_not_is_named(layers, words, tmp_path):
    with pytest.raises(tg.interop.WeightsError, match=words):
        tg.interop.to_keras(layers, tmp_path / "m.keras")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_name": "Conv1D"}, r"'lstm_3' \(Conv1D\) is not read: there are LSTM, GRU"),
        ({"activation": "mish"}, "'mish' is an activation that is not known there"),
        ({"dtype": "mixed_float16"}, "computes in another dtype than its weights"),
        ({"use_bias": False}, "has 3 arrays, expected 2"),
        ({"time_major": True}, "time_major=True is not read"),
    ],
)
def test_an_option_that_is_not_read_is_named(change, words):
    with zipfile.ZipFile(STORED / "keras_model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    layer = config["config"]["layers"][1]
    layer["class_name"] = change.pop("class_name", layer["class_name"])
    layer["config"].update(change)
    with pytest.raises(tg.interop.WeightsError, match=words):
        tg.interop.from_keras(STORED / "keras_model.keras", config=config)


def test_dropout_within_a_layer_is_said():
    with zipfile.ZipFile(STORED / "keras_model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][1]["config"]["dropout"] = 0.5
    with pytest.warns(UserWarning, match="'lstm_3' drops inputs in training there"):
        tg.interop.from_keras(STORED / "keras_model.keras", config=config)


# ---- TensorFlow.js ---------------------------------------------------------------------------------------

BROWSER = STORED / "tfjs_models"
NAMES = sorted(folder.name for folder in BROWSER.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_tensorflow_js_answers_as_it_did_there(name):
    """Masks, both directions, stacked cells, an initial state, activations: see make_tfjs_models.js."""
    stored = json.loads((BROWSER / name / "xy.json").read_text())
    model = tg.interop.from_tfjs(BROWSER / name / "model.json")
    assert error(model(np.array(stored["x"], "f4")).numpy(), stored["y"]) <= 1e-6


def copied(name, tmp_path, change=lambda whole: None):
    """A stored model in a folder of its own, its model.json changed."""
    whole = json.loads((BROWSER / name / "model.json").read_text())
    change(whole)
    (tmp_path / "model.json").write_text(json.dumps(whole))
    (tmp_path / "weights.bin").write_bytes((BROWSER / name / "weights.bin").read_bytes())
    return tmp_path / "model.json"


def test_weights_of_tensorflow_js_stored_in_fewer_bits(tmp_path):
    stored = json.loads((BROWSER / "c" / "xy.json").read_text())
    place = copied("c", tmp_path)
    whole = json.loads(place.read_text())
    raw, packed = (
        (tmp_path / "weights.bin").read_bytes(),
        {"float16": b"", "uint8": b"", "uint16": b""},
    )
    at = 0
    entries = whole["weightsManifest"][0]["weights"]
    for entry in entries:
        size = int(np.prod(entry["shape"])) * 4
        array = np.frombuffer(raw[at : at + size], "<f4")
        at += size
        packed["float16"] += array.astype("<f2").tobytes()
        for kind, most in (("uint8", 255), ("uint16", 65535)):
            scale = float(array.max() - array.min()) / most or 1.0
            entry[kind] = {"dtype": kind, "min": float(array.min()), "scale": scale}
            packed[kind] += np.round((array - array.min()) / scale).astype(kind).tobytes()
    for kind, near in (("float16", 1e-3), ("uint8", 3e-2), ("uint16", 1e-4)):
        changed = json.loads(json.dumps(whole))
        for entry in changed["weightsManifest"][0]["weights"]:
            entry["quantization"] = entry.get(kind, {"dtype": kind})
        place.write_text(json.dumps(changed))
        (tmp_path / "weights.bin").write_bytes(packed[kind])
        found = tg.interop.from_tfjs(place)(np.array(stored["x"], "f4")).numpy()
        assert 0 < error(found, stored["y"]) < near


def test_a_model_json_cut_short_or_of_another_kind_gets_our_error(tmp_path):
    text = (BROWSER / "a" / "model.json").read_text()
    place = copied("a", tmp_path)

    def refused_there():
        with contextlib.suppress(*REFUSALS):
            tg.interop.from_tfjs(place)
            return False
        return True

    for size in range(0, len(text) - 1, 97):
        place.write_text(text[:size])
        assert refused_there()
    place.write_text(text)
    whole = (tmp_path / "weights.bin").read_bytes()
    for content in (b"", whole[:-1], whole + b"\0", whole[:16]):
        (tmp_path / "weights.bin").write_bytes(content)
        assert refused_there()
    (tmp_path / "weights.bin").write_bytes(whole)
    for words in (
        '{"format": "graph-model", "modelTopology": {"node": []}}',
        "[]",
        "{}",
        '{"modelTopology": 3}',
    ):
        place.write_text(words)
        assert refused_there()
    copied("a", tmp_path, lambda w: w["weightsManifest"][0]["weights"].pop())
    assert refused_there()
    copied("a", tmp_path, lambda w: w["modelTopology"]["config"]["layers"].pop())
    assert refused_there()
    with pytest.raises(FileNotFoundError):
        tg.interop.from_tfjs(tmp_path / "none.json")


def test_an_archive_that_keras_2_wrote_has_keras_2_s_functions():
    """Its ``hard_sigmoid`` is another one than Keras 3's; see make_keras2_archive.py."""
    stored = json.loads((STORED / "keras2_archive.json").read_text())
    x = np.array(stored["x"], "f4")
    assert (
        error(tg.interop.from_keras(STORED / "keras2_archive.keras")(x).numpy(), stored["y"])
        <= 1e-6
    )
    with zipfile.ZipFile(STORED / "keras2_archive.keras") as archive:
        config, about = (
            json.loads(archive.read("config.json")),
            json.loads(archive.read("metadata.json")),
        )
    assert about["keras_version"].startswith("2")
    by_hand = tg.interop.from_keras(STORED / "keras2_archive.keras", config=config)
    assert error(by_hand(x).numpy(), stored["y"]) <= 1e-6
