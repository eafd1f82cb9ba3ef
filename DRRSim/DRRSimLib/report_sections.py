"""What the report of an X-ray dataset shows beyond the general part: the directions it was taken from."""

import io
from collections.abc import Iterator

import numpy as np

from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.report import Section

from .acquisition.carm import CArmPose
from .frame_record import drr_record


def report_sections(dataset: Dataset) -> Iterator[Section]:
    poses = [drr_record(dataset.frame(index)).carm for index in dataset.indices]
    angles = np.array([[pose.primary_deg, pose.secondary_deg] for pose in poses])
    low, high = angles.min(axis=0), angles.max(axis=0)
    corners = [CArmPose(*corner, (0, 0, 0), 0, 0).words for corner in (low, high)]
    yield Section(
        "View coverage",
        _sphere_png(angles),
        f"Direction from the isocentre to the detector, seen from in front of the patient: from {corners[0]} to "
        f"{corners[1]}. On this globe areas near the rim are foreshortened, so that points crowd there.",
    )


def _sphere_png(angles_deg: np.ndarray) -> bytes:
    """The view directions on the front of the unit sphere, orthographic; the patient's left is at the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal")
    axes.set_axis_off()
    turn = np.linspace(-90, 90, 181)
    for degrees in range(-75, 90, 15):
        emphasis = {"color": "#9aa5b1" if degrees % 45 == 0 else "#dde2e8", "linewidth": 0.8, "zorder": 1}
        axes.plot(*_on_sphere(np.full(181, degrees), turn)[:2], **emphasis)
        axes.plot(*_on_sphere(turn, np.full(181, degrees))[:2], **emphasis)
    rim = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(rim), np.sin(rim), color="#52606d", linewidth=1)
    x, y, toward_viewer = _on_sphere(*angles_deg.T)
    front = toward_viewer >= 0
    size = float(np.clip(4000 / len(angles_deg), 3, 40))
    axes.scatter(x[front], y[front], s=size, color="#0b69a3", alpha=0.8, linewidths=0, zorder=3)
    axes.scatter(x[~front], y[~front], s=size, facecolors="none", edgecolors="#0b69a3", linewidths=0.6, zorder=2)
    for text, position in (("LAO", (1.09, 0)), ("RAO", (-1.09, 0)), ("CRAN", (0, 1.06)), ("CAUD", (0, -1.06))):
        axes.text(*position, text, ha="center", va="center", fontsize=11, color="#323f4b")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _on_sphere(primary_deg: np.ndarray, secondary_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors of DICOM positioner angles as (towards the patient's left, up, anterior)."""
    primary, secondary = np.deg2rad(primary_deg), np.deg2rad(secondary_deg)
    return np.sin(primary) * np.cos(secondary), np.sin(secondary), np.cos(primary) * np.cos(secondary)
