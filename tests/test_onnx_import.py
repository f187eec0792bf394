"""Files of ONNX read: what onnxruntime computes from a file is what the module made of it computes."""

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from support import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.values import reachable
from tinygrad_rnn.interop import ReadError, from_onnx
from tinygrad_rnn.interop.onnx_read_layers import GATES, TAKES
from tinygrad_rnn.interop.onnx_read_ops import RULES
from tinygrad_rnn.interop.onnx_trace import flat
from tinygrad_rnn.scan import backends

EXTRA = "onnx and onnxruntime are not installed (extra onnx)"
onnx = pytest.importorskip("onnx", reason=EXTRA)
runtime = pytest.importorskip("onnxruntime", reason=EXTRA)
oh = onnx.helper
FLOAT, INT64, INT32, BOOL = (
    getattr(onnx.TensorProto, k) for k in ("FLOAT", "INT64", "INT32", "BOOL")
)
CODES = {"float32": FLOAT, "int64": INT64, "int32": INT32, "bool": BOOL}


@pytest.fixture(autouse=True)
def _loops_on_numpy():
    with backends.using("numpy"):
        yield


def model_of(nodes, feeds, outputs, weights=(), opset=17):
    """A file with the given nodes, whose inputs are like ``feeds``."""
    inputs = [
        oh.make_tensor_value_info(k, CODES[str(v.dtype)], [None] * v.ndim) for k, v in feeds.items()
    ]
    made = [oh.make_empty_tensor_value_info(name) for name in outputs]
    given = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in dict(weights).items()]
    graph = oh.make_graph(nodes, "g", inputs, made, given)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", opset)], ir_version=8)


def session(data):
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return runtime.InferenceSession(data, options)


def compare(model, feeds, tol=2e-6):
    """What onnxruntime and the module say of the same inputs; returns the module."""
    expected = session(model.SerializeToString()).run(None, feeds)
    read = from_onnx(model.SerializeToString())
    found = read(**feeds)
    found = found if isinstance(found, tuple) else (found,)
    for name, ours, theirs in zip(read.output_names, found, expected, strict=True):
        ours = ours.detach().numpy()
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), name
        if theirs.dtype.kind == "f":
            assert_close(ours, theirs, tol, name)
        else:
            np.testing.assert_array_equal(ours, theirs, name)
    return read


# ---- recurrent nodes -------------------------------------------------------------------------------


