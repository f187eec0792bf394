"""What is the calculus? One row an op, its forward and its rule side by side (see row.py)."""

from . import elementwise, indexing, products, reductions, shapes
from .row import ROWS

__all__ = ["ROWS", "elementwise", "indexing", "products", "reductions", "shapes"]
