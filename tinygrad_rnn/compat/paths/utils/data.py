"""What is in PyTorch's ``utils.data``? Data sets, samplers and the loader."""

import sys
from typing import Any

from tinygrad_rnn.engine.signatures import readable
from tinygrad_rnn.training.batches import DataLoader
from tinygrad_rnn.training.datasets import (
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from tinygrad_rnn.training.samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "random_split",
]

dataloader = dataset = sampler = sys.modules[__name__]  # by which paths scripts import them, too
for _file in ("dataloader", "dataset", "sampler"):
    sys.modules[f"{__name__}.{_file}"] = sys.modules[__name__]


def __getattr__(name: str) -> Any:
    """What PyTorch's scripts alone ask for, imported when they do."""
    from tinygrad_rnn.doors import for_scripts

    return for_scripts(__name__, name)


readable(__name__)
