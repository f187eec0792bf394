"""How does each framework keep a recurrent layer's weights? One table of conventions, a row a layer.

Import, export and the page of the documentation follow from a row; nothing is written beside it. A row
says which arrays there are under which names (``Names``), what each holds (``Part``), what the layer
computes (``Rule``), which options of the framework change that, and what padded steps give.

``Part.holds`` is a small language. ``W_ih[ifgo]`` are the matrices of the gates i, f, g, o on x, one
below the other; ``W_hh`` those on h; ``b_ih`` and ``b_hh`` the biases of the two; ``b`` the only bias of a
gate, kept in ``bias_ih`` here, ``bh`` one kept in ``bias_hh``; ``p`` peepholes, ``P`` those that are
matrices; ``|`` joins two along the features; ``W_hr`` is a projection, ``W_out`` and ``b_out`` a readout;
``@name`` an entry of our cell's own state dict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .activations import HARD_SIGMOID, HARD_SIGMOID_OF_KERAS_3, RELU, SIGMOID, TANH, Activation
from .cells import Rule


@dataclass(frozen=True)
class Part:
    """One array of a layer: its name, what it holds, and how that lies in it.

    ``columns``: gates along the second axis; ``interleaved``: a row of each gate in turn, unit by unit;
    ``form`` is "" or, for a bias, "two rows" or "column"; ``when`` is a field of the rule and the value
    with which the array is there; ``optional``: may be missing with all other biases.
    """

    name: str
    holds: str
    columns: bool = False
    interleaved: bool = False
    form: str = ""
    when: tuple[str, Any] | None = None
    naming: int | None = None


@dataclass(frozen=True)
class Names:
    """How the arrays of a layer are spelt: read by a pattern, written by one of three texts.

    In ``read`` PART stands for the names of the parts and ``(?P<k>)`` for a layer's number; what
    ``backward`` finds in the rest of a name belongs to the second direction. In the texts {part} is a
    part's name, {k} the layer's number, {n} that of the cell, directions counted; names without texts
    are read and never written.
    """

    read: str
    single: str
    forward: str = ""
    second: str = ""
    backward: str = "(?!)"
    onward: str = "(?!)"
    by_cell: bool = False


@dataclass(frozen=True)
class Row:
    """A framework's layer. See the module."""

    layout: str
    layer: str
    rule: Rule
    parts: tuple[Part, ...]
    names: tuple[Names, ...]
    gates: str
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spelling: Mapping[str, Activation] = field(default_factory=dict)
    harmless: tuple[str, ...] = ()
    minus: str = ""
    offset: Mapping[str, float] = field(default_factory=dict)
    needs_bias: bool = False
    stacked: bool = False
    batch_first: bool = False
    padded: tuple[str, str, str] = ("zero", "zero", "initial")
    padded_both: tuple[str, str, str] | None = None
    extras: str = "(?!)"
    initial: Mapping[str, str] = field(default_factory=dict)
    settle: Callable[[Mapping[str, Any], int, int], dict[str, Any]] | None = None
    state: str = "h"
    note: str = ""
    source: str = ""
    settled: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """As an error names it."""
        return f"{self.layout}'s {self.layer}"


# ---- how arrays are named -----------------------------------------------------------------------------


def _plain(prefix: str = r"(?:.*[/._])?") -> Names:
    return Names(rf"{prefix}(?P<part>PART)", "{part}")


def _keras_names(layer: str, cell: str) -> Names:
    return Names(
        r"(?:.*/)?(?P<part>PART)(?::0)?", f"{cell}/{{part}}", f"forward_{layer}/{cell}/{{part}}",
        f"backward_{layer}/{cell}/{{part}}", r"(?:^|/)backward_", r"(?:^|/)forward_",
    )  # fmt: skip


_TORCH_NAMES = Names(
    r"(?:.*\.)?(?P<part>PART)_l(?P<k>\d+)(?:_reverse)?", "{part}_l{k}", "{part}_l{k}",
    "{part}_l{k}_reverse", "_reverse$",
)  # fmt: skip
_PADDLE_AGAIN = Names(
    r"(?:.*\.)?(?P<k>\d+)\.cell(?:_fw|_bw)?\.(?P<part>PART)", "{k}.cell.{part}", "{k}.cell_fw.{part}",
    "{k}.cell_bw.{part}", r"\.cell_bw\.", r"\.cell_fw\.|\.cell\.",
)  # fmt: skip
_LINEN_NAMES = Names(
    r"(?:.*/)?(?P<part>PART)", "{part}", "forward_rnn/cell/{part}", "backward_rnn/cell/{part}",
    r"(?:^|/)backward_rnn/", r"(?:^|/)forward_rnn/",
)  # fmt: skip
_MXNET_NAMES = Names(
    r"(?:.*[_.])?[lr](?P<k>\d+)_(?P<part>PART)", "l{k}_{part}", "l{k}_{part}", "r{k}_{part}",
    r"(?<![^_.])r(?=\d+_$)", r"(?<![^_.])l(?=\d+_$)",
)  # fmt: skip
_MXNET_SAVED = Names(  # what save_parameters writes; a dropout cell between two layers has a number too
    r"(?:.*\.)?_unfused\.\d+\.(?:[lr]_cell\.)?(?P<part>PART)", "", backward=r"r_cell\.", onward=r"l_cell\."
)  # fmt: skip
_NSTEP_NAMES = Names(
    r"(?:.*/)?(?P<k>\d+)/(?P<part>PART)", "{n}/{part}", "{n}/{part}", "{n}/{part}", by_cell=True
)  # fmt: skip
_COREML_NAMES = Names(
    r"(?P<part>PART)(?:_back)?", "{part}", "{part}", "{part}_back", "_back$"
)  # fmt: skip

