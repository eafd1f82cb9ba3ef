"""The lumen of the colon from CT colonography."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, label

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import returned
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

from .bridging import bridge_links, carve, tube_ras
from .chain import Collapse, Link, collapse, join
from .cleansing import SURFACE_HU, cleansed
from .clearance import ClearanceField, clearance_field
from .fluid import PatientPosition, find_fluid
from .grid import bounds_kji, cropped, labels_on, point_pair
from .passages import Piece, find_pieces
from .surface import only_lumen, wall_mesh
from .surroundings import bowel_bounds_kji, gas_blocks, outside_bowel

FLUID_ABOVE_HU = 200.0
"""Tagged fluid is brighter (research: 200–300 HU, assumed); about half-way between the wall and 400 HU."""
MARGIN_MM = 10.0
LISTED_FROM_ML = 1.0
EXACT_TO_MM = 3.0
"""Pieces need the clearance to be exact about PASSAGE_MM only."""
LAYER_VOXELS = 3
"""How far the gas of a piece reaches beyond its part of the clearance grid, along its wall."""

_COLON, _OTHER = 1, 2


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Bowel gas that was not taken for colon: where it is, RAS mm, (3,), how much, and how wide."""

    point_ras: np.ndarray
    volume_ml: float
    calibre_mm: float


@dataclass(frozen=True, eq=False)
class ColonLumen:
    """The colon's lumen, on the CT's own grid cropped to it with a margin of 10 mm.

    ct: the CT with tagged fluid and bridged stretches made air, HU, for rendering and for the mesh.
    mask: uint8, 1 in the lumen.
    mesh: its watertight surface at half height between gas and wall, normals into the lumen.
    clearance: the distance to the wall of that lumen.
    segments: connected pieces from rectum to caecum, `ends_ras` in this order; bridged ones still listed apart.
    collapses: stretches without a passage that are still open; none where the colon is whole.
    bridged: those that were bridged on request.
    left_out: bowel gas of 1 ml and more that is not colon by its width, length and place.
    """

    ct: Volume
    mask: Volume
    mesh: TriangleMesh
    clearance: ClearanceField
    segments: tuple[Piece, ...]
    collapses: tuple[Collapse, ...]
    bridged: tuple[Collapse, ...]
    left_out: tuple[LeftOut, ...]


def segment_lumen(ct: Volume, **search: Any) -> ColonLumen:
    """The gas- and fluid-filled colon of a CT in HU, any rigid grid; `search` and errors as for `lumen_steps`."""
    return returned(lumen_steps(ct, **search))


def lumen_steps(
    ct: Volume,
    *,
    position: PatientPosition = PatientPosition.SUPINE,
    fluid_above_hu: float | None = FLUID_ABOVE_HU,
    bridges: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
    bridge_up_to_mm: float = 0.0,
    exclude_ras: Sequence[Sequence[float]] = (),
) -> Generator[str, None, ColonLumen]:
    """Find the lumen of a CT in HU, with or without lungs and room air in the image; yields what it is about to do.

    position: how the patient lay; tagged fluid is looked for below the gas, above `fluid_above_hu` (None: nowhere).
    bridges: pairs of points, RAS mm, (2, 3) each, that join the lumen over a collapsed stretch by a tube.
    bridge_up_to_mm: every collapsed stretch up to this length is bridged straight; 0 bridges none.
    exclude_ras: points in gas that is not to be taken for colon, RAS mm.

    Sim2RealError: no gas in the body, no colon among it, fluid that hangs above gas, a bridge or point where no gas is.
    """
    bridges = [point_pair(bridge, "A bridge") for bridge in bridges]
    yield "gas"
    blocks = gas_blocks(ct)
    bounds = bowel_bounds_kji(blocks, ct, MARGIN_MM, fluid_above_hu)
    if bounds is None:
        raise Sim2RealError(
            f"{ct.name}: there is no gas inside the body. Is it a CT colonography, in Hounsfield units?"
        )
    part = cropped(ct, *bounds)
    if fluid_above_hu is not None:
        yield "tagged fluid"
        fluid = find_fluid(part, _bowel_gas(part, blocks), position, fluid_above_hu)
        part = part if fluid is None else cleansed(part, fluid)
    yield "distances to the wall"
    gas = only_lumen(part, part.array < SURFACE_HU)
    clearance = clearance_field(gas, wall_mesh(gas), exact_to_mm=EXACT_TO_MM)
    del gas
    yield "pieces of bowel"
    numbers, pieces = find_pieces(clearance, blocks, part)
    del clearance
    pieces = _without(pieces, numbers, exclude_ras)
    entries, links = join(pieces, bridge_links(bridges, pieces, numbers))
    chosen = {place for place, _ in entries}
    left_out = [p for place, p in enumerate(pieces) if place not in chosen and p.volume_ml >= LISTED_FROM_ML]
    part, mask = _lumen_of([pieces[i].number for i in chosen], [p.number for p in left_out], part, numbers, blocks)
    open_links, closed = [], []
    for link in links:
        close = link.bridge_ras is not None or collapse(pieces, link).gap_mm <= bridge_up_to_mm
        (closed if close else open_links).append(link)
    for link in closed:
        carve(part, mask, tube_ras(link, pieces, numbers))
    yield "the colon's wall"
    lumen = only_lumen(part, mask)
    mesh = wall_mesh(lumen)
    yield "distances to the colon's wall"
    return ColonLumen(
        part,
        Volume(mask.view(np.uint8), part.ras_from_ijk, f"{ct.name}, colon"),
        mesh,
        clearance_field(lumen, mesh),
        tuple(_entered_by(pieces[place], end) for place, end in entries),
        _collapses(pieces, open_links),
        _collapses(pieces, closed),
        tuple(LeftOut(piece.deepest_ras, piece.volume_ml, piece.calibre_mm) for piece in left_out),
    )


