"""Cells of the field and of users' notebooks, as a table in the notation of users_cells.py.

A name, the states' shapes and the Parameters' in B (batch), I (input), H (features); then the lines of a
step, from x and s0, s1 ... to y and n0, n1 ... Every one is a published cell or a common home-made one; H is
a multiple of 8.
"""

TEXT = """
lstm_peephole [B,H; B,H] U: I,4*H; W: H,4*H; b: 4*H; p: 3,H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    i, f = (i + self.p[0] * s1).sigmoid(), (f + self.p[1] * s1).sigmoid()
    n1 = f * s1 + i * g.tanh()
    n0 = (o + self.p[2] * n1).sigmoid() * n1.tanh()
    y = n0
lstm_coupled [B,H; B,H] U: I,3*H; W: H,3*H; b: 3*H
    f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(3, -1)
    f = f.sigmoid()
    n1 = f * s1 + (1 - f) * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_layer_norm [B,H; B,H] U: I,4*H; W: H,4*H; g: 4*H; b: 4*H
    z = x @ self.U + s0 @ self.W
    z = (z - z.mean(-1, keepdim=True)) / (z.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    i, f, g, o = (z * self.g + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_peephole_norm [B,H; B,H] U: I,3*H; W: H,3*H; g: 3*H; b: 3*H; p: H; q: H
    z = x @ self.U + s0 @ self.W
    z = z - z.mean(-1, keepdim=True)
    z = z / ((z ** 2).mean(-1, keepdim=True) + 1e-5) ** 0.5 * self.g + self.b
    f, g, o = z.chunk(3, -1)
    f = (f + self.p * s1).sigmoid()
    n1 = f * s1 + (1 - f) * g.tanh()
    n0 = (o + self.q * n1).sigmoid() * n1.tanh()
    y = n0
lstm_projected [B,H//2; B,H] U: I,4*H; W: H//2,4*H; b: 4*H; P: H,H//2
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = (o.sigmoid() * n1.tanh()) @ self.P
    y = n0
lstm_multiplicative [B,H; B,H] M: I,H; N: H,H; U: I,4*H; W: H,4*H; b: 4*H
    m = (x @ self.M) * (s0 @ self.N)
    i, f, g, o = (x @ self.U + m @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_mogrifier [B,H; B,H] Q: H,I; R: I,H; U: I,4*H; W: H,4*H; b: 4*H
    u, h = 2 * (s0 @ self.Q).sigmoid() * x, s0
    h = 2 * (u @ self.R).sigmoid() * h
    u = 2 * (h @ self.Q).sigmoid() * u
    h = 2 * (u @ self.R).sigmoid() * h
    i, f, g, o = (u @ self.U + h @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_ordered_neurons [B,H; B,H] U: I,6*H; W: H,6*H; b: 6*H
    i, f, g, o, a, e = (x @ self.U + s0 @ self.W + self.b).chunk(6, -1)
    fm = tg.softmax(a, -1).cumsum(-1)
    im = 1 - tg.softmax(e, -1).cumsum(-1)
    w = fm * im
    n1 = (f.sigmoid() * w + fm - w) * s1 + (i.sigmoid() * w + im - w) * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_phased [B,H; B,H; B,1] U: I,4*H; W: H,4*H; b: 4*H; tau: H; shift: H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    c = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    n2 = s2 + 1
    p = (n2 - self.shift) / (4 + self.tau.abs())
    p = p - p.floor().detach()
    k = tg.where(p < 0.1, 20 * p, tg.where(p < 0.2, 2 - 20 * p, 0.01 * p)).clip(0, 1)
    n0, n1 = k * h + (1 - k) * s0, k * c + (1 - k) * s1
    y = n0
lstm_weight_norm [B,H; B,H] U: I,4*H; W: H,4*H; g: 4*H; b: 4*H
    V = self.W / self.W.norm(dim=0, keepdim=True) * self.g
    i, f, g, o = (x @ self.U + s0 @ V + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_batch_norm [B,H; B,H] U: I,4*H; W: H,4*H; g: 4*H; b: 4*H
    z = s0 @ self.W + x @ self.U
    z = (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-3).sqrt()
    i, f, g, o = (z * self.g + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_hard_gates [B,H; B,H] U: I,4*H; W: H,4*H; b: 4*H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    i, f, o = ((0.2 * k + 0.5).clip(0, 1) for k in (i, f, o))
    n1 = f * s1 + i * g.clamp(-1, 1)
    n0 = o * n1.clamp(-1, 1)
    y = n0
lstm_soft_gates [B,H; B,H] U: I,4*H; W: H,4*H; b: 4*H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + F.softplus(i) * 0.1 * F.elu(g)
    n0 = F.gelu(o) * 0.5 * n1.tanh()
    y = n0
lstm_attending [B,H; B,H; B,4,H] U: I,4*H; W: H,4*H; b: 4*H; Q: H,H
    a = tg.softmax((s2 * (s0 @ self.Q).unsqueeze(1)).sum(-1), -1)
    h = s0 + (a.unsqueeze(-1) * s2).sum(1)
    i, f, g, o = (x @ self.U + h @ self.W + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    n2 = tg.cat([n0.unsqueeze(1), s2[:, :-1]], 1)
    y = n0
lstm_convolved [B,H; B,H] k: 4,3; U: I,4*H; b: 4*H
    p = F.pad(s0, (1, 1))
    l, m, r = p[:, :-2], p[:, 1:-1], p[:, 2:]
    z = tg.cat([l * self.k[j, 0] + m * self.k[j, 1] + r * self.k[j, 2] for j in range(4)], -1)
    i, f, g, o = (x @ self.U + z + self.b).chunk(4, -1)
    n1 = f.sigmoid() * s1 + i.sigmoid() * g.tanh()
    n0 = o.sigmoid() * n1.tanh()
    y = n0
lstm_zoneout [B,H; B,H] U: I,4*H; W: H,4*H; b: 4*H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    n1 = 0.5 * s1 + 0.5 * (f.sigmoid() * s1 + i.sigmoid() * g.tanh())
    n0 = 0.1 * s0 + 0.9 * o.sigmoid() * n1.tanh()
    y = n0
janet [B,H] U: I,2*H; W: H,2*H; b: 2*H
    f, g = (x @ self.U + s0 @ self.W + self.b).chunk(2, -1)
    n0 = f.sigmoid() * s0 + (1 - (f - 1).sigmoid()) * g.tanh()
    y = n0
nas [B,H; B,H] U: I,8*H; W: H,8*H
    u = (x @ self.U).chunk(8, -1)
    w = (s0 @ self.W).chunk(8, -1)
    a = (u[0] + w[0]).sigmoid() * F.relu(u[1] + w[1])
    c = (u[2] * w[2]).sigmoid() * (u[3] + w[3]).tanh()
    d = (u[4] + w[4]).tanh() * (u[5] + w[5]).sigmoid()
    e = (u[6] * w[6]).tanh() * F.relu(u[7] + w[7])
    n1 = (a.tanh() + s1).tanh() * c.sigmoid() + d * e
    n0 = n1.tanh()
    y = n0
slstm [B,H; B,H; B,H; B,H] U: I,4*H; W: H,4*H; b: 4*H
    i, f, g, o = (x @ self.U + s0 @ self.W + self.b).chunk(4, -1)
    lf = -F.softplus(-f)
    n3 = tg.maximum(lf + s3, i)
    fp, ip = (lf + s3 - n3).exp(), (i - n3).exp()
    n1 = fp * s1 + ip * g.tanh()
    n2 = fp * s2 + ip
    n0 = o.sigmoid() * n1 / (n2 + 1e-3)
    y = n0
mlstm [B,H,H; B,H] U: I,3*H; W: I,3; b: 3
    q, k, v = (x @ self.U).chunk(3, -1)
    i, f, o = (x @ self.W + self.b).sigmoid().chunk(3, -1)
    k = k * H ** -0.5
    n0 = f.unsqueeze(-1) * s0 + i.unsqueeze(-1) * v.unsqueeze(-1) * k.unsqueeze(-2)
    n1 = f * s1 + i * k
    y = o * (n0 @ q.unsqueeze(-1)).squeeze(-1) / (n1 * q).sum(-1, keepdim=True).abs().clamp(min=1)
gru [B,H] U: I,3*H; W: H,3*H; b: 3*H; c: H
    u, w = x @ self.U + self.b, s0 @ self.W
    r, z = (u[:, :H] + w[:, :H]).sigmoid(), (u[:, H:2 * H] + w[:, H:2 * H]).sigmoid()
    n = (u[:, 2 * H:] + r * (w[:, 2 * H:] + self.c)).tanh()
    n0 = (1 - z) * n + z * s0
    y = n0
mgu [B,H] U: I,H; W: H,H; b: H; V: I,H; R: H,H
    f = (x @ self.U + s0 @ self.W + self.b).sigmoid()
    n0 = (1 - f) * s0 + f * (x @ self.V + (f * s0) @ self.R).tanh()
    y = n0
gru_light [B,H] U: I,2*H; W: H,2*H; b: 2*H
    z, a = (F.layer_norm(x @ self.U, (2 * H,)) + s0 @ self.W + self.b).chunk(2, -1)
    z = z.sigmoid()
    n0 = z * s0 + (1 - z) * F.relu(a) * 0.5
    y = n0
gru_decay [B,H; B,I; B,I] U: I,3*H; W: H,3*H; M: I,3*H; b: 3*H; d: I; D: I,H
    m = (x.abs() > 0.3).float()
    n2 = 1 + (1 - m) * s2
    fade = (-F.relu(n2 * self.d)).exp()
    n1 = m * x + (1 - m) * s1
    u = m * x + (1 - m) * (fade * n1)
    h = (-F.relu(n2 @ self.D)).exp() * s0
    r, z, n = (u @ self.U + m @ self.M + self.b).chunk(3, -1)
    a, c, e = (h @ self.W).chunk(3, -1)
    z = (z + c).sigmoid()
    n0 = (1 - z) * h + z * (n + (r + a).sigmoid() * e).tanh()
    y = n0
gru_blocks [B,H] U: I,3*H; A: 4,H//4,3*H//4; b: 3*H
    w = tg.einsum('bnd,nde->bne', s0.reshape(B, 4, H // 4), self.A)
    r, z, n = (x @ self.U + self.b).reshape(B, 4, 3 * H // 4).chunk(3, -1)
    a, c, e = w.chunk(3, -1)
    z = (z + c).sigmoid()
    n = (n + (r + a).sigmoid() * e).tanh()
    n0 = ((1 - z) * n + z * s0.reshape(B, 4, H // 4)).reshape(B, H)
    y = n0
ugrnn [B,H] U: I,2*H; W: H,2*H; b: 2*H
    g, c = (x @ self.U + s0 @ self.W + self.b).chunk(2, -1)
    g = (g + 1).sigmoid()
    n0 = g * s0 + (1 - g) * c.tanh()
    y = n0
sru [B,H] U: I,3*H; b: 2*H; v: 2,H
    u, f, r = (x @ self.U).chunk(3, -1)
    f = (f + self.v[0] * s0 + self.b[:H]).sigmoid()
    r = (r + self.v[1] * s0 + self.b[H:]).sigmoid()
    n0 = f * s0 + (1 - f) * u
    y = r * n0.tanh() + (1 - r) * u
qrnn [B,H; B,I] U: I,3*H; V: I,3*H; b: 3*H
    z, f, o = (x @ self.U + s1 @ self.V + self.b).chunk(3, -1)
    f = f.sigmoid()
    n0 = f * s0 + (1 - f) * z.tanh()
    n1 = x
    y = o.sigmoid() * n0
indrnn [B,H] U: I,H; u: H; b: H
    n0 = F.relu(x @ self.U + self.u * s0 + self.b)
    y = n0
irnn [B,H] U: I,H; W: H,H; b: H
    n0 = F.relu(x @ self.U + 0.9 * s0 + 0.02 * (s0 @ self.W) + self.b)
    y = n0
minimal_rnn [B,H] P: I,H; U: H,H; V: H,H; b: H
    z = (x @ self.P).tanh()
    u = (s0 @ self.U + z @ self.V + self.b).sigmoid()
    n0 = u * s0 + (1 - u) * z
    y = n0
fastgrnn [B,H] U: I,H; W: H,H; bz: H; bh: H; zeta: 1; nu: 1
    p = x @ self.U + s0 @ self.W
    z = (p + self.bz).sigmoid()
    n0 = (self.zeta.sigmoid() * (1 - z) + self.nu.sigmoid()) * (p + self.bh).tanh() + z * s0
    y = n0
antisymmetric [B,H] U: I,H; W: H,H; b: H
    A = self.W - self.W.T - 0.1 * tg.eye(H)
    n0 = s0 + 0.1 * (x @ self.U + s0 @ A.T + self.b).tanh()
    y = n0
lipschitz [B,H] U: I,H; M: H,H; N: H,H; b: H
    A = 0.3 * (self.M + self.M.T) + 0.7 * (self.M - self.M.T) - 0.1 * tg.eye(H)
    V = 0.3 * (self.N + self.N.T) + 0.7 * (self.N - self.N.T) - 0.1 * tg.eye(H)
    n0 = s0 + 0.03 * (s0 @ A + (s0 @ V + x @ self.U + self.b).tanh())
    y = n0
cornn [B,H; B,H] U: I,H; W: H,H; V: H,H; b: H
    n1 = s1 + 0.04 * ((s0 @ self.W + s1 @ self.V + x @ self.U + self.b).tanh() - 2.7 * s0 - 4.7 * s1)
    n0 = s0 + 0.04 * n1
    y = n0
legendre_memory [B,H; B,8] ex: I,1; eh: H,1; em: 8,1; A: 8,8; b: 8; U: I,H; W: H,H; M: 8,H
    u = x @ self.ex + s0 @ self.eh + s1 @ self.em
    n1 = 0.5 * s1 + 0.3 * (s1 @ self.A) + u * self.b
    n0 = (x @ self.U + s0 @ self.W + n1 @ self.M).tanh()
    y = n0
liquid_time_constant [B,H] U: I,H; W: H,H; b: H; A: H; tau: H
    f = (x @ self.U + s0 @ self.W + self.b).sigmoid()
    h = (s0 + 0.2 * f * self.A) / (1 + 0.2 * (F.softplus(self.tau) + f))
    f = (x @ self.U + h @ self.W + self.b).sigmoid()
    h = (h + 0.2 * f * self.A) / (1 + 0.2 * (F.softplus(self.tau) + f))
    f = (x @ self.U + h @ self.W + self.b).sigmoid()
    n0 = (h + 0.2 * f * self.A) / (1 + 0.2 * (F.softplus(self.tau) + f))
    y = n0
ode_rk4 [B,H] U: I,H; W: H,H; b: H
    u, h, d = x @ self.U + self.b, s0, 0.1
    f = lambda h: (u + h @ self.W).tanh() - h
    k = f(h); l = f(h + d / 2 * k); m = f(h + d / 2 * l); n = f(h + d * m)
    h = h + d / 6 * (k + 2 * l + 2 * m + n)
    k = f(h); l = f(h + d / 2 * k); m = f(h + d / 2 * l); n = f(h + d * m)
    h = h + d / 6 * (k + 2 * l + 2 * m + n)
    n0 = h
    y = n0
closed_form_continuous [B,H] P: I+H,H; p: H; U: H,4*H; b: 4*H
    z = 1.7159 * (0.666 * (tg.cat([x, s0], -1) @ self.P + self.p)).tanh()
    f, g, a, c = (z @ self.U + self.b).chunk(4, -1)
    t = (a * 1.0 + c).sigmoid()
    n0 = f.tanh() * (1 - t) + t * g.tanh()
    y = n0
clockwork [B,H; B,1] U: I,H; W: H,H; b: H
    k = tg.tensor(np.repeat(np.array([1, 2, 4, 8], dtype=np.float32), H // 4))
    n0 = tg.where(s1 % k == 0, (x @ self.U + s0 @ self.W + self.b).tanh(), s0)
    n1 = s1 + 1
    y = n0
skip_rnn [B,H; B,1] U: I,2*H; W: H,2*H; b: 2*H; v: H,1; c: 1
    g, a = (x @ self.U + s0 @ self.W + self.b).chunk(2, -1)
    g = g.sigmoid()
    u = (s1 > 0.5).float() + s1 - s1.detach()
    n0 = u * (g * s0 + (1 - g) * a.tanh()) + (1 - u) * s0
    d = (n0 @ self.v + self.c).sigmoid()
    n1 = u * d + (1 - u) * (s1 + tg.minimum(d, 1 - s1))
    y = n0
highway [B,H] U: I,2*H; W: 3,H,2*H; b: 3,2*H
    h, u = s0, x @ self.U
    a, t = (u + h @ self.W[0] + self.b[0]).chunk(2, -1); t = t.sigmoid(); h = a.tanh() * t + h * (1 - t)
    a, t = (h @ self.W[1] + self.b[1]).chunk(2, -1); t = t.sigmoid(); h = a.tanh() * t + h * (1 - t)
    a, t = (h @ self.W[2] + self.b[2]).chunk(2, -1); t = t.sigmoid(); h = a.tanh() * t + h * (1 - t)
    n0 = h
    y = n0
echo_state [B,H] U: I,H; W: H,H; b: H; R: H,I
    n0 = 0.7 * s0 + 0.3 * (x @ self.U.detach() + s0 @ self.W.detach()).tanh()
    y = tg.cat([n0 * self.b, n0 @ self.R], -1)
leaky_rates [B,H] U: I,H; W: H,H; b: H; a: H
    a = self.a.sigmoid()
    n0 = (1 - a) * s0 + a * (x @ self.U + s0 @ self.W + self.b).tanh()
    y = n0
bistable [B,H] U: I,3*H; w: 2,H; b: 3*H
    a, c, u = (x @ self.U + self.b).chunk(3, -1)
    a, c = 1 + (a + self.w[0] * s0).tanh(), (c + self.w[1] * s0).sigmoid()
    n0 = c * s0 + (1 - c) * (u + a * s0).tanh()
    y = n0
additive [B,H; B,H] U: I,H; V: I,2*H; W: H,2*H; b: 2*H
    i, f = (x @ self.V + s0 @ self.W + self.b).sigmoid().chunk(2, -1)
    n1 = i * (x @ self.U) + f * s1
    n0 = n1.tanh()
    y = n0
glu [B,H] U: I,2*H; W: H,2*H; b: 2*H
    a, g = (x @ self.U + s0 @ self.W + self.b).chunk(2, -1)
    n0 = 0.5 * s0 + 0.5 * a * g.sigmoid()
    y = n0
mixture_of_experts [B,H] G: I,4; U: I,H; E: 4,H,H; b: H
    a = tg.softmax(x @ self.G, -1)
    e = tg.einsum('bh,ehk->bek', s0, self.E)
    n0 = ((a.unsqueeze(-1) * e).sum(1) + x @ self.U + self.b).tanh()
    y = n0
hypernetwork [B,H; B,8] U: I,H; W: H,H; b: H; UU: I,8; HH: H,8; WW: 8,8; D: 8,H; E: 8,H; C: 8,H
    n1 = (x @ self.UU + s0 @ self.HH + s1 @ self.WW).tanh()
    n0 = ((1 + n1 @ self.D) * (s0 @ self.W) + (1 + n1 @ self.E) * (x @ self.U) + n1 @ self.C + self.b).tanh()
    y = n0
unitary_modrelu [B,H; B,H] a: H; U: I,H; V: I,H; b: H
    c, s = self.a.cos(), self.a.sin()
    re, im = c * s0 - s * s1 + x @ self.U, s * s0 + c * s1 + x @ self.V
    m = (re ** 2 + im ** 2 + 1e-5) ** 0.5
    g = F.relu(m + self.b) / m * 0.9
    n0, n1 = re * g, im * g
    y = tg.cat([n0, n1], -1)
linear_recurrent_unit [B,H; B,H] nu: H; th: H; U: I,H; V: I,H; C: H,H; D: H,H
    r = (-self.nu.exp()).exp()
    a, c = r * self.th.cos(), r * self.th.sin()
    g = (1 - r ** 2) ** 0.5
    n0 = a * s0 - c * s1 + g * (x @ self.U)
    n1 = c * s0 + a * s1 + g * (x @ self.V)
    y = F.gelu(n0 @ self.C - n1 @ self.D)
selective_state [B,H,4] U: I,H; A: H,4; P: I,H; p: H; S: I,4; C: I,4; D: H
    u = F.silu(x @ self.U)
    d = F.softplus(x @ self.P + self.p).unsqueeze(-1)
    n0 = (-d * self.A.exp()).exp() * s0 + d * (x @ self.S).unsqueeze(1) * u.unsqueeze(-1)
    y = (n0 * (x @ self.C).unsqueeze(1)).sum(-1) + self.D * u
rwkv [B,H; B,H; B,H] U: I,3*H; w: H; u: H
    r, k, v = (x @ self.U).chunk(3, -1)
    q = tg.maximum(s2, self.u + k)
    e, f = (s2 - q).exp(), (self.u + k - q).exp()
    y = r.sigmoid() * (e * s0 + f * v) / (e * s1 + f + 1e-3)
    d = s2 - self.w.exp()
    n2 = tg.maximum(d, k)
    e, f = (d - n2).exp(), (k - n2).exp()
    n0, n1 = e * s0 + f * v, e * s1 + f
gated_linear_attention [B,4,H//4,H//4] U: I,3*H; G: I,H; o: H
    q, k, v = ((x @ self.U).reshape(B, 3, 4, H // 4)[:, j] for j in range(3))
    a = (x @ self.G).sigmoid().reshape(B, 4, H // 4) ** 0.25
    n0 = a.unsqueeze(-1) * s0 + k.unsqueeze(-1) * v.unsqueeze(-2)
    y = (q.unsqueeze(-2) @ n0).squeeze(-2).reshape(B, H) * self.o
delta_heads [B,4,H//4,H//4] K: I,H; V: I,H; Q: I,H; r: I,4
    k, v, q = ((x @ m).reshape(B, 4, H // 4) for m in (self.K, self.V, self.Q))
    k, q = k / (k.norm(dim=-1, keepdim=True) + 1e-3), q / (q.norm(dim=-1, keepdim=True) + 1e-3)
    beta = (x @ self.r).sigmoid().unsqueeze(-1)
    old = tg.einsum('bnij,bni->bnj', s0, k)
    n0 = s0 + tg.einsum('bni,bnj->bnij', k, beta * (v - old))
    y = tg.einsum('bnij,bni->bnj', n0, q).reshape(B, H)
fast_weights [B,H; B,H,H] U: I,H; W: H,H; b: H
    z = x @ self.U + s0 @ self.W + self.b
    n1 = 0.9 * s1 + 0.1 * s0.unsqueeze(-1) * s0.unsqueeze(-2)
    n0 = (z + (n1 @ z.tanh().unsqueeze(-1)).squeeze(-1)).tanh()
    y = n0
memory_slots [B,H; B,8,H] U: I,H; W: H,H; R: H,H; K: H,H; E: H,H; A: H,H; b: H
    k = s0 @ self.K
    c = (s1 * k.unsqueeze(1)).sum(-1) / ((s1 * s1).sum(-1) + 1e-2) ** 0.5
    w = tg.softmax(c, -1).unsqueeze(-1)
    r = (w * s1).sum(1)
    n0 = (x @ self.U + s0 @ self.W + r @ self.R + self.b).tanh()
    n1 = s1 * (1 - w * (n0 @ self.E).sigmoid().unsqueeze(1)) + w * (n0 @ self.A).tanh().unsqueeze(1)
    y = n0
self_attending_slots [B,4,H] U: I,H; Q: H,H; K: H,H; V: H,H; W: H,H
    m = tg.cat([s0, (x @ self.U).unsqueeze(1)], 1)
    a = tg.softmax((s0 @ self.Q) @ (m @ self.K).transpose(1, 2) / H ** 0.5, -1)
    n0 = (s0 + F.layer_norm(a @ (m @ self.V), (H,)) @ self.W).tanh()
    y = n0.mean(1)
hopfield [B,H] U: I,H; M: 16,H; W: H,H
    q = x @ self.U + s0 @ self.W
    a = tg.softmax(2 * q @ self.M.T, -1)
    n0 = 0.5 * s0 + 0.5 * (a @ self.M).tanh()
    y = n0
shuffled [B,H] U: I,H; W: H//2,H//2; V: H//2,H//2; b: H
    l, r = s0[:, :H // 2] @ self.W, s0[:, H // 2:] @ self.V
    h = tg.stack([l, r], -1).reshape(B, H).roll(1, -1).flip(-1)
    n0 = (h + x @ self.U + self.b).tanh()
    y = n0
kalman [B,H; B,H] U: I,H; q: H; r: H; a: H
    m, p = self.a.tanh() * s0, self.a.tanh() ** 2 * s1 + self.q.abs()
    k = p / (p + F.softplus(self.r))
    n0 = m + k * (x @ self.U - m)
    n1 = (1 - k) * p
    y = n0
"""
