"""Cells whose Python hides what it changes, or who changes it: by other names, in containers, in classes."""
# ruff: noqa: B007, B009, C416, E731, E741, E742, F841 (as people write)
# ruff: noqa: N805, N806, RUF005, RUF012 (as people write)

import collections
import contextlib
import copy
import enum
import functools
import operator
import types
import weakref

import numpy as np
from made_up_cells import H, I, filled
from unseen_cells import KINDS, kind, nothing
from unseen_cells import cell_with as CW

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@kind
def descriptor_write():
    class D:
        def __set__(s, o, v):
            o.__dict__["n"] = v

        def __get__(s, o, k):
            return o.__dict__.get("n", 0)

    def step(self, x, h):
        object.__setattr__(self, "n", self.__dict__.get("n", 0) + 1)
        h = (self.drive(x, h) * self.n).tanh()
        return h, h

    c = CW(step)
    return c, nothing, lambda: c.__dict__["n"]


@kind
def list_sort_key_side():
    log = []

    def step(self, x, h):
        ks = sorted([3, 1, 2], key=lambda k: log.append(k) or k)
        h = (self.drive(x, h) * ks[0]).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def map_side():
    log = []

    def step(self, x, h):
        list(map(log.append, [1]))
        h = self.drive(x, h).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def partial_side():
    log = []
    f = functools.partial(list.append, log)

    def step(self, x, h):
        f(1)
        h = self.drive(x, h).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def unbound_append():
    log = []

    def step(self, x, h):
        list.append(log, 1)
        h = self.drive(x, h).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def dict_setitem_unbound():
    log = {}

    def step(self, x, h):
        dict.__setitem__(log, len(log), 1)
        h = self.drive(x, h).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def operator_iadd():
    log = []

    def step(self, x, h):
        operator.iadd(log, [1])
        h = self.drive(x, h).tanh()
        return h, h

    return CW(step), nothing, lambda: len(log)


@kind
def operator_concat_ok():
    def step(self, x, h):
        operator.setitem(self.a, 0, self.a[0] + 1)
        h = (self.drive(x, h) * self.a[0]).tanh()
        return h, h

    c = CW(step, a=[1])
    return c, nothing, lambda: c.a


@kind
def alias_through_tuple():
    def step(self, x, h):
        t = (self.a, 1)
        t[0].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_dict():
    def step(self, x, h):
        t = {"k": self.a}
        t["k"].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_closure():
    def step(self, x, h):
        a = self.a

        def f():
            a.append(1)

        f()
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_return():
    def get(o):
        return o.a

    def step(self, x, h):
        get(self).append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_or():
    def step(self, x, h):
        a = self.a or self.b2
        a.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[], b2=[])
    return c, nothing, lambda: (c.a, c.b2)


@kind
def alias_through_plus():
    def step(self, x, h):
        t = [self.a] + []
        t[0].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_mul():
    def step(self, x, h):
        t = [self.a] * 2
        t[1].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_slices():
    def step(self, x, h):
        t = [self.a][:]
        t[0].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_through_nested_attr_list():
    def step(self, x, h):
        for t in self.a[:]:
            t.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[[], []])
    return c, nothing, lambda: c.a


@kind
def alias_through_reversed():
    def step(self, x, h):
        for t in reversed(self.a):
            t.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[[], []])
    return c, nothing, lambda: c.a


@kind
def alias_through_max():
    def step(self, x, h):
        max(self.a, key=len).append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[[], []])
    return c, nothing, lambda: c.a


@kind
def alias_through_dict_get():
    def step(self, x, h):
        self.d.get("k").append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, d={"k": []})
    return c, nothing, lambda: c.d


@kind
def alias_through_dict_items():
    def step(self, x, h):
        for k, v in self.d.items():
            v.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, d={"k": []})
    return c, nothing, lambda: c.d


@kind
def alias_through_default():
    L = []

    def f(z, l=L):
        l.append(1)
        return z * len(l)

    def step(self, x, h):
        h = f(self.drive(x, h)).tanh()
        return h, h

    return CW(step), nothing, lambda: L


@kind
def alias_through_kwdefault():
    L = []

    def f(z, *, l=L):
        l.append(1)
        return z * len(l)

    def step(self, x, h):
        h = f(self.drive(x, h)).tanh()
        return h, h

    return CW(step), nothing, lambda: L


