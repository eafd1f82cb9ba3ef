"""Surfaces as VTK shades them."""

import vtk

from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mrml.models import to_poly_data

FEATURE_ANGLE_DEG = 40.0
"""Sharper edges than this stay edges when a surface is shaded smoothly."""


def smooth_poly_data(mesh: TriangleMesh) -> vtk.vtkPolyData:
    """A copy of a surface with normals."""
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(to_poly_data(mesh))
    normals.SetFeatureAngle(FEATURE_ANGLE_DEG)
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()
