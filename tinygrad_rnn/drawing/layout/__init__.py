"""Where do things stand? Columns and rows, wires between them, weights below, the rest around them."""
