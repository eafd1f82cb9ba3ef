"""A dataset whose frames are a sweep, reconstructed: with the noise, scatter and blur that its recipe asked for."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.recipe import read_recipe, validate
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import LOWEST_HU

from ..acquisition.carm import CArmPose, view_from_pose
from ..frame_record import drr_record
from ..frames.stored_signal import require_signal, stored_attenuation
from ..physics.spectra import effective_bins
from ..recipe import DrrRecipe
from ..scene import photon_spectrum
from .reconstruction import patient_grid, reconstruct
from .sweep import Sweep, sweep_of
from .water import water_lengths_mm

LOG = logging.getLogger("sim2real")

HIGHEST_HU = int(np.iinfo(np.int16).max)
"""Where CT numbers end, as those of a scanner do in metal."""


def reconstruct_dataset(
    folder: Path | str, spacing_mm: float | None = None, size_ijk: tuple[int, int, int] | None = None
) -> Volume:
    """The volume in whole Hounsfield units, int16, along the patient's axes about the isocentre; what some view does
    not see is −1024.

    spacing_mm, size_ijk: as `patient_grid` takes them. Sim2RealError: no X-ray dataset, no channel with the signal,
    frames that are no sweep (see `sweep_of`), itk-rtk missing.
    """
    dataset = Dataset.open(folder)
    if dataset.header.simulator != "drr":
        raise Sim2RealError(f"{folder} holds no X-rays but frames of simulator {dataset.header.simulator}.")
    require_signal(dataset)
    recipe = validate(DrrRecipe, read_recipe(dataset.folder / RECIPE_YAML), RECIPE_YAML)
    if len(recipe.carm.planes()) > 1:
        raise Sim2RealError(f"{folder} was taken with a biplane; a sweep of one C-arm is needed.")
    poses = [drr_record(dataset.frame(index)).carm.pose(recipe.carm.planes()[0]) for index in dataset.indices]
    sweep = _sweep(recipe, poses)
    ras_from_ijk, shape = patient_grid(sweep, spacing_mm, size_ijk)
    bins = effective_bins(photon_spectrum(recipe.physics.spectrum), ("water",))
    lengths_mm = np.stack([water_lengths_mm(image, bins) for image in _attenuations(dataset)])
    share_of_water = reconstruct(sweep, lengths_mm, ras_from_ijk, shape)
    hu = _hounsfield(share_of_water, sweep, ras_from_ijk)
    return Volume(hu, ras_from_ijk, f"{dataset.folder.resolve().name} reconstructed")


def _sweep(recipe: DrrRecipe, poses: list[CArmPose]) -> Sweep:
    middle = np.mean([pose.isocenter_ras for pose in poses], axis=0)
    return sweep_of([view_from_pose(recipe.carm.planes()[0], pose) for pose in poses], middle)


def _attenuations(dataset: Dataset) -> Iterator[np.ndarray]:
    """−ln(I / I₀) of each frame. A pixel that no photon reached takes the highest value of its image, as far as a
    detector can tell."""
    starved = 0
    for index in dataset.indices:
        attenuation = stored_attenuation(dataset.frame(index))
        lit = np.isfinite(attenuation)
        if not lit.any():
            raise Sim2RealError(f"{dataset.folder}: frame {index} is without any signal.")
        starved += np.count_nonzero(~lit)
        yield np.where(lit, attenuation, attenuation[lit].max())
    if starved:
        LOG.warning("%d pixels had no signal and count as the darkest of their images: expect streaks.", starved)


def _hounsfield(share_of_water: np.ndarray, sweep: Sweep, ras_from_ijk: np.ndarray) -> np.ndarray:
    hu = np.empty(share_of_water.shape, np.int16)
    rows, columns = np.indices(hu.shape[1:])
    for k, share in enumerate(share_of_water):
        ijk = np.stack([columns, rows, np.full_like(rows, k)], axis=-1)
        seen = sweep.seen_by_all(transform_points(ras_from_ijk, ijk))
        numbers = np.clip(np.rint(1000.0 * (share - 1.0)), LOWEST_HU, HIGHEST_HU)
        hu[k] = np.where(seen, numbers, LOWEST_HU)
    return hu
