"""Small media, looks, lights and cameras with closed forms, for the tests of the volume renderer."""

from collections.abc import Sequence
from dataclasses import dataclass

import drjit as dr
import numpy as np
from scipy import stats

from DepthSimLib.endoscope.lights import TipLight
from DepthSimLib.rendering.camera_rays import upload_camera
from DepthSimLib.rendering.device_grid import upload_grid
from DepthSimLib.rendering.look_device import DeviceLook
from DepthSimLib.rendering.medium import Medium, upload_medium
from DepthSimLib.rendering.path_tracer import PathSettings, Radiance, trace
from DepthSimLib.rendering.scalar_grid import HIGHEST_HU, LOWEST_HU, scalar_grid
from DepthSimLib.rendering.tip_lights import upload_lights
from Sim2RealLib.cameras import Camera, PinholeCamera
from Sim2RealLib.engine import open_backend
from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume

ARRAYS = open_backend("llvm").arrays
HU = np.arange(LOWEST_HU, HIGHEST_HU + 1)
AIR, TISSUE = -1000, 0

GRIDS = {
    "straight": np.diag([1.0, 1.0, 1.0, 1.0]),
    "left-handed": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "anisotropic": np.diag([0.7, 1.3, 0.9, 1.0]),
    "oblique": rotation([0.6, 0.0, 0.8], 25) @ np.diag([1.0, -0.8, 1.2, 1.0]),
    "coronal": np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]]),
}
"""Voxel axes, with the origin left at 0."""


def number(value: float):
    return dr.opaque(ARRAYS.Float, float(value))


def points(values: np.ndarray):
    """(N, 3) → Array3f."""
    return ARRAYS.Array3f(np.ascontiguousarray(np.asarray(values, np.float32).T))


def positions(volume: Volume) -> np.ndarray:
    """World positions of all voxel centres, (K, J, I, 3)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij")
    return np.stack([i, j, k], axis=-1) @ volume.ras_from_ijk[:3, :3].T + volume.ras_from_ijk[:3, 3]


def box_grid(axes: np.ndarray, half_size_mm: float) -> Volume:
    """An empty grid about the world's origin that covers the cube of a half size."""
    along = axes[:3, :3] / np.linalg.norm(axes[:3, :3], axis=0)
    extent = 2 * half_size_mm * np.abs(along.T).sum(axis=1)
    size_ijk = np.ceil(extent / np.linalg.norm(axes[:3, :3], axis=0)).astype(int) + 1
    return Volume(np.zeros(size_ijk[::-1], np.int16), translation(-axes[:3, :3] @ ((size_ijk - 1) / 2)) @ axes)


def constant(value: float) -> np.ndarray:
    """A table over HU with one value from halfway between air and tissue on, 0 below."""
    return np.where(AIR + TISSUE < 2 * HU, float(value), 0.0)


def ramp(at_tissue: float) -> np.ndarray:
    """A table over HU that grows linearly from 0 a little above air to a value in tissue."""
    return at_tissue * np.clip((HU - AIR - 5) / (TISSUE - AIR - 5), 0, 1)


def medium_of(array: np.ndarray | Volume, extinction_mm: np.ndarray, spacing_mm: Sequence[float] = (1, 1, 1)) -> Medium:
    """array: HU (K, J, I), or a placed volume."""
    placed = array if isinstance(array, Volume) else Volume(np.asarray(array, np.int16), np.diag([*spacing_mm, 1.0]))
    return upload_medium(upload_grid(ARRAYS, scalar_grid(placed)), extinction_mm)


@dataclass(frozen=True)
class Look:
    """surface: share of surface reflection at a steep edge. Colours are RGB. brightness multiplies the lights', and
    spread is added to theirs."""

    diffuse: tuple[float, float, float] = (0.6, 0.3, 0.2)
    albedo: tuple[float, float, float] = (0.9, 0.8, 0.7)
    surface: float = 0.0
    f0: float = 0.0
    roughness: float = 0.3
    g: float = 0.0
    later_g: float = 0.0
    brightness: float = 1.0
    spread: float = 0.0
    background: float = 0.0


