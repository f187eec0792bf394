"""The stored cases of other frameworks: their weights, what they were given, what they returned."""

import json
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg

STORED = Path(__file__).parent / "golden" / "frameworks"
NAMES = sorted(path.stem for path in STORED.glob("*.npz"))
MODELS = ("keras_model", "keras2_model")  # their weights are of several layers: read from files


class Case:
    """One stored file, and how it is read: layout, options, and runs of (input, states, answers)."""

    def __init__(self, name):
        self.name = name
        with np.load(STORED / f"{name}.npz") as file:
            self.arrays = {key: file[key] for key in file.files if key != "meta"}
            self.meta = json.loads(str(file["meta"]))
        self.weights = {
            key.removeprefix("weights/"): self.arrays.pop(key)
            for key in list(self.arrays)
            if key.startswith("weights/")
        }
        self.layout = "nnx" if self.meta.get("api") == "nnx" else self.meta["framework"]
        self.options = self._options()

    def _options(self):
        meta, options = self.meta, {}
        if isinstance(meta.get("layer"), dict):
            options["config"] = meta["layer"]
        options.update(meta.get("attributes", {}))
        if self.layout == "openvino":
            options["direction"] = meta["direction"]
            options["linear_before_reset"] = meta.get("linear_before_reset", False)
            if "gru" not in self.name:
                del options["linear_before_reset"]
        if self.name.startswith("chainer_nstep"):
            options["layer"] = {"chainer_nsteprnnrelu": "NStepRNNReLU"}.get(self.name)
        return options

    def read(self, **more):
        return tg.interop.from_weights(self.weights, self.layout, **self.options, **more)

    def tolerance(self):
        """Absolute, and relative to what is above 1: the framework's own accuracy."""
        return 2e-6 if self.layout == "onnxruntime" else 1e-6

    def runs(self):
        """Of every run that is stored: input, states or None, lengths or None, and the answers by name."""
        a = self.arrays
        take = lambda *names: next((a[n] for n in names if n in a), None)  # noqa: E731
        x = take("x", "X")
        states = [s for s in (take("h0", "initial_h"), take("c0", "initial_c")) if s is not None]
        lengths = take("sequence_lens", "sequence_lengths")
        plain = {n: a[n] for n in ("y", "Y", "h", "c", "Y_h", "Y_c", "Ho", "Co") if n in a}
        if self.layout == "chainer" and "NStep" in str(self.options.get("layer")):
            lengths = a["lengths"]
        if self.name.startswith("chainer_nstep") or self.name == "paddle_lstm_2_layers_bidirect":
            lengths = a["lengths"]
        runs = []
        if self.name == "chainer_statefulgru":
            runs += [(x, [], None, {"y": a["y_none"]})]
            runs += [(x, [np.zeros((*x.shape[1:2], 4), x.dtype)], None, {"y": a["y_zero"]})]
        elif "spk" in a:
            runs += [(x, [], None, {"y": a["spk"], "h": a["mem"][-1], "c": a["syn"][-1]})]
        elif plain:
            for side in ("_forward", "_backward"):
                for part in "hc":
                    if f"{part}{side}" in a:
                        plain[f"{part}{side}"] = a[f"{part}{side}"]
            runs += [(x, states, lengths, plain)]
        if "y_lengths" in a:
            given = states if self.layout == "paddlepaddle" else []
            answers = {n: a[f"{n}_lengths"] for n in "yhc" if f"{n}_lengths" in a}
            runs += [(x, given, a["lengths"], answers)]
        if "y_mask" in a:
            lengths = a["mask"].sum(1) if "mask" in a else a["lengths"]
            answers = {
                key.removesuffix("_mask"): v for key, v in a.items() if key.endswith("_mask")
            }
            answers.pop("x", None)
            runs += [(take("x_mask", "x"), [], lengths, answers)]
        return runs

    def run(self, layer, x, states, lengths):
        """What our layer returns, under the names and in the axes of the stored answers."""
        core = layer.recurrent if hasattr(layer, "recurrent") else layer
        flat = hasattr(core, "cell")  # nn.Recurrent: states without an axis of layers
        cells = len(core.cells())
        vino = self.layout == "openvino"
        given = []
        for state in states:
            state = state.swapaxes(0, 1) if vino else state
            lead = () if flat else (cells,)
            given.append(
                tg.tensor(
                    state.reshape(*lead, *state.shape[state.ndim - (1 if x.ndim == 2 else 2) :])
                )
            )
        hx = None if not given else given[0] if len(given) == 1 else tuple(given)
        extra = {} if lengths is None else {"lengths": lengths}
        y, last = layer(tg.tensor(x), hx, **extra)
        h, c = last if isinstance(last, tuple) else (last, None)
        y, h = y.numpy(), h.numpy()
        c = None if c is None else c.numpy()
        ways = 2 if getattr(core, "bidirectional", False) else 1
        found = {"y": y, "h": h, "c": c, "Y_h": h, "Y_c": c}
        split = np.stack(np.split(y, ways, -1), 1)  # a direction's axis after the first
        found["Y"] = split
        if vino:
            found["Ho"], found["Co"] = h.swapaxes(0, 1), None if c is None else c.swapaxes(0, 1)
        for way, side in enumerate(("_forward", "_backward")[:ways] if ways == 2 else ()):
            found[f"h{side}"], found[f"c{side}"] = h[way], None if c is None else c[way]
        return found


def error(found, wanted):
    """The worst difference, relative to what is above 1."""
    wanted = np.asarray(wanted, np.float64)
    found = np.asarray(found, np.float64).reshape(wanted.shape)
    return float((np.abs(found - wanted) / np.maximum(1, np.abs(wanted))).max())
