"""What every voxel of a CT is made of, from its HU and, where there is one, from a label map.

A limit between two tissues lies where both, at the density of `density_from_hu`, attenuate 70 keV with the same error
against what the CT number says, one too little and one too much, rounded to ten HU: each tissue has the HU that it
explains better. Simulated attenuation at 70 keV is then within 5 % of the CT's in soft tissues and 10 % in bone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .density import density_from_hu
from .materials import mass_attenuation_cm2_g, material

METAL = "metal"
"""Stands in rules for the metal that `classify` is given."""

METALS = (
    "titanium",
    "titanium_alloy",
    "steel",
    "cobalt_chromium",
    "nitinol",
    "tantalum",
    "aluminium",
    "copper",
    "lead",
)
NOMINAL_DENSITY_MATERIALS = frozenset({*METALS, "pmma", "bone_cement", "uhmwpe", "peek"})
"""Manufactured materials: metals saturate the CT number, and of implants that no CT shows there is none."""

CT_ENERGY_KEV = 70.0
"""The energy at which attenuation is taken to be what a scanner at 120 kV shows."""

AIR_LIMIT_HU = -900
"""Up to here it counts nothing, since the open beam is measured in air too: outside air, gas in the body, and the foam
cushions around it (about −960), which a lower limit would turn into speckle. It loses at most 0.1 g/cm³."""

LUNG_AIR_LIMIT_HU = -950
"""The same inside lungs and airways; inflated lung goes down to about −900."""

LUNG_LIMIT_HU = -300
FAT_LIMIT_HU = -60
SOFT_TISSUE_LIMIT_HU = 160
MARROW_LIMIT_HU = 140
TRABECULAR_LIMIT_HU = 840
BONE_LIMIT_HU = 2500
"""Denser than cortical bone; scanners of 12 bits saturate at 3071."""


@dataclass(frozen=True)
class TissueRule:
    """Materials by HU: `materials[i]` above `limits_hu[i − 1]`, up to and including `limits_hu[i]`; one limit fewer."""

    materials: tuple[str, ...]
    limits_hu: tuple[int, ...]


@dataclass(frozen=True)
class TissueRules:
    """The rule of unlabelled voxels and those of tissue groups (see `Sim2RealLib.label_table`).

    Without rules for groups, all voxels follow the first.
    """

    unlabelled: TissueRule
    groups: Mapping[str, TissueRule] = field(default_factory=dict)


HARD_TISSUE = ("trabecular_bone", "cortical_bone", METAL)
HARD_TISSUE_LIMITS_HU = (SOFT_TISSUE_LIMIT_HU, TRABECULAR_LIMIT_HU, BONE_LIMIT_HU)
SOFT_LIMITS_HU = (AIR_LIMIT_HU, FAT_LIMIT_HU, *HARD_TISSUE_LIMITS_HU)
BONE_RULE = TissueRule(("bone_marrow", *HARD_TISSUE), (MARROW_LIMIT_HU, TRABECULAR_LIMIT_HU, BONE_LIMIT_HU))

RULES = {
    # Unlabelled "lung" is also what is partly gas at the edge of body and bowel: gram by gram it attenuates like soft
    # tissue. In organs, muscles and lungs, what is as dense as bone is calcified, or bone the label wrongly covers.
    "tissues": TissueRules(
        TissueRule(
            ("air", "lung", "adipose", "soft_tissue", *HARD_TISSUE),
            (AIR_LIMIT_HU, LUNG_LIMIT_HU, FAT_LIMIT_HU, *HARD_TISSUE_LIMITS_HU),
        ),
        {
            "bone": BONE_RULE,
            "lung": TissueRule(("air", "lung", *HARD_TISSUE), (LUNG_AIR_LIMIT_HU, *HARD_TISSUE_LIMITS_HU)),
            "vessel": TissueRule(
                ("adipose", "blood", "iodine_contrast", "cortical_bone", METAL), (FAT_LIMIT_HU, *HARD_TISSUE_LIMITS_HU)
            ),
            "bowel": TissueRule(
                ("air", "soft_tissue", "iodine_contrast", METAL), (AIR_LIMIT_HU, SOFT_TISSUE_LIMIT_HU, BONE_LIMIT_HU)
            ),
            "muscle": TissueRule(("air", "adipose", "muscle", *HARD_TISSUE), SOFT_LIMITS_HU),
            "organ": TissueRule(("air", "adipose", "soft_tissue", *HARD_TISSUE), SOFT_LIMITS_HU),
            "cartilage": TissueRule(("air", "adipose", "cartilage", *HARD_TISSUE), SOFT_LIMITS_HU),
        },
    ),
    # Where a network has found bone (the label of the group) it may be as thin in mineral as soft tissue; elsewhere
    # what is as dense as bone is contrast medium.
    "network": TissueRules(
        TissueRule(
            ("air", "lung", "adipose", "soft_tissue", "iodine_contrast", METAL),
            (AIR_LIMIT_HU, LUNG_LIMIT_HU, FAT_LIMIT_HU, SOFT_TISSUE_LIMIT_HU, BONE_LIMIT_HU),
        ),
        {"bone": BONE_RULE},
    ),
    # Unberath et al. 2018: thresholds of their public software where no network segments the CT.
    "three_materials": TissueRules(TissueRule(("air", "soft_tissue", "cortical_bone"), (-800, 350))),
    "conventional": TissueRules(TissueRule(("air", "water"), (AIR_LIMIT_HU,))),
}


def classify(
    hu: np.ndarray,
    labels: np.ndarray | None = None,
    label_groups: Mapping[int, str] | None = None,
    rules: TissueRules = RULES["tissues"],
    metal: str = "titanium",
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The material of every voxel: uint8 of the shape of `hu`, and the names that it counts.

    hu: whole HU, any integer type. labels: label ids on the same grid, not negative. label_groups: the tissue group of
    label ids; ids without one count as unlabelled. metal: one of METALS, for everything above 2500 HU.
    Raises Sim2RealError for another shape of labels, an unknown metal or a group that the rules do not know.
    """
    if metal not in METALS:
        raise Sim2RealError(f"“{metal}” is no metal; choose one of {', '.join(METALS)}.")
    if not np.issubdtype(hu.dtype, np.integer):
        raise ValueError("HU must be whole numbers in an integer array")
    used_rules = [rules.unlabelled, *rules.groups.values()]
    names = tuple(dict.fromkeys(metal if name == METAL else name for rule in used_rules for name in rule.materials))
    table = np.stack([_material_by_hu(rule, names, metal) for rule in used_rules])
    index = np.empty(hu.shape, np.uint8)
    if labels is None or not rules.groups:
        for plane, hu_plane in enumerate(hu):
            index[plane] = table[0][_table_column(hu_plane)]
        return index, names
    if labels.shape != hu.shape:
        raise Sim2RealError(f"The label map has shape {labels.shape}, the CT {hu.shape}; they must be on one grid.")
    rule_by_label = _rule_by_label(label_groups or {}, list(rules.groups), int(labels.max()))
    for plane, hu_plane in enumerate(hu):
        index[plane] = table[rule_by_label[labels[plane]], _table_column(hu_plane)]
    return index, names


