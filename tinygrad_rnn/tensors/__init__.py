"""What is a tensor, and what can one call on it? The value, its methods, and functions made of them."""

from .value import (
    Tensor,
    as_tensor,
    from_numpy,
    get_default_dtype,
    set_default_dtype,
    tensor,
)

__all__ = [
    "Tensor",
    "as_tensor",
    "from_numpy",
    "get_default_dtype",
    "set_default_dtype",
    "tensor",
]
