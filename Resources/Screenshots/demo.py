"""The README's picture: frames of `make demo`, without and with their labels.

.venv/bin/python Resources/Screenshots/demo.py demo Resources/Screenshots/demo.png
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from Sim2RealLib.dataset.masks import decode_mask
from Sim2RealLib.dataset.reader import Dataset, StoredFrame

XRAY_FRAMES, ENDOSCOPY_FRAMES = (12, 2, 4, 11), (0, 1, 3, 5)
INK = "#323f4b"


def draw_xray(axes: plt.Axes, frame: StoredFrame) -> None:
    axes.imshow(frame.channel("display"), cmap="gray", vmin=0, vmax=255)
    axes.autoscale(False)


def draw_labels(axes: plt.Axes, frame: StoredFrame) -> None:
    draw_xray(axes, frame)
    for label in frame.dataset.header.classes:
        if str(label.id) in frame.record["masks"]:
            mask = decode_mask(frame.record["masks"][str(label.id)])
            color = np.array(label.color) / 255
            axes.contour(mask, [0.5], colors=[color], linewidths=1.2)
            axes.imshow(np.dstack([np.broadcast_to(color, (*mask.shape, 3)), 0.14 * mask]))
    visible = np.array([entry["position_px"] for entry in frame.record["landmarks"].values() if entry["visible"]])
    axes.scatter(*(visible - 0.5).T, s=13, color="#ffe14d", edgecolors="black", linewidths=0.6, zorder=5)


def draw_look(axes: plt.Axes, frame: StoredFrame) -> None:
    axes.imshow(np.moveaxis(frame.channel("display"), 0, -1))


def draw_depth(axes: plt.Axes, frame: StoredFrame) -> None:
    depth = frame.channel("depth")
    axes.imshow(np.where(depth > 0, depth, np.nan), cmap="magma_r", vmin=0, vmax=120)


def main(demo: str, picture: str) -> None:
    xray, endoscopy = (Dataset.open(Path(demo) / name) for name in ("drr", "endoscopy"))
    figure, panels = plt.subplots(4, 4, figsize=(14, 11.1))
    rows = ((draw_xray, xray, XRAY_FRAMES), (draw_labels, xray, XRAY_FRAMES))
    rows += ((draw_look, endoscopy, ENDOSCOPY_FRAMES), (draw_depth, endoscopy, ENDOSCOPY_FRAMES))
    for row, (draw, dataset, indices) in zip(panels, rows, strict=True):
        for axes, index in zip(row, indices, strict=True):
            axes.set_axis_off()
            draw(axes, dataset.frame(index))
    for axes, index in zip(panels[0], XRAY_FRAMES, strict=True):
        axes.set_title(xray.record(index)["carm"]["angles"], fontsize=12, color=INK)
    for axes, index in zip(panels[2], ENDOSCOPY_FRAMES, strict=True):
        axes.set_title(endoscopy.record(index)["tip"]["segment"], fontsize=12, color=INK)
    figure.subplots_adjust(left=0.004, right=0.996, top=0.965, bottom=0.004, wspace=0.02, hspace=0.1)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
