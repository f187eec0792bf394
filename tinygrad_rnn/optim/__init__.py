"""Optimizers: what turns gradients into new values, in PyTorch's names and updates."""

from .optimizers import SGD, Adam, AdamW, Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
