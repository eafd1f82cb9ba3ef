"""Volume nodes and pictures in them."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk, vtk_to_numpy

from ..errors import Sim2RealError
from ..simulation import LabelClass
from ..volume import Volume
from ..volume_io import as_ct, grid_record, require_contrast, require_finite
from .transforms import to_array, to_vtk, world_from_node

SHOWN_PERCENTILES = 0.1, 99.9
"""Of the voxels of a new volume: what is darker or brighter is shown as black or white."""

ONE_VOXEL = "NRRD0004\ntype: short\ndimension: 3\nsizes: 1 1 1\nencoding: ascii\n\n0\n"

SAMPLED_VOXELS = 4
"""One voxel of so many along each axis tells the percentiles."""


def volume_of(node: "slicer.vtkMRMLVolumeNode") -> Volume:
    """A copy of the voxels of a volume node, in the world. Doubles become float32, as from a file.

    Sim2RealError as for `copy_of_volume`, and for NaN or infinite values.
    """
    return require_finite(copy_of_volume(node))


def copy_of_volume(node: "slicer.vtkMRMLVolumeNode") -> Volume:
    """The same without a look at the values: the quick part, which has to be done where the node is.

    Sim2RealError: no voxels, several values a voxel, a sheared grid, a transform that is not linear.
    """
    image = node.GetImageData()
    scalars = image and image.GetPointData().GetScalars()
    if not scalars or not scalars.GetNumberOfTuples():
        raise Sim2RealError(f"{node.GetName()} holds no voxels. Load its file, or choose another volume.")
    if scalars.GetNumberOfComponents() > 1:
        raise Sim2RealError(
            f"{node.GetName()} has {scalars.GetNumberOfComponents()} values a voxel (colour, vectors?); "
            "a scalar volume is needed."
        )
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    values = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    values = values.astype(np.float32 if values.dtype == np.float64 else values.dtype)
    return Volume(values, world_from_node(node) @ to_array(matrix), node.GetName())


def ct_of(node: "slicer.vtkMRMLScalarVolumeNode") -> tuple[Volume, dict[str, Any]]:
    """A copy of a CT in Hounsfield units, values below −1024 HU raised to it, and its record: role, name, shape_ijk,
    spacing_mm, raised_to_lowest_hu. Sim2RealError as for `volume_of` and `volume_io.read_ct`."""
    return ct_in(copy_of_volume(node))


def ct_in(copy: Volume) -> tuple[Volume, dict[str, Any]]:
    """What `ct_of` gives of the copy of a node, in which low values are raised; on any thread."""
    volume = require_contrast(require_finite(copy))
    return as_ct(volume, volume_record("ct", volume))


def volume_record(role: str, volume: Volume) -> dict[str, Any]:
    """What is kept of an input that is no file: its role, name, shape and spacing."""
    return {"role": role, "name": volume.name} | grid_record(volume)


def make_volume(scene: "slicer.vtkMRMLScene", volume: Volume, name: str) -> "slicer.vtkMRMLScalarVolumeNode":
    """A new scalar volume node with a copy of the voxels, shown from the darkest to the brightest of most of them."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()  # without voxels: with them it looks at each for its window, 0.3 s
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    step = SAMPLED_VOXELS
    sample = volume.array[step // 2 :: step, step // 2 :: step, step // 2 :: step]
    display.SetWindowLevelMinMax(*np.nanpercentile(sample if sample.size else volume.array, SHOWN_PERCENTILES).tolist())
    return _filled(node, volume)


def keep_file(node: "slicer.vtkMRMLScalarVolumeNode", path: Path) -> None:
    """Name the file that holds just what a volume node does, as of one that Slicer has loaded.

    Slicer knows by the time of the last reading that a node is as in its file; reading one voxel sets it.
    """
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    with TemporaryDirectory() as folder:
        one_voxel = Path(folder, "one_voxel.nrrd")
        one_voxel.write_text(ONE_VOXEL)
        storage.SetFileName(str(one_voxel))
        storage.ReadData(slicer.vtkMRMLScalarVolumeNode())
    storage.SetFileName(str(path))


def make_label_volume(
    scene: "slicer.vtkMRMLScene", labels: Volume, classes: Sequence[LabelClass], name: str
) -> "slicer.vtkMRMLLabelMapVolumeNode":
    """A new label map volume node with a copy of the voxels and a colour table of its own that names the classes."""
    colors = scene.AddNewNodeByClass("vtkMRMLColorTableNode", f"{name} colors")
    colors.SetTypeToUser()
    colors.SetNumberOfColors(1 + max((entry.id for entry in classes), default=0))
    colors.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
    for entry in classes:
        colors.SetColor(entry.id, entry.name, *(part / 255.0 for part in entry.color), 1.0)
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    display = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeDisplayNode")
    display.SetAndObserveColorNodeID(colors.GetID())
    node.SetAndObserveDisplayNodeID(display.GetID())
    node = _filled(node, labels)
    node.CreateDefaultDisplayNodes()
    return node


def show_image(node: "slicer.vtkMRMLVolumeNode", image: np.ndarray, ras_from_ijk: np.ndarray) -> None:
    """Put a picture of one slice into a scalar volume node, or in colour into a vector volume node.

    image: (H, W) or (H, W, 3), of a type that VTK has; pixel (column c, row r) is voxel (c, r, 0). ras_from_ijk: 4×4.
    An image of the same size and type as before is written in place; window and level stay as they are.
    """
    height, width = image.shape[:2]
    values = image.reshape(height * width, *image.shape[2:])
    modified = node.StartModify()
    held = node.GetImageData()
    scalars = held and held.GetPointData().GetScalars()
    if scalars and held.GetDimensions() == (width, height, 1) and _is_like(scalars, values):
        vtk_to_numpy(scalars)[...] = values
        scalars.Modified()
        held.Modified()
    else:
        node.SetAndObserveImageData(_image_data(values, (width, height, 1)))
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    if not np.array_equal(to_array(matrix), ras_from_ijk):
        node.SetIJKToRASMatrix(to_vtk(ras_from_ijk))
    node.EndModify(modified)


def _is_like(scalars: vtk.vtkDataArray, values: np.ndarray) -> bool:
    components = values.shape[1] if values.ndim == 2 else 1
    return scalars.GetNumberOfComponents() == components and scalars.GetDataType() == get_vtk_array_type(values.dtype)


def _filled(node: "slicer.vtkMRMLVolumeNode", volume: Volume) -> "slicer.vtkMRMLVolumeNode":
    values = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    node.SetIJKToRASMatrix(to_vtk(volume.ras_from_ijk))
    node.SetAndObserveImageData(_image_data(values.ravel(), volume.shape_ijk))
    return node


def _image_data(values: np.ndarray, shape_ijk: tuple[int, int, int]) -> vtk.vtkImageData:
    """A copy of values (N,) or (N, components) as an image without a place of its own."""
    image = vtk.vtkImageData()
    image.SetDimensions(shape_ijk)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values), deep=True))
    return image
