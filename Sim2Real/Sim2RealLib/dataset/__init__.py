"""Datasets on disk: layout, lossless image files, writing that survives any interruption, reading, checking."""
