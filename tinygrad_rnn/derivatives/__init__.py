"""What stands on derivatives? Transforms of functions, checks of gradients, recomputing, the first NaN."""
