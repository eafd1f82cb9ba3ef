"""The X-ray simulator as the commands see it."""

from .dicom.writer import write_dicom
from .frame_checks import frame_checks, input_checks
from .recipe import DrrRecipe
from .report_sections import report_sections
from .simulation import open_simulation

RECIPE = DrrRecipe
FORMATS = {"dicom": write_dicom}

__all__ = ["FORMATS", "RECIPE", "frame_checks", "input_checks", "open_simulation", "report_sections"]
