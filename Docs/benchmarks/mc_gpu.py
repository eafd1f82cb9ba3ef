"""Scatter of water slabs by our Monte Carlo and by MC-GPU 1.3, as a table:

    python Docs/benchmarks/mc_gpu.py MC_GPU WATER

MC_GPU: the program (Badal and Badano 2009, doi:10.1118/1.3231824; public domain, github.com/DIDSR/MCGPU), compiled for
CPUs by ``gcc -std=gnu89 -O3 -x c MC-GPU_v1.3.cu -o MC_GPU -lm -lz``. WATER: its file water__5-120keV.mcgpu.gz.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from DRRSimLib.acquisition.carm import XrayView
from DRRSimLib.physics.materials import linear_attenuation_mm
from DRRSimLib.physics.spectra import monoenergetic
from DRRSimLib.projection.material_volume import MaterialVolume
from DRRSimLib.transport.monte_carlo import MonteCarloSettings, build_transport_scene, photon_source, scatter_images
from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.engine import Backend, open_backend
from Sim2RealLib.volume import Volume

ENERGY_KEV, PHOTONS = 60.0, 4.0e7
SOURCE_TO_DETECTOR_MM, FIELD_MM, GAP_MM, SIDE_MM = 1000.0, 300.0, 100.0, 400.0
PIXELS, MIDDLE = 15, slice(5, 10)
"""Across the field, and those of the middle 10 × 10 cm."""

INPUT = """\
#[SECTION SIMULATION CONFIG v.2009-05-12]
{photons:g}
1234567
0
128
150
#[SECTION SOURCE v.2011-07-12]
{folder}/spectrum.spc #
{middle_cm} {source_cm} {middle_cm}
0.0 1.0 0.0
-15.0 -15.0
#[SECTION IMAGE DETECTOR v.2009-12-02]
{folder}/image.dat #
{pixels} {pixels}
{field_cm} {field_cm}
{distance_cm}
#[SECTION CT SCAN TRAJECTORY v.2011-10-25]
1
45.0
0.0 5000.0
60.0
0.0
#[SECTION DOSE DEPOSITION v.2012-12-12]
YES
NO
{folder}/dose.dat #
1 1
1 1
1 1
#[SECTION VOXELIZED GEOMETRY FILE v.2009-11-30]
{folder}/slab.vox #
#[SECTION MATERIAL FILE LIST v.2009-11-30]
{water} #
"""
GEOMETRY = """\
[SECTION VOXELS HEADER v.2008-04-13]
1 1 1
{side_cm} {thickness_cm} {side_cm}
1
2
1
[END OF VXH SECTION]
1 1.0

"""


def by_mc_gpu(program: Path, water: Path, thickness_mm: float) -> tuple[np.ndarray, float]:
    """Energy scattered once by Compton's effect, once by Rayleigh's, and more often, over primary energy, in the middle
    of the field; and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        values = {
            "folder": folder,
            "water": water.resolve(),
            "photons": PHOTONS,
            "pixels": PIXELS,
            "middle_cm": SIDE_MM / 20,
            "source_cm": -(SOURCE_TO_DETECTOR_MM - thickness_mm - GAP_MM) / 10,
            "field_cm": FIELD_MM / 10,
            "distance_cm": SOURCE_TO_DETECTOR_MM / 10,
            "side_cm": SIDE_MM / 10,
            "thickness_cm": thickness_mm / 10,
        }
        Path(folder, "in").write_text(INPUT.format(**values))
        Path(folder, "slab.vox").write_text(GEOMETRY.format(**values))
        Path(folder, "spectrum.spc").write_text(f"{1000 * ENERGY_KEV} 1\n{1000 * ENERGY_KEV} -1\n")
        begun = time.perf_counter()
        subprocess.run([program.resolve(), Path(folder, "in")], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        images = np.fromfile(Path(folder, "image.dat.raw"), np.float32).reshape(5, PIXELS, PIXELS)
    _all, primary, *scattered = images[:, MIDDLE, MIDDLE].mean(axis=(1, 2))
    return np.array(scattered) / primary, seconds


def by_us(backend: Backend, thickness_mm: float) -> tuple[np.ndarray, float]:
    """The same by `scatter_images`, of a twentieth of the photons: each of them is seen by the detector."""
    view = _view()
    scene = build_transport_scene(backend, [_slab(thickness_mm)], 10.0)
    begun = time.perf_counter()
    source, settings = photon_source(backend, monoenergetic(ENERGY_KEV)), MonteCarloSettings(PIXELS, PIXELS, 2**21)
    images = scatter_images(scene, view, source, settings)
    seconds = time.perf_counter() - begun
    signal = images.signal.mean(axis=0)[:, MIDDLE, MIDDLE].mean(axis=(1, 2))
    primary = ENERGY_KEV * np.exp(-linear_attenuation_mm("water", ENERGY_KEV) * thickness_mm)
    return signal / primary, seconds


def _slab(thickness_mm: float) -> MaterialVolume:
    side, planes = round(SIDE_MM / 10), round(thickness_mm / 10)
    ras_from_ijk = np.diag([10.0, 10.0, 10.0, 1.0])
    near_mm = SOURCE_TO_DETECTOR_MM - GAP_MM - thickness_mm
    ras_from_ijk[:3, 3] = [5 - SIDE_MM / 2, near_mm + 5, 5 - SIDE_MM / 2]
    hu = Volume(np.zeros((side, planes, side), np.int16), ras_from_ijk, "slab")
    return MaterialVolume(hu, np.zeros(hu.array.shape, np.uint8), ("water",), nominal_density=True)


def _view() -> XrayView:
    """From a source at the origin along the anterior axis."""
    camera_from_ras = np.eye(4)
    camera_from_ras[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    focal, middle = SOURCE_TO_DETECTOR_MM / FIELD_MM * PIXELS, PIXELS / 2
    camera = PinholeCamera(width_px=PIXELS, height_px=PIXELS, fx_px=focal, fy_px=focal, cx_px=middle, cy_px=middle)
    return XrayView(camera, camera_from_ras, SOURCE_TO_DETECTOR_MM, (0, 0, PIXELS, PIXELS))


def main(program: str, water: str) -> None:
    print("| water | by | Compton | Rayleigh | multiple | scatter over primary | seconds |\n" + 7 * "|---" + "|")
    backend = open_backend()
    for thickness_mm in (50.0, 100.0, 200.0, 300.0):
        rows = {"MC-GPU": by_mc_gpu(Path(program), Path(water), thickness_mm), "ours": by_us(backend, thickness_mm)}
        for name, (ratios, seconds) in rows.items():
            parts = " | ".join(f"{ratio:.4f}" for ratio in (*ratios, ratios.sum()))
            print(f"| {thickness_mm / 10:g} cm | {name} | {parts} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
