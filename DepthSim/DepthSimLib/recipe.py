"""The recipe of an endoscopy dataset: everything that shapes it, with its defaults."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, model_validator

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import Recipe, RecipePath, StrictModel, preset_or, strict_dataclass, unique

from .appearance.looks import LOOKS, Look
from .colon import ColonScan, ColonShape
from .colonography import PatientPosition
from .colonography.lumen import FLUID_ABOVE_HU
from .endoscope.calibration import read_calibration
from .endoscope.lights import LIGHTS, TipLights
from .endoscope.pose_plan import CenterlinePlan, FilePlan, FlyThroughPlan, PosePlan
from .endoscope.presets import ENDOSCOPES, Endoscope
from .endoscope.sensor import Sensor

Point = tuple[float, float, float]

OF_PATIENTS = ("patient_position", "fluid_above_hu", "bridges", "bridge_up_to_mm", "exclude_ras", "ends_ras")
"""Fields of `Input` that say how a lumen is found."""

OF_PATHS = ("samples", "max_order", "later_extinction", "surface_offset_mm")
"""Fields of `Rendering` that only the path tracer has."""

MIN_SIDE_PX = 16
"""Fewest pixels a side of an image: below, it shows nothing, and the renderer of a few pixels can fail."""

SOURCES = {"volume": "a volume", "mesh": "a mesh", "anatomy": "an anatomy"}
"""What may be entered; one of them."""


@strict_dataclass
class GeneratedColon(ColonShape):
    """A generated colon, and the scan that makes a CT of it."""

    scan: ColonScan = ColonScan(spacing_mm=1.0)
    kind: Literal["colon"] = "colon"


class Input(StrictModel):
    """What is entered: a CT colonography, a closed surface of the lumen, or a generated colon.

    mesh_space: which coordinates the surface's file has, where it does not say. mesh_spacing_mm: of the CT that is made
        of it.
    patient_position, fluid_above_hu: where tagged fluid is looked for; null for nowhere.
    bridges: pairs of points, RAS mm, that join the lumen over a collapsed stretch. bridge_up_to_mm: every collapsed
        stretch up to this length is bridged. exclude_ras: points in gas that is not colon.
    ends_ras: where the centreline begins and ends.
    labels, label_table: a label map of the CT, and what its values mean; a generated colon brings its own.
    """

    volume: RecipePath | None = None
    mesh: RecipePath | None = None
    mesh_space: Literal["lps", "ras"] | None = None
    mesh_spacing_mm: float = Field(0.8, ge=0.5, le=3.0)
    labels: RecipePath | None = None
    label_table: Literal["totalsegmentator_v2"] | RecipePath = "totalsegmentator_v2"
    anatomy: GeneratedColon | None = None
    patient_position: PatientPosition = PatientPosition.SUPINE
    fluid_above_hu: float | None = FLUID_ABOVE_HU
    bridges: tuple[tuple[Point, Point], ...] = ()
    bridge_up_to_mm: NonNegativeFloat = 0.0
    exclude_ras: tuple[Point, ...] = ()
    ends_ras: tuple[Point, Point] | None = None
    source: str | None = None
    license: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _generated_by_default(cls, content: Any) -> Any:
        if isinstance(content, dict) and all(content.get(name) is None for name in SOURCES):
            return content | {"anatomy": {}}
        return content

    @model_validator(mode="after")
    def _one_source(self) -> "Input":
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            either, others = (" or ".join(map(SOURCES.get, given)), ", ".join(f"input.{name}" for name in given[1:]))
            raise ValueError(f"give either {either}; for {SOURCES[given[0]]} set {others} to null")
        if self.labels is not None and self.volume is None:
            raise ValueError("labels need a volume; a mesh has none, a generated anatomy its own")
        if self.anatomy is not None:
            defaults = Input.model_fields
            unused = [name for name in OF_PATIENTS if getattr(self, name) != defaults[name].default]
            if unused:
                raise ValueError(f"{unused[0]} is of CTs and meshes; a generated colon needs none")
        return self


class Tip(StrictModel):
    """The endoscope.

    calibration: a file whose camera takes the place of the device's; the device's mask then holds if its image is of
        the same size. lights: those of the device, unless others are given. scale: pixels a side, of the camera's.
    """

    device: preset_or(Endoscope, ENDOSCOPES) = "olympus_cf_hq190l"
    calibration: RecipePath | None = None
    lights: preset_or(TipLights, LIGHTS) | None = None
    scale: float = Field(1.0, gt=0.0, le=4.0)

    def built(self) -> Endoscope:
        """Sim2RealError for a calibration that cannot be read, and for an image of less than `MIN_SIDE_PX` a side."""
        device = ENDOSCOPES[self.device] if isinstance(self.device, str) else self.device
        lights = LIGHTS[self.lights] if isinstance(self.lights, str) else self.lights
        camera, mask = device.camera, device.mask
        if self.calibration is not None:
            camera = read_calibration(self.calibration)
            same_size = (camera.width_px, camera.height_px) == (device.camera.width_px, device.camera.height_px)
            mask = mask if same_size else None
        built = Endoscope(camera, lights or device.lights, mask).scaled(self.scale)
        if min(built.camera.width_px, built.camera.height_px) < MIN_SIDE_PX:
            least = MIN_SIDE_PX / min(camera.width_px, camera.height_px)
            raise Sim2RealError(
                f"endoscope.scale: {self.scale:g} makes an image of {built.camera.width_px} × {built.camera.height_px} "
                f"px; {MIN_SIDE_PX} a side are the least. Of this camera, {camera.width_px} × {camera.height_px} px, "
                f"that takes a scale of {least:.3g}."
            )
        return built


class Rendering(StrictModel):
    """How light is followed.

    mode: `synthetic` lights the surface once, as the training images of Mahmood et al. 2018; `cinematic` follows paths.
    looks: of one scene, which share its ground truth; the first is the frame's display image.
    randomize: every frame, or the whole of a sequence, varies its looks by the seed.
    volume_property: a file of Slicer's: its opacity says where tissue is, its colours take the place of those of all
        looks.
    samples, max_order, later_extinction, surface_offset_mm: of the path tracer, see `rendering.path_tracer`.
    """

    mode: Literal["synthetic", "cinematic"] = "cinematic"
    looks: Annotated[tuple[preset_or(Look, LOOKS), ...], Field(min_length=1, max_length=8)] = ("normal",)
    randomize: bool = False
    grayscale: bool = False
    volume_property: RecipePath | None = None
    samples: int = Field(8, ge=1, le=65536)
    max_order: int = Field(8, ge=1, le=1024)
    later_extinction: float = Field(0.23, gt=0.0, le=1.0)
    surface_offset_mm: float = Field(1.0, ge=0.0, le=5.0)
    denoise: bool = True

    def built_looks(self) -> tuple[Look, ...]:
        return tuple(LOOKS[look] if isinstance(look, str) else look for look in self.looks)

    def look_names(self) -> tuple[str, ...]:
        """A name for the channels of each look: its preset's, or its number among the looks."""
        return tuple(look if isinstance(look, str) else f"look{number}" for number, look in enumerate(self.looks))

    @model_validator(mode="after")
    def _named_apart(self) -> "Rendering":
        if len(set(self.look_names())) < len(self.looks):
            raise ValueError("looks: each preset may be there once")
        if self.mode == "synthetic":
            unused = [name for name in OF_PATHS if getattr(self, name) != Rendering.model_fields[name].default]
            if unused:
                raise ValueError(f"{unused[0]} is of the cinematic mode; a synthetic image follows no paths")
        return self


