"""The template of assisted placement: the 23 landmarks of Bier et al. 2018 on a pelvis of mean shape."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from ..pelvis.bones import build_skeleton
from ..pelvis.landmarks import PAIRED, PROMONTORY, SYMPHYSIS, find_landmarks
from ..pelvis.shape import PelvisShape

MEAN_SHAPE = PelvisShape(
    seed=0,
    femaleness=0.5,
    size=1.0,
    width=1.0,
    height=1.0,
    depth=1.0,
    flare=1.0,
    tilt_deg=0.0,
    asymmetry=(0.0, 0.0, 0.0),
    bone_density=1.0,
    cortex_mm=1.6,
    head_radius_mm=23.75,
    neck_shaft_deg=127.0,
    anteversion_deg=12.0,
    femur_rotation_deg=(6.0, 6.0),
    femur_abduction_deg=(2.0, 2.0),
    fat_mm=14.0,
    muscle=1.0,
    bladder_ml=150.0,
    bowel_gas=0.3,
)
"""The means of `pelvis.shape.sample_shape`, midway between the sexes; symmetric."""

PLACED_FIRST = (
    "anterior_superior_iliac_spine_right",
    "anterior_superior_iliac_spine_left",
    "ischial_tuberosity_right",
    "ischial_tuberosity_left",
    "pubic_symphysis_superior",
    "sacral_promontory",
)
"""Easy to find in slices, and far apart. The first four give the rest of a generated pelvis to 3.2 mm (median), five to
3.1 mm, all six to 3.0 mm, nine in ten to 6.5 mm; see Testing/test_landmark_template.py."""

_ALL = (*(f"{name}_{side}" for name in PAIRED for side in ("right", "left")), *SYMPHYSIS, PROMONTORY)

LANDMARK_NAMES = (*PLACED_FIRST, *(name for name in _ALL if name not in PLACED_FIRST))
"""Of the template, in the order in which they are best placed."""


@cache
def pelvis_template() -> Mapping[str, np.ndarray]:
    """RAS positions (3,) in mm by name, in the order of LANDMARK_NAMES; takes half a second once."""
    found = find_landmarks(build_skeleton(MEAN_SHAPE))
    return {name: found[name] for name in LANDMARK_NAMES}
