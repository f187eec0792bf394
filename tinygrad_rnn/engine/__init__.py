"""How does a gradient flow? Nodes, recording and the backward pass; arrays alone, no Tensor is known here."""
