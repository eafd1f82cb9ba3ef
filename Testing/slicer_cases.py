"""Nodes and scenes for the tests that need Slicer: a small body, transforms above it, files of the scene."""

import zipfile
from pathlib import Path

import numpy as np

from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.label_table import label_classes
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume

TURN = rotation(np.array([2.0, -1.0, 2.0]) / 3.0, 35.0)
OBLIQUE = TURN @ translation([-30.0, 12.0, 5.0]) @ np.diag([0.7, 1.1, 2.5, 1.0])

MOVES = {
    "where it is": np.eye(4),
    "under a transform": rotation(np.array([0.0, 0.0, 1.0]), 20.0) @ translation([5.0, -8.0, 3.0]),
}

CUBE = TriangleMesh(
    np.array([[x, y, z] for z in (0, 10) for y in (0, 10) for x in (0, 10)], np.float32),
    np.array(
        [
            [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
            [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
        ],
        np.int32,
    ),
)  # fmt: skip
"""10 mm a side, turned outwards."""

GRID = rotation(np.array([0.0, 0.6, 0.8]), 12.0) @ translation([-40.0, -30.0, -20.0]) @ np.diag([2.0, 2.5, 3.0, 1.0])
TABLE = {entry.name: entry for entry in label_classes("totalsegmentator_v2")}
CLASSES = [TABLE["sacrum"], TABLE["urinary_bladder"]]
LANDMARKS = {"top": np.array([0.0, 5.0, 10.0]), "bottom": np.array([3.0, -5.0, -10.0])}


def body() -> tuple[Volume, Volume]:
    """A box of water with two organs in it, and their labels."""
    hu, labels = np.full((16, 24, 40), -1000, np.int16), np.zeros((16, 24, 40), np.uint8)
    hu[2:14, 3:21, 4:36] = np.random.default_rng(1).integers(-20, 60, (12, 18, 32))
    hu[4:10, 5:11, 8:20], labels[4:10, 5:11, 8:20] = 700, 25
    labels[8:12, 13:18, 22:30] = 21
    return Volume(hu, GRID, "CT"), Volume(labels, GRID, "labels")


def make_case(slicer_scene) -> dict:
    """The nodes of a case, made as Slicer's modules would, by name."""
    from Sim2RealLib.mrml.markups import make_landmarks
    from Sim2RealLib.mrml.models import make_model
    from Sim2RealLib.mrml.segmentations import make_segmentation
    from Sim2RealLib.mrml.volumes import make_volume

    hu, labels = body()
    made = [
        make_volume(slicer_scene, hu, "CT"),
        make_segmentation(slicer_scene, labels, CLASSES, "organs"),
        make_landmarks(slicer_scene, LANDMARKS, "points"),
        make_model(slicer_scene, CUBE, "cube"),
        make_segmentation(
            slicer_scene, Volume((hu.array > 690).astype(np.uint8), GRID), [LabelClass(1, "nail", (9, 9, 9))], "nail"
        ),
    ]
    return {node.GetName(): node for node in made}


def parents(scene, *matrices):
    """Linear transforms one above the other, the first on top; the last."""
    from Sim2RealLib.mrml.transforms import set_matrix

    above = None
    for matrix in matrices:
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "move")
        set_matrix(node, matrix)
        if above is not None:
            node.SetAndObserveTransformNodeID(above.GetID())
        above = node
    return above


def warp(scene):
    """A transform that is not linear: every point moves, the farther from the origin the more."""
    import slicer
    import vtk

    spline = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for point in np.array([[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50], [50, 50, 50]], float):
        source.InsertNextPoint(point)
        target.InsertNextPoint(point * (1 + np.linalg.norm(point) / 100))
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    spline.SetBasisToR()
    node = slicer.vtkMRMLTransformNode()
    scene.AddNode(node)
    node.SetAndObserveTransformToParent(spline)
    return node


def add_segment(node, name, array, ras_from_ijk):
    """A segment with a labelmap of its own, as Slicer's editor makes it where segments may overlap."""
    import slicer
    from vtk.util.numpy_support import numpy_to_vtk

    from Sim2RealLib.mrml.transforms import to_vtk

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.astype(np.uint8).ravel(), deep=True))
    image.SetImageToWorldMatrix(to_vtk(ras_from_ijk))
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment)


def save(path: Path) -> Path:
    import slicer

    assert slicer.util.saveScene(str(path))
    return path


def save_unpacked(folder: Path) -> Path:
    """The scene as .mrml with its data beside it."""
    bundle = save(folder / "packed.mrb")
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder / "unpacked")
    bundle.unlink()
    return next((folder / "unpacked").rglob("*.mrml"))
