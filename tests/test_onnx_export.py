"""Exports to ONNX: what onnxruntime computes from the file is what the module computes."""

import io
import itertools
import sys

import numpy as np
import pytest
import test_ops

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.interop import ExportError
from tinygrad_rnn.interop.onnx_trace import flat
from tinygrad_rnn.scan import backends

EXTRA = "onnx and onnxruntime are not installed (extra onnx)"
onnx = pytest.importorskip("onnx", reason=EXTRA)
runtime = pytest.importorskip("onnxruntime", reason=EXTRA)


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


def export(module, *args, **options):
    file = io.BytesIO()
    tg.interop.to_onnx(module, file, *args, **options)
    return file.getvalue()


def session(data):
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return runtime.InferenceSession(data, options)


def leaves(value):
    """The arrays of a call, in order."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple) or (isinstance(value, list) and value and tg.is_tensor(value[0])):
        return [array for part in value for array in leaves(part)]
    return [] if value is None else [tg.as_tensor(value).numpy()]


def outputs(module, args, keywords):
    mode = module.training
    module.eval()
    found = flat(module(*args, **keywords))
    module.train(mode)
    return found


def check(module, *args, more=(), dynamic_axes=None, unroll=False, tol=1e-5, **keywords):
    """Export on the first example; on it and on ``more`` the file computes what the module does."""
    made = session(export(module, *args, dynamic_axes=dynamic_axes, unroll=unroll, **keywords))
    names = [i.name for i in made.get_inputs()]
    for given, words in [(args, keywords), *more]:
        feeds = dict(zip(names, leaves((*given, *words.values())), strict=True))
        for found, expected in zip(
            made.run(None, feeds), outputs(module, given, words), strict=True
        ):
            expected = expected.detach().numpy()
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found, expected, rtol=tol, atol=tol)
    return made


def spread(module, rng):
    """Random weights, so that no gate is alike."""
    with tg.no_grad():
        for p in module.parameters():
            p.copy_(rng.normal(size=p.shape) * 0.6)
    return module


def floats(rng, *shape):
    return tg.tensor(rng.normal(size=shape).astype(np.float32))


# ---- recurrent layers --------------------------------------------------------------------------------

OPTIONS = {
    "RNN": ("nonlinearity", ("tanh", "relu")),
    "LSTM": ("peephole", (False, True)),
    "GRU": ("reset_after", (True, False)),
}
SWITCHES = list(itertools.product(OPTIONS, (1, 2), *[(False, True)] * 7))


def layer_case(kind, layers, both, first, bias, state, ragged, other, learned):
    """A layer, an example, two more of other lengths, and the axes that may differ."""
    rng = np.random.default_rng(
        SWITCHES.index((kind, layers, both, first, bias, state, ragged, other, learned))
    )
    name, values = OPTIONS[kind]
    module = getattr(nn, kind)(
        3, 4, num_layers=layers, bidirectional=both, batch_first=first, bias=bias,
        learned_state=learned, dropout=0.5 if layers > 1 else 0.0, **{name: values[other]},
    )  # fmt: skip
    spread(module, rng)

    def example(time, batch):
        args = [floats(rng, *((batch, time, 3) if first else (time, batch, 3)))]
        if state:
            parts = tuple(floats(rng, layers * (1 + both), batch, 4) for _ in range(2))
            args.append(parts if kind == "LSTM" else parts[0])
        words = {"lengths": tg.tensor(rng.integers(0, time + 1, batch))} if ragged else {}
        return tuple(args), words

    axes = {"input": {0: "batch", 1: "time"} if first else {0: "time", 1: "batch"}}
    for label in (("hx_0", "hx_1") if kind == "LSTM" else ("hx",)) if state else ():
        axes[label] = {1: "batch"}
    if ragged:
        axes["lengths"] = {0: "batch"}
    args, words = example(5, 3)
    check(module, *args, more=[example(7, 2), example(1, 1)], dynamic_axes=axes, **words)


@pytest.mark.parametrize("case", range(0, len(SWITCHES), 17))
def test_recurrent_layers(case):
    layer_case(*SWITCHES[case])


@pytest.mark.slow
def test_recurrent_layers_in_every_combination():
    for case in SWITCHES:
        layer_case(*case)


@pytest.mark.parametrize("kind", OPTIONS)
def test_without_a_batch(kind, rng):
    for both in (False, True):
        module = spread(getattr(nn, kind)(3, 4, 2, bidirectional=both), rng)
        parts = tuple(floats(rng, 2 * (1 + both), 4) for _ in range(2))
        check(module, floats(rng, 5, 3))
        check(module, floats(rng, 5, 3), parts if kind == "LSTM" else parts[0])


CELLS = ["RNNCell", "LSTMCell", "PeepholeLSTMCell", "CoupledLSTMCell", "GRUCell"]


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_over_built_in_cells(cell, rng):
    make = getattr(nn, cell)
    for both, given, ragged in itertools.product((False, True), repeat=3):
        back = make(3, 4) if both else None
        module = spread(nn.Recurrent(make(3, 4), reverse=back, batch_first=given), rng)

        def state(names=module.cell.states):
            parts = tuple(floats(rng, 5, 4) for _ in names)
            return parts if len(parts) > 1 else parts[0]

        args = [floats(rng, 5, 5, 3)]
        if given:
            args.append((state(), state()) if both else state())
        words = {"lengths": tg.tensor([5, 0, 2, 3, 1])} if ragged else {}
        check(module, *args, **words)


@pytest.mark.parametrize("cell", CELLS)
def test_a_single_step_of_a_cell(cell, rng):
    module = spread(getattr(nn, cell)(3, 4), rng)
    parts = tuple(floats(rng, 2, 4) for _ in module.states)
    check(
        module,
        floats(rng, 2, 3),
        dynamic_axes={"input": {0: "batch"}},
        more=[((floats(rng, 5, 3),), {})],
    )
    check(module, floats(rng, 2, 3), parts if len(parts) > 1 else parts[0])


def test_every_option_is_in_the_file_as_a_node(rng):
    model = onnx.load_from_string(
        export(nn.LSTM(3, 4, 2, bidirectional=True, peephole=True), floats(rng, 5, 2, 3))
    )
    nodes = [node for node in model.graph.node if node.op_type == "LSTM"]
    assert len(nodes) == 2
    assert [len(node.input) for node in nodes] == [8, 8]
    assert {a.name: onnx.helper.get_attribute_value(a) for a in nodes[0].attribute} == {
        "direction": b"bidirectional",
        "hidden_size": 4,
    }
    assert model.producer_name == "tinygrad_rnn"
    assert model.opset_import[0].version == 17


# ---- the table of ops ----------------------------------------------------------------------------------


class Applying(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


REFUSED = {"place", "put", "atan2", "cumprod", "inverse", "log_det", "cross_entropy"}
IN_PART = {"getitem": "with one array of integers", "einsum": "an axis of length 1 stretches"}


def refusal(module, *args):
    """Why a module is not exported, or None where it is and computes the same."""
    try:
        check(module, *args)
    except ExportError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", test_ops.SAMPLES)
def test_every_row_of_the_table(name):
    """The samples that the derivatives are tested on: computed alike, or refused by name."""
    done = 0
    for sample in test_ops.SAMPLES[name]:
        arrays = [tg.tensor(np.asarray(a).astype(np.float32)) for a in sample.arrays]
        why = refusal(Applying(sample.ours), *arrays)
        assert why is None or "cannot be exported" in why
        assert why is None or name in REFUSED or IN_PART[name] in why
        done += why is None
    assert (done == 0) == (name in REFUSED)


COMPARISONS = [
    lambda x: tg.where(x > 0, x, x * 0.1),
    lambda x: tg.where((x >= 0) & ~(x == 1) | (x < -1), 1.0, 0.0),
    lambda x: (x <= x.mean()).to(tg.float32).sum(),
    lambda x: (x != 0) ^ (x > 0),
    lambda x: x.detach() * x,
    lambda x: x.clip(tg.tensor(-0.5), 0.5),
    lambda x: x,
    lambda x: {"a": x + 1, "b": [x, (x,)]},
    lambda x: tg.tensor([[1.0], [2.0]]) @ tg.ones(1, 3) + x,
    lambda x: x[:, [2, 0]],
    lambda x: x.sum().to(tg.float64) / 3,
    lambda x: np.tanh(np.concatenate([x, x], 1)),
]


@pytest.mark.parametrize("k", range(len(COMPARISONS)))
def test_comparisons_constants_and_outputs(k, rng):
    check(Applying(COMPARISONS[k]), floats(rng, 2, 3))


def test_shapes_follow_the_input(rng):
    def forward(x):
        time, batch, _ = x.shape
        flat = x.reshape(time * batch, 3)
        return (
            flat, flat.unsqueeze(1), x[-1].squeeze(0), x.flatten(1), x.std(0), x.mean((0, 1)), x[1:, :, 0],
            x.sum(0) / time, x.reshape(batch, time, 3), x.sum(0, keepdim=True).expand(x.shape),
            tg.cat([x, tg.zeros(time, batch, 2)], -1),
        )  # fmt: skip

    axes = {"args_0": {0: "time", 1: "batch"}}
    made = check(
        Applying(forward), floats(rng, 4, 2, 3), dynamic_axes=axes,
        more=[((floats(rng, 6, 5, 3),), {}), ((floats(rng, 2, 1 + 1, 3),), {})],
    )  # fmt: skip
    assert made.get_inputs()[0].shape == ["time", "batch", 3]
    assert made.get_outputs()[4].shape == ["batch", 3]


# ---- modules of one's own ------------------------------------------------------------------------------


class Tagger(nn.Module):
    """Embedding, two recurrent layers, attention over time by table ops, a head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 3)
        self.lstm = nn.LSTM(3, 4, bidirectional=True)
        self.norm = nn.LayerNorm(8)
        self.gru = nn.GRU(8, 5)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 2))
        self.register_buffer("scale", tg.tensor([1.0, 2.0]))

    def forward(self, tokens, lengths=None):
        y, (h, _) = self.lstm(self.embedding(tokens), lengths=lengths)
        y, last = self.gru(self.norm(y))
        weight = tg.einsum("tbh,bh->tb", y, last[0]).softmax(0)
        pooled = (self.drop(y) * weight.unsqueeze(-1)).sum(0)
        return self.head(pooled) * self.scale, h


