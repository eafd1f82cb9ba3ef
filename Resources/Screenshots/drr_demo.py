"""The README's picture: frames of `make demo`, without and with their labels.

.venv/bin/python Resources/Screenshots/drr_demo.py demo/drr Resources/Screenshots/drr_demo.png
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from Sim2RealLib.dataset.masks import decode_mask
from Sim2RealLib.dataset.reader import Dataset, StoredFrame

FRAMES = (12, 2, 4, 11)


def draw_labels(axes: plt.Axes, frame: StoredFrame) -> None:
    for label in frame.dataset.header.classes:
        if str(label.id) in frame.record["masks"]:
            mask = decode_mask(frame.record["masks"][str(label.id)])
            color = np.array(label.color) / 255
            axes.contour(mask, [0.5], colors=[color], linewidths=1.2)
            axes.imshow(np.dstack([np.broadcast_to(color, (*mask.shape, 3)), 0.14 * mask]))
    visible = np.array([entry["position_px"] for entry in frame.record["landmarks"].values() if entry["visible"]])
    axes.scatter(*(visible - 0.5).T, s=13, color="#ffe14d", edgecolors="black", linewidths=0.6, zorder=5)


def main(folder: str, picture: str) -> None:
    dataset = Dataset.open(folder)
    figure, rows = plt.subplots(2, len(FRAMES), figsize=(14, 5.75))
    for index, column in zip(FRAMES, rows.T, strict=True):
        frame = dataset.frame(index)
        column[0].set_title(frame.record["carm"]["angles"], fontsize=12, color="#323f4b")
        for axes in column:
            axes.imshow(frame.channel("display"), cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
            axes.autoscale(False)
        draw_labels(column[1], frame)
    figure.subplots_adjust(left=0.004, right=0.996, top=0.945, bottom=0.006, wspace=0.02, hspace=0.02)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
