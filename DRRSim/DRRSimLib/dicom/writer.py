"""A dataset as DICOM: ``NNNNNN.dcm``, one X-Ray Angiographic object a frame, or a run, named after its first frame.

Frames of one device that have everything in common but their angles, and these in equal steps, are a run and become one
multi-frame object: a rotation, or fluoroscopy that stands still. Of a dataset all frames of a plane and an augmented
anatomy are a run, or none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.dataset.schema import to_json
from Sim2RealLib.recipe import read_recipe, validate

from ..acquisition.carm import CArmPose
from ..frame_record import drr_record
from ..frames.stored_signal import require_signal, stored_attenuation
from ..physics.spectra import PRESETS
from ..recipe import DrrRecipe
from .angiography import Study, angiography, save
from .exact_pose import Shot
from .identifiers import unique_id

SHORTEST_RUN = 3
"""Any two frames are evenly spaced."""

SAME_STEP_DEG = 1e-6

MAX_OBJECT_BYTES = 2**30
"""Pixels of one file; a longer run goes on in the next. DICOM's limit is 4 GiB."""


def write_dicom(dataset: Dataset, out: Path) -> Iterator[int]:
    """Fill folder `out`; yields the number of frames done. Sim2RealError if the dataset has no channel with the signal,
    or is damaged."""
    require_signal(dataset)
    recipe = validate(DrrRecipe, read_recipe(dataset.folder / RECIPE_YAML), RECIPE_YAML)
    shots = [_shot(dataset, recipe, index) for index in dataset.indices]
    study = _study(dataset, recipe)
    runs = [run for plane in (0, 1) for run in _runs([shot for shot in shots if shot.plane == plane])]
    done = 0
    for run in sorted(runs, key=lambda run: run[0].index):
        images = [stored_attenuation(dataset.frame(shot.index)) for shot in run]
        content = angiography(study, run, images, _at_the_same_time(run, runs))
        save(content, out / f"{run[0].index:06d}.dcm")
        done += len(run)
        yield done


def _shot(dataset: Dataset, recipe: DrrRecipe, index: int) -> Shot:
    frame, planes = dataset.frame(index), recipe.carm.planes()
    device = planes[index % len(planes)]
    record = drr_record(frame)
    variant = 0 if record.augmentation is None else record.augmentation.variant
    pose, checksum = record.carm.pose(device), frame.parsed.record_sha256
    return Shot(index, index % len(planes), device, pose, variant, record.exposure, checksum)


def _study(dataset: Dataset, recipe: DrrRecipe) -> Study:
    header, spectrum = dataset.header, recipe.physics.spectrum
    origin = [f"{key}: {entry[key]}." for entry in header.inputs for key in ("source", "license") if entry.get(key)]
    return Study(
        identity=dataset.description.description_sha256,
        patient=unique_id(to_json({"inputs": header.inputs}).decode())[-12:],
        version=dataset.description.software.get("surgical-sim2real", "unknown"),
        origin=" ".join(dict.fromkeys(origin)),
        kvp=PRESETS[spectrum.preset][0] if spectrum.preset else spectrum.kvp,
        window=recipe.output.display.built(),
        biplane=len(recipe.carm.planes()) > 1,
    )


def _runs(shots: Sequence[Shot]) -> list[Sequence[Shot]]:
    """The frames of a plane in the objects that they become: none shows more than one anatomy."""
    return [run for _, same in groupby(shots, lambda shot: shot.variant) for run in _runs_of_one(list(same))]


def _runs_of_one(shots: Sequence[Shot]) -> list[Sequence[Shot]]:
    if not _is_run([shot.pose for shot in shots]):
        return [[shot] for shot in shots]
    device = shots[0].device
    longest = max(1, MAX_OBJECT_BYTES // (2 * device.width_px * device.height_px))
    return [shots[start : start + longest] for start in range(0, len(shots), longest)]


def _is_run(poses: Sequence[CArmPose]) -> bool:
    if len(poses) < SHORTEST_RUN:
        return False
    straight = {replace(pose, primary_deg=0.0, secondary_deg=0.0) for pose in poses}
    steps = np.diff([(pose.primary_deg, pose.secondary_deg) for pose in poses], axis=0)
    return len(straight) == 1 and float(np.ptp(steps, axis=0).max()) < SAME_STEP_DEG


def _at_the_same_time(run: Sequence[Shot], runs: Sequence[Sequence[Shot]]) -> Sequence[Shot]:
    """The frames of the other plane that begin with the same exposure; none where it has no such."""
    exposure = run[0].index // 2
    others = (other for other in runs if other[0].plane != run[0].plane)
    return next((other for other in others if other[0].index // 2 == exposure), ())
