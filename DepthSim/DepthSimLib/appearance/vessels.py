"""A network of vessels on a torus: trees that grow by space colonisation, with radii by Murray's law.

Space colonisation (Runions, Lane and Prusinkiewicz, Eurographics Workshop on Natural Phenomena 2007): points that want
blood each pull the nearest vessel towards them, and are served once it has come close. Murray (PNAS 12, 1926): where a
vessel divides, r₀³ = r₁³ + r₂³.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

LEAST_RADIUS_MM, GREATEST_RADIUS_MM = 0.03, 0.40
"""Of the vessels that are seen in the wall of a colon (assumed)."""

SPACINGS_MM = (11.0, 3.6, 1.7, 0.8)
"""Of the points to be served by trunks, by their branches, and by what lies between those."""

TREE_MM = 40.0
"""Of the trees' roots: each serves a field about that wide."""

SERVED = 0.6
"""Distance, as a share of the spacing, at which a point is served."""

STEP_MM = 0.2
WANDER = 0.55
"""Share of chance in the direction of a step."""

SMOOTHINGS = 6
MOST_STEPS = 600


@dataclass(frozen=True, eq=False)
class Vessels:
    """Pieces of vessel on a torus.

    points_mm: (N, 2), the distal end of each. offsets_mm: (N, 2), from there to its proximal end. radii_mm: (N,).
    """

    points_mm: np.ndarray
    offsets_mm: np.ndarray
    radii_mm: np.ndarray


def grow_vessels(size_mm: float, rng: np.random.Generator) -> Vessels:
    """Trees over a square of side size_mm whose opposite sides are one."""
    points = rng.uniform(0.0, size_mm, (max(2, round((size_mm / TREE_MM) ** 2)), 2))
    parents = np.full(len(points), -1)
    for spacing in SPACINGS_MM:
        wanting = rng.uniform(0.0, size_mm, (round((size_mm / spacing) ** 2), 2))
        points, parents = _colonised(points, parents, wanting, SERVED * spacing, size_mm, rng)
    children = np.flatnonzero(parents >= 0)
    points = _smoothed(points, parents, children, size_mm)
    offsets = _shortest(points[parents[children]] - points[children], size_mm)
    return Vessels(points[children], offsets, _murray_radii(parents)[children])


def _shortest(offsets: np.ndarray, size_mm: float) -> np.ndarray:
    """Offsets on the torus, none longer than half way round."""
    return offsets - size_mm * np.round(offsets / size_mm)


def _colonised(
    points: np.ndarray,
    parents: np.ndarray,
    wanting: np.ndarray,
    served_mm: float,
    size_mm: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Trees grown until every wanting point (M, 2) is served.

    points: (N, 2), nodes of the trees, parents before children; parents: (N,), the number of each one's, −1 for roots.
    """
    nearest = np.full(len(wanting), -1)
    distance = np.full(len(wanting), np.inf)
    fresh = points
    for _ in range(MOST_STEPS):
        closer, number = cKDTree(fresh, boxsize=size_mm).query(wanting)
        better = closer < distance
        nearest[better] = number[better] + len(points) - len(fresh)
        distance = np.minimum(distance, closer)
        keep = distance > served_mm
        wanting, nearest, distance = wanting[keep], nearest[keep], distance[keep]
        if not len(wanting):
            break
        pull = _shortest(wanting - points[nearest], size_mm) / distance[:, None]
        tips, inverse = np.unique(nearest, return_inverse=True)
        heading = np.stack([np.bincount(inverse, part) for part in pull.T], axis=1)
        heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-9)
        heading += WANDER * rng.normal(size=heading.shape)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        fresh = (points[tips] + STEP_MM * heading) % size_mm
        points, parents = np.concatenate([points, fresh]), np.concatenate([parents, tips])
    return points, parents


def _smoothed(points: np.ndarray, parents: np.ndarray, children: np.ndarray, size_mm: float) -> np.ndarray:
    """The nodes moved towards the mean of their neighbours; roots stay."""
    up = parents[children]
    for _ in range(SMOOTHINGS):
        to_parent = _shortest(points[up] - points[children], size_mm)
        pull, count = np.zeros_like(points), np.zeros(len(points))
        pull[children] += to_parent
        count[children] += 1.0
        np.add.at(pull, up, -to_parent)
        np.add.at(count, up, 1.0)
        pull[parents < 0] = 0.0
        points = (points + 0.5 * pull / np.maximum(count, 1.0)[:, None]) % size_mm
    return points


def _murray_radii(parents: np.ndarray) -> np.ndarray:
    cubes = np.zeros(len(parents))
    fed = np.zeros(len(parents), bool)
    for node in range(len(parents) - 1, -1, -1):
        if not fed[node]:
            cubes[node] = LEAST_RADIUS_MM**3
        if parents[node] >= 0:
            cubes[parents[node]] += cubes[node]
            fed[parents[node]] = True
    return np.minimum(np.cbrt(cubes), GREATEST_RADIUS_MM)
