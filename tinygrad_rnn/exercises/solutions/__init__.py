"""Which right answers are there? One file an exercise, from which its stub is made too."""
