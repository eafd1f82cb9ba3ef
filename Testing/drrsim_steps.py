"""What the tests of DRRSim's panel share: waiting for the worker, small anatomies, a detector that knows the truth."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

PATIENCE_S = 30.0


REST_MS = 30
"""How long the hand rests in tests, before the full image."""


def drrsim_panel(load_module: Callable[[str], object]) -> object:
    """The panel of DRRSim as a user opens it."""
    load_module("Sim2Real")
    panel = load_module("DRRSim").panel
    panel.xray._rest.setInterval(REST_MS)
    return panel


def until(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Let the application run until something is so."""
    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        slicer.app.processEvents()
        time.sleep(0.001)


def settled(panel: object) -> None:
    """Let the application run until nothing is computed or about to be: the full image is there."""
    until(lambda: panel.worker.idle and not (panel.xray._rest.active or panel.inputs.waiting))


def pelvis(panel: object, seed: int = 1, spacing_mm: float = 4.0) -> None:
    """Make a coarse sample pelvis by the panel's button, and wait for its X-ray."""
    panel.sample_spacing_mm = spacing_mm
    panel.parameters.sampleSeed = seed
    panel.ui.sampleButton.click()
    until(lambda: panel.xray.image is not None)
    settled(panel)


def ball_ct(radius_voxels: float = 2.0) -> tuple[object, np.ndarray]:
    """A volume node of a dense ball in a box of water with air around it, and the ball's middle in the world."""
    import slicer

    k, j, i = np.mgrid[:40, :42, :44]
    middle = np.array([26, 17, 23])
    hu = np.full(k.shape, -1000, np.int16)
    hu[6:-6, 6:-6, 6:-6] = 0
    hu[(i - middle[0]) ** 2 + (j - middle[1]) ** 2 + (k - middle[2]) ** 2 <= radius_voxels**2] = 3000
    ras_from_ijk = np.array([[-3.0, 0, 0, 60], [0, -3.0, 0, 50], [0, 0, 3.0, -70], [0, 0, 0, 1.0]])
    node = slicer.util.addVolumeFromArray(hu, ijkToRAS=ras_from_ijk, name="ball")
    return node, (ras_from_ijk @ [*middle, 1.0])[:3]


def ball_dataset(folder: Path, seed: int = 0, count: int = 2) -> Path:
    """A dataset of the ball, in a folder beside its CT, as the command line makes it; the scene is left empty."""
    import slicer

    from Sim2RealApp.export import export_dataset
    from Sim2RealApp.simulators import load_recipe

    ct, _middle = ball_ct()
    assert slicer.util.saveNode(ct, str(folder.with_suffix(".nrrd")))
    slicer.mrmlScene.Clear(0)
    recipe = f"simulator: drr\nseed: {seed}\ninput: {{volume: {folder.name}.nrrd}}\nviews: {{count: {count}}}\n"
    folder.with_suffix(".yaml").write_text(recipe)
    list(export_dataset(load_recipe(folder.with_suffix(".yaml")), folder))
    return folder


class PerturbedTruth:
    """A `LandmarkDetector` that knows where the landmarks are, and is off by a normal deviate in pixels.

    view: gives the view of the image that it is shown.
    """

    title = "Perturbed truth"

    def __init__(self, landmarks: Mapping[str, np.ndarray], view: Callable[[], object], sigma_px: float = 1.5) -> None:
        self._landmarks, self._view, self._sigma_px = landmarks, view, sigma_px
        self._rng = np.random.default_rng(0)

    def detect(self, attenuation: np.ndarray, pixel_mm: float) -> dict[str, object]:
        from DRRSimLib.detection.detector import Detection

        view, found = self._view(), {}
        assert attenuation.shape == (view.camera.height_px, view.camera.width_px)
        for name, position in self._landmarks.items():
            at = view.project(position)
            if view.camera.contains(at):
                found[name] = Detection(tuple((at + self._sigma_px * self._rng.standard_normal(2)).tolist()), 0.9)
        return found
