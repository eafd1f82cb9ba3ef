"""`sim2real bench scatter`: how long a scatter image takes by Monte Carlo, and how close the smoothed one comes.

Photons are followed in portions until the mean over the pixels of standard error over value is 5 %. What is smoothed is
compared with all of these photons, and with another twenty seeds.
"""

import time
from pathlib import Path

import numpy as np

from DRRSimLib.acquisition.carm import CArmPose, view_from_pose
from DRRSimLib.anatomy import load_anatomy
from DRRSimLib.physics.spectra import preset_spectrum
from DRRSimLib.recipe import CArm, Input, Materials
from DRRSimLib.scatter.monte_carlo_scatter import HARDENED_BY_MM, SMOOTHED_HISTORIES, MonteCarloScatter
from DRRSimLib.scatter.noise_power import noise_power
from DRRSimLib.scene import build_patient, transport_scene
from DRRSimLib.transport.monte_carlo import MonteCarloSettings, photon_source, scatter_images
from Sim2RealLib.body import body_center_ras
from Sim2RealLib.engine import open_backend

from .machine import machine, versions

PIXELS, ASKED_ERROR = 128, 0.05
PORTION = 2**20
SPECTRUM, VOXEL_MM, DEVICE = "90kV_Al4.0", 5.0, "unberath_2018"
VIEWS = {"AP": (0.0, 0.0), "LAO 30°, cranial 20°": (30.0, 20.0)}
SEEDS = 20
PAPER_HISTORIES_A_S = 7e5
"""10¹⁰ photons in about 4 hours by MC-GPU on a Titan Xp (Unberath et al. 2018)."""


def run(data: Path | None) -> str:
    """The report as Markdown."""
    backend = open_backend()
    section = Input() if data is None else Input(volume=data / "pelvis" / "ct.nii.gz")
    name = "generated pelvis, 1 mm" if data is None else "real pelvis, 512 × 512 × 140"
    anatomy = load_anatomy(section)
    patient = build_patient(anatomy, Materials(), backend)
    start = time.perf_counter()
    scene = transport_scene(patient.scene, VOXEL_MM)
    prepared_s = time.perf_counter() - start
    source = photon_source(backend, preset_spectrum(SPECTRUM), behind_mm=HARDENED_BY_MM)
    (device,) = CArm(device=DEVICE).planes()
    middle = tuple(body_center_ras(anatomy.hu).tolist())
    rows = []
    for words, (primary, secondary) in VIEWS.items():
        pose = CArmPose(primary, secondary, middle, device.source_to_detector_mm, device.source_to_isocenter_mm)
        view = view_from_pose(device, pose)
        seconds, histories, reference = _until_precise(scene, view, source)
        smoothed_s, errors = _smoothed(scene, view, source, reference)
        rows.append(
            f"| {words} | {seconds:.1f} s | {histories / 1e6:.1f} | {histories / seconds / 1e6:.2f} million "
            f"| {smoothed_s:.2f} s | {100 * np.mean(errors):.2f} % ({100 * np.max(errors):.2f} %) "
            f"| {100 * np.sqrt(np.mean(errors)):.1f} % |"
        )
    return "\n".join(
        [
            f"Machine: {machine()}, backend {backend.name}",
            "",
            f"Software: {versions('surgical-sim2real', 'drjit')}",
            "",
            f"{name}, {SPECTRUM}, {PIXELS} × {PIXELS} pixels, voxels of {VOXEL_MM:g} mm, which took {prepared_s:.1f} s "
            "to merge. "
            f"The MC-GPU of Unberath et al. 2018 followed about {PAPER_HISTORIES_A_S / 1e6:g} million a second on a "
            "Titan Xp.",
            "",
            "| view | time to 5 % mean pixel error (asked: 30 s) | million photons | photons a second "
            f"| smoothed, {SMOOTHED_HISTORIES:,} photons (asked: 2 s) | its NMSE, mean of {SEEDS} (worst); asked: 5 % "
            "| its RMS error |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _until_precise(scene, view, source) -> tuple[float, int, np.ndarray]:
    """Seconds and photons until the asked error, and the image (PIXELS, PIXELS)."""
    warm = MonteCarloSettings(PIXELS, PIXELS, PORTION // 16, 1)
    scatter_images(scene, view, source, warm)
    parts, histories, start = [], 0, time.perf_counter()
    while True:
        settings = MonteCarloSettings(PIXELS, PIXELS, PORTION, 4, seed=len(parts))
        images = scatter_images(scene, view, source, settings)
        parts.extend(images.signal.sum(axis=1))
        histories += images.histories
        mean, error = np.mean(parts, axis=0), np.std(parts, axis=0, ddof=1) / np.sqrt(len(parts))
        if len(parts) >= 16 and np.mean(error / mean) <= ASKED_ERROR:
            return time.perf_counter() - start, histories, mean


def _smoothed(scene, view, source, reference: np.ndarray) -> tuple[float, np.ndarray]:
    """Median seconds, and Σ (S − S₀)² / Σ S₀² of each seed, without what the reference's own noise adds to it."""
    seconds, errors = [], []
    rows, columns = view.camera.height_px, view.camera.width_px
    at = [((np.arange(PIXELS) + 0.5) / PIXELS * n).astype(int) for n in (rows, columns)]
    noise = noise_power(reference)
    for seed in range(SEEDS):
        estimator = MonteCarloScatter(scene, source, SMOOTHED_HISTORIES, smoothed=True, seed=seed)
        start = time.perf_counter()
        image = estimator.image(view, 0).signal
        seconds.append(time.perf_counter() - start)
        difference = image[np.ix_(*at)] - reference
        errors.append((np.mean(difference**2) - noise) / np.mean(reference**2))
    return float(np.median(seconds)), np.array(errors)