def test_a_module_of_ones_own(rng):
    def example(time, batch):
        return (tg.tensor(rng.integers(0, 11, (time, batch))),), {
            "lengths": tg.tensor(rng.integers(0, time + 1, batch))
        }

    (tokens,), words = example(5, 3)
    axes = {"tokens": {0: "time", 1: "batch"}, "lengths": {0: "batch"}}
    net = spread(Tagger(), rng)
    made = check(net, tokens, dynamic_axes=axes, more=[example(8, 2)], **words)
    assert net.training
    assert net.drop.training
    assert [i.name for i in made.get_inputs()] == ["tokens", "lengths"]
    model = onnx.load_from_string(export(net, tokens, **words, output_names=["score", "state"]))
    kinds = [node.op_type for node in model.graph.node]
    assert {"LSTM", "GRU", "Gather", "LayerNormalization", "Einsum", "Softmax"} <= set(kinds)
    assert [o.name for o in model.graph.output] == ["score", "state"]
    names = {tensor.name for tensor in model.graph.initializer}
    assert {"embedding.weight", "norm.weight", "head.0.weight", "scale"} <= names
    assert any(node.name.startswith("head.0/") for node in model.graph.node)
    assert "forward" not in net.lstm.__dict__
    assert "forward" not in net.norm.__dict__


