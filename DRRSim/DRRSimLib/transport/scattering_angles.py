"""Into which direction and with which energy photons are scattered."""

from typing import Any

import drjit as dr
import numpy as np

from ..physics.scattering import ELECTRON_REST_ENERGY_KEV, HC_KEV_A
from .interaction_tables import (
    ANGLE_NODES,
    ENERGIES,
    HIGHEST_KEV,
    LARGEST_ROOT_TRANSFER,
    LOWEST_KEV,
    SHARES,
    TRANSFERS,
    InteractionTables,
)

NODES_PER_LOG_KEV = (ANGLE_NODES - 1) / float(np.log(HIGHEST_KEV / LOWEST_KEV))


def sample_cosine(arrays: Any, table: Any, material: Any, energy_kev: Any, at_node: Any, share: Any) -> Any:
    """cos θ from one of the inverse cumulative tables by two random numbers in 0 … 1."""
    place = dr.log(energy_kev * (1 / LOWEST_KEV)) * NODES_PER_LOG_KEV
    node = dr.clip(dr.floor(place + at_node), 0, ANGLE_NODES - 1)
    column = share * (SHARES - 1)
    lower = dr.minimum(dr.floor(column), SHARES - 2)
    offset = (material * ANGLE_NODES + arrays.UInt32(node)) * SHARES + arrays.UInt32(lower)
    low, high = dr.gather(arrays.Float, table, offset), dr.gather(arrays.Float, table, offset + 1)
    return dr.lerp(low, high, column - lower)


def compton_energy_kev(energy_kev: Any, cosine: Any) -> Any:
    """The energy of a photon after Compton scattering by an electron at rest."""
    return energy_kev / (1 + energy_kev * (1 / ELECTRON_REST_ENERGY_KEV) * (1 - cosine))


def compton_probability_sr(
    arrays: Any, tables: InteractionTables, material: Any, energy_kev: Any, row: Any, cosine: Any
) -> Any:
    """How probable an angle of Compton scattering is, in 1/sr: Klein and Nishina's dσ/dΩ times S, normalised."""
    ratio = compton_energy_kev(energy_kev, cosine) / energy_kev
    klein_nishina = 0.5 * ratio * ratio * (ratio + dr.rcp(ratio) - (1 - cosine * cosine))
    transfer = energy_kev * (1 / HC_KEV_A) * dr.sqrt(dr.maximum(0.5 - 0.5 * cosine, 0))
    place = dr.sqrt(transfer) * ((TRANSFERS - 1) / LARGEST_ROOT_TRANSFER)
    lower = dr.minimum(dr.floor(place), TRANSFERS - 2)
    offset = material * TRANSFERS + arrays.UInt32(lower)
    low, high = (dr.gather(arrays.Float, tables.electrons, offset + next_) for next_ in (0, 1))
    norm = dr.gather(arrays.Float, tables.compton_norm, material * ENERGIES + row)
    return klein_nishina * dr.lerp(low, high, place - lower) * norm
