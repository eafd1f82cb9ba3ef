"""Recipes: YAML files checked against a pydantic model, refused whole before any work, written back complete.

A relative path counts from where it was written: from the recipe's folder in a recipe, from the working directory in a
setting of the command line. `read_recipe` and `apply_settings` therefore return strings that remember their folder.
"""

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    SerializationInfo,
    Tag,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from .errors import Sim2RealError
from .recipe_faults import faults, shown
from .scene_path import join_scene_path, split_scene_path

MAX_RECIPE_BYTES = 2**20


STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StrictModel(BaseModel):
    """A section of a recipe: unknown fields, NaN and later changes are refused."""

    model_config = STRICT


strict_dataclass = partial(dataclass, config=STRICT)
"""Decorator of a dataclass that code makes and recipes hold: as strict as a `StrictModel`."""


class Recipe(StrictModel):
    """What every recipe of a dataset has; each simulator adds its sections."""

    simulator: str
    seed: int = Field(0, ge=0, lt=2**32)


def preset_or(section: type, presets: Iterable[str]) -> Any:
    """The type of a field that holds the name of a preset or a `section` that describes one of the user's own."""
    names = tuple(presets)

    def known(name: str) -> str:
        if name not in names:
            raise ValueError(f"must be one of {', '.join(names)}, or a section that describes your own")
        return name

    preset = Annotated[str, AfterValidator(known), Tag("preset")]
    kind = Discriminator(lambda value: "preset" if isinstance(value, str) else "section")
    return Annotated[preset | Annotated[section, Tag("section")], kind]


def _different(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each name may be there once")
    return names


unique = AfterValidator(_different)
"""Annotation of a tuple of names none of which may be repeated."""


class LocatedText(str):
    """A string that remembers the folder from which it counts if it is a relative path."""

    folder: Path

    def __new__(cls, text: str, folder: Path) -> "LocatedText":
        self = super().__new__(cls, text)
        self.folder = folder
        return self


def _absolute(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    path = getattr(value, "folder", Path.cwd()) / Path(value).expanduser()
    file, node = split_scene_path(path) or (path, "")
    return join_scene_path(os.path.normpath(file), node)


def _written(path: Path, info: SerializationInfo) -> str:
    start = (info.context or {}).get("relative_to")
    if start is not None:
        try:
            file, node = split_scene_path(path) or (path, "")
            return join_scene_path(os.path.relpath(file, start), node).as_posix()
        except ValueError:  # on Windows there is no way from one drive to another
            pass
    return path.as_posix()


RecipePath = Annotated[Path, BeforeValidator(_absolute), PlainSerializer(_written, return_type=str)]
"""A file or folder, or a node in a scene (see `scene_path`): absolute in the model, relative in a written recipe."""


def read_recipe(path: Path | str) -> dict[str, Any]:
    """The content of a recipe file, not yet validated; Sim2RealError if it cannot be read or is no YAML mapping."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            text = stream.read(MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise Sim2RealError(f"{path}: the recipe cannot be read ({error.strerror}).") from error
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict):
        raise Sim2RealError(f"{path}: a recipe is a YAML mapping such as 'simulator: drr'; this is not one.")
    return _located(content, path.absolute().parent)


def apply_settings(recipe: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy of `recipe` with settings such as ``views.count=20`` or ``input.volume=ct.nii.gz`` applied in order.

    The value is YAML: a number, a word, true, null, ``[1, 2]``. Lists are entered by number (``tissues.0.name=fat``).
    A name the recipe's model does not know is left for `validate` to refuse.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not all(name.split(".")):
            raise Sim2RealError(f"--set {setting}: write it as name=value, for example views.count=20.")
        value = _located(parse_yaml(text.encode(), f"--set {setting}"), Path.cwd())
        recipe = _with(recipe, name.split("."), value, setting)
    return recipe


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], recipe: dict[str, Any], source: str) -> Model:
    """`recipe` as `model`. Sim2RealError names each wrong field, its value and what is allowed, and `source`."""
    try:
        return model.model_validate(recipe)
    except ValidationError as error:
        found = "; ".join(faults(model, recipe, error.errors(include_url=False)))
        raise Sim2RealError(f"{source}: {found}" + ("" if found.endswith("?") else ".")) from error


def to_yaml(recipe: BaseModel, relative_to: Path | str) -> str:
    """The whole recipe, defaults filled in, to be written into folder `relative_to` and run again from there."""
    content = recipe.model_dump(mode="json", context={"relative_to": Path(relative_to).absolute()})
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def parse_yaml(text: bytes, source: str) -> Any:
    """The plain data in a YAML text of at most 1 MiB; Sim2RealError for tags, aliases, repeated keys and bad syntax."""
    if len(text) > MAX_RECIPE_BYTES:
        raise Sim2RealError(f"{source}: larger than {MAX_RECIPE_BYTES >> 20} MiB; this is not a recipe.")
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise Sim2RealError(f"{source}: not valid YAML{place} ({error.problem}).") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Sim2RealError(f"{source}: not valid YAML ({type(error).__name__}).") from error


class _Loader(yaml.SafeLoader):
    """SafeLoader that also refuses aliases, which can grow without bound, and keys given twice."""

    def compose_node(self, parent: Any, index: Any) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()
            raise yaml.MarkedYAMLError(problem="aliases are not allowed in a recipe", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a name must be a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that keeps a list of numbers or words on one line."""


def _represent_list(dumper: _Dumper, items: list) -> yaml.Node:
    flow = not any(isinstance(item, list | dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Dumper.add_representer(list, _represent_list)


def _located(value: Any, folder: Path) -> Any:
    if isinstance(value, str):
        return LocatedText(value, folder)
    if isinstance(value, dict):
        return {key: _located(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_located(item, folder) for item in value]
    return value


def _with(content: Any, names: list[str], value: Any, setting: str) -> Any:
    """`content` with `value` at the path `names`; sections on the way are made where they are missing."""
    if not names:
        return value
    name, *rest = names
    if content is None:
        content = {}
    if isinstance(content, list) and name.isdecimal() and int(name) < len(content):
        place = int(name)
        return [*content[:place], _with(content[place], rest, value, setting), *content[place + 1 :]]
    if not isinstance(content, dict):
        raise Sim2RealError(
            f"--set {setting}: there is no '{name}' in {shown(content)}. Give the section whole, in braces."
        )
    return {**content, name: _with(content.get(name), rest, value, setting)}
