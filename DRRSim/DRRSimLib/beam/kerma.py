"""Air kerma and kerma-area product of an exposure, free in air, and the tube load it takes.

K = Φ Σ_E w(E) E (μ_tr/ρ)(E) with the fluence Φ (Attix 1986, ch. 2). On a plane across the beam K falls with the square
of the distance alone; its integral over the field, the kerma-area product, is the same at every distance. Air between
tube and patient attenuates nothing here, as everywhere in this simulator.
"""

from dataclasses import dataclass

import numpy as np

from ..acquisition.carm import XrayView

MGY_OF_KEV_PER_G = 1.602176634e-10
"""1 keV = 1.602 · 10⁻¹⁶ J; a gray is a joule a kilogram."""

REFERENCE_BEFORE_ISOCENTER_MM = 150.0
"""The patient entrance reference point lies here from the isocentre, towards the tube (IEC 60601-2-43)."""


@dataclass(frozen=True)
class Dose:
    """air_kerma_mgy: at the reference point. kerma_area_mgy_cm2: over the open field. tube_load_mas: None where the
    spectrum is not a tube's."""

    air_kerma_mgy: float
    kerma_area_mgy_cm2: float
    tube_load_mas: float | None


def dose(
    view: XrayView,
    source_to_isocenter_mm: float,
    photons_per_pixel: float,
    kerma_kev_cm2_g: np.ndarray,
    open_share: np.ndarray,
    photons_per_cm2_mas: float | None = None,
) -> Dose:
    """The dose of an exposure with so many photons a pixel on the central ray at the detector, without the patient.

    kerma_kev_cm2_g: what a photon a cm² towards every pixel transfers to air, (H, W). open_share: of every pixel in the
    collimated field, (H, W). Where the reference point lies behind the tube there is none: its kerma is infinite.
    """
    camera, distance_mm = view.camera, view.source_to_detector_mm
    pixel_cm = distance_mm / abs(camera.fx_px) / 10.0
    x = (np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px
    y = (np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px
    fluence_cm2 = photons_per_pixel / pixel_cm**2
    kerma_mgy = fluence_cm2 * MGY_OF_KEV_PER_G * kerma_kev_cm2_g / (1 + x**2 + y[:, None] ** 2)
    reference_mm = source_to_isocenter_mm - REFERENCE_BEFORE_ISOCENTER_MM
    central = fluence_cm2 * MGY_OF_KEV_PER_G * _at(kerma_kev_cm2_g, camera.cx_px, camera.cy_px)
    return Dose(
        float(central * (distance_mm / reference_mm) ** 2) if reference_mm > 0 else float("inf"),
        float((kerma_mgy * open_share).sum() * pixel_cm**2),
        None if photons_per_cm2_mas is None else fluence_cm2 * (distance_mm / 1000.0) ** 2 / photons_per_cm2_mas,
    )


def _at(image: np.ndarray, column_px: float, row_px: float) -> float:
    """The pixel at an image position, or the nearest one where that is off the image."""
    row, column = np.clip([int(row_px), int(column_px)], 0, np.array(image.shape) - 1)
    return float(image[row, column])
