"""In and out: layers to and from PyTorch, models to ONNX."""

from .onnx_export import to_onnx
from .onnx_graph import ExportError
from .pytorch import from_torch, to_torch

__all__ = ["ExportError", "from_torch", "to_onnx", "to_torch"]
