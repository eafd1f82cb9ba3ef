"""What shapes scatter and no image shows: field and air gap, the hardness of the beam and what the detector prefers."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.geometry import transform_points

from ..acquisition.carm import XrayView
from ..detector.detector import Detector, registered
from ..physics.spectra import Spectrum
from .air_gap import solid_angles_sr

PLANES = 4
MEANS, DEVIATIONS = (-2.0, 400.0, 55.0, 0.45), (0.8, 50.0, 7.0, 0.33)
"""About those of the views in `scatter_examples`."""

SOFT_KEV, HARD_KEV = 40.0, 80.0


@dataclass(frozen=True)
class BeamQuality:
    """mean_kev: of the photons in the open beam. softness: logarithm of how much more of a soft photon's energy the
    detector registers than of a hard one's, 40 against 80 keV."""

    mean_kev: float
    softness: float


def beam_quality(spectrum: Spectrum, detector: Detector) -> BeamQuality:
    """The quality of a spectrum as a detector sees it."""
    soft, hard = registered(detector, np.array([SOFT_KEV, HARD_KEV])).mean_kev / (SOFT_KEV, HARD_KEV)
    return BeamQuality(float(spectrum.weights @ spectrum.energies_kev), float(np.log(soft / hard)))


def view_planes(view: XrayView, middle_ras: np.ndarray, quality: BeamQuality) -> np.ndarray:
    """Images (PLANES, H, W), float32: the logarithm of the solid angle of `air_gap`, the air gap between the patient's
    middle (3,) and the detector in mm, the mean energy in keV, and the softness."""
    angles = solid_angles_sr(view, middle_ras)
    gap_mm = view.source_to_detector_mm - float(transform_points(view.camera_from_ras, middle_ras)[2])
    constant = np.array([gap_mm, quality.mean_kev, quality.softness], np.float32)
    same = np.broadcast_to(constant[:, None, None], (PLANES - 1, *angles.shape))
    return np.concatenate([np.log(angles)[None], same])
