"""The laparoscope and the tools in the scene: each a linear transform, shaft frame to RAS, with its models under it.

The transform is the instrument: where it is moved, by handles, by a tracker or from Python, `settle` puts it into its
trocar. What else belongs to it are an attribute and references, so that all is saved with the scene. Under the
laparoscope lies one more transform, from its camera (OpenCV's axes) to its shaft: the pose of the picture in the world.
"""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import slicer
import vtk
from pydantic import Field, TypeAdapter, ValidationError

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mrml.models import make_model, to_poly_data
from Sim2RealLib.mrml.transforms import matrix_of, set_matrix, world_from_node
from Sim2RealLib.recipe import strict_dataclass

from ..fulcrum import ROUNDING, FulcrumPose, pose_from_shaft, shaft_from_pose
from ..scene import MAX_OPENING_DEG, Laparoscope, ToolKind
from ..shapes import frustum_mesh, laparoscope_mesh, tool_meshes
from .trocars import trocar_names, trocar_position

INSTRUMENT, PART = "Translate.Instrument", "Translate.Part"
"""Attributes: of a transform its `Instrument`, JSON; of what belongs to it, its role."""
TROCARS, CAMERA = "trocars", "camera"
"""References of an instrument to the list with its trocar, and of a laparoscope to its camera's transform."""

LOOKS = {
    "shaft": ((0.30, 0.32, 0.36), 1.0),
    "frustum": ((1.00, 0.90, 0.35), 0.30),
    "tool_shaft": ((0.55, 0.58, 0.62), 1.0),
    "tool_tip": ((0.80, 0.83, 0.87), 1.0),
}
"""Colour and opacity of the models by part."""
FRUSTUM_MM = 60.0
FEATURE_ANGLE_DEG = 40.0
"""Sharper edges stay edges when surfaces are shaded smoothly."""

LAPAROSCOPE = "laparoscope"


@strict_dataclass
class Instrument:
    """What a transform cannot hold. trocar: its point's ID in the list. optics: of a laparoscope."""

    kind: Literal["laparoscope"] | ToolKind
    trocar: str
    opening_deg: Annotated[float, Field(ge=0.0, le=MAX_OPENING_DEG)] = 0.0
    optics: Laparoscope = Laparoscope()


_INSTRUMENT = TypeAdapter(Instrument)


def make_instrument(
    trocars: "slicer.vtkMRMLMarkupsFiducialNode", instrument: Instrument, pose: FulcrumPose
) -> "slicer.vtkMRMLLinearTransformNode":
    """A new laparoscope or tool in one of the trocars, with its models and handles."""
    scene = trocars.GetScene()
    remove_orphans(scene)
    name = instrument.kind.capitalize()
    name = name if scene.GetFirstNodeByName(name) is None else scene.GenerateUniqueName(name)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetNodeReferenceID(TROCARS, trocars.GetID())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetEditorSliceIntersectionVisibility(False)
    display.SetTranslationHandleComponentVisibility3D([False, False, True, False])  # along the shaft
    if instrument.kind == LAPAROSCOPE:
        camera = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"{name} camera")
        _take(node, node, CAMERA, camera)
    _change(node, instrument)
    place(node, pose)
    return node


def instruments_in(scene: "slicer.vtkMRMLScene") -> "list[slicer.vtkMRMLLinearTransformNode]":
    """All instruments, laparoscopes first."""
    nodes = _nodes(scene, "vtkMRMLLinearTransformNode")
    return sorted(filter(is_instrument, nodes), key=lambda node: instrument_of(node).kind != LAPAROSCOPE)


def is_instrument(node: "slicer.vtkMRMLNode | None") -> bool:
    try:
        return node is not None and instrument_of(node) is not None
    except Sim2RealError:
        return False


