"""Small CT colonographies whose lumen, centreline and contents are known by formula."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume

AIR, LUNG, FAT, WALL, FLUID, BONE = -1000.0, -850.0, -100.0, 40.0, 420.0, 700.0
WALL_MM = 3.0
FAR_MM = 22.0

COLON = np.array(
    [
        [0, -45, -85], [0, -45, -50], [35, -10, -45], [70, 0, -20], [75, -5, 40], [32, 25, 58],
        [0, 30, 35], [-35, 25, 58], [-75, 0, 42], [-70, 0, 0], [-65, 5, -45],
    ],
    dtype=float,
)  # fmt: skip
"""Control points from anus to caecum, RAS mm."""
SMALL_BOWEL = (
    np.array([[-30, 0, -10], [-5, 12, 0], [20, 0, 0], [35, 10, 15]], dtype=float),
    np.array([[-30, -25, 10], [0, -20, 15], [25, -25, 20]], dtype=float),
)

GRIDS = {
    "straight": np.diag([2.2, 2.2, 2.2, 1.0]),
    "left-handed": np.diag([-2.2, 2.2, 2.2, 1.0]),
    "oblique": rotation([0.6, 0.0, 0.8], 20) @ np.diag([-2.0, -2.0, 2.4, 1.0]),
    "coronal": np.array([[2.2, 0, 0, 0], [0, 0, 2.2, 0], [0, 2.2, 0, 0], [0, 0, 0, 1]]),
}


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube along a curve (N, 3), RAS mm, a point each millimetre, of a radius for each; 0 where it is collapsed."""

    points: np.ndarray
    radius: np.ndarray

    @cached_property
    def arc(self) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    def depth(self, points: np.ndarray) -> np.ndarray:
        """About the distance to the tube's wall, positive inside, at least −FAR_MM: (...)."""
        distance, nearest = cKDTree(self.points).query(points, distance_upper_bound=FAR_MM, workers=-1)
        return np.where(distance < FAR_MM, np.append(self.radius, 0.0)[nearest] - distance, -FAR_MM)

    def collapsed(self, start_mm: float, end_mm: float) -> "Tube":
        """Closed between two arc lengths, tapering over 12 mm on either side as a contracted bowel does."""
        outside = np.maximum(start_mm - self.arc, self.arc - end_mm)
        return replace(self, radius=np.minimum(self.radius, 8.0 + 0.6 * np.clip(outside, 0.0, None)) * (outside > 0))


def tube(control: np.ndarray, radius: float, fold: float = 0.0, pitch: float = 26.0) -> Tube:
    """A smooth curve through control points with ring folds of height `fold` every `pitch` mm."""
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(control, axis=0), axis=1))])
    dense = CubicSpline(at, control)(np.arange(0.0, at[-1], 0.1))
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))])
    points = np.stack([np.interp(np.arange(0.0, arc[-1], 1.0), arc, line) for line in dense.T], axis=1)
    plain = Tube(points, np.full(len(points), radius))
    off = (plain.arc + 0.5 * pitch) % pitch - 0.5 * pitch
    return replace(plain, radius=radius - fold * np.exp(-((off / 2.5) ** 2)))


@cache
def colon() -> Tube:
    """The colon of the scenes: 30 mm wide, folds 5 mm high."""
    return tube(COLON, 15.0, fold=5.0)


def grid(axes: np.ndarray, half_size_mm=(112.0, 82.0, 118.0)) -> Volume:
    """An empty volume about the world's origin that covers a box of half sizes R, A, S."""
    along = axes[:3, :3] / np.linalg.norm(axes[:3, :3], axis=0)
    extent = 2.0 * np.abs(along.T) @ np.asarray(half_size_mm)
    size_ijk = np.ceil(extent / np.linalg.norm(axes[:3, :3], axis=0)).astype(int)
    middle = translation(-axes[:3, :3] @ ((size_ijk - 1) / 2.0))
    return Volume(np.zeros(size_ijk[::-1], dtype=np.int16), middle @ axes, "scene")


def positions(volume: Volume) -> np.ndarray:
    """World positions of all voxel centres, (K, J, I, 3)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij")
    return np.stack([i, j, k], axis=-1) @ volume.ras_from_ijk[:3, :3].T + volume.ras_from_ijk[:3, 3]


def scan(
    tubes: list[Tube],
    volume: Volume,
    *,
    small_bowel: bool = True,
    lungs_and_room: bool = True,
    fluid_up_ras=(0.0, 1.0, 0.0),
    fluid_below_mm: float | None = None,
    noise_hu: float = 15.0,
) -> Volume:
    """A CT of gas-filled tubes in fat with a wall of 3 mm, an edge of one voxel and noise.

    fluid_below_mm: gas is tagged fluid where it is not so high along `fluid_up_ras`.
    """
    points, width = positions(volume), float(volume.spacing_mm.mean())

    def share(depth: np.ndarray) -> np.ndarray:
        return np.clip(0.5 + depth / width, 0.0, 1.0)

    hu = np.full(volume.array.shape, FAT)
    depths = [tube.depth(points) for tube in tubes]
    if small_bowel:
        depths += [tube(control, 8.0).depth(points) for control in SMALL_BOWEL]
    depth = np.max(depths, axis=0)
    hu += (WALL - hu) * share(depth + WALL_MM)
    content = np.full(hu.shape, AIR)
    if fluid_below_mm is not None:
        content += (FLUID - AIR) * share(fluid_below_mm - points @ np.asarray(fluid_up_ras))
    hu += (content - hu) * share(depth)
    if lungs_and_room:
        for side in (-1.0, 1.0):
            off = (points - [45.0 * side, 0.0, 130.0]) / [40.0, 55.0, 46.0]
            hu += (LUNG - hu) * share((1.0 - np.linalg.norm(off, axis=-1)) * 40.0)
        off = np.linalg.norm(points[..., :2] / [104.0, 74.0], axis=-1)
        hu += (AIR - hu) * share((off - 1.0) * 74.0)
    hu += np.random.default_rng([3, 1]).normal(0.0, noise_hu, hu.shape)
    return replace(volume, array=np.rint(hu).astype(np.int16))
