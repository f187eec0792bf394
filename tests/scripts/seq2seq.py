"""Numbers reversed by an encoder and a decoder with attention, teacher forcing, NLLLoss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim

SOS, VOCAB, HIDDEN = 0, 9, 12
source = (torch.arange(5 * 8).view(5, 8) * 7) % (VOCAB - 1) + 1  # (time, batch)
target = torch.flip(source, [0])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN)

    def forward(self, tokens):
        return self.gru(self.embedding(tokens))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN)
        self.combine = nn.Linear(2 * HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, VOCAB)

    def forward(self, token, hidden, memory):
        embedded = F.relu(self.embedding(token)).unsqueeze(0)
        output, hidden = self.gru(embedded, hidden)
        query = output.permute(1, 0, 2)  # (batch, 1, H)
        keys = memory.permute(1, 2, 0)  # (batch, H, time)
        weights = F.softmax(torch.bmm(query, keys) / HIDDEN**0.5, dim=-1)
        context = torch.bmm(weights, memory.transpose(0, 1)).squeeze(1)
        joined = torch.tanh(self.combine(torch.cat([output.squeeze(0), context], 1)))
        return F.log_softmax(self.out(joined), dim=1), hidden, weights


encoder, decoder = Encoder(), Decoder()
parameters = list(encoder.parameters()) + list(decoder.parameters())
with torch.no_grad():
    for k, p in enumerate(parameters):
        p.copy_(
            torch.sin(torch.arange(p.numel(), dtype=torch.float32) * 1.1 + 2 * k).view(p.shape)
            * 0.4
        )

optimizers = [
    optim.SGD(m.parameters(), lr=0.3, nesterov=True, momentum=0.9) for m in (encoder, decoder)
]
criterion = nn.NLLLoss(reduction="sum")
losses = []
for epoch in range(12):
    for optimizer in optimizers:
        optimizer.zero_grad()
    memory, hidden = encoder(source)
    token = torch.zeros_like(target[0]) + SOS
    loss = torch.zeros(1)
    forced = epoch % 2 == 0
    for t in range(target.size(0)):
        scores, hidden, weights = decoder(token, hidden, memory)
        loss += criterion(scores, target[t]) / target.numel()
        best = scores.topk(1, dim=1).indices.squeeze(1).detach()
        token = target[t] if forced else best
    loss.backward()
    torch.nn.utils.clip_grad_value_(parameters, 0.5)
    for optimizer in optimizers:
        optimizer.step()
    losses.append(loss.item())
    losses.append(weights.sum().item())