def _random_node(seed):
    """A recurrent node with random attributes, and its inputs."""
    rng = np.random.default_rng(seed)
    kind = ("RNN", "LSTM", "GRU")[seed % 3]
    direction = ("forward", "reverse", "bidirectional")[seed // 3 % 3]
    ways, gates = (2 if direction == "bidirectional" else 1), GATES[kind]
    steps, batch, features, hidden = (int(n) for n in rng.integers(1, 6, 4))
    attributes = {"hidden_size": hidden, "direction": direction}

    def normal(*shape):
        return (rng.normal(size=shape) * 0.7).astype(np.float32)

    weights = {
        "W": normal(ways, gates * hidden, features),
        "R": normal(ways, gates * hidden, hidden),
    }
    names, feeds = ["X", "W", "R"], {"X": normal(steps, batch, features) * 2}
    names.append("B" if rng.random() < 0.8 else "")
    if names[-1]:
        weights["B"] = normal(ways, 2 * gates * hidden)
    names.append("lens" if rng.random() < 0.5 else "")
    if names[-1]:
        feeds["lens"] = rng.integers(0, steps + 1, batch).astype(np.int32)
    for state in ("h0", "c0")[: 2 if kind == "LSTM" else 1]:
        names.append(state if rng.random() < 0.5 else "")
        if names[-1]:
            feeds[state] = normal(ways, batch, hidden)
    if kind == "LSTM":
        names.append("P" if rng.random() < 0.5 else "")
        if names[-1]:
            weights["P"] = normal(ways, 3 * hidden)
    if rng.random() < 0.5:
        attributes["clip"] = float(rng.uniform(0.2, 2))
    if kind == "LSTM" and rng.random() < 0.4:
        attributes["input_forget"] = 1
    if kind == "GRU":
        attributes["linear_before_reset"] = int(rng.integers(2))
    if rng.random() < 0.6:
        count = {"RNN": 1, "LSTM": 3, "GRU": 2}[kind]
        usable = ["Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh"]
        usable += ["HardSigmoid", "Elu", "Softsign", "Softplus"]
        chosen = [str(rng.choice(usable)) for _ in range(count * ways)]
        attributes["activations"] = chosen
        growing = {"Relu", "Affine", "LeakyRelu", "ThresholdedRelu", "Elu", "Softplus"}
        if growing & set(
            chosen
        ):  # unbounded, states reach 1e15, where one rounding is another answer
            attributes.setdefault("clip", 3.0)
        for name, takers in TAKES.items():
            count = sum(activation.lower() in takers for activation in chosen)
            if count:
                attributes[name] = [float(rng.uniform(0.1, 0.6)) for _ in range(count)]
    while not names[-1]:
        names.pop()
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    node = oh.make_node(kind, names, outputs, **attributes)
    return model_of([node], feeds, outputs, weights), feeds


@pytest.mark.parametrize("seed", range(180))
def test_random_recurrent_nodes(seed):
    compare(*_random_node(seed), tol=1e-5)


@pytest.mark.slow
def test_many_more_random_recurrent_nodes():
    for seed in range(180, 1200):
        compare(*_random_node(seed), tol=1e-5)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_layout_one(kind, direction):
    """onnxruntime has no layout=1: the same node with its axes turned is the right answer."""
    rng = np.random.default_rng(0)
    ways, gates, steps, batch, features, hidden = (
        (2 if direction != "forward" else 1),
        GATES[kind],
        4,
        3,
        2,
        5,
    )
    weights = {
        "W": rng.normal(size=(ways, gates * hidden, features)),
        "R": rng.normal(size=(ways, gates * hidden, hidden)),
    }
    weights = {k: v.astype(np.float32) for k, v in weights.items()}
    x, h0 = (
        rng.normal(size=(steps, batch, features)).astype("f"),
        rng.normal(size=(ways, batch, hidden)).astype("f"),
    )
    found = []
    for layout in (0, 1):
        node = oh.make_node(
            kind, ["X", "W", "R", "", "", "h0"], ["Y", "Y_h"], hidden_size=hidden, direction=direction,
            layout=layout,
        )  # fmt: skip
        feeds = {"X": x, "h0": h0}
        if layout:
            feeds = {"X": x.transpose(1, 0, 2), "h0": h0.transpose(1, 0, 2)}
        found.append(from_onnx(model_of([node], feeds, ["Y", "Y_h"], weights))(**feeds))
    (y, h), (turned_y, turned_h) = found
    assert_close(turned_y.detach(), y.detach().permute(2, 0, 1, 3).numpy(), 1e-6, "Y")
    assert_close(turned_h.detach(), h.detach().permute(1, 0, 2).numpy(), 1e-6, "Y_h")


def test_what_stands_between_two_layers_adds_no_ops():
    """The Squeeze, or Transpose and Reshape, between two recurrent nodes leaves no op in the graph."""
    model = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    file = io.BytesIO()
    tg.interop.to_onnx(model, file, tg.randn(5, 2, 3))
    read = from_onnx(file.getvalue())
    layers = [m for m in read.modules() if isinstance(m, nn.LSTM)]
    assert len(layers) == 2
    y = read(tg.randn(5, 2, 3))[0]
    graph = tg.graph(y)
    assert len(graph.uses(layers[1].weight_hh_l0)) == 5
    used = {node.op.name for node in reachable([y._node]) if node.op is not None}
    by_hand = nn.LSTM(8, 4, bidirectional=True)(
        nn.LSTM(3, 4, bidirectional=True)(tg.randn(5, 2, 3))[0]
    )
    expected = {node.op.name for node in reachable([by_hand[0]._node]) if node.op is not None}
    assert used == expected


def test_a_model_that_is_read_trains_as_the_one_it_was_exported_from():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.head = nn.Embedding(7, 3), nn.GRU(3, 4), nn.Linear(4, 2)

        def forward(self, words):
            return self.head(self.rnn(self.emb(words))[0])

    model, words = Tagger(), tg.tensor(np.arange(6).reshape(3, 2) % 7)
    file = io.BytesIO()
    tg.interop.to_onnx(model, file, words)
    read = from_onnx(file.getvalue())
    losses = []
    for each in (model, read):
        optimizer = tg.optim.SGD(each.parameters(), lr=0.1)
        mine = []
        for _ in range(5):
            loss = (each(words) - 1.0).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mine.append(loss.item())
        losses.append(mine)
    np.testing.assert_allclose(*losses, rtol=2e-5)
    assert losses[0][-1] < losses[0][0]
    ledger = (read(words)).square().sum().backward(ledger=True)
    gru = next(m for m in read.modules() if isinstance(m, nn.GRU))
    assert ledger[gru.weight_hh_l0].shape[0] == 3
    assert sum(p.numel() for p in read.parameters()) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        lambda: nn.LSTM(3, 4, peephole=True, learned_state=True),
        lambda: nn.GRU(3, 4, reset_after=False, bias=False),
        lambda: nn.GRU(3, 4, num_layers=3, batch_first=True),
        lambda: nn.RNN(3, 4, nonlinearity="relu", bidirectional=True),
        lambda: nn.Recurrent(nn.CoupledLSTMCell(3, 4), reverse=nn.CoupledLSTMCell(3, 4)),
    ],
)
def test_our_own_exports_come_back(make):
    tg.manual_seed(1)
    model, x = make(), tg.randn(5, 2, 3)
    for keywords in ({}, {"lengths": tg.tensor([5, 3])}):
        if keywords and getattr(model, "batch_first", False):
            keywords = {"lengths": tg.tensor([2, 1, 2, 0, 1])}
        file = io.BytesIO()
        tg.interop.to_onnx(model, file, x, **keywords)
        read = from_onnx(file.getvalue())
        found = read(x, *keywords.values())
        expected = flat(model(x, **keywords))
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours.detach(), theirs.detach().numpy(), 1e-6, "output")


