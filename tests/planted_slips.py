"""Students' programs, each with one mistake, and what the marker is to say of it."""

PROGRAMS = {
    "rnn_step": """
def rnn_step(x, h_prev, W_ih, W_hh, b):
    z = np.dot(h_prev, W_hh.T)
    z = z + np.dot(x, W_ih.T) + b
    return np.tanh(z)
""",
    "rnn_forward": """
def rnn_forward(x, h0, W_ih, W_hh, b):
    out = []
    state = h0
    for x_t in x:
        state = np.tanh(x_t @ W_ih.T + state @ W_hh.T + b)
        out.append(state)
    return np.array(out)
""",
    "rnn_step_backward": """
def rnn_step_backward(dh, x, h_prev, h, W_ih, W_hh):
    dz = (1 - h ** 2) * dh
    dx = np.dot(dz, W_ih)
    dh_prev = np.dot(dz, W_hh)
    dW_ih = np.dot(dz.T, x)
    dW_hh = np.dot(dz.T, h_prev)
    db = np.sum(dz, axis=0)
    return dx, dh_prev, dW_ih, dW_hh, db
""",
    "rnn_backward": """
def rnn_backward(dhs, x, h0, hs, W_ih, W_hh):
    dx = np.zeros_like(x)
    dW_ih = np.zeros_like(W_ih)
    dW_hh = np.zeros_like(W_hh)
    db = np.zeros(W_hh.shape[0])
    carry = np.zeros_like(h0)
    before = np.concatenate([h0[None], hs[:-1]])
    for t in range(len(x) - 1, -1, -1):
        dz = (dhs[t] + carry) * (1 - hs[t] ** 2)
        dx[t] = dz @ W_ih
        carry = dz @ W_hh
        dW_ih += dz.T @ x[t]
        dW_hh += dz.T @ before[t]
        db += dz.sum(0)
    return dx, carry, dW_ih, dW_hh, db
""",
    "lstm_step": """
def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b):
    H = h_prev.shape[1]
    z = x @ W_ih.T + h_prev @ W_hh.T + b
    s = lambda v: 1 / (1 + np.exp(-v))
    i = s(z[:, 0:H])
    f = s(z[:, H:2*H])
    g = np.tanh(z[:, 2*H:3*H])
    o = s(z[:, 3*H:4*H])
    c = i * g + f * c_prev
    h = np.tanh(c) * o
    return h, c
""",
    "lstm_forward": """
def lstm_forward(x, h0, c0, W_ih, W_hh, b):
    hs, cs = [], []
    h, c = h0, c0
    for t in range(x.shape[0]):
        h, c = lstm_step(x[t], h, c, W_ih, W_hh, b)
        hs.append(h)
        cs.append(c)
    return np.stack(hs), np.stack(cs)
""",
    "lstm_step_backward": """
def lstm_step_backward(dh, dc, i, f, g, o, c_prev, c):
    t = np.tanh(c)
    do = dh * t
    total = dc + dh * o * (1 - t ** 2)
    df = total * c_prev
    di = total * g
    dg = total * i
    dc_prev = total * f
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g ** 2), do * o * (1 - o)])
    return da, dc_prev
""",
    "lstm_backward": """
def lstm_backward(dhs, x, h0, c0, hs, cs, gates, W_ih, W_hh):
    T, N, H = dhs.shape
    dx = np.zeros_like(x)
    dW_ih, dW_hh, db = np.zeros_like(W_ih), np.zeros_like(W_hh), np.zeros(4 * H)
    dh, dc = np.zeros_like(h0), np.zeros_like(c0)
    for t in range(T - 1, -1, -1):
        h_before = h0 if t == 0 else hs[t - 1]
        c_before = c0 if t == 0 else cs[t - 1]
        i, f, g, o = np.split(gates[t], 4, axis=1)
        dh = dh + dhs[t]
        da, dc = lstm_step_backward(dh, dc, i, f, g, o, c_before, cs[t])
        dx[t] = da @ W_ih
        dW_ih += da.T @ x[t]
        dW_hh += da.T @ h_before
        db += da.sum(0)
        dh = da @ W_hh
    return dx, dh, dc, dW_ih, dW_hh, db
""",
    "clip_by_norm": """
def clip_by_norm(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g ** 2) for g in grads))
    if norm > max_norm:
        return [g * (max_norm / norm) for g in grads], norm
    return [g.copy() for g in grads], norm
""",
    "rnn_tbptt": """
def rnn_tbptt(dhs, x, h0, W_ih, W_hh, b, k):
    state = h0
    pieces = []
    dW_ih, dW_hh, db = 0, 0, 0
    for s in range(0, len(x), k):
        hs = rnn_forward(x[s:s + k], state, W_ih, W_hh, b)
        grads = rnn_backward(dhs[s:s + k], x[s:s + k], state, hs, W_ih, W_hh)
        dW_ih = dW_ih + grads[2]
        dW_hh = dW_hh + grads[3]
        db = db + grads[4]
        state = hs[-1]
        pieces.append(hs)
    return np.concatenate(pieces), dW_ih, dW_hh, db
""",
}