# ---- parts that several frameworks share ------------------------------------------------------------------

LSTM, GRU, RNN = Rule("LSTM"), Rule("GRU"), Rule("RNN")
BEFORE = Rule("GRU", reset_after=False)
RELU_RNN = Rule("RNN", act=RELU)


def _torch_parts(gates: str, more: tuple[Part, ...] = ()) -> tuple[Part, ...]:
    return (
        Part("weight_ih", f"W_ih[{gates}]"),
        Part("weight_hh", f"W_hh[{gates}]"),
        Part("bias_ih", f"b_ih[{gates}]"),
        Part("bias_hh", f"b_hh[{gates}]"),
        *more,
    )


def _keras_parts(gates: str, *biases: Part) -> tuple[Part, ...]:
    return (
        Part("kernel", f"W_ih[{gates}]", columns=True),
        Part("recurrent_kernel", f"W_hh[{gates}]", columns=True),
        *(biases or (Part("bias", f"b[{gates}]"),)),
    )


def _each(
    names: Mapping[str, str], holds: str, columns: bool = True, form: str = ""
) -> tuple[Part, ...]:
    """An array a gate: the name of each gate's array."""
    return tuple(
        Part(name, f"{holds}[{gate}]", columns and holds[0] == "W", form=form)
        for gate, name in names.items()
    )


def _onnx_parts(gates: str, bias: tuple[Part, ...]) -> tuple[Part, ...]:
    return (Part("W", f"W_ih[{gates}]"), Part("R", f"W_hh[{gates}]"), *bias)


def _both(gates: str) -> tuple[Part, ...]:
    return (Part("B", f"b_ih[{gates}]b_hh[{gates}]"),)


# ---- how activations and options are spelt ----------------------------------------------------------------

_COMMON: dict[str, Activation] = {
    "tanh": TANH, "sigmoid": SIGMOID, "relu": RELU, "linear": ("linear", ()), "elu": ("elu", (1.0,)),
    "selu": ("selu", ()), "softsign": ("softsign", ()), "softplus": ("softplus", ()), "gelu": ("gelu", ()),
    "silu": ("silu", ()), "swish": ("silu", ()), "relu6": ("relu6", ()), "exponential": ("exponential", ()),
    "leaky_relu": ("leaky_relu", (0.01,)), "hard_tanh": ("hard_tanh", ()), "identity": ("linear", ()),
}  # fmt: skip
KERAS_3 = {
    **_COMMON, "hard_sigmoid": HARD_SIGMOID_OF_KERAS_3, "leaky_relu": ("leaky_relu", (0.2,)),
}  # fmt: skip
KERAS_2 = {**KERAS_3, "hard_sigmoid": HARD_SIGMOID}
TFJS = {**KERAS_2, "hardSigmoid": HARD_SIGMOID}
JAX = {**_COMMON, "hard_sigmoid": HARD_SIGMOID_OF_KERAS_3}
del JAX["gelu"]  # there it is the one by tanh
ONNX = {
    "tanh": TANH, "sigmoid": SIGMOID, "relu": RELU, "hardsigmoid": HARD_SIGMOID,
    "leakyrelu": ("leaky_relu", (0.01,)), "elu": ("elu", (1.0,)), "softsign": ("softsign", ()),
    "softplus": ("softplus", ()), "affine": ("affine", (1.0, 0.0)), "scaledtanh": ("scaled_tanh", (1.0, 1.0)),
    "thresholdedrelu": ("thresholded_relu", (1.0,)),
}  # fmt: skip
COREML = {
    "tanh": TANH, "sigmoid": SIGMOID, "relu": RELU, "linear": ("linear", ()),
    "hard_sigmoid": HARD_SIGMOID, "sigmoid_hard": HARD_SIGMOID, "scaled_tanh": ("scaled_tanh", (1.0, 1.0)),
}  # fmt: skip
NCPS = {
    "lecun_tanh": ("scaled_tanh", (1.7159, 0.666)), "relu": RELU, "tanh": TANH, "gelu": ("gelu", ()),
    "silu": ("silu", ()),
}  # fmt: skip

