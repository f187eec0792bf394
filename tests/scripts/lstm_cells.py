"""Stacked LSTMCells in a loop of one's own; parameter groups; a checkpoint of model and optimizer."""

import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR

x = torch.sin(torch.arange(10 * 6 * 2, dtype=torch.float32).reshape(10, 6, 2) * 0.37)
target = x.cumsum(dim=0).mean(dim=2, keepdim=True).tanh()


class Stack(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(a, b) for a, b in zip(sizes[:-1], sizes[1:])])
        self.out = nn.Linear(sizes[-1] + sizes[0], 1)

    def forward(self, x):
        seq_len, batch_size, _ = x.size()
        states = [
            (torch.zeros(batch_size, cell.hidden_size), torch.zeros(batch_size, cell.hidden_size))
            for cell in self.cells
        ]
        outputs = []
        for t in range(seq_len):
            h = x[t]
            for i, cell in enumerate(self.cells):
                states[i] = cell(h, states[i])
                h = states[i][0]
            outputs.append(self.out(torch.cat((h, x[t]), dim=1)))
        return torch.stack(outputs, dim=0)


model = Stack([2, 7, 5])
with torch.no_grad():
    for k, (name, p) in enumerate(model.named_parameters()):
        p.copy_(
            0.35 * torch.cos(torch.arange(p.numel()).to(torch.float32) * 0.9 + k).view(*p.shape)
        )

optimizer = torch.optim.Adam(
    [
        {"params": model.cells.parameters(), "lr": 0.02},
        {"params": model.out.parameters(), "weight_decay": 1e-3},
    ],
    lr=0.01,
    betas=(0.9, 0.99),
)
scheduler = ExponentialLR(optimizer, gamma=0.9)
loss_fn = nn.SmoothL1Loss(beta=0.5)
losses = []


def train(epochs):
    for _ in range(epochs):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_fn(model(x), target)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()
        losses.extend([loss.item(), norm.item(), optimizer.param_groups[0]["lr"]])


train(8)
torch.save(
    {
        "epoch": 8,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr": scheduler.state_dict(),
    },
    "checkpoint.pt",
)
train(2)
checkpoint = torch.load("checkpoint.pt")
model.load_state_dict(checkpoint["model"])
optimizer.load_state_dict(checkpoint["optimizer"])
scheduler.load_state_dict(checkpoint["lr"])
train(2)
assert losses[24:30] == losses[30:36], "a resumed run has the same bits"
