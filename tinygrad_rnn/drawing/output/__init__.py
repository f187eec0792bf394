"""How does a picture become a file? As DOT text, and drawn by Graphviz."""
