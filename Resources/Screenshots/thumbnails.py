"""The pictures of the sample data in Slicer's module Sample Data, and the real CT's by its X-ray image.

.venv/bin/python Resources/Screenshots/thumbnails.py DEMO ABDOMEN_CT Sim2Real/Resources/Icons
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from DRRSimLib.acquisition.carm import CArmPose
from DRRSimLib.frames.display import WINDOWS, Polarity, log_attenuation, to_display
from Sim2RealApp.simulators import load_recipe, open_recipe
from Sim2RealLib.body import body_center_ras
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.resources import resource_path

SIZE_PX = (260, 280)
COLON_FRAME = 7
DETECTOR = (
    "{name: large, width_px: 560, height_px: 600, pixel_mm: 0.8, source_to_detector_mm: 1200,"
    " source_to_isocenter_mm: 900}"
)


def save(picture: np.ndarray, path: Path) -> None:
    """The middle of a picture in the size of Slicer's thumbnails."""
    image = Image.fromarray(picture)
    scale = max(SIZE_PX[0] / image.width, SIZE_PX[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.LANCZOS)
    left, top = (image.width - SIZE_PX[0]) // 2, (image.height - SIZE_PX[1]) // 2
    image.crop((left, top, left + SIZE_PX[0], top + SIZE_PX[1])).save(path, optimize=True)


def xray_of(*settings: str) -> np.ndarray:
    """The X-ray of a patient or phantom from in front, on a large detector."""
    recipe = load_recipe(resource_path("Recipes/pelvis_drr.yaml"), (*settings, f"carm.device={DETECTOR}"))
    simulation = open_recipe(recipe, "auto")
    device = simulation.device(0)
    distances = (device.source_to_detector_mm, device.source_to_isocenter_mm)
    middle = body_center_ras(simulation.anatomy.hu)
    intensity = simulation.expose(CArmPose(0.0, 0.0, tuple(middle.tolist()), *distances))
    attenuation = log_attenuation(intensity, simulation.header.extra["open_beam_kev"])
    return to_display(attenuation, WINDOWS["pelvis"], Polarity.BONE_WHITE, 8)


def main(demo: str, ct: str, icons: str) -> None:
    colon = Dataset.open(Path(demo) / "endoscopy").channel(COLON_FRAME, "display")
    save(xray_of(), Path(icons) / "GeneratedPelvis.png")
    save(np.moveaxis(colon, 0, -1), Path(icons) / "GeneratedColon.png")
    save(xray_of(f"input.volume={ct}"), Path(icons) / "AbdomenPelvisCT.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
