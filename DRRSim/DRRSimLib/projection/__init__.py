"""Rays through packed volumes: areal densities, thickness, masks, radiographs."""