def _bowel_gas(part: Volume, blocks: Volume) -> np.ndarray:
    return (part.array < SURFACE_HU) & ~outside_bowel(blocks, part)


def _without(pieces: list[Piece], numbers: Volume, exclude_ras: Sequence[Sequence[float]]) -> list[Piece]:
    if not len(exclude_ras):
        return pieces
    points = np.asarray(exclude_ras, dtype=np.float64).reshape(-1, 3)
    excluded = numbers.nearest(points)
    known = {piece.number for piece in pieces}
    for point, number in zip(points, excluded, strict=True):
        if number not in known:
            raise Sim2RealError(
                f"The point to exclude, ({', '.join(f'{x:.1f}' for x in point)}) RAS mm, is not in bowel gas."
            )
    return [piece for piece in pieces if piece.number not in excluded]


def _lumen_of(colon: list[int], others: list[int], part: Volume, numbers: Volume, blocks: Volume) -> tuple:
    """The CT cropped to the pieces of the colon, and the mask of the gas that belongs to them rather than to others.

    The faces of the grid are wall.
    """
    role_of = np.zeros(int(numbers.array.max()) + 1, dtype=np.uint8)
    role_of[colon], role_of[others] = _COLON, _OTHER
    roles = Volume(labels_on(Volume(role_of[numbers.array], numbers.ras_from_ijk), part), part.ras_from_ijk)
    margin = np.ceil(MARGIN_MM / part.spacing_mm[::-1]).astype(int)
    lower, upper = bounds_kji(roles.array == _COLON)
    part, roles = (cropped(volume, lower - margin, upper + margin) for volume in (part, roles))
    gas = part.array < SURFACE_HU
    other = gas & ((roles.array == _OTHER) | outside_bowel(blocks, part))
    other = binary_dilation(other, np.ones((3, 3, 3)), iterations=LAYER_VOXELS, mask=gas)
    connected, count = label(gas & ~other)
    belongs = np.zeros(count + 1, dtype=bool)
    belongs[connected[gas & ~other & (roles.array == _COLON)]] = True
    mask = np.zeros_like(gas)
    mask[1:-1, 1:-1, 1:-1] = belongs[connected[1:-1, 1:-1, 1:-1]]
    return part, mask


def _entered_by(piece: Piece, end: int) -> Piece:
    return piece if end == 0 else replace(piece, ends_ras=piece.ends_ras[::-1])


def _collapses(pieces: list[Piece], links: list[Link]) -> tuple[Collapse, ...]:
    return tuple(collapse(pieces, link) for link in links)
