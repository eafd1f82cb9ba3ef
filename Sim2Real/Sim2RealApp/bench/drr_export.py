"""`sim2real bench drr_export`: what 200 labelled frames cost beside the kernels that compute them.

The recipe is the shipped one; the anatomy the generated pelvis with its labels and, where the real data are, the real
pelvis and the real abdomen with its labels. Kernel time is what Dr.Jit reports for every kernel it launched.
"""

import tempfile
import time
from pathlib import Path

import drjit as dr

from Sim2RealLib.dataset.writer import create_or_resume
from Sim2RealLib.job import run_job
from Sim2RealLib.recipe import to_yaml
from Sim2RealLib.resources import resource_path

from ..simulators import load_recipe, open_recipe
from .machine import machine, versions

FRAMES = 200
ALLOWED_RATIO, ALLOWED_MS_A_FRAME = 1.25, 30.0
"""An export may take the larger of the two longer than its kernels."""


def run(data: Path | None) -> str:
    """The report as Markdown."""
    inputs = {"generated pelvis": ()}
    if data is not None:
        inputs["real pelvis"] = (f"input.volume={data / 'pelvis' / 'ct.nii.gz'}",)
        abdomen = data / "abdomen_pelvis"
        inputs["real abdomen"] = (f"input.volume={abdomen / 'ct.nii.gz'}", f"input.labels={abdomen / 'labels.nii.gz'}")
    rows = [_row(name, settings) for name, settings in inputs.items()]
    return "\n".join(
        [
            f"Machine: {machine()}",
            "",
            f"Software: {versions('surgical-sim2real', 'drjit')}",
            "",
            f"{FRAMES} frames of 615 × 479 pixels: intensity, display, masks, landmarks, JSON, written to disk.",
            "",
            "| input | export, ms a frame | kernels, ms a frame | ratio | allowed, ms a frame |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def _row(name: str, settings: tuple[str, ...]) -> str:
    recipe = load_recipe(resource_path("Recipes/pelvis_drr.yaml"), (f"views.count={FRAMES}", *settings))
    simulation = open_recipe(recipe, "auto")
    simulation.frame(0)
    with tempfile.TemporaryDirectory() as folder, dr.scoped_set_flag(dr.JitFlag.KernelHistory, True):
        dr.kernel_history_clear()
        start = time.perf_counter()
        with create_or_resume(Path(folder), simulation.header, to_yaml(recipe, folder)) as writer:
            for _ in run_job(simulation, writer):
                pass
        export_ms = 1e3 * (time.perf_counter() - start) / FRAMES
        kernels_ms = sum(kernel["execution_time"] for kernel in dr.kernel_history()) / FRAMES
    allowed = max(ALLOWED_RATIO * kernels_ms, kernels_ms + ALLOWED_MS_A_FRAME)
    return f"| {name} | {export_ms:.1f} | {kernels_ms:.1f} | {export_ms / kernels_ms:.2f} | {allowed:.1f} |"
