"""Surface models."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

from ..errors import Sim2RealError
from ..mesh import TriangleMesh
from ..mesh_io import closed_mesh
from .transforms import world_from_node

WHITE = (1.0, 1.0, 1.0)


def make_model(
    scene: "slicer.vtkMRMLScene",
    surface: TriangleMesh | vtk.vtkPolyData,
    name: str,
    color: tuple[float, float, float] = WHITE,
    opacity: float = 1.0,
) -> "slicer.vtkMRMLModelNode":
    """A new model node with a copy of a mesh, or with a surface as it is; colour and opacity from 0 to 1."""
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.SetAndObservePolyData(to_poly_data(surface) if isinstance(surface, TriangleMesh) else surface)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(color)
    node.GetDisplayNode().SetOpacity(opacity)
    return node


def mesh_of(node: "slicer.vtkMRMLModelNode") -> TriangleMesh:
    """The closed surface of a model node, in the world; polygons and strips become triangles.

    Identical vertices become one, as in `mesh_io.read_mesh`. Sim2RealError: no triangles, vertices that are not
    numbers, a surface that is not closed, a transform that is not linear.
    """
    surface = node.GetPolyData()
    if surface is None:
        raise Sim2RealError(f"{node.GetName()} holds no surface; choose a model that does.")
    _require_points(node.GetName(), surface)
    triangulate = vtk.vtkTriangleFilter()
    triangulate.PassLinesOff()
    triangulate.PassVertsOff()
    triangulate.SetInputData(surface)
    triangulate.Update()
    cells = triangulate.GetOutput().GetPolys()
    triangles, vertices = np.empty((0, 3), np.int64), np.empty((0, 3), np.float32)
    if cells.GetNumberOfCells():
        triangles = vtk_to_numpy(cells.GetConnectivityArray()).reshape(-1, 3)
        vertices = vtk_to_numpy(triangulate.GetOutput().GetPoints().GetData()).astype(np.float32)
    return closed_mesh(node.GetName(), vertices, triangles, world_from_node(node))


def _require_points(name: str, surface: vtk.vtkPolyData) -> None:
    """Sim2RealError if a cell has a vertex that is not there, which VTK's filters do not survive."""
    for cells in (surface.GetPolys(), surface.GetStrips(), surface.GetLines(), surface.GetVerts()):
        used, offsets = (vtk_to_numpy(part) for part in (cells.GetConnectivityArray(), cells.GetOffsetsArray()))
        ordered = not len(offsets) or (offsets[0] == 0 and offsets[-1] <= len(used) and np.all(np.diff(offsets) >= 0))
        if not ordered or (len(used) and (used.min() < 0 or used.max() >= surface.GetNumberOfPoints())):
            raise Sim2RealError(f"{name}: a triangle has a vertex that is not in the model. Export it again.")


def to_poly_data(mesh: TriangleMesh) -> vtk.vtkPolyData:
    """A copy of a surface as VTK has it."""
    points, cells, surface = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(mesh.vertices_ras), deep=True))
    connectivity = np.ascontiguousarray(mesh.triangles.ravel(), np.int64)
    cells.SetData(3, numpy_to_vtkIdTypeArray(connectivity, deep=True))
    surface.SetPoints(points)
    surface.SetPolys(cells)
    return surface
