"""`sim2real bench drr`: our three-material, polychromatic, noisy X-ray image beside the line integrals of others.

All engines make 620 × 480 pixels of the same volume from the same views. Ours computes three areal densities, the
signal of a 90 kV spectrum and its noise; the others one line integral: itk-rtk with its Joseph projector, plastimatch
with its exact (Siddon) one, nanodrr with trilinear samples on torch (its Triton kernel on CUDA), as many of them as the
volume has voxels along the beam. Engines take turns, each turn from a slightly other view; medians are reported.
"""

import re
import shutil
import statistics
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DRRSimLib.acquisition.carm import DEVICES, CArmPose, view_from_pose
from DRRSimLib.pelvis.phantom import generate_pelvis
from DRRSimLib.physics.detector_signal import upload_spectrum
from DRRSimLib.physics.noise import NoiseModel
from DRRSimLib.physics.spectra import effective_bins, preset_spectrum
from DRRSimLib.physics.tissues import TissueRule, TissueRules, classify
from DRRSimLib.projection.material_volume import MaterialVolume, pack_materials
from DRRSimLib.projection.projector import build_scene
from DRRSimLib.projection.radiograph import Exposure, expose
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import translation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, write_volume

from .machine import machine, versions

DEVICE = DEVICES["unberath_2018"]
TURNS = 9
VIEWS_DEG = (0.0, 30.0, 90.0)
TURN_DEG = 0.05
"""How far each turn's view is from the one before, so that nothing can be kept from it."""

Engine = Callable[[float], None]
"""Makes one image from a primary angle in degrees."""


@dataclass(frozen=True)
class Timing:
    engine: str
    median_ms: tuple[float, ...]


def run(data: Path | None) -> str:
    """The report as Markdown; with `data`, also over the real pelvis in ``data/pelvis/ct.nii.gz``."""
    open_backend()
    volumes = {"generated pelvis, 256³": _phantom_256()}
    if data is not None:
        volumes["real pelvis, 512 × 512 × 140"] = _centered(read_ct(data / "pelvis" / "ct.nii.gz")[0])
    lines = [
        f"Machine: {machine()}",
        "",
        f"Software: {versions('surgical-sim2real', 'drjit', 'itk-rtk', 'nanodrr', 'torch')}",
        "",
        f"Median of {TURNS} turns in ms a 620 × 480 image, and the ratio to itk-rtk, for beams at primary angles "
        f"{', '.join(f'{angle:g}°' for angle in VIEWS_DEG)}.",
    ]
    for title, volume in volumes.items():
        lines += ["", f"### {title}", "", *_table(_compare(volume)), "", _memory(volume)]
    return "\n".join(lines)


def _compare(volume: Volume) -> list[Timing]:
    makers = {"SurgicalSim2Real": _ours, "itk-rtk": _rtk, "nanodrr": _nanodrr}
    with tempfile.TemporaryDirectory() as scratch:
        engines = {name: engine for name, maker in makers.items() if (engine := maker(volume)) is not None}
        times = {name: [[] for _ in VIEWS_DEG] for name in engines}
        for column, angle in enumerate(VIEWS_DEG):
            for engine in engines.values():
                engine(angle - TURN_DEG)
            for turn in range(TURNS):
                for name, engine in engines.items():
                    start = time.perf_counter()
                    engine(angle + turn * TURN_DEG)
                    times[name][column].append(1e3 * (time.perf_counter() - start))
        timings = [Timing(name, tuple(map(statistics.median, columns))) for name, columns in times.items()]
        return timings + _plastimatch(volume, Path(scratch))


def _table(timings: list[Timing]) -> list[str]:
    reference = next((timing.median_ms for timing in timings if timing.engine == "itk-rtk"), None)
    rows = ["| engine | " + " | ".join(f"{angle:g}°" for angle in VIEWS_DEG) + " | ratio |", "|---" * 5 + "|"]
    for timing in timings:
        times = " | ".join(f"{ms:.0f}" for ms in timing.median_ms)
        ratio = f"{sum(timing.median_ms) / sum(reference):.2f}" if reference else "–"
        rows.append(f"| {timing.engine} | {times} | {ratio} |")
    return rows


