"""How do Keras models come in and go out? Live, from their files, and TensorFlow.js's."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.values import Array
from ..files import FileFormatError, atomic
from . import keras_files
from .keras_model import KerasModel, name_of
from .keras_written import described_model
from .packing import WeightsError

Place = str | os.PathLike[str]


def from_keras(source: Any, config: Any = None) -> KerasModel:
    """A Keras model as a Module: Sequential or functional, live or from a file, without Keras.

    ``source`` is a ``keras`` or ``tf_keras`` model or layer that is built, or the path of a ``.keras``
    archive, of an ``.h5`` that Keras 2 or 3 wrote, or of a ``.weights.h5``. The last holds no options:
    give the model's ``config`` (``model.to_json()``, ``model.get_config()``, or the path of either); without
    it there may be recurrent layers alone, which get Keras's defaults and give their whole sequences.
    Files need h5py (extra ``keras``).

    Layers: LSTM, GRU (both resets), SimpleRNN, Bidirectional with every merge mode, RNN of a cell or of
    stacked cells, Dense, Embedding, LayerNormalization, TimeDistributed of these, Masking, Dropout,
    activations, merges, Flatten, Reshape, RepeatVector. Masks act as in Keras; ``model(x, lengths=...)``
    gives them by hand. Keras 2's ``hard_sigmoid`` is not Keras 3's, and each gets its own.

    Raises WeightsError that names the layer or option that is not read, ``tg.FileFormatError`` for a file
    that is damaged or none of Keras's, FileNotFoundError, ImportError without h5py. Warns of what acts in
    training there (dropout within a layer) and not here.

        model = tg.interop.from_keras("model.keras")
        y = model(x)
    """
    given = None if config is None else _config(config)
    if isinstance(source, (str, os.PathLike)):
        file = keras_files.read(source)
        found = given or file.config or keras_files.guessed(file.tree)
        layout = file.layout if given is None else keras_files.layout_of(given)
        return _model(found, layout, file.weights)
    if not hasattr(source, "get_config") or not hasattr(source, "get_weights"):
        raise TypeError(
            f"from_keras takes a Keras model, a layer or a path, not {type(source).__name__}"
        )
    return _live(source)


def _model(config: Mapping[str, Any], layout: str, weights: Callable[..., Any]) -> KerasModel:
    """The model; ``weights`` gives each layer's arrays for the list of layers."""
    try:
        return KerasModel(config, layout, weights(_listed(config)))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(f"the model's config is malformed: {error!r}") from None


def _live(source: Any) -> KerasModel:
    layout = "keras2" if type(source).__module__.startswith("tf_keras") else "keras"
    known = sys.modules.get("keras")
    if layout == "keras" and str(getattr(known, "__version__", "3")).startswith("2"):
        layout = "keras2"
    if hasattr(source, "layers") and not hasattr(source, "merge_mode"):
        config = {"class_name": _class(source), "config": source.get_config()}
        layers = {layer.name: layer for layer in source.layers}
    else:
        inner = {"class_name": type(source).__name__, "config": source.get_config()}
        config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": [inner]}}
        layers = {source.name: source}
    config = json.loads(json.dumps(config, default=_plain))
    if not any(layer.get_weights() for layer in layers.values()):
        raise WeightsError("the model has no weights: it is not built, call it once")
    weights = {n.replace(".", "_"): _numbers(layer) for n, layer in layers.items()}
    return _model(config, layout, lambda _: weights)


def _class(model: Any) -> str:
    names = {kind.__name__ for kind in type(model).__mro__}
    for name in ("Sequential", "Functional"):
        if name in names:
            return name
    raise WeightsError(
        f"{type(model).__name__} is a model of your own: its forward is not in its config, "
        "Sequential and functional models are read"
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, (set, tuple)):
        return list(value)
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    return str(value)


def _numbers(layer: Any) -> list[Array]:
    return [np.asarray(a) for a in layer.get_weights()]


