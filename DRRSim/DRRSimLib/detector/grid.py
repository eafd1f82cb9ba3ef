"""Anti-scatter grid: what lamellae of lead let pass, by direction, from their geometry alone.

A photon that moves by w across the lamellae while it passes the grid's height h runs through lead on part of its way.
Averaged over where it enters, with period C = D + d of interspace D and lead d, the part is piecewise linear in the
place of entry, and the mean of exp(−μ l) has a closed form (Day and Dance 1983, Phys. Med. Biol. 28:1429; derived here
from the geometry). Primary photons run parallel to focused lamellae: they pass with exp(−μ_interspace h) D / C. Where
the focal spot is not at the grid's focal distance the lamellae cast shadows: cut-off.

Scatter is taken to arrive from all directions with equal radiance. That of a patient is more forward: a real grid
passes a little more of it.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from Sim2RealLib.recipe import strict_dataclass

from ..acquisition.carm import XrayView
from ..physics.materials import linear_attenuation_mm
from ..physics.spectra import Spectrum

LAMELLAE = "lead"
ANGLES = 24
"""Nodes of the average over each of the two angles of a direction."""


@strict_dataclass
class AntiscatterGrid:
    """ratio: height of the lamellae over their distance D. lead_mm: their thickness.

    focal_distance_mm: from the focal spot at which the lamellae point to it; null: wherever the detector is.
    lamellae: the direction in which they run in the image.
    interspace: what fills the distance; fibre is taken for PMMA of half its density.
    """

    ratio: Annotated[float, Field(gt=0, le=40)] = 12.0
    lines_per_cm: Annotated[float, Field(ge=10, le=200)] = 44.0
    lead_mm: Annotated[float, Field(gt=0, le=0.5)] = 0.036
    interspace: Literal["aluminium", "fibre"] = "fibre"
    focal_distance_mm: PositiveFloat | None = None
    lamellae: Literal["vertical", "horizontal"] = "vertical"

    @model_validator(mode="after")
    def _possible(self) -> "AntiscatterGrid":
        if self.distance_mm <= 0:
            raise ValueError(f"lead_mm {self.lead_mm:g} leaves no room between {self.lines_per_cm:g} lines a cm")
        return self

    @property
    def distance_mm(self) -> float:
        return 10.0 / self.lines_per_cm - self.lead_mm

    @property
    def height_mm(self) -> float:
        return self.ratio * self.distance_mm


def primary_transmission(grid: AntiscatterGrid, energies_kev: np.ndarray) -> np.ndarray:
    """Share of photons that come from the grid's focus and pass it, of the shape of `energies_kev`."""
    lead, gap = linear_attenuation_mm(LAMELLAE, energies_kev), _interspace_mm(grid, energies_kev)
    through_gap, through_lead = np.exp(-gap * grid.height_mm), np.exp(-lead * grid.height_mm)
    return (grid.distance_mm * through_gap + grid.lead_mm * through_lead) / (grid.distance_mm + grid.lead_mm)


def transmission(
    grid: AntiscatterGrid, energies_kev: np.ndarray, across: np.ndarray, along_beam: np.ndarray
) -> np.ndarray:
    """Share of photons of energies (B,) that pass, by the components of their unit direction across the lamellae, not
    0, and along the beam, both (N,): shape (N, B)."""
    lead, gap = linear_attenuation_mm(LAMELLAE, energies_kev), _interspace_mm(grid, energies_kev)
    period, lead_mm, gap_mm = grid.distance_mm + grid.lead_mm, grid.lead_mm, grid.distance_mm
    across, along_beam = np.abs(across)[:, None], np.asarray(along_beam)[:, None]
    more = (lead - gap) / across  # for every mm across, within lead instead of interspace
    whole, rest = np.divmod(grid.height_mm * across / along_beam, period)
    least = whole * lead_mm + np.maximum(0.0, rest - gap_mm)
    most = whole * lead_mm + np.minimum(rest, lead_mm)
    at_most = np.abs(lead_mm - rest)
    at_least = period - at_most - 2 * (most - least)
    at_ramps = 2 * (np.exp(-more * least) - np.exp(-more * most)) / more
    mean = (at_most * np.exp(-more * most) + at_least * np.exp(-more * least) + at_ramps) / period
    return np.exp(-gap * grid.height_mm / along_beam) * mean


def scatter_transmission(grid: AntiscatterGrid, spectrum: Spectrum) -> float:
    """Share of the energy of scatter that passes, of the tube's spectrum and equally radiant from all directions."""
    nodes, weights = np.polynomial.legendre.leggauss(ANGLES)
    square = np.repeat((nodes + 1) / 2, ANGLES)  # cos² of the incidence, even in flux
    azimuth = np.tile((nodes + 1) * np.pi / 4, ANGLES)
    directions = np.outer(weights, weights).ravel() / 4
    passed = transmission(grid, spectrum.energies_kev, np.sqrt(1 - square) * np.cos(azimuth), np.sqrt(square))
    return float(directions @ passed @ (spectrum.weights * spectrum.energies_kev) / spectrum.mean_energy_kev)


def cut_off(grid: AntiscatterGrid, view: XrayView) -> np.ndarray:
    """The primary transmission of every pixel over that of the middle, (H, W).

    A lamella's shadow is h c |1/f − 1/D| wide at distance c from the central ray, for a focus at f instead of D.
    """
    camera, distance_mm = view.camera, view.source_to_detector_mm
    focus_mm = grid.focal_distance_mm or distance_mm
    if grid.lamellae == "vertical":
        offset_mm = (np.arange(camera.width_px) + 0.5 - camera.cx_px) * distance_mm / camera.fx_px
    else:
        offset_mm = ((np.arange(camera.height_px) + 0.5 - camera.cy_px) * distance_mm / camera.fy_px)[:, None]
    shadow_mm = grid.height_mm * np.abs(offset_mm) * abs(1 / focus_mm - 1 / distance_mm)
    open_gap = np.maximum(1 - shadow_mm / grid.distance_mm, 0.0)
    return np.broadcast_to(open_gap, (camera.height_px, camera.width_px))


def _interspace_mm(grid: AntiscatterGrid, energies_kev: np.ndarray) -> np.ndarray:
    if grid.interspace == "aluminium":
        return linear_attenuation_mm("aluminium", energies_kev)
    return 0.5 * linear_attenuation_mm("pmma", energies_kev)
