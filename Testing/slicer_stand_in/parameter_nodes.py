"""The module `slicer.parameterNodeWrapper`: typed access to the strings of a vtkMRMLScriptedModuleNode.

The subset that modules of ours use: the types of parameter_types.py, packs, validators, and the connection to the
widgets of a .ui file. Not offered: createGui, custom serializers and connectors, caching. A list or dictionary that
is read is a copy: assign it again to store a change.
"""

import types
from collections.abc import Callable, Mapping

import vtk

from . import parameter_types as kinds
from .gui_connectors import Connection, Connector, connector_for
from .parameter_types import Field, fields_of, is_pack


def parameterPack(cls: type) -> type:
    """Class decorator: related parameters under one name, stored as ``pack.member``."""
    cls._pack_fields = fields_of(cls)

    def construct(self: object, *arguments: object, **keywords: object) -> None:
        if len(arguments) > len(self._pack_fields):
            raise TypeError(f"{cls.__name__} has {len(self._pack_fields)} members, {len(arguments)} were given")
        given = dict(zip(self._pack_fields, arguments, strict=False))
        if wrong := (keywords.keys() - self._pack_fields.keys()) | (given.keys() & keywords.keys()):
            raise TypeError(f"{cls.__name__}: {', '.join(sorted(wrong))} given twice or not a member")
        for name, entry in self._pack_fields.items():
            setattr(self, name, {**given, **keywords}.get(name, _absent))
            if getattr(self, name, _absent) is _absent:
                setattr(self, name, entry.default())

    def assign(self: object, name: str, value: object) -> None:
        if name not in self._pack_fields:
            raise AttributeError(f"{cls.__name__} has no member '{name}'")
        if value is not _absent:
            self.__dict__[name] = self._pack_fields[name].check(value)
            if owner := self.__dict__.get("_owner"):
                owner()

    def values(self: object) -> dict[str, object]:
        return {name: getattr(self, name) for name in self._pack_fields}

    def text(self: object) -> str:
        return f"{cls.__name__}({', '.join(f'{name}={value!r}' for name, value in values(self).items())})"

    def same(self: object, other: object) -> bool:
        return type(other) is cls and values(self) == values(other)

    for name, method in {"__init__": construct, "__eq__": same, "__repr__": text, "__str__": text}.items():
        if name not in cls.__dict__ or (name == "__eq__" and cls.__dict__[name] is object.__eq__):
            setattr(cls, name, method)
    cls.__setattr__, cls.__hash__ = assign, None
    for name in cls._pack_fields:
        if name in cls.__dict__:
            delattr(cls, name)
    return cls


_absent = object()


@parameterPack
class FloatRange:
    """What a ctkRangeWidget shows; bounds are given by RangeBounds."""

    minimum: float
    maximum: float


class _Parameter:
    """Descriptor of one parameter of a wrapper."""

    def __init__(self, name: str, field: Field) -> None:
        self.name, self.field = name, field

    def __get__(self, wrapper: object | None, _owner: type | None = None) -> object:
        return self if wrapper is None else wrapper.getValue(self.name)

    def __set__(self, wrapper: object, value: object) -> None:
        wrapper.setValue(self.name, value)


def _leaves(name: str, field: Field) -> dict[str, Field]:
    """A parameter itself, or the members of a pack by their dotted names."""
    if not is_pack(field.type):
        return {name: field}
    found = {}
    for member, inner in field.type._pack_fields.items():
        found |= _leaves(f"{name}.{member}", inner)
    return found


def _member(value: object, path: list[str]) -> object:
    for name in path:
        value = getattr(value, name)
    return value


