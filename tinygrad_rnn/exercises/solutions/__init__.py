"""What right answers look like: one file an exercise, from which its stub is made too."""
