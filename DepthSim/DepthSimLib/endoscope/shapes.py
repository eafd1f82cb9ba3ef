"""The endoscope as it is drawn: tip and shaft, what its lens sees, and its lights, as surfaces in the camera frame.

Vertices are in mm, x right, y down, z forward, from the lens; the pose of the camera places them in the world.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from Sim2RealLib.mesh import TriangleMesh

from .lights import TipLight, disk_axes
from .presets import Endoscope

TIP_RADIUS_MM, TIP_LENGTH_MM, BEVEL_MM = 6.6, 11.0, 0.9
"""Of an Olympus CF-H190L: 13.2 mm wide, as in EndoMapper's photometric calibration; the rest assumed."""

SHAFT_RADIUS_MM, SHAFT_LENGTH_MM = 6.0, 55.0
RIB_MM, RIB_DEPTH_MM = 3.0, 0.25
"""A stretch of the bending section behind the tip, with its rings (assumed)."""

CAPSULE_RADIUS_MM, CAPSULE_LENGTH_MM = 5.8, 32.3
"""PillCam COLON 2: 11.6 mm × 32.3 mm (Given Imaging)."""

LENS_RADIUS_MM, ABOVE_FACE_MM = 1.3, 0.05
"""The lens (assumed), and how far before the tip's face it and the lights are drawn, so that they show."""

SIDES, RINGS = 48, 10
"""Of round things, and of the dome at the end of a field of view."""

HALF_LIGHT = 0.5
"""A beam is drawn as wide as the angle at which the light's intensity falls to this share."""


def tip_mesh() -> TriangleMesh:
    """The rigid end of a colonoscope, closed, its face at z = 0."""
    radius, back = TIP_RADIUS_MM, -TIP_LENGTH_MM
    return _revolved([(0.0, 0.0), (radius - BEVEL_MM, 0.0), (radius, -BEVEL_MM), (radius, back), (0.0, back)])


def shaft_mesh() -> TriangleMesh:
    """What follows the tip, straight, closed."""
    along = np.arange(0.0, SHAFT_LENGTH_MM + 1e-9, RIB_MM / 4.0)
    radius = SHAFT_RADIUS_MM - RIB_DEPTH_MM * (1.0 - np.cos(2.0 * np.pi * along / RIB_MM))
    back = -TIP_LENGTH_MM - along
    return _revolved([(0.0, back[0]), *zip(radius.tolist(), back.tolist(), strict=True), (0.0, back[-1])])


def capsule_mesh() -> TriangleMesh:
    """A capsule endoscope, closed, its foremost point at z = 0."""
    angle = np.linspace(0.0, np.pi / 2.0, RINGS)
    front = CAPSULE_RADIUS_MM * np.stack([np.sin(angle), np.cos(angle) - 1.0], axis=1)
    back = np.stack([front[::-1, 0], -CAPSULE_LENGTH_MM - front[::-1, 1]], axis=1)
    return _revolved([*map(tuple, front.tolist()), *map(tuple, back.tolist())])


def lens_mesh() -> TriangleMesh:
    return _disk(np.array([0.0, 0.0, ABOVE_FACE_MM]), np.eye(3)[:2], LENS_RADIUS_MM)


def lights_mesh(lights: Sequence[TipLight]) -> TriangleMesh:
    """The disks that shine."""
    lift = ABOVE_FACE_MM
    return _joined(
        _disk(np.array(light.position_mm) + lift * np.array(light.direction), disk_axes(light), light.radius_mm)
        for light in lights
    )


def beams_mesh(lights: Sequence[TipLight], length_mm: float) -> TriangleMesh:
    """A closed cone of light from each disk, as wide as the angle of half the intensity, at most a half space."""
    parts = []
    for light in lights:
        cosine = max(1.0 + np.log(HALF_LIGHT) / light.spread, 0.0) if light.spread > 0.0 else 0.0
        edge = np.arccos(cosine)
        first, second = disk_axes(light)
        axes = np.stack([first, second, np.array(light.direction)])
        rays = _cap(edge) @ axes
        parts.append(_sector(np.array(light.position_mm), length_mm * rays))
    return _joined(parts)


