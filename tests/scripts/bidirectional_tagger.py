"""A tagger for sentences of several lengths: padded, packed, both directions, masked loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

sentences = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9], [3, 2]]
tags = [[0, 1, 2, 1, 2], [2, 0, 1], [2, 0, 2, 1, 2, 0, 2], [0, 0]]
PAD = -100

tokens = pad_sequence([torch.tensor(s) for s in sentences], batch_first=True, padding_value=0)
targets = pad_sequence([torch.tensor(s) for s in tags], batch_first=True, padding_value=PAD)
lengths = torch.tensor([len(s) for s in sentences])
mask = targets != PAD


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 6, padding_idx=0)
        self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(10)
        self.tag = nn.Linear(10, 3)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        output, (h_n, c_n) = self.lstm(packed)
        output, sizes = pad_packed_sequence(output, batch_first=True)
        assert sizes.tolist() == lengths.tolist()
        ends = torch.cat([h_n[-2], h_n[-1]], dim=1)
        return self.tag(self.norm(output)), ends


model = Tagger()
with torch.no_grad():
    for k, p in enumerate(model.parameters()):
        p.copy_(
            0.5 * torch.sin(1.7 * torch.arange(p.numel(), dtype=torch.float32) - k).view(p.shape)
        )
    model.embedding.weight.copy_(model.embedding.weight * (torch.arange(10) > 0).unsqueeze(1))

optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01, alpha=0.9)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
losses = []
for _ in range(15):
    scores, ends = model(tokens, lengths)
    loss = F.cross_entropy(scores.transpose(1, 2), targets, ignore_index=PAD)
    loss = loss + 0.01 * ends.pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step(loss.item())
    accuracy = (scores.argmax(dim=-1)[mask] == targets[mask]).float().mean()
    losses += [loss.item(), accuracy.item()]
assert not model.embedding.weight[0].any()
print(scores.shape, ends.shape, mask.sum().item())
