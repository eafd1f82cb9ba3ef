"""The sample pelvis, made step by step."""

from collections.abc import Iterator
from typing import Any

from slicer.i18n import tr as _

from Sim2RealLib.job import Done
from Sim2RealLib.volume_io import label_ids

from ..label_surfaces import label_surface
from ..mrml.pelvis_nodes import prepare_pelvis
from ..mrml.surfaces import smooth_poly_data
from ..pelvis import generate_pelvis
from ..recipe import PelvisAnatomy


def pelvis_steps(anatomy: PelvisAnatomy) -> Iterator[Any]:
    """Generate a pelvis and the surfaces of its organs; returns what `pelvis_nodes.add_pelvis` takes."""
    yield Done(0, 0, _("drawing"))
    phantom = generate_pelvis(anatomy.seed, anatomy.spacing_mm)
    present = label_ids(phantom.labels)
    surfaces = {}
    for done, label in enumerate(present):
        yield Done(done, len(present), _("surfaces"))
        surfaces[label] = smooth_poly_data(label_surface(phantom.labels, label))
    return prepare_pelvis(phantom, anatomy, surfaces)
