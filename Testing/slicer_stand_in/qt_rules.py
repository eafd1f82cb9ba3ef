"""PythonQt's rules laid over PySide6's classes.

PySide6 and PythonQt, which Slicer embeds, wrap the same Qt differently. Importing this module changes PySide6's
QObject for the process, so that what PythonQt refuses is refused here. A class "stands for" a native one when it
comes from PySide6 or is marked with `stands_for_native`, as the ctk and qMRML doubles are.
"""

import contextlib
import functools
import inspect
import types
from collections.abc import Callable, Iterator

import shiboken6
from PySide6 import QtCore

from . import error_log

QObject = QtCore.QObject
_get = QObject.__getattribute__
_metaclass = type(QObject)
_construct = _metaclass.__call__
_ALIASES = {"name": "objectName"}
_ignored: list[bool] = []
_being_read: set[tuple[int, str]] = set()
_connections: dict[int, list[tuple[str, Callable, QtCore.QMetaObject.Connection]]] = {}
"""By address of the sender: signal, the callable that was given, Qt's connection."""


def stands_for_native(cls: type) -> type:
    """Mark a Python class that stands for a C++ class of Slicer, so that the rules for those hold for it."""
    cls._stands_for_native = True
    return cls


def is_native(cls: type) -> bool:
    return cls.__module__.startswith("PySide6.") or "_stands_for_native" in cls.__dict__


def _defined_in_python(self: QObject, name: str) -> bool:
    if name in _get(self, "__dict__"):
        return True
    for cls in type(self).__mro__:
        if cls.__module__.startswith("PySide6."):
            return False
        if name in cls.__dict__:
            return True
    return False


# ---- properties are attributes ----


def _property(self: QObject, name: str) -> QtCore.QMetaProperty | None:
    meta = QObject.metaObject(self)
    index = meta.indexOfProperty(name)
    return meta.property(index) if index >= 0 else None


def to_python(value: object) -> object:
    """Lists come as tuples from PythonQt."""
    return tuple(value) if isinstance(value, list) else value


def _read(self: QObject, entry: QtCore.QMetaProperty) -> object:
    getter = getattr(type(self), entry.name(), None)
    if entry.isEnumType() and callable(getter):  # property() would give a bare number
        return getter(self)
    reading = id(self), entry.name()
    if reading in _being_read:  # by Qt, which looks for an override of a virtual method that is a property too
        return _get(self, entry.name())
    _being_read.add(reading)
    try:
        return to_python(QObject.property(self, entry.name()))
    finally:
        _being_read.remove(reading)


def _write(self: QObject, entry: QtCore.QMetaProperty, value: object) -> None:
    name, kind = entry.name(), QObject.metaObject(self).className()
    if not entry.isWritable():
        raise AttributeError(f"Property '{name}' of {kind} is read-only")
    setter = getattr(type(self), f"set{name[0].upper()}{name[1:]}", None)
    try:
        accepted = QObject.setProperty(self, name, value) if setter is None else setter(self, value) is not False
    except TypeError:
        accepted = False
    if not accepted:
        raise ValueError(f"Property '{name}' of {kind} does not accept {value!r}")


class NativeMethod:
    """A bound method of Qt, which takes no keyword arguments."""

    def __init__(self, owner: QObject, name: str, method: Callable) -> None:
        self._owner, self._name, self._method = owner, name, method

    def __call__(self, *arguments: object, **keywords: object) -> object:
        if keywords:
            raise TypeError(f"{self._name}: called slot does not support keyword arguments ({', '.join(keywords)})")
        return to_python(self._method(*arguments))

    def __eq__(self, other: object) -> bool:
        return type(other) is NativeMethod and self._owner is other._owner and self._name == other._name

    def __hash__(self) -> int:
        return hash((id(self._owner), self._name))

    def __repr__(self) -> str:
        return f"<{self._name} of {type(self._owner).__name__}>"


