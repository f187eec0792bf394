"""The loader beside PyTorch's: what is a data set, what a batch is made of, which options go together.

Where PyTorch is installed, whole batches are compared with those of its loader.
"""

import collections

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)

Pair = collections.namedtuple("Pair", "x y")


class Plain:
    """The protocol and no base class: it goes on for ever where it is iterated over."""

    def __init__(self, n=7):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return np.full((3, 2), i, np.float32), i  # never IndexError


class Many(Plain):
    def __getitems__(self, places):
        return [(np.zeros(1), -i) for i in places]


def shown(batch):
    """Shapes, dtypes and values of a batch of either library, nested as it is."""
    if isinstance(batch, dict):
        return {k: shown(v) for k, v in batch.items()}
    if hasattr(batch, "_fields"):
        return (type(batch).__name__, *map(shown, batch))
    if isinstance(batch, (tuple, list)):
        return [shown(part) for part in batch]
    if isinstance(batch, (str, int, float)):
        return batch
    return tuple(batch.shape), str(batch.dtype).replace("torch.", ""), batch.tolist()


EQUAL = [(np.full((4, 2), k, np.float32), k % 2) for k in range(5)]
CASES = {
    "the protocol alone": lambda: (Plain(), {"batch_size": 3}),
    "a last batch left out": lambda: (Plain(), {"batch_size": 3, "drop_last": True}),
    "a list of pairs": lambda: (EQUAL, {"batch_size": 2}),
    "a list of arrays": lambda: ([x for x, _ in EQUAL], {"batch_size": 2}),
    "a list of numbers": lambda: ([1.5, 2.5, 3.5], {"batch_size": 2}),
    "a list of whole numbers": lambda: ([1, 2, 3], {"batch_size": 2}),
    "a list of lists": lambda: ([[1, 2.0], [3, 4.0]], {"batch_size": 2}),
    "a list of dicts": lambda: ([{"x": x, "n": n} for x, n in EQUAL], {"batch_size": 4}),
    "nested": lambda: ([{"a": (x, [n, 0.5])} for x, n in EQUAL], {"batch_size": 2}),
    "named tuples": lambda: ([Pair(x, n) for x, n in EQUAL], {"batch_size": 2}),
    "text": lambda: ([("abc", 1), ("d", 2)], {"batch_size": 2}),
    "bools": lambda: ([(True, np.bool_(False)), (False, np.bool_(True))], {"batch_size": 2}),
    "numpy's scalars": lambda: (
        [(np.float32(1), np.int32(2), np.float64(3))] * 2,
        {"batch_size": 2},
    ),
    "range": lambda: (range(5), {"batch_size": 2}),
    "a dict by number": lambda: ({0: 1.0, 1: 2.0, 2: 3.0}, {"batch_size": 2}),
    "an array": lambda: (np.arange(6.0).reshape(3, 2), {"batch_size": 2}),
    "one by one": lambda: (Plain(3), {"batch_size": None}),
    "one by one of a list": lambda: ([1.0, "a", (np.ones(2), 3)], {"batch_size": None}),
    "a sampler": lambda: (Plain(), {"batch_size": 2, "sampler": [6, 0, 0, 3, 1]}),
    "a sampler one by one": lambda: (Plain(), {"batch_size": None, "sampler": [6, 0]}),
    "a batch sampler": lambda: (Plain(), {"batch_sampler": [[6, 0, 1], [2]]}),
    "collate_fn": lambda: (Plain(5), {"batch_size": 2, "collate_fn": lambda rows: len(rows)}),
    "collate_fn one by one": lambda: (
        Plain(2),
        {"batch_size": None, "collate_fn": lambda row: row[1]},
    ),
    "many at once": lambda: (Many(3), {"batch_size": 2}),
    "no effect": lambda: (Plain(2), {"batch_size": 2, "num_workers": 0, "pin_memory": False}),
}
REFUSED_BY_BOTH = {
    "no length": (lambda: (iter([1, 2]), {}), TypeError),
    "a sampler and a shuffle": (lambda: (Plain(), {"sampler": [1], "shuffle": True}), ValueError),
    "a batch sampler and a size": (
        lambda: (Plain(), {"batch_sampler": [[1]], "batch_size": 2}),
        ValueError,
    ),
    "a batch sampler and a shuffle": (
        lambda: (Plain(), {"batch_sampler": [[1]], "shuffle": True}),
        ValueError,
    ),
    "drop_last one by one": (
        lambda: (Plain(), {"batch_size": None, "drop_last": True}),
        ValueError,
    ),
    "no size": (lambda: (Plain(), {"batch_size": 0}), ValueError),
    "None among the examples": (lambda: ([(1, None), (2, None)], {"batch_size": 2}), TypeError),
}


@pytest.mark.peers
@pytest.mark.parametrize("name", CASES)
def test_as_pytorchs_loader(name):
    torch = pytest.importorskip("torch")
    dataset, options = CASES[name]()
    ours, theirs = DataLoader(dataset, **options), torch.utils.data.DataLoader(dataset, **options)
    assert len(ours) == len(theirs)
    assert [shown(b) for b in ours] == [shown(b) for b in theirs]


@pytest.mark.peers
@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_refused_as_by_pytorch(name):
    torch = pytest.importorskip("torch")
    made, error = REFUSED_BY_BOTH[name]
    dataset, options = made()
    with pytest.raises(error):
        list(torch.utils.data.DataLoader(dataset, **options))


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_what_makes_no_loader_is_refused(name):
    made, error = REFUSED_BY_BOTH[name]
    dataset, options = made()
    with pytest.raises(error):
        list(DataLoader(dataset, **options))


