"""Polyps and flat lesions of the Paris classes, on a wall."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .anatomy import SEGMENTS
from .curve import Curve
from .feature import Feature, Field, Foot, Solid, capsule, cushion, ellipsoid, march, stand
from .implicit import smooth_min
from .shape import ParisClass, PolypPlan

FIRST_POLYP_LABEL = 101
TRIES = 400
APART_MM = 35.0
FIRST_MM, LAST_MM = 48.0, 12.0
"""Polyps keep this far from the anus and from the caecal end of the midline."""
STALKED, MIDLINE_SHARE = ("0-Ip", "0-Isp"), 0.7
"""The others are shaped by the height above the wall, and stay short of the midline, where it is not smooth."""
TIGHTEST_WALL_MM = 6.0
"""Radius of the most curved wall on which a flat lesion follows the wall."""
WAY_MM, WAY_STEP_MM = 4.0, 2.0
"""Between a lesion and the midline, along which endoscopes are led; and from one point that is tried to the next."""
FREE_SHARE = 0.62
"""Of the free way across the lumen that a polyp may take up."""

SIZE_RANGE_MM: dict[str, tuple[float, float]] = {
    "0-Ip": (6.0, 28.0),
    "0-Isp": (5.0, 25.0),
    "0-Is": (4.0, 30.0),
    "0-IIa": (4.0, 40.0),
    "0-IIb": (3.0, 40.0),
    "0-IIc": (5.0, 30.0),
    "III": (10.0, 40.0),
}
"""Diameters drawn for each class (assumed)."""
FLAT_HEIGHT_MM = 2.5
"""Boundary between 0-Is and 0-IIa: the closed cups of a biopsy forceps (Paris classification 2003)."""
LOBE_SHARE = 0.022
"""Amplitude of the lobes of a head over its diameter."""


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
        low, high = np.clip(plan.size_mm, *SIZE_RANGE_MM[kind])
        size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        height, tissue, cavity, extent = _shape(kind, size, rng)
        fillet = float(np.clip(height, 0.25, min(0.15 * size, 2.0)))
        foot = _find_place(field, curve, kind, height, extent, tissue, taken, rng)
        if foot is None:
            raise Sim2RealError(
                f"Polyp {number + 1} of {plan.count} ({kind}, {size:.0f} mm) finds no free place in this colon: "
                "ask for fewer or smaller polyps."
            )
        taken.append(foot.point_ras)
        segment = SEGMENTS[int(np.clip(np.searchsorted(bounds_mm, foot.arc_length_mm) - 1, 0, 5))]
        label = FIRST_POLYP_LABEL + number
        polyp = Polyp(number, label, kind, size, height, segment, foot.point_ras, foot.arc_length_mm)
        placed.append((polyp, Feature(label, foot, extent, tissue, cavity, (fillet, 0.8))))
    return placed


def _find_place(
    field: Field, curve: Curve, kind: str, height: float, extent: float, tissue: Solid, taken: list, rng
) -> Foot | None:
    for _ in range(TRIES):
        at = rng.uniform(FIRST_MM, curve.length_mm - LAST_MM)
        turn = rng.uniform(0.0, 2.0 * np.pi)
        (middle,), (frame,) = curve.at(np.array([at]))
        foot = stand(field, curve, at, np.cos(turn) * frame[0] + np.sin(turn) * frame[1])
        if any(np.linalg.norm(foot.point_ras - other) < APART_MM + extent for other in taken):
            continue
        inward = foot.axes[2]
        free = 0.5 + march(field, foot.point_ras + 0.5 * inward, inward)
        radius = np.linalg.norm(foot.point_ras - middle)
        if extent > 0.9 * radius + 12.0 or (kind not in STALKED and height > MIDLINE_SHARE * radius):
            continue
        if max(height, 4.0) < FREE_SHARE * free and _leaves_way(field, curve, tissue, extent, foot):
            return foot
    return None


def _leaves_way(field: Field, curve: Curve, tissue: Solid, extent: float, foot: Foot) -> bool:
    """Whether a lesion keeps its distance from the midline."""
    at = np.arange(foot.arc_length_mm - extent, foot.arc_length_mm + extent, WAY_STEP_MM)
    points, _ = curve.at(at[(at >= 0.0) & (at <= curve.length_mm)])
    return bool(tissue(foot.local(points), -field(points)).min() > WAY_MM)


def _shape(kind: str, size: float, rng: np.random.Generator) -> tuple[float, Solid, Solid | None, float]:
    """Height above the wall, tissue, cavity and extent from the foot of a lesion of a class."""
    slim = float(rng.uniform(0.75, 1.0))
    lobes = _lobes(size, rng)
    r = size / 2.0
    if kind == "0-Ip":
        length = float(np.clip(size * rng.uniform(0.5, 1.0), 5.0, 14.0))
        lean = rng.uniform(0.4, 1.1) * rng.choice([-1.0, 1.0])
        neck = np.array([0.35 * length * np.sin(lean), 0.0, 0.6 * length])
        top = neck + 0.5 * length * np.array([np.sin(1.4 * lean), 0.0, np.cos(1.4 * lean)])
        head = top + 0.6 * r * np.array([np.sin(1.4 * lean), 0.0, np.cos(1.4 * lean)])
        stalk = float(np.clip(0.2 * size, 1.5, 4.0))

        def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
            rod = smooth_min(capsule(p, [0.0, 0.0, -2.0], neck, stalk), capsule(p, neck, top, stalk), 2.0)
            return smooth_min(rod, ellipsoid(p, tuple(head), (r, slim * r, 0.85 * r)) + lobes(p), 1.5)

        return float(head[2] + r), tissue, None, float(np.linalg.norm(head) + r)
    if kind == "0-Isp":

        def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
            neck = capsule(p, [0.0, 0.0, -2.0], [0.0, 0.0, 0.5 * r], 0.62 * r)
            return smooth_min(neck, ellipsoid(p, (0.0, 0.0, 0.75 * r), (r, slim * r, 0.75 * r)) + lobes(p), 0.3 * r)

        return 1.5 * r, tissue, None, 1.6 * size
    if kind == "0-Is":
        dome = float(max(size * rng.uniform(0.38, 0.6), FLAT_HEIGHT_MM + 0.3))

        def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
            q = np.column_stack([p[:, :2], _own_height(p, height)])
            return ellipsoid(q, (0.0, 0.0, 0.0), (r, slim * r, dome)) + lobes(p)

        return dome, tissue, None, size
    raised = {
        "0-IIa": min(rng.uniform(1.3, 2.4), 0.3 * size),
        "0-IIb": 0.25,
        "0-IIc": 0.5,
        "III": rng.uniform(2.0, 3.0),
    }[kind]
    depth = {"0-IIc": min(rng.uniform(0.8, 1.5), 0.15 * size), "III": rng.uniform(2.5, 4.0)}.get(kind)

    def plate(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        across = np.hypot(p[:, 0], p[:, 1] / np.float32(slim))
        solid = cushion(across, _own_height(p, height), r, raised)
        return solid + np.float32(0.3) * lobes(p) if kind == "0-IIa" else solid

    def pit(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        q = np.column_stack([p[:, :2], _own_height(p, height)])
        return ellipsoid(q, (0.0, 0.0, raised), (0.6 * r, 0.6 * slim * r, raised + depth))

    return (float(raised), plate, None, size) if depth is None else (-float(depth), plate, pit, size)


def _own_height(p: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Height above the wall around the foot, also where another part of the wall is nearer."""
    bow = (p[:, 0] ** 2 + p[:, 1] ** 2) / np.float32(2.0 * TIGHTEST_WALL_MM)
    return np.clip(height, p[:, 2] - bow, p[:, 2] + bow + np.float32(1.0))


def _lobes(size: float, rng: np.random.Generator) -> Solid:
    """Bumps of a head, small ones of none: a lattice of waves of random phase."""
    phase = rng.uniform(0.0, 2.0 * np.pi, 3).astype(np.float32)
    wave = np.float32(2.0 * np.pi / max(0.5 * size, 4.0))
    amplitude = np.float32(LOBE_SHARE * size if size >= 6.0 else 0.0)
    return lambda p: amplitude * np.prod(np.sin(wave * p + phase), axis=1)