def field_of_view_mesh(endoscope: Endoscope, length_mm: float) -> TriangleMesh:
    """What the picture shows, out to a distance, closed: every lens, its mask, and angles beyond 90° included."""
    camera, mask = endoscope.camera, endoscope.mask
    middle = camera.project(np.array([0.0, 0.0, 1.0]))
    angle = np.arange(SIDES) * (2.0 * np.pi / SIDES)
    outwards = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    low, high = np.zeros(SIDES), np.full(SIDES, float(np.hypot(camera.width_px, camera.height_px)))
    for _ in range(40):
        half = 0.5 * (low + high)
        places = middle + half[:, None] * outwards
        shown = camera.contains(places) & np.isfinite(camera.unproject(places)).all(axis=1)
        if mask is not None:
            shown &= mask.contains(places)
        low, high = np.where(shown, half, low), np.where(shown, high, half)
    share = np.linspace(0.0, 1.0, RINGS + 1)[1:, None, None]
    rays = camera.unproject(middle + share * (low[:, None] * outwards))
    forward = camera.unproject(middle)
    return _sector(np.zeros(3), length_mm * np.concatenate([forward[None], rays.reshape(-1, 3)]))


def _cap(edge_rad: float) -> np.ndarray:
    """Unit rays about z: the axis, then RINGS rings of SIDES rays out to an angle."""
    angle = np.arange(SIDES) * (2.0 * np.pi / SIDES)
    off = edge_rad * np.arange(1, RINGS + 1)[:, None] / RINGS
    around = [np.sin(off) * np.cos(angle), np.sin(off) * np.sin(angle), np.cos(off) * np.ones(SIDES)]
    return np.concatenate([[[0.0, 0.0, 1.0]], np.stack(around, axis=-1).reshape(-1, 3)])


def _sector(apex: np.ndarray, dome: np.ndarray) -> TriangleMesh:
    """The closed surface from an apex to a dome: its middle, then RINGS rings of SIDES points, right-handed about the
    way out."""
    rings = [np.array([1]), *(2 + SIDES * ring + np.arange(SIDES) for ring in range(RINGS)), np.array([0])]
    vertices = np.concatenate([apex[None], apex + dome])
    return TriangleMesh(vertices.astype(np.float32), _between_rings(rings))


def _revolved(profile: Sequence[tuple[float, float]]) -> TriangleMesh:
    """The closed surface of a profile (radius, z) from the axis in front back to the axis, turned about z."""
    angle = np.arange(SIDES) * (2.0 * np.pi / SIDES)
    rings, vertices, count = [], [], 0
    for radius, z in profile:
        number = SIDES if radius > 0.0 else 1
        turned = angle[:number]
        vertices.append(np.stack([radius * np.cos(turned), radius * np.sin(turned), np.full(number, z)], axis=1))
        rings.append(count + np.arange(number))
        count += number
    return TriangleMesh(np.concatenate(vertices).astype(np.float32), _between_rings(rings))


def _between_rings(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Triangles (T, 3) that join successive rings of vertex numbers, or single ones at an end; normals lead outwards
    where rings turn right-handed about the way from the last to the first."""
    triangles = []
    for front, back in pairwise(rings):
        a, b = np.broadcast_to(front, SIDES), np.broadcast_to(back, SIDES)
        if len(back) > 1:
            triangles.append(np.stack([a, b, np.roll(b, -1)], axis=1))
        if len(front) > 1:
            triangles.append(np.stack([a, np.roll(b, -1), np.roll(a, -1)], axis=1))
    return np.concatenate(triangles).astype(np.int32)


def _disk(center: np.ndarray, axes: np.ndarray, radius_mm: float) -> TriangleMesh:
    """A flat disk, its normal the cross product of its two unit axes."""
    angle = np.arange(SIDES) * (2.0 * np.pi / SIDES)
    first, second = axes
    rim = center + radius_mm * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)
    vertices = np.concatenate([center[None], rim])
    return TriangleMesh(vertices.astype(np.float32), _between_rings([np.array([0]), 1 + np.arange(SIDES)]))


def _joined(meshes: Iterable[TriangleMesh]) -> TriangleMesh:
    meshes = list(meshes)
    starts = np.cumsum([0, *(len(mesh.vertices_ras) for mesh in meshes[:-1])])
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]
    vertices = [mesh.vertices_ras for mesh in meshes]
    return TriangleMesh(np.concatenate(vertices), np.concatenate(triangles).astype(np.int32))
