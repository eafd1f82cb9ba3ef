"""What a recipe of `task: materials` says, beside what all trainings share."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from Sim2RealLib.learning.recipe import TrainingRecipe
from Sim2RealLib.recipe import StrictModel

PUBLISHED_WIDTH = 16
Share = Annotated[float, Field(ge=0.1, le=1.5)]


class NetworkSection(StrictModel):
    """published: MONAI's VNet. narrow: the same form with `width` channels in its first stage and no dropout."""

    form: Literal["published", "narrow"] = "narrow"
    width: int = Field(4, ge=2, le=PUBLISHED_WIDTH)

    @model_validator(mode="before")
    @classmethod
    def _published_is_wide(cls, content):
        if isinstance(content, dict) and content.get("form") == "published":
            return {"width": PUBLISHED_WIDTH} | content
        return content

    @model_validator(mode="after")
    def _one_published(self) -> "NetworkSection":
        if self.form == "published" and self.width != PUBLISHED_WIDTH:
            raise ValueError(f"the published network is {PUBLISHED_WIDTH} wide; leave width out, or choose narrow")
        return self


class PhantomSection(StrictModel):
    """Generated pelves in voxels of `spacing_mm`: how many, and how much mineral their bones have.

    mineral: lowest and highest factor on the HU of bone, of those to train on; unseen_mineral: of those to test with.
    patch: edge of the cubes, in voxels, that a step takes out of a phantom.
    """

    train: int = Field(48, ge=1, le=100_000)
    test: int = Field(6, ge=1, le=10_000)
    spacing_mm: float = Field(2.0, ge=0.5, le=4.0)
    patch: int = Field(64, ge=32, le=256, multiple_of=16)
    mineral: tuple[Share, Share] = (0.5, 1.1)
    unseen_mineral: tuple[Share, Share] = (0.35, 0.5)

    @model_validator(mode="after")
    def _ordered(self) -> "PhantomSection":
        for name in ("mineral", "unseen_mineral"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low:g} is more than {high:g}; give the lower one first")
        return self


class MaterialsRecipe(TrainingRecipe):
    """`task: materials`."""

    task: Literal["materials"]
    network: NetworkSection = NetworkSection()
    phantoms: PhantomSection = PhantomSection()
