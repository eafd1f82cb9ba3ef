"""Our path tracer beside Mitsuba's `volpath`, at equal time; a part of `sim2real bench endoscopy`.

Both render the same medium, the same lights and the same camera up to the same number of collisions. The medium is what
both can do: extinction between voxels is trilinear in either, scattering is Henyey and Greenstein's, lights are points.
Each picture is compared with a reference of the same renderer, both over the mean of that reference.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from DepthSimLib.colon import ColonScan, ColonShape, PolypPlan, generate_colon, scan_colon
from DepthSimLib.endoscope.lights import OLYMPUS_POSITIONS_MM, TipLight
from DepthSimLib.rendering.camera_rays import upload_camera
from DepthSimLib.rendering.device_grid import upload_grid
from DepthSimLib.rendering.look_device import DeviceLook
from DepthSimLib.rendering.medium import upload_medium
from DepthSimLib.rendering.path_tracer import PathSettings, trace
from DepthSimLib.rendering.scalar_grid import HIGHEST_HU, LOWEST_HU, scalar_grid
from DepthSimLib.rendering.tip_lights import upload_lights
from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.engine import open_backend
from Sim2RealLib.geometry import translation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct

SIDE_PX = 128
HALF_FOV_DEG = 55.0
MAX_ORDER = 8
REFERENCE_SAMPLES = 4096
CHUNK_SAMPLES = 64
"""Of a reference at once: a million paths."""
BUDGET_S = 4.0
"""CPU time of either renderer for a picture."""
TURNS = 3

ALBEDO = (0.98, 0.88, 0.85)
ASYMMETRY = 0.0
EXTINCTION_MM = 1.0
"""Of mucosa by the similarity relation, g = 0: at its true 8 /mm and g = 0.8 a reference by volpath takes hours."""

TRANSPARENT_HU, OPAQUE_HU = -600.0, -350.0
"""Between the two extinction grows linearly from 0."""
CROP_VOXELS = 128
"""Edge of the cube around the camera's view that is rendered."""
POINT_MM = 1e-3
"""Radius of our lights, which are disks."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A medium σ_t = EXTINCTION_MM · (value − LOWEST_HU) / (HIGHEST_HU − LOWEST_HU), and a camera with lights in it."""

    title: str
    codes: Volume
    ras_from_camera: np.ndarray
    albedo: tuple[float, float, float] = ALBEDO
    asymmetry: float = ASYMMETRY
    extinction_mm: float = EXTINCTION_MM
    max_order: int = MAX_ORDER
    side_px: int = SIDE_PX
    half_fov_deg: float = HALF_FOV_DEG
    lights_mm: tuple[tuple[float, float, float], ...] = OLYMPUS_POSITIONS_MM


Renderer = Callable[[int, int], np.ndarray]
"""A picture (H, W, 3) from a number of samples a pixel and a seed."""


def volpath_comparison(data: Path | None, cache: Path) -> list[str]:
    """Rows of a Markdown table. cache: the folder where references are kept, each named by its SHA-256."""
    rows = [
        "| scene | renderer | samples | CPU s | relative MSE | MSE ratio at equal time | reference, SHA-256 |",
        "|---" * 7 + "|",
    ]
    for scene in (generated_colon(), *(() if data is None else (real_colon(data),))):
        figures = {name: _measure(scene, name, renderer, cache) for name, renderer in _renderers(scene).items()}
        ours = figures["SurgicalSim2Real"]
        for name, one in figures.items():
            ratio = one.error * one.cpu_s / (ours.error * ours.cpu_s)
            rows.append(
                f"| {scene.title} | {name} | {one.samples} | {one.cpu_s:.2f} | {one.error:.2e} | {ratio:.1f} "
                f"| {one.reference_sha256[:16]} |"
            )
    return rows


def generated_colon() -> Scene:
    """A generated colon where its midline is half-way, seen along it."""
    colon = generate_colon(ColonShape(seed=1, polyps=PolypPlan(count=0)))
    midline = colon.centerline.points_ras
    middle = len(midline) // 2
    pose = _looking(midline[middle], midline[middle + 8] - midline[middle - 8])
    return colon_scene("generated colon", scan_colon(colon, ColonScan(spacing_mm=1.0)).ct, pose)


def real_colon(data: Path) -> Scene:
    """The transverse colon of ``data/colon``, seen along its midline."""
    ct, _ = read_ct(data / "colon" / "pseudo_ct.nii.gz")
    table = np.loadtxt(data / "colon" / "midline_lps_mm.csv", delimiter=",", skiprows=1)
    midline = table[:, -3:] * [-1, -1, 1]
    return colon_scene("real colon", ct, _looking(midline[2000], midline[2015] - midline[1995]))


