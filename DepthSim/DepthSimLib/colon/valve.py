"""The ileocaecal valve with the end of the ileum, and the opening of the appendix."""

import numpy as np

from .curve import Curve
from .feature import Feature, Field, Foot, capsule, ellipsoid, stand
from .implicit import smooth_min

VALVE_LABEL, APPENDIX_LABEL = 7, 8
ILEUM_MM = 36.0
"""Length of the terminal ileum that is open."""
ILEUM_RADIUS_MM = 6.0
SLIT_MM = (1.9, 7.0)
"""Half height and half width of the opening between the lips."""
LIP_OFFSET_MM = 4.6
LIP_RADII_MM = (4.8, 13.0, 9.5)
"""Along the colon, around it and into the lumen: a valve 26 mm wide (assumed: lips of 20 to 30 mm)."""
APPENDIX_RADIUS_MM, APPENDIX_MM = 1.8, 16.0
SHIFTS_MM, TURNS = np.linspace(-12.0, 12.0, 5), np.linspace(-1.2, 1.2, 15)
"""Candidates for the valve's place: along the colon, and around it from medial, in radians."""
ENOUGH_MM = 12.0
"""Between the ileum's axis and the colon."""
TOP_MM = 14.0
FRONT_MM = np.array([[x, y, TOP_MM] for x in (-6.0, 0.0, 6.0) for y in (-7.0, 0.0, 7.0)])
"""Where the slit between the lips ends, and places there that lie free in the colon by FREE_MM."""
FREE_MM = 3.0
SHIFT_PENALTY = 0.1
"""Room that a shift of 1 mm must bring, mm."""
MEDIAL_RAS = np.array([-1.0, -0.25, 0.0])


def place_valve(field: Field, curve: Curve, arc_length_mm: float, rng: np.random.Generator) -> Feature:
    """The valve on the medial wall, near `arc_length_mm`, where it and the ileum behind it have most room."""
    shift, turn = (grid.ravel() for grid in np.meshgrid(SHIFTS_MM, TURNS))
    _, frames = curve.at(arc_length_mm + shift)
    first, second = frames[:, 0], frames[:, 1]
    turn += np.arctan2(second @ MEDIAL_RAS, first @ MEDIAL_RAS)
    directions = np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second
    feet = stand(field, curve, arc_length_mm + shift, directions)
    behind = np.linspace(ILEUM_RADIUS_MM + 4.0, ILEUM_MM + ILEUM_RADIUS_MM, 6)
    axis = np.outer(-behind, [0.0, 0.0, 1.0])
    room = (_at(field, feet, axis) - np.minimum(behind, ENOUGH_MM)).min(axis=1)
    room = np.minimum(room, (-FREE_MM - _at(field, feet, FRONT_MM)).min(axis=1))
    best = feet[int(np.argmax(np.minimum(room, 0.0) - SHIFT_PENALTY * np.abs(shift)))]
    scale = rng.uniform(0.85, 1.15)
    lips = tuple(scale * size for size in LIP_RADII_MM)

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        upper = ellipsoid(p, (LIP_OFFSET_MM, 0.0, 0.0), lips)
        return smooth_min(upper, ellipsoid(p, (-LIP_OFFSET_MM, 0.0, 0.0), lips), 2.0)

    def cavity(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        across = np.hypot(p[:, 0], np.maximum(np.abs(p[:, 1]) - (SLIT_MM[1] - SLIT_MM[0]), 0.0)) - SLIT_MM[0]
        slit = np.maximum(across, np.maximum(p[:, 2] - TOP_MM, -8.0 - p[:, 2]))
        ileum = capsule(p, [0.0, 0.0, -ILEUM_RADIUS_MM - 2.0], [0.0, 0.0, -ILEUM_MM], ILEUM_RADIUS_MM)
        return smooth_min(slit, ileum, 3.0)

    return Feature(VALVE_LABEL, best, ILEUM_MM + ILEUM_RADIUS_MM, tissue, cavity, (5.0, 1.5))


def _at(field: Field, feet: list[Foot], points: np.ndarray) -> np.ndarray:
    """The field at points (P, 3) of each foot's frame: (feet, P)."""
    return field(np.concatenate([foot.world(points) for foot in feet])).reshape(len(feet), -1)


def place_appendix(field: Field, curve: Curve) -> Feature:
    """The opening of the appendix in the pole of the caecum, a little medial and behind."""
    _, (frame,) = curve.at(np.array([curve.length_mm]))
    (foot,) = stand(field, curve, np.array([curve.length_mm]), (frame[2] + 0.5 * MEDIAL_RAS)[None])

    def cavity(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        return capsule(p, [0.0, 0.0, 2.0], [0.0, 0.0, -APPENDIX_MM], APPENDIX_RADIUS_MM)

    return Feature(APPENDIX_LABEL, foot, APPENDIX_MM + APPENDIX_RADIUS_MM, None, cavity, (0.0, 4.0))