_ACT, _ACT_OUT = ("act",), ("act", "out")
_KERAS_HARMLESS = (
    "name", "trainable", "dtype", "return_sequences", "return_state", "stateful", "unroll", "units",
    "zero_output_for_mask", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer",
    "unit_forget_bias", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
    "activity_regularizer", "kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout",
    "recurrent_dropout", "seed", "implementation", "batch_input_shape", "use_cudnn", "cudnnOk",
)  # fmt: skip


def _camel(names: tuple[str, ...]) -> tuple[str, ...]:
    def turned(name: str) -> str:
        head, *rest = name.split("_")
        return head + "".join(word.capitalize() for word in rest)

    return tuple(turned(name) for name in names)


def _spikes(extras: Mapping[str, Any], inputs: int, hidden: int) -> dict[str, Any]:
    """snntorch: the threshold is among the weights; other resets and graded spikes have another rule."""
    if int(extras.get("reset_mechanism_val", 2)) != 2:
        raise ValueError("reset_mechanism is not 'none': h is reset by a spike, which is not read")
    if float(extras.get("graded_spikes_factor", 1.0)) != 1.0:
        raise ValueError("graded_spikes_factor is not 1: spikes of another size are not read")
    return {"threshold": float(extras.get("threshold", 1.0)), "kept_state": inputs == hidden}


# ---- the table ------------------------------------------------------------------------------------------


def _keras() -> list[Row]:
    rows = []
    for layout, spelling, padded, source, harmless in (
        ("keras", KERAS_3, "repeat", "keras 3.15.1", _KERAS_HARMLESS),
        ("keras2", KERAS_2, "repeat", "tf_keras 2.21.0", _KERAS_HARMLESS),
        ("tfjs", TFJS, "repeat", "@tensorflow/tfjs 4.22.0", (*_KERAS_HARMLESS, *_camel(_KERAS_HARMLESS))),
    ):  # fmt: skip
        camel = layout == "tfjs"
        gate = "recurrentActivation" if camel else "recurrent_activation"
        after = "resetAfter" if camel else "reset_after"
        common: dict[str, Any] = {
            "spelling": spelling, "harmless": harmless, "batch_first": True, "source": source,
            "padded": (padded, "zero", "initial"),
            "padded_both": ("repeat", "zero", "initial") if camel else ("zero", "zero", "initial"),
        }  # fmt: skip
        base = {"goBackwards" if camel else "go_backwards": ("flipped",)}
        hard = HARD_SIGMOID if camel else SIGMOID
        more = {"recurrent_activation": ("gate",)} if camel else {}  # as a model.json spells it
        rows += [
            Row(
                layout, "LSTM", Rule("LSTM", gate=hard), _keras_parts("ifgo"),
                (_keras_names("lstm", "lstm_cell"),), "i f c o",
                {**base, "activation": _ACT_OUT, gate: ("gate",), **more}, state="(h, c)",
                note="g is called c", **common,
            ),
            Row(
                layout, "GRU", Rule("GRU", gate=hard, reset_after=not camel),
                _keras_parts(
                    "zrn",
                    Part("bias", "b_ih[zrn]b_hh[zrn]", form="two rows", when=("reset_after", True)),
                    Part("bias", "b[zrn]", when=("reset_after", False)),
                ),
                (_keras_names("gru", "gru_cell"),), "z r h",
                {
                    **base, "activation": _ACT, gate: ("gate",), after: ("reset_after",), **more,
                    **({"reset_after": ("reset_after",)} if camel else {}),
                },
                note="reset before: one bias; after: two rows of biases, of x and of h"
                if not camel else "reset before alone",
                **common,
            ),
            Row(
                layout, "SimpleRNN", RNN, _keras_parts("h"),
                (_keras_names("simple_rnn", "simple_rnn_cell"),), "",
                {**base, "activation": _ACT}, **common,
            ),
        ]  # fmt: skip
    return rows


