"""Sequences classified by a GRU: Dataset, DataLoader, validation, a schedule, saved and loaded weights."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

torch.manual_seed(1)
rng = np.random.default_rng(0)
series = rng.normal(size=(96, 15, 3)).astype(np.float32)
labels = (series[:, :, 0].sum(1) > 0).astype(np.int64) + (series[:, -1, 1] > 0.5)


class Series(Dataset):
    def __init__(self, series, labels):
        self.series = torch.from_numpy(series)
        self.labels = torch.from_numpy(labels)

    def __len__(self):
        return len(self.series)

    def __getitem__(self, i):
        return self.series[i], self.labels[i]


train = Series(series[:64], labels[:64])
test = TensorDataset(torch.tensor(series[64:]), torch.tensor(labels[64:]))
train_loader = DataLoader(train, batch_size=16, shuffle=False, num_workers=0)
test_loader = DataLoader(test, batch_size=10, shuffle=False, drop_last=False)
print(len(train_loader), len(test_loader), len(random_split(train, [40, 24])[1]))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(input_size=3, hidden_size=10, num_layers=1, batch_first=True)
        self.head = nn.Sequential(
            nn.LayerNorm(10), nn.Linear(10, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 3)
        )

    def forward(self, x):
        _, h = self.gru(x)
        return self.head(h.squeeze(0))


def start(module):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.bias, 0.1)
        with torch.no_grad():
            module.weight.copy_(
                torch.sin(torch.arange(module.weight.numel()).float()).view_as(module.weight)
            )


model = Classifier()
model.apply(start)
for name, p in model.gru.named_parameters():
    values = 0.4 * torch.sin(0.7 * torch.arange(p.numel(), dtype=torch.float) + len(name))
    p.data.copy_(values.view(p.size()))

criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.01)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
losses, best = [], float("inf")
for epoch in range(5):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()

    model.eval()
    correct, total, val = 0, 0, 0.0
    with torch.no_grad():
        for x, y in test_loader:
            logits = model(x)
            val += criterion(logits, y).item() * y.size(0)
            _, predicted = torch.max(logits.data, 1)
            correct += (predicted == y).sum().item()
            total += y.size(0)
    losses += [val / total, correct / total, scheduler.get_last_lr()[0]]
    if val < best:
        best = val
        torch.save(model.state_dict(), "best.pt")

again = Classifier()
again.load_state_dict(torch.load("best.pt", map_location="cpu", weights_only=True))
again.eval()
with torch.no_grad():
    losses.append(criterion(again(test[:][0]), test[:][1]).item())
print(f"{100 * correct / total:.1f}% of {total}")
