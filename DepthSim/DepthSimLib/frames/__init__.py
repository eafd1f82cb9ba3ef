"""What a frame carries: exact geometry, how it moves, and its labels."""
