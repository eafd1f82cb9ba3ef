"""An endoscope in the scene: one linear transform, camera frame to RAS, and under it the models of its parts.

The transform is the endoscope: where it is moved, by handles, by another transform above it or from Python, the camera
stands there.
"""

import json
from collections.abc import Iterable, Mapping

import numpy as np
import slicer
import vtk

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mrml.models import make_model, to_poly_data
from Sim2RealLib.mrml.owned_nodes import adopt, discard, owned
from Sim2RealLib.mrml.subject_hierarchy import file_under
from Sim2RealLib.mrml.transforms import matrix_of, set_matrix, world_from_node

from ..endoscope.shapes import (
    beams_mesh,
    capsule_mesh,
    field_of_view_mesh,
    lens_mesh,
    lights_mesh,
    shaft_mesh,
    tip_mesh,
)
from ..recipe import Tip

TIP, PART = "DepthSim.Endoscope", "DepthSim.Part"
"""Attributes: of the transform the recipe's `endoscope` as JSON; of a model the part that it shows."""

LOOKS = {
    "tip": ((0.72, 0.74, 0.77), 1.0),
    "shaft": ((0.13, 0.13, 0.15), 1.0),
    "lens": ((0.10, 0.20, 0.40), 1.0),
    "lights": ((1.00, 0.96, 0.75), 1.0),
    "field of view": ((0.30, 0.75, 1.00), 0.13),
    "beams": ((1.00, 0.88, 0.45), 0.13),
}
"""Colour and opacity of the parts."""

BODY, FIELD, BEAMS = ("tip", "shaft", "lens", "lights"), ("field of view",), ("beams",)
"""Parts that are shown and hidden together."""

FIELD_MM, BEAM_MM = 25.0, 9.0
"""How far the field of view and the beams are drawn."""

CAPSULES = ("pillcam_colon2",)
"""Devices that are no colonoscopes, and have no shaft."""

FEATURE_ANGLE_DEG = 40.0
"""Sharper edges than this stay edges when surfaces are shaded smoothly."""

RIGIDITY = 1e-3
"""Largest error of a rotation matrix; what handles and files leave of it is taken out."""


def make_endoscope(
    scene: "slicer.vtkMRMLScene", tip: Tip, surfaces: Mapping[str, vtk.vtkPolyData] | None = None
) -> "slicer.vtkMRMLLinearTransformNode":
    """A new endoscope at the world's origin, with its models and with handles that move and turn it about its lens.

    surfaces: as `tip_surfaces` gives them, by default made here.
    """
    remove_orphans(scene)
    endoscope = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", scene.GenerateUniqueName("Endoscope"))
    endoscope.CreateDefaultDisplayNodes()
    display = endoscope.GetDisplayNode()
    display.SetEditorScalingEnabled(False)
    display.SetEditorSliceIntersectionVisibility(False)
    display.SetEditorVisibility(True)
    file_under(scene, endoscope.GetName(), endoscope, provenance={"endoscope": tip.model_dump(mode="json")})
    _show(endoscope, tip, surfaces or tip_surfaces(tip))
    return endoscope


def is_endoscope(node: "slicer.vtkMRMLNode | None") -> bool:
    """Whether a node is the transform of an endoscope."""
    return node is not None and node.IsA("vtkMRMLLinearTransformNode") and node.GetAttribute(TIP) is not None


def tip_of(endoscope: "slicer.vtkMRMLLinearTransformNode") -> Tip:
    """The recipe's `endoscope`. Sim2RealError if the transform is not that of an endoscope."""
    try:
        return Tip.model_validate(json.loads(endoscope.GetAttribute(TIP) or ""))
    except ValueError as error:  # pydantic's and JSON's are both
        raise Sim2RealError(f"{endoscope.GetName()} is no endoscope; make one, or choose another transform.") from error


def set_tip(endoscope: "slicer.vtkMRMLLinearTransformNode", tip: Tip) -> None:
    """Make it another endoscope, at the same place. Models that were deleted are made again.

    Sim2RealError for a calibration that cannot be read.
    """
    _show(endoscope, tip, tip_surfaces(tip))


