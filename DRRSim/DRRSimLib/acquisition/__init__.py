"""C-arms, their poses, and the views that a dataset takes."""
