"""What is in a page? The pictures of a graph at every level, its numbers, and a viewer for both."""
