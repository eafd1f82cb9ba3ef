"""C-arms: devices, poses, and the view that a pose gives.

Angles are DICOM's (PS3.3 C.8.7.5.1.2): the positioner primary angle turns the detector about the patient's long axis,
positive towards the patient's left (LAO); the secondary angle tilts it towards the head (cranial) where positive. At
zero the tube is posterior and the detector anterior of a supine patient. The image is looked at from the detector's
side, head up and the patient's right at its left, as the radiologist facing the patient sees it. That is a mirror image
of what an observer in the source would see, so that fx is negative (see `Sim2RealLib.cameras`).
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, rotation, transform_points
from Sim2RealLib.recipe import strict_dataclass

RIGHT, ANTERIOR, SUPERIOR = np.eye(3)
CENTRAL_RAY = np.array([0.0, 0.0, 1.0])
"""In the source frame."""

MAX_SIDE_PX = 8192
"""More than any flat detector has."""


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"a range runs from low to high, not from {limits[0]:g} to {limits[1]:g}")
    return limits


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
SidePx = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


@strict_dataclass
class CArmDevice:
    """What is built into a C-arm. Ranges are inclusive; distances run from the focal spot along the central ray."""

    name: str
    width_px: SidePx
    height_px: SidePx
    pixel_mm: Annotated[float, Field(ge=1e-3, le=100)]
    source_to_detector_mm: PositiveFloat
    source_to_isocenter_mm: PositiveFloat
    primary_range_deg: Range = (-180.0, 180.0)
    secondary_range_deg: Range = (-90.0, 90.0)

    @model_validator(mode="after")
    def _possible(self) -> "CArmDevice":
        if self.source_to_isocenter_mm >= self.source_to_detector_mm:
            raise ValueError("the isocentre must lie between source and detector")
        return self

    def resized(self, width_px: int) -> "CArmDevice":
        """The same detector with rows of `width_px` square pixels; its height becomes a whole number of them."""
        pixel_mm = self.width_px * self.pixel_mm / width_px
        height_px = max(1, round(self.height_px * self.pixel_mm / pixel_mm))
        return replace(self, width_px=width_px, height_px=height_px, pixel_mm=pixel_mm)


DEVICES = {
    device.name: device
    for device in (
        # Distances, detector and angle limits as in the device description of DeepDRR 1.2.2 (Siemens Cios), there
        # alpha in [−40°, 110°] with RAO positive, beta in [−225°, 225°].
        CArmDevice("siemens_cios_fusion", 1536, 1536, 0.194, 1020.0, 530.0, (-110.0, 40.0), (-225.0, 225.0)),
        CArmDevice("siemens_cios_spin", 1536, 1536, 0.194, 1020.0, 530.0, (-110.0, 40.0), (-225.0, 225.0)),
        # Bier et al. 2018: 615 × 479 pixels, focal length 1948.05 px = 1200 mm / 0.616 mm. The distance of the
        # isocentre is that of DeepDRR 0.1's example camera; the paper does not give it.
        CArmDevice("bier_2018", 615, 479, 0.616, 1200.0, 800.0),
        # Unberath et al. 2018, table of run times: 620 × 480 pixels; distances of DeepDRR 0.1's example camera.
        CArmDevice("unberath_2018", 620, 480, 0.62, 1200.0, 800.0),
    )
}
"""Presets of one C-arm by name."""

BIPLANES = {
    # A floor- and a ceiling-mounted C-arm as in neuro-angiography, of no particular make.
    "generic_biplane": (
        CArmDevice("frontal", 1024, 1024, 0.29, 1200.0, 780.0, (-120.0, 120.0), (-55.0, 55.0)),
        CArmDevice("lateral", 1024, 1024, 0.29, 1250.0, 760.0, (-10.0, 150.0), (-45.0, 45.0)),
    )
}
"""Presets of two C-arms that expose at once, about one isocentre, by name."""


@dataclass(frozen=True)
class CArmPose:
    """Where a C-arm stands for one image.

    isocenter_ras: the point about which it turns and through which the undisplaced central ray passes, mm.
    in_plane_deg: turns the detector about the central ray, clockwise as seen in the image.
    detector_offset_mm: displacement of the detector in its plane, along the image's right and down.
    collimation_mm: width and height, on the detector, of the field that the blades leave open around the central ray;
        None for the whole detector.
    """

    primary_deg: float
    secondary_deg: float
    isocenter_ras: tuple[float, float, float]
    source_to_detector_mm: float
    source_to_isocenter_mm: float
    in_plane_deg: float = 0.0
    detector_offset_mm: tuple[float, float] = (0.0, 0.0)
    collimation_mm: tuple[float, float] | None = None

    @property
    def words(self) -> str:
        """The angles as they are spoken in the room, such as ``LAO 30.0° CRAN 10.0°``."""
        primary = f"{'LAO' if self.primary_deg >= 0 else 'RAO'} {abs(self.primary_deg):.1f}°"
        return f"{primary} {'CRAN' if self.secondary_deg >= 0 else 'CAUD'} {abs(self.secondary_deg):.1f}°"


@dataclass(frozen=True, eq=False)
class XrayView:
    """One exposure's geometry: what the projector needs and what a frame's labels are computed with.

    camera_from_ras: rigid 4×4 into the source frame (z towards the detector).
    open_field_px: left, top, right, bottom of the field that the collimator leaves open, in image coordinates.
    """

    camera: PinholeCamera
    camera_from_ras: np.ndarray
    source_to_detector_mm: float
    open_field_px: tuple[float, float, float, float]

    def project(self, points_ras: np.ndarray) -> np.ndarray:
        """Image positions (..., 2) of RAS points (..., 3); NaN for points behind the source."""
        return self.camera.project(transform_points(self.camera_from_ras, points_ras))


def limit_problems(device: CArmDevice, pose: CArmPose) -> list[str]:
    """What of `pose` the device cannot do, one sentence each; empty where all is in range."""
    problems = []
    for name in ("primary", "secondary"):
        angle, (low, high) = getattr(pose, f"{name}_deg"), getattr(device, f"{name}_range_deg")
        if not low <= angle <= high:
            problems.append(f"{name} angle {angle:.2f}° is outside {low:g}° to {high:g}° of {device.name}")
    if not 0.0 < pose.source_to_isocenter_mm < pose.source_to_detector_mm:
        problems.append(
            f"the isocentre, {pose.source_to_isocenter_mm:g} mm from the source, does not lie between it and the "
            f"detector at {pose.source_to_detector_mm:g} mm"
        )
    return problems


def clamp_angles(device: CArmDevice, pose: CArmPose) -> CArmPose:
    """The nearest pose with angles that the device can reach."""
    return replace(
        pose,
        primary_deg=float(np.clip(pose.primary_deg, *device.primary_range_deg)),
        secondary_deg=float(np.clip(pose.secondary_deg, *device.secondary_range_deg)),
    )


def source_from_pose(pose: CArmPose) -> np.ndarray:
    """The source frame of a pose in RAS: rigid 4×4, ras_from_source (x right, y down, z towards the detector)."""
    # Seen from the front, a positive primary angle turns anterior towards the patient's left, that is −right.
    turned = rotation(SUPERIOR, pose.primary_deg) @ rotation(RIGHT, pose.secondary_deg)
    straight = np.eye(4)
    straight[:3, :3] = turned[:3, :3] @ np.stack([RIGHT, -SUPERIOR, ANTERIOR], axis=1)
    # The image is mirrored: clockwise in it is counter-clockwise in the source frame.
    ras_from_source = straight @ rotation(CENTRAL_RAY, pose.in_plane_deg)
    ras_from_source[:3, 3] = np.array(pose.isocenter_ras) - pose.source_to_isocenter_mm * ras_from_source[:3, 2]
    return ras_from_source


def view_from_pose(device: CArmDevice, pose: CArmPose) -> XrayView:
    """The view of a device in a pose; Sim2RealError if the device cannot reach it."""
    problems = limit_problems(device, pose)
    if problems:
        raise Sim2RealError(
            f"This pose cannot be taken: {'; '.join(problems)}. Change it, or allow clamping (views.on_limit: clamp)."
        )
    focal_px = pose.source_to_detector_mm / device.pixel_mm
    center = np.array([device.width_px, device.height_px]) / 2 - np.array(pose.detector_offset_mm) / device.pixel_mm
    camera = PinholeCamera(-focal_px, focal_px, *center.tolist(), device.width_px, device.height_px)
    camera_from_ras = invert_rigid(source_from_pose(pose))
    return XrayView(camera, camera_from_ras, pose.source_to_detector_mm, _open_field(device, pose, center))


def _open_field(device: CArmDevice, pose: CArmPose, center_px: np.ndarray) -> tuple[float, float, float, float]:
    size = np.array([device.width_px, device.height_px], float)
    if pose.collimation_mm is None:
        return (0.0, 0.0, *size.tolist())
    half = np.array(pose.collimation_mm) / (2 * device.pixel_mm)
    return (*np.maximum(center_px - half, 0.0).tolist(), *np.minimum(center_px + half, size).tolist())
