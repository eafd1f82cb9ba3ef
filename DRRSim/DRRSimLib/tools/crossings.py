"""Where rays of an X-ray view cross a closed surface of triangles.

All rays come from one point, so that crossing a triangle is covering a place in the image. Each triangle is therefore
scan-converted in double precision: on the line v = const through an image position its outline is cut by one edge that
runs down and one that runs up. Where an edge cuts such a line is computed from its two ends in the order of their v,
which is the same for both triangles at that edge. A ray on one side of that cut for one triangle is on the other side
for the other: no ray slips through between two triangles or meets both, also through edges and vertices, and the signs
of its crossings add up to exactly 0. Bounding volumes and single-precision ray tracers give no such promise, and have
to step over a surface to find the next one, which loses surfaces that touch.
"""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.cameras import PIXEL_CENTER_PX, PinholeCamera
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points

from ..acquisition.carm import XrayView
from .tool import Tool

NEAREST_MM = 1.0
"""What comes nearer to the plane of the focal spot than this is refused: it would have no finite image."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """One entry a crossing of a ray with a surface, in no order.

    ray: number of the ray, int64. depth_mm: z in the source frame, float64. sign: ±1, adding up to 0 along a ray.
    """

    ray: np.ndarray
    depth_mm: np.ndarray
    sign: np.ndarray


def pixel_crossings(tool: Tool, view: XrayView) -> Crossings:
    """Crossings of the rays through all pixel centres, numbered row by row."""
    surface, camera = _Surface(tool, view), view.camera
    first, end = (np.clip(np.ceil(v - PIXEL_CENTER_PX), 0, camera.height_px).astype(np.int64) for v in surface.v_range)
    triangle, row = _runs(first, end)
    down, up = surface.cut(triangle, row + PIXEL_CENTER_PX)
    low, high = np.minimum(down, up) - PIXEL_CENTER_PX, np.maximum(down, up) - PIXEL_CENTER_PX
    run, column = _runs(*(np.clip(np.ceil(u), 0, camera.width_px).astype(np.int64) for u in (low, high)))
    position = np.stack([column, row[run]], axis=1) + PIXEL_CENTER_PX
    sign = np.where(down < up, 1, -1)[run]
    return Crossings(row[run] * camera.width_px + column, surface.depth_mm(triangle[run], position), sign)


def position_crossings(tool: Tool, view: XrayView, positions_px: np.ndarray) -> Crossings:
    """Crossings of the rays through image positions (N, 2)."""
    surface = _Surface(tool, view)
    top, bottom = surface.v_range
    found = []
    for ray, (u, v) in enumerate(positions_px):
        triangle = np.flatnonzero((top <= v) & (v < bottom))
        down, up = surface.cut(triangle, np.full(len(triangle), v))
        met = (np.minimum(down, up) <= u) & (u < np.maximum(down, up))
        triangle, sign = triangle[met], np.where(down < up, 1, -1)[met]
        position = np.broadcast_to([u, v], (len(triangle), 2))
        found.append((np.full(len(triangle), ray), surface.depth_mm(triangle, position), sign))
    return Crossings(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


class _Surface:
    """A tool's triangles in the image. v_range: the least and the largest v of each triangle."""

    def __init__(self, tool: Tool, view: XrayView) -> None:
        self._camera: PinholeCamera = view.camera
        points = transform_points(view.camera_from_ras, tool.mesh.vertices_ras)
        if points[:, 2].min() < NEAREST_MM:
            raise Sim2RealError(
                f"{tool.name} reaches to {points[:, 2].min():.0f} mm from the plane of the X-ray source, or behind it. "
                "Move it, or the C-arm."
            )
        x, y, z = points.T
        self._image = np.stack([view.camera.fx_px * (x / z) + view.camera.cx_px, view.camera.fy_px * (y / z)], axis=1)
        self._image[:, 1] += view.camera.cy_px
        triangles = tool.mesh.triangles
        # Corners from least to largest v, and whether that order is a cyclic shift of the triangle's own
        order = np.argsort(self._image[triangles, 1], axis=1, kind="stable")
        self._corners = np.take_along_axis(triangles, order, axis=1)
        self._cyclic = (order[:, 1] - order[:, 0]) % 3 == 1
        v = self._image[self._corners, 1]
        self.v_range, self._v_middle = (v[:, 0], v[:, 2]), v[:, 1]
        a, b, c = (points[triangles[:, corner]] for corner in range(3))
        self._normal = np.cross(b - a, c - a)
        self._offset = np.einsum("ij,ij->i", self._normal, a)
        depths = points[triangles, 2]
        self._nearest_mm, self._farthest_mm = depths.min(axis=1), depths.max(axis=1)

    def cut(self, triangle: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u where the lines at v meet the edge of each triangle that runs to larger v, and the one that runs back."""
        first, middle, last = self._corners[triangle].T
        long = self._edge(first, last, v)
        upper = v < self._v_middle[triangle]
        short = self._edge(np.where(upper, first, middle), np.where(upper, middle, last), v)
        # Corners in the order first, middle, last: the two short edges run to larger v, the long one back.
        cyclic = self._cyclic[triangle]
        return np.where(cyclic, short, long), np.where(cyclic, long, short)

    def _edge(self, start: np.ndarray, end: np.ndarray, v: np.ndarray) -> np.ndarray:
        (u0, v0), (u1, v1) = self._image[start].T, self._image[end].T
        return u0 + (v - v0) * (u1 - u0) / (v1 - v0)

    def depth_mm(self, triangle: np.ndarray, position_px: np.ndarray) -> np.ndarray:
        """Where rays meet the planes of triangles; kept between the corners of one that is seen edge-on."""
        camera, (nx, ny, nz) = self._camera, self._normal[triangle].T
        x, y = (position_px[:, 0] - camera.cx_px) / camera.fx_px, (position_px[:, 1] - camera.cy_px) / camera.fy_px
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = self._offset[triangle] / (nx * x + ny * y + nz)
        nearest, farthest = self._nearest_mm[triangle], self._farthest_mm[triangle]
        return np.clip(np.where(np.isfinite(depth), depth, nearest), nearest, farthest)


def _runs(first: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All whole numbers first[n] ≤ i < end[n], and the n of each."""
    lengths = np.maximum(end - first, 0)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + first[owner]
