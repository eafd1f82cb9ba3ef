"""What turns a simulated frame into one that looks real: the interface, and those that are registered.

The library has no translator yet. Whoever has one calls `register`; the module's panel offers what is registered.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from Sim2RealLib.errors import Sim2RealError


@dataclass(frozen=True)
class RandomStyle:
    """A look drawn by a seed."""

    seed: int


@dataclass(frozen=True, eq=False)
class ImageStyle:
    """The look of a real image, (H, W, 3) uint8."""

    image: np.ndarray


Style = RandomStyle | ImageStyle


@dataclass(frozen=True)
class ValidityFigure:
    """One answer to whether the labels still hold: a value (None where it could not be measured) and its limit."""

    name: str
    value: float | None
    limit: float
    higher_is_better: bool = True

    @property
    def accepted(self) -> bool | None:
        """Whether the value keeps to its limit; None where there is none."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.higher_is_better else self.value <= self.limit


@dataclass(frozen=True, eq=False)
class Translation:
    """A translated frame, (H, W, 3) uint8, and its figures."""

    image: np.ndarray
    figures: tuple[ValidityFigure, ...]

    @property
    def accepted(self) -> bool | None:
        """Whether no figure fails; None if none was measured."""
        verdicts = [figure.accepted for figure in self.figures if figure.accepted is not None]
        return all(verdicts) if verdicts else None


class Translator(Protocol):
    """Translates frames one by one; called on a thread of its own, so that it may take its time.

    name: as users see it.
    """

    name: str

    def translate(self, picture: np.ndarray, labels: np.ndarray, style: Style) -> Translation:
        """picture: (H, W, 3) uint8. labels: (H, W) uint16, the class of each pixel, 0 for none.

        Sim2RealError for a style that it cannot give.
        """


_registered: dict[str, Translator] = {}


def register(translator: Translator) -> None:
    """Offer a translator; one of the same name is replaced."""
    _registered[translator.name] = translator


def unregister(name: str) -> None:
    """Offer a translator no more."""
    _registered.pop(name, None)


def registered() -> dict[str, Translator]:
    """The translators by name."""
    return dict(_registered)


def read_style_image(path: Path) -> np.ndarray:
    """The image of an `ImageStyle`, (H, W, 3) uint8. Sim2RealError if the file is none, or is too large."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise Sim2RealError(
            f"{path} is no image that can be read. Choose a PNG or JPEG of a real operation."
        ) from error