def _torch_like() -> list[Row]:
    rows = []
    hr = Part("weight_hr", "W_hr")
    for layer, rule, gates, order, more in (
        ("LSTM", LSTM, "ifgo", "i f g o", (hr,)),
        ("GRU", GRU, "rzn", "r z n", ()),
        ("RNN", RNN, "h", "", ()),
    ):
        options = {"nonlinearity": _ACT} if layer == "RNN" else {}
        state = "(h, c)" if layer == "LSTM" else "h"
        rows.append(
            Row(
                "pytorch", layer, rule, _torch_parts(gates, more), (_TORCH_NAMES,), order, options,
                _COMMON, source="torch 2.13.0", state=state, aliases=("torch",),
            )
        )  # fmt: skip
        rows.append(
            Row(
                "pytorch", f"{layer}Cell", rule, _torch_parts(gates), (_plain(r"(?:.*\.)?"),), order,
                options, _COMMON, source="torch 2.13.0", state=state,
            )
        )  # fmt: skip
        proj = Part("weight_ho", "W_hr", columns=True, naming=1)
        rows.append(
            Row(
                "paddle", "SimpleRNN" if layer == "RNN" else layer, rule,
                _torch_parts(gates, (proj,) if layer == "LSTM" else ()),
                (_TORCH_NAMES, _PADDLE_AGAIN), order, {"activation": _ACT} if layer == "RNN" else {},
                _COMMON, batch_first=True, source="paddlepaddle 3.3.1", state=state,
                note="every weight a second time, as 0.cell.weight_ih", aliases=("paddlepaddle",),
            )
        )  # fmt: skip
        rows.append(
            Row(
                "mxnet", layer, RELU_RNN if layer == "RNN" else rule,
                (
                    Part("i2h_weight", f"W_ih[{gates}]"), Part("h2h_weight", f"W_hh[{gates}]"),
                    Part("i2h_bias", f"b_ih[{gates}]"), Part("h2h_bias", f"b_hh[{gates}]"),
                ),
                (_MXNET_NAMES, _MXNET_SAVED), order.replace("g", "c").replace("n", "o"),
                {"activation": _ACT} if layer == "RNN" else {}, _COMMON, source="mxnet 1.9.1",
                needs_bias=True, state=state, note="RNN is relu by default" if layer == "RNN" else "",
            )
        )  # fmt: skip
    rows.append(
        Row(
            "tinygrad", "LSTMCell", LSTM, _torch_parts("ifgo"), (_plain(r"(?:.*\.)?"),), "i f g o",
            source="tinygrad 0.14.0", state="(h, c)",
        )
    )  # fmt: skip
    return rows


def _jax() -> list[Row]:
    fn = {"gate_fn": ("gate",), "activation_fn": _ACT_OUT}
    only = {"gate_fn": ("gate",), "activation_fn": _ACT}
    flax: dict[str, Any] = {
        "spelling": JAX, "batch_first": True, "source": "flax 0.12.8, jax 0.10.2",
        "padded": ("computed", "computed", "last"), "needs_bias": True,
    }  # fmt: skip
    rows = []
    for layout, f in (("flax", "if"), ("nnx", "if_")):
        kernels = {"i": "ii/kernel", "f": f"{f}/kernel", "g": "ig/kernel", "o": "io/kernel"}
        split = (
            *_each(kernels, "W_ih"),
            *_each({g: f"h{g}/kernel" for g in "ifgo"}, "W_hh"),
            *_each({g: f"h{g}/bias" for g in "ifgo"}, "bh"),
        )
        names = (_LINEN_NAMES,)
        rows.append(
            Row(
                layout, "LSTMCell", LSTM, split, names, "i f g o", fn, state="(c, h)",
                note="biases on h alone", **flax,
            )
        )  # fmt: skip
        if layout == "flax":
            rows += [
                Row(
                    layout, "GRUCell", GRU,
                    (
                        *_each({g: f"i{g}/kernel" for g in "rzn"}, "W_ih"),
                        *_each({g: f"h{g}/kernel" for g in "rzn"}, "W_hh"),
                        *_each({g: f"i{g}/bias" for g in "rz"}, "b"),
                        Part("in/bias", "b_ih[n]"), Part("hn/bias", "b_hh[n]"),
                    ),
                    names, "r z n", only, **flax,
                ),
                Row(
                    layout, "SimpleCell", RNN,
                    (
                        Part("i/kernel", "W_ih[h]", columns=True),
                        Part("h/kernel", "W_hh[h]", columns=True), Part("i/bias", "b[h]"),
                    ),
                    names, "", {"activation_fn": _ACT, "residual": ("residual",)}, **flax,
                ),
                *(
                    Row(
                        layout, "MGUCell", Rule("MGU", gated=gated),
                        (
                            *_each({"f": "if/kernel", "n": "in/kernel"}, "W_ih"),
                            *_each({"f": "hf/kernel", "n": "hn/kernel"}, "W_hh"), Part("if/bias", "b[f]"),
                            *((Part("in/bias", "b_ih[n]"), Part("hn/bias", "b_hh[n]")) if gated
                              else (Part("in/bias", "b[n]"),)),
                        ),
                        names, "f n", only, harmless=("reset_gate",),
                        note="the forget gate's bias starts at 1; reset_gate=False: no hn/bias", **flax,
                    )
                    for gated in (True, False)
                ),
            ]  # fmt: skip
        else:
            for layer, rule, gates, order, bias, options in (
                ("OptimizedLSTMCell", LSTM, "ifgo", "i f g o", Part("dense_h/bias", "bh[ifgo]"), fn),
                ("GRUCell", GRU, "rzn", "r z n", Part("dense_i/bias", "b[rz]b_ih[n]"), only),
                ("SimpleCell", RNN, "h", "", Part("dense_i/bias", "b[h]"),
                 {"activation_fn": _ACT, "residual": ("residual",)}),
            ):  # fmt: skip
                rows.append(
                    Row(
                        layout, layer, rule,
                        (
                            Part("dense_i/kernel", f"W_ih[{gates}]", columns=True),
                            Part("dense_h/kernel", f"W_hh[{gates}]", columns=True), bias,
                        ),
                        names, order, options, state="(c, h)" if rule is LSTM else "h",
                        note="no bias on n of h" if rule is GRU else "", **flax,
                    )
                )  # fmt: skip
    source = "equinox 0.13.8, jax 0.10.2"
    two = (Part("weight_ih", "W_ih[{}]"), Part("weight_hh", "W_hh[{}]"))
    dotted = (_plain(r"(?:.*[./])?"),)
    rows += [
        Row(
            "equinox", "LSTMCell", LSTM, (*_with(two, "ifgo"), Part("bias", "b[ifgo]")), dotted, "i f g o",
            source=source, state="(h, c)",
        ),
        Row(
            "equinox", "GRUCell", GRU,
            (*_with(two, "rzn"), Part("bias", "b[rz]b_ih[n]"), Part("bias_n", "b_hh[n]")),
            dotted, "r z n", source=source, note="bias_n on h, inside the reset",
        ),
    ]  # fmt: skip
    source = "dm-haiku 0.0.17, jax 0.10.2"
    haiku: dict[str, Any] = {"source": source, "needs_bias": True, "aliases": ("dm-haiku",)}
    rows += [
        Row(
            "haiku", "LSTM", LSTM,
            (
                Part("linear/w", "W_ih[igfo]|W_hh[igfo]", columns=True), Part("linear/b", "b[igfo]"),
            ),
            (Names(r"(?:.*/)?(?P<part>PART)", "lstm/{part}"),), "i g f o", offset={"f": 1.0},
            state="LSTMState(hidden, cell)", note="rows of w: x, then h", **haiku,
        ),
        Row(
            "haiku", "GRU", BEFORE,
            (
                Part("w_i", "W_ih[zrn]", columns=True), Part("w_h", "W_hh[zrn]", columns=True),
                Part("b", "b[zrn]"),
            ),
            (Names(r"(?:.*/)?(?P<part>PART)", "gru/{part}"),), "z r a", minus="z", **haiku,
        ),
        Row(
            "haiku", "VanillaRNN", RELU_RNN,
            (
                Part("linear/w", "W_ih[h]", columns=True), Part("linear/b", "b_ih[h]"),
                Part("linear_1/w", "W_hh[h]", columns=True), Part("linear_1/b", "b_hh[h]"),
            ),
            (Names(r"(?:.*/)?(?P<part>PART)", "vanilla_rnn/{part}"),), "",
            note="relu, with no argument for another", **haiku,
        ),
    ]  # fmt: skip
    return rows


