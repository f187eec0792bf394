"""How a recorded graph looks: the visual language, positions, DOT text, and files."""
