"""PyTorch's ``utils.data``: data sets and the loader."""

from ..training.batches import DataLoader
from ..training.datasets import Dataset, Subset, TensorDataset, random_split

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "random_split"]
