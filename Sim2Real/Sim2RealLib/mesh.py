"""Triangle meshes in the world."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """A surface of triangles.

    vertices_ras: (V, 3) float32, mm.
    triangles: (T, 3) int32, vertex numbers, counter-clockwise as seen from the side that the normals point to.
    """

    vertices_ras: np.ndarray
    triangles: np.ndarray

    def is_watertight(self) -> bool:
        """Whether the triangles close a volume and agree on its inside: each edge is run through once each way."""
        edges = np.concatenate([self.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).astype(np.int64)
        forward = np.sort(edges[:, 0] * len(self.vertices_ras) + edges[:, 1])
        backward = np.sort(edges[:, 1] * len(self.vertices_ras) + edges[:, 0])
        return bool(len(forward) and np.array_equal(forward, backward) and np.all(np.diff(forward) > 0))
