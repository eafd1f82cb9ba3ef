"""In how many frames each class and each landmark is to be seen."""

from collections import Counter
from dataclasses import dataclass

from ..dataset.reader import Dataset


@dataclass(frozen=True)
class Bar:
    """One class or landmark, seen in `count` of the frames. Landmarks have no colour of their own."""

    name: str
    count: int
    color: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Coverage:
    frames: int
    classes: tuple[Bar, ...]
    landmarks: tuple[Bar, ...]


def coverage_of(dataset: Dataset) -> Coverage:
    """Counts over all committed frames. A class is seen where its mask has a pixel, a landmark where it is visible."""
    classes, landmarks = Counter(), Counter()
    for index in dataset.indices:
        record = dataset.frame(index).parsed
        classes.update(key for key, mask in record.masks.items() if mask.area_px > 0)
        landmarks.update({name: int(mark.visible) for name, mark in record.landmarks.items()})
    class_bars = (Bar(entry.name, classes[str(entry.id)], entry.color) for entry in dataset.header.classes)
    landmark_bars = (Bar(name, count) for name, count in landmarks.items())
    return Coverage(len(dataset), tuple(class_bars) if classes else (), tuple(landmark_bars))
