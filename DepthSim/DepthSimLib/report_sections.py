"""What the report of an endoscopy dataset shows beyond the general part: ground truth, and where the camera was."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.geometry import invert_rigid
from Sim2RealLib.report import Section
from Sim2RealLib.report.page import spread

from .frame_record import EndoscopyRecord, endoscopy_extra, endoscopy_record
from .frames.coverage import unpack_bits

SHOWN_FRAMES = 4
LEGEND_ENTRY_IN = 1.7
INK = "#323f4b"


def report_sections(dataset: Dataset) -> Iterator[Section]:
    if {"display", "depth"} <= dataset.header.channels.keys():
        shown = [dataset.frame(index) for index in spread(dataset.indices, SHOWN_FRAMES)]
        yield Section(
            "Ground truth",
            _ground_truth_png(shown),
            "From left to right: every look, depth as ray length in mm, normals (red, green and blue are x, y and z of "
            "the camera frame), labels in the colours of their classes; as far as the dataset has them.",
        )
    records = [endoscopy_record(dataset.frame(index)) for index in dataset.indices]
    if any(record.coverage for record in records):
        alone, together = _seen(dataset, records)
        yield Section(
            "Coverage of the wall",
            _coverage_png(alone, together),
            f"All frames together see {together[-1]:.1%} of the vertices of the wall's mesh.",
        )
    poses = np.array([invert_rigid(np.array(record.camera.camera_from_world)) for record in records])
    walls_mm = np.array([record.tip.wall_distance_mm for record in records])
    yield Section(
        "Where the camera was",
        _map_png(poses, walls_mm),
        "From the front and from the patient's left. An arrow shows which way the camera looks, its colour how far "
        "away the nearest wall is.",
    )


def _seen(dataset: Dataset, records: list[EndoscopyRecord]) -> tuple[list[float], list[float]]:
    """Shares of the wall's vertices: what each frame sees, and what is seen up to it."""
    count = endoscopy_extra(dataset).wall_vertices
    so_far, alone, together = np.zeros(count, bool), [], []
    for record in records:
        seen = unpack_bits(record.coverage.seen, count) if record.coverage else np.zeros(count, bool)
        so_far |= seen
        alone.append(float(seen.mean()))
        together.append(float(so_far.mean()))
    return alone, together


def _coverage_png(alone: list[float], together: list[float]) -> bytes:
    figure, ((axes,),) = _figure(1, 1, (7.2, 3.2))
    axes.plot(100 * np.array(together), color="#0b69a3", label="all frames so far")
    axes.plot(100 * np.array(alone), color="#9aa5b1", label="each frame")
    axes.set_xlabel("frames", color=INK)
    axes.set_ylabel("vertices of the wall seen, %", color=INK)
    axes.set_ylim(0, None)
    axes.locator_params(axis="x", integer=True)
    axes.legend(frameon=False)
    return _png(figure)


def _ground_truth_png(frames: list[StoredFrame]) -> bytes:
    channels = frames[0].dataset.header.channels
    looks = [name for name in channels if name == "display" or name.startswith("display_")]
    panels = [*looks, *(name for name in ("depth", "normals", "labels") if name in channels)]
    height, width = frames[0].parsed.files["depth"].shape
    figure, rows = _figure(len(frames), len(panels), (2.6 * len(panels), 2.6 * len(frames) * height / width))
    for frame, row in zip(frames, rows, strict=True):
        for name, axes in zip(panels, row, strict=True):
            axes.set_axis_off()
            _PAINTERS.get(name, _paint_look)(axes, frame, name)
    for name, axes in zip(panels, rows[0], strict=True):
        axes.set_title(name.replace("_", " "), fontsize=10, color=INK)
    if "labels" in channels:
        _draw_legend(figure, frames)
    return _png(figure)


def _draw_legend(figure: Any, frames: list[StoredFrame]) -> None:
    """Colours and names of the classes that the frames show."""
    from matplotlib.patches import Patch

    shown = np.unique(np.concatenate([np.unique(frame.channel("labels")) for frame in frames]))
    classes = [entry for entry in frames[0].dataset.header.classes if entry.id in shown]
    patches = [Patch(color=np.array(entry.color) / 255, label=entry.name) for entry in classes]
    if patches:
        figure.legend(
            handles=patches,
            loc="outside lower right",
            ncols=int(figure.get_figwidth() / LEGEND_ENTRY_IN),
            frameon=False,
            fontsize=9,
        )


def _paint_look(axes: Any, frame: StoredFrame, name: str) -> None:
    image = frame.channel(name)
    axes.imshow(np.moveaxis(image, 0, -1) if image.ndim == 3 else image, cmap="gray", vmin=0, vmax=255)


def _paint_depth(axes: Any, frame: StoredFrame, name: str) -> None:
    depth = frame.channel(name)
    picture = axes.imshow(np.where(depth > 0, depth, np.nan), cmap="magma_r", vmin=0)
    axes.figure.colorbar(picture, ax=axes, fraction=0.04, pad=0.02).ax.tick_params(labelsize=7)


def _paint_normals(axes: Any, frame: StoredFrame, name: str) -> None:
    normals = np.moveaxis(frame.channel(name), 0, -1)
    axes.imshow(np.where(np.any(normals != 0, axis=-1, keepdims=True), (normals + 1) / 2, 1))


def _paint_labels(axes: Any, frame: StoredFrame, name: str) -> None:
    colors = np.full((256, 3), 255, np.uint8)
    for entry in frame.dataset.header.classes:
        colors[entry.id] = entry.color
    axes.imshow(colors[frame.channel(name)])


_PAINTERS = {"depth": _paint_depth, "normals": _paint_normals, "labels": _paint_labels}


def _map_png(poses: np.ndarray, walls_mm: np.ndarray) -> bytes:
    """Positions and directions (N, 4, 4) of the camera in the coronal and the sagittal plane."""
    figure, ((front, left),) = _figure(1, 2, (9.6, 5.4), sharey=True)
    look = poses[:, :3, 2]
    for axes, axis, title, direction in (
        (front, 0, "from the front", "right → left"),
        (left, 1, "from the left", "anterior → posterior"),
    ):
        arrows = axes.quiver(
            *(-poses[:, axis, 3], poses[:, 2, 3], -look[:, axis], look[:, 2], walls_mm),
            **{"cmap": "viridis", "scale": 28, "width": 0.004, "headwidth": 3, "alpha": 0.85},
        )
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(title, fontsize=11, color=INK)
        axes.set_xlabel(f"{direction}, mm", color=INK)
        axes.margins(0.08)
    front.set_ylabel("superior, mm", color=INK)
    figure.colorbar(arrows, ax=[front, left], label="nearest wall, mm", shrink=0.8)
    return _png(figure)


def _figure(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, np.ndarray]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