Image = Literal[
    "display", "radiance", "noisy_radiance", "depth", "z_depth", "depth_range", "normals", "labels", "flow", "hidden"
]


SYNTHETIC_CHANNELS = ("display", "depth", "depth_range", "normals", "labels")
"""Stored by default; of a cinematic frame also what the paths gave before denoising."""


class Output(StrictModel):
    """What is stored of each frame; see Docs/DatasetFormat.md.

    coverage: which vertices of the wall's mesh a frame sees; the report adds them up over the frames.
    """

    coverage: bool = False
    channels: Annotated[tuple[Image, ...], Field(min_length=1), unique] = ("noisy_radiance", *SYNTHETIC_CHANNELS)


def _along_the_centerline_by_default(views: Any) -> Any:
    return {"mode": "centerline"} | views if isinstance(views, dict) else views


class EndoscopyRecipe(Recipe):
    """`simulator: endoscopy`."""

    simulator: Literal["endoscopy"]
    input: Input = Input()
    endoscope: Tip = Tip()
    views: Annotated[PosePlan, BeforeValidator(_along_the_centerline_by_default)] = CenterlinePlan()
    rendering: Rendering = Rendering()
    sensor: Sensor = Sensor()
    output: Output = Output()

    @model_validator(mode="before")
    @classmethod
    def _channels_of_the_mode(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(content.get("rendering"), dict):
            return content
        output = content.get("output") or {}
        if content["rendering"].get("mode") != "synthetic" or not isinstance(output, dict) or "channels" in output:
            return content
        return content | {"output": output | {"channels": list(SYNTHETIC_CHANNELS)}}

    @property
    def is_sequence(self) -> bool:
        """Whether frames follow each other in time."""
        return isinstance(self.views, FlyThroughPlan | FilePlan)

    @model_validator(mode="after")
    def _possible(self) -> "EndoscopyRecipe":
        moving = [name for name in ("flow", "hidden") if name in self.output.channels]
        if moving and not self.is_sequence:
            need = f"{' and '.join(moving)} {'needs' if len(moving) == 1 else 'need'}"
            raise ValueError(f"output.channels: {need} successive frames; set views.mode to fly_through or file")
        if self.rendering.mode == "synthetic" and "noisy_radiance" in self.output.channels:
            raise ValueError("output.channels: a synthetic image has no noise of paths; store radiance instead")
        return self