def voxel_density_g_cm3(name: str, hu: np.ndarray) -> np.ndarray:
    """Density of a material in voxels of these HU, of their shape.

    Manufactured materials have their nominal density. For contrast medium, thinner or thicker than the one that the
    material stands for, it is the density at which it attenuates at CT_ENERGY_KEV as its HU say.
    """
    if name in NOMINAL_DENSITY_MATERIALS:
        return np.full(np.shape(hu), material(name).density_g_cm3)
    if name == "iodine_contrast":
        water, contrast = (mass_attenuation_cm2_g(each, CT_ENERGY_KEV) for each in ("water", name))
        return np.maximum(1.0 + np.asarray(hu) / 1000.0, 0.0) * material("water").density_g_cm3 * water / contrast
    return density_from_hu(hu)


def _material_by_hu(rule: TissueRule, names: tuple[str, ...], metal: str) -> np.ndarray:
    """The index into `names` for every 16-bit number, in the order of `_table_column`."""
    numbers = np.array([names.index(metal if name == METAL else name) for name in rule.materials], np.uint8)
    every_hu = np.arange(2**16, dtype=np.uint16).view(np.int16)
    return numbers[np.searchsorted(rule.limits_hu, every_hu, side="left")]


def _table_column(hu: np.ndarray) -> np.ndarray:
    """HU as positions in a table of all 16-bit numbers, negative ones last; what lies beyond them takes the end."""
    if hu.dtype != np.int16:
        hu = hu.clip(np.iinfo(np.int16).min, np.iinfo(np.int16).max).astype(np.int16)
    return np.ascontiguousarray(hu).view(np.uint16)


def _rule_by_label(label_groups: Mapping[int, str], groups: list[str], largest: int) -> np.ndarray:
    """The row of the table for every label id up to the largest one."""
    rows = np.zeros(largest + 1, np.intp)
    for label, group in label_groups.items():
        if group not in groups:
            raise Sim2RealError(f"Label {label} is of the group “{group}”; the rules know {', '.join(groups)}.")
        if label <= largest:
            rows[label] = 1 + groups.index(group)
    return rows
