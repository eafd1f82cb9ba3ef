"""The colon from CT colonography: lumen, wall mesh, centreline, distance to the wall."""

from .branches import Branch, branches_off
from .chain import Collapse
from .clearance import ClearanceField
from .fluid import PatientPosition
from .lumen import ColonLumen, LeftOut, lumen_steps, segment_lumen
from .passages import Piece
from .path import trace_centerline

__all__ = [
    "Branch",
    "ClearanceField",
    "Collapse",
    "ColonLumen",
    "LeftOut",
    "PatientPosition",
    "Piece",
    "branches_off",
    "lumen_steps",
    "segment_lumen",
    "trace_centerline",
]
