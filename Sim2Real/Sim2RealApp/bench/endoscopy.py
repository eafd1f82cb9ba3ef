"""`sim2real bench endoscopy`: what whole frames cost, how close few denoised paths come to many, and volpath.

Every frame is 512 × 512 pixels of a 120° pinhole, with all of its ground truth, developed to 8 bits. Its quality is the
display-referred peak signal-to-noise ratio: both pictures with the exposure of the reference, gamma 2.2, 8 bits without
sensor noise. The reference makes the same approximations; what these change is measured apart.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from DepthSimLib.simulation import EndoscopySimulation

from .approximations import SIDE_PX as APPROXIMATION_SIDE_PX
from .approximations import approximation_bias
from .endoscopy_scenes import colons, displayed, halves, noisy_picture, open_scene, psnr_db
from .machine import machine, versions
from .volpath import volpath_comparison

SIDE_PX = 512
VIEWS = (2, 5, 9)
"""Frames of the recipe that are measured; medians are reported."""

REFERENCE_SAMPLES, CHUNK_SAMPLES = 512, 32
FOUR_LOOKS = ("normal", "pale", "inflamed", "ct")

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
        f"Approximations against the exact setting, {APPROXIMATION_SIDE_PX} × {APPROXIMATION_SIDE_PX} pixels:",
        "",
        *approximation_bias(data),
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
    for title, settings in colons(data).items():
        cinematic = open_scene("colon_cinematic", settings, ("normal",), SIDE_PX)
        rows += [
            _row(title, cinematic, lambda index, scene=cinematic: _psnr(scene, index)),
            _row(title, open_scene("colon_cinematic", settings, FOUR_LOOKS, SIDE_PX)),
            _row(title, open_scene("colon_synthetic", settings, ("dry",), SIDE_PX)),
        ]
    return rows


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
    """Of a frame's first look against REFERENCE_SAMPLES paths a pixel of the same settings, as both are shown."""
    count = REFERENCE_SAMPLES // CHUNK_SAMPLES
    chunks = [noisy_picture(scene, index, chunk, samples=CHUNK_SAMPLES) for chunk in range(count)]
    references = halves(chunks)
    picture = np.moveaxis(scene.frame(index).channels["radiance"], 0, -1)
    shown, one, other = displayed(scene, (picture, *references), references[0])
    return psnr_db(shown - one, shown - other)


RENDER_LARGE_CT = """
import sys
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
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def large_ct_memory_gb() -> float:
    """Greatest resident memory of a process that renders a cinematic frame of a CT of LARGE_CT voxels, on Linux.

    Of the process's own address space: what getrusage tells begins with the memory of the process that started it.
    """
    command = [sys.executable, "-c", RENDER_LARGE_CT, *map(str, LARGE_CT)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1024 * int(run.stdout.split()[-1]) / 1e9
