"""Closed surfaces from mesh files: STL, PLY and OBJ."""

import re
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .errors import Sim2RealError
from .geometry import RAS_FROM_LPS, transform_points
from .mesh import TriangleMesh
from .provenance import input_record
from .scene_path import scene_reader, split_scene_path

Space = Literal["lps", "ras"]

_SUFFIXES = (".stl", ".ply", ".obj")
_RAS_FROM = {"lps": RAS_FROM_LPS, "ras": np.eye(4)}
_SPACE = re.compile(rb"\bSPACE=(\w+)")
"""How Slicer tells the coordinates: in the solid's name or header of STL files, in a comment of PLY and OBJ files."""
_HEAD_BYTES = 4096


def read_mesh(path: str | Path, space: Space | None = None) -> tuple[TriangleMesh, dict[str, Any]]:
    """The closed surface in a .stl, .ply or .obj file, millimetres, and its provenance, or that of a model in a scene
    of Slicer's, ``case.mrb#Lumen``.

    space: of the file's coordinates. Without it they are what the file says (Slicer's ``SPACE=LPS`` or ``SPACE=RAS``),
    or else LPS, as Slicer takes them; a scene's are RAS. Identical vertices become one, in the order in which they
    first appear, and triangles without extent are dropped; nothing else is altered. Materials and textures are left.

    Sim2RealError: a missing file, another format, a damaged or truncated file, no triangles, vertices that are not
    numbers, triangles of vertices that are not there, a surface that is not closed, coordinates in another space than
    `space`.
    """
    if (scene := split_scene_path(path)) is not None:
        if space == "lps":
            raise Sim2RealError(f"{Path(path).name}: models of a scene are in RAS. Leave the choice to the scene.")
        return scene_reader().read_mesh(*scene)
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise Sim2RealError(
            f"{path} is in no mesh format that is read here; these are {', '.join(_SUFFIXES)}. Save it as one of them, "
            "in Slicer with 'Save Data'."
        )
    record = input_record("mesh", path)
    found = _space(path, space)
    mesh = closed_mesh(path.name, *_contents(path), _RAS_FROM[found])
    return mesh, record | {"space": found, "vertices": len(mesh.vertices_ras), "triangles": len(mesh.triangles)}


def closed_mesh(name: str, vertices: np.ndarray, triangles: np.ndarray, ras_from_source: np.ndarray) -> TriangleMesh:
    """What `read_mesh` gives of vertices (V, 3) float32 and triangles (T, 3), with the affine 4×4 that takes them to
    RAS; triangles turn round where it mirrors. Sim2RealError, naming the surface: as there."""
    vertices, triangles = _merged(name, vertices, triangles)
    _require_closed(name, triangles)
    if np.linalg.det(ras_from_source[:3, :3]) < 0.0:
        triangles = np.ascontiguousarray(triangles[:, ::-1])
    return TriangleMesh(transform_points(ras_from_source, vertices).astype(np.float32), triangles)


def _space(path: Path, asked: Space | None) -> Space:
    with path.open("rb") as stream:
        match = _SPACE.search(stream.read(_HEAD_BYTES))
    told = match[1].decode().lower() if match else None
    if told is not None and told not in _RAS_FROM:
        raise Sim2RealError(f"{path.name}: its header says SPACE={match[1].decode()}; only LPS and RAS are known.")
    if told and asked and told != asked:
        raise Sim2RealError(
            f"{path.name}: its header says SPACE={told.upper()}, but it is to be read as {asked.upper()}. "
            "Leave the choice to the header, or mend it."
        )
    return told or asked or "lps"


def _contents(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float32 and triangles (T, 3) as they are in a file."""
    import trimesh

    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
            options = {"process": False, "maintain_order": True, "skip_materials": True}
            mesh = trimesh.load_mesh(stream, path.suffix[1:].lower(), **options)
        return mesh.vertices.astype(np.float32), np.reshape(mesh.faces, (-1, 3))
    except Exception as error:  # whatever a parser runs into
        raise Sim2RealError(f"{path.name} cannot be read: damaged, truncated or too large. Export it again.") from error


def _merged(name: str, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(triangles):
        raise Sim2RealError(f"{name} holds no triangles: it is empty, cut off, or holds points or lines only.")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise Sim2RealError(f"{name}: a triangle has a vertex that is not in the file. Export it again.")
    if wrong := np.count_nonzero(~np.isfinite(vertices).all(axis=1)):
        raise Sim2RealError(f"{name}: {wrong} vertices are NaN or infinite. Mend or export it again.")
    order = np.lexsort(vertices.T)
    fresh = np.r_[True, np.any(np.diff(vertices[order], axis=0) != 0, axis=1)]
    first = np.minimum.reduceat(order, np.flatnonzero(fresh))
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    number = np.empty(len(vertices), np.int32)
    number[order] = rank[np.cumsum(fresh) - 1]
    triangles = number[triangles]
    a, b, c = triangles.T
    return vertices[np.sort(first)], triangles[(a != b) & (b != c) & (c != a)]


def _require_closed(name: str, triangles: np.ndarray) -> None:
    """Every edge belongs to an even number of triangles, so that space has an inside and an outside."""
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1).astype(np.int64)
    _, count = np.unique(edges[:, 0] << 32 | edges[:, 1], return_counts=True)
    if open_edges := np.count_nonzero(count % 2):
        raise Sim2RealError(
            f"{name} is not closed: {open_edges} of its {len(count)} edges have a triangle on one side only. Close its "
            "ends and holes, in Slicer with 'Surface Toolbox' (Fill holes), and export it again."
        )
