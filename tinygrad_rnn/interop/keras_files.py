"""What lies where in Keras's files? In a ``.keras`` archive, a ``.weights.h5`` and a Keras 2 ``.h5``."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.values import Array
from ..files import FileFormatError
from .keras_layers import snake
from .packing import WeightsError

Tree = dict[str, Any]


def hdf5() -> Any:
    """h5py. Raises ImportError that says what to install."""
    try:
        return import_module("h5py")
    except ImportError as error:
        raise ImportError(
            'Keras\'s files hold HDF5, which h5py reads: pip install "tinygrad_rnn[keras]"'
        ) from error


@dataclass
class Read:
    """A file: the model's config where it is there, "keras" or "keras2", and its arrays.

    ``tree`` are Keras 3's by path, ``lists`` those of Keras 2 by the layer's name.
    """

    config: Tree | None
    layout: str
    tree: Tree
    lists: dict[str, list[Array]] | None = None

    def weights(self, listed: list[Any]) -> dict[str, list[Array]]:
        """Each layer's arrays, in Keras's order."""
        if self.lists is not None:
            return {name.replace(".", "_"): arrays for name, arrays in self.lists.items()}
        return by_counting(self.tree, listed)


def read(path: str | os.PathLike[str]) -> Read:
    """What a file of Keras's holds.

    Raises FileFormatError that names the file for what is none of the three, or is damaged.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is no file {place}")
    if place.is_dir():
        raise FileFormatError(f"{place} is a folder: a .keras archive or an HDF5 file is read")
    h5py = hdf5()
    raw = place.read_bytes()
    try:
        if raw[:2] == b"PK":
            return _archive(raw, h5py)
        if raw[:8] != b"\x89HDF\r\n\x1a\n":
            raise FileFormatError(f"{place} is neither a .keras archive nor an HDF5 file")
        return _hdf5(raw, h5py)
    except (FileFormatError, WeightsError):
        raise
    except _DAMAGE as error:
        raise FileFormatError(f"{place} is damaged: {error}") from None


# What h5py, zipfile and json raise over damaged bytes.
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError,
           zipfile.BadZipFile, NotImplementedError, EOFError, MemoryError, RecursionError,
           OverflowError)  # fmt: skip


