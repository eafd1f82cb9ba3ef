"""A small colon for the tests of the DepthSim module: a bent tube with folds, seen by a small scope in a moment."""

from functools import cache

import numpy as np

from colonography_scenes import Tube, grid, scan, tube
from DepthSimLib.anatomy import Anatomy, anatomy_of
from DepthSimLib.colonography import ColonLumen, segment_lumen, trace_centerline
from DepthSimLib.endoscope.curve import CenterlineCurve
from DepthSimLib.recipe import EndoscopyRecipe
from DepthSimLib.simulation import EndoscopySimulation, simulation_of
from Sim2RealLib.engine import open_backend
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume

CONTROL = np.array([[0, -25, -45], [0, -20, -20], [8, 0, 10], [0, 22, 40]], dtype=float)
RADIUS_MM = 14.0
SMALL_SCOPE = {"device": "olympus_cf_hq190l", "scale": 0.08}
"""108 × 86 pixels."""


@cache
def bent_tube() -> Tube:
    return tube(CONTROL, RADIUS_MM, fold=3.0)


@cache
def bent_tube_ct() -> Volume:
    """2.2 mm voxels, dry, no lungs: the lumen is found in a second."""
    empty = grid(np.diag([2.2, 2.2, 2.2, 1.0]), half_size_mm=(34.0, 50.0, 72.0))
    return scan([bent_tube()], empty, small_bowel=False, lungs_and_room=False)


@cache
def bent_lumen() -> ColonLumen:
    return segment_lumen(bent_tube_ct())


@cache
def bent_anatomy() -> Anatomy:
    return anatomy_of(bent_lumen(), trace_centerline(bent_lumen()))


def small_recipe(**sections) -> EndoscopyRecipe:
    content = {"simulator": "endoscopy", "seed": 3, "endoscope": SMALL_SCOPE} | sections
    return validate(EndoscopyRecipe, content, "test")


def bent_simulation(before: EndoscopySimulation | None = None, **sections) -> EndoscopySimulation:
    return simulation_of(small_recipe(**sections), open_backend("llvm"), bent_anatomy(), before)


def pose_at(share: float) -> np.ndarray:
    """Along the middle of the tube at a share of its length."""
    curve = CenterlineCurve(bent_anatomy().centerline)
    return curve.pose(share * curve.length_mm)
