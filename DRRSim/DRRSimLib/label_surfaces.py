"""Smooth surfaces of labels, for looking at."""

import numpy as np
from scipy import ndimage
from skimage.measure import marching_cubes

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

SMOOTHING_VOXELS = 0.8
"""Standard deviation of the Gaussian that rounds off the voxels' corners."""
FINE_MM = 2.5
"""Cells of the surface are at least so large: it is drawn anew for every picture."""
MARGIN = 3
"""Voxels of nothing around a label, so that its surface closes."""


def label_surface(labels: Volume, label: int) -> TriangleMesh:
    """The surface of one label that occurs in a map, RAS mm, normals outwards."""
    (window,) = ndimage.find_objects((labels.array == label).view(np.uint8))
    mask = np.pad(labels.array[window] == label, MARGIN).astype(np.float32)
    step = max(1, round(FINE_MM / float(labels.spacing_mm.max())))
    smooth = ndimage.gaussian_filter(mask, SMOOTHING_VOXELS)
    vertices_kji, triangles, _, _ = marching_cubes(smooth, 0.5, step_size=step)
    first_kji = np.array([part.start for part in window]) - MARGIN
    vertices = transform_points(labels.ras_from_ijk, (vertices_kji + first_kji)[:, ::-1])
    left_handed = np.linalg.det(labels.ras_from_ijk[:3, :3]) < 0
    order = triangles[:, ::-1] if left_handed else triangles
    return TriangleMesh(vertices.astype(np.float32), np.ascontiguousarray(order, np.int32))