STEEP = 10.0
"""mm/HU; any gradient that can be seen makes an edge."""


def upload_look(look: Look, lights: Sequence[TipLight]) -> DeviceLook:
    def color(rgb: Sequence[float]):
        return tuple(table(value) for value in rgb)

    def table(value: float):
        return ARRAYS.Float(np.full(len(HU), value, np.float32))

    return DeviceLook(
        diffuse=color(look.diffuse),
        albedo=color(look.albedo),
        surface=table(look.surface),
        gradient_factor=number(STEEP),
        f0=number(look.f0),
        roughness=number(look.roughness),
        g=number(look.g),
        later_g=number(look.later_g),
        intensities=tuple(number(look.brightness * light.intensity) for light in lights),
        spreads=tuple(number(look.spread + light.spread) for light in lights),
        background=number(look.background),
    )


CAMERA = PinholeCamera(20.0, 20.0, 16.0, 16.0, 32, 32)
POINT = TipLight((0.0, 0.0, 0.0), spread=0.0, radius_mm=1e-3)


def render_sums(
    medium: Medium,
    looks: Sequence[Look],
    *,
    ras_from_camera: np.ndarray,
    camera: Camera = CAMERA,
    lights: Sequence[TipLight] = (POINT,),
    samples: int = 16,
    max_order: int = 8,
    later_extinction: float = 1.0,
    surface_offset_mm: float = 0.0,
    seed: int = 1,
) -> Radiance:
    grid = medium.device_grid.grid
    return trace(
        medium,
        [upload_look(look, lights) for look in looks],
        upload_lights(ARRAYS, lights, grid.grid_from_ras @ ras_from_camera),
        upload_camera(ARRAYS, camera, ras_from_camera, grid),
        PathSettings(samples, max_order, later_extinction, surface_offset_mm),
        seed,
    )


def render(medium: Medium, looks: Sequence[Look], *, camera: Camera = CAMERA, **options) -> np.ndarray:
    """Pictures (looks, H, W, 3); no extinction may have exceeded its majorant."""
    radiance = render_sums(medium, looks, camera=camera, **options)
    assert not np.any(radiance.violations.numpy())
    shape = (camera.height_px, camera.width_px, 3)
    return np.array([look.numpy().T.reshape(shape) for look in radiance.looks])


def coarse(picture: np.ndarray, blocks: int = 4) -> np.ndarray:
    """Means over blocks × blocks parts of (..., H, W, 3)."""
    *front, height, width, _ = picture.shape
    return picture.reshape(*front, blocks, height // blocks, blocks, width // blocks, 3).mean(axis=(-4, -2))


def replicates(runs: int, *scene, first_seed: int = 1, **options) -> np.ndarray:
    """Coarse pictures (runs, looks, 4, 4, 3), each of a seed of its own."""
    return np.array([coarse(render(*scene, seed=first_seed + run, **options)) for run in range(runs)])


def assert_mean(pictures: np.ndarray, expected: np.ndarray, slack: float = 0.0) -> None:
    """Replicates have an expected mean (looks, 4, 4, 3), or that of other replicates: the picture's and every part's.

    Student's t-test at the probability with which a normal deviate exceeds 4.5 standard deviations.
    slack: a relative difference that is allowed beside chance.
    """
    others = expected if expected.ndim == pictures.ndim else None
    for axes in ((), (-3, -2)):
        found, wanted = pictures.mean(axis=axes), expected.mean(axis=axes)
        variance, freedom = found.var(axis=0, ddof=1) / len(found), len(found) - 1
        if others is not None:
            variance += wanted.var(axis=0, ddof=1) / len(wanted)
            freedom += len(wanted) - 1
            wanted = wanted.mean(axis=0)
        beyond = np.maximum(np.abs(found.mean(axis=0) - wanted) - slack * wanted, 0)
        assert np.all(beyond <= stats.t.isf(stats.norm.sf(4.5), freedom) * np.sqrt(variance))
