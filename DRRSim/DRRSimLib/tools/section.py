"""What all tools of a recipe have: a name, a place, a material, and what becomes of the tissue."""

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from Sim2RealLib.geometry import frame_along, rotation
from Sim2RealLib.recipe import StrictModel, preset_or

from ..physics.materials import Material, material, material_names, tabulated_elements
from .tool import Mode

Triple = tuple[float, float, float]
Row = tuple[float, float, float, float]

RIGID_TOLERANCE = 1e-4
"""Largest entry of R Rᵀ − 1 of a rotation that somebody typed or a file rounded."""

MASS_TOLERANCE = 1e-3
"""How far mass fractions may be from adding up to 1."""

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class Alloy(StrictModel):
    """A material of the user's own. composition: mass fraction by element symbol."""

    name: ToolName
    density_g_cm3: Annotated[float, Field(gt=0, le=25)]
    composition: Annotated[dict[str, PositiveFloat], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> "Alloy":
        if self.name in material_names():
            raise ValueError(f"{self.name} is the name of a material that is there already; give yours another")
        unknown = [element for element in self.composition if element not in tabulated_elements()]
        if unknown:
            raise ValueError(f"no element {', '.join(unknown)}; there are {', '.join(tabulated_elements())}")
        if abs((total := sum(self.composition.values())) - 1) > MASS_TOLERANCE:
            raise ValueError(f"mass fractions must add up to 1, not {total:g}")
        return self


Substance = preset_or(Alloy, material_names())


def substance(section: "str | Alloy") -> Material:
    """The material that a recipe names or describes."""
    if isinstance(section, str):
        return material(section)
    total = sum(section.composition.values())
    composition = {element: share / total for element, share in section.composition.items()}
    return Material(section.name, section.density_g_cm3, composition, "the recipe")


def _rigid(matrix: tuple[Row, ...]) -> tuple[Row, ...]:
    array = np.array(matrix)
    turned = array[:3, :3]
    if np.abs(turned @ turned.T - np.eye(3)).max() > RIGID_TOLERANCE or np.linalg.det(turned) < 0:
        raise ValueError("its 3 × 3 part must be a rotation: no scaling, shear or mirroring")
    if np.abs(array[3] - [0, 0, 0, 1]).max() > 0:
        raise ValueError("its last row must be 0, 0, 0, 1")
    return matrix


class Pose(StrictModel):
    """Where a tool is: its tip and where it points, or the whole transform.

    tip_ras: mm. direction_ras: from the shaft to the tip, of any length. roll_deg: about that direction.
    ras_from_tool: rigid 4×4, mm; a tool's own frame has its tip at the origin and points along +z.
    """

    tip_ras: Triple | None = None
    direction_ras: Triple | None = None
    roll_deg: float = 0.0
    ras_from_tool: Annotated[tuple[Row, Row, Row, Row], AfterValidator(_rigid)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Pose":
        if (self.ras_from_tool is None) == (self.tip_ras is None):
            raise ValueError("give tip_ras with direction_ras, or ras_from_tool")
        if (self.tip_ras is None) != (self.direction_ras is None):
            raise ValueError("tip_ras and direction_ras go together")
        if self.direction_ras is not None and np.linalg.norm(self.direction_ras) < 1e-6:
            raise ValueError("direction_ras must not be 0, 0, 0")
        return self

    def matrix(self) -> np.ndarray:
        """ras_from_tool, rigid 4×4 float64."""
        if self.ras_from_tool is not None:
            return np.array(self.ras_from_tool)
        return frame_along(self.direction_ras, self.tip_ras) @ rotation([0.0, 0.0, 1.0], self.roll_deg)


class ToolSection(StrictModel):
    """name: of its class and in the record of each frame; by default the kind and a number."""

    name: ToolName | None = None
    mode: Mode = Mode.REPLACE


class PlacedSection(ToolSection):
    """A tool that a recipe places."""

    pose: Pose
