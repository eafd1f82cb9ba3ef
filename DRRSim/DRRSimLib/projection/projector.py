"""Line integrals through the volumes of a scene: areal density and path length of every material.

Density is interpolated material by material, so that materials do not mix at their borders and the path lengths of all
of them add up to the chord. Voxels of air count nothing: the open beam is measured in air.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.engine import Backend, available_memory_bytes, release_memory
from Sim2RealLib.errors import Sim2RealError

from ..acquisition.carm import XrayView
from .device import DeviceGrid, RayParameters, upload_grid, upload_mask, upload_rays
from .material_volume import MaterialVolume, pack_materials
from .packed_grid import PackedGrid, grid_memory_bytes, pair_axis
from .rays import grid_rays
from .traversal import Sample, traverse

MM_A_CM = 10.0

RaysThrough = Callable[[PackedGrid], RayParameters]


@dataclass(frozen=True, eq=False)
class SceneVolume:
    """One volume of a scene.

    device_grid: the packed volume, or None where it does not fit and is packed and uploaded in parts at each use.
    part_planes: how many planes a part has.
    """

    volume: MaterialVolume
    device_grid: DeviceGrid | None
    part_planes: int


@dataclass(frozen=True, eq=False)
class XrayScene:
    """Material volumes on a backend, highest priority first: where they overlap, the first that holds anything counts.

    materials: the names of all their absorbing materials: the order of every list of materials that a kernel returns.
    """

    backend: Backend
    volumes: tuple[SceneVolume, ...]
    materials: tuple[str, ...]


def build_scene(
    backend: Backend, volumes: Sequence[MaterialVolume], memory_budget_bytes: int | None = None
) -> XrayScene:
    """Pack volumes, highest priority first, and put them on the backend.

    memory_budget_bytes: what the packed grids may take, by default nine tenths of the free memory. The volume of lowest
        priority is traversed in parts where it does not fit; the others hide what lies below them and must fit whole.
    """
    budget = int(0.9 * available_memory_bytes(backend)) if memory_budget_bytes is None else memory_budget_bytes
    scene_volumes = []
    for volume in volumes:
        needed = grid_memory_bytes(volume.hu)
        planes = volume.hu.shape_ijk[pair_axis(volume.hu)]
        fits = needed <= budget
        if not fits and (volume is not volumes[-1] or budget < grid_memory_bytes(volume.hu, 1)):
            raise Sim2RealError(
                f"{volume.hu.name}: packed it takes {needed / 1e9:.2f} GB, {budget / 1e9:.2f} GB are left "
                f"({backend.name}). Crop it, resample it to larger voxels, or close other programs."
            )
        device_grid = upload_grid(backend.arrays, pack_materials(volume)) if fits else None
        scene_volumes.append(SceneVolume(volume, device_grid, planes if fits else _planes_within(volume, budget)))
        budget -= needed if fits else 0
    materials = tuple(dict.fromkeys(name for volume in volumes for name in volume.absorbing_materials))
    return XrayScene(backend, tuple(scene_volumes), materials)


def _planes_within(volume: MaterialVolume, budget_bytes: int) -> int:
    return budget_bytes // (grid_memory_bytes(volume.hu, 1) - grid_memory_bytes(volume.hu, 0)) - 1


def areal_densities(
    scene: XrayScene, view: XrayView, x: Any, y: Any, rays_through: RaysThrough | None = None
) -> list[Any]:
    """A_m in g/cm² for each material of the scene along the rays (x, y), as Float arrays.

    rays_through: the rays of the view in a grid, where they carry gradients; by default they are computed from the
    view.
    """
    units = [v.volume.density_steps_g_cm3 / MM_A_CM for v in scene.volumes]
    return _integrate(scene, view, x, y, _add_mass, units, rays_through)


def path_lengths(scene: XrayScene, view: XrayView, x: Any, y: Any) -> list[Any]:
    """The length in mm of the rays (x, y) in each material of the scene, as Float arrays."""
    return _integrate(
        scene, view, x, y, _add_length, [np.ones(len(v.volume.absorbing_materials)) for v in scene.volumes]
    )


def _add_mass(arrays: Any, material_bits: int, sums: tuple, sample: Sample) -> tuple:
    return _add(sums, sample, material_bits, lambda code: arrays.Float(arrays.Int32(code >> material_bits)))


def _add_length(arrays: Any, material_bits: int, sums: tuple, sample: Sample) -> tuple:
    return _add(sums, sample, material_bits, lambda code: dr.select(code != 0, arrays.Float(1), arrays.Float(0)))


def _add(sums: tuple, sample: Sample, material_bits: int, amount: Callable[[Any], Any]) -> tuple:
    sums = list(sums)
    for code, weight in zip(sample.codes, sample.weights, strict=True):
        number, value = code & (2**material_bits - 1), amount(code) * weight
        for material, total in enumerate(sums):
            sums[material] = dr.select(number == material, total + value, total)
    return tuple(sums)


def _integrate(
    scene: XrayScene,
    view: XrayView,
    x: Any,
    y: Any,
    add: Callable,
    units_a_mm: Sequence[np.ndarray],
    rays_through: RaysThrough | None = None,
) -> list[Any]:
    """Sum `add` over the samples of all volumes, each material's sum times its unit a mm."""
    arrays = scene.backend.arrays
    totals = {name: arrays.Float(0) for name in scene.materials}

    def trace(device_grid: DeviceGrid, volume: MaterialVolume, units: np.ndarray, above: Sequence[SceneVolume]) -> None:
        rays = grid_rays(device_grid.grid, view.camera_from_ras, view.source_to_detector_mm)
        sums, mm_a_sample = traverse(
            arrays,
            device_grid,
            rays_through(device_grid.grid) if rays_through else upload_rays(arrays, rays),
            x,
            y,
            partial(add, arrays, volume.material_bits),
            (arrays.Float(0),) * len(units),
            ends_inside=rays.ends_inside(device_grid.grid),
            masks=[upload_mask(arrays, other.device_grid, device_grid.grid) for other in above],
        )
        for name, total, unit in zip(volume.absorbing_materials, sums, units, strict=True):
            totals[name] += total * (mm_a_sample * dr.opaque(arrays.Float, float(unit)))

    for position, (scene_volume, units) in enumerate(zip(scene.volumes, units_a_mm, strict=True)):
        volume, above = scene_volume.volume, scene.volumes[:position]
        if scene_volume.device_grid is not None:
            trace(scene_volume.device_grid, volume, units, above)
            continue
        for planes in _parts(scene_volume):
            trace(upload_grid(arrays, pack_materials(volume, planes)), volume, units, above)
            dr.eval(*totals.values())
            release_memory()
    return list(totals.values())


def _parts(scene_volume: SceneVolume) -> Iterator[range]:
    planes = scene_volume.volume.hu.shape_ijk[pair_axis(scene_volume.volume.hu)]
    for start in range(0, planes, scene_volume.part_planes):
        yield range(start, min(start + scene_volume.part_planes, planes))