def test_an_index_is_computed_anew_at_every_run(rng):
    chosen = Applying(lambda x: x[x.argmax(1)])
    check(chosen, floats(rng, 4, 3), more=[((floats(rng, 4, 3),), {}) for _ in "abc"])


def test_layers_of_a_sequential_and_float64(rng):
    net = nn.Sequential(
        nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4, bias=False), nn.ReLU(), nn.Linear(4, 1)
    )
    check(
        net,
        floats(rng, 5, 3),
        dynamic_axes={"input": {0: "batch"}},
        more=[((floats(rng, 1, 3),), {})],
    )
    check(
        nn.Sequential(nn.Linear(3, 4), nn.Tanh()).double(),
        tg.tensor(rng.normal(size=(5, 3))),
        tol=1e-12,
    )


def test_steps_of_a_loop_are_written_one_by_one(rng):
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, xs):
            state = None
            for x in xs:
                state = self.cell(x, state)
            return state[0]

    check(spread(Loop(), rng), floats(rng, 4, 2, 3), dynamic_axes={"xs": {1: "batch"}},
          more=[((floats(rng, 4, 7, 3),), {})])  # fmt: skip
    with pytest.raises(ExportError, match=r"number of operations \(a loop over time"):
        export(Loop(), floats(rng, 4, 2, 3), dynamic_axes={"xs": {0: "time"}})


