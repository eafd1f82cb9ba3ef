"""Joining the colon across a collapsed stretch where the user says so."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

from .chain import Link, collapse
from .cleansing import AIR_HU, WALL_HU
from .clearance import CLEARANCE_SPACING_MM
from .passages import Piece

BRIDGE_RADIUS_MM = 4.0
"""Of the tube that stands for a collapsed stretch: an endoscope, 12–13 mm wide, opens it little more (assumed)."""
SNAP_MM = 10.0
"""How far from the gas it joins a bridge may end."""
STEP_VOXELS = 1.25


def bridge_links(bridges: Sequence[np.ndarray], pieces: Sequence[Piece], numbers: Volume) -> list[Link]:
    """The user's bridges, (2, 3) each, RAS mm, as links between the nearer ends of the pieces they join.

    numbers: the map of the pieces. Sim2RealError for a bridge that does not end near two pieces.
    """
    links = []
    for points in bridges:
        places = [_piece_at(point, pieces, numbers) for point in points]
        ends = tuple(
            (place, int(np.argmin(np.linalg.norm(pieces[place].ends_ras - point, axis=1))))
            for place, point in zip(places, points, strict=True)
        )
        links.append(Link(ends, points))
    return links


def tube_ras(link: Link, pieces: Sequence[Piece], numbers: Volume) -> np.ndarray:
    """The corners of the tube that bridges a link, (N, 3): from lumen to lumen by the user's points, if there are."""
    if link.bridge_ras is None:
        stretch = collapse(pieces, link)
        return np.array([stretch.from_ras, stretch.to_ras])
    inner = [
        _nearest_of(pieces[place].number, point, numbers)
        for (place, _), point in zip(link.ends, link.bridge_ras, strict=True)
    ]
    return np.array([inner[0], *link.bridge_ras, inner[1]])


def carve(ct: Volume, mask: np.ndarray, corners_ras: np.ndarray) -> None:
    """Make a tube of BRIDGE_RADIUS_MM along `corners_ras`, (N, 3), air in a CT and lumen in its mask, in place."""
    reach = BRIDGE_RADIUS_MM + 2.0 * ct.spacing_mm.max()
    kji = transform_points(ct.ijk_from_ras, corners_ras)[:, ::-1]
    margin = reach / ct.spacing_mm[::-1]
    lower = np.maximum(np.floor(kji.min(axis=0) - margin), 0).astype(int)
    upper = np.minimum(np.ceil(kji.max(axis=0) + margin) + 1, ct.array.shape).astype(int)
    part = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    k, j, i = np.meshgrid(*(np.arange(*bounds) for bounds in zip(lower, upper, strict=True)), indexing="ij")
    points = transform_points(ct.ras_from_ijk, np.stack([i, j, k], axis=-1))
    depth_mm = BRIDGE_RADIUS_MM - _distance_to_polyline(points, corners_ras)
    t = np.clip(0.5 + depth_mm / (STEP_VOXELS * ct.spacing_mm.mean()), 0.0, 1.0)
    hu = WALL_HU + (AIR_HU - WALL_HU) * t * t * (3.0 - 2.0 * t)
    held = ct.array[part]
    held[...] = np.where((t > 0.0) & (hu < held), hu, held)
    mask[part] |= depth_mm > 0.0


def _piece_at(point: np.ndarray, pieces: Sequence[Piece], numbers: Volume) -> int:
    within = _ball(point)
    found = numbers.nearest(within)
    known = {piece.number: place for place, piece in enumerate(pieces)}
    for number in found[found > 0]:
        if number in known:
            return known[number]
    where = ", ".join(f"{x:.1f}" for x in point)
    raise Sim2RealError(
        f"The bridge ends at ({where}) RAS mm, where no bowel gas is within {SNAP_MM:.0f} mm. Bridges run from where "
        "the lumen ends to where it begins again, as the collapsed stretches are listed."
    )


def _nearest_of(number: int, point: np.ndarray, numbers: Volume) -> np.ndarray:
    within = _ball(point)
    return within[np.argmax(numbers.nearest(within) == number)]


def _ball(point: np.ndarray) -> np.ndarray:
    """Points about one, nearest first, as dense as the grid's."""
    line = np.arange(-SNAP_MM, SNAP_MM + CLEARANCE_SPACING_MM, 0.5 * CLEARANCE_SPACING_MM)
    offsets = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(offsets, axis=1)
    order = np.argsort(distance, kind="stable")
    return point + offsets[order][distance[order] <= SNAP_MM]


def _distance_to_polyline(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    nearest = np.full(points.shape[:-1], np.inf)
    for start, end in pairwise(corners):
        along = end - start
        share = np.clip((points - start) @ along / max(along @ along, 1e-12), 0.0, 1.0)
        np.minimum(nearest, np.linalg.norm(points - start - share[..., None] * along, axis=-1), out=nearest)
    return nearest
