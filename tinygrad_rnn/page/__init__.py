"""What is in a page? A graph's pictures at every level, its numbers, models that run, and a viewer."""
