"""The projector against an independent one: the Joseph projector of RTK (itk-rtk, Apache-2.0)."""

import numpy as np
import pytest

from DRRSimLib.projection.projector import areal_densities
from DRRSimLib.projection.rays import pixel_rays
from xray_scenes import DEVICE, centered, material_volume, positions_ras, scene, view

itk = pytest.importorskip("itk", reason="itk-rtk is not installed; `make test` installs it")


def rtk_line_integrals(density: np.ndarray, spacing_mm: float, primary_deg: float) -> np.ndarray:
    """∫ density dl in mm by RTK, (H, W) as our camera stores it. density: (S, A, R), centred on the isocentre.

    RTK's gantry turns about y, with the source at +z for angle 0: its x, y, z are R, S, P. Its detector rows run
    towards S and its columns towards R, both against ours.
    """
    from itk import RTK as rtk  # noqa: N811

    image_type = itk.Image[itk.F, 3]
    volume = itk.image_from_array(np.ascontiguousarray(density.transpose(1, 0, 2)[::-1], np.float32))
    volume.SetSpacing([spacing_mm] * 3)
    volume.SetOrigin([-(n - 1) / 2 * spacing_mm for n in volume.GetLargestPossibleRegion().GetSize()])
    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    geometry.AddProjection(DEVICE.source_to_isocenter_mm, DEVICE.source_to_detector_mm, primary_deg)
    blank = rtk.ConstantImageSource[image_type].New()
    blank.SetSize([DEVICE.width_px, DEVICE.height_px, 1])
    blank.SetSpacing([DEVICE.pixel_mm] * 3)
    blank.SetOrigin([-(n - 1) / 2 * DEVICE.pixel_mm for n in (DEVICE.width_px, DEVICE.height_px)] + [0.0])
    blank.SetConstant(0.0)
    projector = rtk.JosephForwardProjectionImageFilter[image_type, image_type].New()
    projector.SetInput(0, blank.GetOutput())
    projector.SetInput(1, volume)
    projector.SetGeometry(geometry)
    projector.Update()
    return itk.array_from_image(projector.GetOutput())[0, ::-1, ::-1]


@pytest.mark.parametrize("primary_deg", [0.0, 33.0, -75.0])
def test_a_smooth_phantom_agrees_with_rtk(primary_deg):
    """Both step along the dominant axis with bilinear samples; what differs is 16-bit packing and float32 against
    double. The bound of half a per cent is the issue's, a hundredth of what a shift by half a voxel would make."""
    spacing_mm, size = 2.0, 64
    affine = centered((size,) * 3, np.diag([spacing_mm] * 3 + [1.0]))
    positions = positions_ras(material_volume(np.zeros((size,) * 3), affine).hu)
    density = sum(
        weight * np.exp(-0.5 * (np.linalg.norm(positions - center, axis=-1) / sigma) ** 2)
        for weight, center, sigma in ((0.5, [8, 4, -6], 18), (0.4, [-15, 10, 12], 9), (0.3, [5, -20, 10], 7))
    )
    hu = np.rint(np.interp(density, [0.001205, 0.93], [-1000, -98])).astype(np.int16)
    built = scene(material_volume(hu > -1000, affine, ("air", "water"), hu))
    one_view = view(primary_deg)
    ours = areal_densities(built, one_view, *pixel_rays(built.backend.arrays, one_view.camera))[0].numpy() * 10
    theirs = rtk_line_integrals(
        np.where(hu > -1000, np.interp(hu, [-1000, -98], [0.001205, 0.93]), 0), 2.0, primary_deg
    )
    difference = ours.reshape(theirs.shape) - theirs
    assert np.sqrt(np.mean(difference**2)) <= 0.005 * np.sqrt(np.mean(theirs**2))
    assert theirs.max() > 10