@kind
def alias_star():
    def f(*a):
        a[0].append(1)

    def step(self, x, h):
        f(*[self.a])
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_kwstar():
    def f(**a):
        a["l"].append(1)

    def step(self, x, h):
        f(l=self.a)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_generator():
    def g(a):
        yield a

    def step(self, x, h):
        for l in g(self.a):
            l.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_comp():
    def step(self, x, h):
        t = [l for l in [self.a]]
        t.pop().append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_unpack():
    def step(self, x, h):
        a, *b = [self.a, self.a]
        b[0].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_namedtuple():
    P = collections.namedtuple("P", "l z")

    def step(self, x, h):
        p = P(self.a, 1)
        p.l.append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_next_iter():
    def step(self, x, h):
        next(iter([self.a])).append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_copy():
    def step(self, x, h):
        t = self.a.copy()
        t[0].append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[[]])
    return c, nothing, lambda: c.a


@kind
def alias_lambda_default():
    def step(self, x, h):
        f = lambda a=self.a: a.append(1)
        f()
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def alias_walrus():
    def step(self, x, h):
        (t := self.a).append(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def bound_method_value():
    def step(self, x, h):
        f = self.a.append
        f(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def getattr_append():
    def step(self, x, h):
        getattr(self.a, "append")(1)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def del_item():
    def step(self, x, h):
        del self.a[0]
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=list(range(40)))
    return c, nothing, lambda: c.a


@kind
def slice_store():
    def step(self, x, h):
        self.a[:0] = [1]
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def buffer_write():
    def step(self, x, h):
        self.a[0] = self.a[0] + 1
        h = (self.drive(x, h) * self.a).tanh()
        return h, h

    c = CW(step)
    c.register_buffer("a", tg.ones(H, dtype=tg.float64))
    return c, nothing, lambda: c.a.tolist()


@kind
def buffer_view_write():
    def step(self, x, h):
        self.a.view(2, 2)[0].add_(1)
        h = (self.drive(x, h) * self.a).tanh()
        return h, h

    c = CW(step)
    c.register_buffer("a", tg.ones(H, dtype=tg.float64))
    return c, nothing, lambda: c.a.tolist()


@kind
def buffer_np_write():
    a = np.ones(H)

    def step(self, x, h):
        a[0] += 1
        h = (self.drive(x, h) * tg.tensor(a)).tanh()
        return h, h

    return CW(step), nothing, lambda: a.tolist()


@kind
def np_copyto():
    a = np.ones(1)

    def step(self, x, h):
        np.add(a, 1, out=a)
        h = (self.drive(x, h) * float(a[0])).tanh()
        return h, h

    return CW(step), nothing, lambda: a.tolist()


@kind
def method_of_other_object():
    class Log:
        def __init__(s):
            s.n = 0

        def tick(s):
            s.n += 1
            return s.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.log.tick()).tanh()
        return h, h

    c = CW(step, log=Log())
    return c, nothing, lambda: c.log.n


@kind
def type_call_new():
    class Log:
        n = 0

        def __init__(s):
            Log.n += 1

    def step(self, x, h):
        Log()
        h = (self.drive(x, h) * Log.n).tanh()
        return h, h

    return CW(step), nothing, lambda: Log.n


@kind
def subclass_of_float():
    class F(float):
        n = 0

        def __rmul__(s, o):
            F.n += 1
            return o * F.n

        def __mul__(s, o):
            F.n += 1
            return o * F.n

    def step(self, x, h):
        h = (self.a * self.drive(x, h)).tanh()
        return h, h

    return CW(step, a=F(1.0)), nothing, lambda: F.n


@kind
def subclass_of_list():
    class L(list):
        n = 0

        def __getitem__(s, k):
            L.n += 1
            return L.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.a[0]).tanh()
        return h, h

    return CW(step, a=L([1])), nothing, lambda: L.n


@kind
def subclass_of_dict_missing():
    d = collections.defaultdict(lambda: len(d) + 1)

    def step(self, x, h):
        h = (self.drive(x, h) * d[len(d)]).tanh()
        return h, h

    return CW(step), nothing, lambda: len(d)


@kind
def subclass_of_tuple():
    class T(tuple):
        n = 0

        def __getitem__(s, k):
            T.n += 1
            return T.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.a[0]).tanh()
        return h, h

    return CW(step, a=T((1,))), nothing, lambda: T.n


@kind
def str_subclass():
    class S(str):
        n = 0

        def __eq__(s, o):
            S.n += 1
            return S.n % 2 == 0

        __hash__ = str.__hash__

    def step(self, x, h):
        h = (self.drive(x, h) * (2 if self.a == "a" else 1)).tanh()
        return h, h

    return CW(step, a=S("a")), nothing, lambda: S.n


@kind
def int_subclass_bool():
    class N(int):
        n = 0

        def __bool__(s):
            N.n += 1
            return N.n % 2 == 0

    def step(self, x, h):
        h = (self.drive(x, h) * (2 if self.a else 1)).tanh()
        return h, h

    return CW(step, a=N(3)), nothing, lambda: N.n