class Leaky(nn.Module):
    def __init__(self):
        super().__init__()
        self.W = nn.Linear(6, 3)

    def initial_state(self, batch):
        return tg.zeros(batch, 3)

    def forward(self, x, h):
        h = 0.9 * h + 0.1 * tg.tanh(self.W(tg.cat([x, h], -1)))
        return h, h


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: nn.LSTM(3, 4, proj_size=2),
            "LSTM cannot be exported: proj_size=2: ONNX's LSTM has no",
        ),
        (lambda: nn.Recurrent(Leaky()), "Recurrent cannot be exported: a Leaky is no RNN"),
        (lambda: nn.Recurrent(nn.LayerNormLSTMCell(3, 4)), "a LayerNormLSTMCell is no RNN"),
        (
            lambda: nn.Recurrent(nn.GRUCell(3, 4), reverse=nn.RNNCell(3, 4)),
            "two directions are different cells",
        ),
    ],
)
def test_layers_that_onnx_has_no_node_for_are_named_or_unrolled(make, words, rng):
    module = make()
    with pytest.raises(ExportError, match=words):
        export(module, floats(rng, 5, 2, 3))
    check(module, floats(rng, 5, 2, 3), unroll=True)
    assert module.compiled


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.RNN(3, 4, nonlinearity="relu"),
        lambda: nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True, bias=False),
        lambda: nn.Recurrent(nn.GRUCell(3, 4, reset_after=False)),
        lambda: nn.Recurrent(nn.PeepholeLSTMCell(3, 4)),
        lambda: nn.Recurrent(nn.CoupledLSTMCell(3, 4), reverse=nn.CoupledLSTMCell(3, 4)),
        lambda: nn.Recurrent(nn.LayerNormLSTMCell(3, 4)),
        lambda: nn.LSTM(3, 4, proj_size=2),
    ],
)
def test_all_recurrent_layers_are_written_step_by_step_where_asked(make, rng):
    """Runtimes that leave out peepholes, coupled gates or directions then have nothing to leave out."""
    module = make()
    spread(module, rng)
    x = floats(rng, 5, 2, 3)
    check(module, x, more=[((floats(rng, 5, 2, 3),), {})], unroll="all")
    nodes = {n.op_type for n in onnx.load_from_string(export(module, x, unroll="all")).graph.node}
    assert not nodes & {"RNN", "GRU", "LSTM"}
    assert module.compiled


def test_another_word_for_unroll_is_refused(rng):
    with pytest.raises(ValueError, match="unroll is True, False or \"all\", not 'every'"):
        export(nn.LSTM(3, 4), floats(rng, 5, 2, 3), unroll="every")


class Nests(nn.Module):
    """A state of dicts, tuples and lists."""

    def forward(self, x, state):
        fast, [slow, (still,)] = state["fast"], state["rest"]
        new = (x + fast * slow).tanh()
        return new * still, {"fast": new, "rest": [0.5 * slow + new, (still,)]}


def test_a_state_of_any_nesting_is_an_input_and_no_constant(rng):
    first, again = (
        {"fast": floats(rng, 2, 3), "rest": [floats(rng, 2, 3), (floats(rng, 3),)]} for _ in "ab"
    )
    x = floats(rng, 4, 2, 3)
    made = check(nn.Recurrent(Nests()), x, first, more=[((x, again), {})], unroll=True)
    assert [i.name for i in made.get_inputs()] == [
        *("x", "state_fast", "state_rest_0", "state_rest_1_0")
    ]


