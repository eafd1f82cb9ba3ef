"""The page: gathers what it shows and fills the template."""

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..dataset.files import storage_error, write_together
from ..dataset.layout import DISPLAY, RECIPE_YAML, REPORT_HTML
from ..dataset.reader import MAX_JSON_BYTES, Dataset, StoredFrame, read_contained
from ..errors import Sim2RealError
from .coverage import coverage_of
from .histogram import histogram_svg
from .overlay import Overlay, overlay_of
from .pictures import jpeg_uri

THUMBNAILS = 24
OVERLAYS = 3
HISTOGRAM_FRAMES = 24
OUTLINED_CLASSES = 12
"""Outlines drawn at first, those of the largest masks; more hide the image, and the reader can ask for them."""


@dataclass(frozen=True)
class Section:
    """A figure of a simulator's own: `figure` is the bytes of a PNG, or HTML or SVG that the simulator vouches for."""

    title: str
    figure: str | bytes
    caption: str = ""

    @cached_property
    def html(self) -> Markup:
        if isinstance(self.figure, str):
            return Markup(self.figure)
        uri = f"data:image/png;base64,{base64.b64encode(self.figure).decode('ascii')}"
        return Markup('<img src="{}" alt="{}">').format(uri, self.title)


@dataclass(frozen=True)
class _Thumbnail:
    index: int
    uri: str


def write_report(dataset: Dataset, sections: Iterable[Section] = ()) -> Path:
    """Write ``report.html`` into the dataset and return its path. It needs no other file, no network and no script.

    Raises Sim2RealError if the dataset has no finished frame, a damaged one among those shown, or cannot be written.
    """
    if len(dataset) == 0:
        raise Sim2RealError(f"{dataset.folder} has no finished frame to report on.")
    path = dataset.folder / REPORT_HTML
    try:
        write_together([(path, _html(dataset, sections).encode())])
    except OSError as error:
        raise storage_error(error, dataset.folder) from error
    return path


def _html(dataset: Dataset, sections: Iterable[Section]) -> str:
    environment = Environment(
        loader=PackageLoader("Sim2RealLib.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [dataset.frame(index) for index in spread(dataset.indices, THUMBNAILS)]
    has_display = DISPLAY in dataset.header.channels
    overlays = _overlays(shown) if has_display else []
    content: dict[str, Any] = {
        "header": dataset.header,
        "software": dataset.description.software,
        "conventions": dataset.description.conventions,
        "complete": len(dataset),
        "size": shown[0].parsed.files[DISPLAY].shape if has_display else None,
        "recipe": read_contained(dataset.folder, RECIPE_YAML, MAX_JSON_BYTES).decode("utf-8", "replace"),
        "thumbnails": [_Thumbnail(frame.index, jpeg_uri(_display(frame))) for frame in shown] if has_display else [],
        "overlays": overlays,
        "outlined": _largest(overlays),
        "coverage": coverage_of(dataset),
        "histograms": _histograms(dataset, shown),
        "sections": sections,
    }
    return environment.get_template("report.html.j2").render(content)


def spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of `indices`, evenly spread from the first to the last."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[place] for place in places]


def _display(frame: StoredFrame) -> np.ndarray:
    """The display image, (H, W) or (H, W, 3) uint8."""
    image = frame.channel(DISPLAY)
    if image.ndim == 3:
        return np.moveaxis(image, 0, -1)
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)


def _overlays(shown: Sequence[StoredFrame]) -> list[Overlay]:
    labelled = [frame for frame in shown if frame.parsed.masks or frame.parsed.landmarks]
    chosen = [labelled[place] for place in spread(range(len(labelled)), OVERLAYS)] if labelled else []
    return [overlay_of(frame, _display(frame)) for frame in chosen]


def _largest(overlays: Sequence[Overlay]) -> set[int]:
    """The ids of the classes with the largest masks in the overlays."""
    areas: Counter[int] = Counter()
    for overlay in overlays:
        areas.update({outline.label.id: outline.area_px for outline in overlay.outlines})
    return {class_id for class_id, _ in areas.most_common(OUTLINED_CLASSES)}


def _histograms(dataset: Dataset, shown: Sequence[StoredFrame]) -> dict[str, Markup]:
    return {
        name: histogram_svg([frame.channel(name) for frame in shown[:HISTOGRAM_FRAMES]], channel)
        for name, channel in dataset.header.channels.items()
    }
