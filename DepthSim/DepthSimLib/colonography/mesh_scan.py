"""A CT of the inside of a closed surface, as a scanner would see it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import translation
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

from ..colon import ColonScan
from .chain import COLON_CALIBRE_MM, COLON_ELONGATION
from .cleansing import AIR_HU, WALL_HU
from .lumen import MARGIN_MM

PSF_MM = ColonScan().psf_mm
"""Standard deviation of the scanner's Gaussian blur, that of a generated colon's scan."""
EXTENT_MM = (COLON_ELONGATION * COLON_CALIBRE_MM, 1500.0)
"""Of what may be a colon, or a part of one, in millimetres; the upper one is assumed."""
METRES_BELOW = 2.0
"""No colon is as long in metres, and none in centimetres as short."""
LINES = 4
"""Along which the surface is cut, a voxel in each of two directions."""
SLAB = 32


def scan_mesh(mesh: TriangleMesh, spacing_mm: float, name: str = "mesh") -> Volume:
    """The CT, int16 HU, on axes along R, A, S: gas inside a closed surface, soft tissue outside it, and a margin.

    Inside is what a way from infinity reaches through an odd number of triangles, whichever way these are turned. The
    share of gas in a voxel is exact along R, and the mean of 4 × 4 lines across. Then comes the scanner's blur.

    Sim2RealError for a surface that cannot be a colon in millimetres.
    """
    corners = mesh.vertices_ras.astype(np.float64)[mesh.triangles]
    lower, upper = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    _require_millimetres(name, float(np.max(upper - lower)))
    shape_ijk = np.ceil((upper - lower + 2.0 * MARGIN_MM) / spacing_mm).astype(int)
    face = 0.5 * (lower + upper - shape_ijk * spacing_mm)
    corners = _by_height((corners - face) / spacing_mm)
    sigma = PSF_MM / spacing_mm
    reach = int(4.0 * sigma + 0.5)  # where scipy cuts the Gaussian off
    hu = np.empty(shape_ijk[::-1], np.int16)
    for k in range(0, len(hu), SLAB):
        start, stop = max(k - reach, 0), min(k + SLAB + reach, len(hu))
        gas = _inside(corners, start, stop, hu.shape)
        gaussian_filter(gas, sigma, output=gas, mode="nearest")
        hu[k : k + SLAB] = np.rint(WALL_HU + (AIR_HU - WALL_HU) * gas[k - start : k - start + SLAB])
    return Volume(hu, translation(face + 0.5 * spacing_mm) @ np.diag([spacing_mm] * 3 + [1.0]), name)


def _require_millimetres(name: str, extent: float) -> None:
    smallest, largest = EXTENT_MM
    if smallest <= extent <= largest:
        return
    hint = "Export it in millimetres."
    if extent < smallest:
        unit, factor = ("metres", 1000) if extent < METRES_BELOW else ("centimetres", 10)
        hint = f"If it is in {unit}, scale it by {factor}, in Slicer with 'Surface Toolbox'."
    raise Sim2RealError(f"{name} is {extent:.4g} mm long; a part of a colon is {smallest:g} to {largest:g} mm. {hint}")


def _by_height(corners: np.ndarray) -> np.ndarray:
    """The corners (T, 3, 3) of each triangle from the lowest to the highest."""
    return np.take_along_axis(corners, np.argsort(corners[..., 2:], axis=1), axis=1)


def _inside(corners: np.ndarray, start: int, stop: int, shape_kji: tuple[int, ...]) -> np.ndarray:
    """The share of every voxel of planes `start` to `stop` that is inside: (K, J, I) float32.

    corners: as of `_by_height`, (T, 3, 3), in voxels, of which voxel 0 lies between 0 and 1.
    """
    _, rows, columns = shape_kji
    plane_line, row_line, x = _crossings(corners, LINES * start, LINES * stop)
    order = np.lexsort((x, row_line, plane_line))
    row, x = (plane_line // LINES - start)[order] * rows + (row_line // LINES)[order], x[order]
    sign = 1.0 - 2.0 * (np.arange(len(x)) % 2)  # a line has an even number of crossings: in and out, in and out
    voxel = np.floor(x).astype(np.int64)
    share = voxel + 1 - x
    place = row * columns + voxel
    change = np.bincount(place, sign * share, (stop - start) * rows * columns)
    change += np.bincount(place + 1, sign * (1.0 - share), len(change))
    inside = np.cumsum(change.reshape(stop - start, rows, columns), axis=2)
    return (inside / LINES**2).astype(np.float32)


def _crossings(corners: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where lines along x cross the triangles: the number of each line along z and along y, and x, (N,) each.

    Planes of lines, from `first` to before `last`, cut triangles into segments, and the lines of a plane cut these into
    points. A cut at the lower end counts, one at the upper end does not, and an edge is cut by the same arithmetic for
    all its triangles: so a line meets a closed surface an even number of times, be it in edges and corners.
    """
    corners = corners * (1.0, LINES, LINES) - (0.0, 0.5, 0.5)
    low, middle, high = np.ceil(corners[..., 2]).astype(np.int64).T
    triangle, plane = _ranges(np.maximum(low, first), np.minimum(high, last))
    lowest, between, highest = corners[triangle].transpose(1, 0, 2)
    above = (plane >= middle[triangle])[:, None]
    ends = (
        _cut(lowest, highest, 2, plane),
        _cut(np.where(above, between, lowest), np.where(above, highest, between), 2, plane),
    )
    near, far = np.ceil(np.sort([end[:, 1] for end in ends], axis=0)).astype(np.int64)
    segment, line = _ranges(near, far)
    return plane[segment], line, _cut(*(end[segment] for end in ends), 1, line)[:, 0]


def _cut(start: np.ndarray, end: np.ndarray, axis: int, at: np.ndarray) -> np.ndarray:
    """The points on straight ways, (N, 3) each, where their coordinate along an axis has the values `at`, (N,)."""
    share = (at - start[:, axis]) / (end[:, axis] - start[:, axis])
    return start + share[:, None] * (end - start)


def _ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All whole numbers from `first` to before `last`, and before them the place of the range they are of."""
    count = np.maximum(last - first, 0)
    place = np.repeat(np.arange(len(count)), count)
    return place, np.arange(len(place)) + np.repeat(first - np.cumsum(count) + count, count)