def _archive(raw: bytes, h5py: Any) -> Read:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = archive.namelist()
        for name in ("config.json", "model.weights.h5"):
            if name not in names:
                raise FileFormatError(f"the archive has no {name}: it is no model of Keras 3")
        config = parsed(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
        about = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
    version = about.get("keras_version") if isinstance(about, dict) else None
    return Read(config, layout_of(config, version), _all(h5py, weights))


def layout_of(config: Mapping[str, Any] | None, version: Any = None) -> str:
    """Whose options a config has: Keras 2's ``hard_sigmoid`` is another function than Keras 3's."""
    said = version if isinstance(version, str) else (config or {}).get("keras_version")
    if isinstance(said, str):
        return "keras" if said.startswith("3") else "keras2"
    return "keras2" if "batch_input_shape" in json.dumps(config) else "keras"


def parsed(text: Any) -> Tree:
    """A model's config from JSON. Raises WeightsError where it is none."""
    try:
        config = json.loads(text)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise WeightsError(f"the model's config is no JSON ({error})") from None
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise WeightsError("the model's config is none")
    return config


def _hdf5(raw: bytes, h5py: Any) -> Read:
    with h5py.File(io.BytesIO(raw), "r") as file:
        root = file.get("model_weights", file)
        if "layer_names" in root.attrs:
            layout = layout_of(None, _text(root.attrs.get("keras_version", "2")))
            config = file.attrs.get("model_config")
            lists = {}
            for name in root.attrs["layer_names"]:
                group = root[_text(name)]
                names = [_text(n) for n in group.attrs["weight_names"]]
                lists[_text(name)] = [_array(group[n]) for n in names]
            return Read(None if config is None else parsed(config), layout, {}, lists)
        if "layers" not in file and "_layer_checkpoint_dependencies" not in file:
            raise FileFormatError("the HDF5 file is none of Keras's: it has no layers")
    return Read(None, "keras", _all(h5py, raw))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _array(data: Any) -> Array:
    array = np.asarray(data[()])
    if array.dtype.kind != "f" and array.dtype.kind not in "iu":
        raise WeightsError(f"{data.name} holds {array.dtype}, expected floats")
    return array


def _all(h5py: Any, raw: bytes) -> dict[str, Any]:
    """Every array of a file by its path, and the layer's name that Keras wrote beside it."""
    found: dict[str, Any] = {}
    with h5py.File(io.BytesIO(raw), "r") as file:

        def visit(path: str, item: Any) -> None:
            path = path.replace(
                "_layer_checkpoint_dependencies", "layers"
            )  # the first of Keras 2's
            if hasattr(item, "shape"):
                found[path] = _array(item)
            elif "name" in item.attrs:
                found[f"{path}@name"] = _text(item.attrs["name"])

        file.visititems(visit)
    return found


def by_counting(tree: Mapping[str, Any], listed: list[Any]) -> dict[str, list[Array]]:
    """Keras 3: a group a layer, named by its class and how many of that class came before."""
    found = {}
    for layer, group in zip(listed, _counters(listed), strict=True):
        name = str(layer["config"].get("name", layer.get("name")))
        path = f"layers/{group}"
        written = tree.get(f"{path}/vars@name")
        if written is not None and written != name:
            path = next(
                (k.removesuffix("/vars@name") for k, v in tree.items()
                 if v is not None and isinstance(v, str) and v == name and k.count("/") == 2),
                path,
            )  # fmt: skip
        arrays: list[Array] = []
        for place in places(layer, path):
            arrays += _vars(tree, place)
        found[name.replace(".", "_")] = arrays
    return found


def places(layer: Mapping[str, Any], path: str) -> Iterator[str]:
    """The groups of a layer's arrays, in Keras's order of its weights."""
    kind, config = str(layer.get("class_name")), layer["config"]
    if kind == "Bidirectional":
        for way in ("forward_layer", "backward_layer"):
            yield from places(config["layer"], f"{path}/{way}")
    elif kind == "TimeDistributed":
        yield f"{path}/layer/vars"
    elif kind == "RNN":
        cell = config.get("cell")
        if isinstance(cell, Mapping) and cell.get("class_name") == "StackedRNNCells":
            cells = list(cell["config"]["cells"])
            for name in _counters(cells):
                yield f"{path}/cell/cells/{name}/vars"
        else:
            yield f"{path}/cell/vars"
    elif kind in ("LSTM", "GRU", "SimpleRNN"):
        yield f"{path}/cell/vars"
    else:
        yield f"{path}/vars"


def _counters(listed: list[Any]) -> list[str]:
    """The names that Keras 3 gives to layers of a container: lstm, lstm_1, dense, ..."""
    seen: dict[str, int] = {}
    found = []
    for layer in listed:
        name = snake(str(layer.get("class_name")))
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.append(f"{name}_{count}" if count else name)
    return found


def _vars(tree: Mapping[str, Any], place: str) -> list[Array]:
    found: list[Array] = []
    while f"{place}/{len(found)}" in tree:
        found.append(tree[f"{place}/{len(found)}"])
    return found


def guessed(tree: Mapping[str, Any]) -> Tree:
    """The config that a file of weights alone leaves open: recurrent layers with Keras's defaults.

    Raises WeightsError where it holds other layers, or sizes do not say in which order they stand.
    """
    groups: dict[str, dict[str, Any]] = {}
    for path, value in tree.items():
        _, _, rest = path.partition("layers/")
        group, _, inner = rest.partition("/")
        groups.setdefault(group, {})[inner] = value
    kept = {
        group: held
        for group, held in groups.items()
        if any(not isinstance(value, str) for value in held.values())
    }
    each = [_default(group, held) for group, held in kept.items()]
    if not each or len(each) > 6:
        raise WeightsError("the file holds weights alone: give the model's config=")
    orders = [
        order
        for order in itertools.permutations(each)
        if all(a[2] == b[1] for a, b in itertools.pairwise(order))
    ]
    if len(orders) != 1:
        raise WeightsError(
            f"the file holds weights alone, and {len(orders)} orders of its layers "
            "fit: give the model's config="
        )
    layers = [layer for layer, _, _ in orders[0]]
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}


