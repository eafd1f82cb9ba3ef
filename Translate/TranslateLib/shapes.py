"""What laparoscopes and tools look like: closed surfaces in the shaft frame, mm, the tip at the origin.

Lengths and widths are those of common instruments: laparoscopes of 10 mm by 310 mm (Karl Storz 26003), tools of 5 mm
by 360 mm (Clickline); handles, jaws and camera head are simplified.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.mesh import TriangleMesh

from .scene import ToolKind

SIDES = 24
SCOPE_RADIUS_MM, SCOPE_LENGTH_MM = 5.0, 310.0
TOOL_RADIUS_MM, TOOL_LENGTH_MM = 2.5, 360.0

JAW_MM: Mapping[ToolKind, float] = {"grasper": 20.0, "hook": 14.0, "scissors": 17.0}
"""From the end of the shaft to the tip."""
TOE_MM = 4.0
"""How far a hook is bent off the shaft."""


def laparoscope_mesh(tip_angle_deg: float) -> TriangleMesh:
    """Shaft, its window at right angles to the view, light post and camera head."""
    shaft = _rings([(-SCOPE_LENGTH_MM, SCOPE_RADIUS_MM), (0.0, SCOPE_RADIUS_MM)])
    shaft[-1, :, 2] = -shaft[-1, :, 1] * np.tan(np.deg2rad(tip_angle_deg))
    back = -SCOPE_LENGTH_MM
    head = _rings([(back - 75.0, 14.0), (back - 70.0, 19.0), (back - 22.0, 19.0), (back - 20.0, 15.0), (back, 11.0)])
    post = transform_points(rotation(np.array([1.0, 0.0, 0.0]), 90.0), _rings([(0.0, 4.5), (38.0, 4.5)]))
    return _merged([_loft(shaft), _loft(head), _loft(post + np.array([0.0, 0.0, back + 25.0]))])


def tool_meshes(kind: ToolKind, opening_deg: float) -> dict[str, TriangleMesh]:
    """The two parts that labels tell apart, ``tool_shaft`` and ``tool_tip``; the closed jaws' tip is the origin."""
    hinge = -JAW_MM[kind]
    shaft = _loft(_rings([(-TOOL_LENGTH_MM, TOOL_RADIUS_MM), (hinge, TOOL_RADIUS_MM)]))
    back = -TOOL_LENGTH_MM
    grip = _loft(_rings([(back - 70.0, 6.0), (back - 65.0, 9.0), (back - 8.0, 9.0), (back, 5.0)]))
    tip = _hook() if kind == "hook" else _jaws(kind, opening_deg)
    return {"tool_shaft": _merged([shaft, grip]), "tool_tip": tip}


def frustum_mesh(camera: PinholeCamera, length_mm: float) -> TriangleMesh:
    """The pyramid that a picture shows, from the pinhole to `length_mm` along the axis, in the camera frame."""
    width, height = camera.width_px, camera.height_px
    rays = camera.unproject(np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64))
    corners = length_mm * rays / rays[:, 2:]
    triangles = [[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [1, 2, 3], [1, 3, 4]]
    return TriangleMesh(np.vstack([np.zeros(3), corners]).astype(np.float32), np.array(triangles, np.int32))


def _jaws(kind: ToolKind, opening_deg: float) -> TriangleMesh:
    """Two halves that turn about the hinge."""
    length = JAW_MM[kind]
    end_width, end_height = (1.7, 0.7) if kind == "grasper" else (0.4, 0.3)
    halves = []
    for side in (-1.0, 1.0):
        half = _rings([(0.0, 1.0), (length, 1.0)])
        for ring, (wide, high) in zip(half, ((2.3, 1.2), (end_width, end_height)), strict=True):
            ring[:, 0] *= wide
            ring[:, 1] = ring[:, 1] * high + side * high
        turned = rotation(np.array([1.0, 0.0, 0.0]), -side * opening_deg / 2.0)
        halves.append(_loft(transform_points(translation([0.0, 0.0, -length]) @ turned, half)))
    return _merged(halves)


def _hook() -> TriangleMesh:
    """A wire with its end bent towards y."""
    length = JAW_MM["hook"]
    toe = transform_points(rotation(np.array([1.0, 0.0, 0.0]), -90.0), _rings([(-0.8, 0.8), (TOE_MM, 0.8)]))
    return _merged([_loft(_rings([(-length, 0.8), (0.0, 0.8)])), _loft(toe - [0.0, 0.0, 0.8])])


def _rings(profile: Sequence[tuple[float, float]]) -> np.ndarray:
    """Circles about z at each (z, radius): (N, SIDES, 3)."""
    angles = np.linspace(0.0, 2.0 * np.pi, SIDES, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(SIDES)], axis=1)
    return np.array([radius * circle + [0.0, 0.0, z] for z, radius in profile])


def _loft(rings: np.ndarray) -> TriangleMesh:
    """The closed surface over rings (N, SIDES, 3) that follow each other along their axis, with a lid at either end."""
    count, here = len(rings), np.arange(SIDES)
    after = np.roll(here, -1)
    vertices = np.vstack([rings.reshape(-1, 3), rings[0].mean(axis=0), rings[-1].mean(axis=0)])
    first, last = np.full(SIDES, count * SIDES), np.full(SIDES, count * SIDES + 1)
    triangles = [np.stack([after, here, first], axis=1)]
    for low in SIDES * np.arange(count - 1):
        high = low + SIDES
        triangles += [np.stack([low + here, low + after, high + after], axis=1)]
        triangles += [np.stack([low + here, high + after, high + here], axis=1)]
    top = SIDES * (count - 1)
    triangles.append(np.stack([top + here, top + after, last], axis=1))
    return TriangleMesh(vertices.astype(np.float32), np.concatenate(triangles).astype(np.int32))


def _merged(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    starts = np.cumsum([0, *(len(mesh.vertices_ras) for mesh in meshes[:-1])])
    triangles = np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)])
    return TriangleMesh(np.concatenate([mesh.vertices_ras for mesh in meshes]), triangles.astype(np.int32))
