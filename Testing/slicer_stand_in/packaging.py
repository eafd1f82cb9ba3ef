"""The module `slicer.packaging`: records what a module asks to have installed, and never installs it."""

import importlib.metadata
import types
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

asked: list[dict[str, object]] = []
"""Every pip_ensure and pip_install: the requirements, and the keyword arguments."""


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a requirements.txt."""
    lines = (line.strip() for line in Path(path).read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _requirements(given: object) -> list[Requirement]:
    entries = [given] if isinstance(given, str | Requirement) else list(given)
    return [entry if isinstance(entry, Requirement) else Requirement(entry) for entry in entries]


def pip_check(requirements: str | Requirement | Iterable) -> bool:
    """Whether all that applies to this system is installed in a version that is asked for."""
    for entry in _requirements(requirements):
        if entry.marker is not None and not entry.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(entry.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not entry.specifier.contains(version, prereleases=True):
            return False
    return True


def pip_ensure(requirements: str | Requirement | Iterable, **options: object) -> bool:
    """Record the request; whether all is there already."""
    wanted = _requirements(requirements)
    asked.append({"requirements": [str(entry) for entry in wanted], **options})
    return pip_check(wanted)


def pip_install(requirements: str | Requirement | Iterable, **options: object) -> None:
    """Record the request."""
    asked.append({"requirements": [str(entry) for entry in _requirements(requirements)], **options})


def make_module() -> types.ModuleType:
    """The module `slicer.packaging`."""
    module = types.ModuleType("slicer.packaging", __doc__)
    for offered in (load_requirements, pip_check, pip_ensure, pip_install):
        setattr(module, offered.__name__, offered)
    module.asked = asked
    return module
