"""Filtered backprojection of a cone beam by RTK (itk-rtk, Apache-2.0): Feldkamp, Davis and Kress 1984, with the ramp
filter of Ramachandran and Lakshminarayanan 1971, and Parker's weights (1982) where a turn is not full.
"""

from typing import Any

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid

from .sweep import Sweep

LPS_AXES = np.diag([-1.0, -1.0, 1.0])
"""Voxel axes of a CT as scanners store it: to the left, backwards, to the head."""

TRUNCATION_CORRECTION = 0.2
"""Share of the detector's width by which rows that end within the patient are led out smoothly (Ohnesorge et al. 2000,
Med. Phys. 27:39). Rows that end in air stay as they are."""


MAX_VOXELS = 2**30


def patient_grid(
    sweep: Sweep, spacing_mm: float | None = None, size_ijk: tuple[int, int, int] | None = None
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A grid along the patient's axes about the middle of the sweep: ras_from_ijk 4×4, and its shape (K, J, I).

    spacing_mm: by default a pixel at the axis. size_ijk: by default what holds all that every view sees.
    """
    half_width_mm, half_height_mm = sweep.half_field_mm
    spacing_mm = spacing_mm or 2.0 * half_width_mm / sweep.views[0].camera.width_px
    if size_ijk is None:
        axis = np.minimum(np.abs(sweep.turn_from_ras[1, :3]), 1.0)
        extent_mm = 2.0 * (sweep.seen_radius_mm * np.sqrt(1.0 - axis**2) + half_height_mm * axis)
        size_ijk = np.maximum(1, np.ceil(extent_mm / spacing_mm)).astype(int).tolist()
    if np.prod(size_ijk, dtype=float) > MAX_VOXELS:
        raise Sim2RealError(f"{' × '.join(map(str, size_ijk))} voxels are too many. Take a larger spacing.")
    axes = spacing_mm * LPS_AXES
    ras_from_ijk = np.eye(4)
    ras_from_ijk[:3, :3] = axes
    ras_from_ijk[:3, 3] = invert_rigid(sweep.turn_from_ras)[:3, 3] - axes @ ((np.array(size_ijk) - 1) / 2.0)
    return ras_from_ijk, tuple(size_ijk[::-1])


def reconstruct(
    sweep: Sweep, lengths_mm: np.ndarray, ras_from_ijk: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """The density whose line integrals are `lengths_mm`, float32 (N, H, W) as the views store it: (K, J, I) float32.

    Sim2RealError where itk-rtk is not installed.
    """
    itk, rtk = _rtk()
    image_type = itk.Image[itk.F, 3]
    geometry = _geometry(itk, rtk, sweep)
    weighted = rtk.ParkerShortScanImageFilter[image_type].New()
    weighted.SetInput(_projections(itk, sweep, lengths_mm))
    weighted.SetGeometry(geometry)
    fdk = rtk.FDKConeBeamReconstructionFilter[image_type].New()
    fdk.SetInput(0, _empty(itk, sweep.turn_from_ras @ ras_from_ijk, shape))
    fdk.SetInput(1, weighted.GetOutput())
    fdk.SetGeometry(geometry)
    fdk.GetRampFilter().SetTruncationCorrection(TRUNCATION_CORRECTION)
    fdk.Update()
    return itk.array_from_image(fdk.GetOutput())


def _rtk() -> tuple[Any, Any]:
    try:
        import itk
        from itk import RTK
    except ImportError as error:
        raise Sim2RealError(
            "Reconstruction needs RTK, which is not installed: pip install itk-rtk (or surgical-sim2real[conebeam])."
        ) from error
    return itk, RTK


def _geometry(itk: Any, rtk: Any, sweep: Sweep) -> Any:
    """Each view by where its source and its detector are. RTK looks from the source: its detector's axes lead to the
    source frame's x and up, against the columns and rows of our image."""
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    for view in sweep.views:
        turn_from_source = sweep.turn_from_ras @ invert_rigid(view.camera_from_ras)
        x, y, z, source = turn_from_source[:3].T
        detector = source + view.source_to_detector_mm * z
        row, column = (itk.Vector[itk.D, 3](axis.tolist()) for axis in (x, -y))
        points = (itk.Point[itk.D, 3](point.tolist()) for point in (source, detector))
        if not geometry.AddProjection(*points, row, column):
            raise Sim2RealError("RTK refuses the geometry of a view.")
    return geometry


def _projections(itk: Any, sweep: Sweep, lengths_mm: np.ndarray) -> Any:
    camera, distance = sweep.views[0].camera, sweep.views[0].source_to_detector_mm
    image = itk.image_from_array(np.ascontiguousarray(lengths_mm[:, ::-1, ::-1], np.float32))
    pixel_mm = distance / np.abs([camera.fx_px, camera.fy_px])
    last = np.array([camera.width_px - 0.5 - camera.cx_px, camera.height_px - 0.5 - camera.cy_px])
    image.SetSpacing([*pixel_mm.tolist(), 1.0])
    image.SetOrigin([*(-last * pixel_mm).tolist(), 0.0])
    return image


def _empty(itk: Any, turn_from_ijk: np.ndarray, shape: tuple[int, int, int]) -> Any:
    image = itk.image_from_array(np.zeros(shape, np.float32))
    spacing = np.linalg.norm(turn_from_ijk[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(turn_from_ijk[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(turn_from_ijk[:3, :3] / spacing)))
    return image
