"""Slicer's nodes from and to the library's plain data, in world coordinates: RAS, mm, through parent transforms.

It needs slicer and vtk, no Qt: it runs in Slicer and on slicer-core. What makes a node takes the scene it goes into.
"""
