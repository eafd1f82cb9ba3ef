"""`--scene`: the inputs of a recipe by the names that they have in a scene of Slicer's."""

from pathlib import Path
from typing import Any

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.scene_path import join_scene_path, scene_reader

ROLES = {"volume": "ct", "labels": "labels", "landmarks": "landmarks", "mesh": "mesh"}
"""Fields of `input` that name a node, and what the node is to be."""


def inputs_from_scene(recipe: dict[str, Any], scene: Path) -> dict[str, Any]:
    """A copy of a recipe, not yet validated, whose inputs are nodes of a scene: `input.volume`, `labels`, `landmarks`,
    `mesh`, the volumes of `input.implants` and the files of `input.tools`, all of which then are names.

    Sim2RealError: a name that the scene does not have, such as that of a file; a recipe without any.
    """
    section = _copy(recipe.get("input"))
    fields = [(section, field, f"input.{field}", role) for field, role in ROLES.items()]
    if isinstance(section.get("implants"), list):
        section["implants"] = [_copy(entry) for entry in section["implants"]]
        fields += [(entry, "volume", "input.implants", "implant") for entry in section["implants"]]
    if isinstance(section.get("tools"), list):
        section["tools"] = [_copy(entry) for entry in section["tools"]]
        fields += [(entry, "file", "input.tools", "mesh") for entry in section["tools"]]
    named = [field for field in fields if field[0].get(field[1]) is not None]
    if not named:
        raise Sim2RealError(f"--scene {scene}: the recipe takes nothing from it. Name a node: --set input.volume=NAME.")
    for holder, key, name, role in named:
        holder[key] = _path(name, holder[key], role, scene)
    return recipe | {"input": section}


def _copy(section: Any) -> dict[str, Any]:
    return dict(section) if isinstance(section, dict) else {}


def _path(field: str, node: Any, role: str, scene: Path) -> str:
    if not isinstance(node, str):
        raise Sim2RealError(f"{field}: {node!r:.60} is no name. Put it in double quotes.")
    try:
        scene_reader().require_node(scene, node, role)
    except Sim2RealError as error:
        raise Sim2RealError(f"{field}: {error} With --scene, inputs are nodes of that scene, not files.") from error
    return str(join_scene_path(scene.absolute(), node))
