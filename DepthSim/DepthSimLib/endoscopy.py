"""Pictures of one colon from any pose, with any endoscope: what the panel and the console ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from Sim2RealLib.engine import Backend
from Sim2RealLib.simulation import LabelClass

from .anatomy import Anatomy
from .endoscope.presets import Endoscope
from .endoscope.room import KeptPlace, free_place_near, keep_clear
from .frames.ground_truth import GroundTruth
from .progressive import Refinement, lit_once, preview, refine
from .recipe import EndoscopyRecipe, Output
from .simulation import EndoscopySimulation, simulation_of

PREVIEW_PX = 256
"""Width of the picture that follows the hand."""

OF_PICTURES = ("seed", "endoscope", "rendering", "sensor")
"""Sections of a recipe that change a picture of a given pose."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is before an endoscope at a pose, with the pixels of its picture.

    rays: `Endoscope.rays`. classes: of the labels. provenance: plain JSON; inputs, the sections of the recipe by which
        pictures are made, and the pose.
    """

    endoscope: Endoscope
    rays: np.ndarray
    ras_from_camera: np.ndarray
    truth: GroundTruth
    classes: tuple[LabelClass, ...]
    provenance: Mapping[str, Any]


class Endoscopy:
    """Takes pictures on the thread that calls it; what a recipe does not change is kept from one to the next."""

    def __init__(self, anatomy: Anatomy, backend: Backend) -> None:
        self.anatomy = anatomy
        self._backend = backend
        self._last: EndoscopySimulation | None = None

    def simulation(self, recipe: EndoscopyRecipe) -> EndoscopySimulation:
        """The colon as a recipe sees it; the recipe's input, views and output do not count."""
        sections = {name: getattr(recipe, name) for name in OF_PICTURES}
        wanted = EndoscopyRecipe(simulator="endoscopy", output=Output(channels=("display",)), **sections)
        if self._last is None or self._last.recipe != wanted:
            self._last = simulation_of(wanted, self._backend, self.anatomy, self._last)
        return self._last

    def refine(self, recipe: EndoscopyRecipe, ras_from_camera: np.ndarray, seed: int = 0) -> Iterator[Refinement]:
        """Ever better pictures of a pose, rigid 4×4."""
        return refine(self.simulation(recipe), ras_from_camera, seed)

    def preview(
        self, recipe: EndoscopyRecipe, ras_from_camera: np.ndarray, width_px: int, fine: bool = False
    ) -> Refinement:
        """A synthetic picture of a pose, at most `width_px` pixels a row: the quickest there is, or a `fine` one."""
        simulation = self.simulation(recipe)
        factor = min(1.0, width_px / simulation.endoscope.camera.width_px)
        small = simulation.seen_through(simulation.endoscope.scaled(factor))
        return (lit_once if fine else preview)(small, ras_from_camera)

    def sight(self, recipe: EndoscopyRecipe, ras_from_camera: np.ndarray) -> Sight:
        """Depth, normals and labels of every pixel, and all that is told of a picture from there."""
        simulation = self.simulation(recipe)
        truth = simulation.geometry(ras_from_camera)[2]
        sections = {name: getattr(recipe, name) for name in OF_PICTURES}
        told = {"inputs": self.anatomy.inputs, **sections, "ras_from_camera": np.asarray(ras_from_camera).tolist()}
        return Sight(
            simulation.endoscope,
            simulation.rays,
            np.asarray(ras_from_camera),
            truth,
            self.anatomy.classes,
            to_jsonable_python(told),
        )

    def kept_clear(self, wanted_ras: np.ndarray, margin_mm: float, last_ras: np.ndarray | None = None) -> KeptPlace:
        """A place (3,) if it is `margin_mm` from the wall, else where the tip gets to from its last place, or from the
        nearest of the centreline. Sim2RealError if the lumen is nowhere so wide."""
        start = last_ras
        if start is None or self.anatomy.clearance(np.asarray(start)[None])[0] < margin_mm:
            line = self.anatomy.centerline
            place = free_place_near(wanted_ras, line, margin_mm)
            start = line.points_ras[np.abs(line.arc_length_mm - place).argmin()]
        return keep_clear(wanted_ras, self.anatomy.clearance, margin_mm, start)
