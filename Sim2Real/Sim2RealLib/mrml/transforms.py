"""Transforms of nodes as 4×4 matrices."""

import numpy as np
import slicer
import vtk

from ..errors import Sim2RealError


def world_from_node(node: "slicer.vtkMRMLTransformableNode") -> np.ndarray:
    """What the transforms above a node make of its coordinates, 4×4; of a transform, what those above it do.

    Sim2RealError if one of them is not linear.
    """
    parent = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if parent is not None:
        if not parent.IsTransformToWorldLinear():
            raise Sim2RealError(
                f"{node.GetName()} lies under a transform that is not linear. Harden the transform first, in Slicer's "
                "Data module with a right click on the transform."
            )
        parent.GetMatrixTransformToWorld(matrix)
    return to_array(matrix)


def matrix_of(transform_node: "slicer.vtkMRMLTransformNode") -> np.ndarray:
    """The matrix, 4×4, from a linear transform to its parent. Sim2RealError if it is not linear."""
    matrix = vtk.vtkMatrix4x4()
    if not transform_node.IsLinear() or not transform_node.GetMatrixTransformToParent(matrix):
        raise Sim2RealError(f"{transform_node.GetName()} is not a linear transform; take one that is.")
    return to_array(matrix)


def set_matrix(transform_node: "slicer.vtkMRMLTransformNode", matrix: np.ndarray) -> None:
    """Make a transform the linear one of this 4×4 matrix, to its parent."""
    transform_node.SetMatrixTransformToParent(to_vtk(matrix))


def to_array(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """A copy, 4×4 float64."""
    return np.array(matrix.GetData(), np.float64).reshape(4, 4)


def to_vtk(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """A copy as VTK has it."""
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(np.asarray(matrix, np.float64).ravel())
    return copy