def _with(parts: tuple[Part, ...], gates: str) -> tuple[Part, ...]:
    return tuple(Part(p.name, p.holds.format(gates), p.columns) for p in parts)


def _engines() -> list[Row]:
    rows = []
    onnx: dict[str, Any] = {
        "spelling": ONNX, "stacked": True, "source": "onnxruntime 1.32.0, onnx 1.23.2, opset 17",
        "padded": ("zero", "zero", "zero"), "harmless": ("hidden_size",), "aliases": ("onnxruntime",),
    }  # fmt: skip
    alphas = {
        "activation_alpha": (),
        "activation_beta": (),
        "clip": ("clip",),
        "layout": ("batch_first",),
    }
    names = (Names(r"(?P<part>PART)", "{part}"),)
    peep = Part("P", "p[iof]", when=("peephole", "vector"))
    rows += [
        Row(
            "onnx", "LSTM", LSTM, (*_onnx_parts("iofg", _both("iofg")), peep), names, "i o f c",
            {"activations": ("gate", "act", "out"), **alphas, "input_forget": ("coupled", "unused_forget")},
            state="initial_h, initial_c", note="peepholes i o f", **onnx,
        ),
        Row(
            "onnx", "GRU", BEFORE, _onnx_parts("zrn", _both("zrn")), names, "z r h",
            {"activations": ("gate", "act"), **alphas, "linear_before_reset": ("reset_after",)}, **onnx,
        ),
        Row(
            "onnx", "RNN", RNN, _onnx_parts("h", _both("h")), names, "",
            {"activations": ("act",), **alphas}, **onnx,
        ),
    ]  # fmt: skip
    vino: dict[str, Any] = {
        **onnx, "source": "openvino 2026.4.1", "batch_first": True, "needs_bias": True, "aliases": (),
    }  # fmt: skip
    more = {"activations_alpha": (), "activations_beta": (), "clip": ("clip",)}
    rows += [
        Row(
            "openvino", "LSTMSequence", LSTM, _onnx_parts("figo", (Part("B", "b[figo]"),)), names, "f i c o",
            {"activations": ("gate", "act", "out"), **more}, state="initial_h, initial_c", **vino,
        ),
        Row(
            "openvino", "GRUSequence", BEFORE,
            _onnx_parts(
                "zrn",
                (
                    Part("B", "b[zr]b_ih[n]b_hh[n]", when=("reset_after", True)),
                    Part("B", "b[zrn]", when=("reset_after", False)),
                ),
            ),
            names, "z r h",
            {"activations": ("gate", "act"), **more, "linear_before_reset": ("reset_after",)},
            note="reset after: a fourth bias, n of h", **vino,
        ),
        Row(
            "openvino", "RNNSequence", RNN, _onnx_parts("h", (Part("B", "b[h]"),)), names, "",
            {"activations": ("act",), **more}, **vino,
        ),
    ]  # fmt: skip
    ncnn: dict[str, Any] = {"stacked": True, "source": "ncnn 1.0.20261020", "needs_bias": True}
    for layer, rule, gates, order, bias in (
        ("LSTM", LSTM, "ifog", "i f o g", "b[ifog]"),
        ("GRU", GRU, "rzn", "r u n", "b[rz]b_ih[n]b_hh[n]"),
        ("RNN", RNN, "h", "", "b[h]"),
    ):
        parts = (
            Part("weight_xc", f"W_ih[{gates}]"),
            Part("bias_c", bias),
            Part("weight_hc", f"W_hh[{gates}]"),
        )
        note = (
            "one sequence, (T, I)" if rule is not GRU else "one sequence; biases r z n of x, n of h"
        )
        rows.append(Row("ncnn", layer, rule, parts, names, order, note=note, **ncnn))
    coreml: dict[str, Any] = {
        "spelling": COREML, "source": "coremltools 9.0, torch 2.13.0", "aliases": ("coremltools",),
    }  # fmt: skip
    rows += [
        Row(
            "coreml", "lstm", LSTM,
            (
                *_with((Part("weight_ih", "W_ih[{}]"), Part("weight_hh", "W_hh[{}]")), "ifog"),
                Part("bias", "b[ifog]"), Part("peephole", "p[ifo]", when=("peephole", "vector")),
            ),
            (_COREML_NAMES,), "i f o z",
            {
                "recurrent_activation": ("gate",), "cell_activation": _ACT, "activation": ("out",),
            },
            initial={"initial_h": "h", "initial_c": "c"}, note="g is called z", state="initial_h, initial_c",
            **coreml,
        ),
        Row(
            "coreml", "gru", Rule("GRU"),
            (
                *_with((Part("weight_ih", "W_ih[{}]"), Part("weight_hh", "W_hh[{}]")), "rnz"),
                Part("bias", "b[r]b_ih[n]b[z]"),
            ),
            (_COREML_NAMES,), "r o z",
            {"recurrent_activation": ("gate",), "activation": _ACT}, initial={"initial_h": "h"},
            note="as its documentation says; not run", **coreml,
        ),
        Row(
            "coreml", "rnn", RNN,
            (
                *_with((Part("weight_ih", "W_ih[{}]"), Part("weight_hh", "W_hh[{}]")), "h"),
                Part("bias", "b[h]"),
            ),
            (_COREML_NAMES,), "", {"activation": _ACT}, initial={"initial_h": "h"}, **coreml,
        ),
    ]  # fmt: skip
    return rows


