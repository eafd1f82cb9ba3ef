"""Detectors by name: plain numbers, each with its source.

A preset stands for a kind of detector, not for a product; what no source is given for is a typical value.
"""

from .blur import Blur
from .detector import Detector
from .gain import Gain
from .glare import Glare
from .grid import AntiscatterGrid
from .lag import Lag
from .scintillator import Scintillator

DETECTORS = {
    "ideal": Detector(),
    # Section 2.4 of the paper: an ideal energy integrator, noise of the number of photons spread by crosstalk.
    "unberath_2018": Detector(noise_crosstalk=True),
    "flat_panel": Detector(
        grid=AntiscatterGrid(ratio=12.0, lines_per_cm=44.0, lead_mm=0.036, interspace="fibre"),
        # A layer of 0.55 to 0.6 mm of columnar CsI:Tl is usual on panels for radiography and fluoroscopy.
        scintillator=Scintillator(material="caesium_iodide", thickness_mm=0.55, packing=0.75),
        blur=Blur(half_mtf_per_mm=1.5),
        # Lazos and Williamson 2012, Med. Phys. 39:5639: a low-frequency drop of 8 to 10.5 % on a panel for cone-beam
        # CT. The range of the tail is ours.
        glare=Glare(share=0.09, range_mm=15.0),
        # The two fastest of the four exponentials that RTK's example of the correction of Starman et al. 2012 has;
        # the slower ones hold 0.5 % for hundreds of frames.
        lag=Lag(exponentials=((0.7055, 2.911e-3), (0.1141, 0.4454e-3))),
        gain=Gain(pixel=0.05, amplifier=0.02, residual=0.001, dead_pixels=1e-4, dead_lines=1),
        electronic_kev=100.0,  # some 2000 electrons, of which a keV in CsI gives about 20
    ),
    "image_intensifier": Detector(
        grid=AntiscatterGrid(ratio=8.0, lines_per_cm=40.0, lead_mm=0.04, interspace="aluminium"),
        scintillator=Scintillator(material="caesium_iodide", thickness_mm=0.4, packing=0.75),
        blur=Blur(half_mtf_per_mm=0.9),
        # The form is that of Seibert, Nalcioglu and Roeck 1984; share and range are typical of a 9-inch tube.
        glare=Glare(share=0.18, range_mm=30.0),
        edge_loss=0.3,
        lag=Lag(exponentials=((0.9, 0.2),)),  # of the television tube: a moving object trails by some frames
        electronic_kev=100.0,
        flat_field=False,
    ),
}
"""The image intensifier's geometric distortion is not modelled: landmarks and masks would no longer fit the image."""
