"""Files: what goes in comes out, whatever is wrong with a file is said, and a kill leaves one whole."""

import io
import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.files import atomic, layout

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]


def written(obj, **options):
    file = io.BytesIO()
    tg.save(obj, file, **options)
    return file.getvalue()


def loaded(data):
    return tg.load(io.BytesIO(data))


def raw(table, numbers=b"", length=None):
    """A file with a header of one's own."""
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + numbers


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def some_arrays(rng):
    arrays = {
        f"of {code}": rng.integers(0, 2, (2, 3)).astype(code)
        if code == "?"
        else (100 * rng.random((2, 3))).astype(code)
        for code in DTYPES
    }
    turned = rng.random((4, 5)).T
    return {
        **arrays,
        "0-d": np.array(1.5),
        "empty": np.zeros((3, 0, 2), np.float32),
        "turned": turned,
        "every other": turned[::2, ::-1],
        "big end": np.arange(3, dtype=">i4"),
        "ünï.cödé \n": np.array([np.nan, np.inf, -0.0]),
    }


# ---- what goes in comes out ----------------------------------------------------------------------


def test_every_dtype_and_shape_comes_back(rng):
    arrays = some_arrays(rng)
    found = loaded(written(arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert isinstance(found[name], tg.Tensor)
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name].numpy(), array)
    assert np.signbit(found["ünï.cödé \n"].numpy()[2])


def test_the_library_of_the_format_reads_ours_and_we_read_its(rng):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    arrays = {k: np.ascontiguousarray(v) for k, v in some_arrays(rng).items() if k != "big end"}
    theirs = library.load(written(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)
    found = loaded(library.save(arrays, {"made": "elsewhere"}))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name].numpy(), array)


def test_what_the_library_refuses_we_refuse_and_what_we_read_it_reads_alike(rng):
    """Headers with one thing changed: neither reader takes what the other does not."""
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    draw = random.Random(1)
    base = {"a": entry("F32", (2, 2), (0, 16)), "b": entry("I64", (1,), (16, 24))}
    values = [
        0,
        1,
        2,
        4,
        8,
        16,
        17,
        24,
        -1,
        2**62,
        2**64,
        1.0,
        "F32",
        "F64",
        "I64",
        "X",
        None,
        [],
        {},
    ]
    numbers, same = bytes(range(24)), 0
    for _ in range(3000):
        table = json.loads(json.dumps(base))
        for _ in range(draw.randint(1, 2)):
            found = table[draw.choice("ab")]
            key = draw.choice(list(found))
            value = draw.choice(values)
            if isinstance(found[key], list) and found[key] and draw.random() < 0.8:
                found[key][draw.randrange(len(found[key]))] = value
            else:
                found[key] = value
        data = raw(table, numbers)
        try:
            theirs = library.load(data)
        except Exception:
            theirs = None
        try:
            ours = loaded(data)
        except tg.FileFormatError:
            ours = None
        assert (ours is None) == (theirs is None), table
        if ours is not None:
            same += 1
            for name, array in theirs.items():
                np.testing.assert_array_equal(ours[name].numpy(), array)
    assert same > 100


