"""A tool in the scene: a closed surface of one material, and where it is."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh

from ..physics.materials import Material


class Mode(StrEnum):
    """REPLACE: no tissue is where the tool is. ADD: what is there stays, and the tool's own attenuation is added."""

    REPLACE = "replace"
    ADD = "add"


@dataclass(frozen=True, eq=False)
class Part:
    """A closed surface of one material in the tool's own frame, mm.

    axis: tip and other end of its axis, each shape (3,), or None where it has none. suffix: what tells it from the
    other parts of one tool, "" where there is only one.
    """

    suffix: str
    mesh: TriangleMesh
    material: Material
    axis: tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True, eq=False)
class Tool:
    """A tool in the world.

    mesh: closed, its triangles agree on a side; vertices in RAS mm. axis_ras: tip and other end, or None.
    """

    name: str
    mesh: TriangleMesh
    material: Material
    mode: Mode
    axis_ras: tuple[np.ndarray, np.ndarray] | None

    @property
    def direction_ras(self) -> np.ndarray | None:
        """Unit vector from the other end to the tip."""
        if self.axis_ras is None:
            return None
        along = self.axis_ras[0] - self.axis_ras[1]
        return along / np.linalg.norm(along)


def place(name: str, part: Part, mode: Mode, ras_from_tool: np.ndarray) -> Tool:
    """A part where the rigid 4×4 puts it. Sim2RealError if its triangles do not agree on which side is out."""
    require_oriented(name, part.mesh)
    mesh = TriangleMesh(transform_points(ras_from_tool, part.mesh.vertices_ras), part.mesh.triangles)
    axis = None if part.axis is None else tuple(transform_points(ras_from_tool, end) for end in part.axis)
    return Tool(f"{name}_{part.suffix}" if part.suffix else name, mesh, part.material, mode, axis)


def require_oriented(name: str, mesh: TriangleMesh) -> None:
    """Sim2RealError unless every edge is run through as often one way as the other: then each point of space has a
    winding number, which is what says whether it is inside."""
    edges = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    low, high = edges.min(axis=1), edges.max(axis=1)
    _, place_of = np.unique(low << 32 | high, return_inverse=True)
    balance = np.bincount(place_of, weights=np.where(edges[:, 0] == low, 1, -1))
    if wrong := np.count_nonzero(balance):
        raise Sim2RealError(
            f"{name}: the triangles at {wrong} of its {len(balance)} edges do not agree on which side is out, or the "
            "surface is open there. Mend it, in Slicer with 'Surface Toolbox' (Fill holes, Compute normals with "
            "auto-orient), and export it again."
        )
