"""The patients of an augmented recipe, made when a frame asks for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from Sim2RealLib.engine import Backend

from .anatomy import Anatomy
from .augmentation.variant import require_augmentable, variant_of
from .projection.incident import Exposure
from .recipe import DrrRecipe
from .scene import Patient, build_patient, exposure_of


@dataclass(frozen=True, eq=False)
class VariantPatient:
    """exposure: in the energy bins that its materials need. record: `augmentation` of a frame."""

    patient: Patient
    exposure: Exposure
    record: Mapping[str, Any]


class Variants:
    """One at a time is on the backend, beside the anatomy that they are variants of."""

    def __init__(self, recipe: DrrRecipe, backend: Backend, anatomy: Anatomy) -> None:
        """Sim2RealError where the anatomy lacks what the augmentation needs."""
        require_augmentable(anatomy, recipe.augmentation)
        self._recipe = recipe
        self._made = lru_cache(maxsize=1)(lambda number: self._make(backend, anatomy, number))

    def of_exposure(self, exposure: int) -> VariantPatient:
        """Exposures in their order are shared out evenly: as many consecutive ones to each variant."""
        return self._made(exposure * self._recipe.augmentation.variants // self._recipe.views.count)

    def _make(self, backend: Backend, anatomy: Anatomy, number: int) -> VariantPatient:
        variant = variant_of(anatomy, self._recipe.augmentation, self._recipe.seed, number)
        patient = build_patient(variant.anatomy, self._recipe.physics.materials, backend)
        exposure = exposure_of(self._recipe.physics, patient.scene, self._recipe.seed)
        return VariantPatient(patient, exposure, variant.record)
