"""Laparoscopic scenes, nodes in and nodes out, without Qt: in Slicer, its console, or headless on slicer-core."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.job import Done
from Sim2RealLib.mrml.subject_hierarchy import file_under
from Sim2RealLib.mrml.volumes import volume_of
from Sim2RealLib.volume import Volume

from .fulcrum import ANTERIOR, FulcrumPose, aim
from .mrml.anatomy import (
    SKIN,
    classes_of,
    middle_of,
    on_skin,
    organ_parts,
    require_segments,
    show_organs,
    show_skin,
    skin_surface,
)
from .mrml.frames import PICTURE, TRANSLATION, ras_from_pixels, show_labels, show_picture
from .mrml.instruments import (
    LAPAROSCOPE,
    Instrument,
    camera_of,
    instrument_of,
    instruments_in,
    make_instrument,
    place,
    pose_of,
    ras_from,
    remove_instrument,
    set_optics,
    set_trocar,
    trocars_of,
)
from .mrml.preview import GeometryFrame, GeometryPreview, Part
from .mrml.segment_surfaces import Labelmap, give_surfaces, labelmaps_without_surfaces, state_of, surface_steps
from .mrml.trocars import add_trocar, make_trocars, trocar_names, trocar_position
from .organs import LIVER
from .scene import CameraPlace, Laparoscope, LaparoscopicScene, Tool, ToolKind
from .translators import Translation

FROM_LIVER = np.array([-0.34, 0.88, -0.34])
"""The direction, RAS, in which a first trocar is proposed: before the liver, 20° towards the feet and the left."""
LIFT_MM, INSERTION_MM = 60.0, 70.0
"""How far the gas lifts the wall, 40 to 80 mm, and with it the trocars; how deep a first laparoscope is put in."""
WITHOUT_SKIN_MM = 130.0
"""From the middle of the liver to the wall, where no skin is known."""
BEFORE_CAMERA_MM = 50.0
"""Where a new tool's tip points to."""


@dataclass(frozen=True, eq=False)
class SceneSurfaces:
    """What a scene shows of an anatomy: surfaces by segment ID and the skin, each where it was not there yet.

    state: of the segmentation that they were made of.
    """

    state: tuple[Any, ...]
    segments: Mapping[str, vtk.vtkPolyData]
    skin: vtk.vtkPolyData | None


def surfaces_of(
    segmentation: "slicer.vtkMRMLSegmentationNode", ct: "slicer.vtkMRMLScalarVolumeNode | None" = None
) -> Iterator[Done]:
    """Steps, for any thread, that return the `SceneSurfaces` of nodes, which are read now.

    Sim2RealError: no segments, segments without a name; from the steps, a CT that shows no skin.
    """
    require_segments(segmentation)
    without_skin = ct is not None and ct.GetNodeReference(SKIN) is None
    volume = volume_of(ct) if without_skin else None
    return _surface_steps(state_of(segmentation), labelmaps_without_surfaces(segmentation), volume)


def _surface_steps(state: tuple[Any, ...], labelmaps: tuple[Labelmap, ...], ct: Volume | None) -> Iterator[Done]:
    segments = yield from surface_steps(labelmaps)
    yield Done(0, 0, "skin")
    return SceneSurfaces(state, segments, None if ct is None else skin_surface(ct))