# ---- ops -------------------------------------------------------------------------------------------


def _cases():
    """(name, op, inputs, attributes, outputs, opset): at least one for every row of the table."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 3, 4)).astype("f")
    y = rng.normal(size=(3, 4)).astype("f")
    positive = np.abs(x) + 0.1
    whole = rng.integers(-5, 6, (2, 3, 4))
    flags = rng.random((2, 3, 4)) < 0.5

    def some(*n):
        return np.array(n, np.int64)

    def one(v):
        return np.array(v, np.float32)

    def case(op, *inputs, outputs=1, opset=17, **attributes):
        return (op, inputs, attributes, outputs, opset)

    plain = "Neg Abs Exp Sin Cos Tan Tanh Sigmoid Relu Softplus Softsign Erf Sign Floor Ceil Round"
    for op in plain.split(" "):
        yield case(op, x)
    for op in ("Sinh", "Cosh", "Identity", "Selu", "Celu", "Elu", "HardSigmoid", "HardSwish"):
        yield case(op, x)
    yield case("Mish", x, opset=18)
    for op in ("Sqrt", "Log", "Reciprocal"):
        yield case(op, positive)
    yield case("Abs", whole)
    yield case("Relu", whole.astype(np.int32))
    yield case("Elu", x, alpha=0.3)
    yield case("Celu", x, alpha=0.7)
    yield case("Selu", x, alpha=1.2, gamma=0.9)
    yield case("LeakyRelu", x)
    yield case("LeakyRelu", x, alpha=0.3)
    yield case("PRelu", x, np.abs(y))
    yield case("HardSigmoid", x, alpha=0.4, beta=0.2)
    yield case("ThresholdedRelu", x, alpha=0.2)
    yield case("Gelu", x, opset=20)
    yield case("Gelu", x, opset=20, approximate="tanh")
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        yield case(op, x, y)
        yield case(op, whole, np.where(whole[0] == 0, 3, whole[0]))
    yield case("Max", x, y, x[0] * 2)
    yield case("Min", x)
    yield case("Sum", x, y, one(2))
    yield case("Mean", x, y, one(2))
    yield case("Pow", positive, y)
    yield case("Pow", x, one(2))
    yield case("Pow", positive, one(0.5))
    yield case("Mod", whole, np.where(whole[0] == 0, 3, whole[0]))
    yield case("Mod", whole, np.where(whole[0] == 0, 3, whole[0]), fmod=1)
    yield case("Mod", x, positive[0], fmod=1)
    yield case("Clip", x, one(-0.5), one(0.5))
    yield case("Clip", x, one(-0.5))
    yield case("Clip", x)
    yield case("Clip", x, one(0.5), one(-0.5))
    yield case("Clip", x, opset=10, min=-0.3, max=0.4)
    yield case("Where", flags, x, y)
    yield case("Where", flags, whole, whole[0])
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        yield case(op, whole, whole[:1])
    for op in ("And", "Or", "Xor"):
        yield case(op, flags, flags[:1])
    yield case("Not", flags)
    odd = np.where(flags, x, np.inf * np.sign(x)).astype("f")
    yield case("IsInf", odd)
    yield case("IsInf", odd, detect_negative=0)
    yield case("IsNaN", np.where(flags, x, np.nan).astype("f"))
    yield case("Cast", x * 3, to=INT64)
    yield case("Cast", whole, to=FLOAT)
    yield case("Cast", flags, to=FLOAT)
    yield case("CastLike", whole, x)
    yield case("Dropout", x)
    yield case("Dropout", x, outputs=2)
    yield case("MatMul", x, y.T.copy())
    yield case("MatMul", x, x.transpose(0, 2, 1).copy())
    yield case("MatMul", whole, whole[0].T.copy())
    yield case("Gemm", y, y.T.copy())
    yield case("Gemm", y, y, y[:, 0].copy(), transB=1)
    yield case("Gemm", y, y, one(0.5).reshape(1), transB=1)
    yield case("Gemm", y, y, y[:1, :3].copy(), transB=1, alpha=0.5, beta=2.0)
    yield case("Gemm", y, y[:2].copy().repeat(2, 0)[:3], transA=1)
    yield case("Einsum", x, y, equation="bij, ij -> bi")
    yield case("Shape", x)
    yield case("Shape", x, start=1, end=-1)
    yield case("Size", x)
    yield case("Reshape", x, some(0, -1))
    yield case("Reshape", x, some(4, 3, 2))
    yield case("Reshape", whole, some(-1))
    yield case("Flatten", x)
    yield case("Flatten", x, axis=0)
    yield case("Flatten", x, axis=-1)
    yield case("Transpose", x)
    yield case("Transpose", x, perm=[1, 0, 2])
    yield case("Squeeze", x[:, :1], some(1))
    yield case("Squeeze", x[:1, :1])
    yield case("Squeeze", x[:, :1], opset=12, axes=[1])
    yield case("Unsqueeze", x, some(0, -1))
    yield case("Unsqueeze", x, opset=12, axes=[1])
    yield case("Concat", x, x * 2, axis=1)
    yield case("Concat", whole, whole, axis=-1)
    yield case("Split", x, outputs=2, axis=2)
    yield case("Split", x, some(1, 2), outputs=2, axis=1)
    yield case("Split", x, opset=12, outputs=2, axis=1, split=[2, 1])
    yield case("Split", whole, outputs=2, axis=0)
    yield case(
        "Split", np.concatenate([x, x], 1)[:, :5], opset=18, outputs=2, axis=1, num_outputs=2
    )
    yield case("Slice", x, some(0, 1), some(2, 100), some(1, 2))
    yield case("Slice", x, some(-1), some(-(2**31)), some(1), some(-1))
    yield case("Slice", x, some(3, 1), some(0, 100), some(2, 1), some(-2, 1))
    yield case("Slice", x, some(1), some(-1), some(2), some(2))
    yield case("Slice", x, some(2), some(1), some(2))
    yield case("Slice", whole, some(-2), some(2**31), some(2))
    yield case("Slice", x, opset=9, starts=[1, -2], ends=[2, 4], axes=[1, 2])
    yield case("Gather", x, some(2, 0, -1), axis=1)
    yield case("Gather", y, some(2, 0, -1).reshape(3, 1))
    yield case("Gather", x, np.array(1), axis=2)
    yield case("Gather", whole, some(1), axis=0)
    yield case("GatherElements", x, rng.integers(-3, 3, (2, 3, 2)), axis=1)
    yield case("GatherElements", whole, rng.integers(0, 3, (2, 3, 2)), axis=1)
    yield case("GatherND", x, np.array([[0, 1], [1, 2]]))
    yield case("GatherND", x, np.array([[0], [1]]), batch_dims=1)
    yield case("GatherND", whole, np.array([[0, 1, 2]]))
    yield case(
        "ScatterElements",
        x,
        rng.permuted(np.tile(np.arange(3), (2, 2, 1)), axis=2).swapaxes(1, 2).copy(),
        x[:, :, :2].copy() * 3,
        axis=1,
    )
    yield case(
        "ScatterElements",
        x,
        np.zeros((2, 2, 4), np.int64),
        x[:, :2].copy(),
        axis=1,
        reduction="add",
        opset=16,
    )
    yield case("ScatterElements", whole, np.ones((2, 1, 4), np.int64), whole[:, :1].copy(), axis=1)
    yield case("ScatterND", x, np.array([[1], [0]]), x * 2)
    yield case("ScatterND", x, np.array([[1], [1]]), x * 2, reduction="add")
    yield case("Expand", y, some(2, 1, 4))
    yield case("Expand", whole[:, :1], some(2, 3, 4))
    yield case("Tile", y, some(2, 3))
    yield case("Tile", whole, some(1, 2, 1))
    yield case("Pad", x, some(0, 1, 2, 0, 0, 1))
    yield case("Pad", x, some(0, 1, 0, 0, 0, -1), one(3))
    yield case("Pad", x, some(0, 1, 2, 0, 0, 1), mode="reflect")
    yield case("Pad", x, some(0, 1, 2, 0, 0, 1), mode="edge")
    yield case("Pad", x, some(0, 1, 2, 0, 0, 1), mode="wrap", opset=19)
    yield case("Pad", x, some(1, 2), one(3), some(1), opset=18)
    yield case("ConstantOfShape", some(2, 3))
    yield case("ConstantOfShape", some(2), value=onnx.numpy_helper.from_array(np.array([7])))
    yield case("Constant", value=onnx.numpy_helper.from_array(y))
    yield case("Constant", value_float=2.5)
    yield case("Constant", value_ints=[1, 2])
    yield case("OneHot", some(0, 2, -1), np.array(3), np.array([0.5, 2], "f"))
    yield case("OneHot", np.array([[0, 2]]), np.array(3), np.array([0, 1]), axis=1)
    yield case("Range", np.array(1), np.array(9), np.array(3))
    yield case("Range", one(1), one(-1), one(-0.5))
    yield case("Trilu", x)
    yield case("Trilu", x, np.array(1), upper=0)
    yield case("Trilu", whole, np.array(-1))
    yield case("EyeLike", y, k=1)
    yield case("ReverseSequence", x, some(2, 1, 0), time_axis=0, batch_axis=1)
    yield case("ReverseSequence", x, some(2, 3), time_axis=1, batch_axis=0)
    yield case("NonZero", whole)
    for op in ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp"]:
        if op == "Sum":
            yield case("ReduceSum", x, some(1))
            yield case("ReduceSum", x)
            yield case("ReduceSum", x, some(-1, 0), keepdims=0)
            yield case("ReduceSum", x, np.zeros(0, np.int64), noop_with_empty_axes=1)
            yield case("ReduceSum", whole, some(1))
            continue
        yield case(f"Reduce{op}", x, axes=[1])
        yield case(f"Reduce{op}", x, axes=[0, -1], keepdims=0)
        yield case(f"Reduce{op}", x)
        yield case(f"Reduce{op}", x, some(1), opset=18)
    yield case("ReduceLogSum", positive, axes=[1])
    yield case("ReduceMax", whole, axes=[1])
    for op in ("ArgMax", "ArgMin"):
        yield case(op, x)
        yield case(op, x, axis=-1, keepdims=0)
        yield case(op, whole // 4, axis=2, select_last_index=1)
    yield case("TopK", x, some(2), outputs=2)
    yield case("TopK", x, some(2), outputs=2, axis=1, largest=0)
    yield case("TopK", whole + np.arange(24).reshape(2, 3, 4) * 20, some(2), outputs=2, axis=0)
    for reverse, exclusive in itertools.product((0, 1), repeat=2):
        yield case("CumSum", x, np.array(1), reverse=reverse, exclusive=exclusive)
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        yield case(op, x)
        yield case(op, x, axis=1)
        yield case(op, x, opset=11)
        yield case(op, x, opset=11, axis=2)
    yield case("LayerNormalization", x, y[0], y[1])
    yield case("LayerNormalization", x, y, y, outputs=3, axis=1, epsilon=1e-3)
    yield case("LayerNormalization", x, y[0])
    yield case("RMSNormalization", x, y[0], opset=23)
    yield case("Swish", x, opset=24, alpha=0.7)
    yield case("BatchNormalization", x, y[:, 0], y[:, 1], y[:, 2], np.abs(y[:, 3]))
    yield case("LpNormalization", x, axis=1)
    yield case("LpNormalization", x, p=1)


CASES = list(_cases())
OUTSIDE = {
    "RMSNormalization": 23,
    "Swish": 24,
}  # newer than what onnxruntime may run: its reference does


@pytest.mark.parametrize("k", range(len(CASES)), ids=lambda k: f"{k}_{CASES[k][0]}")
def test_every_op_as_onnxruntime(k):
    op, inputs, attributes, outputs, opset = CASES[k]
    feeds = {f"i{n}": np.ascontiguousarray(a) for n, a in enumerate(inputs)}
    made = [f"o{n}" for n in range(outputs)]
    node = oh.make_node(op, list(feeds), made, **attributes)
    model = model_of([node], feeds, made, opset=opset)
    if op in OUTSIDE:
        from onnx.reference import ReferenceEvaluator

        expected = ReferenceEvaluator(model).run(None, feeds)
        assert_close(from_onnx(model)(**feeds).numpy(), expected[0], 2e-6, op)
        return
    compare(model, feeds, tol=5e-6)


def test_every_row_of_the_table_has_a_case():
    assert {op for op, *_ in CASES} == set(RULES)


def test_gradients_flow_through_every_op_that_has_one():
    """By central differences of onnxruntime's own forward."""
    checked = 0
    rng = np.random.default_rng(0)
    for op, inputs, attributes, outputs, opset in CASES:
        floats = [n for n, a in enumerate(inputs) if a.dtype.kind == "f" and a.size > 1]
        if (
            not floats
            or outputs > 1
            or op in {*OUTSIDE, "Sign", "Floor", "Ceil", "Round", "Mod", "IsInf"}
        ):
            continue
        if op in (
            "IsNaN",
            "Hardmax",
            "OneHot",
            "EyeLike",
            "Cast",
            "CastLike",
            "ArgMax",
            "ArgMin",
            "Shape",
        ):
            continue
        if op == "Size" or np.isnan(inputs[floats[0]]).any():
            continue
        feeds = {f"i{n}": np.ascontiguousarray(a) for n, a in enumerate(inputs)}
        model = model_of(
            [oh.make_node(op, list(feeds), ["o"], **attributes)], feeds, ["o"], opset=opset
        )
        name = f"i{floats[0]}"
        leaf = tg.tensor(feeds[name].astype("f"), requires_grad=True)
        y = from_onnx(model)(**{**feeds, name: leaf})
        weight = rng.normal(size=y.shape).astype("f")
        if not y.requires_grad:
            pytest.fail(f"{op} {attributes} lost the gradient")
        (y * weight).sum().backward()
        run = session(model.SerializeToString())
        step = rng.normal(size=leaf.shape).astype("f")
        ends = [
            (
                run.run(None, {**feeds, name: feeds[name] + s * 1e-2 * step})[0].astype(float)
                * weight
            ).sum()
            for s in (1, -1)
        ]
        expected = (ends[0] - ends[1]) / 2e-2
        found = float((leaf.grad.numpy() * step).sum())
        scale = np.abs(leaf.grad.numpy() * step).sum() + 1
        assert abs(found - expected) < 0.06 * scale, (op, attributes, found, expected)
        checked += 1
    assert checked > 90