def _phantom_256() -> Volume:
    hu = generate_pelvis(seed=1, spacing_mm=1.4).hu
    cube = np.full((256, 256, 256), -1000, np.int16)
    size = np.minimum(hu.array.shape, 256)
    target = [slice((256 - n) // 2, (256 - n) // 2 + n) for n in size]
    source = [slice((have - n) // 2, (have - n) // 2 + n) for have, n in zip(hu.array.shape, size, strict=True)]
    cube[tuple(target)] = hu.array[tuple(source)]
    return _centered(Volume(cube, hu.ras_from_ijk, "phantom"))


def _centered(volume: Volume) -> Volume:
    """The volume straightened to R, A, S axes and centred on the isocentre, where all engines take it."""
    axes = volume.ras_from_ijk[:3, :3]
    if not np.allclose(np.abs(axes), np.diag(volume.spacing_mm)):
        raise Sim2RealError(f"{volume.name}: the benchmark takes volumes along the patient's axes.")
    array = volume.array[tuple(slice(None, None, -1 if axes[a, a] < 0 else 1) for a in (2, 1, 0))]
    spacing = np.diag([*volume.spacing_mm, 1.0])
    middle = spacing[:3, :3] @ ((np.array(volume.shape_ijk) - 1) / 2)
    return Volume(np.ascontiguousarray(array), translation(-middle) @ spacing, volume.name)


def _ours(volume: Volume) -> Engine:
    backend = open_backend()
    scene = build_scene(backend, [_three_materials(volume)])
    spectrum = upload_spectrum(backend, effective_bins(preset_spectrum("90kV_Al4.0"), scene.materials))
    exposure = Exposure(spectrum, NoiseModel(electronic_kev=200.0))

    def make(primary_deg: float) -> None:
        expose(scene, view_from_pose(DEVICE, _pose(primary_deg)), exposure)

    return make


def _three_materials(volume: Volume) -> MaterialVolume:
    rule = TissueRule(("air", "adipose", "soft_tissue", "cortical_bone"), (-950, -60, 160))
    return MaterialVolume(volume, *classify(volume.array, rules=TissueRules(rule)))


def _memory(volume: Volume) -> str:
    """The most that classifying and packing a volume allocates, as numpy reports it."""
    tracemalloc.start()
    grid = pack_materials(_three_materials(volume))
    peak = tracemalloc.get_traced_memory()[1] / volume.array.size
    tracemalloc.stop()
    kept = (grid.words.nbytes + grid.bricks.nbytes) / volume.array.size
    return (
        f"Memory above the input: {peak:.2f} bytes a voxel at most while packing, {kept:.2f} kept by the packed grid."
    )


def _water_density(volume: Volume) -> np.ndarray:
    """What the line-integral engines project: density relative to water, float32 (S, A, R)."""
    return np.maximum(1 + volume.array.astype(np.float32) / 1000, 0)


def _rtk(volume: Volume) -> Engine | None:
    """RTK's x, y, z are the patient's right, head and back (see Testing/test_rtk.py)."""
    try:
        import itk
        from itk import RTK as rtk  # noqa: N811
    except ImportError:
        return None
    image_type = itk.Image[itk.F, 3]
    image = itk.image_from_array(np.ascontiguousarray(_water_density(volume).transpose(1, 0, 2)[::-1]))
    image.SetSpacing(volume.spacing_mm[[0, 2, 1]].tolist())
    image.SetOrigin((-(np.array(itk.size(image)) - 1) / 2 * np.array(image.GetSpacing())).tolist())
    image.Update()
    blank = rtk.ConstantImageSource[image_type].New()
    blank.SetSize([DEVICE.width_px, DEVICE.height_px, 1])
    blank.SetSpacing([DEVICE.pixel_mm] * 3)
    blank.SetOrigin([-(n - 1) / 2 * DEVICE.pixel_mm for n in (DEVICE.width_px, DEVICE.height_px)] + [0.0])
    blank.SetConstant(0.0)

    def make(primary_deg: float) -> None:
        geometry = rtk.ThreeDCircularProjectionGeometry.New()
        geometry.AddProjection(DEVICE.source_to_isocenter_mm, DEVICE.source_to_detector_mm, primary_deg)
        projector = rtk.JosephForwardProjectionImageFilter[image_type, image_type].New()
        projector.SetInput(0, blank.GetOutput())
        projector.SetInput(1, image)
        projector.SetGeometry(geometry)
        projector.Update()

    return make


def _nanodrr(volume: Volume) -> Engine | None:
    try:
        import torch
        import torchio
        from nanodrr.data import Subject
        from nanodrr.drr import render
    except ImportError:
        return None
    device = "cuda" if open_backend().name == "cuda" else "cpu"
    data = torch.from_numpy(np.ascontiguousarray(volume.array.astype(np.float32).transpose(2, 1, 0)[None]))
    subject = Subject.from_images(torchio.ScalarImage(tensor=data, affine=volume.ras_from_ijk)).to(device)
    samples = max(volume.shape_ijk[:2])

    def make(primary_deg: float) -> None:
        view = view_from_pose(DEVICE, _pose(primary_deg))
        k_inv, rt_inv = (
            torch.as_tensor(np.linalg.inv(matrix)[None], dtype=torch.float32, device=device)
            for matrix in (view.camera.matrix, view.camera_from_ras)
        )
        sdd = torch.tensor([view.source_to_detector_mm], device=device)
        with torch.no_grad():
            render(subject, k_inv, rt_inv, sdd, DEVICE.height_px, DEVICE.width_px, n_samples=samples).cpu()

    return make


def _plastimatch(volume: Volume, scratch: Path) -> list[Timing]:
    """The time that its command prints for making an image, without reading the volume and writing the image.

    It takes no notice of the axes in a file's header: the volume is written along the axes of DICOM.
    """
    program = shutil.which("plastimatch")
    if program is None:
        return []
    along_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*volume.spacing_mm, 1.0])
    along_lps[:3, 3] = volume.ras_from_ijk[:3, 3] * [-1, -1, 1]
    write_volume(scratch / "volume.mha", Volume(np.ascontiguousarray(volume.array[:, ::-1, ::-1]), along_lps))
    columns_rows = f"{DEVICE.width_px} {DEVICE.height_px}"
    extent_mm = f"{DEVICE.width_px * DEVICE.pixel_mm} {DEVICE.height_px * DEVICE.pixel_mm}"
    distances = ["--sad", str(DEVICE.source_to_isocenter_mm), "--sid", str(DEVICE.source_to_detector_mm)]
    options = ["-A", "cpu", "-i", "exact", "-P", "preprocess", "-t", "raw", "-r", columns_rows, "-z", extent_mm]

    def image_ms(primary_deg: float) -> float:
        to_detector_lps = f"{np.sin(np.deg2rad(primary_deg))} {-np.cos(np.deg2rad(primary_deg))} 0"
        place = ["-n", to_detector_lps, "-o", "0 0 0", *distances, "-I", "volume.mha", "-O", "image"]
        output = subprocess.run([program, "drr", *options, *place], cwd=scratch, check=True, capture_output=True).stdout
        total, storing = (
            sum(map(float, re.findall(rf"{name} time: ([0-9.]+)", output.decode()))) for name in ("Total", "I/O")
        )
        if not np.fromfile(scratch / "image0000.raw", np.float32).any():
            raise Sim2RealError("plastimatch made an empty image; its time would mean nothing.")
        return 1e3 * (total - storing)

    turns = range(TURNS)
    return [
        Timing(
            "plastimatch",
            tuple(statistics.median(image_ms(angle + turn * TURN_DEG) for turn in turns) for angle in VIEWS_DEG),
        )
    ]


def _pose(primary_deg: float) -> CArmPose:
    return CArmPose(primary_deg, 0, (0, 0, 0), DEVICE.source_to_detector_mm, DEVICE.source_to_isocenter_mm)