def set_up(
    segmentation: "slicer.vtkMRMLSegmentationNode",
    ct: "slicer.vtkMRMLScalarVolumeNode | None" = None,
    trocars: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
    optics: Laparoscope | None = None,
    surfaces: SceneSurfaces | None = None,
) -> "tuple[slicer.vtkMRMLMarkupsFiducialNode, slicer.vtkMRMLLinearTransformNode]":
    """Show the organs and the skin; make what is not there of trocars and a laparoscope that looks at the liver.

    A first trocar is proposed where the gas would lift the skin to, or a skin that is assumed where no CT is given.
    surfaces: what the steps of `surfaces_of` returned; without them they are made here, which takes seconds.
    Sim2RealError as for these, and if a node was changed or removed since.
    """
    surfaces = surfaces or _returned_by(surfaces_of(segmentation, ct))
    scene = segmentation.GetScene()
    if scene is None or surfaces.state != state_of(segmentation) or (ct is not None and ct.GetScene() is None):
        raise Sim2RealError("The segmentation or the CT was changed meanwhile. Set up the scene again.")
    give_surfaces(segmentation, surfaces.segments)
    show_organs(segmentation)
    target = middle_of(segmentation, LIVER)
    skin = ct.GetNodeReference(SKIN) if ct is not None else None
    if surfaces.skin is not None and skin is None:
        skin = show_skin(ct, surfaces.skin)
    trocars = trocars or make_trocars(scene)
    if not trocar_names(trocars):
        entry = on_skin(skin, target, FROM_LIVER) if skin is not None else None
        entry = target + WITHOUT_SKIN_MM * FROM_LIVER if entry is None else entry
        add_trocar(trocars, entry + LIFT_MM * ANTERIOR, "camera")
    if (laparoscope := laparoscope_in(scene)) is None:
        laparoscope = _add_laparoscope(trocars, target, optics or Laparoscope())
        provenance = {"module": "Translate", "segmentation": segmentation.GetName()}
        file_under(scene, "Laparoscopic scene", laparoscope, trocars, provenance=provenance)
    return trocars, laparoscope


