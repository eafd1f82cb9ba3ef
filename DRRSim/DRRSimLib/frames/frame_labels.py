"""The labels that a frame carries beside its images: landmarks, masks, heat maps, geometry."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from Sim2RealLib.dataset.masks import encode_mask
from Sim2RealLib.geometry import transform_points

from ..acquisition.carm import CArmPose, XrayView


def camera_record(view: XrayView) -> dict[str, Any]:
    return {
        "model": "pinhole",
        "matrix": view.camera.matrix.tolist(),
        "width_px": view.camera.width_px,
        "height_px": view.camera.height_px,
        "camera_from_world": view.camera_from_ras.tolist(),
    }


def pose_record(pose: CArmPose, view: XrayView) -> dict[str, Any]:
    """The C-arm's pose, its angles with DICOM's signs and in words, and the open field in image coordinates."""
    return {
        "primary_deg": pose.primary_deg,
        "secondary_deg": pose.secondary_deg,
        "in_plane_deg": pose.in_plane_deg,
        "angles": pose.words,
        "isocenter_ras": list(pose.isocenter_ras),
        "source_to_detector_mm": pose.source_to_detector_mm,
        "source_to_isocenter_mm": pose.source_to_isocenter_mm,
        "detector_offset_mm": list(pose.detector_offset_mm),
        "open_field_px": list(view.open_field_px),
    }


def landmark_records(
    view: XrayView, landmarks: Mapping[str, np.ndarray], tissue_mm: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Every landmark's place in the image and whether it can be seen there.

    in_field: on the detector. collimated: on the detector, but behind the collimator's blades. behind_source: not in
    front of the focal spot; it has no image. visible: in the field and neither of the others.
    tissue_mm: length of tissue along the ray through each landmark that is in the field.
    """
    return {
        name: point_record(view, position_ras) | {"tissue_mm": tissue_mm.get(name)}
        for name, position_ras in landmarks.items()
    }


def point_record(view: XrayView, position_ras: np.ndarray) -> dict[str, Any]:
    """A point's place in the image, px, and the flags of `landmark_records`."""
    left, top, right, bottom = view.open_field_px
    behind = bool(transform_points(view.camera_from_ras, position_ras)[2] <= 0.0)
    position = None if behind else view.project(position_ras)
    in_field = not behind and bool(view.camera.contains(position))
    collimated = in_field and not (left <= position[0] <= right and top <= position[1] <= bottom)
    return {
        "position_px": None if behind else position.tolist(),
        "visible": in_field and not collimated,
        "in_field": in_field,
        "collimated": collimated,
        "behind_source": behind,
    }


def mask_records(masks: Mapping[int, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Run lengths, box and area of each amodal mask that has a pixel in the image, by class id."""
    return {str(label): encode_mask(mask) for label, mask in masks.items() if mask.any()}


def heatmaps(
    size_px: tuple[int, int], records: Mapping[str, Mapping[str, Any]], sigma_px: float, downsampling: int
) -> np.ndarray:
    """Gaussians of peak 1 at the visible landmarks, float32 (landmarks, H, W); the page of an invisible one is 0.

    size_px: width and height of the image. With downsampling d the map has ⌊H/d⌋ × ⌊W/d⌋ pixels, each standing for
    d × d of the image's; sigma is in pixels of the image.
    """
    width, height = size_px[0] // downsampling, size_px[1] // downsampling
    columns, rows = (np.arange(width) + 0.5) * downsampling, (np.arange(height) + 0.5) * downsampling
    maps = np.zeros((len(records), height, width), np.float32)
    for page, record in zip(maps, records.values(), strict=True):
        if record["visible"]:
            x, y = record["position_px"]
            page[:] = np.exp(-0.5 * ((rows - y) / sigma_px) ** 2)[:, None] * np.exp(
                -0.5 * ((columns - x) / sigma_px) ** 2
            )
    return maps
