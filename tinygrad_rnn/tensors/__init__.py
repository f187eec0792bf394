"""What is a tensor, and what can one call on it? The value, its methods, and functions made of them."""

from . import numpy_names as numpy_names  # sets what numpy calls on a Tensor
from .arrays import as_tensor
from .making import from_numpy, get_default_dtype, set_default_dtype, tensor
from .value import Tensor

__all__ = [
    "Tensor",
    "as_tensor",
    "from_numpy",
    "get_default_dtype",
    "set_default_dtype",
    "tensor",
]
