"""The numbers that make one generated pelvis differ from the next."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PelvisShape:
    """One sampled anatomy. Factors are relative to the mean template; build_pelvis() takes it, varied or not.

    seed: drives texture, noise and bowel; the shape itself stands in the other fields.
    femaleness: 0 (typically male) to 1 (typically female): smaller, wider inlet and subpubic arch, smaller heads.
    size, width, height, depth: overall factor and the factors along R, S and A.
    flare: width of the iliac crests relative to the hip joints.
    tilt_deg: forward pelvic tilt about the line through the hip centres.
    asymmetry: relative difference of the left hip bone along R, A, S.
    bone_density: factor on the Hounsfield units of trabecular and cortical bone.
    cortex_mm: thickness of the shell of the hip bones.
    head_radius_mm: radius of the femoral heads, before `size`.
    femur_rotation_deg, femur_abduction_deg: external rotation and abduction, right and left.
    fat_mm: subcutaneous fat in front of the pelvis; up to 60 % more over hips and buttocks.
    muscle: factor on the depth of muscle around the pelvis.
    bladder_ml: content of the bladder.
    bowel_gas: fraction of the colon's height that holds gas.
    """

    seed: int
    femaleness: float
    size: float
    width: float
    height: float
    depth: float
    flare: float
    tilt_deg: float
    asymmetry: tuple[float, float, float]
    bone_density: float
    cortex_mm: float
    head_radius_mm: float
    neck_shaft_deg: float
    anteversion_deg: float
    femur_rotation_deg: tuple[float, float]
    femur_abduction_deg: tuple[float, float]
    fat_mm: float
    muscle: float
    bladder_ml: float
    bowel_gas: float

    @property
    def factors(self) -> np.ndarray:
        """Size relative to the template along R, A, S: shape (3,)."""
        return self.size * np.array([self.width, self.depth, self.height])


def sample_shape(seed: int) -> PelvisShape:
    """The shape that belongs to `seed`; spreads follow adult anthropometry (sd about 4 % a direction)."""
    rng = np.random.default_rng(seed)

    def normal(mean: float, sd: float) -> float:
        return float(mean + sd * np.clip(rng.standard_normal(), -2.2, 2.2))

    femaleness = float(np.clip((rng.random() > 0.5) + 0.15 * rng.standard_normal(), 0.0, 1.0))
    return PelvisShape(
        seed=seed,
        femaleness=femaleness,
        size=normal(1.02 - 0.04 * femaleness, 0.035),
        width=normal(1.0, 0.025),
        height=normal(1.02 - 0.04 * femaleness, 0.025),
        depth=normal(1.0, 0.025),
        flare=normal(1.0, 0.03),
        tilt_deg=normal(0.0, 5.0),
        asymmetry=(normal(0.0, 0.012), normal(0.0, 0.012), normal(0.0, 0.012)),
        bone_density=normal(1.0, 0.1),
        cortex_mm=normal(1.6, 0.2),
        head_radius_mm=normal(25.0 - 2.5 * femaleness, 0.7),
        neck_shaft_deg=normal(127.0, 4.0),
        anteversion_deg=normal(12.0, 4.0),
        femur_rotation_deg=(normal(6.0, 6.0), normal(6.0, 6.0)),
        femur_abduction_deg=(normal(2.0, 2.0), normal(2.0, 2.0)),
        fat_mm=float(rng.uniform(10.0, 19.0)),
        muscle=normal(1.0, 0.06),
        bladder_ml=float(rng.uniform(60.0, 300.0)),
        bowel_gas=float(rng.uniform(0.15, 0.6)),
    )
