"""`sim2real bench endoscopy`: what whole frames cost, how close few denoised paths come to many, and volpath.

Every frame is 512 × 512 pixels of a 120° pinhole, with all of its ground truth, developed to 8 bits. Its quality is the
display-referred peak signal-to-noise ratio: both pictures with the exposure of the reference, gamma 2.2, 8 bits without
sensor noise.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from DepthSimLib.channels import PICTURES
from DepthSimLib.endoscope.lights import OLYMPUS_POSITIONS_MM
from DepthSimLib.endoscope.sensor import display, meter_reading
from DepthSimLib.simulation import EndoscopySimulation
from Sim2RealLib.resources import resource_path

from ..simulators import load_recipe, open_recipe
from .machine import machine, versions
from .volpath import volpath_comparison

SIDE_PX, HALF_FOV_DEG = 512, 60.0
VIEWS = (2, 5, 9)
"""Frames of the recipe that are measured; medians are reported."""

REFERENCE_SAMPLES, CHUNK_SAMPLES = 512, 32
CHANNELS = "display, radiance, depth, z_depth, depth_range, normals, labels"

LARGE_CT = (512, 512, 600)
"""Voxels along i, j, k of the CT whose rendering must fit into 4 GB."""


def run(data: Path | None) -> str:
    """The report as Markdown. References of the comparison with volpath are kept in the user's cache."""
    lines = [
        f"Machine: {machine()}",
        "",
        f"Software: {versions('surgical-sim2real', 'drjit', 'mitsuba', 'mitsuba-oidn')}",
        "",
        f"{SIDE_PX} × {SIDE_PX} pixels, with all ground truth, median of {len(VIEWS)} views.",
        "",
        *frame_costs(data),
        "",
        f"A CT of {' × '.join(map(str, LARGE_CT))} voxels: {large_ct_memory_gb():.2f} GB at most while rendering.",
        "",
        "Beside Mitsuba's volpath:",
        "",
        *volpath_comparison(data, reference_folder()),
    ]
    return "\n".join(lines)


def reference_folder() -> Path:
    """Where reference pictures are kept."""
    return Path(user_cache_dir("sim2real")) / "references"


def frame_costs(data: Path | None) -> list[str]:
    """Rows of a Markdown table, for the generated colon and, where the data are, for the real one."""
    rows = [
        "| colon | mode | looks | samples | s a frame | CPU s | PSNR, dB |",
        "|---" * 7 + "|",
    ]
    for title, settings in _inputs(data).items():
        cinematic = _open("colon_cinematic", settings, looks=("normal",))
        rows += [
            _row(title, cinematic, lambda index, scene=cinematic: _psnr(scene, index)),
            _row(title, _open("colon_cinematic", settings, looks=("normal", "pale", "inflamed", "ct"))),
            _row(title, _open("colon_synthetic", settings, looks=("dry",))),
        ]
    return rows


def _inputs(data: Path | None) -> dict[str, tuple[str, ...]]:
    inputs: dict[str, tuple[str, ...]] = {"generated, 1 mm voxels": ()}
    if data is not None:
        inputs["real, 1 mm voxels"] = (f"input.volume={data / 'colon' / 'pseudo_ct.nii.gz'}",)
    return inputs


def _open(recipe: str, settings: tuple[str, ...], looks: tuple[str, ...]) -> EndoscopySimulation:
    focal, middle = SIDE_PX / 2 / np.tan(np.deg2rad(HALF_FOV_DEG)), SIDE_PX / 2
    center = f"fx_px: {focal}, fy_px: {focal}, cx_px: {middle}, cy_px: {middle}"
    camera = f"{{model: pinhole, {center}, width_px: {SIDE_PX}, height_px: {SIDE_PX}}}"
    positions = (f"{{position_mm: {list(position)}}}" for position in OLYMPUS_POSITIONS_MM)
    chosen = (
        f"endoscope.device={{camera: {camera}, lights: [{', '.join(positions)}]}}",
        "endoscope.scale=1",
        f"rendering.looks=[{', '.join(looks)}]",
        f"output.channels=[{CHANNELS}]",
    )
    return open_recipe(load_recipe(resource_path(f"Recipes/{recipe}.yaml"), (*settings, *chosen)), "auto")


