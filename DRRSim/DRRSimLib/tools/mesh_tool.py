"""Tools from files: any closed surface."""

from typing import Literal

from Sim2RealLib.mesh_io import Space
from Sim2RealLib.recipe import RecipePath, StrictModel

from .section import Pose, Substance, ToolSection, Triple


class Axis(StrictModel):
    """The two ends of a tool's axis, mm, in RAS as the file or scene has it, before `pose`."""

    tip_ras: Triple
    end_ras: Triple


class MeshTool(ToolSection):
    """A surface in a .stl, .ply or .obj file, or a model of a scene.

    space: of the file's coordinates, where it does not say. pose: moves it on; null leaves it where the file has it.
    """

    kind: Literal["mesh"] = "mesh"
    file: RecipePath
    space: Space | None = None
    material: Substance
    axis: Axis | None = None
    pose: Pose | None = None