# ---- graphs inside nodes -----------------------------------------------------------------------------


def _body(nodes, inputs, outputs):
    made = [oh.make_tensor_value_info(n, kind, shape) for n, kind, shape in outputs]
    given = [oh.make_tensor_value_info(n, kind, shape) for n, kind, shape in inputs]
    return oh.make_graph(nodes, "body", given, made)


def test_if_loop_and_scan():
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("f")
    weight = np.random.default_rng(1).normal(size=(3, 3)).astype("f")
    step = _body(
        [
            oh.make_node("MatMul", ["h", "W"], ["hw"]),
            oh.make_node("Add", ["hw", "x"], ["z"]),
            oh.make_node("Tanh", ["z"], ["h_new"]),
            oh.make_node("Identity", ["h_new"], ["y"]),
        ],
        [("h", FLOAT, [2, 3]), ("x", FLOAT, [2, 3])],
        [("h_new", FLOAT, [2, 3]), ("y", FLOAT, [2, 3])],
    )
    for directions in ([0], [1]):
        scan = oh.make_node(
            "Scan", ["h0", "X"], ["h_n", "Y"], body=step, num_scan_inputs=1,
            scan_input_directions=directions, scan_output_directions=directions,
        )  # fmt: skip
        feeds = {"X": x, "h0": x[0] * 0.5}
        read = compare(model_of([scan], feeds, ["h_n", "Y"], {"W": weight}), feeds)
        y = read(**feeds)[1]
        y.sum().backward()
        assert next(read.parameters()).grad.shape == (3, 3)
    body = _body(
        [
            oh.make_node("Add", ["v", "v"], ["w"]),
            oh.make_node("Less", ["k", "most"], ["more"]),
            oh.make_node("Identity", ["w"], ["row"]),
        ],
        [("k", INT64, []), ("go", BOOL, []), ("v", FLOAT, [3])],
        [("more", BOOL, []), ("w", FLOAT, [3]), ("row", FLOAT, [3])],
    )
    loop = oh.make_node("Loop", ["M", "go0", "v0"], ["v_n", "rows"], body=body)
    for most in (2, 9):
        feeds = {"M": np.array(5), "go0": np.array(True), "v0": x[0, 0], "most": np.array(most)}
        compare(model_of([loop], feeds, ["v_n", "rows"]), feeds)
    branches = {
        f"{name}_branch": _body([oh.make_node(op, ["x"], [name])], [], [(name, FLOAT, [3])])
        for name, op in (("then", "Neg"), ("else", "Exp"))
    }
    node = oh.make_node("If", ["c"], ["y"], **branches)
    for flag in (True, False):
        feeds = {"x": x[0, 0], "c": np.array(flag)}
        compare(model_of([node], feeds, ["y"]), feeds)


