"""Draw every preset look at one place of a colon: Docs/Images/endoscopy_looks.png.

    python Docs/Images/endoscopy_looks.py [--volume CT] [--at MM] [--seed N] [--samples N] [--height PX] [--out PNG]

Without a volume a colon is generated; `--at` counts along its midline from the anus.
"""

import argparse
from pathlib import Path

import drjit as dr
import numpy as np
from PIL import Image, ImageDraw

from DepthSimLib.anatomy import load_anatomy
from DepthSimLib.appearance.looks import LOOKS
from DepthSimLib.appearance.upload import upload_look
from DepthSimLib.centerline import Centerline, rotation_minimising_frames
from DepthSimLib.endoscope.presets import ENDOSCOPES
from DepthSimLib.endoscope.sensor import Sensor, develop
from DepthSimLib.frames.ground_truth import visible_surface
from DepthSimLib.pictures import render
from DepthSimLib.recipe import Input, Rendering
from DepthSimLib.scene import build_medium, place
from Sim2RealLib.engine import open_backend

COLUMNS = 5
AHEAD_MM = 12.0
MARGIN_PX, CAPTION_PX = 6, 22


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volume", type=Path)
    parser.add_argument("--at", type=float, default=700.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--height", type=int, default=300)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args()
    source = {"volume": options.volume} if options.volume else {"anatomy": {"seed": options.seed}}
    anatomy = load_anatomy(Input.model_validate(source))
    device = ENDOSCOPES["olympus_cf_hq190l"]
    endoscope = device.scaled(options.height / device.camera.height_px)
    backend = open_backend(options.backend)
    medium = build_medium(backend, anatomy.ct, lesions=anatomy.lesions)
    viewpoint = place(medium, endoscope, pose(anatomy.centerline, options.at))
    surface = visible_surface(medium, viewpoint.camera)
    frames = []
    for look in LOOKS.values():
        uploaded = upload_look(backend.arrays, look, endoscope.lights)
        (light,) = render(medium, viewpoint, surface, [uploaded], Rendering(samples=options.samples), options.seed)
        radiance = light.radiance * np.array(look.illumination.color, np.float32)
        frames.append(develop(radiance, endoscope.rays(), Sensor(), options.seed, 0))
        dr.sync_thread()
    contact_sheet(frames, list(LOOKS)).save(options.out, optimize=True)


def pose(centerline: Centerline, at_mm: float) -> np.ndarray:
    """ras_from_camera on the midline, looking to where it is a little further on."""
    places = np.array([at_mm, at_mm + AHEAD_MM])
    ends = np.stack([np.interp(places, centerline.arc_length_mm, x) for x in centerline.points_ras.T], axis=1)
    ras_from_camera = np.eye(4)
    ras_from_camera[:3, :3] = rotation_minimising_frames(ends)[0].T
    ras_from_camera[:3, 3] = ends[0]
    return ras_from_camera


def contact_sheet(frames: list[np.ndarray], names: list[str]) -> Image.Image:
    height, width, _ = frames[0].shape
    rows = -(-len(frames) // COLUMNS)
    step = (width + MARGIN_PX, height + CAPTION_PX + MARGIN_PX)
    sheet = Image.new("RGB", (COLUMNS * step[0] + MARGIN_PX, rows * step[1] + MARGIN_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (frame, name) in enumerate(zip(frames, names, strict=True)):
        x, y = (MARGIN_PX + cell * size for cell, size in zip((number % COLUMNS, number // COLUMNS), step, strict=True))
        sheet.paste(Image.fromarray(frame), (x, y))
        draw.text((x + width / 2, y + height + 4), name, fill="black", anchor="ma", font_size=15)
    return sheet


if __name__ == "__main__":
    main()
