"""A generated colon: its lumen as one implicit function; mesh, CT, labels and midline derived from it."""

from .colon import Colon, generate_colon
from .labels import label_classes, label_points
from .polyps import Polyp
from .scan import ColonScan, ScannedColon, scan_colon
from .shape import ColonShape, PolypPlan
from .surface import colon_mesh

__all__ = [
    "Colon",
    "ColonScan",
    "ColonShape",
    "Polyp",
    "PolypPlan",
    "ScannedColon",
    "colon_mesh",
    "generate_colon",
    "label_classes",
    "label_points",
    "scan_colon",
]
