"""What was recorded, as data: the graph, and the ledger of what each use added to a gradient."""

from .graph import CellCall, Graph, GraphNode, Use
from .ledger import Ledger

__all__ = ["CellCall", "Graph", "GraphNode", "Ledger", "Use"]
