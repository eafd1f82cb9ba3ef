"""The centreline of the colon: a minimal path on the distance map, smoothed and brought back to the middle."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import find_objects, label
from skimage.graph import MCP_Geometric

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

from ..centerline import Centerline
from .grid import point_pair
from .lumen import ColonLumen
from .midline import centred
from .passages import PASSAGE_MM

CLEARANCE_POWER = 4
"""The path minimises the integral of clearance to the power −4: so high that a long way through wide lumen is cheaper
than a short one through a leak in touching walls."""
SNAP_MM = 10.0


def trace_centerline(lumen: ColonLumen, ends_ras: Sequence[Sequence[float]] | None = None) -> Centerline:
    """The curve through the middle of the lumen, a point each millimetre, with the distance to the wall as radius.

    ends_ras: (2, 3), where it begins and ends, RAS mm, at most 10 mm outside the lumen; without it from the rectal end
    of the first segment to the far end of the last. `centred` tells how the path becomes a curve.

    Sim2RealError where the colon is collapsed between the ends, and for ends that are not in the lumen.
    """
    if ends_ras is None:
        if lumen.collapses:
            raise Sim2RealError(_collapsed(lumen))
        ends_ras = [lumen.segments[0].ends_ras[0], lumen.segments[-1].ends_ras[1]]
    ends = point_pair(ends_ras, "The ends of a centreline")
    grid = lumen.clearance.distance
    start, goal = (_passable_near(grid, end) for end in ends)
    numbers, _ = label(grid.array >= PASSAGE_MM, np.ones((3, 3, 3)))
    number = numbers[tuple(start)]
    if numbers[tuple(goal)] != number:
        raise Sim2RealError(
            _collapsed(lumen) if lumen.collapses else "The two ends lie in separate parts of the lumen."
        )
    part = find_objects(numbers, number)[number - 1]
    corner = np.array([axis.start for axis in part])
    clearance = grid.array[part].astype(np.float64)
    cost = np.where(numbers[part] == number, np.maximum(clearance, PASSAGE_MM) ** -CLEARANCE_POWER, -1.0)
    del numbers
    paths = MCP_Geometric(cost)
    paths.find_costs([tuple(start - corner)], [tuple(goal - corner)])
    kji = corner + np.array(paths.traceback(tuple(goal - corner)))
    return centred(transform_points(grid.ras_from_ijk, kji[:, ::-1]), lumen.clearance)


def _passable_near(grid: Volume, point_ras: np.ndarray) -> np.ndarray:
    """The point of the clearance grid, k, j, i, nearest to one of the user's where a path may run."""
    centre = transform_points(grid.ijk_from_ras, point_ras)[::-1]
    reach = SNAP_MM / grid.spacing_mm[0]
    lower = np.maximum(np.ceil(centre - reach), 0).astype(int)
    upper = np.maximum(np.minimum(np.floor(centre + reach) + 1, grid.array.shape).astype(int), lower)
    near = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    places = np.argwhere(grid.array[near] >= PASSAGE_MM) + lower
    distance = np.linalg.norm(places - centre, axis=1)
    if not len(places) or distance.min() > reach:
        where = ", ".join(f"{x:.1f}" for x in point_ras)
        raise Sim2RealError(
            f"The end ({where}) RAS mm is farther than {SNAP_MM:.0f} mm from any open lumen of the colon: "
            "place it inside."
        )
    return places[distance.argmin()]


def _collapsed(lumen: ColonLumen) -> str:
    stretches = "; ".join(str(stretch) for stretch in lumen.collapses)
    return (
        f"The colon is collapsed in {len(lumen.collapses)} place(s), RAS: {stretches}. Bridge them "
        "(input.bridges in a recipe, or input.bridge_up_to_mm for all up to a length; segment_lumen takes both), or "
        "give the ends of a part that is open (input.ends_ras; trace_centerline takes them)."
    )
