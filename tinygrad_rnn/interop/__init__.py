"""In and out: layers to and from PyTorch, models to and from ONNX."""

from .onnx_export import to_onnx
from .onnx_graph import ExportError
from .onnx_import import OnnxModel, from_onnx
from .onnx_read_ops import ReadError
from .pytorch import from_torch, to_torch

__all__ = [
    "ExportError",
    "OnnxModel",
    "ReadError",
    "from_onnx",
    "from_torch",
    "to_onnx",
    "to_torch",
]
