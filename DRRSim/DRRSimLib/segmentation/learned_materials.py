"""Air, soft tissue and bone of a CT by a trained V-Net, with the weights that are shipped or a user's own."""

from collections.abc import Generator
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import Field

from Sim2RealLib.engine import Backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done, returned
from Sim2RealLib.models import model_card, weights_path
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume

from .classes import BONE
from .section import NetworkSection

SHIPPED = "materials-vnet-narrow"
"""Id of the model that comes with the extension."""
TASK = "materials"

LABEL_GROUPS = {BONE: "bone"}
"""The classes as labels for `physics.tissues.classify` with the rules "network"."""

_FOUND: WeakKeyDictionary[Volume, dict[Path | None, np.ndarray]] = WeakKeyDictionary()


class WeightsSettings(NetworkSection):
    """What the file of the weights says of itself."""

    spacing_mm: float = Field(ge=0.5, le=4.0)


def network_classes(hu: Volume, weights: Path | None, backend: Backend) -> np.ndarray:
    """The class (`classes.CLASSES`) of every voxel, uint8 in the shape of `hu`; found once for a volume and weights.

    hu: any spacing and orientation. weights: null for the shipped ones. Sim2RealError: no PyTorch, damaged weights.
    """
    return returned(network_classes_steps(hu, weights, backend))


def network_classes_steps(hu: Volume, weights: Path | None, backend: Backend) -> Generator[Done, None, np.ndarray]:
    """The same step by step."""
    found = _FOUND.setdefault(hu, {})
    if weights not in found:
        found[weights] = yield from _classes(hu, weights, backend)
    return found[weights]


def _classes(hu: Volume, weights: Path | None, backend: Backend) -> Generator[Done, None, np.ndarray]:
    try:
        from Sim2RealLib.learning.weights import load_weights, read_weights

        from .network import build_network
        from .patches import probabilities
        from .working_grid import WorkingGrid
    except ImportError as error:
        raise Sim2RealError(
            f"Materials by a network need PyTorch and MONAI ({error}): pip install 'surgical-sim2real[learn]'. Or "
            "choose another physics.materials.rule."
        ) from error
    path = weights or weights_path(model_card(SHIPPED))
    content = read_weights(path, TASK)
    settings = validate(WeightsSettings, content.settings, str(path))
    network = load_weights(build_network(settings.form, settings.width), content, path)
    network.to("cuda" if backend.name == "cuda" else "cpu")
    grid = WorkingGrid.of(hu, settings.spacing_mm)
    found = yield from probabilities(network, grid.taken(hu.array))
    return grid.classes(found, hu.array.shape)
