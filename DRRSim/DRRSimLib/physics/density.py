"""Mass density from CT numbers.

The curve has the form of Schneider, Pedroni and Lomax 1996 (Phys. Med. Biol. 41:111) and Schneider, Bortfeld and
Schlegel 2000 (Phys. Med. Biol. 45:459): straight pieces from air over adipose tissue and soft tissue to bone. The
pieces published in 2000 are, ρ in g/cm³ and H in HU,

    −1000 … −98   1.03091 + 1.0297e-3 H          14 …  23   1.03
      −98 …  14   1.018   + 0.893e-3 H           23 … 100   1.003 + 1.169e-3 H
                                                  > 100     1.017 + 0.592e-3 H

They leave gaps: +0.0005 at −98, −0.0005 at 14, −0.0001 at 23, and −0.044 at 100, where density would fall while HU
rise. They also give water, HU 0, a density of 1.018. Here the first and the last piece are kept as published, up to
the air that HU −1000 stands for; a straight line joins them to HU 0 at 1.000; and the bone piece is continued down to
HU 23, where it meets the published plateau (1.0306 against 1.03). What is lost is the piece for connective tissue:
between 23 and 100 HU the densities here are up to 0.044 lower, in the soft tissues around 50 HU 0.015 lower (ICRU 44
muscle, 1.05, is between).
"""

import numpy as np

KNOTS_HU = np.array([-1000.0, -98.0, 0.0, 23.0, 32767.0])
KNOTS_G_CM3 = np.array([0.001205, 0.930, 1.000, 1.017 + 0.592e-3 * 23.0, 1.017 + 0.592e-3 * 32767.0])
"""Dry air; adipose tissue; water; where the bone line takes over; the bone line at the largest 16-bit number."""


def density_from_hu(hu: np.ndarray) -> np.ndarray:
    """Density in g/cm³ of the shape of `hu`, float64: continuous, never decreasing, constant (air) below −1000 HU."""
    return np.interp(hu, KNOTS_HU, KNOTS_G_CM3)