def _row(title: str, scene: EndoscopySimulation, quality: Callable[[int], float] | None = None) -> str:
    scene.frame(0)
    walls, cpus = [], []
    for index in VIEWS:
        wall, cpu = time.perf_counter(), time.process_time()
        scene.frame(index)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    rendering = scene.recipe.rendering
    samples = rendering.samples if rendering.mode == "cinematic" else "–"
    psnr = "–" if quality is None else f"{statistics.median(map(quality, VIEWS)):.1f}"
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    return f"| {title} | {rendering.mode} | {len(rendering.looks)} | {samples} | {wall:.2f} | {cpu:.2f} | {psnr} |"


def _psnr(scene: EndoscopySimulation, index: int) -> float:
    """Of a frame's first look against REFERENCE_SAMPLES paths a pixel, as both are shown.

    The reference comes in two independent halves: the mean product of the differences to either is the squared error
    without the noise of the reference, which fireflies would let outweigh the picture's own.
    """
    chunks = [_noisy(scene, index, chunk) for chunk in range(REFERENCE_SAMPLES // CHUNK_SAMPLES)]
    halves = [np.mean(chunks[first::2], axis=0) for first in (0, 1)]
    picture = np.moveaxis(scene.frame(index).channels["radiance"], 0, -1)
    meter = scene.recipe.sensor.meter
    gain = meter.target / meter_reading(halves[0], np.ones(picture.shape[:2], bool), meter)
    shown, *references = (
        display(image * gain, scene.recipe.sensor.gamma).astype(float) for image in (picture, *halves)
    )
    error = np.mean((shown - references[0]) * (shown - references[1]))
    return float(10 * np.log10(255**2 / error))


def _noisy(scene: EndoscopySimulation, index: int, chunk: int) -> np.ndarray:
    """CHUNK_SAMPLES paths a pixel, (H, W, 3), other ones for every chunk."""
    rendering = scene.recipe.rendering.model_copy(update={"samples": CHUNK_SAMPLES, "denoise": False})
    recipe = scene.recipe.model_copy(update={"seed": 1_000_000 + chunk, "rendering": rendering})
    header = replace(scene.header, channels={"noisy_radiance": PICTURES["noisy_radiance"]})
    return np.moveaxis(replace(scene, recipe=recipe, header=header).frame(index).channels["noisy_radiance"], 0, -1)


RENDER_LARGE_CT = """
import resource, sys
import numpy as np
from platformdirs import user_cache_dir
from DepthSimLib.endoscope.presets import ENDOSCOPES
from DepthSimLib.frames.ground_truth import visible_surface
from DepthSimLib.pictures import render
from DepthSimLib.recipe import Rendering
from DepthSimLib.appearance.upload import upload_look
from DepthSimLib.scene import build_medium, place
from Sim2RealLib.engine import open_backend
from Sim2RealLib.volume import Volume

columns, rows, planes = map(int, sys.argv[1:])
hu = np.full((planes, rows, columns), 40, np.int16)
j, i = np.ogrid[:rows, :columns]
for k in range(planes):
    radius = 28 + 6 * np.sin(k / 9)
    hu[k][(i - columns // 2 - 30 * np.sin(k / 60)) ** 2 + (j - rows // 2) ** 2 < radius**2] = -1000
medium = build_medium(open_backend(), Volume(hu, np.diag([0.7, 0.7, 0.7, 1])))
pose = np.eye(4)
pose[:3, 3] = 0.7 * columns / 2, 0.7 * rows / 2, 0.7 * planes / 2
endoscope, rendering = ENDOSCOPES["pinhole"].scaled(2), Rendering()
view = place(medium, endoscope, pose)
look = upload_look(medium.arrays, rendering.built_looks()[0], endoscope.lights)
list(render(medium, view, visible_surface(medium, view.camera), [look], rendering, 1))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def large_ct_memory_gb() -> float:
    """Greatest resident memory of a process that renders a cinematic frame of a CT of LARGE_CT voxels."""
    command = [sys.executable, "-c", RENDER_LARGE_CT, *map(str, LARGE_CT)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1024 * int(run.stdout.split()[-1]) / 1e9