def test_a_class_with_the_protocol_alone_ends():
    loader = DataLoader(Plain(7), batch_size=3, shuffle=True)
    for _ in range(2):
        batches = list(loader)
        assert [x.shape for x, _ in batches] == [(3, 3, 2), (3, 3, 2), (1, 3, 2)]
        assert sorted(i for _, y in batches for i in y.tolist()) == list(range(7))
        assert all((x[:, 0, 0].tolist() == y.tolist()) for x, y in batches)
    assert len(loader) == 3


def test_a_list_of_examples_is_stacked_along_a_new_first_axis():
    ((x, y),) = DataLoader(EQUAL, batch_size=5)
    assert x.shape == (5, 4, 2)
    assert x[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert (y.dtype, y.tolist()) == (np.int64, [0, 1, 0, 1, 0])
    assert [b.shape for b in DataLoader([x for x, _ in EQUAL], 2)] == [
        (2, 4, 2),
        (2, 4, 2),
        (1, 4, 2),
    ]
    (batch,) = DataLoader([{"a": (x, [n, 0.5])} for x, n in EQUAL[:2]], 2)
    assert (batch["a"][0].shape, batch["a"][1][0].tolist()) == ((2, 4, 2), [0, 1])
    assert (batch["a"][1][1].dtype, batch["a"][1][1].tolist()) == (np.float64, [0.5, 0.5])
    (pair,) = DataLoader([Pair(x, n) for x, n in EQUAL], 5)
    assert (type(pair), pair.x.shape) == (Pair, (5, 4, 2))


def test_a_list_of_ragged_examples_is_its_columns():
    examples = [(np.ones((n, 2)), n) for n in (3, 1)]
    ((x, y, lengths),) = DataLoader(examples, batch_size=2)
    assert (x.shape, y.tolist(), lengths.tolist()) == ((3, 2, 2), [3, 1], [3, 1])
    ((x, y, lengths),) = DataLoader(EQUAL, batch_size=5, bucket=True)  # asks for sequences by name
    assert (x.shape, lengths.tolist()) == ((4, 5, 2), [4] * 5)
    with pytest.raises(ValueError, match="parts"):
        list(DataLoader([(1, 2), (3, 4, 5)], 2))


def test_subsets_of_lists_and_of_the_protocol():
    for whole in (EQUAL, Plain(5), TensorDataset(tg.ones(5, 4, 2), tg.arange(5))):
        one, other = random_split(whole, [3, 2])
        assert [len(y) for _, y in DataLoader(one, 2)] == [2, 1]
        assert len(DataLoader(Subset(whole, [4, 1]), 2)) == 1
        assert len(other) == 2


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return ((float(i), i) for i in range(self.n))


class Sized(Stream):
    def __len__(self):
        return self.n


def test_data_sets_that_are_gone_through():
    assert [y.tolist() for _, y in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [y.tolist() for _, y in DataLoader(Stream(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(2), None)) == [(0.0, 0), (1.0, 1)]
    assert [len(b) for b in DataLoader(Stream(3), 2, collate_fn=list)] == [2, 1]
    loader = DataLoader(Stream(3), 2)
    assert len(list(loader)) == len(list(loader)) == len(DataLoader(Sized(3), 2)) == 2
    with pytest.raises(TypeError, match="__len__"):
        len(loader)
    with pytest.raises(TypeError, match="numbers"):
        loader.order()
    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ValueError, match="IterableDataset"):
            DataLoader(Stream(3), **options)
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(IterableDataset())
    endless = iter(DataLoader(Stream(10**12), 3))
    assert next(endless)[1].tolist() == [0, 1, 2]


def test_samplers_may_be_lazy_and_have_no_length():
    def forever():
        while True:
            yield from (2, 0)

    loader = DataLoader(Plain(), 3, sampler=forever())
    batches = iter(loader)
    assert [next(batches)[1].tolist() for _ in range(2)] == [[2, 0, 2], [0, 2, 0]]
    with pytest.raises(TypeError, match="__len__"):
        len(loader)
    columns = DataLoader((np.arange(5.0), np.arange(5)), 2, sampler=[4, 3, 0])
    assert [y.tolist() for _, y in columns] == [[4, 3], [0]]
    assert [y.tolist() for _, y in DataLoader((np.arange(3.0), np.arange(3)), None)] == [0, 1, 2]
    assert DataLoader(Plain(), 2, sampler=[1, 2, 3]).order() == [[1, 2], [3]]


def test_what_is_no_data_set_is_told():
    class NoLength(Dataset):
        def __getitem__(self, i):
            return i

    for odd in (NoLength(), 7, (x for x in range(3))):
        with pytest.raises(TypeError, match=r"has no .*__len__"):
            DataLoader(odd)
    for empty in ([], {}, range(0)):
        with pytest.raises(ValueError, match=r"no examples|0\] examples"):
            DataLoader(empty)


def test_gradients_of_examples_are_kept_and_those_of_columns_refused():
    w = tg.ones(4, 2, requires_grad=True)
    (batch,) = DataLoader(TensorDataset(w), 4)
    (batch[0] * 3.0).sum().backward()
    assert w.grad.tolist() == [[3.0, 3.0]] * 4
    with pytest.raises(TypeError, match="TensorDataset"):
        DataLoader((w, np.arange(4)))