def _looking(here_ras: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """ras_from_camera, 4×4, with the patient's front up or down in the image."""
    forward = ahead / np.linalg.norm(ahead)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = here_ras
    return pose


def colon_scene(title: str, ct: Volume, ras_from_camera: np.ndarray) -> Scene:
    """The cube before a camera, its HU classified voxel by voxel, so that both renderers interpolate extinction."""
    middle = ct.ijk_from_ras @ ras_from_camera @ [0.0, 0.0, 0.35 * CROP_VOXELS * ct.spacing_mm.min(), 1.0]
    first = np.clip(middle[:3].astype(int) - CROP_VOXELS // 2, 0, np.maximum(ct.shape_ijk - np.int64(CROP_VOXELS), 0))
    crop = ct.array[tuple(slice(n, n + CROP_VOXELS) for n in first[::-1])]
    share = np.clip((crop - TRANSPARENT_HU) / (OPAQUE_HU - TRANSPARENT_HU), 0, 1)
    codes = np.rint(LOWEST_HU + share * (HIGHEST_HU - LOWEST_HU)).astype(np.int16)
    return Scene(title, Volume(codes, ct.ras_from_ijk @ translation(first)), ras_from_camera)


def _renderers(scene: Scene) -> dict[str, Renderer]:
    return {"SurgicalSim2Real": path_tracer(scene), "Mitsuba volpath": volpath(scene)}


def path_tracer(scene: Scene) -> Renderer:
    """Ours."""
    import drjit as dr

    arrays = open_backend().arrays
    grid = scalar_grid(scene.codes)
    bins = HIGHEST_HU - LOWEST_HU + 1
    medium = upload_medium(upload_grid(arrays, grid), np.linspace(0.0, scene.extinction_mm, bins))
    focal = 0.5 * scene.side_px / np.tan(np.deg2rad(scene.half_fov_deg))
    camera = PinholeCamera(focal, focal, scene.side_px / 2, scene.side_px / 2, scene.side_px, scene.side_px)
    lights = [TipLight(position, spread=0.0, radius_mm=POINT_MM) for position in scene.lights_mm]
    tip = upload_lights(arrays, lights, grid.grid_from_ras @ scene.ras_from_camera)
    rays = upload_camera(arrays, camera, scene.ras_from_camera, grid)

    def number(value: float) -> Any:
        return dr.opaque(arrays.Float, float(value))

    def table(value: float) -> Any:
        return arrays.Float(np.full(bins, value, np.float32))

    look = DeviceLook(
        diffuse=(table(0.0),) * 3,
        albedo=tuple(map(table, scene.albedo)),
        surface=table(0.0),
        gradient_factor=number(0.0),
        f0=number(0.02),
        roughness=number(0.5),
        g=number(scene.asymmetry),
        later_g=number(scene.asymmetry),
        intensities=tuple(number(1.0) for _ in lights),
        spreads=tuple(number(0.0) for _ in lights),
        background=number(0.0),
    )

    def render(samples: int, seed: int) -> np.ndarray:
        (picture,) = trace(medium, [look], tip, rays, PathSettings(samples, scene.max_order, 1.0, 0.0), seed).looks
        return picture.numpy().T.reshape(scene.side_px, scene.side_px, 3)

    return render


CAMERA_FROM_MITSUBA = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Mitsuba's camera has x to the left and y up."""


def volpath(scene: Scene) -> Renderer:
    """Mitsuba's, with the medium in the box of the voxels' outer faces, as its `gridvolume` places voxels."""
    import mitsuba as mi

    mi.set_variant("cuda_ad_rgb" if open_backend().name == "cuda" else "llvm_ad_rgb")
    transform = mi.ScalarTransform4f
    share = (scene.codes.array.astype(np.float32) - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU)
    box = scene.codes.ras_from_ijk @ translation([-0.5] * 3) @ np.diag([*scene.codes.shape_ijk, 1.0])
    unit_cube = translation([0.5] * 3) @ np.diag([0.5, 0.5, 0.5, 1.0])
    inside = bool(scene.codes.contains(scene.ras_from_camera[:3, 3]))
    description: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "volpath", "max_depth": scene.max_order + 1},
        "medium": {
            "type": "heterogeneous",
            "sigma_t": {
                "type": "gridvolume",
                "grid": mi.VolumeGrid(share[..., None]),
                "to_world": transform(box),
                "raw": True,
            },
            "scale": scene.extinction_mm,
            "albedo": {"type": "constvolume", "value": {"type": "rgb", "value": list(scene.albedo)}},
            "phase": {"type": "hg", "g": scene.asymmetry},
        },
        "box": {
            "type": "cube",
            "to_world": transform(box @ unit_cube),
            "flip_normals": bool(np.linalg.det(box) < 0),
            "bsdf": {"type": "null"},
            "interior": {"type": "ref", "id": "medium"},
        },
        "sensor": {
            "type": "perspective",
            "fov": 2 * scene.half_fov_deg,
            "to_world": transform(scene.ras_from_camera @ CAMERA_FROM_MITSUBA),
            "film": {
                "type": "hdrfilm",
                "width": scene.side_px,
                "height": scene.side_px,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            },
        },
    }
    if inside:
        description["sensor"]["medium"] = {"type": "ref", "id": "medium"}
    for number, position in enumerate(scene.lights_mm):
        where = (scene.ras_from_camera @ [*position, 1.0])[:3]
        intensity = {"type": "rgb", "value": 1.0}
        description[f"light{number}"] = {"type": "point", "position": where.tolist(), "intensity": intensity}
    loaded = mi.load_dict(description)
    return lambda samples, seed: np.array(mi.render(loaded, spp=samples, seed=seed))


