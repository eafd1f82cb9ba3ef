"""Depth that a model predicts from a picture: how it is brought to scale, measured and shown in space."""
