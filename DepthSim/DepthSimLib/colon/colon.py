"""A generated colon: one implicit function of its lumen, its midline and what stands on its wall."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..centerline import Centerline
from .anatomy import SEGMENTS
from .curve import CELL_MM, Curve, Station
from .draw import draw_tube
from .feature import REACH_RADII, Feature
from .implicit import smooth_max, smooth_min
from .polyps import Polyp, place_polyps
from .shape import ColonShape
from .valve import place_appendix, place_valve
from .wall import Wall

POLYPS, UNDULATION = 11, 12
"""Random streams."""
CHUNK_POINTS = 8192
"""Points evaluated at a time: their temporaries stay in the cache."""
UNDULATION_MM, UNDULATION_WAVE_MM, WAVES = 0.22, (12.0, 30.0), 5
CENTERLINE_STEP_MM = 1.0


@dataclass(frozen=True, eq=False)
class Colon:
    """A generated colon, RAS mm, supine.

    The wall is the zero set of `lumen_distance`; mesh, CT, labels and everything else derive from it.
    bounds_mm: (7,), arc length along the midline where the six segments begin and the last one ends.
    """

    shape: ColonShape
    curve: Curve
    wall: Wall
    bounds_mm: np.ndarray
    polyps: tuple[Polyp, ...]
    features: tuple[Feature, ...]

    def lumen_distance(self, points_ras: np.ndarray) -> np.ndarray:
        """Signed distance of points (N, 3) to the wall, mm, negative in the lumen: (N,) float32.

        Analytic, with the zero set exact by definition. Elsewhere it is a distance of first order (f/|∇f|, Taubin
        1991, eq. 12, for tube, haustra and folds; smooth blends between them), so that the length of its gradient is
        near 1 close to the wall. It can overestimate the way to a fold that lies behind another one:
        a sphere tracer takes about three quarters of it, and at most 12 mm, as its step.
        """
        return self.evaluate(points_ras)[0]

    def evaluate(self, points_ras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`lumen_distance`, and the arc length of the nearest point of the midline: (N,) float32 each."""
        points = np.asarray(points_ras, dtype=np.float32)
        distance, arc_length = np.empty(len(points), np.float32), np.empty(len(points), np.float32)
        for start in range(0, len(points), CHUNK_POINTS):
            part = slice(start, start + CHUNK_POINTS)
            station = self._station(points[part])
            distance[part] = self._distance(points[part], station)
            arc_length[part] = station.row * np.float32(self.curve.step_mm) + station.along
        return distance, arc_length

    def bare_distance(self, points_ras: np.ndarray) -> np.ndarray:
        """As `lumen_distance`, for the wall without valve, appendix and polyps."""
        points = np.asarray(points_ras, dtype=np.float32)
        parts = [points[start : start + CHUNK_POINTS] for start in range(0, len(points), CHUNK_POINTS)]
        return np.concatenate([self.wall.distance(self._station(part)) for part in parts])

    def _distance(self, points: np.ndarray, station: Station) -> np.ndarray:
        distance = bare = self.wall.distance(station)
        nearby = self._nearby[station.cell]
        present = np.bitwise_or.reduce(nearby) if len(nearby) else 0
        for number, feature in enumerate(self.features):
            if not present >> np.uint64(number) & np.uint64(1):
                continue
            here = np.flatnonzero(nearby >> np.uint64(number) & np.uint64(1))
            if distance is bare:
                distance = bare.copy()
            local, value = feature.foot.local(points[here]), distance[here]
            if feature.tissue:
                value = smooth_max(value, -feature.tissue(local, -bare[here]), feature.fillet_mm[0])
            if feature.cavity:
                value = smooth_min(value, feature.cavity(local, -bare[here]), feature.fillet_mm[1])
            distance[here] = value
        return distance

    def _station(self, points: np.ndarray) -> Station:
        """Where points stand; the space around the midline undulates, so that folds keep their thickness."""
        vectors, phases, shifts = self._undulation
        return self.curve.locate(points + np.sin(points @ vectors + phases) @ shifts)

    @cached_property
    def _undulation(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.shape.seed, UNDULATION])
        directions = rng.normal(size=(WAVES, 3))
        directions *= (2.0 * np.pi / rng.uniform(*UNDULATION_WAVE_MM, WAVES) / np.linalg.norm(directions, axis=1))[
            :, None
        ]
        phases = rng.uniform(0.0, 2.0 * np.pi, WAVES)
        shifts = rng.normal(0.0, UNDULATION_MM * np.sqrt(2.0 / WAVES), (WAVES, 3))
        return tuple(part.astype(np.float32) for part in (directions.T, phases, shifts))

    @cached_property
    def _nearby(self) -> np.ndarray:
        """For each cell of the midline's grid, a bit for every feature that its neighbourhood must look at."""
        centers = self.curve.cell_centers
        bits = np.zeros(len(centers), dtype=np.uint64)
        for number, feature in enumerate(self.features):
            row = round(feature.foot.arc_length_mm / self.curve.step_mm)
            reach = feature.size_mm + REACH_RADII * self.curve.radius_mm[row] + CELL_MM
            near = np.einsum("ij,ij->i", centers - feature.foot.point_ras, centers - feature.foot.point_ras) < reach**2
            bits |= near.astype(np.uint64) << np.uint64(number)
        return bits

    @cached_property
    def centerline(self) -> Centerline:
        """The midline, anus to caecum, with the distance to the wall and the segment of each point."""
        stride = round(CENTERLINE_STEP_MM / self.curve.step_mm)
        points = self.curve.points_ras[::stride]
        at = CENTERLINE_STEP_MM * np.arange(len(points))
        segment = np.clip(np.searchsorted(self.bounds_mm, at, side="right") - 1, 0, 5)
        radius = -self.lumen_distance(points).astype(np.float64)
        return Centerline(points, radius, tuple(SEGMENTS[i] for i in segment))


def generate_colon(shape: ColonShape) -> Colon:
    """The colon that `shape` describes; about a second of work. Sim2RealError if its polyps do not fit."""
    tube = draw_tube(shape)
    bare = Colon(shape, tube.curve, tube.wall, tube.bounds_mm, (), ())
    rng = np.random.default_rng([shape.seed, POLYPS])
    fixed = [
        place_valve(bare.lumen_distance, tube.curve, tube.bounds_mm[5], rng),
        place_appendix(bare.lumen_distance, tube.curve),
    ]
    placed = place_polyps(bare.lumen_distance, tube.curve, tube.bounds_mm, shape.polyps, fixed, rng)
    features = (*fixed, *(feature for _, feature in placed))
    return Colon(shape, tube.curve, tube.wall, tube.bounds_mm, tuple(polyp for polyp, _ in placed), features)