def _others() -> list[Row]:
    slash = (_plain(r"(?:.*/)?"),)
    rows: list[Row] = []
    mlx: dict[str, Any] = {"batch_first": True, "source": "mlx 0.32.4"}
    dotted = (_plain(r"(?:.*\.)?"),)
    rows += [
        Row(
            "mlx", "LSTM", LSTM,
            (Part("Wx", "W_ih[ifgo]"), Part("Wh", "W_hh[ifgo]"), Part("bias", "b[ifgo]")), dotted,
            "i f g o", state="hidden, cell", note="gives all h and all c", **mlx,
        ),
        Row(
            "mlx", "GRU", GRU,
            (
                Part("Wx", "W_ih[rzn]"), Part("Wh", "W_hh[rzn]"), Part("b", "b[rz]b_ih[n]"),
                Part("bhn", "b_hh[n]"),
            ),
            dotted, "r z n", **mlx,
        ),
        Row(
            "mlx", "RNN", RNN, (Part("Wxh", "W_ih[h]"), Part("Whh", "W_hh[h]"), Part("bias", "b[h]")),
            dotted, "", {"nonlinearity": _ACT}, _COMMON, **mlx,
        ),
    ]  # fmt: skip
    chainer: dict[str, Any] = {"source": "chainer 7.8.1", "needs_bias": True}
    units = (
        Part("upward/W", "W_ih[gifo]", interleaved=True),
        Part("upward/b", "b[gifo]", interleaved=True),
        Part("lateral/W", "W_hh[gifo]", interleaved=True),
    )
    rows += [
        Row(
            "chainer", "LSTM", LSTM, units, slash, "a i f o", note="rows interleaved by unit: row 4 j + k",
            state="h, c of the link", **chainer,
        ),
        Row(
            "chainer", "StatefulPeepholeLSTM", Rule("LSTM", peephole="matrix"),
            (*units, *(Part(f"peep_{g}/W", f"P[{g}]") for g in "ifo")), slash, "a i f o",
            note="rows interleaved; peepholes are full matrices", state="h, c of the link", **chainer,
        ),
        Row(
            "chainer", "StatefulGRU", Rule("GRU", reset_after=False, first_without_state=True),
            (
                *_each({"r": "W_r/W", "z": "W_z/W", "n": "W/W"}, "W_ih", columns=False),
                *_each({"r": "W_r/b", "z": "W_z/b", "n": "W/b"}, "b_ih"),
                *_each({"r": "U_r/W", "z": "U_z/W", "n": "U/W"}, "W_hh", columns=False),
                *_each({"r": "U_r/b", "z": "U_z/b", "n": "U/b"}, "b_hh"),
            ),
            slash, "r z h", minus="z",
            note="a first step without a state leaves out U and its biases", **chainer,
        ),
    ]  # fmt: skip
    for layer, rule, gates in (
        ("NStepLSTM", LSTM, "ifgo"),
        ("NStepGRU", GRU, "rzn"),
        ("NStepRNNTanh", RNN, "h"),
        ("NStepRNNReLU", RELU_RNN, "h"),
    ):
        size = len(gates)
        rows.append(
            Row(
                "chainer", layer, rule,
                (
                    *_each({g: f"w{k}" for k, g in enumerate(gates)}, "W_ih", columns=False),
                    *_each({g: f"w{k + size}" for k, g in enumerate(gates)}, "W_hh", columns=False),
                    *_each({g: f"b{k}" for k, g in enumerate(gates)}, "b_ih"),
                    *_each({g: f"b{k + size}" for k, g in enumerate(gates)}, "b_hh"),
                ),
                (_NSTEP_NAMES,), " ".join(gates) if size > 1 else "",
                state="h, c" if rule is LSTM else "h",
                note="a list of sequences; the Bi form has cells 2 k and 2 k + 1",
                aliases=(layer.replace("NStep", "NStepBi"),), **chainer,
            )
        )  # fmt: skip
    dynet: dict[str, Any] = {"source": "dynet 2.1.2", "needs_bias": True}
    rows += [
        Row(
            "dynet", "VanillaLSTMBuilder", LSTM,
            (Part("X2I", "W_ih[ifog]"), Part("H2I", "W_hh[ifog]"), Part("BI", "b[ifog]")), slash,
            "i f o g", offset={"f": 1.0}, note="LSTMBuilder is this one", state="c, h", **dynet,
        ),
        Row(
            "dynet", "CoupledLSTMBuilder", Rule("LSTM", coupled=True, peephole="matrix"),
            (
                Part("X2I", "W_ih[i]"), Part("H2I", "W_hh[i]"), Part("C2I", "P[i]"), Part("BI", "b[i]"),
                Part("X2O", "W_ih[o]"), Part("H2O", "W_hh[o]"), Part("C2O", "P[o]"), Part("BO", "b[o]"),
                Part("X2C", "W_ih[g]"), Part("H2C", "W_hh[g]"), Part("BC", "b[g]"),
            ),
            slash, "i o c", note="f = 1 - i; peepholes are full matrices", state="c, h", **dynet,
        ),
        Row(
            "dynet", "GRUBuilder", BEFORE,
            tuple(
                Part(f"{a}{g}", f"{kind}[{gate}]")
                for g, gate in (("Z", "z"), ("R", "r"), ("H", "n"))
                for a, kind in (("X2", "W_ih"), ("H2", "W_hh"), ("B", "b"))
            ),
            slash, "z r h", minus="z", **dynet,
        ),
        Row(
            "dynet", "SimpleRNNBuilder", RNN,
            (Part("X2H", "W_ih[h]"), Part("H2H", "W_hh[h]"), Part("HB", "b[h]")), slash, "", **dynet,
        ),
    ]  # fmt: skip
    ncps: dict[str, Any] = {"source": "ncps 1.0.1, torch 2.13.0", "needs_bias": True}
    rows.append(
        Row(
            "ncps", "LSTMCell", LSTM,
            (
                Part("input_map.weight", "W_ih[gifo]"), Part("input_map.bias", "b[gifo]"),
                Part("recurrent_map.weight", "W_hh[gifo]"),
            ),
            dotted, "g i f o", offset={"f": 1.0}, state="(h, c)", **ncps,
        )
    )  # fmt: skip
    rows += [
        Row(
            "ncps", "CfC", Rule("CfC", act=NCPS["lecun_tanh"]),
            tuple(
                Part(f"{there}.{kind}", f"@{here}.{kind}")
                for there, here in (
                    *((f"backbone.{2 * k}", f"backbone.{k}") for k in range(depth)),
                    *((name, name) for name in ("ff1", "ff2", "time_a", "time_b")),
                )
                for kind in ("weight", "bias")
            ),
            dotted, "", {"activation": _ACT, "mode": ("gated",)}, NCPS, batch_first=True,
            note="closed-form continuous time, ts = 1", **ncps,
        )
        for depth in (1, 0, 2, 3, 4)
    ]  # fmt: skip
    rows.append(
        Row(
            "snntorch", "SLSTM", Rule("SLSTM", threshold=1.0), _torch_parts("ifgo"),
            (Names(r"(?:.*\.)?lstm_cell\.(?P<part>PART)", "lstm_cell.{part}"),), "i f g o",
            {"threshold": ("threshold",)},
            extras=r"(?:.*\.)?(threshold|graded_spikes_factor|reset_mechanism_val)", settle=_spikes,
            settled=("threshold", "kept_state"),
            source="snntorch 1.0.0, torch 2.13.0", state="syn (c), mem (h)",
            note="the output is a spike; inputs and states of different sizes: every step from zeros",
        )
    )  # fmt: skip
    brain: dict[str, Any] = {
        "source": "brain.js 1.6.1", "needs_bias": True, "aliases": ("brain.js",),
    }  # fmt: skip
    out = (Part("outputConnector", "W_out"), Part("output", "b_out", form="column"))
    four = {"i": "input", "f": "forget", "g": "cellActivation", "o": "output"}
    three = {"z": "updateGate", "r": "resetGate", "n": "cellWrite"}
    rows += [
        Row(
            "brainjs", "LSTMTimeStep", Rule("LSTM", cell_state=False),
            (
                *_each({g: f"{name}Matrix" for g, name in four.items()}, "W_ih", columns=False),
                *_each({g: f"{name}Hidden" for g, name in four.items()}, "W_hh", columns=False),
                *_each({g: f"{name}Bias" for g, name in four.items()}, "b", form="column"), *out,
            ),
            slash, "i f g o", note="no cell state: c = f h' + i g", **brain,
        ),
        Row(
            "brainjs", "GRUTimeStep", BEFORE,
            (
                *_each({g: f"{name}InputMatrix" for g, name in three.items()}, "W_ih", columns=False),
                *_each({g: f"{name}HiddenMatrix" for g, name in three.items()}, "W_hh", columns=False),
                *_each({g: f"{name}Bias" for g, name in three.items()}, "b", form="column"), *out,
            ),
            slash, "z r n", **brain,
        ),
        Row(
            "brainjs", "RNNTimeStep", RELU_RNN,
            (
                Part("weight", "W_ih[h]"), Part("transition", "W_hh[h]"),
                Part("bias", "b[h]", form="column"), *out,
            ),
            slash, "", note="relu", **brain,
        ),
    ]  # fmt: skip
    return rows


