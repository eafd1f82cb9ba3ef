"""Automatic exposure control: as many photons as bring the detector to a target behind this patient.

What the detector registers is expressed as the air kerma of the beam quality RQA 5 that it registers as much of, as the
exposure index does (IEC 62494-1: the index is 100 times this kerma in µGy), so that targets do not depend on the beam.
"""

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import strict_dataclass

from ..acquisition.carm import XrayView
from ..physics.spectra import Spectrum, air_kerma_kev_cm2_g, spectrum_from_grid
from .kerma import MGY_OF_KEV_PER_G

RQA5_KVP, RQA5_FILTRATION_MM_AL = 70.0, 2.7 + 21.0
"""IEC 61267: 70 kV behind 21 mm of aluminium more than the tube's own."""


@strict_dataclass
class ExposureControl:
    """detector_ugy: the target; 2.5 µGy is an exposure index of 250. field_mm: width and height of the measuring field
    around the middle of the detector."""

    detector_ugy: PositiveFloat = 2.5
    field_mm: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (100.0, 100.0)


def rqa5() -> Spectrum:
    return spectrum_from_grid(RQA5_KVP, RQA5_FILTRATION_MM_AL)


def photons_per_mm2_ugy(spectrum: Spectrum) -> float:
    """Photons a mm² of a beam of 1 µGy air kerma."""
    return 1e-5 / (MGY_OF_KEV_PER_G * float(spectrum.weights @ air_kerma_kev_cm2_g(spectrum.energies_kev)))


def measured_kev(view: XrayView, registered_kev: np.ndarray, control: ExposureControl) -> float:
    """The mean of an image (H, W) over the measuring field, as far as that lies on the detector."""
    pixel_mm = view.source_to_detector_mm / abs(view.camera.fx_px)
    inside = [
        np.abs(np.arange(size) + 0.5 - size / 2) <= max(side_mm / pixel_mm, 1.0) / 2
        for size, side_mm in zip(registered_kev.shape, control.field_mm[::-1], strict=True)
    ]
    return float(registered_kev[np.ix_(*inside)].mean())


def controlled_photons(
    view: XrayView, registered_kev: np.ndarray, kev_per_mm2_ugy: float, control: ExposureControl
) -> float:
    """N₀ that reaches the target; Sim2RealError where nothing arrives in the measuring field.

    registered_kev: a pixel's mean signal for one photon a pixel on the central ray, (H, W). kev_per_mm2_ugy: what the
    detector registers of 1 µGy of RQA 5.
    """
    pixel_mm = view.source_to_detector_mm / abs(view.camera.fx_px)
    measured = measured_kev(view, registered_kev, control)
    if measured <= 0:
        raise Sim2RealError(
            "physics.beam.exposure_control: no radiation reaches the measuring field. Open the collimator, or move the "
            "patient or field_mm."
        )
    return control.detector_ugy * kev_per_mm2_ugy * pixel_mm**2 / measured
