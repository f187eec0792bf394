"""An RNN of bare Parameters, trained without an optimizer: the gradient summed over all steps."""

import math

import torch

torch.set_default_dtype(torch.float64)
seq, batch, n_in, n_hidden = 9, 5, 3, 6
xs = torch.randn(seq, batch, n_in)
xs = torch.cos(torch.arange(xs.nelement(), dtype=xs.dtype)).reshape_as(xs)
labels = (xs.sum(dim=(0, 2)) > 0).to(torch.get_default_dtype())


class HandMade(torch.nn.Module):
    def __init__(self):
        super().__init__()
        k = 1 / math.sqrt(n_hidden)
        self.W_x = torch.nn.Parameter(torch.empty(n_hidden, n_in).uniform_(-k, k))
        self.W_h = torch.nn.Parameter(torch.eye(n_hidden) * 0.9)
        self.b = torch.nn.Parameter(torch.zeros(n_hidden))
        self.v = torch.nn.Parameter(torch.ones(n_hidden) / n_hidden)
        self.register_buffer("h0", torch.full((n_hidden,), 0.1))

    def forward(self, xs):
        h = self.h0.expand(xs.shape[1], -1)
        for x in xs:
            h = torch.tanh(x @ self.W_x.T + torch.matmul(h, self.W_h.t()) + self.b)
        return torch.sigmoid(torch.einsum("bh,h->b", h, self.v))


model = HandMade()
with torch.no_grad():
    model.W_x.copy_(torch.linspace(-0.5, 0.5, n_hidden * n_in).view(n_hidden, n_in))
bce = torch.nn.BCELoss()
losses, lr = [], 0.2
for step in range(20):
    loss = bce(model(xs), labels) + 1e-3 * sum(p.square().sum() for p in model.parameters())
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= lr * p.grad
            p.grad.zero_()
    losses.append(loss.item())
(gradient,) = torch.autograd.grad(bce(model(xs), labels), [model.W_h])
losses.append(gradient.norm().item())
assert torch.allclose(gradient, gradient + 1e-12) and torch.isfinite(gradient).all()
torch.set_default_dtype(torch.float32)
