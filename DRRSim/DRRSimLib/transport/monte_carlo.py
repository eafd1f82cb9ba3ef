"""Scatter images and absorbed dose of a view by following photons (see `photon_transport`)."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.engine import Backend
from Sim2RealLib.job import Done, returned

from ..acquisition.carm import XrayView
from ..physics.materials import linear_attenuation_mm
from ..physics.spectra import Spectrum
from ..projection.material_volume import MaterialVolume
from .detector_frame import detector_frame
from .first_collision import QUANTILES, EmittedEnergies
from .flight import Medium
from .interaction_tables import ALL_INTERACTIONS, ENERGIES_KEV, Interactions, upload_tables
from .photon_transport import SCORE_UNIT, PhotonSource, Scores, transport
from .transport_grid import TransportGrid, build_transport_grid, upload_transport_grid

MGY_A_KEV_G = 1.602176634e-10
"""mGy a keV/g: 1.602e-16 J in 1e-3 kg."""

MM3_A_CM3 = 1000.0

HARDENED_SHARE = 0.9
"""Of the photons whose energy is drawn as behind water; the others see to it that no energy is left out."""

LANES = 2**15
"""Photons followed at a time."""


@dataclass(frozen=True, eq=False)
class TransportScene:
    """A scene ready for photons: the grid on the host, and with its tables on the backend."""

    backend: Backend
    grid: TransportGrid
    medium: Medium


@dataclass(frozen=True, eq=False)
class MonteCarloSettings:
    """columns, rows: pixels of the image. histories: photons to follow, rounded up to whole batches of whole lanes.
    batches: independent parts, from whose differences the errors come. seed: of all draws."""

    columns: int
    rows: int
    histories: int
    batches: int = 16
    seed: int = 0


@dataclass(frozen=True, eq=False)
class MonteCarloImages:
    """What is scattered onto the detector: once by Compton's or Rayleigh's effect, more than once.

    signal: keV registered a photon that is sent towards the pixel in the open beam, float64 (batches, 3, rows,
        columns), in the order compton, rayleigh, multiple. photons: how many arrive, likewise.
    dose_mgy: absorbed dose by voxel of the grid, float64 (K, J, I), 0 in air, for one photon a mm² where the central
        ray of the open beam meets the detector; or None.
    histories: how many were followed. emitted_kev, missing_kev, absorbed_kev, escaped_kev: mean energy a
        history, weighted: sent out, past the scene, left in it, and out of it after collisions.
    """

    signal: np.ndarray
    photons: np.ndarray
    dose_mgy: np.ndarray | None
    histories: int
    emitted_kev: float
    missing_kev: float
    absorbed_kev: float
    escaped_kev: float

    @property
    def total(self) -> np.ndarray:
        """The signal of all scatter, (rows, columns)."""
        return self.signal.mean(axis=0).sum(axis=0)

    @property
    def standard_error(self) -> np.ndarray:
        """One standard deviation of `total`, from the scatter of the batches."""
        batches = self.signal.sum(axis=1)
        return batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def build_transport_scene(
    backend: Backend,
    volumes: Sequence[MaterialVolume],
    spacing_mm: float,
    interactions: Interactions = ALL_INTERACTIONS,
) -> TransportScene:
    """Volumes, highest priority first, as `build_transport_grid` merges them, with the tables of their materials."""
    grid = build_transport_grid(volumes, spacing_mm)
    tables = upload_tables(backend.arrays, grid.materials, interactions)
    return TransportScene(backend, grid, Medium(upload_transport_grid(backend.arrays, grid, tables), tables))


def photon_source(
    backend: Backend, spectrum: Spectrum, response_kev: np.ndarray | None = None, behind_mm: float = 0.0
) -> PhotonSource:
    """A spectrum, and what the detector registers of a photon at ENERGIES_KEV (default: all of its energy).

    behind_mm: energies are drawn as often as they occur behind so much water, with weights that make up for it, since
        of soft photons little gets through a patient. For dose take 0.
    """
    Float = backend.arrays.Float  # noqa: N806
    drawn = spectrum.weights * np.exp(-behind_mm * linear_attenuation_mm("water", spectrum.energies_kev))
    drawn = HARDENED_SHARE * drawn / drawn.sum() + (1.0 - HARDENED_SHARE) * spectrum.weights
    middle = (np.arange(QUANTILES) + 0.5) / QUANTILES
    number = np.searchsorted(np.cumsum(drawn), middle).clip(max=drawn.size - 1)
    weight = spectrum.weights / np.maximum(np.bincount(number, minlength=drawn.size), 1)
    response = ENERGIES_KEV if response_kev is None else response_kev
    return PhotonSource(
        EmittedEnergies(
            Float(spectrum.energies_kev[number].astype(np.float32)),
            Float((weight[number] / np.mean(weight[number])).astype(np.float32)),
        ),
        Float(response.astype(np.float32)),
    )


def scatter_images(
    scene: TransportScene,
    view: XrayView,
    source: PhotonSource,
    settings: MonteCarloSettings,
    with_dose: bool = False,
) -> MonteCarloImages:
    """Follow photons of a view."""
    return returned(scatter_steps(scene, view, source, settings, with_dose))


def scatter_steps(
    scene: TransportScene,
    view: XrayView,
    source: PhotonSource,
    settings: MonteCarloSettings,
    with_dose: bool = False,
) -> Generator[Done, None, MonteCarloImages]:
    """The same; yields before each batch."""
    arrays = scene.backend.arrays
    frame, fluence = detector_frame(arrays, view, scene.grid, settings.columns, settings.rows)
    lanes = min(LANES, -(-settings.histories // settings.batches))
    per_lane = -(-settings.histories // (settings.batches * lanes))
    rng = np.random.default_rng(settings.seed)
    results = []
    for batch in range(settings.batches):
        yield Done(batch, settings.batches)
        results.append(
            transport(
                scene.medium,
                frame,
                source,
                lanes,
                per_lane,
                int(rng.integers(2**63)),
                tuple(int(shift) for shift in rng.integers(2**32, size=3)),
                with_dose,
            )
        )
    histories = settings.batches * lanes * per_lane
    open_pixels = _open_pixels(view, settings)
    scale = SCORE_UNIT * open_pixels * settings.batches / (histories * fluence)
    shape = (settings.batches, 3, settings.rows, settings.columns)
    dose = None
    if with_dose:
        pixel_mm2 = abs(view.source_to_detector_mm**2 / (view.camera.fx_px * view.camera.fy_px))
        pixel_mm2 *= view.camera.width_px * view.camera.height_px / (settings.columns * settings.rows)
        kev = sum(result.dose.numpy().astype(np.float64) for result in results) * SCORE_UNIT
        dose = _dose_mgy(scene.grid, kev * open_pixels * pixel_mm2 / histories)
    return MonteCarloImages(
        np.array([result.signal.numpy() for result in results], np.float64).reshape(shape) * scale,
        np.array([result.photons.numpy() for result in results], np.float64).reshape(shape) * scale,
        dose,
        histories,
        *(_mean(results, name, histories) for name in ("emitted_kev", "missing_kev", "absorbed_kev", "escaped_kev")),
    )


def _open_pixels(view: XrayView, settings: MonteCarloSettings) -> float:
    """The area of the open field in pixels of the scatter image."""
    left, top, right, bottom = view.open_field_px
    share = (right - left) * (bottom - top) / (view.camera.width_px * view.camera.height_px)
    return share * settings.columns * settings.rows


def _dose_mgy(grid: TransportGrid, kev: np.ndarray) -> np.ndarray:
    grams = grid.density_g_cm3 * (np.prod(grid.spacing_mm) / MM3_A_CM3)
    return np.divide(kev.reshape(grams.shape), grams, out=np.zeros(grams.shape), where=grams > 0) * MGY_A_KEV_G


def _mean(results: Sequence[Scores], name: str, histories: int) -> float:
    return float(sum(getattr(result, name).numpy().astype(np.float64).sum() for result in results)) / histories
