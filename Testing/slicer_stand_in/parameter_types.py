"""Values of a parameter node: how each type is checked, defaulted and kept in a vtkMRMLScriptedModuleNode.

Values are strings of the node, MRML nodes are its node references. The names of the entries are those of Slicer's
documentation (dotted for packs); the text of lists and dictionaries is this stand-in's own, JSON.
"""

import enum
import json
import pathlib
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import slicer

_PATHS = (pathlib.Path, pathlib.PosixPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)


class Validator:
    """Base of annotations that refuse values: `validate(value)` raises ValueError."""

    def validate(self, value: object) -> None:
        raise NotImplementedError


class NotNone(Validator):
    def validate(self, value: object) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    def __init__(self, classtype: type | tuple[type, ...]) -> None:
        self.classtype = classtype

    def validate(self, value: object) -> None:
        if not isinstance(value, self.classtype):
            raise TypeError(f"Value must be {self.classtype}, is {value!r}")


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: float) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: float) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class RangeBounds(WithinRange):
    """Bounds of both ends of a FloatRange."""

    def validate(self, value: object) -> None:
        super().validate(value.minimum)
        super().validate(value.maximum)


class Choice(Validator):
    def __init__(self, choices: Iterable) -> None:
        self.choices = tuple(choices)

    def validate(self, value: object) -> None:
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


class Exclude(Validator):
    def __init__(self, excluded: Iterable) -> None:
        self.excluded = tuple(excluded)

    def validate(self, value: object) -> None:
        if value in self.excluded:
            raise ValueError(f"Value must not be one of {self.excluded}, is {value!r}")


class Default:
    """The value a parameter starts with, or a `generator` of it."""

    def __init__(self, value: object = None, *, generator: Callable[[], object] | None = None) -> None:
        self._value, self._generator = value, generator

    def get(self) -> object:
        return self._generator() if self._generator else self._value


class Decimals:
    """How many decimals the connected widget shows."""

    def __init__(self, value: int) -> None:
        self.value = value


class SingleStep:
    """The step of the connected widget."""

    def __init__(self, value: float) -> None:
        self.value = value


_missing = object()


@dataclass(frozen=True)
class Field:
    """One parameter: its plain type, its annotations, and the value it was assigned in the class."""

    type: object
    annotations: tuple
    assigned: object = _missing

    def annotation(self, *kinds: type) -> object | None:
        return next((entry for entry in self.annotations if isinstance(entry, kinds)), None)

    def default(self) -> object:
        if self.assigned is not _missing:
            return self.assigned
        given = self.annotation(Default)
        return implicit_default(self.type) if given is None else given.get()

    def check(self, value: object) -> object:
        """The value as it is stored; TypeError or ValueError."""
        value = require_type(self.type, value)
        for entry in self.annotations:
            if isinstance(entry, Validator):
                entry.validate(value)
        return value


def fields_of(cls: type) -> dict[str, Field]:
    """The annotated members of a class body, in their order."""
    found = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        plain, *extra = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        found[name] = Field(plain, tuple(extra), cls.__dict__.get(name, _missing))
        found[name].check(found[name].default())  # a wrong default is refused when the class is made
    return found


def is_pack(kind: object) -> bool:
    return isinstance(kind, type) and hasattr(kind, "_pack_fields")


