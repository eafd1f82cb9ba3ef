"""The sample pelvis, made step by step."""

from collections.abc import Iterator
from typing import Any

from slicer.i18n import tr as _

from Sim2RealLib.job import Done
from Sim2RealLib.volume_io import label_ids

from ..label_surfaces import label_surface
from ..pelvis import generate_pelvis
from ..recipe import PelvisAnatomy


def pelvis_steps(anatomy: PelvisAnatomy) -> Iterator[Any]:
    """Generate a pelvis and the surfaces of its organs; returns what `patient_nodes.add_pelvis` takes."""
    yield Done(0, 0, _("drawing"))
    phantom = generate_pelvis(anatomy.seed, anatomy.spacing_mm)
    present = label_ids(phantom.labels)
    surfaces = {}
    for done, label in enumerate(present):
        yield Done(done, len(present), _("surfaces"))
        surfaces[label] = label_surface(phantom.labels, label)
    return phantom, anatomy, surfaces
