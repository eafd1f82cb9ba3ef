"""What an endoscope's pictures give, in its folder of the scene: made once, and filled anew with every picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import slicer
from pydantic_core import to_jsonable_python

from Sim2RealLib.cameras import Camera
from Sim2RealLib.mrml.owned_nodes import discard, own, owned
from Sim2RealLib.mrml.subject_hierarchy import PROVENANCE
from Sim2RealLib.simulation import LabelClass

from ..depth.comparison import Comparison
from ..depth.surface import surface_patch
from ..endoscopy import Sight
from . import picture_nodes as pictures
from .surface_nodes import make_surface, show_surface

PREVIEW, PICTURE = "DepthSim.view", "DepthSim.picture"
DEPTH, NORMALS, LABELS = "DepthSim.depth", "DepthSim.normals", "DepthSim.labels"
SURFACE, PREDICTED_SURFACE, ERROR = "DepthSim.surface", "DepthSim.predicted surface", "DepthSim.depth error"
"""Roles of the endoscope's nodes, which are named after them."""

_CLASSES = "DepthSim.Classes"


def show_preview(endoscope: Any, picture: np.ndarray, camera: Camera, ras_from_camera: np.ndarray) -> Any:
    """The live first-person view."""
    node = own(endoscope, PREVIEW, pictures.make_picture)
    pictures.show_picture(node, picture, camera, ras_from_camera)
    return node


def show_picture(endoscope: Any, picture: np.ndarray, sight: Sight) -> Any:
    """A rendered picture, finished or on the way there, uint8 (H, W, 3) or (H, W)."""
    node = own(endoscope, PICTURE, pictures.make_picture)
    pictures.show_picture(node, picture, sight.endoscope.camera, sight.ras_from_camera)
    _keep(sight.provenance, node)
    return node


def show_truth(endoscope: Any, sight: Sight) -> tuple[Any, Any, Any]:
    """Depth, normals and labels, of the same pixels as the picture."""
    depth = own(endoscope, DEPTH, lambda scene, name: pictures.make_map(scene, name, pictures.DEPTH_COLORS))
    normals = own(endoscope, NORMALS, pictures.make_normals)
    labels = _own_labels(endoscope, sight.classes)
    place = sight.endoscope.camera, sight.ras_from_camera
    pictures.show_depth(depth, sight.truth.depth_mm, *place)
    pictures.show_normals(normals, sight.truth.normals, *place)
    pictures.show_labels(labels, sight.truth.labels, *place)
    _keep(sight.provenance, depth, normals, labels)
    return depth, normals, labels


def show_true_surface(endoscope: Any, sight: Sight) -> "slicer.vtkMRMLModelNode":
    """The surface that the picture shows, coloured by depth."""
    depth = sight.truth.depth_mm
    patch = surface_patch(depth, sight.rays, sight.ras_from_camera)
    node = own(endoscope, SURFACE, lambda scene, name: make_surface(scene, patch, name, pictures.DEPTH_COLORS))
    show_surface(node, patch, depth, (0.0, float(np.nanmax(depth))))
    _keep(sight.provenance, node)
    return node


def show_prediction(endoscope: Any, sight: Sight, predictor: str, found: Comparison) -> tuple[Any, Any]:
    """The predicted surface in the colours of its error, and the error as a map of the picture's pixels; both keep the
    predictor's name and the figures in their provenance."""
    largest = pictures.error_range_mm(found.error_mm)
    patch = surface_patch(found.predicted.depth_mm, sight.rays, sight.ras_from_camera)
    surface = own(
        endoscope, PREDICTED_SURFACE, lambda scene, name: make_surface(scene, patch, name, pictures.ERROR_COLORS)
    )
    show_surface(surface, patch, found.error_mm, (-largest, largest))
    error = own(endoscope, ERROR, lambda scene, name: pictures.make_map(scene, name, pictures.ERROR_COLORS))
    pictures.show_error(error, found.error_mm, sight.endoscope.camera, sight.ras_from_camera)
    _keep({**sight.provenance, "prediction": {"by": predictor, **asdict(found.figures)}}, surface, error)
    return surface, error


def _own_labels(endoscope: Any, classes: Sequence[LabelClass]) -> Any:
    """The label map, with a table of colours that names the classes; made anew for other classes."""
    text = json.dumps(to_jsonable_python(list(classes)))
    node = owned(endoscope, LABELS)
    if node is not None and node.GetAttribute(_CLASSES) != text:
        for old in (node.GetDisplayNode().GetColorNode(), node):
            discard(old)
    node = own(endoscope, LABELS, lambda scene, name: pictures.make_labels(scene, name, classes))
    node.SetAttribute(_CLASSES, text)
    return node


def _keep(provenance: Mapping[str, Any], *nodes: Any) -> None:
    text = json.dumps(provenance, ensure_ascii=False, allow_nan=False)
    for node in nodes:
        node.SetAttribute(PROVENANCE, text)
