"""What is drawn at each level? Layers, cells, ops, any other graph, and a backward pass."""
