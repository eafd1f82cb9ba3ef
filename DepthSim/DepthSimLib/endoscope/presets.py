"""Endoscopes: a camera, the part of its sensor that shows the scene, and lights."""

import numpy as np

from Sim2RealLib.cameras import (
    AnyCamera,
    AnyMask,
    CircularMask,
    EquidistantCamera,
    KannalaBrandtCamera,
    OctagonMask,
    PinholeCamera,
    ScaramuzzaCamera,
)
from Sim2RealLib.recipe import strict_dataclass

from .lights import LIGHTS, TipLights


@strict_dataclass
class Endoscope:
    """mask: what of the sensor shows the scene, as far as the camera's model goes; None for all of it."""

    camera: AnyCamera
    lights: TipLights
    mask: AnyMask | None = None

    def rays(self) -> np.ndarray:
        """Unit rays (H, W, 3) of the pixel centres in the camera frame; NaN where the image shows nothing.

        The third component is the cosine of the angle from the optical axis, which vignetting depends on.
        """
        positions_px = self.camera.pixel_centers()
        rays = self.camera.unproject(positions_px)
        if self.mask is not None:
            rays[~self.mask.contains(positions_px)] = np.nan
        return rays

    def scaled(self, factor: float) -> "Endoscope":
        """The same endoscope with `factor` times as many pixels a side."""
        mask = None if self.mask is None else self.mask.scaled(factor)
        return Endoscope(self.camera.scaled(factor), self.lights, mask)


OLYMPUS_OCTAGON = OctagonMask(70.0, 0.0, 1420.0, 1080.0, 185.0, 220.0)
"""What an Olympus colonoscope shows of its 1440 × 1080 video, as in EndoMapper's photometric calibration."""

C3VD_OCTAGON = OctagonMask(0.0, 0.0, 1350.0, 1080.0, 185.0, 220.0)
"""The same in C3VD's frames, which are as wide as the octagon's box (assumed: cropped to it)."""

ENDOSCOPES = {
    # Principal points are those published plus ½ px: all but SimCol3D's count from pixel centres.
    # Bobrow et al. 2023 (C3VD), exampleDataLoader.py.
    "olympus_cf_hq190l": Endoscope(
        ScaramuzzaCamera(
            *(679.044839263292, 543.475887548343, 1350, 1080),
            *(769.243600037458, -8.12770624150226e-4, 6.25674244578925e-7, -1.19662182144280e-9),
            *(0.999986882249990, 0.00288273829525059, -0.00296316513429569),
        ),
        LIGHTS["olympus_3"],
        C3VD_OCTAGON,
    ),
    # The same endoscope calibrated anew for C3VDv3, config.ini.
    "olympus_cf_hq190l_c3vdv3": Endoscope(
        ScaramuzzaCamera(
            *(678.239464094188, 543.557997844875, 1350, 1080),
            *(767.733695862103, -5.92506426558248e-4, -2.6944026660004e-7, -2.16380341010063e-10),
        ),
        LIGHTS["olympus_3"],
        C3VD_OCTAGON,
    ),
    # EndoMapper's endoscope at half its resolution, as NR-SLAM's settings give it.
    "olympus_cf_h190l": Endoscope(
        KannalaBrandtCamera(
            *(358.6052, 358.7408, 368.1783, 276.8991, 720, 540),
            *(-0.1389272, -0.001239606, 0.0009125824, -4.071615e-5),
        ),
        LIGHTS["olympus_3"],
        OLYMPUS_OCTAGON.scaled(0.5),
    ),
    # EndoMapper's simulated colonoscopies, as NR-SLAM's settings give them.
    "endomapper_simulation": Endoscope(PinholeCamera(472.6496, 472.6496, 480.0, 360.0, 960, 720), LIGHTS["coaxial"]),
    # SimCol3D, cam.txt; the principal point's y is half the height, hence counted from the corner;
    # `convert --to simcol` writes it so.
    "simcol3d": Endoscope(PinholeCamera(227.6, 237.5, 227.6, 237.5, 475, 475), LIGHTS["coaxial"]),
    # Second camera of the colon capsule in VR-Caps: focal length and centre. Its radial distortion belongs to a pinhole
    # and ends at 66°, less than the capsule sees: equidistant instead (assumed), and so are its lights.
    "pillcam_colon2": Endoscope(
        EquidistantCamera(76.0535, 75.4967, 131.44, 128.99, 256, 256),
        LIGHTS["ring_4"],
        CircularMask(128.0, 128.0, 128.0),
    ),
    # A video module with LEDs of no particular make: 120° from side to side.
    "industrial": Endoscope(
        KannalaBrandtCamera(305.577, 305.577, 320.0, 240.0, 640, 480, 0.0, 0.0, 0.0, 0.0), LIGHTS["ring_4"]
    ),
    # 90° from side to side, for a quick look.
    "pinhole": Endoscope(PinholeCamera(128.0, 128.0, 128.0, 128.0, 256, 256), LIGHTS["olympus_3"]),
}
"""Presets by name; the default is C3VD's endoscope."""
