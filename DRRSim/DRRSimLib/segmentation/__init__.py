"""Materials of a CT by a trained network."""