def test_a_one_hot_follows_its_classes(rng):
    hot = Applying(lambda x: x * nn.functional.one_hot(x.argmax(1), x.shape[1]))
    check(hot, floats(rng, 2, 3), more=[((floats(rng, 2, 3),), {}) for _ in range(5)])


# ---- what is refused -----------------------------------------------------------------------------------


def without_grad(value):
    """A value that nothing records where it comes from, equal for small examples."""
    return tg.Tensor(value._data.astype(np.float32))


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: x * x.sum().item(), r"reads a value while it runs \(item\(\)\)"),
        (lambda x: x if x.sum() > 0 else -x, r"reads a value while it runs \(its truth\)"),
        (lambda x: x * tg.tensor(x.numpy()), r"reads a value while it runs \(numpy\(\)\)"),
        (lambda x: x * x.softmax(1).multinomial(1), "leaves no trace"),
        (lambda x: nn.functional.one_hot(x.argmax(1)), r"\(the number of classes in one_hot\(\)\)"),
        (lambda x: x * without_grad(x > 5), "leaves no trace"),
        (lambda x: x * without_grad((x / 1000).relu()), "leaves no trace"),
        (lambda x: x * tg.tensor(np.array(x) > 5), r"reads a value while it runs \(numpy\(\)\)"),
        (lambda x: x.sort(1)[0], r"reads a value while it runs \(sorting\)"),
        (lambda x: x.at[0].set(0.0), "put cannot be exported: ONNX has no such op"),
        (lambda x: 3, "forward returned a int"),
    ],
)
def test_what_the_trace_cannot_see_is_refused_and_not_frozen(forward, words, rng):
    with pytest.raises(ExportError, match=words):
        export(Applying(forward), floats(rng, 2, 3))


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (
            lambda x: x[: x.shape[0] - 1],
            "getitem cannot be exported: its constants depend on the example",
        ),
        (lambda x: x.sum(0) / (x.shape[0] + 1.0), "it computes with 5.0 and 6.0"),
        (lambda x: tg.stack(list(x)), "another number of operations|may have any length"),
        (
            lambda x: x[0].expand((2 * x.shape[0], 2, 3)),
            "stretches an axis to a length of the example",
        ),
        (
            lambda x: x.reshape(2 * x.shape[0], -1, 3).reshape(x.shape[0] * 6, -1, 1),
            "more than one length",
        ),
        (lambda x: x.reshape(-1, 1).repeat(1, x.shape[0]), "constants depend on the example"),
    ],
)
def test_sizes_that_would_be_frozen_are_refused(forward, words, rng):
    check(Applying(forward), floats(rng, 4, 2, 3))
    with pytest.raises(ExportError, match=words):
        export(Applying(forward), floats(rng, 4, 2, 3), dynamic_axes={"args_0": {0: "time"}})


def test_arguments_that_do_not_fit(rng):
    x = floats(rng, 5, 2, 3)
    with pytest.raises(TypeError, match="takes a Module, not function"):
        export(lambda x: x, x)
    with pytest.raises(TypeError, match="does not fit LSTM: missing a required argument"):
        export(nn.LSTM(3, 4))
    with pytest.raises(ValueError, match="dynamic_axes names 'x', and the inputs are input"):
        export(nn.LSTM(3, 4), x, dynamic_axes={"x": {0: "time"}})
    with pytest.raises(ValueError, match="has the axes 0 to 2"):
        export(nn.LSTM(3, 4), x, dynamic_axes={"input": {3: "time"}})
    with pytest.raises(ValueError, match="2 input_names for the inputs input"):
        export(nn.LSTM(3, 4), x, input_names=["a", "b"])
    with pytest.raises(ValueError, match="1 output_names for 3 outputs"):
        export(nn.LSTM(3, 4), x, output_names=["a"])
    with pytest.raises(ValueError, match="'batch' is 5 and 2 in the example"):
        export(nn.LSTM(3, 4), x, dynamic_axes={"input": {0: "batch", 1: "batch"}})
    net = nn.LSTM(3, 4)
    with pytest.raises(ValueError, match="x has 3 features, expected 5"):
        export(nn.Sequential(nn.RNN(5, 4)), x)
    assert "forward" not in net.__dict__


