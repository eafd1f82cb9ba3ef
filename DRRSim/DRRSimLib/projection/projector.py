"""Line integrals through the volumes and tools of a scene: areal density and path length of every material.

Density is interpolated material by material, so that materials do not mix at their borders and the path lengths of all
of them add up to the chord. Voxels of air count nothing: the open beam is measured in air. Where tools replace tissue,
volumes are integrated over what they leave of each ray.
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
from ..physics.materials import Material
from ..tools.intervals import ToolHits
from ..tools.tool import Tool
from .device import (
    DeviceGrid,
    RayParameters,
    ray_start,
    ray_stretch,
    upload_copy,
    upload_grid,
    upload_mask,
    upload_numbers,
    upload_rays,
    whole_ray,
)
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
    tools: highest priority first; those that replace tissue do so in all volumes.
    """

    backend: Backend
    volumes: tuple[SceneVolume, ...]
    materials: tuple[str, ...]
    tools: tuple[Tool, ...] = ()

    @property
    def substances(self) -> tuple[str | Material, ...]:
        """What `materials` name: an alloy that is none of the shipped materials as itself."""
        of_tools = {tool.material.name: tool.material for tool in self.tools}
        return tuple(of_tools.get(name, name) for name in self.materials)


def build_scene(
    backend: Backend,
    volumes: Sequence[MaterialVolume],
    memory_budget_bytes: int | None = None,
    tools: Sequence[Tool] = (),
) -> XrayScene:
    """Pack volumes, highest priority first, and put them on the backend; so are tools.

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
    of_volumes = (name for volume in volumes for name in volume.absorbing_materials)
    materials = tuple(dict.fromkeys((*of_volumes, *(tool.material.name for tool in tools))))
    return XrayScene(backend, tuple(scene_volumes), materials, tuple(tools))


def _planes_within(volume: MaterialVolume, budget_bytes: int) -> int:
    return budget_bytes // (grid_memory_bytes(volume.hu, 1) - grid_memory_bytes(volume.hu, 0)) - 1


def areal_densities(
    scene: XrayScene,
    view: XrayView,
    x: Any,
    y: Any,
    rays_through: RaysThrough | None = None,
    hits: ToolHits | None = None,
) -> list[Any]:
    """A_m in g/cm² for each material of the scene along the rays (x, y), as Float arrays.

    rays_through: the rays of the view in a grid, where they carry gradients; by default they are computed from the
    view. hits: what these rays meet of the scene's tools, without which a scene with tools is a ValueError.
    """
    units = [v.volume.density_steps_g_cm3 / MM_A_CM for v in scene.volumes]
    totals = _integrate(scene, view, x, y, _add_mass, units, hits, rays_through)
    return _with_tools(scene, totals, hits, [tool.material.density_g_cm3 / MM_A_CM for tool in scene.tools])


def path_lengths(scene: XrayScene, view: XrayView, x: Any, y: Any, hits: ToolHits | None = None) -> list[Any]:
    """The length in mm of the rays (x, y) in each material of the scene, as Float arrays; hits: as above."""
    units = [np.ones(len(v.volume.absorbing_materials)) for v in scene.volumes]
    totals = _integrate(scene, view, x, y, _add_length, units, hits)
    return _with_tools(scene, totals, hits, [1.0 for _ in scene.tools])


def _with_tools(
    scene: XrayScene, totals: dict[str, Any], hits: ToolHits | None, units_a_mm: Sequence[float]
) -> list[Any]:
    for number, (tool, unit) in enumerate(zip(scene.tools, units_a_mm, strict=True)):
        amounts = np.zeros(hits.count, np.float32)
        amounts[hits.rays] = hits.length_mm[number] * unit
        totals[tool.material.name] += upload_copy(scene.backend.arrays.Float, amounts)
    return list(totals.values())


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
    hits: ToolHits | None,
    rays_through: RaysThrough | None = None,
) -> dict[str, Any]:
    """Sum `add` over the samples of all volumes, each material's sum times its unit a mm, by material."""
    if scene.tools and hits is None:
        raise ValueError("the rays of a scene with tools need what they meet of them: tools.intervals")
    arrays = scene.backend.arrays
    totals = {name: arrays.Float(0) for name in scene.materials}

    def trace(device_grid: DeviceGrid, volume: MaterialVolume, units: np.ndarray, above: Sequence[SceneVolume]) -> None:
        rays = grid_rays(device_grid.grid, view.camera_from_ras, view.source_to_detector_mm)
        masks = [upload_mask(arrays, other.device_grid, device_grid.grid) for other in above]
        parameters = rays_through(device_grid.grid) if rays_through else upload_rays(arrays, rays)

        def add_rays(x: Any, y: Any, between: tuple[Any, Any] | None, rays_of_view: Any | None = None) -> None:
            sums, mm_a_sample = traverse(
                arrays,
                device_grid,
                parameters,
                x,
                y,
                partial(add, arrays, volume.material_bits),
                (arrays.Float(0),) * len(units),
                between=between,
                masks=masks,
            )
            for name, total, unit in zip(volume.absorbing_materials, sums, units, strict=True):
                amount = total * (mm_a_sample * dr.opaque(arrays.Float, float(unit)))
                if rays_of_view is None:
                    totals[name] += amount
                else:
                    dr.scatter_add(totals[name], amount, rays_of_view)

        if hits is None or not hits.gaps:
            add_rays(x, y, whole_ray(arrays, rays, device_grid.grid))
            return
        first, *others = hits.gaps
        add_rays(x, y, ray_start(arrays, rays, first, hits.count))
        for gap in others:
            dr.eval(*totals.values())  # all at once, or each material would be traced by a kernel of its own
            number = upload_numbers(arrays, gap.rays)
            add_rays(
                dr.gather(type(x), x, number), dr.gather(type(y), y, number), ray_stretch(arrays, rays, gap), number
            )

    for position, (scene_volume, units) in enumerate(zip(scene.volumes, units_a_mm, strict=True)):
        volume, above = scene_volume.volume, scene.volumes[:position]
        if scene_volume.device_grid is not None:
            trace(scene_volume.device_grid, volume, units, above)
            continue
        for planes in _parts(scene_volume):
            trace(upload_grid(arrays, pack_materials(volume, planes)), volume, units, above)
            dr.eval(*totals.values())
            release_memory()
    return totals


def _parts(scene_volume: SceneVolume) -> Iterator[range]:
    planes = scene_volume.volume.hu.shape_ijk[pair_axis(scene_volume.volume.hu)]
    for start in range(0, planes, scene_volume.part_planes):
        yield range(start, min(start + scene_volume.part_planes, planes))
