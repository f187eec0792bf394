"""Whole programs with one mistake, in other shapes than the solutions: einsum, all steps at once, classes.

Each with its function and what the marker is to say of it, whole.
"""

WRITTEN = [
    (
        'rnn_step',
        'a at t = 0 uses W_hh without the transpose',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    return np.tanh(np.einsum('ni,hi->nh', x, W_ih) + np.einsum('nh,hk->nk', h_prev, W_hh) + b)
""",
    ),
    (
        'rnn_step',
        'a at t = 0 lacks h_{t-1} @ W_hh^T',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    W = np.hstack([W_ih, W_hh])
    z = np.hstack([x, h_prev * 0])
    return np.tanh(z @ W.T + b)
""",
    ),
    (
        'rnn_step',
        'h is nan where its sum is large: exp overflows there. np.tanh does not',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    a = x @ W_ih.T + h_prev @ W_hh.T + b
    return (np.exp(2 * a) - 1) / (np.exp(2 * a) + 1)
""",
    ),
    (
        'rnn_step',
        'h at t = 0 adds b after tanh: it belongs inside',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    return np.tanh(x @ W_ih.T + h_prev @ W_hh.T) + b
""",
    ),
    (
        'rnn_step',
        'h at t = 0 takes tanh of x @ W_ih^T and of h_{t-1} @ W_hh^T + b apart, not of their sum',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    return np.tanh(x @ W_ih.T) + np.tanh(h_prev @ W_hh.T + b)
""",
    ),
    (
        'rnn_step',
        'a at t = 0 has b twice',
        """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    return np.tanh(x @ W_ih.T + b + (h_prev @ W_hh.T + b))
""",
    ),
    (
        'rnn_forward',
        'hs begins with 1 too many (h0?): 3 steps, hs[0] after the first',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    hs = [h0]
    for t in range(len(x)):
        hs.append(np.tanh(x[t] @ W_ih.T + hs[-1] @ W_hh.T + b))
    return np.array(hs)
""",
    ),
    (
        'rnn_forward',
        'h at t = 0 is set too late: hs[t] = h comes before it',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    hs = [h0]
    for t in range(len(x)):
        hs.append(np.tanh(x[t] @ W_ih.T + hs[-1] @ W_hh.T + b))
    return np.array(hs[:-1])
""",
    ),
    (
        'rnn_forward',
        'rnn_step at t = 0 gets zeros in place of h',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    T = len(x)
    hs = np.zeros((T,) + h0.shape)
    for t in range(T):
        hs[t] = np.tanh(x[t] @ W_ih.T + hs[t] @ W_hh.T + b)
    return hs
""",
    ),
    (
        'rnn_forward',
        'h at t = 0 has zeros in place of h0',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    T = len(x)
    hs = np.zeros((T,) + h0.shape)
    for t in range(T):
        hs[t] = np.tanh(x[t] @ W_ih.T + hs[t - 1] @ W_hh.T + b)
    return hs
""",
    ),
    (
        'rnn_forward',
        'rnn_forward at t = 0 takes axis 1 of x for the time: its axes are (time, batch, features) (raised ValueError: operands could not be broadcast together with shapes (3,5) (2,5) )',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    h = h0
    out = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ W_ih.T + h @ W_hh.T + b)
        out.append(h)
    return np.array(out)
""",
    ),
    (
        'rnn_forward',
        'what is returned has h in place of hs',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    h = h0
    for x_t in x:
        h = np.tanh(x_t @ W_ih.T + h @ W_hh.T + b)
    return h
""",
    ),
    (
        'rnn_forward',
        'h at t = 1 uses the first entry x[0] in place of x[t]',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    h = h0
    out = []
    pre = x[0] @ W_ih.T + b
    for t in range(len(x)):
        h = np.tanh(pre + h @ W_hh.T)
        out.append(h)
    return np.array(out)
""",
    ),
    (
        'rnn_forward',
        'hs has shape (2, 3, 5); (3, 2, 5) is expected',
        """
def rnn_forward(x, h0, W_ih, W_hh, b):
    h = h0
    out = []
    for x_t in x:
        h = np.tanh(x_t @ W_ih.T + h @ W_hh.T + b)
        out.append(h)
    return np.stack(out, axis=1)
""",
    ),
    (
        'rnn_step_backward',
        'the gradient of h_{t-1} at t = 2 uses W_hh transposed',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h ** 2)
    return (np.einsum('nh,hi->ni', da, W_ih), np.einsum('nh,kh->nk', da, W_hh), np.einsum('nh,ni->hi', da, x), np.einsum('nh,nk->hk', da, h_prev), da.sum(0))
""",
    ),
    (
        'rnn_step_backward',
        'the gradient of a at t = 2 has h_{t-1}^2 in place of h^2',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h_prev ** 2)
    return (da @ W_ih, da @ W_hh, da.T @ x, da.T @ h_prev, da.sum(0))
""",
    ),
    (
        'rnn_step_backward',
        'the gradient of W_hh at t = 2 is transposed',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h ** 2)
    return (da @ W_ih, da @ W_hh, np.einsum('nh,ni->hi', da, x), np.einsum('nh,nk->kh', da, h_prev), da.sum(0))
