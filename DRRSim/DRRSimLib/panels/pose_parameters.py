"""A C-arm's device and pose in the panel's parameters."""

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError

from ..acquisition.carm import DEVICES, CArmDevice, CArmPose
from ..parameters import FROM_RECIPE
from ..recipe import DrrRecipe

SAME = 1e-4
"""Degrees or mm: controls that differ from the C-arm by less are left alone."""


def recipe_of(parameters: Any) -> DrrRecipe | None:
    """The recipe that was loaded last; Sim2RealError once, if it came with a scene and cannot be read."""
    try:
        return _parsed(parameters.recipe)
    except ValueError as error:  # of another version, or by another hand
        parameters.recipe = ""
        raise Sim2RealError(_("The recipe in this scene cannot be read and is forgotten; load it again.")) from error


@lru_cache(maxsize=1)
def _parsed(text: str) -> DrrRecipe | None:
    return DrrRecipe.model_validate(json.loads(text)) if text else None


def preset_device(parameters: Any) -> CArmDevice:
    """The device that is chosen, as it is built. Sim2RealError if it is to be a recipe's, and none has one."""
    if parameters.device in DEVICES:
        return DEVICES[parameters.device]
    recipe = recipe_of(parameters)
    if recipe is None or not isinstance(recipe.carm.device, CArmDevice):
        raise Sim2RealError(_("No recipe with a C-arm of its own is loaded; choose a device."))
    return recipe.carm.device


def chosen_device(parameters: Any) -> CArmDevice:
    """The device with the distances that are set. Sim2RealError where the isocentre is not between its ends."""
    source_to_detector, source_to_isocenter = parameters.sourceToDetectorMm, parameters.sourceToIsocenterMm
    if source_to_isocenter >= source_to_detector:
        raise Sim2RealError(
            _("The isocenter, {isocenter} mm from the source, must lie before the detector at {detector} mm.").format(
                isocenter=round(source_to_isocenter), detector=round(source_to_detector)
            )
        )
    return replace(
        preset_device(parameters),
        source_to_detector_mm=source_to_detector,
        source_to_isocenter_mm=source_to_isocenter,
    )


def chosen_pose(parameters: Any, device: CArmDevice) -> CArmPose:
    """The pose that is set; displacement and collimation are those of the recipe that was loaded."""
    views = recipe.views if (recipe := recipe_of(parameters)) else None
    return CArmPose(
        parameters.primaryDeg,
        parameters.secondaryDeg,
        (parameters.isocenterR, parameters.isocenterA, parameters.isocenterS),
        device.source_to_detector_mm,
        device.source_to_isocenter_mm,
        parameters.inPlaneDeg,
        detector_offset_mm=views.detector_offset_mm if views else (0.0, 0.0),
        collimation_mm=views.collimation_mm if views else None,
    )


def set_device_parameters(parameters: Any, device: CArmDevice) -> None:
    """Let the parameters be those of a device: a preset, whatever its distances are, or a recipe's own."""
    parameters.device = device.name if _with_distances_of(device, DEVICES.get(device.name)) == device else FROM_RECIPE
    parameters.distancesOf = parameters.device
    parameters.sourceToDetectorMm = device.source_to_detector_mm
    parameters.sourceToIsocenterMm = device.source_to_isocenter_mm


def _with_distances_of(device: CArmDevice, preset: CArmDevice | None) -> CArmDevice | None:
    if preset is None:
        return None
    distances = ("source_to_detector_mm", "source_to_isocenter_mm")
    return replace(preset, **{name: getattr(device, name) for name in distances})


def set_pose_parameters(parameters: Any, pose: CArmPose) -> None:
    """Let the parameters be those of a pose, where they differ."""
    wanted = dict(zip(("isocenterR", "isocenterA", "isocenterS"), pose.isocenter_ras, strict=True))
    wanted |= {"primaryDeg": pose.primary_deg, "secondaryDeg": pose.secondary_deg, "inPlaneDeg": pose.in_plane_deg}
    for name, value in wanted.items():
        if abs(getattr(parameters, name) - value) > SAME:
            setattr(parameters, name, float(np.round(value, 6)))


def same_pose(first: CArmPose, second: CArmPose) -> bool:
    """Whether two poses stand the C-arm in the same place."""
    pairs = zip(_numbers(first), _numbers(second), strict=True)
    return all(abs(a - b) <= SAME for a, b in pairs)


def _numbers(pose: CArmPose) -> tuple[float, ...]:
    return pose.primary_deg, pose.secondary_deg, pose.in_plane_deg, *pose.isocenter_ras