class _Wrapper:
    """What `parameterNodeWrapper` adds to the class it decorates."""

    _fields: Mapping[str, Field]

    def __init__(self, parameterNode: "kinds.slicer.vtkMRMLScriptedModuleNode", prefix: str | None = None) -> None:
        if prefix:
            raise NotImplementedError("parameter nodes with a prefix")
        object.__setattr__(self, "parameterNode", parameterNode)
        object.__setattr__(self, "_connections", {})
        disable = parameterNode.StartModify()
        for name, field in self._fields.items():
            default = field.default()
            for dotted, leaf in _leaves(name, field).items():
                if not kinds.is_stored(parameterNode, dotted, leaf.type):
                    kinds.store(parameterNode, dotted, leaf.type, _member(default, dotted.split(".")[1:]))
        parameterNode.EndModify(disable)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no parameter '{name}'")
        self.setValue(name, value)

    def field(self, name: str) -> Field:
        """The declaration of a parameter by its dotted name; ValueError if there is none."""
        first, *rest = name.split(".")
        field = self._fields.get(first)
        for member in rest:
            field = getattr(field.type, "_pack_fields", {}).get(member) if field else None
        if field is None:
            raise ValueError(f"{type(self).__name__} has no parameter '{name}'")
        return field

    def getValue(self, name: str) -> object:
        """The value of a parameter; a pack writes changes of its members back."""
        field = self.field(name)
        if not is_pack(field.type):
            return kinds.load(self.parameterNode, name, field.type)
        pack = field.type.__new__(field.type)
        for member in field.type._pack_fields:
            pack.__dict__[member] = self.getValue(f"{name}.{member}")
        pack.__dict__["_owner"] = lambda: self.setValue(name, pack)
        return pack

    def setValue(self, name: str, value: object) -> None:
        """Check and store a value: TypeError or ValueError where it is refused."""
        field = self.field(name)
        value = field.check(value)
        disable = self.parameterNode.StartModify()
        for dotted, leaf in _leaves(name, field).items():
            below = dotted[len(name) + 1 :]
            kinds.store(self.parameterNode, dotted, leaf.type, _member(value, below.split(".") if below else []))
        self.parameterNode.EndModify(disable)

    def default(self, name: str) -> object:
        return self.field(name).default()

    def AddObserver(self, event: int, callback: Callable, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def connectGui(self, gui: object) -> None:
        """Bind the widgets that carry a property `SlicerParameterName`.

        Slicer's documentation promises a tag for `disconnectGui`, its versions so far return None: so does this.
        """
        widgets = vars(gui).values() if not isinstance(gui, Mapping) else gui.values()
        named = ((widget.property("SlicerParameterName"), widget) for widget in widgets if hasattr(widget, "property"))
        self._connect([(name, widget) for name, widget in named if name])

    def connectParametersToGui(self, mapping: Mapping[str, object]) -> int:
        """Bind widgets by the name of their parameter."""
        return self._connect(list(mapping.items()))

    def _connect(self, pairs: list[tuple[str, object]]) -> int:
        connectors: list[tuple[str, Connector]] = []
        for name, widget in pairs:
            connectors.append((name, connector_for(widget, self.field(name))))
        tag = max(self._connections, default=0) + 1
        self._connections[tag] = Connection(self, connectors)
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        """Undo a `connectGui`."""
        if tag in self._connections:
            self._connections.pop(tag).close()


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: the annotated members become typed parameters of the node given to the constructor."""
    fields = fields_of(cls)
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    body |= {name: _Parameter(name, field) for name, field in fields.items()}
    if clash := fields.keys() & {*vars(_Wrapper), "parameterNode"}:
        raise ValueError(f"{cls.__name__}: {', '.join(sorted(clash))} cannot be names of parameters")
    return types.new_class(
        cls.__name__, (_Wrapper, *cls.__bases__), exec_body=lambda space: space.update(body, _fields=fields)
    )


def make_module() -> types.ModuleType:
    """The module `slicer.parameterNodeWrapper`."""
    module = types.ModuleType("slicer.parameterNodeWrapper", __doc__)
    for offered in (parameterNodeWrapper, parameterPack, FloatRange):
        setattr(module, offered.__name__, offered)
    for name in ("Validator", "NotNone", "IsInstance", "Minimum", "Maximum", "WithinRange", "RangeBounds", "Choice"):
        setattr(module, name, getattr(kinds, name))
    for name in ("Exclude", "Default", "Decimals", "SingleStep"):
        setattr(module, name, getattr(kinds, name))
    return module


MODIFIED = vtk.vtkCommand.ModifiedEvent