def test_a_file_is_written_whole_and_names_may_be_chosen(rng, tmp_path):
    path = tmp_path / "net.onnx"
    tg.interop.to_onnx(
        nn.GRU(3, 4), path, floats(rng, 5, 2, 3), input_names=["x"], output_names=["y", "h"]
    )
    made = session(str(path))
    assert [i.name for i in made.get_inputs()] == ["x"]
    assert [o.name for o in made.get_outputs()] == ["y", "h"]
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_lists_and_arrays_are_examples(rng):
    check(nn.RNN(2, 3), [[[0.5, 1.0]], [[0.0, -1.0]]])
    check(nn.RNN(2, 3), rng.normal(size=(4, 2, 2)).astype(np.float32), lengths=np.array([3, 1]))


def test_without_the_extra_the_error_says_what_to_install(monkeypatch, rng):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad_rnn\[onnx\]"'):
        export(nn.RNN(2, 3), floats(rng, 2, 1, 2))


# ---- what PyTorch's scripts do before and after a layer ------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("first", [False, True])
def test_a_model_that_packs(kind, first, rng):
    """It pads to the batch's time, as with ``total_length``, whatever the longest sequence is."""

    class Packs(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = getattr(nn, kind)(3, 4, 2, batch_first=first, bidirectional=True)
            self.out = nn.Linear(8, 2)

        def forward(self, x, lengths):
            tools = nn.utils.rnn
            packed = tools.pack_padded_sequence(x, lengths, first, enforce_sorted=False)
            y, last = self.rnn(packed)
            y, many = tools.pad_packed_sequence(y, first, -1.0, total_length=x.shape[int(first)])
            return self.out(y), last, many

    model = spread(Packs(), rng)
    x = floats(rng, *((3, 5, 3) if first else (5, 3, 3)))
    shorter = floats(rng, *x.shape)
    more = [((shorter, tg.tensor([2, 4, 1])), {}), ((shorter, tg.tensor([1, 1, 3])), {})]
    check(model, x, tg.tensor([5, 3, 2]), more=more)


@pytest.mark.parametrize("largest", [True, False])
def test_the_largest_along_an_axis_with_its_place(largest, rng):
    class Pools(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True)

        def forward(self, x):
            y, _ = self.rnn(x)
            best = y.max if largest else y.min
            return best(1).values, best(dim=-1)[0], best(1)[1], best(1, keepdim=True)[0]

    model = spread(Pools(), rng)
    more = [((floats(rng, 2, 9, 3),), {})]
    check(model, floats(rng, 2, 5, 3), more=more, dynamic_axes={"x": {1: "time"}})


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_plain_rnn_of_any_length(nonlinearity, rng):
    model = spread(nn.RNN(3, 4, 2, nonlinearity), rng)
    more = [((floats(rng, time, 2, 3),), {}) for time in (1, 9)]
    axes = {"input": {0: "time"}}
    check(model, floats(rng, 5, 2, 3), more=more, dynamic_axes=axes)


class Periods(nn.Module):
    """What is left of an input after whole periods, and how many they are."""

    def __init__(self):
        super().__init__()
        self.period = nn.Parameter(tg.tensor([0.1, 0.3, -0.7, 2.0]))

    def forward(self, x):
        return x // self.period, x % self.period, tg.fmod(x, self.period)


def test_quotients_and_remainders_of_floats_are_exact_and_come_back_with_their_gradients(tmp_path):
    x = tg.tensor([[0.5, -3.0, 0.2, 7.0], [1.0, 0.3, -0.7, 2.0], [-1.0, -0.5, 3.0, 0.1]])
    check(Periods(), x)
    tg.interop.to_onnx(Periods(), tmp_path / "periods.onnx", x)
    back, found = tg.interop.from_onnx(tmp_path / "periods.onnx"), []
    for module in (Periods(), back):
        leaf = x.clone().requires_grad_()
        sum(y.sum() for y in module(leaf)[1:]).backward()
        found.append(leaf.grad.tolist())
    assert found == [[[2.0] * 4] * 3] * 2
