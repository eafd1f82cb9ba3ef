"""What of a laparoscopic scene a segmentation holds, what is missing, and what is doubtful about it.

The classes are those of Pfeiffer et al. 2019 (MICCAI): liver, gallbladder, fat, ligament, abdominal wall, tools. Names
are those of TotalSegmentator, in any spelling that `label_table.classes_by_name` takes for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LIVER, GALLBLADDER = "liver", "gallbladder"
SURROUNDINGS = ("stomach", "duodenum", "small_bowel", "colon", "spleen", "pancreas")
"""What else a laparoscope sees of the upper abdomen, if it is there."""
SEEN = (LIVER, GALLBLADDER, *SURROUNDINGS)
TO_BE_MADE = "abdominal wall, fat and falciform ligament"
"""No class of TotalSegmentator: the simulator is to make them."""

LIVER_ML = (800.0, 3000.0)
"""CT volumetry finds about 1 to 2.5 litres in adults; a liver far outside is cut off, or is not one."""
GALLBLADDER_ML = (3.0, 150.0)
"""A fasting one holds 30 to 50 ml; one far outside is empty, hydropic or merged with something else."""


@dataclass(frozen=True)
class OrganFindings:
    """found, missing, doubts: in words, one each; `usable` if what the scene cannot do without is there."""

    found: tuple[str, ...]
    missing: tuple[str, ...]
    doubts: tuple[str, ...]
    usable: bool


def examine(volumes_ml: Mapping[str, float]) -> OrganFindings:
    """Findings on organs by their class name with the volume inside their surface, NaN where it is not known yet."""
    found = tuple(name for name in SEEN if name in volumes_ml)
    missing = []
    if LIVER not in volumes_ml:
        missing.append("liver: a laparoscopic scene cannot do without it")
    if GALLBLADDER not in volumes_ml:
        missing.append("gallbladder: the scene will be that of a patient who has none")
    missing.append(f"{TO_BE_MADE}: the simulator is to make them")
    doubts = []
    for name, (low, high) in ((LIVER, LIVER_ML), (GALLBLADDER, GALLBLADDER_ML)):
        volume = volumes_ml.get(name, float("nan"))
        if volume < low or volume > high:
            doubts.append(f"{name} of {volume:.0f} ml: {low:.0f} to {high:.0f} ml are plausible. Is it whole?")
    return OrganFindings(found, tuple(missing), tuple(doubts), LIVER in volumes_ml)
