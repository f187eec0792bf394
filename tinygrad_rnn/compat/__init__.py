"""Which names do only PyTorch's scripts ask for? What nothing else here needs, imported when asked for."""