# What is planted: the function, the line's right text, the mistake, and what the marker is to say.
PLANTED = [
    ("rnn_step", "W_hh.T", "W_hh", r"at t = 0 uses W_hh without the transpose"),
    ("rnn_step", " + b", "", r"at t = 0 lacks b"),
    ("rnn_step", "np.tanh(z)", "1 / (1 + np.exp(-z))", r"h at t = 0 has sigmoid in place of tanh"),
    ("rnn_step", "return np.tanh(z)", "return z", r"h at t = 0 lacks tanh"),
    ("rnn_step", "z = z + np.dot", "z = np.dot", r"lacks h_\{t-1\} @ W_hh"),
    ("rnn_step", " + b", " - b", r"subtracts b, which is to be added"),
    ("rnn_step", "W_ih.T", "W_ih", r"uses W_ih without the transpose"),
    (
        "rnn_forward",
        "state @ W_hh.T",
        "h0 @ W_hh.T",
        r"at t = 1 .*(h0 in place of h|never updated)",
    ),
    ("rnn_forward", "state = h0", "state = np.zeros_like(h0)", r"at t = 0 .*zeros in place of h0"),
    (
        "rnn_forward",
        "for x_t in x:",
        "for x_t in x[::-1]:",
        r"takes x from the last step to the first",
    ),
    (
        "rnn_forward",
        "for x_t in x:",
        "for x_t in np.roll(x, 1, axis=0):",
        r"x\[t - 1\] in place of x\[t\]",
    ),
    (
        "rnn_forward",
        "        state = np.tanh(x_t @ W_ih.T + state @ W_hh.T + b)\n        out.append(state)",
        "        out.append(state)\n        state = np.tanh(x_t @ W_ih.T + state @ W_hh.T + b)",
        r"h at t = 0 is set too late",
    ),
    ("rnn_step_backward", "(1 - h ** 2) * dh", "dh", r"gradient of a at t = 2 lacks 1 - h\^2"),
    ("rnn_step_backward", "1 - h ** 2", "1 - h", r"gradient of a at t = 2 has h in place of h\^2"),
    ("rnn_step_backward", "1 - h ** 2", "1 - np.tanh(h) ** 2", r"takes tanh\(h\) in 1 - h\^2"),
    ("rnn_step_backward", "1 - h ** 2", "h * (1 - h)", r"has sigmoid's derivative"),
    (
        "rnn_step_backward",
        "np.dot(dz, W_hh)",
        "np.dot(dz, W_hh.T)",
        r"gradient of h_\{t-1\} at t = 2 uses W_hh transposed",
    ),
    (
        "rnn_step_backward",
        "np.sum(dz, axis=0)",
        "np.mean(dz, axis=0)",
        r"gradient of b at t = 2 is a mean where the sum",
    ),
    (
        "rnn_step_backward",
        "np.sum(dz, axis=0)",
        "np.sum(dz, axis=1)",
        r"gradient of b at t = 2 sums over axis 1",
    ),
    (
        "rnn_step_backward",
        "np.sum(dz, axis=0)",
        "dz.sum(0, keepdims=True)",
        r"keepdims|shape \(1, ",
    ),
    (
        "rnn_step_backward",
        "np.dot(dz.T, h_prev)",
        "np.dot(dz.T, h)",
        r"gradient of W_hh at t = 2 has h in place of h_\{t-1\}",
    ),
    (
        "rnn_step_backward",
        "np.dot(dz.T, x)",
        "np.dot(x.T, dz)",
        r"gradient of W_ih at t = 2 (is transposed|has its factors)",
    ),
    (
        "rnn_step_backward",
        "np.dot(dz.T, h_prev)",
        "np.dot(h_prev.T, dz)",
        r"gradient of W_hh at t = 2 (is transposed|has its factors)",
    ),
    (
        "rnn_step_backward",
        "dx, dh_prev, dW_ih",
        "dh_prev, dx, dW_ih",
        r"dx and dh_prev swapped|dh_prev is returned where dx",
    ),
    (
        "rnn_step_backward",
        "np.dot(dz.T, x)",
        "np.dot(dz.T, x) / len(x)",
        r"gradient of W_ih|dW_ih is divided by the size of the batch",
    ),
    ("rnn_backward", "(dhs[t] + carry)", "dhs[t]", r"gradient of h at t = 1 lacks dh_next"),
    ("rnn_backward", "(dhs[t] + carry)", "carry", r"gradient of h at t = 2 lacks dhs\[t\]"),
    ("rnn_backward", "dW_hh += dz", "dW_hh = dz", r"gradient of W_hh keeps one step's part alone"),
    (
        "rnn_backward",
        "before[t]",
        "hs[t]",
        r"h_prev|h_\{t-1\}.*hs\[t\] in place of hs\[t - 1\]|hs\[t\] in place of h_\{t-1\}",
    ),
    ("rnn_backward", "before[t]", "hs[t - 1]", r"at t = 0"),
    ("rnn_backward", "[h0[None], hs[:-1]]", "[0 * h0[None], hs[:-1]]", r"is zero at t = 0"),
    (
        "rnn_backward",
        "range(len(x) - 1, -1, -1)",
        "range(len(x))",
        r"goes from the first step to the last",
    ),
    (
        "rnn_backward",
        "range(len(x) - 1, -1, -1)",
        "range(len(x) - 1, 0, -1)",
        r"leaves out the first step",
    ),
    (
        "rnn_backward",
        "carry = dz @ W_hh",
        "carry = dz @ W_hh.T",
        r"W_hh transposed|dh_next|h_\{t-1\}",
    ),
    ("lstm_step", "z[:, 0:H]", "z[:, H:2*H]", r"i at t = 0 .*a_f in place of a_i"),
    (
        "lstm_step",
        "c = i * g + f * c_prev",
        "c = f * g + i * c_prev",
        r"\bi and f\b|f and i\b|a_i and a_f swapped",
    ),
    ("lstm_step", "g = np.tanh(", "g = s(", r"g at t = 0 has sigmoid in place of tanh"),
    ("lstm_step", "o = s(", "o = np.tanh(", r"o at t = 0 has tanh in place of sigmoid"),
    ("lstm_step", "np.tanh(c) * o", "c * o", r"h at t = 0 lacks tanh"),
    ("lstm_step", " + f * c_prev", "", r"c at t = 0 lacks f \* c_\{t-1\}"),
    ("lstm_step", "f * c_prev", "c_prev", r"c at t = 0 lacks f\b"),
    ("lstm_step", "i * g +", "g +", r"c at t = 0 lacks i\b"),
    ("lstm_step", "s(z[:, H:2*H])", "s(z[:, H:2*H] + 1)", r"f at t = 0 has a_f \+ 1|f has 1 added"),
    ("lstm_step", "h_prev @ W_hh.T + b", "h_prev @ W_hh.T", r"at t = 0 lacks b\b"),
    ("lstm_step", "np.tanh(c) * o", "np.tanh(c_prev) * o", r"c_\{t-1\} in place of c"),
    (
        "lstm_step",
        "g = np.tanh(z[:, 2*H:3*H])\n    o = s(z[:, 3*H:4*H])",
        "o = s(z[:, 2*H:3*H])\n    g = np.tanh(z[:, 3*H:4*H])",
        r"split into gates at t = 0 has a_g and a_o swapped",
    ),
    (
        "lstm_step",
        "s = lambda v: 1 / (1 + np.exp(-v))",
        "s = lambda v: np.exp(v) / (1 + np.exp(v))",
        r"nan where its sum is large",
    ),
    ("lstm_step", "return h, c", "return c, h", r"h and c swapped|c is returned where h"),
    (
        "lstm_forward",
        "h, c = lstm_step(x[t], h, c,",
        "h, _ = lstm_step(x[t], h, c,",
        r"at t = 1 .*c0 in place of c|c.*never updated",
    ),
    (
        "lstm_forward",
        "lstm_step(x[t], h, c,",
        "lstm_step(x[t], h, c0,",
        r"at t = 1 .*c0 in place of c",
    ),
    ("lstm_forward", "h, c = h0, c0", "h, c = c0, h0", r"c0 .*in place of h0|h0.*c0"),
    (
        "lstm_step_backward",
        "df = total * c_prev",
        "df = total",
        r"gradient of f at t = 2 lacks c_\{t-1\}",
    ),
    (
        "lstm_step_backward",
        "df = total * c_prev",
        "df = total * c",
        r"gradient of f at t = 2 has c in place of c_\{t-1\}",
    ),
    (
        "lstm_step_backward",
        "total = dc + dh",
        "total = dh",
        r"gradient of c at t = 1 lacks dc, what step t \+ 1",
    ),
    (
        "lstm_step_backward",
        "total = dc + dh * o * (1 - t ** 2)",
        "total = dc",
        r"gradient of c at t = 2 lacks dh \* o",
    ),
    (
        "lstm_step_backward",
        "dh * o * (1 - t ** 2)",
        "dh * o",
        r"gradient of c at t = 2 lacks 1 - tanh\(c\)\^2",
    ),
    (
        "lstm_step_backward",
        "dh * o * (1 - t ** 2)",
        "dh * o * (1 - c ** 2)",
        r"gradient of c at t = 2 .*\bc\b.* in place of tanh\(c\)",
    ),
    (
        "lstm_step_backward",
        "di = total * g",
        "di = total * i",
        r"gradient of i at t = 2 has i in place of g",
    ),
    (
        "lstm_step_backward",
        "dg * (1 - g ** 2)",
        "dg * g * (1 - g)",
        r"gradient of g at t = 2 has sigmoid's derivative",
    ),
    (
        "lstm_step_backward",
        "do * o * (1 - o)",
        "do",
        r"gradient of o at t = 2 lacks .*o \* \(1 - o\)",
    ),
    (
        "lstm_step_backward",
        "do = dh * t",
        "do = dh * c",
        r"gradient of o at t = 2 .*c in place of tanh\(c\)",
    ),
    (
        "lstm_step_backward",
        "dc_prev = total * f",
        "dc_prev = total",
        r"gradient of c_\{t-1\} at t = 2 lacks f",
    ),
    (
        "lstm_step_backward",
        "dc_prev = total * f",
        "dc_prev = dc * f",
        r"gradient of c_\{t-1\} at t = 2 ",
    ),
    (
        "lstm_step_backward",
        "dg * (1 - g ** 2), do * o * (1 - o)",
        "do * o * (1 - o), dg * (1 - g ** 2)",
        r"da_g and da_o swapped|gates in the order i, f, o, g",
    ),
    ("lstm_backward", "dh = dh + dhs[t]", "dh = dhs[t]", r"gradient of h at t = 1 lacks dh_next"),
    (
        "lstm_backward",
        "da, dc = lstm",
        "da, _ = lstm",
        r"dc_next at t = 1 is never updated, what step t \+ 1 hands back through c",
    ),
    ("lstm_backward", "da.T @ h_before", "da.T @ hs[t]", r"gradient of W_hh.*hs\[t\]|h_\{t-1\}"),
    (
        "lstm_backward",
        "db += da.sum(0)",
        "db += da.mean(0)",
        r"gradient of b is a mean where the sum",
    ),
    ("lstm_backward", "dW_ih += da", "dW_ih = da", r"gradient of W_ih keeps one step's part alone"),
    (
        "clip_by_norm",
        "    if norm > max_norm:\n        return [g * (max_norm / norm) for g in grads], norm\n"
        "    return [g.copy() for g in grads], norm",
        "    return [np.clip(g, -max_norm, max_norm) for g in grads], norm",
        r"clipped by value",
    ),
    ("clip_by_norm", "if norm > max_norm:", "if True:", r"(without|alone|zero|nan)"),
    (
        "clip_by_norm",
        "np.sqrt(sum(np.sum(g ** 2) for g in grads))",
        "sum(np.sum(g ** 2) for g in grads)",
        r"lacks the square root",
    ),
    ("clip_by_norm", "np.sum(g ** 2)", "np.sum(abs(g))", r"sums absolute values"),
    ("clip_by_norm", "np.sum(g ** 2)", "np.mean(g ** 2)", r"is a mean where the sum is right"),
    (
        "clip_by_norm",
        "[g * (max_norm / norm) for g in grads], norm",
        "[g * min(1, max_norm / np.sqrt((g ** 2).sum())) for g in grads], norm",
        r"scaled array by array",
    ),
    ("clip_by_norm", "max_norm / norm", "norm / max_norm", r"upside down|norm / max_norm"),
    (
        "rnn_tbptt",
        "        grads = rnn_backward(dhs[s:s + k], x[s:s + k], state, hs, W_ih, W_hh)",
        "        whole = rnn_forward(x, h0, W_ih, W_hh, b)\n"
        "        grads = [v / -(-len(x) // k) for v in rnn_backward(dhs, x, h0, whole, W_ih, W_hh)]",
        r"gradient is not cut at the borders",
    ),
    ("rnn_tbptt", "state = hs[-1]", "state = np.zeros_like(h0)", r"state starts again from zeros"),
    ("rnn_tbptt", "state = hs[-1]", "pass", r"starts again from h0|h.*never updated"),
    ("rnn_tbptt", "state = hs[-1]", "state = hs[0]", r"h at t = 3 .*start"),
    ("rnn_tbptt", "dW_hh = dW_hh + grads[3]", "dW_hh = grads[3]", r"gradient of W_hh keeps one"),
    ("rnn_tbptt", "range(0, len(x), k)", "range(0, len(x) - k + 1, k)", r"ends after 6 of 7 steps"),
]
