"""Slicer's nodes for X-rays: the C-arm, its image and what is drawn on it, detections. Needs slicer and vtk, no Qt."""
