"""How do models come in and go out? Weights and layers of other frameworks, models from and to ONNX."""

from ..engine.signatures import readable
from .conventions import layouts
from .frameworks import (
    from_chainer,
    from_equinox,
    from_flax,
    from_haiku,
    from_mlx,
    from_mxnet,
    from_ncps,
    from_paddle,
    from_tinygrad,
)
from .keras import from_keras, from_tfjs, to_keras
from .layers import repeat_last
from .onnx_export import to_onnx
from .onnx_graph import ExportError
from .onnx_import import OnnxModel, from_onnx
from .onnx_read_ops import ReadError
from .packing import WeightsError
from .pytorch import from_torch, to_torch
from .weights import from_weights, to_weights

__all__ = [
    "ExportError",
    "OnnxModel",
    "ReadError",
    "WeightsError",
    "from_chainer",
    "from_equinox",
    "from_flax",
    "from_haiku",
    "from_keras",
    "from_mlx",
    "from_mxnet",
    "from_ncps",
    "from_onnx",
    "from_paddle",
    "from_tfjs",
    "from_tinygrad",
    "from_torch",
    "from_weights",
    "layouts",
    "repeat_last",
    "to_keras",
    "to_onnx",
    "to_torch",
    "to_weights",
]


def __dir__() -> list[str]:
    """The public names and nothing else, for an editor's list."""
    return __all__


readable(__name__)
