"""Closed surfaces from rings of points, for tools that are turned, threaded or drilled.

A tool's own frame: the tip at the origin, the shaft along −z, so that +z is where the tool points. Triangles are
counter-clockwise as seen from outside.
"""

import numpy as np

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh

SIDES = 96
"""Points of a circle; its polygon has 0.07 % less area than the circle."""


def circle(sides: int = SIDES) -> np.ndarray:
    """The angles of a ring's points in radians, shape (sides,)."""
    return 2 * np.pi * np.arange(sides) / sides


def rings(radius_mm: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
    """Rings around the z axis, (R, S, 3), of radii (R,) or (R, S) at heights (R,)."""
    radius_mm, angle = np.asarray(radius_mm, float), circle(SIDES if np.ndim(radius_mm) == 1 else radius_mm.shape[1])
    radius_mm = radius_mm.reshape(len(radius_mm), -1) * np.ones(len(angle))
    z_mm = np.broadcast_to(np.reshape(z_mm, (-1, 1)), radius_mm.shape)
    return np.stack([radius_mm * np.cos(angle), radius_mm * np.sin(angle), z_mm], axis=-1)


def solid(rings_mm: np.ndarray) -> TriangleMesh:
    """The surface over rings (R, S, 3), closed by a fan at each end. Rings are counter-clockwise as seen from the side
    to which they follow each other."""
    count, sides = rings_mm.shape[:2]
    centers = np.stack([rings_mm[0].mean(axis=0), rings_mm[-1].mean(axis=0)])
    here = np.arange(sides)
    following = np.roll(here, -1)
    first, last = np.full(sides, count * sides), np.full(sides, count * sides + 1)
    end = (count - 1) * sides
    fans = [np.stack([first, following, here], axis=1), np.stack([last, end + here, end + following], axis=1)]
    vertices = np.concatenate([rings_mm.reshape(-1, 3), centers])
    return TriangleMesh(vertices, np.concatenate([_skin(count, sides, wrapped=False), *fans]).astype(np.int32))


def hollow(rings_mm: np.ndarray) -> TriangleMesh:
    """The surface over rings (R, S, 3) of which the last is joined to the first: up outside and down in the bore."""
    count, sides = rings_mm.shape[:2]
    return TriangleMesh(rings_mm.reshape(-1, 3), _skin(count, sides, wrapped=True).astype(np.int32))


def turned(profile_mm: np.ndarray) -> TriangleMesh:
    """The solid of revolution about z of a profile (N, 2) of radius and height that starts and ends on the axis."""
    radius, z = profile_mm[1:-1].T
    mesh = solid(rings(radius, z))
    mesh.vertices_ras[-2:, 2] = profile_mm[[0, -1], 1]
    if volume_mm3(mesh) < 0:
        return TriangleMesh(mesh.vertices_ras, np.ascontiguousarray(mesh.triangles[:, ::-1]))
    return mesh


def joined(*meshes: TriangleMesh) -> TriangleMesh:
    """One mesh of several closed surfaces, which may overlap: inside is what is inside any of them."""
    starts = np.cumsum([0, *(len(mesh.vertices_ras) for mesh in meshes[:-1])])
    triangles = [start + mesh.triangles for start, mesh in zip(starts, meshes, strict=True)]
    return TriangleMesh(np.concatenate([mesh.vertices_ras for mesh in meshes]), np.concatenate(triangles))


def moved(mesh: TriangleMesh, b_from_a: np.ndarray) -> TriangleMesh:
    return TriangleMesh(transform_points(b_from_a, mesh.vertices_ras), mesh.triangles)


def _skin(count: int, sides: int, wrapped: bool) -> np.ndarray:
    """Triangles between rings that follow each other; `wrapped`: the first one follows the last."""
    ring, side = np.meshgrid(np.arange(count if wrapped else count - 1), np.arange(sides), indexing="ij")
    a, b = ring * sides + side, ring * sides + (side + 1) % sides
    above = (ring + 1) % count * sides
    c, d = above + side, above + (side + 1) % sides
    quads = np.stack([np.stack([a, b, d], axis=-1), np.stack([a, d, c], axis=-1)])
    return quads.reshape(-1, 3)


def welded(vertices: np.ndarray, triangles: np.ndarray) -> TriangleMesh:
    """Vertices within a nanometre of each other become one."""
    _, first, number = np.unique(np.rint(vertices * 1e6), axis=0, return_index=True, return_inverse=True)
    return TriangleMesh(vertices[first], number.reshape(-1)[triangles].astype(np.int32))


def volume_mm3(mesh: TriangleMesh) -> float:
    """What a closed surface holds, by the divergence theorem: positive where its triangles face outwards."""
    a, b, c = (mesh.vertices_ras[mesh.triangles[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)