@kind
def enum_with_state():
    class E(enum.Enum):
        A = 1

        def tick(self):
            E.n = getattr(E, "n", 0) + 1
            return E.n

    def step(self, x, h):
        h = (self.drive(x, h) * self.a.tick()).tanh()
        return h, h

    return CW(step, a=E.A), nothing, nothing


@kind
def namedtuple_with_method():
    class P(collections.namedtuple("P", "l")):
        def tick(self):
            self.l.append(1)
            return len(self.l)

    def step(self, x, h):
        h = (self.drive(x, h) * self.a.tick()).tanh()
        return h, h

    c = CW(step, a=P([]))
    return c, nothing, lambda: c.a


@kind
def namedtuple_list_field():
    P = collections.namedtuple("P", "l")

    def step(self, x, h):
        h = (self.drive(x, h) * self.a.l[0]).tanh()
        return h, h

    c = CW(step, a=P([1.0]))
    return c, lambda k: c.a.l.__setitem__(0, 1.0 + k), nothing


@kind
def enum_value_list():
    class E(enum.Enum):
        A = [1.0]

    def step(self, x, h):
        h = (self.drive(x, h) * self.a.value[0]).tanh()
        return h, h

    c = CW(step, a=E.A)
    return c, lambda k: E.A.value.__setitem__(0, 1.0 + k), nothing