def _getattribute(self: QObject, name: str) -> object:
    if name.startswith("__") or _defined_in_python(self, name):
        value = _get(self, name)
    elif name in ("connect", "disconnect"):
        return functools.partial(connect if name == "connect" else disconnect, self)
    elif name == "className":
        return QObject.metaObject(self).className
    elif (entry := _property(self, _ALIASES.get(name, name))) is not None:
        return _read(self, entry)
    else:
        try:
            value = _get(self, name)
        except AttributeError:
            if name.encode() not in [bytes(known) for known in QObject.dynamicPropertyNames(self)]:
                raise
            return to_python(QObject.property(self, name))
    if type(value) is QtCore.SignalInstance:
        return BoundSignal(self, name)
    if type(value) is types.BuiltinMethodType:
        return NativeMethod(self, name, value)
    return value


def _setattribute(self: QObject, name: str, value: object) -> None:
    entry = _property(self, _ALIASES.get(name, name))
    if _defined_in_python(self, name) and (entry is None or name in _get(self, "__dict__")):
        _set_in_python(self, name, value)
    elif entry is not None:
        _write(self, entry, value)
    elif name.encode() in [bytes(known) for known in QObject.dynamicPropertyNames(self)]:
        QObject.setProperty(self, name, value)
    elif not is_native(type(self)) or (name.startswith("_") and not type(self).__module__.startswith("PySide6.")):
        _set_in_python(self, name, value)
    elif not _ignored:
        kind = QObject.metaObject(self).className()
        raise AttributeError(f"'{name}' of {kind}: creating new attributes on C++ objects is not allowed")


@contextlib.contextmanager
def new_attributes_ignored() -> Iterator[None]:
    """For PySide6's own loader of .ui files, which would make each child an attribute of the top widget."""
    _ignored.append(True)
    try:
        yield
    finally:
        _ignored.pop()


def _set_in_python(self: QObject, name: str, value: object) -> None:
    """Python's own way, which CPython lets nobody call for a class that has another."""
    attribute = next((cls.__dict__[name] for cls in type(self).__mro__ if name in cls.__dict__), None)
    if hasattr(type(attribute), "__set__"):
        attribute.__set__(self, value)
    else:
        _get(self, "__dict__")[name] = value


# ---- signals ----


def argument_count(slot: Callable) -> int | None:
    """How many arguments of a signal reach the slot; None for all, as for `*args`, builtins and partials."""
    function = slot.__func__ if inspect.ismethod(slot) else slot
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - inspect.ismethod(slot)


def adapted(slot: Callable, count: int, signal: str) -> Callable:
    """A function of exactly `count` arguments, by which PySide6 decides what it passes on."""
    accepted = argument_count(slot)

    def call(*arguments: object) -> None:
        try:
            slot(*(to_python(argument) for argument in arguments[:accepted]))
        except Exception:
            error_log.record_exception(f"in a slot of {signal}")

    shapes = (
        lambda: call(),
        lambda a: call(a),
        lambda a, b: call(a, b),
        lambda a, b, c: call(a, b, c),
        lambda a, b, c, d: call(a, b, c, d),
    )
    return shapes[count]


def normalized(signature: str) -> str:
    return bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()


def _declared_signal(sender: QObject, signature: str) -> str | None:
    """The attribute of a double that has this signature in Slicer, such as ``currentNodeChanged(vtkMRMLNode*)``."""
    for cls in type(sender).__mro__:
        if signature in cls.__dict__.get("SIGNALS", {}):
            return cls.SIGNALS[signature]
    return None


def _count_arguments(signature: str) -> int:
    inside = signature[signature.index("(") + 1 : -1]
    return inside.count(",") + 1 if inside else 0


