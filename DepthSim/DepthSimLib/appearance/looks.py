"""Looks: what the tissue of a scene is made of, how wet it is, how it is lit. The geometry is never theirs.

Numbers marked "assumed" are chosen by eye beside real frames.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from Sim2RealLib.recipe import strict_dataclass

from .tissue import FILM_REFRACTIVE_INDEX, normal_reflectance
from .transfer_function import MOST_ANISOTROPY, ColorFunction

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Color = tuple[Share, Share, Share]

VESSEL_BLOOD = 0.2
"""Blood fraction that light sees in the most visible vessel, averaged over the millimetre that it travels (assumed)."""

PATTERNS = 4
"""Different tiles of texture; each takes a second or two to make, once a process."""


@strict_dataclass
class Mucosa:
    """Physical tissue, `appearance.tissue`.

    blood_fraction: of its volume; mottling: standard deviation of its logarithm over patches of some millimetres.
    oxygenation: share of oxygenated haemoglobin. base_absorption_cm: μ_a of bloodless tissue, 1/cm.
    scattering: factor on μ_s′. pigment_fraction: volume of melanosomes.
    vessels: contrast of vessels, 1 adding a blood fraction of 0.2 at the most visible ones.
    vessel_density: share of vessels seen, the widest first; 1 for all, down to capillaries of 0.06 mm.
    lesion_blood: factor on the blood fraction in polyps and flat lesions of a generated colon.
    light: `white`, or `narrow_band`, where green light is shown as red and violet light as green and blue.
    """

    blood_fraction: float = Field(0.03, gt=0.0, le=1.0)
    mottling: float = Field(0.15, ge=0.0, le=1.0)
    oxygenation: Share = 0.7
    base_absorption_cm: NonNegativeFloat = 0.3
    scattering: PositiveFloat = 1.0
    pigment_fraction: Share = 0.0
    vessels: float = Field(0.4, ge=0.0, le=2.0)
    vessel_density: Share = 0.9
    lesion_blood: float = Field(1.6, ge=0.25, le=4.0)
    light: Literal["white", "narrow_band"] = "white"


@strict_dataclass
class Surface:
    """The film on the tissue, and its relief.

    f0: reflectance at normal incidence. roughness: GGX's α where it is wet. wetness: 1 for a closed film, 0 for a matte
        surface (α = 0.6); between them α is interpolated in its logarithm.
    bump: root mean square slope of the relief.
    cover: share of the surface under mucus, dye or bile, where the texture is lowest and in the pits of tumours;
        cover_opacity: where it is thickest; cover_color: its reflectance.
    gradient_factor: G_f; exponent: a. The share of surface reflection is P = α^a (1 − exp(−25 G_f³ |∇HU| / 600 HU/mm)),
        with α the extinction over its greatest.
    """

    f0: float = Field(normal_reflectance(1.38), ge=0.0, le=0.2)
    roughness: float = Field(0.06, ge=0.03, le=1.0)
    wetness: Share = 1.0
    bump: float = Field(0.12, ge=0.0, le=1.0)
    cover: Share = 0.0
    cover_opacity: Share = 0.7
    cover_color: Color = (0.5, 0.45, 0.35)
    gradient_factor: NonNegativeFloat = 0.6
    exponent: NonNegativeFloat = 1.0


@strict_dataclass
class Illumination:
    """spread_factor: on the spread μ of the endoscope's lights. balance: factors on the intensity of its lights.

    color: power of red, green and blue light. Channels do not mix, so it multiplies the finished radiance.
    """

    spread_factor: PositiveFloat = 1.0
    balance: tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0, 1.0)
    color: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)


@strict_dataclass
class Look:
    """tissue: physical, or colours over HU. g: anisotropy of the first scattering.

    pattern: number of the texture's tile; pattern_offset_mm: by which it is moved along the voxel axes.
    """

    tissue: Mucosa | ColorFunction = Mucosa()
    surface: Surface = Surface()
    illumination: Illumination = Illumination()
    g: float = Field(0.9, gt=-MOST_ANISOTROPY, lt=MOST_ANISOTROPY)
    pattern: int = Field(0, ge=0, lt=PATTERNS)
    pattern_offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


WARM = Illumination(color=(1.0, 1.02, 0.66))
"""A video processor that shows tissue warm, as most of those behind HyperKvasir do (assumed)."""

INDIGO, BILE, MUCUS = (0.01, 0.09, 0.16), (0.38, 0.21, 0.02), (0.46, 0.30, 0.20)
"""Reflectance of thick indigo carmine dye, bile-stained fluid and mucus (assumed)."""

WATERY_F0 = normal_reflectance(FILM_REFRACTIVE_INDEX)

NEUTRAL_CT = ColorFunction(((-300.0, 0.62, 0.40, 0.33), (60.0, 0.72, 0.52, 0.44), (400.0, 0.90, 0.85, 0.76)))
"""Warm grey-pink for soft tissue, ivory for what is denser, as volume renderings of CT are coloured."""

LOOKS: dict[str, Look] = {
    "normal": Look(illumination=WARM),
    "pale": Look(
        Mucosa(blood_fraction=0.014, mottling=0.1, vessels=0.45, vessel_density=0.9, scattering=1.2),
        Surface(roughness=0.12, bump=0.08),
    ),
    "inflamed": Look(
        Mucosa(blood_fraction=0.065, mottling=0.4, oxygenation=0.85, vessels=0.12, vessel_density=0.4),
        Surface(roughness=0.07, bump=0.26),
    ),
    "wet": Look(
        Mucosa(blood_fraction=0.024, vessels=0.5),
        Surface(WATERY_F0, roughness=0.04, bump=0.2, cover=0.45, cover_opacity=0.35, cover_color=MUCUS),
        WARM,
    ),
    "dry": Look(Mucosa(blood_fraction=0.035, vessels=0.4), Surface(wetness=0.1)),
    "melanosis": Look(Mucosa(0.035, 0.25, pigment_fraction=0.014, vessels=0.25), Surface(roughness=0.07), WARM),
    "bile": Look(Mucosa(base_absorption_cm=0.5), Surface(cover=1.0, cover_opacity=0.75, cover_color=BILE), WARM),
    "indigo": Look(Mucosa(blood_fraction=0.02), Surface(bump=0.18, cover=1.0, cover_opacity=0.95, cover_color=INDIGO)),
    "narrow_band": Look(
        Mucosa(blood_fraction=0.012, mottling=0.1, vessels=0.5, vessel_density=1.0, light="narrow_band"),
        Surface(roughness=0.05, bump=0.1),
        Illumination(color=(1.0, 2.1, 1.6)),
    ),
    "ct": Look(NEUTRAL_CT, Surface(roughness=0.3, bump=0.0, gradient_factor=0.5), g=0.0),
}
"""Presets by name."""