_KINDS = {"lstm_cell": "LSTM", "gru_cell": "GRU", "simple_rnn_cell": "SimpleRNN"}


def _default(group: str, held: Mapping[str, Any]) -> tuple[Tree, int, int]:
    """A recurrent layer with Keras's defaults, its inputs and outputs."""
    both = "forward_layer/cell/vars/0" in held
    head = "forward_layer/cell/vars" if both else "cell/vars"
    named = str(held.get(f"{head}@name", ""))
    kind = next((v for k, v in _KINDS.items() if named.startswith(k)), None)
    kernel, recurrent, bias = (held.get(f"{head}/{k}") for k in range(3))
    if kind is None or kernel is None or recurrent is None or kernel.ndim != 2:
        raise WeightsError(
            f"the file holds weights alone, and its layer {group!r} has options that are not in it: give the "
            "model's config="
        )
    name = held.get("vars@name", group)
    options = {
        "name": name,
        "units": len(recurrent),
        "return_sequences": True,
        "use_bias": bias is not None,
    }
    if kind == "GRU" and bias is not None:
        options["reset_after"] = bias.ndim == 2
    layer: Tree = {"class_name": kind, "config": options}
    if both:
        layer = {"class_name": "Bidirectional", "config": {"name": name, "layer": layer}}
    return layer, kernel.shape[0], len(recurrent) * (2 if both else 1)


# ---- out ------------------------------------------------------------------------------------------------


def weights_file(listed: list[Any], weights: Mapping[str, list[Array]]) -> bytes:
    """A ``.weights.h5`` of Keras 3."""
    h5py = hdf5()
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        file.create_group("vars")
        for layer, group in zip(listed, _counters(listed), strict=True):
            name = str(layer["config"].get("name", layer.get("name")))
            left = list(weights.get(name.replace(".", "_"), []))
            path = f"layers/{group}"
            file.require_group(f"{path}/vars").attrs["name"] = name
            each = list(places(layer, path))
            size = len(left) // max(len(each), 1)
            counts = [size] * len(each)
            if layer.get("class_name") == "RNN" and len(each) > 1:
                cells = layer["config"]["cell"]["config"]["cells"]
                counts = [3 if c["config"].get("use_bias", True) else 2 for c in cells]
            for place, count in zip(each, counts, strict=True):
                room = file.require_group(place)
                if "cell" in place:
                    room.attrs["name"] = _cell_name(layer, place)
                for k in range(count):
                    room.create_dataset(str(k), data=left.pop(0))
    return whole.getvalue()


def _cell_name(layer: Mapping[str, Any], place: str) -> str:
    """The name of a recurrent layer's cell, which Keras writes beside its arrays."""
    if "/cells/" in place:
        return place.split("/")[-2]
    inner = layer["config"].get("layer", layer)
    cell = inner["config"].get("cell")
    kind = cell["class_name"] if isinstance(cell, Mapping) else f"{inner['class_name']}Cell"
    return snake(str(kind))


def archive(config: Tree, listed: list[Any], weights: Mapping[str, list[Array]]) -> bytes:
    """A ``.keras`` archive."""
    whole = io.BytesIO()
    about = {"keras_version": "3.15.1", "date_saved": "1980-01-01@00:00:00"}
    with zipfile.ZipFile(whole, "w") as made:
        made.writestr(zipfile.ZipInfo("metadata.json"), json.dumps(about))
        made.writestr(zipfile.ZipInfo("config.json"), json.dumps(config))
        made.writestr(zipfile.ZipInfo("model.weights.h5"), weights_file(listed, weights))
    return whole.getvalue()