# Keras's layers without a state: ours, and of each array its name there, ours, and whether it is turned.
PLAIN: dict[str, tuple[str, tuple[tuple[str, str, bool], ...]]] = {
    "Dense": ("Linear", (("kernel", "weight", True), ("bias", "bias", False))),
    "Embedding": ("Embedding", (("embeddings", "weight", False),)),
    "LayerNormalization": ("LayerNorm", (("gamma", "weight", False), ("beta", "bias", False))),
}

TABLE: tuple[Row, ...] = (*_keras(), *_torch_like(), *_jax(), *_engines(), *_others())
_ALIASES = {
    "keras 3": "keras", "keras3": "keras", "tf_keras": "keras2", "keras 2": "keras2",
    "@tensorflow/tfjs": "tfjs", "tensorflow.js": "tfjs", "linen": "flax", "flax_linen": "flax",
    "flax.linen": "flax", "flax_nnx": "nnx", "flax.nnx": "nnx",
    **{alias: row.layout for row in TABLE for alias in row.aliases if not alias.startswith("NStep")},
}  # fmt: skip
LAYOUTS: tuple[str, ...] = tuple(dict.fromkeys(row.layout for row in TABLE))


def layouts() -> dict[str, list[str]]:
    """What ``from_weights`` and ``to_weights`` know: each framework's layers, by their names there.

    >>> import tinygrad_rnn as tg
    >>> tg.interop.layouts()["haiku"]
    ['LSTM', 'GRU', 'VanillaRNN']
    """
    return {
        name: list(dict.fromkeys(row.layer for row in TABLE if row.layout == name))
        for name in LAYOUTS
    }


def rows_of(layout: Any, layer: Any = None) -> list[Row]:
    """The rows of a framework, or of one of its layers; "flax.LSTMCell" names both.

    Raises ValueError for a name that is not in the table.
    """
    asked = str(layout)
    known = _ALIASES.get(asked.lower(), asked.lower())
    if known not in LAYOUTS and "." in asked and layer is None:
        asked, _, layer = asked.rpartition(".")
        known = _ALIASES.get(asked.lower(), asked.lower())
    if known not in LAYOUTS:
        raise ValueError(f"there is no layout {layout!r}: there are {', '.join(LAYOUTS)}")
    found = [row for row in TABLE if row.layout == known]
    if layer is not None:
        named = [row for row in found if _same(layer, row)]
        if not named:
            there = ", ".join(dict.fromkeys(row.layer for row in found))
            raise ValueError(f"{known} has no layer {layer!r} in the table: there are {there}")
        return named
    return found


def _same(layer: Any, row: Row) -> bool:
    asked = str(layer).lower()
    if row.layout == "flax" and asked == "optimizedlstmcell":
        asked = "lstmcell"  # the same names, arrays and numbers
    return asked in (row.layer.lower(), *(alias.lower() for alias in row.aliases))
