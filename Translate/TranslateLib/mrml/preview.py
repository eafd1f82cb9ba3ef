"""A preview of a scene's geometry, drawn off screen: closed surfaces as a pinhole camera sees them, and their labels.

It has flat colours and a headlight, and claims no realism: no texture, tissue, gas, shadow or lens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.geometry import transform_points

NEAR_MM, FAR_MM = 1.0, 1000.0
"""What is nearer or farther is not drawn."""


@dataclass(frozen=True, eq=False)
class Part:
    """A closed surface with its class. surface: in a frame that `ras_from_surface`, 4×4, takes to the world."""

    label: int
    color: tuple[int, int, int]
    surface: vtk.vtkPolyData
    ras_from_surface: np.ndarray


@dataclass(frozen=True, eq=False)
class GeometryFrame:
    """What a camera at a pose, 4×4, sees.

    picture: (H, W, 3) uint8. labels: (H, W) uint16, the class of the nearest surface, 0 where there is none.
    """

    picture: np.ndarray
    labels: np.ndarray
    camera: PinholeCamera
    ras_from_camera: np.ndarray


class GeometryPreview:
    """Draws frames into a renderer of its own; for one thread. `close` it in the end."""

    def __init__(self) -> None:
        self._renderer, self._window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)  # a pixel has one label
        self._window.AddRenderer(self._renderer)
        self._actors: list[vtk.vtkActor] = []

    def draw(self, parts: Sequence[Part], camera: PinholeCamera, ras_from_camera: np.ndarray) -> GeometryFrame:
        """The frame of a camera with square pixels and the axis in the middle, at a pose, rigid 4×4."""
        self._take(parts)
        self._look(camera, ras_from_camera)
        picture = self._grab()
        for actor, part in zip(self._actors, parts, strict=True):
            actor.GetProperty().LightingOff()
            actor.GetProperty().SetColor(part.label % 256 / 255.0, part.label // 256 / 255.0, 0.0)
        coded = self._grab().astype(np.uint16)
        return GeometryFrame(picture, coded[..., 0] + 256 * coded[..., 1], camera, ras_from_camera)

    def close(self) -> None:
        """Give the graphics memory back; `draw` would take it again."""
        self._window.Finalize()

    def _take(self, parts: Sequence[Part]) -> None:
        while len(self._actors) < len(parts):
            self._actors.append(vtk.vtkActor())
            self._actors[-1].SetMapper(vtk.vtkPolyDataMapper())
            self._actors[-1].GetMapper().ScalarVisibilityOff()
            self._renderer.AddActor(self._actors[-1])
        while len(self._actors) > len(parts):
            self._renderer.RemoveActor(self._actors.pop())
        for actor, part in zip(self._actors, parts, strict=True):
            actor.GetMapper().SetInputData(part.surface)
            matrix = vtk.vtkMatrix4x4()
            matrix.DeepCopy(part.ras_from_surface.ravel())
            actor.SetUserMatrix(matrix)
            actor.GetProperty().LightingOn()
            actor.GetProperty().SetColor(*(value / 255.0 for value in part.color))

    def _look(self, camera: PinholeCamera, ras_from_camera: np.ndarray) -> None:
        view = self._renderer.GetActiveCamera()
        view.SetPosition(*ras_from_camera[:3, 3])
        view.SetFocalPoint(*transform_points(ras_from_camera, np.array([0.0, 0.0, 1.0])))
        view.SetViewUp(*-ras_from_camera[:3, 1])
        view.SetViewAngle(np.rad2deg(2.0 * np.arctan(camera.height_px / 2.0 / camera.fy_px)))
        view.SetClippingRange(NEAR_MM, FAR_MM)
        self._window.SetSize(camera.width_px, camera.height_px)

    def _grab(self) -> np.ndarray:
        """Render; (H, W, 3) uint8, the top row first."""
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        grabber.ShouldRerenderOff()
        grabber.Update()
        columns, rows, _ = grabber.GetOutput().GetDimensions()
        values = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars())
        return values.reshape(rows, columns, 3)[::-1].copy()