def _connect_to(sender: QObject, signature: str, slot: Callable) -> None:
    attribute = _declared_signal(sender, signature)
    if attribute is None:
        link = QObject.connect(sender, QtCore.SIGNAL(signature), adapted(slot, _count_arguments(signature), signature))
    else:
        link = _get(sender, attribute).connect(adapted(slot, _count_arguments(signature), signature))
    address = shiboken6.getCppPointer(sender)[0]
    if address not in _connections:
        _connections[address] = []
        QObject.connect(sender, QtCore.SIGNAL("destroyed()"), lambda: _connections.pop(address, None))
    _connections[address].append((signature, slot, link))


def _known(sender: QObject, signature: str) -> str | None:
    """The normalised signature if the sender has such a signal; otherwise None, and an error is recorded."""
    wanted = normalized(signature)
    if _declared_signal(sender, wanted) or QObject.metaObject(sender).indexOfSignal(wanted) >= 0:
        return wanted
    kind = QObject.metaObject(sender).className()
    error_log.record(f"connect: signal '{signature}' does not exist on {kind} '{QObject.objectName(sender)}'")
    return None


def connect(sender: QObject, signature: str, slot: Callable) -> bool:
    """``sender.connect("clicked(bool)", slot)``: False, and no exception, where there is no such signal."""
    if not callable(slot):
        error_log.record(f"connect: {slot!r} for signal '{signature}' is not callable")
        return False
    if (wanted := _known(sender, signature)) is None:
        return False
    _connect_to(sender, wanted, slot)
    return True


def disconnect(sender: QObject, signature: str, slot: Callable) -> bool:
    """Undo one `connect`; False where there was none."""
    if (wanted := _known(sender, signature)) is None:
        return False
    connections = _connections.get(shiboken6.getCppPointer(sender)[0], [])
    for index, (signal, connected, link) in enumerate(connections):
        if signal == wanted and connected == slot:
            del connections[index]
            return bool(QObject.disconnect(link))
    return False


class BoundSignal:
    """``sender.clicked``: connect, disconnect, and emitted by calling it."""

    def __init__(self, sender: QObject, name: str) -> None:
        self._sender, self._name = sender, name

    def _signature(self) -> str:
        for cls in type(self._sender).__mro__:
            for signature, attribute in cls.__dict__.get("SIGNALS", {}).items():
                if attribute == self._name:
                    return signature
        meta = QObject.metaObject(self._sender)
        methods = (meta.method(index) for index in range(meta.methodCount()))
        return next(bytes(method.methodSignature()).decode() for method in methods if method.name() == self._name)

    def connect(self, slot: Callable) -> bool:
        return connect(self._sender, self._signature(), slot)

    def disconnect(self, slot: Callable) -> bool:
        return disconnect(self._sender, self._signature(), slot)

    def __call__(self, *arguments: object) -> None:
        signal = _get(self._sender, self._name)
        signature = self._signature()
        if not _declared_signal(self._sender, signature):
            signal = signal[signature[signature.index("(") + 1 : -1]]  # of the overloads the one that connect takes
        signal.emit(*arguments)


# ---- classes ----


def _instancecheck(cls: type, instance: object) -> bool:
    """PythonQt's classes do not inherit from each other: only the exact class and Python subclasses count."""
    for kind in type(instance).__mro__:
        if kind is cls:
            return True
        if is_native(kind):
            return False
    return False


def _call(cls: type, *arguments: object, **keywords: object) -> object:
    if keywords and is_native(cls):
        raise TypeError(f"{cls.__name__} does not support keyword arguments ({', '.join(keywords)})")
    return _construct(cls, *arguments, **keywords)


def apply_to(module: types.ModuleType) -> None:
    """Lay the rules over the classes of a module of PySide6, each of which has its own way to set attributes."""
    for name in dir(module):
        cls = getattr(module, name)
        if type(cls) is _metaclass and issubclass(cls, QObject):
            cls.__setattr__ = _setattribute


QObject.__getattribute__ = _getattribute
_metaclass.__instancecheck__, _metaclass.__call__ = _instancecheck, _call
