"""A C-arm in the scene: one linear transform, source frame to RAS, and under it the models of its parts.

The transform is the C-arm: where it is moved, by handles, by another transform above it or from Python, the C-arm
stands there. It carries its device and, since a matrix does not tell 180° from −180°, the angles it was last put to.
"""

import json

import numpy as np
import slicer
from pydantic import TypeAdapter, ValidationError

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mrml.models import make_model
from Sim2RealLib.mrml.owned_nodes import adopt, discard, owned
from Sim2RealLib.mrml.subject_hierarchy import file_under
from Sim2RealLib.mrml.transforms import matrix_of, set_matrix, world_from_node

from ..acquisition.carm import CArmDevice, CArmPose, source_from_pose
from ..acquisition.carm_model import beam_surface, carm_surfaces
from ..acquisition.pose_of_source import pose_from_source
from .surfaces import smooth_poly_data

DEVICE, ANGLES, PART = "DRRSim.Device", "DRRSim.Angles", "DRRSim.Part"
"""Attributes: of the transform its device and its angles, JSON; of a model the part that it shows."""

LOOKS = {
    "gantry": ((0.93, 0.94, 0.95), 1.0),
    "tube": ((0.86, 0.88, 0.90), 1.0),
    "collimator": ((0.35, 0.38, 0.42), 1.0),
    "detector": ((0.30, 0.45, 0.60), 0.35),
    "beam": ((1.00, 0.85, 0.30), 0.15),
}
"""Colour and opacity of the parts; the X-ray is seen through the detector."""

_DEVICE = TypeAdapter(CArmDevice)
_TRIPLE = TypeAdapter(tuple[float, float, float])


def make_carm(scene: "slicer.vtkMRMLScene", device: CArmDevice, pose: CArmPose) -> "slicer.vtkMRMLLinearTransformNode":
    """A new C-arm in a pose, with its models, and handles that move and turn it about its isocentre."""
    remove_orphans(scene)
    carm = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", scene.GenerateUniqueName("C-arm"))
    file_under(scene, carm.GetName(), carm, provenance={"device": device.name})
    carm.CreateDefaultDisplayNodes()
    display = carm.GetDisplayNode()
    display.SetEditorScalingEnabled(False)
    display.SetEditorSliceIntersectionVisibility(False)
    place(carm, pose)
    set_device(carm, device)
    show_handles(carm, True)
    return carm


def is_carm(node: "slicer.vtkMRMLNode | None") -> bool:
    """Whether a node is the transform of a C-arm."""
    return node is not None and node.IsA("vtkMRMLLinearTransformNode") and node.GetAttribute(DEVICE) is not None


def device_of(carm: "slicer.vtkMRMLLinearTransformNode") -> CArmDevice:
    """The device with the distances it is set to. Sim2RealError if the transform is not that of a C-arm."""
    try:
        return _DEVICE.validate_json(carm.GetAttribute(DEVICE) or "")
    except ValidationError as error:
        raise Sim2RealError(f"{carm.GetName()} is not a C-arm; make one, or choose another transform.") from error


def set_device(carm: "slicer.vtkMRMLLinearTransformNode", device: CArmDevice) -> None:
    """Give a C-arm other dimensions; its source stays where it is. Models that were deleted are made again."""
    carm.SetAttribute(DEVICE, _DEVICE.dump_json(device).decode())
    carm.SetCenterOfTransformation(0.0, 0.0, device.source_to_isocenter_mm)
    surfaces = carm_surfaces(device) | {"beam": beam_surface(device)}
    for part, mesh in surfaces.items():
        model = parts_of(carm).get(part)
        if model is None:
            model = _make_part(carm, part, mesh)
        model.SetAndObservePolyData(smooth_poly_data(mesh))


def parts_of(carm: "slicer.vtkMRMLLinearTransformNode") -> "dict[str, slicer.vtkMRMLModelNode]":
    """The models of a C-arm by part, those that were not deleted."""
    found = {part: owned(carm, f"{PART}.{part}") for part in LOOKS}
    return {part: model for part, model in found.items() if model is not None}


def pose_of(carm: "slicer.vtkMRMLLinearTransformNode") -> CArmPose:
    """Where a C-arm stands in the world; its device may not reach that.

    Sim2RealError for a transform that is not rigid, or not that of a C-arm.
    """
    device = device_of(carm)
    near = _pose(device, *_TRIPLE.validate_json(carm.GetAttribute(ANGLES) or "[0, 0, 0]"))
    return pose_from_source(world_from_node(carm) @ matrix_of(carm), device, near)


def place(carm: "slicer.vtkMRMLLinearTransformNode", pose: CArmPose) -> None:
    """Put a C-arm into a pose in the world, whatever transforms lie above it."""
    modified = carm.StartModify()
    carm.SetAttribute(ANGLES, json.dumps([pose.primary_deg, pose.secondary_deg, pose.in_plane_deg]))
    set_matrix(carm, np.linalg.inv(world_from_node(carm)) @ source_from_pose(pose))
    carm.EndModify(modified)


def show_parts(carm: "slicer.vtkMRMLLinearTransformNode", shown: bool) -> None:
    """Show or hide the models."""
    for model in parts_of(carm).values():
        model.GetDisplayNode().SetVisibility(shown)


def show_handles(carm: "slicer.vtkMRMLLinearTransformNode", shown: bool) -> None:
    """Show or hide the handles in the 3D views."""
    carm.GetDisplayNode().SetEditorVisibility(shown)


def remove_orphans(scene: "slicer.vtkMRMLScene") -> None:
    """Remove models whose C-arm was deleted."""
    models = scene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    for model in [models.GetItemAsObject(number) for number in range(models.GetNumberOfItems())]:
        if model.GetAttribute(PART) is not None and not is_carm(model.GetParentTransformNode()):
            discard(model)


def _pose(device: CArmDevice, primary_deg: float, secondary_deg: float, in_plane_deg: float) -> CArmPose:
    distances = device.source_to_detector_mm, device.source_to_isocenter_mm
    return CArmPose(primary_deg, secondary_deg, (0.0, 0.0, 0.0), *distances, in_plane_deg)


def _make_part(carm: "slicer.vtkMRMLLinearTransformNode", part: str, mesh: TriangleMesh) -> "slicer.vtkMRMLModelNode":
    model = make_model(carm.GetScene(), mesh, f"{carm.GetName()} {part}", *LOOKS[part])
    model.SetAttribute(PART, part)
    model.SetSelectable(False)  # points are placed on what lies behind
    model.SetAndObserveTransformNodeID(carm.GetID())
    model.GetDisplayNode().SetBackfaceCulling(False)
    adopt(carm, f"{PART}.{part}", model)
    return model
