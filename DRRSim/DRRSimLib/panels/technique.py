"""Beam, materials, detector, noise and window in the panel's parameters."""

from typing import Any

import numpy as np
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError

from ..detector.presets import DETECTORS
from ..frames.display import WINDOWS, Polarity, VoiFunction, Window
from ..mrml.film import same_window
from ..parameters import AS_SHOWN, BONE_DARK, BONE_WHITE, FROM_RECIPE
from ..physics.noise import CROSSTALK
from ..physics.spectra import PRESETS
from ..physics.tissues import RULES
from ..recipe import Display, Materials, Noise, Physics, Scatter, Spectrum
from .pose_parameters import recipe_of

FIT_PERCENT = 2.0, 98.0
"""Of an image's pixels, where a window that fits it begins and ends."""


def chosen_physics(parameters: Any) -> Physics:
    """Beam, materials, detector, scatter and noise that are set; all else is of the recipe that was loaded, if any.

    Sim2RealError if one of them is to be a recipe's, and none was loaded.
    """
    recipe = recipe_of(parameters)
    physics = recipe.physics if recipe is not None else Physics()
    if parameters.spectrum in PRESETS:
        physics = physics.model_copy(update={"spectrum": Spectrum(preset=parameters.spectrum)})
    elif recipe is None:
        raise Sim2RealError(_("No recipe with a beam of its own is loaded; choose a beam."))
    if parameters.materials in RULES:
        materials = Materials(rule=parameters.materials, metal=physics.materials.metal)
        physics = physics.model_copy(update={"materials": materials})
    elif recipe is None:
        raise Sim2RealError(_("No recipe with weights of its own is loaded; choose materials."))
    if parameters.detectorType in DETECTORS:
        physics = physics.model_copy(update={"detector": parameters.detectorType})
    elif recipe is None:
        raise Sim2RealError(_("No recipe with a detector of its own is loaded; choose a detector."))
    if parameters.scatter != physics.scatter.estimator:
        physics = physics.model_copy(update={"scatter": Scatter(estimator=parameters.scatter)})
    if not physics.built_detector.noise_crosstalk:
        physics = physics.model_copy(update={"noise": physics.noise.model_copy(update={"crosstalk": CROSSTALK})})
    noise = physics.noise.model_copy(update={"photons_per_pixel": parameters.photons})
    return physics.model_copy(update={"noise": noise if parameters.photons else Noise(photons_per_pixel=None)})


def chosen_window(parameters: Any) -> Window:
    """The window that is set."""
    if parameters.window != AS_SHOWN:
        return WINDOWS[parameters.window]
    function = VoiFunction.SIGMOID if parameters.windowIsSigmoid else VoiFunction.LINEAR
    return Window(parameters.windowLow, parameters.windowHigh, function)


def chosen_polarity(parameters: Any) -> Polarity:
    """Which end of the window is bright."""
    return Polarity.BONE_WHITE if parameters.polarity == BONE_WHITE else Polarity.BONE_DARK


def chosen_display(parameters: Any) -> dict[str, Any]:
    """`output.display` of a recipe: the window, by its name if it has one, and the polarity."""
    window = chosen_window(parameters)
    named = parameters.window if parameters.window in WINDOWS else None
    ends = {"low": window.low, "high": window.high, "function": window.function.value}
    return {"window": named or ends, "polarity": chosen_polarity(parameters).value}


def set_window_parameters(parameters: Any, window: Window) -> None:
    """Let the parameters be those of a window."""
    named = (name for name, other in WINDOWS.items() if same_window(window, other))
    parameters.windowLow, parameters.windowHigh = window.low, window.high
    parameters.windowIsSigmoid = window.function is VoiFunction.SIGMOID
    parameters.window = next(named, AS_SHOWN)


def set_technique_parameters(parameters: Any, physics: Physics, display: Display) -> None:
    """Let the parameters be those of a recipe's sections."""
    parameters.spectrum = physics.spectrum.preset or FROM_RECIPE
    parameters.detectorType = physics.detector if isinstance(physics.detector, str) else FROM_RECIPE
    parameters.scatter = physics.scatter.estimator
    parameters.materials = FROM_RECIPE if physics.materials.weights is not None else physics.materials.rule
    parameters.photons = physics.noise.photons_per_pixel or 0.0
    parameters.polarity = BONE_WHITE if display.polarity is Polarity.BONE_WHITE else BONE_DARK
    set_window_parameters(parameters, display.built())


def fitted_window(attenuation: np.ndarray, function: VoiFunction) -> Window:
    """The window that shows most of an image's pixels; Sim2RealError where they all are alike."""
    low, high = np.percentile(attenuation[np.isfinite(attenuation)], FIT_PERCENT).tolist()
    if high - low < 1e-6:
        raise Sim2RealError(_("This image is uniform: there is no window to fit."))
    return Window(low, high, function)