def instrument_of(node: "slicer.vtkMRMLLinearTransformNode") -> Instrument:
    """Sim2RealError if the transform is no instrument."""
    try:
        return _INSTRUMENT.validate_json(node.GetAttribute(INSTRUMENT) or "")
    except ValidationError as error:
        raise Sim2RealError(f"{node.GetName()} is no instrument; set up a scene.") from error


def set_optics(laparoscope: "slicer.vtkMRMLLinearTransformNode", optics: Laparoscope) -> None:
    """Give a laparoscope other optics; models that were deleted are made again."""
    _change(laparoscope, replace(instrument_of(laparoscope), optics=optics))


def set_opening(node: "slicer.vtkMRMLLinearTransformNode", opening_deg: float) -> None:
    """Open the jaws of a tool, at most MAX_OPENING_DEG; a hook has none."""
    instrument = instrument_of(node)
    if not 0.0 <= opening_deg <= (MAX_OPENING_DEG if opens(instrument) else 0.0):
        raise Sim2RealError(f"{node.GetName()} does not open by {opening_deg:g}°.")
    _change(node, replace(instrument, opening_deg=opening_deg))


def opens(instrument: Instrument) -> bool:
    """Whether an instrument has jaws."""
    return instrument.kind not in (LAPAROSCOPE, "hook")


def set_trocar(
    node: "slicer.vtkMRMLLinearTransformNode", trocars: "slicer.vtkMRMLMarkupsFiducialNode", trocar: str
) -> None:
    """Let an instrument go through another trocar, with the angles and the insertion that it has."""
    trocar_position(trocars, trocar)
    node.SetNodeReferenceID(TROCARS, trocars.GetID())
    _change(node, replace(instrument_of(node), trocar=trocar))
    follow_trocar(node)


def trocars_of(node: "slicer.vtkMRMLLinearTransformNode") -> "slicer.vtkMRMLMarkupsFiducialNode | None":
    """The list in which an instrument's trocar is, or was."""
    return node.GetNodeReference(TROCARS)


def has_trocar(node: "slicer.vtkMRMLLinearTransformNode") -> bool:
    """Whether an instrument's trocar is there still."""
    return instrument_of(node).trocar in trocar_names(trocars_of(node))


def entry_of(node: "slicer.vtkMRMLLinearTransformNode") -> np.ndarray:
    """Where an instrument enters the patient, RAS (3,). Sim2RealError if its trocar is gone."""
    return trocar_position(trocars_of(node), instrument_of(node).trocar)


def pose_of(node: "slicer.vtkMRMLLinearTransformNode") -> FulcrumPose:
    """The pose of an instrument in the world, the nearest to its transform that it can have."""
    return pose_from_shaft(ras_from(node), entry_of(node))[0]


def place(node: "slicer.vtkMRMLLinearTransformNode", pose: FulcrumPose) -> None:
    """Put an instrument into a pose, whatever transforms lie above it; its handles turn it about its trocar."""
    placed = shaft_from_pose(entry_of(node), pose)
    modified = node.StartModify()
    node.SetCenterOfTransformation(0.0, 0.0, -pose.insertion_mm)
    set_matrix(node, np.linalg.inv(world_from_node(node)) @ placed)
    node.EndModify(modified)


def follow_trocar(node: "slicer.vtkMRMLLinearTransformNode") -> bool:
    """Move an instrument with its trocar: angles and insertion stay. Whether it was elsewhere."""
    frame = ras_from(node)
    was_at = transform_points(frame, np.array(node.GetCenterOfTransformation()))
    if np.allclose(was_at, entry_of(node), rtol=0.0, atol=ROUNDING):
        return False
    place(node, pose_from_shaft(frame, was_at)[0])
    return True


def settle(node: "slicer.vtkMRMLLinearTransformNode") -> tuple[str, ...]:
    """Put an instrument that was moved into its trocar and its limits.

    A few words on each thing that it cannot do.
    """
    pose, problems = pose_from_shaft(ras_from(node), entry_of(node))
    place(node, pose)
    return problems


