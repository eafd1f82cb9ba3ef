"""The source side of a recipe's physics beside the spectrum: each effect a section, none by default."""

from Sim2RealLib.recipe import strict_dataclass

from .bow_tie import BowTie
from .collimator import Blades
from .exposure_control import ExposureControl
from .focal_spot import FocalSpot
from .heel import Heel


@strict_dataclass
class Beam:
    """heel: of the tube's anode. bow_tie: filter. blades: of the collimator, else ideal ones: no light behind them, a
    sharp edge. focal_spot: its size, else a point. exposure_control: chooses the photons of every exposure."""

    heel: Heel | None = None
    bow_tie: BowTie | None = None
    blades: Blades | None = None
    focal_spot: FocalSpot | None = None
    exposure_control: ExposureControl | None = None

    @property
    def materials(self) -> tuple[str, ...]:
        """What the beam may pass before the patient, in the order of `incident.beam_densities`."""
        bow_tie = () if self.bow_tie is None else (self.bow_tie.material,)
        return (*bow_tie, *(() if self.blades is None else ("lead",)))

    @property
    def spot_mm(self) -> tuple[float, float]:
        return (0.0, 0.0) if self.focal_spot is None else (self.focal_spot.width_mm, self.focal_spot.height_mm)

    @property
    def shapes_the_field(self) -> bool:
        return not (self.heel is None and self.bow_tie is None and self.blades is None)
