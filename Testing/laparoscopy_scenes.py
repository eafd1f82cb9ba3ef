"""A small abdomen for tests of Translate: balls for organs, and a body around them."""

import numpy as np

from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume

SPACING_MM = 5.0
ORIGIN_RAS = np.array([-150.0, -120.0, -150.0])
LIVER = LabelClass(5, "liver", (165, 75, 55))
GALLBLADDER = LabelClass(4, "gallbladder", (120, 165, 60))
FEMUR = LabelClass(75, "femur_left", (200, 200, 180))
PHANTOM = LabelClass(118, "cotton swab", (250, 250, 250))
BALLS = {LIVER: ((20.0, 0.0, 20.0), 60.0), GALLBLADDER: ((10.0, 60.0, 0.0), 15.0), FEMUR: ((-60.0, 0.0, -110.0), 20.0)}
"""Centre in RAS and radius. The liver's 0.9 litres are plausible."""
SKIN_MM = 110.0
"""The body is a cylinder about the S axis."""


def points_ras():
    """The voxel centres, (K, J, I, 3)."""
    grid = np.stack(np.meshgrid(*(np.arange(61) for _ in range(3)), indexing="ij"), axis=-1)[..., ::-1]
    return ORIGIN_RAS + SPACING_MM * grid


def ras_from_ijk():
    matrix = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    matrix[:3, 3] = ORIGIN_RAS
    return matrix


def abdomen_labels(balls=BALLS):
    points, labels = points_ras(), np.zeros((61, 61, 61), np.uint8)
    for entry, (center, radius) in balls.items():
        labels[np.linalg.norm(points - center, axis=-1) < radius] = entry.id
    return Volume(labels, ras_from_ijk(), "abdomen")


def abdomen_ct():
    inside = np.hypot(*np.moveaxis(points_ras()[..., :2], -1, 0)) < SKIN_MM
    return Volume(np.where(inside, 40, -1000).astype(np.int16), ras_from_ijk(), "CT")


def add_abdomen(scene, balls=BALLS):
    """The segmentation node."""
    from Sim2RealLib.mrml.segmentations import make_segmentation

    return make_segmentation(scene, abdomen_labels(balls), tuple(balls), "Abdomen")


def add_ct(scene):
    """The CT's node."""
    from Sim2RealLib.mrml.volumes import make_volume

    return make_volume(scene, abdomen_ct(), "CT")
