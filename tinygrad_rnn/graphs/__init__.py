"""What was recorded? The graph as data, what each use added to a gradient, and memory over time."""

from .credit import credit
from .graph import CellCall, Graph, GraphNode, Use
from .ledger import Ledger
from .memory import memory_curve, spectral_radius
from .replay import BackwardStep

__all__ = [
    "BackwardStep",
    "CellCall",
    "Graph",
    "GraphNode",
    "Ledger",
    "Use",
    "credit",
    "memory_curve",
    "spectral_radius",
]
