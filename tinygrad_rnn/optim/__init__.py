"""Optimizers: what turns gradients into new values, in PyTorch's names and updates."""

from . import lr_scheduler
from .lbfgs import LBFGS
from .optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

__all__ = ["LBFGS", "SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
