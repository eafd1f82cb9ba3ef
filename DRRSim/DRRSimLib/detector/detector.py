"""A detector as a recipe describes it: a section for every effect, none by default, which is an ideal detector."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.recipe import strict_dataclass

from ..physics.detector_signal import Response
from .blur import Blur
from .gain import Gain
from .glare import Glare
from .grid import AntiscatterGrid, primary_transmission
from .lag import Lag
from .scintillator import Scintillator, scintillator_response

MAX_ELECTRONIC_KEV = 1e9


@strict_dataclass
class Detector:
    """grid: against scatter, in front of it. scintillator: else every photon leaves all of its energy.

    noise_crosstalk: quantum noise is that of the number of photons and is spread by `physics.noise.crosstalk`, while
        the signal is not, as in Unberath et al. 2018; otherwise it is that of the registered energy, spread by `blur`.
    edge_loss: share of the light that is lost at the corners, growing with the square of the distance from the middle.
    electronic_kev: standard deviation of a pixel's electronic noise, where the recipe's noise does not say.
    flat_field: what the open beam shows of the detector and of the beam's shape is divided away.
    """

    grid: AntiscatterGrid | None = None
    scintillator: Scintillator | None = None
    noise_crosstalk: bool = False
    blur: Blur | None = None
    glare: Glare | None = None
    edge_loss: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lag: Lag | None = None
    gain: Gain | None = None
    electronic_kev: Annotated[float, Field(ge=0, le=MAX_ELECTRONIC_KEV)] = 0.0
    flat_field: bool = True

    @model_validator(mode="after")
    def _one_spread(self) -> "Detector":
        given = [name for name in ("grid", "scintillator", "blur") if getattr(self, name) is not None]
        if self.noise_crosstalk and given:
            raise ValueError(f"noise_crosstalk is the paper's noise of an ideal detector; leave out {', '.join(given)}")
        return self

    @property
    def materials(self) -> tuple[str, ...]:
        """At whose absorption edges the response jumps."""
        grid = () if self.grid is None else ("lead",)
        return grid if self.scintillator is None else (*grid, self.scintillator.material)

    @property
    def only_registers(self) -> bool:
        """Whether a pixel's image is its own signal with noise, and no more."""
        chain = (self.blur, self.glare, self.lag, self.gain)
        return self.flat_field and not self.edge_loss and all(effect is None for effect in chain)


def response(detector: Detector, energies_kev: np.ndarray) -> Response:
    """What primary photons of these energies (B,) that reach the detector's cover leave in it."""
    behind = registered(detector, energies_kev)
    if detector.grid is None:
        return behind
    passed = primary_transmission(detector.grid, energies_kev)
    return Response(behind.mean_kev * passed, behind.mean_square_kev2 * passed)


def registered(detector: Detector, energies_kev: np.ndarray) -> Response:
    """The same of photons behind the grid."""
    if detector.scintillator is None:
        return Response(energies_kev, energies_kev**2)
    return scintillator_response(detector.scintillator, energies_kev)
