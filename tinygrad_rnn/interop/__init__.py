"""In and out: layers to and from PyTorch, models to ONNX."""

from .pytorch import from_torch, to_torch

__all__ = ["from_torch", "to_torch"]