def test_bfloat16_becomes_float32_exactly():
    values = np.array([1.0, -2.5, 3.140625, np.inf, 1e-30], np.float32)
    high = (values.view(np.uint32) >> 16).astype("<u2")
    found = loaded(raw({"w": entry("BF16", (5,), (0, 10))}, high.tobytes()))["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy().view(np.uint32), high.astype(np.uint32) << 16)


NESTED = {
    "numbers": [1, 2.5, True, None, "text", float("inf"), 2**100],
    "tuple": (1, (2.0, [3])),
    3: {"array": np.arange(6, dtype=np.float16).reshape(2, 3), "0-d": np.array(1.5)},
    (1, "a"): "a tuple as a key",
    "a.b": tg.ones(1),
    "a": {"b": tg.zeros(1)},
    "empty": [{}, [], ()],
}


def test_any_nesting_comes_back():
    found = loaded(written(NESTED))
    assert str(found) == str(NESTED)
    assert found[3]["array"].dtype == np.float16
    assert isinstance(found[3]["0-d"], np.ndarray)
    assert isinstance(found["a"]["b"], tg.Tensor)
    assert loaded(written(tg.ones(2))).tolist() == [1, 1]
    assert loaded(written(7)) == 7
    assert loaded(written({})) == {}


def test_a_nested_file_is_one_that_others_read_with_names_that_say_where():
    names = tg.read_metadata(
        io.BytesIO(written({"model": {"w": tg.ones(2)}, "rows": [tg.ones(1)]}))
    )
    assert names["tensors"] == {
        "model.w": {"dtype": "F32", "shape": (2,)},
        "rows.0": {"dtype": "F32", "shape": (1,)},
    }


def test_versions_and_words_of_ones_own_are_in_the_metadata():
    words = tg.read_metadata(io.BytesIO(written({"w": tg.ones(2)}, metadata={"by": "me"})))[
        "metadata"
    ]
    assert words["tinygrad_rnn.version"] == tg.__version__
    assert words["tinygrad_rnn.numpy"] == np.__version__
    assert words["by"] == "me"
    assert len(words["tinygrad_rnn.sha256"]) == 64


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": {1}}, "cannot hold a set"),
        ({"a": [np.array([None])]}, "holds numbers, not object"),
        ({"a": np.array([1j])}, "holds numbers, not complex128"),
        (tg.optim.SGD([tg.ones(1)], 0.1), r"cannot hold a SGD: save its state_dict\(\)"),
        ({frozenset(): 1}, "frozenset as a key"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_anything_is_written(state, words, tmp_path):
    path = tmp_path / "state"
    tg.save({"a": tg.ones(1)}, path)
    with pytest.raises(TypeError, match=words):
        tg.save(state, path)
    assert tg.load(path)["a"].item() == 1
    assert os.listdir(tmp_path) == ["state"]


def test_names_and_words_that_the_format_cannot_have():
    with pytest.raises(ValueError, match="format's own key"):
        written({"__metadata__": tg.ones(1)})
    with pytest.raises(UnicodeEncodeError):
        written({"\ud800": tg.ones(1)})
    with pytest.raises(TypeError, match="texts by name"):
        written({"a": tg.ones(1)}, metadata={"n": 3})
    with pytest.raises(TypeError, match="not beginning with"):
        written({"a": tg.ones(1)}, metadata={"tinygrad_rnn.x": "y"})


def test_pytorchs_arguments_of_load():
    data = written({"a": tg.ones(1)})
    assert tg.load(io.BytesIO(data), map_location="cpu", weights_only=True)["a"].item() == 1
    with pytest.raises(ValueError, match="CPU alone"):
        tg.load(io.BytesIO(data), map_location="cuda:0")


# ---- modules -------------------------------------------------------------------------------------


def test_a_module_saves_and_loads_itself(tmp_path):
    path = tmp_path / "net.safetensors"
    net = nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4, 2, bidirectional=True), nn.LayerNorm(8))
    net.save(path, metadata={"epoch": "7"})
    other = nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4, 2, bidirectional=True), nn.LayerNorm(8))
    assert other.load(path) == ([], [])
    for name, value in net.state_dict().items():
        assert (other.state_dict()[name] == value).all(), name
    words = tg.read_metadata(path)["metadata"]
    layers = json.loads(words["tinygrad_rnn.layers"])
    assert layers["1"]["class"] == "LSTM"
    assert (layers["1"]["input_size"], layers["1"]["bidirectional"]) == (3, True)
    assert words["epoch"] == "7"
    assert set(tg.load(path)) == set(net.state_dict())


