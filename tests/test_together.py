"""Small Parameters that an optimizer updates as one row: the same bits as one after the other."""

import copy

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.optim import together

MAKERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD, decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
    "AMSGrad": lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "Adadelta": lambda p: optim.Adadelta(p, lr=0.1),
    "Adamax": lambda p: optim.Adamax(p, lr=0.1),
    "NAdam": lambda p: optim.NAdam(p, lr=0.1),
}
SHAPES = [(3,), (4, 5), (), (2, 1, 3), (0, 2), (130, 130)]  # the last is too large for a row


def parameters(dtype=tg.float32):
    draw = np.random.default_rng(3)
    made = [nn.Parameter(draw.normal(size=s), dtype=dtype) for s in SHAPES]
    turned = nn.Parameter(draw.normal(size=(4, 3)), dtype=dtype)
    turned._install(turned.numpy().copy().T, "a test")  # not contiguous: by itself
    return [*made, turned]


def give_gradients(params, step, lacking=()):
    draw = np.random.default_rng(100 + step)
    for k, p in enumerate(params):
        g = draw.normal(size=p.shape)
        p.grad = None if k in lacking else tg.tensor(g, dtype=p.dtype)


def same(a, b, first, second):
    for p, q in zip(first, second, strict=True):
        assert p.shape == q.shape
        assert p.numpy().tobytes() == q.numpy().tobytes()
        mine, others = a.state.get(p, {}), b.state.get(q, {})
        assert list(mine) == list(others)
        for name, value in mine.items():
            assert type(value) is type(others[name])
            np.testing.assert_array_equal(value, others[name])
            assert not isinstance(value, np.ndarray) or value.shape == p.shape


def step_one_by_one(optimizer, monkeypatch):
    """A step without rows."""
    with monkeypatch.context() as patch:
        patch.setattr(together, "LARGEST", -1)
        optimizer.step()


def disturb(k, optimizer, params):
    """What may happen between two steps; each keeps a row from being taken for what it was."""
    if k == 2:
        optimizer.param_groups[0]["lr"] *= 0.5
    elif k == 3:  # a memory is replaced
        for name, value in optimizer.state[params[1]].items():
            if isinstance(value, np.ndarray):
                optimizer.state[params[1]][name] = value * 0.5
    elif k == 4:  # a memory is written where it lies
        for value in optimizer.state[params[0]].values():
            if isinstance(value, np.ndarray):
                value[...] = 0.25
    elif k == 5:
        with tg.no_grad():
            params[0].mul_(0.5)
            params[1][0] = 1.0
    elif k == 6:
        optimizer.load_state_dict(optimizer.state_dict())
    elif k == 7:
        del optimizer.state[params[2]]


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("name", MAKERS)
def test_a_row_gives_the_bits_of_one_after_the_other(name, dtype, monkeypatch):
    first, second = parameters(dtype), parameters(dtype)
    a, b = MAKERS[name](first), MAKERS[name](second)
    for k in range(10):
        lacking = (0, 3) if k in (1, 8) else ()
        give_gradients(first, k, lacking)
        give_gradients(second, k, lacking)
        disturb(k, a, first)
        disturb(k, b, second)
        with np.errstate(all="ignore"):
            a.step()
            step_one_by_one(b, monkeypatch)
        same(a, b, first, second)


def test_rows_are_used_and_a_subclass_with_an_update_of_its_own_has_none():
    class Clipped(optim.SGD):
        def _updated(self, p, g, memory, group):
            return super()._updated(p, g / max(1.0, float(np.linalg.norm(g))), memory, group)

    calls = []

    class Counted(optim.SGD):
        @together.elementwise
        def _updated(self, p, g, memory, group):
            calls.append(p.shape)
            return super()._updated(p, g, memory, group)

    for make in (Clipped, Counted):
        params = [nn.Parameter([3.0, 4.0]), nn.Parameter([[6.0], [8.0]])]
        optimizer = make(params, lr=1.0)
        for p in params:
            p.grad = p.detach()
        optimizer.step()
        if make is Clipped:  # each by its own norm
            np.testing.assert_allclose(params[0].numpy(), [2.4, 3.2], rtol=1e-6)
            np.testing.assert_allclose(params[1].numpy(), [[5.4], [7.2]], rtol=1e-6)
    assert calls == [(4,)]


def test_groups_have_rows_of_their_own():
    params = [nn.Parameter([1.0, 2.0]) for _ in range(4)]
    optimizer = optim.SGD([{"params": params[:2], "lr": 1.0}, {"params": params[2:]}], lr=0.5)
    for _ in range(2):
        for p in params:
            p.grad = tg.ones(2)
        optimizer.step()
    for p, lr in zip(params, (1.0, 1.0, 0.5, 0.5), strict=True):
        np.testing.assert_array_equal(p.numpy(), np.array([1.0, 2.0]) - 2 * lr)


