"""The trained models that come with the extension, and what is known of each."""

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from .errors import Sim2RealError
from .recipe import StrictModel
from .resources import resource_path

MAX_WEIGHTS_BYTES = 12 * 2**20


class Metric(StrictModel):
    """A measured number: of what, on which data, in which unit."""

    name: str
    value: float
    unit: str
    measured_on: str


class ModelCard(StrictModel):
    """What a user must know before using a model; numbers that were not measured are not there.

    file: below Resources/, half-precision safetensors. preprocessing: what is done to an image before it goes in.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    title: str
    task: str
    licence: str
    file: str = Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(gt=0, le=MAX_WEIGHTS_BYTES)
    preprocessing: dict[str, Any]
    trained_on: str
    metrics: tuple[Metric, ...]
    limits: str


def model_card(model_id: str) -> ModelCard:
    """The card of a model; Sim2RealError if this version has none of that id."""
    for card in list_models():
        if card.id == model_id:
            return card
    raise Sim2RealError(f"This version comes with no model {model_id}.")


def weights_path(card: ModelCard) -> Path:
    """The file of a model's weights; Sim2RealError if it is missing or not what the card says."""
    path = resource_path(card.file)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != card.sha256:
        raise Sim2RealError(f"{path} is missing or damaged: install SurgicalSim2Real again.")
    return path


def damaged_models(catalogue: Path | None = None) -> tuple[str, ...]:
    """The ids of models whose weights are missing or not what their cards say."""
    return tuple(card.id for card in list_models(catalogue) if _is_damaged(card))


def _is_damaged(card: ModelCard) -> bool:
    try:
        weights_path(card)
    except Sim2RealError:
        return True
    return False


class _Catalogue(StrictModel):
    schema_version: int = Field(ge=1, le=1)
    models: tuple[ModelCard, ...]


def list_models(catalogue: Path | None = None) -> tuple[ModelCard, ...]:
    """The models of Resources/Models.json, or of another `catalogue`; Sim2RealError if that is damaged."""
    path = catalogue or resource_path("Models.json")
    try:
        models = _Catalogue.model_validate_json(path.read_bytes()).models
    except (OSError, ValidationError) as error:
        raise Sim2RealError(f"{path}: not a list of models ({str(error).splitlines()[0]}).") from error
    if len({card.id for card in models}) < len(models):
        raise Sim2RealError(f"{path}: two models have the same id.")
    return models