# ---- files that others made ----------------------------------------------------------------------------

FILES = sorted((Path(__file__).parent / "golden" / "onnx_files").glob("*.npz"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_exports_of_other_libraries(path):
    """Files with inputs and outputs, made by ``golden/make_onnx_files.py``."""
    with np.load(path) as stored:
        meta = json.loads(str(stored["meta"]))
        read = from_onnx(bytes(stored["model"]))
        found = read(*(stored[f"in{k}"] for k in range(meta["inputs"])))
        found = found if isinstance(found, tuple) else (found,)
        for k, ours in enumerate(found):
            assert_close(ours.detach(), stored[f"out{k}"], 5e-6, f"{path.stem} {k}")
    kinds = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
    for kind, count in meta["layers"].items():
        assert sum(isinstance(m, kinds[kind]) for m in read.modules()) == count


# ---- what is refused -------------------------------------------------------------------------------------


def test_what_is_not_known_is_named():
    x = np.zeros((1, 1, 4, 4), np.float32)
    node = oh.make_node("Conv", ["x", "w"], ["y"], "the_conv")
    with pytest.raises(
        ReadError, match=r"'the_conv' \(Conv, opset 17\): this op is not known here"
    ):
        from_onnx(model_of([node], {"x": x}, ["y"], {"w": np.zeros((1, 1, 2, 2), np.float32)}))
    node = oh.make_node("Frobnicate", ["x"], ["y"], "n", domain="com.acme")
    model = model_of([node], {"x": x}, ["y"])
    model.opset_import.append(oh.make_opsetid("com.acme", 1))
    with pytest.raises(ReadError, match=r"com\.acme\.Frobnicate"):
        from_onnx(model)


def test_files_that_are_no_models(tmp_path):
    good = model_of(*_small())
    data = good.SerializeToString()
    for bad in (b"", b"not a model", data[: len(data) // 2], data[3:]):
        path = tmp_path / "bad.onnx"
        path.write_bytes(bad)
        with pytest.raises((tg.FileFormatError, ReadError), match=r"bad\.onnx"):
            from_onnx(path)
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "none.onnx")
    path.write_bytes(data)
    for given in (path, str(path), data, io.BytesIO(data), good):
        assert from_onnx(given)(np.zeros((2, 1, 3), np.float32))[0].shape == (2, 1, 1, 2)


def _small(**attributes):
    attributes = {"hidden_size": 2, **attributes}
    weights = {"W": np.ones((1, 8, 3), np.float32), "R": np.ones((1, 8, 2), np.float32)}
    node = oh.make_node("LSTM", ["X", "W", "R"], ["Y", "Y_h"], "cell", **attributes)
    return [node], {"X": np.zeros((2, 1, 3), np.float32)}, ["Y", "Y_h"], weights


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"hidden_size": 3}, r"node 'cell' \(LSTM.*hidden_size is 3, and R has shape \(1, 8, 2\)"),
        ({"activations": ["Sigmoid", "Tanh", "Cube"]}, "no activation 'Cube'"),
        ({"activations": ["Tanh"]}, "1 activations"),
        ({"direction": "bidirectional"}, r"W has shape \(1, 8, 3\), expected \(2, 8, 3\)"),
    ],
)
def test_recurrent_nodes_that_do_not_fit(attributes, words):
    with pytest.raises((ReadError, tg.FileFormatError), match=words):
        from_onnx(model_of(*_small(**attributes)))


