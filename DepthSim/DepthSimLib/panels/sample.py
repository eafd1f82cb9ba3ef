"""The sample colon, made step by step."""

from collections.abc import Iterator
from typing import Any

from slicer.i18n import tr as _

from Sim2RealLib.job import Done

from ..anatomy import generated_colon
from ..mrml.colon_nodes import prepare_colon
from ..recipe import GeneratedColon


def colon_steps(section: GeneratedColon) -> Iterator[Any]:
    """Generate a colon and scan it; returns what `colon_nodes.add_colon` takes."""
    yield Done(0, 0, _("scanning"))
    scanned, anatomy = generated_colon(section)
    yield Done(0, 0, _("checksums"))
    return prepare_colon(section, scanned, anatomy)
