"""Draws colon_statistics.png: sizes measured on 50 generated colons beside the published ones.

Run from the project's root: python Docs/Images/colon_statistics.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from DepthSimLib.colon.anatomy import DIAMETER_RANGE_MM, FOLD_HEIGHT_MM, SEGMENTS, TOTAL_LENGTH_CM
from DepthSimLib.colon.draw import draw_tube
from DepthSimLib.colon.measurement import Sizes, measure
from DepthSimLib.colon.shape import ColonShape

SEEDS = 50
BAND, DOTS, MEAN = "#c9d8e6", "#3b6ea5", "#b0413e"


def main() -> None:
    sizes = [measure(draw_tube(ColonShape(seed=seed))) for seed in range(SEEDS)]
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), width_ratios=[0.8, 1.7, 1.0], layout="constrained")
    _draw_lengths(axes[0], sizes)
    _draw_diameters(axes[1], sizes)
    _draw_folds(axes[2], sizes)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=160)


def _draw_lengths(axis: plt.Axes, sizes: list[Sizes]) -> None:
    for at, (mean, spread) in enumerate(TOTAL_LENGTH_CM):
        _band(axis, at, mean - spread, mean + spread)
        axis.plot([at - 0.3, at + 0.3], [mean, mean], color="#5f7f9f")
    _dots(axis, 2, np.array([size.total_length_mm / 10.0 for size in sizes]))
    axis.set(xticks=range(3), xticklabels=["Utano\n2021", "Khashab\n2009", f"{SEEDS}\nseeds"])
    axis.set(title="Length, cm (± sd)", xlim=(-0.6, 2.6), ylim=(90, 250))


def _draw_diameters(axis: plt.Axes, sizes: list[Sizes]) -> None:
    for at, name in enumerate(SEGMENTS):
        _band(axis, at, *DIAMETER_RANGE_MM[name])
        _dots(axis, at, np.array([size.diameter_mm[name] for size in sizes]))
    axis.set(xticks=range(6), xticklabels=SEGMENTS, ylim=(0, 95))
    axis.set_title("Diameter of the distended lumen, mm (range)")


def _draw_folds(axis: plt.Axes, sizes: list[Sizes]) -> None:
    for at, (name, (mean, spread)) in enumerate(FOLD_HEIGHT_MM.items()):
        _band(axis, at, mean - spread, mean + spread)
        axis.plot([at - 0.35, at + 0.35], [mean, mean], color="#5f7f9f")
        _dots(axis, at, np.array([size.fold_height_mm[name].mean() for size in sizes]))
        folds = np.concatenate([size.fold_height_mm[name] for size in sizes])
        axis.errorbar(at + 0.28, folds.mean(), folds.std(), color=MEAN, fmt="o", ms=3, capsize=3)
    axis.set(xticks=range(3), xticklabels=FOLD_HEIGHT_MM, ylim=(0, 23), title="Fold height, mm (± sd)")


def _band(axis: plt.Axes, at: int, low: float, high: float) -> None:
    axis.bar(at, high - low, 0.75, bottom=low, color=BAND)


def _dots(axis: plt.Axes, at: int, values: np.ndarray) -> None:
    axis.scatter(at + np.linspace(-0.18, 0.18, len(values)), values, s=5, color=DOTS, alpha=0.8, zorder=3)
    axis.plot([at - 0.25, at + 0.25], [values.mean()] * 2, color=MEAN, lw=2, zorder=4)


if __name__ == "__main__":
    main()