def test_loading_names_every_fault_at_once_and_changes_nothing(tmp_path):
    path = tmp_path / "net.safetensors"
    tg.save(
        {"weight_ih_l0": tg.ones(3, 2), "weight_hh_l0": tg.ones(4, 3), "more": tg.ones(1)}, path
    )
    rnn = nn.RNN(2, 3)
    before = rnn.state_dict()
    with pytest.raises(RuntimeError) as caught:
        rnn.load(path)
    text = str(caught.value)
    assert str(path) in text
    for words in (
        "weight_hh_l0 has shape (4, 3), expected (3, 3)",
        "bias_ih_l0 is missing",
        "bias_hh_l0 is missing",
        "more is not known here",
    ):
        assert words in text
    assert all((rnn.state_dict()[k] == v).all() for k, v in before.items())
    with pytest.raises(RuntimeError, match=r"expected \(3, 3\)$"):
        rnn.load(path, strict=False)
    tg.save({"weight_ih_l0": tg.ones(3, 2), "more": tg.ones(1)}, path)
    missing, extra = rnn.load(path, strict=False)
    assert missing == ["weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    assert extra == ["more"]


@pytest.mark.parametrize(
    ("saved", "there", "words"),
    [
        (nn.RNN(2, 3, nonlinearity="relu"), nn.RNN(2, 3), "nonlinearity 'relu', and has 'tanh'"),
        (nn.GRU(2, 3, reset_after=False), nn.GRU(2, 3), "reset_after False, and has True"),
        (nn.LayerNorm(3, eps=1e-3), nn.LayerNorm(3), "eps 0.001, and has 1e-05"),
        (
            nn.Sequential(nn.Linear(1, 1), nn.Tanh()),
            nn.Sequential(nn.Linear(1, 1), nn.ReLU()),
            "1 was saved with layer 'Tanh', and has 'ReLU'",
        ),
    ],
)
def test_weights_are_not_loaded_into_another_meaning(saved, there, words, tmp_path):
    saved.save(tmp_path / "a")
    before = there.state_dict()
    with pytest.raises(RuntimeError, match=words):
        there.load(tmp_path / "a")
    assert all((there.state_dict()[k] == v).all() for k, v in before.items())
    there.load(tmp_path / "a", strict=False)
    saved.load(tmp_path / "a")


def test_a_checkpoint_is_no_module(tmp_path):
    net = nn.Linear(1, 1)
    tg.save({"model": net.state_dict(), "epoch": 3}, tmp_path / "a")
    with pytest.raises(tg.FileFormatError, match="more than a module's tensors"):
        net.load(tmp_path / "a")


def test_a_loop_of_ones_own_resumes_to_the_same_bits(tmp_path):
    path = tmp_path / "run.safetensors"

    def start():
        tg.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        optimizer = optim.Adam(net.parameters(), lr=0.1)
        return net, optimizer, optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def go(net, optimizer, schedule, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            net(tg.randn(5, 3)).square().mean().backward()
            optimizer.step()
            schedule.step()

    whole = start()
    go(*whole, 6)
    net, optimizer, schedule = start()
    go(net, optimizer, schedule, 3)
    parts = {"model": net, "optimizer": optimizer, "schedule": schedule}
    state = {name: part.state_dict() for name, part in parts.items()}
    tg.save({**state, "random": tg.get_rng_state(), "step": 3}, path)

    net, optimizer, schedule = again = start()
    tg.manual_seed(99)
    found = tg.load(path)
    net.load_state_dict(found["model"])
    optimizer.load_state_dict(found["optimizer"])
    schedule.load_state_dict(found["schedule"])
    tg.set_rng_state(found["random"])
    go(*again, 6 - found["step"])
    for ours, theirs in zip(net.parameters(), whole[0].parameters(), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    with pytest.raises(ValueError, match="takes what get_rng_state returned"):
        tg.set_rng_state({"state": 1})


# ---- malformed files -----------------------------------------------------------------------------

TWO = bytes(8)
HUGE = 2**63 - 1
FAULTS = {
    "empty": (b"", "0 bytes are too few"),
    "short": (b"1234567", "7 bytes are too few"),
    "oversized header": (raw({}, length=2**40), "says that its header has 1099511627776 bytes"),
    "negative length": (b"\xff" * 8 + b"{}", "says that its header has 18446744073709551615 bytes"),
    "short header": (raw({"a": entry()}, TWO, length=20), "the header is no JSON"),
    "no header": (raw(b"", TWO), "does not begin with {"),
    "a list": (raw(b"[]"), "does not begin with {"),
    "space first": (raw(b" {}"), "does not begin with {"),
    "non-UTF-8": (raw(b'{"\xff": 1}'), "the header is no UTF-8"),
    "non-JSON": (raw(b"{'a': 1}"), "the header is no JSON"),
    "more after the JSON": (raw(b"{}{}"), "the header is no JSON"),
    "NaN": (raw(b'{"a": NaN}'), "the header is no JSON: NaN"),
    "deep": (raw(b'{"a":' + b"[" * 100_000), "the header is no JSON"),
    "a long number": (raw(b'{"a":' + b"1" * 5000 + b"}"), "the header is no JSON"),
    "half a surrogate": (
        raw(b'{"\\ud800":' + json.dumps(entry()).encode() + b"}", TWO),
        "is no text",
    ),
    "overlap": (
        raw({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
        "entry 'b' begins at byte 4 and overlaps",
    ),
    "hole": (
        raw({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
        "entry 'b' begins at byte 12 and leaves a hole",
    ),
    "hole before": (raw({"a": entry(offsets=(4, 12))}, bytes(12)), "leaves a hole before it"),
    "same place": (raw({"a": entry(), "b": entry()}, TWO), "overlaps"),
    "negative offset": (raw({"a": entry(offsets=(-8, 0))}, TWO), "data_offsets"),
    "overflowing offset": (raw({"a": entry(offsets=(0, 2**64))}, TWO), "data_offsets"),
    "backward offsets": (raw({"a": entry(offsets=(8, 0))}, TWO), "data_offsets"),
    "offsets of floats": (raw({"a": entry(offsets=(0.0, 8.0))}, TWO), "data_offsets"),
    "three offsets": (raw({"a": entry(offsets=(0, 4, 8))}, TWO), "data_offsets"),
    "a flag as an offset": (raw({"a": entry(offsets=(False, 8))}, TWO), "data_offsets"),
    "shape not matching": (raw({"a": entry(shape=(3,))}, TWO), "takes 12 bytes"),
    "overflowing shape": (
        raw({"a": entry(shape=(2**62, 4))}, TWO),
        "takes 73786976294838206464 bytes",
    ),
    "negative side": (raw({"a": entry(shape=(-2, -1))}, TWO), "not a list of at most 64 lengths"),
    "many sides": (raw({"a": entry(shape=(1,) * 65 + (2,))}, TWO), "at most 64 lengths"),
    "nothing times too much": (
        raw({"a": entry(shape=(0, HUGE, HUGE), offsets=(0, 0))}),
        "entry 'a' has shape",
    ),
    "unknown dtype": (raw({"a": entry("F8_E4M3", (8,))}, TWO), "dtype 'F8_E4M3': there are F64"),
    "dtype no text": (raw({"a": entry(["F32"])}, TWO), "has dtype"),
    "truncated": (raw({"a": entry()}, bytes(7)), "the entries take 8 bytes, and the file has 7"),
    "too long": (raw({"a": entry()}, bytes(9)), "the entries take 8 bytes, and the file has 9"),
    "duplicate keys": (
        raw(
            b'{"a":'
            + json.dumps(entry()).encode()
            + b',"a":'
            + json.dumps(entry()).encode()
            + b"}",
            TWO,
        ),
        "the header has 'a' twice",
    ),
    "duplicate keys inside": (
        raw(b'{"a": {"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', TWO),
        "the header has 'dtype' twice",
    ),
    "something missing": (
        raw({"a": {"dtype": "F32", "shape": [2]}}, TWO),
        "must have dtype, shape",
    ),
    "an entry of nothing": (raw({"a": None}), "must have dtype, shape"),
    "metadata no dict": (raw({"__metadata__": [1]}), "__metadata__ must hold texts"),
    "metadata of numbers": (raw({"__metadata__": {"a": 1}}), "__metadata__ must hold texts"),
    "no bool": (raw({"a": entry("BOOL", (1,), (0, 1))}, b"\x02"), "neither 0 nor 1"),
    "our structure, not fitting": (
        written({"a": [tg.ones(1)]}).replace(b'[\\"tensor', b'[\\"tensoR'),
        "is damaged",
    ),
    "our keys without a checksum": (
        raw({"__metadata__": {"tinygrad_rnn.structure": "{}"}}),
        "its checksum is missing",
    ),
    "pickle": (b"\x80\x02}q\x00." + bytes(50), "this library reads no pickle"),
    "zip": (b"PK\x03\x04" + bytes(50), "this library reads no pickle"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_file_is_named_with_its_fault(name, tmp_path):
    data, words = FAULTS[name]
    path = tmp_path / "some.safetensors"
    path.write_bytes(data)
    for read in (tg.load, nn.Linear(1, 1).load):
        with pytest.raises(tg.FileFormatError) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_what_other_readers_read_is_read():
    """Metadata of null, and an entry that says more than the format: safetensors 0.8.0 reads both."""
    from safetensors.numpy import load

    for data in (
        raw({"__metadata__": None, "a": entry()}, TWO),
        raw({"a": {**entry(), "x": {"y": [1]}}}, TWO),
    ):
        np.testing.assert_array_equal(loaded(data)["a"].numpy(), load(data)["a"])


def test_a_file_of_ours_says_the_format_that_pytorch_s_readers_ask_for():
    found = tg.read_metadata(io.BytesIO(written({"a": tg.ones(1)})))
    assert found["metadata"]["format"] == "pt"
    file = io.BytesIO()
    tg.save({"a": tg.ones(1)}, file, metadata={"format": "np"})
    assert tg.read_metadata(io.BytesIO(file.getvalue()))["metadata"]["format"] == "np"


def test_a_header_that_lies_allocates_nothing(monkeypatch):
    made = []
    real = np.empty

    def empty(shape, dtype):
        made.append(np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object)))
        return real(shape, dtype)

    monkeypatch.setattr(layout.np, "empty", empty)
    for data, _ in FAULTS.values():
        made.clear()
        with pytest.raises(tg.FileFormatError):
            loaded(data)
        assert sum(made) <= len(data)


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path):
    data = written({"a": tg.ones(100)})
    with pytest.raises(tg.FileFormatError, match="ends within entry 'a'"):
        layout.decoded(io.BytesIO(data[:-9]), len(data), "x")
    with pytest.raises(tg.FileFormatError, match="ends within its header"):
        layout.decoded(io.BytesIO(data[:20]), len(data), "x")


def test_every_truncation_is_noticed():
    data = written({"w": np.arange(6.0).reshape(2, 3), "rows": [1, {"n": tg.ones(2)}]})
    for end in range(len(data)):
        with pytest.raises(tg.FileFormatError):
            loaded(data[:end])


def test_files_from_elsewhere_need_no_checksum():
    found = loaded(
        raw({"__metadata__": {"format": "pt"}, "a": entry()}, np.float32([1, 2]).tobytes())
    )
    assert found["a"].tolist() == [1, 2]
    found = loaded(raw(b'{"a":' + json.dumps(entry()).encode() + b"}   ", bytes(8)))
    assert found["a"].tolist() == [0, 0]


def flipped(count, seed):
    """Load files with one to three random bytes changed: (refused, identical)."""
    net = nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 1))
    plain = written(net.state_dict())
    nested = written(
        {"model": net.state_dict(), "step": 3, "rate": 0.1, "flags": np.array([True, False])}
    )
    draw = random.Random(seed)
    refused = identical = 0
    for base in (plain, nested):
        whole = loaded(base)
        for _ in range(count // 2):
            data = bytearray(base)
            for _ in range(draw.choice((1, 1, 2, 3))):
                data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
            if data == base:
                continue
            try:
                found = loaded(bytes(data))
            except tg.FileFormatError:
                refused += 1
                continue
            assert str(found) == str(whole)
            identical += 1
    return refused, identical


def test_a_hundred_thousand_flips_give_an_error_or_an_identical_load():
    refused, identical = flipped(100_000, 1)
    assert refused + identical > 99_000
    assert refused > 95_000


# ---- all or nothing ------------------------------------------------------------------------------


def test_a_file_is_flushed_before_it_is_renamed_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    tg.save({"a": tg.ones(1)}, tmp_path / "a")
    assert calls[:2] == ["fsync", "replace"]
    assert os.name != "posix" or calls[2:] == ["fsync"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a [x]*"
    tg.save({"a": tg.ones(1)}, path)

    def pieces():
        yield b"half"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        atomic.write(path, pieces())
    assert os.listdir(tmp_path) == [path.name]
    assert tg.load(path)["a"].item() == 1


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere to write a into"):
        nn.Linear(1, 1).save(tmp_path / "nowhere" / "a")


@pytest.mark.skipif(os.name != "posix", reason="links need POSIX")
def test_a_link_stays_a_link(tmp_path):
    tg.save({"a": tg.ones(1)}, tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    tg.save({"a": tg.zeros(1)}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert tg.load(tmp_path / "real")["a"].item() == 0


def writer(path, first, done):
    """Save states for ever, each wholly of one number, and say so after each."""
    k = first
    while True:
        k += 1
        net = {f"w{i}": np.full((40, 50), float(k)) for i in range(6)}
        tg.save({"model": net, "step": k}, path)
        os.write(done, b".")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    """A child saves in a loop; it is killed within the first, second, third or fourth save."""
    path, draw, last, during = tmp_path / "run", random.Random(0), 0, 0
    tg.save({"model": {}, "step": 0}, path)
    for _ in range(250):
        heard, said = os.pipe()
        child = os.fork()
        if child == 0:
            writer(path, last, said)
            os._exit(1)
        saves, begun = draw.randrange(4), time.monotonic()
        for _ in range(saves):
            os.read(heard, 1)
        one = (time.monotonic() - begun) / max(saves, 1)
        time.sleep(draw.uniform(0, one if saves else 0.004))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        os.close(heard)
        os.close(said)
        left = [name for name in os.listdir(tmp_path) if name != "run"]
        during += len(left)
        assert len(left) <= 1  # what the child before left is gone
        found = tg.load(path)
        assert found["step"] >= last + saves
        last = found["step"]
        assert all((w == last).all() for w in found["model"].values())
    assert last > 250
    assert during >= 10  # kills did hit a save, and what they left does no harm
    tg.save({"done": 1}, path)
    assert os.listdir(tmp_path) == ["run"]


def test_no_file_of_ours_holds_pickle():
    source = Path(tg.__file__).parent
    for room in ("files", "training", "interop"):
        for file in (source / room).rglob("*.py"):
            if (
                file.name != "distributed.py"
            ):  # what ranks of one job say to each other is in no file
                assert "import pickle" not in file.read_text(encoding="utf-8"), file
