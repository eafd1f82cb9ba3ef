"""The recipe of an X-ray dataset: everything that shapes it, with its defaults."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from Sim2RealLib.recipe import Recipe, RecipePath, StrictModel, preset_or, unique

from .acquisition.carm import BIPLANES, DEVICES, CArmDevice
from .acquisition.views import ViewPlan
from .augmentation.section import Augmentation
from .beam.beam import Beam
from .detector.detector import MAX_ELECTRONIC_KEV, Detector
from .detector.presets import DETECTORS
from .frames.display import WINDOWS, Polarity, Window
from .physics.materials import material_names
from .physics.noise import CROSSTALK, NoiseModel
from .physics.spectra import ANODE_ANGLE_DEG, GRID_RANGES, PRESETS
from .physics.tissues import METALS
from .scatter import ESTIMATORS
from .tools.kinds import AnyTool

Triple = tuple[float, float, float]


class PelvisAnatomy(StrictModel):
    """A generated pelvis: a new one for every seed."""

    kind: Literal["pelvis"] = "pelvis"
    seed: int = Field(1, ge=0)
    spacing_mm: float = Field(1.0, ge=0.5, le=4.0)


class Implant(StrictModel):
    """A solid object in the scene: where `volume` is not 0, `material` replaces whatever the CT shows."""

    volume: RecipePath
    material: Literal[material_names()]


class Input(StrictModel):
    """What is imaged: a CT with optional labels and landmarks, or a generated anatomy, which brings its own; implants
    and tools with either.

    label_table: the table shipped with the extension, or a CSV with the columns id, name, color, group.
    """

    volume: RecipePath | None = None
    labels: RecipePath | None = None
    label_table: Literal["totalsegmentator_v2"] | RecipePath = "totalsegmentator_v2"
    landmarks: RecipePath | None = None
    implants: tuple[Implant, ...] = ()
    tools: tuple[AnyTool, ...] = ()
    anatomy: PelvisAnatomy | None = None
    source: str | None = None
    license: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _generated_by_default(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("volume") is None and content.get("anatomy") is None:
            return content | {"anatomy": {}}
        return content

    @model_validator(mode="after")
    def _one_source(self) -> "Input":
        if self.volume is not None and self.anatomy is not None:
            raise ValueError("give either a volume or an anatomy; for a volume set input.anatomy to null")
        if self.volume is None and (self.labels or self.landmarks):
            raise ValueError("labels and landmarks need a volume; a generated anatomy has its own")
        return self


class CArm(StrictModel):
    """The device, and where its isocentre is: given, or the mean of the landmarks, or the middle of the body."""

    device: preset_or(CArmDevice, DEVICES | BIPLANES) = "bier_2018"
    isocenter_ras: Triple | None = None

    def planes(self) -> tuple[CArmDevice, ...]:
        """The C-arm, or both of a biplane."""
        if isinstance(self.device, CArmDevice):
            return (self.device,)
        return BIPLANES.get(self.device) or (DEVICES[self.device],)


MAX_PHOTONS = 1e12
"""A pixel of a radiograph gets some 10⁴ to 10⁶ photons; single precision counts this many without overflow."""

BEAMS = ("preset", "kvp", "file", "monoenergetic_kev")
OF_A_TUBE = ("filtration_mm_al", "filtration_mm_cu", "anode_angle_deg", "generator")


class Spectrum(StrictModel):
    """The X-ray beam: a preset, or tube voltage with filtration and anode angle, or a CSV, or one energy.

    generator: where the spectrum of a tube voltage comes from: the shipped grid, or SpekPy if it is installed.
    """

    preset: str | None = None
    kvp: PositiveFloat | None = None
    filtration_mm_al: NonNegativeFloat = 4.0
    filtration_mm_cu: NonNegativeFloat = 0.0
    anode_angle_deg: PositiveFloat = ANODE_ANGLE_DEG
    generator: Literal["grid", "spekpy"] = "grid"
    file: RecipePath | None = None
    monoenergetic_kev: PositiveFloat | None = None

    @model_validator(mode="before")
    @classmethod
    def _preset_by_default(cls, content: Any) -> Any:
        if isinstance(content, dict) and all(content.get(name) is None for name in BEAMS):
            return content | {"preset": "90kV_Al4.0"}
        return content

    @model_validator(mode="after")
    def _one(self) -> "Spectrum":
        given = [name for name in BEAMS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(BEAMS)}, not {' and '.join(given)}")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"unknown preset; choose one of {', '.join(PRESETS)}")
        changed = [name for name in OF_A_TUBE if getattr(self, name) != type(self).model_fields[name].default]
        if self.kvp is None and changed:
            raise ValueError(f"{', '.join(changed)} shapes the beam of a tube voltage; give kvp, not {given[0]}")
        if self.kvp is not None and self.generator == "grid":
            for name, (low, high) in GRID_RANGES.items():
                if not low <= getattr(self, name) <= high:
                    raise ValueError(f"{name} {getattr(self, name):g}: the shipped spectra cover {low:g} to {high:g}")
        return self


class Materials(StrictModel):
    """How voxels become materials.

    tissues: by HU thresholds and, where there is a label map, by its table.
    three_materials: air, soft tissue and bone by two thresholds, as in Unberath et al. 2018.
    conventional: everything is water of the voxel's density; with one energy this is a conventional DRR.
    network: a V-Net finds the bone, HU tell how dense it is and all else apart; labels do not count. weights: a file of
        `task: materials`, null for the shipped one.
    """

    rule: Literal["tissues", "three_materials", "conventional", "network"] = "tissues"
    metal: Literal[METALS] = "titanium"
    weights: RecipePath | None = None

    @model_validator(mode="after")
    def _used(self) -> "Materials":
        if self.weights is not None and self.rule != "network":
            raise ValueError(f"weights are of the rule network; leave them out, or set rule: network, not {self.rule}")
        return self


class Noise(StrictModel):
    """Quantum and electronic noise (see `noise.NoiseModel`); photons_per_pixel null for a noise-free image.

    electronic_kev: null for that of the detector.
    """

    photons_per_pixel: Annotated[float, Field(gt=0, le=MAX_PHOTONS)] | None = 5e5
    electronic_kev: Annotated[float, Field(ge=0, le=MAX_ELECTRONIC_KEV)] | None = None
    crosstalk: tuple[Triple, Triple, Triple] = CROSSTALK

    @model_validator(mode="after")
    def _complete(self) -> "Noise":
        if self.photons_per_pixel is None and self.electronic_kev:
            raise ValueError("electronic noise is spread over the photons of a pixel; give photons_per_pixel too")
        weights = [weight for row in self.crosstalk for weight in row]
        if min(weights) < 0 or not 0 < sum(weights) < math.inf:
            raise ValueError("crosstalk weights must not be negative, nor all 0, and have a finite sum")
        return self

    def model(self, detector: Detector) -> NoiseModel | None:
        if self.photons_per_pixel is None:
            return None
        electronic_kev = detector.electronic_kev if self.electronic_kev is None else self.electronic_kev
        return NoiseModel(self.photons_per_pixel, electronic_kev, self.crosstalk)


class Scatter(StrictModel):
    """Scattered radiation: none; photons followed through voxels of `voxel_mm` in every view; or a trained network.

    monte_carlo: pixel by pixel on an image of 128 rows. smoothed_monte_carlo: of 24, smoothed by splines.
    histories: photons a view; null for 20 million, or 100,000 where they are smoothed.
    weights: of the network, as `sim2real train` wrote them; null for those that come with the extension.
    """

    estimator: Literal[ESTIMATORS] = "none"
    histories: Annotated[int, Field(ge=1000, le=10**10)] | None = None
    voxel_mm: Annotated[float, Field(ge=0.5, le=20)] = 5.0
    weights: RecipePath | None = None

    @model_validator(mode="after")
    def _used(self) -> "Scatter":
        if self.estimator in ("none", "network") and (self.histories is not None or self.voxel_mm != 5.0):
            raise ValueError("histories and voxel_mm are of monte_carlo and smoothed_monte_carlo; choose one of them")
        if self.estimator != "network" and self.weights is not None:
            raise ValueError("weights are of the estimator network; choose it")
        return self


class Physics(StrictModel):
    """What happens between the tube and the image."""

    spectrum: Spectrum = Spectrum()
    beam: Beam = Beam()
    materials: Materials = Materials()
    scatter: Scatter = Scatter()
    detector: preset_or(Detector, DETECTORS) = "unberath_2018"
    noise: Noise = Noise()

    @model_validator(mode="after")
    def _fitting(self) -> "Physics":
        if not self.built_detector.noise_crosstalk and self.noise.crosstalk != CROSSTALK:
            raise ValueError(
                "noise.crosstalk has no effect with this detector, only with noise_crosstalk, as in "
                "unberath_2018; leave it out"
            )
        if self.beam.heel is not None and self.spectrum.preset is None and self.spectrum.kvp is None:
            raise ValueError("beam.heel needs a tube: give spectrum.kvp or spectrum.preset")
        return self

    @property
    def built_detector(self) -> Detector:
        return DETECTORS[self.detector] if isinstance(self.detector, str) else self.detector


class Display(StrictModel):
    """The 8- or 16-bit picture of −ln(I / I₀): a window by name or by its two ends, and which end is bright."""

    window: preset_or(Window, WINDOWS) = "pelvis"
    polarity: Polarity = Polarity.BONE_WHITE
    bits: Literal[8, 16] = 8

    def built(self) -> Window:
        return WINDOWS[self.window] if isinstance(self.window, str) else self.window


class Heatmaps(StrictModel):
    """Gaussian landmark heat maps with peak 1, one page a landmark; empty where a landmark is not visible."""

    sigma_px: PositiveFloat = 5.0
    downsampling: Annotated[int, Field(ge=1, le=16)] = 1


Image = Literal["intensity", "fraction", "attenuation", "display"]


class Output(StrictModel):
    """What is stored of each frame.

    channels: `intensity` (I, keV per emitted photon, with noise), `fraction` (I / I₀ of the open beam's), `attenuation`
        (−ln(I / I₀)) and `display`.
    thickness: names of the labels whose thickness maps are stored; `material_thickness`: of materials.
    """

    channels: Annotated[tuple[Image, ...], Field(min_length=1), unique] = ("intensity", "display")
    thickness: Annotated[tuple[str, ...], unique] = ()
    material_thickness: Annotated[tuple[Literal[material_names()], ...], unique] = ()
    heatmaps: Heatmaps | None = None
    display: Display = Display()


class DrrRecipe(Recipe):
    """`simulator: drr`."""

    simulator: Literal["drr"]
    input: Input = Input()
    carm: CArm = CArm()
    views: ViewPlan = ViewPlan()
    physics: Physics = Physics()
    output: Output = Output()
    augmentation: Augmentation | None = None

    @model_validator(mode="after")
    def _every_variant_is_seen(self) -> "DrrRecipe":
        if self.augmentation is not None and self.augmentation.variants > self.views.count:
            raise ValueError(f"augmentation.variants must be at most views.count, {self.views.count}")
        return self
