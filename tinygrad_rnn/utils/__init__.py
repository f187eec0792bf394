"""PyTorch's ``utils``: the data sets and loaders of ``utils.data``."""

from . import data

__all__ = ["data"]
