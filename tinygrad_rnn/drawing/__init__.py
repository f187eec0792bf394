"""How does a recorded graph look? What is drawn of it, where it stands, and the file it becomes."""