""",
    ),
    (
        'rnn_step_backward',
        'the gradient of x at t = 2 has dh in place of da',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h ** 2)
    return (dh @ W_ih, da @ W_hh, da.T @ x, da.T @ h_prev, da.sum(0))
""",
    ),
    (
        'rnn_step_backward',
        'the gradient of b at t = 2 has dh in place of da',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h ** 2)
    return (da @ W_ih, da @ W_hh, da.T @ x, da.T @ h_prev, np.einsum('nh->h', dh))
""",
    ),
    (
        'rnn_step_backward',
        'dW_ih is divided by the size of the batch, N: it is to be the sum',
        """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    da = dh * (1 - h ** 2)
    N = len(x)
    return (da @ W_ih, da @ W_hh, da.T @ x / N, da.T @ h_prev / N, da.sum(0) / N)
""",
    ),
    (
        'rnn_backward',
        'the gradient of a at t = 1 multiplies dhs[t] alone by 1 - hs[t]^2, and not dh_next, what step t + 1 hands back through h',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = dhs[t] * (1 - hs[t] ** 2) + carry
        carry = da[t] @ W_hh
    prev = np.concatenate([h0[None], hs[:-1]])
    return (da @ W_ih, carry, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_backward',
        'the gradient of W_hh has hs[t] in place of h_{t-1}',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = (dhs[t] + carry) * (1 - hs[t] ** 2)
        carry = da[t] @ W_hh
    return (da @ W_ih, carry, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, hs), da.sum((0, 1)))
""",
    ),
    (
        'rnn_backward',
        'h_{t-1} is zero at t = 0 in place of h0',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = (dhs[t] + carry) * (1 - hs[t] ** 2)
        carry = da[t] @ W_hh
    return (da @ W_ih, carry, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da[1:], hs[:-1]), da.sum((0, 1)))
