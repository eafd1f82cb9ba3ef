"""Polyps and flat lesions of the Paris classes, placed on a wall."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .anatomy import SEGMENTS
from .curve import Curve
from .feature import Feature, Field, Foot, march, stand
from .lesion_shapes import SIZE_RANGE_MM, LesionShape, draw_lesion
from .shape import ParisClass, PolypPlan

FIRST_POLYP_LABEL = 101
BATCHES, BATCH = 30, 12
"""Shapes tried for a polyp, and places for each."""
APART_MM = 35.0
FIRST_MM, LAST_MM = 48.0, 12.0
"""Polyps keep this far from the anus and from the caecal end of the midline."""
MIDLINE_SHARE = 0.7
"""Those shaped by the height above the wall stay short of the midline, where it is not smooth."""
WAY_MM, WAY_STEP_MM = 4.0, 2.0
"""Between a lesion and the midline, along which endoscopes are led; and from one point that is tried to the next."""
FREE_SHARE = 0.62
"""Of the free way across the lumen that a polyp may take up."""


@dataclass(frozen=True, eq=False)
class Polyp:
    """One lesion. id counts from 0; label is its value in label maps.

    size_mm: largest diameter parallel to the wall, or of the head. height_mm: above the wall, negative for a pit.
    position_ras: (3,), foot on the wall; arc_length_mm: of the foot along the midline, from the anus.
    """

    id: int
    label: int
    paris_class: ParisClass
    size_mm: float
    height_mm: float
    segment: str
    position_ras: np.ndarray
    arc_length_mm: float


def place_polyps(
    field: Field, curve: Curve, bounds_mm: np.ndarray, plan: PolypPlan, keep_off: list[Feature], rng
) -> list[tuple[Polyp, Feature]]:
    """Polyps at random places, apart from one another and from other features. Sim2RealError if there is no room."""
    taken = [feature.foot.point_ras for feature in keep_off]
    placed = []
    for number in range(plan.count):
        kind = plan.classes[number % len(plan.classes)]
        low, high = np.log(np.clip(plan.size_mm, *SIZE_RANGE_MM[kind]))
        for _ in range(BATCHES):
            size = float(np.exp(rng.uniform(low, high)))
            shape = draw_lesion(kind, size, rng)
            foot = _find_place(field, curve, shape, np.array(taken), rng)
            if foot is not None:
                break
        else:
            raise Sim2RealError(
                f"Polyp {number + 1} of {plan.count} ({kind}) finds no free place in this colon: ask for fewer or "
                "smaller polyps."
            )
        taken.append(foot.point_ras)
        at = float(foot.arc_length_mm)
        segment = SEGMENTS[int(np.clip(np.searchsorted(bounds_mm, at) - 1, 0, 5))]
        label = FIRST_POLYP_LABEL + number
        polyp = Polyp(number, label, kind, size, shape.height_mm, segment, foot.point_ras, at)
        feature = Feature(label, foot, shape.extent_mm, shape.tissue, shape.cavity, shape.fillet_mm, shape.tumour)
        placed.append((polyp, feature))
    return placed


def _find_place(field: Field, curve: Curve, shape: LesionShape, taken: np.ndarray, rng) -> Foot | None:
    """The first of BATCH random places where a lesion fits."""
    at = rng.uniform(FIRST_MM, curve.length_mm - LAST_MM, BATCH)
    turn = rng.uniform(0.0, 2.0 * np.pi, BATCH)[:, None]
    middles, frames = curve.at(at)
    feet = stand(field, curve, at, np.cos(turn) * frames[:, 0] + np.sin(turn) * frames[:, 1])
    points = np.array([foot.point_ras for foot in feet])
    inward = np.array([foot.axes[2] for foot in feet])
    radius = np.linalg.norm(points - middles, axis=1)
    apart = np.linalg.norm(points[:, None] - taken, axis=-1).min(axis=1)
    fits = apart > APART_MM + shape.extent_mm
    if shape.outposts is None:
        free = 0.5 + march(field, points + 0.5 * inward, inward)
        fits &= (shape.extent_mm < 0.9 * radius + 12.0) & (shape.height_mm < MIDLINE_SHARE * radius)
        fits &= max(shape.height_mm, 4.0) < FREE_SHARE * free
    else:
        outposts = np.concatenate([foot.world(shape.outposts) for foot in feet])
        fits &= field(outposts).reshape(BATCH, -1).max(axis=1) < -shape.gap_mm
    if shape.roots is not None:
        roots = np.concatenate([foot.world(shape.roots) for foot in feet])
        fits &= field(roots).reshape(BATCH, -1).min(axis=1) > 0.0
    for candidate in np.flatnonzero(fits):
        if _leaves_way(field, curve, shape, feet[candidate]):
            return feet[candidate]
    return None


def _leaves_way(field: Field, curve: Curve, shape: LesionShape, foot: Foot) -> bool:
    """Whether the lesion keeps its distance from the midline."""
    at = np.arange(foot.arc_length_mm - shape.extent_mm, foot.arc_length_mm + shape.extent_mm, WAY_STEP_MM)
    points, _ = curve.at(at[(at >= 0.0) & (at <= curve.length_mm)])
    return bool(shape.tissue(foot.local(points), -field(points)).min() > WAY_MM)
