"""Recipes of trainings."""

from pydantic import Field

from ..recipe import StrictModel


class Optimization(StrictModel):
    """Adam with a learning rate that falls from its start to nothing along half a cosine, epoch by epoch.

    batch_size: examples a step; those left over at the end of an epoch are passed over.
    """

    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=1, le=4096)
    learning_rate: float = Field(gt=0, le=1)


class TrainingRecipe(StrictModel):
    """What every recipe of a training has; each task adds its sections."""

    task: str
    seed: int = Field(0, ge=0, lt=2**32)
    optimization: Optimization
