"""The ileocaecal valve with the end of the ileum, and the opening of the appendix."""

import numpy as np

from .curve import Curve
from .feature import Feature, Field, Foot, capsule, ellipsoid, stand
from .implicit import smooth_min

VALVE_LABEL, APPENDIX_LABEL = 7, 8
ILEUM_MM = 36.0
"""Length of the terminal ileum that is open."""
ILEUM_RADIUS_MM = 6.0
SLIT_MM = (0.9, 7.5)
"""Half height and half width of the opening between the lips."""
LIP_OFFSET_MM = 4.6
LIP_RADII_MM = (4.8, 13.0, 9.5)
"""Along the colon, around it and into the lumen: a valve 26 mm wide (assumed: lips of 20 to 30 mm)."""
APPENDIX_RADIUS_MM, APPENDIX_MM = 1.8, 16.0
CANDIDATES = 15
MEDIAL_RAS = np.array([-1.0, -0.25, 0.0])


def place_valve(field: Field, curve: Curve, arc_length_mm: float, rng: np.random.Generator) -> Feature:
    """The valve on the medial wall, turned to where the ileum has most room behind it."""
    _, (frame,) = curve.at(np.array([arc_length_mm]))
    medial = np.arctan2(MEDIAL_RAS @ frame[1], MEDIAL_RAS @ frame[0])
    feet = []
    for turn in np.linspace(-1.2, 1.2, CANDIDATES):
        direction = np.cos(medial + turn) * frame[0] + np.sin(medial + turn) * frame[1]
        feet.append(stand(field, curve, arc_length_mm, direction))
    behind = np.linspace(ILEUM_RADIUS_MM + 4.0, ILEUM_MM + ILEUM_RADIUS_MM, 6)
    room = [min(field(foot.world(np.outer(-behind, [0.0, 0.0, 1.0]))) - np.minimum(behind, 12.0)) for foot in feet]
    scale = rng.uniform(0.85, 1.15)
    lips = tuple(scale * size for size in LIP_RADII_MM)

    def tissue(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        upper = ellipsoid(p, (LIP_OFFSET_MM, 0.0, 0.0), lips)
        return smooth_min(upper, ellipsoid(p, (-LIP_OFFSET_MM, 0.0, 0.0), lips), 2.0)

    def cavity(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        across = np.hypot(p[:, 0], np.maximum(np.abs(p[:, 1]) - (SLIT_MM[1] - SLIT_MM[0]), 0.0)) - SLIT_MM[0]
        slit = np.maximum(across, np.maximum(p[:, 2] - 14.0, -6.0 - p[:, 2]))
        ileum = capsule(p, [0.0, 0.0, -ILEUM_RADIUS_MM - 2.0], [0.0, 0.0, -ILEUM_MM], ILEUM_RADIUS_MM)
        return smooth_min(slit, ileum, 3.0)

    best = feet[int(np.argmax(room))]
    return Feature(VALVE_LABEL, best, ILEUM_MM + ILEUM_RADIUS_MM, tissue, cavity, (5.0, 1.5))


def place_appendix(field: Field, curve: Curve) -> Feature:
    """The opening of the appendix in the pole of the caecum, a little medial and behind."""
    _, (frame,) = curve.at(np.array([curve.length_mm]))
    foot: Foot = stand(field, curve, curve.length_mm, frame[2] + 0.5 * MEDIAL_RAS)

    def cavity(p: np.ndarray, height: np.ndarray) -> np.ndarray:
        return capsule(p, [0.0, 0.0, 2.0], [0.0, 0.0, -APPENDIX_MM], APPENDIX_RADIUS_MM)

    return Feature(APPENDIX_LABEL, foot, APPENDIX_MM + APPENDIX_RADIUS_MM, None, cavity, (0.0, 4.0))
