"""Landmarks found in X-ray images: what a detector is, how far it is off, and where its points lie in space."""