def _config(given: Any) -> dict[str, Any]:
    """A model's config as it was given: a dict, JSON, or the path of a file with it."""
    if isinstance(given, Mapping):
        whole = dict(given)
        if "config" not in whole and "layers" in whole:
            kind = "Functional" if "input_layers" in whole else "Sequential"
            whole = {"class_name": kind, "config": whole}
        return keras_files.parsed(json.dumps(whole, default=_plain))
    text = os.fspath(given)
    if not text.lstrip().startswith("{"):
        if text.endswith(".keras"):
            return keras_files.read(text).config or {}
        text = Path(text).read_text()
    return keras_files.parsed(text)


def _listed(config: Mapping[str, Any]) -> list[Any]:
    inner = config["config"]
    listed = inner if isinstance(inner, list) else inner.get("layers")
    if not isinstance(listed, list) or not listed:
        raise WeightsError("the model's config lists no layers")
    for layer in listed:
        name_of(layer)
    ops = ("NotEqual", "Any")
    return [x for x in listed if x.get("class_name") not in ops]


def to_keras(source: Any, path: Place | None = None) -> Any:
    """A model as Keras's: a file of its, or, without a path, a live ``keras`` model.

    ``source`` is what ``from_keras`` read, one layer, or a list or ``nn.Sequential`` of layers in their
    order: ``nn.LSTM``, ``GRU``, ``RNN`` (several layers and both directions become several of Keras's),
    ``Embedding``, ``Linear``, ``LayerNorm``, ``Dropout``, activations; a recurrent layer gives its whole
    sequence to the next.
    The path's end says the format: ``.keras``, ``.weights.h5`` or, as Keras 2 wrote it, ``.h5``.

    Raises WeightsError that names what Keras does not have (peepholes, projections), ValueError for another
    ending, ImportError without h5py or, live, without keras.

        tg.interop.to_keras([nn.LSTM(2, 8, batch_first=True), nn.Linear(8, 1)], "model.keras")
    """
    config, layout, weights = described_model(source)
    listed = _listed(config)
    if path is None:
        return _loaded(keras_files.archive(config, listed, weights), layout)
    name = str(path)
    if name.endswith(".keras"):
        whole = keras_files.archive(_for_3(config, layout), listed, weights)
    elif name.endswith(".weights.h5"):
        whole = keras_files.weights_file(listed, weights)
    elif name.endswith((".h5", ".hdf5")):
        whole = keras_files.legacy(config, listed, weights, layout)
    else:
        raise ValueError(f"to_keras writes .keras, .weights.h5 or .h5, got {name!r}")
    atomic.write(Path(name), [whole])
    return None


def _for_3(config: Mapping[str, Any], layout: str) -> dict[str, Any]:
    if layout != "keras":
        raise WeightsError(
            "a model of Keras 2 is written as .h5: its options are spelt otherwise in Keras 3"
        )
    return dict(config)


def _loaded(whole: bytes, layout: str) -> Any:
    if layout != "keras":
        raise WeightsError("a model of Keras 2 is written as .h5: give a path")
    try:
        from importlib import import_module

        keras = import_module("keras")
    except ImportError as error:
        raise ImportError(
            "to_keras without a path makes a live model: pip install keras"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model.keras"
        place.write_bytes(whole)
        return keras.saving.load_model(place, compile=False)


def from_tfjs(path: Place) -> KerasModel:
    """A TensorFlow.js layers model as a Module: its ``model.json`` and the weights beside it.

    What ``model.save`` or ``tensorflowjs_converter`` wrote (format "layers-model"); numbers stored as
    float16 or quantised to 8 or 16 bits are read as float32. Recurrent layers have TensorFlow.js's
    defaults: gates are ``hard_sigmoid``, a GRU resets before. See ``from_keras`` for layers, masks and
    errors.

        model = tg.interop.from_tfjs("web/model.json")
    """
    place = Path(path)
    if place.is_dir():
        place = place / "model.json"
    if not place.exists():
        raise FileNotFoundError(f"there is no file {place}")
    try:
        config, lists = keras_files.browser(place)
    except (KeyError, TypeError, AttributeError, ValueError, OSError, OverflowError) as error:
        if isinstance(error, (WeightsError, FileFormatError, FileNotFoundError)):
            raise
        raise FileFormatError(f"{place} is no layers model of TensorFlow.js: {error!r}") from None
    return _model(config, "tfjs", lambda listed: keras_files.by_names(lists, listed))