def test_a_snapshot_is_not_written_and_a_failed_step_leaves_all_as_it_was():
    params = [nn.Parameter([1.0, 2.0]), nn.Parameter([3.0])]
    optimizer = optim.Adam(params, lr=0.1)
    give_gradients(params, 0)
    optimizer.step()
    kept = [p.numpy() for p in params], optimizer.state_dict()["state"]
    copies = [np.copy(a) for a in kept[0]], [np.copy(m["exp_avg"]) for m in kept[1].values()]
    real = optim.Adam._updated

    def fails(self, p, g, memory, group):
        real(self, p, g, memory, group)
        raise FloatingPointError("planted")

    broken = together.elementwise(fails)
    optim.Adam._updated = broken
    try:
        with pytest.raises(FloatingPointError):
            optimizer.step()
    finally:
        optim.Adam._updated = real
    for p, before in zip(params, copies[0], strict=True):
        np.testing.assert_array_equal(p.numpy(), before)
    assert optimizer.state[params[0]]["step"] == 1
    optimizer.step()
    for a, b in zip(kept[0], copies[0], strict=True):
        np.testing.assert_array_equal(a, b)
    for memory, b in zip(kept[1].values(), copies[1], strict=True):
        np.testing.assert_array_equal(memory["exp_avg"], b)
    assert optimizer.state[params[0]]["step"] == 2


def small(dtype=tg.float32):
    draw = np.random.default_rng(4)
    return [nn.Parameter(draw.normal(size=s), dtype=dtype) for s in [(3,), (4, 5), (), (0, 2)]]


def copied(k, optimizer, params):
    """The optimizer, or a copy of it and its Parameters."""
    if k != 7:
        return optimizer, params
    optimizer, params = copy.deepcopy((optimizer, params))
    return optimizer, params


def happens(k, optimizer, params):
    """What may happen between two steps of which nobody looks at the state."""
    if k == 3:
        optimizer.param_groups[0]["lr"] *= 0.5
    elif k == 5:
        with tg.no_grad():
            params[1].mul_(0.5)
    elif k == 9:
        params[0].data = tg.tensor([7.0, 8.0, 9.0], dtype=params[0].dtype)
    elif k == 11:
        params[1].requires_grad = False
    elif k == 13:
        params[1].requires_grad = True
    elif k == 15:
        optimizer.load_state_dict(optimizer.state_dict())
    elif k == 17:
        extra = nn.Parameter([1.0, 2.0], dtype=params[0].dtype)
        optimizer.add_param_group({"params": [extra], "lr": 0.3})
        params.append(extra)
    elif k == 20:
        optimizer.param_groups[0]["params"].reverse()


@pytest.mark.parametrize("name", MAKERS)
def test_steps_without_a_look_at_the_state_give_the_same_bits(name, monkeypatch):
    first, second = small(), small()
    a, b = MAKERS[name](first), MAKERS[name](second)
    quick = 0
    for k in range(24):
        for optimizer, params in ((a, first), (b, second)):
            happens(k, optimizer, params)
        a, first = copied(k, a, first)
        b, second = copied(k, b, second)
        give_gradients(first, k, (0,) if k == 21 else ())
        give_gradients(second, k, (0,) if k == 21 else ())
        before = a._rows.whole
        with np.errstate(all="ignore"):
            a.step()
            step_one_by_one(b, monkeypatch)
        quick += before is not None and a._state is None
        for p, q in zip(first, second, strict=True):
            assert p.numpy().tobytes() == q.numpy().tobytes(), k
    assert quick >= 8
    same(a, b, first, second)


def test_a_state_that_was_looked_at_and_is_changed_counts(monkeypatch):
    first, second = small(), small()
    a, b = (optim.SGD(p, lr=0.1, momentum=0.9) for p in (first, second))
    for k in range(6):
        for optimizer, params in ((a, first), (b, second)):
            give_gradients(params, k)
            if k == 3:
                held = optimizer.state
                held[params[0]]["momentum_buffer"] = np.ones(3, np.float32)
            if k == 5:
                optimizer.state[params[1]]["momentum_buffer"][...] = 0.5
        a.step()
        step_one_by_one(b, monkeypatch)
        for p, q in zip(first, second, strict=True):
            np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_step_like_the_last_one_makes_older_graphs_stale():
    params = small()
    optimizer = optim.Adam(params, lr=0.1)
    for k in range(3):
        give_gradients(params, k)
        loss = sum((p * p).sum() for p in params)
        before = optimizer._rows.whole
        optimizer.step()
        with pytest.raises(RuntimeError, match=r"Adam.step\(\)"):
            loss.backward()
    assert before is not None


def test_a_leaf_goes_on_where_no_graph_refers_to_it_and_else_becomes_stale():
    params = [nn.Parameter([1.0, 2.0]), nn.Parameter([3.0]), nn.Parameter([[4.0]])]
    optimizer = optim.Adam(params, lr=0.1)
    for k in range(3):  # from the third step on by whole rows
        give_gradients(params, k)
        optimizer.step()
    known, shared = [p._node for p in params], params[2].detach()
    numbers = [leaf.number for leaf in known]
    held = shared.numpy().copy()
    give_gradients(params, 3)
    optimizer.step()  # the list ``known`` refers to all of them
    assert all(p._node is not leaf and leaf.stale for p, leaf in zip(params, known, strict=True))
    ids = [id(p._node) for p in params]
    del known
    graph = params[0].square()
    give_gradients(params, 4)
    optimizer.step()
    assert [id(p._node) == n for p, n in zip(params, ids, strict=True)] == [False, True, True]
    assert [p._node.number > n for p, n in zip(params, numbers, strict=True)] == [True] * 3
    assert params[0]._node.held() is params[0]._data
    assert params[1]._node.held == params[1].item()
    with pytest.raises(RuntimeError, match="as it was before"):
        graph.sum().backward()
    (params[1] * 2).sum().backward()
    assert params[1].grad.shape == (1,)
    np.testing.assert_array_equal(shared.numpy(), held)