@kind
def slots_object():
    class O:
        __slots__ = ("a",)

    o = O()
    o.a = 1.0

    def step(self, x, h):
        h = (self.drive(x, h) * o.a).tanh()
        return h, h

    return CW(step), lambda k: setattr(o, "a", 1.0 + k // 2), nothing


@kind
def class_namespace():
    class N:
        a = 1.0

    def step(self, x, h):
        h = (self.drive(x, h) * N.a).tanh()
        return h, h

    return CW(step), lambda k: setattr(N, "a", 1.0 + k // 2), nothing


@kind
def metaclass_prop():
    class M(type):
        n = 0

        @property
        def a(cls):
            M.n += 1
            return M.n

    class N(metaclass=M):
        pass

    def step(self, x, h):
        h = (self.drive(x, h) * N.a).tanh()
        return h, h

    return CW(step), nothing, lambda: M.n


@kind
def metaclass_getattr():
    class M(type):
        n = 0

        def __getattr__(cls, name):
            M.n += 1
            return M.n

    class N(metaclass=M):
        pass

    def step(self, x, h):
        h = (self.drive(x, h) * N.zzz).tanh()
        return h, h

    return CW(step), nothing, lambda: M.n


@kind
def metaclass_instancecheck():
    class M(type):
        n = 0

        def __instancecheck__(cls, o):
            M.n += 1
            return M.n % 2 == 0

    class N(metaclass=M):
        pass

    def step(self, x, h):
        h = (self.drive(x, h) * (2 if isinstance(x, N) else 1)).tanh()
        return h, h

    return CW(step), nothing, lambda: M.n


@kind
def metaclass_call():
    class M(type):
        n = 0

        def __call__(cls, *a):
            M.n += 1
            return M.n

    class N(tuple, metaclass=M):
        _fields = ()

    def step(self, x, h):
        h = (self.drive(x, h) * N()).tanh()
        return h, h

    return CW(step), nothing, lambda: M.n


@kind
def module_getattr_dynamic():
    m = types.ModuleType("dyn")
    m.n = 0

    def ga(name):
        m.__dict__["n"] += 1
        return m.n

    m.__getattr__ = ga

    def step(self, x, h):
        h = (self.drive(x, h) * m.rate).tanh()
        return h, h

    return CW(step), nothing, lambda: m.n


@kind
def bool_of_tensor_in_cond():
    def step(self, x, h):
        h = (self.drive(x, h) * (2.0 if (h * 0 + 1).sum() > 0 else 1.0)).tanh()
        return h, h

    return CW(step), nothing, nothing


@kind
def hash_order_set():
    def step(self, x, h):
        z = self.drive(x, h)
        for t in {x.sum(): 1, h.sum(): 2}:
            z = z * t
        h = z.tanh()
        return h, h

    return CW(step), nothing, nothing


@kind
def format_tensor():
    def step(self, x, h):
        s = f"{h.sum():.2f}"
        h = (self.drive(x, h) * (2 if len(s) > 4 else 1)).tanh()
        return h, h

    return CW(step), nothing, nothing


@kind
def str_tensor():
    def step(self, x, h):
        s = str(h)
        h = (self.drive(x, h) * (2 if "-" in s else 1)).tanh()
        return h, h

    return CW(step), nothing, nothing


@kind
def global_del():
    def step(self, x, h):
        self.__class__.n = getattr(self.__class__, "n", 0) + 1
        h = (self.drive(x, h) * self.n).tanh()
        return h, h

    c = CW(step)
    return c, nothing, lambda: type(c).n


@kind
def module_attr_set():
    def step(self, x, h):
        self.inner.n += 1
        h = (self.drive(x, h) * self.inner.n).tanh()
        return h, h

    c = CW(step)
    c.inner = nn.Tanh()
    c.inner.n = 0
    return c, nothing, lambda: c.inner.n


@kind
def inner_module_counts():
    class In(nn.Module):
        n = 0

        def forward(self, z):
            self.n += 1
            return z * self.n

    def step(self, x, h):
        h = self.inner(self.drive(x, h)).tanh()
        return h, h

    c = CW(step)
    c.inner = In()
    return c, nothing, lambda: c.inner.n


@kind
def sequential_inner_counts():
    class In(nn.Module):
        n = 0

        def forward(self, z):
            self.n += 1
            return z * self.n

    def step(self, x, h):
        h = self.inner(self.drive(x, h)).tanh()
        return h, h

    c = CW(step)
    c.inner = nn.Sequential(nn.Tanh(), In())
    return c, nothing, lambda: c.inner[1].n


@kind
def call_overridden():
    class In(nn.Linear):
        n = 0

        def __call__(self, z):
            self.__dict__["n"] = self.n + 1
            return super().__call__(z) * self.n

    def step(self, x, h):
        h = self.inner(self.drive(x, h)).tanh()
        return h, h

    c = CW(step)
    c.inner = filled(In(H, H))
    return c, nothing, lambda: c.inner.n


@kind
def train_in_step():
    def step(self, x, h):
        self.train(not self.training)
        h = (self.drive(x, h) * (2 if self.training else 1)).tanh()
        return h, h

    c = CW(step)
    return c, nothing, lambda: c.training


@kind
def zero_grad_in_step():
    def step(self, x, h):
        self.zero_grad()
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step)
    return c, nothing, nothing


@kind
def nested_recurrent():
    def step(self, x, h):
        y, _ = self.inner(tg.stack([x, x]))
        h = (self.drive(x, h) + y[-1]).tanh()
        return h, h

    c = CW(step)
    c.inner = filled(nn.GRU(I, H))
    return c, nothing, nothing


@kind
def default_dtype():
    def step(self, x, h):
        h = (self.drive(x, h) * tg.ones(H, dtype=tg.get_default_dtype()).to(tg.float64)).tanh()
        return h, h

    return CW(step), nothing, nothing


@kind
def match_statement():
    def step(self, x, h):
        match self.a:
            case 1:
                z = self.drive(x, h).tanh()
            case _:
                z = self.drive(x, h).sigmoid()
        return z, z

    c = CW(step, a=1)
    return c, lambda k: setattr(c, "a", 1 + k // 2), nothing


@kind
def exec_eval():
    def step(self, x, h):
        exec("self.a.append(1)")
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def async_gen():
    def step(self, x, h):
        g = (self.a.append(k) for k in range(2))
        list(g)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def with_own_cm_func():
    log = []

    @contextlib.contextmanager
    def cm():
        log.append(1)
        yield len(log)

    def step(self, x, h):
        with cm() as n:
            h = (self.drive(x, h) * n).tanh()
        return h, h

    return CW(step), nothing, lambda: log


@kind
def recursion():
    def f(n, log):
        log.append(n)
        return 1 if n == 0 else f(n - 1, log)

    def step(self, x, h):
        f(2, self.a)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


@kind
def state_attr_is_list_same():
    def step(self, x, h):
        self.a.sort()
        h = (self.drive(x, h) * self.a[0]).tanh()
        return h, h

    c = CW(step, a=[3, 1, 2])
    return c, lambda k: c.a.append(0.1 * k), lambda: c.a


@kind
def weak_set():
    s = weakref.WeakSet()

    def step(self, x, h):
        s.add(self)
        h = (self.drive(x, h) * len(s)).tanh()
        return h, h

    return CW(step), nothing, lambda: len(s)


@kind
def deep_copy_self():
    def step(self, x, h):
        c = copy.copy(self.a)
        c.append(1)
        h = (self.drive(x, h) * len(c)).tanh()
        return h, h

    c = CW(step, a=[1])
    return c, lambda k: c.a.append(1), nothing


@kind
def alias_in_the_next_turn():
    def step(self, x, h):
        def note(t):
            t[0].append(1)

        t = [[]]
        note(t)
        t[0] = self.a
        note(t)
        h = self.drive(x, h).tanh()
        return h, h

    c = CW(step, a=[])
    return c, nothing, lambda: c.a


__all__ = ["KINDS"]
