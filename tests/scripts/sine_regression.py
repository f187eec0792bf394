"""An RNN forecasts a sine: the first script of many tutorials."""

import torch
import torch.nn as nn

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

steps, window = 120, 20
t = torch.linspace(0, 12 * torch.pi, steps)
wave = torch.sin(t) + 0.3 * torch.cos(2.5 * t)
x = torch.stack([wave[i : i + window] for i in range(steps - window)]).unsqueeze(-1).to(device)
y = torch.stack([wave[i + window] for i in range(steps - window)]).view(-1, 1).to(device)


class Forecaster(nn.Module):
    def __init__(self, input_size=1, hidden_size=12, output_size=1):
        super().__init__()
        self.hidden_size = hidden_size
        self.rnn = nn.RNN(
            input_size, hidden_size, num_layers=2, nonlinearity="tanh", batch_first=True
        )
        self.fc = nn.Linear(hidden_size, output_size)

    def forward(self, x):
        h0 = torch.zeros(2, x.size(0), self.hidden_size, device=x.device)
        out, hn = self.rnn(x, h0)
        return self.fc(out[:, -1, :])


model = Forecaster().to(device)
with torch.no_grad():
    for k, p in enumerate(model.parameters()):
        p.copy_(
            0.4 * torch.sin(1.3 * torch.arange(p.numel(), dtype=torch.float32) + k).view(p.shape)
        )

criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
losses = []
for epoch in range(25):
    model.train()
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  loss {loss.item():.6f}")

model.eval()
with torch.no_grad():
    error = torch.mean(torch.abs(model(x) - y)).item()
losses.append(error)
print(x.cpu().numpy().shape, y.dtype == torch.float32, type(error).__name__)
