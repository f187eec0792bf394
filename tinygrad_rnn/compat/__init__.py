"""PyTorch's names that only its scripts ask for: what nothing else here needs, imported when asked for."""
