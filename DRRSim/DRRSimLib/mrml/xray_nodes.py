"""The X-ray image of a C-arm in the scene: a volume of one slice on its detector, and the outlines of masks over it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from Sim2RealLib.mrml.owned_nodes import own
from Sim2RealLib.mrml.subject_hierarchy import PROVENANCE
from Sim2RealLib.mrml.transforms import to_array
from Sim2RealLib.mrml.volumes import show_image
from Sim2RealLib.simulation import LabelClass

from ..acquisition.detector_plane import ras_from_pixels
from ..fluoroscope import XrayImage
from ..frames.display import Polarity, Window
from ..frames.frame_labels import pose_record
from .film import apply_window

IMAGE, OUTLINES = "DRRSim.Image", "DRRSim.Outlines"
"""Roles of the C-arm's references."""

ON_IMAGE_MM = 1.0

NO_PHOTON = np.float32(30.0)
"""What stands for an infinite −ln(I / I₀), where no photon arrived: e⁻³⁰ is beyond any detector."""


def show_xray(
    carm: "slicer.vtkMRMLLinearTransformNode",
    image: XrayImage,
    window: Window,
    polarity: Polarity,
    provenance: Mapping[str, Any],
) -> "slicer.vtkMRMLScalarVolumeNode":
    """Put an image of −ln(I / I₀) on the C-arm's detector and see it through a window.

    provenance: plain JSON, what was imaged and how; the pose is added.
    """
    node = own(carm, IMAGE, _make_image, "X-ray")
    finite = np.where(np.isfinite(image.attenuation), image.attenuation, NO_PHOTON)
    show_image(node, finite, ras_from_pixels(image.view))
    apply_window(node, window, polarity)
    pose = {"device": image.device.name, **pose_record(image.pose, image.view)}
    node.SetAttribute(PROVENANCE, json.dumps({"carm": pose, **provenance}))
    return node


def show_outlines(
    carm: "slicer.vtkMRMLLinearTransformNode", image: XrayImage, classes: Sequence[LabelClass]
) -> "slicer.vtkMRMLLabelMapVolumeNode":
    """Outlines of the masks, with which the image was taken, in the colours of their classes: a label layer for slice
    views."""
    node = own(carm, OUTLINES, lambda scene, name: _make_outlines(scene, name, classes), "X-ray masks")
    _name_colors(node.GetDisplayNode().GetColorNode(), classes)
    show_image(node, image.outlines, ras_from_pixels(image.view))
    return node


def on_image(node: "slicer.vtkMRMLScalarVolumeNode", point_ras: Sequence[float]) -> bool:
    """Whether a point lies in the plane of an image, to a millimetre: on the detector."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ras_from_ijk = to_array(matrix)
    normal = np.cross(ras_from_ijk[:3, 0], ras_from_ijk[:3, 1])
    return bool(abs(normal @ (np.asarray(point_ras) - ras_from_ijk[:3, 3])) < ON_IMAGE_MM * np.linalg.norm(normal))


def _make_image(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLScalarVolumeNode":
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    return node


def _make_outlines(
    scene: "slicer.vtkMRMLScene", name: str, classes: Sequence[LabelClass]
) -> "slicer.vtkMRMLLabelMapVolumeNode":
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    colors = scene.AddNewNodeByClass("vtkMRMLColorTableNode", f"{name} colors")
    colors.SetTypeToUser()
    _name_colors(colors, classes)
    node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
    return node


def _name_colors(colors: "slicer.vtkMRMLColorTableNode", classes: Sequence[LabelClass]) -> None:
    """Make a table that of the classes, unless it is already."""
    count = 1 + max((entry.id for entry in classes), default=0)
    known = colors.GetNumberOfColors() == count
    if known and all(colors.GetColorName(entry.id) == entry.name for entry in classes):
        return
    modified = colors.StartModify()
    colors.SetNumberOfColors(count)
    colors.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
    for entry in classes:
        colors.SetColor(entry.id, entry.name, *(part / 255.0 for part in entry.color), 1.0)
    colors.EndModify(modified)