""",
    ),
    (
        'rnn_backward',
        'what is returned has dh in place of dh_next',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        dh0 = dhs[t] + carry
        da[t] = dh0 * (1 - hs[t] ** 2)
        carry = da[t] @ W_hh
    prev = np.concatenate([h0[None], hs[:-1]])
    return (da @ W_ih, dh0, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_backward',
        'the gradient of b has a division by T too many',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = (dhs[t] + carry) * (1 - hs[t] ** 2)
        carry = da[t] @ W_hh
    prev = np.concatenate([h0[None], hs[:-1]])
    return (da @ W_ih, carry, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.mean(0).sum(0))
""",
    ),
    (
        'rnn_backward',
        'the gradient of h_{t-1} at t = 0 is added to the one of the step before (+=): = is right',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    carry = np.zeros_like(h0)
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = (dhs[t] + carry) * (1 - hs[t] ** 2)
        carry += da[t] @ W_hh
    prev = np.concatenate([h0[None], hs[:-1]])
    return (da @ W_ih, carry, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_backward',
        'the gradient of h at t = 1 takes dhs of the last step alone: dhs[t] belongs to every step',
        """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    T = len(x)
    dh = dhs[-1]
    da = np.zeros_like(hs)
    for t in range(T - 1, -1, -1):
        da[t] = dh * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    prev = np.concatenate([h0[None], hs[:-1]])
    return (da @ W_ih, dh, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'lstm_step',
        'g at t = 0 lacks tanh',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c + s(i) * g
        return (s(o) * np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'f at t = 0 has tanh in place of sigmoid',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = np.tanh(f) * c + s(i) * np.tanh(g)
        return (s(o) * np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'h at t = 0 has sigmoid in place of tanh',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c + s(i) * np.tanh(g)
        return (s(o) * s(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'c at t = 0 subtracts i * g, which is to be added',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c - s(i) * np.tanh(g)
        return (s(o) * np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'c at t = 0 has 1 - f in place of i',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c + (1 - s(f)) * np.tanh(g)
        return (s(o) * np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'the split into gates at t = 0 has a_g and a_o swapped',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 3 * H:], z[:, 2 * H:3 * H])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c + s(i) * np.tanh(g)
        return (s(o) * np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'h at t = 0 lacks o',
        """
class Cell:

    def __init__(self, W_ih, W_hh, b):
        self.W = np.hstack([W_ih, W_hh])
        self.b = b

    def gates(self, x, h):
        z = np.concatenate([x, h], 1) @ self.W.T + self.b
        H = h.shape[1]
        return (z[:, :H], z[:, H:2 * H], z[:, 2 * H:3 * H], z[:, 3 * H:])

    def step(self, x, h, c):
        i, f, g, o = self.gates(x, h)
        s = lambda v: 1 / (1 + np.exp(-v))
        c = s(f) * c + s(i) * np.tanh(g)
        return (np.tanh(c), c)

def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    return Cell(W_ih, W_hh, b).step(x, h_prev, c_prev)
""",
    ),
    (
        'lstm_step',
        'a uses the block of each gate in W_hh transposed',
        """
def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    H = h_prev.shape[1]
    W = W_hh.reshape(4, H, H)
    a = x @ W_ih.T + np.concatenate([h_prev @ w for w in W], 1) + b
    s = 1 / (1 + np.exp(-a))
    i, f, o = (s[:, :H], s[:, H:2 * H], s[:, 3 * H:])
    c = f * c_prev + i * np.tanh(a[:, 2 * H:3 * H])
    return (o * np.tanh(c), c)
""",
    ),
    (
        'lstm_step',
        'a at t = 0 has c_{t-1} in place of h_{t-1}',
        """
def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    H = h_prev.shape[1]
    a = x @ W_ih.T + c_prev @ W_hh.T + b
    s = 1 / (1 + np.exp(-a))
    i, f, o = (s[:, :H], s[:, H:2 * H], s[:, 3 * H:])
    c = f * c_prev + i * np.tanh(a[:, 2 * H:3 * H])
    return (o * np.tanh(c), c)
""",
    ),
    (
        'lstm_step',
        'h at t = 0 has c_{t-1} in place of c',
        """
def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    a = x @ W_ih.T + h_prev @ W_hh.T + b
    i, f, g, o = a.reshape(len(x), 4, -1).transpose(1, 0, 2)
    sg = lambda v: 1 / (1 + np.exp(-v))
    c = sg(f) * c_prev + sg(i) * np.tanh(g)
    return (sg(o) * np.tanh(c_prev), c)
""",
    ),
    (
        'lstm_forward',
        "c_{t-1} is cs[t - 1], index -1, the last step's, at t = 0: c0 is right",
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = hs[t - 1] if t else h0
        c = cs[t - 1]
        a = x[t] @ W_ih.T + h @ W_hh.T + b
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c + sg(i) * np.tanh(g)
        hs[t] = sg(o) * np.tanh(cs[t])
    return (hs, cs)
""",
    ),
    (
        'lstm_forward',
        'h_{t-1} at t = 1 has c in place of hs[t - 1]',
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = cs[t - 1] if t else h0
        c = cs[t - 1] if t else c0
        a = x[t] @ W_ih.T + h @ W_hh.T + b
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c + sg(i) * np.tanh(g)
        hs[t] = sg(o) * np.tanh(cs[t])
    return (hs, cs)
""",
    ),
    (
        'lstm_forward',
        'h at t = 0 lacks tanh',
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = hs[t - 1] if t else h0
        c = cs[t - 1] if t else c0
        a = x[t] @ W_ih.T + h @ W_hh.T + b
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c + sg(i) * np.tanh(g)
        hs[t] = sg(o) * cs[t]
    return (hs, cs)
""",
    ),
    (
        'lstm_forward',
        'what is returned has hs and cs swapped',
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = hs[t - 1] if t else h0
        c = cs[t - 1] if t else c0
        a = x[t] @ W_ih.T + h @ W_hh.T + b
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c + sg(i) * np.tanh(g)
        hs[t] = sg(o) * np.tanh(cs[t])
    return (cs, hs)
""",
    ),
    (
        'lstm_forward',
        'a at t = 0 lacks b',
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = hs[t - 1] if t else h0
        c = cs[t - 1] if t else c0
        a = x[t] @ W_ih.T + h @ W_hh.T
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c + sg(i) * np.tanh(g)
        hs[t] = sg(o) * np.tanh(cs[t])
    return (hs, cs)
""",
    ),
    (
        'lstm_forward',
        'c_{t-1} at t = 1 is c0 at every step',
        """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    T, N, _ = x.shape
    H = h0.shape[1]
    hs = np.zeros((T, N, H))
    cs = np.zeros((T, N, H))
    for t in range(T):
        h = hs[t - 1] if t else h0
        c = cs[t - 1] if t else c0
        a = x[t] @ W_ih.T + h @ W_hh.T + b
        i, f, g, o = np.split(a, 4, 1)
        sg = lambda v: 1 / (1 + np.exp(-v))
        cs[t] = sg(f) * c0 + sg(i) * np.tanh(g)
        hs[t] = sg(o) * np.tanh(cs[t])
    return (hs, cs)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of i at t = 2 lacks i',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dct * g * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of a at t = 2 has da_i and da_f swapped',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'figo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of g at t = 2 has g in place of i',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * g * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of o at t = 2 has dc_t in place of dh',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dct * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of i at t = 2 has dc in place of dc_t',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dc * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of c at t = 2 lacks o',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of c at t = 2 subtracts dh * o * (1 - tanh(c)^2), which is to be added',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc - dh * o * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * c_prev * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_step_backward',
        'the gradient of f at t = 2 has tanh(c_{t-1}) in place of c_{t-1}',
        """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    tc = np.tanh(c)
    dct = dc + dh * o * (1 - tc ** 2)
    d = {'i': dct * g * i * (1 - i), 'f': dct * np.tanh(c_prev) * f * (1 - f), 'g': dct * i * (1 - g ** 2), 'o': dh * tc * o * (1 - o)}
    return (np.concatenate([d[k] for k in 'ifgo'], 1), dct * f)
""",
    ),
    (
        'lstm_backward',
        'the gradient of c_{t-1} at t = 1 lacks f[t]',
        """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    hp = np.concatenate([h0[None], hs[:-1]])
    cp = np.concatenate([c0[None], cs[:-1]])
    i, f, g, o = np.moveaxis(gates.reshape(T, N, 4, H), 2, 0)
    tc = np.tanh(cs)
    da = np.zeros_like(gates)
    dh = np.zeros_like(h0)
    dc = np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = dh + dhs[t]
        dc = dc + dh * o[t] * (1 - tc[t] ** 2)
        da[t] = np.concatenate([dc * g[t] * i[t] * (1 - i[t]), dc * cp[t] * f[t] * (1 - f[t]), dc * i[t] * (1 - g[t] ** 2), dh * tc[t] * o[t] * (1 - o[t])], 1)
        dh = da[t] @ W_hh
    return (da @ W_ih, dh, dc, np.einsum('tna,tni->ai', da, x), np.einsum('tna,tnh->ah', da, hp), da.sum((0, 1)))
""",
    ),
    (
        'lstm_backward',
        'the gradient of f at t = 2 has cs[t] in place of c_{t-1}',
        """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    hp = np.concatenate([h0[None], hs[:-1]])
    cp = np.concatenate([c0[None], cs[:-1]])
    i, f, g, o = np.moveaxis(gates.reshape(T, N, 4, H), 2, 0)
    tc = np.tanh(cs)
    da = np.zeros_like(gates)
    dh = np.zeros_like(h0)
    dc = np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = dh + dhs[t]
        dc = dc + dh * o[t] * (1 - tc[t] ** 2)
        da[t] = np.concatenate([dc * g[t] * i[t] * (1 - i[t]), dc * cs[t] * f[t] * (1 - f[t]), dc * i[t] * (1 - g[t] ** 2), dh * tc[t] * o[t] * (1 - o[t])], 1)
        dh = da[t] @ W_hh
        dc = dc * f[t]
    return (da @ W_ih, dh, dc, np.einsum('tna,tni->ai', da, x), np.einsum('tna,tnh->ah', da, hp), da.sum((0, 1)))
""",
    ),
    (
        'lstm_backward',
        'the gradient of c at t = 1 lacks dc_next, what step t + 1 hands back through c',
        """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    hp = np.concatenate([h0[None], hs[:-1]])
    cp = np.concatenate([c0[None], cs[:-1]])
    i, f, g, o = np.moveaxis(gates.reshape(T, N, 4, H), 2, 0)
    tc = np.tanh(cs)
    da = np.zeros_like(gates)
    dh = np.zeros_like(h0)
    dc = np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = dh + dhs[t]
        dc = dh * o[t] * (1 - tc[t] ** 2)
        da[t] = np.concatenate([dc * g[t] * i[t] * (1 - i[t]), dc * cp[t] * f[t] * (1 - f[t]), dc * i[t] * (1 - g[t] ** 2), dh * tc[t] * o[t] * (1 - o[t])], 1)
        dh = da[t] @ W_hh
        dc = dc * f[t]
    return (da @ W_ih, dh, dc, np.einsum('tna,tni->ai', da, x), np.einsum('tna,tnh->ah', da, hp), da.sum((0, 1)))
""",
    ),
    (
        'lstm_backward',
        'the gradient of c_{t-1} at t = 1 is off by one: f[t - 1] in place of f[t]',
        """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    hp = np.concatenate([h0[None], hs[:-1]])
    cp = np.concatenate([c0[None], cs[:-1]])
    i, f, g, o = np.moveaxis(gates.reshape(T, N, 4, H), 2, 0)
    tc = np.tanh(cs)
    da = np.zeros_like(gates)
    dh = np.zeros_like(h0)
    dc = np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = dh + dhs[t]
        dc = dc + dh * o[t] * (1 - tc[t] ** 2)
        da[t] = np.concatenate([dc * g[t] * i[t] * (1 - i[t]), dc * cp[t] * f[t] * (1 - f[t]), dc * i[t] * (1 - g[t] ** 2), dh * tc[t] * o[t] * (1 - o[t])], 1)
        dh = da[t] @ W_hh
        dc = dc * f[t - 1]
    return (da @ W_ih, dh, dc, np.einsum('tna,tni->ai', da, x), np.einsum('tna,tnh->ah', da, hp), da.sum((0, 1)))
""",
    ),
    (
        'lstm_backward',
        'the gradient of W_hh has hs[t] in place of h_{t-1}',
        """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    hp = np.concatenate([h0[None], hs[:-1]])
    cp = np.concatenate([c0[None], cs[:-1]])
    i, f, g, o = np.moveaxis(gates.reshape(T, N, 4, H), 2, 0)
    tc = np.tanh(cs)
    da = np.zeros_like(gates)
    dh = np.zeros_like(h0)
    dc = np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = dh + dhs[t]
        dc = dc + dh * o[t] * (1 - tc[t] ** 2)
        da[t] = np.concatenate([dc * g[t] * i[t] * (1 - i[t]), dc * cp[t] * f[t] * (1 - f[t]), dc * i[t] * (1 - g[t] ** 2), dh * tc[t] * o[t] * (1 - o[t])], 1)
        dh = da[t] @ W_hh
        dc = dc * f[t]
    return (da @ W_ih, dh, dc, np.einsum('tna,tni->ai', da, x), np.einsum('tna,tnh->ah', da, hs), da.sum((0, 1)))
""",
    ),
    (
        'clip_by_norm',
        'scale lacks max_norm',
        """
def clip_by_norm(grads, max_norm):
    n = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    return ([g / n for g in grads] if n > max_norm else list(grads), n)
""",
    ),
    (
        'clip_by_norm',
        'scale asks for norm < max_norm, where norm > max_norm is right',
        """
def clip_by_norm(grads, max_norm):
    n = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    s = max(1, max_norm / (n + 1e-06))
    return ([g * s for g in grads], n)
""",
    ),
    (
        'clip_by_norm',
        'right values, but it changes its argument grads in place',
        """
def clip_by_norm(grads, max_norm):
    n = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    for g in grads:
        if n > max_norm:
            g *= max_norm / n
    return (grads, n)
""",
    ),
    (
        'clip_by_norm',
        'norm lacks the square root (and more is wrong after it)',
        """
def clip_by_norm(grads, max_norm):
    n = sum((np.vdot(g, g) for g in grads))
    s = min(1, (max_norm / (n + 1e-12)) ** 0.5)
    return ([g * s for g in grads], n)
""",
    ),
    (
        'clip_by_norm',
        'clipped is scaled array by array, each by its own norm: the norm is that of all arrays together',
        """
def clip_by_norm(grads, max_norm):
    out = []
    tot = 0
    for g in grads:
        n = np.linalg.norm(g)
        tot += n ** 2
        out.append(g * max_norm / n if n > max_norm else g)
    return (out, tot ** 0.5)
""",
    ),
    (
        'clip_by_norm',
        'norm is a mean where the sum is right: vector^2 is averaged',
        """
def clip_by_norm(grads, max_norm):
    v = np.concatenate([g.ravel() for g in grads])
    n = np.sqrt((v ** 2).mean())
    s = min(1, max_norm / (n + 1e-12))
    return ([g * s for g in grads], n)
""",
    ),
    (
        'rnn_tbptt',
        'the gradient is cut one step early, between the first two steps of a chunk: it is to be cut between chunks',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if t % k == 0:
            dh = np.zeros_like(h0)
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'the gradient is not cut at the borders of the chunks: it is that of the whole sequence. Run backward within a chunk only',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'the gradient is cut after every step, as with k = 1',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if True:
            dh = np.zeros_like(h0)
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'the gradient is cut every k steps counted from the end: chunks are counted from the first step',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if (T - 1 - t) % k == 0:
            dh = np.zeros_like(h0)
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'the gradient of W_hh has hs[t] in place of h_{t-1}',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if (t + 1) % k == 0:
            dh = np.zeros_like(h0)
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, hs), da.sum((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'db is divided by N T: it is to be the sum',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if (t + 1) % k == 0:
            dh = np.zeros_like(h0)
        da[t] = (dhs[t] + dh) * (1 - hs[t] ** 2)
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.mean((0, 1)))
""",
    ),
    (
        'rnn_tbptt',
        'the gradient of a lacks 1 - hs[t]^2',
        """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    T = len(x)
    hs = rnn_forward(x, h0, W_ih, W_hh, b)
    prev = np.concatenate([h0[None], hs[:-1]])
    da = np.zeros_like(hs)
    dh = np.zeros_like(h0)
    for t in reversed(range(T)):
        if (t + 1) % k == 0:
            dh = np.zeros_like(h0)
        da[t] = dhs[t] + dh
        dh = da[t] @ W_hh
    return (hs, np.einsum('tnh,tni->hi', da, x), np.einsum('tnh,tnk->hk', da, prev), da.sum((0, 1)))
""",
    ),
]
