"""What is in PyTorch's ``utils``? Here, the data sets and loaders of ``utils.data``."""

from . import data

__all__ = ["data"]