def test_weights_that_depend_on_an_input_are_refused():
    nodes, feeds, outputs, weights = _small()
    feeds["W"] = weights.pop("W")
    with pytest.raises(ReadError, match="'W' depends on an input"):
        from_onnx(model_of(nodes, feeds, outputs, weights))


def test_inputs_are_checked_by_name():
    read = from_onnx(model_of(*_small()))
    with pytest.raises(TypeError, match="'X' is missing"):
        read()
    with pytest.raises(TypeError, match="2 inputs for 1"):
        read(np.zeros(3), np.zeros(3))
    with pytest.raises(TypeError, match="no input is called 'Z'"):
        read(Z=np.zeros(3))
    with pytest.raises(TypeError, match="'X' holds int64, expected float32"):
        read(np.zeros((2, 1, 3), int))
    with pytest.raises(ValueError, match=r"cell.*features"):
        read(np.zeros((2, 1, 5), np.float32))


def test_weights_made_in_the_graph_are_made_once_and_not_kept():
    """Exporters that fold nothing cut PyTorch's weights in the graph: the layer owns the result."""
    nodes, feeds, outputs, weights = _small()
    whole = np.random.default_rng(0).normal(size=(8, 3)).astype("f")
    del weights["W"]
    weights |= {"raw": whole, "axes": np.array([0])}
    nodes.insert(0, oh.make_node("Unsqueeze", ["raw", "axes"], ["W"]))
    read = compare(model_of(nodes, feeds, outputs, weights), feeds)
    assert sum(p.numel() for p in read.parameters()) == 8 * 3 + 8 * 2


def test_damaged_files_raise_no_other_errors():
    """Bytes cut off and changed: FileFormatError or ReadError, or a model."""
    rng, seen = np.random.default_rng(0), 0
    for path in FILES:
        with np.load(path) as stored:
            whole = bytes(stored["model"])
        for _ in range(12):
            data = bytearray(whole)
            if rng.random() < 0.3:
                data = data[: rng.integers(len(data))]
            for _ in range(rng.integers(1, 4)):
                if data:
                    data[rng.integers(len(data))] = rng.integers(256)
            try:
                from_onnx(bytes(data))
            except (tg.FileFormatError, ReadError):
                seen += 1
    assert seen > 100
