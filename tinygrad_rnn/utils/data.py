"""PyTorch's ``utils.data``: data sets and the loader."""

from ..training.batches import DataLoader
from ..training.datasets import Dataset, IterableDataset, Subset, TensorDataset, random_split

__all__ = ["DataLoader", "Dataset", "IterableDataset", "Subset", "TensorDataset", "random_split"]