def legacy(
    config: Tree, listed: list[Any], weights: Mapping[str, list[Array]], layout: str
) -> bytes:
    """A whole model as HDF5, as Keras 2 writes it."""
    h5py = hdf5()
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.21.0" if layout == "keras2" else "3.15.1"
        file.attrs["backend"] = "tensorflow"
        root = file.create_group("model_weights")
        for key in ("keras_version", "backend"):
            root.attrs[key] = file.attrs[key]
        kept = [x for x in listed if x.get("class_name") != "InputLayer"]
        names = [str(x["config"].get("name", x.get("name"))) for x in kept]
        root.attrs["layer_names"] = [n.encode() for n in names]
        for name in names:
            group = root.create_group(name)
            arrays = weights.get(name.replace(".", "_"), [])
            labels = [f"{name}/weight_{k}:0" for k in range(len(arrays))]
            group.attrs["weight_names"] = [label.encode() for label in labels]
            for label, array in zip(labels, arrays, strict=True):
                group.create_dataset(label, data=array)
        root.create_group("top_level_model_weights").attrs["weight_names"] = np.array([], "S1")
    return whole.getvalue()


# ---- TensorFlow.js --------------------------------------------------------------------------------------


def browser(place: Path) -> tuple[Tree, dict[str, Array]]:
    """A model.json and its weights: the config, spelt as Keras does, and the arrays by name."""
    try:
        whole = json.loads(place.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{place} is no JSON ({error})") from None
    topology = whole.get("modelTopology") if isinstance(whole, dict) else None
    if not isinstance(topology, dict):
        raise FileFormatError(
            f"{place} is no layers model of TensorFlow.js: it has no modelTopology"
        )
    if "node" in topology or whole.get("format") == "graph-model":
        raise WeightsError(f"{place} is a graph model: a layers model is read")
    config = pythonic(topology.get("model_config", topology))
    arrays: dict[str, Array] = {}
    for group in whole.get("weightsManifest", []):
        raw = b"".join((place.parent / str(name)).read_bytes() for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            array, size = _unquantised(entry, raw[at:], place)
            at += size
            arrays[str(entry["name"])] = array
        if at != len(raw):
            raise FileFormatError(f"{place}: its weights take {at} bytes, and there are {len(raw)}")
    return parsed(json.dumps(config)), arrays


_STORED = {"float32": "<f4", "float16": "<f2", "uint8": "|u1", "uint16": "<u2"}


def _unquantised(entry: Mapping[str, Any], raw: bytes, place: Path) -> tuple[Array, int]:
    """One array, and how many bytes it took."""
    squeezed = entry.get("quantization")
    kind = squeezed["dtype"] if squeezed else entry["dtype"]
    if kind not in _STORED:
        raise WeightsError(f"{place}: {entry['name']} holds {kind}, which is not read")
    shape = [int(n) for n in entry["shape"]]
    dtype = np.dtype(_STORED[kind])
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize
    if min([*shape, 0]) < 0 or size > len(raw):
        raise FileFormatError(f"{place} ends within {entry['name']}")
    array = np.frombuffer(raw[:size], dtype).reshape(shape).astype(np.float32)
    if squeezed and kind != "float16":
        array = (array * np.float32(squeezed["scale"]) + np.float32(squeezed["min"])).astype("f4")
    return array, size


def pythonic(given: Any) -> Any:
    """Keys of TensorFlow.js (``returnSequences``) as Keras spells them."""
    if isinstance(given, list):
        return [pythonic(item) for item in given]
    if not isinstance(given, Mapping):
        return given
    return {
        re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), str(key)): pythonic(
            value
        )
        for key, value in given.items()
    }


def by_names(arrays: Mapping[str, Array], listed: list[Any]) -> dict[str, list[Array]]:
    """Each layer's arrays: those whose name has the layer's as a part. Raises WeightsError for others."""
    found: dict[str, list[Array]] = {}
    left = dict(arrays)
    for layer in listed:
        name = str(layer["config"].get("name", layer.get("name")))
        mine = [key for key in left if name in key.split("/")[:-1]]
        found[name.replace(".", "_")] = [left.pop(key) for key in mine]
    if left:
        raise WeightsError(f"{', '.join(left)}: arrays of no layer of the model")
    return found
