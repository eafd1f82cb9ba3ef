"""The path tracer against an independent program: Mitsuba 3's `volpath`, which tracks with one majorant."""

import numpy as np
import pytest

from DepthSimLib.rendering.scalar_grid import HIGHEST_HU, LOWEST_HU
from rendering_scenes import GRIDS, assert_mean, coarse
from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume

pytest.importorskip("mitsuba")

from Sim2RealApp.bench.volpath import Scene, path_tracer, volpath

RUNS = 6
SIZE = 20


def medium(name: str) -> np.ndarray:
    """Shares of the greatest extinction in a margin of nothing: Mitsuba's grid ends half a voxel later than ours."""
    inside = (SIZE - 4,) * 3
    shares = np.ones(inside) if name == "homogeneous" else np.random.default_rng(13).uniform(0, 1, inside) ** 2
    codes = LOWEST_HU + shares * (HIGHEST_HU - LOWEST_HU)
    return np.pad(np.rint(codes), 2, constant_values=LOWEST_HU).astype(np.int16)


def scene(name: str, grid: str, max_order: int, asymmetry: float, eye_mm: float) -> Scene:
    """Seen from before the medium (eye_mm < −10), or from within it; two lights of which one stands in it."""
    axes = GRIDS[grid]
    middle = translation(axes[:3, :3] @ np.full(3, -(SIZE - 1) / 2))
    return Scene(
        name,
        Volume(medium(name), middle @ axes),
        rotation([0.48, 0.8, 0.36], 25) @ translation([1.0, -0.5, eye_mm]),
        albedo=(0.95, 0.8, 0.5),
        asymmetry=asymmetry,
        extinction_mm=0.3 if name == "homogeneous" else 0.8,
        max_order=max_order,
        side_px=32,
        half_fov_deg=35.0,
        lights_mm=((4.0, -3.0, -2.0), (-5.0, 2.0, 6.0)),
    )


@pytest.mark.parametrize(
    "case",
    [
        ("homogeneous", "straight", 1, 0.0, -20.0),
        ("homogeneous", "anisotropic", 12, 0.6, -22.0),
        ("voxels", "straight", 1, -0.3, -20.0),
        ("voxels", "oblique", 12, 0.5, -22.0),
        ("voxels", "left-handed", 3, 0.0, -4.0),
        ("voxels", "coronal", 2, 0.3, -20.0),
    ],
)
def test_pictures_are_mitsubas(case):
    """Means of the picture and of its 4 × 4 parts, by Student's t-test over RUNS pictures of each; the two read the
    voxels alike, and only the rounding of our table, 1 in 4,096 of the extinction, is left beside chance."""
    one = scene(*case)
    ours, mitsubas = (
        np.array([coarse(render(64, seed)[None]) for seed in range(1, RUNS + 1)])
        for render in (path_tracer(one), volpath(one))
    )
    assert mitsubas.mean() > 0
    assert_mean(ours, mitsubas, slack=5e-4)
