"""The tools of a recipe, built and placed."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mesh_io import read_mesh

from .cannulated_screw import CannulatedScrew
from .hip_implant import HipImplant
from .kirschner_wire import KirschnerWire
from .mesh_tool import MeshTool
from .plate import Plate
from .section import substance
from .tool import Part, Tool, place

AnyTool = Annotated[KirschnerWire | CannulatedScrew | Plate | HipImplant | MeshTool, Field(discriminator="kind")]


def build_tools(sections: Sequence[AnyTool]) -> tuple[tuple[Tool, ...], list[dict[str, Any]]]:
    """All tools in the world, highest priority first, and provenance records.

    Sim2RealError: a file that cannot be read or whose surface is not closed, two tools of one name, two materials of
    one name.
    """
    tools, records = [], []
    for number, section in enumerate(sections, start=1):
        name = section.name or f"{section.kind}_{number}"
        if isinstance(section, MeshTool):
            parts, record = _from_file(section)
            pose = np.eye(4) if section.pose is None else section.pose.matrix()
        else:
            parts, record, pose = section.parts(), {"license": "Apache-2.0"}, section.pose.matrix()
        built = [place(name, part, section.mode, pose) for part in parts]
        tools += built
        materials = [tool.material.name for tool in built]
        records.append({"role": "tool", "name": name, "kind": section.kind, "materials": materials} | record)
    _require_different(tools)
    return tuple(tools), records


def _from_file(section: MeshTool) -> tuple[tuple[Part, ...], dict[str, Any]]:
    mesh, record = read_mesh(section.file, section.space)
    axis = None if section.axis is None else (np.array(section.axis.tip_ras), np.array(section.axis.end_ras))
    file = {"file": record["name"]} | {key: value for key, value in record.items() if key not in ("role", "name")}
    return (Part("", mesh, substance(section.material), axis),), file


def _require_different(tools: Sequence[Tool]) -> None:
    names, materials = set(), {}
    for tool in tools:
        if tool.name in names:
            raise Sim2RealError(f"input.tools: two tools are called {tool.name}; give each a name of its own.")
        names.add(tool.name)
        if materials.setdefault(tool.material.name, tool.material) != tool.material:
            raise Sim2RealError(f"input.tools: two different alloys are called {tool.material.name}.")