def tip_surfaces(tip: Tip) -> dict[str, vtk.vtkPolyData]:
    """The surfaces of an endoscope's parts, by part; on any thread. Sim2RealError as for `set_tip`."""
    built = tip.built()
    meshes = {
        "tip": tip_mesh(),
        "shaft": shaft_mesh(),
        "lens": lens_mesh(),
        "lights": lights_mesh(built.lights),
        "field of view": field_of_view_mesh(built, FIELD_MM),
        "beams": beams_mesh(built.lights, BEAM_MM),
    }
    if tip.device in CAPSULES:
        meshes["tip"] = capsule_mesh()
        del meshes["shaft"]
    return {part: _smooth(mesh) for part, mesh in meshes.items()}


def _show(endoscope: "slicer.vtkMRMLLinearTransformNode", tip: Tip, surfaces: Mapping[str, vtk.vtkPolyData]) -> None:
    endoscope.SetAttribute(TIP, tip.model_dump_json())
    for part in LOOKS:
        model = parts_of(endoscope).get(part)
        if part not in surfaces:
            if model is not None:
                discard(model)
            continue
        if model is None:
            model = _make_part(endoscope, part, surfaces[part])
        model.SetAndObservePolyData(surfaces[part])


def parts_of(endoscope: "slicer.vtkMRMLLinearTransformNode") -> "dict[str, slicer.vtkMRMLModelNode]":
    """The models of an endoscope by part, those that are there."""
    found = {part: owned(endoscope, f"DepthSim.{part}") for part in LOOKS}
    return {part: model for part, model in found.items() if model is not None}


def pose_of(endoscope: "slicer.vtkMRMLTransformNode") -> np.ndarray:
    """ras_from_camera, rigid 4×4, of any linear transform. Sim2RealError for one that scales, shears or mirrors."""
    matrix = world_from_node(endoscope) @ matrix_of(endoscope)
    left, _, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right
    if np.abs(turn - matrix[:3, :3]).max() > RIGIDITY or np.linalg.det(turn) < 0.0:
        raise Sim2RealError(
            f"{endoscope.GetName()} does not only move and turn the endoscope, together with the transforms above it: "
            "it scales, shears or mirrors. Reset it, or take it out from under the other transform."
        )
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, matrix[:3, 3]
    return pose


def place(endoscope: "slicer.vtkMRMLTransformNode", ras_from_camera: np.ndarray) -> None:
    """Put an endoscope to a pose in the world, whatever transforms lie above it."""
    set_matrix(endoscope, np.linalg.inv(world_from_node(endoscope)) @ ras_from_camera)


def show_parts(endoscope: "slicer.vtkMRMLLinearTransformNode", parts: Iterable[str], shown: bool) -> None:
    """Show or hide models; see BODY, FIELD and BEAMS."""
    models = parts_of(endoscope)
    for part in parts:
        if part in models:
            models[part].GetDisplayNode().SetVisibility(shown)


def show_handles(endoscope: "slicer.vtkMRMLLinearTransformNode", shown: bool) -> None:
    """Show or hide the handles in the 3D views."""
    endoscope.GetDisplayNode().SetEditorVisibility(shown)


def remove_orphans(scene: "slicer.vtkMRMLScene") -> None:
    """Remove models whose endoscope was deleted."""
    models = scene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    for model in [models.GetItemAsObject(number) for number in range(models.GetNumberOfItems())]:
        if model.GetAttribute(PART) is not None and not is_endoscope(model.GetParentTransformNode()):
            discard(model)


def _make_part(
    endoscope: "slicer.vtkMRMLLinearTransformNode", part: str, surface: vtk.vtkPolyData
) -> "slicer.vtkMRMLModelNode":
    model = make_model(endoscope.GetScene(), surface, f"{endoscope.GetName()} {part}", *LOOKS[part])
    model.SetAttribute(PART, part)
    model.SetSelectable(False)  # points are placed on what lies behind
    model.SetAndObserveTransformNodeID(endoscope.GetID())
    display = model.GetDisplayNode()
    display.SetBackfaceCulling(False)
    if part in ("lights", *FIELD, *BEAMS):  # they shine, no light falls on them
        display.SetLighting(False)
    adopt(endoscope, f"DepthSim.{part}", model)
    return model


def _smooth(mesh: TriangleMesh) -> vtk.vtkPolyData:
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(to_poly_data(mesh))
    normals.SetFeatureAngle(FEATURE_ANGLE_DEG)
    normals.Update()
    return normals.GetOutput()
