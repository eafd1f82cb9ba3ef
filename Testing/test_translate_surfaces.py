"""Surfaces of segments that Translate makes off the main thread, beside those of Slicer's own conversion."""

import dataclasses

import numpy as np
import pytest

from laparoscopy_scenes import BALLS, abdomen_labels
from Sim2RealLib.geometry import rotation, translation

TILTED = translation([30.0, -20.0, 10.0]) @ rotation(np.array([0.6, 0.0, 0.8]), 25.0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_surfaces_are_those_that_slicer_makes(slicer_scene, mirrored):
    from Sim2RealLib.mrml.segmentations import make_segmentation
    from TranslateLib.logic import set_up

    labels = abdomen_labels()
    grid = TILTED @ labels.ras_from_ijk @ np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0, 1.0])
    ours, slicers = (
        make_segmentation(slicer_scene, dataclasses.replace(labels, ras_from_ijk=grid), tuple(BALLS), "Abdomen")
        for _ in range(2)
    )
    set_up(ours)
    slicers.CreateClosedSurfaceRepresentation()
    for entry in BALLS:
        made, expected = (node.GetClosedSurfaceInternalRepresentation(entry.name) for node in (ours, slicers))
        assert made.GetBounds() == pytest.approx(expected.GetBounds(), abs=1e-3)
        assert volume_inside(made) == pytest.approx(abs(volume_inside(expected)), rel=1e-5)


def volume_inside(surface):
    """In mm³, of triangles that are counter-clockwise as seen from outside (the divergence theorem)."""
    from vtk.util.numpy_support import vtk_to_numpy

    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    corners = points[vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)
