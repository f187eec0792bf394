"""A character model: Embedding, LSTM, cross entropy, state carried over and detached, sampling."""

import torch
import torch.nn.functional as F
from torch import nn, optim

torch.manual_seed(0)
text = "hello recurrent world, one set of weights at every step. " * 6
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text], dtype=torch.long)

batch, bptt = 4, 16
length = data.size(0) // batch
data = data[: length * batch].view(batch, length).t().contiguous()  # (time, batch)


class CharModel(nn.Module):
    def __init__(self, vocab, dim, hidden, layers):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, hidden, layers)
        self.decoder = nn.Linear(hidden, vocab)
        self.layers, self.hidden = layers, hidden

    def forward(self, tokens, state):
        out, state = self.lstm(self.embed(tokens), state)
        return self.decoder(out.view(-1, out.shape[-1])), state

    def init_hidden(self, batch):
        weight = next(self.parameters())
        return (
            weight.new_zeros(self.layers, batch, self.hidden),
            weight.new_zeros(self.layers, batch, self.hidden),
        )


def repackage(h):
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage(v) for v in h)


model = CharModel(len(chars), 8, 16, 2)
for k, p in enumerate(model.parameters()):
    p.data = 0.3 * torch.cos(2.1 * torch.arange(p.numel()) + k).reshape(p.shape)
print(sum(p.numel() for p in model.parameters() if p.requires_grad), "parameters")

criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
losses = []
for epoch in range(3):
    hidden = model.init_hidden(batch)
    for i in range(0, data.size(0) - 1, bptt):
        n = min(bptt, data.size(0) - 1 - i)
        inputs, targets = data[i : i + n], data[i + 1 : i + 1 + n].reshape(-1)
        hidden = repackage(hidden)
        logits, hidden = model(inputs, hidden)
        loss = criterion(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        losses.append(float(loss))

model.eval()
with torch.no_grad():
    hidden = model.init_hidden(1)
    token, out = torch.full((1, 1), stoi["h"], dtype=torch.long), ["h"]
    for _ in range(20):
        logits, hidden = model(token, hidden)
        probabilities = F.softmax(logits[-1], dim=-1)
        token = torch.argmax(probabilities, dim=-1).view(1, 1)
        out.append(chars[token.item()])
    one = torch.multinomial(probabilities, num_samples=1)
    assert 0 <= one.item() < len(chars) and one.shape == (1,)
print("".join(out))
