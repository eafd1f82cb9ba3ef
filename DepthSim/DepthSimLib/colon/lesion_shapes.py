"""Shapes of lesions of the Paris classes: tissue that stands on a wall, and what is dug into it.

Shapes are solids in the frame of their foot: x along the colon, y around it, z into the lumen. Sessile and flat ones
follow the wall, by the height above it. What no source gives is assumed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .feature import Solid, capsule, ellipsoid
from .implicit import smooth_min
from .shape import ParisClass

SIZE_RANGE_MM: dict[ParisClass, tuple[float, float]] = {
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
SHALLOW_MM = 1.2
"""Boundary between 0-IIc and III in the colon (assumed: recalled from the update of the classification, 2005)."""
HEIGHT_MM: dict[ParisClass, tuple[float, float]] = {
    "0-IIa": (1.7, 2.4),
    "0-IIb": (0.2, 0.3),
    "0-IIc": (0.3, 0.6),
    "III": (1.0, 2.0),
}
"""Of flat lesions, or of the margin of depressed ones."""
DEPTH_MM: dict[ParisClass, tuple[float, float]] = {"0-IIc": (0.7, 1.1), "III": (2.5, 4.0)}
FLOOR_SHARE: dict[ParisClass, float] = {"0-IIc": 0.75, "III": 0.68}
"""Radius of the depression over that of the lesion."""
STALK_MM, STALK_RADIUS_MM = (5.0, 14.0), (1.7, 4.0)
HEAD_GAP_MM = 3.2
"""Between a pedunculated head and the wall it stands on."""
LOBE_MM, LOBE_SPREAD = 5.5, 0.8
"""Width of the lobes of a head, and how unequal they are."""
SMOOTH_MM, CLEFT_SHARE, MOST_CLEFT_MM = 5.0, 0.14, 1.8
"""Diameter of the largest head without lobes, depth of clefts over what exceeds it, and their greatest depth."""
TALL_SHARE = 0.8
"""Quantile of the heights of lobes from which on they are as high as the round shape."""
UNEVEN_SHARE, UNEVEN_LOBES = 0.12, 5
"""Dents that keep a head from being round: depth over its radius, and how many bulges they leave."""
GRANULE_SHARE = 0.5
"""Depth of the clefts in a flat elevation over its height."""
FRINGE = 0.3
"""By how much the outline of a flat lesion comes in from its largest radius."""
TIGHTEST_WALL_MM = 6.0
"""Radius of the most curved wall on which a flat lesion follows the wall."""
ROOT_MM, DEEP_ROOT_MM = 1.0, 2.0
"""Tissue that there is below lesions that follow the wall, and below depressions."""
SKIRT = 1.05
"""Radius over that of the outline within which flat lesions slope down below the wall."""
FLAT_REACH_MM = 3.0
"""How far from the wall the tissue of flat lesions reaches down, and their cavity up."""

SURFACE_POINTS = 60
"""Places on a head that tell its height and must lie free."""

Relief = Callable[[np.ndarray], np.ndarray]
"""Depth below the round shape, (N,) mm, 0 or less, by directions (N, 3) from its middle."""


@dataclass(frozen=True, eq=False)
class LesionShape:
    """height_mm: above the wall, negative for a depression. extent_mm: largest distance from the foot.

    fillet_mm: of tissue with the wall, and of the cavity. tumour: what of the tissue is neoplastic.
    outposts: (P, 3), points of the foot's frame that must lie free in the lumen by gap_mm. roots: (R, 3), points that
    must lie in tissue: the wall must not fall away beneath, nor a depression pierce a fold.
    """

    height_mm: float
    extent_mm: float
    fillet_mm: tuple[float, float]
    tissue: Solid
    tumour: Solid
    cavity: Solid | None = None
    outposts: np.ndarray | None = None
    gap_mm: float = 0.0
    roots: np.ndarray | None = None


def draw_lesion(kind: ParisClass, size_mm: float, rng: np.random.Generator) -> LesionShape:
    """A lesion of a class and a largest diameter."""
    if kind == "0-Ip":
        return _pedunculated(size_mm, rng)
    if kind == "0-Isp":
        return _subpedunculated(size_mm, rng)
    return _sessile(size_mm, rng) if kind == "0-Is" else _flat(kind, size_mm, rng)


def _pedunculated(size: float, rng: np.random.Generator) -> LesionShape:
    """A head on a stalk that leans along the colon; the stalk is covered by normal mucosa."""
    radii = size / 2.0 * np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.65, 0.9)])
    lean, turn = rng.uniform(0.1, 0.9), rng.choice([0.0, np.pi]) + rng.uniform(-0.6, 0.6)
    sideways = np.array([np.cos(turn), np.sin(turn), 0.0])
    upward = np.sin(lean) * sideways + np.cos(lean) * np.array([0.0, 0.0, 1.0])
    spin = rng.uniform(0.0, np.pi)
    first = np.cross(upward, [np.sin(turn), -np.cos(turn), 0.0])
    turned = np.cos(spin) * first + np.sin(spin) * np.cross(upward, first)
    axes = np.stack([turned, np.cross(upward, turned), upward])
    half_height = float(np.linalg.norm(radii * axes[:, 2]))
    length = float(np.clip(size * rng.uniform(0.5, 0.9), *STALK_MM))
    neck = 0.5 * length * np.array([0.0, 0.0, 1.0]) + 0.15 * length * np.sin(lean) * sideways
    top = neck + 0.5 * length * upward
    middle = top + 0.5 * radii[2] * upward
    lift = max(0.0, HEAD_GAP_MM + half_height - middle[2]) * np.array([0.0, 0.0, 1.0])
    neck, top = neck + 0.6 * lift, top + lift
    head = _head(middle + lift, radii, axes, rng)
    stalk = float(np.clip(0.18 * size * rng.uniform(0.9, 1.2), *STALK_RADIUS_MM))

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        rod = smooth_min(capsule(p, [0.0, 0.0, -2.0], neck, stalk), capsule(p, neck, top, stalk), 2.0)
        return smooth_min(rod, head.distance(p), 0.5 * stalk)

    return LesionShape(
        head.height_mm,
        head.extent_mm,
        (2.5, 0.8),
        tissue,
        lambda p, height: head.distance(p),
        outposts=head.surface,
        gap_mm=0.8 * HEAD_GAP_MM,
    )


def _subpedunculated(size: float, rng: np.random.Generator) -> LesionShape:
    """A head on a short broad neck."""
    r = size / 2.0
    radii, shift = r * np.array([1.0, rng.uniform(0.8, 1.0), 0.75]), 0.2 * r * rng.uniform(-1.0, 1.0, 2)
    middle = np.array([*shift, 0.75 * r])
    head, neck = _head(middle, radii, _spun(rng), rng), rng.uniform(0.55, 0.7) * r

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        return smooth_min(capsule(p, [0.0, 0.0, -2.0], 0.6 * middle, neck), head.distance(p), 0.4 * r)

    outposts = head.surface[head.surface[:, 2] > middle[2]]
    fillet = float(np.clip(0.2 * size, 1.5, 3.0))
    return LesionShape(head.height_mm, 1.1 * size, (fillet, 0.8), tissue, tissue, outposts=outposts, gap_mm=0.3 * r)


def _sessile(size: float, rng: np.random.Generator) -> LesionShape:
    """A dome that leans a little and follows the wall."""
    r = size / 2.0
    dome = float(max(size * rng.uniform(0.38, 0.6), 1.25 * FLAT_HEIGHT_MM))
    lean = rng.uniform(-0.3, 0.3, 2)
    head = _head(np.zeros(3), np.array([r, r * rng.uniform(0.75, 1.0), dome]), _spun(rng), rng)

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        own = _own_height(p, height)
        return head.distance(np.column_stack([p[:, :2] - np.float32(lean) * own[:, None], own]))

    fillet = float(np.clip(0.2 * size, 1.0, 2.5))
    return LesionShape(head.height_mm, size, (fillet, 0.8), tissue, tissue, roots=_roots(0.6 * r, ROOT_MM))


def _spun(rng: np.random.Generator) -> np.ndarray:
    """Axes (3, 3) that are turned about the third."""
    cosine, sine = np.cos(angle := rng.uniform(0.0, np.pi)), np.sin(angle)
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _flat(kind: ParisClass, size: float, rng: np.random.Generator) -> LesionShape:
    """A plateau with an uneven outline, depressed in the middle or not."""
    raised = float(min(rng.uniform(*HEIGHT_MM[kind]), 0.3 * size))
    outline, granules = _outline(size, rng), _bumps(size, LOBE_MM, GRANULE_SHARE, rng)
    middle = np.float32([0.0, 0.0, -size / 2.0])

    def plateau(q: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Height over the greatest one, by positions seen from the middle of a ball beneath."""
        return (1.0 + granules(q / np.linalg.norm(q, axis=1, keepdims=True))) * (1.0 - near**4)

    disc = size / 2.0 * np.sqrt(np.linspace(0.0, 1.0, 400))[:, None] * _even_directions(400)
    disc[:, 2] = 0.0
    raised_most = raised / float(plateau(disc - middle, np.minimum(outline(disc)[0], 1.0)).max())

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        own = _own_height(p, height)
        away, radius = outline(p)
        near = np.minimum(away, SKIRT)
        level = raised_most * plateau(np.column_stack([p[:, :2], own]) - middle, near)
        slope = 4.0 * raised_most * near**3 / radius
        plate = np.maximum((own - level) / np.sqrt(1.0 + slope * slope), own - raised)
        below = np.maximum(-own - FLAT_REACH_MM, height - own - np.float32(ROOT_MM))
        return np.maximum(plate, np.maximum((away - SKIRT) * radius, below))

    def tumour(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        away, radius = outline(p)
        return np.maximum((away - 1.0) * radius + 1.0, -_own_height(p, height) - FLAT_REACH_MM)

    fillet = (float(np.clip(raised, 0.4, 1.5)), 1.0)
    if kind not in DEPTH_MM:
        return LesionShape(raised, size, fillet, tissue, tumour, roots=_roots(size / 2.0, ROOT_MM))
    depth = float(min(rng.uniform(*DEPTH_MM[kind]), 0.2 * size))
    floor = np.float32(FLOOR_SHARE[kind])

    def cavity(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        away, radius = outline(p)
        inner, rim, own = np.minimum(away, 1.0) / floor, depth + raised + 0.5, _own_height(p, height)
        slope = 4.0 * rim * inner**3 / (floor * radius)
        bowl = (rim * inner**4 - depth - own) / np.sqrt(1.0 + slope * slope)
        return np.maximum(bowl, np.maximum((away - 1.0) * radius, own - FLAT_REACH_MM))

    roots = np.concatenate([_roots(size / 2.0, ROOT_MM), _roots(floor * size / 2.0, depth + DEEP_ROOT_MM)])
    return LesionShape(-depth, size, fillet, tissue, tumour, cavity, roots=roots)


def _own_height(p: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Height above the wall around the foot, also where another part of the wall is nearer, as behind a fold."""
    bow = _bow(p)
    return np.clip(height, p[:, 2] - bow, p[:, 2] + bow + np.float32(ROOT_MM))


def _bow(p: np.ndarray) -> np.ndarray:
    """How far the most curved wall has left the plane of the foot."""
    return (p[:, 0] ** 2 + p[:, 1] ** 2) / np.float32(2.0 * TIGHTEST_WALL_MM)


def _roots(radius: float, depth: float) -> np.ndarray:
    """Points on two rings and in the middle, `depth` below the wall where it falls away most."""
    turn = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)
    rings = np.outer([0.0, 0.5, 1.0], np.exp(1j * turn)).ravel() * radius
    points = np.column_stack([rings.real, rings.imag, 0.0 * rings.real])
    points[:, 2] = -depth - _bow(points)
    return points


def _outline(size: float, rng: np.random.Generator) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Distance from the middle along the wall over the radius there of an uneven outline, and that radius."""
    phases = rng.uniform(0.0, 2.0 * np.pi, 3).astype(np.float32)

    def uneven(angle: np.ndarray) -> np.ndarray:
        waves = zip((0.5, 0.3, 0.2), (2, 3, 5), phases, strict=True)
        wave = sum(np.float32(share) * np.cos(order * angle + phase) for share, order, phase in waves)
        return 1.0 - np.float32(0.5 * FRINGE) * (1.0 - wave)

    turn = np.linspace(0.0, np.pi, 90)
    radius = np.float32(size / (uneven(turn) + uneven(turn + np.pi)).max())

    def place(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        local = radius * uneven(np.arctan2(p[:, 1], p[:, 0]))
        return np.hypot(p[:, 0], p[:, 1]) / local, local

    return place


@dataclass(frozen=True, eq=False)
class _Head:
    """distance: (N,) to the head, of points (N, 3); surface: points (P, 3) on it; both in the foot's frame."""

    distance: Callable[[np.ndarray], np.ndarray]
    surface: np.ndarray

    @property
    def height_mm(self) -> float:
        return float(self.surface[:, 2].max())

    @property
    def extent_mm(self) -> float:
        return float(np.linalg.norm(self.surface, axis=1).max())


def _head(middle: np.ndarray, radii: np.ndarray, axes: np.ndarray, rng: np.random.Generator) -> _Head:
    """An ellipsoid that is dented and, if it is large, lobed, and as wide across its third axis as without that.

    axes: (3, 3), rows in the foot's frame.
    """
    size = 2.0 * float(radii[0])
    dents = _bumps(size, size * np.sqrt(np.pi / UNEVEN_LOBES), UNEVEN_SHARE * size / 2.0, rng)
    cleft = rng.uniform(0.5, 1.0) * float(np.clip(CLEFT_SHARE * (size - SMOOTH_MM), 0.0, MOST_CLEFT_MM))
    lobes, steep = _bumps(size, LOBE_MM, cleft, rng), np.float32(np.hypot(1.0, 2.0 * cleft / LOBE_MM))

    def reach(directions: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return 1.0 / np.linalg.norm(directions / radii, axis=1) + dents(directions) + lobes(directions)

    turn = np.linspace(0.0, np.pi, 90)
    equator = np.column_stack([np.cos(turn), np.sin(turn), 0.0 * turn])
    radii = radii + (size - (reach(equator, radii) + reach(-equator, radii)).max()) / 2.0
    turned, center = axes.T.astype(np.float32), middle.astype(np.float32)

    def distance(p: np.ndarray) -> np.ndarray:
        q = (p - center) @ turned
        direction = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), np.float32(1e-3))
        return (ellipsoid(q, (0.0, 0.0, 0.0), tuple(radii)) - dents(direction) - lobes(direction)) / steep

    around = _even_directions(SURFACE_POINTS)
    return _Head(distance, middle + (reach(around, radii)[:, None] * around) @ axes)


def _bumps(size: float, width_mm: float, depth_mm: float, rng: np.random.Generator) -> Relief:
    """Bulges of about a width on a ball of diameter `size`, with clefts of a depth where they meet.

    The smooth maximum (log-sum-exp) of caps 1 − cosine around evenly spread directions.
    """
    count = int(np.clip(round(np.pi * size * size / (width_mm * width_mm)), 4, 48))
    spacing = np.sqrt(4.0 * np.pi / count)
    centers = _even_directions(count) + 0.18 * spacing * rng.standard_normal((count, 3))
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    centers = (centers @ turn / np.linalg.norm(centers, axis=1, keepdims=True)).T.astype(np.float32)
    cap = np.float32(1.0 - np.cos(0.55 * spacing))
    sharpness, depth = np.float32(5.0), np.float32(depth_mm)
    weights = (LOBE_SPREAD * rng.standard_normal(count)).astype(np.float32)

    def rise(direction: np.ndarray) -> np.ndarray:
        caps = np.exp(sharpness / cap * (direction @ centers - 1.0) + weights).sum(axis=1)
        return np.log(caps + np.float32(1e-4))

    top = np.quantile(rise(centers.T), TALL_SHARE)
    return lambda direction: depth * np.clip((rise(direction) - top) / sharpness, -1.0, 0.0)


def _even_directions(count: int) -> np.ndarray:
    """Unit vectors (count, 3) on a spiral over the sphere."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    angle = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    around = np.sqrt(1.0 - z * z)
    return np.column_stack([around * np.cos(angle), around * np.sin(angle), z])