def laparoscope_in(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLLinearTransformNode | None":
    """The laparoscope of a scene, if there is one."""
    return next((node for node in instruments_in(scene) if instrument_of(node).kind == LAPAROSCOPE), None)


def free_trocar(trocars: "slicer.vtkMRMLMarkupsFiducialNode") -> str | None:
    """The ID of a trocar that no instrument uses."""
    used = {instrument_of(node).trocar for node in instruments_in(trocars.GetScene()) if trocars_of(node) is trocars}
    return next((trocar for trocar in trocar_names(trocars) if trocar not in used), None)


def add_tool(
    laparoscope: "slicer.vtkMRMLLinearTransformNode",
    kind: ToolKind,
    trocars: "slicer.vtkMRMLMarkupsFiducialNode",
    trocar: str,
) -> "slicer.vtkMRMLLinearTransformNode":
    """A new tool in a trocar, its tip in the laparoscope's sight where it reaches it."""
    target = transform_points(ras_from(camera_of(laparoscope)), np.array([0.0, 0.0, BEFORE_CAMERA_MM]))
    return make_instrument(trocars, Instrument(kind, trocar), _aimed(trocar_position(trocars, trocar), target, 0.0))


def preview(
    drawer: GeometryPreview,
    segmentation: "slicer.vtkMRMLSegmentationNode",
    laparoscope: "slicer.vtkMRMLLinearTransformNode",
) -> GeometryFrame:
    """Draw what the laparoscope sees of the visible segments and the tools, and put it into volumes."""
    (organs, tools), parts = classes_of(segmentation), organ_parts(segmentation)
    for node in instruments_in(laparoscope.GetScene()):
        for name, entry in tools.items():
            if (model := node.GetNodeReference(name)) is not None:
                parts.append(Part(entry.id, entry.color, model.GetPolyData(), ras_from(node)))
    seen = drawer.draw(parts, instrument_of(laparoscope).optics.camera(), ras_from(camera_of(laparoscope)))
    provenance = {"module": "Translate", "preview of the geometry of": segmentation.GetName()}
    show_picture(laparoscope, PICTURE, seen.picture, ras_from_pixels(seen), provenance)
    show_labels(laparoscope, seen.labels, (*organs.values(), *tools.values()), ras_from_pixels(seen), provenance)
    return seen


def show_translation(
    laparoscope: "slicer.vtkMRMLLinearTransformNode",
    seen: GeometryFrame,
    translation: Translation,
    provenance: dict[str, Any],
) -> "slicer.vtkMRMLVectorVolumeNode":
    """Put the translation of a frame into a volume where the frame is."""
    image, provenance = translation.image, {"module": "Translate", **provenance}
    if image.shape != seen.picture.shape or image.dtype != np.uint8:
        raise Sim2RealError("The translator gave back a picture of another size or type than it was given.")
    return show_picture(laparoscope, TRANSLATION, image, ras_from_pixels(seen), provenance)


def describe(
    laparoscope: "slicer.vtkMRMLLinearTransformNode", pneumoperitoneum_mmhg: float = 12.0
) -> LaparoscopicScene:
    """The scene as a recipe holds it. Sim2RealError: two trocars of one name, an instrument without its trocar."""
    nodes = instruments_in(laparoscope.GetScene())
    places, poses = _trocars_by_name(nodes), {node: pose_of(node) for node in nodes}
    names = {(trocars, trocar): name for name, (trocars, trocar) in places.items()}

    def name_of(node: "slicer.vtkMRMLLinearTransformNode") -> str:
        return names[trocars_of(node), instrument_of(node).trocar]

    tools = [(node, instrument_of(node)) for node in nodes if instrument_of(node).kind != LAPAROSCOPE]
    return LaparoscopicScene(
        laparoscope=instrument_of(laparoscope).optics,
        trocars={name: tuple(trocar_position(*place).tolist()) for name, place in places.items()},
        camera=CameraPlace(name_of(laparoscope), poses[laparoscope]),
        tools=tuple(Tool(each.kind, name_of(node), poses[node], each.opening_deg) for node, each in tools),
        pneumoperitoneum_mmhg=pneumoperitoneum_mmhg,
    )


def build(
    scene: "slicer.vtkMRMLScene",
    described: LaparoscopicScene,
    trocars: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
) -> "tuple[slicer.vtkMRMLMarkupsFiducialNode, slicer.vtkMRMLLinearTransformNode]":
    """Make trocars and instruments as described, in place of those that are there; the opposite of `describe`."""
    for node in instruments_in(scene):
        if instrument_of(node).kind != LAPAROSCOPE:
            remove_instrument(node)
    trocars = trocars or make_trocars(scene)
    trocars.RemoveAllControlPoints()
    ids = {name: add_trocar(trocars, np.array(ras), name) for name, ras in described.trocars.items()}
    camera, optics = described.camera, described.laparoscope
    if (laparoscope := laparoscope_in(scene)) is None:
        laparoscope = make_instrument(trocars, Instrument(LAPAROSCOPE, ids[camera.trocar]), camera.pose)
        file_under(scene, "Laparoscopic scene", laparoscope, trocars, provenance={"module": "Translate"})
    set_optics(laparoscope, optics)
    set_trocar(laparoscope, trocars, ids[camera.trocar])
    place(laparoscope, camera.pose)
    for tool in described.tools:
        make_instrument(trocars, Instrument(tool.kind, ids[tool.trocar], tool.opening_deg), tool.pose)
    return trocars, laparoscope


def _returned_by(steps: Iterator[Done]) -> Any:
    """Take all steps; what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _add_laparoscope(
    trocars: "slicer.vtkMRMLMarkupsFiducialNode", target_ras: np.ndarray, optics: Laparoscope
) -> "slicer.vtkMRMLLinearTransformNode":
    trocar = next(iter(trocar_names(trocars)))
    entry = trocar_position(trocars, trocar)
    from_target_mm = max(float(np.linalg.norm(target_ras - entry)) - INSERTION_MM, 0.0)
    pose = _aimed(entry, target_ras, from_target_mm, optics.tip_angle_deg)
    return make_instrument(trocars, Instrument(LAPAROSCOPE, trocar, optics=optics), pose)


def _trocars_by_name(nodes: "list[slicer.vtkMRMLLinearTransformNode]") -> "dict[str, tuple[object, str]]":
    """The list and the ID of every trocar in the lists that instruments use."""
    found = {}
    for trocars in dict.fromkeys(filter(None, map(trocars_of, nodes))):
        for trocar, name in trocar_names(trocars).items():
            if name in found:
                raise Sim2RealError(f"Two trocars are called '{name}'. Rename one.")
            found[name] = trocars, trocar
    return found


def _aimed(
    trocar_ras: np.ndarray, target_ras: np.ndarray, from_target_mm: float, tip_angle_deg: float = 0.0
) -> FulcrumPose:
    """A pose to start from: straight in where the target is out of reach."""
    try:
        return aim(trocar_ras, target_ras, from_target_mm, tip_angle_deg)
    except Sim2RealError:
        return FulcrumPose(insertion_mm=50.0)
