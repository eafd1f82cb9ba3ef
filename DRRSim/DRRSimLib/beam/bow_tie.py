"""Bow-tie filter: thicker away from the central ray, where the patient is thinner."""

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.recipe import strict_dataclass

from ..physics.materials import material

Node = tuple[Annotated[float, Field(ge=0, lt=90)], Annotated[float, Field(ge=0, le=200)]]


@strict_dataclass
class BowTie:
    """A filter of one profile, symmetric about the central ray.

    profile: (angle in degrees from the central ray, mm of material along a ray there), by ascending angle; linear in
        between and constant beyond the ends.
    across: the direction of the image along which the thickness varies.
    """

    profile: Annotated[tuple[Node, ...], Field(min_length=2)]
    material: Literal["aluminium", "ptfe", "pmma", "copper"] = "aluminium"
    across: Literal["horizontal", "vertical"] = "horizontal"

    @model_validator(mode="after")
    def _ascending(self) -> "BowTie":
        if any(first[0] >= second[0] for first, second in pairwise(self.profile)):
            raise ValueError("the angles of a profile must ascend")
        return self


def thickness_mm(bow_tie: BowTie, angles_deg: np.ndarray) -> np.ndarray:
    """The way through the filter at angles from the central ray, of their shape."""
    nodes_deg, thickness = np.transpose(bow_tie.profile)
    return np.interp(np.abs(angles_deg), nodes_deg, thickness)


def areal_density_g_cm2(bow_tie: BowTie, camera: PinholeCamera) -> np.ndarray:
    """What of the filter every pixel's ray runs through, (H, W)."""
    if bow_tie.across == "horizontal":
        position = (np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px
    else:
        position = ((np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px)[:, None]
    values = _areal_density_g_cm2(bow_tie, np.rad2deg(np.arctan(position)))
    return np.broadcast_to(values, (camera.height_px, camera.width_px))


def central_areal_density_g_cm2(bow_tie: BowTie) -> float:
    """What of the filter the central ray runs through."""
    return float(_areal_density_g_cm2(bow_tie, np.zeros(())))


def _areal_density_g_cm2(bow_tie: BowTie, angles_deg: np.ndarray) -> np.ndarray:
    return thickness_mm(bow_tie, angles_deg) * material(bow_tie.material).density_g_cm3 / 10.0