def is_node(kind: object) -> bool:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return all(entry is type(None) or is_node(entry) for entry in typing.get_args(kind))
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _optional(kind: object) -> object | None:
    """T of Optional[T]."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [entry for entry in typing.get_args(kind) if entry is not type(None)]
        if len(rest) != 1:
            raise TypeError(f"{kind}: of unions the stand-in knows Optional and unions of MRML nodes")
        return rest[0]
    return None


def implicit_default(kind: object) -> object:
    if is_node(kind) or _optional(kind) is not None:
        return None
    if is_pack(kind):
        return kind()
    origin = typing.get_origin(kind)
    if origin is tuple:
        return tuple(implicit_default(entry) for entry in typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    return (origin or kind)()


def require_type(kind: object, value: object) -> object:
    """The value itself (an int for a float becomes a float); TypeError where it is of another type."""
    if is_node(kind):
        allowed = typing.get_args(kind) or (kind,)
        if value is not None and not isinstance(value, tuple(entry for entry in allowed if entry is not type(None))):
            raise TypeError(f"a {kind} is needed, not {value!r}")
        return value
    if (inner := _optional(kind)) is not None:
        return None if value is None else require_type(inner, value)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    expected = origin or kind
    if expected is float and type(value) is int:
        return float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise TypeError(f"a value of type {kind} is needed, not {value!r}")
    if origin is list:
        return [require_type(arguments[0], entry) for entry in value]
    if origin is tuple:
        return tuple(require_type(inner, entry) for inner, entry in zip(arguments, value, strict=True))
    if origin is dict:
        return {require_type(arguments[0], key): require_type(arguments[1], entry) for key, entry in value.items()}
    return value


def _to_json(kind: object, value: object) -> object:
    if value is None:
        return None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if (inner := _optional(kind)) is not None:
        return _to_json(inner, value)
    if origin is list:
        return [_to_json(arguments[0], entry) for entry in value]
    if origin is tuple:
        return [_to_json(inner, entry) for inner, entry in zip(arguments, value, strict=True)]
    if origin is dict:
        return [[_to_json(arguments[0], key), _to_json(arguments[1], entry)] for key, entry in value.items()]
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, pathlib.PurePath):
        return str(value)
    raise TypeError(f"{kind} is not a type that the stand-in's parameter nodes can hold")


def _from_json(kind: object, stored: object) -> object:
    if stored is None:
        return None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if (inner := _optional(kind)) is not None:
        return _from_json(inner, stored)
    if origin is list:
        return [_from_json(arguments[0], entry) for entry in stored]
    if origin is tuple:
        return tuple(_from_json(inner, entry) for inner, entry in zip(arguments, stored, strict=True))
    if origin is dict:
        return {_from_json(arguments[0], key): _from_json(arguments[1], entry) for key, entry in stored}
    if issubclass(kind, enum.Enum):
        return kind[stored]
    return kind(stored)


def _node_list(kind: object) -> bool:
    return typing.get_origin(kind) is list and is_node(typing.get_args(kind)[0])


def is_stored(node: "slicer.vtkMRMLScriptedModuleNode", name: str, kind: object) -> bool:
    """Whether the node holds a value; references to nodes and empty lists of them need none."""
    return is_node(kind) or _node_list(kind) or node.HasParameter(name)


def store(node: "slicer.vtkMRMLScriptedModuleNode", name: str, kind: object, value: object) -> None:
    """Write a checked value; only a change modifies the node."""
    if is_node(kind):
        if node.GetNodeReference(name) is not value:
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
    elif _node_list(kind):
        wanted = [entry.GetID() for entry in value]
        if [entry.GetID() for entry in load(node, name, kind)] != wanted:
            node.RemoveNodeReferenceIDs(name)
            for identifier in wanted:
                node.AddNodeReferenceID(name, identifier)
    else:
        plain = _to_json(kind, value)
        node.SetParameter(name, plain if isinstance(plain, str) and _plain_text(kind) else json.dumps(plain))


def load(node: "slicer.vtkMRMLScriptedModuleNode", name: str, kind: object) -> object:
    """Read a value that `store` wrote."""
    if is_node(kind):
        return node.GetNodeReference(name)
    if _node_list(kind):
        count = node.GetNumberOfNodeReferences(name)
        return [node.GetNthNodeReference(name, index) for index in range(count)]
    text = node.GetParameter(name)
    return _from_json(kind, text if _plain_text(kind) else json.loads(text))


def _plain_text(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, (str, enum.Enum, *_PATHS))
