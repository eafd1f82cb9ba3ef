"""The endoscopy simulator as the commands see it."""

from .frame_checks import frame_checks, input_checks
from .recipe import EndoscopyRecipe
from .report_sections import report_sections
from .simulation import open_simulation

RECIPE = EndoscopyRecipe
FORMATS = {}

__all__ = ["FORMATS", "RECIPE", "frame_checks", "input_checks", "open_simulation", "report_sections"]