def ras_from(node: "slicer.vtkMRMLLinearTransformNode") -> np.ndarray:
    """The frame of a linear transform in the world, 4×4."""
    return world_from_node(node) @ matrix_of(node)


def camera_of(laparoscope: "slicer.vtkMRMLLinearTransformNode") -> "slicer.vtkMRMLLinearTransformNode":
    """The transform of its camera. Sim2RealError if it was deleted."""
    camera = laparoscope.GetNodeReference(CAMERA)
    if camera is None:
        raise Sim2RealError(f"{laparoscope.GetName()} has lost its camera's transform. Delete it, and set up a scene.")
    return camera


def show_handles(node: "slicer.vtkMRMLLinearTransformNode", shown: bool) -> None:
    """Show or hide the handles in the 3D views: rings about the trocar, and an arrow along the shaft."""
    node.GetDisplayNode().SetEditorVisibility(shown)


def remove_instrument(node: "slicer.vtkMRMLLinearTransformNode") -> None:
    """Take an instrument with all that belongs to it out of the scene."""
    scene = node.GetScene()
    scene.RemoveNode(node)
    remove_orphans(scene)


def remove_orphans(scene: "slicer.vtkMRMLScene") -> None:
    """Remove what belonged to an instrument that was deleted."""
    for kind in ("vtkMRMLModelNode", "vtkMRMLLinearTransformNode"):
        for node in _nodes(scene, kind):
            if node.GetAttribute(PART) and not is_instrument(node.GetNodeReference(INSTRUMENT)):
                scene.RemoveNode(node)


def _change(node: "slicer.vtkMRMLLinearTransformNode", instrument: Instrument) -> None:
    """Keep what an instrument is, and let its models look like that."""
    node.SetAttribute(INSTRUMENT, _INSTRUMENT.dump_json(instrument).decode())
    if instrument.kind == LAPAROSCOPE:
        optics, camera = instrument.optics, camera_of(node)
        set_matrix(camera, optics.shaft_from_camera())
        _show(node, node, "shaft", laparoscope_mesh(optics.tip_angle_deg))
        _show(node, camera, "frustum", frustum_mesh(optics.camera(), FRUSTUM_MM))
    else:
        for part, mesh in tool_meshes(instrument.kind, instrument.opening_deg).items():
            _show(node, node, part, mesh)


def _show(
    node: "slicer.vtkMRMLLinearTransformNode",
    above: "slicer.vtkMRMLLinearTransformNode",
    part: str,
    mesh: TriangleMesh,
) -> None:
    """Let the model of a part of an instrument, under one of its transforms, have this surface."""
    model = node.GetNodeReference(part)
    if model is None:
        model = make_model(node.GetScene(), mesh, f"{node.GetName()} {part.replace('_', ' ')}", *LOOKS[part])
        model.SetSelectable(False)  # trocars are placed on what lies behind
        _take(node, above, part, model)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(to_poly_data(mesh))
    normals.SetFeatureAngle(FEATURE_ANGLE_DEG)
    normals.Update()
    model.SetAndObservePolyData(normals.GetOutput())


def _take(
    node: "slicer.vtkMRMLLinearTransformNode",
    above: "slicer.vtkMRMLLinearTransformNode",
    role: str,
    owned: "slicer.vtkMRMLTransformableNode",
) -> None:
    owned.SetAttribute(PART, role)
    owned.SetNodeReferenceID(INSTRUMENT, node.GetID())
    owned.SetAndObserveTransformNodeID(above.GetID())
    node.SetNodeReferenceID(role, owned.GetID())


def _nodes(scene: "slicer.vtkMRMLScene", kind: str) -> "list[slicer.vtkMRMLTransformableNode]":
    found = scene.GetNodesByClass(kind)
    found.UnRegister(None)
    return [found.GetItemAsObject(number) for number in range(found.GetNumberOfItems())]
