"""Which part of the colon's wall a frame shows: the vertices of the wall's mesh that it sees."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.cameras import Camera
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, transform_points
from Sim2RealLib.mesh import TriangleMesh

BEHIND_MM, BEHIND_SHARE = 1.0, 0.02
"""How far behind the depth of its pixel, in mm or as a share of the distance, a vertex still counts as seen: the mesh
and the surface in the image lie a fraction of a voxel apart, and a pixel has its own width."""


def seen_vertices(
    vertices_ras: np.ndarray, camera: Camera, depth_mm: np.ndarray, ras_from_camera: np.ndarray
) -> np.ndarray:
    """Whether each vertex (V, 3) is seen, (V,) bool. depth_mm: ray lengths (H, W), NaN where nothing is shown."""
    seen = np.zeros(len(vertices_ras), bool)
    reach = float(np.nanmax(depth_mm, initial=0.0)) * (1.0 + BEHIND_SHARE) + BEHIND_MM
    distance = np.linalg.norm(vertices_ras - ras_from_camera[:3, 3], axis=1)
    near = np.flatnonzero(distance <= reach)
    places = camera.project(transform_points(invert_rigid(ras_from_camera), vertices_ras[near]))
    in_view = camera.contains(places)
    columns, rows = places[in_view].astype(int).T
    near = near[in_view]
    depth = depth_mm[rows, columns]
    seen[near] = distance[near] <= depth + np.maximum(BEHIND_MM, BEHIND_SHARE * depth)  # False where depth is NaN
    return seen


@dataclass(frozen=True, eq=False)
class Wall:
    """The mesh that coverage is counted on, with the share of its area that belongs to each vertex: (V,), sum 1."""

    mesh: TriangleMesh
    area_share: np.ndarray


def wall_of(mesh: TriangleMesh) -> Wall:
    corners = mesh.vertices_ras.astype(np.float64)[mesh.triangles]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    shares = np.bincount(mesh.triangles.ravel(), np.repeat(areas, 3), len(mesh.vertices_ras))
    return Wall(mesh, shares / shares.sum())


def pack_bits(seen: np.ndarray) -> str:
    """A bool array as text: bits, first in the highest place of a byte, deflated, in base 64."""
    return base64.b64encode(zlib.compress(np.packbits(seen).tobytes(), 9)).decode("ascii")


def unpack_bits(text: str, count: int) -> np.ndarray:
    """The bool array (count,) that `pack_bits` made a text of; Sim2RealError if it made none of that length."""
    size = -(-count // 8)
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise Sim2RealError(f"the list of vertices seen is damaged ({error})") from error
    if len(data) != size:
        raise Sim2RealError(f"the list of vertices seen is not of {count} vertices")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count).astype(bool)
