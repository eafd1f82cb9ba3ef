"""Single images of a patient, one pose after the other: what a live view shows."""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from Sim2RealLib.job import Done

from .acquisition.carm import CArmDevice, CArmPose, XrayView, view_from_pose
from .frames.display import log_attenuation
from .frames.outlines import outlines
from .projection.label_projector import project_labels
from .projection.radiograph import Exposure, expose
from .recipe import Noise, Physics, Scatter
from .scatter.monte_carlo_scatter import SMOOTHED_HISTORIES
from .scatter.scatter_image import KnownScatter
from .scene import Patient, exposure_of

PREVIEW_PX = 256
"""Width of the image that follows the hand."""
PREVIEW_PHOTONS = 20_000
"""Followed for the scatter of that image."""
REST_MS = 80
"""How long the hand must rest for the full image."""


@dataclass(frozen=True, eq=False)
class XrayImage:
    """One image: with what and from where it was taken, −ln(I / I₀) as float32 (H, W), and the outlines of the labels'
    masks, if they were asked for: label ids, uint16 (H, W)."""

    device: CArmDevice
    pose: CArmPose
    view: XrayView
    attenuation: np.ndarray
    outlines: np.ndarray | None


class Fluoroscope:
    """Takes images of one patient, on the thread that calls it."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self._exposures: dict[tuple[Physics, int], Exposure] = {}

    def image(
        self, device: CArmDevice, pose: CArmPose, physics: Physics, with_masks: bool = False, seed: int = 0
    ) -> XrayImage:
        """The image of a pose with the noise that `physics` asks for. Sim2RealError if the device cannot reach it.

        physics: its `materials` are those that the patient was made with.
        """
        return self._taken(device, pose, self._exposure(physics, seed), with_masks)

    def image_steps(
        self, device: CArmDevice, pose: CArmPose, physics: Physics, with_masks: bool = False, seed: int = 0
    ) -> Generator[Done, None, XrayImage]:
        """`image` with scatter by Monte Carlo, which takes a minute, step by step."""
        exposure = self._exposure(physics, seed)
        scatter = yield from exposure.scatter.image_steps(view_from_pose(device, pose), 0)
        return self._taken(device, pose, replace(exposure, scatter=KnownScatter(scatter)), with_masks)

    def _taken(self, device: CArmDevice, pose: CArmPose, exposure: Exposure, with_masks: bool) -> XrayImage:
        view = view_from_pose(device, pose)
        intensity = expose(self.patient.scene, view, exposure)
        drawn = None
        if with_masks and self.patient.labels is not None:
            drawn = outlines(project_labels(self.patient.labels, view).masks, intensity.shape)
        return XrayImage(device, pose, view, log_attenuation(intensity, exposure.spectrum.open_beam_kev), drawn)

    def preview(
        self, device: CArmDevice, pose: CArmPose, physics: Physics, width_px: int, with_masks: bool = False
    ) -> XrayImage:
        """The same field in `width_px` pixels a row, without noise, from a point source, with few scattered photons."""
        beam = replace(physics.beam, focal_spot=None)
        clean = with_quick_scatter(physics, PREVIEW_PHOTONS).model_copy(
            update={"noise": Noise(photons_per_pixel=None), "beam": beam}
        )
        small = device.resized(width_px) if width_px < device.width_px else device
        return self.image(small, pose, clean, with_masks)

    def _exposure(self, physics: Physics, seed: int) -> Exposure:
        if (physics, seed) not in self._exposures:
            self._exposures[physics, seed] = exposure_of(physics, self.patient.scene, seed)
        return self._exposures[physics, seed]


def with_quick_scatter(physics: Physics, photons: int = SMOOTHED_HISTORIES) -> Physics:
    """Scatter by Monte Carlo smoothed, and by no more than so many photons: within a second, not minutes."""
    section = physics.scatter
    if section.estimator in ("none", "network"):
        return physics
    photons = min(section.histories or photons, photons)
    quick = Scatter(estimator="smoothed_monte_carlo", histories=photons, voxel_mm=section.voxel_mm)
    return physics.model_copy(update={"scatter": quick})