@dataclass(frozen=True)
class _Figures:
    samples: int
    cpu_s: float
    error: float
    reference_sha256: str


def _measure(scene: Scene, name: str, renderer: Renderer, cache: Path) -> _Figures:
    """As many samples as BUDGET_S allows; medians over turns, each of its own seed."""
    reference, digest = _reference(scene, name, renderer, cache)
    renderer(1, 1)
    samples = max(1, int(4 * BUDGET_S / _cpu_s(renderer, 4, 2)[0]))
    times, errors = [], []
    for turn in range(TURNS):
        seconds, picture = _cpu_s(renderer, samples, 1_000_000 + turn)
        times.append(seconds)
        errors.append(float(np.mean((picture - reference) ** 2)) / float(np.mean(reference)) ** 2)
    return _Figures(samples, float(np.median(times)), float(np.median(errors)), digest)


def _cpu_s(renderer: Renderer, samples: int, seed: int) -> tuple[float, np.ndarray]:
    start = time.process_time()
    picture = renderer(samples, seed)
    return time.process_time() - start, picture


def _reference(scene: Scene, name: str, renderer: Renderer, cache: Path) -> tuple[np.ndarray, str]:
    """The mean of REFERENCE_SAMPLES samples a pixel, from the cache where it is there, and its SHA-256."""
    cache.mkdir(parents=True, exist_ok=True)
    stem = f"{scene.title}, {name}, {_scene_sha256(scene)[:16]}".replace(" ", "_")
    kept = sorted(cache.glob(f"{stem},*.npy"))
    if kept:
        reference = np.load(kept[0], allow_pickle=False)
        if f"{stem},{_sha256(reference)}.npy" == kept[0].name:
            return reference, _sha256(reference)
    reference = _accumulated(renderer, (scene.side_px, scene.side_px, 3), cache / f"{stem}_unfinished.npz")
    np.save(cache / f"{stem},{_sha256(reference)}.npy", reference)
    return reference, _sha256(reference)


def _accumulated(renderer: Renderer, shape: tuple[int, ...], unfinished: Path) -> np.ndarray:
    """The mean over all chunks of samples, float32; goes on from where an interrupted run left `unfinished`."""
    total, begin = np.zeros(shape), 0
    if unfinished.exists():
        with np.load(unfinished, allow_pickle=False) as kept:
            total, begin = kept["total"], int(kept["chunks"])
    chunks = REFERENCE_SAMPLES // CHUNK_SAMPLES
    for chunk in range(begin, chunks):
        total += renderer(CHUNK_SAMPLES, 10_000 + chunk)
        partial = unfinished.with_suffix(".partial.npz")
        np.savez(partial, total=total, chunks=chunk + 1)
        partial.replace(unfinished)
    unfinished.unlink()
    return (total / chunks).astype(np.float32)


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _scene_sha256(scene: Scene) -> str:
    """Of everything that shapes the picture."""
    numbers = [*scene.albedo, scene.asymmetry, scene.extinction_mm, scene.max_order, scene.side_px, scene.half_fov_deg]
    numbers += [value for position in scene.lights_mm for value in position]
    parts = (scene.codes.array, scene.codes.ras_from_ijk, scene.ras_from_camera, np.array(numbers, np.float64))
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
