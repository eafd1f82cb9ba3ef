"""What a frame's record says of its exposure: tube, photons, dose."""

from typing import Any

import numpy as np

from ..acquisition.carm import CArmPose, XrayView
from ..beam.collimator import open_share
from ..beam.kerma import dose
from ..physics.spectra import PRESETS
from ..projection.incident import Exposure, air_kerma
from ..projection.projector import XrayScene
from ..projection.radiograph import Registered, open_field_mask
from ..recipe import Physics


def exposure_record(
    physics: Physics, exposure: Exposure, scene: XrayScene, view: XrayView, pose: CArmPose, registered: Registered
) -> dict[str, Any]:
    """The section `exposure`; empty where there is neither noise nor exposure control, hence no number of photons.

    kvp and tube_load_mas are null where the spectrum is not a tube's, air_kerma_mgy where the reference point would lie
    behind the focal spot, detector_ugy without exposure control.
    """
    if registered.photons_per_pixel is None:
        return {}
    spectrum, beam = physics.spectrum, exposure.beam
    kerma = air_kerma(scene.backend, view.camera, view.source_to_detector_mm, len(scene.materials), exposure)
    field = open_field_mask(view) if beam.blades is None else open_share(view, beam.blades, beam.spot_mm)
    received = dose(
        view,
        pose.source_to_isocenter_mm,
        registered.photons_per_pixel,
        kerma,
        field,
        exposure.tube.photons_per_cm2_mas,
    )
    return {
        "exposure": {
            "kvp": PRESETS[spectrum.preset][0] if spectrum.preset is not None else spectrum.kvp,
            "photons_per_pixel": registered.photons_per_pixel,
            "tube_load_mas": received.tube_load_mas,
            "air_kerma_mgy": received.air_kerma_mgy if np.isfinite(received.air_kerma_mgy) else None,
            "kerma_area_mgy_cm2": received.kerma_area_mgy_cm2,
            "detector_ugy": registered.detector_ugy,
        }
    }
