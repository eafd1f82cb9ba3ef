"""`sim2real bench interactive`: how fast the pictures of Slicer's modules follow the hand.

Each picture is computed as the panels do, for a new pose every time, and put into its node where slicer-core is
installed; what Slicer then takes to draw it, and its event loop, are not in these figures. No peer computes such
pictures; what is asked of them stands beside them.
"""

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from DepthSimLib.anatomy import generated_colon
from DepthSimLib.endoscope.poses import prepare_poses
from DepthSimLib.endoscopy import PREVIEW_PX as ENDOSCOPE_PX
from DepthSimLib.endoscopy import Endoscopy
from DepthSimLib.recipe import EndoscopyRecipe, GeneratedColon
from DRRSimLib.acquisition.carm import DEVICES, CArmDevice, CArmPose
from DRRSimLib.anatomy import load_anatomy
from DRRSimLib.fluoroscope import PREVIEW_PX as XRAY_PX
from DRRSimLib.fluoroscope import REST_MS, Fluoroscope
from DRRSimLib.recipe import DrrRecipe, Input, Physics
from DRRSimLib.scene import build_patient
from Sim2RealLib.engine import Backend, open_backend

from .machine import machine, versions

PICTURES = 60
LIVE_DEVICE, FULL_DEVICE = "siemens_cios_spin", "unberath_2018"
"""Of a square detector, and of 620 × 480 pixels."""
LENS = "simcol3d"
"""Of a square image."""
ASKED_XRAY_FPS, ASKED_FULL_S, ASKED_ENDOSCOPE_FPS = 8.0, 0.5, 5.0


def run(data: Path | None) -> str:
    """The report as Markdown."""
    backend = open_backend()
    rows = [*_xray_rows("generated pelvis, 1 mm", Input(), backend)]
    if data is not None:
        rows += _xray_rows("real pelvis, 512 × 512 × 140", Input(volume=data / "pelvis" / "ct.nii.gz"), backend)
    rows += _endoscope_rows(backend)
    nodes = "with" if importlib.util.find_spec("slicer") else "without"
    return "\n".join(
        [
            f"Machine: {machine()}, backend {backend.name}",
            "",
            f"Software: {versions('surgical-sim2real', 'drjit', 'slicer-core')}",
            "",
            f"Median of {PICTURES} pictures of as many poses, after five that are not counted; {nodes} Slicer's nodes.",
            "",
            "| picture | pixels | ms | asked | reached |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def _xray_rows(name: str, section: Input, backend: Backend) -> list[str]:
    recipe = DrrRecipe(simulator="drr", input=section)
    anatomy = load_anatomy(recipe.input)
    fluoroscope = Fluoroscope(build_patient(anatomy, recipe.physics.materials, backend))
    physics = Physics()
    middle = tuple(np.mean(anatomy.hu.corners_ras, axis=0).tolist())
    quick, fine = DEVICES[LIVE_DEVICE], DEVICES[FULL_DEVICE]
    put = _node_writer("vtkMRMLScalarVolumeNode")

    def pose(device: CArmDevice, number: int) -> CArmPose:
        distances = device.source_to_detector_mm, device.source_to_isocenter_mm
        return CArmPose(0.5 * number, 0.5 * number, middle, *distances)

    def live(number: int) -> None:
        put(fluoroscope.preview(quick, pose(quick, number), physics, XRAY_PX).attenuation)

    def full(number: int) -> None:
        put(fluoroscope.image(fine, pose(fine, number), physics, with_masks=True).attenuation)

    live_s, full_s = _median_s(live), _median_s(full)
    after_rest_s = full_s + REST_MS / 1000
    small = quick.resized(XRAY_PX)
    return [
        f"| live X-ray, {name} | {small.width_px} × {small.height_px} | {1e3 * live_s:.0f} "
        f"| ≥ {ASKED_XRAY_FPS:g} a second | {1 / live_s:.0f} a second |",
        f"| full X-ray with noise and masks, {name} | {fine.width_px} × {fine.height_px} | {1e3 * full_s:.0f} "
        f"| ≤ {ASKED_FULL_S:g} s after the hand rests | {after_rest_s:.2f} s, of which {REST_MS} ms are waited |",
    ]


def _endoscope_rows(backend: Backend) -> list[str]:
    _, anatomy = generated_colon(GeneratedColon())
    recipe = EndoscopyRecipe(simulator="endoscopy", endoscope={"device": LENS}, rendering={"mode": "synthetic"})
    poses = prepare_poses(recipe.views, anatomy.centerline, anatomy.clearance, recipe.seed)
    endoscopy, put, shapes = Endoscopy(anatomy, backend), _node_writer("vtkMRMLVectorVolumeNode"), []

    def live(number: int) -> None:
        picture = endoscopy.preview(recipe, poses.pose(number).ras_from_camera, ENDOSCOPE_PX).picture
        shapes.append(picture.shape)
        put(picture)

    live_s = _median_s(live)
    height, width = shapes[-1][:2]
    return [
        f"| endoscope's preview, generated colon, 1 mm | {width} × {height} | {1e3 * live_s:.0f} "
        f"| ≥ {ASKED_ENDOSCOPE_FPS:g} a second | {1 / live_s:.0f} a second |"
    ]


def _node_writer(node_class: str) -> Callable[[np.ndarray], None]:
    """What puts a picture into a node of a scene, or nothing where there is no Slicer."""
    if importlib.util.find_spec("slicer") is None:
        return lambda _picture: None
    import slicer

    from Sim2RealLib.mrml.volumes import show_image

    scene = slicer.vtkMRMLScene()
    node: Any = scene.AddNewNodeByClass(node_class)
    return lambda picture: show_image(node, picture, np.eye(4))


def _median_s(take: Callable[[int], None], uncounted: int = 5) -> float:
    seconds = []
    for number in range(uncounted + PICTURES):
        start = time.perf_counter()
        take(number)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[uncounted:]))
