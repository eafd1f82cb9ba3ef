"""The standard views of the pelvis, supine, by the angles of a C-arm."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StandardView:
    """A view by its name; angles have DICOM's signs, positive to LAO and CRAN."""

    title: str
    primary_deg: float
    secondary_deg: float


STANDARD_VIEWS = {
    "ap": StandardView("AP", 0.0, 0.0),
    "lateral_right": StandardView("Lateral, detector right", -90.0, 0.0),
    "lateral_left": StandardView("Lateral, detector left", 90.0, 0.0),
    "inlet": StandardView("Inlet", 0.0, 40.0),
    "outlet": StandardView("Outlet", 0.0, -40.0),
    "obturator_right": StandardView("Obturator oblique, right", -45.0, 0.0),
    "iliac_right": StandardView("Iliac oblique, right", 45.0, 0.0),
    "obturator_left": StandardView("Obturator oblique, left", 45.0, 0.0),
    "iliac_left": StandardView("Iliac oblique, left", -45.0, 0.0),
}
"""Inlet and outlet tilt the detector to the head and to the feet. Judet's oblique views are of one hip: the obturator
view turns the detector to its side, the iliac view away from it, and is the obturator view of the other hip."""
